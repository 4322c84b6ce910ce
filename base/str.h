/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Strings: comparison, checked numbers, bounded copies, UTF-8.
 *
 * A number is read from the whole string or refused: no leading spaces, no
 * rest, no overflow, and decimal only. str_parse_double() does not follow the
 * locale and refuses NaN, infinities and what overflows.
 *
 * Ownership: nothing is allocated.
 * Threads:   pure functions.
 */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum { STR_UINT64_MAX = 20 }; /* digits */

/** Two NULLs are equal; NULL equals nothing else. */
bool str_equal(const char *a, const char *b);
bool str_starts_with(const char *text, const char *start);
bool str_ends_with(const char *text, const char *end);

/** False, and *ret_value untouched, unless the whole text is the number. */
MUST_USE bool str_parse_int64(const char *text, int64_t *ret_value);
MUST_USE bool str_parse_uint64(const char *text, uint64_t *ret_value);
MUST_USE bool str_parse_double(const char *text, double *ret_value);
/** Decimal digits without a NUL; returns how many. Not by printf, which
 * libraries that add conversions to it make slow. */
size_t str_put_uint64(uint64_t value, char ret_text[STR_UINT64_MAX]);

/** Copies what fits into cap bytes, always ends with NUL (cap > 0); returns
 * the length of `from`, so that a result >= cap tells of a cut. */
size_t str_copy(char *to, size_t cap, const char *from);

/** Well-formed UTF-8: no overlong forms, no surrogates, at most U+10FFFF. */
bool str_is_utf8(const void *bytes, size_t len);
/** Bytes of the well-formed character that begins here; 0: none does. */
size_t str_utf8_char(const char *bytes, size_t len);
/** The longest prefix of at most max bytes that ends between characters. */
size_t str_utf8_cut(const char *bytes, size_t len, size_t max);

#endif
