/* SPDX-License-Identifier: Apache-2.0 */
/* Compiled once for each level; ROW_LOOPS_TABLE names the table. Loops of a
 * constant count of lanes become vectors, so rests have loops of their own. */
#include "engine/kernels/row_loops_priv.h"

#include <math.h>
#include <stddef.h>

#include "engine/kernels/fast_math.h"

enum { LANES = 32, STRIP = 16 };

/* A whole panel. */
static void panel_whole(const float *restrict x, const float *restrict w,
			int64_t k, int64_t step, float *restrict sum)
{
	float part[ROW_PANEL] = { 0 };

	for (int64_t l = 0; l < k; l++) {
		for (int j = 0; j < ROW_PANEL; j++)
			part[j] += x[l] * w[l * step + j];
	}
	for (int j = 0; j < ROW_PANEL; j++)
		sum[j] = part[j];
}

/* n <= STRIP columns. Rows are read STRIP wide while that stays inside of w,
 * and what is too much is not used. */
static void panel_strip(const float *restrict x, const float *restrict w,
			const int64_t k_n_step[3], float *restrict sum)
{
	const int64_t k = k_n_step[0], n = k_n_step[1], step = k_n_step[2];
	const int64_t end = (k - 1) * step + n;
	float part[STRIP] = { 0 };
	int64_t l = 0;

	for (; l < k && l * step + STRIP <= end; l++) {
		for (int j = 0; j < STRIP; j++)
			part[j] += x[l] * w[l * step + j];
	}
	for (; l < k; l++) {
		for (int64_t j = 0; j < n; j++)
			part[j] += x[l] * w[l * step + j];
	}
	for (int64_t j = 0; j < n; j++)
		sum[j] = part[j];
}

static void panel(const float *x, const float *w, const int64_t k_n_step[3],
		  float *sum)
{
	const int64_t k = k_n_step[0], n = k_n_step[1], step = k_n_step[2];

	if (n == ROW_PANEL) {
		panel_whole(x, w, k, step, sum);
		return;
	}
	for (int64_t j = 0; j < n; j += STRIP) {
		const int64_t part[3] = { k, n - j < STRIP ? n - j : STRIP,
					  step };

		panel_strip(x, w + j, part, sum + j);
	}
}

/* lanes in halves, then quarters ... */
static float join(float *lane)
{
	for (int half = LANES / 2; half > 0; half /= 2) {
		for (int j = 0; j < half; j++)
			lane[j] += lane[j + half];
	}
	return lane[0];
}

static float dot(const float *restrict x, const float *restrict y, int64_t n)
{
	float lane[LANES] = { 0 };
	int64_t i = 0;

	for (; i + LANES <= n; i += LANES) {
		for (int j = 0; j < LANES; j++)
			lane[j] += x[i + j] * y[i + j];
	}
	for (int64_t j = 0; i + j < n; j++)
		lane[j] += x[i + j] * y[i + j];
	return join(lane);
}

static double sum(const float *x, int64_t n)
{
	double lane[LANES] = { 0 }, all = 0;
	int64_t i = 0;

	for (; i + LANES <= n; i += LANES) {
		for (int j = 0; j < LANES; j++)
			lane[j] += (double)x[i + j];
	}
	for (int64_t j = 0; i + j < n; j++)
		lane[j] += (double)x[i + j];
	for (int j = 0; j < LANES; j++)
		all += lane[j];
	return all;
}

/* A strip of columns at a time, whose sums stay in registers. */
static void sum_rows(const float *x, int64_t rows, int64_t step, int64_t n,
		     double *sum)
{
	int64_t j = 0;

	for (; j + LANES <= n; j += LANES) {
		double lane[LANES];

		for (int k = 0; k < LANES; k++)
			lane[k] = sum[j + k];
		for (int64_t i = 0; i < rows; i++) {
			for (int k = 0; k < LANES; k++)
				lane[k] += (double)x[i * step + j + k];
		}
		for (int k = 0; k < LANES; k++)
			sum[j + k] = lane[k];
	}
	for (int64_t i = 0; i < rows; i++) {
		for (int64_t k = j; k < n; k++)
			sum[k] += (double)x[i * step + k];
	}
}

static double squares(const float *x, int64_t n)
{
	double lane[LANES] = { 0 }, sum = 0;
	int64_t i = 0;

	for (; i + LANES <= n; i += LANES) {
		for (int j = 0; j < LANES; j++)
			lane[j] += (double)x[i + j] * (double)x[i + j];
	}
	for (int64_t j = 0; i + j < n; j++)
		lane[j] += (double)x[i + j] * (double)x[i + j];
	for (int j = 0; j < LANES; j++)
		sum += lane[j];
	return sum;
}

static float largest(const float *x, int64_t n)
{
	float lane[LANES], max;
	int64_t i = 0;

	for (int j = 0; j < LANES; j++)
		lane[j] = x[0];
	for (; i + LANES <= n; i += LANES) {
		for (int j = 0; j < LANES; j++)
			lane[j] = x[i + j] > lane[j] ? x[i + j] : lane[j];
	}
	max = x[0];
	for (; i < n; i++)
		max = x[i] > max ? x[i] : max;
	/* all lanes began with x[0]: what is no number is in all or in none */
	for (int half = LANES / 2; half > 0; half /= 2)
		for (int j = 0; j < half; j++)
			lane[j] =
			    lane[j + half] > lane[j] ? lane[j + half] : lane[j];
	return lane[0] > max ? lane[0] : max;
}

static float larger_or_nan(float x, float than)
{
	return x > than || x != x ? x : than;
}

static float largest_or_nan(const float *x, int64_t n)
{
	float lane[LANES], max;
	int64_t i = 0;

	for (int j = 0; j < LANES; j++)
		lane[j] = x[0];
	for (; i + LANES <= n; i += LANES) {
		for (int j = 0; j < LANES; j++)
			lane[j] = larger_or_nan(x[i + j], lane[j]);
	}
	max = x[0];
	for (; i < n; i++)
		max = larger_or_nan(x[i], max);
	for (int j = 0; j < LANES; j++)
		max = larger_or_nan(lane[j], max);
	return max;
}

static float exps(const float *x, float from, int64_t n, float *y)
{
	float lane[LANES] = { 0 };
	int64_t i = 0;

	for (; i + LANES <= n; i += LANES) {
		float e[LANES];

		for (int j = 0; j < LANES; j++)
			e[j] = fast_exp(x[i + j] - from);
		for (int j = 0; j < LANES; j++)
			lane[j] += e[j];
		for (int j = 0; y && j < LANES; j++)
			y[i + j] = e[j];
	}
	if (i < n) {
		float e[LANES];

		for (int j = 0; j < LANES; j++)
			e[j] = from;
		for (int64_t j = 0; i + j < n; j++)
			e[j] = x[i + j];
		for (int j = 0; j < LANES; j++)
			e[j] = fast_exp(e[j] - from);
		for (int64_t j = 0; i + j < n; j++)
			lane[j] += e[j];
		for (int64_t j = 0; y && i + j < n; j++)
			y[i + j] = e[j];
	}
	return join(lane);
}

static void scale(const float *x, float factor, float add, int64_t n, float *y)
{
	for (int64_t i = 0; i < n; i++)
		y[i] = x[i] * factor + add;
}

static void shift(const float *x, float a, float b, int64_t n, float *y)
{
	for (int64_t i = 0; i < n; i++)
		y[i] = (x[i] - a) - b;
}

static void norm(const float *x, const float mean_rstd[2], const float *scale,
		 const float *bias, int64_t n, float *y)
{
	const float mean = mean_rstd[0], rstd = mean_rstd[1];

	for (int64_t i = 0; bias && i < n; i++)
		y[i] = (x[i] - mean) * rstd * scale[i] + bias[i];
	for (int64_t i = 0; !bias && i < n; i++)
		y[i] = (x[i] - mean) * rstd * scale[i];
}

static void norm_back(const struct row_norm_back *b)
{
	const float *dy = b->dy, *x = b->x, *scale = b->scale;
	const float mean = b->mean, rstd = b->rstd;
	float all[LANES] = { 0 }, along[LANES] = { 0 }, mean_all, mean_along;
	double *restrict dscale = b->dscale, *restrict dbias = b->dbias;
	int64_t i = 0;

	for (; i + LANES <= b->n; i += LANES) {
		for (int j = 0; j < LANES; j++) {
			const float d = dy[i + j] * scale[i + j];

			all[j] += d;
			along[j] += d * (x[i + j] - mean);
		}
	}
	for (int64_t j = 0; i + j < b->n; j++) {
		const float d = dy[i + j] * scale[i + j];

		all[j] += d;
		along[j] += d * (x[i + j] - mean);
	}
	mean_all = join(all) * rstd / (float)b->n;
	mean_along = join(along) * rstd * rstd * rstd / (float)b->n;
	for (i = 0; i < b->n; i++) {
		dscale[i] += (double)(dy[i] * ((x[i] - mean) * rstd));
		dbias[i] += (double)dy[i];
	}
	for (i = 0; b->dx && i < b->n; i++)
		b->dx[i] = rstd * scale[i] * dy[i] - mean_all -
			   (x[i] - mean) * mean_along;
}

/* LANES blocks side by side; words of block i at [][i]. Philox4x32-10, as in
 * base/rng.c. */
static void philox(struct rng rng, uint64_t block, uint32_t c[4][LANES])
{
	uint32_t k0 = (uint32_t)rng.seed, k1 = (uint32_t)(rng.seed >> 32);

	for (unsigned i = 0; i < LANES; i++) {
		c[0][i] = (uint32_t)(block + i);
		c[1][i] = (uint32_t)((block + i) >> 32);
		c[2][i] = rng.stream;
		c[3][i] = rng.step;
	}
	for (int round = 0; round < 10; round++) {
		for (int i = 0; i < LANES; i++) {
			const uint64_t p0 = (uint64_t)0xD2511F53 * c[0][i];
			const uint64_t p1 = (uint64_t)0xCD9E8D57 * c[2][i];

			c[0][i] = (uint32_t)(p1 >> 32) ^ c[1][i] ^ k0;
			c[1][i] = (uint32_t)p1;
			c[2][i] = (uint32_t)(p0 >> 32) ^ c[3][i] ^ k1;
			c[3][i] = (uint32_t)p0;
		}
		k0 += 0x9E3779B9;
		k1 += 0xBB67AE85;
	}
}

static void uniforms(struct rng rng, uint64_t block, int64_t n_blocks,
		     float *out)
{
	uint32_t c[4][LANES];

	for (int64_t i = 0; i < n_blocks; i += LANES) {
		const int64_t n = n_blocks - i < LANES ? n_blocks - i : LANES;

		philox(rng, block + (uint64_t)i, c);
		for (int64_t j = 0; j < n; j++) {
			for (int w = 0; w < 4; w++)
				out[(i + j) * 4 + w] =
				    (float)(c[w][j] >> 8) * 0x1p-24f;
		}
	}
}

static void keep(const float *u, float least, float factor, const float *x,
		 int64_t n, float *y)
{
	for (int64_t i = 0; x && i < n; i++)
		y[i] = x[i] * (u[i] >= least ? factor : 0);
	for (int64_t i = 0; !x && i < n; i++)
		y[i] = u[i] >= least ? factor : 0;
}

static void repeat(const float *restrict x, int64_t k, int64_t n,
		   float *restrict y)
{
	for (int64_t i = 0; k == 2 && i < n; i++)
		y[2 * i] = y[2 * i + 1] = x[i];
	for (int64_t i = 0; k != 2 && i < n; i++) {
		for (int64_t j = 0; j < k; j++)
			y[k * i + j] = x[i];
	}
}

static void scatter(const float *restrict x, int64_t step, int64_t n,
		    float *restrict y)
{
	for (int64_t i = 0; step == 1 && i < n; i++)
		y[i] += x[i];
	for (int64_t i = 0; step != 1 && i < n; i++)
		y[step * i] += x[i];
}

static void lstm(const float *restrict gates, int64_t n, float *restrict c,
		 float *restrict h)
{
	const float *restrict out = gates + n, *restrict forget = out + n;
	const float *restrict next = forget + n;

	/* c = forget c + in next and h = out tanh(c), each over one divisor */
	for (int64_t i = 0; i < n; i++) {
		const struct fast_quotient in =
		    fast_tanh_quotient(0.5f * gates[i]);
		const struct fast_quotient keep =
		    fast_tanh_quotient(0.5f * forget[i]);
		const struct fast_quotient show =
		    fast_tanh_quotient(0.5f * out[i]);
		const struct fast_quotient new = fast_tanh_quotient(next[i]);
		const float made = in.d * new.d;
		const float all = (keep.d + keep.n) * c[i] * made +
				  (in.d + in.n) * new.n *keep.d;
		struct fast_quotient now;

		c[i] = all / (2.0f * keep.d * made);
		now = fast_tanh_quotient(c[i]);
		h[i] = (show.d + show.n) * now.n / (2.0f * show.d * now.d);
	}
}

static void add_rows(const float *a, const float *b, int64_t n, float *y)
{
	for (int64_t i = 0; i < n; i++)
		y[i] = a[i] + b[i];
}

static void softmax_grad(const float *dy, const float *y, float sum, int64_t n,
			 float *dx)
{
	for (int64_t i = 0; i < n; i++)
		dx[i] = y[i] * (dy[i] - sum);
}

extern const struct row_loops ROW_LOOPS_TABLE;
const struct row_loops ROW_LOOPS_TABLE = {
	.panel = panel,
	.dot = dot,
	.sum = sum,
	.sum_rows = sum_rows,
	.squares = squares,
	.largest = largest,
	.largest_or_nan = largest_or_nan,
	.exps = exps,
	.scale = scale,
	.shift = shift,
	.norm = norm,
	.norm_back = norm_back,
	.uniforms = uniforms,
	.keep = keep,
	.repeat = repeat,
	.scatter = scatter,
	.add = add_rows,
	.lstm = lstm,
	.softmax_grad = softmax_grad,
};
