/* SPDX-License-Identifier: Apache-2.0 */
#include "server/decimal.h"

#include <math.h>
#include <stdbool.h>

#include "server/decimal_priv.h"
#include "server/digits.h"
#include "server/float_digits.h"

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

/* b where is_b is 1, a where it is 0: as bits, because compilers make branches
 * of the other ways to say it, and these could not be predicted. */
static ALWAYS_INLINE uint64_t choose(uint64_t is_b, uint64_t a, uint64_t b)
{
	return a ^ ((a ^ b) & (0 - is_b));
}

/* The shortest digits inside [lower, upper], the nearest of them to value;
 * all three are scaled by 4 / 10^k. */
static ALWAYS_INLINE struct decimal shortest(uint64_t lower, uint64_t value,
					     uint64_t upper, int k)
{
	const uint64_t s = value / 4;
	const uint64_t tens = s / 10;
	const uint64_t ten_below = lower <= 40 * tens;
	const uint64_t ten_above = 40 * tens + 40 <= upper;
	const uint64_t is_ten = (s >= 10) & (ten_below ^ ten_above);
	const uint64_t below = lower <= 4 * s;
	const uint64_t above = 4 * s + 4 <= upper;
	/* neither or both are inside: the nearer one, of a tie the even one */
	const uint64_t is_up = (value & 3) + (s & 1) > 2;
	const uint64_t one = s + choose(below ^ above, is_up, above);

	return (struct decimal){ choose(is_ten, one, tens + ten_above),
				 k + (int)is_ten };
}

static ALWAYS_INLINE struct decimal shortest_float(uint32_t mantissa,
						   int exponent)
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

/* How many digits a value from 1 to 10^9 - 1 has, and 10 to the power of how
 * many are missing to 9. */
static ALWAYS_INLINE unsigned count_digits(uint32_t value, uint32_t *ret_scale)
{
	static const uint32_t powers[] = { 1,	      10,	100,
					   1000,      10000,	100000,
					   1000000,   10000000, 100000000,
					   1000000000 };
	/* times log10(2); one too many below the power */
	unsigned n = (unsigned)(32 - __builtin_clz(value)) * 1233 >> 12;

	n += value >= powers[n];
	*ret_scale = powers[9 - n];
	return n;
}

static ALWAYS_INLINE void store(char *to, uint64_t word)
{
	memcpy(to, &word, sizeof(word));
}

/* Where nine digits are laid out plainly. */
enum { POINT_MIN = -4, POINT_MAX = 8 };

/* Nine digits, the first of them apart: the other eight are a word, which is
 * stored behind the first and again, shifted, behind the point. Where things
 * go is computed, not branched on. */
static ALWAYS_INLINE size_t lay_out(char *to, uint32_t first, uint64_t word,
				    int point)
{
	const uint64_t zeros = 0x3030303030303030;
	const int n_zeros = point < 1 ? 1 - point : 0;
	const int at_point = point < 1 ? 1 : point;
	const int from = n_zeros + (point < 1);
	/* up to the last one that is not 0; a digit has four bits */
	const int n =
	    n_zeros + 1 + ((67 - __builtin_clzll(word << 4 | 1)) >> 3);

	word |= zeros;
	store(to, zeros);
	to[from] = (char)('0' + first);
	store(to + from + 1, word);
	store(to + (point < 1 ? from + 1 : point + 1),
	      word >> 8 * (at_point - 1));
	to[at_point] = '.';
	return (size_t)(n > at_point + 1 ? n : at_point + 1) + 1;
}

/* 0 for what needs an exponent, or more digits. */
static ALWAYS_INLINE size_t write_nine(char *to, struct decimal d)
{
	uint32_t scale, first, nine;
	int point;

	point = (int)count_digits((uint32_t)d.digits, &scale) + d.exponent;
	if (point < POINT_MIN || point > POINT_MAX)
		return 0;
	nine = (uint32_t)d.digits * scale;
	first = nine / 100000000;
	return lay_out(to, first, digits_of_eight(nine - first * 100000000),
		       point);
}

static ALWAYS_INLINE bool is_special(uint32_t bits)
{
	/* 0, NaN and the infinities */
	return (bits << 1) - 1 >= 0xff000000u - 1;
}

static ALWAYS_INLINE size_t write_float(char *to, float value)
{
	struct decimal d;
	uint32_t bits;
	size_t sign, n;

	memcpy(&bits, &value, sizeof(bits));
	if (__builtin_expect(is_special(bits), 0)) {
		sign = bits >> 31 && !isnan(value);
		*to = '-';
		return sign + write_special(to + sign, (double)value);
	}
	sign = bits >> 31;
	*to = '-';
	to += sign;
	d = shortest_float(bits & 0x7fffff, (int)(bits >> 23 & 0xff));
	n = write_nine(to, d);
	return sign + (n ? n : write_decimal(to, d));
}

size_t decimal_write_float(char *to, float value)
{
	return write_float(to, value);
}

static size_t write_block(char *to, const float *values, float_digits_fn *find)
{
	struct float_digits d;
	uint32_t bits[FLOAT_DIGITS];
	size_t len = 0;

	memcpy(bits, values, sizeof(bits));
	find(bits, &d);
	for (unsigned i = 0; i < FLOAT_DIGITS; i++) {
		const uint64_t word = d.high[i] | (uint64_t)d.low[i] << 32;

		if (__builtin_expect(is_special(bits[i]) ||
					 d.point[i] < POINT_MIN ||
					 d.point[i] > POINT_MAX,
				     0)) {
			len += write_float(to + len, values[i]);
		} else {
			to[len] = '-';
			len += bits[i] >> 31;
			len += lay_out(to + len, d.first[i], word, d.point[i]);
		}
		to[len++] = ',';
	}
	return len;
}

size_t decimal_write_floats(char *to, const float *values, size_t n)
{
	float_digits_fn *find = float_digits_find();
	size_t len = 0, i = 0;

	for (; n - i >= FLOAT_DIGITS; i += FLOAT_DIGITS)
		len += write_block(to + len, values + i, find);
	for (; i < n; i++) {
		len += write_float(to + len, values[i]);
		to[len++] = ',';
	}
	return len;
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
