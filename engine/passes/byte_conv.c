/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Convolutions between DequantizeLinear of a value and of weights, as tools for
 * quantization write them, sum bytes: ConvNarrow (engine/ops/conv_narrow.h),
 * whose float result later passes join with what follows.
 *
 *   Conv(DequantizeLinear(X, x_scale, x_zero), DequantizeLinear(W, ...), B)
 *
 * Zero points of weights go into the weights, which fit int8 then. Where this
 * CPU multiplies bytes no faster than floats, nothing changes.
 */
#include <math.h>
#include <string.h>

#include "engine/attr.h"
#include "engine/kernels/onednn/onednn.h"
#include "engine/ops/conv_narrow.h"
#include "engine/ops/quantize.h"
#include "engine/passes/edit.h"

/* DequantizeLinear(bytes, scale, zero) of constants; zero may be NULL. */
struct stored {
	const struct tensor_view *q, *scale, *zero;
};

static const struct graph_node *widening(const struct edit *edit, int32_t value)
{
	const struct graph_node *node = edit_producer(edit, value);

	return edit_is(node, "DequantizeLinear") ? node : NULL;
}

/* One positive finite number, or m of them. */
static bool are_scales(const struct tensor_view *view, int64_t m)
{
	const int64_t n = view ? shape_count(&view->shape) : 0;

	if (!view || view->dtype != DTYPE_F32 || (n != 1 && n != m))
		return false;
	for (int64_t i = 0; i < n; i++) {
		const float s = ((const float *)view->data)[i];

		if (!(s > 0) || !isfinite(s))
			return false;
	}
	return true;
}

/* More than one scale goes along the first axis of `rank`. */
static bool goes_along_first(const struct graph_node *node,
			     const struct tensor_view *scale, unsigned rank)
{
	const struct op_attr *row = op_attr_find(node->op->attrs, "axis");
	struct attr_value value;

	return shape_count(&scale->shape) == 1 ||
	       (scale->shape.rank == 1 && row &&
		op_attr_get(row, node->attrs, &value) &&
		(value.i == 0 || value.i == -(int64_t)rank));
}

/* Elements of a constant of m channels, the first axis; zero points left out
 * are 0. */
static bool find_stored(const struct edit *edit, int32_t value, int64_t m,
			struct stored *ret)
{
	const struct graph_node *node = widening(edit, value);
	const int32_t zero = node ? edit_in(edit, node, 2) : VALUE_NONE;

	if (!node)
		return false;
	ret->q = edit_constant(edit, edit_in(edit, node, 0));
	ret->scale = edit_constant(edit, edit_in(edit, node, 1));
	ret->zero = edit_constant(edit, zero);
	return ret->q && ret->q->shape.rank && ret->q->shape.dim[0] == m &&
	       are_scales(ret->scale, m) &&
	       goes_along_first(node, ret->scale, ret->q->shape.rank) &&
	       (zero == VALUE_NONE ||
		(ret->zero && shape_count(&ret->zero->shape) ==
				  shape_count(&ret->scale->shape)));
}

static float scale_of(const struct stored *stored, int64_t m)
{
	const int64_t n = shape_count(&stored->scale->shape);

	return ((const float *)stored->scale->data)[n > 1 ? m : 0];
}

static int32_t zero_of(const struct stored *stored, int64_t m)
{
	const struct tensor_view *zero = stored->zero;

	if (!zero)
		return 0;
	return quantized_at(zero->dtype, zero->data,
			    shape_count(&zero->shape) > 1 ? m : 0);
}

/* The weights less their zero points; VALUE_NONE: some are no int8. */
static int32_t weights(struct edit *edit, const struct stored *from)
{
	const int64_t m = from->q->shape.dim[0];
	const int64_t depth = shape_count(&from->q->shape) / m;
	struct tensor_view view = { .dtype = DTYPE_I8,
				    .shape = from->q->shape };
	int8_t *q = arena_alloc(edit->arena, (size_t)(m * depth) + 1);

	if (!q)
		return VALUE_NONE;
	view.data = q;
	for (int64_t i = 0; i < m * depth; i++) {
		const int32_t v =
		    quantized_at(from->q->dtype, from->q->data, i) -
		    zero_of(from, i / depth);

		if (v < INT8_MIN || v > INT8_MAX)
			return VALUE_NONE;
		q[i] = (int8_t)v;
	}
	return build_const(&edit->build, &view);
}

struct bias {
	const float *plain;
	struct stored stored; /* where plain is NULL */
	bool is_there;
};

static bool find_bias(const struct edit *edit, int32_t value, int64_t m,
		      struct bias *ret)
{
	const struct tensor_view *view = edit_constant(edit, value);

	*ret = (struct bias){ .is_there = value != VALUE_NONE };
	if (!ret->is_there)
		return true;
	if (view && view->dtype == DTYPE_F32 &&
	    shape_count(&view->shape) == m) {
		ret->plain = view->data;
		return true;
	}
	return find_stored(edit, value, m, &ret->stored) &&
	       ret->stored.q->dtype == DTYPE_I32 &&
	       shape_count(&ret->stored.q->shape) == m;
}

static double bias_at(const struct bias *bias, int64_t m)
{
	if (bias->plain)
		return (double)bias->plain[m];
	return (double)(((const int32_t *)bias->stored.q->data)[m] -
			zero_of(&bias->stored, m)) *
	       (double)scale_of(&bias->stored, m);
}

/* Scales of the sums, and the bias in units of them. */
static bool sums(struct edit *edit, float x_scale, const struct stored *w,
		 const struct bias *bias, int32_t operand[CONV_NARROW_N_IN])
{
	const int64_t m = w->q->shape.dim[0];
	struct tensor_view view = { .dtype = DTYPE_F32, .shape = { 1, { m } } };
	float *scale = arena_array(edit->arena, (size_t)m + 1, sizeof(*scale));
	float *add = arena_array(edit->arena, (size_t)m + 1, sizeof(*add));

	if (!scale || !add)
		return false;
	for (int64_t i = 0; i < m; i++) {
		scale[i] = x_scale * scale_of(w, i);
		add[i] = bias->is_there
			     ? (float)(bias_at(bias, i) / (double)scale[i])
			     : 0;
		if (!(scale[i] > 0) || !isfinite(scale[i]) || !isfinite(add[i]))
			return false;
	}
	view.data = scale;
	operand[CONV_NARROW_S] = build_const(&edit->build, &view);
	view.data = add;
	if (bias->is_there)
		operand[CONV_NARROW_B] = build_const(&edit->build, &view);
	return true;
}

static bool is_byte(enum dtype elem)
{
	return elem == DTYPE_U8 || elem == DTYPE_I8;
}

/* X of a convolution: bytes with one scale and one zero point. */
static bool find_x(const struct edit *edit, const struct graph_node *node,
		   float *ret_scale, int64_t *ret_zero)
{
	const int32_t zero = edit_in(edit, node, 2);
	const struct tensor_view *scale =
	    edit_constant(edit, edit_in(edit, node, 1));
	const struct tensor_view *point = edit_constant(edit, zero);

	if (!is_byte(edit_elem(edit, edit_in(edit, node, 0))) ||
	    !are_scales(scale, 1) ||
	    (zero != VALUE_NONE && (!point || shape_count(&point->shape) != 1)))
		return false;
	*ret_scale = *(const float *)scale->data;
	*ret_zero = point ? quantized_at(point->dtype, point->data, 0) : 0;
	return true;
}

static bool find_weights(const struct edit *edit, const struct graph_node *node,
			 struct stored *ret)
{
	const struct graph_node *w = widening(edit, edit_in(edit, node, 1));
	const struct tensor_view *q =
	    w ? edit_constant(edit, edit_in(edit, w, 0)) : NULL;

	return q && is_byte(q->dtype) && q->shape.rank >= 3 &&
	       shape_count(&q->shape) > 0 &&
	       find_stored(edit, edit_in(edit, node, 1), q->shape.dim[0], ret);
}

static void visit(struct edit *edit, const struct graph_node *node)
{
	struct conv_narrow_attrs attrs = {
		.to = DTYPE_F32, .y_scale = 1, .z_scale = 1, .activation = ""
	};
	int32_t operand[CONV_NARROW_N_IN] = { VALUE_NONE, VALUE_NONE,
					      VALUE_NONE, VALUE_NONE,
					      VALUE_NONE };
	const struct graph_node *x;
	struct stored w;
	struct bias bias;
	float scale;

	if (!edit_is(node, "Conv"))
		return;
	x = widening(edit, edit_in(edit, node, 0));
	if (!x || !find_x(edit, x, &scale, &attrs.x_zero) ||
	    !find_weights(edit, node, &w) ||
	    !find_bias(edit, edit_in(edit, node, 2), w.q->shape.dim[0], &bias))
		return;
	attrs.conv = *(const struct conv_attrs *)node->attrs;
	operand[CONV_NARROW_X] = edit_in(edit, x, 0);
	operand[CONV_NARROW_W] = weights(edit, &w);
	if (operand[CONV_NARROW_W] == VALUE_NONE ||
	    !sums(edit, scale, &w, &bias, operand))
		return;
	edit_forward(
	    edit, graph_out(edit->graph, node)[0],
	    build_node(&edit->build, "predictd.ConvNarrow", &attrs, operand,
		       bias.is_there ? CONV_NARROW_N_IN : CONV_NARROW_B));
}

static enum err_code run(const struct pass_context *context, bool *ret_changed,
			 struct err *err)
{
	if (!onednn_has_bytes())
		return ERR_NONE;
	return edit_walk(context, visit, ret_changed, err);
}

extern const struct pass pass_byte_conv;
const struct pass pass_byte_conv = {
	.name = "byte_conv",
	.help = "sums the bytes of convolutions between dequantized values",
	.flags = PASS_LOAD,
	.run = run,
};
