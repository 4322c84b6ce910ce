/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/ops/loss.h"

#include <math.h>
#include <string.h>

#include "run_text.h"

static const char rows[] =
    "l = predictd.SoftmaxCrossEntropy(x:float[2,3], t:int64[2])";

Test(loss, a_target_that_is_no_class_is_a_bad_value)
{
	float x[6] = { 0 };
	int64_t t[2] = { 1, 3 };
	void *const data[] = { x, t };
	struct run_text run;

	run_text(&run, rows, data);
	cr_expect_eq(run.rc, ERR_INVALID);
	cr_expect(strstr(run.err.msg, "SoftmaxCrossEntropy"), "%s",
		  run.err.msg);
	run_text_finish(&run);
	t[1] = -1;
	run_text(&run, rows, data);
	cr_expect_eq(run.rc, ERR_INVALID);
	run_text_finish(&run);
}

Test(loss, a_target_that_does_not_count_is_no_bad_value)
{
	float x[6] = { 0 };
	int64_t t[2] = { 1, -100 };
	void *const data[] = { x, t };
	struct run_text run;

	run_text(&run, rows, data);
	cr_expect_float_eq(*(const float *)run_text_output(&run, 0), logf(3),
			   1e-6);
	run_text_finish(&run);
}

Test(loss, without_any_target_the_mean_is_not_a_number)
{
	float x[6] = { 0 };
	int64_t t[2] = { -100, -100 };
	void *const data[] = { x, t };
	struct run_text run;

	run_text(&run, rows, data);
	cr_expect(isnan(*(const float *)run_text_output(&run, 0)));
	run_text_finish(&run);
}

Test(loss, scores_of_ten_thousand_do_not_overflow)
{
	float x[6] = { 1e4f, -1e4f, 0, -1e4f, 1e4f, 0 };
	int64_t right[2] = { 0, 1 }, wrong[2] = { 1, 0 };
	void *data[] = { x, right };
	struct run_text run;

	run_text(&run, rows, data);
	cr_expect_eq(*(const float *)run_text_output(&run, 0), 0);
	run_text_finish(&run);
	data[1] = wrong;
	run_text(&run, rows, data);
	cr_expect_eq(*(const float *)run_text_output(&run, 0), 2e4f);
	run_text_finish(&run);
}

Test(loss, sure_and_wrong_costs_more_than_unsure)
{
	float sure[6] = { 9, 0, 0, 9, 0, 0 }, unsure[6] = { 1, 0, 0, 1, 0, 0 };
	int64_t t[2] = { 1, 2 };
	void *data[] = { sure, t };
	struct run_text run;
	float loss;

	run_text(&run, rows, data);
	loss = *(const float *)run_text_output(&run, 0);
	run_text_finish(&run);
	data[0] = unsure;
	run_text(&run, rows, data);
	cr_expect_gt(loss, *(const float *)run_text_output(&run, 0));
	run_text_finish(&run);
}
