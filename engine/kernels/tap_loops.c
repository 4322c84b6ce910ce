/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/kernels/tap_loops.h"

#include "engine/kernels/loops.h"
#include "engine/kernels/tap_loops_priv.h"

const struct tap_loops *tap_loops_level(unsigned level)
{
#ifdef LOOPS_X86_LEVELS
	if (level)
		return level == 2 ? &tap_loops_v4 : &tap_loops_v3;
#endif
	(void)level;
	return &tap_loops_base;
}

const struct tap_loops *tap_loops(void)
{
	return tap_loops_level(loop_levels() - 1);
}
