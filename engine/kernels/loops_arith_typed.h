/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of arithmetic that hold for every number. U is the unsigned type of
 * T's width (T itself for floats): integers wrap instead of overflowing. */

LOOPS_INLINE T NAME(add)(T a, T b, const T *p)
{
	(void)p;
	return (T)((U)a + (U)b);
}

LOOPS_INLINE T NAME(sub)(T a, T b, const T *p)
{
	(void)p;
	return (T)((U)a - (U)b);
}

LOOPS_INLINE T NAME(mul)(T a, T b, const T *p)
{
	(void)p;
	return (T)((U)a * (U)b);
}

/* written so that it is no idle question of unsigned numbers */
LOOPS_INLINE T NAME(prelu)(T x, T slope, const T *p)
{
	(void)p;
	return x > 0 || x == 0 ? x : (T)((U)x * (U)slope);
}

LOOPS_INLINE bool NAME(greater)(T a, T b)
{
	return a > b;
}

LOOPS_INLINE bool NAME(greater_or_equal)(T a, T b)
{
	return a >= b;
}

LOOPS_INLINE bool NAME(less)(T a, T b)
{
	return a < b;
}

LOOPS_INLINE bool NAME(less_or_equal)(T a, T b)
{
	return a <= b;
}

LOOPS_INLINE bool NAME(equal)(T a, T b)
{
	return a == b;
}

LOOPS_INLINE void NAME(clip)(int64_t m, const T *x, const T *low, const T *high,
			     T *y)
{
	if (low && high) {
		const T lo = *low, hi = *high;

		LOOPS_INDEPENDENT
		for (int64_t i = 0; i < m; i++) {
			const T v = x[i] < lo ? lo : x[i];

			y[i] = v > hi ? hi : v;
		}
	} else if (low) {
		const T lo = *low;

		LOOPS_INDEPENDENT
		for (int64_t i = 0; i < m; i++)
			y[i] = x[i] < lo ? lo : x[i];
	} else if (high) {
		const T hi = *high;

		LOOPS_INDEPENDENT
		for (int64_t i = 0; i < m; i++)
			y[i] = x[i] > hi ? hi : x[i];
	} else {
		LOOPS_INDEPENDENT
		for (int64_t i = 0; i < m; i++)
			y[i] = x[i];
	}
}

/* in[1] and in[2] hold the limits, or are NULL; the upper one wins. NaN stays.
 */
static bool NAME(clip_loop)(int64_t n, const void *const *in, const int *step,
			    void *out, const double *p)
{
	const int64_t m = step[0] ? n : n > 0;
	T *y = out;

	(void)p;
	NAME(clip)(m, in[0], in[1], in[2], y);
	for (int64_t i = m; i < n; i++)
		y[i] = y[0];
	return true;
}

LOOPS_WALK2(add)
LOOPS_WALK2(sub)
LOOPS_WALK2(mul)
LOOPS_WALK2(prelu)
LOOPS_TEST(greater)
LOOPS_TEST(greater_or_equal)
LOOPS_TEST(less)
LOOPS_TEST(less_or_equal)
LOOPS_TEST(equal)
