/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json_write_priv.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

/*
 * A decimal is right when it lies between the two halfway points to the
 * neighbouring floats. Value and halfway points are scaled by a power of ten so
 * that the longest decimal (9 or 17 digits) is a whole number, in a type with
 * more bits than the number has; there the halfway points and the power are
 * exact, so each product has one rounding. Then all shorter decimals are
 * judged in whole numbers. What lies within MARGIN of a halfway point, extreme
 * exponents, and machines whose long double is no wider than double are left
 * to printf and strtod, which are exact.
 */
#define FLOAT_MARGIN 0x1p-50
#define DOUBLE_MARGIN 0x1p-61L

enum {
	FLOAT_DIGITS = 9,
	DOUBLE_DIGITS = 17,
	FLOAT_POWER = 22, /* 10^22 is the last power exact in 53 bits */
	DOUBLE_POWER = 27 /* and 10^27 in 64 */
};

static const double float_powers[FLOAT_POWER + 1] = {
	1e0,  1e1,  1e2,  1e3,	1e4,  1e5,  1e6,  1e7,	1e8,  1e9,  1e10, 1e11,
	1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
};

static const long double double_powers[DOUBLE_POWER + 1] = {
	1e0L,  1e1L,  1e2L,  1e3L,  1e4L,  1e5L,  1e6L,	 1e7L,	1e8L,  1e9L,
	1e10L, 1e11L, 1e12L, 1e13L, 1e14L, 1e15L, 1e16L, 1e17L, 1e18L, 1e19L,
	1e20L, 1e21L, 1e22L, 1e23L, 1e24L, 1e25L, 1e26L, 1e27L,
};

static const uint64_t tens[DOUBLE_DIGITS + 1] = {
	1,
	10,
	100,
	1000,
	10000,
	100000,
	1000000,
	10000000,
	100000000,
	1000000000,
	10000000000,
	100000000000,
	1000000000000,
	10000000000000,
	100000000000000,
	1000000000000000,
	10000000000000000,
	100000000000000000,
};

/* value = digits * 10^(exponent - n + 1): d.ddd times 10^exponent */
struct decimal {
	uint64_t digits;
	int n, exponent;
};

/* A positive number times a power of ten: from low to high its decimals read
 * back for certain, beyond the `maybe`s they do not. */
struct scaled {
	uint64_t value, low_maybe, low, high, high_maybe;
	int exponent;
};

enum verdict { IS_OUTSIDE, IS_INSIDE, IS_UNSURE };

/* Bit patterns of positive floats are in the order of their values. */
static double float_at(uint32_t bits)
{
	float value;

	memcpy(&value, &bits, sizeof(value));
	return (double)value;
}

static long double double_at(uint64_t bits)
{
	double value;

	memcpy(&value, &bits, sizeof(value));
	return (long double)value;
}

/* Floor of the decimal exponent of a number in [2^(binary-1), 2^binary), at
 * most one off. */
static int guess_exponent(int binary)
{
	/* 1233 / 4096 is log10(2); the division rounds down */
	return ((binary - 1) * 1233 - (binary < 1 ? 4095 : 0)) / 4096;
}

/* Whether value has n digits; if not, the exponent was off. */
static bool has_digits(uint64_t value, int n, int *exponent)
{
	if (value >= tens[n])
		++*exponent;
	else if (value < tens[n - 1])
		--*exponent;
	else
		return true;
	return false;
}

static double scale_float(double value, int power)
{
	return power < 0 ? value / float_powers[-power]
			 : value * float_powers[power];
}

static bool float_scaled(float size, struct scaled *ret_scaled)
{
	const double value = (double)size;
	uint32_t bits;
	int exponent;

	memcpy(&bits, &size, sizeof(bits));
	exponent = guess_exponent((int)(bits >> 23) - 126);
	for (int tries = 0; tries < 2; tries++) {
		const int power = FLOAT_DIGITS - 1 - exponent;
		double low, high, margin;

		if (power > FLOAT_POWER || power < -FLOAT_POWER)
			return false;
		low = scale_float((float_at(bits - 1) + value) / 2, power);
		high = scale_float((float_at(bits + 1) + value) / 2, power);
		margin = high * FLOAT_MARGIN;
		*ret_scaled = (struct scaled){
			.value = (uint64_t)scale_float(value, power),
			.low_maybe = (uint64_t)(low - margin) + 1,
			.low = (uint64_t)(low + margin) + 1,
			.high = (uint64_t)(high - margin),
			.high_maybe = (uint64_t)(high + margin),
			.exponent = exponent,
		};
		if (has_digits(ret_scaled->value, FLOAT_DIGITS, &exponent))
			return true;
	}
	return false;
}

static long double scale_double(long double value, int power)
{
	return power < 0 ? value / double_powers[-power]
			 : value * double_powers[power];
}

static bool double_scaled(double size, struct scaled *ret_scaled)
{
	const long double value = (long double)size;
	uint64_t bits;
	int exponent;

	memcpy(&bits, &size, sizeof(bits));
	exponent = guess_exponent((int)(bits >> 52) - 1022);
	for (int tries = 0; tries < 2; tries++) {
		const int power = DOUBLE_DIGITS - 1 - exponent;
		long double low, high, margin;

		if (power > DOUBLE_POWER || power < -DOUBLE_POWER ||
		    LDBL_MANT_DIG < 64)
			return false;
		low = scale_double((double_at(bits - 1) + value) / 2, power);
		high = scale_double((double_at(bits + 1) + value) / 2, power);
		margin = high * DOUBLE_MARGIN;
		*ret_scaled = (struct scaled){
			.value = (uint64_t)scale_double(value, power),
			.low_maybe = (uint64_t)(low - margin) + 1,
			.low = (uint64_t)(low + margin) + 1,
			.high = (uint64_t)(high - margin),
			.high_maybe = (uint64_t)(high + margin),
			.exponent = exponent,
		};
		if (has_digits(ret_scaled->value, DOUBLE_DIGITS, &exponent))
			return true;
	}
	return false;
}

static enum verdict judge(const struct scaled *scaled, uint64_t digits)
{
	if (digits >= scaled->low && digits <= scaled->high)
		return IS_INSIDE;
	if (digits < scaled->low_maybe || digits > scaled->high_maybe)
		return IS_OUTSIDE;
	return IS_UNSURE;
}

/* The multiples of a power of ten beside the value; the nearer of those
 * inside. A shorter decimal that reads back has one of the next longer
 * ones between itself and the value, so the search may stop at the first n
 * that has none. */
static enum verdict try_unit(const struct scaled *scaled, uint64_t below,
			     uint64_t unit, uint64_t *ret_digits)
{
	const uint64_t rest = scaled->value - below, above = below + unit;
	const enum verdict down = judge(scaled, below);
	const enum verdict up = judge(scaled, above);

	if (down == IS_UNSURE || up == IS_UNSURE)
		return IS_UNSURE;
	if (down == IS_OUTSIDE && up == IS_OUTSIDE)
		return IS_OUTSIDE;
	if (down == IS_INSIDE && up == IS_INSIDE)
		*ret_digits = 2 * rest < unit ? below : above;
	else
		*ret_digits = down == IS_INSIDE ? below : above;
	return IS_INSIDE;
}

static void strip_zeros(struct decimal *decimal)
{
	while (decimal->n > 1 && decimal->digits % 10 == 0) {
		decimal->digits /= 10;
		decimal->n--;
	}
}

/* False: for the plain way to decide. */
static bool shorten(const struct scaled *scaled, int n,
		    struct decimal *ret_decimal)
{
	enum verdict verdict = IS_INSIDE;
	uint64_t digits = 0, prefix = scaled->value;

	for (int i = 0; i < n && verdict == IS_INSIDE; i++, prefix /= 10)
		verdict = try_unit(scaled, prefix * tens[i], tens[i], &digits);
	if (verdict == IS_UNSURE || digits == 0)
		return false;
	*ret_decimal = (struct decimal){ digits, n, scaled->exponent };
	if (digits == tens[n]) {
		ret_decimal->digits = 1; /* 9.99 became 10.0 */
		ret_decimal->n = 1;
		ret_decimal->exponent++;
	}
	strip_zeros(ret_decimal);
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
	return len + str_put_uint64((unsigned)abs(exponent), to + len);
}

/* 1234.5, 0.00012, 1200 or 1.2e-7 */
static size_t put_decimal(const struct decimal *decimal, char *to)
{
	char digits[JSON_NUMBER_MAX];
	const size_t n = str_put_uint64(decimal->digits, digits);
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
	       str_put_uint64((uint64_t)fabs(value), to + (value < 0));
}

static size_t put_signed(bool is_negative, const struct decimal *decimal,
			 char *to)
{
	*to = '-';
	return is_negative + put_decimal(decimal, to + is_negative);
}

size_t json_number_double(double value, char ret_text[JSON_NUMBER_MAX])
{
	const double size = fabs(value);
	struct decimal decimal;
	struct scaled scaled;

	if (size < 0x1p53 && size == (double)(int64_t)size)
		return put_whole(value, ret_text);
	if (!double_scaled(size, &scaled) ||
	    !shorten(&scaled, DOUBLE_DIGITS, &decimal))
		shorten_slowly(size, false, &decimal);
	return put_signed(value < 0, &decimal, ret_text);
}

size_t json_number_float(float value, char ret_text[JSON_NUMBER_MAX])
{
	const float size = fabsf(value);
	struct decimal decimal;
	struct scaled scaled;

	if (size < 0x1p24f && size == (float)(int32_t)size)
		return put_whole((double)value, ret_text);
	if (!float_scaled(size, &scaled) ||
	    !shorten(&scaled, FLOAT_DIGITS, &decimal))
		shorten_slowly((double)size, true, &decimal);
	return put_signed(value < 0, &decimal, ret_text);
}
