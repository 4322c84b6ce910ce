/* SPDX-License-Identifier: Apache-2.0 */
/* Batch normalization in one type, for up to CHANNELS channels at a time.
 * Sums are held in double, in lanes whose order is fixed. */

#include "engine/ops/sums_typed.h"

/* row_sums for n channels whose elements stand side by side */
static void NAME(column_sums)(const T *a, const T *b, int64_t n,
			      double (*shift)[CHANNELS],
			      double (*sum)[CHANNELS])
{
	for (int64_t c = 0; c < n; c++) {
		const double d = (double)a[c] - shift[0][c];

		sum[0][c] += d;
		sum[1][c] += d * ((double)b[c] - shift[1][c]);
	}
}

static void NAME(sums)(const struct batch_norm *g, const T *a, const T *b,
		       double (*shift)[CHANNELS], double (*sum)[CHANNELS])
{
	for (int64_t c = 0; c < g->n; c++)
		sum[0][c] = sum[1][c] = 0;
	for (int64_t i = 0; i < g->batch; i++) {
		const int64_t at = (i * g->channels + g->first) * g->inner;

		if (g->inner == 1)
			NAME(column_sums)(a + at, b + at, g->n, shift, sum);
		for (int64_t c = 0; g->inner > 1 && c < g->n; c++) {
			const double s[2] = { shift[0][c], shift[1][c] };
			double row[2] = { 0 };

			NAME(row_sums)
			(a + at + c * g->inner, b + at + c * g->inner, g->inner,
			 s, row);
			sum[0][c] += row[0];
			sum[1][c] += row[1];
		}
	}
}

/* y = at_u u + at_v (v - mean) + add; u may be NULL */
static void NAME(blend_row)(const T *u, const T *v, T *y, int64_t n,
			    const T coef[4])
{
	const T at_u = coef[0], at_v = coef[1], mean = coef[2], add = coef[3];

	if (!u) {
		for (int64_t i = 0; i < n; i++)
			y[i] = at_v * (v[i] - mean) + add;
		return;
	}
	for (int64_t i = 0; i < n; i++)
		y[i] = at_u * u[i] + (at_v * (v[i] - mean) + add);
}

static void NAME(blend_columns)(const T *u, const T *v, T *y, int64_t n,
				T (*coef)[CHANNELS])
{
	if (!u) {
		for (int64_t c = 0; c < n; c++)
			y[c] = coef[1][c] * (v[c] - coef[2][c]) + coef[3][c];
		return;
	}
	for (int64_t c = 0; c < n; c++)
		y[c] = coef[0][c] * u[c] +
		       (coef[1][c] * (v[c] - coef[2][c]) + coef[3][c]);
}

static void NAME(blend)(const struct batch_norm *g, const T *u, const T *v,
			T *y, T (*coef)[CHANNELS])
{
	for (int64_t i = 0; i < g->batch; i++) {
		const int64_t at = (i * g->channels + g->first) * g->inner;
		const T *from = u ? u + at : NULL;

		if (g->inner == 1)
			NAME(blend_columns)(from, v + at, y + at, g->n, coef);
		for (int64_t c = 0; g->inner > 1 && c < g->n; c++) {
			const T row[4] = { coef[0][c], coef[1][c], coef[2][c],
					   coef[3][c] };

			NAME(blend_row)
			(from ? from + c * g->inner : NULL,
			 v + at + c * g->inner, y + at + c * g->inner, g->inner,
			 row);
		}
	}
}

/* Mean and biased variance of each channel. The first element is taken off
 * before squaring, so that large means cost no precision. */
static void NAME(statistics)(const struct batch_norm *g, const T *x,
			     double mean[CHANNELS], double var[CHANNELS])
{
	double shift[2][CHANNELS], sum[2][CHANNELS];

	for (int64_t c = 0; c < g->n; c++)
		shift[0][c] = shift[1][c] =
		    g->count ? (double)x[(g->first + c) * g->inner] : 0;
	NAME(sums)(g, x, x, shift, sum);
	for (int64_t c = 0; c < g->n; c++) {
		const double off = sum[0][c] / (double)g->count;

		mean[c] = shift[0][c] + off;
		var[c] = sum[1][c] / (double)g->count - off * off;
		var[c] = var[c] < 0 ? 0 : var[c];
	}
}

/* y, and what follows from the statistics; old values are read before new
 * ones are written, so that results may take the place of inputs */
static void NAME(forward)(const struct batch_norm *g,
			  const struct kernel_call *call)
{
	const T *scale = (const T *)call->in[1] + g->first;
	const T *bias = (const T *)call->in[2] + g->first;
	const T *old_mean = (const T *)call->in[3] + g->first;
	const T *old_var = (const T *)call->in[4] + g->first;
	double mean[CHANNELS], var[CHANNELS];
	T coef[4][CHANNELS] = { { 0 } };

	if (g->uses_batch)
		NAME(statistics)(g, call->in[0], mean, var);
	for (int64_t c = 0; c < g->n; c++) {
		double rstd;

		if (!g->uses_batch) {
			mean[c] = (double)old_mean[c];
			var[c] = (double)old_var[c];
		}
		rstd = 1 / sqrt(var[c] + g->epsilon);
		coef[1][c] = (T)((double)scale[c] * rstd);
		coef[2][c] = (T)mean[c];
		coef[3][c] = bias[c];
		if (g->mean)
			((T *)g->mean)[g->first + c] = (T)mean[c];
		if (g->rstd)
			((T *)g->rstd)[g->first + c] = (T)rstd;
		if (g->new_mean)
			((T *)g->new_mean)[g->first + c] =
			    (T)((1 - g->fresh) * (double)old_mean[c] +
				g->fresh * mean[c]);
		if (g->new_var)
			((T *)g->new_var)[g->first + c] =
			    (T)((1 - g->fresh) * (double)old_var[c] +
				g->fresh * var[c] * g->unbias);
	}
	if (call->out[0])
		NAME(blend)(g, NULL, call->in[0], call->out[0], coef);
}

/* dbias = sum dy, dscale = rstd sum dy (x - mean),
 * dx = scale rstd (dy - dbias / n - (x - mean) rstd dscale / n);
 * where the statistics are constants, dx = scale rstd dy */
static void NAME(backward)(const struct batch_norm *g,
			   const struct kernel_call *call)
{
	const T *dy = call->in[0], *x = call->in[1];
	const T *scale = (const T *)call->in[2] + g->first;
	const T *mean = (const T *)call->in[3] + g->first;
	const T *rstd = (const T *)call->in[4] + g->first;
	T *dscale = output(call, 1), *dbias = output(call, 2);
	double shift[2][CHANNELS] = { { 0 } }, sum[2][CHANNELS];
	T coef[4][CHANNELS] = { { 0 } };

	for (int64_t c = 0; c < g->n; c++)
		shift[1][c] = (double)mean[c];
	NAME(sums)(g, dy, x, shift, sum);
	for (int64_t c = 0; c < g->n; c++) {
		const double r = (double)rstd[c];
		const double a = (double)scale[c] * r;
		const double share = g->uses_batch ? 1 / (double)g->count : 0;

		coef[0][c] = (T)a;
		coef[1][c] = (T)(-a * r * r * sum[1][c] * share);
		coef[2][c] = mean[c];
		coef[3][c] = (T)(-a * sum[0][c] * share);
		if (dscale)
			dscale[g->first + c] = (T)(r * sum[1][c]);
		if (dbias)
			dbias[g->first + c] = (T)sum[0][c];
	}
	if (call->out[0])
		NAME(blend)(g, dy, x, call->out[0], coef);
}

#undef T
#undef NAME
