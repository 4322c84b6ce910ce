/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Blocked values: channels in blocks of `lanes`, which stand last.
 *
 *   plain [N, C, spatial...]   blocked [N, ceil(C / lanes), spatial..., lanes]
 *
 * So a vector of the CPU holds the channels of one pixel. To the engine a
 * blocked value is a tensor like any other, and elementwise operators, Concat
 * and reductions run on it as they are; convolution and pooling have rows of
 * their own. Lanes past C hold zeros: whoever makes a blocked value writes
 * them, whoever reads one may count on it.
 *
 * Threads: plain data and pure functions.
 */
#ifndef ENGINE_OPS_BLOCKED_H
#define ENGINE_OPS_BLOCKED_H

#include "engine/kernel.h"
#include "engine/kernels/loops.h"
#include "engine/ops/conv.h"
#include "engine/ops/epilogue.h"
#include "engine/ops/pool.h"

enum { BLOCKED_MAX_LANES = 64 };

/** Of Block (channels is not its own) and Unblock. */
struct block_attrs {
	int64_t lanes, channels;
};

/** Of ConvBlocked. */
struct conv_blocked_attrs {
	struct conv_attrs conv;
	int64_t lanes;
	const char *activation; /**< the name of an epilogue */
	double alpha, beta;
};

/** A ConvBlocked: y = epilogue(conv(x, w) + bias + residual). */
struct conv_blocked {
	struct conv conv; /**< over channels, whatever the blocks */
	int64_t lanes, in_blocks, out_blocks;
	bool is_plain_in; /**< x is plain: a thin first layer */
	bool has_bias, has_residual;
	struct epilogue epilogue;
};

static inline int64_t blocked_count(int64_t channels, int64_t lanes)
{
	return channels / lanes + (channels % lanes != 0);
}
/** The blocked form of a plain shape of rank 2 or more. */
static inline struct shape blocked_shape(const struct shape *plain,
					 int64_t lanes)
{
	struct shape shape = *plain;

	shape.dim[1] = blocked_count(shape.dim[1], lanes);
	shape.dim[shape.rank++] = lanes;
	return shape;
}
/** The plain form of a blocked shape of rank 3 or more. */
static inline struct shape blocked_plain(const struct shape *blocked,
					 int64_t channels)
{
	struct shape shape = *blocked;

	shape.dim[1] = channels;
	shape.dim[--shape.rank] = 0;
	return shape;
}

/** Taps lo..hi-1 of one axis whose sources lie inside, for an output that
 * begins to read at `at`. */
void blocked_taps(const struct window *w, unsigned axis, int64_t at,
		  int64_t *lo, int64_t *hi);
/** How many outputs of a row, from `first` to `end` at most, read the same taps
 * as the first. */
int64_t blocked_alike(const struct window *w, int64_t first, int64_t end);

/** An epilogue as loops do it: between bounds, then through the loop of the
 * operator of that name where that is not all. */
struct blocked_follow {
	float low, high;
	loop_run *finish; /**< or NULL */
	double numbers[LOOP_MAX_PARAMS];
};
/** Lanes past the channels come out as zeros from kernels that do with them as
 * with all others. */
static inline bool blocked_keeps_lanes(const struct conv_blocked *g)
{
	return g->conv.group * g->conv.m % g->lanes == 0 ||
	       epilogue_keeps_zero(&g->epilogue);
}

/** False: there is no loop for it. */
bool blocked_follow(const struct epilogue *epilogue,
		    struct blocked_follow *ret);

/** The geometry of a query that infer() let pass. */
void conv_blocked_query(const struct kernel_query *query,
			struct conv_blocked *ret);
/** ERR_INVALID names an epilogue that does not exist. */
MUST_USE enum err_code
conv_blocked_epilogue(const struct conv_blocked_attrs *attrs,
		      struct epilogue *ret, struct err *err);

extern const struct kernel conv_blocked_direct, conv_blocked_winograd;

#endif
