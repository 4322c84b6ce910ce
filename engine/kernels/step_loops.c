/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/kernels/step_loops.h"

#include "engine/kernels/loops.h"
#include "engine/kernels/step_loops_priv.h"

const struct step_loops *step_loops_level(unsigned level)
{
#ifdef LOOPS_X86_LEVELS
	if (level)
		return level == 2 ? &step_loops_v4 : &step_loops_v3;
#endif
	(void)level;
	return &step_loops_base;
}

const struct step_loops *step_loops(void)
{
	return step_loops_level(loop_levels() - 1);
}
