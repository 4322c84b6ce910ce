/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/passes/rewrite.h"

#include <math.h>
#include <string.h>

#include "engine/attr.h"
#include "engine/graph_text.h"

#define TOLERANCE 1e-6

/* A row, read. */
struct pattern {
	const struct rewrite *row;
	struct graph *graph;
	int32_t reader[REWRITE_VALUES_MAX];
	unsigned n_commuting;
};

/* One try: bit i says whether commuting node i, counted from the pattern's
 * first node, is read the other way round. */
struct trial {
	struct rewrite_match match;
	const struct pattern *pattern;
	unsigned swapped;
	unsigned n_ahead; /* commuting nodes that were not looked at yet */
};

int32_t rewrite_value(const struct rewrite_match *match, const char *name)
{
	const int32_t value = graph_find_value(match->pattern, name);

	return value == VALUE_NONE ? VALUE_NONE : match->value[value];
}

/* --- one value --- */

static double element(const struct tensor_view *view, int64_t i)
{
	double x = 0;

	dtype_convert(view->dtype,
		      (const char *)view->data +
			  (size_t)i * dtype_info(view->dtype)->size,
		      DTYPE_F64, &x, 1, false);
	return x;
}

static bool same_constant(const struct tensor_view *want,
			  const struct tensor_view *got)
{
	const int64_t n = shape_count(&want->shape);

	if (!got || dtype_info(got->dtype)->arith == DTYPE_NONE ||
	    dtype_is_float(want->dtype) != dtype_is_float(got->dtype) ||
	    shape_count(&got->shape) != n)
		return false;
	for (int64_t i = 0; i < n; i++) {
		const double x = element(want, i);

		if (!(fabs(x - element(got, i)) <= TOLERANCE * fabs(x)))
			return false;
	}
	return true;
}

static bool bind(struct trial *trial, int32_t want, int32_t got)
{
	const struct graph *pattern = trial->pattern->graph;
	struct edit *edit = trial->match.edit;
	int32_t *bound;

	if (want == VALUE_NONE || got == VALUE_NONE)
		return want == got;
	bound = &trial->match.value[want];
	if (*bound != VALUE_NONE)
		return *bound == got;
	*bound = got;
	switch (pattern->value[want].origin) {
	case ORIGIN_CONST:
		return same_constant(
		    &pattern->constant[pattern->value[want].source],
		    edit_constant(edit, got));
	case ORIGIN_NODE:
		return got < edit->n_value &&
		       edit->reader[got] == trial->pattern->reader[want];
	default:
		return true;
	}
}

/* --- one node --- */

/* A constant of the pattern is a number: what stands for it here may have
 * axes, as long as another operand has as many. */
static bool keeps_ranks(const struct trial *trial,
			const struct graph_node *want,
			const struct graph_node *got)
{
	const struct graph *pattern = trial->pattern->graph;
	const struct edit *edit = trial->match.edit;
	int most = 0, own = 0;

	if (got->op->infer != infer_broadcast)
		return true;
	for (int32_t i = 0; i < want->n_in; i++) {
		const int32_t value = graph_in(pattern, want)[i];
		const int32_t seen = trial->match.value[value];
		const int rank = edit_rank(edit, seen).least;

		if (pattern->value[value].origin == ORIGIN_CONST)
			own = rank > own ? rank : own;
		else
			most = rank > most ? rank : most;
	}
	return own <= most;
}

/* Max and Min take any number of operands, so that the flag is not theirs. */
static bool commutes(const struct graph_node *node)
{
	return node->n_in == 2 &&
	       ((node->op->flags & OP_COMMUTES) || edit_is(node, "Max") ||
		edit_is(node, "Min"));
}

static bool bind_inputs(struct trial *trial, const struct graph_node *want,
			const struct graph_node *got, bool is_swapped)
{
	const struct edit *edit = trial->match.edit;
	const int32_t n = want->n_in > got->n_in ? want->n_in : got->n_in;

	for (int32_t i = 0; i < n; i++) {
		const int32_t from =
		    i < want->n_in ? graph_in(trial->pattern->graph, want)[i]
				   : VALUE_NONE;
		const int32_t to = edit_in(edit, got, is_swapped ? 1 - i : i);

		if (!bind(trial, from, to))
			return false;
	}
	return keeps_ranks(trial, want, got);
}

static bool match_node(struct trial *trial, const struct graph_node *want,
		       const struct graph_node *got)
{
	const bool both_ways = commutes(want);

	if (!got || got->op != want->op || got->n_body ||
	    !edit_is_single(trial->match.edit, got) ||
	    !op_attrs_near(got->op, want->attrs, got->attrs, TOLERANCE))
		return false;
	if (both_ways)
		trial->n_ahead--;
	return bind_inputs(trial, want, got,
			   both_ways && trial->swapped >> trial->n_ahead & 1);
}

/* From the last node of the pattern to its first: readers come before what
 * they read. */
static bool match_nodes(struct trial *trial, const struct graph_node *root)
{
	const struct graph *pattern = trial->pattern->graph;
	const struct edit *edit = trial->match.edit;

	for (int32_t i = pattern->n_node - 1; i >= 0; i--) {
		const struct graph_node *want = &pattern->node[i];
		const int32_t value =
		    trial->match.value[graph_out(pattern, want)[0]];
		const struct graph_node *got = i == pattern->n_node - 1
						   ? root
						   : edit_producer(edit, value);

		if (!match_node(trial, want, got))
			return false;
	}
	return true;
}

static bool match(struct trial *trial, const struct graph_node *root)
{
	const struct pattern *pattern = trial->pattern;
	const unsigned n_ways = 1u << pattern->n_commuting;

	for (trial->swapped = 0; trial->swapped < n_ways;) {
		for (int i = 0; i < REWRITE_VALUES_MAX; i++)
			trial->match.value[i] = VALUE_NONE;
		trial->n_ahead = pattern->n_commuting;
		if (match_nodes(trial, root) &&
		    (!pattern->row->guard ||
		     pattern->row->guard(&trial->match)))
			return true;
		/* the ways of those that were not looked at do not matter */
		trial->swapped =
		    (trial->swapped | ((1u << trial->n_ahead) - 1)) + 1;
	}
	return false;
}

/* --- what it becomes --- */

static int32_t make(struct trial *trial)
{
	const struct graph *pattern = trial->pattern->graph;
	struct build_name bound[REWRITE_VALUES_MAX];
	struct build_name want = { "y", VALUE_NONE };
	size_t n = 0;

	if (!trial->pattern->row->make)
		return trial->pattern->row->build(&trial->match);
	for (int32_t i = 0; i < pattern->n_input; i++) {
		const int32_t value = pattern->input[i];

		bound[n].name = pattern->value[value].name;
		bound[n++].value = trial->match.value[value];
	}
	build_text(&trial->match.edit->build, trial->pattern->row->make, bound,
		   n, NULL, &want, 1);
	return want.value;
}

static void visit(struct edit *edit, const struct graph_node *node,
		  const struct pattern *patterns)
{
	for (; patterns->row; patterns++) {
		const struct graph *pattern = patterns->graph;
		struct trial trial = { .pattern = patterns };
		int32_t value;

		if (node->op != pattern->node[pattern->n_node - 1].op)
			continue;
		trial.match.edit = edit;
		trial.match.pattern = pattern;
		if (!match(&trial, node))
			continue;
		value = make(&trial);
		edit_forward(edit, graph_out(edit->graph, node)[0], value);
		if (value != VALUE_NONE)
			return;
	}
}

/* --- the table --- */

static enum err_code pattern_read(struct pattern *pattern,
				  const struct rewrite *row, struct err *err)
{
	const struct graph *graph;
	enum err_code rc =
	    graph_text_parse(row->match, &pattern->graph, NULL, err);

	if (rc)
		return rc;
	graph = pattern->graph;
	if (!graph->n_node || graph->n_node > REWRITE_NODES_MAX ||
	    graph->n_value > REWRITE_VALUES_MAX)
		return err_set(err, ERR_INTERNAL, "a pattern of %d nodes: %s",
			       (int)graph->n_node, row->match);
	pattern->row = row;
	graph_count_readers(graph, pattern->reader);
	for (int32_t i = 0; i < graph->n_node; i++)
		pattern->n_commuting += commutes(&graph->node[i]);
	return ERR_NONE;
}

static void patterns_finish(struct pattern *patterns, size_t n)
{
	for (size_t i = 0; i < n; i++)
		graph_destroy(patterns[i].graph);
}

enum err_code rewrite_all(const struct pass_context *context,
			  const struct rewrite *rows, bool *ret_changed,
			  struct err *err)
{
	struct pattern *patterns;
	struct edit edit;
	size_t n = 0;
	enum err_code rc = edit_init(&edit, context, err);

	if (rc)
		return rc;
	while (rows[n].match)
		n++;
	patterns = arena_array(context->arena, n + 1, sizeof(*patterns));
	if (!patterns)
		return err_set(err, ERR_NO_MEMORY, "out of memory");
	for (size_t i = 0; i < n && !rc; i++)
		rc = pattern_read(&patterns[i], &rows[i], err);
	for (int32_t i = 0; i < edit.n_node && !rc; i++) {
		const struct graph_node node = edit.graph->node[i];

		if (node.op)
			visit(&edit, &node, patterns);
	}
	patterns_finish(patterns, n);
	return rc ? rc : edit_finish(&edit, ret_changed, err);
}
