/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Chains: elementwise nodes of which each alone reads the one before become
 * one Chain, which passes over memory once.
 */
#include <string.h>

#include "engine/facts.h"
#include "engine/ops/chain.h"
#include "engine/ops/elementwise.h"
#include "engine/passes/edit.h"
#include "engine/plan.h"

/* A node's place in a chain. */
struct place {
	bool is_link;
	int32_t before, after; /* nodes; -1: none */
	int32_t carried;       /* the input that comes from `before` */
	int n_links, n_inputs; /* up to here */
};

struct chains {
	struct edit edit;
	const struct facts *facts;
	struct place *place; /* by node */
};

static const struct fact *fact_of(const struct chains *c, int32_t value)
{
	return &c->facts->fact[value];
}

static bool is_plain(const struct chains *c, int32_t value)
{
	const struct fact *fact = fact_of(c, value);

	return fact->has_shape && fact->type.elem == DTYPE_F32 &&
	       !fact->type.is_sequence && !fact->type.is_optional;
}

static bool is_one(const struct chains *c, int32_t value)
{
	return shape_count(&fact_of(c, value)->shape) == 1;
}

/* Clip has its limits behind; Sum, Max and Min of many are folds. */
static bool has_loop_operands(const struct chains *c,
			      const struct graph_node *node)
{
	const int32_t *in = graph_in(c->edit.graph, node);

	if (node->n_in > 3 || (node->n_in == 3 && !edit_is(node, "Clip")))
		return false;
	if (node->n_in == 1 && node->op->in[0].flags & PORT_VARIADIC)
		return false;
	for (int32_t i = 0; i < node->n_in; i++)
		if (in[i] == VALUE_NONE ? !edit_is(node, "Clip")
					: !is_plain(c, in[i]))
			return false;
	for (int32_t i = 1; edit_is(node, "Clip") && i < node->n_in; i++)
		if (in[i] != VALUE_NONE && !is_one(c, in[i]))
			return false;
	return true;
}

static bool is_link(const struct chains *c, const struct graph_node *node)
{
	const struct loop *loop;

	if (!node->op || node->op->kernels != elementwise_kernels ||
	    node->n_out != 1 || node->n_in < 1 || node->n_body ||
	    node->op->flags & OP_IMPURE || !has_loop_operands(c, node) ||
	    !is_plain(c, graph_out(c->edit.graph, node)[0]))
		return false;
	loop = elementwise_loop(node->op, node->attrs, false);
	return loop && loop->run[DTYPE_F32];
}

/* Input i has the shape of the result. */
static bool is_whole(const struct chains *c, const struct graph_node *node,
		     int32_t i)
{
	const int32_t in = graph_in(c->edit.graph, node)[i];
	const int32_t out = graph_out(c->edit.graph, node)[0];

	return in != VALUE_NONE &&
	       shape_equal(&fact_of(c, in)->shape, &fact_of(c, out)->shape);
}

/* The number of the link that makes input i for this node alone, or -1. */
static int32_t link_before(const struct chains *c,
			   const struct graph_node *node, int32_t i)
{
	const struct graph *graph = c->edit.graph;
	const int32_t in = graph_in(graph, node)[i];
	const struct graph_node *before = edit_own_producer(&c->edit, in);
	const int32_t number = before ? graph->value[in].source : -1;

	return before && c->place[number].is_link && is_whole(c, node, i)
		   ? number
		   : -1;
}

static int n_present(const struct chains *c, const struct graph_node *node)
{
	int n = 0;

	for (int32_t i = 0; i < node->n_in; i++)
		n += graph_in(c->edit.graph, node)[i] != VALUE_NONE;
	return n;
}

/* Joins the longest chain that it can, or begins one. */
static void place_node(struct chains *c, int32_t number)
{
	const struct graph_node *node = &c->edit.graph->node[number];
	struct place *place = &c->place[number];
	const int32_t n_sides = edit_is(node, "Clip") ? 1 : node->n_in;

	*place = (struct place){ .before = -1, .after = -1, .n_links = 1 };
	if (!is_link(c, node))
		return;
	place->is_link = true;
	place->n_inputs = n_present(c, node);
	for (int32_t i = 0; i < n_sides; i++) {
		const int32_t before = link_before(c, node, i);
		const struct place *last;
		int n_inputs;

		if (before < 0)
			continue;
		last = &c->place[before];
		n_inputs = last->n_inputs + n_present(c, node) - 1;
		if (last->n_links >= CHAIN_LINKS_MAX ||
		    last->n_links < place->n_links ||
		    n_inputs > CHAIN_INPUTS_MAX)
			continue;
		place->before = before;
		place->carried = i;
		place->n_links = last->n_links + 1;
		place->n_inputs = n_inputs;
	}
	if (place->before >= 0)
		c->place[place->before].after = number;
}

/* --- a chain's node --- */

struct draft {
	struct str op[CHAIN_LINKS_MAX];
	int64_t operand[CHAIN_LINKS_MAX * CHAIN_OPERANDS];
	float param[CHAIN_LINKS_MAX * LOOP_MAX_PARAMS];
	int32_t in[CHAIN_INPUTS_MAX];
	unsigned n_in;
	size_t n_links;
};

/* The first link reads input 0 where it has the shape of the result. */
static int32_t head_input(const struct chains *c, const struct graph_node *node)
{
	const struct graph *graph = c->edit.graph;

	for (int32_t i = 0; i < node->n_in; i++)
		if (is_whole(c, node, i) &&
		    graph->value[graph_in(graph, node)[i]].origin !=
			ORIGIN_CONST)
			return i;
	return is_whole(c, node, 0) ? 0 : 1;
}

static void draft_link(struct draft *draft, const struct chains *c,
		       int32_t number)
{
	const struct graph_node *node = &c->edit.graph->node[number];
	const struct loop *loop =
	    elementwise_loop(node->op, node->attrs, false);
	const int32_t carried = c->place[number].before >= 0
				    ? c->place[number].carried
				    : head_input(c, node);
	const size_t l = draft->n_links++;
	double params[LOOP_MAX_PARAMS];

	draft->op[l] = (struct str){ loop->op, strlen(loop->op) };
	elementwise_params(node->op, node->attrs, loop, params);
	for (size_t j = 0; j < LOOP_MAX_PARAMS; j++)
		draft->param[LOOP_MAX_PARAMS * l + j] = (float)params[j];
	for (int32_t j = 0; j < CHAIN_OPERANDS; j++) {
		const int32_t in = j < node->n_in
				       ? graph_in(c->edit.graph, node)[j]
				       : VALUE_NONE;
		int64_t *operand =
		    &draft->operand[CHAIN_OPERANDS * l + (size_t)j];

		*operand = CHAIN_NONE;
		if (j == carried) {
			*operand = CHAIN_VALUE;
		} else if (in != VALUE_NONE) {
			*operand = draft->n_in;
			draft->in[draft->n_in++] = in;
		}
	}
}

static void emit(struct chains *c, int32_t last)
{
	const struct graph_node *node = &c->edit.graph->node[last];
	const int32_t out = graph_out(c->edit.graph, node)[0];
	int32_t link[CHAIN_LINKS_MAX] = { last }, n = 0, value;
	struct draft draft = { .n_in = 1 };
	struct chain_attrs attrs;

	for (int32_t at = last; at >= 0; at = c->place[at].before)
		link[n++] = at;
	node = &c->edit.graph->node[link[n - 1]];
	draft.in[0] = graph_in(c->edit.graph, node)[head_input(c, node)];
	while (n-- > 0)
		draft_link(&draft, c, link[n]);
	attrs = (struct chain_attrs){
		.ops = { draft.n_links, draft.op },
		.operands = { CHAIN_OPERANDS * draft.n_links, draft.operand },
		.params = { LOOP_MAX_PARAMS * draft.n_links, draft.param },
	};
	build_nodes(&c->edit.build, "predictd.Chain", &attrs, draft.in,
		    draft.n_in, &value, 1);
	edit_forward(&c->edit, out, value);
}

static enum err_code run(const struct pass_context *context, bool *ret_changed,
			 struct err *err)
{
	struct chains c = { .facts = context->facts };
	enum err_code rc;

	/* the kernel of chains is not QUICK; training keeps its own steps */
	if (context->options->quick || context->graph->n_variable > 0)
		return ERR_NONE;
	rc = edit_init(&c.edit, context, err);
	if (rc)
		return rc;
	c.place = arena_array(context->arena, (size_t)c.edit.n_node + 1,
			      sizeof(*c.place));
	if (!c.place)
		return err_set(err, ERR_NO_MEMORY, "out of memory");
	for (int32_t i = 0; i < c.edit.n_node; i++)
		place_node(&c, i);
	for (int32_t i = 0; i < c.edit.n_node; i++)
		if (c.place[i].before >= 0 && c.place[i].after < 0)
			emit(&c, i);
	return edit_finish(&c.edit, ret_changed, err);
}

extern const struct pass pass_chains;
const struct pass pass_chains = {
	.name = "chains",
	.help = "runs elementwise nodes one after the other in one loop",
	.flags = PASS_PLAN,
	.run = run,
};
