/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Text: what operators on strings share.
 *
 * Strings are UTF-8. Upper and lower case go by code points, one for one, as
 * the C library knows them of Unicode; bytes that are no UTF-8 stay.
 *
 * Ownership: text_case_open/close.
 * Threads:   pure, a text_case is read only.
 */
#ifndef ENGINE_OPS_TEXT_H
#define ENGINE_OPS_TEXT_H

#include <locale.h>
#include <string.h>

#include "engine/tensor.h"

enum text_case { TEXT_CASE_SAME, TEXT_CASE_LOWER, TEXT_CASE_UPPER };

/** Unicode's tables; (locale_t)0 where the system has none: ASCII then. */
locale_t text_case_open(void);
void text_case_close(locale_t locale);

/** A text's code points one by one, changed in case. */
struct text_walk {
	const struct str *text;
	size_t at;
	locale_t locale;
	enum text_case change;
};
/** Up to four bytes of the next code point; 0 at the end. */
size_t text_walk_next(struct text_walk *walk, char ret_bytes[4]);
/** Bytes of the changed text; into NULL: only counts them. */
size_t text_change(const struct str *text, enum text_case change,
		   locale_t locale, char *into);
/** Equal once both are in lower case. */
bool text_equal_folded(const struct str *a, const struct str *b,
		       locale_t locale);

static inline bool text_equal(const struct str *a, const struct str *b)
{
	return a->len == b->len &&
	       (a->len == 0 || memcmp(a->bytes, b->bytes, a->len) == 0);
}

#endif
