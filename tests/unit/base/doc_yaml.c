/* SPDX-License-Identifier: Apache-2.0 */
#include "base/doc.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

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

TestSuite(doc_yaml, .init = set_up, .fini = tear_down);

static struct doc *parse(const char *text)
{
	struct doc *doc = NULL;

	if (doc_parse_yaml(text, strlen(text), "job.yaml", arena, &doc, &err))
		return NULL;
	return doc;
}

Test(doc_yaml, reads_a_job_with_its_lines)
{
	const struct doc *doc = parse("# a job\n"
				      "name: digits\n"
				      "trainer:\n"
				      "  epochs: 5\n"
				      "  sizes: [128, 64]\n"
				      "layers:\n"
				      "- type: relu\n"
				      "- {type: linear, out: 10}\n");
	const struct doc *trainer = doc_find(doc, "trainer");
	const struct doc *layers = doc_find(doc, "layers");

	cr_assert_eq(doc->kind, DOC_MAP);
	cr_assert_str_eq(doc_find(doc, "name")->text, "digits");
	cr_assert_eq(doc_find(doc, "name")->line, 2);
	cr_assert_eq(trainer->line, 3, "a value stands where its key does");
	cr_assert_eq(doc_find(trainer, "epochs")->integer, 5);
	cr_assert_eq(doc_find(trainer, "sizes")->first->next->integer, 64);
	cr_assert_eq(layers->n, 2);
	cr_assert_str_eq(doc_find(layers->first->next, "type")->text, "linear");
	cr_assert_eq(layers->first->next->line, 8);
}

static const struct {
	const char *text;
	enum doc_kind kind;
	double number;
} scalars[] = {
	{ "x: ~", DOC_NULL, 0 },	  { "x:", DOC_NULL, 0 },
	{ "x: Null", DOC_NULL, 0 },	  { "x: true", DOC_BOOL, 0 },
	{ "x: False", DOC_BOOL, 0 },	  { "x: yes", DOC_STRING, 0 },
	{ "x: off", DOC_STRING, 0 },	  { "x: 'true'", DOC_STRING, 0 },
	{ "x: \"12\"", DOC_STRING, 0 },	  { "x: |\n  12\n", DOC_STRING, 0 },
	{ "x: 12", DOC_INT, 12 },	  { "x: +12", DOC_INT, 12 },
	{ "x: -12", DOC_INT, -12 },	  { "x: 012", DOC_INT, 12 },
	{ "x: 0x1F", DOC_INT, 31 },	  { "x: 0o17", DOC_INT, 15 },
	{ "x: 1e3", DOC_DOUBLE, 1000 },	  { "x: 1.", DOC_DOUBLE, 1 },
	{ "x: .5", DOC_DOUBLE, 0.5 },	  { "x: -1.5E-1", DOC_DOUBLE, -0.15 },
	{ "x: 3e-4", DOC_DOUBLE, 3e-4 },  { "x: 1_000", DOC_STRING, 0 },
	{ "x: 0b1", DOC_STRING, 0 },	  { "x: 2024-01-31", DOC_STRING, 0 },
	{ "x: 1.2.3", DOC_STRING, 0 },	  { "x: e3", DOC_STRING, 0 },
	{ "x: .", DOC_STRING, 0 },	  { "x: '-'", DOC_STRING, 0 },
	{ "x: 12:30:45", DOC_STRING, 0 }, { "x: nan", DOC_STRING, 0 },
	{ "x: 64MiB", DOC_STRING, 0 },
};

Test(doc_yaml, resolves_plain_scalars_by_the_core_schema)
{
	for (size_t i = 0; i < sizeof(scalars) / sizeof(scalars[0]); i++) {
		const struct doc *x = doc_find(parse(scalars[i].text), "x");

		cr_assert_not_null(x, "%s", scalars[i].text);
		cr_assert_eq(x->kind, scalars[i].kind, "%s", scalars[i].text);
		cr_assert(x->number == scalars[i].number, "%s",
			  scalars[i].text);
	}
	cr_assert(doc_find(parse("x: true"), "x")->boolean);
	cr_assert_eq(doc_find(parse("x: 0x1F"), "x")->integer, 31);
}

static const struct {
	const char *text, *message;
} refusals[] = {
	{ "a: &x 1", "job.yaml line 1: anchors (&) are not supported" },
	{ "a: &x [1]", "job.yaml line 1: anchors (&) are not supported" },
	{ "a: 1\nb: *x", "job.yaml line 2: aliases (*) are not supported" },
	{ "a: !!str 1", "job.yaml line 1: tags (!) are not supported" },
	{ "a: ! x", "job.yaml line 1: tags (!) are not supported" },
	{ "--- !m\na: 1", "job.yaml line 1: tags (!) are not supported" },
	{ "a: 1\nb: 2\na: 3",
	  "job.yaml line 3: duplicate key 'a' (first on line 1)" },
	{ "x: {a: 1, 'a': 2}",
	  "job.yaml line 1: duplicate key 'a' (first on line 1)" },
	{ "a: 1\n---\nb: 2",
	  "job.yaml line 2: a second document begins; only one is allowed" },
	{ "? [a]\n: 1", "job.yaml line 1: a key must be a plain text" },
	{ "{a: 1}: 2", "job.yaml line 1: a key must be a plain text" },
	{ "a: [1", "job.yaml line 2 column 1: did not find expected ',' or "
		   "']'" },
	{ "a: 1\n\tb: 2",
	  "job.yaml line 2 column 1: found a tab character that "
	  "violates indentation" },
	{ "a: \"\\0\"", "job.yaml line 1: a text holds the character NUL" },
	{ "a: .inf", "job.yaml line 1: infinities and NaN are not supported" },
	{ "a: -.INF", "job.yaml line 1: infinities and NaN are not supported" },
	{ "a: .nan", "job.yaml line 1: infinities and NaN are not supported" },
	{ "a: 1e999", "job.yaml line 1: a number is too large" },
	{ "a: 99999999999999999999",
	  "job.yaml line 1: a whole number is too large (quote it if it is a "
	  "text)" },
	{ "a: \xff", "job.yaml byte 3: invalid leading UTF-8 octet" },
	{ "a: \x01", "job.yaml byte 3: control characters are not allowed" },
};

Test(doc_yaml, refuses_with_place_and_reason)
{
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		cr_assert_null(parse(refusals[i].text), "%s", refusals[i].text);
		cr_assert_str_eq(err.msg, refusals[i].message);
		cr_assert_eq(err.code, ERR_INVALID);
	}
}

Test(doc_yaml, an_empty_text_is_an_empty_map)
{
	static const char *const empty[] = { "", "\n\n", "# only words\n",
					     "---\n", "---\n...\n" };

	for (size_t i = 0; i < sizeof(empty) / sizeof(empty[0]); i++) {
		const struct doc *doc = parse(empty[i]);

		cr_assert_not_null(doc, "%zu", i);
		cr_assert_eq(doc->kind, DOC_MAP, "%zu", i);
		cr_assert_eq(doc->n, 0);
	}
	cr_assert_eq(parse("null")->kind, DOC_NULL);
	cr_assert_str_eq(parse("word")->text, "word");
}

Test(doc_yaml, reads_json_alike)
{
	const char *text = "{\"a\": [1, 2.5, \"x\", null, true, {\"b\": {}}]}";
	const struct doc *list = doc_find(parse(text), "a");

	cr_assert_eq(list->n, 6);
	cr_assert(list->first->next->number == 2.5);
	cr_assert_eq(list->first->next->next->next->kind, DOC_NULL);
}

static const char *repeated(const char *what, size_t n)
{
	const size_t len = strlen(what);
	char *text = arena_alloc(arena, n * len + 1);

	for (size_t i = 0; i < n; i++)
		memcpy(text + i * len, what, len);
	return text;
}

Test(doc_yaml, bounds_depth_and_values_in_time)
{
	static const struct {
		const char *what;
		size_t n;
		enum err_code want;
	} cases[] = {
		{ "[", 500000, ERR_INVALID },
		{ "{a: ", 200000, ERR_INVALID },
		{ "- ", 500000, ERR_INVALID },
		{ "? ", 500000, ERR_INVALID },
		{ "- 1\n", 100001, ERR_TOO_LARGE },
		{ "a: 1\n", 90000, ERR_INVALID },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const int64_t before = clock_monotonic_ns();

		cr_assert_null(parse(repeated(cases[i].what, cases[i].n)));
		cr_assert_eq(err.code, cases[i].want, "%s: %s", cases[i].what,
			     err.msg);
		cr_assert_lt(clock_monotonic_ns() - before, 5000000000);
	}
	cr_assert_not_null(parse("[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]"
				 "]]]]]]]]]]]]]]]]]]]"));
}

Test(doc_yaml, survives_any_failed_allocation)
{
	const char *text = "a: [1, 2.5, text, {b: ~}]\nc: {d: {e: []}, f: 1}\n";
	struct arena *mine;
	enum err_code rc;
	unsigned long n;

	for (n = 1; n < 1000; n++) {
		struct doc *doc = NULL;

		mine = arena_create(1 << 20);
		mem_fail_at(n);
		rc = doc_parse_yaml(text, strlen(text), "x", mine, &doc, &err);
		mem_fail_at(0);
		cr_assert(rc ? rc == ERR_NO_MEMORY && !doc : doc != NULL,
			  "%lu: %s", n, err.msg);
		arena_destroy(mine);
		if (rc == ERR_NONE)
			break;
	}
	cr_assert(n > 2 && n < 1000, "%lu", n);
}
