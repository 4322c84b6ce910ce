/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Loops: the inner loops of elementwise operators, by operator name and type.
 *
 * One source (loops_table.c) is compiled for each level of CPU, so that plain
 * C becomes the widest vectors there are, and once more as the reference, with
 * libm's functions in place of our polynomials. Contraction is off: all levels
 * give the same bits.
 *
 * Threads: const tables; pure functions.
 */
#ifndef ENGINE_KERNELS_LOOPS_H
#define ENGINE_KERNELS_LOOPS_H

#include "engine/op.h"

enum { LOOP_MAX_IN = 3, LOOP_MAX_PARAMS = 3 };

/** n elements. Each input either walks (step 1) or stays (step 0); out may be
 * in[0] where that walks. p: the operator's float attributes. False: a bad
 * value was met, and its element is 0. */
typedef bool loop_run(int64_t n, const void *const *in, const int *step,
		      void *out, const double *p);

struct loop {
	const char *op;	   /**< name of the row, any domain of ours */
	unsigned n_params; /**< the row's first attributes, as numbers */
	double ns;	   /**< predicted, an element of float */
	loop_run *run[DTYPE_COUNT]; /**< by type of in[0] */
};

/** The widest level that this CPU runs; NULL when the operator has none. */
const struct loop *loop_find(const char *op);
/** The plain one, with libm. */
const struct loop *loop_find_reference(const char *op);

/** How many levels this CPU runs, narrowest first: tests try each. */
unsigned loop_levels(void);
const struct loop *loop_find_level(unsigned level, const char *op);
const char *loop_level_name(unsigned level);

#endif
