/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * OneHot: a new axis of `depth` elements, which are values[0] but for
 * values[1] at the index. Indices below 0 count from the back; one out of
 * range leaves its row without.
 */
#include <string.h>

#include "engine/ops/move.h"

struct one_hot_attrs {
	int64_t axis;
};

/* A depth may have any type of number; its fraction does not count. */
static enum err_code read_depth(const struct fact *depth, int64_t *ret,
				struct err *err)
{
	double number;

	if (shape_count(&depth->shape) != 1)
		return infer_fail(err,
				  "input 'depth': expected one number, got "
				  "%lld",
				  (long long)shape_count(&depth->shape));
	if (!depth->value)
		return err_set(err, ERR_UNSUPPORTED,
			       "input 'depth' is not known before a run");
	dtype_convert(depth->type.elem, depth->value, DTYPE_F64, &number, 1,
		      false);
	if (!(number >= 0 && number <= (double)SHAPE_MAX_EXTENT))
		return infer_fail(err,
				  "input 'depth': expected a number of "
				  "classes below 2^31, got %g",
				  number);
	*ret = (int64_t)number;
	return ERR_NONE;
}

static enum err_code one_hot_infer(struct infer *infer, struct err *err)
{
	const struct one_hot_attrs *attrs = infer->attrs;
	const struct shape *x = &infer->in[0].shape;
	struct shape *y = &infer->out[0].shape;
	int64_t depth = 0;
	unsigned axis = 0;
	enum err_code rc = read_depth(&infer->in[1], &depth, err);

	if (!rc && shape_count(&infer->in[2].shape) != 2)
		rc = infer_fail(err,
				"input 'values': expected two, off and on, got "
				"%lld",
				(long long)shape_count(&infer->in[2].shape));
	if (!rc && x->rank == SHAPE_MAX_RANK)
		rc = infer_fail(err, "input 'indices': expected rank below %d",
				SHAPE_MAX_RANK);
	if (!rc)
		rc = shape_axis(attrs->axis, x->rank + 1, "attribute 'axis'",
				&axis, err);
	if (rc)
		return rc;
	y->rank = x->rank + 1;
	for (unsigned i = 0; i < y->rank; i++)
		y->dim[i] = i == axis ? depth : x->dim[i < axis ? i : i - 1];
	infer->out[0].has_shape = true;
	return shape_check(y, "output 'output'", err);
}

/* The result is [outer, depth, inner], the indices [outer, inner]. */
struct layout_of {
	int64_t outer, depth, inner;
};

static struct layout_of layout_of(const struct kernel_query *query)
{
	const struct one_hot_attrs *attrs = query->attrs;
	const struct shape *y = &query->out[0].shape;
	const int64_t axis =
	    attrs->axis < 0 ? attrs->axis + (int64_t)y->rank : attrs->axis;

	return (struct layout_of){
		.outer = shape_range(y, 0, (unsigned)axis),
		.depth = y->dim[axis],
		.inner = shape_range(y, (unsigned)axis + 1, y->rank),
	};
}

static enum err_code one_hot_prepare(const struct kernel_query *query,
				     struct kernel_setup *ret, struct err *err)
{
	const struct fact *y = &query->out[0];

	(void)err;
	ret->n_slices = move_slices(query, layout_of(query).outer,
				    tensor_bytes(y->type.elem, &y->shape));
	return ERR_NONE;
}

static void one_hot_run(const struct kernel_call *call, unsigned slice,
			void *scratch)
{
	const struct layout_of at = layout_of(call->query);
	const enum dtype from = call->query->in[0].type.elem;
	const size_t size = query_size(call->query);
	const size_t step = dtype_info(from)->size;
	const char *values = call->in[2];
	int64_t first, last;

	(void)scratch;
	kernel_slice(at.outer, call->n_slices, slice, &first, &last);
	if (first < last)
		move_run(
		    &(struct move){ 1,
				    { (last - first) * at.depth * at.inner },
				    { 1 },
				    { 0 } },
		    size,
		    (char *)call->out[0] +
			(size_t)(first * at.depth * at.inner) * size,
		    values);
	for (int64_t i = first * at.inner; i < last * at.inner; i++) {
		int64_t index;

		dtype_convert(from,
			      (const char *)call->in[0] + (size_t)i * step,
			      DTYPE_I64, &index, 1, false);
		if (index >= at.depth || index < -at.depth)
			continue;
		index += index < 0 ? at.depth : 0;
		index =
		    (i / at.inner * at.depth + index) * at.inner + i % at.inner;
		memcpy((char *)call->out[0] + (size_t)index * size,
		       values + size, size);
	}
}

static const struct kernel one_hot_kernel = {
	.name = "one_hot.reference",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE,
	.cost = move_cost,
	.prepare = one_hot_prepare,
	.run = one_hot_run,
};
static const struct kernel *const one_hot_kernels[] = { &one_hot_kernel, NULL };

#define NUMBERS                                                    \
	"uint8,uint16,uint32,uint64,int8,int16,int32,int64,float," \
	"float16,bfloat16,double"
static const struct port one_hot_in[] = {
	{ "indices", NUMBERS, 0 },
	{ "depth", NUMBERS, 0 },
	{ "values", "T:any", 0 },
	{ 0 },
};
static const struct port one_hot_out[] = { { "output", "T", 0 }, { 0 } };

static const struct op_attr one_hot_attrs[] = {
	{ .name = "axis",
	  .help = "place of the new axis; negative: from the back",
	  .offset = offsetof(struct one_hot_attrs, axis),
	  .kind = ATTR_INT,
	  .def = -1 },
	{ 0 },
};

static const struct op_case one_hot_cases[] = {
	{ .name = "last",
	  .graph = "y = OneHot(i:int64[3]={0,2,-1}, d:int64[]={3}, "
		   "v:float[2]={0,1})" },
	{ .name = "first",
	  .graph = "y = OneHot<axis=0>(i:int32[2,2]={0,9,-9,1}, "
		   "d:int32[1]={4}, v:int8[2]={-1,5})" },
	{ .name = "middle",
	  .graph = "y = OneHot<axis=-2>(i:float[2,3]={0,1,2,1.5,-1,0}, "
		   "d:float[]={3}, v:bool[2]={0,1})" },
	{ .name = "scalar",
	  .graph = "y = OneHot(i:uint8[]={1}, d:int64[]={2}, "
		   "v:double[2]={0.5,2})" },
	{ .name = "text",
	  .graph = "y = OneHot(i:int64[2]={1,0}, d:int64[]={2}, "
		   "v:string[2]={\"no\",\"yes\"})" },
	{ .name = "no class",
	  .graph = "y = OneHot(i:int64[2]={0,1}, d:int64[]={0}, "
		   "v:float[2]={0,1})" },
	{ .name = "no index",
	  .graph = "y = OneHot(i:int64[0]={}, d:int64[]={3}, "
		   "v:float[2]={0,1})" },
	{ .name = "sliced",
	  .graph = "y = OneHot(i:int64[90,3], d:int64[]={200}, "
		   "v:float[2]={0,1})" },
	{ .name = "negative depth",
	  .graph = "y = OneHot(i:int64[2], d:int64[]={-1}, v:float[2]={0,1})",
	  .want = ERR_SHAPE },
	{ .name = "two depths",
	  .graph = "y = OneHot(i:int64[2], d:int64[2]={1,2}, v:float[2]={0,1})",
	  .want = ERR_SHAPE },
	{ .name = "one value",
	  .graph = "y = OneHot(i:int64[2], d:int64[]={2}, v:float[1]={0})",
	  .want = ERR_SHAPE },
	{ .name = "axis out of range",
	  .graph = "y = OneHot<axis=2>(i:int64[2], d:int64[]={2}, "
		   "v:float[2]={0,1})",
	  .want = ERR_SHAPE },
	{ 0 },
};

extern const struct op op_one_hot;
const struct op op_one_hot = {
	.domain = "",
	.name = "OneHot",
	.help = "A row with one place set for each index.",
	.since = 9,
	.flags = OP_ANY_TYPE | OP_NO_GRADIENT,
	.value_inputs = 1u << 1,
	.in = one_hot_in,
	.out = one_hot_out,
	.attrs = one_hot_attrs,
	.attrs_size = sizeof(struct one_hot_attrs),
	.infer = one_hot_infer,
	.kernels = one_hot_kernels,
	.cases = one_hot_cases,
};
