/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/kernels/fast_math.h"

#include <criterion/criterion.h>

#include <math.h>

/* Distance of got from want in units of want's last place as a float. */
static double ulps(float got, double want)
{
	const double nearest = (double)(float)want;
	double unit;
	int exponent;

	if (isnan(nearest) || isinf(nearest) || isnan((double)got))
		return (isnan(nearest) && isnan((double)got)) ||
			       nearest == (double)got
			   ? 0
			   : 1e9;
	frexp(want, &exponent);
	unit = ldexp(1, exponent - 24);
	if (unit < ldexp(1, -149))
		unit = ldexp(1, -149);
	return fabs((double)got - want) / unit;
}

static double sigmoid(double x)
{
	return 1 / (1 + exp(-x));
}

/* Floats of all magnitudes, one in a few thousand. */
static void expect_near(const char *name, float (*fast)(float),
			double (*libm)(double), double limit)
{
	double worst = 0;
	float at = 0;

	for (uint64_t bits = 0; bits <= UINT32_MAX; bits += 1009) {
		const float x = fast_from_bits((uint32_t)bits);
		const double far = x != x ? 0 : ulps(fast(x), libm((double)x));

		if (far > worst) {
			worst = far;
			at = x;
		}
	}
	cr_expect_leq(worst, limit, "%s(%g) is %g units off", name, (double)at,
		      worst);
}

/* of numbers that are not negative */
static float positive_log1p(float x)
{
	return x < 0 ? (float)log1p((double)x) : fast_log1p(x);
}

Test(fast_math, is_as_near_as_its_header_says)
{
	expect_near("exp", fast_exp, exp, 1.5);
	expect_near("log", fast_log, log, 1.5);
	expect_near("tanh", fast_tanh, tanh, 8);
	expect_near("sigmoid", fast_sigmoid, sigmoid, 3);
	expect_near("erf", fast_erf, erf, 4);
	expect_near("erf_rough", fast_erf_rough, erf, 8);
	expect_near("expm1", fast_expm1, expm1, 4);
	expect_near("log1p", positive_log1p, log1p, 4);
}

static bool is_nan(float x)
{
	return x != x;
}

Test(fast_math, borders_are_those_of_libm)
{
	const float inf = (float)INFINITY, nan = (float)NAN;

	cr_expect(is_nan(fast_exp(nan)));
	cr_expect(is_nan(fast_log(nan)));
	cr_expect(is_nan(fast_tanh(nan)));
	cr_expect(is_nan(fast_sigmoid(nan)));
	cr_expect(is_nan(fast_erf(nan)));
	cr_expect(is_nan(fast_erf_rough(nan)));
	cr_expect(fast_exp(inf) == inf && fast_exp(-inf) == 0);
	cr_expect(fast_log(0) == -inf && is_nan(fast_log(-1)));
	cr_expect(fast_log(inf) == inf);
	cr_expect(fast_tanh(inf) == 1 && fast_tanh(-inf) == -1);
	cr_expect(fast_sigmoid(inf) == 1 && fast_sigmoid(-inf) == 0);
	cr_expect(fast_erf(inf) == 1 && fast_erf(-inf) == -1);
	cr_expect(fast_to_bits(fast_tanh(-0.0f)) == 0x80000000u);
	cr_expect(fast_to_bits(fast_erf(-0.0f)) == 0x80000000u);
}
