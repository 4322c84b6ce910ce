/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Synthetic text: rows of made-up tokens, drawn from a seed.
 *
 * For a language model one long stream, in which the next symbol is the last
 * one plus 1 to 4, modulo the number of symbols; for anything else rows whose
 * symbols lie at 3 times their hidden class plus 0 to 2. A symbol is a
 * character, or a word with a blank behind it.
 *
 * Ownership: create/destroy. Threads: read only once made.
 */
#ifndef DATA_READERS_SYNTHETIC_TEXT_H
#define DATA_READERS_SYNTHETIC_TEXT_H

#include "base/rng.h"
#include "data/readers/text_windows.h"

struct synthetic_text {
	char *bytes;
	struct text_windows windows;
};

struct synthetic_text_options {
	struct text_cut cut;
	int64_t rows, n_symbols;
	int64_t n_classes; /**< hidden; 0: a stream */
	struct rng rng;
};

MUST_USE enum err_code
synthetic_text_init(struct synthetic_text *text,
		    const struct synthetic_text_options *options,
		    struct err *err);
void synthetic_text_finish(struct synthetic_text *text);

#endif
