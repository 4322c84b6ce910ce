/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * ScatterElements: y = data, then for each element of the updates
 *   y[.., indices[.., i, ..], ..] = reduce(y[..], updates[.., i, ..])
 * along one axis, in the order of the updates; and the reductions that
 * ScatterND shares. A negative index counts from the end; one out of range is
 * a fault, and its update is left out. bool: add and max are or, mul and min
 * are and.
 */
#include <math.h>
#include <string.h>

#include "engine/autodiff.h"
#include "engine/ops/index.h"
#include "engine/ops/move.h"
#include "engine/ops/reshape.h"

struct scatter_attrs {
	int64_t axis;
	const char *reduction;
};

#define IS_NAN(v) isnan(v)
#define T float
#define U float
#define NAME(x) x##_f32
#include "engine/ops/scatter_typed.h"
#undef T
#undef U
#undef NAME
#define T double
#define U double
#define NAME(x) x##_f64
#include "engine/ops/scatter_typed.h"
#undef T
#undef NAME
#undef U
#undef IS_NAN
#define IS_NAN(v) false
#define U uint64_t
#define T int32_t
#define NAME(x) x##_i32
#include "engine/ops/scatter_typed.h"
#undef T
#undef NAME
#define T int64_t
#define NAME(x) x##_i64
#include "engine/ops/scatter_typed.h"
#undef T
#undef NAME
#define T uint64_t
#define NAME(x) x##_u64
#include "engine/ops/scatter_typed.h"
#undef T
#undef NAME
#undef U
#undef IS_NAN

static void put_size_1(const void *from, void *to, int64_t n)
{
	memcpy(to, from, (size_t)n);
}

static void put_size_8(const void *from, void *to, int64_t n)
{
	memcpy(to, from, (size_t)n * 8);
}

static void put_size_16(const void *from, void *to, int64_t n)
{
	memcpy(to, from, (size_t)n * 16);
}

static void or_bool(const void *from, void *to, int64_t n)
{
	for (int64_t i = 0; i < n; i++)
		((bool *)to)[i] |= ((const bool *)from)[i];
}

static void and_bool(const void *from, void *to, int64_t n)
{
	for (int64_t i = 0; i < n; i++)
		((bool *)to)[i] &= ((const bool *)from)[i];
}

struct reduction {
	const char *name;
	combine_fn *fn[DTYPE_COUNT];
};

static const struct reduction reductions[] = {
	{ "none",
	  { [DTYPE_F32] = put_f32,
	    [DTYPE_F64] = put_f64,
	    [DTYPE_I32] = put_i32,
	    [DTYPE_I64] = put_i64,
	    [DTYPE_U64] = put_u64,
	    [DTYPE_BOOL] = put_size_1,
	    [DTYPE_C64] = put_size_8,
	    [DTYPE_C128] = put_size_16,
	    [DTYPE_STRING] = put_size_16 } },
	{ "add",
	  { [DTYPE_F32] = add_f32,
	    [DTYPE_F64] = add_f64,
	    [DTYPE_I32] = add_i32,
	    [DTYPE_I64] = add_i64,
	    [DTYPE_U64] = add_u64,
	    [DTYPE_BOOL] = or_bool } },
	{ "mul",
	  { [DTYPE_F32] = mul_f32,
	    [DTYPE_F64] = mul_f64,
	    [DTYPE_I32] = mul_i32,
	    [DTYPE_I64] = mul_i64,
	    [DTYPE_U64] = mul_u64,
	    [DTYPE_BOOL] = and_bool } },
	{ "max",
	  { [DTYPE_F32] = max_f32,
	    [DTYPE_F64] = max_f64,
	    [DTYPE_I32] = max_i32,
	    [DTYPE_I64] = max_i64,
	    [DTYPE_U64] = max_u64,
	    [DTYPE_BOOL] = or_bool } },
	{ "min",
	  { [DTYPE_F32] = min_f32,
	    [DTYPE_F64] = min_f64,
	    [DTYPE_I32] = min_i32,
	    [DTYPE_I64] = min_i64,
	    [DTYPE_U64] = min_u64,
	    [DTYPE_BOOL] = and_bool } },
};

static const struct reduction *reduction_find(const char *name)
{
	for (size_t i = 0; i < sizeof(reductions) / sizeof(*reductions); i++)
		if (!strcmp(reductions[i].name, name))
			return &reductions[i];
	return NULL;
}

combine_fn *combine_find(const char *reduction, enum dtype dtype)
{
	const struct reduction *found = reduction_find(reduction);

	return found ? found->fn[dtype] : NULL;
}

enum err_code combine_check(const char *reduction, enum dtype dtype,
			    struct err *err)
{
	const enum dtype arith = dtype_info(dtype)->arith;

	if (!reduction_find(reduction))
		return err_set(err, ERR_INVALID,
			       "attribute 'reduction': expected none, add, "
			       "mul, max or min, got '%s'",
			       reduction);
	if (!combine_find(reduction, arith == DTYPE_NONE ? dtype : arith))
		return err_set(err, ERR_UNSUPPORTED,
			       "attribute 'reduction': %s is not defined for "
			       "elements of type %s",
			       reduction, dtype_info(dtype)->name);
	return ERR_NONE;
}

static enum err_code scatter_infer(struct infer *infer, struct err *err)
{
	const struct scatter_attrs *attrs = infer->attrs;
	const struct shape *x = &infer->in[0].shape;
	const struct shape *index = &infer->in[1].shape;
	const struct shape *updates = &infer->in[2].shape;
	char got[64], shape[64];
	unsigned axis;
	enum err_code rc;
	bool fits;

	rc = shape_axis(attrs->axis, x->rank, "attribute 'axis'", &axis, err);
	if (!rc)
		rc = combine_check(attrs->reduction, infer->in[0].type.elem,
				   err);
	if (rc)
		return rc;
	if (!shape_equal(index, updates))
		return infer_fail(err,
				  "input 'updates' expected the shape of "
				  "'indices', %s, got %s",
				  shape_text(index, shape, sizeof(shape)),
				  shape_text(updates, got, sizeof(got)));
	fits = x->rank == index->rank;
	for (unsigned i = 0; fits && i < x->rank; i++)
		fits = i == axis || index->dim[i] <= x->dim[i];
	if (!fits)
		return infer_fail(err,
				  "input 'indices' expected no extent beyond "
				  "those of data %s but on axis %u, got %s",
				  shape_text(x, shape, sizeof(shape)), axis,
				  shape_text(index, got, sizeof(got)));
	return infer_same(infer, err);
}

/* Where the updates go: rows of their last axis, which starts anew at `at`. */
struct walk {
	const struct shape *shape; /* of the updates */
	int64_t stride[SHAPE_MAX_RANK];
	int64_t at[SHAPE_MAX_RANK];
	int64_t offset; /* in data, of place `at` with 0 on the axis */
};

static void walk_next(struct walk *w)
{
	for (unsigned i = w->shape->rank; i-- > 0;) {
		w->offset += w->stride[i];
		if (++w->at[i] < w->shape->dim[i])
			return;
		w->offset -= w->stride[i] * w->at[i];
		w->at[i] = 0;
	}
}

static void scatter_run(const struct kernel_call *call, unsigned slice,
			void *scratch)
{
	const struct kernel_query *q = call->query;
	const struct scatter_attrs *attrs = q->attrs;
	const struct shape *x = &q->in[0].shape;
	const unsigned axis =
	    (unsigned)(attrs->axis < 0 ? attrs->axis + x->rank : attrs->axis);
	const enum dtype elem = q->in[0].type.elem;
	combine_fn *combine = combine_find(attrs->reduction, elem);
	const bool wide = q->in[1].type.elem == DTYPE_I64;
	const size_t size = query_size(q), bytes = tensor_bytes(elem, x);
	const int64_t n = shape_count(&q->in[1].shape);
	const char *from = call->in[2];
	char *y = call->out[0];
	struct walk w = { .shape = &q->in[1].shape };
	int64_t pitch;

	(void)slice;
	(void)scratch;
	move_strides(x, w.stride);
	pitch = w.stride[axis];
	w.stride[axis] = 0;
	if (bytes && y != call->in[0])
		memcpy(y, call->in[0], bytes);
	for (int64_t i = 0; i < n; i++) {
		int64_t k = index_at(call->in[1], wide, i, x->dim[axis]);

		if (k >= 0)
			combine(from + (size_t)i * size,
				y + (size_t)(w.offset + k * pitch) * size, 1);
		else
			kernel_fault(call, i);
		walk_next(&w);
	}
}

static bool scatter_fits(const struct kernel_query *query)
{
	const struct scatter_attrs *attrs = query->attrs;

	return combine_find(attrs->reduction, query->in[0].type.elem) != NULL;
}

/* a copy, and about 3 ns an update */
static double scatter_cost(const struct kernel_query *query)
{
	return move_cost(query) +
	       (double)shape_count(&query->in[1].shape) / 300;
}

static const struct kernel scatter_kernel = {
	.name = "scatter_elements.ordered",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE | KERNEL_IN_PLACE,
	.fits = scatter_fits,
	.cost = scatter_cost,
	.run = scatter_run,
};
static const struct kernel *const scatter_kernels[] = { &scatter_kernel, NULL };

enum err_code scatter_rule(struct vjp *vjp, const char *reduction,
			   const struct scatter_inverse *inverse,
			   struct err *err)
{
	struct build *build = vjp->build;
	const int32_t dy = vjp->grad_out[0];
	const bool overwrites = !strcmp(reduction, "none");

	if (!overwrites && strcmp(reduction, "add") != 0)
		return err_set(err, ERR_UNSUPPORTED,
			       "there is no gradient with reduction '%s'",
			       reduction);
	vjp->grad_in[0] = dy;
	if (overwrites && vjp->wanted[0]) {
		int32_t in[3] = { dy, vjp->in[1],
				  build_zeros_like(build, vjp->in[2]) };

		build_row(build, vjp->node->op, vjp->attrs, in, 3,
			  &vjp->grad_in[0], 1);
	}
	if (vjp->wanted[2]) {
		const int32_t in[2] = { dy, vjp->in[1] };

		vjp->grad_in[2] =
		    build_node(build, inverse->op, inverse->attrs, in, 2);
	}
	return build_check(build, err);
}

/* attrs of GatherElements begin as these do: with the axis */
static enum err_code scatter_vjp(struct vjp *vjp, struct err *err)
{
	const struct scatter_attrs *attrs = vjp->attrs;
	const struct scatter_inverse inverse = { "GatherElements", attrs };

	return scatter_rule(vjp, attrs->reduction, &inverse, err);
}

static const struct port scatter_in[] = {
	{ "data", "T:any", 0 },
	{ "indices", "int32,int64", 0 },
	{ "updates", "T", 0 },
	{ 0 },
};
static const struct port scatter_out[] = { { "output", "T", 0 }, { 0 } };

static const struct op_attr scatter_attrs[] = {
	{ .name = "axis",
	  .help = "axis of data that the indices count",
	  .offset = offsetof(struct scatter_attrs, axis),
	  .kind = ATTR_INT,
	  .min = -SHAPE_MAX_RANK,
	  .max = SHAPE_MAX_RANK - 1 },
	{ .name = "reduction",
	  .help = "none, add, mul, max or min: what an update does to what is "
		  "there",
	  .offset = offsetof(struct scatter_attrs, reduction),
	  .kind = ATTR_STRING,
	  .def_text = "none" },
	{ 0 },
};

static const struct op_case scatter_cases[] = {
	{ .name = "rows",
	  .graph = "y = ScatterElements(x:float[3,2], i:int64[2,2]={2,0,-3,1}, "
		   "u:float[2,2])" },
	{ .name = "columns",
	  .graph = "y = ScatterElements<axis=-1>(x:double[2,5], "
		   "i:int32[2,2]={1,-1,4,0}, u:double[2,2])" },
	{ .name = "add",
	  .graph = "y = ScatterElements<axis=1,reduction=\"add\">(x:float[2,3],"
		   " i:int64[1,4]={1,1,0,-2}, u:float[1,4])" },
	{ .name = "mul",
	  .graph = "y = ScatterElements<reduction=\"mul\">(x:int32[5], "
		   "i:int64[3]={1,1,4}, u:int32[3])" },
	{ .name = "max",
	  .graph = "y = ScatterElements<reduction=\"max\">(x:uint8[5], "
		   "i:int64[3]={1,1,4}, u:uint8[3])" },
	{ .name = "min",
	  .graph = "y = ScatterElements<reduction=\"min\">(x:float16[5], "
		   "i:int64[3]={1,1,4}, u:float16[3])" },
	{ .name = "truth",
	  .graph = "y = ScatterElements<reduction=\"add\">(x:bool[5], "
		   "i:int64[3]={1,1,4}, u:bool[3])" },
	{ .name = "middle axis",
	  .graph = "y = ScatterElements<axis=1>(x:float[2,3,4], "
		   "i:int64[1,1,3]={2,0,1}, u:float[1,1,3])" },
	{ .name = "no update",
	  .graph = "y = ScatterElements(x:float[3,2], i:int64[0,2]={}, "
		   "u:float[0,2])" },
	{ .name = "beyond",
	  .graph = "y = ScatterElements(x:float[3,2], i:int64[1,3]={1,1,1}, "
		   "u:float[1,3])",
	  .want = ERR_SHAPE },
	{ .name = "updates differ",
	  .graph = "y = ScatterElements(x:float[3,2], i:int64[1,2]={1,1}, "
		   "u:float[2,2])",
	  .want = ERR_SHAPE },
	{ .name = "no such reduction",
	  .graph = "y = ScatterElements<reduction=\"sum\">(x:float[3], "
		   "i:int64[1]={1}, u:float[1])",
	  .want = ERR_INVALID },
	{ .name = "of a scalar",
	  .graph = "y = ScatterElements(x:float[], i:int64[]={0}, u:float[])",
	  .want = ERR_SHAPE },
	{ 0 },
};

extern const struct op op_scatter_elements;
const struct op op_scatter_elements = {
	.domain = "",
	.name = "ScatterElements",
	.help = "Puts updates into data along an axis, each at a number of "
		"its own.",
	.since = 11,
	.in = scatter_in,
	.out = scatter_out,
	.attrs = scatter_attrs,
	.attrs_size = sizeof(struct scatter_attrs),
	.infer = scatter_infer,
	.kernels = scatter_kernels,
	.vjp = scatter_vjp,
	.cases = scatter_cases,
};
