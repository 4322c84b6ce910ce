/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/ops/norm.h"

#include "run_text.h"

Test(batch_norm, running_values_move_as_in_pytorch)
{
	float x[8] = { 1, 10, 2, 20, 3, 30, 6, 60 };
	void *const data[] = { x };
	struct run_text run;
	const float *mean, *var;

	run_text(&run,
		 "y, m, r, nm, nv = predictd.BatchNormTrain(x:float[4,2], "
		 "s:float[2]={1,1}, b:float[2]={0,0}, a:float[2]={1,2}, "
		 "v:float[2]={1,2})",
		 data);
	mean = run_text_output(&run, 3);
	var = run_text_output(&run, 4);
	/* means 3 and 30, unbiased variances 14/3 and 1400/3 */
	cr_expect_float_eq(mean[0], 0.9f * 1 + 0.1f * 3, 1e-6);
	cr_expect_float_eq(mean[1], 0.9f * 2 + 0.1f * 30, 1e-6);
	cr_expect_float_eq(var[0], 0.9f * 1 + 0.1f * 14 / 3, 1e-6);
	cr_expect_float_eq(var[1], 0.9f * 2 + 0.1f * 1400 / 3, 1e-4);
	run_text_finish(&run);
}

Test(batch_norm, a_large_mean_costs_no_precision)
{
	float x[4] = { 100001, 100002, 100003, 100004 };
	void *const data[] = { x };
	struct run_text run;
	const float *y;

	run_text(&run,
		 "y = predictd.BatchNormTrain<epsilon=0>(x:float[4,1], "
		 "s:float[1]={1}, b:float[1]={0}, a:float[1]={0}, "
		 "v:float[1]={1})",
		 data);
	y = run_text_output(&run, 0);
	cr_expect_float_eq(y[0], -1.34164079f, 1e-6);
	cr_expect_float_eq(y[3], 1.34164079f, 1e-6);
	run_text_finish(&run);
}
