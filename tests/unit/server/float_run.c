/* SPDX-License-Identifier: Apache-2.0 */
#include "server/float_run.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/rng.h"
#include "server/number_scan.h"

enum { COUNT = 4000, TEXT_MAX = COUNT * 32 };

static const struct rng random_bits = { .seed = 3, .stream = 2 };

/* Elements of many forms, most of them plain. */
static size_t put_element(char *to, uint64_t i)
{
	const uint32_t bits = rng_u32(random_bits, i);
	const double value = (double)bits * 0x1p-32;
	const char *sign = bits & 1 ? "-" : "";
	const char *space = i / 500 % 2 ? " " : "";
	int n = 0;

	switch (i / 64 % 8) {
	case 0:
		n = snprintf(to, 32, "%s%s%.8f,", space, sign, value);
		break;
	case 1:
		n = snprintf(to, 32, "%s%s%u,", space, sign, bits >> 12);
		break;
	case 2:
		n = snprintf(to, 32, "%s%s%.*f,", space, sign,
			     (int)(bits >> 8) % 17 + 1, value);
		break;
	case 3:
		n = snprintf(to, 32, "%s%s%.*f,", space, sign,
			     (int)(bits >> 8) % 9 + 1, value * 1000);
		break;
	case 4:
		n = snprintf(to, 32, "%s%.17g,", space,
			     (double)((float)value * 3 - 1.5F));
		break;
	case 5: /* with and without a point; middles of two floats */
		n = bits >> 30 ? snprintf(to, 32, "%s%s%u.%u,", space, sign,
					  (bits >> 20) % 10000, bits % 1000)
			       : snprintf(to, 32, "%s%u.5,", sign,
					  8388608 + (bits >> 12) % 1048576);
		break;
	case 6:
		n = bits >> 31 ? snprintf(to, 32, "%s%u,", sign, bits >> 5)
			       : snprintf(to, 32, "%s%.*f,", space,
					  (int)(bits >> 8) % 8 + 1, value);
		break;
	default:
		n = snprintf(to, 32, "%s%u.0,", space, bits >> 24);
		break;
	}
	return (size_t)n;
}

Test(float_run, reads_what_strtof_reads_at_every_level)
{
	char *text = mem_zero(TEXT_MAX + 128);
	float *out = mem_zero(COUNT * sizeof(*out));
	size_t len = 0;

	for (uint64_t i = 0; i < COUNT; i++)
		len += put_element(text + len, i);
	for (unsigned level = 0; level < float_run_levels(); level++) {
		float_run_fn *fn = float_run_find_level(level);
		const char *at = text, *end = text + len;
		size_t n = 0, read = 0;

		while (at < end) {
			struct float_run run = { .begin = text,
						 .out = (uint32_t *)(void *)out,
						 .n = &n,
						 .count = COUNT };
			const size_t before = n;
			const char *next = fn(at, end, &run);

			for (size_t i = before; i < n; i++) {
				char *stop;
				float want = strtof(at, &stop);

				cr_assert(memcmp(&want, &out[i], 4) == 0,
					  "level %u: %.20s gave %a", level, at,
					  (double)out[i]);
				at = stop + 1;
			}
			cr_assert_eq(at, next);
			read += n - before;
			at = strchr(at, ',');
			cr_assert_not_null(at);
			at++;
			n++;
		}
		/* all but the ends, and what is long */
		cr_assert_gt(read, COUNT * (level ? 8 : 5) / 10,
			     "level %u: %zu", level, read);
	}
	mem_free(text);
	mem_free(out);
}

Test(float_run, stops_before_what_is_not_plain)
{
	static const char *const odd[] = {
		"01", "-01.5", ".5",   "5.",   "1.2.3",	 "1..2",   "--1", "- 1",
		"+1", "",      "  1",  "1 ",   "1e5",	 "1.5E-3", "NaN", "[1",
		"1]", "\n1",   "1\t",  "-",    ".",	 "1-2",	   "1 2", "/",
		":",  "0x1",   "00.5", "0.1.", "\xb0.5", "-.5",	   "1.-2"
	};
	uint32_t out[256];

	for (unsigned level = 0; level < float_run_levels(); level++)
		for (size_t i = 0; i < sizeof(odd) / sizeof(*odd); i++) {
			char text[2048];
			size_t n = 0;
			struct float_run run = { text, out, &n, 256, false };
			int before, len;
			const char *stop;

			before = snprintf(text, sizeof(text),
					  "0.5,0.25,17,-1.5,0.125,2.5,4,0.5,");
			len = before;
			len += snprintf(text + len, 256, "1.5,2.5,%s,", odd[i]);
			for (int k = 0; k < 100; k++)
				len += snprintf(text + len, 64, "0.75,");
			stop = float_run_find_level(level)(text + before,
							   text + len, &run);
			cr_assert_eq(n, 2, "level %u: '%s': %zu read", level,
				     odd[i], n);
			cr_assert_eq(stop, text + before + 8, "level %u: '%s'",
				     level, odd[i]);
		}
}

Test(float_run, leaves_middles_of_floats_to_the_walk_or_reads_them_right)
{
	/* 2^24 + 1 lies between two floats, as do the halves; the others right
	 * beside such */
	static const char *const close[] = {
		"16777217",
		"16777219",
		"16777217.0",
		"8388608.5",
		"8388609.5",
		"1.0000000596",
		"1.00000005960464478",
		"1.0000000596046448",
	};
	uint32_t out[256];

	for (unsigned level = 0; level < float_run_levels(); level++)
		for (size_t i = 0; i < sizeof(close) / sizeof(*close); i++) {
			char text[1024];
			size_t n = 0;
			struct float_run run = { text, out, &n, 256, false };
			int before, len;
			float want;

			before = snprintf(text, sizeof(text), "%064d,", 0);
			len = before;
			len += snprintf(text + len, 64, "2.5,%s,", close[i]);
			for (int k = 0; k < 100; k++)
				len += snprintf(text + len, 64, "0.75,");
			(void)float_run_find_level(level)(text + before,
							  text + len, &run);
			cr_assert_geq(n, 1, "level %u: %s", level, close[i]);
			want = strtof(close[i], NULL);
			cr_assert(n == 1 || memcmp(&want, &out[1], 4) == 0,
				  "level %u: %s", level, close[i]);
		}
}

Test(float_run, rounds_as_strtof_right_beside_a_middle)
{
	enum { N = 2000, BEFORE = 65 };
	char *text = mem_zero(BEFORE + N * 24 + 1);
	uint32_t *out = mem_zero((N + 64) * sizeof(*out));
	size_t len = BEFORE;

	(void)snprintf(text, BEFORE + 1, "%064d,", 0);
	for (uint64_t i = 0; i < N; i++) /* 1 to 2, in steps of 2^-24 */
		len += (size_t)snprintf(
		    text + len, 24, "%.*f,", i % 2 ? 14 + (int)(i % 5) / 2 : 1,
		    1 + (rng_u32(random_bits, i) >> 8 | 1) * 0x1p-24);
	for (unsigned level = 0; level < float_run_levels(); level++)
		for (const char *at = text + BEFORE; at < text + len;) {
			size_t n = 0;
			struct float_run run = { text, out, &n, N, false };

			(void)float_run_find_level(level)(at, text + len, &run);
			for (size_t i = 0; i <= n && at < text + len; i++) {
				const float want = strtof(at, NULL);

				cr_assert(i == n || !memcmp(&want, &out[i], 4),
					  "level %u: %.18s gave %a", level, at,
					  (double)want);
				at = strchr(at, ',') + 1;
			}
		}
	mem_free(text);
	mem_free(out);
}

/* What the walk makes of the one element that ends at the next comma. */
static bool walk_reads(const char *at, uint32_t *ret_bits)
{
	struct number_target target = {
		.name = "x", .dtype = DTYPE_F32, .count = 1, .out = ret_bits
	};
	const size_t len = (size_t)(strchr(at, ',') - at);
	char text[256];
	size_t used;

	if (len + 3 > sizeof(text))
		return false;
	(void)snprintf(text, sizeof(text), "[%.*s]", (int)len, at);
	return !number_scan(text, len + 2, &target, &used, NULL) &&
	       used == len + 2;
}

Test(float_run, accepts_nothing_that_the_walk_refuses)
{
	static const char letters[] = "0123456789.-, e+.[].0,";
	enum { ROUNDS = 3000, LEN = 300 };
	uint32_t out[256];

	for (uint64_t round = 0; round < ROUNDS; round++) {
		char text[LEN + 400] = "";
		size_t len = 0;

		for (uint64_t i = 0; len < LEN; i++)
			len += put_element(text + len, round * 64 + i * 64);
		for (uint64_t k = 0; k < 1 + round % 5; k++) {
			const uint32_t bits =
			    rng_u32(random_bits, 1000000 + round * 8 + k);

			text[bits % LEN] =
			    letters[(bits >> 16) % (sizeof(letters) - 1)];
		}
		for (int k = 0; k < 70; k++)
			len += (size_t)snprintf(text + len, 4, "1,");
		for (unsigned level = 0; level < float_run_levels(); level++) {
			const char *at = strchr(text + 40, ',') + 1;
			size_t n = 0;
			struct float_run run = { text, out, &n, 256, false };

			(void)float_run_find_level(level)(at, text + len, &run);
			for (size_t i = 0; i < n; i++) {
				uint32_t want = 0;

				cr_assert(walk_reads(at, &want),
					  "level %u: '%.20s' was read", level,
					  at);
				cr_assert_eq(out[i], want, "level %u: %.20s",
					     level, at);
				at = strchr(at, ',') + 1;
			}
		}
	}
}
