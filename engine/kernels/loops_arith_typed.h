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

LOOPS_WALK2(add)
LOOPS_WALK2(sub)
LOOPS_WALK2(mul)
LOOPS_TEST(greater)
LOOPS_TEST(greater_or_equal)
LOOPS_TEST(less)
LOOPS_TEST(less_or_equal)
LOOPS_TEST(equal)
