/* SPDX-License-Identifier: Apache-2.0 */
/* Normalization of rows in one type. T: element. Sums are held in double. */

#include "engine/ops/sums_typed.h"

/* mean and 1 / standard deviation of one row; the first element is taken off
 * before squaring, so that large means cost no precision */
static void NAME(statistics)(const struct row_norm *g, const T *x,
			     double *ret_mean, double *ret_rstd)
{
	const double first = g->n ? (double)x[0] : 0;
	const double shift[2] = { first, first };
	double sum[2] = { 0 }, var;

	NAME(row_sums)(x, x, g->n, shift, sum);
	sum[0] /= (double)g->n;
	var = sum[1] / (double)g->n - sum[0] * sum[0];
	*ret_mean = first + sum[0];
	*ret_rstd = 1 / sqrt((var > 0 ? var : 0) + g->epsilon);
}

static void NAME(forward)(const struct row_norm *g,
			  const struct kernel_call *call, int64_t row)
{
	const T *x = (const T *)call->in[0] + row * g->n;
	const T *scale = (const T *)call->in[1] + row % g->groups * g->per;
	const T *bias = g->has_bias
			    ? (const T *)call->in[2] + row % g->groups * g->per
			    : NULL;
	T *y = call->out[0];
	double mean, rstd;

	NAME(statistics)(g, x, &mean, &rstd);
	put_statistic(call, 1, row, mean);
	put_statistic(call, 2, row, rstd);
	if (!y)
		return;
	y += row * g->n;
	for (int64_t k = 0; g->inner == 1 && k < g->per; k++)
		y[k] = (x[k] - (T)mean) * (T)rstd * scale[k] +
		       (bias ? bias[k] : 0);
	for (int64_t k = 0; g->inner != 1 && k < g->per; k++) {
		const T factor = (T)(rstd * (double)scale[k]);
		const T add = bias ? bias[k] : 0;

		for (int64_t i = k * g->inner; i < (k + 1) * g->inner; i++)
			y[i] = (x[i] - (T)mean) * factor + add;
	}
}

/* With h = (x - mean) rstd: dscale += dy h, dbias += dy,
 * dx = rstd (dy scale - mean(dy scale) - h mean(dy scale h)) */
static void NAME(backward)(const struct row_norm *g,
			   const struct kernel_call *call, int64_t row,
			   double *dscale, double *dbias)
{
	const T *dy = (const T *)call->in[0] + row * g->n;
	const T *x = (const T *)call->in[1] + row * g->n;
	const T *scale = (const T *)call->in[2] + row % g->groups * g->per;
	T *dx = call->out[0];
	double mean, rstd, all = 0, along = 0;

	NAME(statistics)(g, x, &mean, &rstd);
	dscale += row % g->groups * g->per;
	dbias += row % g->groups * g->per;
	for (int64_t k = 0; k < g->per; k++) {
		const double shift[2] = { 0, mean };
		double sum[2] = { 0 };

		NAME(row_sums)
		(dy + k * g->inner, x + k * g->inner, g->inner, shift, sum);
		dbias[k] += sum[0];
		dscale[k] += sum[1] * rstd;
		all += sum[0] * (double)scale[k];
		along += sum[1] * rstd * (double)scale[k];
	}
	if (!dx)
		return;
	all *= rstd / (double)g->n;
	along *= rstd * rstd / (double)g->n;
	dx += row * g->n;
	for (int64_t k = 0; k < g->per; k++) {
		const T factor = (T)(rstd * (double)scale[k]);

		for (int64_t i = k * g->inner; i < (k + 1) * g->inner; i++)
			dx[i] = factor * dy[i] - (T)all -
				(x[i] - (T)mean) * (T)along;
	}
}

static void NAME(store)(const double *sum, int64_t n, T *ret)
{
	for (int64_t i = 0; ret && i < n; i++)
		ret[i] = (T)sum[i];
}

#undef T
#undef NAME
