/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/kernels/product_loops.h"

#include "engine/kernels/loops.h"
#include "engine/kernels/product_loops_priv.h"

const struct product_loops *product_loops_level(unsigned level)
{
#ifdef LOOPS_X86_LEVELS
	if (level)
		return level == 2 ? &product_loops_v4 : &product_loops_v3;
#endif
	(void)level;
	return &product_loops_base;
}

const struct product_loops *product_loops(void)
{
	return product_loops_level(loop_levels() - 1);
}
