/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/maker.h"

enum { BODIES_MAX = 4, BODY_MAX_NODES = 4 };

/* What a node's bodies take and give. */
struct plug {
	const struct graph *graph;
	const struct graph_node *node;
	bool is_if, is_loop, is_map;
	int32_t first_own;  /**< operand that is a body's first own input */
	int32_t n_captured; /**< last operands */
	int32_t n_out;
};

static struct plug plug_of(struct maker *maker)
{
	const struct graph *graph = maker->build.graph;
	const struct graph_node *node = &graph->node[graph->n_node - 1];
	const char *name = node->op->name;
	struct plug plug = { .graph = graph,
			     .node = node,
			     .is_if = !strcmp(name, "If"),
			     .is_loop = !strcmp(name, "Loop"),
			     .is_map = !strcmp(name, "SequenceMap") };
	int32_t most;

	plug.first_own = plug.is_if || !strcmp(name, "ScanBatch");
	if (plug.is_loop)
		plug.first_own = 2;
	plug.n_out = node->n_out + plug.is_loop;
	most = node->n_in - plug.first_own;
	if (most > 0 && most < 256)
		plug.n_captured =
		    plug.is_if
			? most
			: (int32_t)draw_below(maker->draw, (unsigned)most + 1);
	return plug;
}

static enum err_code add_input(struct maker *body, struct type type,
			       struct err *err)
{
	int32_t value = VALUE_NONE;
	enum err_code rc =
	    graph_add_input(body->build.graph, NULL, type, &value, err);

	if (!rc && body->n_pool < POOL_MAX)
		body->pool[body->n_pool++] = value;
	return rc;
}

static enum err_code add_inputs(struct maker *body, const struct plug *plug,
				struct err *err)
{
	const int32_t *in = graph_in(plug->graph, plug->node);
	enum err_code rc = ERR_NONE;

	if (plug->is_loop)
		rc = add_input(body, (struct type){ .elem = DTYPE_I64 }, err);
	if (plug->is_loop && !rc)
		rc = add_input(body, (struct type){ .elem = DTYPE_BOOL }, err);
	for (int32_t i = plug->first_own; i < plug->node->n_in && !rc; i++) {
		struct type type = { .elem = DTYPE_F32 };

		if (in[i] != VALUE_NONE)
			type = plug->graph->value[in[i]].type;
		if (plug->is_map && i < plug->node->n_in - plug->n_captured)
			type.is_sequence = false;
		rc = add_input(body, type, err);
	}
	return rc;
}

/* The type that output i should have; elem DTYPE_NONE: any. */
static struct type wanted(const struct maker *body, const struct plug *plug,
			  const struct graph *before, int32_t i)
{
	const struct graph *graph = body->build.graph;
	const struct type any = { .elem = DTYPE_NONE };

	if (before)
		return before->value[before->output[i]].type;
	if (plug->is_if || plug->is_map)
		return any;
	i += plug->is_loop;
	return i < graph->n_input - plug->n_captured
		   ? graph->value[graph->input[i]].type
		   : any;
}

static bool is_of(const struct graph *graph, int32_t value, struct type type)
{
	const struct type *has = &graph->value[value].type;

	return type.elem == DTYPE_NONE ||
	       (has->elem == type.elem && has->is_sequence == type.is_sequence);
}

static int32_t pick_output(struct maker *body, struct type type)
{
	const struct graph *graph = body->build.graph;
	unsigned first;

	if (!body->n_pool)
		return build_scalar(&body->build,
				    type.elem == DTYPE_NONE ||
					    type.elem == DTYPE_STRING
					? DTYPE_F32
					: type.elem,
				    1);
	first = draw_below(body->draw, body->n_pool);
	for (unsigned i = 0; i < body->n_pool; i++) {
		const int32_t value =
		    body->pool[(first + body->n_pool - i) % body->n_pool];

		if (is_of(graph, value, type))
			return value;
	}
	return body->pool[first];
}

/* NOLINTNEXTLINE(misc-no-recursion): bodies have no bodies */
static enum err_code draw_body(struct maker *maker, const struct plug *plug,
			       const struct graph *before,
			       struct graph **ret_body, struct err *err)
{
	struct maker body = *maker;
	struct graph *graph = NULL;
	unsigned n_nodes;
	enum err_code rc = graph_create_body(maker->build.graph, &graph, err);

	if (rc)
		return rc;
	build_init(&body.build, graph, NULL);
	body.n_pool = 0;
	body.is_body = true;
	rc = add_inputs(&body, plug, err);
	n_nodes = draw_below(maker->draw, BODY_MAX_NODES);
	for (unsigned i = 0; i < n_nodes && !rc; i++)
		maker_seed(&body);
	for (int32_t i = 0; i < plug->n_out && !rc; i++) {
		const int32_t value =
		    pick_output(&body, wanted(&body, plug, before, i));

		rc = value == VALUE_NONE ? ERR_NO_MEMORY
					 : graph_add_output(graph, value, err);
	}
	if (!rc)
		rc = facts_type_graph(graph, err);
	*ret_body = graph;
	return rc;
}

/* NOLINTNEXTLINE(misc-no-recursion): bodies have no bodies */
enum err_code maker_bodies(struct maker *maker, struct err *err)
{
	const struct plug plug = plug_of(maker);
	const char *const *names = plug.node->op->bodies;
	struct graph *body[BODIES_MAX] = { NULL };
	enum err_code rc = ERR_NONE;

	for (unsigned i = 0; names[i] && i < BODIES_MAX && !rc; i++)
		rc = draw_body(maker, &plug, i ? body[0] : NULL, &body[i], err);
	if (!rc)
		rc = graph_set_bodies(maker->build.graph, body, plug.n_captured,
				      err);
	return rc;
}
