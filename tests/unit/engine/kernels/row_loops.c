/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/kernels/row_loops.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "base/rng.h"
#include "engine/kernels/loops.h"

enum { MOST = 200 };

static void draw(float *x, size_t n, uint32_t stream)
{
	rng_fill_normal((struct rng){ .seed = 3, .stream = stream }, 0, n, x);
}

/* Bits of level 0 are what all levels must give. */
static void expect_bits(const char *what, unsigned level, int64_t n,
			const float *want, const float *got)
{
	cr_expect_eq(memcmp(want, got, (size_t)n * sizeof(*got)), 0,
		     "%s, %lld elements: %s has other bits", what, (long long)n,
		     loop_level_name(level));
}

Test(row_loops, sums_are_right_for_every_length_and_level)
{
	float x[MOST], y[MOST];

	draw(x, MOST, 1);
	draw(y, MOST, 2);
	for (int64_t n = 1; n <= MOST; n++) {
		double dot = 0, squares = 0, exps = 0, sum = 0;
		float max = x[0], first[5];

		for (int64_t i = 0; i < n; i++) {
			dot += (double)x[i] * (double)y[i];
			squares += (double)x[i] * (double)x[i];
			sum += (double)x[i];
			exps += exp((double)x[i] - 2);
			max = fmaxf(max, x[i]);
		}
		for (unsigned level = 0; level < loop_levels(); level++) {
			const struct row_loops *rows = row_loops_level(level);
			const float got[5] = { rows->dot(x, y, n),
					       (float)rows->squares(x, n),
					       rows->exps(x, 2, n, NULL),
					       rows->largest(x, n),
					       (float)rows->sum(x, n) };

			cr_expect_float_eq(got[0], dot, 1e-4);
			cr_expect_float_eq(got[1], squares, 1e-4);
			cr_expect_float_eq(got[2], exps, 1e-4 * exps);
			cr_expect_eq(got[3], max);
			cr_expect_float_eq(got[4], sum, 1e-4);
			if (level == 0)
				memcpy(first, got, sizeof(first));
			expect_bits("sums", level, 5, first, got);
		}
	}
}

Test(row_loops, rows_are_summed_one_after_the_other)
{
	enum { ROWS = 3 };
	float x[ROWS * MOST];
	double want[MOST], got[MOST];

	draw(x, ROWS * MOST, 8);
	for (int64_t n = 1; n <= MOST; n++) {
		for (int64_t j = 0; j < n; j++) {
			want[j] = 0.5;
			for (int64_t i = 0; i < ROWS; i++)
				want[j] += (double)x[i * MOST + j];
		}
		for (unsigned level = 0; level < loop_levels(); level++) {
			for (int64_t j = 0; j < n; j++)
				got[j] = 0.5;
			row_loops_level(level)->sum_rows(x, ROWS, MOST, n, got);
			cr_assert_arr_eq(got, want, (size_t)n * sizeof(*got));
		}
	}
}

Test(row_loops, the_largest_is_no_number_where_one_is_none)
{
	float x[MOST];

	draw(x, MOST, 9);
	for (unsigned level = 0; level < loop_levels(); level++) {
		const struct row_loops *rows = row_loops_level(level);

		for (int64_t n = 1; n <= MOST; n++) {
			cr_assert_eq(rows->largest_or_nan(x, n),
				     rows->largest(x, n));
			for (int64_t bad = 0; bad < n; bad += n / 3 + 1) {
				const float kept = x[bad];

				x[bad] = NAN;
				cr_assert(isnan(rows->largest_or_nan(x, n)),
					  "%lld of %lld", (long long)bad,
					  (long long)n);
				x[bad] = kept;
			}
		}
	}
}

Test(row_loops, exps_are_written_in_place_and_not_beyond)
{
	float x[MOST], y[MOST + 1];

	draw(x, MOST, 3);
	for (int64_t n = 1; n < MOST; n += 7) {
		for (unsigned level = 0; level < loop_levels(); level++) {
			memcpy(y, x, sizeof(x));
			y[n] = 123;
			(void)row_loops_level(level)->exps(y, 1, n, y);
			for (int64_t i = 0; i < n; i++)
				cr_expect_float_eq(y[i], expf(x[i] - 1),
						   1e-5 * (double)y[i]);
			cr_expect_eq(y[n], 123);
		}
	}
}

Test(row_loops, panels_are_products_of_a_row_and_a_matrix)
{
	enum { K = 9, STEP = 70 };
	float x[K], w[K * STEP];

	draw(x, K, 4);
	draw(w, K * STEP, 5);
	for (int64_t n = 1; n <= ROW_PANEL; n++) {
		const int64_t k_n_step[3] = { K, n, STEP };
		/* the last row ends with its n elements: put them at the end */
		const float *from = w + STEP - n;
		float first[ROW_PANEL], sum[ROW_PANEL + 1];

		for (unsigned level = 0; level < loop_levels(); level++) {
			sum[n] = 123;
			row_loops_level(level)->panel(x, from, k_n_step, sum);
			cr_expect_eq(sum[n], 123);
			for (int64_t j = 0; j < n; j++) {
				double want = 0;

				for (int64_t l = 0; l < K; l++)
					want += (double)x[l] *
						(double)from[l * STEP + j];
				cr_expect_float_eq(sum[j], want, 1e-5);
			}
			if (level == 0)
				memcpy(first, sum, sizeof(first));
			expect_bits("panel", level, n, first, sum);
		}
	}
}

Test(row_loops, uniforms_are_those_of_base)
{
	const struct rng rng = { .seed = 0x123456789abcdef0,
				 .stream = 7,
				 .step = 9 };
	float want[4 * 50], got[4 * 50 + 1];

	/* the low word of the block's number overflows on the way */
	rng_fill_uniform(rng, 4 * 0xfffffff0ULL, 4 * 50, want);
	for (unsigned level = 0; level < loop_levels(); level++) {
		for (int64_t n = 1; n <= 50; n++) {
			got[4 * n] = 123;
			row_loops_level(level)->uniforms(rng, 0xfffffff0ULL, n,
							 got);
			expect_bits("uniforms", level, 4 * n, want, got);
			cr_expect_eq(got[4 * n], 123);
		}
	}
}

static float sigmoid(float x)
{
	return 1 / (1 + expf(-x));
}

Test(row_loops, a_cell_of_lstm_is_the_formula_at_every_level)
{
	enum { N = 45 };
	float gates[4 * N], first[2][N], c[N], h[N];

	draw(gates, (size_t)4 * N, 6);
	for (int64_t n = 1; n <= N; n += 11) {
		for (unsigned level = 0; level < loop_levels(); level++) {
			draw(c, N, 7);
			draw(h, N, 8);
			row_loops_level(level)->lstm(gates, n, c, h);
			if (level == 0) {
				memcpy(first[0], c, sizeof(c));
				memcpy(first[1], h, sizeof(h));
			}
			expect_bits("c", level, N, first[0], c);
			expect_bits("h", level, N, first[1], h);
		}
		draw(c, N, 7);
		for (int64_t i = 0; i < n; i++) {
			const float want =
			    sigmoid(gates[2 * n + i]) * c[i] +
			    sigmoid(gates[i]) * tanhf(gates[3 * n + i]);

			cr_expect_float_eq(first[0][i], want, 1e-5);
			cr_expect_float_eq(first[1][i],
					   sigmoid(gates[n + i]) * tanhf(want),
					   1e-5);
		}
	}
}
