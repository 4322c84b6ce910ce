/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Kernels of a row on a case: each that fits against the last, whole and in
 * slices, in place, twice, with guards around everything it may write.
 */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "engine/kernel.h"
#include "engine/pack.h"
#include "op_case.h"

enum { GUARD = 64, GUARD_BYTE = 0xA5, MAX_OPERANDS = 64 };

/* The question that a node asks its kernels, and its operands' elements. */
struct question {
	struct kernel_query query;
	struct fact in[MAX_OPERANDS], out[MAX_OPERANDS];
	const void *data[MAX_OPERANDS];
};

/* The results of one run, each between two guards. */
struct answer {
	char *block[MAX_OPERANDS];
	void *out[MAX_OPERANDS]; /* NULL: not wanted */
	size_t bytes[MAX_OPERANDS];
	void *bound;
	struct text_heap *heap;
	const struct kernel *kernel;
	unsigned n_slices;
};

struct way {
	unsigned want_slices;
	bool in_place, backwards;
	unsigned missing; /* bit i: output i is not wanted */
};

static bool is_there(const struct fact *fact)
{
	return fact->type.elem != DTYPE_NONE;
}

static void answer_finish(struct answer *answer)
{
	if (answer->kernel && answer->kernel->unbind && answer->bound)
		answer->kernel->unbind(answer->bound);
	text_heap_destroy(answer->heap);
	for (unsigned i = 0; i < MAX_OPERANDS; i++)
		mem_free(answer->block[i]);
	memset(answer, 0, sizeof(*answer));
}

static void answer_init(struct answer *answer, const struct question *question,
			unsigned missing)
{
	memset(answer, 0, sizeof(*answer));
	for (unsigned i = 0; i < question->query.n_out; i++) {
		const struct fact *out = &question->out[i];

		if (!is_there(out) || missing >> i & 1)
			continue;
		answer->bytes[i] = tensor_bytes(out->type.elem, &out->shape);
		answer->block[i] = mem_aligned(answer->bytes[i] + 2 * GUARD);
		memset(answer->block[i], GUARD_BYTE,
		       answer->bytes[i] + 2 * GUARD);
		answer->out[i] = answer->block[i] + GUARD;
	}
}

static bool is_guarded(const char *at, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)at[i] != GUARD_BYTE)
			return false;
	return true;
}

static void check_guards(struct case_test *test, const char *name,
			 const struct answer *answer)
{
	for (unsigned i = 0; i < MAX_OPERANDS; i++)
		if (answer->block[i] &&
		    (!is_guarded(answer->block[i], GUARD) ||
		     !is_guarded(answer->block[i] + GUARD + answer->bytes[i],
				 GUARD)))
			case_fail(test, "%s writes beyond output %u", name, i);
}

/* Every byte 0xFF: a NaN of each float type. */
static void run_slices(struct case_test *test, const struct kernel *kernel,
		       struct kernel_call *call, size_t scratch_bytes,
		       bool backwards)
{
	char *scratch = mem_aligned(scratch_bytes + GUARD);

	for (unsigned i = 0; i < call->n_slices; i++) {
		memset(scratch, 0xFF, scratch_bytes);
		memset(scratch + scratch_bytes, GUARD_BYTE, GUARD);
		kernel->run(call, backwards ? call->n_slices - 1 - i : i,
			    scratch);
		if (!is_guarded(scratch + scratch_bytes, GUARD))
			case_fail(test, "%s writes beyond its scratch",
				  kernel->name);
	}
	mem_free(scratch);
}

/* Operands of which the results take the place. */
static bool goes_in_place(const struct kernel *kernel,
			  const struct question *question, unsigned i)
{
	const struct fact *in = &question->in[i], *out = &question->out[i];

	if (i >= question->query.n_in || i >= question->query.n_out ||
	    !(kernel->flags & (i == 0 ? KERNEL_IN_PLACE | KERNEL_IN_PLACE_ALL
				      : KERNEL_IN_PLACE_ALL)))
		return false;
	return is_there(in) && is_there(out) &&
	       tensor_bytes(in->type.elem, &in->shape) ==
		   tensor_bytes(out->type.elem, &out->shape);
}

static void place(const struct kernel *kernel, const struct question *question,
		  struct answer *answer, const void **in)
{
	for (unsigned i = 0; i < question->query.n_out; i++) {
		if (!goes_in_place(kernel, question, i) || !answer->out[i])
			continue;
		memcpy(answer->out[i], question->data[i], answer->bytes[i]);
		in[i] = answer->out[i];
	}
}

static struct pack_store *begin_packs(struct kernel_query *query)
{
	struct pack_store *store = NULL;
	struct err err;

	cr_assert_eq(pack_store_create(&store, &err), ERR_NONE, "%s", err.msg);
	cr_assert_eq(packs_create(store, &query->packs, &err), ERR_NONE, "%s",
		     err.msg);
	return store;
}

/* What a plan reports of its memory has all packs. */
static void check_packs(struct case_test *test, const struct kernel *kernel,
			const struct kernel_setup *setup,
			struct pack_store *store)
{
	struct pack_stats stats;

	pack_store_stats(store, &stats);
	if (setup->pack_bytes < stats.bytes)
		case_fail(test, "%s holds %zu packed bytes and tells of %zu",
			  kernel->name, stats.bytes, setup->pack_bytes);
}

static void end_packs(struct kernel_query *query, struct pack_store *store)
{
	packs_destroy(query->packs);
	pack_store_unref(store);
}

static bool run_way(struct case_test *test, const struct kernel *kernel,
		    const struct question *question, struct way way,
		    struct answer *answer)
{
	struct kernel_setup setup = { .n_slices = 1 };
	struct kernel_query query = question->query;
	struct pack_store *store = begin_packs(&query);
	const void *in[MAX_OPERANDS];
	struct kernel_call call = { .query = &query, .in = in };
	int32_t fault = 0;
	struct err err = { .code = ERR_NONE };
	enum err_code rc = ERR_NONE;

	query.want_slices = way.want_slices;
	memcpy(in, question->data, sizeof(in));
	if (kernel->prepare)
		rc = kernel->prepare(&query, &setup, &err);
	if (rc) {
		/* the caller would ask the row's next kernel */
		if (rc != ERR_UNSUPPORTED || kernel->flags & KERNEL_QUICK)
			case_fail(test, "%s refuses: %s", kernel->name,
				  err.msg);
		end_packs(&query, store);
		return false;
	}
	check_packs(test, kernel, &setup, store);
	answer_init(answer, question, way.missing);
	answer->kernel = kernel;
	if (way.in_place)
		place(kernel, question, answer, in);
	call.state = setup.state;
	call.out = answer->out;
	call.n_slices = setup.n_slices;
	call.fault = &fault;
	if (kernel->flags & KERNEL_TEXT)
		rc = text_heap_create(1 << 20, &answer->heap, &err);
	call.heap = answer->heap;
	if (!rc && kernel->bind)
		rc = kernel->bind(&call, &err);
	if (rc)
		case_fail(test, "%s does not bind: %s", kernel->name, err.msg);
	else
		run_slices(test, kernel, &call, setup.scratch_bytes,
			   way.backwards);
	answer->bound = call.bound;
	answer->n_slices = setup.n_slices;
	if (fault)
		case_fail(test, "%s met a bad value at %d", kernel->name,
			  fault - 1);
	check_guards(test, kernel->name, answer);
	if (kernel->finish && setup.state)
		kernel->finish(setup.state);
	end_packs(&query, store);
	return rc == ERR_NONE;
}

/* Bits of everything both have; strings are compared by their bytes. */
static void check_same(struct case_test *test, const struct question *question,
		       const struct answer *a, const struct answer *b,
		       const char *what)
{
	for (unsigned i = 0; i < question->query.n_out; i++) {
		const struct fact *out = &question->out[i];

		if (!a->out[i] || !b->out[i])
			continue;
		if (out->type.elem == DTYPE_STRING)
			(void)case_compare(test, what, out, a->out[i],
					   b->out[i], 0);
		else if (memcmp(a->out[i], b->out[i], a->bytes[i]) != 0)
			case_fail(test, "%s: output %u has other bits", what,
				  i);
	}
}

static void try_way(struct case_test *test, const struct kernel *kernel,
		    const struct question *question, struct way way,
		    const struct answer *whole, const char *what)
{
	struct answer answer = { .kernel = NULL };
	char text[160];

	snprintf(text, sizeof(text), "%s, %s", kernel->name, what);
	if (run_way(test, kernel, question, way, &answer)) {
		check_same(test, question, whole, &answer, text);
		if (!(kernel->flags & KERNEL_SLICE_FREE) &&
		    answer.n_slices != whole->n_slices)
			case_fail(test,
				  "%s: %u slices instead of %u, but the kernel "
				  "is not free of slices",
				  text, answer.n_slices, whole->n_slices);
	}
	answer_finish(&answer);
}

static void try_ways(struct case_test *test, const struct kernel *kernel,
		     const struct question *question,
		     const struct answer *whole)
{
	const struct port *port = question->query.op->out;

	try_way(test, kernel, question, (struct way){ .want_slices = 1 }, whole,
		"again");
	try_way(test, kernel, question, (struct way){ .want_slices = 2 }, whole,
		"2 slices");
	try_way(test, kernel, question,
		(struct way){ .want_slices = 3, .backwards = true }, whole,
		"3 slices, last first");
	try_way(test, kernel, question, (struct way){ .want_slices = 7 }, whole,
		"7 slices");
	if (kernel->flags & (KERNEL_IN_PLACE | KERNEL_IN_PLACE_ALL)) {
		try_way(test, kernel, question,
			(struct way){ .want_slices = 1, .in_place = true },
			whole, "in place");
		try_way(test, kernel, question,
			(struct way){ .want_slices = 3, .in_place = true },
			whole, "in place, 3 slices");
	}
	for (unsigned i = 0; i < question->query.n_out && port->name; i++) {
		if (port->flags & PORT_OPTIONAL && question->query.n_out > 1)
			try_way(test, kernel, question,
				(struct way){ .want_slices = 2,
					      .missing = 1U << i },
				whole, "an output left out");
		if (!(port->flags & PORT_VARIADIC))
			port++;
	}
}

static void check_kernel(struct case_test *test, const struct kernel *kernel,
			 const struct question *question,
			 const struct answer *reference)
{
	struct answer whole = { .kernel = NULL };
	char text[160];

	if (run_way(test, kernel, question, (struct way){ .want_slices = 1 },
		    &whole)) {
		for (unsigned i = 0; i < question->query.n_out; i++) {
			snprintf(text, sizeof(text), "%s, output %u",
				 kernel->name, i);
			if (whole.out[i] && reference->out[i])
				(void)case_compare(
				    test, text, &question->out[i],
				    reference->out[i], whole.out[i],
				    case_tolerance(test));
		}
		try_ways(test, kernel, question, &whole);
	}
	answer_finish(&whole);
}

static void check_question(struct case_test *test,
			   const struct question *question)
{
	const struct kernel *const *kernel = question->query.op->kernels;
	const struct kernel *last = NULL;
	struct answer reference = { .kernel = NULL };

	for (unsigned i = 0; kernel && kernel[i]; i++)
		if (!kernel[i]->fits || kernel[i]->fits(&question->query))
			last = kernel[i];
	if (!last) {
		if (!question->query.op->body)
			case_fail(test, "no kernel fits");
		return;
	}
	if (!(last->flags & KERNEL_QUICK))
		case_fail(test, "%s: the reference is not QUICK", last->name);
	if (run_way(test, last, question, (struct way){ .want_slices = 1 },
		    &reference))
		for (unsigned i = 0; kernel[i]; i++)
			if (!kernel[i]->fits ||
			    kernel[i]->fits(&question->query))
				check_kernel(test, kernel[i], question,
					     &reference);
	answer_finish(&reference);
}

/* Facts as a plan would know them: shapes, and values where they were known
 * before the run; knows_all: of all inputs but the first, as if they were
 * constants. False where kernels would not be asked in these types. */
static bool ask(const struct case_graph *graph, const struct graph_node *node,
		const struct interpreter_result *result, bool knows_all,
		struct question *question)
{
	const unsigned any = OP_MOVES | OP_ANY_TYPE | OP_VIEW;

	memset(question, 0, sizeof(*question));
	if (node->n_in > MAX_OPERANDS || node->n_out > MAX_OPERANDS)
		return false;
	for (int32_t i = 0; i < node->n_in + node->n_out; i++) {
		const bool is_in = i < node->n_in;
		const int32_t j = is_in ? i : i - node->n_in;
		const int32_t value = is_in ? graph_in(graph->graph, node)[j]
					    : graph_out(graph->graph, node)[j];
		struct fact *to = is_in ? &question->in[j] : &question->out[j];

		if (value == VALUE_NONE)
			continue;
		*to = graph->facts->fact[value];
		to->type.elem = result->value[value].dtype;
		to->shape = result->value[value].shape;
		to->has_shape = true;
		if (is_in)
			question->data[j] = result->value[value].data;
		if (is_in && (node->op->flags & OP_DYNAMIC || (knows_all && j)))
			to->value = result->value[value].data;
		if (!(node->op->flags & any) &&
		    dtype_info(to->type.elem)->arith != to->type.elem && is_in)
			return false;
	}
	question->query = (struct kernel_query){
		.op = node->op,
		.attrs = node->attrs,
		.in = question->in,
		.out = question->out,
		.n_in = (unsigned)node->n_in,
		.n_out = (unsigned)node->n_out,
		.numerics = NUMERICS_REPEATABLE,
		.any = true, /* also where another would be faster */
	};
	return true;
}

static void check_nodes(struct case_test *test, const struct case_graph *graph,
			const struct interpreter_result *result)
{
	struct question *question = mem_zero(sizeof(*question));
	bool found = false;

	for (int32_t i = 0; question && i < graph->graph->n_node; i++) {
		const struct graph_node *node = &graph->graph->node[i];

		if (node->op != test->op)
			continue;
		found = true;
		/* what has no kernels is compared by its outputs alone */
		for (int all = 0; all < 2 && !node->op->evaluate; all++)
			if (ask(graph, node, result, all, question))
				check_question(test, question);
	}
	if (!found)
		case_fail(test, "its graph does not use the operator");
	mem_free(question);
}

/* Results of quick kernels against reference ones, bodies and half types
 * included. */
static void check_outputs(struct case_test *test,
			  const struct case_graph *graph,
			  const struct interpreter_result *reference)
{
	const struct interpreter_options quick = { .reference = false };
	struct interpreter_result result;
	struct err err = { .code = ERR_NONE };
	const struct graph *g = graph->graph;

	if (interpret(g, graph->data, &quick, &result, &err)) {
		case_fail(test, "does not run: %s", err.msg);
		return;
	}
	for (int32_t i = 0; i < g->n_output; i++) {
		const int32_t value = g->output[i];
		struct fact fact = graph->facts->fact[value];

		if (fact.has_shape &&
		    !shape_equal(&fact.shape, &result.value[value].shape))
			case_fail(test, "output %d: facts have another shape",
				  i);
		fact.type.elem = result.value[value].dtype;
		fact.shape = result.value[value].shape;
		(void)case_compare(
		    test, "interpreted", &fact, reference->value[value].data,
		    result.value[value].data, case_tolerance(test));
		if (fact.value)
			(void)case_compare(test, "folded", &fact,
					   reference->value[value].data,
					   fact.value, case_tolerance(test));
	}
	interpreter_result_finish(&result);
}

static void check_refusal(struct case_test *test, enum err_code rc,
			  const struct err *err)
{
	if (rc != test->row->want)
		case_fail(test, "gives %s (%s), expected %s", err_wire(rc),
			  rc ? err->msg : "no message",
			  err_wire(test->row->want));
	else if (rc && strlen(err->msg) < 10)
		case_fail(test, "refuses without a sentence");
}

void case_check_kernels(struct case_test *test)
{
	const struct interpreter_options options = { .reference = true };
	struct case_graph graph;
	struct interpreter_result result;
	struct err err = { .code = ERR_NONE };
	enum err_code rc;

	rc = case_graph_create(test->row->graph, test->row->kink, &graph, &err);
	if (rc) {
		check_refusal(test, rc, &err);
		return;
	}
	rc = interpret(graph.graph, graph.data, &options, &result, &err);
	check_refusal(test, rc, &err);
	if (!rc) {
		check_nodes(test, &graph, &result);
		check_outputs(test, &graph, &result);
		interpreter_result_finish(&result);
	}
	case_graph_finish(&graph);
}
