/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Lowering before a plan: every node gets kernels for its own types.
 *
 * An operator that is only a body of graph text is replaced by that text. One
 * whose kernels calculate in wide types gets its narrow inputs through casts,
 * and casts its results back, so that no kernel knows half types.
 */
#include "engine/attr.h"
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

/** A cast of value to elem, made once: cast[value] remembers it. */
static enum err_code cast_to(struct planner *p, int32_t value, enum dtype elem,
			     int32_t *ret, struct err *err)
{
	const struct op *op = op_find("", "Cast");
	const struct op_attr *row = op ? op_attr_find(op->attrs, "to") : NULL;
	const int64_t to = elem;
	char *attrs = row ? arena_alloc(p->arena, op->attrs_size) : NULL;
	enum err_code rc;

	if (!attrs)
		return err_set(err, ERR_NO_MEMORY, "plan: out of memory");
	op_attr_defaults(op->attrs, attrs);
	memcpy(attrs + row->offset, &to, sizeof(to));
	rc = graph_add_node(p->graph, op, p->graph->value[value].name, attrs,
			    &value, 1, ret, 1, err);
	if (!rc)
		rc = facts_node(p->facts, p->graph, p->graph->n_node - 1, err);
	return rc;
}

static enum dtype elem_of(const struct planner *p, int32_t value)
{
	return value == VALUE_NONE ? DTYPE_NONE
				   : p->facts->fact[value].type.elem;
}

/** Kernels of this node would meet a type that they do not know. */
static bool is_narrow(const struct planner *p, const struct graph_node *node)
{
	const unsigned free_of_types = OP_MOVES | OP_ANY_TYPE | OP_VIEW;

	if (!node->op || node->op->flags & free_of_types || node->n_body)
		return false;
	for (int32_t j = 0; j < node->n_in; j++) {
		enum dtype elem = elem_of(p, graph_in(p->graph, node)[j]);

		if (elem != DTYPE_NONE && dtype_info(elem)->arith != elem &&
		    dtype_info(elem)->arith != DTYPE_NONE)
			return true;
	}
	return false;
}

/** Inputs of a narrow node as wide values. */
static enum err_code widen_inputs(struct planner *p,
				  const struct graph_node *node, int32_t *in,
				  int32_t *wide, struct err *err)
{
	enum err_code rc = ERR_NONE;

	for (int32_t j = 0; j < node->n_in && !rc; j++) {
		int32_t value = graph_in(p->graph, node)[j];
		enum dtype elem = elem_of(p, value);
		enum dtype arith = dtype_info(elem)->arith;

		in[j] = value;
		if (elem == DTYPE_NONE || arith == elem || arith == DTYPE_NONE)
			continue;
		if (wide[value] == VALUE_NONE)
			rc = cast_to(p, value, arith, &wide[value], err);
		in[j] = wide[value];
	}
	return rc;
}

/** wide: by value, its cast so far. forward: by value. */
static enum err_code widen_node(struct planner *p, int32_t i, int32_t *wide,
				int32_t *forward, struct err *err)
{
	const struct graph_node node = p->graph->node[i];
	const size_t n = (size_t)node.n_in + (size_t)node.n_out;
	int32_t *in = arena_array(p->arena, n, sizeof(*in)), *out;
	enum err_code rc;

	if (!in)
		return err_set(err, ERR_NO_MEMORY, "plan: out of memory");
	out = in + node.n_in;
	rc = widen_inputs(p, &node, in, wide, err);
	if (!rc)
		rc = graph_add_node(p->graph, node.op, node.name, node.attrs,
				    in, node.n_in, out, node.n_out, err);
	if (!rc)
		rc = facts_node(p->facts, p->graph, p->graph->n_node - 1, err);
	for (int32_t j = 0; j < node.n_out && !rc; j++) {
		int32_t old = graph_out(p->graph, &node)[j];

		if (old == VALUE_NONE)
			continue;
		forward[old] = out[j];
		if (elem_of(p, out[j]) != elem_of(p, old))
			rc = cast_to(p, out[j], elem_of(p, old), &forward[old],
				     err);
	}
	p->graph->node[i].op = NULL;
	return rc;
}

enum err_code plan_widen(struct planner *p, struct err *err)
{
	const int32_t n_node = p->graph->n_node;
	const int32_t n_value = p->graph->n_value;
	int32_t *forward = forward_none(p, err);
	int32_t *wide = forward_none(p, err);
	bool changed = false;
	enum err_code rc = ERR_NONE;

	if (!forward || !wide)
		return ERR_NO_MEMORY;
	for (int32_t i = 0; i < n_value; i++)
		wide[i] = VALUE_NONE;
	for (int32_t i = 0; i < n_node && !rc; i++) {
		if (!is_narrow(p, &p->graph->node[i]))
			continue;
		rc = widen_node(p, i, wide, forward, err);
		changed = true;
	}
	if (!rc && changed)
		rc = forward_uses(p, forward, n_value, err);
	return rc;
}
