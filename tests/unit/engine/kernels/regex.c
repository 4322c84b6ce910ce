/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/kernels/regex.h"

#include <criterion/criterion.h>
#include <string.h>

#include "base/mem.h"
#include "engine/tensor.h"

static struct str str_of(const char *text)
{
	return (struct str){ text, strlen(text) };
}

static struct regex *create(const char *pattern, bool is_whole)
{
	const struct str text = str_of(pattern);
	struct regex *regex = NULL;
	struct err err = { 0 };

	cr_assert_eq(regex_create(&text, is_whole, "pattern", &regex, &err),
		     ERR_NONE, "%s: %s", pattern, err.msg);
	return regex;
}

static enum regex_answer ask(const char *pattern, const char *text)
{
	const struct str subject = str_of(text);
	struct regex *regex = create(pattern, true);
	void *scratch = mem_aligned(REGEX_SCRATCH_BYTES);
	const enum regex_answer answer = regex_match(regex, &subject, scratch);

	mem_free(scratch);
	regex_destroy(regex);
	return answer;
}

Test(regex, matches_all_of_a_string_or_not_at_all)
{
	static const struct {
		const char *pattern, *text;
		bool matches;
	} rows[] = {
		{ "a|ab", "ab", true },
		{ "", "", true },
		{ "a", "ab", false },
		{ "a", "ba", false },
		{ "a$", "a\n", false },
		{ ".", "\n", false },
		{ ".", "\xc3\xa9", true },
		{ "\\pL+", "\xc3\xa9z", true },
		{ "(?i)WORD", "word", true },
		{ "(?P<n>\\d{2,3})-[^x]*?", "123-abc", true },
		{ "a", "\xff", false },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		cr_expect_eq(ask(rows[i].pattern, rows[i].text),
			     rows[i].matches ? REGEX_YES : REGEX_NO, "%s on %s",
			     rows[i].pattern, rows[i].text);
}

Test(regex, does_not_backtrack)
{
	char text[4096];

	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	cr_assert_eq(ask("(a*)*(a|aa)*(a+)+b", text), REGEX_NO);
	cr_assert_eq(ask("(a|b|ab)*", text), REGEX_YES);
}

Test(regex, gives_up_where_states_abound)
{
	char text[4096];

	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 2] = 'b';
	text[sizeof(text) - 1] = '\0';
	cr_assert_eq(ask("(?:a?|b?){2000}b", text), REGEX_TOO_HARD);
}

Test(regex, finds_the_longest_match_of_the_first_place)
{
	const struct str text = str_of("xx ab abc");
	struct regex *regex = create("a|ab|abc", false);
	void *scratch = mem_aligned(REGEX_SCRATCH_BYTES);
	size_t first = 0, last = 0;

	cr_assert_eq(regex_find(regex, &text, 0, scratch, &first, &last),
		     REGEX_YES);
	cr_assert(first == 3 && last == 5);
	cr_assert_eq(regex_find(regex, &text, last, scratch, &first, &last),
		     REGEX_YES);
	cr_assert(first == 6 && last == 9);
	cr_assert_eq(regex_find(regex, &text, last, scratch, &first, &last),
		     REGEX_NO);
	mem_free(scratch);
	regex_destroy(regex);
}

Test(regex, refuses_what_is_no_pattern)
{
	static const char *const wrong[] = { "(", "[a", "(a)\\1", "\\C" };

	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		const struct str text = str_of(wrong[i]);
		struct regex *regex = NULL;
		struct err err = { 0 };

		cr_expect_eq(regex_create(&text, true, "p", &regex, &err),
			     ERR_INVALID, "%s", wrong[i]);
		cr_expect_not_null(strstr(err.msg, "attribute 'p'"));
	}
}
