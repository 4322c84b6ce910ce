/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * GridSampleGrad: an image gets each place's gradient at the elements that the
 * place reads, times their weights; a place gets, for each axis, the sum of
 * what it reads times the slopes of the weights along that axis. A slice is
 * some images: no two write to one element.
 */
#include <string.h>

#include "engine/ops/grid_sample.h"
#include "engine/ops/move.h"

enum { CORNERS = 64 };

/* What one place reads. slope: of the weights, by axis of X. */
struct corners {
	unsigned n, rank;
	int64_t at[CORNERS];
	double weight[CORNERS], slope[GRID_DIMS][CORNERS];
};

/* channels: how many, and from one to the next in X and in Y */
struct planes {
	int64_t n, in, out;
};

#define T float
#define NAME(x) x##_f32
#include "engine/ops/grid_sample_grad_typed.h"
#define T double
#define NAME(x) x##_f64
#include "engine/ops/grid_sample_grad_typed.h"

/* X, grid, dY */
static enum err_code back_infer(struct infer *infer, struct err *err)
{
	const struct shape *x = &infer->in[0].shape, *at = &infer->in[1].shape;
	struct shape y = *x;
	char text[2][64];
	struct grid grid;
	enum err_code rc = grid_read(infer, &grid, err);

	if (rc)
		return rc;
	memcpy(y.dim + 2, at->dim + 1, grid.rank * sizeof(y.dim[0]));
	if (!shape_equal(&y, &infer->in[2].shape))
		return infer_fail(
		    err, "input 'dY': expected %s, got %s",
		    shape_text(&y, text[0], sizeof(text[0])),
		    shape_text(&infer->in[2].shape, text[1], sizeof(text[1])));
	for (unsigned i = 0; i < infer->n_out; i++) {
		infer->out[i].shape = i ? *at : *x;
		infer->out[i].has_shape = true;
	}
	return ERR_NONE;
}

static double number(const struct fact *fact, const void *data, int64_t i)
{
	return fact->type.elem == DTYPE_F32 ? (double)((const float *)data)[i]
					    : ((const double *)data)[i];
}

/* One more axis k: corners times its taps. */
static void add_axis(struct corners *c, unsigned k, int64_t len,
		     const struct grid_axis *axis, const double *slope)
{
	const struct corners old = *c;

	c->n = 0;
	for (unsigned i = 0; i < old.n; i++) {
		for (unsigned t = 0; t < axis->n; t++) {
			if (axis->at[t] < 0)
				continue;
			c->at[c->n] = old.at[i] * len + axis->at[t];
			c->weight[c->n] = old.weight[i] * axis->weight[t];
			for (unsigned j = 0; j < k; j++)
				c->slope[j][c->n] =
				    old.slope[j][i] * axis->weight[t];
			c->slope[k][c->n++] = old.weight[i] * slope[t];
		}
	}
}

static void find_corners(const struct grid *g, const struct kernel_call *call,
			 int64_t place, struct corners *c)
{
	const struct fact *at = &call->query->in[1];

	c->n = 1;
	c->rank = g->rank;
	c->at[0] = 0;
	c->weight[0] = 1;
	for (unsigned k = 0; k < g->rank; k++) {
		const int64_t i =
		    (place + 1) * (int64_t)g->rank - 1 - (int64_t)k;
		const double v = number(at, call->in[1], i);
		double slope[GRID_AXIS_TAPS];
		struct grid_axis axis;

		grid_axis_taps(g, g->dim[k], v, &axis);
		grid_axis_slopes(g, g->dim[k], v, &axis, slope);
		add_axis(c, k, g->dim[k], &axis, slope);
	}
}

static void store_slopes(const struct grid *g, const struct kernel_call *call,
			 int64_t place, const double *slope)
{
	for (unsigned k = 0; k < g->rank && call->out[1]; k++) {
		const int64_t i =
		    (place + 1) * (int64_t)g->rank - 1 - (int64_t)k;

		if (call->query->in[1].type.elem == DTYPE_F32)
			((float *)call->out[1])[i] = (float)slope[k];
		else
			((double *)call->out[1])[i] = slope[k];
	}
}

static void run_image(const struct grid *g, const struct kernel_call *call,
		      int64_t image, struct corners *corners)
{
	const struct fact *x = &call->query->in[0];
	const struct planes planes = { x->shape.dim[1], g->n_in, g->n_out };
	const size_t size = dtype_info(x->type.elem)->size;
	const size_t in = (size_t)(image * planes.n * g->n_in) * size;
	const size_t out = (size_t)(image * planes.n * g->n_out) * size;
	char *dx = call->out[0] ? (char *)call->out[0] + in : NULL;

	if (dx)
		memset(dx, 0, (size_t)(planes.n * g->n_in) * size);
	for (int64_t i = 0; i < g->n_out; i++) {
		const char *from = (const char *)call->in[0] + in;
		const char *dy =
		    (const char *)call->in[2] + out + (size_t)i * size;
		double slope[GRID_DIMS] = { 0 };

		find_corners(g, call, image * g->n_out + i, corners);
		if (x->type.elem == DTYPE_F32)
			place_f32(corners, &planes, (const void *)from,
				  (const void *)dy, (void *)dx, slope);
		else
			place_f64(corners, &planes, (const void *)from,
				  (const void *)dy, (void *)dx, slope);
		store_slopes(g, call, image * g->n_out + i, slope);
	}
}

static void back_run(const struct kernel_call *call, unsigned slice,
		     void *scratch)
{
	const struct infer infer = query_infer(call->query);
	int64_t first, last;
	struct grid grid;

	if (grid_read(&infer, &grid, NULL))
		return;
	kernel_slice(grid.n_batch, call->n_slices, slice, &first, &last);
	for (; first < last; first++)
		run_image(&grid, call, first, scratch);
}

static enum err_code back_prepare(const struct kernel_query *query,
				  struct kernel_setup *ret, struct err *err)
{
	const int64_t n = query->in[0].shape.dim[0];

	(void)err;
	ret->scratch_bytes = sizeof(struct corners);
	ret->n_slices = kernel_slices(query, (double)n);
	return ERR_NONE;
}

static double back_cost(const struct kernel_query *query)
{
	return 0.2 + (double)shape_count(&query->in[2].shape) * 0.03 +
	       (double)shape_count(&query->in[1].shape) * 0.06;
}

static const struct kernel back_kernel = {
	.name = "grid_sample_grad.reference",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE,
	.cost = back_cost,
	.prepare = back_prepare,
	.run = back_run,
};
static const struct kernel *const back_kernels[] = { &back_kernel, NULL };

static const struct port back_in[] = {
	{ "X", "T:floats", 0 },
	{ "grid", "G:floats", 0 },
	{ "dY", "T", 0 },
	{ 0 },
};
static const struct port back_out[] = {
	{ "dX", "T", 0 },
	{ "dgrid", "G", PORT_OPTIONAL },
	{ 0 },
};

static const struct op_case back_cases[] = {
	{ .name = "images",
	  .graph = "dx, dg = predictd.GridSampleGrad(x:float[3,2,4,5], "
		   "g:float[3,6,7,2], dy:float[3,2,6,7])" },
	{ .name = "of nothing",
	  .graph = "dx, dg = predictd.GridSampleGrad(x:float[1,2,0,5], "
		   "g:float[1,2,2,2], dy:float[1,2,2,2])" },
	{ .name = "dY of another size",
	  .graph = "dx, dg = predictd.GridSampleGrad(x:float[3,2,4,5], "
		   "g:float[3,6,7,2], dy:float[3,2,6,6])",
	  .want = ERR_SHAPE },
	{ 0 },
};

extern const struct op op_grid_sample_grad;
const struct op op_grid_sample_grad = {
	.domain = "predictd",
	.name = "GridSampleGrad",
	.help = "The gradients of GridSample.",
	.since = 1,
	.in = back_in,
	.out = back_out,
	.attrs = grid_sample_attrs,
	.attrs_size = sizeof(struct grid_attrs),
	.infer = back_infer,
	.kernels = back_kernels,
	.cases = back_cases,
};
