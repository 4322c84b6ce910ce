/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Node call: infers and runs one node now, without a plan.
 *
 * The common part of facts (which fold) and of the interpreter (which runs
 * everything so). Inputs of half types are widened around kernels that lack
 * them, and an operator without a kernel runs by its body.
 *
 * Ownership: init/finish; borrows graph, node and elements.
 * Threads:   one call in one thread; any number of calls at once.
 */
#ifndef ENGINE_NODE_CALL_H
#define ENGINE_NODE_CALL_H

#include "engine/kernel.h"

enum { NODE_CALL_FEW = 8 };

struct node_call {
	const struct graph_node *node;
	const char *name; /**< of the node */
	struct fact *in, *out;
	unsigned n_in, n_out;
	struct fact few_in[NODE_CALL_FEW], few_out[NODE_CALL_FEW];
	void *block; /**< of calls with more operands than a few */
};

/** fact: by value id. Operands and the types of results come from there. */
MUST_USE enum err_code node_call_init(struct node_call *call,
				      const struct graph *graph,
				      const struct graph_node *node,
				      const struct fact *fact, struct err *err);
void node_call_finish(struct node_call *call);

/** Fills the shapes of `out`. *ret_known is false, and nothing else is done,
 * where an input has no shape or a value that decides a shape is missing. */
MUST_USE enum err_code node_call_infer(struct node_call *call, bool *ret_known,
				       struct err *err);

struct node_call_options {
	bool reference;	     /**< the last kernel that fits, not the first */
	struct arena *arena; /**< takes the bytes of strings */
};

/** in[i].value holds the elements; out[i] is there; data[i] takes the result,
 * NULL where nobody reads it. A bad value gives ERR_INVALID. */
MUST_USE enum err_code node_call_run(struct node_call *call, void *const *data,
				     const struct node_call_options *options,
				     struct err *err);

/** Bytes of a fact's elements. */
static inline size_t fact_data_bytes(const struct fact *fact)
{
	return tensor_bytes(fact->type.elem, &fact->shape);
}
/** A view of a fact's elements, which stay read only. */
struct tensor_view fact_view(const struct fact *fact);
/** "node 'conv1' (Conv)": how every message about a node begins. */
#define NODE_TEXT "node '%s' (%s)"
#define NODE_ARGS(node) (node)->name, (node)->op->name

#endif
