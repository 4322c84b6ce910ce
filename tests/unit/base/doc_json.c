/* SPDX-License-Identifier: Apache-2.0 */
#include "base/doc.h"

#include <criterion/criterion.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

static struct arena *arena;
static struct err err;

static void set_up(void)
{
	doc_init();
	arena = arena_create(64 << 20);
}

static void tear_down(void)
{
	arena_destroy(arena);
}

TestSuite(doc_json, .init = set_up, .fini = tear_down);

static struct doc *parse(const char *text)
{
	struct doc *doc = NULL;

	if (doc_parse_json(text, strlen(text), "body", arena, &doc, &err))
		return NULL;
	return doc;
}

Test(doc_json, reads_every_kind_in_order)
{
	const struct doc *doc = parse("{\"z\": 1, \"a\": -2.5e1, \"s\": "
				      "\"\\u00e4\\n\", \"t\": true, \"f\": "
				      "false, \"n\": null, \"l\": [1, [2], {}],"
				      "\"b\": 9223372036854775807}");
	const struct doc *at = doc->first;

	cr_assert_eq(doc->kind, DOC_MAP);
	cr_assert_eq(doc->n, 8);
	cr_assert_str_eq(at->key, "z");
	cr_assert(at->kind == DOC_INT && at->integer == 1 && at->number == 1);
	at = at->next;
	cr_assert_str_eq(at->key, "a");
	cr_assert(at->kind == DOC_DOUBLE && at->number == -25);
	cr_assert_str_eq(doc_find(doc, "s")->text, "\xc3\xa4\n");
	cr_assert(doc_find(doc, "t")->boolean);
	cr_assert_eq(doc_find(doc, "f")->kind, DOC_BOOL);
	cr_assert(!doc_find(doc, "f")->boolean);
	cr_assert_eq(doc_find(doc, "n")->kind, DOC_NULL);
	at = doc_find(doc, "l");
	cr_assert_eq(at->n, 3);
	cr_assert_null(at->first->key);
	cr_assert_eq(at->first->next->first->integer, 2);
	cr_assert_eq(at->first->next->next->kind, DOC_MAP);
	cr_assert_eq(doc_find(doc, "b")->integer, INT64_MAX);
	cr_assert_null(doc_find(doc, "nothing"));
	cr_assert_null(doc_find(at, "l"));
	cr_assert_null(doc_find(NULL, "l"));
}

Test(doc_json, a_scalar_alone_is_a_document)
{
	cr_assert_str_eq(parse("\"x\"")->text, "x");
	cr_assert_eq(parse(" 7 ")->integer, 7);
	cr_assert_eq(parse("null")->kind, DOC_NULL);
}

static const struct {
	const char *text, *message;
} refusals[] = {
	{ "{\"a\": 1,\n  \"b\" 2}", "body line 2 column 7: ':' expected" },
	{ "", "body line 1 column 1: " },
	{ "{\"a\": 1, \"a\": 2}", "duplicate object key" },
	{ "[\"\\u0000\"]", "\\u0000 is not allowed" },
	{ "{\"\\u0000\": 1}", "body line 1 column " },
	{ "[\"\xff\"]", "unable to decode byte 0xff" },
	{ "[1] [2]", "end of file expected" },
	{ "[1,]", "body line 1 column 4" },
	{ "[NaN]", "invalid token" },
	{ "[01]", "body line 1 column " },
	{ "[1e999]", "real number overflow" },
	{ "[9223372036854775808]", "too big integer" },
	{ "[\"\\ud800\"]", "invalid Unicode" },
	{ "// no\n1", "invalid token" },
	{ "{a: 1}", "string or '}' expected" },
};

Test(doc_json, refuses_with_place_and_reason)
{
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		cr_assert_null(parse(refusals[i].text), "%s", refusals[i].text);
		cr_assert_eq(err.code, ERR_INVALID);
		cr_assert_not_null(strstr(err.msg, refusals[i].message), "%s",
				   err.msg);
	}
}

static char *nested(size_t depth)
{
	char *text = arena_alloc(arena, 2 * depth + 1);

	memset(text, '[', depth);
	memset(text + depth, ']', depth);
	return text;
}

Test(doc_json, nests_32_levels_and_no_more)
{
	cr_assert_not_null(parse(nested(32)));
	cr_assert_null(parse(nested(33)));
	cr_assert_str_eq(err.msg, "body: nested deeper than 32 levels");
	cr_assert_null(parse(nested(1000000)));
	cr_assert_not_null(parse("[\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\""
				 "[[[[[[[\"]"),
			   "brackets in strings do not count");
}

Test(doc_json, bounds_values_and_texts)
{
	enum { N = 100000 };
	char *text = arena_alloc(arena, 2 << 20);

	memset(text, '0', 2 * N);
	for (size_t i = 0; i < N; i++)
		text[2 * i + 1] = ',';
	text[0] = '[';
	text[2 * N - 3] = ']';
	text[2 * N - 2] = '\0';
	text[1] = ' ';
	cr_assert_not_null(parse(text), "%s", err.msg);
	text[2 * N - 3] = ',';
	memcpy(text + 2 * N - 2, "0,0]", 5);
	cr_assert_null(parse(text));
	cr_assert_str_eq(err.msg, "body: more than 100000 values");
	cr_assert_eq(err.code, ERR_TOO_LARGE);

	memset(text, 'x', (1 << 20) + 3);
	text[0] = text[(1 << 20) + 1] = '"';
	text[(1 << 20) + 2] = '\0';
	cr_assert_not_null(parse(text));
	memcpy(text + (1 << 20) + 1, "x\"", 3);
	cr_assert_null(parse(text));
	cr_assert_eq(err.code, ERR_TOO_LARGE);
}

Test(doc_json, stops_at_the_arenas_ceiling)
{
	struct arena *small = arena_create(200);
	struct doc *doc;

	cr_assert_eq(doc_parse_json("[1,2,3]", 7, "body", small, &doc, &err),
		     ERR_NO_MEMORY);
	arena_destroy(small);
}

Test(doc_json, survives_any_failed_allocation)
{
	const char *text = "{\"a\": [1, 2.5, \"text\", {\"b\": null}], "
			   "\"c\": true, \"d\": {\"e\": {\"f\": []}}}";
	struct arena *mine;
	enum err_code rc;
	unsigned long n;

	for (n = 1; n < 1000; n++) {
		struct doc *doc = NULL;

		mine = arena_create(1 << 20);
		mem_fail_at(n);
		rc = doc_parse_json(text, strlen(text), "body", mine, &doc,
				    &err);
		mem_fail_at(0);
		cr_assert(rc ? rc == ERR_NO_MEMORY && !doc : doc != NULL,
			  "%lu: %s", n, err.msg);
		arena_destroy(mine);
		if (rc == ERR_NONE)
			break;
	}
	cr_assert(n > 5 && n < 1000, "%lu", n);
}

Test(doc_json, describes_what_it_holds)
{
	static const char *const pairs[][2] = {
		{ "3", "the number 3" },
		{ "2.5", "the number 2.5" },
		{ "\"x\"", "the text 'x'" },
		{ "null", "nothing (null)" },
		{ "true", "the value true" },
		{ "[]", "a list" },
		{ "{}", "a map" },
	};
	char text[203];

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
		cr_assert_str_eq(doc_describe(parse(pairs[i][0]), arena),
				 pairs[i][1]);
	cr_assert_str_eq(doc_describe(NULL, arena), "nothing");
	memset(text, 'x', 202);
	text[0] = text[201] = '"';
	text[202] = '\0';
	cr_assert(str_ends_with(doc_describe(parse(text), arena), "xxx...'"));
}

Test(doc_json, builds_by_hand)
{
	struct doc *map = doc_new(arena, DOC_MAP);

	doc_add(map, "a", doc_new_int(arena, -4));
	doc_add(map, "b", doc_new_text(arena, "t"));
	doc_add(map, "c", doc_new_double(arena, 0.5));
	doc_add(map, "d", doc_new_bool(arena, true));
	cr_assert_eq(map->n, 4);
	cr_assert(doc_find(map, "a")->number == -4);
	cr_assert_str_eq(doc_find(map, "b")->text, "t");
	cr_assert(doc_find(map, "c")->number == 0.5);
	cr_assert(doc_find(map, "d")->boolean);
}
