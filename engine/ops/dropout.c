/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Dropout, inverted: in training y = x m with m = 0 or 1 / (1 - ratio), else
 * y = x.
 *
 * Masks are functions of (seed, stream, step, element) and keep an element
 * where its uniform number is at least `ratio`: the same for any number of
 * threads, in any order, and when drawn again in the backward pass.
 */
#include "engine/ops/dropout.h"

#include <math.h>
#include <string.h>

#include "base/rng.h"
#include "engine/autodiff.h"
#include "engine/kernel.h"
#include "engine/kernels/row_loops.h"

enum { BLOCK = 256, MAX_SLICES = 16, SLICE_ELEMENTS = 1 << 14 };

struct dropout_attrs {
	int64_t seed;
};

/* What DropoutMask, DropoutTrain and Dropout do to a range of elements. */
struct draw {
	struct rng rng;
	double ratio;
	enum dtype dtype;
	const void *x; /* NULL: the mask alone */
	void *y;
	bool *kept; /* NULL: nobody wants it */
};

static double factor(const struct draw *draw)
{
	return draw->ratio < 1 ? 1 / (1 - draw->ratio) : 0;
}

/* the least float that is not below the ratio: what is compared with floats
 * in its place */
static float least_kept(double ratio)
{
	const float least = (float)ratio;

	return (double)least < ratio ? nextafterf(least, 2) : least;
}

static void draw_block(const struct draw *draw, int64_t first, int64_t n)
{
	const double scale = factor(draw);
	const float least = least_kept(draw->ratio);
	const double *x = draw->x;
	double *y = draw->y;
	float u[BLOCK];

	if (n == BLOCK)
		row_loops()->uniforms(draw->rng, (uint64_t)first / 4, BLOCK / 4,
				      u);
	else
		rng_fill_uniform(draw->rng, (uint64_t)first, (size_t)n, u);
	for (int64_t i = 0; draw->kept && i < n; i++)
		draw->kept[first + i] = u[i] >= least;
	if (draw->y && draw->dtype == DTYPE_F32)
		row_loops()->keep(u, least, (float)scale,
				  draw->x ? (const float *)draw->x + first
					  : NULL,
				  n, (float *)draw->y + first);
	for (int64_t i = first; y && draw->dtype == DTYPE_F64 && i < first + n;
	     i++)
		y[i] = u[i - first] >= least ? (x ? x[i] * scale : scale) : 0;
}

/* whole blocks begin at multiples of BLOCK */
static void draw_range(const struct draw *draw, int64_t first, int64_t last)
{
	while (first < last) {
		const int64_t end = (first / BLOCK + 1) * BLOCK;
		const int64_t n = (end < last ? end : last) - first;

		draw_block(draw, first, n);
		first += n;
	}
}

/* Rows of n elements, each by the number of its index. */
static void draw_rows(const struct draw *draw, int64_t n, int64_t first,
		      int64_t last)
{
	const size_t size = dtype_info(draw->dtype)->size;
	const float least = least_kept(draw->ratio);

	while (first < last) {
		const int64_t row = first / n, end = (row + 1) * n;
		const int64_t count = (end < last ? end : last) - first;
		const bool is_kept =
		    rng_uniform(draw->rng, (uint64_t)row) >= least;
		const double scale = is_kept ? factor(draw) : 0;
		const float *x = draw->x;
		const double *wide = draw->x;

		if (!is_kept)
			memset((char *)draw->y + (size_t)first * size, 0,
			       (size_t)count * size);
		for (int64_t i = first; is_kept && i < first + count; i++) {
			if (draw->dtype == DTYPE_F32)
				((float *)draw->y)[i] =
				    (float)scale * (x ? x[i] : 1);
			else
				((double *)draw->y)[i] =
				    scale * (wide ? wide[i] : 1);
		}
		first += count;
	}
}

static void mask_run(const struct kernel_call *call, unsigned slice,
		     void *scratch)
{
	const struct dropout_mask_attrs *attrs = call->query->attrs;
	const int64_t *step = call->in[1];
	const struct fact *x = &call->query->in[0];
	const struct draw draw = {
		.rng = { .seed = (uint64_t)attrs->seed,
			 .stream = (uint32_t)attrs->stream,
			 .step = (uint32_t)step[0] },
		.ratio = attrs->ratio,
		.dtype = x->type.elem,
		.x = !strcmp(call->query->op->name, "DropoutTrain")
			 ? call->in[0]
			 : NULL,
		.y = call->out[0],
	};
	int64_t first, last;

	(void)scratch;
	kernel_slice(shape_count(&x->shape), call->n_slices, slice, &first,
		     &last);
	if (attrs->rows)
		draw_rows(&draw, shape_range(&x->shape, 1, x->shape.rank),
			  first, last);
	else
		draw_range(&draw, first, last);
}

static double input_ratio(const struct kernel_call *call)
{
	const enum dtype elem =
	    call->query->n_in > 1 ? call->query->in[1].type.elem : DTYPE_NONE;

	if (elem == DTYPE_F32)
		return (double)*(const float *)call->in[1];
	if (elem == DTYPE_F64)
		return *(const double *)call->in[1];
	return 0.5;
}

static bool input_training(const struct kernel_call *call)
{
	return call->query->n_in > 2 &&
	       call->query->in[2].type.elem != DTYPE_NONE &&
	       *(const bool *)call->in[2];
}

static void dropout_run(const struct kernel_call *call, unsigned slice,
			void *scratch)
{
	const struct dropout_attrs *attrs = call->query->attrs;
	const struct fact *x = &call->query->in[0];
	const size_t size = dtype_info(x->type.elem)->size;
	struct draw draw = {
		.rng = { .seed = (uint64_t)attrs->seed },
		.ratio = input_ratio(call),
		.dtype = x->type.elem,
		.x = call->in[0],
		.y = call->out[0],
		.kept = call->query->n_out > 1 ? call->out[1] : NULL,
	};
	int64_t first, last;

	(void)scratch;
	kernel_slice(shape_count(&x->shape), call->n_slices, slice, &first,
		     &last);
	if (input_training(call) && draw.ratio > 0) {
		draw_range(&draw, first, last);
		return;
	}
	if (draw.y && draw.y != draw.x && first < last)
		memcpy((char *)draw.y + (size_t)first * size,
		       (const char *)draw.x + (size_t)first * size,
		       (size_t)(last - first) * size);
	if (draw.kept && first < last)
		memset(draw.kept + first, 1, (size_t)(last - first));
}

static enum err_code prepare(const struct kernel_query *query,
			     struct kernel_setup *ret, struct err *err)
{
	const int64_t n = shape_count(&query->in[0].shape) / SLICE_ELEMENTS;

	(void)err;
	ret->n_slices = n < 1 ? 1 : n > MAX_SLICES ? MAX_SLICES : (unsigned)n;
	return ERR_NONE;
}

static double mask_cost(const struct kernel_query *query)
{
	return 0.1 + (double)shape_count(&query->in[0].shape) * 1e-3;
}

static double dropout_cost(const struct kernel_query *query)
{
	return 0.1 + (double)shape_count(&query->in[0].shape) * 2e-4;
}

static enum err_code check_scalar(const struct infer *infer, unsigned i,
				  const char *name, struct err *err)
{
	if (i >= infer->n_in || infer->in[i].type.elem == DTYPE_NONE ||
	    shape_count(&infer->in[i].shape) == 1)
		return ERR_NONE;
	return infer_fail(err,
			  "input '%s': expected a scalar, got %lld elements",
			  name, (long long)shape_count(&infer->in[i].shape));
}

static enum err_code mask_infer(struct infer *infer, struct err *err)
{
	const struct dropout_mask_attrs *attrs = infer->attrs;

	if (attrs->rows && !infer->in[0].shape.rank)
		return infer_fail(err, "input 'x': a scalar has no rows");
	if (!(attrs->ratio >= 0 && attrs->ratio < 1))
		return err_set(err, ERR_INVALID,
			       "attribute 'ratio': expected 0 or more and "
			       "below 1, got %g",
			       attrs->ratio);
	if (check_scalar(infer, 1, "step", err))
		return ERR_SHAPE;
	return infer_same(infer, err);
}

static enum err_code dropout_infer(struct infer *infer, struct err *err)
{
	if (check_scalar(infer, 1, "ratio", err) ||
	    check_scalar(infer, 2, "training_mode", err))
		return ERR_SHAPE;
	if (infer->n_out > 1) {
		infer->out[1].shape = infer->in[0].shape;
		infer->out[1].has_shape = true;
	}
	return infer_same(infer, err);
}

/* in evaluation form only: the training step has DropoutTrain in its place */
static enum err_code dropout_vjp(struct vjp *vjp, struct err *err)
{
	const bool may_train = vjp->node->n_in > 2 && vjp->in[2] != VALUE_NONE;
	const bool *training =
	    may_train ? build_fact(vjp->build, vjp->in[2])->value : NULL;

	if (may_train && (!training || *training))
		return err_set(err, ERR_UNSUPPORTED,
			       "Dropout: a gradient is there only without "
			       "training_mode; training replaces the node");
	vjp->grad_in[0] = vjp->grad_out[0];
	return ERR_NONE;
}

static const struct kernel mask_kernel = {
	.name = "dropout_mask.plain",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE | KERNEL_IN_PLACE,
	.cost = mask_cost,
	.prepare = prepare,
	.run = mask_run,
};
static const struct kernel dropout_kernel = {
	.name = "dropout.plain",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE | KERNEL_IN_PLACE,
	.cost = dropout_cost,
	.prepare = prepare,
	.run = dropout_run,
};
static const struct kernel *const mask_kernels[] = { &mask_kernel, NULL };
static const struct kernel *const dropout_kernels[] = { &dropout_kernel, NULL };

static const struct port mask_in[] = {
	{ "x", "T:float,double", 0 },
	{ "step", "int64", 0 },
	{ 0 },
};
static const struct port mask_out[] = { { "mask", "T", 0 }, { 0 } };
static const struct port train_out[] = { { "y", "T", 0 }, { 0 } };
static const struct port dropout_in[] = {
	{ "data", "T:floats", 0 },
	{ "ratio", "U:floats", PORT_OPTIONAL },
	{ "training_mode", "bool", PORT_OPTIONAL },
	{ 0 },
};
static const struct port dropout_out[] = {
	{ "output", "T", 0 },
	{ "mask", "bool", PORT_OPTIONAL },
	{ 0 },
};

/* clang-format off */
static const struct op_attr mask_attrs[] = {
	{ .name = "seed", .help = "seed of the job",
	  .offset = offsetof(struct dropout_mask_attrs, seed), .kind = ATTR_INT },
	{ .name = "stream", .help = "which of the job's sequences",
	  .offset = offsetof(struct dropout_mask_attrs, stream), .kind = ATTR_INT },
	{ .name = "ratio", .help = "probability of 0",
	  .offset = offsetof(struct dropout_mask_attrs, ratio), .kind = ATTR_FLOAT, .max = 1,
	  .def = 0.5 },
	{ .name = "rows", .help = "1: by index along axis 0",
	  .offset = offsetof(struct dropout_mask_attrs, rows), .kind = ATTR_INT, .max = 1 },
	{ 0 },
};
static const struct op_attr dropout_attrs[] = {
	{ .name = "seed", .help = "seed, where training_mode is true",
	  .offset = offsetof(struct dropout_attrs, seed), .kind = ATTR_INT },
	{ 0 },
};

static const struct op_case mask_cases[] = {
	{ .name = "half",
	  .graph = "m = predictd.DropoutMask<seed=3, stream=7, "
		   "ratio=0.5>(x:float[33,5], s:int64[]={4})" },
	{ .name = "none", .graph = "m = predictd.DropoutMask<ratio=0>(x:float[5], s:int64[]={0})" },
	{ .name = "many",
	  .graph = "m = predictd.DropoutMask<seed=1, ratio=0.1>(x:float[70000], "
		   "s:int64[]={9})" },
	{ .name = "double",
	  .graph = "m = predictd.DropoutMask<ratio=0.25>(x:double[7], s:int64[]={1})" },
	{ .name = "nothing", .graph = "m = predictd.DropoutMask(x:float[0,3], s:int64[]={1})" },
	{ .name = "ratio of 1",
	  .graph = "m = predictd.DropoutMask<ratio=1>(x:float[3], s:int64[]={1})",
	  .want = ERR_INVALID },
	{ .name = "rows of a scalar",
	  .graph = "m = predictd.DropoutMask<rows=1>(x:float[], s:int64[]={1})",
	  .want = ERR_SHAPE },
	{ .name = "steps", .graph = "m = predictd.DropoutMask(x:float[3], s:int64[2]={1,2})",
	  .want = ERR_SHAPE },
	{ 0 },
};
static const struct op_case train_cases[] = {
	{ .name = "rows",
	  .graph = "y = predictd.DropoutTrain<seed=3, rows=1>(x:float[33,5], s:int64[]={4})" },
	{ .name = "rows of double",
	  .graph = "y = predictd.DropoutTrain<ratio=0.3, rows=1>(x:double[9,2,3], s:int64[]={4})" },
	{ .name = "half",
	  .graph = "y = predictd.DropoutTrain<seed=3, stream=7, "
		   "ratio=0.5>(x:float[33,5], s:int64[]={4})" },
	{ .name = "double",
	  .graph = "y = predictd.DropoutTrain<ratio=0.25>(x:double[7], s:int64[]={1})" },
	{ .name = "nothing", .graph = "y = predictd.DropoutTrain(x:float[0,3], s:int64[]={1})" },
	{ 0 },
};
static const struct op_case dropout_cases[] = {
	{ .name = "evaluation", .graph = "y, m = Dropout(x:float[3,5])" },
	{ .name = "ratio alone", .graph = "y = Dropout(x:float[3,5], r:float[]={0.3})" },
	{ .name = "not training",
	  .graph = "y, m = Dropout(x:float[3,5], r:float[]={0.3}, t:bool[]={0})" },
	{ .name = "double", .graph = "y = Dropout(x:double[3,5])" },
	{ .name = "two ratios", .graph = "y = Dropout(x:float[3,5], r:float[2]={0.3,0.4})",
	  .want = ERR_SHAPE },
	{ 0 },
};
/* clang-format on */

extern const struct op op_dropout;
const struct op op_dropout = {
	.domain = "",
	.name = "Dropout",
	.help = "The input, unless training_mode is true: then elements are "
		"zeroed with probability ratio and the rest scaled up.",
	.since = 13,
	.in = dropout_in,
	.out = dropout_out,
	.attrs = dropout_attrs,
	.attrs_size = sizeof(struct dropout_attrs),
	.infer = dropout_infer,
	.kernels = dropout_kernels,
	.vjp = dropout_vjp,
	.cases = dropout_cases,
};

extern const struct op op_dropout_mask;
const struct op op_dropout_mask = {
	.domain = "predictd",
	.name = "DropoutMask",
	.help = "0 with probability ratio, else 1 / (1 - ratio), for each "
		"element of x.",
	.since = 1,
	.flags = OP_NO_GRADIENT,
	.in = mask_in,
	.out = mask_out,
	.attrs = mask_attrs,
	.attrs_size = sizeof(struct dropout_mask_attrs),
	.infer = mask_infer,
	.kernels = mask_kernels,
	.cases = mask_cases,
};

extern const struct op op_dropout_train;
const struct op op_dropout_train = {
	.domain = "predictd",
	.name = "DropoutTrain",
	.help = "x times its DropoutMask.",
	.since = 1,
	.in = mask_in,
	.out = train_out,
	.attrs = mask_attrs,
	.attrs_size = sizeof(struct dropout_mask_attrs),
	.infer = mask_infer,
	.kernels = mask_kernels,
	.grad = "dx = predictd.DropoutTrain<seed=@seed, stream=@stream, "
		"ratio=@ratio, rows=@rows>(dy, step)",
	.cases = train_cases,
};
