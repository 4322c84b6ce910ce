/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * The loops of float digits, compiled for each level (FLOAT_DIGITS_FN is the
 * function's name there). Method and names as in server/decimal_write.c; every
 * value here fits 32 bits, so that products are of 32 by 32 bits.
 */
#include "server/decimal_priv.h"
#include "server/digits.h"
#include "server/float_digits.h"

enum { N = FLOAT_DIGITS };

float_digits_fn FLOAT_DIGITS_FN;

/* What the rounding intervals need. */
struct scaled {
	uint32_t lower[N], value[N], upper[N]; /* of 4 / 10^k */
	int32_t k[N];
};

/* The upper half of g * c / 2^32, rounded to odd; g is high * 2^32 + low. */
static ALWAYS_INLINE uint32_t scale_up(uint32_t high, uint32_t low, uint32_t c)
{
	const uint64_t p = (uint64_t)high * c + ((uint64_t)low * c >> 32);

	return (uint32_t)(p >> 32) | ((uint32_t)p > 1);
}

static ALWAYS_INLINE void scale(const uint32_t *bits, struct scaled *s)
{
	const uint64_t *table = &powers_of_five[0].hi;

	for (int i = 0; i < N; i++) {
		const uint32_t mantissa = bits[i] & 0x7fffff;
		const int32_t exponent = (int32_t)(bits[i] >> 23 & 0xff);
		const uint32_t c = mantissa | (exponent ? 1u << 23 : 0);
		const int32_t q = (exponent ? exponent : 1) - 150;
		const int32_t is_closer = mantissa == 0 && exponent > 1;
		const int32_t k = (q * 1262611 - is_closer * 524031) >> 22;
		const int32_t h = q + ((-k * 1741647) >> 19) + 1;
		const int32_t place = 2 * (-k - POWER_MIN);
		const uint64_t g = table[place] + (uint64_t)((uint32_t)-k > 27);
		const uint32_t high = (uint32_t)(g >> 32), low = (uint32_t)g;
		const uint32_t is_odd = c & 1;

		s->k[i] = k;
		s->lower[i] = scale_up(high, low,
				       (4 * c - 2 + (uint32_t)is_closer) << h) +
			      is_odd;
		s->value[i] = scale_up(high, low, 4 * c << h);
		s->upper[i] = scale_up(high, low, (4 * c + 2) << h) - is_odd;
	}
}

/* The shortest digits inside [lower, upper], the nearest to value. Choices are
 * masks: compilers make vectors of these. */
static ALWAYS_INLINE void shorten(const struct scaled *in, uint32_t *digits,
				  int32_t *exponent)
{
	for (int i = 0; i < N; i++) {
		const uint32_t lower = in->lower[i], upper = in->upper[i];
		const uint32_t value = in->value[i];
		const uint32_t fours = value & ~3u;
		const uint32_t forties = value / 40 * 40;
		/* all ones where it is so */
		const uint32_t ten_below = 0u - (lower <= forties);
		const uint32_t ten_above = 0u - (forties + 40 <= upper);
		const uint32_t below = 0u - (lower <= fours);
		const uint32_t above = 0u - (fours + 4 <= upper);
		/* half way up or more; of a tie the even one */
		const uint32_t is_up =
		    0u - ((value & 3) + (value >> 2 & 1) > 2);
		/* below 40 there is nothing shorter */
		const uint32_t is_ten =
		    (ten_below ^ ten_above) & (0u - (forties > 0));
		const uint32_t one =
		    (value >> 2) -
		    ((above & (below ^ above)) | (is_up & ~(below ^ above)));

		digits[i] =
		    (is_ten & (value / 40 - ten_above)) | (~is_ten & one);
		exponent[i] = in->k[i] - (int32_t)is_ten;
	}
}

/* Four digits of a value below 10^4. */
static ALWAYS_INLINE uint32_t four(uint32_t value)
{
	const uint32_t high = value * 10486 >> 20;
	const uint32_t t = high | (value - high * 100) << 16;
	const uint32_t tens = t * 103 >> 10 & 0x000f000f;

	return tens | (t - tens * 10) << 8;
}

/* Digits of a value from 1 to 10^9 - 1: subtracting a mask is adding 1. */
static ALWAYS_INLINE int32_t count(uint32_t d)
{
	static const int32_t tops[] = { 9,     99,     999,	9999,
					99999, 999999, 9999999, 99999999 };
	int32_t n = 1;

	for (unsigned j = 0; j < sizeof(tops) / sizeof(*tops); j++)
		n += (int32_t)d > tops[j] ? 1 : 0;
	return n;
}

void FLOAT_DIGITS_FN(const uint32_t *bits, struct float_digits *ret)
{
	static const uint32_t powers[] = { 1,	    10,	      100,
					   1000,    10000,    100000,
					   1000000, 10000000, 100000000 };
	struct scaled scaled;
	uint32_t digits[N];
	int32_t exponent[N];

	scale(bits, &scaled);
	shorten(&scaled, digits, exponent);
	for (int i = 0; i < N; i++) {
		const uint32_t d = digits[i];
		const int32_t n = count(d);
		const uint32_t nine = d * powers[9 - n];
		const uint32_t first = nine / 100000000;
		const uint32_t rest = nine - first * 100000000;
		const uint32_t high = rest / 10000;

		ret->point[i] = n + exponent[i];
		ret->first[i] = first;
		ret->high[i] = four(high);
		ret->low[i] = four(rest - high * 10000);
	}
}
