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
