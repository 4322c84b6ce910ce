/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Tuning: which kernel answers which question, where several could.
 *
 * A question is a line of text (engine/tuner.h): operator, attributes, types
 * and shapes. Its first answer stays for the life of the process, whether it
 * was measured or only predicted, so that all plans of all models choose alike
 * for equal questions. What was measured is kept in a file, for the next start:
 *
 *	predictd tuning 1
 *	NAME OF THE MACHINE
 *	KERNEL MICROSECONDS QUESTION
 *	...
 *
 * A file of another machine (engine/machine.h) counts for nothing, and so does
 * every line of a damaged one that is no such line.
 *
 * Ownership: create/destroy; names and questions are copied.
 * Threads:   every function but create and destroy may be called from any.
 * Limits:    TUNING_CHOICES answers; beyond them none is kept, and what is
 *            predicted answers always. A file of TUNING_FILE_MAX bytes.
 */
#ifndef ENGINE_TUNING_H
#define ENGINE_TUNING_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

enum {
	TUNING_KERNEL_MAX = 64,	   /**< bytes of a kernel's name, with NUL */
	TUNING_QUESTION_MAX = 512, /**< bytes of a question, with NUL */
	TUNING_CHOICES = 4096,
	TUNING_FILE_MAX = 4 << 20,
};

struct buf;
struct tuning;

struct tuning_choice {
	char kernel[TUNING_KERNEL_MAX];
	double us; /**< as it was measured; 0: predicted, and not kept */
};

/** path: the file, which need not be there; NULL: none. A file that cannot be
 * read is an error, a damaged one is not. */
MUST_USE enum err_code
tuning_create(const char *path, struct tuning **ret_tuning, struct err *err);
/** NULL is fine. */
void tuning_destroy(struct tuning *tuning);

/** False: nobody has answered it. */
bool tuning_find(struct tuning *tuning, const char *question,
		 struct tuning_choice *ret);
/** Answers a question, unless it is answered; *ret: how it is now. */
void tuning_settle(struct tuning *tuning, const char *question,
		   const struct tuning_choice *choice,
		   struct tuning_choice *ret);
/** Takes an answer back that cannot be followed: another build's. */
void tuning_forget(struct tuning *tuning, const char *question,
		   const char *kernel);
size_t tuning_count(struct tuning *tuning);

/** The text of a file. What is no answer is left out. */
void tuning_parse(struct tuning *tuning, const char *text, size_t len);
void tuning_print(struct tuning *tuning, struct buf *buf);
/** Replaces the file, if there is one and something was measured since. */
MUST_USE enum err_code tuning_save(struct tuning *tuning, struct err *err);

#endif
