/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Range in one type T; U is T, or unsigned for integers, so that nothing
 * overflows on the way; NAME(x) is T's name for x. Included by range.c once a
 * type.
 */

static double NAME(steps)(const void *start, const void *limit,
			  const void *delta)
{
	const double from = (double)*(const T *)start;

	return ceil(((double)*(const T *)limit - from) /
		    (double)*(const T *)delta);
}

static void NAME(range)(const void *start, const void *delta, int64_t n,
			void *to)
{
	const T first = *(const T *)start, step = *(const T *)delta;
	T *y = to;

	for (int64_t i = 0; i < n; i++)
		y[i] = (T)((U)first + (U)i * (U)step);
}
