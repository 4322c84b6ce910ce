/* SPDX-License-Identifier: Apache-2.0 */
#include "server/json_pull.h"

#include <criterion/criterion.h>

static struct arena *arena;

static void make_arena(void)
{
	arena = arena_create(16 << 20);
}

static void free_arena(void)
{
	arena_destroy(arena);
}

TestSuite(json_pull, .init = make_arena, .fini = free_arena);

static struct json_pull pull_of(const char *text)
{
	struct json_pull pull;

	json_pull_init(&pull, text, strlen(text), "request body", arena);
	return pull;
}

Test(json_pull, walks_an_object_and_skips_what_it_does_not_want)
{
	struct json_pull pull = pull_of(
	    " {\"a\": 18446744073709551615, \"skip\": {\"x\":[1,{\"y\":"
	    "\"}\"}],\"z\":null}, \"b\\u0063\": true, \"list\": [1.5, -2],"
	    " \"s\": \"t\\n\"} ");
	struct str key, text;
	struct err err;
	uint64_t a;
	bool b, more;
	double n;

	cr_assert_eq(json_pull_object(&pull, &err), ERR_NONE);
	cr_assert_eq(json_pull_key(&pull, &key, &err), ERR_NONE);
	cr_assert(json_pull_is(key, "a"));
	cr_assert_eq(json_pull_uint(&pull, &a, &err), ERR_NONE);
	cr_assert_eq(a, UINT64_MAX);
	cr_assert_eq(json_pull_key(&pull, &key, &err), ERR_NONE);
	cr_assert_eq(json_pull_value(&pull, &text, &err), ERR_NONE, "%s",
		     err.msg);
	cr_assert_eq(text.len, strlen("{\"x\":[1,{\"y\":\"}\"}],\"z\":null}"));
	cr_assert_eq(json_pull_key(&pull, &key, &err), ERR_NONE);
	cr_assert(json_pull_is(key, "bc"));
	cr_assert_eq(json_pull_peek(&pull), JSON_KIND_BOOL);
	cr_assert_eq(json_pull_bool(&pull, &b, &err), ERR_NONE);
	cr_assert(b);
	cr_assert_eq(json_pull_key(&pull, &key, &err), ERR_NONE);
	cr_assert_eq(json_pull_array(&pull, &err), ERR_NONE);
	cr_assert_eq(json_pull_item(&pull, &more, &err), ERR_NONE);
	cr_assert(more);
	cr_assert_eq(json_pull_double(&pull, &n, &err), ERR_NONE);
	cr_assert_eq(n, 1.5);
	cr_assert_eq(json_pull_item(&pull, &more, &err), ERR_NONE);
	cr_assert_eq(json_pull_double(&pull, &n, &err), ERR_NONE);
	cr_assert_eq(json_pull_item(&pull, &more, &err), ERR_NONE);
	cr_assert(!more);
	cr_assert_eq(json_pull_key(&pull, &key, &err), ERR_NONE);
	cr_assert_eq(json_pull_string(&pull, &text, &err), ERR_NONE);
	cr_assert_eq(text.len, 2);
	cr_assert_eq(json_pull_key(&pull, &key, &err), ERR_NONE);
	cr_assert_null(key.bytes);
	cr_assert_eq(json_pull_finish(&pull, &err), ERR_NONE);
}

/* Reads a whole text as one value. */
static enum err_code skip_all(const char *text, struct err *err)
{
	struct json_pull pull = pull_of(text);
	enum err_code rc = json_pull_value(&pull, NULL, err);

	return rc ? rc : json_pull_finish(&pull, err);
}

Test(json_pull, skips_every_kind_of_value)
{
	static const char *const texts[] = {
		"{}",	  "[]",		  "null",	  "true",
		"-1.5e3", "\"x\\\"y\"",	  "[[[[]]],{}]",  "{\"a\":{\"b\":[]}}",
		"NaN",	  "[1,\"a\",{}]", " [ 1 , 2 ]  ",
	};
	struct err err;

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		cr_assert_eq(skip_all(texts[i], &err), ERR_NONE, "%s: %s",
			     texts[i], err.msg);
}

Test(json_pull, says_where_a_text_is_broken)
{
	static const struct {
		const char *text, *says;
	} rows[] = {
		{ "", "expected a value, got the end" },
		{ "{\"a\" 1}", "at byte 5: expected ':'" },
		{ "{\"a\":1,}", "expected a key" },
		{ "{\"a\":1 \"b\":2}", "expected ',' or '}'" },
		{ "{a:1}", "expected a key" },
		{ "[1 2]", "expected ',' or ']'" },
		{ "[1,]", "expected a value" },
		{ "[", "expected a value" },
		{ "[1", "expected ',' or ']'" },
		{ "[1}", "expected ',' or ']'" },
		{ "{}{}", "expected the end" },
		{ "tru", "expected a value" },
		{ "\"abc", "expected a whole string" },
		{ "{\"a", "a string that does not end" },
		{ "1e400", "expected a number" },
	};
	struct err err;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		cr_assert_eq(skip_all(rows[i].text, &err), ERR_INVALID, "%s",
			     rows[i].text);
		cr_assert(strstr(err.msg, rows[i].says), "%s: %s", rows[i].text,
			  err.msg);
	}
}

Test(json_pull, stops_at_its_limits)
{
	char deep[256];
	char *keys = arena_alloc(arena, 200000);
	size_t n = 0;
	struct err err;

	memset(deep, '[', 101);
	memset(deep + 101, ']', 101);
	deep[202] = '\0';
	cr_assert_eq(skip_all(deep, &err), ERR_INVALID);
	cr_assert(strstr(err.msg, "32"), "%s", err.msg);
	keys[n++] = '{';
	for (int i = 0; i <= JSON_PULL_KEYS; i++)
		n += (size_t)snprintf(keys + n, 16, "%s\"k%d\":1", i ? "," : "",
				      i);
	keys[n++] = '}';
	cr_assert_eq(skip_all(keys, &err), ERR_INVALID);
	cr_assert(strstr(err.msg, "keys"), "%s", err.msg);
}
