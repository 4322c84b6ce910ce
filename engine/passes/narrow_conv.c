/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * The pass `narrow`: convolutions, and what is joined to them.
 */
#include <string.h>

#include "engine/kernels/onednn/onednn.h"
#include "engine/ops/add_bytes.h"
#include "engine/ops/conv_narrow.h"
#include "engine/ops/quantize.h"
#include "engine/passes/narrow_priv.h"

static const struct conv_narrow_attrs *attrs_of(const struct graph_node *node)
{
	return node->attrs;
}

static int32_t input(const struct blocking *b, const struct graph_node *node,
		     int32_t i)
{
	return i < node->n_in ? graph_in(b->graph, node)[i] : VALUE_NONE;
}

static bool is_product(const struct blocking *b, const struct graph_node *node)
{
	return blocking_fact(b, input(b, node, CONV_NARROW_W))->shape.rank == 2;
}

/* X of a convolution: channels last, or plain where the kernel brings it to
 * that form by itself. False: neither. */
static bool lay_in(struct blocking *b, int32_t x,
		   struct conv_narrow_attrs *attrs, int32_t *ret)
{
	if (!narrow_is_image(b, x) ||
	    (b->twin[x] != VALUE_NONE && b->is_flat[x]))
		return false;
	attrs->y_last = 1;
	attrs->x_last = b->twin[x] != VALUE_NONE || b->readers[x] != 1;
	*ret = x;
	if (attrs->x_last)
		*ret = narrow_twin(b, x);
	else
		b->is_read[x] = true;
	return true;
}

bool narrow_conv(struct blocking *b, const struct graph_node *node)
{
	struct conv_narrow_attrs attrs = *attrs_of(node);
	const int32_t out = graph_out(b->graph, node)[0];
	const int32_t x = input(b, node, CONV_NARROW_X);
	int32_t operand[CONV_NARROW_N_IN];

	for (int32_t i = 0; i < CONV_NARROW_N_IN; i++)
		operand[i] = input(b, node, i);
	if (operand[CONV_NARROW_Z] != VALUE_NONE ||
	    !blocking_fact(b, out)->has_shape ||
	    !shape_count(&blocking_fact(b, out)->shape))
		return false;
	b->is_flat[out] = is_product(b, node);
	if (b->is_flat[out]) {
		if (b->twin[x] != VALUE_NONE && b->is_flat[x])
			operand[CONV_NARROW_X] = b->twin[x];
		else
			b->is_read[x] = true;
	} else if (attrs.x_last || attrs.y_last ||
		   !lay_in(b, x, &attrs, &operand[CONV_NARROW_X])) {
		return false;
	}
	b->twin[out] = build_node(&b->build, "ConvNarrow", &attrs, operand,
				  CONV_NARROW_N_IN);
	return true;
}

/* ---- QLinearConv --------------------------------------------------------- */

enum {
	Q_X,
	Q_X_SCALE,
	Q_X_ZERO,
	Q_W,
	Q_W_SCALE,
	Q_W_ZERO,
	Q_Y_SCALE,
	Q_Y_ZERO,
	Q_B
};

static bool are_zeros(const struct blocking *b, int32_t value)
{
	const struct fact *fact;

	if (value == VALUE_NONE)
		return true;
	fact = blocking_fact(b, value);
	for (int64_t i = 0; fact->value && i < shape_count(&fact->shape); i++)
		if (quantized_at(fact->type.elem, fact->value, i) != 0)
			return false;
	return fact->value;
}

/* Known numbers above 0: one, or one for each channel. */
static bool are_scales(const struct blocking *b, int32_t value, int64_t m)
{
	const struct fact *fact = blocking_fact(b, value);
	const float *v = fact->value;
	const int64_t n = shape_count(&fact->shape);

	if (!v || fact->type.elem != DTYPE_F32 || (n != 1 && n != m))
		return false;
	for (int64_t i = 0; i < n; i++)
		if (!(v[i] > 0))
			return false;
	return true;
}

static const float *floats(const struct blocking *b,
			   const struct graph_node *node, int32_t i)
{
	return blocking_fact(b, input(b, node, i))->value;
}

/* One zero point that is known; left out: 0. */
static bool zero_of(const struct blocking *b, int32_t value, int64_t *ret)
{
	const struct fact *fact;

	*ret = 0;
	if (value == VALUE_NONE)
		return true;
	fact = blocking_fact(b, value);
	if (!fact->value || shape_count(&fact->shape) != 1 ||
	    dtype_info(fact->type.elem)->size != 1)
		return false;
	*ret = quantized_at(fact->type.elem, fact->value, 0);
	return true;
}

/* Zero is zero in weights, and all that counts is known. */
static bool is_known(const struct blocking *b, const struct graph_node *node)
{
	const struct fact *w = blocking_fact(b, input(b, node, Q_W));
	const int32_t bias = input(b, node, Q_B);

	return w->value && w->type.elem == DTYPE_I8 && w->shape.rank >= 3 &&
	       are_zeros(b, input(b, node, Q_W_ZERO)) &&
	       are_scales(b, input(b, node, Q_X_SCALE), 1) &&
	       are_scales(b, input(b, node, Q_W_SCALE), w->shape.dim[0]) &&
	       are_scales(b, input(b, node, Q_Y_SCALE), 1) &&
	       (bias == VALUE_NONE || blocking_fact(b, bias)->value);
}

/* Scales of sums, and the bias, which counts in their units already. */
static bool sums_of(struct blocking *b, const struct graph_node *node,
		    int32_t operand[CONV_NARROW_N_IN])
{
	const int64_t m = blocking_fact(b, input(b, node, Q_W))->shape.dim[0];
	const struct fact *w = blocking_fact(b, input(b, node, Q_W_SCALE));
	const float x = *floats(b, node, Q_X_SCALE);
	const int32_t bias = input(b, node, Q_B);
	struct tensor_view view = { .dtype = DTYPE_F32, .shape = { 1, { m } } };
	float *v = arena_array(b->arena, (size_t)m + 1, sizeof(*v));

	if (!v)
		return false;
	view.data = v;
	for (int64_t i = 0; i < m; i++)
		v[i] = x * ((const float *)
				w->value)[shape_count(&w->shape) > 1 ? i : 0];
	operand[CONV_NARROW_S] = build_const(&b->build, &view);
	if (bias == VALUE_NONE)
		return true;
	for (int64_t i = 0; i < m; i++)
		v[i] =
		    (float)((const int32_t *)blocking_fact(b, bias)->value)[i];
	operand[CONV_NARROW_B] = build_const(&b->build, &view);
	return true;
}

bool narrow_qlinear_conv(struct blocking *b, const struct graph_node *node)
{
	const int32_t out = graph_out(b->graph, node)[0];
	struct conv_narrow_attrs attrs = {
		.conv = *(const struct conv_attrs *)node->attrs,
		.to = blocking_fact(b, out)->type.elem,
		.z_scale = 1,
		.activation = "",
	};
	int32_t operand[CONV_NARROW_N_IN] = { VALUE_NONE, VALUE_NONE,
					      input(b, node, Q_W), VALUE_NONE,
					      VALUE_NONE };

	/* our own loops take all weights on other CPUs */
	if (!onednn_has_bytes() || !narrow_is_image(b, out) ||
	    !is_known(b, node) ||
	    !zero_of(b, input(b, node, Q_X_ZERO), &attrs.x_zero) ||
	    !zero_of(b, input(b, node, Q_Y_ZERO), &attrs.y_zero) ||
	    !lay_in(b, input(b, node, Q_X), &attrs, &operand[CONV_NARROW_X]))
		return false;
	attrs.y_scale = (double)*floats(b, node, Q_Y_SCALE);
	if (!sums_of(b, node, operand))
		return false;
	b->twin[out] = build_node(&b->build, "ConvNarrow", &attrs, operand,
				  CONV_NARROW_N_IN);
	return true;
}

/* The convolution that makes a float value which `node` alone reads. */
static const struct graph_node *maker(const struct blocking *b, int32_t value)
{
	const struct graph_node *node;

	if (value == VALUE_NONE || b->twin[value] == VALUE_NONE ||
	    b->readers[value] != 1)
		return NULL;
	node = graph_producer(b->graph, b->twin[value]);
	return node && node->op && !strcmp(node->op->name, "ConvNarrow") &&
		       attrs_of(node)->to == DTYPE_F32
		   ? node
		   : NULL;
}

/* The same convolution with other attributes and a residual. */
static void again(struct blocking *b, const struct graph_node *conv,
		  const struct conv_narrow_attrs *attrs, int32_t residual,
		  int32_t in, int32_t out)
{
	int32_t operand[CONV_NARROW_N_IN];

	for (int32_t i = 0; i < CONV_NARROW_N_IN; i++)
		operand[i] = input(b, conv, i);
	if (residual != VALUE_NONE)
		operand[CONV_NARROW_Z] = residual;
	b->is_flat[out] = b->is_flat[in];
	b->twin[out] = build_node(&b->build, "ConvNarrow", attrs, operand,
				  CONV_NARROW_N_IN);
}

/* How bytes stand for numbers. */
struct grid {
	double scale;
	int64_t zero;
};

/* One number above 0 as scale, and one zero point. */
static bool grid_of(const struct blocking *b, const struct graph_node *node,
		    struct grid *ret)
{
	const int32_t scale = input(b, node, 1);
	const struct fact *s;

	if (scale == VALUE_NONE)
		return false;
	s = blocking_fact(b, scale);
	if (s->type.elem != DTYPE_F32 || !s->value ||
	    shape_count(&s->shape) != 1)
		return false;
	ret->scale = (double)*(const float *)s->value;
	return ret->scale > 0 && zero_of(b, input(b, node, 2), &ret->zero);
}

static bool is_byte(enum dtype elem)
{
	return elem == DTYPE_U8 || elem == DTYPE_I8;
}

/* The operator of ONNX of that name that makes a value, or NULL. */
static const struct graph_node *maker_of(const struct blocking *b,
					 int32_t value, const char *name)
{
	const struct graph_node *node =
	    value == VALUE_NONE ? NULL : graph_producer(b->graph, value);

	return node && node->op && !node->op->domain[0] &&
		       !strcmp(node->op->name, name)
		   ? node
		   : NULL;
}

const struct graph_node *narrow_widened(const struct blocking *b, int32_t value)
{
	const struct graph_node *node = maker_of(b, value, "DequantizeLinear");
	struct grid grid;

	return node &&
		       is_byte(
			   blocking_fact(b, input(b, node, 0))->type.elem) &&
		       grid_of(b, node, &grid)
		   ? node
		   : NULL;
}

/* The twin of a summand: of narrow values where it comes from such. */
static int32_t summand(const struct blocking *b, int32_t value,
		       double *ret_scale)
{
	const int32_t twin = b->twin[value];
	const struct graph_node *node;
	struct grid grid;

	*ret_scale = 1;
	if (twin == VALUE_NONE)
		return value;
	node = narrow_widened(b, twin);
	if (node && grid_of(b, node, &grid) && grid.zero == 0) {
		*ret_scale = grid.scale;
		return input(b, node, 0);
	}
	node = maker_of(b, twin, "Cast");
	if (node &&
	    blocking_fact(b, input(b, node, 0))->type.elem == DTYPE_BF16)
		return input(b, node, 0);
	return twin;
}

/* What was widened from bytes of the same type and scale is those bytes. */
static int32_t same_bytes(const struct blocking *b,
			  const struct graph_node *node, enum dtype to,
			  const struct grid *grid)
{
	const struct graph_node *from =
	    narrow_widened(b, b->twin[graph_in(b->graph, node)[0]]);
	struct grid had;

	if (!from || !grid_of(b, from, &had) || had.scale < grid->scale ||
	    had.scale > grid->scale || had.zero != grid->zero ||
	    blocking_fact(b, input(b, from, 0))->type.elem != to)
		return VALUE_NONE;
	return input(b, from, 0);
}

/* The summand lies as the sum does; a product takes what is plain. */
static bool goes_with(const struct blocking *b, int32_t other, int32_t value)
{
	if (b->twin[other] == VALUE_NONE)
		return b->is_flat[value] &&
		       blocking_fact(b, other)->type.elem == DTYPE_F32;
	return b->is_flat[other] == b->is_flat[value];
}

bool narrow_join_sum(struct blocking *b, const struct graph_node *node)
{
	const int32_t out = graph_out(b->graph, node)[0];

	for (int32_t i = 0; i < 2 && node->n_in == 2; i++) {
		const int32_t *in = graph_in(b->graph, node);
		const int32_t value = in[i], other = in[1 - i];
		const struct graph_node *conv = maker(b, value);
		struct conv_narrow_attrs attrs;
		struct graph_node copy;
		int32_t residual;

		if (!conv || other == VALUE_NONE || other >= b->n_value ||
		    !goes_with(b, other, value) ||
		    !shape_equal(&blocking_fact(b, value)->shape,
				 &blocking_fact(b, other)->shape))
			continue;
		copy = *conv;
		attrs = *attrs_of(&copy);
		if (attrs.activation[0] ||
		    input(b, &copy, CONV_NARROW_Z) != VALUE_NONE)
			continue;
		if (b->twin[other] == VALUE_NONE)
			b->is_read[other] = true;
		residual = summand(b, other, &attrs.z_scale);
		again(b, &copy, &attrs, residual, value, out);
		return true;
	}
	return false;
}

bool narrow_join_activation(struct blocking *b, const struct graph_node *node)
{
	const int32_t in = graph_in(b->graph, node)[0];
	const int32_t out = graph_out(b->graph, node)[0];
	const struct graph_node *conv = maker(b, in);
	struct conv_narrow_attrs attrs;
	struct graph_node copy;
	struct epilogue e;

	if (!conv || !blocking_epilogue(b, node, &e))
		return false;
	copy = *conv;
	attrs = *attrs_of(&copy);
	if (attrs.activation[0])
		return false;
	attrs.activation = epilogue_name(e.kind);
	attrs.alpha = e.alpha;
	attrs.beta = e.beta;
	again(b, &copy, &attrs, VALUE_NONE, in, out);
	return true;
}

/* Z must have Y's width. */
static bool residual_fits(const struct blocking *b,
			  const struct graph_node *conv, enum dtype to)
{
	const int32_t z = input(b, conv, CONV_NARROW_Z);
	enum dtype elem;

	if (z == VALUE_NONE)
		return true;
	elem = blocking_fact(b, z)->type.elem;
	return to == DTYPE_BF16 ? elem == DTYPE_BF16 : is_byte(elem);
}

static bool x_is_bf16(const struct blocking *b, const struct graph_node *conv)
{
	return blocking_fact(b, input(b, conv, CONV_NARROW_X))->type.elem ==
	       DTYPE_BF16;
}

/* The rounded sum of two values that were widened from bytes, VALUE_NONE where
 * the twin is none. What saturation does anyway may come between. */
static int32_t sum_of_bytes(struct blocking *b, int32_t twin, enum dtype to,
			    const struct grid *grid)
{
	const struct graph_node *relu = maker_of(b, twin, "Relu");
	const struct graph_node *add, *from[2];
	struct add_bytes_attrs attrs = { .to = to,
					 .y_scale = grid->scale,
					 .y_zero = grid->zero };
	struct grid had[2];
	int32_t operand[2];

	if (relu && grid->zero == (to == DTYPE_U8 ? 0 : INT8_MIN))
		twin = graph_in(b->graph, relu)[0];
	add = maker_of(b, twin, "Add");
	for (int i = 0; add && i < 2; i++) {
		operand[i] = graph_in(b->graph, add)[i];
		from[i] = narrow_widened(b, operand[i]);
		if (!from[i] || !grid_of(b, from[i], &had[i]) ||
		    !shape_equal(&blocking_fact(b, operand[i])->shape,
				 &blocking_fact(b, twin)->shape))
			return VALUE_NONE;
	}
	if (!add)
		return VALUE_NONE;
	for (int i = 0; i < 2; i++)
		operand[i] = input(b, from[i], 0);
	attrs.a_scale = had[0].scale;
	attrs.a_zero = had[0].zero;
	attrs.b_scale = had[1].scale;
	attrs.b_zero = had[1].zero;
	return build_node(&b->build, "AddBytes", &attrs, operand, 2);
}

bool narrow_round(struct blocking *b, const struct graph_node *node)
{
	const int32_t in = graph_in(b->graph, node)[0];
	const int32_t out = graph_out(b->graph, node)[0];
	const enum dtype to = blocking_fact(b, out)->type.elem;
	const struct graph_node *conv = maker(b, in);
	struct grid grid = { .scale = 1 };

	if (to == DTYPE_F32)
		return narrow_widen(b, node);
	if (b->twin[in] == VALUE_NONE ||
	    (to != DTYPE_BF16 && !(is_byte(to) && grid_of(b, node, &grid))))
		return false;
	if (is_byte(to) && same_bytes(b, node, to, &grid) != VALUE_NONE) {
		b->is_flat[out] = b->is_flat[in];
		b->twin[out] = same_bytes(b, node, to, &grid);
		return true;
	}
	if (is_byte(to)) {
		const int32_t sum = sum_of_bytes(b, b->twin[in], to, &grid);

		if (sum != VALUE_NONE) {
			b->is_flat[out] = b->is_flat[in];
			b->twin[out] = sum;
			return true;
		}
	}
	if (conv && residual_fits(b, conv, to) &&
	    x_is_bf16(b, conv) == (to == DTYPE_BF16)) {
		const struct graph_node copy = *conv;
		struct conv_narrow_attrs attrs = *attrs_of(&copy);

		attrs.to = to;
		attrs.y_scale = grid.scale;
		attrs.y_zero = grid.zero;
		again(b, &copy, &attrs, VALUE_NONE, in, out);
		return true;
	}
	return narrow_widen(b, node);
}

/* The same operator on the twin: elements do not know where they lie. */
bool narrow_widen(struct blocking *b, const struct graph_node *node)
{
	const int32_t in = graph_in(b->graph, node)[0];
	const int32_t out = graph_out(b->graph, node)[0];
	struct grid grid;
	int32_t operand[3];

	if (b->twin[in] == VALUE_NONE ||
	    (node->n_in > 1 && !grid_of(b, node, &grid)))
		return false;
	for (int32_t i = 0; i < 3; i++)
		operand[i] = input(b, node, i);
	operand[0] = b->twin[in];
	b->is_flat[out] = b->is_flat[in];
	build_row(&b->build, node->op, node->attrs, operand,
		  (unsigned)node->n_in, &b->twin[out], 1);
	return true;
}
