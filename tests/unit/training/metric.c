/* SPDX-License-Identifier: Apache-2.0 */
#include "training/metric.h"

#include <criterion/criterion.h>
#include <math.h>

#include "base/str.h"

static double value_of(const char *type, const char *name,
		       const struct metric_sums *sums)
{
	const struct metric *metric = metrics_of(type);

	while (metric->name && !str_equal(metric->name, name))
		metric++;
	cr_assert(metric->name, "%s has no %s", type, name);
	return metric_value(metric, sums, NULL);
}

Test(metric, a_category_has_loss_and_accuracy)
{
	static const float logits[] = { 1, 2, 0, 5, 4, 3, 0, 0, 1 };
	static const int64_t target[] = { 1, 1, 2 };
	struct metric_sums sums = { 0 };

	metric_add(&sums, "category",
		   &(struct metric_rows){ logits, target, 3, 3, 0.5 });
	cr_expect_float_eq(value_of("category", "accuracy", &sums), 2. / 3,
			   1e-15);
	cr_expect_eq(value_of("category", "loss", &sums), 0.5);
	metric_add(&sums, "category",
		   &(struct metric_rows){ logits, target, 1, 3, 2.5 });
	cr_expect_eq(value_of("category", "accuracy", &sums), 0.75);
	cr_expect_eq(value_of("category", "loss", &sums), 1);
	cr_expect(metrics_of("category")[1].is_better_high);
	cr_expect_not(metrics_of("category")[0].is_better_high);
}

/* y 1 2 3 4, prediction 1 3 3 2: errors 0 1 0 -2 */
Test(metric, a_number_has_mae_rmse_and_r2)
{
	static const float output[] = { 1, 3, 3, 2 };
	static const float target[] = { 1, 2, 3, 4 };
	struct metric_sums sums = { 0 };

	metric_add(&sums, "number",
		   &(struct metric_rows){ output, target, 4, 1, 1.25 });
	cr_expect_eq(value_of("number", "mae", &sums), 0.75);
	cr_expect_float_eq(value_of("number", "rmse", &sums), sqrt(1.25),
			   1e-15);
	cr_expect_eq(value_of("number", "r2", &sums), 0);
	cr_expect_eq(value_of("number", "loss", &sums), 1.25);
}

Test(metric, figures_do_not_depend_on_how_rows_are_batched)
{
	float output[10], target[10];
	struct metric_sums whole = { 0 }, parts = { 0 };

	for (int i = 0; i < 10; i++) {
		output[i] = sinf((float)i);
		target[i] = cosf((float)i);
	}
	metric_add(&whole, "number",
		   &(struct metric_rows){ output, target, 10, 1, 0.5 });
	metric_add(&parts, "number",
		   &(struct metric_rows){ output, target, 7, 1, 0.5 });
	metric_add(&parts, "number",
		   &(struct metric_rows){ output + 7, target + 7, 3, 1, 0.5 });
	cr_expect_eq(value_of("number", "rmse", &whole),
		     value_of("number", "rmse", &parts));
	cr_expect_eq(value_of("number", "r2", &whole),
		     value_of("number", "r2", &parts));
}

Test(metric, without_rows_there_is_no_figure)
{
	const struct metric_sums none = { 0 };

	for (const struct metric *m = metrics_of("category"); m->name; m++)
		cr_expect(isnan(metric_value(m, &none, NULL)), "%s", m->name);
	for (const struct metric *m = metrics_of("number"); m->name; m++)
		cr_expect(isnan(metric_value(m, &none, NULL)), "%s", m->name);
}

Test(metric, targets_that_are_all_alike_have_no_r2)
{
	static const float output[] = { 1, 3 }, target[] = { 2, 2 };
	struct metric_sums sums = { 0 };

	metric_add(&sums, "number",
		   &(struct metric_rows){ output, target, 2, 1, 1 });
	cr_expect(isnan(value_of("number", "r2", &sums)));
	cr_expect_eq(value_of("number", "mae", &sums), 1);
}

/* Three tokens that stand for five characters. */
Test(metric, a_text_has_perplexity_and_bits_of_its_characters)
{
	static const float logits[] = { 1, 2, 0, 5, 4, 3, 0, 0, 1 };
	static const int64_t target[] = { 1, 1, 2 };
	struct metric_sums sums = { 0 };

	metric_add(&sums, "text",
		   &(struct metric_rows){ logits, target, 3, 3, 0.5 });
	cr_expect(isnan(value_of("text", "bits_per_character", &sums)));
	sums.characters += 5;
	cr_expect_float_eq(value_of("text", "accuracy", &sums), 2. / 3, 1e-15);
	cr_expect_float_eq(value_of("text", "perplexity", &sums), exp(0.5),
			   1e-15);
	cr_expect_float_eq(value_of("text", "bits_per_character", &sums),
			   1.5 / 5 / log(2), 1e-15);
	cr_expect_not(metrics_of("text")[2].is_better_high);
}
