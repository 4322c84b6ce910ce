/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/kernels/loops_priv.h"

#include <string.h>

static const struct loop *find(const struct loop *table, const char *op)
{
	for (; table->op; table++)
		if (strcmp(table->op, op) == 0)
			return table;
	return NULL;
}

/* Built for x86-64 only; __builtin_cpu_supports reads what the C library's
 * start found, and asks the system for AVX state too. The features are those
 * by which the levels differ on processors that there are. */
#ifdef LOOPS_X86_LEVELS
static bool is_v3(void)
{
	return __builtin_cpu_supports("avx2") &&
	       __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi") &&
	       __builtin_cpu_supports("bmi2");
}

static bool is_v4(void)
{
	return __builtin_cpu_supports("avx512f") &&
	       __builtin_cpu_supports("avx512bw") &&
	       __builtin_cpu_supports("avx512cd") &&
	       __builtin_cpu_supports("avx512dq") &&
	       __builtin_cpu_supports("avx512vl");
}

unsigned loop_levels(void)
{
	if (!is_v3())
		return 1;
	return is_v4() ? 3 : 2;
}

static const struct loop *table_of(unsigned level)
{
	return level == 2 ? loops_v4 : level == 1 ? loops_v3 : loops_base;
}
#else
unsigned loop_levels(void)
{
	return 1;
}

static const struct loop *table_of(unsigned level)
{
	(void)level;
	return loops_base;
}
#endif

const struct loop *loop_find_level(unsigned level, const char *op)
{
	return find(table_of(level), op);
}

const char *loop_level_name(unsigned level)
{
	return level == 2 ? "x86-64-v4" : level == 1 ? "x86-64-v3" : "base";
}

const struct loop *loop_find(const char *op)
{
	return loop_find_level(loop_levels() - 1, op);
}

const struct loop *loop_find_reference(const char *op)
{
	return find(loops_reference, op);
}
