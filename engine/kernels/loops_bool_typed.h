/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of truth values. */

LOOPS_INLINE bool NAME (and)(bool a, bool b)
{
	return a & b;
}

LOOPS_INLINE bool NAME(or)(bool a, bool b)
{
	return a | b;
}

LOOPS_INLINE bool NAME (xor)(bool a, bool b)
{
	return a ^ b;
}

LOOPS_INLINE bool NAME(equal)(bool a, bool b)
{
	return a == b;
}

LOOPS_INLINE bool NAME(not )(bool x, const bool *p)
{
	(void)p;
	return !x;
}

LOOPS_TEST(and)
LOOPS_TEST(or)
LOOPS_TEST(xor)
LOOPS_TEST(equal)
LOOPS_WALK1(not )
