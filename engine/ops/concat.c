/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Concat and Split along one axis. On the outermost axis of more than one
 * element both are ranges of bytes, which the planner shares.
 */
#include <string.h>

#include "engine/autodiff.h"
#include "engine/ops/move.h"
#include "engine/ops/reshape.h"

struct concat_attrs {
	int64_t axis;
};
struct split_attrs {
	int64_t axis, num_outputs;
};

/* Both walk `outer` rows; a part's bytes in a row lie together. */
struct rows {
	int64_t outer, inner_bytes; /* inner: of one step on the axis */
	unsigned axis;
};

static struct rows rows_of(const struct fact *whole, int64_t attr_axis)
{
	const struct shape *s = &whole->shape;
	struct rows rows;

	rows.axis = (unsigned)(attr_axis < 0 ? attr_axis + s->rank : attr_axis);
	rows.outer = shape_range(s, 0, rows.axis);
	rows.inner_bytes = shape_range(s, rows.axis + 1, s->rank) *
			   (int64_t)dtype_info(whole->type.elem)->size;
	return rows;
}

/* A slice takes rows or, where there are few, a range of each part's bytes. */
struct cut {
	int64_t first, last; /* rows */
	unsigned n, i;	     /* of each part's bytes: range i of n */
};

static struct cut cut_rows(const struct rows *rows,
			   const struct kernel_call *call, unsigned slice)
{
	struct cut cut = { 0, rows->outer, call->n_slices, slice };

	if (rows->outer < (int64_t)call->n_slices)
		return cut;
	kernel_slice(rows->outer, call->n_slices, slice, &cut.first, &cut.last);
	cut.n = 1;
	cut.i = 0;
	return cut;
}

/* Bytes between two rows, on each side. */
struct pitch {
	int64_t to, from;
};

static void copy_words(int64_t n, char *to, const char *from,
		       const struct pitch *pitch)
{
	for (int64_t r = 0; r < n; r++)
		memcpy(to + r * pitch->to, from + r * pitch->from,
		       sizeof(uint32_t));
}

static void copy_long_words(int64_t n, char *to, const char *from,
			    const struct pitch *pitch)
{
	for (int64_t r = 0; r < n; r++)
		memcpy(to + r * pitch->to, from + r * pitch->from,
		       sizeof(uint64_t));
}

static void copy_part(const struct cut *cut, char *to, const char *from,
		      const struct pitch *pitch, int64_t bytes)
{
	int64_t first, last;

	kernel_slice(bytes, cut->n, cut->i, &first, &last);
	if (first == last)
		return;
	to += cut->first * pitch->to + first;
	from += cut->first * pitch->from + first;
	/* single elements are not worth a call each */
	if (last - first == sizeof(uint32_t))
		copy_words(cut->last - cut->first, to, from, pitch);
	else if (last - first == sizeof(uint64_t))
		copy_long_words(cut->last - cut->first, to, from, pitch);
	else
		for (int64_t r = 0; r < cut->last - cut->first; r++)
			memcpy(to + r * pitch->to, from + r * pitch->from,
			       (size_t)(last - first));
}

static enum err_code concat_infer(struct infer *infer, struct err *err)
{
	const struct concat_attrs *attrs = infer->attrs;
	struct shape *y = &infer->out[0].shape;
	unsigned axis;
	enum err_code rc;

	*y = infer->in[0].shape;
	rc = shape_axis(attrs->axis, y->rank, "attribute 'axis'", &axis, err);
	if (rc)
		return rc;
	for (unsigned i = 1; i < infer->n_in; i++) {
		const struct shape *x = &infer->in[i].shape;
		struct shape want = *x;
		char got[64], expected[64];

		if (x->rank == y->rank)
			want.dim[axis] = y->dim[axis];
		if (!shape_equal(&want, y))
			return infer_fail(
			    err,
			    "input 'inputs' %u expected shape %s but for "
			    "axis %u, got %s",
			    i, shape_text(y, expected, sizeof(expected)), axis,
			    shape_text(x, got, sizeof(got)));
		y->dim[axis] += x->dim[axis];
	}
	infer->out[0].has_shape = true;
	return shape_check(y, "output 'concat_result'", err);
}

static enum err_code concat_prepare(const struct kernel_query *query,
				    struct kernel_setup *ret, struct err *err)
{
	const struct fact *y = &query->out[0];
	const size_t bytes = tensor_bytes(y->type.elem, &y->shape);

	(void)err;
	ret->n_slices = move_slices(query, (int64_t)bytes, bytes);
	return ERR_NONE;
}

static void concat_run(const struct kernel_call *call, unsigned slice,
		       void *scratch)
{
	const struct kernel_query *q = call->query;
	const struct concat_attrs *attrs = q->attrs;
	const struct rows rows = rows_of(&q->out[0], attrs->axis);
	const struct cut cut = cut_rows(&rows, call, slice);
	const int64_t pitch = q->out[0].shape.dim[rows.axis] * rows.inner_bytes;
	int64_t offset = 0;

	(void)scratch;
	for (unsigned i = 0; i < q->n_in; i++) {
		const int64_t bytes =
		    q->in[i].shape.dim[rows.axis] * rows.inner_bytes;

		if (call->in[i] != (char *)call->out[0] + offset)
			copy_part(&cut, (char *)call->out[0] + offset,
				  call->in[i], &(struct pitch){ pitch, bytes },
				  bytes);
		offset += bytes;
	}
}

static const struct kernel concat_kernel = {
	.name = "concat.copy",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE,
	.cost = move_cost,
	.prepare = concat_prepare,
	.run = concat_run,
};
static const struct kernel *const concat_kernels[] = { &concat_kernel, NULL };

/* The extents of the parts are a constant: Split by them. */
static int32_t concat_parts(const struct vjp *vjp, unsigned axis)
{
	struct build *build = vjp->build;
	const unsigned n = (unsigned)vjp->node->n_in;
	struct tensor_view view = { .dtype = DTYPE_I64, .shape = { 1, { n } } };
	int64_t *part = arena_array(build->graph->arena, n, sizeof(*part));

	if (!part) {
		if (!build->code)
			build->code = err_set(&build->err, ERR_NO_MEMORY,
					      "out of memory");
		return VALUE_NONE;
	}
	for (unsigned i = 0; i < n; i++)
		part[i] = build_fact(build, vjp->in[i])->shape.dim[axis];
	view.data = part;
	return build_const(build, &view);
}

static enum err_code concat_vjp(struct vjp *vjp, struct err *err)
{
	const struct concat_attrs *attrs = vjp->attrs;
	const int64_t rank = build_fact(vjp->build, vjp->out[0])->shape.rank;
	const int64_t axis = attrs->axis < 0 ? attrs->axis + rank : attrs->axis;
	const struct split_attrs split = { .axis = axis };
	int32_t in[2] = { vjp->grad_out[0], concat_parts(vjp, (unsigned)axis) };

	build_nodes(vjp->build, "Split", &split, in, 2, vjp->grad_in,
		    (unsigned)vjp->node->n_in);
	return build_check(vjp->build, err);
}

/* Extent of part i on the axis: listed, or equal but for the last. */
static int64_t split_part(const struct infer *infer, int64_t extent, unsigned i)
{
	const int64_t n = infer->n_out, part = (extent + n - 1) / n;
	int64_t left;

	if (infer_has(infer, 1))
		return fact_int(&infer->in[1], i);
	left = extent - part * i;
	return left < 0 ? 0 : left < part ? left : part;
}

static enum err_code split_list_check(const struct infer *infer, int64_t extent,
				      struct err *err)
{
	const struct fact *list = &infer->in[1];
	int64_t sum = 0;

	if (!list->value)
		return err_set(err, ERR_UNSUPPORTED,
			       "input 'split' is not known before a run");
	if (list->shape.rank != 1 || list->shape.dim[0] != infer->n_out)
		return infer_fail(err,
				  "input 'split' expected %u extents, one an "
				  "output, got %lld",
				  infer->n_out,
				  (long long)shape_count(&list->shape));
	for (unsigned i = 0; i < infer->n_out; i++) {
		const int64_t part = fact_int(list, i);

		if (part < 0 || part > extent)
			return infer_fail(err,
					  "input 'split' expected extents from "
					  "0 to %lld, got %lld",
					  (long long)extent, (long long)part);
		sum += part;
	}
	if (sum != extent)
		return infer_fail(err,
				  "input 'split' expected extents with the sum "
				  "%lld, got %lld",
				  (long long)extent, (long long)sum);
	return ERR_NONE;
}

static enum err_code split_infer(struct infer *infer, struct err *err)
{
	const struct split_attrs *attrs = infer->attrs;
	const struct shape *x = &infer->in[0].shape;
	unsigned axis;
	enum err_code rc;

	rc = shape_axis(attrs->axis, x->rank, "attribute 'axis'", &axis, err);
	if (rc)
		return rc;
	if (infer_has(infer, 1) && attrs->num_outputs)
		return infer_fail(err, "input 'split' and attribute "
				       "'num_outputs' exclude each other");
	if (attrs->num_outputs && attrs->num_outputs != infer->n_out)
		return infer_fail(err,
				  "attribute 'num_outputs' expected %u, the "
				  "number of outputs, got %lld",
				  infer->n_out, (long long)attrs->num_outputs);
	if (infer_has(infer, 1)) {
		rc = split_list_check(infer, x->dim[axis], err);
		if (rc)
			return rc;
	}
	for (unsigned i = 0; i < infer->n_out; i++) {
		infer->out[i].shape = *x;
		infer->out[i].shape.dim[axis] =
		    split_part(infer, x->dim[axis], i);
		infer->out[i].has_shape = true;
	}
	return ERR_NONE;
}

static enum err_code split_prepare(const struct kernel_query *query,
				   struct kernel_setup *ret, struct err *err)
{
	const struct fact *x = &query->in[0];
	const size_t bytes = tensor_bytes(x->type.elem, &x->shape);

	(void)err;
	ret->n_slices = move_slices(query, (int64_t)bytes, bytes);
	return ERR_NONE;
}

static void split_run(const struct kernel_call *call, unsigned slice,
		      void *scratch)
{
	const struct kernel_query *q = call->query;
	const struct split_attrs *attrs = q->attrs;
	const struct rows rows = rows_of(&q->in[0], attrs->axis);
	const struct cut cut = cut_rows(&rows, call, slice);
	const int64_t pitch = q->in[0].shape.dim[rows.axis] * rows.inner_bytes;
	const char *from = call->in[0];

	(void)scratch;
	for (unsigned i = 0; i < q->n_out; i++) {
		const int64_t bytes =
		    q->out[i].shape.dim[rows.axis] * rows.inner_bytes;

		if (call->out[i] && call->out[i] != from)
			copy_part(&cut, call->out[i], from,
				  &(struct pitch){ bytes, pitch }, bytes);
		from += bytes;
	}
}

static double split_cost(const struct kernel_query *query)
{
	const struct fact *x = &query->in[0];

	return 0.05 + (double)tensor_bytes(x->type.elem, &x->shape) / 4e3;
}

static const struct kernel split_kernel = {
	.name = "split.copy",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE,
	.cost = split_cost,
	.prepare = split_prepare,
	.run = split_run,
};
static const struct kernel *const split_kernels[] = { &split_kernel, NULL };

/* the parts' gradients side by side; zeros for a part nobody read */
static enum err_code split_vjp(struct vjp *vjp, struct err *err)
{
	const struct split_attrs *attrs = vjp->attrs;
	const struct concat_attrs concat = { .axis = attrs->axis };
	const unsigned n = (unsigned)vjp->node->n_out;
	struct build *build = vjp->build;
	int32_t *in = arena_array(build->graph->arena, n, sizeof(*in));

	if (!in)
		return err_set(err, ERR_NO_MEMORY, "out of memory");
	for (unsigned i = 0; i < n; i++)
		in[i] = vjp->grad_out[i] == VALUE_NONE
			    ? build_zeros_like(build, vjp->out[i])
			    : vjp->grad_out[i];
	vjp->grad_in[0] = build_node(build, "Concat", &concat, in, n);
	return build_check(build, err);
}

static const struct port concat_in[] = { { "inputs", "T:any", PORT_VARIADIC },
					 { 0 } };
static const struct port concat_out[] = { { "concat_result", "T", 0 }, { 0 } };
static const struct port split_in[] = {
	{ "input", "T:any", 0 },
	{ "split", "int64", PORT_OPTIONAL },
	{ 0 },
};
static const struct port split_out[] = { { "outputs", "T", PORT_VARIADIC },
					 { 0 } };

static const struct op_attr concat_attrs[] = {
	{ .name = "axis",
	  .help = "axis along which the inputs follow one another",
	  .offset = offsetof(struct concat_attrs, axis),
	  .kind = ATTR_INT,
	  .flags = ATTR_REQUIRED,
	  .min = -SHAPE_MAX_RANK,
	  .max = SHAPE_MAX_RANK - 1 },
	{ 0 },
};
static const struct op_attr split_attrs[] = {
	{ .name = "axis",
	  .help = "axis that is split",
	  .offset = offsetof(struct split_attrs, axis),
	  .kind = ATTR_INT,
	  .min = -SHAPE_MAX_RANK,
	  .max = SHAPE_MAX_RANK - 1 },
	{ .name = "num_outputs",
	  .help = "equal parts, the last may be smaller; 0: as many as outputs",
	  .offset = offsetof(struct split_attrs, num_outputs),
	  .kind = ATTR_INT,
	  .max = INT32_MAX },
	{ 0 },
};

static const struct op_case concat_cases[] = {
	{ .name = "rows",
	  .graph = "y = Concat<axis=0>(a:float[2,3], b:float[1,3])" },
	{ .name = "columns",
	  .graph =
	      "y = Concat<axis=-1>(a:float[2,3], b:float[2,1], c:float[2,4])" },
	{ .name = "middle",
	  .graph = "y = Concat<axis=1>(a:float[2,3,2], b:float[2,1,2])" },
	{ .name = "one", .graph = "y = Concat<axis=0>(a:float[3])" },
	{ .name = "with an empty one",
	  .graph = "y = Concat<axis=0>(a:float[0,2], b:float[3,2])" },
	{ .name = "twice the same",
	  .graph = "y = Concat<axis=1>(a:float[2,3], a)" },
	{ .name = "bytes",
	  .graph = "y = Concat<axis=1>(a:uint8[3,3], b:uint8[3,2])" },
	{ .name = "sliced rows",
	  .graph = "y = Concat<axis=1>(a:int32[61,701], b:int32[61,300])" },
	{ .name = "sliced range",
	  .graph = "y = Concat<axis=0>(a:int32[30001], b:int32[20002])" },
	{ .name = "extent differs",
	  .graph = "y = Concat<axis=0>(a:float[2,3], b:float[2,4])",
	  .want = ERR_SHAPE },
	{ .name = "rank differs",
	  .graph = "y = Concat<axis=0>(a:float[2,3], b:float[2])",
	  .want = ERR_SHAPE },
	{ .name = "axis out of range",
	  .graph = "y = Concat<axis=2>(a:float[2,3], b:float[2,3])",
	  .want = ERR_SHAPE },
	{ .name = "single elements",
	  .graph = "y = Concat<axis=1>(a:float[70,1], b:float[70,1], "
		   "c:float[70,2])" },
	{ 0 },
};
static const struct op_case split_cases[] = {
	{ .name = "equal",
	  .graph = "a, b = Split<axis=1,num_outputs=2>(x:float[2,6])" },
	{ .name = "last is smaller",
	  .graph = "a, b, c = Split<num_outputs=3>(x:float[7,2])" },
	{ .name = "listed",
	  .graph = "a, b = Split<axis=-1>(x:float[2,6], s:int64[2]={2,4})" },
	{ .name = "empty part",
	  .graph = "a, b = Split(x:float[3], s:int64[2]={0,3})" },
	{ .name = "by outputs", .graph = "a, b = Split(x:float[4])" },
	{ .name = "sliced",
	  .graph = "a, b = Split<axis=1,num_outputs=2>(x:int32[61,1000])" },
	{ .name = "sum differs",
	  .graph = "a, b = Split(x:float[6], s:int64[2]={2,3})",
	  .want = ERR_SHAPE },
	{ .name = "negative part",
	  .graph = "a, b = Split(x:float[6], s:int64[2]={-1,7})",
	  .want = ERR_SHAPE },
	{ .name = "too few extents",
	  .graph = "a, b = Split(x:float[6], s:int64[1]={6})",
	  .want = ERR_SHAPE },
	{ .name = "outputs differ",
	  .graph = "a, b = Split<num_outputs=3>(x:float[6])",
	  .want = ERR_SHAPE },
	{ .name = "both forms",
	  .graph = "a, b = Split<num_outputs=2>(x:float[6], s:int64[2]={3,3})",
	  .want = ERR_SHAPE },
	{ 0 },
};

extern const struct op op_concat;
const struct op op_concat = {
	.domain = "",
	.name = "Concat",
	.help = "Joins tensors along an axis.",
	.since = 4,
	.flags = OP_MOVES,
	.in = concat_in,
	.out = concat_out,
	.attrs = concat_attrs,
	.attrs_size = sizeof(struct concat_attrs),
	.infer = concat_infer,
	.kernels = concat_kernels,
	.vjp = concat_vjp,
	.cases = concat_cases,
};

extern const struct op op_split;
const struct op op_split = {
	.domain = "",
	.name = "Split",
	.help = "Cuts a tensor into parts along an axis.",
	.since = 13,
	.flags = OP_MOVES,
	.value_inputs = 1u << 1,
	.in = split_in,
	.out = split_out,
	.attrs = split_attrs,
	.attrs_size = sizeof(struct split_attrs),
	.infer = split_infer,
	.kernels = split_kernels,
	.vjp = split_vjp,
	.cases = split_cases,
};
