/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/exact.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/mem.h"
#include "base/rng.h"
#include "server/decimal.h"
#include "server/number_scan.h"

enum {
	BATCH = 512,	 /* values read at once, as in a request */
	CASE_MAX = 2000, /* bytes of one spelling */
	DIGITS_MAX = 800,
	SHOWN_MAX = 20
};

/* Values that wait to be read together. */
struct batch {
	enum dtype dtype;
	struct buf text;
	size_t n;
	uint64_t want[BATCH]; /* the bits */
	size_t at[BATCH];     /* where each begins in the text */
};

struct exact {
	struct arena *arena;
	struct batch floats, doubles;
	uint64_t n_read, n_refused, n_written, n_wrong, n_overruled;
};

static const struct rng random_bits = { .seed = 17, .stream = 3 };

static uint64_t random_u64(uint64_t i)
{
	return (uint64_t)rng_u32(random_bits, 2 * i) << 32 |
	       rng_u32(random_bits, 2 * i + 1);
}

static void wrong(struct exact *e, const char *what, const char *text,
		  size_t len)
{
	if (e->n_wrong++ < SHOWN_MAX)
		(void)printf("%s: %.*s\n", what, (int)len, text);
}

/* --- reading --- */

static size_t size_of(enum dtype dtype)
{
	return dtype_info(dtype)->size;
}

/* Whether the float that was read is nearer than the C library's: glibc 2.36
 * rounds some floats just below the smallest normal one the wrong way. The
 * middle of the two is a double; the text as a double lies on one side of it,
 * or on it, which stays undecided. */
static bool is_nearer(const char *text, const void *got, const void *wanted)
{
	const double middle = strtod(text, NULL);
	float ours, theirs;

	memcpy(&ours, got, sizeof(ours));
	memcpy(&theirs, wanted, sizeof(theirs));
	return fabs((double)ours - middle) < fabs((double)theirs - middle);
}

static void compare(struct exact *e, const struct batch *batch, size_t i,
		    const void *got)
{
	const char *text = batch->text.data + batch->at[i];

	if (memcmp(got, &batch->want[i], size_of(batch->dtype)) == 0)
		return;
	if (batch->dtype == DTYPE_F32 && is_nearer(text, got, &batch->want[i]))
		e->n_overruled++;
	else
		wrong(e, "read differently", text, 60);
}

static void flush(struct exact *e, struct batch *batch)
{
	const size_t size = size_of(batch->dtype);
	unsigned char out[BATCH * sizeof(double)];
	struct number_target target = { .name = "case",
					.dtype = batch->dtype,
					.count = batch->n,
					.out = out,
					.arena = e->arena };
	struct err err;
	size_t used;

	if (!batch->n)
		return;
	buf_putc(&batch->text, ']');
	if (batch->text.fault || number_scan(batch->text.data, batch->text.len,
					     &target, &used, &err))
		wrong(e, err.msg, batch->text.data, 80);
	else
		for (size_t i = 0; i < batch->n; i++)
			compare(e, batch, i, out + i * size);
	e->n_read += batch->n;
	batch->n = 0;
	buf_reset(&batch->text);
}

/* What overflows must be refused, and would refuse its batch too. */
static void expect_refusal(struct exact *e, enum dtype dtype, const char *text)
{
	double out;
	struct number_target target = { .name = "case",
					.dtype = dtype,
					.count = 1,
					.out = &out,
					.arena = e->arena };
	size_t used;

	if (!number_scan(text, strlen(text), &target, &used, NULL))
		wrong(e, "read though it overflows", text, 60);
	e->n_refused++;
}

static void put_case(struct exact *e, struct batch *batch, const char *text)
{
	uint64_t bits = 0;
	double wide = strtod(text, NULL);
	float narrow = strtof(text, NULL);

	if (batch->dtype == DTYPE_F32)
		wide = (double)narrow;
	if (isinf(wide)) {
		expect_refusal(e, batch->dtype, text);
		return;
	}
	if (batch->dtype == DTYPE_F32)
		memcpy(&bits, &narrow, sizeof(narrow));
	else
		memcpy(&bits, &wide, sizeof(wide));
	buf_putc(&batch->text, batch->n ? ',' : '[');
	batch->want[batch->n] = bits;
	batch->at[batch->n++] = batch->text.len;
	buf_puts(&batch->text, text);
	if (batch->n == BATCH)
		flush(e, batch);
}

static void put_both(struct exact *e, const char *text)
{
	put_case(e, &e->floats, text);
	put_case(e, &e->doubles, text);
}

/* --- writing --- */

/* Digits of the mantissa, without zeros at its ends. */
static int count_digits(const char *text)
{
	int n = 0, zeros = 0;

	for (; *text && *text != 'e'; text++) {
		if (*text < '0' || *text > '9' || (*text == '0' && !n))
			continue;
		n++;
		zeros = *text == '0' ? zeros + 1 : 0;
	}
	return n - zeros;
}

/* What was written reads back, and one digit less would not. */
static void check_float(struct exact *e, float value)
{
	char text[DECIMAL_TEXT_MAX + 1], fewer[64];
	float back;
	int n;

	text[decimal_write_float(text, value)] = '\0';
	e->n_written++;
	back = strtof(text, NULL);
	if (back != value || signbit(back) != signbit(value))
		wrong(e, "a float that does not read back", text, strlen(text));
	n = count_digits(text);
	if (n < 2)
		return;
	(void)snprintf(fewer, sizeof(fewer), "%.*e", n - 2, (double)value);
	if (strtof(fewer, NULL) == value)
		wrong(e, "a float with too many digits", text, strlen(text));
}

static void check_double(struct exact *e, double value)
{
	char text[DECIMAL_TEXT_MAX + 1], fewer[64];
	double back;
	int n;

	text[decimal_write_double(text, value)] = '\0';
	e->n_written++;
	back = strtod(text, NULL);
	if (back != value || signbit(back) != signbit(value))
		wrong(e, "a double that does not read back", text,
		      strlen(text));
	n = count_digits(text);
	if (n < 2)
		return;
	(void)snprintf(fewer, sizeof(fewer), "%.*e", n - 2, value);
	if (strtod(fewer, NULL) == value)
		wrong(e, "a double with too many digits", text, strlen(text));
}

/* --- cases --- */

static float float_of(uint64_t bits)
{
	uint32_t low = (uint32_t)bits;
	float value;

	memcpy(&value, &low, sizeof(value));
	return value;
}

static double double_of(uint64_t bits)
{
	double value;

	memcpy(&value, &bits, sizeof(value));
	return value;
}

/* One of the spellings of a value; the last one is what json.dumps writes of a
 * float32. */
static void spell(char *text, size_t cap, uint64_t i, double value)
{
	switch (i % 6) {
	case 0:
		(void)snprintf(text, cap, "%.9g", value);
		break;
	case 1:
		(void)snprintf(text, cap, "%.6f", value);
		break;
	case 2:
		(void)snprintf(text, cap, "%.8e", value);
		break;
	case 3:
		(void)snprintf(text, cap, "%.15g", value);
		break;
	case 4:
		(void)snprintf(text, cap, "%.30g", value);
		break;
	default:
		(void)snprintf(text, cap, "%.17g", value);
		break;
	}
}

static void random_floats(struct exact *e, uint64_t n)
{
	char text[CASE_MAX];

	for (uint64_t i = 0; i < n; i++) {
		const float value = float_of(random_u64(i));

		if (!isfinite(value))
			continue;
		spell(text, sizeof(text), i, (double)value);
		put_case(e, &e->floats, text);
		check_float(e, value);
		text[decimal_write_float(text, value)] = '\0';
		put_case(e, &e->floats, text);
	}
}

static void random_doubles(struct exact *e, uint64_t n)
{
	char text[CASE_MAX];

	for (uint64_t i = 0; i < n; i++) {
		const double value = double_of(random_u64(i + (1u << 30)));

		if (!isfinite(value))
			continue;
		spell(text, sizeof(text), i, value);
		put_both(e, text);
		check_double(e, value);
		text[decimal_write_double(text, value)] = '\0';
		put_case(e, &e->doubles, text);
	}
}

/* A spelling, and a trace above and below it. */
static void around(struct exact *e, char *text, size_t cap)
{
	char *exponent = strchr(text, 'e');
	char tail[16] = "";
	size_t len;

	put_both(e, text);
	if (exponent) {
		(void)snprintf(tail, sizeof(tail), "%s", exponent);
		*exponent = '\0';
	}
	len = strlen(text);
	(void)snprintf(text + len, cap - len, "0000001%s", tail);
	put_both(e, text);
	text[len] = '\0';
	while (len && (text[len - 1] == '0' || text[len - 1] == '.'))
		len--;
	if (!len || text[len - 1] < '1' || text[len - 1] > '9')
		return;
	text[len - 1]--;
	/* digits that were cut were zeros behind the point */
	(void)snprintf(text + len, cap - len, "%s99999%s",
		       strchr(text, '.') ? "" : ".", tail);
	put_both(e, text);
}

/* The exact middle of a value and the next one of its type, in full. */
static void middles(struct exact *e, uint64_t n)
{
	char text[CASE_MAX];

	for (uint64_t i = 0; i < n; i++) {
		const uint64_t bits = random_u64(i + (3u << 29));
		/* every other one near 1, where most data is */
		const uint64_t small =
		    i % 2 ? bits : (bits & 0x83ffffff) | 0x3c000000;
		const float a = float_of(small);
		const double b = fabs(double_of(bits));
		const double up = nextafter(b, HUGE_VAL);

		if (isfinite(a)) {
			(void)snprintf(
			    text, sizeof(text), "%.160e",
			    ((double)a + (double)nextafterf(a, HUGE_VALF)) / 2);
			around(e, text, sizeof(text));
		}
		if (isfinite(up)) {
			(void)snprintf(text, sizeof(text), "%.*Le", DIGITS_MAX,
				       ((long double)b + (long double)up) / 2);
			around(e, text, sizeof(text));
		}
	}
}

/* The smallest and the largest values of both types and their neighbours. */
static void borders(struct exact *e)
{
	static const long double edges[] = {
		0x1p-149L,  0x1p-126L,	     0x1p-1074L,
		0x1p-1022L, 0x1.fffffep127L, 0x1.fffffffffffffp1023L,
	};
	char text[CASE_MAX];

	for (size_t i = 0; i < sizeof(edges) / sizeof(*edges); i++)
		for (int k = 1; k <= 64; k++) {
			/* 1/32 to 2 of the edge; a half is a tie */
			(void)snprintf(text, sizeof(text), "%.*Le", DIGITS_MAX,
				       edges[i] * (long double)k / 32);
			around(e, text, sizeof(text));
			/* halves of the last place */
			(void)snprintf(text, sizeof(text), "%.*Le", DIGITS_MAX,
				       edges[i] + edges[i] * 0x1p-25L *
						      (long double)(k - 32));
			around(e, text, sizeof(text));
		}
}

static void digit_strings(struct exact *e, uint64_t n)
{
	char text[CASE_MAX];

	for (uint64_t i = 0; i < n; i++) {
		const uint64_t bits = random_u64(i + (7u << 28));
		const size_t n_digits = bits % (i % 8 ? 40 : DIGITS_MAX) + 1;
		const size_t point = (bits >> 16) % n_digits + 1;
		const int exponent = (int)(bits >> 32 & 1023) - 512;
		size_t len = 0;

		if (bits >> 63)
			text[len++] = '-';
		for (size_t d = 0; d < n_digits; d++) {
			uint32_t digit = rng_u32(random_bits, i * 1024 + d);

			if (d == point)
				text[len++] = '.';
			/* many nines and zeros: carries */
			digit = digit >> 30 == 0   ? 9
				: digit >> 30 == 1 ? 0
						   : digit % 10;
			if (d == 0 && digit == 0)
				digit = 1;
			text[len++] = (char)('0' + digit);
		}
		(void)snprintf(text + len, sizeof(text) - len, "e%d",
			       i % 3 ? exponent % 60 - (int)point : exponent);
		put_both(e, text);
	}
}

static void batch_init(struct batch *batch, enum dtype dtype)
{
	batch->dtype = dtype;
	batch->n = 0;
	buf_init(&batch->text, (size_t)BATCH * CASE_MAX);
}

bool exact_check(uint64_t n)
{
	struct exact *e = mem_zero(sizeof(*e));
	bool is_exact;

	if (!e)
		return false;
	e->arena = arena_create(1 << 20);
	batch_init(&e->floats, DTYPE_F32);
	batch_init(&e->doubles, DTYPE_F64);
	random_floats(e, n);
	random_doubles(e, n / 10);
	middles(e, n / 10);
	digit_strings(e, n / 10);
	borders(e);
	flush(e, &e->floats);
	flush(e, &e->doubles);
	(void)printf(
	    "%" PRIu64 " read (%" PRIu64
	    " of them nearer than the C library), %" PRIu64
	    " refused as too large, %" PRIu64 " written; %" PRIu64 " wrong\n",
	    e->n_read, e->n_overruled, e->n_refused, e->n_written, e->n_wrong);
	is_exact = !e->n_wrong;
	buf_finish(&e->floats.text);
	buf_finish(&e->doubles.text);
	arena_destroy(e->arena);
	mem_free(e);
	return is_exact;
}
