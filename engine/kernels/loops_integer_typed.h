/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of integers: division truncates and minds its zeros. */

LOOPS_INLINE T NAME(max)(T a, T b, const T *p)
{
	(void)p;
	return a > b ? a : b;
}

LOOPS_INLINE T NAME(min)(T a, T b, const T *p)
{
	(void)p;
	return a < b ? a : b;
}

LOOPS_INLINE T NAME(neg)(T x, const T *p)
{
	(void)p;
	return (T)(0 - (U)x);
}

LOOPS_INLINE T NAME(abs)(T x, const T *p)
{
	(void)p;
	return x > 0 ? x : (T)(0 - (U)x);
}

LOOPS_INLINE T NAME(sign)(T x, const T *p)
{
	(void)p;
	return (T)((x > 0) - (x != 0 && x <= 0));
}

/* The least number over -1 wraps, as the other rules do. */
static bool NAME(div_loop)(int64_t n, const void *const *in, const int *step,
			   void *out, const double *p)
{
	const T *a = in[0], *b = in[1];
	const bool has_sign = (T)-1 < (T)1;
	T *y = out;
	bool good = true;

	(void)p;
	for (int64_t i = 0; i < n; i++) {
		const T x = a[step[0] ? i : 0], d = b[step[1] ? i : 0];

		if (d == 0)
			good = false;
		if (d == 0)
			y[i] = 0;
		else if (has_sign && d == (T)-1)
			y[i] = (T)(0 - (U)x);
		else
			y[i] = (T)(x / d);
	}
	return good;
}

/* p[0]: as in C, the sign is the dividend's; else the divisor's, as in
 * Python. */
static bool NAME(mod_loop)(int64_t n, const void *const *in, const int *step,
			   void *out, const double *p)
{
	const T *a = in[0], *b = in[1];
	const bool has_sign = (T)-1 < (T)1, as_in_c = p[0] != 0.0;
	T *y = out;
	bool good = true;

	for (int64_t i = 0; i < n; i++) {
		const T x = a[step[0] ? i : 0], d = b[step[1] ? i : 0];
		T rest = 0;

		if (d == 0)
			good = false;
		else if (!has_sign || d != (T)-1)
			rest = (T)(x % d);
		if (!as_in_c && rest != 0 && (rest > 0) != (d > 0))
			rest = (T)(rest + d);
		y[i] = rest;
	}
	return good;
}

/* Bits that leave are lost, and all of them leave in the end; a number below
 * zero counts as far. */
LOOPS_INLINE T NAME(shift_left)(T x, T by, const T *p)
{
	const U bits = 8 * sizeof(T);

	(void)p;
	return (U)by < bits ? (T)((U)x << (U)by) : 0;
}

/* Signs come in from the left, where T has them: compilers agree on that. */
LOOPS_INLINE T NAME(shift_right)(T x, T by, const T *p)
{
	const U bits = 8 * sizeof(T), most = bits - 1;

	(void)p;
	if ((U)by < bits)
		return (T)(x >> (U)by);
	return (T)-1 < (T)1 ? (T)(x >> most) : 0;
}

LOOPS_INLINE T NAME(bit_and)(T a, T b, const T *p)
{
	(void)p;
	return (T)((U)a & (U)b);
}

LOOPS_INLINE T NAME(bit_or)(T a, T b, const T *p)
{
	(void)p;
	return (T)((U)a | (U)b);
}

LOOPS_INLINE T NAME(bit_xor)(T a, T b, const T *p)
{
	(void)p;
	return (T)((U)a ^ (U)b);
}

LOOPS_INLINE T NAME(bit_not)(T x, const T *p)
{
	(void)p;
	return (T) ~(U)x;
}

/* By squaring; a negative exponent gives 1 over a whole number: 0, 1 or -1. */
LOOPS_INLINE T NAME(power)(T base, T exponent, bool *good)
{
	U result = 1, square = (U)base, left = (U)exponent;

	if (exponent < 1 && exponent != 0) {
		if (base == 0)
			*good = false;
		if (base != 1 && base != (T)-1)
			return 0;
		left = left & 1;
	}
	for (; left; left >>= 1) {
		if (left & 1)
			result *= square;
		square *= square;
	}
	return (T)result;
}

static bool NAME(pow_loop)(int64_t n, const void *const *in, const int *step,
			   void *out, const double *p)
{
	const T *a = in[0], *b = in[1];
	T *y = out;
	bool good = true;

	(void)p;
	for (int64_t i = 0; i < n; i++)
		y[i] =
		    NAME(power)(a[step[0] ? i : 0], b[step[1] ? i : 0], &good);
	return good;
}

LOOPS_WALK2(max)
LOOPS_WALK2(min)
LOOPS_WALK1(neg)
LOOPS_WALK1(abs)
LOOPS_WALK1(sign)
LOOPS_WALK2(shift_left)
LOOPS_WALK2(shift_right)
LOOPS_WALK2(bit_and)
LOOPS_WALK2(bit_or)
LOOPS_WALK2(bit_xor)
LOOPS_WALK1(bit_not)
