/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/kernels/row_loops.h"

#include "engine/kernels/loops.h"
#include "engine/kernels/row_loops_priv.h"

#ifdef LOOPS_X86_LEVELS
const struct row_loops *row_loops_level(unsigned level)
{
	return level == 2   ? &row_loops_v4
	       : level == 1 ? &row_loops_v3
			    : &row_loops_base;
}
#else
const struct row_loops *row_loops_level(unsigned level)
{
	(void)level;
	return &row_loops_base;
}
#endif

const struct row_loops *row_loops(void)
{
	return row_loops_level(loop_levels() - 1);
}
