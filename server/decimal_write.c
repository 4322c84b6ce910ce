/* SPDX-License-Identifier: Apache-2.0 */
#include "server/decimal.h"

#include <math.h>
#include <stdbool.h>

#include "server/decimal_priv.h"

/* digits * 10^exponent */
struct decimal {
	uint64_t digits;
	int exponent;
};

/* A binary number as Schubfach sees it: c * 2^q and its rounding interval in
 * quarters of a unit. */
struct interval {
	uint64_t lower, value, upper;
	int k; /* the power of ten that is just below the interval's width */
	int h;
	bool is_even;
};

static int floor_log2_pow10(int e)
{
	return (e * 1741647) >> 19;
}

/* `is_closer`: the number below is half as far as the one above, which is so
 * at powers of two. */
static struct interval interval_of(uint64_t c, int q, bool is_closer)
{
	struct interval in;

	in.lower = 4 * c - 2 + is_closer;
	in.value = 4 * c;
	in.upper = 4 * c + 2;
	in.k = (q * 1262611 - (is_closer ? 524031 : 0)) >> 22;
	in.h = q + floor_log2_pow10(-in.k) + 1;
	in.is_even = c % 2 == 0;
	return in;
}

/* 10^k, rounded up, in 128 bits. */
static struct power_of_five power_up(int k)
{
	struct power_of_five g = powers_of_five[k - POWER_MIN];

	if (k < -27 || k > 55) {
		g.lo++;
		g.hi += g.lo == 0;
	}
	return g;
}

static uint64_t round_to_odd(struct power_of_five g, uint64_t c)
{
	wide_uint low = (wide_uint)g.lo * c;
	wide_uint high = (wide_uint)g.hi * c + (uint64_t)(low >> 64);

	return (uint64_t)(high >> 64) | ((uint64_t)high > 1);
}

static uint64_t round_to_odd_32(uint64_t g, uint64_t c)
{
	wide_uint p = (wide_uint)g * c;

	return (uint64_t)(p >> 64) | ((uint32_t)((uint64_t)p >> 32) > 1);
}

/* The shortest digits inside [lower, upper], the nearest of them to value;
 * all three are scaled by 4 / 10^k. */
static struct decimal shortest(uint64_t lower, uint64_t value, uint64_t upper,
			       int k)
{
	const uint64_t s = value / 4;
	const uint64_t tens = s / 10;
	bool below, above;

	if (s >= 10) {
		below = lower <= 40 * tens;
		above = 40 * tens + 40 <= upper;
		if (below != above)
			return (struct decimal){ tens + above, k + 1 };
	}
	below = lower <= 4 * s;
	above = 4 * s + 4 <= upper;
	if (below == above)
		above = value > 4 * s + 2 || (value == 4 * s + 2 && (s & 1));
	return (struct decimal){ s + above, k };
}

static struct decimal shortest_float(uint32_t mantissa, int exponent)
{
	const uint64_t c = exponent ? mantissa | 1u << 23 : mantissa;
	const int q = (exponent ? exponent : 1) - 150;
	struct interval in = interval_of(c, q, mantissa == 0 && exponent > 1);
	struct power_of_five full = powers_of_five[-in.k - POWER_MIN];
	/* 5^0 .. 5^27 fit into 64 bits as they are */
	uint64_t g = full.hi + (-in.k < 0 || -in.k > 27);
	uint64_t lower = round_to_odd_32(g, in.lower << in.h);
	uint64_t value = round_to_odd_32(g, in.value << in.h);
	uint64_t upper = round_to_odd_32(g, in.upper << in.h);

	return shortest(lower + !in.is_even, value, upper - !in.is_even, in.k);
}

static struct decimal shortest_double(uint64_t mantissa, int exponent)
{
	const uint64_t hidden = (uint64_t)1 << 52;
	const uint64_t c = exponent ? mantissa | hidden : mantissa;
	const int q = (exponent ? exponent : 1) - 1075;
	struct interval in = interval_of(c, q, mantissa == 0 && exponent > 1);
	struct power_of_five g = power_up(-in.k);
	uint64_t lower = round_to_odd(g, in.lower << in.h);
	uint64_t value = round_to_odd(g, in.value << in.h);
	uint64_t upper = round_to_odd(g, in.upper << in.h);

	return shortest(lower + !in.is_even, value, upper - !in.is_even, in.k);
}

size_t decimal_write_uint(char *to, uint64_t value)
{
	char text[DECIMAL_TEXT_MAX];
	size_t n = sizeof(text);

	do {
		text[--n] = (char)('0' + value % 10);
		value /= 10;
	} while (value);
	memcpy(to, text + n, sizeof(text) - n);
	return sizeof(text) - n;
}

size_t decimal_write_int(char *to, int64_t value)
{
	if (value >= 0)
		return decimal_write_uint(to, (uint64_t)value);
	*to = '-';
	return 1 + decimal_write_uint(to + 1, 0 - (uint64_t)value);
}

/* "d.ddde-7"; n digits stand at `to`. */
static size_t write_scientific(char *to, size_t n, int exponent)
{
	if (n > 1) {
		memmove(to + 2, to + 1, n - 1);
		to[1] = '.';
		n++;
	}
	to[n++] = 'e';
	return n + decimal_write_int(to + n, exponent);
}

/* Where the point goes: plain for 1e-5 up to below 1e16, else with an
 * exponent. */
static size_t write_decimal(char *to, struct decimal d)
{
	size_t n;
	int point; /* digits before the point */

	while (d.digits && d.digits % 10 == 0) {
		d.digits /= 10;
		d.exponent++;
	}
	n = decimal_write_uint(to, d.digits);
	point = (int)n + d.exponent;
	if (point > 16 || point < -4)
		return write_scientific(to, n, point - 1);
	if (point <= 0) {
		memmove(to + 2 - point, to, n);
		memset(to, '0', (size_t)(2 - point));
		to[1] = '.';
		return n + (size_t)(2 - point);
	}
	if ((size_t)point < n) {
		memmove(to + point + 1, to + point, n - (size_t)point);
		to[point] = '.';
		return n + 1;
	}
	memset(to + n, '0', (size_t)point - n);
	to[point] = '.';
	to[point + 1] = '0';
	return (size_t)point + 2;
}

/* The texts of what has no digits, and of zero; 0 for all else. */
static size_t write_special(char *to, double value)
{
	const char *text = value == 0	  ? "0.0"
			   : isnan(value) ? "NaN"
			   : isinf(value) ? "Infinity"
					  : "";
	size_t n = 0;

	for (; text[n]; n++)
		to[n] = text[n];
	return n;
}

size_t decimal_write_float(char *to, float value)
{
	size_t sign = 0, n;
	uint32_t bits;

	memcpy(&bits, &value, sizeof(bits));
	if (bits >> 31 && !isnan(value))
		to[sign++] = '-';
	n = write_special(to + sign, (double)value);
	if (!n)
		n = write_decimal(
		    to + sign,
		    shortest_float(bits & 0x7fffff, (int)(bits >> 23 & 0xff)));
	return sign + n;
}

size_t decimal_write_double(char *to, double value)
{
	size_t sign = 0, n;
	uint64_t bits;

	memcpy(&bits, &value, sizeof(bits));
	if (bits >> 63 && !isnan(value))
		to[sign++] = '-';
	n = write_special(to + sign, value);
	if (!n)
		n = write_decimal(to + sign,
				  shortest_double(bits & 0xfffffffffffff,
						  (int)(bits >> 52 & 0x7ff)));
	return sign + n;
}
