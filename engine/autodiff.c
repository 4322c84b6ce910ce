/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/autodiff.h"

#include <string.h>

#include "engine/autodiff_priv.h"

static enum err_code no_memory(struct err *err)
{
	return err_set(err, ERR_NO_MEMORY, "gradients: out of memory");
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

/* NOLINTBEGIN(misc-no-recursion): bodies within bodies, AUTODIFF_MAX_DEPTH */
static enum err_code differentiate_range(struct build *build,
					 const struct range *range,
					 unsigned depth,
					 const struct question *question,
					 struct err *err);

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
	const struct question question = {
		.seeds = { out, vjp->grad_out, (size_t)n_out },
		.wrt = wrt,
		.n = (size_t)n_in,
		.grad = vjp->grad_in,
	};
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
		rc = differentiate_range(build, &range, sweep->depth + 1,
					 &question, err);
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
		const int32_t slot = sweep_slot(sweep, vjp->in[i]);
		int32_t part = vjp->grad_in[i];

		if (!vjp->wanted[i] || part == VALUE_NONE)
			continue;
		part = skip_sum_to(sweep->build, part);
		rc = check_part(sweep, vjp->node, vjp->in[i], part, err);
		if (!rc)
			rc = sweep_add_part(sweep, slot, part, err);
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
	int32_t *in = list, *out, *grad_out;
	enum err_code rc = ERR_NONE;

	if (!list || !wanted)
		return no_memory(err);
	out = list + n_in;
	grad_out = out + n_out;
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
		const int32_t slot = sweep_slot(sweep, in[i]);

		wanted[i] = slot >= 0 && sweep->source[slot] != VALUE_NONE;
		vjp->grad_in[i] = VALUE_NONE;
	}
	*ret_any = false;
	for (size_t i = 0; i < n_out && !rc; i++) {
		rc = sweep_total(sweep, sweep_slot(sweep, out[i]), &grad_out[i],
				 err);
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

	if (sweep_path_source(sweep, &node) == VALUE_NONE)
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
			       const struct question *question, struct err *err)
{
	const struct seed_list *seeds = &question->seeds;
	const int32_t *wrt = question->wrt;
	enum err_code rc = ERR_NONE;

	for (size_t i = 0; i < question->n; i++) {
		const int32_t slot = sweep_slot(sweep, wrt[i]);

		if (slot >= 0)
			sweep->source[slot] = wrt[i];
	}
	sweep_mark_sources(sweep);
	for (size_t i = 0; i < seeds->n && !rc; i++) {
		const int32_t slot = sweep_slot(sweep, seeds->value[i]);

		if (slot < 0 || seeds->grad[i] == VALUE_NONE)
			continue;
		sweep->reaches[slot] = true;
		rc = sweep_add_part(sweep, slot, seeds->grad[i], err);
	}
	if (!rc)
		rc = sweep_mark_paths(sweep, err);
	for (int32_t i = sweep->range.end; i-- > sweep->range.first && !rc;)
		rc = visit(sweep, i, err);
	for (size_t i = 0; i < question->n && !rc; i++)
		rc = sweep_total(sweep, sweep_slot(sweep, wrt[i]),
				 &question->grad[i], err);
	return rc;
}

static enum err_code differentiate_range(struct build *build,
					 const struct range *range,
					 unsigned depth,
					 const struct question *question,
					 struct err *err)
{
	struct sweep sweep;
	enum err_code rc = sweep_init(&sweep, build, range, depth, err);

	if (!rc)
		rc = run_sweep(&sweep, question, err);
	arena_destroy(sweep.arena);
	return rc;
}

/* NOLINTEND(misc-no-recursion) */

/* The first node whose results have no shape before a run, or NULL. */
static const struct graph_node *find_late(const struct build *build)
{
	const struct graph *graph = build->graph;

	for (int32_t i = 0; build->facts && i < graph->n_node; i++) {
		const struct graph_node *node = &graph->node[i];

		for (int32_t j = 0; node->op && j < node->n_out; j++) {
			const int32_t value = graph_out(graph, node)[j];

			if (value != VALUE_NONE &&
			    !build_fact(build, value)->has_shape)
				return node;
		}
	}
	return NULL;
}

/* 1, in the loss's own type and shape. */
static enum err_code one(struct build *build, int32_t loss, int32_t *ret,
			 struct err *err)
{
	const struct fact *fact = build_fact(build, loss);
	const double value = 1.0;
	const struct graph_node *late;
	char text[64], bytes[sizeof(double)] = { 0 };
	struct tensor_view view = {
		.data = bytes,
		.dtype = fact->type.elem,
		.shape = fact->shape,
	};

	if (!sweep_is_float(build->graph, loss))
		return err_set(err, ERR_INVALID,
			       "loss '%s': expected a float, got %s",
			       build->graph->value[loss].name,
			       dtype_info(fact->type.elem)->name);
	late = fact->has_shape ? NULL : find_late(build);
	if (late)
		return err_set(err, ERR_UNSUPPORTED,
			       "loss '%s': only a run can tell its shape, "
			       "because of node '%s' (%s), which cannot be "
			       "trained through",
			       build->graph->value[loss].name, late->name,
			       late->op->name);
	if (!fact->has_shape || shape_count(&fact->shape) != 1)
		return err_set(err, ERR_SHAPE,
			       "loss '%s': expected a scalar, got %s",
			       build->graph->value[loss].name,
			       shape_text(&fact->shape, text, sizeof(text)));
	dtype_convert(DTYPE_F64, &value, fact->type.elem, bytes, 1, true);
	*ret = build_const(build, &view);
	return build_check(build, err);
}

/* NOLINTBEGIN(readability-function-size,readability-non-const-parameter) */
enum err_code autodiff(struct build *build, int32_t loss, int32_t seed,
		       const int32_t *wrt, size_t n, int32_t *grad,
		       struct err *err)
{
	struct range range = { .end = build->graph->n_node };
	const struct question question = {
		.seeds = { &loss, &seed, 1 },
		.wrt = wrt,
		.n = n,
		.grad = grad,
	};
	enum err_code rc = ERR_NONE;

	if (seed == VALUE_NONE)
		rc = one(build, loss, &seed, err);
	return rc ? rc : differentiate_range(build, &range, 0, &question, err);
}
/* NOLINTEND(readability-function-size,readability-non-const-parameter) */
