/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Loops of the reductions: the widest level that this CPU runs. Contraction is
 * off and the order of sums is fixed: all levels give the same bits.
 */
#include "engine/kernels/loops.h"
#include "engine/ops/reduce_loops_priv.h"

reduce_fn *reduce_fn_of_level(enum dtype dtype, unsigned level)
{
#ifdef LOOPS_X86_LEVELS
	return level == 2   ? reduce_fn_of_v4(dtype)
	       : level == 1 ? reduce_fn_of_v3(dtype)
			    : reduce_fn_of_base(dtype);
#else
	(void)level;
	return reduce_fn_of_base(dtype);
#endif
}

reduce_fn *reduce_fn_of(enum dtype dtype)
{
	return reduce_fn_of_level(dtype, loop_levels() - 1);
}
