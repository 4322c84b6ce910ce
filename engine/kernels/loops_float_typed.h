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
		return NAME(walk1)(n, in, step, out, p, NAME(square));
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

/* p[0]: as in C, the sign is the dividend's; else the divisor's, as in
 * Python, and that of a zero too. */
LOOPS_INLINE T NAME(mod)(T a, T b, const T *p)
{
	const T rest = LIBM(fmod)(a, b);

	if (p[0] != 0 || rest != rest)
		return rest;
	if (rest == 0)
		return LIBM(copysign)(0, b);
	return (rest < 0) != (b < 0) ? rest + b : rest;
}

LOOPS_INLINE bool NAME(is_nan)(T x, const T *p)
{
	(void)p;
	return x != x;
}

/* p: whether minus infinity counts, and plus infinity */
LOOPS_INLINE bool NAME(is_inf)(T x, const T *p)
{
	const T huge = (T)HUGE_VAL;

	return (x == huge && p[1] != 0) || (x == -huge && p[0] != 0);
}

LOOPS_INLINE T NAME(sin)(T x, const T *p)
{
	(void)p;
	return LIBM(sin)(x);
}

LOOPS_INLINE T NAME(cos)(T x, const T *p)
{
	(void)p;
	return LIBM(cos)(x);
}

LOOPS_INLINE T NAME(tan)(T x, const T *p)
{
	(void)p;
	return LIBM(tan)(x);
}

LOOPS_INLINE T NAME(asin)(T x, const T *p)
{
	(void)p;
	return LIBM(asin)(x);
}

LOOPS_INLINE T NAME(acos)(T x, const T *p)
{
	(void)p;
	return LIBM(acos)(x);
}

LOOPS_INLINE T NAME(atan)(T x, const T *p)
{
	(void)p;
	return LIBM(atan)(x);
}

LOOPS_INLINE T NAME(sinh)(T x, const T *p)
{
	(void)p;
	return LIBM(sinh)(x);
}

LOOPS_INLINE T NAME(cosh)(T x, const T *p)
{
	(void)p;
	return LIBM(cosh)(x);
}

LOOPS_INLINE T NAME(asinh)(T x, const T *p)
{
	(void)p;
	return LIBM(asinh)(x);
}

LOOPS_INLINE T NAME(acosh)(T x, const T *p)
{
	(void)p;
	return LIBM(acosh)(x);
}

LOOPS_INLINE T NAME(atanh)(T x, const T *p)
{
	(void)p;
	return LIBM(atanh)(x);
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

LOOPS_INLINE T NAME(elu)(T x, const T *p)
{
	return x < 0 ? p[0] * FN(expm1)(x) : x;
}

LOOPS_INLINE T NAME(elu_grad)(T dy, T y, const T *p)
{
	return y < 0 ? dy * (y + p[0]) : dy;
}

LOOPS_INLINE T NAME(celu)(T x, const T *p)
{
	return x < 0 ? p[0] * FN(expm1)(x / p[0]) : x;
}

LOOPS_INLINE T NAME(celu_grad)(T dy, T y, const T *p)
{
	return y < 0 ? dy * (y / p[0] + 1) : dy;
}

LOOPS_INLINE T NAME(selu)(T x, const T *p)
{
	return p[1] * (x < 0 ? p[0] * FN(expm1)(x) : x);
}

LOOPS_INLINE T NAME(selu_grad)(T dy, T y, const T *p)
{
	return dy * (y < 0 ? y + p[0] * p[1] : p[1]);
}

LOOPS_INLINE T NAME(thresholded_relu)(T x, const T *p)
{
	return x > p[0] ? x : 0;
}

LOOPS_INLINE T NAME(thresholded_relu_grad)(T dy, T x, const T *p)
{
	return x > p[0] ? dy : 0;
}

LOOPS_INLINE T NAME(shrink)(T x, const T *p)
{
	return x > p[1] ? x - p[0] : x < -p[1] ? x + p[0] : 0;
}

LOOPS_INLINE T NAME(shrink_grad)(T dy, T x, const T *p)
{
	return x > p[1] || x < -p[1] ? dy : 0;
}

LOOPS_INLINE T NAME(softplus)(T x, const T *p)
{
	(void)p;
	return (x > 0 ? x : 0) + FN(log1p)(FN(exp)(-LIBM(fabs)(x)));
}

LOOPS_INLINE T NAME(softplus_grad)(T dy, T x, const T *p)
{
	(void)p;
	return dy * FN(sigmoid)(x);
}

LOOPS_INLINE T NAME(softsign)(T x, const T *p)
{
	(void)p;
	return x / (1 + LIBM(fabs)(x));
}

LOOPS_INLINE T NAME(softsign_grad)(T dy, T x, const T *p)
{
	const T d = 1 + LIBM(fabs)(x);

	(void)p;
	return dy / (d * d);
}

LOOPS_INLINE T NAME(hard_sigmoid)(T x, const T *p)
{
	const T y = p[0] * x + p[1];

	return y < 0 ? 0 : y > 1 ? 1 : y;
}

LOOPS_INLINE T NAME(hard_sigmoid_grad)(T dy, T y, const T *p)
{
	return y > 0 && y < 1 ? dy * p[0] : 0;
}

LOOPS_INLINE T NAME(hard_swish)(T x, const T *p)
{
	const T g = (x + 3) / 6;

	(void)p;
	return x * (g < 0 ? 0 : g > 1 ? 1 : g);
}

LOOPS_INLINE T NAME(hard_swish_grad)(T dy, T x, const T *p)
{
	const T slope = x / 3 + (T)0.5;

	(void)p;
	return x <= -3 ? 0 : x >= 3 ? dy : dy * slope;
}

LOOPS_INLINE T NAME(swish)(T x, const T *p)
{
	return x * FN(sigmoid)(p[0] * x);
}

LOOPS_INLINE T NAME(swish_grad)(T dy, T x, const T *p)
{
	const T s = FN(sigmoid)(p[0] * x);

	return dy * (s + p[0] * x * s * (1 - s));
}

/* tanh(log(1 + e)) = e (e + 2) / (e (e + 2) + 2) with e = exp(x); it is 1 long
 * before e overflows. */
LOOPS_INLINE T NAME(mish_gate)(T x)
{
	const T e = FN(exp)(x < 30 ? x : 30), w = e * (e + 2);

	return w / (w + 2);
}

LOOPS_INLINE T NAME(mish)(T x, const T *p)
{
	(void)p;
	return x * NAME(mish_gate)(x);
}

LOOPS_INLINE T NAME(mish_grad)(T dy, T x, const T *p)
{
	const T t = NAME(mish_gate)(x);

	(void)p;
	return dy * (t + x * FN(sigmoid)(x) * (1 - t * t));
}

/* 1 / sqrt(2), 1 / sqrt(2 pi), sqrt(2 / pi) */
#define SQRT1_2 ((T)0.70710678118654752)
#define SQRT1_2PI ((T)0.39894228040143268)
#define SQRT2_PI ((T)0.79788456080286536)

LOOPS_INLINE T NAME(gelu)(T x, const T *p)
{
	(void)p;
	return (T)0.5 * x * (1 + FN(erf_rough)(x * SQRT1_2));
}

LOOPS_INLINE T NAME(gelu_grad)(T dy, T x, const T *p)
{
	const T phi = SQRT1_2PI * FN(exp)((T)-0.5 * x * x);

	(void)p;
	return dy * ((T)0.5 * (1 + FN(erf)(x * SQRT1_2)) + x * phi);
}

LOOPS_INLINE T NAME(gelu_tanh)(T x, const T *p)
{
	const T u = SQRT2_PI * (x + (T)0.044715 * x * x * x);

	(void)p;
	return (T)0.5 * x * (1 + FN(tanh)(u));
}

LOOPS_INLINE T NAME(gelu_tanh_grad)(T dy, T x, const T *p)
{
	const T u = SQRT2_PI * (x + (T)0.044715 * x * x * x);
	const T du = SQRT2_PI * (1 + (T)0.134145 * x * x);
	const T t = FN(tanh)(u);

	(void)p;
	return dy * (T)0.5 * (1 + t + x * (1 - t * t) * du);
}

#undef SQRT1_2
#undef SQRT1_2PI
#undef SQRT2_PI

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
LOOPS_WALK1(elu)
LOOPS_WALK2(elu_grad)
LOOPS_WALK1(celu)
LOOPS_WALK2(celu_grad)
LOOPS_WALK1(selu)
LOOPS_WALK2(selu_grad)
LOOPS_WALK1(thresholded_relu)
LOOPS_WALK2(thresholded_relu_grad)
LOOPS_WALK1(shrink)
LOOPS_WALK2(shrink_grad)
LOOPS_WALK1(softplus)
LOOPS_WALK2(softplus_grad)
LOOPS_WALK1(softsign)
LOOPS_WALK2(softsign_grad)
LOOPS_WALK1(hard_sigmoid)
LOOPS_WALK2(hard_sigmoid_grad)
LOOPS_WALK1(hard_swish)
LOOPS_WALK2(hard_swish_grad)
LOOPS_WALK1(swish)
LOOPS_WALK2(swish_grad)
LOOPS_WALK1(mish)
LOOPS_WALK2(mish_grad)
LOOPS_WALK1(gelu)
LOOPS_WALK2(gelu_grad)
LOOPS_WALK1(gelu_tanh)
LOOPS_WALK2(gelu_tanh_grad)
LOOPS_WALK2(mod)
LOOPS_TEST1(is_nan)
LOOPS_TEST1(is_inf)
LOOPS_WALK1(sin)
LOOPS_WALK1(cos)
LOOPS_WALK1(tan)
LOOPS_WALK1(asin)
LOOPS_WALK1(acos)
LOOPS_WALK1(atan)
LOOPS_WALK1(sinh)
LOOPS_WALK1(cosh)
LOOPS_WALK1(asinh)
LOOPS_WALK1(acosh)
LOOPS_WALK1(atanh)
