/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Regex: the one door to PCRE2.
 *
 * Asks whether a whole string matches a pattern of RE2's syntax: no back
 * references, no looking around. The matcher is the one without backtracking,
 * whose time grows with the length of the string times the states alive at
 * once; those have a bound. Memory is given by the caller.
 *
 * Ownership: create/destroy.
 * Threads:   a regex with its scratch serves one thread at a time.
 */
#ifndef ENGINE_KERNELS_REGEX_H
#define ENGINE_KERNELS_REGEX_H

#include <stddef.h>

#include "base/err.h"

struct str;
struct regex;

enum { REGEX_SCRATCH_BYTES = 1 << 16, REGEX_PATTERN_MAX = 1 << 15 };
enum regex_answer { REGEX_NO, REGEX_YES, REGEX_TOO_HARD };

/** ERR_INVALID tells what is wrong with the pattern, and where. */
MUST_USE enum err_code regex_create(const char *pattern,
				    struct regex **ret_regex, struct err *err);
/** A string that is no UTF-8 does not match. Allocates nothing. */
enum regex_answer regex_match(const struct regex *regex, const struct str *text,
			      void *scratch);
/** NULL is fine. */
void regex_destroy(struct regex *regex);

#endif
