/* SPDX-License-Identifier: Apache-2.0 */
#include "server/decimal.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <math.h>

#include "base/rng.h"
#include "server/decimal_priv.h"

static const struct rng random_bits = { .seed = 11, .stream = 1 };

static uint64_t random_u64(uint64_t i)
{
	return (uint64_t)rng_u32(random_bits, 2 * i) << 32 |
	       rng_u32(random_bits, 2 * i + 1);
}

/* --- a big number of 32-bit limbs, for the table --- */

enum { LIMBS = 64 };

struct big {
	uint32_t limb[LIMBS]; /* lowest first */
};

static void big_multiply(struct big *big, uint32_t by)
{
	uint64_t carry = 0;

	for (int i = 0; i < LIMBS; i++) {
		carry += (uint64_t)big->limb[i] * by;
		big->limb[i] = (uint32_t)carry;
		carry >>= 32;
	}
}

static int big_bits(const struct big *big)
{
	for (int i = LIMBS - 1; i >= 0; i--)
		if (big->limb[i])
			return 32 * i + 32 - __builtin_clz(big->limb[i]);
	return 0;
}

static int big_bit(const struct big *big, int i)
{
	return i < 0 ? 0 : (int)(big->limb[i / 32] >> (i % 32) & 1);
}

static int big_compare(const struct big *a, const struct big *b)
{
	for (int i = LIMBS - 1; i >= 0; i--)
		if (a->limb[i] != b->limb[i])
			return a->limb[i] < b->limb[i] ? -1 : 1;
	return 0;
}

static void big_subtract(struct big *a, const struct big *b)
{
	int64_t borrow = 0;

	for (int i = 0; i < LIMBS; i++) {
		borrow += (int64_t)a->limb[i] - b->limb[i];
		a->limb[i] = (uint32_t)borrow;
		borrow >>= 32;
	}
}

static struct power_of_five top_128(const struct big *big)
{
	const int top = big_bits(big) - 1;
	struct power_of_five power = { 0, 0 };

	for (int i = 0; i < 64; i++) {
		power.hi = power.hi << 1 | (uint64_t)big_bit(big, top - i);
		power.lo = power.lo << 1 | (uint64_t)big_bit(big, top - 64 - i);
	}
	return power;
}

/* The first 128 bits of 1 / big, by long division. */
static struct power_of_five reciprocal(const struct big *big)
{
	struct big rest = { { 0 } };
	struct power_of_five power = { 0, 0 };
	int n = 0;

	rest.limb[0] = 1;
	while (n < 128) {
		big_multiply(&rest, 2);
		if (big_compare(&rest, big) >= 0) {
			big_subtract(&rest, big);
			power.hi = power.hi << 1 | power.lo >> 63;
			power.lo = power.lo << 1 | 1;
			n++;
		} else if (n) {
			power.hi = power.hi << 1 | power.lo >> 63;
			power.lo <<= 1;
			n++;
		}
	}
	return power;
}

Test(decimal, has_the_powers_of_five_that_long_arithmetic_gives)
{
	struct big big = { { 1 } };

	for (int q = 0; q <= POWER_MAX; q++) {
		struct power_of_five want = top_128(&big);

		cr_assert_eq(powers_of_five[q - POWER_MIN].hi, want.hi, "%d",
			     q);
		cr_assert_eq(powers_of_five[q - POWER_MIN].lo, want.lo, "%d",
			     q);
		big_multiply(&big, 5);
	}
	big = (struct big){ { 1 } };
	for (int q = -1; q >= POWER_MIN; q--) {
		struct power_of_five want;

		big_multiply(&big, 5);
		want = reciprocal(&big);
		if (q >= -27)
			want.hi += ++want.lo == 0;
		cr_assert_eq(powers_of_five[q - POWER_MIN].hi, want.hi, "%d",
			     q);
		cr_assert_eq(powers_of_five[q - POWER_MIN].lo, want.lo, "%d",
			     q);
	}
}

Test(decimal, reads_what_the_c_library_reads)
{
	for (uint64_t i = 0; i < 200000; i++) {
		const uint64_t w = random_u64(i) >> (i % 64);
		const int q = (int)(i * 7 % 720) - 360;
		char text[64];
		double want, got;
		float want_float, got_float;

		snprintf(text, sizeof(text), "%" PRIu64 "e%d", w, q);
		want = strtod(text, NULL);
		got = decimal_to_double(w, q);
		cr_assert(memcmp(&want, &got, sizeof(got)) == 0, "%s: %a, %a",
			  text, want, got);
		want_float = strtof(text, NULL);
		got_float = decimal_to_float(w, q);
		cr_assert(memcmp(&want_float, &got_float, sizeof(got_float)) ==
			      0,
			  "%s as float", text);
	}
}

Test(decimal, rounds_true_ties_to_even)
{
	/* 2^53 + 1 and 2^53 + 3 lie between two doubles */
	cr_assert_eq(decimal_to_double(9007199254740993, 0), 9007199254740992.);
	cr_assert_eq(decimal_to_double(9007199254740995, 0), 9007199254740996.);
	cr_assert_eq(decimal_to_float(16777217, 0), 16777216.0F);
	cr_assert_eq(decimal_to_float(16777219, 0), 16777220.0F);
	cr_assert_eq(decimal_to_double(49406564584124654, -340), 5e-324);
	cr_assert_eq(decimal_to_double(2, -324), 0);
	cr_assert(isinf(decimal_to_double(18, 307)));
	cr_assert(isinf(decimal_to_float(1, 39)));
}

static const char *text_of(double value, int as_float)
{
	static char text[DECIMAL_TEXT_MAX + 1];
	size_t n = as_float ? decimal_write_float(text, (float)value)
			    : decimal_write_double(text, value);

	text[n] = '\0';
	return text;
}

Test(decimal, writes_points_and_exponents_where_people_expect_them)
{
	static const struct {
		double value;
		const char *want;
	} rows[] = {
		{ 0, "0.0" },
		{ -0.0, "-0.0" },
		{ 1, "1.0" },
		{ -3, "-3.0" },
		{ 0.1, "0.1" },
		{ 12.5, "12.5" },
		{ 1e15, "1000000000000000.0" },
		{ 1e16, "1e16" },
		{ 1e-5, "0.00001" },
		{ 1.5e-7, "1.5e-7" },
		{ 5e-324, "5e-324" },
		{ 1.7976931348623157e308, "1.7976931348623157e308" },
		{ (double)NAN, "NaN" },
		{ (double)INFINITY, "Infinity" },
		{ -(double)INFINITY, "-Infinity" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		cr_assert_str_eq(text_of(rows[i].value, 0), rows[i].want);
	cr_assert_str_eq(text_of((double)0.1F, 1), "0.1");
	cr_assert_str_eq(text_of((double)16777216.0F, 1), "16777216.0");
}

/* From the first digit that is not 0 to the last one. */
static int significant_digits(const char *text)
{
	int n = 0, last = 0;

	for (; *text && *text != 'e'; text++) {
		if (*text < '0' || *text > '9' || (n == 0 && *text == '0'))
			continue;
		n++;
		if (*text != '0')
			last = n;
	}
	return last;
}

static int fewest_digits(double value)
{
	char text[64];
	int n = 0;

	do
		snprintf(text, sizeof(text), "%.*e", n++, value);
	while (strtod(text, NULL) != value);
	return n;
}

Test(decimal, writes_digits_that_read_back_and_no_more_than_needed)
{
	for (uint64_t i = 0; i < 100000; i++) {
		const uint64_t bits = random_u64(i + 1000000);
		const uint32_t bits_float = (uint32_t)bits;
		double value, back;
		float value_float, back_float;

		memcpy(&value, &bits, sizeof(value));
		memcpy(&value_float, &bits_float, sizeof(value_float));
		if (!isfinite(value) || !isfinite(value_float))
			continue;
		back = strtod(text_of(value, 0), NULL);
		cr_assert_eq(back, value);
		back_float = strtof(text_of((double)value_float, 1), NULL);
		cr_assert_eq(back_float, value_float);
		if (i % 10 == 0)
			cr_assert_leq(significant_digits(text_of(value, 0)),
				      fewest_digits(value));
	}
}
