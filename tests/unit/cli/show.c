/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/show.h"

#include <criterion/criterion.h>

static void shows(const char *json, const char *want)
{
	struct arena *arena = arena_create(1 << 20);
	char text[1024] = { 0 };
	FILE *file = fmemopen(text, sizeof(text), "w");
	struct terminal terminal = { .file = file };
	struct doc *doc;

	cr_assert_eq(doc_parse_json(json, strlen(json), "x", arena, &doc, NULL),
		     ERR_NONE);
	show_doc(&terminal, doc);
	cr_assert_eq(fclose(file), 0);
	cr_assert_str_eq(text, want);
	arena_destroy(arena);
}

Test(show, maps_are_indented_and_nulls_left_out)
{
	shows("{\"a\": 1, \"b\": null, \"c\": {\"d\": 0.25, \"e\": [1, 2]}, "
	      "\"f\": [{\"g\": true}, {\"g\": \"x\\u001b\"}], \"h\": {}}",
	      "a: 1\n"
	      "c:\n"
	      "  d: 0.25\n"
	      "  e: [1, 2]\n"
	      "f:\n"
	      "  -\n"
	      "    g: true\n"
	      "  -\n"
	      "    g: x?\n"
	      "h:\n");
}

Test(show, lone_values_are_lines)
{
	shows("\"text\"", "text\n");
	shows("[1, null, \"a\"]", "[1, -, a]\n");
	shows("1e300", "1e+300\n");
}

Test(show, one_value_is_text_and_structures_are_json)
{
	struct arena *arena = arena_create(1 << 20);
	static const char json[] = "[7, \"x\", {\"a\": [1, 2]}]";
	struct doc *doc;

	cr_assert_eq(doc_parse_json(json, strlen(json), "x", arena, &doc, NULL),
		     ERR_NONE);
	cr_assert_str_eq(show_value(doc->first, arena), "7");
	cr_assert_str_eq(show_value(doc->first->next, arena), "x");
	cr_assert_str_eq(show_value(doc->first->next->next, arena),
			 "{\"a\":[1,2]}");
	arena_destroy(arena);
}
