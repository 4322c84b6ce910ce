/* SPDX-License-Identifier: Apache-2.0 */
#include "server/row_run.h"

#include "engine/kernels/loops.h"

static const char *run_base(const char *at, const char *end,
			    const struct row_run *run)
{
	(void)end;
	(void)run;
	return at;
}

#ifdef LOOPS_X86_LEVELS
row_run_fn row_run_v3, row_run_v4;

row_run_fn *row_run_find(void)
{
	const unsigned n = loop_levels();

	return n > 2 ? row_run_v4 : n > 1 ? row_run_v3 : run_base;
}
#else
row_run_fn *row_run_find(void)
{
	return run_base;
}
#endif
