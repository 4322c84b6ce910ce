/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Fast exp: exp and log of floats, which all of fast_math.h stands on.
 *
 * Sources and accuracy: see there.
 *
 * Threads: pure.
 */
#ifndef ENGINE_KERNELS_FAST_EXP_H
#define ENGINE_KERNELS_FAST_EXP_H

#include <math.h>
#include <stdint.h>
#include <string.h>

static inline float fast_from_bits(uint32_t bits)
{
	float x;

	memcpy(&x, &bits, sizeof(x));
	return x;
}

static inline uint32_t fast_to_bits(float x)
{
	uint32_t bits;

	memcpy(&bits, &x, sizeof(bits));
	return bits;
}

/* 2^n for -126 <= n <= 127. */
static inline float fast_pow2(int32_t n)
{
	return fast_from_bits((uint32_t)(n + 127) << 23);
}

/* exp(x) = 2^n exp(r), r = x - n ln 2, |r| <= ln 2 / 2. ln 2 is given in two
 * parts, the first of few bits, so that n times it is exact. 2^n is put on in
 * two steps: one alone could not reach denormals. */
static inline float fast_exp(float x)
{
	const float rounder = 12582912.0f; /* 1.5 * 2^23: adding it rounds */
	const float low = -104.0f, high = 89.0f;
	/* a NaN is low here, for no integer stands for it */
	const float above = x > low ? x : low;
	const float in = above < high ? above : high;
	const float n = (in * 1.44269504088896341f + rounder) - rounder;
	const float r = (in - n * 0.693359375f) - n * -2.12194440e-4f;
	const int32_t whole = (int32_t)n, half = whole >> 1;
	float p = 1.9875691500e-4f;

	p = p * r + 1.3981999507e-3f;
	p = p * r + 8.3334519073e-3f;
	p = p * r + 4.1665795894e-2f;
	p = p * r + 1.6666665459e-1f;
	p = p * r + 5.0000001201e-1f;
	p = (p * r) * r + r + 1.0f;
	p = p * fast_pow2(half) * fast_pow2(whole - half);
	return x != x ? x : p;
}

/* log(x) = e ln 2 + log(m), sqrt(1/2) <= m < sqrt(2). */
static inline float fast_log(float x)
{
	const float tiny = 1.17549435e-38f; /* the least normal number */
	const float scaled = x < tiny ? x * 8388608.0f : x;
	const uint32_t bits = fast_to_bits(scaled);
	const float m0 = fast_from_bits((bits & 0x007fffffu) | 0x3f000000u);
	const float e0 =
	    (float)((int32_t)(bits >> 23) - 126) - (x < tiny ? 23.0f : 0.0f);
	const int small = m0 < 0.707106781186547524f;
	const float e = small ? e0 - 1.0f : e0;
	const float f = small ? m0 + m0 - 1.0f : m0 - 1.0f;
	const float z = f * f;
	float p = 7.0376836292e-2f;

	p = p * f + -1.1514610310e-1f;
	p = p * f + 1.1676998740e-1f;
	p = p * f + -1.2420140846e-1f;
	p = p * f + 1.4249322787e-1f;
	p = p * f + -1.6668057665e-1f;
	p = p * f + 2.0000714765e-1f;
	p = p * f + -2.4999993993e-1f;
	p = p * f + 3.3333331174e-1f;
	p = p * f * z + -2.12194440e-4f * e;
	p = f + (p - 0.5f * z) + 0.693359375f * e;
	p = x > 3.40282347e38f ? x : p;
	p = x == 0.0f ? -HUGE_VALF : p;
	return x < 0.0f || x != x ? NAN : p;
}

#endif
