/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/kernels/update_loops.h"

#include "engine/kernels/loops.h"
#include "engine/kernels/update_loops_priv.h"

#ifdef LOOPS_X86_LEVELS
const struct update_loops *update_loops_level(unsigned level)
{
	return level == 2   ? &update_loops_v4
	       : level == 1 ? &update_loops_v3
			    : &update_loops_base;
}
#else
const struct update_loops *update_loops_level(unsigned level)
{
	(void)level;
	return &update_loops_base;
}
#endif

const struct update_loops *update_loops(void)
{
	return update_loops_level(loop_levels() - 1);
}
