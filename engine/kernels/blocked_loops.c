/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/kernels/blocked_loops.h"

#include <stddef.h>

#include "engine/kernels/blocked_loops_priv.h"
#include "engine/kernels/loops.h"

#ifdef LOOPS_X86_LEVELS
static const struct blocked_loops *level_of(unsigned level)
{
	return level == 2   ? &blocked_loops_v4
	       : level == 1 ? &blocked_loops_v3
			    : &blocked_loops_base;
}
#else
static const struct blocked_loops *level_of(unsigned level)
{
	(void)level;
	return &blocked_loops_base;
}
#endif

const struct blocked_loops *blocked_loops(int64_t lanes)
{
	for (unsigned level = loop_levels(); level-- > 0;) {
		const struct blocked_loops *loops = level_of(level);

		if (loops->lanes == lanes)
			return loops;
	}
	return NULL;
}
