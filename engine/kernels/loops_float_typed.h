/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of floats. FN(exp) and its like are libm's or ours; LIBM(x) is libm's
 * function of T; ONE is 1 of type T. */

/* A NaN on either side wins, as in numpy. */
LOOPS_INLINE T NAME(max)(T a, T b, const T *p)
{
	(void)p;
	return a > b || a != a ? a : b;
}

LOOPS_INLINE T NAME(min)(T a, T b, const T *p)
{
	(void)p;
	return a < b || a != a ? a : b;
}

LOOPS_INLINE T NAME(div)(T a, T b, const T *p)
{
	(void)p;
	return a / b;
}

LOOPS_INLINE T NAME(pow)(T a, T b, const T *p)
{
	(void)p;
	return LIBM(pow)(a, b);
}

LOOPS_INLINE T NAME(square)(T x, const T *p)
{
	(void)p;
	return x * x;
}

/* Squares are most of what models ask for. */
static bool NAME(pow_loop)(int64_t n, const void *const *in, const int *step,
			   void *out, const double *p)
{
	const T *exponent = in[1];

	if (n > 0 && step[0] && !step[1] && exponent[0] == 2)
		return NAME(walk1)(n, in, out, p, NAME(square));
	return NAME(walk2)(n, in, step, out, p, NAME(pow));
}

LOOPS_INLINE T NAME(neg)(T x, const T *p)
{
	(void)p;
	return -x;
}

LOOPS_INLINE T NAME(abs)(T x, const T *p)
{
	(void)p;
	return LIBM(fabs)(x);
}

LOOPS_INLINE T NAME(sign)(T x, const T *p)
{
	(void)p;
	return x > 0 ? 1 : x < 0 ? -1 : x;
}

LOOPS_INLINE T NAME(sqrt)(T x, const T *p)
{
	(void)p;
	return LIBM(sqrt)(x);
}

LOOPS_INLINE T NAME(reciprocal)(T x, const T *p)
{
	(void)p;
	return 1 / x;
}

LOOPS_INLINE T NAME(exp)(T x, const T *p)
{
	(void)p;
	return FN(exp)(x);
}

LOOPS_INLINE T NAME(log)(T x, const T *p)
{
	(void)p;
	return FN(log)(x);
}

LOOPS_INLINE T NAME(erf)(T x, const T *p)
{
	(void)p;
	return FN(erf)(x);
}

LOOPS_INLINE T NAME(floor)(T x, const T *p)
{
	(void)p;
	return LIBM(floor)(x);
}

LOOPS_INLINE T NAME(ceil)(T x, const T *p)
{
	(void)p;
	return LIBM(ceil)(x);
}

/* Halves to even: the rounding mode is never changed. */
LOOPS_INLINE T NAME(round)(T x, const T *p)
{
	(void)p;
	return LIBM(rint)(x);
}

/* Activations; the sources of their formulas stand in ops/activation.c. */

LOOPS_INLINE T NAME(relu)(T x, const T *p)
{
	(void)p;
	return x < 0 ? 0 : x;
}

LOOPS_INLINE T NAME(relu_grad)(T dy, T y, const T *p)
{
	(void)p;
	return y > 0 ? dy : 0;
}

LOOPS_INLINE T NAME(leaky_relu)(T x, const T *p)
{
	return x < 0 ? p[0] * x : x;
}

LOOPS_INLINE T NAME(leaky_relu_grad)(T dy, T x, const T *p)
{
	return x < 0 ? p[0] * dy : dy;
}

LOOPS_INLINE T NAME(sigmoid)(T x, const T *p)
{
	(void)p;
	return FN(sigmoid)(x);
}

LOOPS_INLINE T NAME(sigmoid_grad)(T dy, T y, const T *p)
{
	(void)p;
	return dy * (y * (1 - y));
}

LOOPS_INLINE T NAME(tanh)(T x, const T *p)
{
	(void)p;
	return FN(tanh)(x);
}

LOOPS_INLINE T NAME(tanh_grad)(T dy, T y, const T *p)
{
	(void)p;
	return dy * (1 - y * y);
}

LOOPS_WALK2(max)
LOOPS_WALK2(min)
LOOPS_WALK2(div)
LOOPS_WALK1(neg)
LOOPS_WALK1(abs)
LOOPS_WALK1(sign)
LOOPS_WALK1(sqrt)
LOOPS_WALK1(reciprocal)
LOOPS_WALK1(exp)
LOOPS_WALK1(log)
LOOPS_WALK1(erf)
LOOPS_WALK1(floor)
LOOPS_WALK1(ceil)
LOOPS_WALK1(round)
LOOPS_WALK1(relu)
LOOPS_WALK2(relu_grad)
LOOPS_WALK1(leaky_relu)
LOOPS_WALK2(leaky_relu_grad)
LOOPS_WALK1(sigmoid)
LOOPS_WALK2(sigmoid_grad)
LOOPS_WALK1(tanh)
LOOPS_WALK2(tanh_grad)
