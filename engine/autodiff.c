/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/autodiff.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "engine/autodiff_priv.h"

/* What to differentiate: nodes first to end - 1. Values from `base` on belong
 * to them; of those before, only the `outer` ones can want a gradient. */
struct range {
	int32_t first, end, base;
	const int32_t *outer;
	int32_t n_outer;
};

/* One part of a value's gradient; parts of one value are a list. */
struct part {
	int32_t value, next;
};

struct sweep {
	struct build *build;
	struct arena *arena;
	struct range range;
	unsigned depth; /* of bodies in bodies */
	int32_t n_slots;
	/* by slot */
	int32_t
	    *source;   /* the wanted value that this one depends on, or NONE */
	bool *reaches; /* the loss depends on it */
	int32_t *first, *last; /* parts, in the order they came */
	int32_t *total;	       /* their sum, once it was asked for */
	struct part *part;
	int32_t n_parts, cap_parts;
};

static enum err_code no_memory(struct err *err)
{
	return err_set(err, ERR_NO_MEMORY, "gradients: out of memory");
}

/* Slot of a value, or -1 for one that is none of ours. */
static int32_t slot_of(const struct sweep *sweep, int32_t value)
{
	const struct range *range = &sweep->range;

	if (value == VALUE_NONE)
		return -1;
	if (value >= range->base)
		return value - range->base + range->n_outer < sweep->n_slots
			   ? value - range->base + range->n_outer
			   : -1;
	for (int32_t i = 0; i < range->n_outer; i++)
		if (range->outer[i] == value)
			return i;
	return -1;
}

static enum err_code sweep_init(struct sweep *sweep, struct build *build,
				const struct range *range, unsigned depth,
				struct err *err)
{
	size_t n;

	memset(sweep, 0, sizeof(*sweep));
	sweep->build = build;
	sweep->range = *range;
	sweep->depth = depth;
	sweep->n_slots = build->graph->n_value - range->base + range->n_outer;
	n = (size_t)sweep->n_slots + 1;
	sweep->arena = arena_create(SIZE_MAX / 2);
	if (!sweep->arena)
		return no_memory(err);
	sweep->source = arena_array(sweep->arena, n, sizeof(int32_t));
	sweep->first = arena_array(sweep->arena, n, sizeof(int32_t));
	sweep->last = arena_array(sweep->arena, n, sizeof(int32_t));
	sweep->total = arena_array(sweep->arena, n, sizeof(int32_t));
	sweep->reaches = arena_array(sweep->arena, n, sizeof(bool));
	if (!sweep->source || !sweep->first || !sweep->last || !sweep->total ||
	    !sweep->reaches)
		return no_memory(err);
	for (size_t i = 0; i < n; i++) {
		sweep->source[i] = VALUE_NONE;
		sweep->first[i] = -1;
		sweep->last[i] = -1;
		sweep->total[i] = VALUE_NONE;
	}
	return ERR_NONE;
}

static bool is_differentiable(const struct graph *graph, int32_t value)
{
	const struct type *type = &graph->value[value].type;

	return dtype_is_float(type->elem) && !type->is_sequence &&
	       !type->is_optional;
}

/* Forward: which values depend on a wanted one, and on which. */
static void mark_sources(struct sweep *sweep)
{
	const struct graph *graph = sweep->build->graph;

	for (int32_t i = sweep->range.first; i < sweep->range.end; i++) {
		const struct graph_node *node = &graph->node[i];
		const int32_t *in = graph_in(graph, node);
		const int32_t *out = graph_out(graph, node);
		int32_t source = VALUE_NONE;

		if (!node->op || node->op->flags & OP_NO_GRADIENT)
			continue;
		for (int32_t j = 0; j < node->n_in && source == VALUE_NONE;
		     j++) {
			const int32_t slot = slot_of(sweep, in[j]);

			if (slot >= 0)
				source = sweep->source[slot];
		}
		if (source == VALUE_NONE)
			continue;
		for (int32_t j = 0; j < node->n_out; j++) {
			const int32_t slot = slot_of(sweep, out[j]);

			if (slot >= 0 && sweep->source[slot] == VALUE_NONE &&
			    is_differentiable(graph, out[j]))
				sweep->source[slot] = source;
		}
	}
}

/* The first wanted value that a node's outputs depend on and the loss reaches
 * them, or NONE: the node is on no path. */
static int32_t path_source(const struct sweep *sweep,
			   const struct graph_node *node)
{
	const int32_t *out = graph_out(sweep->build->graph, node);

	if (!node->op || node->op->flags & OP_NO_GRADIENT)
		return VALUE_NONE;
	for (int32_t i = 0; i < node->n_out; i++) {
		const int32_t slot = slot_of(sweep, out[i]);

		if (slot >= 0 && sweep->reaches[slot] &&
		    sweep->source[slot] != VALUE_NONE)
			return sweep->source[slot];
	}
	return VALUE_NONE;
}

static bool has_rule(const struct graph_node *node)
{
	const struct op *op = node->op;

	return (op->grad || op->vjp || op->body) && node->n_body == 0;
}

/* Backward: which values lead to the loss. Nodes on the way without a rule
 * are told together. */
static enum err_code mark_paths(struct sweep *sweep, struct err *err)
{
	const struct graph *graph = sweep->build->graph;
	struct buf refusals;
	enum err_code rc = ERR_NONE;

	buf_init(&refusals, 2 * ERR_MSG_MAX);
	for (int32_t i = sweep->range.end; i-- > sweep->range.first;) {
		const struct graph_node *node = &graph->node[i];
		const int32_t *in = graph_in(graph, node);
		const int32_t source = path_source(sweep, node);

		if (source == VALUE_NONE)
			continue;
		for (int32_t j = 0; j < node->n_in; j++) {
			const int32_t slot = slot_of(sweep, in[j]);

			if (slot >= 0 && sweep->source[slot] != VALUE_NONE)
				sweep->reaches[slot] = true;
		}
		if (!has_rule(node))
			buf_printf(&refusals,
				   "%snode '%s' (%s) has no gradient, which "
				   "'%s' needs",
				   refusals.len ? "; " : "", node->name,
				   node->op->name, graph->value[source].name);
	}
	if (refusals.len)
		rc = err_set(err, ERR_UNSUPPORTED, "%s", refusals.data);
	buf_finish(&refusals);
	return rc;
}

static enum err_code add_part(struct sweep *sweep, int32_t slot, int32_t value,
			      struct err *err)
{
	int32_t cap = sweep->cap_parts > 0 ? 2 * sweep->cap_parts : 256;
	struct part *part = sweep->part;

	if (sweep->n_parts == sweep->cap_parts) {
		part = arena_array(sweep->arena, (size_t)cap, sizeof(*part));
		if (!part)
			return no_memory(err);
		if (sweep->n_parts > 0)
			memcpy(part, sweep->part,
			       (size_t)sweep->n_parts * sizeof(*part));
		sweep->part = part;
		sweep->cap_parts = cap;
	}
	part[sweep->n_parts] = (struct part){ value, -1 };
	if (sweep->first[slot] < 0)
		sweep->first[slot] = sweep->n_parts;
	else
		part[sweep->last[slot]].next = sweep->n_parts;
	sweep->last[slot] = sweep->n_parts++;
	return ERR_NONE;
}

/* The gradient of a slot's value: its one part, or the Sum of all. */
static enum err_code total_of(struct sweep *sweep, int32_t slot, int32_t *ret,
			      struct err *err)
{
	int32_t *list, n = 0;

	*ret = VALUE_NONE;
	if (slot < 0 || sweep->first[slot] < 0)
		return ERR_NONE;
	if (sweep->total[slot] == VALUE_NONE) {
		for (int32_t p = sweep->first[slot]; p >= 0;
		     p = sweep->part[p].next)
			n++;
		list = arena_array(sweep->arena, (size_t)n, sizeof(*list));
		if (!list)
			return no_memory(err);
		n = 0;
		for (int32_t p = sweep->first[slot]; p >= 0;
		     p = sweep->part[p].next)
			list[n++] = sweep->part[p].value;
		sweep->total[slot] = n == 1
					 ? list[0]
					 : build_node(sweep->build, "Sum", NULL,
						      list, (unsigned)n);
	}
	*ret = sweep->total[slot];
	return build_check(sweep->build, err);
}

/* SumTo between equal shapes is its operand. */
static int32_t skip_sum_to(const struct build *build, int32_t value)
{
	const struct graph *graph = build->graph;
	const struct graph_node *node = graph_producer(graph, value);
	const struct fact *from, *to;
	int32_t operand;

	if (!node || strcmp(node->op->name, "SumTo") != 0 ||
	    strcmp(node->op->domain, "predictd") != 0)
		return value;
	operand = graph_in(graph, node)[0];
	from = build_fact(build, operand);
	to = build_fact(build, value);
	return from->has_shape && to->has_shape &&
		       shape_equal(&from->shape, &to->shape)
		   ? operand
		   : value;
}

/* A rule's mistake must not become somebody's wrong numbers. */
static enum err_code check_part(const struct sweep *sweep,
				const struct graph_node *node, int32_t value,
				int32_t part, struct err *err)
{
	const struct fact *want = build_fact(sweep->build, value);
	const struct fact *got = build_fact(sweep->build, part);
	char want_text[64], got_text[64];

	if (want->has_shape && got->has_shape &&
	    want->type.elem == got->type.elem &&
	    shape_equal(&want->shape, &got->shape))
		return ERR_NONE;
	if (!want->has_shape || !got->has_shape)
		return err_set(err, ERR_UNSUPPORTED,
			       "node '%s' (%s): the gradient of '%s' needs "
			       "shapes that only a run can tell",
			       node->name, node->op->name,
			       sweep->build->graph->value[value].name);
	return err_set(err, ERR_INTERNAL,
		       "node '%s' (%s): its rule gives '%s' a gradient of "
		       "%s%s, expected %s%s",
		       node->name, node->op->name,
		       sweep->build->graph->value[value].name,
		       dtype_info(got->type.elem)->name,
		       shape_text(&got->shape, got_text, sizeof(got_text)),
		       dtype_info(want->type.elem)->name,
		       shape_text(&want->shape, want_text, sizeof(want_text)));
}

static enum err_code differentiate_range(struct build *build,
					 const struct range *range,
					 unsigned depth,
					 const struct seed_list *seeds,
					 const int32_t *wrt, size_t n,
					 int32_t *grad, struct err *err);

/* The gradient of an operator's body, whose nodes are appended and computed
 * once more. */
static enum err_code body_rule(struct sweep *sweep, struct vjp *vjp,
			       struct err *err)
{
	struct build *build = sweep->build;
	const struct graph *graph = build->graph;
	const int32_t n_in = vjp->node->n_in, n_out = vjp->node->n_out;
	struct range range = {
		.first = graph->n_node,
		.base = graph->n_value,
		.outer = vjp->in,
		.n_outer = n_in,
	};
	int32_t *out = arena_array(sweep->arena, (size_t)n_out, sizeof(*out));
	int32_t *wrt =
	    arena_array(sweep->arena, (size_t)n_in + 1, sizeof(*wrt));
	const struct seed_list seeds = { out, vjp->grad_out, (size_t)n_out };
	enum err_code rc;

	if (!out || !wrt)
		return no_memory(err);
	if (sweep->depth == AUTODIFF_MAX_DEPTH)
		return err_set(err, ERR_UNSUPPORTED,
			       "node '%s' (%s): bodies nest deeper than %d",
			       vjp->node->name, vjp->node->op->name,
			       AUTODIFF_MAX_DEPTH);
	rc = autodiff_append_body(vjp, out, err);
	range.end = graph->n_node;
	for (int32_t i = 0; i < n_in; i++) {
		wrt[i] = vjp->wanted[i] ? vjp->in[i] : VALUE_NONE;
		/* an operand given twice has one gradient, handed on once */
		for (int32_t j = 0; j < i; j++)
			if (wrt[j] == wrt[i])
				wrt[i] = VALUE_NONE;
	}
	if (!rc)
		rc =
		    differentiate_range(build, &range, sweep->depth + 1, &seeds,
					wrt, (size_t)n_in, vjp->grad_in, err);
	return rc;
}

static enum err_code apply_rule(struct sweep *sweep, struct vjp *vjp,
				struct err *err)
{
	const struct op *op = vjp->node->op;

	if (op->vjp)
		return op->vjp(vjp, err);
	if (op->grad)
		return autodiff_text_rule(vjp, err);
	return body_rule(sweep, vjp, err);
}

/* Hands the gradients of a node's inputs on to their values. */
static enum err_code hand_on(struct sweep *sweep, const struct vjp *vjp,
			     struct err *err)
{
	enum err_code rc = ERR_NONE;

	for (int32_t i = 0; i < vjp->node->n_in && !rc; i++) {
		const int32_t slot = slot_of(sweep, vjp->in[i]);
		int32_t part = vjp->grad_in[i];

		if (!vjp->wanted[i] || part == VALUE_NONE)
			continue;
		part = skip_sum_to(sweep->build, part);
		rc = check_part(sweep, vjp->node, vjp->in[i], part, err);
		if (!rc)
			rc = add_part(sweep, slot, part, err);
	}
	return rc;
}

/* The arrays of one vjp, copied: the graph moves as it grows. */
static enum err_code visit_prepare(struct sweep *sweep,
				   const struct graph_node *node,
				   struct vjp *vjp, bool *ret_any,
				   struct err *err)
{
	const struct graph *graph = sweep->build->graph;
	const size_t n_in = (size_t)node->n_in, n_out = (size_t)node->n_out;
	int32_t *list =
	    arena_array(sweep->arena, 2 * (n_in + n_out) + 1, sizeof(*list));
	bool *wanted = arena_array(sweep->arena, n_in + 1, sizeof(*wanted));
	int32_t *in = list, *out = list + n_in, *grad_out = out + n_out;
	enum err_code rc = ERR_NONE;

	if (!list || !wanted)
		return no_memory(err);
	memcpy(in, graph_in(graph, node), n_in * sizeof(*in));
	memcpy(out, graph_out(graph, node), n_out * sizeof(*out));
	*vjp = (struct vjp){
		.build = sweep->build,
		.node = node,
		.attrs = node->attrs,
		.in = in,
		.out = out,
		.grad_out = grad_out,
		.wanted = wanted,
		.grad_in = grad_out + n_out,
	};
	for (size_t i = 0; i < n_in; i++) {
		const int32_t slot = slot_of(sweep, in[i]);

		wanted[i] = slot >= 0 && sweep->source[slot] != VALUE_NONE;
		vjp->grad_in[i] = VALUE_NONE;
	}
	*ret_any = false;
	for (size_t i = 0; i < n_out && !rc; i++) {
		rc = total_of(sweep, slot_of(sweep, out[i]), &grad_out[i], err);
		*ret_any |= grad_out[i] != VALUE_NONE;
	}
	return rc;
}

static enum err_code visit(struct sweep *sweep, int32_t number, struct err *err)
{
	const struct graph_node node = sweep->build->graph->node[number];
	struct vjp vjp;
	bool any = false;
	enum err_code rc;

	if (path_source(sweep, &node) == VALUE_NONE)
		return ERR_NONE;
	rc = visit_prepare(sweep, &node, &vjp, &any, err);
	if (rc || !any)
		return rc;
	rc = apply_rule(sweep, &vjp, err);
	if (rc)
		return err_prefix(err, "gradient of node '%s' (%s)", node.name,
				  node.op->name);
	return hand_on(sweep, &vjp, err);
}

static enum err_code run_sweep(struct sweep *sweep,
			       const struct seed_list *seeds,
			       const int32_t *wrt, size_t n, int32_t *grad,
			       struct err *err)
{
	enum err_code rc = ERR_NONE;

	for (size_t i = 0; i < n; i++) {
		const int32_t slot = slot_of(sweep, wrt[i]);

		if (slot >= 0)
			sweep->source[slot] = wrt[i];
	}
	mark_sources(sweep);
	for (size_t i = 0; i < seeds->n && !rc; i++) {
		const int32_t slot = slot_of(sweep, seeds->value[i]);

		if (slot < 0 || seeds->grad[i] == VALUE_NONE)
			continue;
		sweep->reaches[slot] = true;
		rc = add_part(sweep, slot, seeds->grad[i], err);
	}
	if (!rc)
		rc = mark_paths(sweep, err);
	for (int32_t i = sweep->range.end; i-- > sweep->range.first && !rc;)
		rc = visit(sweep, i, err);
	for (size_t i = 0; i < n && !rc; i++)
		rc = total_of(sweep, slot_of(sweep, wrt[i]), &grad[i], err);
	return rc;
}

static enum err_code differentiate_range(struct build *build,
					 const struct range *range,
					 unsigned depth,
					 const struct seed_list *seeds,
					 const int32_t *wrt, size_t n,
					 int32_t *grad, struct err *err)
{
	struct sweep sweep;
	enum err_code rc = sweep_init(&sweep, build, range, depth, err);

	if (!rc)
		rc = run_sweep(&sweep, seeds, wrt, n, grad, err);
	arena_destroy(sweep.arena);
	return rc;
}

/* 1, in the loss's own type and shape. */
static enum err_code one(struct build *build, int32_t loss, int32_t *ret,
			 struct err *err)
{
	const struct fact *fact = build_fact(build, loss);
	const double value = 1.0;
	char text[64], bytes[sizeof(double)] = { 0 };
	struct tensor_view view = {
		.data = bytes,
		.dtype = fact->type.elem,
		.shape = fact->shape,
	};

	if (!is_differentiable(build->graph, loss))
		return err_set(err, ERR_INVALID,
			       "loss '%s': expected a float, got %s",
			       build->graph->value[loss].name,
			       dtype_info(fact->type.elem)->name);
	if (!fact->has_shape || shape_count(&fact->shape) != 1)
		return err_set(err, ERR_SHAPE,
			       "loss '%s': expected a scalar, got %s",
			       build->graph->value[loss].name,
			       shape_text(&fact->shape, text, sizeof(text)));
	dtype_convert(DTYPE_F64, &value, fact->type.elem, bytes, 1, true);
	*ret = build_const(build, &view);
	return build_check(build, err);
}

enum err_code autodiff(struct build *build, int32_t loss, int32_t seed,
		       const int32_t *wrt, size_t n, int32_t *grad,
		       struct err *err)
{
	struct range range = { .end = build->graph->n_node };
	const struct seed_list seeds = { &loss, &seed, 1 };
	enum err_code rc = ERR_NONE;

	if (seed == VALUE_NONE)
		rc = one(build, loss, &seed, err);
	return rc ? rc
		  : differentiate_range(build, &range, 0, &seeds, wrt, n, grad,
					err);
}
