/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/content.h"

#include <criterion/criterion.h>

Test(content, first_bytes_tell_before_the_name_does)
{
	static const struct {
		const char *name, *bytes, *type;
	} cases[] = {
		{ "-", "\x89PNG\r\n\x1a\nmore", "image/png" },
		{ "x.png", "\xff\xd8\xff\xe0", "image/jpeg" },
		{ "x", "RIFF1234WAVEfmt ", "audio/wav" },
		{ "x.CSV", "a,b\n1,2\n", "text/csv" },
		{ "x.txt", "a word", "text/plain" },
		{ "x.json", "1", "application/json" },
		{ "-", " \n {\"inputs\": 1}", "application/json" },
		{ "rows", "[1]", "application/json" },
		{ "x", "what", "application/octet-stream" },
		{ ".png", "what", "application/octet-stream" },
		{ "x", "", "application/octet-stream" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cr_assert_str_eq(content_type_of(cases[i].name, cases[i].bytes,
						 strlen(cases[i].bytes)),
				 cases[i].type, "case %zu", i);
}

Test(content, json_begins_with_a_bracket)
{
	cr_assert(content_is_json("  {}"));
	cr_assert(content_is_json("[1]"));
	cr_assert_not(content_is_json(""));
	cr_assert_not(content_is_json("name: x"));
}
