/* SPDX-License-Identifier: Apache-2.0 */
#include "training/evaluation.h"

#include <criterion/criterion.h>
#include <math.h>

#include "base/buf.h"
#include "base/doc.h"
#include "base/json_write.h"

/* Rows of two classes; the logit of class 1 is the score. By falling score:
 * 1 0 1 (0 1 tied) 0 */
static const float scores[] = { 0, 3, 0, 2, 0, 1, 0, -1, 0, -1, 0, -2 };
static const int64_t targets[] = { 1, 0, 1, 0, 1, 0 };

static void fill(struct evaluation *e)
{
	cr_assert_eq(evaluation_init(e, "category", 10, 2, NULL), ERR_NONE);
	evaluation_add(e, &(struct metric_rows){ scores, targets, 6, 2, 0 });
}

/* Class 1: pairs that are right 3 + 2 + 1.5 of 9 minus ...: rows 1, 3 and the
 * tied one are above 3, 2 and 1.5 rows of class 0. */
Test(evaluation, areas_are_those_of_the_order)
{
	struct evaluation e;
	struct evaluation_figures f;

	fill(&e);
	f = evaluation_figures(&e);
	/* both classes have the same area: scores are mirrored */
	cr_expect_float_eq(f.roc_auc, 6.5 / 9, 1e-12, "%g", f.roc_auc);
	/* class 1: 1/1, 2/3, 3/5; class 0, from below: 1/1, 2/3, 3/5 */
	cr_expect_float_eq(f.pr_auc, (1 + 2. / 3 + 3. / 5) / 3, 1e-12, "%g",
			   f.pr_auc);
	/* said 1: 1 0 1; said 0: 0 1 0 */
	cr_expect_float_eq(f.precision, 2. / 3, 1e-12);
	cr_expect_float_eq(f.recall, 2. / 3, 1e-12);
	cr_expect_float_eq(f.f1, 2. / 3, 1e-12);
	cr_expect_eq(f.top5, 1);
	/* of each class 2 hits, one error of each kind */
	cr_expect_float_eq(f.iou, 2. / 4, 1e-12);
	cr_expect_eq(f.dice, f.f1);
	evaluation_finish(&e);
}

Test(evaluation, calibration_is_the_gap_of_confidence_and_truth)
{
	static const float logits[] = { 50, 0, 50, 0, 50, 0, 50, 0 };
	static const int64_t target[] = { 0, 0, 0, 1 };
	struct evaluation e;

	cr_assert_eq(evaluation_init(&e, "category", 4, 2, NULL), ERR_NONE);
	evaluation_add(&e, &(struct metric_rows){ logits, target, 4, 2, 0 });
	cr_expect_float_eq(evaluation_figures(&e).calibration, 0.25, 1e-6);
	evaluation_finish(&e);
}

Test(evaluation, classes_without_rows_do_not_count)
{
	static const float logits[] = { 9, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0 };
	static const int64_t target[] = { 0, 1 };
	struct evaluation e;
	struct evaluation_figures f;

	cr_assert_eq(evaluation_init(&e, "category", 2, 6, NULL), ERR_NONE);
	evaluation_add(&e, &(struct metric_rows){ logits, target, 2, 6, 0 });
	f = evaluation_figures(&e);
	cr_expect(f.f1 == 1 && f.roc_auc == 1 && f.pr_auc == 1);
	evaluation_finish(&e);
}

/* Twelve rows of one number, or four of three: the same figures; the numbers
 * are scikit-learn's. */
Test(evaluation, a_binary_output_is_measured_by_its_positives)
{
	static const float x[] = { 4.1f, -5.1f, .8f,   -1.1f, -.9f, -.4f,
				   -4,	 -.5f,	-1.7f, 6.6f,  .5f,  -.7f };
	static const float t[] = { 0, 1, 1, 1, 0, 1, 1, 0, 0, 1, 0, 0 };

	for (int64_t width = 1; width <= 3; width += 2) {
		struct evaluation e;
		struct evaluation_figures f;
		struct metric_sums sums = { 0 };
		const struct metric_rows rows = { x, t, 12 / width, width, 1 };

		cr_assert_eq(
		    evaluation_init(&e, "binary_logits", 12, width, NULL),
		    ERR_NONE);
		evaluation_add(&e, &rows);
		metric_add(&sums, "binary_logits", &rows);
		f = evaluation_figures(&e);
		cr_expect_float_eq(sums.hits / sums.n, 0.5, 1e-12);
		cr_expect_float_eq(f.precision, 0.5, 1e-12);
		cr_expect_float_eq(f.recall, 1. / 3, 1e-12);
		cr_expect_float_eq(f.f1, 0.4, 1e-12);
		cr_expect_float_eq(f.dice, 0.4, 1e-12);
		cr_expect_float_eq(f.iou, 0.25, 1e-12);
		cr_expect_float_eq(f.brier, 0.390405452, 1e-6);
		cr_expect_float_eq(f.calibration, 0.532716187, 1e-6);
		cr_expect_float_eq(f.roc_auc, 4. / 9, 1e-12);
		cr_expect_float_eq(f.pr_auc, 0.610942761, 1e-6);
		cr_expect(isnan(f.top5) && isnan(f.exp_rmspe));
		evaluation_finish(&e);
	}
}

Test(evaluation, probabilities_stay_as_they_are)
{
	static const float p[] = { 0.8f, 0 }, t[] = { 1, 0 };
	struct evaluation e;
	struct metric_sums sums = { 0 };
	const struct metric_rows rows = { p, t, 2, 1, 0 };

	cr_assert_eq(evaluation_init(&e, "binary", 2, 1, NULL), ERR_NONE);
	evaluation_add(&e, &rows);
	metric_add(&sums, "binary", &rows);
	cr_expect_float_eq(e.loss[0], -log(0.8), 1e-6);
	cr_expect_eq(e.loss[1], 0);
	cr_expect_eq(sums.hits, 2);
	cr_expect_float_eq(evaluation_figures(&e).brier, 0.02, 1e-6);
	evaluation_finish(&e);
}

/* p of class 0: e/(e+1) and 1/2; squared distances, both classes */
Test(evaluation, brier_is_of_all_classes)
{
	static const float logits[] = { 1, 0, 0, 0 };
	static const int64_t target[] = { 0, 1 };
	struct evaluation e;
	const double q = 1 / (1 + exp(1));

	cr_assert_eq(evaluation_init(&e, "category", 2, 2, NULL), ERR_NONE);
	evaluation_add(&e, &(struct metric_rows){ logits, target, 2, 2, 0 });
	cr_expect_float_eq(evaluation_figures(&e).brier, (2 * q * q + 0.5) / 2,
			   1e-6);
	evaluation_finish(&e);
}

Test(evaluation, rmspe_is_of_exponentials)
{
	static const float output[] = { 0, 1 };
	const float target[] = { logf(2), 1 };
	struct evaluation e;

	cr_assert_eq(evaluation_init(&e, "number", 2, 1, NULL), ERR_NONE);
	evaluation_add(&e, &(struct metric_rows){ output, target, 2, 1, 0 });
	/* 1 in place of 2: half is missing */
	cr_expect_float_eq(evaluation_figures(&e).exp_rmspe, sqrt(0.25 / 2),
			   1e-6);
	evaluation_finish(&e);
}

Test(evaluation, the_report_has_the_worst_rows_first)
{
	static const int64_t rows[] = { 10, 11, 12, 13, 14, 15 };
	struct arena *arena = arena_create(1 << 20);
	struct json_writer w;
	struct evaluation e;
	const struct doc *worst, *matrix;
	struct doc *doc;
	struct buf buf;

	fill(&e);
	buf_init(&buf, 1 << 20);
	json_write_init(&w, &buf);
	json_write_object(&w, NULL);
	evaluation_write(&e, rows, &w);
	json_write_object_end(&w);
	cr_assert_eq(
	    doc_parse_json(buf.data, buf.len, "report", arena, &doc, NULL),
	    ERR_NONE, "%s", buf.data);
	worst = doc_find(doc, "top_losses")->first;
	cr_expect_eq(doc_find(worst, "row")->integer, 11);
	cr_expect_eq(doc_find(worst, "predicted")->integer, 1);
	cr_expect_float_eq(doc_find(worst, "loss")->number, log(1 + exp(2)),
			   1e-6);
	matrix = doc_find(doc, "confusion")->first;
	cr_expect_eq(matrix->first->integer, 2);
	cr_expect_eq(matrix->first->next->integer, 1);
	cr_expect_eq(doc_find(doc, "classes")->n, 2);
	cr_expect_eq(doc_find(doc_find(doc, "calibration"), "bins")->n, 15);
	buf_finish(&buf);
	evaluation_finish(&e);
	arena_destroy(arena);
}

Test(evaluation, too_many_rows_are_not_kept)
{
	struct evaluation e;

	cr_assert_eq(evaluation_init(&e, "category", EVALUATION_MAX, 2, NULL),
		     ERR_NONE);
	evaluation_add(&e, &(struct metric_rows){ scores, targets, 6, 2, 0 });
	cr_expect(isnan(evaluation_figures(&e).f1));
	evaluation_finish(&e);
}
