/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Regex: the one door to PCRE2.
 *
 * Asks whether a whole string matches a pattern of RE2's syntax, or where the
 * first match begins: no back references, no looking around. The matcher is
 * the one without backtracking, whose time grows with the length of the string
 * times the square of the states alive at once, some hundreds at most: where a
 * pattern has more, the answer is REGEX_TOO_HARD. Of several matches from one
 * place the longest counts. Memory is given by the caller.
 *
 * Ownership: create/destroy.
 * Threads:   a regex with its scratch serves one thread at a time.
 */
#ifndef ENGINE_KERNELS_REGEX_H
#define ENGINE_KERNELS_REGEX_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct str;
struct regex;

enum { REGEX_SCRATCH_BYTES = 1 << 14, REGEX_PATTERN_MAX = 1 << 15 };
enum regex_answer { REGEX_NO, REGEX_YES, REGEX_TOO_HARD };

/** is_whole: all of a string has to match. ERR_INVALID tells what is wrong
 * with the pattern of that attribute, and where. */
MUST_USE enum err_code regex_create(const struct str *pattern, bool is_whole,
				    const char *attribute,
				    struct regex **ret_regex, struct err *err);
/** A string that is no UTF-8 does not match. Allocates nothing. */
enum regex_answer regex_match(const struct regex *regex, const struct str *text,
			      void *scratch);
/** The first match at or after byte `from`: bytes *ret_first to *ret_last. */
enum regex_answer regex_find(const struct regex *regex, const struct str *text,
			     size_t from, void *scratch, size_t *ret_first,
			     size_t *ret_last);
/** NULL is fine. */
void regex_destroy(struct regex *regex);

#endif
