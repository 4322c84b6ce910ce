/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Slice: y[.., i, ..] = x[.., start + i * step, ..] on each axis listed; and
 * SliceGrad, which puts y back among zeros.
 */
#include <string.h>

#include "engine/autodiff.h"
#include "engine/ops/move.h"
#include "engine/ops/reshape.h"

/* What is taken of each axis: n elements from `start` on, by `step`. */
struct window {
	int64_t start[SHAPE_MAX_RANK], step[SHAPE_MAX_RANK], n[SHAPE_MAX_RANK];
};

/* Inputs starts, ends, axes, steps stand in this order from input `first`. */
struct slice_lists {
	unsigned first;
	int64_t start[SHAPE_MAX_RANK], end[SHAPE_MAX_RANK];
	int64_t axis[SHAPE_MAX_RANK], step[SHAPE_MAX_RANK];
	size_t n;
};

static int64_t clamp(int64_t x, int64_t low, int64_t high)
{
	return x < low ? low : x > high ? high : x;
}

/* One axis by the rules of ONNX: negative bounds count from the end, then both
 * are clamped to what the direction can reach. */
static enum err_code window_axis(const struct slice_lists *l, size_t i,
				 int64_t dim, struct window *ret, unsigned axis,
				 struct err *err)
{
	int64_t start = l->start[i], end = l->end[i], step = l->step[i];

	if (!step)
		return infer_fail(err,
				  "input 'steps' expected steps other "
				  "than 0, got 0 for axis %u",
				  axis);
	/* beyond an extent the size of a step makes no difference */
	step = clamp(step, -SHAPE_MAX_EXTENT, SHAPE_MAX_EXTENT);
	if (start < 0)
		start += dim;
	if (end < 0)
		end += dim;
	if (step > 0) {
		start = clamp(start, 0, dim);
		end = clamp(end, 0, dim);
		ret->n[axis] = end > start ? (end - start - 1) / step + 1 : 0;
	} else {
		start = clamp(start, 0, dim - 1);
		end = clamp(end, -1, dim - 1);
		ret->n[axis] =
		    dim && start > end ? (start - end - 1) / -step + 1 : 0;
	}
	ret->start[axis] = start;
	ret->step[axis] = step;
	return ERR_NONE;
}

static enum err_code read_lists(const struct infer *infer,
				struct slice_lists *l, unsigned rank,
				struct err *err)
{
	size_t n_end, n_axes = 0, n_steps = 0;
	enum err_code rc;

	rc = infer_ints(infer, l->first, l->start, &l->n, err);
	if (!rc)
		rc = infer_ints(infer, l->first + 1, l->end, &n_end, err);
	if (!rc && infer_has(infer, l->first + 2))
		rc = infer_ints(infer, l->first + 2, l->axis, &n_axes, err);
	if (!rc && infer_has(infer, l->first + 3))
		rc = infer_ints(infer, l->first + 3, l->step, &n_steps, err);
	if (rc)
		return rc;
	for (size_t i = 0; i < l->n; i++) {
		if (!infer_has(infer, l->first + 2))
			l->axis[i] = (int64_t)i;
		if (!infer_has(infer, l->first + 3))
			l->step[i] = 1;
	}
	if (n_end != l->n || l->n > rank ||
	    (infer_has(infer, l->first + 2) && n_axes != l->n) ||
	    (infer_has(infer, l->first + 3) && n_steps != l->n))
		return infer_fail(
		    err,
		    "inputs 'starts', 'ends', 'axes', 'steps' "
		    "expected one length of at most %u, the rank, "
		    "got %zu, %zu, %zu, %zu",
		    rank, l->n, n_end, n_axes, n_steps);
	return ERR_NONE;
}

/* The window of a tensor of shape x; the lists stand from input `first` on. */
static enum err_code window_read(const struct infer *infer, unsigned first,
				 const struct shape *x, struct window *ret,
				 struct err *err)
{
	struct slice_lists lists = { .first = first };
	uint32_t seen = 0;
	enum err_code rc = read_lists(infer, &lists, x->rank, err);

	if (rc)
		return rc;
	for (unsigned i = 0; i < x->rank; i++) {
		ret->start[i] = 0;
		ret->step[i] = 1;
		ret->n[i] = x->dim[i];
	}
	for (size_t i = 0; i < lists.n; i++) {
		unsigned axis;

		rc = shape_axis(lists.axis[i], x->rank, "input 'axes'", &axis,
				err);
		if (rc)
			return rc;
		if (seen >> axis & 1u)
			return infer_fail(err,
					  "input 'axes' names axis %u "
					  "twice",
					  axis);
		seen |= (uint32_t)1 << axis;
		rc = window_axis(&lists, i, x->dim[axis], ret, axis, err);
		if (rc)
			return rc;
	}
	return ERR_NONE;
}

static enum err_code slice_infer(struct infer *infer, struct err *err)
{
	const struct shape *x = &infer->in[0].shape;
	struct shape *y = &infer->out[0].shape;
	struct window window;
	enum err_code rc = window_read(infer, 1, x, &window, err);

	if (rc)
		return rc;
	y->rank = x->rank;
	for (unsigned i = 0; i < x->rank; i++)
		y->dim[i] = window.n[i];
	infer->out[0].has_shape = true;
	return ERR_NONE;
}

/* The move from a window of `whole` (elements at *ret_offset on) to a dense
 * block; false when infer() would not have let it come here. */
static bool window_move(const struct kernel_query *query, unsigned first,
			const struct shape *whole, struct move *ret,
			int64_t *ret_offset)
{
	const struct infer infer = query_infer(query);
	int64_t stride[SHAPE_MAX_RANK];
	struct window window;
	struct shape part = { .rank = whole->rank };

	if (window_read(&infer, first, whole, &window, NULL))
		return false;
	*ret = (struct move){ .rank = whole->rank };
	*ret_offset = 0;
	move_strides(whole, stride);
	for (unsigned i = 0; i < whole->rank; i++) {
		part.dim[i] = ret->dim[i] = window.n[i];
		ret->from[i] = stride[i] * window.step[i];
		*ret_offset += stride[i] * window.start[i];
	}
	move_strides(&part, ret->to);
	return true;
}

static enum err_code slice_prepare(const struct kernel_query *query,
				   struct kernel_setup *ret, struct err *err)
{
	const struct fact *y = &query->out[0];
	struct move move;
	int64_t offset;

	(void)err;
	if (!window_move(query, 1, &query->in[0].shape, &move, &offset))
		return err_set(err, ERR_INTERNAL, "Slice without known lists");
	move_simplify(&move);
	ret->n_slices = move_slices(query, move.rank ? move.dim[0] : 1,
				    tensor_bytes(y->type.elem, &y->shape));
	return ERR_NONE;
}

static void slice_run(const struct kernel_call *call, unsigned slice,
		      void *scratch)
{
	const struct kernel_query *q = call->query;
	const int64_t size = (int64_t)query_size(q);
	int64_t offset, to, from;
	struct move move;

	(void)scratch;
	if (!shape_count(&q->out[0].shape) ||
	    !window_move(q, 1, &q->in[0].shape, &move, &offset))
		return;
	move_simplify(&move);
	if (!move_part(&move, call->n_slices, slice, &to, &from))
		return;
	from += offset;
	if ((const char *)call->in[0] + offset * size != call->out[0])
		move_run(&move, (size_t)size, (char *)call->out[0] + to * size,
			 (const char *)call->in[0] + from * size);
}

/* what is read is as much as what is written */
static double slice_cost(const struct kernel_query *query)
{
	const struct fact *y = &query->out[0];

	return 0.1 + (double)tensor_bytes(y->type.elem, &y->shape) / 4e3;
}

static const struct kernel slice_kernel = {
	.name = "slice.move",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE,
	.cost = slice_cost,
	.prepare = slice_prepare,
	.run = slice_run,
};
static const struct kernel *const slice_kernels[] = { &slice_kernel, NULL };

/* ddata = SliceGrad(doutput, shape of data, the same lists) */
static enum err_code slice_vjp(struct vjp *vjp, struct err *err)
{
	const struct shape x = build_fact(vjp->build, vjp->in[0])->shape;
	int32_t in[6] = {
		vjp->grad_out[0], build_ints(vjp->build, x.dim, x.rank),
		VALUE_NONE,	  VALUE_NONE,
		VALUE_NONE,	  VALUE_NONE
	};

	for (int32_t i = 1; i < vjp->node->n_in && i < 5; i++)
		in[i + 1] = vjp->in[i];
	vjp->grad_in[0] = build_node(vjp->build, "SliceGrad", NULL, in, 6);
	return build_check(vjp->build, err);
}

static enum err_code slice_grad_infer(struct infer *infer, struct err *err)
{
	const struct shape *dy = &infer->in[0].shape;
	struct shape *dx = &infer->out[0].shape;
	struct window window;
	enum err_code rc;
	size_t n = 0;

	rc = infer_ints(infer, 1, dx->dim, &n, err);
	dx->rank = (unsigned)n;
	if (!rc)
		rc = shape_check(dx, "input 'shape'", err);
	if (!rc)
		rc = window_read(infer, 2, dx, &window, err);
	if (rc)
		return rc;
	if (dy->rank != dx->rank)
		return infer_fail(err, "input 'dY' expected rank %u, got %u",
				  dx->rank, dy->rank);
	for (unsigned i = 0; i < dx->rank; i++)
		if (dy->dim[i] != window.n[i])
			return infer_fail(err,
					  "input 'dY' expected extent %lld on "
					  "axis %u, got %lld",
					  (long long)window.n[i], i,
					  (long long)dy->dim[i]);
	infer->out[0].has_shape = true;
	return ERR_NONE;
}

static void slice_grad_run(const struct kernel_call *call, unsigned slice,
			   void *scratch)
{
	const struct kernel_query *q = call->query;
	const struct fact *dx = &q->out[0];
	const size_t size = query_size(q);
	struct move move, back;
	int64_t offset;

	(void)slice;
	(void)scratch;
	memset(call->out[0], 0, tensor_bytes(dx->type.elem, &dx->shape));
	if (!shape_count(&q->in[0].shape) ||
	    !window_move(q, 2, &dx->shape, &move, &offset))
		return;
	back = move;
	memcpy(back.to, move.from, sizeof(back.to));
	memcpy(back.from, move.to, sizeof(back.from));
	move_simplify(&back);
	move_run(&back, size, (char *)call->out[0] + offset * (int64_t)size,
		 call->in[0]);
}

static const struct kernel slice_grad_kernel = {
	.name = "slice_grad.move",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE,
	.cost = move_cost,
	.run = slice_grad_run,
};
static const struct kernel *const slice_grad_kernels[] = { &slice_grad_kernel,
							   NULL };

static enum err_code slice_grad_vjp(struct vjp *vjp, struct err *err)
{
	int32_t in[5] = { vjp->grad_out[0], VALUE_NONE, VALUE_NONE, VALUE_NONE,
			  VALUE_NONE };

	for (int32_t i = 2; i < vjp->node->n_in && i < 6; i++)
		in[i - 1] = vjp->in[i];
	vjp->grad_in[0] = build_node(vjp->build, "Slice", NULL, in, 5);
	return build_check(vjp->build, err);
}

static const struct port slice_in[] = {
	{ "data", "T:any", 0 },
	{ "starts", "I:int32,int64", 0 },
	{ "ends", "I", 0 },
	{ "axes", "I", PORT_OPTIONAL },
	{ "steps", "I", PORT_OPTIONAL },
	{ 0 },
};
static const struct port slice_out[] = { { "output", "T", 0 }, { 0 } };
static const struct port slice_grad_in[] = {
	{ "dY", "T:arith", 0 },
	{ "shape", "int64", 0 },
	{ "starts", "I:int32,int64", 0 },
	{ "ends", "I", 0 },
	{ "axes", "I", PORT_OPTIONAL },
	{ "steps", "I", PORT_OPTIONAL },
	{ 0 },
};
static const struct port slice_grad_out[] = { { "dX", "T", 0 }, { 0 } };

static const struct op_case slice_cases[] = {
	{ .name = "two axes",
	  .graph =
	      "y = Slice(x:float[5,6], s:int64[2]={1,2}, e:int64[2]={4,5})" },
	{ .name = "last axis",
	  .graph = "y = Slice(x:float[3,7], s:int64[1]={2}, e:int64[1]={6}, "
		   "a:int64[1]={-1})" },
	{ .name = "negative bounds",
	  .graph = "y = Slice(x:float[7], s:int64[1]={-5}, e:int64[1]={-1})" },
	{ .name = "clamped",
	  .graph = "y = Slice(x:float[4,5], s:int64[1]={-99}, "
		   "e:int64[1]={9223372036854775807}, a:int64[1]={1})" },
	{ .name = "by steps",
	  .graph = "y = Slice(x:float[4,9], s:int64[1]={1}, e:int64[1]={8}, "
		   "a:int64[1]={1}, t:int64[1]={3})" },
	{ .name = "backwards",
	  .graph = "y = Slice(x:float[3,6], s:int64[2]={-1,4}, "
		   "e:int64[2]={-9223372036854775807,0}, a:int64[2]={0,1}, "
		   "t:int64[2]={-1,-2})" },
	{ .name = "nothing",
	  .graph = "y = Slice(x:float[4,5], s:int64[1]={3}, e:int64[1]={2})" },
	{ .name = "of nothing",
	  .graph = "y = Slice(x:float[0,5], s:int64[1]={0}, e:int64[1]={2})" },
	{ .name = "of nothing, backwards",
	  .graph = "y = Slice(x:float[0], s:int64[1]={-1}, e:int64[1]={-9}, "
		   "a:int64[1]={0}, t:int64[1]={-1})" },
	{ .name = "huge step",
	  .graph = "y = Slice(x:float[5], s:int64[1]={1}, e:int64[1]={5}, "
		   "a:int64[1]={0}, t:int64[1]={9223372036854775807})" },
	{ .name = "int32 lists",
	  .graph = "y = Slice(x:float[5,2], s:int32[1]={1}, e:int32[1]={3})" },
	{ .name = "no axis",
	  .graph = "y = Slice(x:float[5], s:int64[0]={}, e:int64[0]={})" },
	{ .name = "sliced",
	  .graph = "y = Slice(x:int32[71,900], s:int64[1]={1}, "
		   "e:int64[1]={899}, a:int64[1]={1})" },
	{ .name = "step 0",
	  .graph = "y = Slice(x:float[5], s:int64[1]={1}, e:int64[1]={3}, "
		   "a:int64[1]={0}, t:int64[1]={0})",
	  .want = ERR_SHAPE },
	{ .name = "lengths differ",
	  .graph = "y = Slice(x:float[5], s:int64[1]={1}, e:int64[2]={3,3})",
	  .want = ERR_SHAPE },
	{ .name = "too many axes",
	  .graph = "y = Slice(x:float[5], s:int64[2]={1,1}, e:int64[2]={3,3})",
	  .want = ERR_SHAPE },
	{ .name = "axis out of range",
	  .graph = "y = Slice(x:float[5], s:int64[1]={1}, e:int64[1]={3}, "
		   "a:int64[1]={1})",
	  .want = ERR_SHAPE },
	{ .name = "axis twice",
	  .graph = "y = Slice(x:float[5,5], s:int64[2]={1,1}, "
		   "e:int64[2]={3,3}, a:int64[2]={0,-2})",
	  .want = ERR_SHAPE },
	{ 0 },
};
static const struct op_case slice_grad_cases[] = {
	{ .name = "rows",
	  .graph = "dx = predictd.SliceGrad(dy:float[2,3], h:int64[2]={5,3}, "
		   "s:int64[1]={1}, e:int64[1]={3})" },
	{ .name = "by steps",
	  .graph = "dx = predictd.SliceGrad(dy:float[2,3], h:int64[2]={2,9}, "
		   "s:int64[1]={1}, e:int64[1]={8}, a:int64[1]={1}, "
		   "t:int64[1]={3})" },
	{ .name = "backwards",
	  .graph = "dx = predictd.SliceGrad(dy:float[5], h:int64[1]={5}, "
		   "s:int64[1]={-1}, e:int64[1]={-9}, a:int64[1]={0}, "
		   "t:int64[1]={-1})" },
	{ .name = "extent differs",
	  .graph = "dx = predictd.SliceGrad(dy:float[2,3], h:int64[2]={5,3}, "
		   "s:int64[1]={1}, e:int64[1]={4})",
	  .want = ERR_SHAPE },
	{ .name = "rank differs",
	  .graph = "dx = predictd.SliceGrad(dy:float[2], h:int64[2]={5,3}, "
		   "s:int64[1]={1}, e:int64[1]={3})",
	  .want = ERR_SHAPE },
	{ 0 },
};

extern const struct op op_slice;
const struct op op_slice = {
	.domain = "",
	.name = "Slice",
	.help = "Takes a range of each axis, by steps.",
	.since = 10,
	.flags = OP_MOVES | OP_ZERO_STAYS_ZERO,
	.value_inputs = 0x1e,
	.in = slice_in,
	.out = slice_out,
	.infer = slice_infer,
	.kernels = slice_kernels,
	.vjp = slice_vjp,
	.cases = slice_cases,
};

extern const struct op op_slice_grad;
const struct op op_slice_grad = {
	.domain = "predictd",
	.name = "SliceGrad",
	.help = "The gradient of Slice: dY among zeros.",
	.since = 1,
	.flags = OP_MOVES | OP_ZERO_STAYS_ZERO,
	.value_inputs = 0x3e,
	.in = slice_grad_in,
	.out = slice_grad_out,
	.infer = slice_grad_infer,
	.kernels = slice_grad_kernels,
	.vjp = slice_grad_vjp,
	.cases = slice_grad_cases,
};
