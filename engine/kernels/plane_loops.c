/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/kernels/plane_loops_priv.h"

#include "engine/kernels/loops.h"

const struct plane_loops *plane_loops_level(unsigned level)
{
#ifdef LOOPS_X86_LEVELS
	return level == 2   ? &plane_loops_v4
	       : level == 1 ? &plane_loops_v3
			    : &plane_loops_base;
#else
	(void)level;
	return &plane_loops_base;
#endif
}

const struct plane_loops *plane_loops(void)
{
	return plane_loops_level(loop_levels() - 1);
}
