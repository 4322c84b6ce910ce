/* SPDX-License-Identifier: Apache-2.0 */
#include "server/float_digits.h"

#include "engine/kernels/loops.h"

float_digits_fn float_digits_base;

#ifdef LOOPS_X86_LEVELS
float_digits_fn float_digits_v3, float_digits_v4;

float_digits_fn *float_digits_find_level(unsigned level)
{
	return level == 2   ? float_digits_v4
	       : level == 1 ? float_digits_v3
			    : float_digits_base;
}
#else
float_digits_fn *float_digits_find_level(unsigned level)
{
	(void)level;
	return float_digits_base;
}
#endif

float_digits_fn *float_digits_find(void)
{
	return float_digits_find_level(loop_levels() - 1);
}
