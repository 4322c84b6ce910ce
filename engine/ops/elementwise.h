/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Elementwise: the two kernels that every elementwise operator shares.
 *
 * The loop is found by the row's name (engine/kernels/loops.h), followed by a
 * dot and the value of its first attribute where that is a text. One to three
 * inputs broadcast to output 0; more (Sum, Max, Min) are folded from the left,
 * a chunk at a time. The loop's parameters are the row's first attributes.
 *
 * Threads: const tables.
 */
#ifndef ENGINE_OPS_ELEMENTWISE_H
#define ENGINE_OPS_ELEMENTWISE_H

#include "engine/kernel.h"
#include "engine/kernels/loops.h"

extern const struct kernel elementwise_fast, elementwise_test_fast,
    elementwise_reference;
/** Both. Out 0 may be in 0. */
extern const struct kernel *const elementwise_kernels[];
/** For tests of truth (Equal, Less): the output's elements are bool. */
extern const struct kernel *const elementwise_test_kernels[];

/** The loop of a row with these attributes; NULL when there is none. */
const struct loop *elementwise_loop(const struct op *op, const void *attrs,
				    bool reference);
/** The numbers that it takes, behind them zeros. */
void elementwise_params(const struct op *op, const void *attrs,
			const struct loop *loop, double ret[LOOP_MAX_PARAMS]);

/** As many slices as wished, but none empty, over the elements of out 0. */
MUST_USE enum err_code elementwise_prepare(const struct kernel_query *query,
					   struct kernel_setup *ret,
					   struct err *err);

#endif
