/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/kernels/convert_loops_priv.h"

#include <stddef.h>

#include "engine/kernels/loops.h"

const struct convert_loops *convert_loops_level(unsigned level)
{
#ifdef LOOPS_X86_LEVELS
	return level == 2   ? &convert_loops_v4
	       : level == 1 ? &convert_loops_v3
			    : &convert_loops_base;
#else
	(void)level;
	return &convert_loops_base;
#endif
}

const struct convert_loops *convert_loops(void)
{
	return convert_loops_level(loop_levels() - 1);
}

convert_run *convert_find(const struct convert_loops *loops, enum dtype from,
			  enum dtype to)
{
	const struct convert_row *row = loops->row;

	while (row->run && (row->from != from || row->to != to))
		row++;
	return row->run;
}
