/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Batch normalization of float planes, a channel at a time: what
 * ops/batch_norm.c defines, at the speed of plane_loops.h. Slices take
 * channels, so that slices change no sum.
 */
#include <math.h>

#include "engine/kernels/plane_loops.h"
#include "engine/kernels/planes.h"
#include "engine/ops/norm.h"

enum { SMALLEST_PLANE = 16, MAX_SLICES = 64, SLICE_ELEMENTS = 1 << 15 };

/* [batch, channels, plane] */
struct planes {
	int64_t batch, channels, plane, count; /* count: of a channel */
};

/* One channel's planes lie channels * plane apart. */
struct channel {
	const struct planes *g;
	int64_t number;
};

static struct planes planes_of(const struct shape *x)
{
	struct planes g = { x->dim[0], x->dim[1], shape_range(x, 2, x->rank),
			    0 };

	g.count = g.batch * g.plane;
	return g;
}

static int64_t plane_at(const struct channel *c, int64_t image)
{
	return (image * c->g->channels + c->number) * c->g->plane;
}

static void channel_sums(const struct channel *c, const float *a,
			 const float *b, const float shift[2], double sum[2])
{
	const struct plane_loops *loops = plane_loops();

	sum[0] = sum[1] = 0;
	for (int64_t i = 0; i < c->g->batch; i++) {
		const int64_t at = plane_at(c, i);

		loops->sums(c->g->plane, a + at, b + at, shift, sum);
	}
}

static void channel_blend(const struct channel *c, const float *u,
			  const float *v, float *y,
			  const struct plane_blend *blend)
{
	const struct plane_loops *loops = plane_loops();

	for (int64_t i = 0; y && i < c->g->batch; i++) {
		const int64_t at = plane_at(c, i);

		loops->blend(c->g->plane, u ? u + at : NULL, v + at, y + at,
			     blend);
	}
}

/* Mean and biased variance. The first element is taken off before squaring,
 * so that large means cost no precision. */
static void statistics(const struct channel *c, const float *x, double *mean,
		       double *var)
{
	const float first = x[plane_at(c, 0)], shift[2] = { first, first };
	const double n = (double)c->g->count;
	double sum[2];

	channel_sums(c, x, x, shift, sum);
	*mean = (double)first + sum[0] / n;
	*var = sum[1] / n - sum[0] / n * (sum[0] / n);
	*var = *var < 0 ? 0 : *var;
}

static float *output(const struct kernel_call *call, unsigned i)
{
	return i < call->query->n_out ? call->out[i] : NULL;
}

/* What one channel is normalized by; fresh: the batch's share in new running
 * values, where there are some. */
struct normal {
	double mean, var, rstd, fresh, unbias;
	float *new_mean, *new_var;
};

static void forward(const struct kernel_call *call, const struct channel *c,
		    const struct normal *by)
{
	const float *const *in = (const float *const *)call->in;
	const int64_t k = c->number;
	const struct plane_blend blend = {
		.at_v = (float)((double)in[1][k] * by->rstd),
		.mean = (float)by->mean,
		.add = in[2][k],
	};

	channel_blend(c, NULL, in[0], output(call, 0), &blend);
	if (by->new_mean)
		by->new_mean[k] = (float)((1 - by->fresh) * (double)in[3][k] +
					  by->fresh * by->mean);
	if (by->new_var)
		by->new_var[k] = (float)((1 - by->fresh) * (double)in[4][k] +
					 by->fresh * by->var * by->unbias);
}

static void channels_of(const struct kernel_call *call, unsigned slice,
			const struct planes *g, int64_t *first, int64_t *last)
{
	kernel_slice(g->channels, call->n_slices, slice, first, last);
}

static void onnx_run(const struct kernel_call *call, unsigned slice,
		     void *scratch)
{
	const struct batch_norm_attrs *attrs = call->query->attrs;
	const struct planes g = planes_of(&call->query->in[0].shape);
	struct channel c = { .g = &g };
	int64_t last;

	(void)scratch;
	channels_of(call, slice, &g, &c.number, &last);
	for (; c.number < last; c.number++) {
		struct normal by = {
			.fresh = 1 - attrs->momentum,
			.unbias = 1,
			.new_mean = output(call, 1),
			.new_var = output(call, 2),
		};

		if (attrs->training_mode) {
			statistics(&c, call->in[0], &by.mean, &by.var);
		} else {
			by.mean =
			    (double)((const float *)call->in[3])[c.number];
			by.var = (double)((const float *)call->in[4])[c.number];
		}
		by.rstd = 1 / sqrt(by.var + attrs->epsilon);
		forward(call, &c, &by);
	}
}

static void train_run(const struct kernel_call *call, unsigned slice,
		      void *scratch)
{
	const struct batch_norm_train_attrs *attrs = call->query->attrs;
	const struct planes g = planes_of(&call->query->in[0].shape);
	float *mean = output(call, 1), *rstd = output(call, 2);
	struct channel c = { .g = &g };
	int64_t last;

	(void)scratch;
	channels_of(call, slice, &g, &c.number, &last);
	for (; c.number < last; c.number++) {
		struct normal by = {
			.fresh = attrs->momentum,
			.unbias = (double)g.count / (double)(g.count - 1),
			.new_mean = output(call, 3),
			.new_var = output(call, 4),
		};

		statistics(&c, call->in[0], &by.mean, &by.var);
		by.rstd = 1 / sqrt(by.var + attrs->epsilon);
		if (mean)
			mean[c.number] = (float)by.mean;
		if (rstd)
			rstd[c.number] = (float)by.rstd;
		forward(call, &c, &by);
	}
}

/* dbias = sum dy, dscale = rstd sum dy (x - mean),
 * dx = scale rstd (dy - dbias / n - (x - mean) rstd dscale / n);
 * where the statistics are constants, dx = scale rstd dy */
static void grad_channel(const struct kernel_call *call,
			 const struct channel *c, bool frozen)
{
	const float *const *in = (const float *const *)call->in;
	const float shift[2] = { 0, in[3][c->number] };
	const double rstd = (double)in[4][c->number];
	const double a = (double)in[2][c->number] * rstd;
	const double share = frozen ? 0 : 1 / (double)c->g->count;
	float *dscale = output(call, 1), *dbias = output(call, 2);
	struct plane_blend blend;
	double sum[2];

	channel_sums(c, in[0], in[1], shift, sum);
	blend = (struct plane_blend){
		.at_u = (float)a,
		.at_v = (float)(-a * rstd * rstd * sum[1] * share),
		.mean = shift[1],
		.add = (float)(-a * sum[0] * share),
	};
	channel_blend(c, in[0], in[1], output(call, 0), &blend);
	if (dscale)
		dscale[c->number] = (float)(rstd * sum[1]);
	if (dbias)
		dbias[c->number] = (float)sum[0];
}

static void grad_run(const struct kernel_call *call, unsigned slice,
		     void *scratch)
{
	const struct batch_norm_grad_attrs *attrs = call->query->attrs;
	const struct planes g = planes_of(&call->query->in[0].shape);
	struct channel c = { .g = &g };
	int64_t last;

	(void)scratch;
	channels_of(call, slice, &g, &c.number, &last);
	for (; c.number < last; c.number++)
		grad_channel(call, &c, attrs->frozen != 0);
}

/* Smaller planes and rows of channels are the plain kernel's. */
static bool fits(const struct kernel_query *query)
{
	const struct shape *x = &query->in[0].shape;

	return query->in[0].type.elem == DTYPE_F32 && x->rank > 2 &&
	       shape_count(x) && shape_range(x, 2, x->rank) >= SMALLEST_PLANE;
}

static enum err_code prepare(const struct kernel_query *query,
			     struct kernel_setup *ret, struct err *err)
{
	const struct shape *x = &query->in[0].shape;
	int64_t n = shape_count(x) / SLICE_ELEMENTS;

	(void)err;
	n = n > x->dim[1] ? x->dim[1] : n;
	n = n > MAX_SLICES ? MAX_SLICES : n;
	ret->n_slices = kernel_slices(query, (double)n);
	return ERR_NONE;
}

/* a us: floats of inference, of training, of the gradient */
static double cost(const struct kernel_query *query)
{
	const double n = (double)shape_count(&query->in[0].shape);

	return 0.2 + n * (query->n_out > 2 ? 0.5e-3 : 0.3e-3);
}

const struct kernel batch_norm_planes = {
	.name = "batch_norm.planes",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE | KERNEL_IN_PLACE,
	.fits = fits,
	.cost = cost,
	.prepare = prepare,
	.run = onnx_run,
};

const struct kernel batch_norm_train_planes = {
	.name = "batch_norm_train.planes",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE | KERNEL_IN_PLACE,
	.fits = fits,
	.cost = cost,
	.prepare = prepare,
	.run = train_run,
};

const struct kernel batch_norm_grad_planes = {
	.name = "batch_norm_grad.planes",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE | KERNEL_IN_PLACE,
	.fits = fits,
	.cost = cost,
	.prepare = prepare,
	.run = grad_run,
};
