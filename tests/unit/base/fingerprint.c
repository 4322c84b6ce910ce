/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fingerprint.h"

#include <criterion/criterion.h>
#include <string.h>

enum { BYTES = 300 };

static const struct fingerprint_key fixed = {
	.word = { 0x123456789abcdef, 0xfedcba987654321 },
	.lane = { 0x0f1e2d3c4b5a697, 0x796a5b4c3d2e1f0 },
};

static void fill(unsigned char *bytes)
{
	for (int i = 0; i < BYTES; i++)
		bytes[i] = (unsigned char)(i * 7 + 3);
}

Test(fingerprint, is_a_function_of_key_and_bytes)
{
	struct fingerprint_key key = fixed;
	unsigned char a[BYTES], b[BYTES + 1];
	struct fingerprint one, other;

	fill(a);
	fill(b + 1);
	one = fingerprint_of(&key, a, BYTES);
	cr_assert(fingerprint_equal(one, fingerprint_of(&key, b + 1, BYTES)));
	key.lane[1]++;
	other = fingerprint_of(&key, a, BYTES);
	cr_assert_eq(one.half[0], other.half[0]);
	cr_assert_neq(one.half[1], other.half[1]);
}

/* every bit counts, wherever the rounds end */
Test(fingerprint, sees_every_bit)
{
	for (size_t n = 1; n < BYTES; n++) {
		unsigned char a[BYTES];
		struct fingerprint one;

		fill(a);
		one = fingerprint_of(&fixed, a, n);
		for (size_t i = 0; i < n; i++) {
			const unsigned char bit =
			    (unsigned char)(1u << (i + n) % 8);

			a[i] ^= bit;
			cr_assert_not(fingerprint_equal(
			    one, fingerprint_of(&fixed, a, n)));
			a[i] ^= bit;
		}
	}
}

Test(fingerprint, sees_zeros_at_the_end_and_exchanged_words)
{
	unsigned char a[BYTES] = { 0 }, b[BYTES];

	for (size_t n = 1; n < BYTES; n++)
		cr_assert_not(
		    fingerprint_equal(fingerprint_of(&fixed, a, n),
				      fingerprint_of(&fixed, a, n - 1)));
	fill(a);
	for (size_t i = 7; i + 7 <= BYTES; i += 7) {
		memcpy(b, a, BYTES);
		memcpy(b, a + i, 7);
		memcpy(b + i, a, 7);
		cr_assert_not(
		    fingerprint_equal(fingerprint_of(&fixed, a, BYTES),
				      fingerprint_of(&fixed, b, BYTES)));
	}
}

Test(fingerprint, draws_keys_below_the_prime)
{
	const uint64_t prime = ((uint64_t)1 << 61) - 1;
	struct fingerprint_key a, b;

	cr_assert_eq(fingerprint_key_draw(&a, NULL), ERR_NONE);
	cr_assert_eq(fingerprint_key_draw(&b, NULL), ERR_NONE);
	cr_assert_neq(memcmp(&a, &b, sizeof(a)), 0);
	for (int i = 0; i < FINGERPRINT_POINTS; i++) {
		cr_assert_lt(a.word[i], prime);
		cr_assert_lt(a.lane[i], prime);
	}
}
