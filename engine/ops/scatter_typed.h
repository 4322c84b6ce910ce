/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Reductions of scattered elements in one type T; U is T, or unsigned for
 * integers, so that nothing overflows; IS_NAN(v) tells numbers from NaN, which
 * wins; NAME(x) is T's name for x. Included by scatter.c once a type.
 */

static void NAME(put)(const void *from, void *to, int64_t n)
{
	for (int64_t i = 0; i < n; i++)
		((T *)to)[i] = ((const T *)from)[i];
}

static void NAME(add)(const void *from, void *to, int64_t n)
{
	const T *x = from;
	T *y = to;

	for (int64_t i = 0; i < n; i++)
		y[i] = (T)((U)y[i] + (U)x[i]);
}

static void NAME(mul)(const void *from, void *to, int64_t n)
{
	const T *x = from;
	T *y = to;

	for (int64_t i = 0; i < n; i++)
		y[i] = (T)((U)y[i] * (U)x[i]);
}

static void NAME(max)(const void *from, void *to, int64_t n)
{
	const T *x = from;
	T *y = to;

	for (int64_t i = 0; i < n; i++)
		if (x[i] > y[i] || IS_NAN(x[i]))
			y[i] = x[i];
}

static void NAME(min)(const void *from, void *to, int64_t n)
{
	const T *x = from;
	T *y = to;

	for (int64_t i = 0; i < n; i++)
		if (x[i] < y[i] || IS_NAN(x[i]))
			y[i] = x[i];
}
