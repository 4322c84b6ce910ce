/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/node_call.h"

#include <string.h>

#include "base/mem.h"

struct tensor_view fact_view(const struct fact *fact)
{
	/* a view has no const in its type
	 * NOLINTNEXTLINE(performance-no-int-to-ptr) */
	void *const value = (void *)(uintptr_t)fact->value;

	return (struct tensor_view){
		.data = value,
		.dtype = fact->type.elem,
		.shape = fact->shape,
	};
}

enum err_code node_call_init(struct node_call *call, const struct graph *graph,
			     const struct graph_node *node,
			     const struct fact *fact, struct err *err)
{
	const int32_t *in = graph_in(graph, node);
	const int32_t *out = graph_out(graph, node);
	const size_t n = (size_t)node->n_in + (size_t)node->n_out;

	memset(call, 0, sizeof(*call));
	call->node = node;
	call->name = node->name;
	call->n_in = (unsigned)node->n_in;
	call->n_out = (unsigned)node->n_out;
	call->in = call->few_in;
	call->out = call->few_out;
	if (call->n_in > NODE_CALL_FEW || call->n_out > NODE_CALL_FEW) {
		call->block = mem_array(n, sizeof(struct fact));
		if (!call->block)
			return err_set(err, ERR_NO_MEMORY,
				       NODE_TEXT ": out of memory",
				       NODE_ARGS(node));
		call->in = call->block;
		call->out = call->in + call->n_in;
	}
	for (unsigned i = 0; i < call->n_in; i++)
		if (in[i] != VALUE_NONE)
			call->in[i] = fact[in[i]];
	for (unsigned i = 0; i < call->n_out; i++)
		if (out[i] != VALUE_NONE)
			call->out[i].type = graph->value[out[i]].type;
	return ERR_NONE;
}

void node_call_finish(struct node_call *call)
{
	mem_free(call->block);
	call->block = NULL;
}

static bool is_absent(const struct fact *fact)
{
	return fact->type.elem == DTYPE_NONE;
}

static bool can_infer(const struct node_call *call)
{
	const struct op *op = call->node->op;

	if (op->evaluate)
		return false;
	for (unsigned i = 0; i < call->n_in; i++) {
		const struct fact *in = &call->in[i];
		const bool decides = op->flags & OP_DYNAMIC ||
				     (i < 32 && op->value_inputs >> i & 1);

		if (!is_absent(in) &&
		    (!in->has_shape || (decides && !in->value)))
			return false;
		if (in->type.is_sequence || in->type.is_optional)
			return false;
	}
	return true;
}

static enum err_code check_results(const struct node_call *call,
				   struct err *err)
{
	enum err_code rc = ERR_NONE;

	for (unsigned i = 0; i < call->n_out && !rc; i++) {
		const struct fact *out = &call->out[i];

		if (is_absent(out))
			continue;
		if (!out->has_shape)
			return err_set(err, ERR_INTERNAL,
				       "output %u has no shape", i);
		rc = shape_check(&out->shape, "the result", err);
	}
	return rc;
}

enum err_code node_call_infer(struct node_call *call, bool *ret_known,
			      struct err *err)
{
	const struct graph_node *node = call->node;
	struct infer infer = {
		.attrs = node->attrs,
		.node_name = call->name,
		.n_in = call->n_in,
		.n_out = call->n_out,
		.in = call->in,
		.out = call->out,
	};
	enum err_code rc;

	*ret_known = can_infer(call);
	if (!*ret_known)
		return ERR_NONE;
	rc = node->op->infer(&infer, err);
	if (!rc)
		rc = check_results(call, err);
	if (rc)
		(void)err_prefix(err, NODE_TEXT, NODE_ARGS(node));
	return rc;
}
