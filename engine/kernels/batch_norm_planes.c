/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Batch normalization of float planes, a channel at a time: what
 * ops/batch_norm.c defines, at the speed of plane_loops.h. A channel's small
 * planes are brought together first. Slices take channels, so that slices
 * change no sum.
 */
#include <math.h>
#include <string.h>

#include "engine/kernels/plane_loops.h"
#include "engine/kernels/planes.h"
#include "engine/ops/norm.h"

enum {
	SMALLEST_PLANE = 16,
	SMALL_PLANE = 512,
	MAX_SLICES = 64,
	SLICE_ELEMENTS = 1 << 15
};
enum { MOST_COLLECTED = 1 << 16 }; /* of a channel */

/* [batch, channels, plane] */
struct planes {
	int64_t batch, channels, plane, count; /* count: of a channel */
};

static struct planes planes_of(const struct shape *x)
{
	struct planes g = { x->dim[0], x->dim[1], shape_range(x, 2, x->rank),
			    0 };

	g.count = g.batch * g.plane;
	return g;
}

/* One channel's planes lie channels * plane apart; where they are small, its
 * operands are collected in `near`, count floats each. */
struct channel {
	const struct planes *g;
	int64_t number;
	float *near; /* of two operands; or NULL */
};

static bool are_small(const struct planes *g)
{
	return g->plane < SMALL_PLANE && g->count <= MOST_COLLECTED;
}

static size_t near_bytes(const struct planes *g)
{
	return are_small(g) ? 2 * (size_t)g->count * sizeof(float) : 0;
}

static int64_t plane_at(const struct channel *c, int64_t image)
{
	return (image * c->g->channels + c->number) * c->g->plane;
}

/* Operand 0 or 1 of the channel. */
static const float *operand(const struct channel *c, unsigned i,
			    const float *from)
{
	const struct planes *g = c->g;
	float *to = c->near;

	if (!to)
		return from;
	to += (int64_t)i * g->count;
	for (int64_t image = 0; image < g->batch; image++)
		memcpy(to + image * g->plane, from + plane_at(c, image),
		       (size_t)g->plane * sizeof(*to));
	return to;
}

static void channel_sums(const struct channel *c, const float *a,
			 const float *b, const float shift[2], double sum[2])
{
	const struct plane_loops *loops = plane_loops();

	sum[0] = sum[1] = 0;
	if (c->near)
		loops->sums(c->g->count, a, b, shift, sum);
	for (int64_t i = 0; !c->near && i < c->g->batch; i++) {
		const int64_t at = plane_at(c, i);

		loops->sums(c->g->plane, a + at, b + at, shift, sum);
	}
}

/* The same of operands that were collected; they are overwritten. */
static void near_blend(const struct channel *c, const float *u, const float *v,
		       float *y, const struct plane_blend *blend)
{
	const struct planes *g = c->g;

	plane_loops()->blend(g->count, u, v, c->near, blend);
	for (int64_t i = 0; i < g->batch; i++)
		memcpy(y + plane_at(c, i), c->near + i * g->plane,
		       (size_t)g->plane * sizeof(*y));
}

static void channel_blend(const struct channel *c, const float *u,
			  const float *v, float *y,
			  const struct plane_blend *blend)
{
	const struct plane_loops *loops = plane_loops();

	if (!y)
		return;
	if (c->near) {
		near_blend(c, u, v, y, blend);
		return;
	}
	for (int64_t i = 0; i < c->g->batch; i++) {
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
	const float first = x[c->near ? 0 : plane_at(c, 0)];
	const float shift[2] = { first, first };
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
		    const float *x, const struct normal *by)
{
	const float *const *in = (const float *const *)call->in;
	const int64_t k = c->number;
	const struct plane_blend blend = {
		.at_v = (float)((double)in[1][k] * by->rstd),
		.mean = (float)by->mean,
		.add = in[2][k],
	};

	channel_blend(c, NULL, x, output(call, 0), &blend);
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
	struct channel c = { .g = &g, .near = are_small(&g) ? scratch : NULL };
	int64_t last;

	channels_of(call, slice, &g, &c.number, &last);
	for (; c.number < last; c.number++) {
		struct normal by = {
			.fresh = 1 - attrs->momentum,
			.unbias = 1,
			.new_mean = output(call, 1),
			.new_var = output(call, 2),
		};
		const float *x = operand(&c, 0, call->in[0]);

		if (attrs->training_mode) {
			statistics(&c, x, &by.mean, &by.var);
		} else {
			by.mean =
			    (double)((const float *)call->in[3])[c.number];
			by.var = (double)((const float *)call->in[4])[c.number];
		}
		by.rstd = 1 / sqrt(by.var + attrs->epsilon);
		forward(call, &c, x, &by);
	}
}

static void train_run(const struct kernel_call *call, unsigned slice,
		      void *scratch)
{
	const struct batch_norm_train_attrs *attrs = call->query->attrs;
	const struct planes g = planes_of(&call->query->in[0].shape);
	float *mean = output(call, 1), *rstd = output(call, 2);
	struct channel c = { .g = &g, .near = are_small(&g) ? scratch : NULL };
	int64_t last;

	channels_of(call, slice, &g, &c.number, &last);
	for (; c.number < last; c.number++) {
		struct normal by = {
			.fresh = attrs->momentum,
			.unbias = (double)g.count / (double)(g.count - 1),
			.new_mean = output(call, 3),
			.new_var = output(call, 4),
		};
		const float *x = operand(&c, 0, call->in[0]);

		statistics(&c, x, &by.mean, &by.var);
		by.rstd = 1 / sqrt(by.var + attrs->epsilon);
		if (mean)
			mean[c.number] = (float)by.mean;
		if (rstd)
			rstd[c.number] = (float)by.rstd;
		forward(call, &c, x, &by);
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
	const float *dy = operand(c, 0, in[0]), *x = operand(c, 1, in[1]);
	double sum[2];

	channel_sums(c, dy, x, shift, sum);
	blend = (struct plane_blend){
		.at_u = (float)a,
		.at_v = (float)(-a * rstd * rstd * sum[1] * share),
		.mean = shift[1],
		.add = (float)(-a * sum[0] * share),
	};
	channel_blend(c, dy, x, output(call, 0), &blend);
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
	struct channel c = { .g = &g, .near = are_small(&g) ? scratch : NULL };
	int64_t last;

	channels_of(call, slice, &g, &c.number, &last);
	for (; c.number < last; c.number++)
		grad_channel(call, &c, attrs->frozen != 0);
}

/* Rows of channels are the plain kernel's, and what is too long for it. */
static bool fits(const struct kernel_query *query)
{
	const struct shape *x = &query->in[0].shape;
	struct planes g;

	if (query->in[0].type.elem != DTYPE_F32 || x->rank < 3 ||
	    !shape_count(x))
		return false;
	g = planes_of(x);
	return g.plane >= SMALLEST_PLANE || (g.plane > 1 && are_small(&g));
}

static enum err_code prepare(const struct kernel_query *query,
			     struct kernel_setup *ret, struct err *err)
{
	const struct shape *x = &query->in[0].shape;
	int64_t n = shape_count(x) / SLICE_ELEMENTS;

	const struct planes g = planes_of(x);

	(void)err;
	n = n > x->dim[1] ? x->dim[1] : n;
	n = n > MAX_SLICES ? MAX_SLICES : n;
	ret->n_slices = kernel_slices(query, (double)n);
	ret->scratch_bytes = near_bytes(&g);
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
