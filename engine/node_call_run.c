/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Running a node: by a kernel, by its body, or between conversions of half
 * types.
 */
#include <string.h>

#include "base/mem.h"
#include "engine/build.h"
#include "engine/interpreter.h"
#include "engine/node_call.h"
#include "engine/port.h"

enum { BODY_MAX_NAMES = 64 };

static bool is_absent(const struct fact *fact)
{
	return fact->type.elem == DTYPE_NONE;
}

/* The kernel of this call, or NULL. */
static const struct kernel *choose(const struct kernel_query *query,
				   bool reference)
{
	const struct kernel *const *kernel = query->op->kernels;
	const struct kernel *last = NULL;

	if (!reference)
		return kernel_choose(query, true);
	for (; kernel && *kernel; kernel++)
		if ((*kernel)->flags & KERNEL_QUICK &&
		    (!(*kernel)->fits || (*kernel)->fits(query)))
			last = *kernel;
	return last;
}

/* The bytes of text results outlive the call. */
static enum err_code keep_text(const struct node_call *call, void *const *data,
			       struct arena *arena, struct err *err)
{
	for (unsigned i = 0; i < call->n_out; i++) {
		const struct fact *out = &call->out[i];
		struct str *text = data[i];
		int64_t n;

		if (!data[i] || out->type.elem != DTYPE_STRING)
			continue;
		n = shape_count(&out->shape);
		for (int64_t j = 0; j < n; j++) {
			text[j].bytes =
			    arena_strndup(arena, text[j].bytes, text[j].len);
			if (!text[j].bytes)
				return err_set(err, ERR_NO_MEMORY,
					       "no memory for the results");
		}
	}
	return ERR_NONE;
}

/* Binds, runs every slice, unbinds. */
static enum err_code run_bound(const struct node_call *node,
			       const struct kernel *kernel,
			       struct kernel_call *call, size_t scratch_bytes,
			       const struct node_call_options *options,
			       struct err *err)
{
	const bool makes_text = kernel->flags & KERNEL_TEXT;
	void *scratch = mem_aligned(scratch_bytes + 1);
	enum err_code rc = ERR_NONE;

	if (!scratch)
		return err_set(err, ERR_NO_MEMORY, "no memory for %zu bytes",
			       scratch_bytes);
	if (makes_text)
		rc = text_heap_create(TEXT_HEAP_MAX, &call->heap, err);
	if (!rc && kernel->bind)
		rc = kernel->bind(call, err);
	for (unsigned i = 0; i < call->n_slices && !rc; i++)
		kernel->run(call, i, scratch);
	if (!rc && *call->fault && makes_text && text_heap_is_full(call->heap))
		rc = text_heap_refuse(call->heap, node->name, err);
	if (!rc && *call->fault)
		rc = err_set(err, ERR_INVALID, "bad value at element %d",
			     *call->fault - 1);
	if (!rc && (kernel->bind || makes_text))
		rc = keep_text(node, call->out, options->arena, err);
	if (kernel->unbind && call->bound)
		kernel->unbind(call->bound);
	text_heap_destroy(call->heap);
	mem_free(scratch);
	return rc;
}

static enum err_code run_kernel(const struct node_call *node,
				const struct kernel_query *query,
				const struct kernel *kernel, void *const *data,
				const struct node_call_options *options,
				struct err *err)
{
	const void **in = mem_array(node->n_in + 1, sizeof(*in));
	struct kernel_setup setup = { .n_slices = 1 };
	int32_t fault = 0;
	struct kernel_call call = {
		.query = query, .in = in, .out = data, .fault = &fault
	};
	enum err_code rc = ERR_NONE;

	if (!in)
		return err_set(err, ERR_NO_MEMORY, "out of memory");
	for (unsigned i = 0; i < node->n_in; i++)
		in[i] = node->in[i].value;
	if (kernel->prepare)
		rc = kernel->prepare(query, &setup, err);
	if (rc)
		goto out;
	call.state = setup.state;
	call.n_slices = setup.n_slices;
	rc = run_bound(node, kernel, &call, setup.scratch_bytes, options, err);
	if (kernel->finish && setup.state)
		kernel->finish(setup.state);
out:
	mem_free(in);
	return rc;
}

/* The body as a graph of its own, whose inputs are the operands present. */
static enum err_code body_graph(const struct node_call *call,
				struct graph *graph, struct err *err)
{
	const struct op *op = call->node->op;
	struct build_name in[BODY_MAX_NAMES], out[BODY_MAX_NAMES];
	unsigned n_in = 0, n_out = 0;
	enum err_code rc = ERR_NONE;
	struct build build;

	for (; n_in < BODY_MAX_NAMES && op->in[n_in].name && !rc; n_in++) {
		const bool is_here =
		    n_in < call->n_in && !is_absent(&call->in[n_in]);

		in[n_in].name = op->in[n_in].name;
		in[n_in].value = VALUE_NONE;
		if (is_here)
			rc = graph_add_input(graph, NULL, call->in[n_in].type,
					     &in[n_in].value, err);
	}
	for (; n_out < BODY_MAX_NAMES && op->out[n_out].name; n_out++)
		out[n_out] =
		    (struct build_name){ op->out[n_out].name, VALUE_NONE };
	if (rc)
		return rc;
	build_init(&build, graph, NULL);
	build_text(&build, op->body, in, n_in, call->node, out, n_out);
	rc = build_check(&build, err);
	for (unsigned i = 0; i < call->n_out && !rc; i++)
		if (!is_absent(&call->out[i]))
			rc = graph_add_output(graph, out[i].value, err);
	return rc;
}

static enum err_code run_body_graph(const struct node_call *call,
				    const struct graph *graph,
				    void *const *data,
				    const struct node_call_options *options,
				    struct err *err)
{
	const struct interpreter_options inner = {
		.reference = options->reference,
	};
	struct interpreter_result result;
	struct tensor_view *in;
	enum err_code rc;
	int32_t n = 0;

	in = mem_array(call->n_in + 1, sizeof(*in));
	if (!in)
		return err_set(err, ERR_NO_MEMORY, "out of memory");
	for (unsigned i = 0; i < call->n_in; i++)
		if (!is_absent(&call->in[i]))
			in[n++] = fact_view(&call->in[i]);
	rc = interpret(graph, in, &inner, &result, err);
	mem_free(in);
	if (rc)
		return rc;
	n = 0;
	for (unsigned i = 0; i < call->n_out; i++) {
		if (is_absent(&call->out[i]))
			continue;
		if (data[i])
			memcpy(data[i], result.value[graph->output[n]].data,
			       fact_data_bytes(&call->out[i]));
		n++;
	}
	rc = keep_text(call, data, options->arena, err);
	interpreter_result_finish(&result);
	return rc;
}

static enum err_code run_body(const struct node_call *call, void *const *data,
			      const struct node_call_options *options,
			      struct err *err)
{
	struct graph *graph;
	enum err_code rc;

	rc = graph_create(SIZE_MAX / 2, &graph, err);
	if (rc)
		return rc;
	rc = body_graph(call, graph, err);
	if (!rc)
		rc = run_body_graph(call, graph, data, options, err);
	graph_destroy(graph);
	return rc;
}

/* As it stands: every type is one that the kernels know. */
static enum err_code run_plain(struct node_call *call, void *const *data,
			       const struct node_call_options *options,
			       struct err *err)
{
	const struct kernel_query query = {
		.op = call->node->op,
		.attrs = call->node->attrs,
		.in = call->in,
		.out = call->out,
		.n_in = call->n_in,
		.n_out = call->n_out,
		.want_slices = 1,
	};
	const struct kernel *kernel = choose(&query, options->reference);

	if (!kernel && query.op->body)
		return run_body(call, data, options, err);
	if (!kernel)
		return err_set(err, ERR_UNSUPPORTED,
			       "there is no kernel for these types");
	if (kernel_makes_nothing(&query))
		return ERR_NONE;
	return run_kernel(call, &query, kernel, data, options, err);
}

static enum dtype wide_of(enum dtype elem)
{
	const enum dtype wide = dtype_info(elem)->arith;

	return wide == DTYPE_NONE ? elem : wide;
}

static bool is_narrow(const struct node_call *call)
{
	const unsigned free_of_types = OP_MOVES | OP_ANY_TYPE | OP_VIEW;

	if (call->node->op->flags & free_of_types)
		return false;
	for (unsigned i = 0; i < call->n_in; i++)
		if (wide_of(call->in[i].type.elem) != call->in[i].type.elem)
			return true;
	return false;
}

/* A wide call has its narrow inputs converted into its own arena. */
static enum err_code widen_inputs(struct node_call *wide, struct arena *arena,
				  struct err *err)
{
	for (unsigned i = 0; i < wide->n_in; i++) {
		struct fact *in = &wide->in[i];
		const enum dtype narrow = in->type.elem;
		void *data;

		if (wide_of(narrow) == narrow)
			continue;
		in->type.elem = wide_of(narrow);
		data = arena_aligned(arena, fact_data_bytes(in));
		if (!data)
			return err_set(err, ERR_NO_MEMORY, "out of memory");
		dtype_convert(narrow, in->value, in->type.elem, data,
			      (size_t)shape_count(&in->shape), true);
		in->value = data;
	}
	return ERR_NONE;
}

/* The types of the results follow from the widened inputs. */
static enum err_code widen_types(struct node_call *wide, struct arena *arena,
				 struct err *err)
{
	struct type *in = arena_array(arena, wide->n_in + 1, sizeof(*in));
	struct type *out = arena_array(arena, wide->n_out + 1, sizeof(*out));
	enum err_code rc;

	if (!in || !out)
		return err_set(err, ERR_NO_MEMORY, "out of memory");
	for (unsigned i = 0; i < wide->n_in; i++)
		in[i] = wide->in[i].type;
	rc = port_unify(wide->node->op, wide->node, in, wide->n_in, out,
			wide->n_out, wide->name, err);
	for (unsigned i = 0; i < wide->n_out && !rc; i++)
		if (!is_absent(&wide->out[i]))
			wide->out[i].type = out[i];
	return rc;
}

static enum err_code run_widened(const struct node_call *call,
				 struct node_call *wide, void *const *data,
				 const struct node_call_options *options,
				 struct arena *arena, struct err *err)
{
	void **to = arena_array(arena, call->n_out + 1, sizeof(*to));
	enum err_code rc;

	if (!to)
		return err_set(err, ERR_NO_MEMORY, "out of memory");
	rc = widen_inputs(wide, arena, err);
	if (!rc)
		rc = widen_types(wide, arena, err);
	for (unsigned i = 0; i < call->n_out && !rc; i++) {
		to[i] = data[i];
		if (!data[i] ||
		    wide->out[i].type.elem == call->out[i].type.elem)
			continue;
		to[i] = arena_aligned(arena, fact_data_bytes(&wide->out[i]));
		if (!to[i])
			rc = err_set(err, ERR_NO_MEMORY, "out of memory");
	}
	if (!rc)
		rc = run_plain(wide, to, options, err);
	for (unsigned i = 0; i < call->n_out && !rc; i++)
		if (to[i] != data[i])
			dtype_convert(wide->out[i].type.elem, to[i],
				      call->out[i].type.elem, data[i],
				      (size_t)shape_count(&call->out[i].shape),
				      true);
	return rc;
}

static enum err_code run_narrow(const struct node_call *call, void *const *data,
				const struct node_call_options *options,
				struct err *err)
{
	struct arena *arena = arena_create(SIZE_MAX / 2);
	struct node_call wide = *call;
	enum err_code rc = ERR_NO_MEMORY;

	if (arena)
		wide.in = arena_array(arena, call->n_in + call->n_out + 1,
				      sizeof(*wide.in));
	if (!arena || !wide.in) {
		arena_destroy(arena);
		return err_set(err, ERR_NO_MEMORY, "out of memory");
	}
	wide.out = wide.in + call->n_in;
	if (call->n_in)
		memcpy(wide.in, call->in, call->n_in * sizeof(*wide.in));
	memcpy(wide.out, call->out, call->n_out * sizeof(*wide.out));
	rc = run_widened(call, &wide, data, options, arena, err);
	arena_destroy(arena);
	return rc;
}

enum err_code node_call_run(struct node_call *call, void *const *data,
			    const struct node_call_options *options,
			    struct err *err)
{
	enum err_code rc;

	rc = is_narrow(call) ? run_narrow(call, data, options, err)
			     : run_plain(call, data, options, err);
	if (rc)
		(void)err_prefix(err, NODE_TEXT, NODE_ARGS(call->node));
	return rc;
}
