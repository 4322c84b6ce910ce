/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Gather: y[a.., i.., b..] = x[a.., index[i..], b..] along one axis, and
 * GatherElements, where each element has its own index; their gradients add in
 * the order of the indices. A negative index counts from the end; one out of
 * range is a fault and gives zeros.
 */
#include <string.h>

#include "engine/autodiff.h"
#include "engine/kernels/row_loops.h"
#include "engine/ops/index.h"
#include "engine/ops/move.h"

struct gather_attrs {
	int64_t axis;
};

/* Rows of the result that one slice adds to: first to last - 1 of `extent`. */
struct scatter {
	const void *index;
	bool wide; /* int64, else int32 */
	int64_t outer, extent, inner, n, first, last;
};

/* Offsets of GatherElements: all axes but the gathered one are one to one. */
struct elements {
	const void *index;
	bool wide;
	struct shape shape; /* of the indices */
	unsigned axis;
	int64_t stride[SHAPE_MAX_RANK]; /* of data; 0 on the axis */
	int64_t pitch, extent, n;	/* of the axis; n: elements */
};

static void elements_next(const struct elements *e, int64_t *at)
{
	for (unsigned i = e->shape.rank; i-- > 0;) {
		if (++at[i] < e->shape.dim[i])
			return;
		at[i] = 0;
	}
}

static int64_t elements_offset(const struct elements *e, const int64_t *at)
{
	int64_t offset = 0;

	for (unsigned i = 0; i < e->shape.rank; i++)
		offset += at[i] * e->stride[i];
	return offset;
}

static void add_doubles(const double *a, const double *b, int64_t n, double *y)
{
	for (int64_t j = 0; j < n; j++)
		y[j] = a[j] + b[j];
}

#define T float
#define NAME(x) x##_f32
#define ADD row_loops()->add
#include "engine/ops/gather_typed.h"
#undef T
#undef NAME
#undef ADD
#define T double
#define NAME(x) x##_f64
#define ADD add_doubles
#include "engine/ops/gather_typed.h"
#undef T
#undef NAME
#undef ADD

/* Gather */

static enum err_code gather_infer(struct infer *infer, struct err *err)
{
	const struct gather_attrs *attrs = infer->attrs;
	const struct shape *x = &infer->in[0].shape;
	const struct shape *index = &infer->in[1].shape;
	struct shape *y = &infer->out[0].shape;
	unsigned axis;
	enum err_code rc;

	rc = shape_axis(attrs->axis, x->rank, "attribute 'axis'", &axis, err);
	if (rc)
		return rc;
	if (x->rank + index->rank > SHAPE_MAX_RANK + 1)
		return infer_fail(err,
				  "inputs 'data' and 'indices' of ranks %u and "
				  "%u make rank %u: expected at most %d",
				  x->rank, index->rank,
				  x->rank + index->rank - 1, SHAPE_MAX_RANK);
	y->rank = 0;
	for (unsigned i = 0; i < axis; i++)
		y->dim[y->rank++] = x->dim[i];
	for (unsigned i = 0; i < index->rank; i++)
		y->dim[y->rank++] = index->dim[i];
	for (unsigned i = axis + 1; i < x->rank; i++)
		y->dim[y->rank++] = x->dim[i];
	infer->out[0].has_shape = true;
	return shape_check(y, "output 'output'", err);
}

/* The loops over x (or its gradient's) shape. */
static struct scatter scatter_of(const struct kernel_query *q,
				 const struct shape *x)
{
	const struct gather_attrs *attrs = q->attrs;
	const unsigned axis =
	    (unsigned)(attrs->axis < 0 ? attrs->axis + x->rank : attrs->axis);
	struct scatter s = {
		.wide = q->in[1].type.elem == DTYPE_I64,
		.outer = shape_range(x, 0, axis),
		.extent = x->dim[axis],
		.inner = shape_range(x, axis + 1, x->rank),
		.n = shape_count(&q->in[1].shape),
	};

	return s;
}

static enum err_code gather_prepare(const struct kernel_query *query,
				    struct kernel_setup *ret, struct err *err)
{
	const struct scatter s = scatter_of(query, &query->in[0].shape);
	const struct fact *y = &query->out[0];

	(void)err;
	ret->n_slices = move_slices(query, s.outer * s.n,
				    tensor_bytes(y->type.elem, &y->shape));
	return ERR_NONE;
}

static void gather_run(const struct kernel_call *call, unsigned slice,
		       void *scratch)
{
	const struct kernel_query *q = call->query;
	const struct scatter s = scatter_of(q, &q->in[0].shape);
	const size_t bytes = (size_t)s.inner * query_size(q);
	const char *x = call->in[0];
	char *y = call->out[0];
	int64_t first, last;

	(void)scratch;
	kernel_slice(s.outer * s.n, call->n_slices, slice, &first, &last);
	for (int64_t r = first; r < last && bytes; r++) {
		int64_t k = index_at(call->in[1], s.wide, r % s.n, s.extent);

		if (k >= 0) {
			memcpy(y + (size_t)r * bytes,
			       x + (size_t)(r / s.n * s.extent + k) * bytes,
			       bytes);
		} else {
			memset(y + (size_t)r * bytes, 0, bytes);
			kernel_fault(call, r % s.n);
		}
	}
}

/* a copy, and about 2 ns an index */
static double gather_cost(const struct kernel_query *query)
{
	const struct fact *y = &query->out[0];

	return 0.05 + (double)tensor_bytes(y->type.elem, &y->shape) / 4e3 +
	       (double)shape_count(&query->in[1].shape) / 500;
}

static const struct kernel gather_kernel = {
	.name = "gather.copy",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE,
	.cost = gather_cost,
	.prepare = gather_prepare,
	.run = gather_run,
};
static const struct kernel *const gather_kernels[] = { &gather_kernel, NULL };

/* The rule of both: NAMEGrad(dY, indices, shape of data). */
static enum err_code grad_node(struct vjp *vjp, const char *op, struct err *err)
{
	const struct shape x = build_fact(vjp->build, vjp->in[0])->shape;
	int32_t in[3] = { vjp->grad_out[0], vjp->in[1],
			  build_ints(vjp->build, x.dim, x.rank) };

	vjp->grad_in[0] = build_node(vjp->build, op, vjp->attrs, in, 3);
	return build_check(vjp->build, err);
}

static enum err_code gather_vjp(struct vjp *vjp, struct err *err)
{
	return grad_node(vjp, "GatherGrad", err);
}

/* GatherGrad: in 0 dY, 1 indices, 2 the shape of data */

/* Output shape of both gradients, and the axis in it. */
static enum err_code grad_shape(struct infer *infer, unsigned *ret_axis,
				struct err *err)
{
	const struct gather_attrs *attrs = infer->attrs;
	struct shape *dx = &infer->out[0].shape;
	enum err_code rc;
	size_t n = 0;

	rc = infer_ints(infer, 2, dx->dim, &n, err);
	dx->rank = (unsigned)n;
	if (!rc)
		rc = shape_check(dx, "input 'shape'", err);
	if (!rc)
		rc = shape_axis(attrs->axis, dx->rank, "attribute 'axis'",
				ret_axis, err);
	infer->out[0].has_shape = !rc;
	return rc;
}

static enum err_code gather_grad_infer(struct infer *infer, struct err *err)
{
	const struct shape *dy = &infer->in[0].shape;
	const struct shape *index = &infer->in[1].shape;
	const struct shape *dx = &infer->out[0].shape;
	bool same;
	unsigned axis;
	enum err_code rc = grad_shape(infer, &axis, err);

	if (rc)
		return rc;
	same = dy->rank + 1 == dx->rank + index->rank;
	for (unsigned i = 0; same && i < dy->rank; i++) {
		if (i < axis)
			same = dy->dim[i] == dx->dim[i];
		else if (i < axis + index->rank)
			same = dy->dim[i] == index->dim[i - axis];
		else
			same = dy->dim[i] == dx->dim[i + 1 - index->rank];
	}
	if (!same) {
		char got[64], shape[64], at[64];

		return infer_fail(err,
				  "input 'dY' of shape %s does not fit indices "
				  "of %s into data of %s",
				  shape_text(dy, got, sizeof(got)),
				  shape_text(index, at, sizeof(at)),
				  shape_text(dx, shape, sizeof(shape)));
	}
	return ERR_NONE;
}

static enum err_code gather_grad_prepare(const struct kernel_query *query,
					 struct kernel_setup *ret,
					 struct err *err)
{
	const struct fact *dx = &query->out[0];
	const struct scatter s = scatter_of(query, &dx->shape);

	(void)err;
	ret->n_slices = move_slices(query, s.extent,
				    tensor_bytes(dx->type.elem, &dx->shape));
	return ERR_NONE;
}

static void gather_grad_run(const struct kernel_call *call, unsigned slice,
			    void *scratch)
{
	const struct kernel_query *q = call->query;
	struct scatter s = scatter_of(q, &q->out[0].shape);
	const size_t row = (size_t)s.inner * query_size(q);
	char *y = call->out[0];

	(void)scratch;
	s.index = call->in[1];
	kernel_slice(s.extent, call->n_slices, slice, &s.first, &s.last);
	for (int64_t o = 0; o < s.outer; o++)
		memset(y + (size_t)(o * s.extent + s.first) * row, 0,
		       (size_t)(s.last - s.first) * row);
	if (q->in[0].type.elem == DTYPE_F32)
		scatter_add_f32(&s, call->in[0], call->out[0]);
	else
		scatter_add_f64(&s, call->in[0], call->out[0]);
	for (int64_t i = 0; slice == 0 && i < s.n; i++)
		if (index_at(s.index, s.wide, i, s.extent) < 0)
			kernel_fault(call, i);
}

static bool is_float_or_double(const struct kernel_query *query)
{
	return query->in[0].type.elem == DTYPE_F32 ||
	       query->in[0].type.elem == DTYPE_F64;
}

static double gather_grad_cost(const struct kernel_query *query)
{
	return move_cost(query) +
	       (double)shape_count(&query->in[1].shape) / 500;
}

static const struct kernel gather_grad_kernel = {
	.name = "gather_grad.ordered",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE,
	.fits = is_float_or_double,
	.cost = gather_grad_cost,
	.prepare = gather_grad_prepare,
	.run = gather_grad_run,
};
static const struct kernel *const gather_grad_kernels[] = { &gather_grad_kernel,
							    NULL };

/* GatherElements */

/* The indices fit data of shape x: same rank, nowhere larger but on the axis.
 */
static enum err_code elements_check(const struct shape *x,
				    const struct shape *index, unsigned axis,
				    struct err *err)
{
	char got[64], shape[64];
	bool fits = x->rank == index->rank;

	for (unsigned i = 0; fits && i < x->rank; i++)
		fits = i == axis || index->dim[i] <= x->dim[i];
	if (fits)
		return ERR_NONE;
	return infer_fail(err,
			  "input 'indices' expected no extent beyond those of "
			  "data %s but on axis %u, got %s",
			  shape_text(x, shape, sizeof(shape)), axis,
			  shape_text(index, got, sizeof(got)));
}

static enum err_code gather_elements_infer(struct infer *infer, struct err *err)
{
	const struct gather_attrs *attrs = infer->attrs;
	const struct shape *x = &infer->in[0].shape;
	unsigned axis;
	enum err_code rc;

	rc = shape_axis(attrs->axis, x->rank, "attribute 'axis'", &axis, err);
	if (!rc)
		rc = elements_check(x, &infer->in[1].shape, axis, err);
	infer->out[0].shape = infer->in[1].shape;
	infer->out[0].has_shape = !rc;
	return rc;
}

static struct elements elements_of(const struct kernel_call *call,
				   const struct shape *x)
{
	const struct kernel_query *q = call->query;
	const struct gather_attrs *attrs = q->attrs;
	struct elements e = {
		.index = call->in[1],
		.wide = q->in[1].type.elem == DTYPE_I64,
		.shape = q->in[1].shape,
		.axis = (unsigned)(attrs->axis < 0 ? attrs->axis + x->rank
						   : attrs->axis),
	};

	move_strides(x, e.stride);
	e.pitch = e.stride[e.axis];
	e.extent = x->dim[e.axis];
	e.n = shape_count(&e.shape);
	e.stride[e.axis] = 0;
	return e;
}

static void gather_elements_run(const struct kernel_call *call, unsigned slice,
				void *scratch)
{
	const struct elements e = elements_of(call, &call->query->in[0].shape);
	const size_t size = query_size(call->query);
	const char *x = call->in[0];
	char *y = call->out[0];
	int64_t at[SHAPE_MAX_RANK] = { 0 };

	(void)slice;
	(void)scratch;
	for (int64_t i = 0; i < e.n; i++) {
		int64_t k = index_at(e.index, e.wide, i, e.extent);
		int64_t from = elements_offset(&e, at) + k * e.pitch;

		if (k >= 0) {
			memcpy(y + (size_t)i * size, x + (size_t)from * size,
			       size);
		} else {
			memset(y + (size_t)i * size, 0, size);
			kernel_fault(call, i);
		}
		elements_next(&e, at);
	}
}

static const struct kernel gather_elements_kernel = {
	.name = "gather_elements.reference",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE,
	.cost = move_cost_scattered,
	.run = gather_elements_run,
};
static const struct kernel *const gather_elements_kernels[] = {
	&gather_elements_kernel, NULL
};

static enum err_code gather_elements_vjp(struct vjp *vjp, struct err *err)
{
	return grad_node(vjp, "GatherElementsGrad", err);
}

static enum err_code gather_elements_grad_infer(struct infer *infer,
						struct err *err)
{
	const struct shape *dy = &infer->in[0].shape;
	const struct shape *index = &infer->in[1].shape;
	char expected[64], got[64];
	unsigned axis;
	enum err_code rc = grad_shape(infer, &axis, err);

	if (rc)
		return rc;
	if (!shape_equal(dy, index))
		return infer_fail(
		    err,
		    "input 'dY' expected the shape of 'indices', %s, got "
		    "%s",
		    shape_text(index, expected, sizeof(expected)),
		    shape_text(dy, got, sizeof(got)));
	return elements_check(&infer->out[0].shape, index, axis, err);
}

static void gather_elements_grad_run(const struct kernel_call *call,
				     unsigned slice, void *scratch)
{
	const struct fact *dx = &call->query->out[0];
	const struct elements e = elements_of(call, &dx->shape);

	(void)slice;
	(void)scratch;
	memset(call->out[0], 0, tensor_bytes(dx->type.elem, &dx->shape));
	if (dx->type.elem == DTYPE_F32)
		scatter_add_elements_f32(&e, call->in[0], call->out[0]);
	else
		scatter_add_elements_f64(&e, call->in[0], call->out[0]);
	for (int64_t i = 0; i < e.n; i++)
		if (index_at(e.index, e.wide, i, e.extent) < 0)
			kernel_fault(call, i);
}

static const struct kernel gather_elements_grad_kernel = {
	.name = "gather_elements_grad.ordered",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE,
	.fits = is_float_or_double,
	.cost = move_cost_scattered,
	.run = gather_elements_grad_run,
};
static const struct kernel *const gather_elements_grad_kernels[] = {
	&gather_elements_grad_kernel, NULL
};

static const struct port gather_in[] = {
	{ "data", "T:any", 0 },
	{ "indices", "int32,int64", 0 },
	{ 0 },
};
static const struct port gather_out[] = { { "output", "T", 0 }, { 0 } };
static const struct port gather_grad_in[] = {
	{ "dY", "T:floats", 0 },
	{ "indices", "int32,int64", 0 },
	{ "shape", "int64", 0 },
	{ 0 },
};
static const struct port gather_grad_out[] = { { "dX", "T", 0 }, { 0 } };

static const struct op_attr gather_attrs[] = {
	{ .name = "axis",
	  .help = "axis of data that the indices count",
	  .offset = offsetof(struct gather_attrs, axis),
	  .kind = ATTR_INT,
	  .min = -SHAPE_MAX_RANK,
	  .max = SHAPE_MAX_RANK - 1 },
	{ 0 },
};

static const struct op_case gather_cases[] = {
	{ .name = "rows",
	  .graph = "y = Gather(x:float[5,3], i:int64[4]={0,4,4,-1})" },
	{ .name = "columns",
	  .graph =
	      "y = Gather<axis=1>(x:float[2,4,3], i:int32[2,2]={3,0,-4,1})" },
	{ .name = "one", .graph = "y = Gather(x:float[5], i:int64[]={2})" },
	{ .name = "last axis",
	  .graph = "y = Gather<axis=-1>(x:float[2,4], i:int64[3]={1,1,0})" },
	{ .name = "no index",
	  .graph = "y = Gather(x:float[3,2], i:int64[0]={})" },
	{ .name = "empty rows",
	  .graph = "y = Gather(x:float[3,0], i:int64[2]={1,2})" },
	{ .name = "sliced",
	  .graph =
	      "y = Gather<axis=1>(x:int32[2,4,6000], i:int64[3]={3,0,1})" },
	{ .name = "axis out of range",
	  .graph = "y = Gather<axis=2>(x:float[5,3], i:int64[1]={0})",
	  .want = ERR_SHAPE },
	{ .name = "of a scalar",
	  .graph = "y = Gather(x:float[], i:int64[1]={0})",
	  .want = ERR_SHAPE },
	{ .name = "rank 9",
	  .graph = "y = Gather(x:float[1,1,1,1,1], i:int64[1,1,1,1,1]={0})",
	  .want = ERR_SHAPE },
	{ 0 },
};
static const struct op_case gather_grad_cases[] = {
	{ .name = "rows",
	  .graph = "dx = predictd.GatherGrad(dy:float[4,3], "
		   "i:int64[4]={0,4,4,-1}, s:int64[2]={5,3})" },
	{ .name = "columns",
	  .graph = "dx = predictd.GatherGrad<axis=1>(dy:float[2,2,2,3], "
		   "i:int32[2,2]={3,0,-4,1}, s:int64[3]={2,4,3})" },
	{ .name = "sliced",
	  .graph = "dx = predictd.GatherGrad(dy:float[3,901], "
		   "i:int64[3]={30,4,4}, s:int64[2]={51,901})" },
	{ .name = "no index",
	  .graph = "dx = predictd.GatherGrad(dy:float[0,3], i:int64[0]={}, "
		   "s:int64[2]={5,3})" },
	{ .name = "shape differs",
	  .graph = "dx = predictd.GatherGrad(dy:float[4,2], "
		   "i:int64[4]={0,4,4,-1}, s:int64[2]={5,3})",
	  .want = ERR_SHAPE },
	{ .name = "rank differs",
	  .graph = "dx = predictd.GatherGrad(dy:float[4], "
		   "i:int64[4]={0,4,4,-1}, s:int64[2]={5,3})",
	  .want = ERR_SHAPE },
	{ 0 },
};
static const struct op_case gather_elements_cases[] = {
	{ .name = "rows",
	  .graph =
	      "y = GatherElements(x:float[3,2], i:int64[2,2]={2,0,-1,1})" },
	{ .name = "columns",
	  .graph = "y = GatherElements<axis=1>(x:float[3,2], "
		   "i:int32[2,3]={1,0,1,-2,0,0})" },
	{ .name = "no index",
	  .graph = "y = GatherElements(x:float[3], i:int64[0]={})" },
	{ .name = "rank differs",
	  .graph = "y = GatherElements(x:float[3,2], i:int64[2]={1,1})",
	  .want = ERR_SHAPE },
	{ .name = "beyond",
	  .graph = "y = GatherElements(x:float[3,2], i:int64[1,3]={1,1,1})",
	  .want = ERR_SHAPE },
	{ 0 },
};
static const struct op_case gather_elements_grad_cases[] = {
	{ .name = "rows",
	  .graph = "dx = predictd.GatherElementsGrad(dy:float[2,2], "
		   "i:int64[2,2]={2,0,-1,1}, s:int64[2]={3,2})" },
	{ .name = "shape differs",
	  .graph = "dx = predictd.GatherElementsGrad(dy:float[2,1], "
		   "i:int64[2,2]={2,0,-1,1}, s:int64[2]={3,2})",
	  .want = ERR_SHAPE },
	{ 0 },
};

extern const struct op op_gather;
const struct op op_gather = {
	.domain = "",
	.name = "Gather",
	.help = "Takes entries of an axis by their numbers.",
	.since = 1,
	.flags = OP_MOVES,
	.in = gather_in,
	.out = gather_out,
	.attrs = gather_attrs,
	.attrs_size = sizeof(struct gather_attrs),
	.infer = gather_infer,
	.kernels = gather_kernels,
	.vjp = gather_vjp,
	.cases = gather_cases,
};

extern const struct op op_gather_elements;
const struct op op_gather_elements = {
	.domain = "",
	.name = "GatherElements",
	.help = "Takes elements along an axis, each by a number of its own.",
	.since = 11,
	.flags = OP_MOVES,
	.in = gather_in,
	.out = gather_out,
	.attrs = gather_attrs,
	.attrs_size = sizeof(struct gather_attrs),
	.infer = gather_elements_infer,
	.kernels = gather_elements_kernels,
	.vjp = gather_elements_vjp,
	.cases = gather_elements_cases,
};

extern const struct op op_gather_elements_grad;
const struct op op_gather_elements_grad = {
	.domain = "predictd",
	.name = "GatherElementsGrad",
	.help = "The gradient of GatherElements, added in order.",
	.since = 1,
	.flags = OP_NO_GRADIENT,
	.value_inputs = 1u << 2,
	.in = gather_grad_in,
	.out = gather_grad_out,
	.attrs = gather_attrs,
	.attrs_size = sizeof(struct gather_attrs),
	.infer = gather_elements_grad_infer,
	.kernels = gather_elements_grad_kernels,
	.cases = gather_elements_grad_cases,
};

extern const struct op op_gather_grad;
const struct op op_gather_grad = {
	.domain = "predictd",
	.name = "GatherGrad",
	.help = "The gradient of Gather, added in the order of the indices.",
	.since = 1,
	.flags = OP_NO_GRADIENT,
	.value_inputs = 1u << 2,
	.in = gather_grad_in,
	.out = gather_grad_out,
	.attrs = gather_attrs,
	.attrs_size = sizeof(struct gather_attrs),
	.infer = gather_grad_infer,
	.kernels = gather_grad_kernels,
	.cases = gather_grad_cases,
};
