/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Fast math: exp, log and their kin of floats, in plain C that becomes vectors.
 *
 * No branch, no table, no call: both sides of a choice are computed. The
 * reductions and polynomials of the others are those of S. L. Moshier's Cephes
 * Mathematical Library 2.2, single precision (expf, logf, ndtrf), which is in
 * the public domain. Within 2 units in the last place (sigmoid: 3, erf: 4,
 * tanh and erf_rough, which are ours: 8), denormal results and infinities
 * included; tests/unit/engine/fast_math.c measures it.
 *
 * Threads: pure.
 */
#ifndef ENGINE_KERNELS_FAST_MATH_H
#define ENGINE_KERNELS_FAST_MATH_H

#include <math.h>

#include "engine/kernels/fast_exp.h"

/* exp(x) - 1 near 0 too: (u - 1) x / log(u) with u = exp(x) rounded, after
 * N. J. Higham, "Accuracy and Stability of Numerical Algorithms", 1.14.1. */
static inline float fast_expm1(float x)
{
	const float u = fast_exp(x), d = u - 1.0f;
	const float log_u = fast_log(u);
	const float y = d * x / (log_u == 0.0f ? 1.0f : log_u);

	return d == 0.0f ? x : fabsf(x) > 18.0f ? d : x != x ? x : y;
}

/* log(1 + x) for x >= 0: log(u) x / (u - 1) with u = 1 + x rounded, after
 * D. Goldberg, "What every computer scientist should know about floating-point
 * arithmetic", theorem 4. */
static inline float fast_log1p(float x)
{
	const float u = 1.0f + x, d = u - 1.0f;
	const float ratio = x / (d == 0.0f ? 1.0f : d);

	return d == 0.0f ? x : fast_log(u) * (x < 1e7f ? ratio : 1.0f);
}

/* 1 / (1 + exp(-x)), and never the exp of a large number. */
static inline float fast_sigmoid(float x)
{
	const float e = fast_exp(-fabsf(x));

	return (x < 0.0f ? e : 1.0f) / (1.0f + e);
}

/* x P(x^2) near 0, else 1 - erfc(x) with erfc(x) = exp(-x^2) P(1/x^2) / x.
 * Cephes has another P beyond 2; there erfc is so small that this one does. */
static inline float fast_erf(float x)
{
	const float a = fabsf(x), z = x * x;
	const float q = 1.0f / (a > 1.0f ? a : 1.0f), y = q * q;
	float near = 7.853861353153693e-5f;
	float far = 2.326819970068386e-2f;

	near = near * z + -8.010193625184903e-4f;
	near = near * z + 5.188327685732524e-3f;
	near = near * z + -2.685381193529856e-2f;
	near = near * z + 1.128358514861418e-1f;
	near = near * z + -3.761262582423300e-1f;
	near = near * z + 1.128379165726710f;
	far = far * y + -1.387039388740657e-1f;
	far = far * y + 3.687424674597105e-1f;
	far = far * y + -5.824733027278666e-1f;
	far = far * y + 6.210004621745983e-1f;
	far = far * y + -4.944515323274145e-1f;
	far = far * y + 3.404879937665872e-1f;
	far = far * y + -2.741127028184656e-1f;
	far = far * y + 5.638259427386472e-1f;
	far = 1.0f - fast_exp(-z) * q * far;
	return a < 1.0f ? x * near : x != x ? x : copysignf(far, x);
}

/* erf by one quotient of polynomials in x^2, at a third of the cost: least
 * largest relative error up to 3.92, found by linear programming, 2.4e-8 before
 * rounding. Beyond that it is 1 in float. NaN becomes -1: for those who
 * multiply by x. */
static inline float fast_erf_rough(float x)
{
	const float above = x < -3.92f ? -3.92f : x;
	const float in = above > 3.92f ? 3.92f : above, z = in * in;
	float p = 2.06394482e-6f, q = 3.80885163e-5f;

	p = p * z + 2.82068148e-4f;
	q = q * z + 1.1355832e-3f;
	p = p * z + 3.65731754e-3f;
	q = q * z + 1.47524329e-2f;
	p = p * z + 5.24127536e-2f;
	q = q * z + 1.13079638e-1f;
	p = p * z + 1.87936119e-1f;
	q = q * z + 4.99887272e-1f;
	p = p * z + 1.12837914f;
	q = q * z + 1.0f;
	return in * p / q;
}

/* tanh as a quotient, found in the same way up to 9, where it is 1 in float.
 * Who needs several quotients divides once; sigmoid(2 x) is (d + n) / (2 d). */
struct fast_quotient {
	float n, d;
};

static inline struct fast_quotient fast_tanh_quotient(float x)
{
	const float above = x < -9.0f ? -9.0f : x;
	const float in = above > 9.0f ? 9.0f : above, z = in * in;
	float n = 1.46237684e-8f, d = 8.30985057e-7f;

	n = n * z + 2.15689344e-5f;
	d = d * z + 3.38243414e-4f;
	n = n * z + 3.55533527e-3f;
	d = d * z + 2.61054655e-2f;
	n = n * z + 1.34317066e-1f;
	d = d * z + 4.67650416e-1f;
	n = n * z + 1.0f;
	d = d * z + 1.0f;
	return (struct fast_quotient){ in * n, d };
}

static inline float fast_tanh(float x)
{
	const struct fast_quotient q = fast_tanh_quotient(x);
	const float y = q.n / q.d;

	return y > 1.0f ? 1.0f : y < -1.0f ? -1.0f : y;
}

#endif
