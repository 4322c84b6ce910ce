/* SPDX-License-Identifier: Apache-2.0 */
/* What the cases of the pooling rows cannot say: values by hand. */
#include <math.h>

#include "run_text.h"

static void expect(const char *text, void *x, const float *want, int n)
{
	void *const data[] = { x };
	struct run_text run;
	const float *y;

	run_text(&run, text, data);
	y = run_text_output(&run, 0);
	for (int i = 0; i < n; i++)
		cr_expect_float_eq(y[i], want[i], 1e-6, "%s: %d is %g", text, i,
				   (double)y[i]);
	run_text_finish(&run);
}

Test(pool, averages_leave_padding_out_unless_it_counts)
{
	float x[4] = { 1, 2, 3, 4 };

	expect("y = AveragePool<kernel_shape=[3], pads=[1,1]>(x:float[1,1,4])",
	       x, (const float[]){ 1.5f, 2, 3, 3.5f }, 4);
	expect("y = AveragePool<kernel_shape=[3], pads=[1,1], "
	       "count_include_pad=1>(x:float[1,1,4])",
	       x, (const float[]){ 1, 2, 3, 7 / 3.0f }, 4);
}

Test(pool, a_window_that_ceil_mode_cuts_counts_what_is_there)
{
	float x[4] = { 1, 2, 3, 4 };

	expect("y = AveragePool<kernel_shape=[3], strides=[2], ceil_mode=1>"
	       "(x:float[1,1,4])",
	       x, (const float[]){ 2, 3.5f }, 2);
	expect("y = MaxPool<kernel_shape=[3], strides=[2], ceil_mode=1>"
	       "(x:float[1,1,4])",
	       x, (const float[]){ 3, 4 }, 2);
}

Test(pool, the_largest_value_may_be_negative_or_no_number)
{
	float x[4] = { -3, -2, -1, NAN };
	void *const data[] = { x };
	struct run_text run;
	const float *y;

	run_text(&run,
		 "y = MaxPool<kernel_shape=[2], pads=[1,0]>(x:float[1,1,4])",
		 data);
	y = run_text_output(&run, 0);
	cr_expect_eq(y[0], -3);
	cr_expect_eq(y[1], -2);
	cr_expect_eq(y[2], -1);
	cr_expect(isnan(y[3]));
	run_text_finish(&run);
}

Test(pool, the_first_of_equals_gives_the_index)
{
	float x[8] = { 1, 1, 1, 1, 2, 1, 2, 0 };
	void *const data[] = { x };
	struct run_text run;
	const int64_t *at;

	run_text(&run, "y, i = MaxPool<kernel_shape=[2,2]>(x:float[1,2,2,2])",
		 data);
	at = run_text_output(&run, 1);
	cr_expect_eq(at[0], 0);
	cr_expect_eq(at[1], 4);
	run_text_finish(&run);
}
