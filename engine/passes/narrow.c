/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Narrow: convolutions of bytes and bfloat16 (engine/ops/conv_narrow.h) get
 * channels last, and so does what lies between them, so that values stay narrow
 * and in that form from one to the next. Bias, residual, activation and the
 * rounding to narrow values go into the convolution before them.
 *
 * So do QLinearConvs of models that came quantized, where zero points of
 * weights are 0.
 *
 * It walks as the pass `blocked` does. Twins are channels last here; those of
 * products have the plain shape, as their channels are last anyway.
 */
#include <string.h>

#include "engine/ops/conv_narrow.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/pool.h"
#include "engine/ops/reshape.h"
#include "engine/passes/blocked_priv.h"
#include "engine/passes/narrow_priv.h"
#include "engine/passes/pass.h"
#include "engine/plan.h"

enum { OPERANDS = 16 };

bool narrow_is_image(const struct blocking *b, int32_t value)
{
	const struct fact *fact;

	if (value == VALUE_NONE)
		return false;
	fact = blocking_fact(b, value);
	return fact->has_shape && !fact->type.is_sequence &&
	       !fact->type.is_optional && fact->shape.rank >= 3 &&
	       fact->shape.rank <= 2 + WINDOW_DIMS &&
	       shape_count(&fact->shape) > 0;
}

static int32_t move_axes(struct blocking *b, int32_t value, unsigned rank,
			 bool to_last)
{
	int64_t perm[SHAPE_MAX_RANK] = { 0 };
	const struct attr_ints attrs = { rank, perm };

	for (unsigned i = 1; i < rank; i++)
		perm[i] = to_last ? (i + 1 < rank ? i + 1 : 1)
				  : (i == 1 ? rank - 1 : i - 1);
	return build_node(&b->build, "Transpose", &attrs, &value, 1);
}

/* One pixel: the same bytes. */
static bool is_pixel(const struct shape *plain)
{
	return shape_range(plain, 2, plain->rank) == 1;
}

int32_t narrow_twin(struct blocking *b, int32_t value)
{
	const struct shape plain = blocking_fact(b, value)->shape;
	const struct shape last = channels_last(&plain);

	if (b->twin[value] != VALUE_NONE)
		return b->twin[value];
	b->is_read[value] = true;
	b->twin[value] = is_pixel(&plain)
			     ? build_reshape(&b->build, value, &last)
			     : move_axes(b, value, plain.rank, true);
	return b->twin[value];
}

static int32_t plain_of(struct blocking *b, int32_t value)
{
	const struct shape plain = blocking_fact(b, value)->shape;
	const int32_t twin = b->twin[value];

	if (b->is_flat[value])
		return twin;
	return is_pixel(&plain) ? build_reshape(&b->build, twin, &plain)
				: move_axes(b, twin, plain.rank, false);
}

/* The twin of input 0, channels last; VALUE_NONE: it has none. */
static int32_t image_twin(const struct blocking *b,
			  const struct graph_node *node)
{
	const int32_t in = graph_in(b->graph, node)[0];

	return b->is_flat[in] || !narrow_is_image(b, in) ? VALUE_NONE
							 : b->twin[in];
}

/* The largest of each window, as MaxPoolBlocked gives it over a value of one
 * block of all channels. shape: of the result, plain. */
static int32_t pool_last(struct blocking *b, const struct graph_node *node,
			 int32_t last, const struct shape *shape)
{
	struct shape block = blocking_fact(b, last)->shape;
	const struct shape result = channels_last(shape);

	memmove(block.dim + 2, block.dim + 1,
		(block.rank - 1) * sizeof(block.dim[0]));
	block.dim[1] = 1;
	block.rank++;
	last = build_reshape(&b->build, last, &block);
	last = build_node(&b->build, "MaxPoolBlocked", node->attrs, &last, 1);
	return build_reshape(&b->build, last, &result);
}

/* Of what were bytes, the bytes are pooled: their order is the same. */
static bool max_pool(struct blocking *b, const struct graph_node *node)
{
	const int32_t *out = graph_out(b->graph, node);
	const int32_t twin = image_twin(b, node);
	const struct graph_node *from;
	struct graph_node wide;
	struct shape shape;
	int32_t operand[3];

	if (twin == VALUE_NONE || !narrow_is_image(b, out[0]) ||
	    (node->n_out > 1 && out[1] != VALUE_NONE &&
	     b->readers[out[1]] > 0) ||
	    blocking_fact(b, twin)->type.elem == DTYPE_BF16)
		return false;
	shape = blocking_fact(b, out[0])->shape;
	from = narrow_widened(b, twin);
	if (!from) {
		b->twin[out[0]] = pool_last(b, node, twin, &shape);
		return true;
	}
	wide = *from;
	for (int32_t i = 0; i < 3; i++)
		operand[i] =
		    i < wide.n_in ? graph_in(b->graph, &wide)[i] : VALUE_NONE;
	operand[0] = pool_last(b, node, operand[0], &shape);
	b->twin[out[0]] =
	    build_node(&b->build, "DequantizeLinear", wide.attrs, operand, 3);
	return true;
}

static bool mean(struct blocking *b, const struct graph_node *node)
{
	const int32_t out = graph_out(b->graph, node)[0];
	const int32_t twin = image_twin(b, node);
	int64_t axes[WINDOW_DIMS] = { 1, 2, 3 };
	int32_t operand[2];

	if (twin == VALUE_NONE || !narrow_is_image(b, out) ||
	    !blocking_is_plane_mean(b, node) ||
	    blocking_fact(b, twin)->type.elem != DTYPE_F32)
		return false;
	operand[0] = twin;
	operand[1] = build_ints(&b->build, axes,
				(size_t)blocking_fact(b, out)->shape.rank - 2);
	b->twin[out] = build_node(&b->build, "ReduceMean", NULL, operand, 2);
	return true;
}

static bool concat(struct blocking *b, const struct graph_node *node)
{
	const int32_t out = graph_out(b->graph, node)[0];
	int64_t axis = *(const int64_t *)node->attrs;
	int32_t operand[OPERANDS], n_twins = 0;
	unsigned rank;

	if (node->n_in > OPERANDS || !narrow_is_image(b, out))
		return false;
	rank = blocking_fact(b, out)->shape.rank;
	axis += axis < 0 ? rank : 0;
	for (int32_t i = 0; i < node->n_in; i++) {
		const int32_t in = graph_in(b->graph, node)[i];

		if (!narrow_is_image(b, in) || b->is_flat[in])
			return false;
		n_twins += b->twin[in] != VALUE_NONE;
	}
	if (2 * n_twins <= node->n_in)
		return false;
	for (int32_t i = 0; i < node->n_in; i++)
		operand[i] = narrow_twin(b, graph_in(b->graph, node)[i]);
	if (axis)
		axis = axis == 1 ? rank - 1 : axis - 1;
	build_row(&b->build, node->op, &axis, operand, (unsigned)node->n_in,
		  &b->twin[out], 1);
	return true;
}

/* What is no number has the image's rank, so that its axes can be moved. */
static bool axes_move(const struct blocking *b, const struct graph_node *node,
		      const struct shape *image)
{
	const int32_t *in = graph_in(b->graph, node);

	for (int32_t i = 0; i < node->n_in; i++) {
		const struct shape *shape;

		if (in[i] == VALUE_NONE)
			continue;
		shape = &blocking_fact(b, in[i])->shape;
		if (blocking_part_of(image, shape) != PART_SCALAR &&
		    (b->is_flat[in[i]] || shape->rank != image->rank))
			return false;
	}
	return true;
}

static bool elementwise(struct blocking *b, const struct graph_node *node)
{
	const int32_t out = graph_out(b->graph, node)[0];
	int32_t operand[OPERANDS];
	struct shape image;

	if (node->n_in > OPERANDS || !narrow_is_image(b, out))
		return false;
	image = blocking_fact(b, out)->shape;
	if (!blocking_operands_fit(b, node, &image) ||
	    !axes_move(b, node, &image))
		return false;
	for (int32_t i = 0; i < node->n_in; i++) {
		const int32_t in = graph_in(b->graph, node)[i];

		operand[i] = in;
		if (in == VALUE_NONE)
			continue;
		if (blocking_part_of(&image, &blocking_fact(b, in)->shape) ==
		    PART_SCALAR)
			b->is_read[in] = true;
		else
			operand[i] = narrow_twin(b, in);
	}
	build_row(&b->build, node->op, node->attrs, operand,
		  (unsigned)node->n_in, &b->twin[out], 1);
	return true;
}

static bool activation(struct blocking *b, const struct graph_node *node)
{
	return narrow_join_activation(b, node) || elementwise(b, node);
}

static bool sum(struct blocking *b, const struct graph_node *node)
{
	return narrow_join_sum(b, node) || elementwise(b, node);
}

blocking_rule *narrow_rule_of(const struct op *op)
{
	static const struct {
		const char *op;
		blocking_rule *rule;
	} rules[] = {
		{ "Add", sum },
		{ "Cast", narrow_round },
		{ "Clip", activation },
		{ "Concat", concat },
		{ "DequantizeLinear", narrow_widen },
		{ "GlobalAveragePool", mean },
		{ "HardSigmoid", activation },
		{ "HardSwish", activation },
		{ "LeakyRelu", activation },
		{ "MaxPool", max_pool },
		{ "QLinearConv", narrow_qlinear_conv },
		{ "QuantizeLinear", narrow_round },
		{ "ReduceMean", mean },
		{ "Relu", activation },
		{ "Sigmoid", activation },
		{ "Swish", activation },
		{ "Tanh", activation },
	};

	if (!strcmp(op->domain, "predictd") && !strcmp(op->name, "ConvNarrow"))
		return narrow_conv;
	if (op->domain[0])
		return NULL;
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		if (!strcmp(rules[i].op, op->name))
			return rules[i].rule;
	return op->kernels == elementwise_kernels ? elementwise : NULL;
}

static bool has_narrow(const struct graph *graph)
{
	for (int32_t i = 0; i < graph->n_node; i++) {
		const struct op *op = graph->node[i].op;
		blocking_rule *rule = op ? narrow_rule_of(op) : NULL;

		if (rule == narrow_conv || rule == narrow_qlinear_conv)
			return true;
	}
	return false;
}

static enum err_code run(const struct pass_context *context, bool *ret_changed,
			 struct err *err)
{
	struct blocking b = { .rule_of = narrow_rule_of,
			      .plain_of = plain_of,
			      .graph = context->graph,
			      .facts = context->facts,
			      .arena = context->arena };
	enum err_code rc;

	if (context->options->quick || !has_narrow(context->graph))
		return ERR_NONE;
	rc = blocking_run(&b, err);
	*ret_changed = b.changed;
	return rc;
}

extern const struct pass pass_narrow;
const struct pass pass_narrow = {
	.name = "narrow",
	.help =
	    "channels of narrow convolutions last, with what follows joined",
	.flags = PASS_PLAN,
	.run = run,
};
