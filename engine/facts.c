/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/facts.h"

#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "engine/flush.h"
#include "engine/node_call.h"
#include "engine/port.h"

/* A constant is folded into a larger one no further than this: as much as
 * floats take more room than bytes, but for GROWN: the weights of small
 * networks that a ConstantOfShape or an Expand makes. BIG: bytes of values
 * that are given up early. */
enum {
	FOLD_GROWTH = 4,
	FOLD_ALWAYS = 64 << 20,
	FOLD_GROWN = 16 << 20,
	BIG = 1 << 16,
	FACTS_FIRST_CAP = 64
};

/* A known value in a block of its own. */
struct facts_big {
	struct facts_big *next;
	int32_t value; /* VALUE_NONE: given up */
	void *data;
	size_t bytes;
};

/* Element types */

struct typing {
	struct graph *graph;
	struct type *in, *out; /* of one node */
	int32_t cap;
	struct buf refusals;
	unsigned n_refusals;
	enum err_code code; /* the first one's */
};

static enum err_code typing_room(struct typing *typing, struct arena *arena,
				 struct err *err)
{
	const struct graph *graph = typing->graph;
	int32_t most = 1;

	for (int32_t i = 0; i < graph->n_node; i++) {
		if (graph->node[i].n_in > most)
			most = graph->node[i].n_in;
		if (graph->node[i].n_out > most)
			most = graph->node[i].n_out;
	}
	typing->in = arena_array(arena, (size_t)most, sizeof(struct type));
	typing->out = arena_array(arena, (size_t)most, sizeof(struct type));
	if (!typing->in || !typing->out)
		return err_set(err, ERR_NO_MEMORY, "types: out of memory");
	return ERR_NONE;
}

static void type_sources(struct graph *graph)
{
	for (int32_t i = 0; i < graph->n_value; i++) {
		struct graph_value *value = &graph->value[i];

		if (value->origin == ORIGIN_CONST)
			value->type.elem = graph->constant[value->source].dtype;
		else if (value->origin == ORIGIN_VARIABLE)
			value->type.elem =
			    graph->variable[value->source].view.dtype;
		else if (value->origin == ORIGIN_NODE)
			value->type = (struct type){ .elem = DTYPE_NONE };
	}
}

static void refuse(struct typing *typing, const struct err *why)
{
	if (typing->n_refusals++ == 0)
		typing->code = why->code;
	else
		buf_puts(&typing->refusals, "; ");
	buf_puts(&typing->refusals, why->msg);
}

static void type_node(struct typing *typing, const struct graph_node *node)
{
	struct graph *graph = typing->graph;
	const int32_t *in = graph_in(graph, node);
	const int32_t *out = graph_out(graph, node);
	struct err why;

	for (int32_t i = 0; i < node->n_in; i++) {
		typing->in[i] = (struct type){ .elem = DTYPE_NONE };
		if (in[i] == VALUE_NONE)
			continue;
		typing->in[i] = graph->value[in[i]].type;
		/* it follows a refusal, which has been told */
		if (typing->in[i].elem == DTYPE_NONE)
			return;
	}
	if (port_unify(node->op, node, typing->in, (unsigned)node->n_in,
		       typing->out, (unsigned)node->n_out, node->name,
		       &why) != ERR_NONE) {
		refuse(typing, &why);
		return;
	}
	for (int32_t i = 0; i < node->n_out; i++)
		if (out[i] != VALUE_NONE)
			graph->value[out[i]].type = typing->out[i];
}

enum err_code facts_type_graph(struct graph *graph, struct err *err)
{
	struct typing typing = { .graph = graph };
	struct arena *arena = arena_create(SIZE_MAX / 2);
	enum err_code rc;

	if (!arena)
		return err_set(err, ERR_NO_MEMORY, "types: out of memory");
	buf_init(&typing.refusals, (size_t)2 * ERR_MSG_MAX);
	rc = typing_room(&typing, arena, err);
	if (rc)
		goto out;
	type_sources(graph);
	for (int32_t i = 0; i < graph->n_node; i++)
		if (graph->node[i].op)
			type_node(&typing, &graph->node[i]);
	if (typing.n_refusals > 0)
		rc = err_set(err, typing.code, "%s", typing.refusals.data);
out:
	buf_finish(&typing.refusals);
	arena_destroy(arena);
	return rc;
}

/* Shapes and values */

enum err_code facts_create_empty(struct facts **ret_facts, struct err *err)
{
	struct arena *arena = arena_create(SIZE_MAX / 2);
	struct facts *facts = NULL;

	if (arena)
		facts = arena_alloc(arena, sizeof(*facts));
	if (!facts) {
		arena_destroy(arena);
		return err_set(err, ERR_NO_MEMORY, "facts: out of memory");
	}
	facts->arena = arena;
	*ret_facts = facts;
	return ERR_NONE;
}

void facts_destroy(struct facts *facts)
{
	if (!facts)
		return;
	for (struct facts_big *big = facts->big; big; big = big->next)
		mem_free(big->data);
	arena_destroy(facts->arena);
}

/* Room for a value's elements. */
static void *value_room(struct facts *facts, int32_t value, size_t bytes)
{
	struct facts_big *big;

	if (bytes < BIG || value == VALUE_NONE)
		return arena_aligned(facts->arena, bytes + 1);
	big = arena_alloc(facts->arena, sizeof(*big));
	if (!big)
		return NULL;
	big->data = mem_aligned(bytes);
	if (!big->data)
		return NULL;
	big->value = value;
	big->bytes = bytes;
	big->next = facts->big;
	facts->big = big;
	facts->big_bytes += bytes;
	return big->data;
}

/* A value that nobody will ask for again, or that is none after all. */
static void give_up(struct facts *facts, int32_t value)
{
	struct facts_big *big = facts->big;

	while (big && big->value != value)
		big = big->next;
	if (!big)
		return;
	facts->fact[value].value = NULL;
	facts->big_bytes -= big->bytes;
	mem_free(big->data);
	big->data = NULL;
	big->value = VALUE_NONE;
}

/* Facts of values 0 to n - 1; new ones are empty. */
static enum err_code grow(struct facts *facts, int32_t n, struct err *err)
{
	int32_t cap = facts->cap > 0 ? facts->cap : FACTS_FIRST_CAP;
	struct fact *fact;

	if (n > facts->cap) {
		while (cap < n)
			cap *= 2;
		fact = arena_array(facts->arena, (size_t)cap, sizeof(*fact));
		if (!fact)
			return err_set(err, ERR_NO_MEMORY,
				       "facts: no memory for %d values", n);
		if (facts->n > 0)
			memcpy(fact, facts->fact,
			       (size_t)facts->n * sizeof(*fact));
		facts->fact = fact;
		facts->cap = cap;
	}
	if (n > facts->n)
		facts->n = n;
	return ERR_NONE;
}

enum err_code facts_set(struct facts *facts, int32_t value,
			const struct fact *fact, struct err *err)
{
	enum err_code rc = grow(facts, value + 1, err);

	if (!rc)
		facts->fact[value] = *fact;
	return rc;
}

/* What the graph itself knows of a constant or a variable. */
static void know_source(struct facts *facts, const struct graph *graph,
			int32_t id)
{
	const struct graph_value *value = &graph->value[id];
	struct fact *fact = &facts->fact[id];
	const struct tensor_view *view;

	if (fact->type.elem != DTYPE_NONE)
		return;
	if (value->origin == ORIGIN_CONST)
		view = &graph->constant[value->source];
	else if (value->origin == ORIGIN_VARIABLE)
		view = &graph->variable[value->source].view;
	else
		return;
	fact->type.elem = view->dtype;
	fact->shape = view->shape;
	fact->has_shape = true;
	if (value->origin != ORIGIN_CONST)
		return;
	fact->value = view->data ? view->data : "";
	facts->constants += fact_data_bytes(fact);
}

/* Shape and Size read no element. */
static bool reads_shapes_only(const struct op *op)
{
	return op->domain[0] == '\0' && (strcmp(op->name, "Shape") == 0 ||
					 strcmp(op->name, "Size") == 0);
}

/* Worth running now: known inputs, and a small result or one that takes about
 * as much room as they do. FACTS_MAX_VALUE counts elements, of any size. */
static bool can_fold(const struct facts *facts, const struct node_call *call)
{
	const size_t room = FOLD_ALWAYS + FOLD_GROWTH * facts->constants;
	const struct op *op = call->node->op;
	size_t in_bytes = 0, out_bytes = 0;
	int64_t most = 0;

	if (op->flags & OP_IMPURE || call->node->n_body > 0)
		return false;
	for (unsigned i = 0; i < call->n_in; i++) {
		const struct fact *in = &call->in[i];

		if (in->type.elem == DTYPE_NONE)
			continue;
		if (!in->value && !reads_shapes_only(op))
			return false;
		if (in->type.is_sequence || in->type.is_optional)
			return false;
		in_bytes += fact_data_bytes(in);
	}
	for (unsigned i = 0; i < call->n_out; i++) {
		const struct fact *out = &call->out[i];

		if (out->type.elem == DTYPE_NONE)
			continue;
		if (out->type.is_sequence || out->type.is_optional)
			return false;
		if (shape_count(&out->shape) > most)
			most = shape_count(&out->shape);
		out_bytes += fact_data_bytes(out);
	}
	if (arena_used(facts->arena) + facts->big_bytes + out_bytes > room)
		return false;
	return most <= FACTS_MAX_VALUE ||
	       (!facts->is_lean && (out_bytes <= FOLD_GROWN ||
				    out_bytes / FOLD_GROWTH <= in_bytes));
}

/* Runs the node, whose outputs are `out`; a bad value is left for the run to
 * tell. */
static enum err_code fold(struct facts *facts, struct node_call *call,
			  const int32_t *out, struct err *err)
{
	const struct node_call_options options = {
		.reference = false,
		.arena = facts->arena,
	};
	void **data = arena_array(facts->arena, call->n_out, sizeof(*data));
	struct err why;
	enum err_code rc;

	if (!data)
		return err_set(err, ERR_NO_MEMORY, "facts: out of memory");
	for (unsigned i = 0; i < call->n_out; i++) {
		if (call->out[i].type.elem == DTYPE_NONE)
			continue;
		data[i] =
		    value_room(facts, out[i], fact_data_bytes(&call->out[i]));
		if (!data[i])
			return err_set(err, ERR_NO_MEMORY,
				       NODE_TEXT ": no memory for its value",
				       NODE_ARGS(call->node));
	}
	rc = node_call_run(call, data, &options, &why);
	if (rc == ERR_NO_MEMORY)
		return err_set(err, rc, "%s", why.msg);
	for (unsigned i = 0; i < call->n_out; i++) {
		if (!rc)
			call->out[i].value = data[i];
		else if (out[i] != VALUE_NONE)
			give_up(facts, out[i]);
	}
	return ERR_NONE;
}

/* Large values whose readers have all been folded are of no more use. */
static void count_off(struct facts *facts, const int32_t *in, int32_t n_in)
{
	for (int32_t i = 0; facts->readers && i < n_in; i++)
		if (in[i] != VALUE_NONE && --facts->readers[in[i]] == 0)
			give_up(facts, in[i]);
}

/* Shapes that go by elements, and values, as a run would find them. */
static enum err_code infer_and_fold(struct facts *facts, struct node_call *call,
				    const int32_t *out, bool *ret_folds,
				    struct err *err)
{
	const uint64_t old = flush_begin();
	bool known;
	enum err_code rc = node_call_infer(call, &known, err);

	*ret_folds = !rc && known && can_fold(facts, call);
	if (*ret_folds)
		rc = fold(facts, call, out, err);
	flush_end(old);
	return rc;
}

/* grow() has made room for all values of the graph. */
static enum err_code sweep_node(struct facts *facts, const struct graph *graph,
				const struct graph_node *node, struct err *err)
{
	const int32_t *in = graph_in(graph, node);
	const int32_t *out = graph_out(graph, node);
	struct node_call call;
	bool folds = false;
	enum err_code rc;

	for (int32_t i = 0; i < node->n_in; i++)
		if (in[i] != VALUE_NONE)
			know_source(facts, graph, in[i]);
	rc = node_call_init(&call, graph, node, facts->fact, err);
	if (rc)
		return rc;
	rc = infer_and_fold(facts, &call, out, &folds, err);
	for (unsigned i = 0; i < call.n_out && !rc; i++) {
		if (out[i] == VALUE_NONE)
			continue;
		facts->fact[out[i]] = call.out[i];
		folds = folds && call.out[i].value;
	}
	if (!rc && folds)
		count_off(facts, in, node->n_in);
	node_call_finish(&call);
	return rc;
}

enum err_code facts_node(struct facts *facts, const struct graph *graph,
			 int32_t node, struct err *err)
{
	enum err_code rc = grow(facts, graph->n_value, err);

	if (!rc)
		rc = sweep_node(facts, graph, &graph->node[node], err);
	return rc;
}

static void know_sources(struct facts *facts, const struct graph *graph,
			 const struct fact *input)
{
	for (int32_t i = 0; i < graph->n_value; i++)
		know_source(facts, graph, i);
	for (int32_t i = 0; i < graph->n_input; i++) {
		struct fact *fact = &facts->fact[graph->input[i]];

		*fact = input[i];
		fact->type = graph->value[graph->input[i]].type;
	}
}

/* readers is of use while nodes are swept only. */
static enum err_code count_readers(struct facts *facts,
				   const struct graph *graph, struct err *err)
{
	facts->readers = arena_array(facts->arena, (size_t)graph->n_value + 1,
				     sizeof(*facts->readers));
	if (!facts->readers)
		return err_set(err, ERR_NO_MEMORY, "facts: out of memory");
	graph_count_readers(graph, facts->readers);
	return ERR_NONE;
}

static enum err_code create(const struct graph *graph, const struct fact *input,
			    bool is_lean, struct facts **ret_facts,
			    struct err *err)
{
	struct facts *facts;
	enum err_code rc = facts_create_empty(&facts, err);

	if (rc)
		return rc;
	facts->is_lean = is_lean;
	rc = grow(facts, graph->n_value, err);
	if (!rc)
		rc = count_readers(facts, graph, err);
	if (!rc)
		know_sources(facts, graph, input);
	for (int32_t i = 0; i < graph->n_node && !rc; i++)
		if (graph->node[i].op)
			rc = sweep_node(facts, graph, &graph->node[i], err);
	if (rc) {
		facts_destroy(facts);
		return rc;
	}
	facts->readers = NULL;
	*ret_facts = facts;
	return ERR_NONE;
}

enum err_code facts_create(const struct graph *graph, const struct fact *input,
			   struct facts **ret_facts, struct err *err)
{
	return create(graph, input, false, ret_facts, err);
}

enum err_code facts_create_shapes(const struct graph *graph,
				  const struct fact *input,
				  struct facts **ret_facts, struct err *err)
{
	return create(graph, input, true, ret_facts, err);
}
