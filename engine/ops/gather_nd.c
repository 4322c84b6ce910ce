/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * GatherND and ScatterND: the last axis of the indices holds tuples of s
 * numbers, each of which names a block of data by its first s axes (behind the
 * batch_dims axes that data and indices share):
 *   y[b.., i.., :] = data[b.., index[b.., i..], :]
 *   y = data, then y[index[i..], :] = reduce(y[index[i..], :], updates[i.., :])
 * in the order of the indices; GatherNDGrad adds to zeros. A negative number
 * counts from the end; one out of range is a fault: zeros are gathered, and an
 * update is left out.
 */
#include <string.h>

#include "engine/autodiff.h"
#include "engine/ops/index.h"
#include "engine/ops/move.h"

struct gather_nd_attrs {
	int64_t batch_dims;
};
struct scatter_nd_attrs {
	const char *reduction;
};

struct tuples {
	const void *index;
	bool wide;	      /* int64, else int32 */
	unsigned s;	      /* numbers of a tuple */
	int64_t n, per_batch; /* tuples */
	int64_t batch, inner; /* elements of a batch of data, of a block */
	int64_t dim[SHAPE_MAX_RANK], stride[SHAPE_MAX_RANK]; /* of a tuple */
};

static struct tuples tuples_of(const struct fact *index, const void *numbers,
			       const struct shape *x, int64_t batch_dims)
{
	const unsigned b = (unsigned)batch_dims, rank = index->shape.rank;
	const unsigned s = (unsigned)index->shape.dim[rank - 1];
	int64_t stride[SHAPE_MAX_RANK];
	struct tuples t = {
		.index = numbers,
		.wide = index->type.elem == DTYPE_I64,
		.s = s,
		.n = shape_range(&index->shape, 0, rank - 1),
		.per_batch = shape_range(&index->shape, b, rank - 1),
		.batch = shape_range(x, b, x->rank),
		.inner = shape_range(x, b + s, x->rank),
	};

	move_strides(x, stride);
	for (unsigned i = 0; i < s; i++) {
		t.dim[i] = x->dim[b + i];
		t.stride[i] = stride[b + i];
	}
	return t;
}

/* First element of tuple i's block; -1 when it is out of range. */
static int64_t tuple_block(const struct tuples *t, int64_t i)
{
	int64_t at = i / t->per_batch * t->batch;

	for (unsigned j = 0; j < t->s; j++) {
		int64_t k =
		    index_at(t->index, t->wide, i * t->s + j, t->dim[j]);

		if (k < 0)
			return -1;
		at += k * t->stride[j];
	}
	return at;
}

/* The shape behind index and data: of y, of dY and of the updates. */
static enum err_code blocks_shape(const struct shape *x,
				  const struct shape *index, int64_t batch_dims,
				  struct shape *ret, struct err *err)
{
	const unsigned b = (unsigned)batch_dims;
	char want[64], got[64];
	unsigned s;

	if (!x->rank || !index->rank)
		return infer_fail(err,
				  "input '%s': expected rank 1 or more, got a "
				  "scalar",
				  x->rank ? "indices" : "data");
	if (b >= x->rank || b >= index->rank)
		return infer_fail(err,
				  "attribute 'batch_dims': expected less than "
				  "the ranks %u and %u of data and indices, "
				  "got %u",
				  x->rank, index->rank, b);
	for (unsigned i = 0; i < b; i++)
		if (x->dim[i] != index->dim[i])
			return infer_fail(
			    err,
			    "input 'indices': expected the first %u extents "
			    "of data %s, got %s",
			    b, shape_text(x, want, sizeof(want)),
			    shape_text(index, got, sizeof(got)));
	if (index->dim[index->rank - 1] > (int64_t)x->rank - b)
		return infer_fail(
		    err,
		    "input 'indices': expected tuples of at most %u numbers, "
		    "got %lld",
		    x->rank - b, (long long)index->dim[index->rank - 1]);
	s = (unsigned)index->dim[index->rank - 1];
	if (index->rank - 1 + x->rank - b - s > SHAPE_MAX_RANK)
		return infer_fail(err,
				  "inputs 'data' and 'indices' of ranks %u "
				  "and %u make rank %u: expected at most %d",
				  x->rank, index->rank,
				  index->rank - 1 + x->rank - b - s,
				  SHAPE_MAX_RANK);
	ret->rank = 0;
	for (unsigned i = 0; i + 1 < index->rank; i++)
		ret->dim[ret->rank++] = index->dim[i];
	for (unsigned i = b + s; i < x->rank; i++)
		ret->dim[ret->rank++] = x->dim[i];
	return shape_check(ret, "output 'output'", err);
}

/* The updates (or dY) have the shape of the blocks. */
static enum err_code check_blocks(const struct shape *want,
				  const struct shape *got, const char *name,
				  struct err *err)
{
	char want_text[64], got_text[64];

	if (shape_equal(want, got))
		return ERR_NONE;
	return infer_fail(err, "input '%s': expected shape %s, got %s", name,
			  shape_text(want, want_text, sizeof(want_text)),
			  shape_text(got, got_text, sizeof(got_text)));
}

/* GatherND */

static enum err_code gather_infer(struct infer *infer, struct err *err)
{
	const struct gather_nd_attrs *attrs = infer->attrs;
	enum err_code rc =
	    blocks_shape(&infer->in[0].shape, &infer->in[1].shape,
			 attrs->batch_dims, &infer->out[0].shape, err);

	infer->out[0].has_shape = !rc;
	return rc;
}

static struct tuples gather_tuples(const struct kernel_call *call)
{
	const struct kernel_query *q = call->query;
	const struct gather_nd_attrs *attrs = q->attrs;

	return tuples_of(&q->in[1], call->in[1], &q->in[0].shape,
			 attrs->batch_dims);
}

static enum err_code gather_prepare(const struct kernel_query *query,
				    struct kernel_setup *ret, struct err *err)
{
	const struct fact *y = &query->out[0];
	const struct shape *index = &query->in[1].shape;

	(void)err;
	ret->n_slices =
	    move_slices(query, shape_range(index, 0, index->rank - 1),
			tensor_bytes(y->type.elem, &y->shape));
	return ERR_NONE;
}

static void gather_run(const struct kernel_call *call, unsigned slice,
		       void *scratch)
{
	const struct tuples t = gather_tuples(call);
	const size_t size = query_size(call->query);
	const size_t bytes = (size_t)t.inner * size;
	const char *x = call->in[0];
	char *y = call->out[0];
	int64_t first, last;

	(void)scratch;
	kernel_slice(t.n, call->n_slices, slice, &first, &last);
	for (int64_t i = first; i < last && bytes; i++) {
		const int64_t at = tuple_block(&t, i);

		if (at >= 0) {
			memcpy(y + (size_t)i * bytes, x + (size_t)at * size,
			       bytes);
		} else {
			memset(y + (size_t)i * bytes, 0, bytes);
			kernel_fault(call, i);
		}
	}
}

/* a copy, and about 3 ns a number */
static double nd_cost(const struct kernel_query *query)
{
	const struct fact *y = &query->out[0];

	return 0.05 + (double)tensor_bytes(y->type.elem, &y->shape) / 4e3 +
	       (double)shape_count(&query->in[1].shape) / 300;
}

static const struct kernel gather_kernel = {
	.name = "gather_nd.copy",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE,
	.cost = nd_cost,
	.prepare = gather_prepare,
	.run = gather_run,
};
static const struct kernel *const gather_kernels[] = { &gather_kernel, NULL };

static enum err_code gather_vjp(struct vjp *vjp, struct err *err)
{
	const struct shape x = build_fact(vjp->build, vjp->in[0])->shape;
	int32_t in[3] = { vjp->grad_out[0], vjp->in[1],
			  build_ints(vjp->build, x.dim, x.rank) };

	vjp->grad_in[0] =
	    build_node(vjp->build, "GatherNDGrad", vjp->attrs, in, 3);
	return build_check(vjp->build, err);
}

/* GatherNDGrad: in 0 dY, 1 indices, 2 the shape of data */

static enum err_code grad_infer(struct infer *infer, struct err *err)
{
	const struct gather_nd_attrs *attrs = infer->attrs;
	struct shape *dx = &infer->out[0].shape, want;
	enum err_code rc;
	size_t n = 0;

	rc = infer_ints(infer, 2, dx->dim, &n, err);
	dx->rank = (unsigned)n;
	if (!rc)
		rc = shape_check(dx, "input 'shape'", err);
	if (!rc)
		rc = blocks_shape(dx, &infer->in[1].shape, attrs->batch_dims,
				  &want, err);
	if (!rc)
		rc = check_blocks(&want, &infer->in[0].shape, "dY", err);
	infer->out[0].has_shape = !rc;
	return rc;
}

/* Blocks of `from` into y, one after the other. */
static void put_blocks(const struct kernel_call *call, const struct tuples *t,
		       combine_fn *combine, const void *from)
{
	const size_t size = query_size(call->query);

	for (int64_t i = 0; i < t->n && t->inner; i++) {
		const int64_t at = tuple_block(t, i);

		if (at >= 0)
			combine(
			    (const char *)from + (size_t)(i * t->inner) * size,
			    (char *)call->out[0] + (size_t)at * size, t->inner);
		else
			kernel_fault(call, i);
	}
}

static void grad_run(const struct kernel_call *call, unsigned slice,
		     void *scratch)
{
	const struct kernel_query *q = call->query;
	const struct gather_nd_attrs *attrs = q->attrs;
	const struct fact *dx = &q->out[0];
	const struct tuples t =
	    tuples_of(&q->in[1], call->in[1], &dx->shape, attrs->batch_dims);

	(void)slice;
	(void)scratch;
	memset(call->out[0], 0, tensor_bytes(dx->type.elem, &dx->shape));
	put_blocks(call, &t, combine_find("add", dx->type.elem), call->in[0]);
}

static bool grad_fits(const struct kernel_query *query)
{
	return query->in[0].type.elem == DTYPE_F32 ||
	       query->in[0].type.elem == DTYPE_F64;
}

static const struct kernel grad_kernel = {
	.name = "gather_nd_grad.ordered",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE,
	.fits = grad_fits,
	.cost = nd_cost,
	.run = grad_run,
};
static const struct kernel *const grad_kernels[] = { &grad_kernel, NULL };

/* ScatterND */

static enum err_code scatter_infer(struct infer *infer, struct err *err)
{
	const struct scatter_nd_attrs *attrs = infer->attrs;
	struct shape want;
	enum err_code rc;

	rc = combine_check(attrs->reduction, infer->in[0].type.elem, err);
	if (!rc)
		rc = blocks_shape(&infer->in[0].shape, &infer->in[1].shape, 0,
				  &want, err);
	if (!rc)
		rc = check_blocks(&want, &infer->in[2].shape, "updates", err);
	return rc ? rc : infer_same(infer, err);
}

static bool scatter_fits(const struct kernel_query *query)
{
	const struct scatter_nd_attrs *attrs = query->attrs;

	return combine_find(attrs->reduction, query->in[0].type.elem) != NULL;
}

static void scatter_run(const struct kernel_call *call, unsigned slice,
			void *scratch)
{
	const struct kernel_query *q = call->query;
	const struct scatter_nd_attrs *attrs = q->attrs;
	const struct fact *x = &q->in[0];
	const struct tuples t = tuples_of(&q->in[1], call->in[1], &x->shape, 0);
	const size_t bytes = tensor_bytes(x->type.elem, &x->shape);

	(void)slice;
	(void)scratch;
	if (bytes && call->out[0] != call->in[0])
		memcpy(call->out[0], call->in[0], bytes);
	put_blocks(call, &t, combine_find(attrs->reduction, x->type.elem),
		   call->in[2]);
}

static const struct kernel scatter_kernel = {
	.name = "scatter_nd.ordered",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE | KERNEL_IN_PLACE,
	.fits = scatter_fits,
	.cost = nd_cost,
	.run = scatter_run,
};
static const struct kernel *const scatter_kernels[] = { &scatter_kernel, NULL };

static enum err_code scatter_vjp(struct vjp *vjp, struct err *err)
{
	const struct scatter_nd_attrs *attrs = vjp->attrs;
	const struct gather_nd_attrs gather = { 0 };
	const struct scatter_inverse inverse = { "GatherND", &gather };

	return scatter_rule(vjp, attrs->reduction, &inverse, err);
}

static const struct port gather_in[] = {
	{ "data", "T:any", 0 },
	{ "indices", "int32,int64", 0 },
	{ 0 },
};
static const struct port grad_in[] = {
	{ "dY", "T:floats", 0 },
	{ "indices", "int32,int64", 0 },
	{ "shape", "int64", 0 },
	{ 0 },
};
static const struct port grad_out[] = { { "dX", "T", 0 }, { 0 } };
static const struct port scatter_in[] = {
	{ "data", "T:any", 0 },
	{ "indices", "int32,int64", 0 },
	{ "updates", "T", 0 },
	{ 0 },
};
static const struct port nd_out[] = { { "output", "T", 0 }, { 0 } };

static const struct op_attr gather_attrs[] = {
	{ .name = "batch_dims",
	  .help = "first axes that data and indices share",
	  .offset = offsetof(struct gather_nd_attrs, batch_dims),
	  .kind = ATTR_INT,
	  .max = SHAPE_MAX_RANK },
	{ 0 },
};
static const struct op_attr scatter_attrs[] = {
	{ .name = "reduction",
	  .help = "none, add, mul, max or min: what an update does to what is "
		  "there",
	  .offset = offsetof(struct scatter_nd_attrs, reduction),
	  .kind = ATTR_STRING,
	  .def_text = "none" },
	{ 0 },
};

static const struct op_case gather_cases[] = {
	{ .name = "elements",
	  .graph = "y = GatherND(x:float[2,3], i:int64[3,2]={0,0,1,2,-1,-2})" },
	{ .name = "rows",
	  .graph = "y = GatherND(x:float[4,3], i:int64[2,2,1]={1,0,-1,1})" },
	{ .name = "batch",
	  .graph = "y = GatherND<batch_dims=1>(x:double[2,3,5], "
		   "i:int64[2,2,1]={1,0,2,2})" },
	{ .name = "two batch axes",
	  .graph = "y = GatherND<batch_dims=2>(x:float[2,1,3,2], "
		   "i:int32[2,1,2]={1,0,2,1})" },
	{ .name = "whole",
	  .graph = "y = GatherND(x:float[2,3], i:int64[2,0]={})" },
	{ .name = "no tuple",
	  .graph = "y = GatherND(x:float[2,3], i:int64[0,1]={})" },
	{ .name = "bytes",
	  .graph = "y = GatherND(x:uint8[2,3], i:int64[1]={1})" },
	{ .name = "sliced",
	  .graph = "y = GatherND(x:int32[4,9000], i:int64[3,1]={3,0,1})" },
	{ .name = "long tuples",
	  .graph = "y = GatherND(x:float[2,3], i:int64[3]={0,0,0})",
	  .want = ERR_SHAPE },
	{ .name = "batches differ",
	  .graph = "y = GatherND<batch_dims=1>(x:float[2,3], "
		   "i:int64[3,1]={0,0,0})",
	  .want = ERR_SHAPE },
	{ .name = "all are batches",
	  .graph = "y = GatherND<batch_dims=2>(x:float[2,3], "
		   "i:int64[2,3]={0,0,0,0,0,0})",
	  .want = ERR_SHAPE },
	{ .name = "of a scalar",
	  .graph = "y = GatherND(x:float[], i:int64[1]={0})",
	  .want = ERR_SHAPE },
	{ 0 },
};
static const struct op_case grad_cases[] = {
	{ .name = "rows",
	  .graph = "dx = predictd.GatherNDGrad(dy:float[3,3], "
		   "i:int64[3,1]={1,0,-3}, s:int64[2]={4,3})" },
	{ .name = "batch",
	  .graph = "dx = predictd.GatherNDGrad<batch_dims=1>(dy:double[2,2], "
		   "i:int64[2,2,1]={1,1,2,0}, s:int64[2]={2,3})" },
	{ .name = "shape differs",
	  .graph = "dx = predictd.GatherNDGrad(dy:float[3,2], "
		   "i:int64[3,1]={1,0,-3}, s:int64[2]={4,3})",
	  .want = ERR_SHAPE },
	{ 0 },
};
static const struct op_case scatter_cases[] = {
	{ .name = "elements",
	  .graph = "y = ScatterND(x:float[2,3], i:int64[2,2]={0,0,-1,2}, "
		   "u:float[2])" },
	{ .name = "rows",
	  .graph = "y = ScatterND(x:double[4,3], i:int64[2,1]={1,-1}, "
		   "u:double[2,3])" },
	{ .name = "add",
	  .graph = "y = ScatterND<reduction=\"add\">(x:float[4,3], "
		   "i:int64[3,1]={1,-1,1}, u:float[3,3])" },
	{ .name = "mul",
	  .graph = "y = ScatterND<reduction=\"mul\">(x:int64[4], "
		   "i:int64[3,1]={1,-1,1}, u:int64[3])" },
	{ .name = "max",
	  .graph = "y = ScatterND<reduction=\"max\">(x:float[4,3], "
		   "i:int64[1]={2}, u:float[3])" },
	{ .name = "min",
	  .graph = "y = ScatterND<reduction=\"min\">(x:int8[4,3], "
		   "i:int64[1]={2}, u:int8[3])" },
	{ .name = "whole",
	  .graph = "y = ScatterND(x:float[2,3], i:int64[1,0]={}, "
		   "u:float[1,2,3])" },
	{ .name = "no tuple",
	  .graph = "y = ScatterND(x:float[2,3], i:int64[0,1]={}, "
		   "u:float[0,3])" },
	{ .name = "updates differ",
	  .graph = "y = ScatterND(x:float[4,3], i:int64[2,1]={1,-1}, "
		   "u:float[2,4])",
	  .want = ERR_SHAPE },
	{ .name = "no such reduction",
	  .graph = "y = ScatterND<reduction=\"sum\">(x:float[3], "
		   "i:int64[1]={1}, u:float[])",
	  .want = ERR_INVALID },
	{ 0 },
};

extern const struct op op_gather_nd, op_gather_nd_grad, op_scatter_nd;

const struct op op_gather_nd = {
	.domain = "",
	.name = "GatherND",
	.help = "Takes blocks of data by tuples of numbers.",
	.since = 11,
	.flags = OP_MOVES,
	.in = gather_in,
	.out = nd_out,
	.attrs = gather_attrs,
	.attrs_size = sizeof(struct gather_nd_attrs),
	.infer = gather_infer,
	.kernels = gather_kernels,
	.vjp = gather_vjp,
	.cases = gather_cases,
};

const struct op op_gather_nd_grad = {
	.domain = "predictd",
	.name = "GatherNDGrad",
	.help = "The gradient of GatherND, added in the order of the tuples.",
	.since = 1,
	.flags = OP_NO_GRADIENT,
	.value_inputs = 1u << 2,
	.in = grad_in,
	.out = grad_out,
	.attrs = gather_attrs,
	.attrs_size = sizeof(struct gather_nd_attrs),
	.infer = grad_infer,
	.kernels = grad_kernels,
	.cases = grad_cases,
};

const struct op op_scatter_nd = {
	.domain = "",
	.name = "ScatterND",
	.help = "Puts blocks of updates into data by tuples of numbers.",
	.since = 11,
	.in = scatter_in,
	.out = nd_out,
	.attrs = scatter_attrs,
	.attrs_size = sizeof(struct scatter_nd_attrs),
	.infer = scatter_infer,
	.kernels = scatter_kernels,
	.vjp = scatter_vjp,
	.cases = scatter_cases,
};
