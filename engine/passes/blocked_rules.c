/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * The pass `blocked`: what runs on blocked values as it is, or nearly so.
 */
#include <math.h>
#include <string.h>

#include "engine/ops/elementwise.h"
#include "engine/ops/reshape.h"
#include "engine/ops/resize.h"
#include "engine/passes/blocked_priv.h"

enum { OPERANDS = 16 };

enum blocking_part blocking_part_of(const struct shape *image,
				    const struct shape *x)
{
	const unsigned lead = image->rank - x->rank;
	int64_t n;

	if (x->rank > image->rank)
		return PART_OTHER;
	if (shape_equal(image, x))
		return PART_IMAGE;
	n = shape_count(x);
	if (n == 1)
		return PART_SCALAR;
	for (unsigned i = 0; i < x->rank; i++) {
		const unsigned axis = lead + i;
		const int64_t have = x->dim[i], want = image->dim[axis];

		if (have != 1 && (axis > 1 || have != want))
			return PART_OTHER;
	}
	/* without an axis for channels it would be the batch's own */
	return x->rank + 1 >= image->rank && x->dim[1 - lead] != 1
		   ? PART_CHANNEL
		   : PART_OTHER;
}

/* An element a channel, of any rank, in blocks. */
static int32_t channel_twin(struct blocking *b, int32_t value, unsigned rank)
{
	const struct block_attrs attrs = { .lanes = b->lanes };
	struct shape shape = blocking_fact(b, value)->shape;

	if (b->twin[value] != VALUE_NONE)
		return b->twin[value];
	if (shape.rank == rank)
		return blocking_twin(b, value);
	b->is_read[value] = true;
	memmove(shape.dim + 1, shape.dim, shape.rank * sizeof(shape.dim[0]));
	shape.dim[0] = 1;
	shape.rank++;
	value = build_reshape(&b->build, value, &shape);
	return build_node(&b->build, "Block", &attrs, &value, 1);
}

/* An operator of zero and this number gives zero, as far as is known. */
static bool number_keeps_zero(const struct blocking *b,
			      const struct graph_node *node, int32_t value)
{
	const struct fact *fact = blocking_fact(b, value);
	const float *number = fact->value;

	if (!number)
		return false;
	if (!strcmp(node->op->name, "Max"))
		return *number <= 0;
	if (!strcmp(node->op->name, "Min"))
		return *number >= 0;
	return !strcmp(node->op->name, "Mul") && isfinite(*number);
}

/* Lanes past the channels stay zero. */
static bool keeps_lanes(const struct blocking *b, const struct graph_node *node,
			const struct shape *image)
{
	static const char *const pairs[] = { "Add", "Sub", "Mul",
					     "Max", "Min", "Sum" };
	const int32_t *in = graph_in(b->graph, node);

	if (blocking_is_full(b, graph_out(b->graph, node)[0]))
		return true;
	for (int32_t i = 0; i < node->n_in && node->n_in > 1; i++)
		if (in[i] != VALUE_NONE &&
		    blocking_part_of(image, &blocking_fact(b, in[i])->shape) ==
			PART_SCALAR &&
		    !number_keeps_zero(b, node, in[i]))
			return false;
	if (node->n_in == 1)
		return node->op->flags & OP_ZERO_STAYS_ZERO;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
		if (!strcmp(node->op->name, pairs[i]))
			return true;
	return !strcmp(node->op->name, "PRelu");
}

bool blocking_operands_fit(const struct blocking *b,
			   const struct graph_node *node,
			   const struct shape *image)
{
	const int32_t *in = graph_in(b->graph, node);
	bool found = false;

	for (int32_t i = 0; i < node->n_in; i++) {
		enum blocking_part part;

		if (in[i] == VALUE_NONE)
			continue;
		if (!blocking_fact(b, in[i])->has_shape ||
		    blocking_fact(b, in[i])->type.elem != DTYPE_F32)
			return false;
		part = blocking_part_of(image, &blocking_fact(b, in[i])->shape);
		if (part == PART_OTHER)
			return false;
		if (part == PART_IMAGE && b->twin[in[i]] != VALUE_NONE)
			found = true;
	}
	return found;
}

static bool elementwise(struct blocking *b, const struct graph_node *node)
{
	const int32_t out = graph_out(b->graph, node)[0];
	int32_t operand[OPERANDS];
	struct shape image;

	if (node->n_in > OPERANDS || !blocking_is_image(b, out))
		return false;
	image = blocking_fact(b, out)->shape;
	if (!blocking_operands_fit(b, node, &image) ||
	    !keeps_lanes(b, node, &image))
		return false;
	for (int32_t i = 0; i < node->n_in; i++) {
		const int32_t in = graph_in(b->graph, node)[i];
		enum blocking_part part = PART_OTHER;

		operand[i] = in;
		if (in == VALUE_NONE)
			continue;
		part = blocking_part_of(&image, &blocking_fact(b, in)->shape);
		if (part == PART_IMAGE)
			operand[i] = blocking_twin(b, in);
		else if (part == PART_CHANNEL)
			operand[i] = channel_twin(b, in, image.rank);
		else
			b->is_read[in] = true;
	}
	build_row(&b->build, node->op, node->attrs, operand,
		  (unsigned)node->n_in, &b->twin[out], 1);
	return true;
}

static bool activation(struct blocking *b, const struct graph_node *node)
{
	return blocking_join_activation(b, node) || elementwise(b, node);
}

static bool sum(struct blocking *b, const struct graph_node *node)
{
	return blocking_join_sum(b, node) || elementwise(b, node);
}

static bool has_twin(const struct blocking *b, const struct graph_node *node)
{
	const int32_t in = graph_in(b->graph, node)[0];

	return b->twin[in] != VALUE_NONE && blocking_is_image(b, in) &&
	       blocking_is_image(b, graph_out(b->graph, node)[0]);
}

static bool pool(struct blocking *b, const struct graph_node *node)
{
	const bool is_max = !strcmp(node->op->name, "MaxPool");
	const int32_t *out = graph_out(b->graph, node);

	if (!has_twin(b, node) ||
	    (node->n_out > 1 && out[1] != VALUE_NONE && b->readers[out[1]] > 0))
		return false;
	b->twin[out[0]] = build_node(
	    &b->build, is_max ? "MaxPoolBlocked" : "AveragePoolBlocked",
	    node->attrs, &b->twin[graph_in(b->graph, node)[0]], 1);
	return true;
}

static bool global_pool(struct blocking *b, const struct graph_node *node)
{
	const bool is_max = !strcmp(node->op->name, "GlobalMaxPool");
	const int32_t in = graph_in(b->graph, node)[0];
	const int32_t out = graph_out(b->graph, node)[0];
	struct pool_attrs attrs = { 0 };
	struct shape x;

	if (!has_twin(b, node))
		return false;
	x = blocking_fact(b, in)->shape;
	attrs.window.auto_pad = "NOTSET";
	attrs.window.kernel_shape = (struct attr_ints){ x.rank - 2, x.dim + 2 };
	b->twin[out] = build_node(
	    &b->build, is_max ? "MaxPoolBlocked" : "AveragePoolBlocked", &attrs,
	    &b->twin[in], 1);
	return true;
}

bool blocking_is_plane_mean(const struct blocking *b,
			    const struct graph_node *node)
{
	const int32_t *in = graph_in(b->graph, node);
	const struct fact *axes;
	unsigned rank, seen = 0;

	if (!strcmp(node->op->name, "GlobalAveragePool"))
		return true;
	if (node->n_in < 2 || in[1] == VALUE_NONE)
		return false;
	axes = blocking_fact(b, in[1]);
	rank = blocking_fact(b, in[0])->shape.rank;
	if (!axes->value || axes->type.elem != DTYPE_I64 ||
	    blocking_fact(b, graph_out(b->graph, node)[0])->shape.rank != rank)
		return false;
	for (int64_t i = 0; i < shape_count(&axes->shape); i++) {
		const int64_t axis = ((const int64_t *)axes->value)[i];

		seen |= 1U << (axis < 0 ? axis + rank : axis);
	}
	return seen == (1U << rank) - 4;
}

static bool mean(struct blocking *b, const struct graph_node *node)
{
	return has_twin(b, node) && blocking_is_plane_mean(b, node) &&
	       global_pool(b, node);
}

/* Input i when it is given; VALUE_NONE else. */
static int32_t input(const struct blocking *b, const struct graph_node *node,
		     int32_t i)
{
	return i < node->n_in ? graph_in(b->graph, node)[i] : VALUE_NONE;
}

/* Of the plane alone, and of zeros where lanes hold none. */
static bool pad(struct blocking *b, const struct graph_node *node)
{
	const int32_t in = graph_in(b->graph, node)[0];
	const int32_t out = graph_out(b->graph, node)[0];
	int32_t operand[3] = { VALUE_NONE, input(b, node, 1),
			       input(b, node, 2) };
	int64_t pads[2 * SHAPE_MAX_RANK] = { 0 };
	const struct fact *known;
	const int64_t *list;
	unsigned rank;

	if (!has_twin(b, node) || input(b, node, 3) != VALUE_NONE ||
	    !blocking_is_full(b, in))
		return false;
	known = blocking_fact(b, operand[1]);
	list = known->value;
	rank = blocking_fact(b, in)->shape.rank;
	if (!list || shape_count(&known->shape) != 2 * (int64_t)rank ||
	    list[0] || list[1] || list[rank] || list[rank + 1])
		return false;
	for (unsigned i = 0; i < rank; i++) {
		pads[i] = list[i];
		pads[rank + 1 + i] = list[rank + i];
	}
	if (operand[2] != VALUE_NONE)
		b->is_read[operand[2]] = true;
	operand[0] = b->twin[in];
	operand[1] = build_ints(&b->build, pads, 2 * ((size_t)rank + 1));
	build_row(&b->build, node->op, node->attrs, operand, 3, &b->twin[out],
		  1);
	return true;
}

/* Of the plane alone, by scales; lanes keep theirs. */
static bool resize(struct blocking *b, const struct graph_node *node)
{
	const struct resize_attrs *attrs = node->attrs;
	const int32_t in = graph_in(b->graph, node)[0];
	const int32_t out = graph_out(b->graph, node)[0];
	int32_t operand[3] = { VALUE_NONE, VALUE_NONE, input(b, node, 2) };
	struct tensor_view view = { .dtype = DTYPE_F32, .shape = { 1, { 0 } } };
	float scales[SHAPE_MAX_RANK];
	const struct fact *known;
	unsigned rank;

	if (!has_twin(b, node) || operand[2] == VALUE_NONE || attrs->axes.n ||
	    !strcmp(attrs->coordinate, "tf_crop_and_resize"))
		return false;
	known = blocking_fact(b, operand[2]);
	rank = blocking_fact(b, in)->shape.rank;
	if (!known->value || shape_count(&known->shape) != (int64_t)rank)
		return false;
	memcpy(scales, known->value, rank * sizeof(scales[0]));
	if (scales[0] != 1 || scales[1] != 1)
		return false;
	scales[rank] = 1;
	view.data = scales;
	view.shape.dim[0] = rank + 1;
	operand[0] = b->twin[in];
	operand[2] = build_const(&b->build, &view);
	build_row(&b->build, node->op, node->attrs, operand, 3, &b->twin[out],
		  1);
	return true;
}

/* Channels that fill their blocks, but perhaps the last ones; or axes of the
 * plane. */
static bool concat(struct blocking *b, const struct graph_node *node)
{
	const int32_t out = graph_out(b->graph, node)[0];
	int32_t operand[OPERANDS], n_twins = 0;
	int64_t axis = *(const int64_t *)node->attrs;

	if (node->n_in > OPERANDS || !blocking_is_image(b, out))
		return false;
	if (axis < 0)
		axis += blocking_fact(b, out)->shape.rank;
	for (int32_t i = 0; i < node->n_in; i++) {
		const int32_t in = graph_in(b->graph, node)[i];

		if (!blocking_is_image(b, in) ||
		    (axis == 1 && i + 1 < node->n_in &&
		     !blocking_is_full(b, in)))
			return false;
		n_twins += b->twin[in] != VALUE_NONE;
	}
	if (axis == 0 || 2 * n_twins <= node->n_in)
		return false;
	for (int32_t i = 0; i < node->n_in; i++)
		operand[i] = blocking_twin(b, graph_in(b->graph, node)[i]);
	build_row(&b->build, node->op, &axis, operand, (unsigned)node->n_in,
		  &b->twin[out], 1);
	return true;
}

/* Along axes of the plane, which are where they were. */
static bool slice(struct blocking *b, const struct graph_node *node)
{
	const int32_t out = graph_out(b->graph, node)[0];
	const int32_t list = input(b, node, 3);
	const struct fact *axes =
	    list == VALUE_NONE ? NULL : blocking_fact(b, list);
	int64_t axis[SHAPE_MAX_RANK];
	int32_t operand[5];
	int64_t n;

	if (!has_twin(b, node) || !axes || !axes->value ||
	    axes->type.elem != DTYPE_I64)
		return false;
	n = shape_count(&axes->shape);
	for (int64_t i = 0; i < n; i++) {
		axis[i] = ((const int64_t *)axes->value)[i];
		axis[i] += axis[i] < 0 ? blocking_fact(b, out)->shape.rank : 0;
		if (axis[i] < 2)
			return false;
	}
	for (int32_t i = 0; i < 5; i++) {
		operand[i] = input(b, node, i);
		if (i && i != 3 && operand[i] != VALUE_NONE)
			b->is_read[operand[i]] = true;
	}
	operand[0] = b->twin[graph_in(b->graph, node)[0]];
	operand[3] = build_ints(&b->build, axis, (size_t)n);
	build_row(&b->build, node->op, node->attrs, operand, 5, &b->twin[out],
		  1);
	return true;
}

blocking_rule *blocking_rule_of(const struct op *op)
{
	static const struct {
		const char *op;
		blocking_rule *rule;
	} rules[] = {
		{ "Add", sum },
		{ "AveragePool", pool },
		{ "Clip", activation },
		{ "Concat", concat },
		{ "Conv", blocking_conv },
		{ "GlobalAveragePool", global_pool },
		{ "GlobalMaxPool", global_pool },
		{ "HardSigmoid", activation },
		{ "HardSwish", activation },
		{ "LeakyRelu", activation },
		{ "MaxPool", pool },
		{ "Pad", pad },
		{ "ReduceMean", mean },
		{ "Relu", activation },
		{ "Resize", resize },
		{ "Sigmoid", activation },
		{ "Slice", slice },
		{ "Swish", activation },
		{ "Tanh", activation },
	};

	if (op->domain[0])
		return NULL;
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		if (!strcmp(rules[i].op, op->name))
			return rules[i].rule;
	return op->kernels == elementwise_kernels ? elementwise : NULL;
}
