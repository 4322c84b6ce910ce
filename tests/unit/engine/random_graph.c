/* SPDX-License-Identifier: Apache-2.0 */
#include "random_graph.h"

#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "base/str.h"
#include "engine/autodiff.h"
#include "engine/graph_text.h"
#include "op_case.h"

enum {
	MAX_OPERANDS = 12,
	MAX_ELEMENTS = 20000,
	MAX_STENCILS = 4096,
	MAX_WRT = 64,
	MAX_VALUES = 1024,
	TRIES = 4,
};

struct operand {
	struct fact fact; /* elem NONE: absent; value: a constant */
};

struct stencil {
	const struct op *op;
	const void *attrs;
	struct operand in[MAX_OPERANDS];
	struct type out[MAX_OPERANDS];
	unsigned n_in, n_out;
};

/* The graphs stay: attributes and constants lie in them. */
struct stencils {
	struct case_graph *graph;
	struct stencil *stencil;
	size_t n_graphs, n;
};

/* Stencils: */

static bool fits(const struct graph_node *node, const struct facts *facts,
		 const struct graph *graph)
{
	const int32_t *in = graph_in(graph, node);
	const int32_t *out = graph_out(graph, node);

	if (node->n_in > MAX_OPERANDS || node->n_out > MAX_OPERANDS ||
	    node->op->flags & OP_DYNAMIC)
		return false;
	for (int32_t i = 0; i < node->n_in; i++)
		if (in[i] != VALUE_NONE &&
		    (!facts->fact[in[i]].has_shape ||
		     shape_count(&facts->fact[in[i]].shape) > MAX_ELEMENTS))
			return false;
	for (int32_t i = 0; i < node->n_out; i++)
		if (out[i] == VALUE_NONE || !facts->fact[out[i]].has_shape ||
		    shape_count(&facts->fact[out[i]].shape) > MAX_ELEMENTS)
			return false;
	return true;
}

static void add_stencil(struct stencils *stencils,
			const struct case_graph *graph,
			const struct graph_node *node)
{
	struct stencil *stencil = &stencils->stencil[stencils->n];
	const struct graph *g = graph->graph;

	if (stencils->n == MAX_STENCILS || !fits(node, graph->facts, g))
		return;
	memset(stencil, 0, sizeof(*stencil));
	stencil->op = node->op;
	stencil->attrs = node->attrs;
	stencil->n_in = (unsigned)node->n_in;
	stencil->n_out = (unsigned)node->n_out;
	for (unsigned i = 0; i < stencil->n_in; i++)
		if (graph_in(g, node)[i] != VALUE_NONE)
			stencil->in[i].fact =
			    graph->facts->fact[graph_in(g, node)[i]];
	for (unsigned i = 0; i < stencil->n_out; i++)
		stencil->out[i] = g->value[graph_out(g, node)[i]].type;
	stencils->n++;
}

/* A copy of the node's graph with the gradients of all its results. */
static bool has_gradients(const struct case_graph *graph,
			  const struct graph_node *node, const int32_t *wrt,
			  size_t n)
{
	struct graph *copy = NULL;
	struct facts *facts = NULL;
	int32_t grad[MAX_OPERANDS];
	struct build build;
	struct err err;
	bool has = !graph_clone(graph->graph, &copy, &err) &&
		   !facts_create(copy, graph->input, &facts, &err);

	for (int32_t i = 0; has && i < node->n_out; i++) {
		const int32_t out = graph_out(graph->graph, node)[i];
		int32_t loss;

		if (copy->value[out].type.elem != DTYPE_F64)
			continue;
		build_init(&build, copy, facts);
		loss = build_2(&build, "SumTo", out,
			       build_scalar(&build, DTYPE_F64, 0));
		has = !build.code &&
		      !autodiff(&build, loss, VALUE_NONE, wrt, n, grad, &err);
	}
	facts_destroy(facts);
	graph_destroy(copy);
	return has;
}

/* Doubles go in and out, and all have gradients. */
static bool is_smooth(const struct case_graph *graph,
		      const struct graph_node *node)
{
	const struct graph *g = graph->graph;
	int32_t wrt[MAX_OPERANDS];
	size_t n = 0;
	bool gives = false;

	if (node->op->flags & (OP_NO_GRADIENT | OP_IMPURE) ||
	    node->n_in > MAX_OPERANDS || node->n_out > MAX_OPERANDS ||
	    strstr(node->op->name, "Cast") ||
	    !strcmp(node->op->name, "StopGradient") ||
	    /* two updates of one place have no gradient by rights */
	    str_starts_with(node->op->name, "Scatter"))
		return false;
	for (int32_t i = 0; i < node->n_in; i++) {
		const int32_t value = graph_in(g, node)[i];

		if (value == VALUE_NONE)
			continue;
		if (g->value[value].type.elem == DTYPE_F32)
			return false;
		if (g->value[value].type.elem == DTYPE_F64)
			wrt[n++] = value;
	}
	for (int32_t i = 0; i < node->n_out; i++)
		gives = gives ||
			g->value[graph_out(g, node)[i]].type.elem == DTYPE_F64;
	return gives && n && has_gradients(graph, node, wrt, n);
}

static void add_case(struct stencils *stencils, const struct op *op,
		     const struct op_case *row, bool smooth)
{
	struct case_graph *graph = &stencils->graph[stencils->n_graphs];
	char *text = NULL;
	struct err err;

	if (row->want != ERR_NONE || stencils->n_graphs == MAX_STENCILS)
		return;
	if (smooth)
		text = case_text_in_double(row->graph);
	if (!case_graph_create(text ? text : row->graph, row->kink, graph,
			       &err)) {
		stencils->n_graphs++;
		for (int32_t i = 0; i < graph->graph->n_node; i++)
			if (graph->graph->node[i].op == op &&
			    (!smooth ||
			     is_smooth(graph, &graph->graph->node[i])))
				add_stencil(stencils, graph,
					    &graph->graph->node[i]);
	}
	mem_free(text);
}

static struct stencils *create(bool smooth)
{
	struct stencils *stencils = mem_zero(sizeof(*stencils));
	const struct op *op;

	stencils->graph = mem_array(MAX_STENCILS, sizeof(*stencils->graph));
	stencils->stencil = mem_array(MAX_STENCILS, sizeof(struct stencil));
	for (size_t i = 0; (op = op_at(i)); i++)
		for (const struct op_case *row = op->cases; row->name; row++)
			add_case(stencils, op, row, smooth);
	return stencils;
}

struct stencils *stencils_create(void)
{
	return create(false);
}

struct stencils *stencils_create_smooth(void)
{
	return create(true);
}

void stencils_destroy(struct stencils *stencils)
{
	for (size_t i = 0; i < stencils->n_graphs; i++)
		case_graph_finish(&stencils->graph[i]);
	mem_free(stencils->graph);
	mem_free(stencils->stencil);
	mem_free(stencils);
}

size_t stencils_count(const struct stencils *stencils)
{
	return stencils->n;
}

/* Graphs: */

struct maker {
	struct build build;
	struct rng rng;
	uint64_t n_drawn;
	bool has_narrow;
	bool rough[MAX_VALUES]; /* by value */
};

static uint64_t below(struct maker *maker, uint64_t bound)
{
	return rng_below(maker->rng, maker->n_drawn++, bound);
}

/* A value of that type and, when asked, that shape; the later the likelier. */
static int32_t find_value(struct maker *maker, const struct fact *like,
			  bool same_shape)
{
	const struct graph *graph = maker->build.graph;
	int32_t found = VALUE_NONE;

	for (int32_t i = 0; i < graph->n_value; i++) {
		const struct fact *fact = build_fact(&maker->build, i);

		if (fact->type.elem != like->type.elem || !fact->has_shape ||
		    (same_shape && !shape_equal(&fact->shape, &like->shape)))
			continue;
		if (found == VALUE_NONE || below(maker, 2) == 0)
			found = i;
	}
	return found;
}

static int32_t add_input(struct maker *maker, const struct fact *like)
{
	struct build *b = &maker->build;
	struct fact fact = *like;
	int32_t value = VALUE_NONE;

	fact.value = NULL;
	if (!b->code)
		b->code = graph_add_input(b->graph, NULL, like->type, &value,
					  &b->err);
	if (!b->code)
		b->code = facts_set(b->facts, value, &fact, &b->err);
	return value;
}

/* A constant or a variable with drawn numbers. */
static int32_t add_held(struct maker *maker, const struct fact *like,
			bool is_variable)
{
	struct build *b = &maker->build;
	struct tensor_view view = { .dtype = like->type.elem,
				    .shape = like->shape };
	struct fact fact = *like;
	int32_t value = VALUE_NONE;

	view.data = arena_aligned(b->graph->arena,
				  tensor_bytes(view.dtype, &view.shape) + 1);
	case_draw(view.dtype, view.data, shape_count(&view.shape), 0.2,
		  (uint32_t)b->graph->n_value);
	if (!is_variable)
		return build_const(b, &view);
	fact.value = NULL;
	if (!b->code)
		b->code = graph_add_variable(b->graph, NULL, ROLE_PARAM, &view,
					     &value, &b->err);
	if (!b->code)
		b->code = facts_set(b->facts, value, &fact, &b->err);
	return value;
}

static int32_t fresh(struct maker *maker, const struct fact *like)
{
	const uint64_t kind = below(maker, 4);

	/* there is no variable of texts */
	if (kind > 1 || (kind == 1 && like->type.elem == DTYPE_STRING))
		return add_input(maker, like);
	return add_held(maker, like, kind == 1);
}

/* VALUE_NONE where a new value is to be made. */
static int32_t choose(struct maker *maker, const struct operand *operand,
		      bool any_shape)
{
	if (operand->fact.value || below(maker, 8) == 0)
		return VALUE_NONE;
	return find_value(maker, &operand->fact, !any_shape);
}

/* Would infer() take these operands? */
static bool is_accepted(struct maker *maker, const struct stencil *stencil,
			const int32_t *in)
{
	struct fact fact[MAX_OPERANDS] = { 0 }, out[MAX_OPERANDS] = { 0 };
	struct infer infer = {
		.attrs = stencil->attrs,
		.node_name = "n",
		.n_in = stencil->n_in,
		.n_out = stencil->n_out,
		.in = fact,
		.out = out,
	};
	struct err err;

	for (unsigned i = 0; i < stencil->n_in; i++)
		fact[i] = in[i] == VALUE_NONE
			      ? stencil->in[i].fact
			      : *build_fact(&maker->build, in[i]);
	for (unsigned i = 0; i < stencil->n_out; i++)
		out[i].type = stencil->out[i];
	if (stencil->op->infer(&infer, &err) != ERR_NONE)
		return false;
	for (unsigned i = 0; i < stencil->n_out; i++)
		if (!out[i].has_shape ||
		    shape_check(&out[i].shape, "out", &err) != ERR_NONE ||
		    shape_count(&out[i].shape) > MAX_ELEMENTS)
			return false;
	return true;
}

static void choose_all(struct maker *maker, const struct stencil *stencil,
		       int32_t *in)
{
	for (int try = 0; try < TRIES; try++) {
		for (unsigned i = 0; i < stencil->n_in; i++)
			in[i] = stencil->in[i].fact.type.elem == DTYPE_NONE
				    ? VALUE_NONE
				    : choose(maker, &stencil->in[i],
					     try + 1 < TRIES);
		if (is_accepted(maker, stencil, in))
			return;
	}
	for (unsigned i = 0; i < stencil->n_in; i++)
		in[i] = VALUE_NONE;
}

/* Rows through which a last bit may become a large difference. */
static bool is_rough(const struct op *op)
{
	static const char *const names[] = {
		"Cast",	   "CastLike", "Clip", "Div",  "Exp",	  "Log",
		"MaxPool", "Max",      "Min",  "Mod",  "Pow",	  "Reciprocal",
		"Sqrt",	   "Where",    "Abs",  "Adam", "RMSprop", "LSTMWeights",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(op->name, names[i]) == 0)
			return true;
	return op->flags & OP_NO_GRADIENT || strstr(op->name, "Norm") ||
	       strstr(op->name, "Grad") || strstr(op->name, "Log") ||
	       strstr(op->name, "Max") || strstr(op->name, "Min") ||
	       strstr(op->name, "Relu");
}

static void mark_rough(struct maker *maker, const struct stencil *stencil,
		       const int32_t *in, const int32_t *out)
{
	bool rough = is_rough(stencil->op);

	for (unsigned i = 0; i < stencil->n_in; i++)
		rough |=
		    in[i] >= 0 && in[i] < MAX_VALUES && maker->rough[in[i]];
	for (unsigned i = 0; i < stencil->n_out; i++)
		if (out[i] >= 0 && out[i] < MAX_VALUES)
			maker->rough[out[i]] = rough;
}

static void add_node(struct maker *maker, const struct stencils *stencils)
{
	const struct stencil *stencil =
	    &stencils->stencil[below(maker, stencils->n)];
	int32_t in[MAX_OPERANDS], out[MAX_OPERANDS];

	choose_all(maker, stencil, in);
	for (unsigned i = 0; i < stencil->n_in; i++) {
		const struct fact *fact = &stencil->in[i].fact;
		const struct tensor_view view = {
			.data = (void *)(uintptr_t)fact->value,
			.dtype = fact->type.elem,
			.shape = fact->shape,
		};

		if (fact->type.elem == DTYPE_NONE)
			continue;
		if (dtype_info(fact->type.elem)->arith != fact->type.elem)
			maker->has_narrow = true;
		if (in[i] == VALUE_NONE)
			in[i] = fact->value ? build_const(&maker->build, &view)
					    : fresh(maker, fact);
	}
	build_row(&maker->build, stencil->op, stencil->attrs, in, stencil->n_in,
		  out, stencil->n_out);
	if (!maker->build.code)
		mark_rough(maker, stencil, in, out);
	for (unsigned i = 0; i < stencil->n_out; i++)
		if (!maker->build.code &&
		    dtype_info(stencil->out[i].elem)->arith !=
			stencil->out[i].elem)
			maker->has_narrow = true;
}

/* Every value that nobody reads, and one in five of the others. */
static void add_outputs(struct maker *maker)
{
	struct build *b = &maker->build;
	struct graph *graph = b->graph;
	int32_t *readers =
	    mem_array((size_t)graph->n_value + 1, sizeof(*readers));

	graph_count_readers(graph, readers);
	for (int32_t i = 0; i < graph->n_value && !b->code; i++)
		if (graph->value[i].origin == ORIGIN_NODE &&
		    (readers[i] == 0 || below(maker, 5) == 0))
			b->code = graph_add_output(graph, i, &b->err);
	mem_free(readers);
}

static bool is_float(const struct graph *graph, int32_t value)
{
	return graph->value[value].type.elem == DTYPE_F32;
}

static void replace_outputs(struct build *b, const int32_t *grad, size_t n)
{
	b->graph->n_output = 0;
	for (size_t i = 0; i < n && !b->code; i++)
		if (grad[i] != VALUE_NONE)
			b->code = graph_add_output(b->graph, grad[i], &b->err);
	if (!b->code)
		b->code = graph_tidy(b->graph, &b->err);
}

/* False where a rule is missing or nothing is to be differentiated. */
static bool add_gradients(struct maker *maker)
{
	struct build *b = &maker->build;
	struct graph *graph = b->graph;
	int32_t part[MAX_WRT], wrt[MAX_WRT], grad[MAX_WRT];
	unsigned n = 0;
	size_t n_wrt = 0;

	for (int32_t i = 0; i < graph->n_output && n < MAX_WRT; i++)
		if (is_float(graph, graph->output[i]))
			part[n++] = build_2(b, "SumTo", graph->output[i],
					    build_scalar(b, DTYPE_F32, 0));
	for (int32_t i = 0; i < graph->n_value && n_wrt < MAX_WRT; i++)
		if (is_float(graph, i) &&
		    (graph->value[i].origin == ORIGIN_INPUT ||
		     graph->value[i].origin == ORIGIN_VARIABLE))
			wrt[n_wrt++] = i;
	if (n == 0 || n_wrt == 0)
		return false;
	part[0] = build_node(b, "Sum", NULL, part, n);
	if (b->code || autodiff(b, part[0], VALUE_NONE, wrt, n_wrt, grad,
				&b->err) != ERR_NONE)
		return false;
	replace_outputs(b, grad, n_wrt);
	for (int32_t i = 0; i < MAX_VALUES; i++)
		maker->rough[i] = true;
	return graph->n_output > 0;
}

static void draw_inputs(struct random_graph *graph, uint64_t seed)
{
	struct graph *g = graph->graph;
	const size_t n = (size_t)g->n_input + 1;

	graph->input = arena_array(g->arena, n, sizeof(*graph->input));
	graph->data = arena_array(g->arena, n, sizeof(*graph->data));
	for (int32_t i = 0; i < g->n_input; i++) {
		struct tensor_view *view = &graph->data[i];

		graph->input[i] = graph->facts->fact[g->input[i]];
		view->dtype = graph->input[i].type.elem;
		view->shape = graph->input[i].shape;
		view->data = arena_aligned(
		    g->arena, tensor_bytes(view->dtype, &view->shape) + 1);
		case_draw(view->dtype, view->data, shape_count(&view->shape),
			  0.1, (uint32_t)(seed * 100) + (uint32_t)i);
	}
}

bool random_graph_create(const struct stencils *stencils, uint64_t seed,
			 unsigned n_nodes, bool with_gradients,
			 struct random_graph *ret)
{
	struct maker maker = { .rng = { .seed = seed } };
	struct err err;
	bool good;

	memset(ret, 0, sizeof(*ret));
	if (graph_create((size_t)1 << 32, &ret->graph, &err) ||
	    facts_create_empty(&ret->facts, &err)) {
		random_graph_finish(ret);
		return false;
	}
	build_init(&maker.build, ret->graph, ret->facts);
	for (unsigned i = 0; i < n_nodes; i++)
		add_node(&maker, stencils);
	add_outputs(&maker);
	good = !maker.build.code;
	if (good && with_gradients)
		good = add_gradients(&maker);
	if (!good || maker.build.code || ret->graph->n_value > MAX_VALUES) {
		random_graph_finish(ret);
		return false;
	}
	ret->has_narrow = maker.has_narrow;
	ret->rough =
	    arena_copy(ret->graph->arena, maker.rough, sizeof(maker.rough));
	draw_inputs(ret, seed);
	return true;
}

void random_graph_finish(struct random_graph *graph)
{
	facts_destroy(graph->facts);
	graph_destroy(graph->graph);
	memset(graph, 0, sizeof(*graph));
}
