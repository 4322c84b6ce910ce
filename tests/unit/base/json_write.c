/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json_write.h"

#include <criterion/criterion.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/doc.h"
#include "base/json_write_priv.h"
#include "base/rng.h"

struct page {
	struct buf buf;
	struct json_writer writer;
};

static struct page *open_page(struct page *page)
{
	buf_init(&page->buf, 1 << 16);
	json_write_init(&page->writer, &page->buf);
	return page;
}

static void is_text(struct page *page, const char *want)
{
	cr_assert_str_eq(page->buf.data, want);
	buf_finish(&page->buf);
}

Test(json_write, nests_and_separates)
{
	struct page page;
	struct json_writer *w = &open_page(&page)->writer;

	json_write_object(w, NULL);
	json_write_int(w, "a", -1);
	json_write_array(w, "b");
	json_write_bool(w, NULL, true);
	json_write_null(w, NULL);
	json_write_object(w, NULL);
	json_write_object_end(w);
	json_write_array(w, NULL);
	json_write_array_end(w);
	json_write_array_end(w);
	json_write_raw(w, "c", "[1]", 3);
	json_write_string(w, "d", NULL);
	json_write_object_end(w);
	is_text(&page, "{\"a\":-1,\"b\":[true,null,{},[]],\"c\":[1],"
		       "\"d\":null}");
}

Test(json_write, escapes_strings_and_repairs_utf8)
{
	struct page page;
	struct json_writer *w = &open_page(&page)->writer;

	json_write_array(w, NULL);
	json_write_string(w, NULL, "\"\\\b\f\n\r\t\x01\x1f/");
	json_write_string(w, NULL, "\xc3\xa4\xf0\x9f\x98\x80\x7f");
	json_write_string(w, NULL, "a\xff\xc3z\xe2\x82");
	json_write_strn(w, NULL, "a\0b", 3);
	json_write_array_end(w);
	is_text(&page, "[\"\\\"\\\\\\b\\f\\n\\r\\t\\u0001\\u001f/\","
		       "\"\xc3\xa4\xf0\x9f\x98\x80\x7f\","
		       "\"a\xef\xbf\xbd\xef\xbf\xbdz\xef\xbf\xbd\xef\xbf\xbd\","
		       "\"a\\u0000b\"]");
}

static const struct {
	double value;
	const char *text;
} doubles[] = {
	{ 0, "0" },
	{ -0.0, "-0.0" },
	{ 1, "1" },
	{ -17, "-17" },
	{ 0.1, "0.1" },
	{ 0.25, "0.25" },
	{ -1.5, "-1.5" },
	{ 0.1 + 0.2, "0.30000000000000004" },
	{ 1.0 / 3, "0.3333333333333333" },
	{ 123456.789, "123456.789" },
	{ 1e15, "1000000000000000" },
	{ 0x1p53, "9007199254740992" },
	{ 1e16, "10000000000000000" },
	{ 1e17, "1e17" },
	{ 1e22, "1e22" },
	{ 1e23, "1e23" },
	{ 0.00001, "0.00001" },
	{ 0.000001, "1e-6" },
	{ 1.5e-7, "1.5e-7" },
	{ 5e-324, "5e-324" },
	{ DBL_MIN, "2.2250738585072014e-308" },
	{ DBL_MAX, "1.7976931348623157e308" },
	{ 9.5e-5, "0.000095" },
	{ 99999.99999999999, "99999.99999999999" },
	{ 9007199254740993.5, "9007199254740994" },
};

Test(json_write, writes_the_shortest_double)
{
	char text[JSON_NUMBER_MAX + 1];

	for (size_t i = 0; i < sizeof(doubles) / sizeof(doubles[0]); i++) {
		text[json_number_double(doubles[i].value, text)] = '\0';
		cr_assert_str_eq(text, doubles[i].text);
	}
}

static const struct {
	float value;
	const char *text;
} floats[] = {
	{ 0.1f, "0.1" },
	{ 1.0f / 3, "0.33333334" },
	{ 16777216.0f, "16777216" },
	{ 3.4028235e38f, "3.4028235e38" },
	{ 1e-45f, "1e-45" },
	{ 1.1754944e-38f, "1.1754944e-38" },
	{ 0.98765432f, "0.9876543" },
	{ 9.9999e-6f, "9.9999e-6" },
	{ 5e-5f, "0.00005" },
	{ -2.5f, "-2.5" },
	{ 1e10f, "10000000000" },
	{ 33554432.0f, "33554432" },
};

Test(json_write, writes_the_shortest_float)
{
	char text[JSON_NUMBER_MAX + 1];

	for (size_t i = 0; i < sizeof(floats) / sizeof(floats[0]); i++) {
		text[json_number_float(floats[i].value, text)] = '\0';
		cr_assert_str_eq(text, floats[i].text);
	}
}

static int n_digits(const char *text)
{
	int n = 0, n_zeros = 0;

	for (; *text && *text != 'e'; text++) {
		if (*text < '0' || *text > '9')
			continue;
		if (*text == '0') {
			n_zeros += n > 0;
			continue;
		}
		n += n_zeros + 1;
		n_zeros = 0;
	}
	return n;
}

static bool reads_back(const char *text, double value, bool is_float)
{
	return is_float ? strtof(text, NULL) == (float)value
			: strtod(text, NULL) == value;
}

/* The fast search against the definition: reads back, and no shorter does. */
static void check(double value, bool is_float)
{
	char text[JSON_NUMBER_MAX + 1], shorter[64];
	int n;

	text[is_float ? json_number_float((float)value, text)
		      : json_number_double(value, text)] = '\0';
	cr_assert(reads_back(text, value, is_float), "%a gave %s", value, text);
	n = n_digits(text);
	if (n < 2 || (value == floor(value) && fabs(value) < 0x1p53))
		return;
	(void)snprintf(shorter, sizeof(shorter), "%.*e", n - 2, value);
	cr_assert(!reads_back(shorter, value, is_float), "%s for %s", text,
		  shorter);
}

Test(json_write, any_number_reads_back_and_is_shortest)
{
	const struct rng rng = { .seed = 1 };

	for (uint64_t i = 0; i < 60000; i++) {
		const uint32_t low = rng_u32(rng, 2 * i);
		const uint32_t high = rng_u32(rng, 2 * i + 1);
		const uint64_t bits = (uint64_t)high << 32 | low;
		double any;
		float some;

		memcpy(&any, &bits, sizeof(any));
		memcpy(&some, &low, sizeof(some));
		if (isfinite(any))
			check(any, false);
		if (isfinite(some))
			check((double)some, true);
		check((double)rng_uniform(rng, i), true);
		check((double)rng_normal(rng, i), false);
		check(ldexp(1, (int)(i % 2000) - 1000), false);
		check(ldexp(1, (int)(i % 250) - 125), true);
		check((double)(low % 100000) / 1000, false);
	}
}

Test(json_write, writes_null_for_what_json_lacks)
{
	struct page page;
	struct json_writer *w = &open_page(&page)->writer;

	json_write_array(w, NULL);
	json_write_double(w, NULL, NAN);
	json_write_float(w, NULL, -INFINITY);
	json_write_int(w, NULL, INT64_MIN);
	json_write_int(w, NULL, INT64_MAX);
	json_write_uint(w, NULL, UINT64_MAX);
	json_write_array_end(w);
	is_text(&page, "[null,null,-9223372036854775808,9223372036854775807,"
		       "18446744073709551615]");
}

Test(json_write, writes_a_document_in_its_order)
{
	const char *json = "{\"z\":[1,2.5,\"x\",{}],\"a\":{\"k\":null,"
			   "\"l\":[[true],[]]},\"m\":-3}";
	struct arena *arena = arena_create(1 << 20);
	struct page page;
	struct doc *doc;

	cr_assert_eq(doc_parse_json(json, strlen(json), "x", arena, &doc, NULL),
		     ERR_NONE);
	open_page(&page);
	json_write_doc(&page.writer, NULL, doc);
	is_text(&page, json);
	open_page(&page);
	json_write_doc(&page.writer, NULL, doc_find(doc, "m"));
	is_text(&page, "-3");
	open_page(&page);
	json_write_doc(&page.writer, NULL, NULL);
	is_text(&page, "null");
	arena_destroy(arena);
}

Test(json_write, refuses_to_nest_too_deep)
{
	struct page page;
	struct json_writer *w = &open_page(&page)->writer;

	for (int i = 0; i < 100; i++)
		json_write_array(w, NULL);
	for (int i = 0; i < 200; i++)
		json_write_array_end(w);
	cr_assert_eq(page.buf.fault, ERR_TOO_LARGE);
	buf_finish(&page.buf);
}

Test(json_write, refuses_a_document_that_is_too_deep)
{
	struct arena *arena = arena_create(1 << 20);
	struct doc *root = doc_new(arena, DOC_LIST), *at = root;
	struct page page;

	for (int i = 0; i < 100; i++) {
		struct doc *child = doc_new(arena, DOC_LIST);

		doc_add(at, NULL, child);
		at = child;
	}
	open_page(&page);
	json_write_doc(&page.writer, NULL, root);
	cr_assert_eq(page.buf.fault, ERR_TOO_LARGE);
	buf_finish(&page.buf);
	arena_destroy(arena);
}
