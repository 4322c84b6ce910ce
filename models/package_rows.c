/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Rows that cannot meet: a walk over the graph by rules of its operators.
 *
 * Along dimension 0 of every value that depends on the inputs lie the rows, and
 * row i of it is made from row i of the inputs alone. Where an operator's rule
 * does not say so, the answer is no, and the check by two random rows decides
 * (package_batch.c).
 */
#include <string.h>

#include "base/arena.h"
#include "engine/attr.h"
#include "models/package_priv.h"

enum state {
	STATE_SAME,    /* for all rows, however many */
	STATE_COUNTED, /* by how many rows there are */
	STATE_ROWS,    /* by rows */
};

struct walk {
	const struct graph *graph;
	const struct facts *facts;
	int64_t n; /* rows */
	enum state *state;
};

/* Do the rows of a node's first output stay apart? One input or more is of
 * rows. */
typedef bool keeps_rows(const struct walk *walk, const struct graph_node *node);

static enum state state_of(const struct walk *walk,
			   const struct graph_node *node, int32_t i)
{
	const int32_t value =
	    i < node->n_in ? graph_in(walk->graph, node)[i] : VALUE_NONE;

	return value == VALUE_NONE ? STATE_SAME : walk->state[value];
}

static const struct fact *fact_of(const struct walk *walk,
				  const struct graph_node *node, int32_t i)
{
	return &walk->facts->fact[graph_in(walk->graph, node)[i]];
}

static bool is_there(const struct walk *walk, const struct graph_node *node,
		     int32_t i)
{
	return i < node->n_in && graph_in(walk->graph, node)[i] != VALUE_NONE;
}

/* Inputs from number i on are the same for all rows. */
static bool rest_is_same(const struct walk *walk, const struct graph_node *node,
			 int32_t i)
{
	for (; i < node->n_in; i++)
		if (state_of(walk, node, i) != STATE_SAME)
			return false;
	return true;
}

static bool attr_of(const struct graph_node *node, const char *name,
		    struct attr_value *ret)
{
	const struct op_attr *row = op_attr_find(node->op->attrs, name);

	return row && op_attr_get(row, node->attrs, ret);
}

/* --- rules --- */

static bool first_input(const struct walk *walk, const struct graph_node *node)
{
	return rest_is_same(walk, node, 1);
}

/* One that is the same for all rows has one row, or none. */
static bool meets_all_rows(const struct walk *walk,
			   const struct graph_node *node, int32_t i,
			   unsigned rank)
{
	const struct shape *shape = &fact_of(walk, node, i)->shape;

	return state_of(walk, node, i) == STATE_SAME &&
	       (shape->rank < rank ||
		(shape->rank == rank && shape->dim[0] == 1));
}

/* Element by element: rows must lie along the same dimension. */
static bool elements(const struct walk *walk, const struct graph_node *node)
{
	const int32_t out = graph_out(walk->graph, node)[0];
	const unsigned rank = walk->facts->fact[out].shape.rank;

	for (int32_t i = 0; i < node->n_in; i++) {
		if (!is_there(walk, node, i) ||
		    meets_all_rows(walk, node, i, rank))
			continue;
		if (state_of(walk, node, i) != STATE_ROWS ||
		    fact_of(walk, node, i)->shape.rank != rank)
			return false;
	}
	return true;
}

/* The same bytes under another shape, whose rows are as many. */
static bool view(const struct walk *walk, const struct graph_node *node)
{
	for (int32_t i = 1; i < node->n_in; i++)
		if (state_of(walk, node, i) == STATE_ROWS)
			return false;
	return state_of(walk, node, 0) == STATE_ROWS;
}

static bool inner_axis(const struct walk *walk, const struct graph_node *node)
{
	struct attr_value axis;

	if (!attr_of(node, "axis", &axis))
		return false;
	if (axis.i < 0)
		axis.i += fact_of(walk, node, 0)->shape.rank;
	return axis.i > 0;
}

static bool along_axis(const struct walk *walk, const struct graph_node *node)
{
	return rest_is_same(walk, node, 1) && inner_axis(walk, node);
}

static bool concat(const struct walk *walk, const struct graph_node *node)
{
	for (int32_t i = 0; i < node->n_in; i++)
		if (state_of(walk, node, i) != STATE_ROWS)
			return false;
	return inner_axis(walk, node);
}

static bool transpose(const struct walk *walk, const struct graph_node *node)
{
	struct attr_value perm;

	(void)walk;
	return attr_of(node, "perm", &perm) && perm.ints.n &&
	       perm.ints.v[0] == 0;
}

static bool reduce(const struct walk *walk, const struct graph_node *node)
{
	const struct fact *axes;
	const int64_t *axis;
	int64_t n;

	if (!is_there(walk, node, 1) || !rest_is_same(walk, node, 1))
		return false;
	axes = fact_of(walk, node, 1);
	axis = axes->value;
	n = shape_count(&axes->shape);
	if (axes->type.elem != DTYPE_I64 || !axis)
		return false;
	for (int64_t i = 0; i < n; i++)
		if (axis[i] == 0 ||
		    axis[i] == -(int64_t)fact_of(walk, node, 0)->shape.rank)
			return false;
	return n > 0;
}

static bool gemm(const struct walk *walk, const struct graph_node *node)
{
	struct attr_value turned;

	return attr_of(node, "transA", &turned) && !turned.i &&
	       rest_is_same(walk, node, 1) &&
	       (!is_there(walk, node, 2) || meets_all_rows(walk, node, 2, 2));
}

static bool matmul(const struct walk *walk, const struct graph_node *node)
{
	const unsigned a = fact_of(walk, node, 0)->shape.rank;
	const unsigned b = fact_of(walk, node, 1)->shape.rank;

	if (state_of(walk, node, 0) != STATE_ROWS || a < 2)
		return false;
	if (state_of(walk, node, 1) == STATE_SAME)
		return b <= 2;
	/* a product a row */
	return state_of(walk, node, 1) == STATE_ROWS && a == b && a > 2;
}

static bool is_number(const struct walk *walk, const struct graph_node *node,
		      int32_t i)
{
	return !is_there(walk, node, i) ||
	       shape_count(&fact_of(walk, node, i)->shape) == 1;
}

/* One grid for all, or grids that lie along other axes. */
static bool quantize(const struct walk *walk, const struct graph_node *node)
{
	return rest_is_same(walk, node, 1) &&
	       ((is_number(walk, node, 1) && is_number(walk, node, 2)) ||
		inner_axis(walk, node));
}

/* Products of rows that have one zero point, and weights, input b. */
static bool byte_product(const struct walk *walk, const struct graph_node *node,
			 int32_t b, int32_t a_zero)
{
	return rest_is_same(walk, node, 1) &&
	       fact_of(walk, node, 0)->shape.rank >= 2 &&
	       fact_of(walk, node, b)->shape.rank <= 2 &&
	       is_number(walk, node, a_zero);
}

static bool matmul_integer(const struct walk *walk,
			   const struct graph_node *node)
{
	return byte_product(walk, node, 1, 2);
}

static bool qlinear_matmul(const struct walk *walk,
			   const struct graph_node *node)
{
	return is_number(walk, node, 1) && is_number(walk, node, 6) &&
	       is_number(walk, node, 7) && byte_product(walk, node, 3, 2);
}

static bool batch_norm(const struct walk *walk, const struct graph_node *node)
{
	struct attr_value training;

	return rest_is_same(walk, node, 1) &&
	       attr_of(node, "training_mode", &training) && !training.i;
}

static const struct rule {
	const char *op; /* of domain "" */
	keeps_rows *keeps;
} rules[] = {
	{ "Abs", elements },
	{ "Add", elements },
	{ "AveragePool", first_input },
	{ "BatchNormalization", batch_norm },
	{ "Cast", elements },
	{ "Clip", elements },
	{ "Concat", concat },
	{ "Conv", first_input },
	{ "ConvInteger", first_input },
	{ "ConvTranspose", first_input },
	{ "DequantizeLinear", quantize },
	{ "Div", elements },
	{ "Elu", elements },
	{ "Erf", elements },
	{ "Exp", elements },
	{ "Flatten", view },
	{ "Gelu", elements },
	{ "Gemm", gemm },
	{ "GlobalAveragePool", first_input },
	{ "GlobalMaxPool", first_input },
	{ "HardSigmoid", elements },
	{ "HardSwish", elements },
	{ "Identity", elements },
	{ "LRN", first_input },
	{ "LayerNormalization", along_axis },
	{ "LeakyRelu", elements },
	{ "Log", elements },
	{ "LogSoftmax", along_axis },
	{ "MatMul", matmul },
	{ "MatMulInteger", matmul_integer },
	{ "Max", elements },
	{ "MaxPool", first_input },
	{ "Min", elements },
	{ "Mul", elements },
	{ "Neg", elements },
	{ "PRelu", elements },
	{ "Pow", elements },
	{ "QLinearConv", first_input },
	{ "QLinearMatMul", qlinear_matmul },
	{ "QuantizeLinear", quantize },
	{ "ReduceMax", reduce },
	{ "ReduceMean", reduce },
	{ "ReduceMin", reduce },
	{ "ReduceSum", reduce },
	{ "Relu", elements },
	{ "Reshape", view },
	{ "Sigmoid", elements },
	{ "Softmax", along_axis },
	{ "Softplus", elements },
	{ "Sqrt", elements },
	{ "Squeeze", view },
	{ "Sub", elements },
	{ "Tanh", elements },
	{ "Transpose", transpose },
	{ "Unsqueeze", view },
};

/* --- the walk --- */

static const struct rule *find_rule(const struct op *op)
{
	for (size_t i = 0; !*op->domain && i < sizeof(rules) / sizeof(*rules);
	     i++)
		if (!strcmp(rules[i].op, op->name))
			return &rules[i];
	return NULL;
}

static bool tells_shapes_only(const struct op *op)
{
	return !*op->domain &&
	       (!strcmp(op->name, "Shape") || !strcmp(op->name, "Size"));
}

/* Of the inputs together. */
static enum state state_in(const struct walk *walk,
			   const struct graph_node *node)
{
	enum state most = STATE_SAME;

	for (int32_t i = 0; i < node->n_in; i++)
		if (state_of(walk, node, i) > most)
			most = state_of(walk, node, i);
	return most;
}

static bool set_outputs(const struct walk *walk, const struct graph_node *node,
			enum state state)
{
	for (int32_t i = 0; i < node->n_out; i++) {
		const int32_t value = graph_out(walk->graph, node)[i];
		const struct fact *fact;

		if (value == VALUE_NONE)
			continue;
		walk->state[value] = state;
		fact = &walk->facts->fact[value];
		if (state == STATE_ROWS &&
		    (i || !fact->has_shape || !fact->shape.rank ||
		     fact->shape.dim[0] != walk->n))
			return false;
	}
	return true;
}

static bool walk_node(const struct walk *walk, const struct graph_node *node)
{
	const enum state in = state_in(walk, node);
	const struct rule *rule;

	if (node->n_body || node->op->flags & (OP_IMPURE | OP_DYNAMIC))
		return false;
	if (in != STATE_ROWS)
		return set_outputs(walk, node, in);
	if (tells_shapes_only(node->op))
		return set_outputs(walk, node, STATE_COUNTED);
	rule = find_rule(node->op);
	/* a first output that is left out has no shape to go by */
	return rule && node->n_out && graph_out(walk->graph, node)[0] >= 0 &&
	       set_outputs(walk, node, STATE_ROWS) && rule->keeps(walk, node);
}

static bool walk_graph(const struct walk *walk)
{
	const struct graph *graph = walk->graph;

	if (graph->n_variable)
		return false;
	for (int32_t i = 0; i < graph->n_input; i++)
		walk->state[graph->input[i]] = STATE_ROWS;
	for (int32_t i = 0; i < graph->n_node; i++)
		if (graph->node[i].op && !walk_node(walk, &graph->node[i]))
			return false;
	for (int32_t i = 0; i < graph->n_output; i++)
		if (walk->state[graph->output[i]] != STATE_ROWS)
			return false;
	return true;
}

bool package_rows_are_apart(const struct graph *graph, const struct fact *input)
{
	struct arena *arena = arena_create(SIZE_MAX / 2);
	struct walk walk = { .graph = graph };
	struct facts *facts = NULL;
	bool apart = false;

	if (arena)
		walk.state = arena_array(arena, (size_t)graph->n_value + 1,
					 sizeof(*walk.state));
	if (walk.state && graph->n_input &&
	    !facts_create_shapes(graph, input, &facts, NULL)) {
		walk.facts = facts;
		walk.n = input[0].shape.dim[0];
		apart = walk_graph(&walk);
	}
	facts_destroy(facts);
	arena_destroy(arena);
	return apart;
}
