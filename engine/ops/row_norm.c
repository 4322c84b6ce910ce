/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Normalization of rows by their own statistics: LayerNormalization (all axes
 * from `axis` on), GroupNormalization (groups of channels of one image) and
 * InstanceNormalization (one channel of one image).
 *
 *   y = (x - mean) rstd scale + bias,   rstd = 1 / sqrt(var + epsilon)
 */
#include <math.h>
#include <string.h>

#include "engine/autodiff.h"
#include "engine/kernel.h"
#include "engine/kernels/row_loops.h"
#include "engine/ops/norm.h"

enum { LANES = 8, MAX_SLICES = 16, SLICE_ELEMENTS = 1 << 14 };

/* Row r reads scale[(r % groups) * per + k] for its elements k * inner .. */
struct row_norm {
	int64_t n_rows, n; /* n = per * inner */
	int64_t groups, per, inner;
	double epsilon;
	bool has_bias;
};

/* Mean and InvStdDev have a type of their own. */
static void put_statistic(const struct kernel_call *call, unsigned i,
			  int64_t row, double value)
{
	void *to = i < call->query->n_out ? call->out[i] : NULL;

	if (to && call->query->out[i].type.elem == DTYPE_F64)
		((double *)to)[row] = value;
	else if (to)
		((float *)to)[row] = (float)value;
}

#define T float
#define NAME(x) x##_f32
#include "engine/ops/row_norm_typed.h"

#define T double
#define NAME(x) x##_f64
#include "engine/ops/row_norm_typed.h"

static struct row_norm layer_rows(const struct shape *x, int64_t axis)
{
	const unsigned from = (unsigned)(axis < 0 ? axis + x->rank : axis);
	const int64_t n = shape_range(x, from, x->rank);

	return (struct row_norm){
		.n_rows = shape_range(x, 0, from),
		.n = n,
		.groups = 1,
		.per = n,
		.inner = 1,
	};
}

static struct row_norm group_rows(const struct shape *x, int64_t groups)
{
	const int64_t per = groups ? x->dim[1] / groups : 0;
	const int64_t inner = shape_range(x, 2, x->rank);

	return (struct row_norm){
		.n_rows = x->dim[0] * groups,
		.n = per * inner,
		.groups = groups,
		.per = per,
		.inner = inner,
	};
}

static struct row_norm query_rows(const struct kernel_query *query, unsigned at)
{
	const struct row_norm_attrs *attrs = query->attrs;
	const struct shape *x = &query->in[at].shape;
	struct row_norm g;

	if (!strcmp(query->op->name, "InstanceNormalization"))
		g = group_rows(x, x->dim[1]);
	else if (attrs->num_groups)
		g = group_rows(x, attrs->num_groups);
	else
		g = layer_rows(x, attrs->axis);
	g.epsilon = attrs->epsilon;
	g.has_bias = query->n_in > 2 && query->in[2].type.elem != DTYPE_NONE;
	return g;
}

/* One row of floats whose scale goes element by element, in vectors. */
static void forward_row(const struct row_norm *g,
			const struct kernel_call *call, int64_t row)
{
	const float *x = (const float *)call->in[0] + row * g->n;
	float *y = call->out[0];
	double mean, rstd;

	statistics_f32(g, x, &mean, &rstd);
	put_statistic(call, 1, row, mean);
	put_statistic(call, 2, row, rstd);
	if (y)
		row_loops()->norm(x,
				  (const float[2]){ (float)mean, (float)rstd },
				  call->in[1], g->has_bias ? call->in[2] : NULL,
				  g->n, y + row * g->n);
}

static void backward_row(const struct row_norm *g,
			 const struct kernel_call *call, int64_t row,
			 double *dscale, double *dbias)
{
	struct row_norm_back back = {
		.n = g->n,
		.dy = (const float *)call->in[0] + row * g->n,
		.x = (const float *)call->in[1] + row * g->n,
		.scale = call->in[2],
		.dx = call->out[0],
	};
	double mean, rstd;

	statistics_f32(g, back.x, &mean, &rstd);
	back.dscale = dscale;
	back.dbias = dbias;
	back.mean = (float)mean;
	back.rstd = (float)rstd;
	if (back.dx)
		back.dx += row * g->n;
	row_loops()->norm_back(&back);
}

static void forward_rows_run(const struct kernel_call *call, unsigned slice,
			     void *scratch)
{
	const struct row_norm g = query_rows(call->query, 0);
	int64_t first, last;

	(void)scratch;
	kernel_slice(g.n_rows, call->n_slices, slice, &first, &last);
	for (int64_t row = first; row < last; row++)
		forward_row(&g, call, row);
}

static void forward_run(const struct kernel_call *call, unsigned slice,
			void *scratch)
{
	const struct row_norm g = query_rows(call->query, 0);
	int64_t first, last;

	(void)scratch;
	kernel_slice(g.n_rows, call->n_slices, slice, &first, &last);
	for (int64_t row = first; row < last; row++) {
		if (call->query->in[0].type.elem == DTYPE_F64)
			forward_f64(&g, call, row);
		else
			forward_f32(&g, call, row);
	}
}

/* sums over rows are made in scratch, in order */
static void backward(const struct kernel_call *call, bool by_rows,
		     void *scratch)
{
	const struct row_norm g = query_rows(call->query, 1);
	const bool is_f64 = call->query->in[0].type.elem == DTYPE_F64;
	const int64_t n = g.groups * g.per;
	double *dscale = scratch, *dbias = dscale + n;

	for (int64_t i = 0; i < 2 * n; i++)
		dscale[i] = 0;
	for (int64_t row = 0; row < g.n_rows; row++) {
		if (by_rows)
			backward_row(&g, call, row, dscale, dbias);
		else if (is_f64)
			backward_f64(&g, call, row, dscale, dbias);
		else
			backward_f32(&g, call, row, dscale, dbias);
	}
	for (unsigned i = 1; i < call->query->n_out; i++) {
		const double *sum = i == 1 ? dscale : dbias;

		if (is_f64)
			store_f64(sum, n, call->out[i]);
		else
			store_f32(sum, n, call->out[i]);
	}
}

static void backward_run(const struct kernel_call *call, unsigned slice,
			 void *scratch)
{
	(void)slice;
	backward(call, false, scratch);
}

static void backward_rows_run(const struct kernel_call *call, unsigned slice,
			      void *scratch)
{
	(void)slice;
	backward(call, true, scratch);
}

static enum err_code forward_prepare(const struct kernel_query *query,
				     struct kernel_setup *ret, struct err *err)
{
	const struct row_norm g = query_rows(query, 0);
	int64_t n = g.n_rows * g.n / SLICE_ELEMENTS;

	(void)err;
	n = n > g.n_rows ? g.n_rows : n;
	ret->n_slices = n < 1 ? 1 : n > MAX_SLICES ? MAX_SLICES : (unsigned)n;
	return ERR_NONE;
}

static enum err_code backward_prepare(const struct kernel_query *query,
				      struct kernel_setup *ret, struct err *err)
{
	const struct row_norm g = query_rows(query, 1);

	(void)err;
	ret->scratch_bytes = 2 * (size_t)(g.groups * g.per) * sizeof(double);
	return ERR_NONE;
}

static double cost(const struct kernel_query *query)
{
	return 0.1 + (double)shape_count(&query->in[0].shape) * 1e-3;
}

/* scale, and bias where there is one, have that shape */
static enum err_code check_scale(const struct infer *infer, unsigned first,
				 const struct shape *want, struct err *err)
{
	char text[2][64];

	for (unsigned i = first; i < infer->n_in && i < first + 2; i++) {
		const struct shape *s = &infer->in[i].shape;

		if (infer->in[i].type.elem != DTYPE_NONE &&
		    !shape_equal(s, want))
			return infer_fail(
			    err, "input '%s': expected %s, got %s",
			    i == first ? "Scale" : "B",
			    shape_text(want, text[0], sizeof(text[0])),
			    shape_text(s, text[1], sizeof(text[1])));
	}
	return ERR_NONE;
}

static void set_shape(struct infer *infer, unsigned i,
		      const struct shape *shape)
{
	if (i >= infer->n_out)
		return;
	infer->out[i].shape = *shape;
	infer->out[i].has_shape = true;
}

static enum err_code layer_infer(struct infer *infer, struct err *err)
{
	const struct row_norm_attrs *attrs = infer->attrs;
	const struct shape *x = &infer->in[0].shape;
	struct shape tail = { 0 }, mean = *x;
	unsigned axis;
	enum err_code rc =
	    shape_axis(attrs->axis, x->rank, "attribute 'axis'", &axis, err);

	if (rc)
		return rc;
	for (unsigned i = axis; i < x->rank; i++) {
		tail.dim[tail.rank++] = x->dim[i];
		mean.dim[i] = 1;
	}
	rc = check_scale(infer, 1, &tail, err);
	set_shape(infer, 0, x);
	set_shape(infer, 1, &mean);
	set_shape(infer, 2, &mean);
	return rc;
}

static enum err_code channels_infer(struct infer *infer, unsigned x_at,
				    int64_t groups, struct err *err)
{
	const struct shape *x = &infer->in[x_at].shape;
	struct shape channels = { .rank = 1 };

	if (x->rank < 2)
		return infer_fail(err,
				  "input 'X': expected [batch, channels, ...], "
				  "got rank %u",
				  x->rank);
	channels.dim[0] = x->dim[1];
	if (groups < 0 || (groups && x->dim[1] % groups))
		return err_set(err, ERR_INVALID,
			       "attribute 'num_groups': expected a divisor of "
			       "%lld channels, got %lld",
			       (long long)x->dim[1], (long long)groups);
	set_shape(infer, 0, x);
	return check_scale(infer, x_at + 1, &channels, err);
}

static enum err_code group_infer(struct infer *infer, struct err *err)
{
	const struct row_norm_attrs *attrs = infer->attrs;

	if (attrs->num_groups < 1)
		return err_set(err, ERR_INVALID,
			       "attribute 'num_groups': expected 1 or more, "
			       "got %lld",
			       (long long)attrs->num_groups);
	return channels_infer(infer, 0, attrs->num_groups, err);
}

static enum err_code instance_infer(struct infer *infer, struct err *err)
{
	return channels_infer(infer, 0, 0, err);
}

static enum err_code grad_infer(struct infer *infer, struct err *err)
{
	const struct row_norm_attrs *attrs = infer->attrs;
	const struct shape *x = &infer->in[1].shape;
	struct shape tail = { 0 };
	unsigned axis;
	enum err_code rc;

	if (!shape_equal(&infer->in[0].shape, x))
		return infer_fail(err, "input 'dy': expected the shape of "
				       "input 'x'");
	set_shape(infer, 0, x);
	set_shape(infer, 1, &infer->in[2].shape);
	set_shape(infer, 2, &infer->in[2].shape);
	if (attrs->num_groups)
		return channels_infer(infer, 1, attrs->num_groups, err);
	rc = shape_axis(attrs->axis, x->rank, "attribute 'axis'", &axis, err);
	if (rc)
		return rc;
	for (unsigned i = axis; i < x->rank; i++)
		tail.dim[tail.rank++] = x->dim[i];
	return check_scale(infer, 2, &tail, err);
}

static enum err_code vjp(struct vjp *v, struct err *err)
{
	struct row_norm_attrs attrs = *(const struct row_norm_attrs *)v->attrs;
	const struct shape *x = &build_fact(v->build, v->in[0])->shape;
	const int32_t in[3] = { v->grad_out[0], v->in[0], v->in[1] };
	int32_t out[3];

	for (int32_t i = 1; i < v->node->n_out; i++) {
		if (v->grad_out[i] != VALUE_NONE)
			return err_set(err, ERR_UNSUPPORTED,
				       "%s: only its first result has a "
				       "gradient",
				       v->node->op->name);
	}
	if (!strcmp(v->node->op->name, "InstanceNormalization"))
		attrs.num_groups = x->dim[1] ? x->dim[1] : 1;
	build_nodes(v->build, "RowNormGrad", &attrs, in, 3, out, 3);
	for (int32_t i = 0; i < v->node->n_in; i++)
		v->grad_in[i] = out[i];
	return build_check(v->build, err);
}

static bool fits(const struct kernel_query *query)
{
	const enum dtype elem = query->in[0].type.elem;
	const enum dtype stat =
	    query->n_out > 1 ? query->out[1].type.elem : DTYPE_NONE;

	return (elem == DTYPE_F32 || elem == DTYPE_F64) &&
	       (stat == DTYPE_NONE || stat == DTYPE_F32 || stat == DTYPE_F64);
}

static bool forward_rows_fit(const struct kernel_query *query)
{
	return query->in[0].type.elem == DTYPE_F32 && fits(query) &&
	       query_rows(query, 0).groups == 1 &&
	       query_rows(query, 0).inner == 1;
}

static bool backward_rows_fit(const struct kernel_query *query)
{
	return query->in[0].type.elem == DTYPE_F32 &&
	       query_rows(query, 1).groups == 1 &&
	       query_rows(query, 1).inner == 1;
}

static double rows_cost(const struct kernel_query *query)
{
	return 0.1 + (double)shape_count(&query->in[0].shape) * 4e-4;
}

static const struct kernel forward_rows = {
	.name = "row_norm.rows",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE | KERNEL_IN_PLACE,
	.fits = forward_rows_fit,
	.cost = rows_cost,
	.prepare = forward_prepare,
	.run = forward_rows_run,
};
static const struct kernel backward_rows = {
	.name = "row_norm_grad.rows",
	.flags = KERNEL_QUICK | KERNEL_IN_PLACE,
	.fits = backward_rows_fit,
	.cost = rows_cost,
	.prepare = backward_prepare,
	.run = backward_rows_run,
};
static const struct kernel forward_kernel = {
	.name = "row_norm.plain",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE | KERNEL_IN_PLACE,
	.fits = fits,
	.cost = cost,
	.prepare = forward_prepare,
	.run = forward_run,
};
static const struct kernel backward_kernel = {
	.name = "row_norm_grad.plain",
	.flags = KERNEL_QUICK | KERNEL_IN_PLACE,
	.fits = fits,
	.cost = cost,
	.prepare = backward_prepare,
	.run = backward_run,
};
static const struct kernel *const forward_kernels[] = { &forward_rows,
							&forward_kernel, NULL };
static const struct kernel *const backward_kernels[] = { &backward_rows,
							 &backward_kernel,
							 NULL };

static const struct port layer_in[] = {
	{ "X", "T:float16,float,double,bfloat16", 0 },
	{ "Scale", "T", 0 },
	{ "B", "T", PORT_OPTIONAL },
	{ 0 },
};
static const struct port layer_out[] = {
	{ "Y", "T", 0 },
	{ "Mean", "@stash_type", PORT_OPTIONAL },
	{ "InvStdDev", "@stash_type", PORT_OPTIONAL },
	{ 0 },
};
static const struct port channels_in[] = {
	{ "X", "T:float16,float,double,bfloat16", 0 },
	{ "scale", "T", 0 },
	{ "bias", "T", 0 },
	{ 0 },
};
static const struct port channels_out[] = { { "Y", "T", 0 }, { 0 } };
static const struct port grad_in[] = {
	{ "dy", "T:float,double", 0 },
	{ "x", "T", 0 },
	{ "scale", "T", 0 },
	{ 0 },
};
static const struct port grad_out[] = {
	{ "dx", "T", 0 },
	{ "dscale", "T", PORT_OPTIONAL },
	{ "dbias", "T", PORT_OPTIONAL },
	{ 0 },
};

/* clang-format off */
#define AXIS \
	{ .name = "axis", .help = "the first axis of a row", \
	  .offset = offsetof(struct row_norm_attrs, axis), .kind = ATTR_INT, .def = -1 }
#define EPSILON \
	{ .name = "epsilon", .help = "added to the variance", \
	  .offset = offsetof(struct row_norm_attrs, epsilon), .kind = ATTR_FLOAT, .max = 1e30, \
	  .def = 1e-5 }
#define STASH \
	{ .name = "stash_type", .help = "element type of Mean and InvStdDev", \
	  .offset = offsetof(struct row_norm_attrs, stash_type), .kind = ATTR_INT, .min = 1, \
	  .max = 16, .def = 1 }

static const struct op_attr layer_attrs[] = { AXIS, EPSILON, STASH, { 0 } };
static const struct op_attr group_attrs[] = {
	EPSILON,
	{ .name = "num_groups", .help = "groups of channels",
	  .offset = offsetof(struct row_norm_attrs, num_groups), .kind = ATTR_INT,
	  .flags = ATTR_REQUIRED, .min = 1, .max = INT32_MAX },
	STASH,
	{ 0 },
};
static const struct op_attr instance_attrs[] = { EPSILON, { 0 } };
static const struct op_attr grad_attrs[] = {
	AXIS,
	EPSILON,
	{ .name = "num_groups", .help = "groups of channels; 0: rows from axis on",
	  .offset = offsetof(struct row_norm_attrs, num_groups), .kind = ATTR_INT,
	  .max = INT32_MAX },
	{ 0 },
};

static const struct op_case layer_cases[] = {
	{ .name = "statistics of doubles",
	  .graph = "y, m, r = LayerNormalization<stash_type=11>(x:float[2,5,6], s:float[6])" },
	{ .name = "last axis",
	  .graph = "y = LayerNormalization(x:float[2,5,6], s:float[6], b:float[6])" },
	{ .name = "two axes",
	  .graph = "y = LayerNormalization<axis=1, epsilon=0.1>(x:float[4,3,5], "
		   "s:float[3,5], b:float[3,5])" },
	{ .name = "all axes",
	  .graph = "y = LayerNormalization<axis=0>(x:float[4,3], s:float[4,3])" },
	{ .name = "statistics",
	  .graph = "y, m, r = LayerNormalization(x:float[7,33], s:float[33], b:float[33])",
	  .tolerance = 1e-4 },
	{ .name = "many rows",
	  .graph = "y = LayerNormalization(x:float[300,80], s:float[80], b:float[80])",
	  .tolerance = 1e-4 },
	{ .name = "double",
	  .graph = "y = LayerNormalization(x:double[2,6], s:double[6], b:double[6])" },
	{ .name = "no rows",
	  .graph = "y = LayerNormalization(x:float[0,6], s:float[6], b:float[6])" },
	{ .name = "scale too short",
	  .graph = "y = LayerNormalization(x:float[2,6], s:float[5])", .want = ERR_SHAPE },
	{ .name = "bias too long",
	  .graph = "y = LayerNormalization(x:float[2,6], s:float[6], b:float[7])",
	  .want = ERR_SHAPE },
	{ .name = "axis past the end",
	  .graph = "y = LayerNormalization<axis=2>(x:float[2,6], s:float[6])",
	  .want = ERR_SHAPE },
	{ 0 },
};
static const struct op_case group_cases[] = {
	{ .name = "two groups",
	  .graph = "y = GroupNormalization<num_groups=2>(x:float[2,4,3,3], "
		   "s:float[4], b:float[4])" },
	{ .name = "rows",
	  .graph = "y = GroupNormalization<num_groups=2>(x:float[3,8], s:float[8], b:float[8])",
	  .tolerance = 1e-4 },
	{ .name = "double",
	  .graph = "y = GroupNormalization<num_groups=3>(x:double[2,6,4], "
		   "s:double[6], b:double[6])" },
	{ .name = "no batch",
	  .graph = "y = GroupNormalization<num_groups=2>(x:float[0,4,3], s:float[4], "
		   "b:float[4])" },
	{ .name = "groups do not divide",
	  .graph = "y = GroupNormalization<num_groups=3>(x:float[2,4,3], s:float[4], "
		   "b:float[4])", .want = ERR_INVALID },
	{ .name = "scale by group",
	  .graph = "y = GroupNormalization<num_groups=2>(x:float[2,4,3], s:float[2], "
		   "b:float[2])", .want = ERR_SHAPE },
	{ 0 },
};
static const struct op_case instance_cases[] = {
	{ .name = "images",
	  .graph = "y = InstanceNormalization(x:float[2,3,5,5], s:float[3], b:float[3])" },
	{ .name = "sequence",
	  .graph = "y = InstanceNormalization<epsilon=0.01>(x:double[2,3,7], "
		   "s:double[3], b:double[3])" },
	{ .name = "no channels",
	  .graph = "y = InstanceNormalization(x:float[2,0,7], s:float[0], b:float[0])" },
	{ .name = "a vector",
	  .graph = "y = InstanceNormalization(x:float[3], s:float[3], b:float[3])",
	  .want = ERR_SHAPE },
	{ .name = "bias too long",
	  .graph = "y = InstanceNormalization(x:float[2,3,5], s:float[3], b:float[4])",
	  .want = ERR_SHAPE },
	{ 0 },
};
static const struct op_case grad_cases[] = {
	{ .name = "rows",
	  .graph = "dx, ds, db = predictd.RowNormGrad(dy:float[4,6], x:float[4,6], s:float[6])",
	  .tolerance = 1e-4 },
	{ .name = "groups",
	  .graph = "dx, ds, db = predictd.RowNormGrad<num_groups=2>(dy:double[2,4,3], "
		   "x:double[2,4,3], s:double[4])" },
	{ .name = "shapes differ",
	  .graph = "dx = predictd.RowNormGrad(dy:float[4,6], x:float[4,5], s:float[5])",
	  .want = ERR_SHAPE },
	{ .name = "scale too short",
	  .graph = "dx = predictd.RowNormGrad(dy:float[4,6], x:float[4,6], s:float[5])",
	  .want = ERR_SHAPE },
	{ 0 },
};
/* clang-format on */

extern const struct op op_group_normalization;
const struct op op_group_normalization = {
	.domain = "",
	.name = "GroupNormalization",
	.help = "Normalizes groups of channels of each image.",
	.since = 21,
	.in = channels_in,
	.out = channels_out,
	.attrs = group_attrs,
	.attrs_size = sizeof(struct row_norm_attrs),
	.infer = group_infer,
	.kernels = forward_kernels,
	.vjp = vjp,
	.cases = group_cases,
};

extern const struct op op_instance_normalization;
const struct op op_instance_normalization = {
	.domain = "",
	.name = "InstanceNormalization",
	.help = "Normalizes each channel of each image.",
	.since = 6,
	.in = channels_in,
	.out = channels_out,
	.attrs = instance_attrs,
	.attrs_size = sizeof(struct row_norm_attrs),
	.infer = instance_infer,
	.kernels = forward_kernels,
	.vjp = vjp,
	.cases = instance_cases,
};

extern const struct op op_layer_normalization;
const struct op op_layer_normalization = {
	.domain = "",
	.name = "LayerNormalization",
	.help = "Normalizes over all axes from `axis` on.",
	.since = 17,
	.in = layer_in,
	.out = layer_out,
	.attrs = layer_attrs,
	.attrs_size = sizeof(struct row_norm_attrs),
	.infer = layer_infer,
	.kernels = forward_kernels,
	.vjp = vjp,
	.cases = layer_cases,
};

extern const struct op op_row_norm_grad;
const struct op op_row_norm_grad = {
	.domain = "predictd",
	.name = "RowNormGrad",
	.help = "Gradients of normalized rows, whose statistics it makes "
		"again.",
	.since = 1,
	.in = grad_in,
	.out = grad_out,
	.attrs = grad_attrs,
	.attrs_size = sizeof(struct row_norm_attrs),
	.infer = grad_infer,
	.kernels = backward_kernels,
	.cases = grad_cases,
};
