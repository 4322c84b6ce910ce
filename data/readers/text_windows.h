/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Text windows: one long text cut into rows of equally many tokens.
 *
 * Row i is tokens i L to (i + 1) L of its stretch, and its target the same one
 * token later, so that row i + 1 goes on where row i ends. What is left of a
 * stretch, less than a row and the token behind it, is passed over.
 *
 * Ownership: init/finish; the text is borrowed and must not move.
 * Threads:   one while it is filled; then read only.
 */
#ifndef DATA_READERS_TEXT_WINDOWS_H
#define DATA_READERS_TEXT_WINDOWS_H

#include "data/feature.h"

/* begin: of the first token; second: of the next; stop: where the token behind
 * the row begins; end: where that ends */
struct text_window {
	const char *begin, *second, *stop, *end;
};

struct text_windows {
	struct text_cut cut;
	struct text_window *window;
	size_t n, cap;
};

/** The columns that rows have. */
enum text_column { TEXT_COLUMN_INPUT, TEXT_COLUMN_TARGET };

void text_windows_init(struct text_windows *windows, struct text_cut cut);
void text_windows_finish(struct text_windows *windows);
/** One more stretch of text. */
MUST_USE enum err_code text_windows_add(struct text_windows *windows,
					const char *text, size_t len,
					struct err *err);
void text_windows_value(const struct text_windows *windows, int64_t row,
			enum text_column column, struct raw_value *ret);

#endif
