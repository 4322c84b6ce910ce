/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "engine/attr.h"
#include "engine/passes/edit.h"

/* One rule looks at one node, whose inputs' ranks are known as far as they
 * can be. */
struct look {
	const struct graph *graph;
	const struct graph_node *node;
	const struct rank *rank; /* by value */
};

typedef struct rank (*rank_rule)(const struct look *look);

static const struct rank unknown = { .least = 0 };

static struct rank exactly(int rank)
{
	return (struct rank){ .least = rank < 0 ? 0 : rank,
			      .is_exact = rank >= 0 };
}

static struct rank vector_of(int length)
{
	return (struct rank){ .least = 1, .is_exact = true, .length = length };
}

static struct rank rank_of(const struct look *look, int32_t i)
{
	const int32_t value = i < look->node->n_in
				  ? graph_in(look->graph, look->node)[i]
				  : VALUE_NONE;

	return value == VALUE_NONE ? unknown : look->rank[value];
}

static const struct tensor_view *constant_of(const struct look *look, int32_t i)
{
	const struct graph *graph = look->graph;
	const int32_t value =
	    i < look->node->n_in ? graph_in(graph, look->node)[i] : VALUE_NONE;

	if (value == VALUE_NONE || graph->value[value].origin != ORIGIN_CONST)
		return NULL;
	return &graph->constant[graph->value[value].source];
}

static int64_t int_attr(const struct graph_node *node, const char *name,
			int64_t otherwise)
{
	const struct op_attr *row = op_attr_find(node->op->attrs, name);
	struct attr_value value;

	if (!row || !op_attr_get(row, node->attrs, &value))
		return otherwise;
	return row->kind == ATTR_INTS ? (int64_t)value.ints.n : value.i;
}

static struct rank same(const struct look *look)
{
	return rank_of(look, 0);
}

/* As many axes, of other extents. */
static struct rank resized(const struct look *look)
{
	struct rank rank = rank_of(look, 0);

	rank.length = 0;
	return rank;
}

static struct rank broadcast(const struct look *look)
{
	struct rank most = { .is_exact = true };

	for (int32_t i = 0; i < look->node->n_in; i++) {
		const struct rank rank = rank_of(look, i);

		most.least = rank.least > most.least ? rank.least : most.least;
		most.is_exact &= rank.is_exact;
	}
	return most;
}

/* Any operand tells; all are of one rank. */
static struct rank concat(const struct look *look)
{
	struct rank best = unknown;
	bool has_lengths = true;
	int length = 0;

	for (int32_t i = 0; i < look->node->n_in; i++) {
		const struct rank rank = rank_of(look, i);

		length += rank.length;
		has_lengths &= rank.length > 0;
		best.is_exact |= rank.is_exact;
		best.least = rank.least > best.least ? rank.least : best.least;
	}
	return has_lengths ? vector_of(length) : best;
}

static struct rank conv(const struct look *look)
{
	const struct rank x = rank_of(look, 0), w = rank_of(look, 1);

	return x.is_exact ? x : w;
}

static struct rank matrix(const struct look *look)
{
	(void)look;
	return exactly(2);
}

static int clamp(int64_t at, int rank)
{
	at += at < 0 ? rank : 0;
	return at < 0 ? 0 : at > rank ? rank : (int)at;
}

static struct rank shape(const struct look *look)
{
	const struct rank x = rank_of(look, 0);
	int first, last;

	if (!x.is_exact)
		return exactly(1);
	first = clamp(int_attr(look->node, "start", 0), x.least);
	last = clamp(int_attr(look->node, "end", INT64_MAX), x.least);
	return last > first ? vector_of(last - first) : exactly(1);
}

static struct rank matmul(const struct look *look)
{
	const struct rank a = rank_of(look, 0), b = rank_of(look, 1);

	if (a.least >= 2 && b.least >= 2)
		return broadcast(look);
	if (a.is_exact && b.is_exact && a.least + b.least >= 2)
		return exactly((a.least > b.least ? a.least : b.least) -
			       (a.least == 1) - (b.least == 1) +
			       (a.least == 1 && b.least == 1));
	return unknown;
}

/* As many as the target shape has elements. */
static struct rank reshape(const struct look *look)
{
	const struct rank target = rank_of(look, 1);

	return target.length ? exactly(target.length) : unknown;
}

static struct rank plus_axes(const struct look *look, int sign)
{
	const struct tensor_view *axes = constant_of(look, 1);
	const struct rank x = rank_of(look, 0);
	const int n = axes ? sign * (int)shape_count(&axes->shape) : 0;
	struct rank rank = { .least = sign > 0 ? x.least : 0 };

	if (!axes)
		return rank;
	rank.least = x.least + n < 0 ? 0 : x.least + n;
	rank.is_exact = x.is_exact;
	/* a number as a vector of one */
	rank.length = x.is_exact && !x.least && n == 1;
	return rank;
}

static struct rank unsqueeze(const struct look *look)
{
	return plus_axes(look, 1);
}

static struct rank squeeze(const struct look *look)
{
	return plus_axes(look, -1);
}

static struct rank reduce(const struct look *look)
{
	const struct tensor_view *axes = constant_of(look, 1);

	if (int_attr(look->node, "keepdims", 1))
		return resized(look);
	return axes && shape_count(&axes->shape) ? plus_axes(look, -1)
						 : unknown;
}

static struct rank gather(const struct look *look)
{
	const struct rank x = rank_of(look, 0), index = rank_of(look, 1);
	const int least = x.least + index.least - 1;
	struct rank rank = { .least = least < 0 ? 0 : least };

	rank.is_exact = x.is_exact && index.is_exact;
	if (x.is_exact && x.least == 1)
		rank.length = index.length;
	return rank;
}

static struct rank transpose(const struct look *look)
{
	const int64_t n = int_attr(look->node, "perm", 0);
	struct rank x = same(look);

	x.length = 0;
	return n ? exactly((int)n) : x;
}

static struct rank expand(const struct look *look)
{
	const struct rank x = rank_of(look, 0), to = rank_of(look, 1);

	return (struct rank){
		.least = to.length > x.least ? to.length : x.least,
		.is_exact = x.is_exact && to.length,
	};
}

static const struct {
	const char *name;
	rank_rule rule;
} rules[] = {
	{ "AveragePool", resized },
	{ "BatchNormalization", same },
	{ "Cast", same },
	{ "CastLike", same },
	{ "Clip", same },
	{ "Concat", concat },
	{ "Conv", conv },
	{ "ConvTranspose", conv },
	{ "CumSum", same },
	{ "DequantizeLinear", same },
	{ "DynamicQuantizeLinear", same },
	{ "Dropout", same },
	{ "Expand", expand },
	{ "Flatten", matrix },
	{ "Gather", gather },
	{ "Gemm", matrix },
	{ "GlobalAveragePool", resized },
	{ "GlobalMaxPool", resized },
	{ "GroupNormalization", same },
	{ "Hardmax", same },
	{ "Identity", same },
	{ "InstanceNormalization", same },
	{ "LRN", same },
	{ "LayerNormalization", same },
	{ "LogSoftmax", same },
	{ "MatMul", matmul },
	{ "MatMulInteger", matmul },
	{ "MatMulIntegerToFloat", matmul },
	{ "MatMulWeights", resized },
	{ "MaxPool", resized },
	{ "Pad", resized },
	{ "QuantizeLinear", same },
	{ "ReduceL2", reduce },
	{ "ReduceMax", reduce },
	{ "ReduceMean", reduce },
	{ "ReduceMin", reduce },
	{ "ReduceProd", reduce },
	{ "ReduceSum", reduce },
	{ "Reshape", reshape },
	{ "Resize", resized },
	{ "Shape", shape },
	{ "Slice", resized },
	{ "Softmax", same },
	{ "Split", resized },
	{ "Squeeze", squeeze },
	{ "Transpose", transpose },
	{ "Unsqueeze", unsqueeze },
};

static rank_rule find_rule(const struct op *op)
{
	const bool is_ours =
	    !op->domain[0] || strcmp(op->domain, "predictd") == 0;

	if (op->infer == infer_same)
		return same;
	if (op->infer == infer_broadcast)
		return broadcast;
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		if (is_ours && !strcmp(op->name, rules[i].name))
			return rules[i].rule;
	return NULL;
}

static struct rank rank_of_shape(const struct shape *shape)
{
	struct rank rank = exactly((int)shape->rank);

	if (shape->rank == 1 && shape->dim[0] <= SHAPE_MAX_RANK)
		rank.length = (int)shape->dim[0];
	return rank;
}

static void know_sources(const struct pass_context *context, struct rank *rank)
{
	const struct graph *graph = context->graph;

	for (int32_t i = 0; i < graph->n_value; i++) {
		const struct graph_value *value = &graph->value[i];

		if (value->origin == ORIGIN_CONST)
			rank[i] = rank_of_shape(
			    &graph->constant[value->source].shape);
		else if (value->origin == ORIGIN_VARIABLE)
			rank[i] = rank_of_shape(
			    &graph->variable[value->source].view.shape);
	}
	for (int32_t i = 0; context->input_rank && i < graph->n_input; i++)
		rank[graph->input[i]] = exactly(context->input_rank[i]);
}

const struct rank *rank_of_values(const struct pass_context *context)
{
	const struct graph *graph = context->graph;
	struct rank *rank = arena_array(
	    context->arena, (size_t)graph->n_value + 1, sizeof(*rank));

	if (!rank)
		return NULL;
	know_sources(context, rank);
	for (int32_t i = 0; i < graph->n_node; i++) {
		const struct look look = { graph, &graph->node[i], rank };
		const rank_rule rule =
		    look.node->op ? find_rule(look.node->op) : NULL;
		const struct rank found = rule ? rule(&look) : unknown;
		const bool is_split = edit_is(look.node, "Split");

		for (int32_t j = 0; j < look.node->n_out; j++) {
			const int32_t out = graph_out(graph, look.node)[j];

			if (out == VALUE_NONE)
				continue;
			if (!j || is_split)
				rank[out] = found;
			else if (edit_is(look.node, "DynamicQuantizeLinear"))
				rank[out] = exactly(0);
		}
	}
	return rank;
}
