/* SPDX-License-Identifier: Apache-2.0 */
#include "server/decimal.h"

#include "server/decimal_priv.h"

const struct power_of_five powers_of_five[POWER_MAX - POWER_MIN + 1] = {
#define ROW(high, low) { high, low },
#include "server/powers_of_five.def"
#undef ROW
};

/* What tells binary32 from binary64. */
struct format {
	int mantissa_bits;	  /* stored ones */
	int exponent_min;	  /* of a stored 0, less the bias's place */
	int exponent_inf;	  /* stored exponent of infinity */
	int power_min, power_max; /* beyond them 0 and infinity */
	int tie_min, tie_max;	  /* powers where a tie is possible */
};

static const struct format format_float = {
	.mantissa_bits = 23,
	.exponent_min = -127,
	.exponent_inf = 0xff,
	.power_min = -65,
	.power_max = 38,
	.tie_min = -17,
	.tie_max = 10,
};

static const struct format format_double = {
	.mantissa_bits = 52,
	.exponent_min = -1023,
	.exponent_inf = 0x7ff,
	.power_min = -342,
	.power_max = 308,
	.tie_min = -4,
	.tie_max = 23,
};

/* The upper 128 bits of w * 5^q, as many of them right as the format needs. */
static inline wide_uint product(uint64_t w, int q, const struct format *format)
{
	const struct power_of_five *power = &powers_of_five[q - POWER_MIN];
	const uint64_t mask = UINT64_MAX >> (format->mantissa_bits + 3);
	wide_uint first = (wide_uint)w * power->hi;

	if (((uint64_t)(first >> 64) & mask) == mask)
		first += ((wide_uint)w * power->lo) >> 64;
	return first;
}

/* A carry into the hidden bit makes the exponent 1 by itself. */
static uint64_t subnormal(uint64_t mantissa, int exponent)
{
	if (1 - exponent >= 64)
		return 0;
	mantissa >>= 1 - exponent;
	mantissa += mantissa & 1;
	mantissa >>= 1;
	return mantissa;
}

/* The bits of w * 10^q without a sign. */
static inline uint64_t bits_of(uint64_t w, int64_t q,
			       const struct format *format)
{
	const int m = format->mantissa_bits;
	const uint64_t infinity = (uint64_t)format->exponent_inf << m;
	uint64_t high, mantissa;
	int zeros, upper, shift, exponent;
	wide_uint p;

	if (w == 0 || q < format->power_min)
		return 0;
	if (q > format->power_max)
		return infinity;
	zeros = __builtin_clzll(w);
	p = product(w << zeros, (int)q, format);
	high = (uint64_t)(p >> 64);
	upper = (int)(high >> 63);
	shift = upper + 64 - m - 3;
	mantissa = high >> shift;
	/* floor(q * log2(10)) + 63 */
	exponent = (int)(((152170 + 65536) * q) >> 16) + 63 + upper - zeros -
		   format->exponent_min;
	if (exponent <= 0)
		return subnormal(mantissa, exponent);
	if ((uint64_t)p <= 1 && q >= format->tie_min && q <= format->tie_max &&
	    (mantissa & 3) == 1 && mantissa << shift == high)
		mantissa &= ~(uint64_t)1; /* a true tie: to even */
	mantissa += mantissa & 1;
	mantissa >>= 1;
	/* adding, not joining: a carry out of the mantissa raises the
	 * exponent, and the hidden bit is taken back out */
	mantissa += (uint64_t)(exponent - 1) << m;
	return mantissa < infinity ? mantissa : infinity;
}

float decimal_to_float(uint64_t w, int64_t q)
{
	uint32_t bits = (uint32_t)bits_of(w, q, &format_float);
	float value;

	memcpy(&value, &bits, sizeof(value));
	return value;
}

double decimal_to_double(uint64_t w, int64_t q)
{
	uint64_t bits = bits_of(w, q, &format_double);
	double value;

	memcpy(&value, &bits, sizeof(value));
	return value;
}
