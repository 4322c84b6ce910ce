/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Edit: one pass's walk over a graph, and what it changes there.
 *
 * Nodes are looked at in their old order; new ones are built at the end, and
 * edit_forward() says which value stands for which from now on. Inputs are
 * read through edit_in(), which follows that. edit_finish() makes it true and
 * tidies the graph.
 *
 * Ownership: everything is in the pass's arena; what is built is the graph's.
 * Threads:   one.
 */
#ifndef ENGINE_PASSES_EDIT_H
#define ENGINE_PASSES_EDIT_H

#include "engine/build.h"
#include "engine/passes/pass.h"

struct edit {
	struct graph *graph;
	struct arena *arena;
	struct build build;
	int32_t n_node, n_value; /**< as they were */
	int32_t *reader;	 /**< how many, by old value */
	int32_t *forward;	 /**< by old value */
	const struct rank *rank; /**< by old value */
	bool changed;
};

/** What is known of a rank without shapes. */
struct rank {
	int least;
	bool is_exact; /**< it is `least` */
	int length;    /**< of a vector, where known; else 0 */
};

MUST_USE enum err_code edit_init(struct edit *edit,
				 const struct pass_context *context,
				 struct err *err);
/** Also the failure of a build. */
MUST_USE enum err_code edit_finish(struct edit *edit, bool *ret_changed,
				   struct err *err);

/** The whole of most passes: visits every node, in their old order. */
MUST_USE enum err_code edit_walk(const struct pass_context *context,
				 void (*visit)(struct edit *edit,
					       const struct graph_node *node),
				 bool *ret_changed, struct err *err);

/** What stands for a value now; VALUE_NONE stays. */
int32_t edit_see(const struct edit *edit, int32_t value);
/** Input i of a node; VALUE_NONE past the end or left out. */
static inline int32_t edit_in(const struct edit *edit,
			      const struct graph_node *node, int32_t i)
{
	return i < node->n_in ? edit_see(edit, graph_in(edit->graph, node)[i])
			      : VALUE_NONE;
}
/** Readers of `from` (a value of an old node) get `to`, unless building failed
 * (VALUE_NONE). */
void edit_forward(struct edit *edit, int32_t from, int32_t to);
/** The old node that makes a value which nobody else reads, or NULL. */
const struct graph_node *edit_own_producer(const struct edit *edit,
					   int32_t value);
/** The old node that makes a value, or NULL. */
const struct graph_node *edit_producer(const struct edit *edit, int32_t value);
/** Nobody reads outputs behind the first. */
bool edit_is_single(const struct edit *edit, const struct graph_node *node);

/** A constant's elements, or NULL. */
const struct tensor_view *edit_constant(const struct edit *edit, int32_t value);
/** All elements of a float or integer constant are the same finite number. */
bool edit_uniform(const struct edit *edit, int32_t value, double *ret);
struct rank edit_rank(const struct edit *edit, int32_t value);
enum dtype edit_elem(const struct edit *edit, int32_t value);
/** The constant, whose rank is its own, leaves x's shape as it is by
 * broadcasting, if all extents of it are 1. */
static inline bool edit_keeps_rank(const struct edit *edit, int32_t x,
				   const struct tensor_view *constant)
{
	return (int)constant->shape.rank <= edit_rank(edit, x).least;
}
/** An operator of ONNX's own domain. */
bool edit_is(const struct graph_node *node, const char *name);

/** rank.c; NULL: out of memory. */
const struct rank *rank_of_values(const struct pass_context *context);

#endif
