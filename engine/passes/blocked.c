/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Blocked: gives convolutions, and what lies between them, channels in blocks
 * (engine/ops/blocked.h), and joins bias, residual and activation to them.
 *
 * One walk in the order of the graph: where a rule makes the twins of a node's
 * results, whoever has a rule reads those, and the others read the plain value,
 * which is one reorder, made once. Weights must be known: what trains stays.
 */
#include <string.h>

#include "engine/kernels/loops.h"
#include "engine/ops/reshape.h"
#include "engine/passes/blocked_priv.h"
#include "engine/passes/pass.h"
#include "engine/plan.h"

/* AVX-512's width in floats, or AVX's. */
static int64_t lanes_of_cpu(void)
{
	return loop_levels() > 2 ? 16 : 8;
}

bool blocking_is_image(const struct blocking *b, int32_t value)
{
	const struct fact *fact;

	if (value == VALUE_NONE)
		return false;
	fact = blocking_fact(b, value);
	return fact->has_shape && fact->type.elem == DTYPE_F32 &&
	       !fact->type.is_sequence && !fact->type.is_optional &&
	       fact->shape.rank >= 3 && fact->shape.rank <= 2 + WINDOW_DIMS &&
	       shape_count(&fact->shape) > 0;
}

/* One pixel in full blocks: the same bytes. */
static bool is_view(const struct blocking *b, const struct shape *plain)
{
	return plain->dim[1] % b->lanes == 0 &&
	       shape_range(plain, 2, plain->rank) == 1;
}

int32_t blocking_twin(struct blocking *b, int32_t value)
{
	const struct shape plain = blocking_fact(b, value)->shape;
	const struct shape blocked = blocked_shape(&plain, b->lanes);
	const struct block_attrs attrs = { .lanes = b->lanes };

	if (b->twin[value] != VALUE_NONE)
		return b->twin[value];
	b->is_read[value] = true;
	b->twin[value] =
	    is_view(b, &plain)
		? build_reshape(&b->build, value, &blocked)
		: build_node(&b->build, "Block", &attrs, &value, 1);
	return b->twin[value];
}

static int32_t plain_of(struct blocking *b, int32_t value)
{
	const struct shape plain = blocking_fact(b, value)->shape;
	const struct block_attrs attrs = { .channels = plain.dim[1] };
	const int32_t twin = b->twin[value];

	if (is_view(b, &plain))
		return build_reshape(&b->build, twin, &plain);
	return build_node(&b->build, "Unblock", &attrs, &twin, 1);
}

static void stay(struct blocking *b, const struct graph_node *node)
{
	const int32_t *in = graph_in(b->graph, node);

	for (int32_t i = 0; i < node->n_in; i++)
		if (in[i] != VALUE_NONE)
			b->is_read[in[i]] = true;
}

static enum err_code visit(struct blocking *b, int32_t number, bool *made,
			   struct err *err)
{
	const struct graph_node node = b->graph->node[number];
	blocking_rule *rule = node.op ? b->rule_of(node.op) : NULL;

	if (!node.op)
		return ERR_NONE;
	b->build.prefix = node.name;
	if (rule && rule(b, &node)) {
		made[number] = true;
		b->changed = true;
	} else {
		stay(b, &node);
	}
	return build_check(&b->build, err);
}

/* Old results that somebody reads plain come from their twins. */
static enum err_code forward(struct blocking *b, int32_t n_node,
			     const bool *made, struct err *err)
{
	struct graph *graph = b->graph;
	const size_t room = 2 * (size_t)graph->n_value + 1;
	int32_t *forward = arena_array(b->arena, room, sizeof(*forward));

	if (!forward)
		return err_set(err, ERR_NO_MEMORY, "blocked: out of memory");
	for (int32_t i = 0; i < graph->n_output; i++)
		if (graph->output[i] < b->n_value)
			b->is_read[graph->output[i]] = true;
	for (int32_t i = 0; i < graph->n_assign; i++)
		b->is_read[graph->assign[i].value] = true;
	for (size_t i = 0; i < room; i++)
		forward[i] = (int32_t)i;
	for (int32_t i = 0; i < n_node; i++) {
		const int32_t out =
		    made[i] ? graph_out(graph, &graph->node[i])[0] : 0;

		if (!made[i])
			continue;
		b->build.prefix = graph->node[i].name;
		if (b->is_read[out])
			forward[out] = b->plain_of(b, out);
		graph->node[i].op = NULL;
	}
	if (build_check(&b->build, err))
		return b->build.code;
	graph_forward_uses(graph, forward);
	return graph_tidy(graph, err);
}

enum err_code blocking_run(struct blocking *b, struct err *err)
{
	const int32_t n_node = b->graph->n_node;
	const size_t n = (size_t)b->graph->n_value + 1;
	bool *made = arena_array(b->arena, (size_t)n_node + 1, sizeof(*made));
	enum err_code rc = ERR_NONE;

	build_init(&b->build, b->graph, b->facts);
	b->n_value = b->graph->n_value;
	b->twin = arena_array(b->arena, n, sizeof(*b->twin));
	b->readers = arena_array(b->arena, n, sizeof(*b->readers));
	b->is_read = arena_array(b->arena, n, sizeof(*b->is_read));
	b->is_flat = arena_array(b->arena, n, sizeof(*b->is_flat));
	if (!made || !b->twin || !b->readers || !b->is_read || !b->is_flat)
		return err_set(err, ERR_NO_MEMORY, "blocked: out of memory");
	memset(made, 0, (size_t)n_node * sizeof(*made));
	memset(b->is_read, 0, n * sizeof(*b->is_read));
	memset(b->is_flat, 0, n * sizeof(*b->is_flat));
	for (size_t i = 0; i < n; i++)
		b->twin[i] = VALUE_NONE;
	graph_count_readers(b->graph, b->readers);
	for (int32_t i = 0; i < n_node && !rc; i++)
		rc = visit(b, i, made, err);
	if (rc || !b->changed)
		return rc;
	return forward(b, n_node, made, err);
}

static enum err_code block(const struct pass_context *context,
			   bool *ret_changed, struct err *err)
{
	struct blocking b = { .rule_of = blocking_rule_of,
			      .plain_of = plain_of,
			      .graph = context->graph,
			      .facts = context->facts,
			      .arena = context->arena,
			      .lanes = context->options->lanes
					   ? context->options->lanes
					   : lanes_of_cpu() };
	enum err_code rc;

	if (context->options->quick)
		return ERR_NONE; /* its kernels are made by a library */
	if (context->options->products == PRODUCTS_BF16)
		return ERR_NONE; /* these kernels round no operands */
	rc = blocking_run(&b, err);
	*ret_changed = b.changed;
	return rc;
}

extern const struct pass pass_blocked;
const struct pass pass_blocked = {
	.name = "blocked",
	.help = "channels of convolutions in blocks, with what follows joined",
	.flags = PASS_PLAN,
	.run = block,
};
