/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * bench_json: how fast arrays of numbers become tensors and back, and whether
 * they do so to the last bit.
 *
 *	bench_json [--seconds S]    a picture of 224x224x3 values in the forms
 *	                            that clients write, one line each
 *	bench_json --exact N        N random floats, doubles and digit strings
 *	                            against the C library, N hard cases, and
 *	                            back; a line of counts
 *
 * One thread; times are the least of many rounds. Exit status 1 where a value
 * differs.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/str.h"
#include "bench/exact.h"
#include "server/number_scan.h"
#include "server/number_write.h"

enum { ROW = 224 * 3, PIXELS = 224 * ROW, TEXT_MAX = 32 << 20 };

/* A form that a value between 0 and 1 is sent in. */
static void put_shortest(struct buf *buf, float value)
{
	struct tensor_view one = { .data = &value, .dtype = DTYPE_F32 };

	(void)!number_write_nested(buf, &one, "one", false, NULL);
}

/* What Python's json makes of a float32 that became a float. */
static void put_repr(struct buf *buf, float value)
{
	double wide = (double)value;
	struct tensor_view one = { .data = &wide, .dtype = DTYPE_F64 };

	(void)!number_write_nested(buf, &one, "one", false, NULL);
}

static void put_six(struct buf *buf, float value)
{
	buf_printf(buf, "%.6f", (double)value);
}

static void put_signed(struct buf *buf, float value)
{
	buf_printf(buf, "%.9g", ((double)value - 0.5) * 5);
}

static void put_pixel(struct buf *buf, float value)
{
	buf_printf(buf, "%d", (int)(value * 256));
}

static void put_point(struct buf *buf, float value)
{
	buf_printf(buf, "%d.0", (int)(value * 256));
}

static void put_token(struct buf *buf, float value)
{
	buf_printf(buf, "%d", (int)(value * 30522));
}

static void put_quantized(struct buf *buf, float value)
{
	buf_printf(buf, "%d", (int)(value * 256) - 128);
}

static const struct {
	const char *name, *between;
	void (*put)(struct buf *buf, float value);
	enum dtype dtype;
	bool is_nested; /* a list for each pixel and row, as numpy makes */
} forms[] = {
	{ "shortest float32 (0.84442186)", ",", put_shortest, DTYPE_F32,
	  false },
	{ "json.dumps of a float32 (0.8444218635559082)", ", ", put_repr,
	  DTYPE_F32, false },
	{ "six decimals (0.844422)", ",", put_six, DTYPE_F32, false },
	{ "nine digits, signed (-1.7221093)", ", ", put_signed, DTYPE_F32,
	  false },
	{ "shortest float32, nested", ", ", put_shortest, DTYPE_F32, true },
	{ "whole numbers with a point (215.0)", ",", put_point, DTYPE_F32,
	  false },
	{ "whole numbers (215)", ",", put_pixel, DTYPE_F32, false },
	{ "whole numbers, nested", ", ", put_pixel, DTYPE_F32, true },
	{ "whole numbers as uint8", ",", put_pixel, DTYPE_U8, false },
	{ "whole numbers as uint8, nested", ", ", put_pixel, DTYPE_U8, true },
	{ "signed whole numbers as int8 (-37)", ", ", put_quantized, DTYPE_I8,
	  false },
	{ "whole numbers as int32", ",", put_pixel, DTYPE_I32, false },
	{ "whole numbers as int64", ",", put_pixel, DTYPE_I64, false },
	{ "word numbers as int64 (21543)", ", ", put_token, DTYPE_I64, false },
};

static const struct rng random_bits = { .seed = 5, .stream = 1 };

static void fill(float *values)
{
	for (uint64_t i = 0; i < PIXELS; i++)
		values[i] = (float)(rng_u32(random_bits, i) >> 8) * 0x1p-24F;
}

struct bench {
	struct arena *arena;
	float *values;
	void *read;
	enum dtype dtype;
	struct buf text, written;
	int64_t budget_ns;
};

static int64_t least(int64_t a, int64_t b)
{
	return a && a < b ? a : b;
}

/* Least time of a round of reading; 0 when it fails. */
static int64_t time_read(struct bench *b)
{
	const struct number_target target = { .name = "bench",
					      .dtype = b->dtype,
					      .count = PIXELS,
					      .out = b->read,
					      .arena = b->arena };
	const int64_t end = clock_monotonic_ns() + b->budget_ns;
	int64_t best = 0, now;

	do {
		const int64_t start = clock_monotonic_ns();
		size_t used;

		if (number_scan(b->text.data, b->text.len, &target, &used,
				NULL))
			return 0;
		now = clock_monotonic_ns();
		best = least(best, now - start);
	} while (now < end);
	return best;
}

static int64_t time_write(struct bench *b)
{
	const struct tensor_view view = {
		.data = b->read,
		.dtype = b->dtype,
		.shape = { .rank = 4, .dim = { 1, 224, 224, 3 } },
	};
	const int64_t end = clock_monotonic_ns() + b->budget_ns;
	int64_t best = 0, now;

	do {
		const int64_t start = clock_monotonic_ns();

		buf_reset(&b->written);
		if (number_write_flat(&b->written, &view, "bench", NULL))
			return 0;
		now = clock_monotonic_ns();
		best = least(best, now - start);
	} while (now < end);
	return best;
}

static void put_picture(struct bench *b, size_t form)
{
	const bool is_nested = forms[form].is_nested;

	buf_reset(&b->text);
	buf_puts(&b->text, is_nested ? "[[[" : "[");
	for (size_t i = 0; i < PIXELS; i++) {
		const bool is_row = is_nested && i % ROW == 0;
		const bool is_pixel = is_nested && i % 3 == 0;

		if (i) {
			buf_puts(&b->text, is_row ? "]]" : is_pixel ? "]" : "");
			buf_puts(&b->text, forms[form].between);
			buf_puts(&b->text, is_row ? "[[" : is_pixel ? "[" : "");
		}
		forms[form].put(&b->text, b->values[i]);
	}
	buf_puts(&b->text, is_nested ? "]]]" : "]");
}

static void bench_form(struct bench *b, size_t form)
{
	int64_t read_ns, write_ns;

	b->dtype = forms[form].dtype;
	put_picture(b, form);
	read_ns = time_read(b);
	write_ns = time_write(b);
	if (!read_ns || !write_ns || b->text.fault) {
		(void)printf("%-46s failed\n", forms[form].name);
		return;
	}
	(void)printf("%-46s read %6.3f GB/s %6.2f ns/value   written %6.3f "
		     "GB/s %6.2f ns/value\n",
		     forms[form].name, (double)b->text.len / (double)read_ns,
		     (double)read_ns / PIXELS,
		     (double)b->written.len / (double)write_ns,
		     (double)write_ns / PIXELS);
}

static int bench_all(double seconds)
{
	struct bench b = { .budget_ns = (int64_t)(seconds * 1e9) };
	bool is_there;

	b.arena = arena_create(1 << 20);
	b.values = mem_alloc(PIXELS * sizeof(*b.values));
	b.read = mem_alloc(PIXELS * sizeof(int64_t));
	buf_init(&b.text, TEXT_MAX);
	buf_init(&b.written, TEXT_MAX);
	is_there = b.arena && b.values && b.read;
	if (is_there) {
		fill(b.values);
		for (size_t i = 0; i < sizeof(forms) / sizeof(*forms); i++)
			bench_form(&b, i);
	}
	buf_finish(&b.text);
	buf_finish(&b.written);
	mem_free(b.values);
	mem_free(b.read);
	arena_destroy(b.arena);
	return is_there ? 0 : 2;
}

static int usage(void)
{
	(void)fputs("usage: bench_json [--seconds S] | --exact N\n", stderr);
	return 2;
}

int main(int argc, char **argv)
{
	double seconds = 0.3;
	uint64_t n = 0;

	if (argc == 3 && str_equal(argv[1], "--exact")) {
		if (!str_parse_uint64(argv[2], &n) || !n)
			return usage();
		return exact_check(n) ? 0 : 1;
	}
	if (argc == 3 && str_equal(argv[1], "--seconds")) {
		if (!str_parse_double(argv[2], &seconds) || !(seconds > 0))
			return usage();
	} else if (argc != 1) {
		return usage();
	}
	return bench_all(seconds);
}
