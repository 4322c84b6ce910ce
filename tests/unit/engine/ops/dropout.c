/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/ops/dropout.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "run_text.h"

enum { N = 100000 };

static void mask_of(const char *attrs, int64_t step, float *mask)
{
	float *x = mem_array(N, sizeof(*x));
	void *const data[] = { x, &step };
	struct run_text run;
	char text[256];

	snprintf(text, sizeof(text),
		 "m = predictd.DropoutMask<%s>(x:float[100000], s:int64[])",
		 attrs);
	run_text(&run, text, data);
	memcpy(mask, run_text_output(&run, 0), N * sizeof(*mask));
	run_text_finish(&run);
	mem_free(x);
}

Test(dropout, drops_its_share_and_scales_the_rest)
{
	const double ratio = 0.3, sigma = sqrt(ratio * (1 - ratio) / N);
	float *mask = mem_array(N, sizeof(*mask));
	int dropped = 0;

	mask_of("seed=5, stream=2, ratio=0.3", 7, mask);
	for (int i = 0; i < N; i++) {
		cr_assert(mask[i] == 0 || mask[i] == (float)(1 / 0.7));
		dropped += mask[i] == 0;
	}
	cr_expect_lt(fabs(dropped / (double)N - ratio), 3 * sigma);
	mem_free(mask);
}

Test(dropout, masks_are_functions_of_seed_stream_and_step)
{
	static const char *const attrs[] = { "seed=5, stream=2", "seed=6",
					     "seed=5, stream=3" };
	float *a = mem_array(N, sizeof(*a)), *b = mem_array(N, sizeof(*b));

	mask_of(attrs[0], 7, a);
	mask_of(attrs[0], 7, b);
	cr_expect_eq(memcmp(a, b, N * sizeof(*a)), 0);
	mask_of(attrs[0], 8, b);
	cr_expect_neq(memcmp(a, b, N * sizeof(*a)), 0);
	mask_of(attrs[1], 7, b);
	cr_expect_neq(memcmp(a, b, N * sizeof(*a)), 0);
	mask_of(attrs[2], 7, b);
	cr_expect_neq(memcmp(a, b, N * sizeof(*a)), 0);
	mem_free(a);
	mem_free(b);
}

Test(dropout, training_multiplies_by_the_mask)
{
	float x[6] = { 1, 2, 3, 4, 5, 6 };
	int64_t step = 3;
	void *const data[] = { x, &step };
	struct run_text run;
	const float *y, *m;

	run_text(&run,
		 "y = predictd.DropoutTrain<seed=9>(x:float[6], s:int64[])\n"
		 "m = predictd.DropoutMask<seed=9>(x, s)",
		 data);
	y = run_text_output(&run, 0);
	m = run_text_output(&run, 1);
	for (int i = 0; i < 6; i++)
		cr_expect_eq(y[i], x[i] * m[i]);
	run_text_finish(&run);
}

Test(dropout, training_mode_drops_and_tells_what_it_kept)
{
	float x[64];
	bool training = true;
	void *const data[] = { x, &training };
	struct run_text run;
	const float *y;
	const bool *kept;
	int n = 0;

	for (int i = 0; i < 64; i++)
		x[i] = 1;
	run_text(&run,
		 "y, m = Dropout<seed=4>(x:float[64], r:float[]={0.5}, "
		 "t:bool[])",
		 data);
	y = run_text_output(&run, 0);
	kept = run_text_output(&run, 1);
	for (int i = 0; i < 64; i++) {
		cr_expect_eq(y[i], kept[i] ? 2 : 0);
		n += kept[i];
	}
	cr_expect(n > 10 && n < 54, "%d of 64", n);
	run_text_finish(&run);
	training = false;
	run_text(&run,
		 "y, m = Dropout<seed=4>(x:float[64], r:float[]={0.5}, "
		 "t:bool[])",
		 data);
	cr_expect_eq(memcmp(run_text_output(&run, 0), x, sizeof(x)), 0);
	run_text_finish(&run);
}

Test(dropout, rows_are_kept_or_not_as_a_whole)
{
	enum { ROWS = 5000, WIDTH = 7 };
	const double ratio = 0.3, sigma = sqrt(ratio * (1 - ratio) / ROWS);
	float *x = mem_array((size_t)ROWS * WIDTH, sizeof(*x));
	int64_t step = 3;
	void *const data[] = { x, &step };
	const float *y;
	struct run_text run;
	int dropped = 0;

	for (int i = 0; i < ROWS * WIDTH; i++)
		x[i] = (float)(i + 1);
	run_text(&run,
		 "y = predictd.DropoutTrain<seed=5, ratio=0.3, "
		 "rows=1>(x:float[5000,7], s:int64[])",
		 data);
	y = run_text_output(&run, 0);
	for (int r = 0; r < ROWS; r++) {
		const bool is_kept = y[r * WIDTH] > 0;

		dropped += !is_kept;
		for (int i = r * WIDTH; i < (r + 1) * WIDTH; i++)
			cr_assert_eq(y[i],
				     is_kept ? (float)(1 / 0.7) * x[i] : 0);
	}
	cr_expect_lt(fabs(dropped / (double)ROWS - ratio), 3 * sigma);
	run_text_finish(&run);
	mem_free(x);
}
