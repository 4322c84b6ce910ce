/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json_write_priv.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>

/*
 * A decimal is right when it lies between the two halfway points to the
 * neighbouring floats. Both are exact in long double's 64 bits, and so are m
 * (up to 17 digits) and the powers of ten up to 10^27, so m * 10^k or m / 10^k
 * has one rounding, 2^-64 of the value. A candidate further than MARGIN from
 * both halfway points is judged for certain; the rest (and extreme exponents,
 * and machines whose long double is no wider than double) are tried with
 * printf and strtod, which are exact.
 */
#define MARGIN 0x1p-62L

enum { POWER_MAX = 27, FLOAT_DIGITS = 9, DOUBLE_DIGITS = 17 };

static const long double powers[POWER_MAX + 1] = {
	1e0L,  1e1L,  1e2L,  1e3L,  1e4L,  1e5L,  1e6L,	 1e7L,	1e8L,  1e9L,
	1e10L, 1e11L, 1e12L, 1e13L, 1e14L, 1e15L, 1e16L, 1e17L, 1e18L, 1e19L,
	1e20L, 1e21L, 1e22L, 1e23L, 1e24L, 1e25L, 1e26L, 1e27L,
};

/* value = digits * 10^(exponent - n + 1): d.ddd times 10^exponent */
struct decimal {
	uint64_t digits;
	int n, exponent;
};

/* A positive number and the halfway points beside it. */
struct target {
	long double value, low, high;
};

enum verdict { IS_OUTSIDE, IS_INSIDE, IS_UNSURE };

size_t json_number_uint(uint64_t value, char ret_text[JSON_NUMBER_MAX])
{
	char reversed[JSON_NUMBER_MAX];
	size_t n = 0;

	do {
		reversed[n++] = (char)('0' + value % 10);
		value /= 10;
	} while (value);
	for (size_t i = 0; i < n; i++)
		ret_text[i] = reversed[n - 1 - i];
	return n;
}

static long double scale(long double value, int power)
{
	return power < 0 ? value / powers[-power] : value * powers[power];
}

static enum verdict judge(const struct target *target, uint64_t digits,
			  int power)
{
	const long double value = scale((long double)digits, power);
	const long double margin = value * MARGIN;

	if (value > target->low + margin && value < target->high - margin)
		return IS_INSIDE;
	if (value < target->low - margin || value > target->high + margin)
		return IS_OUTSIDE;
	return IS_UNSURE;
}

static void strip_zeros(struct decimal *decimal)
{
	while (decimal->n > 1 && decimal->digits % 10 == 0) {
		decimal->digits /= 10;
		decimal->n--;
	}
}

/* The value rounded to n digits; false when a power is out of the table. */
static bool round_to(const struct target *target, int n,
		     struct decimal *decimal)
{
	const int power = n - 1 - decimal->exponent;

	if (power > POWER_MAX || power < -POWER_MAX)
		return false;
	decimal->digits = (uint64_t)llrintl(scale(target->value, power));
	decimal->n = n;
	return true;
}

/* All n digits, with the exponent set right. */
static bool round_first(const struct target *target, int n,
			struct decimal *decimal)
{
	const long double below = powers[n - 1], beyond = powers[n];
	int exponent;

	(void)frexpl(target->value, &exponent);
	/* floor of log10(2) times the binary exponent, at most one off */
	decimal->exponent = (int)floor((exponent - 1) * 0.30102999566398120);
	if (!round_to(target, n, decimal))
		return false;
	if ((long double)decimal->digits >= beyond)
		decimal->exponent++;
	else if ((long double)decimal->digits < below)
		decimal->exponent--;
	else
		return true;
	return round_to(target, n, decimal) &&
	       (long double)decimal->digits >= below &&
	       (long double)decimal->digits < beyond;
}

/* From max_digits, which always suffice, downwards until one fails. */
static bool shorten(const struct target *target, int max_digits,
		    struct decimal *ret_decimal)
{
	struct decimal best, next;

	if (LDBL_MANT_DIG < 64 || !round_first(target, max_digits, &best))
		return false;
	if (judge(target, best.digits, best.exponent - best.n + 1) != IS_INSIDE)
		return false;
	strip_zeros(&best);
	while (best.n > 1) {
		enum verdict verdict;

		next = best;
		if (!round_to(target, best.n - 1, &next))
			return false;
		verdict =
		    judge(target, next.digits, next.exponent - next.n + 1);
		if (verdict == IS_UNSURE)
			return false;
		if (verdict == IS_OUTSIDE)
			break;
		if ((long double)next.digits >= powers[next.n]) {
			next.digits = 1; /* 9.99 became 10.0 */
			next.n = 1;
			next.exponent++;
		}
		best = next;
		strip_zeros(&best);
	}
	*ret_decimal = best;
	return true;
}

/* The plain way: %.{p}e for every p until it reads back. */
static void shorten_slowly(double value, bool is_float,
			   struct decimal *ret_decimal)
{
	const int max = is_float ? FLOAT_DIGITS : DOUBLE_DIGITS;
	char text[JSON_NUMBER_MAX];
	struct decimal decimal = { 0 };
	char *end;

	for (int n = 1; n <= max; n++) {
		(void)snprintf(text, sizeof(text), "%.*e", n - 1, value);
		if (is_float ? strtof(text, NULL) == (float)value
			     : strtod(text, NULL) == value)
			break;
	}
	for (end = text; *end && *end != 'e'; end++) {
		if (*end < '0' || *end > '9')
			continue; /* the point */
		decimal.digits = decimal.digits * 10 + (unsigned)(*end - '0');
		decimal.n++;
	}
	decimal.exponent = (int)strtol(end + 1, NULL, 10);
	strip_zeros(&decimal);
	*ret_decimal = decimal;
}

static size_t put_zeros(char *to, int n)
{
	if (n > 0)
		memset(to, '0', (size_t)n);
	return n > 0 ? (size_t)n : 0;
}

static size_t put_exponent(const char *digits, const struct decimal *decimal,
			   char *to)
{
	const int exponent = decimal->exponent;
	const size_t n = (size_t)decimal->n;
	size_t len = 0;

	to[len++] = digits[0];
	if (n > 1) {
		to[len++] = '.';
		memcpy(to + len, digits + 1, n - 1);
		len += n - 1;
	}
	to[len++] = 'e';
	if (exponent < 0)
		to[len++] = '-';
	return len + json_number_uint((unsigned)abs(exponent), to + len);
}

/* 1234.5, 0.00012, 1200 or 1.2e-7 */
static size_t put_decimal(const struct decimal *decimal, char *to)
{
	char digits[JSON_NUMBER_MAX];
	const size_t n = json_number_uint(decimal->digits, digits);
	const int exponent = decimal->exponent;
	size_t len = 0;

	if (exponent < -5 || exponent >= 17)
		return put_exponent(digits, decimal, to);
	if (exponent < 0) {
		to[len++] = '0';
		to[len++] = '.';
		len += put_zeros(to + len, -exponent - 1);
		memcpy(to + len, digits, n);
		return len + n;
	}
	if (decimal->n <= exponent + 1) {
		memcpy(to, digits, n);
		return n + put_zeros(to + n, exponent + 1 - decimal->n);
	}
	len = (size_t)exponent + 1;
	memcpy(to, digits, len);
	to[len] = '.';
	memcpy(to + len + 1, digits + len, n - len);
	return n + 1;
}

/* Zero and whole numbers that are exact: no search needed. */
static size_t put_whole(double value, char *to)
{
	if (value == 0.0) {
		/* "-0" would be read as the integer 0 */
		const size_t n = signbit(value) ? 4 : 1;

		memcpy(to, n == 1 ? "0" : "-0.0", n);
		return n;
	}
	*to = '-';
	return (value < 0) +
	       json_number_uint((uint64_t)fabs(value), to + (value < 0));
}

size_t json_number_double(double value, char ret_text[JSON_NUMBER_MAX])
{
	const double size = fabs(value);
	struct decimal decimal;

	if (size < 0x1p53 && size == floor(size))
		return put_whole(value, ret_text);
	if (size < DBL_MAX) {
		const struct target target = {
			.value = size,
			.low = ((long double)nextafter(size, 0) + size) / 2,
			.high =
			    ((long double)nextafter(size, DBL_MAX) + size) / 2,
		};

		if (!shorten(&target, DOUBLE_DIGITS, &decimal))
			shorten_slowly(size, false, &decimal);
	} else {
		shorten_slowly(size, false, &decimal);
	}
	*ret_text = '-';
	return (value < 0) + put_decimal(&decimal, ret_text + (value < 0));
}

size_t json_number_float(float value, char ret_text[JSON_NUMBER_MAX])
{
	const float size = fabsf(value);
	struct decimal decimal;

	if (size < 0x1p24f && size == floorf(size))
		return put_whole((double)value, ret_text);
	if (size < FLT_MAX) {
		const long double wide = size;
		const struct target target = {
			.value = wide,
			.low = (nextafterf(size, 0) + wide) / 2,
			.high = (nextafterf(size, FLT_MAX) + wide) / 2,
		};

		if (!shorten(&target, FLOAT_DIGITS, &decimal))
			shorten_slowly((double)size, true, &decimal);
	} else {
		shorten_slowly((double)size, true, &decimal);
	}
	*ret_text = '-';
	return (value < 0) + put_decimal(&decimal, ret_text + (value < 0));
}
