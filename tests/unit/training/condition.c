/* SPDX-License-Identifier: Apache-2.0 */
#include "training/condition.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>

#include "base/str.h"

static const char *const metrics[] = { "train_loss", "valid_loss",
				       "valid_accuracy", "test_loss", NULL };

/* train_loss 0.5, valid_loss 0.25, valid_accuracy 0.75, test_loss unknown */
static double value(const void *ctx, const char *name)
{
	(void)ctx;
	if (str_equal(name, "train_loss"))
		return 0.5;
	if (str_equal(name, "valid_loss"))
		return 0.25;
	return str_equal(name, "valid_accuracy") ? 0.75 : (double)NAN;
}

Test(condition, holds_as_it_reads)
{
	static const struct {
		const char *text;
		bool holds;
	} rows[] = {
		{ "valid_accuracy >= 0.75", true },
		{ "valid_accuracy > 0.75", false },
		{ "valid_accuracy <= 0.75", true },
		{ "valid_accuracy < 0.75", false },
		{ "valid_accuracy == 0.75", true },
		{ "valid_accuracy != 0.75", false },
		{ "valid_accuracy != 0.76", true },
		{ "valid_loss<0.3", true },
		{ "  valid_loss\t<\n0.3  ", true },
		{ "valid_loss < 3e-1", true },
		{ "valid_loss > -1", true },
		{ "valid_loss < 0.3 and train_loss < 0.4", false },
		{ "valid_loss < 0.3 or train_loss < 0.4", true },
		/* `and` binds closer */
		{ "valid_loss < 0.3 or valid_loss > 1 and train_loss > 1",
		  true },
		{ "valid_loss > 1 and train_loss > 1 or valid_loss < 0.3",
		  true },
		{ "valid_loss > 1 or valid_loss < 0.3 and train_loss > 1",
		  false },
		/* what was not measured is false either way */
		{ "test_loss < 1", false },
		{ "test_loss >= 1", false },
		{ "test_loss != 1", false },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct arena *arena = arena_create(1 << 20);
		const struct condition *condition;
		struct err err = { 0 };

		cr_assert_eq(condition_parse(rows[i].text, "when", metrics,
					     arena, &condition, &err),
			     ERR_NONE, "%s: %s", rows[i].text, err.msg);
		cr_expect_eq(condition_holds(condition, value, NULL),
			     rows[i].holds, "%s", rows[i].text);
		arena_destroy(arena);
	}
}

Test(condition, says_what_it_did_not_understand)
{
	static const struct {
		const char *text, *says;
	} rows[] = {
		{ "", "when: expected the name of a metric at ''" },
		{ "   ", "the name of a metric" },
		{ ">= 3", "the name of a metric at '>= 3'" },
		{ "valid_loss", "one of >= <= == != > <" },
		{ "valid_loss = 3", "one of >= <= == != > < at '= 3'" },
		{ "valid_loss ! 3", "one of >= <= == != > <" },
		{ "valid_loss <", "a number" },
		{ "valid_loss < x", "a number" },
		{ "valid_loss < nan", "a number" },
		{ "valid_loss < inf", "a number" },
		{ "valid_loss < 0x10", "a number" },
		{ "valid_loss < 1 xor", "'and' or 'or'" },
		{ "valid_loss < 1 and", "the name of a metric" },
		{ "valid_loss < 1 and or", "no metric 'or'" },
		{ "valid_loss < 1 valid_loss < 2", "'and' or 'or'" },
		{ "valid_los < 1", "did you mean 'valid_loss'?" },
		{ "(valid_loss < 1)", "no metric '(valid_loss'" },
		{ "valid_loss_that_has_a_name_of_more_than_sixty_three_letters_"
		  "in_it < 1",
		  "no metric" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct arena *arena = arena_create(1 << 20);
		const struct condition *condition = NULL;
		struct err err = { 0 };

		cr_expect_eq(condition_parse(rows[i].text, "when", metrics,
					     arena, &condition, &err),
			     ERR_INVALID, "%s", rows[i].text);
		cr_expect(strstr(err.msg, rows[i].says), "%s: %s", rows[i].text,
			  err.msg);
		cr_expect_null(condition);
		arena_destroy(arena);
	}
}

Test(condition, has_at_most_64_comparisons)
{
	struct arena *arena = arena_create(1 << 20);
	const struct condition *condition;
	struct err err = { 0 };
	char text[4096] = "valid_loss < 1";
	size_t len = strlen(text);

	for (int i = 1; i < 64; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len,
					" and valid_loss < 1");
	cr_expect_eq(
	    condition_parse(text, "when", metrics, arena, &condition, &err),
	    ERR_NONE, "%s", err.msg);
	cr_expect(condition_holds(condition, value, NULL));
	len += (size_t)snprintf(text + len, sizeof(text) - len,
				" and valid_loss < 1");
	cr_expect_eq(
	    condition_parse(text, "when", metrics, arena, &condition, &err),
	    ERR_INVALID);
	cr_expect(strstr(err.msg, "more than 64"), "%s", err.msg);
	arena_destroy(arena);
}
