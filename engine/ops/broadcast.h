/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Broadcast: walks an output row by row beside inputs that broadcast to it.
 *
 * Axes that behave alike for all inputs are merged, so that equal shapes are
 * one long row, and along a row each input either walks (step 1) or stays
 * (step 0).
 *
 * Threads: plain data.
 */
#ifndef ENGINE_OPS_BROADCAST_H
#define ENGINE_OPS_BROADCAST_H

#include "engine/tensor.h"

enum { BROADCAST_MAX_IN = 3 };

struct broadcast {
	unsigned rank, n_in; /**< rank at least 1 */
	int64_t dim[SHAPE_MAX_RANK];
	int64_t step[BROADCAST_MAX_IN][SHAPE_MAX_RANK]; /**< in elements */
};

/** in[k] must broadcast to out. */
void broadcast_init(struct broadcast *b, const struct shape *out,
		    const struct shape *const *in, unsigned n_in);

/** A part of one row: n elements of the output from `at`. */
struct broadcast_row {
	int64_t at, n;
	int64_t in[BROADCAST_MAX_IN]; /**< first element of each input */
	int64_t end;
	int64_t index[SHAPE_MAX_RANK];
};

/** Elements first to last - 1 of the output. */
void broadcast_first(const struct broadcast *b, int64_t first, int64_t last,
		     struct broadcast_row *row);
/** True while there is a row; call it before each, the first one too. */
bool broadcast_next(const struct broadcast *broadcast,
		    struct broadcast_row *row);

/** Element of a tensor of shape `in` that element `at` of `out` reads: the
 * plain rule, for reference kernels. */
int64_t broadcast_index(const struct shape *out, const struct shape *in,
			int64_t at);

#endif
