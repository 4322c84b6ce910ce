/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Sampling: which token follows, drawn from a network's numbers for each.
 *
 * Probabilities are softmax(logits / temperature). Of them stay the top_k
 * highest, the fewest of the highest that together have top_p, and those of at
 * least min_p times the highest; all three together where all are given.
 *
 * Threads: pure functions.
 */
#ifndef SERVER_SAMPLING_H
#define SERVER_SAMPLING_H

#include "base/arena.h"
#include "base/rng.h"
#include "server/json_pull.h"

enum { SAMPLING_TOKENS_MAX = 16384 };

struct sampling {
	uint64_t max_new_tokens, top_k, seed; /**< top_k 0: all */
	double temperature, top_p, min_p; /**< temperature 0: the likeliest */
	bool has_seed;
	struct str stop; /**< the text ends before it; bytes NULL: nothing */
};

/** 200 tokens at temperature 1, of all that there are. */
void sampling_init(struct sampling *sampling);
/** A map of these names; others are passed over. ERR_INVALID names the member,
 * what it takes and what came. */
MUST_USE enum err_code sampling_read(struct sampling *sampling,
				     struct json_pull *pull, struct err *err);
/** One of them by name; false: it has another, and is left in the text. */
MUST_USE enum err_code sampling_take(struct sampling *sampling, struct str key,
				     struct json_pull *pull, bool *ret_taken,
				     struct err *err);
/** A number from `first` to n - 1. u: uniform in [0, 1). -1: no memory. */
int64_t sampling_draw(const struct sampling *sampling, const float *logits,
		      int64_t first, int64_t n, double u, struct arena *arena);

#endif
