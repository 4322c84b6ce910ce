/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/passes/pass_switch.h"

#include <criterion/criterion.h>

#include <string.h>

#include "engine/passes/pass.h"

static unsigned number_of(const char *name)
{
	unsigned i = 0;

	while (pass_at(i) && strcmp(pass_at(i)->name, name) != 0)
		i++;
	cr_assert(pass_at(i), "%s", name);
	return i;
}

static struct pass_switch parse(const char *list)
{
	struct pass_switch passes = { 0 };
	struct err err;

	cr_assert_eq(pass_switch_parse(list, &passes, &err), ERR_NONE, "%s",
		     err.msg);
	return passes;
}

Test(pass_switch, later_words_win)
{
	const unsigned pass = number_of("dead_code");
	static const struct {
		const char *list;
		bool is_on;
	} rows[] = {
		{ "", true },
		{ "-dead_code", false },
		{ "-all", false },
		{ "-all,dead_code", true },
		{ "-all, dead_code", true },
		{ "dead_code,-dead_code", false },
		{ "all,-dead_code,all", true },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		cr_expect_eq(pass_switch_has(parse(rows[i].list), pass),
			     rows[i].is_on, "%s", rows[i].list);
}

Test(pass_switch, what_a_model_says_goes_over_what_the_process_says)
{
	const unsigned pass = number_of("dead_code");
	static const struct {
		const char *under, *over;
		bool is_on;
	} rows[] = {
		{ "", "", true },
		{ "-dead_code", "", false },
		{ "-all", "dead_code", true },
		{ "dead_code", "-dead_code", false },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		cr_expect_eq(
		    pass_switch_has(pass_switch_merge(parse(rows[i].under),
						      parse(rows[i].over)),
				    pass),
		    rows[i].is_on, "%s over %s", rows[i].over, rows[i].under);
}

Test(pass_switch, refuses_what_it_does_not_know)
{
	static const struct {
		const char *list, *says;
	} rows[] = {
		{ "-ded_code", "did you mean 'dead_code'?" },
		{ "dead_code,-", "expected -NAME" },
		{ ",dead_code", "expected -NAME" },
		{ "-all,", "expected -NAME" },
		{ "--all", "there is no pass '-all'" },
		{ "-zzzzzzzzzz", "there is no pass 'zzzzzzzzzz'" },
		{ "dead_code dead_code", "expected" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct pass_switch passes = { 0 };
		struct err err;

		cr_expect_eq(pass_switch_parse(rows[i].list, &passes, &err),
			     ERR_INVALID, "%s", rows[i].list);
		cr_expect(strstr(err.msg, rows[i].says), "%s: %s", rows[i].list,
			  err.msg);
		cr_expect_eq(passes.off | passes.on, 0, "%s", rows[i].list);
	}
}

Test(pass_switch, rows_are_whole_and_have_names_of_their_own)
{
	for (unsigned i = 0; pass_at(i); i++) {
		const struct pass *pass = pass_at(i);

		cr_expect(pass->help && *pass->help, "%s", pass->name);
		cr_expect(pass->flags & (PASS_LOAD | PASS_PLAN), "%s",
			  pass->name);
		for (unsigned j = 0; j < i; j++)
			cr_expect(strcmp(pass_at(j)->name, pass->name) != 0,
				  "%s", pass->name);
	}
}
