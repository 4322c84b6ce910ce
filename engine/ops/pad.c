/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Pad: elements before and behind each axis; negative ones crop. Modes:
 * constant, edge (the border again), reflect (mirrored at the border, which is
 * not repeated), wrap (from the other end). The border is that of what
 * cropping leaves. PadGrad adds up what each element gave.
 */
#include <string.h>

#include "engine/autodiff.h"
#include "engine/ops/move.h"
#include "engine/ops/reduce.h"
#include "engine/ops/reshape.h"

enum pad_mode { PAD_CONSTANT, PAD_EDGE, PAD_REFLECT, PAD_WRAP, PAD_N_MODES };

static const char *const pad_mode_name[] = { "constant", "edge", "reflect",
					     "wrap" };

struct pad_attrs {
	const char *mode;
};

/* A scalar is one axis of one element. */
struct pad {
	enum pad_mode mode;
	unsigned rank;
	int64_t in[SHAPE_MAX_RANK], out[SHAPE_MAX_RANK];
	int64_t before[SHAPE_MAX_RANK], after[SHAPE_MAX_RANK];
	int64_t in_stride[SHAPE_MAX_RANK];
};

/* A row of the result: all of the last axis. */
struct pad_row {
	int64_t at[SHAPE_MAX_RANK];
	int64_t to, from; /* elements before the row, on each side */
	bool inside;	  /* the other axes hit the input */
};

static enum err_code mode_find(const char *name, enum pad_mode *ret,
			       struct err *err)
{
	for (unsigned i = 0; i < PAD_N_MODES; i++) {
		if (strcmp(name, pad_mode_name[i]) == 0) {
			*ret = (enum pad_mode)i;
			return ERR_NONE;
		}
	}
	return infer_fail(err,
			  "attribute 'mode' expected constant, edge, reflect "
			  "or wrap, got '%s'",
			  name);
}

/* Where position j of axis i comes from; -1: nowhere, a constant. */
static int64_t pad_source(const struct pad *pad, unsigned i, int64_t j)
{
	/* what cropping leaves: low to high - 1 */
	const int64_t low = pad->before[i] < 0 ? -pad->before[i] : 0;
	const int64_t high =
	    pad->in[i] + (pad->after[i] < 0 ? pad->after[i] : 0);
	const int64_t n = high - low;
	int64_t k = j - pad->before[i] - low;

	if (k >= 0 && k < n)
		return low + k;
	switch (pad->mode) {
	case PAD_EDGE:
		return k < 0 ? low : high - 1;
	case PAD_REFLECT:
		if (n == 1)
			return low;
		k = (k % (2 * (n - 1)) + 2 * (n - 1)) % (2 * (n - 1));
		return low + (k < n ? k : 2 * (n - 1) - k);
	case PAD_WRAP:
		return low + (k % n + n) % n;
	default:
		return -1;
	}
}

/* Offset of the input's row under row->at. */
static void pad_locate(const struct pad *pad, struct pad_row *row)
{
	row->from = 0;
	row->inside = true;
	for (unsigned i = 0; i + 1 < pad->rank; i++) {
		int64_t k = pad_source(pad, i, row->at[i]);

		row->inside = row->inside && k >= 0;
		row->from += k * pad->in_stride[i];
	}
}

/* Row number i of the result. */
static void pad_start(const struct pad *pad, int64_t i, struct pad_row *row)
{
	*row = (struct pad_row){ .to = i * pad->out[pad->rank - 1] };
	for (unsigned k = pad->rank - 1; k-- > 0;) {
		row->at[k] = i % pad->out[k];
		i /= pad->out[k];
	}
	pad_locate(pad, row);
}

static bool pad_next(const struct pad *pad, struct pad_row *row)
{
	row->to += pad->out[pad->rank - 1];
	for (unsigned i = pad->rank - 1; i-- > 0;) {
		if (++row->at[i] < pad->out[i]) {
			pad_locate(pad, row);
			return true;
		}
		row->at[i] = 0;
	}
	return false;
}

#define T float
#define NAME(x) x##_f32
#include "engine/ops/pad_typed.h"
#undef T
#undef NAME
#define T double
#define NAME(x) x##_f64
#include "engine/ops/pad_typed.h"
#undef T
#undef NAME

/* Reads pads (input `pads`) and axes (input `axes`) for a tensor of shape x. */
static enum err_code read_pads(const struct infer *infer, unsigned pads,
			       unsigned axes, const struct shape *x,
			       struct pad *ret, struct err *err)
{
	const struct fact *list = &infer->in[pads];
	uint32_t seen = 0;
	int64_t axis[SHAPE_MAX_RANK];
	enum err_code rc = ERR_NONE;
	size_t n = x->rank;

	for (unsigned i = 0; i < x->rank; i++)
		axis[i] = i;
	if (infer_has(infer, axes))
		rc = infer_ints(infer, axes, axis, &n, err);
	if (rc)
		return rc;
	if (!list->value)
		return err_set(err, ERR_UNSUPPORTED,
			       "input 'pads' is not known before a run");
	if (list->shape.rank != 1 || list->shape.dim[0] != 2 * (int64_t)n)
		return infer_fail(err,
				  "input 'pads' expected %zu numbers, two an "
				  "axis, got %lld",
				  2 * n, (long long)shape_count(&list->shape));
	for (size_t i = 0; i < n; i++) {
		unsigned k;

		rc = shape_axis(axis[i], x->rank, "input 'axes'", &k, err);
		if (rc)
			return rc;
		if (seen >> k & 1u)
			return infer_fail(err,
					  "input 'axes' names axis %u "
					  "twice",
					  k);
		seen |= (uint32_t)1 << k;
		ret->before[k] = fact_int(list, (int64_t)i);
		ret->after[k] = fact_int(list, (int64_t)(i + n));
	}
	return ERR_NONE;
}

/* Extents of the result from those of x. */
static enum err_code pad_extents(const struct shape *x, struct pad *pad,
				 struct err *err)
{
	pad->rank = x->rank ? x->rank : 1;
	pad->in[0] = pad->out[0] = 1; /* of a scalar */
	for (unsigned i = 0; i < x->rank; i++) {
		const int64_t before = pad->before[i], after = pad->after[i];
		const int64_t limit = SHAPE_MAX_EXTENT;
		int64_t crop;

		pad->in[i] = x->dim[i];
		if (before < -limit || before > limit || after < -limit ||
		    after > limit)
			return infer_fail(err,
					  "input 'pads' expected numbers "
					  "below 2^31 on axis %u",
					  i);
		crop = (before < 0 ? before : 0) + (after < 0 ? after : 0);
		if (x->dim[i] + crop < 0)
			return infer_fail(err,
					  "input 'pads' crops %lld of axis %u, "
					  "which has extent %lld",
					  (long long)-crop, i,
					  (long long)x->dim[i]);
		if (pad->mode != PAD_CONSTANT && x->dim[i] + crop == 0 &&
		    (before > 0 || after > 0))
			return infer_fail(err,
					  "input 'data' expected elements on "
					  "axis %u to repeat, got none",
					  i);
		pad->out[i] = x->dim[i] + before + after;
	}
	pad->in_stride[0] = 1;
	move_strides(x, pad->in_stride);
	return ERR_NONE;
}

/* The whole of a Pad: in 0 data, 1 pads, 3 axes. */
static enum err_code pad_read(const struct infer *infer, struct pad *ret,
			      struct err *err)
{
	const struct pad_attrs *attrs = infer->attrs;
	const struct shape *x = &infer->in[0].shape;
	enum err_code rc;

	*ret = (struct pad){ 0 };
	rc = mode_find(attrs->mode, &ret->mode, err);
	if (!rc)
		rc = read_pads(infer, 1, 3, x, ret, err);
	return rc ? rc : pad_extents(x, ret, err);
}

static enum err_code pad_infer(struct infer *infer, struct err *err)
{
	struct shape *y = &infer->out[0].shape;
	struct pad pad;
	enum err_code rc = pad_read(infer, &pad, err);

	if (rc)
		return rc;
	if (infer_has(infer, 2) && shape_count(&infer->in[2].shape) != 1)
		return infer_fail(
		    err,
		    "input 'constant_value' expected one element, got %lld",
		    (long long)shape_count(&infer->in[2].shape));
	y->rank = infer->in[0].shape.rank;
	memcpy(y->dim, pad.out, sizeof(y->dim));
	infer->out[0].has_shape = true;
	return shape_check(y, "output 'output'", err);
}

/* What a run needs beside the rows. */
struct pad_copy {
	const struct pad *pad;
	const char *x;
	char *y;
	const void *constant; /* NULL: zero */
	size_t size;
	bool inside;
};

/* Elements first to last - 1 of a row, one by one. */
static void pad_fill(const struct pad_copy *c, int64_t first, int64_t last)
{
	const int64_t size = (int64_t)c->size;

	for (int64_t j = first; j < last; j++) {
		int64_t k =
		    c->inside ? pad_source(c->pad, c->pad->rank - 1, j) : -1;

		if (k >= 0)
			memcpy(c->y + j * size, c->x + k * size, c->size);
		else if (c->constant)
			memcpy(c->y + j * size, c->constant, c->size);
		else
			memset(c->y + j * size, 0, c->size);
	}
}

/* One row: what runs on in one piece, and what is around it. */
static void pad_row_copy(const struct pad *pad, const struct pad_row *row,
			 const struct kernel_call *call)
{
	const unsigned last = pad->rank - 1;
	const size_t size = query_size(call->query);
	const int64_t step = (int64_t)size, n = pad->out[last];
	const int64_t crop = pad->after[last] < 0 ? pad->after[last] : 0;
	const struct pad_copy copy = {
		.pad = pad,
		.x = (const char *)call->in[0] + row->from * step,
		.y = (char *)call->out[0] + row->to * step,
		.constant = call->query->n_in > 2 ? call->in[2] : NULL,
		.size = size,
		.inside = row->inside,
	};
	int64_t first = pad->before[last] > 0 ? pad->before[last] : 0;
	int64_t behind = pad->before[last] + pad->in[last] + crop;

	if (!row->inside)
		first = behind = n;
	pad_fill(&copy, 0, first);
	if (behind > first)
		memcpy(copy.y + first * step,
		       copy.x + (first - pad->before[last]) * step,
		       (size_t)(behind - first) * size);
	pad_fill(&copy, behind, n);
}

static int64_t n_rows(const struct pad *pad)
{
	int64_t n = 1;

	for (unsigned i = 0; i + 1 < pad->rank; i++)
		n *= pad->out[i];
	return n;
}

static enum err_code pad_prepare(const struct kernel_query *query,
				 struct kernel_setup *ret, struct err *err)
{
	const struct infer infer = query_infer(query);
	const struct fact *y = &query->out[0];
	struct pad pad;
	enum err_code rc = pad_read(&infer, &pad, err);

	if (rc)
		return rc;
	ret->n_slices = move_slices(query, n_rows(&pad),
				    tensor_bytes(y->type.elem, &y->shape));
	return ERR_NONE;
}

static void pad_run(const struct kernel_call *call, unsigned slice,
		    void *scratch)
{
	const struct infer infer = query_infer(call->query);
	int64_t first, last;
	struct pad_row row;
	struct pad pad;

	(void)scratch;
	if (!shape_count(&call->query->out[0].shape) ||
	    pad_read(&infer, &pad, NULL))
		return;
	kernel_slice(n_rows(&pad), call->n_slices, slice, &first, &last);
	pad_start(&pad, first, &row);
	for (int64_t i = first; i < last; i++) {
		pad_row_copy(&pad, &row, call);
		pad_next(&pad, &row);
	}
}

static const struct kernel pad_kernel = {
	.name = "pad.copy",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE,
	.cost = move_cost,
	.prepare = pad_prepare,
	.run = pad_run,
};
static const struct kernel *const pad_kernels[] = { &pad_kernel, NULL };

/* ddata of the constant mode: Pad by the negative numbers */
static int32_t crop_back(struct vjp *vjp)
{
	struct build *build = vjp->build;
	const struct fact *pads = build_fact(build, vjp->in[1]);
	int64_t back[2 * SHAPE_MAX_RANK];
	const size_t n = (size_t)shape_count(&pads->shape);
	int32_t in[4] = { vjp->grad_out[0], VALUE_NONE, VALUE_NONE,
			  VALUE_NONE };

	for (size_t i = 0; i < n && i < (size_t)2 * SHAPE_MAX_RANK; i++)
		back[i] = -fact_int(pads, (int64_t)i);
	in[1] = build_ints(build, back, n);
	if (vjp->node->n_in > 3)
		in[3] = vjp->in[3];
	return build_node(build, "Pad", NULL, in, 4);
}

static enum err_code pad_vjp(struct vjp *vjp, struct err *err)
{
	struct build *build = vjp->build;
	const struct pad_attrs *attrs = vjp->attrs;
	const struct shape x = build_fact(build, vjp->in[0])->shape;
	const bool has_constant =
	    vjp->node->n_in > 2 && vjp->in[2] != VALUE_NONE;
	int32_t in[4] = { vjp->grad_out[0], build_ints(build, x.dim, x.rank),
			  vjp->in[1], VALUE_NONE };
	int32_t dx;

	if (vjp->node->n_in > 3)
		in[3] = vjp->in[3];
	if (strcmp(attrs->mode, "constant") == 0)
		dx = crop_back(vjp);
	else
		dx = build_node(build, "PadGrad", attrs, in, 4);
	vjp->grad_in[0] = dx;
	/* what is not of the data is of the constant */
	if (has_constant && vjp->wanted[2]) {
		int32_t rest = strcmp(attrs->mode, "constant") == 0
				   ? build_sum_rest(build, vjp->grad_out[0], dx,
						    vjp->in[2])
				   : VALUE_NONE;

		vjp->grad_in[2] = rest;
	}
	return build_check(build, err);
}

/* PadGrad: in 0 dY, 1 the shape of data, 2 pads, 3 axes. */
static enum err_code pad_grad_read(const struct infer *infer,
				   struct shape *ret_x, struct pad *ret,
				   struct err *err)
{
	const struct pad_attrs *attrs = infer->attrs;
	enum err_code rc;
	size_t n = 0;

	*ret = (struct pad){ 0 };
	rc = mode_find(attrs->mode, &ret->mode, err);
	if (!rc)
		rc = infer_ints(infer, 1, ret_x->dim, &n, err);
	ret_x->rank = (unsigned)n;
	if (!rc)
		rc = shape_check(ret_x, "input 'shape'", err);
	if (!rc)
		rc = read_pads(infer, 2, 3, ret_x, ret, err);
	return rc ? rc : pad_extents(ret_x, ret, err);
}

static enum err_code pad_grad_infer(struct infer *infer, struct err *err)
{
	const struct shape *dy = &infer->in[0].shape;
	struct shape want;
	char expected[64], got[64];
	struct pad pad;
	enum err_code rc;

	rc = pad_grad_read(infer, &infer->out[0].shape, &pad, err);
	if (rc)
		return rc;
	want.rank = infer->out[0].shape.rank;
	memcpy(want.dim, pad.out, sizeof(want.dim));
	if (!shape_equal(&want, dy))
		return infer_fail(err, "input 'dY' expected shape %s, got %s",
				  shape_text(&want, expected, sizeof(expected)),
				  shape_text(dy, got, sizeof(got)));
	infer->out[0].has_shape = true;
	return ERR_NONE;
}

static void pad_grad_run(const struct kernel_call *call, unsigned slice,
			 void *scratch)
{
	const struct infer infer = query_infer(call->query);
	const struct fact *dx = &call->query->out[0];
	struct shape x;
	struct pad pad;

	(void)slice;
	(void)scratch;
	memset(call->out[0], 0, tensor_bytes(dx->type.elem, &dx->shape));
	if (!shape_count(&call->query->in[0].shape) ||
	    pad_grad_read(&infer, &x, &pad, NULL))
		return;
	if (dx->type.elem == DTYPE_F32)
		pad_grad_f32(&pad, call->in[0], call->out[0]);
	else
		pad_grad_f64(&pad, call->in[0], call->out[0]);
}

static bool is_float_or_double(const struct kernel_query *query)
{
	return query->in[0].type.elem == DTYPE_F32 ||
	       query->in[0].type.elem == DTYPE_F64;
}

static const struct kernel pad_grad_kernel = {
	.name = "pad_grad.reference",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE,
	.fits = is_float_or_double,
	.cost = move_cost_scattered,
	.run = pad_grad_run,
};
static const struct kernel *const pad_grad_kernels[] = { &pad_grad_kernel,
							 NULL };

static const struct port pad_in[] = {
	{ "data", "T:any", 0 },
	{ "pads", "int64", 0 },
	{ "constant_value", "T", PORT_OPTIONAL },
	{ "axes", "int32,int64", PORT_OPTIONAL },
	{ 0 },
};
static const struct port pad_out[] = { { "output", "T", 0 }, { 0 } };
static const struct port pad_grad_in[] = {
	{ "dY", "T:floats", 0 },
	{ "shape", "int64", 0 },
	{ "pads", "int64", 0 },
	{ "axes", "int32,int64", PORT_OPTIONAL },
	{ 0 },
};
static const struct port pad_grad_out[] = { { "dX", "T", 0 }, { 0 } };

static const struct op_attr pad_attrs[] = {
	{ .name = "mode",
	  .help = "constant, edge, reflect or wrap",
	  .offset = offsetof(struct pad_attrs, mode),
	  .kind = ATTR_STRING,
	  .def_text = "constant" },
	{ 0 },
};

static const struct op_case pad_cases[] = {
	{ .name = "zeros",
	  .graph = "y = Pad(x:float[2,3], p:int64[4]={1,0,2,3})" },
	{ .name = "constant",
	  .graph =
	      "y = Pad(x:float[2,3], p:int64[4]={0,1,1,2}, c:float[]={1.5})" },
	{ .name = "axes",
	  .graph =
	      "y = Pad(x:float[2,3,4], p:int64[2]={1,2}, , a:int64[1]={-2})" },
	{ .name = "cropped",
	  .graph = "y = Pad(x:float[4,5], p:int64[4]={-1,2,1,-3})" },
	{ .name = "cropped to nothing",
	  .graph = "y = Pad(x:float[4], p:int64[2]={-2,-2})" },
	{ .name = "edge",
	  .graph =
	      "y = Pad<mode=\"edge\">(x:float[2,3], p:int64[4]={1,2,3,1})" },
	{ .name = "reflect",
	  .graph =
	      "y = Pad<mode=\"reflect\">(x:float[4,5], p:int64[4]={2,3,1,4})" },
	{ .name = "reflect twice",
	  .graph = "y = Pad<mode=\"reflect\">(x:float[3], p:int64[2]={5,7})" },
	{ .name = "reflect one",
	  .graph =
	      "y = Pad<mode=\"reflect\">(x:float[1,2], p:int64[4]={2,1,0,1})" },
	{ .name = "reflect cropped",
	  .graph = "y = Pad<mode=\"reflect\">(x:float[5], p:int64[2]={-1,3})" },
	{ .name = "wrap",
	  .graph =
	      "y = Pad<mode=\"wrap\">(x:float[3,4], p:int64[4]={1,5,2,3})" },
	{ .name = "empty",
	  .graph =
	      "y = Pad(x:float[0,2], p:int64[4]={1,1,0,0}, c:float[]={2})" },
	{ .name = "scalar", .graph = "y = Pad(x:float[], p:int64[0]={})" },
	{ .name = "sliced",
	  .graph = "y = Pad(x:int32[61,7,99], p:int64[6]={1,1,1,1,1,1})" },
	{ .name = "too few pads",
	  .graph = "y = Pad(x:float[2,3], p:int64[2]={1,1})",
	  .want = ERR_SHAPE },
	{ .name = "crops too much",
	  .graph = "y = Pad(x:float[2], p:int64[2]={-2,-1})",
	  .want = ERR_SHAPE },
	{ .name = "repeats nothing",
	  .graph = "y = Pad<mode=\"edge\">(x:float[0], p:int64[2]={1,0})",
	  .want = ERR_SHAPE },
	{ .name = "unknown mode",
	  .graph = "y = Pad<mode=\"mirror\">(x:float[2], p:int64[2]={1,1})",
	  .want = ERR_SHAPE },
	{ .name = "axis twice",
	  .graph = "y = Pad(x:float[2,3], p:int64[4]={1,1,1,1}, , "
		   "a:int64[2]={1,-1})",
	  .want = ERR_SHAPE },
	{ .name = "huge",
	  .graph = "y = Pad(x:float[2], p:int64[2]={2147483647,1})",
	  .want = ERR_SHAPE },
	{ 0 },
};
static const struct op_case pad_grad_cases[] = {
	{ .name = "reflect",
	  .graph = "dx = predictd.PadGrad<mode=\"reflect\">(dy:float[7,5], "
		   "h:int64[2]={4,5}, p:int64[4]={1,0,2,0})" },
	{ .name = "edge",
	  .graph = "dx = predictd.PadGrad<mode=\"edge\">(dy:float[2,6], "
		   "h:int64[2]={2,3}, p:int64[2]={1,2}, a:int64[1]={1})" },
	{ .name = "shape differs",
	  .graph = "dx = predictd.PadGrad<mode=\"edge\">(dy:float[2,6], "
		   "h:int64[2]={2,4}, p:int64[2]={1,2}, a:int64[1]={1})",
	  .want = ERR_SHAPE },
	{ 0 },
};

extern const struct op op_pad;
const struct op op_pad = {
	.domain = "",
	.name = "Pad",
	.help = "Adds elements before and behind each axis, or crops.",
	.since = 11,
	.flags = OP_MOVES,
	.value_inputs = 1u << 1 | 1u << 3,
	.in = pad_in,
	.out = pad_out,
	.attrs = pad_attrs,
	.attrs_size = sizeof(struct pad_attrs),
	.infer = pad_infer,
	.kernels = pad_kernels,
	.vjp = pad_vjp,
	.cases = pad_cases,
};

extern const struct op op_pad_grad;
const struct op op_pad_grad = {
	.domain = "predictd",
	.name = "PadGrad",
	.help = "The gradient of Pad where elements are repeated.",
	.since = 1,
	.flags = OP_NO_GRADIENT,
	.value_inputs = 1u << 1 | 1u << 2 | 1u << 3,
	.in = pad_grad_in,
	.out = pad_grad_out,
	.attrs = pad_attrs,
	.attrs_size = sizeof(struct pad_attrs),
	.infer = pad_grad_infer,
	.kernels = pad_grad_kernels,
	.cases = pad_grad_cases,
};
