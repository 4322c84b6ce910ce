/* SPDX-License-Identifier: Apache-2.0 */
#include "server/float_digits.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

#include "base/rng.h"
#include "engine/kernels/loops.h"
#include "server/decimal.h"

static const struct rng random_bits = { .seed = 4, .stream = 2 };

static bool is_special(uint32_t bits)
{
	return !(bits << 1) || (bits >> 23 & 0xff) == 0xff;
}

/* The digits as a text that strtof reads. */
static float value_of(const struct float_digits *d, unsigned i)
{
	char digits[10], text[32];

	digits[0] = (char)('0' + d->first[i]);
	for (unsigned b = 0; b < 4; b++) {
		digits[1 + b] = (char)('0' + (d->high[i] >> 8 * b & 0xff));
		digits[5 + b] = (char)('0' + (d->low[i] >> 8 * b & 0xff));
	}
	digits[9] = '\0';
	(void)snprintf(text, sizeof(text), "0.%se%d", digits, d->point[i]);
	return strtof(text, NULL);
}

Test(float_digits, give_the_same_at_every_level_and_read_back)
{
	float_digits_fn *base = float_digits_find_level(0);

	for (uint64_t block = 0; block < 20000; block++) {
		uint32_t bits[FLOAT_DIGITS];
		struct float_digits want, got;

		rng_fill_u32(random_bits, block * FLOAT_DIGITS, FLOAT_DIGITS,
			     bits);
		/* every fourth: powers of two and what is beside them */
		for (unsigned i = 0; i < FLOAT_DIGITS && block % 4 == 0; i++)
			bits[i] = (bits[i] & 0x7f800000) + i - 2;
		base(bits, &want);
		for (unsigned i = 0; i < FLOAT_DIGITS; i++) {
			const uint32_t positive = bits[i] & 0x7fffffff;
			float value;

			if (is_special(bits[i]))
				continue;
			memcpy(&value, &positive, sizeof(value));
			cr_assert_eq(value_of(&want, i), value, "%a",
				     (double)value);
		}
		for (unsigned level = 1; level < loop_levels(); level++) {
			float_digits_find_level(level)(bits, &got);
			for (unsigned i = 0; i < FLOAT_DIGITS; i++) {
				if (is_special(bits[i]))
					continue;
				cr_assert_eq(got.first[i], want.first[i]);
				cr_assert_eq(got.high[i], want.high[i]);
				cr_assert_eq(got.low[i], want.low[i]);
				cr_assert_eq(got.point[i], want.point[i]);
			}
		}
	}
}

Test(float_digits, many_floats_are_written_as_each_alone)
{
	enum { N = 1000 };
	static char text[N * (DECIMAL_TEXT_MAX + 1)];
	static float values[N];
	size_t len, at = 0;

	for (unsigned i = 0; i < N; i++) {
		uint32_t bits = rng_u32(random_bits, i + 77);

		memcpy(&values[i], &bits, sizeof(bits));
		if (i % 3)
			values[i] = (float)ldexp((double)(int32_t)bits,
						 (int)(i % 50) - 50);
	}
	values[3] = 0;
	values[20] = -0.0F;
	values[40] = NAN;
	values[60] = -INFINITY;
	len = decimal_write_floats(text, values, N);
	for (unsigned i = 0; i < N; i++) {
		char alone[DECIMAL_TEXT_MAX];
		const size_t n = decimal_write_float(alone, values[i]);

		cr_assert(memcmp(text + at, alone, n) == 0, "%.*s, not %.*s",
			  (int)n, text + at, (int)n, alone);
		at += n;
		cr_assert_eq(text[at++], ',');
	}
	cr_assert_eq(at, len);
}
