/* SPDX-License-Identifier: Apache-2.0 */
#include "server/whole_run.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/rng.h"
#include "engine/kernels/loops.h"
#include "server/number_scan.h"

enum { COUNT = 4000, TEXT_MAX = COUNT * 32 };

static const struct rng random_bits = { .seed = 9, .stream = 4 };

/* Digits that an element of a type may have, and whether it may be negative. */
static const struct kind {
	enum dtype dtype;
	uint64_t limit[2];
	unsigned bits;
	bool is_signed;
} kinds[] = {
	{ DTYPE_U8, { UINT8_MAX, 0 }, 8, false },
	{ DTYPE_I8, { INT8_MAX, 128 }, 8, true },
	{ DTYPE_U16, { UINT16_MAX, 0 }, 16, false },
	{ DTYPE_I16, { INT16_MAX, 32768 }, 16, true },
	{ DTYPE_U32, { UINT32_MAX, 0 }, 32, false },
	{ DTYPE_I32, { INT32_MAX, 2147483648 }, 32, true },
	{ DTYPE_U64, { UINT64_MAX, 0 }, 64, false },
	{ DTYPE_I64, { INT64_MAX, 9223372036854775808u }, 64, true },
};
enum { N_KINDS = sizeof(kinds) / sizeof(*kinds) };

static uint64_t random_u64(uint64_t i)
{
	return (uint64_t)rng_u32(random_bits, 2 * i) << 32 |
	       rng_u32(random_bits, 2 * i + 1);
}

/* An element of any number of bits that the type has, as text. */
static size_t put_element(char *to, const struct kind *kind, uint64_t i)
{
	/* stretches of few bits, so that short blocks are there too */
	const uint64_t most = i / 100 % 2 ? 9 : 64;
	const uint64_t n_bits = 1 + random_u64(i + COUNT) % kind->bits % most;
	const bool is_negative = kind->is_signed && i % 3 == 0;
	uint64_t value = random_u64(i) >> (64 - n_bits);

	if (value > kind->limit[is_negative])
		value = kind->limit[is_negative];
	return (size_t)snprintf(to, 32, "%s%s%" PRIu64 ",",
				i / 500 % 2 ? " " : "", is_negative ? "-" : "",
				value);
}

static struct whole_run make_run(const struct kind *kind, const char *begin,
				 void *out, size_t *n, size_t count)
{
	return (struct whole_run){ .begin = begin,
				   .out = out,
				   .size = dtype_info(kind->dtype)->size,
				   .limit = { kind->limit[0], kind->limit[1] },
				   .n = n,
				   .count = count };
}

static void compare(const struct kind *kind, unsigned level, const char *at,
		    const void *out)
{
	const size_t size = dtype_info(kind->dtype)->size;
	/* the C library negates what has a sign */
	const uint64_t want = strtoull(at, NULL, 10);

	cr_assert(memcmp(out, &want, size) == 0, "level %u, %s: %.24s", level,
		  dtype_info(kind->dtype)->name, at);
}

static void read_all(const struct kind *kind, unsigned level, const char *text,
		     size_t len, char *out)
{
	const size_t size = dtype_info(kind->dtype)->size;
	const char *at = text, *end = text + len;
	size_t n = 0, read = 0;

	while (at < end) {
		const size_t before = n;
		const struct whole_run run =
		    make_run(kind, text, out, &n, COUNT);
		const char *next = whole_run_find_level(level)(at, end, &run);

		for (size_t i = before; i < n; i++) {
			compare(kind, level, at, out + i * size);
			at = strchr(at, ',') + 1;
		}
		cr_assert_eq(at, next);
		read += n - before;
		at = strchr(at, ',') + 1;
		n++;
	}
	/* all but the ends, and what is long */
	cr_assert_gt(read, COUNT * (kind->bits == 64 ? 5 : 8) / 10,
		     "level %u, %s: %zu", level, dtype_info(kind->dtype)->name,
		     read);
}

Test(whole_run, reads_what_strtoull_reads_at_every_level)
{
	char *text = mem_zero(TEXT_MAX + 128);
	char *out = mem_zero(COUNT * sizeof(uint64_t));

	for (size_t k = 0; k < N_KINDS; k++) {
		size_t len = 0;

		for (uint64_t i = 0; i < COUNT; i++)
			len += put_element(text + len, &kinds[k], i);
		for (unsigned level = 0; level < loop_levels(); level++)
			read_all(&kinds[k], level, text, len, out);
	}
	mem_free(text);
	mem_free(out);
}

/* Reads "15,25,ODD," in the middle of others; *ret_stop: what was left. */
static size_t read_odd(const struct kind *kind, unsigned level, const char *odd,
		       bool is_nested, const char **ret_stop)
{
	static char text[2048];
	static uint64_t out[256];
	size_t n = 0;
	struct whole_run run = make_run(kind, text, out, &n, 256);
	int before, len;

	run.is_nested = is_nested;
	before = snprintf(text, sizeof(text), "%060d,", 0);
	len = before;
	len += snprintf(text + len, 256, "15,25,%s,", odd);
	for (int k = 0; k < 100; k++)
		len += snprintf(text + len, 64, "7,");
	*ret_stop =
	    whole_run_find_level(level)(text + before, text + len, &run);
	return n;
}

static void expect_stop(const struct kind *kind, unsigned level,
			const char *odd, bool is_nested)
{
	const char *stop;

	cr_assert_eq(read_odd(kind, level, odd, is_nested, &stop), 2,
		     "level %u: '%s' was read", level, odd);
	cr_assert_eq(strncmp(stop, odd, strlen(odd)), 0,
		     "level %u: '%s': stopped at '%.9s'", level, odd, stop);
}

Test(whole_run, stops_before_what_is_not_plain)
{
	static const char *const odd[] = {
		"01",	  "-01",    "--1",     "- 1",	"+1",	   "",
		"  1",	  "1 ",	    "1e5",     "1.5",	"1.",	   ".5",
		"[1",	  "1]",	    "1]2",     "1],2",	"1]],[[2", "1]],[2",
		"1 ],[2", "1] ,[2", "1],  [2", "\n1",	"-",	   ".",
		"1-2",	  "1 2",    "/",       ":",	"0x1",	   "\xb0",
		"NaN",	  "1E3",    "00",      "1.0,2", "true",	   "-]",
		"]",
	};

	for (unsigned level = 0; level < loop_levels(); level++)
		for (size_t k = 0; k < N_KINDS; k++)
			for (size_t i = 0; i < sizeof(odd) / sizeof(*odd);
			     i++) {
				expect_stop(&kinds[k], level, odd[i], false);
				expect_stop(&kinds[k], level, odd[i], true);
			}
}

Test(whole_run, goes_over_brackets_in_nested_arrays_alone)
{
	static const char *const joints[] = { "1],[2", "1], [2", "1],[ 2",
					      "1], [ 2" };

	for (unsigned level = 0; level < loop_levels(); level++)
		for (size_t i = 0; i < sizeof(joints) / sizeof(*joints); i++) {
			const char *stop;
			size_t n;

			expect_stop(&kinds[0], level, joints[i], false);
			n = read_odd(&kinds[0], level, joints[i], true, &stop);
			cr_assert_gt(n, level ? 50 : 1, "level %u: '%s': %zu",
				     level, joints[i], n);
		}
}

Test(whole_run, stops_before_what_its_type_cannot_hold)
{
	for (unsigned level = 0; level < loop_levels(); level++)
		for (size_t k = 0; k < N_KINDS; k++) {
			const struct kind *kind = &kinds[k];
			char text[64];

			(void)snprintf(text, sizeof(text), "-%" PRIu64,
				       kind->limit[1] + 1);
			expect_stop(kind, level, text, false);
			if (kind->limit[0] == UINT64_MAX)
				continue;
			(void)snprintf(text, sizeof(text), "%" PRIu64,
				       kind->limit[0] + 1);
			expect_stop(kind, level, text, false);
		}
}

/* What the walk makes of the one element that ends at the next comma. */
static bool walk_reads(const struct kind *kind, const char *at, void *ret_out)
{
	struct number_target target = {
		.name = "x", .dtype = kind->dtype, .count = 1, .out = ret_out
	};
	const size_t len = strcspn(at, ",");
	char text[256];
	size_t used;

	if (len + 3 > sizeof(text))
		return false;
	(void)snprintf(text, sizeof(text), "[%.*s]", (int)len, at);
	return !number_scan(text, len + 2, &target, &used, NULL) &&
	       used == len + 2;
}

/* Elements of which some bytes were changed. */
static size_t put_broken(char *text, const struct kind *kind, uint64_t round,
			 size_t len_min)
{
	static const char letters[] = "0123456789.-, e+.[].0,";
	size_t len = 0;

	for (uint64_t i = 0; len < len_min; i++)
		len += put_element(text + len, kind, round * 64 + i);
	for (uint64_t k = 0; k < 1 + round % 5; k++) {
		const uint32_t bits =
		    rng_u32(random_bits, 1000000 + round * 8 + k);

		text[bits % len_min] =
		    letters[(bits >> 16) % (sizeof(letters) - 1)];
	}
	for (int k = 0; k < 70; k++)
		len += (size_t)snprintf(text + len, 4, "1,");
	return len;
}

Test(whole_run, accepts_nothing_that_the_walk_refuses)
{
	enum { ROUNDS = 3000, LEN = 300 };
	const struct kind *kind = &kinds[3];
	int16_t out[256];

	for (uint64_t round = 0; round < ROUNDS; round++) {
		char text[LEN + 400] = "";
		const size_t len = put_broken(text, kind, round, LEN);

		for (unsigned level = 0; level < loop_levels(); level++) {
			const char *at = strchr(text + 40, ',') + 1;
			size_t n = 0;
			const struct whole_run run =
			    make_run(kind, text, out, &n, 256);

			(void)whole_run_find_level(level)(at, text + len, &run);
			for (size_t i = 0; i < n; i++) {
				int16_t want = 0;

				cr_assert(walk_reads(kind, at, &want),
					  "level %u: '%.20s' was read", level,
					  at);
				cr_assert_eq(out[i], want, "level %u: %.20s",
					     level, at);
				at = strchr(at, ',') + 1;
			}
		}
	}
}
