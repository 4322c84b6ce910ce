/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/tuner.h"

#include <criterion/criterion.h>
#include <string.h>

#include "plan_help.h"

static const char convolution[] =
    "y = Conv<pads=[1,1,1,1]>(x:float[1,64,28,28], w:float[64,64,3,3])";
static const char product[] = "y = MatMul(x:float[8,256], w:float[256,256])";
static const char sum[] = "y = Add(x:float[800,100], w:float[100])";

/* The step with the most work, as a plan with that tuner has it. */
struct found {
	char kernel[TUNING_KERNEL_MAX], question[TUNING_QUESTION_MAX];
	bool is_question;
};

static struct found plan_for(const char *text, struct plan_options options)
{
	struct plan_step_info dear = { 0 };
	struct bench bench = { 0 };
	struct found ret = { 0 };

	bench_parse(&bench, text);
	bench_plan_known(&bench, &options, 1);
	for (size_t i = 0; i < plan_report(bench.plan)->n_steps; i++) {
		const struct plan_step_info step =
		    plan_step_info(bench.plan, i);

		if (!dear.kernel || step.cost_us > dear.cost_us)
			dear = step;
	}
	(void)snprintf(ret.kernel, sizeof(ret.kernel), "%s", dear.kernel->name);
	ret.is_question = tuner_question(dear.query, ret.question);
	bench_finish(&bench);
	return ret;
}

static struct found plan_with(const char *text, struct tuner *tuner,
			      enum numerics numerics)
{
	return plan_for(text, (struct plan_options){ .numerics = numerics,
						     .tuner = tuner });
}

static struct tuning *create(void)
{
	struct tuning *tuning;
	struct err err;

	cr_assert_eq(tuning_create(NULL, &tuning, &err), ERR_NONE, "%s",
		     err.msg);
	return tuning;
}

static void settle(struct tuning *tuning, const char *question,
		   const char *kernel)
{
	struct tuning_choice mine = { .us = 1 }, now;

	(void)snprintf(mine.kernel, sizeof(mine.kernel), "%s", kernel);
	tuning_settle(tuning, question, &mine, &now);
}

Test(tuner, measures_once_and_then_chooses_alike)
{
	static const char *const texts[] = { convolution, product };

	for (size_t i = 0; i < 2; i++) {
		struct tuning *tuning = create();
		struct tuning_choice choice;
		struct tuner tuner;
		struct found first, again;

		tuner_init(&tuner, tuning, TUNER_BUDGET_NS);
		first = plan_with(texts[i], &tuner, NUMERICS_REPEATABLE);
		cr_assert(first.is_question);
		cr_assert(tuning_find(tuning, first.question, &choice));
		cr_expect_str_eq(choice.kernel, first.kernel);
		cr_expect_lt(atomic_load(&tuner.left_ns), TUNER_BUDGET_NS);
		again = plan_with(texts[i], &tuner, NUMERICS_REPEATABLE);
		cr_expect_str_eq(again.kernel, first.kernel);
		tuning_destroy(tuning);
	}
}

Test(tuner, follows_what_was_answered_before)
{
	static const char *const kernels[] = { "product.blas", "product.dnnl" };

	for (size_t i = 0; i < 2; i++) {
		struct tuning *tuning = create();
		struct tuner tuner;
		struct found found;

		tuner_init(&tuner, tuning, TUNER_BUDGET_NS);
		found = plan_with(product, NULL, NUMERICS_REPEATABLE);
		settle(tuning, found.question, kernels[i]);
		found = plan_with(product, &tuner, NUMERICS_REPEATABLE);
		cr_expect_str_eq(found.kernel, kernels[i]);
		cr_expect_eq(atomic_load(&tuner.left_ns), TUNER_BUDGET_NS);
		tuning_destroy(tuning);
	}
}

Test(tuner, goes_by_predictions_without_a_budget_and_stays_with_them)
{
	const struct found want =
	    plan_with(convolution, NULL, NUMERICS_REPEATABLE);
	struct tuning *tuning = create();
	struct tuner poor, rich;
	struct tuning_choice choice;
	struct found found;

	tuner_init(&poor, tuning, 0);
	found = plan_with(convolution, &poor, NUMERICS_REPEATABLE);
	cr_expect_str_eq(found.kernel, want.kernel);
	cr_assert(tuning_find(tuning, want.question, &choice));
	cr_expect_leq(choice.us, 0);
	tuner_init(&rich, tuning, TUNER_BUDGET_NS);
	found = plan_with(convolution, &rich, NUMERICS_REPEATABLE);
	cr_expect_str_eq(found.kernel, want.kernel);
	cr_expect_eq(atomic_load(&rich.left_ns), TUNER_BUDGET_NS);
	tuning_destroy(tuning);
}

Test(tuner, takes_back_an_answer_that_no_kernel_of_ours_gives)
{
	static const char *const names[] = { "conv_blocked.abacus",
					     "conv_blocked.winograd" };
	const struct found strict =
	    plan_with(convolution, NULL, NUMERICS_STRICT);

	for (size_t i = 0; i < 2; i++) {
		struct tuning *tuning = create();
		struct tuner tuner;
		struct found found;

		tuner_init(&tuner, tuning, 0);
		settle(tuning, strict.question, names[i]);
		found = plan_with(convolution, &tuner, NUMERICS_STRICT);
		cr_expect_str_eq(found.kernel, strict.kernel);
		tuning_destroy(tuning);
	}
}

/* plan_round.c knows which kernel it will be. */
Test(tuner, asks_nothing_where_operands_are_rounded)
{
	struct tuning *tuning = create();
	struct tuner tuner;
	struct found found, want;

	tuner_init(&tuner, tuning, TUNER_BUDGET_NS);
	found = plan_for(convolution,
			 (struct plan_options){ .products = PRODUCTS_BF16,
						.tuner = &tuner });
	want = plan_for(convolution,
			(struct plan_options){ .products = PRODUCTS_BF16 });
	cr_expect_not(found.is_question);
	cr_expect_str_eq(found.kernel, want.kernel);
	cr_expect_eq(atomic_load(&tuner.left_ns), TUNER_BUDGET_NS);
	tuning_destroy(tuning);
}

Test(tuner, asks_otherwise_where_numerics_are_strict)
{
	const struct found a = plan_with(convolution, NULL, NUMERICS_STRICT);
	const struct found b =
	    plan_with(convolution, NULL, NUMERICS_REPEATABLE);

	cr_assert(a.is_question);
	cr_expect_str_neq(a.question, b.question);
	cr_expect_not(plan_with(sum, NULL, NUMERICS_STRICT).is_question);
}

/* what threads can share is weighed */
Test(tuner, asks_otherwise_for_other_threads)
{
	const struct found one =
	    plan_for(product, (struct plan_options){ .threads = 1 });
	const struct found two =
	    plan_for(product, (struct plan_options){ .threads = 2 });

	cr_assert(one.is_question);
	cr_expect_str_neq(one.question, two.question);
}
