/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Args: the words and flags of one command, read by a table of rows.
 *
 * "--name value" and "--name=value" are the same; "-" alone is a word, and
 * after "--" everything is. Flags and words may mix. An unknown flag is
 * refused with the nearest one.
 *
 * Ownership: borrows argv. Threads: plain data.
 * Limits:    ARGS_MAX words and ARGS_MAX flags.
 */
#ifndef BASE_ARGS_H
#define BASE_ARGS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

enum { ARGS_MAX = 64 };

/** A row; the table ends with a NULL name. */
struct args_flag {
	const char *name;  /**< without the dashes */
	const char *value; /**< what it takes ("FILE"); NULL: nothing */
	const char *help;
};

struct args_given {
	const struct args_flag *flag;
	const char *value; /**< NULL: the flag takes none */
};

struct args {
	const char *word[ARGS_MAX];
	unsigned n_words;
	struct args_given given[ARGS_MAX];
	unsigned n_given;
};

/** argv[0] is the first word or flag. `also` (may be NULL) is a second table
 * of flags that are known too. */
MUST_USE enum err_code args_parse(const struct args_flag *flags,
				  const struct args_flag *also, int argc,
				  const char *const *argv, struct args *ret,
				  struct err *err);
bool args_has(const struct args *args, const char *name);
/** The last one given, else `otherwise`. */
const char *args_text(const struct args *args, const char *name,
		      const char *otherwise);
/** Untouched when the flag was not given. */
MUST_USE enum err_code args_int(const struct args *args, const char *name,
				int64_t min, int64_t max, int64_t *value,
				struct err *err);
MUST_USE enum err_code args_double(const struct args *args, const char *name,
				   double min, double max, double *value,
				   struct err *err);

#endif
