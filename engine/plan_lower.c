/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Lowering before a plan: an operator that is only a body of graph text is
 * replaced by that text.
 */
#include "engine/build.h"
#include "engine/planner_priv.h"

/* bodies in bodies */
enum { EXPAND_MAX_ROUNDS = 16 };

static bool has_kernels(const struct op *op)
{
	return op->kernels && op->kernels[0];
}

static int32_t *forward_none(struct planner *p, struct err *err)
{
	size_t n = (size_t)p->graph->n_value;
	int32_t *forward = arena_array(p->arena, n + 1, sizeof(*forward));

	if (!forward)
		(void)err_set(err, ERR_NO_MEMORY, "plan: out of memory");
	for (size_t i = 0; forward && i < n; i++)
		forward[i] = (int32_t)i;
	return forward;
}

/** forward, made at the start, holds the values of then; those that came
 * since stay. */
static enum err_code forward_uses(struct planner *p, const int32_t *forward,
				  int32_t n, struct err *err)
{
	int32_t *all = forward_none(p, err);

	if (!all)
		return ERR_NO_MEMORY;
	memcpy(all, forward, (size_t)n * sizeof(*all));
	graph_forward_uses(p->graph, all);
	return ERR_NONE;
}

static size_t count_ports(const struct port *ports)
{
	size_t n = 0;

	while (ports[n].name)
		n++;
	return n;
}

/** The body of node i in its place. */
static enum err_code expand_node(struct planner *p, int32_t i, int32_t *forward,
				 struct err *err)
{
	const struct graph_node node = p->graph->node[i];
	const struct op *op = node.op;
	size_t n_in = count_ports(op->in), n_out = count_ports(op->out);
	struct build_name *name =
	    arena_array(p->arena, n_in + n_out, sizeof(*name));
	struct build build;
	enum err_code rc;

	if (!name)
		return err_set(err, ERR_NO_MEMORY, "plan: out of memory");
	for (size_t j = 0; j < n_in; j++) {
		name[j].name = op->in[j].name;
		name[j].value = (int32_t)j < node.n_in
				    ? graph_in(p->graph, &node)[j]
				    : VALUE_NONE;
	}
	for (size_t j = 0; j < n_out; j++)
		name[n_in + j].name = op->out[j].name;
	build_init(&build, p->graph, p->facts);
	build.prefix = node.name;
	build_text(&build, op->body, name, n_in, &node, name + n_in, n_out);
	rc = build_check(&build, err);
	if (rc)
		return rc;
	for (int32_t j = 0; j < node.n_out; j++) {
		int32_t out = graph_out(p->graph, &node)[j];

		if (out != VALUE_NONE)
			forward[out] = name[n_in + (size_t)j].value;
	}
	p->graph->node[i].op = NULL;
	return ERR_NONE;
}

enum err_code plan_expand(struct planner *p, struct err *err)
{
	bool again = true;

	for (int round = 0; again; round++) {
		const int32_t n_node = p->graph->n_node;
		const int32_t n_value = p->graph->n_value;
		int32_t *forward = forward_none(p, err);
		enum err_code rc = ERR_NONE;

		if (!forward)
			return ERR_NO_MEMORY;
		again = false;
		for (int32_t i = 0; i < n_node && !rc; i++) {
			const struct op *op = p->graph->node[i].op;

			if (!op || has_kernels(op) || !op->body)
				continue;
			if (round == EXPAND_MAX_ROUNDS)
				return err_set(err, ERR_UNSUPPORTED,
					       "node '%s' (%s): bodies nest "
					       "deeper than %d",
					       p->graph->node[i].name, op->name,
					       EXPAND_MAX_ROUNDS);
			rc = expand_node(p, i, forward, err);
			again = true;
		}
		if (!rc && again)
			rc = forward_uses(p, forward, n_value, err);
		if (rc)
			return rc;
	}
	return ERR_NONE;
}
