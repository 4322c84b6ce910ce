/* SPDX-License-Identifier: Apache-2.0 */
#include "server/number_scan.h"

#include <criterion/criterion.h>
#include <math.h>

#include "base/mem.h"

static struct arena *arena;

static void make_arena(void)
{
	arena = arena_create(64 << 20);
}

static void free_arena(void)
{
	arena_destroy(arena);
}

TestSuite(number_scan, .init = make_arena, .fini = free_arena);

/* The text, followed by a byte that must not be read as part of it. */
static enum err_code scan(const char *text, enum dtype dtype, size_t count,
			  void *out, struct err *err)
{
	struct number_target target = { "input 'x'", dtype, count, out, arena };
	const size_t len = strlen(text);
	char *copy = arena_copy(arena, text, len + 1);
	size_t used = 0;
	enum err_code rc;

	copy[len] = '7';
	rc = number_scan(copy, len, &target, &used, err);
	if (!rc)
		cr_assert_eq(used, len, "%s: used %zu", text, used);
	return rc;
}

Test(number_scan, reads_flat_and_nested_arrays_alike)
{
	static const char *const texts[] = {
		"[1.5,-2,3e2,0.25]",
		"[ 1.5 ,\n-2\t, 3E+2,\r0.25 ]",
		"[[1.5,-2],[3e2,0.25]]",
		"[[[1.5]],[[-2.0]],[],[[300,2.5e-1]]]",
	};
	struct err err;

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		float out[4] = { 0 };

		cr_assert_eq(scan(texts[i], DTYPE_F32, 4, out, &err), ERR_NONE,
			     "%s", err.msg);
		cr_assert_eq(out[0], 1.5F);
		cr_assert_eq(out[1], -2.0F);
		cr_assert_eq(out[2], 300.0F);
		cr_assert_eq(out[3], 0.25F);
	}
}

Test(number_scan, reads_long_arrays_of_every_form_as_strtof_does)
{
	static const int digits[] = { 6, 1, 0, 8, 7, 18, 19, 40, 3 };
	enum { N = 3000, N_DIGITS = sizeof(digits) / sizeof(*digits) };
	char *text = mem_alloc(N * 64);
	float *out = mem_array(N, sizeof(*out));
	size_t len = 0;
	struct err err;

	srand48(5);
	text[len++] = '[';
	for (int i = 0; i < N; i++) {
		const int n = digits[(i / 100 + i % 2) % N_DIGITS];
		double value = (drand48() * 2 - 1) * (i % 9 ? 1 : 1000);

		len +=
		    (size_t)(i / 1000 == 0
				 ? snprintf(text + len, 64, "%.*f,", n, value)
			     : i / 1000 == 1
				 ? snprintf(text + len, 64, "%.*g, ", n, value)
				 : snprintf(text + len, 64, "%.*e ,", n,
					    value));
	}
	while (text[len - 1] == ',' || text[len - 1] == ' ')
		len--;
	text[len] = ']';
	text[len + 1] = '\0';
	cr_assert_eq(scan(text, DTYPE_F32, N, out, &err), ERR_NONE, "%s",
		     err.msg);
	for (char *at = text + 1, *end; *at; at = end + 1) {
		static int i;
		float want = strtof(at, &end);

		cr_assert(memcmp(&out[i], &want, sizeof(want)) == 0,
			  "element %d: %a, not %a", i, (double)out[i],
			  (double)want);
		i++;
		end += strspn(end, " ");
	}
	mem_free(text);
	mem_free(out);
}

Test(number_scan, rounds_numbers_of_many_digits_once)
{
	/* just above, at and just below the middle of 1 and the next double */
	static const char *const texts[] = {
		"1.00000000000000011102230246251565404236316680908203125",
		"1.00000000000000011102230246251565404236316680908203126",
		"1.00000000000000011102230246251565404236316680908203124",
		"100000000000000011102230246251565404e-35",
		"0.000000000000000000000000000000000000000000000123456789012345"
		"6789",
		"123456789012345678901234567890.0",
	};
	struct err err;
	double out;

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		cr_assert_eq(scan(texts[i], DTYPE_F64, 1, &out, &err), ERR_NONE,
			     "%s", err.msg);
		cr_assert_eq(out, strtod(texts[i], NULL), "%s", texts[i]);
	}
}

Test(number_scan, reads_a_number_of_two_thousand_digits)
{
	char text[2100] = "1.000000059604644775390625";
	struct err err;
	float out;

	/* the middle of 1 and the next float, plus a trace far behind */
	for (size_t n = strlen(text); n < 2048; n++)
		text[n] = '0';
	text[2048] = '\0';
	cr_assert_eq(scan(text, DTYPE_F32, 1, &out, &err), ERR_NONE);
	cr_assert_eq(out, 1.0F);
	text[2047] = '1';
	cr_assert_eq(scan(text, DTYPE_F32, 1, &out, &err), ERR_NONE);
	cr_assert_eq(out, nextafterf(1.0F, 2.0F));
}

Test(number_scan, reads_nan_and_infinities_as_bare_words)
{
	double out[3];
	struct err err;

	cr_assert_eq(
	    scan("[NaN, Infinity, -Infinity]", DTYPE_F64, 3, out, &err),
	    ERR_NONE);
	cr_assert(isnan(out[0]));
	cr_assert(isinf(out[1]) && out[1] > 0);
	cr_assert(isinf(out[2]) && out[2] < 0);
}

Test(number_scan, reads_every_integer_type_to_its_limits)
{
	static const struct {
		enum dtype dtype;
		const char *fits, *low, *high;
	} rows[] = {
		{ DTYPE_I8, "[-128,127]", "[-129,0]", "[128,0]" },
		{ DTYPE_U8, "[0,255]", "[-1,0]", "[256,0]" },
		{ DTYPE_I16, "[-32768,32767]", "[-32769,0]", "[32768,0]" },
		{ DTYPE_U16, "[0,65535]", "[-1,0]", "[65536,0]" },
		{ DTYPE_I32, "[-2147483648,2147483647]", "[-2147483649,0]",
		  "[2147483648,0]" },
		{ DTYPE_U32, "[0,4294967295]", "[-1,0]", "[4294967296,0]" },
		{ DTYPE_I64, "[-9223372036854775808,9223372036854775807]",
		  "[-9223372036854775809,0]", "[9223372036854775808,0]" },
		{ DTYPE_U64, "[0,18446744073709551615]", "[-1,0]",
		  "[18446744073709551616,0]" },
		{ DTYPE_U64, "[0,10000000000000000000]", "[-0,-7]",
		  "[28446744073709551615,0]" },
	};
	uint64_t out[2];
	int16_t ends[2];
	struct err err;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		cr_assert_eq(scan(rows[i].fits, rows[i].dtype, 2, out, &err),
			     ERR_NONE, "%s", err.msg);
		cr_assert_eq(scan(rows[i].low, rows[i].dtype, 2, out, &err),
			     ERR_INVALID, "%s", rows[i].low);
		cr_assert_eq(scan(rows[i].high, rows[i].dtype, 2, out, &err),
			     ERR_INVALID, "%s", rows[i].high);
		cr_assert(strstr(err.msg, "out of the range"), "%s", err.msg);
	}
	cr_assert_eq(scan("[-32768,32767]", DTYPE_I16, 2, out, &err), ERR_NONE);
	memcpy(ends, out, sizeof(ends));
	cr_assert_eq(ends[0], -32768);
	cr_assert_eq(ends[1], 32767);
}

/* What may stand between two elements of an array of three levels. */
static const char *between(long i)
{
	static const char *const texts[] = {
		",",
		", ",
		",",
		"],[",
		"], [",
		"],[ ",
		"]],[[",
		"]], [[",
		"],[],[",
		"], [ ], [",
		" , ",
		",\n",
		"]],[],[[]],[[",
		"] , [",
		"],\t[",
	};

	/* stretches of one kind, as pictures have; then all kinds */
	return texts[i / 300 % 3 ? (i % 3 ? 1 : i / 300 % 6) : mrand48() & 7];
}

/* n values and a nested array of them; one in nine of two thirds of the range,
 * the others small. */
static char *make_nested(long *values, long n, long low, long high)
{
	char *text = mem_alloc((size_t)n * 40);
	size_t len = (size_t)snprintf(text, 8, "[[[");

	srand48(11);
	for (long i = 0; i < n; i++) {
		values[i] = lrand48() % 9 ? lrand48() % 300 : lrand48();
		if (values[i] > high)
			values[i] %= high + 1;
		if (i % 5 == 0)
			values[i] = -values[i] < low ? low : -values[i];
		len += (size_t)snprintf(text + len, 40, "%ld%s", values[i],
					i + 1 < n ? between(i) : "]]]");
	}
	return text;
}

Test(number_scan, reads_nested_whole_numbers_of_every_type)
{
	enum { N = 4000 };
	static const struct {
		enum dtype dtype;
		long low, high;
	} rows[] = {
		{ DTYPE_I8, -128, 127 },
		{ DTYPE_U8, 0, 255 },
		{ DTYPE_I16, -32768, 32767 },
		{ DTYPE_U16, 0, 65535 },
		{ DTYPE_I32, INT32_MIN, INT32_MAX },
		{ DTYPE_U32, 0, UINT32_MAX },
		{ DTYPE_I64, INT64_MIN, INT64_MAX },
		{ DTYPE_U64, 0, INT64_MAX },
		{ DTYPE_F32, -(1 << 24), 1 << 24 },
	};
	long *values = mem_array(N, sizeof(*values));
	char *out = mem_array(N, sizeof(double));
	struct err err;

	for (size_t k = 0; k < sizeof(rows) / sizeof(*rows); k++) {
		const size_t size = dtype_info(rows[k].dtype)->size;
		char *text = make_nested(values, N, rows[k].low, rows[k].high);

		cr_assert_eq(scan(text, rows[k].dtype, N, out, &err), ERR_NONE,
			     "%s", err.msg);
		for (size_t i = 0; i < N; i++) {
			const float wanted = (float)values[i];
			float got;

			memcpy(&got, out + i * size, sizeof(got));
			cr_assert(
			    rows[k].dtype == DTYPE_F32
				? got == wanted
				: memcmp(out + i * size, &values[i], size) == 0,
			    "row %zu: element %zu: %ld", k, i, values[i]);
		}
		mem_free(text);
	}
	mem_free(values);
	mem_free(out);
}

/* "[[", n elements, what follows them, a hundred more, "]]" */
static enum err_code scan_around(const char *middle, size_t n, size_t n_middle,
				 struct err *err)
{
	static float out[512];
	const struct number_target target = { "x", DTYPE_F32,
					      n + n_middle + 100, out, arena };
	char text[1200] = "[[";
	size_t len = 2, used;

	for (size_t i = 0; i < n; i++)
		len += (size_t)snprintf(text + len, 8, i ? ",%zu" : "%zu", i);
	len += (size_t)snprintf(text + len, 64, "%s", middle);
	for (size_t i = 0; i < 100; i++)
		len += (size_t)snprintf(text + len, 8, ",%zu", i);
	len += (size_t)snprintf(text + len, 8, "]]");
	return number_scan(text, len, &target, &used, err);
}

Test(number_scan, counts_brackets_in_the_middle_of_long_arrays)
{
	static const struct {
		const char *middle;
		size_t n;
		enum err_code want;
	} rows[] = {
		{ "],[1", 1, ERR_NONE },
		{ "],[],[1", 1, ERR_NONE },
		{ "],[ ],[ ], [1", 1, ERR_NONE },
		{ "],1,[2", 2, ERR_NONE },
		{ "],[[1],[2]],[3", 3, ERR_NONE },
		{ "],[[1],[[2]],4],[3", 4, ERR_NONE },
		{ "],[[1],[],[2", 2, ERR_INVALID },
		{ "],[1],[],2,[3", 3, ERR_NONE },
		{ "],[1],[],2", 2, ERR_NONE },
		{ "],[1,],[2", 2, ERR_INVALID },
		{ "],[,1", 1, ERR_INVALID },
		{ "],,[1", 1, ERR_INVALID },
		{ "],[1[2", 2, ERR_INVALID },
		{ ",[1],2", 2, ERR_NONE },
		{ ",[1,2", 2, ERR_INVALID },
		{ "]],[[1", 1, ERR_SHAPE },
		{ "]],[1", 1, ERR_SHAPE },
	};
	struct err err;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		for (size_t n = 1; n < 100; n++)
			cr_assert_eq(
			    scan_around(rows[i].middle, n, rows[i].n, &err),
			    rows[i].want, "%zu, then '%s'", n, rows[i].middle);
}

Test(number_scan, ends_where_a_flat_array_ends)
{
	static float out[512];
	struct number_target target = { "x", DTYPE_F32, 0, out, arena };
	struct err err;

	for (size_t n = 1; n < 100; n++) {
		char text[1200] = "[";
		size_t len = 1, used, end;

		for (size_t i = 0; i < n; i++)
			len += (size_t)snprintf(text + len, 8,
						i ? ",%zu" : "%zu", i);
		end = len + 1;
		len += (size_t)snprintf(text + len, 8, "],[0");
		for (size_t i = 0; i < 100; i++)
			len += (size_t)snprintf(text + len, 8, ",%zu", i);
		target.count = n;
		cr_assert_eq(number_scan(text, len, &target, &used, &err),
			     ERR_NONE);
		cr_assert_eq(used, end);
		target.count = 400;
		cr_assert_eq(number_scan(text, len, &target, &used, &err),
			     ERR_SHAPE, "%zu", n);
	}
}

Test(number_scan, reads_halves_bools_and_strings)
{
	uint16_t half[3];
	uint8_t bools[4];
	struct str strings[3];
	struct err err;

	cr_assert_eq(scan("[1,-0.5,65504]", DTYPE_F16, 3, half, &err),
		     ERR_NONE);
	cr_assert_eq(half[0], 0x3c00);
	cr_assert_eq(half[1], 0xb800);
	cr_assert_eq(half[2], 0x7bff);
	/* what rounds to the largest one is in range, what rounds beyond is
	 * not; infinity itself is */
	cr_assert_eq(scan("[65519,-Infinity,0]", DTYPE_F16, 3, half, &err),
		     ERR_NONE);
	cr_assert_eq(half[0], 0x7bff);
	cr_assert_eq(half[1], 0xfc00);
	cr_assert_eq(scan("[0,-65520,0]", DTYPE_F16, 3, half, &err),
		     ERR_INVALID);
	cr_assert_eq(scan("[3.38e38,NaN,0]", DTYPE_BF16, 3, half, &err),
		     ERR_NONE);
	cr_assert_eq(scan("[3.4e38,0,0]", DTYPE_BF16, 3, half, &err),
		     ERR_INVALID);
	cr_assert_eq(scan("[true,false,1,0]", DTYPE_BOOL, 4, bools, &err),
		     ERR_NONE);
	cr_assert_eq(memcmp(bools, "\1\0\1\0", 4), 0);
	cr_assert_eq(scan("[\"\",\"a\\n\\u00fc\\ud83d\\ude00\",\"\xc3\xbc\"]",
			  DTYPE_STRING, 3, strings, &err),
		     ERR_NONE, "%s", err.msg);
	cr_assert_eq(strings[0].len, 0);
	cr_assert_eq(strings[1].len, 8);
	cr_assert_eq(memcmp(strings[1].bytes, "a\n\xc3\xbc\xf0\x9f\x98\x80", 8),
		     0);
	cr_assert_eq(strings[2].len, 2);
	cr_assert_eq(scan("[{\"b64\":\"AP8=\"}, { \"b64\" : \"\" },"
			  "{\"b64\":\"\\/w==\"}]",
			  DTYPE_STRING, 3, strings, &err),
		     ERR_NONE, "%s", err.msg);
	cr_assert_eq(strings[0].len, 2);
	cr_assert_eq(memcmp(strings[0].bytes, "\0\xff", 2), 0);
	cr_assert_eq(strings[1].len, 0);
	cr_assert_eq(strings[2].len, 1);
}

static const struct refused {
	const char *text;
	enum dtype dtype;
	size_t count;
	enum err_code want;
	const char *says;
} refused[] = {
	{ "[1,2,3]", DTYPE_F32, 2, ERR_SHAPE, "expected 2" },
	{ "[1,2]", DTYPE_F32, 3, ERR_SHAPE, "got 2" },
	{ "[]", DTYPE_F32, 1, ERR_SHAPE, "got 0" },
	{ "[1", DTYPE_F32, 1, ERR_INVALID, "the end" },
	{ "[1,", DTYPE_F32, 2, ERR_INVALID, "the end" },
	{ "", DTYPE_F32, 1, ERR_INVALID, "the end" },
	{ "[1,]", DTYPE_F32, 1, ERR_INVALID, "']'" },
	{ "[,1]", DTYPE_F32, 1, ERR_INVALID, "not a number" },
	{ "[1 2]", DTYPE_F32, 2, ERR_INVALID, "expected ','" },
	{ "[1[2]]", DTYPE_F32, 2, ERR_INVALID, "expected ','" },
	{ "[01]", DTYPE_F32, 1, ERR_INVALID, "not a number" },
	{ "[01,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,"
	  "23,24,25,26,27,28,29,30,31,32,33,34,35,36,37,38,39,40,41,"
	  "42]",
	  DTYPE_F32, 64, ERR_INVALID, "not a number" },
	{ "[+1]", DTYPE_F32, 1, ERR_INVALID, "not a number" },
	{ "[.5]", DTYPE_F32, 1, ERR_INVALID, "not a number" },
	{ "[1.]", DTYPE_F32, 1, ERR_INVALID, "not a number" },
	{ "[1e]", DTYPE_F32, 1, ERR_INVALID, "not a number" },
	{ "[-]", DTYPE_F32, 1, ERR_INVALID, "not a number" },
	{ "[0x10]", DTYPE_F32, 1, ERR_INVALID, "expected ','" },
	{ "[-NaN]", DTYPE_F32, 1, ERR_INVALID, "not a number" },
	{ "[null]", DTYPE_F32, 1, ERR_INVALID, "not a number" },
	{ "[1e39]", DTYPE_F32, 1, ERR_INVALID, "out of the range" },
	{ "[1e309]", DTYPE_F64, 1, ERR_INVALID, "out of the range" },
	{ "[1e99999999999999999999]", DTYPE_F64, 1, ERR_INVALID,
	  "out of the range" },
	{ "[1.5]", DTYPE_I32, 1, ERR_INVALID, "not an integer" },
	{ "[1e2]", DTYPE_I32, 1, ERR_INVALID, "not an integer" },
	{ "[007]", DTYPE_I32, 1, ERR_INVALID, "not an integer" },
	{ "[2]", DTYPE_BOOL, 1, ERR_INVALID, "not true or false" },
	{ "[1]", DTYPE_STRING, 1, ERR_INVALID, "not a string" },
	{ "[\"a]", DTYPE_STRING, 1, ERR_INVALID, "does not end" },
	{ "[\"\x01\"]", DTYPE_STRING, 1, ERR_INVALID, "control" },
	{ "[\"\xff\"]", DTYPE_STRING, 1, ERR_INVALID, "UTF-8" },
	{ "[\"\\x\"]", DTYPE_STRING, 1, ERR_INVALID, "escape" },
	{ "[\"\\ud800\"]", DTYPE_STRING, 1, ERR_INVALID, "escape" },
	{ "[\"\\udc00\"]", DTYPE_STRING, 1, ERR_INVALID, "escape" },
	{ "[\"\\u12\"]", DTYPE_STRING, 1, ERR_INVALID, "escape" },
	{ "[{\"b64\":\"A\"}]", DTYPE_STRING, 1, ERR_INVALID, "base64" },
	{ "[{\"b64\":\"AP8=\"]", DTYPE_STRING, 1, ERR_INVALID, "b64" },
	{ "[{\"b64\":\"AP8=", DTYPE_STRING, 1, ERR_INVALID, "does not end" },
	{ "[{\"b64\":1}]", DTYPE_STRING, 1, ERR_INVALID, "b64" },
	{ "[{\"b32\":\"AP8=\"}]", DTYPE_STRING, 1, ERR_INVALID, "b64" },
	{ "[{\"b64\":\"AP8=\"}]", DTYPE_F32, 1, ERR_INVALID, "not a number" },
};

Test(number_scan, refuses_what_is_not_the_array_it_was_told)
{
	char out[4096];
	struct err err;

	for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++) {
		const struct refused *row = &refused[i];
		enum err_code rc =
		    scan(row->text, row->dtype, row->count, out, &err);

		cr_assert_eq(rc, row->want, "%s: %d", row->text, rc);
		cr_assert(strstr(err.msg, row->says), "%s: %s", row->text,
			  err.msg);
	}
}

Test(number_scan, stops_at_thirty_two_levels)
{
	char text[128];
	struct err err;
	float out;

	memset(text, '[', 32);
	text[32] = '1';
	memset(text + 33, ']', 32);
	text[65] = '\0';
	cr_assert_eq(scan(text, DTYPE_F32, 1, &out, &err), ERR_NONE);
	memset(text, '[', 33);
	cr_assert_eq(scan(text, DTYPE_F32, 1, &out, &err), ERR_INVALID);
	cr_assert(strstr(err.msg, "nested"), "%s", err.msg);
}

Test(number_scan, never_writes_past_the_count)
{
	char text[600] = "[";
	float out[101];
	struct err err;

	for (int i = 0; i < 200; i++)
		memcpy(text + 1 + 2 * i, "1,", 3);
	out[100] = 42;
	cr_assert_eq(scan(text, DTYPE_F32, 100, out, &err), ERR_SHAPE);
	cr_assert_eq(out[100], 42.0F);
}

static enum err_code measure(const char *text, struct shape *shape,
			     enum number_kind *kind, struct err *err)
{
	return number_scan_shape(text, strlen(text), "'x'", shape, kind, err);
}

Test(number_shape, measures_nested_arrays)
{
	static const struct {
		const char *text, *want;
		enum number_kind kind;
	} rows[] = {
		{ "3.5", "[]", NUMBER_NUMBER },
		{ "[]", "[0]", NUMBER_NONE },
		{ "[1,2,3]", "[3]", NUMBER_NUMBER },
		{ " [ [1, 2] , [3, 4] , [5,6] ] ", "[3,2]", NUMBER_NUMBER },
		{ "[[],[]]", "[2,0]", NUMBER_NONE },
		{ "[[[\"a,]\"],[\"\\\"]\"]]]", "[1,2,1]", NUMBER_STRING },
		{ "[true,false]", "[2]", NUMBER_BOOL },
		{ "[{\"a\":1}]", "[]", NUMBER_OTHER },
		{ "null", "[]", NUMBER_OTHER },
	};
	enum number_kind kind;
	struct shape shape;
	struct err err;
	char text[64];

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		cr_assert_eq(measure(rows[i].text, &shape, &kind, &err),
			     ERR_NONE, "%s: %s", rows[i].text, err.msg);
		cr_assert_str_eq(shape_text(&shape, text, sizeof(text)),
				 rows[i].want);
		cr_assert_eq(kind, rows[i].kind, "%s", rows[i].text);
	}
}

Test(number_shape, refuses_ragged_deep_and_broken_arrays)
{
	static const struct {
		const char *text;
		enum err_code want;
	} rows[] = {
		{ "[[1,2],[3]]", ERR_SHAPE },
		{ "[1,[2]]", ERR_SHAPE },
		{ "[[1],2]", ERR_SHAPE },
		{ "[[1],[]]", ERR_SHAPE },
		{ "[[],[1]]", ERR_SHAPE },
		{ "[1,\"a\"]", ERR_SHAPE },
		{ "[[[[[[[[[1]]]]]]]]]", ERR_SHAPE },
		{ "[1,2", ERR_INVALID },
		{ "[1,]", ERR_INVALID },
		{ "[,]", ERR_INVALID },
		{ "[\"a", ERR_INVALID },
		{ "", ERR_INVALID },
	};
	enum number_kind kind;
	struct shape shape;
	struct err err;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		cr_assert_eq(measure(rows[i].text, &shape, &kind, &err),
			     rows[i].want, "%s", rows[i].text);
}

/* A picture of rows and pixels as text, in which one pixel may have a number
 * more or less, or none. */
static size_t put_picture(char *text, const int64_t dim[3], int64_t odd,
			  int64_t n_odd)
{
	const bool is_spaced = dim[1] % 2;
	const char *comma = is_spaced ? ", " : ",";
	size_t len = 0;

	for (int64_t i = 0; i < dim[0] * dim[1]; i++) {
		const int64_t n = i == odd ? n_odd : dim[2];
		const bool is_first = i % dim[1] == 0;

		len += (size_t)snprintf(text + len, 16, "%s%s[",
					i ? comma : "[", is_first ? "[" : "");
		for (int64_t k = 0; k < n; k++)
			len += (size_t)snprintf(
			    text + len, 32, "%s%g", k ? comma : "",
			    (double)((i * 7 + k) % 300) / (i % 5 ? 1 : 8));
		len += (size_t)snprintf(text + len, 16, "]%s",
					(i + 1) % dim[1] ? "" : "]");
	}
	len += (size_t)snprintf(text + len, 16, "]");
	return len;
}

Test(number_shape, measures_pictures_and_sees_every_ragged_pixel)
{
	static const int64_t dims[][3] = {
		{ 9, 11, 3 }, { 4, 30, 1 }, { 3, 4, 40 },  { 1, 2, 200 },
		{ 30, 4, 3 }, { 2, 64, 2 }, { 1, 100, 4 },
	};
	char *text = mem_alloc(1 << 16);
	enum number_kind kind;
	struct shape shape;
	struct err err;

	for (size_t i = 0; i < sizeof(dims) / sizeof(*dims); i++) {
		const int64_t *dim = dims[i];
		size_t len = put_picture(text, dim, -1, 0);

		cr_assert_eq(
		    number_scan_shape(text, len, "x", &shape, &kind, &err),
		    ERR_NONE, "%zu: %s", i, err.msg);
		cr_assert_eq(shape.rank, 3);
		cr_assert_eq(kind, NUMBER_NUMBER);
		cr_assert_eq(memcmp(shape.dim, dim, 3 * sizeof(*dim)), 0,
			     "%zu: [%lld, %lld, %lld]", i,
			     (long long)shape.dim[0], (long long)shape.dim[1],
			     (long long)shape.dim[2]);
		for (int64_t odd = 0; odd < dim[0] * dim[1]; odd++)
			for (int64_t n = dim[2] - 1; n <= dim[2] + 1; n += 2) {
				len = put_picture(text, dim, odd, n);
				cr_assert_eq(number_scan_shape(text, len, "x",
							       &shape, &kind,
							       &err),
					     ERR_SHAPE, "%zu: pixel %lld: %lld",
					     i, (long long)odd, (long long)n);
			}
	}
	mem_free(text);
}

Test(number_shape, sees_what_is_no_number_far_in)
{
	static const struct {
		const char *odd;
		enum err_code want;
	} rows[] = {
		{ "\"a\"", ERR_SHAPE },	   { "true", ERR_SHAPE },
		{ "[1]", ERR_SHAPE },	   { "", ERR_INVALID },
		{ "1e5", ERR_NONE },	   { "NaN", ERR_NONE },
		{ "1],[1", ERR_SHAPE },	   { "1] , [1", ERR_SHAPE },
		{ "1],[],[1", ERR_SHAPE },
	};
	enum number_kind kind;
	struct shape shape;
	struct err err;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char text[2048] = "[";
		size_t len = 1;

		for (int k = 0; k < 50; k++)
			len += (size_t)snprintf(text + len, 64, "%s[1,2,%s]",
						k ? "," : "",
						k == 30 ? rows[i].odd : "3");
		len += (size_t)snprintf(text + len, 8, "]");
		cr_assert_eq(
		    number_scan_shape(text, len, "x", &shape, &kind, &err),
		    rows[i].want, "'%s'", rows[i].odd);
	}
}
