/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Graph: one static graph for inference and training.
 *
 * Ids are indexes: values, nodes, constants, variables; walks are loops over
 * `node`, whose order can run. Captured values of bodies are explicit inputs,
 * so every use is an edge. A pass appends nodes, forwards values, marks nodes
 * dead (op = NULL); graph_tidy() drops those and restores order.
 *
 * Ownership: everything lives in the graph's arena; constants may borrow bytes
 *            of a mapped file, which must outlive the graph; the memory of
 *            variables belongs to whoever set view.data.
 * Threads:   one writer; a finished graph is read only and may be shared.
 * Limits:    GRAPH_MAX_NODES nodes.
 */
#ifndef ENGINE_GRAPH_H
#define ENGINE_GRAPH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "engine/tensor.h"

/** VALUE_NONE: an optional input or output left out. */
enum { VALUE_NONE = -1, GRAPH_MAX_NODES = 1 << 20 };
struct op;
struct type {
	enum dtype elem;
	bool is_sequence, is_optional;
};

enum origin { ORIGIN_INPUT, ORIGIN_CONST, ORIGIN_VARIABLE, ORIGIN_NODE };

struct graph_value {
	const char *name; /**< never NULL; unique where it came from a file */
	struct type type; /**< elem DTYPE_NONE until types were given */
	enum origin origin;
	int32_t source; /**< number of the input, constant, variable or node */
};

struct graph_node {
	const struct op *op; /**< NULL: dead */
	const char *name;    /**< for messages, profile, export; may be "" */
	const void *attrs;   /**< op->attrs_size bytes in the graph's arena */
	int32_t first_in, n_in, first_out, n_out; /**< ranges of graph->edge */
	struct graph **body;			  /**< If, Loop, Scan */
	unsigned n_body;
	int32_t n_captured; /**< last inputs, of the node and every body */
	unsigned epoch; /**< recomputed clones differ: CSE leaves them apart */
};

enum role { ROLE_PARAM, ROLE_STATE, ROLE_GRAD, ROLE_MOMENT, ROLE_AVERAGE };

struct variable { /* outlives a run */
	const char *name;
	enum role role;
	struct tensor_view view;
};

struct assign { /* written after the variable's last read of a run */
	int32_t variable, value;
};

struct graph {
	struct arena *arena;
	size_t max_bytes; /**< the arena's ceiling */
	struct graph_value *value;
	struct graph_node *node;
	struct tensor_view *constant;
	struct variable *variable;
	struct assign *assign;
	int32_t *edge;		 /**< value ids, VALUE_NONE for a hole */
	int32_t *input, *output; /**< value ids */
	int32_t n_value, n_node, n_constant, n_variable, n_assign, n_edge,
	    n_input, n_output;
	int32_t cap_value, cap_node, cap_constant, cap_variable, cap_assign,
	    cap_edge, cap_input, cap_output;
};

/** max_bytes: of the arena. */
MUST_USE enum err_code graph_create(size_t max_bytes, struct graph **ret_graph,
				    struct err *err);
void graph_destroy(struct graph *graph);
/** Names, attributes, bodies, constants' bytes and variables' memory are shared
 * with the original, which must outlive the copy. */
MUST_USE enum err_code graph_clone(const struct graph *graph,
				   struct graph **ret_graph, struct err *err);

/* Appending. Names are copied; NULL makes a fresh one. Value ids come back.
 * A constant's bytes are borrowed, or copied into the arena. */
MUST_USE enum err_code graph_add_input(struct graph *graph, const char *name,
				       struct type type, int32_t *ret_value,
				       struct err *err);
MUST_USE enum err_code graph_add_constant(struct graph *graph, const char *name,
					  const struct tensor_view *view,
					  int32_t *ret_value, struct err *err);
MUST_USE enum err_code graph_copy_constant(struct graph *graph,
					   const char *name,
					   const struct tensor_view *view,
					   int32_t *ret_value, struct err *err);
MUST_USE enum err_code graph_add_variable(struct graph *graph, const char *name,
					  enum role role,
					  const struct tensor_view *view,
					  int32_t *ret_value, struct err *err);
/** attrs are copied with their lists (NULL: the defaults). Makes n_out values,
 * ids in out. Once every present input has a type, operands are checked and
 * outputs typed (port_unify); else that is left to facts_type_graph(). */
MUST_USE enum err_code graph_add_node(struct graph *graph, const struct op *op,
				      const char *name, const void *attrs,
				      const int32_t *in, int32_t n_in,
				      int32_t *out, int32_t n_out,
				      struct err *err);
MUST_USE enum err_code graph_add_output(struct graph *graph, int32_t value,
					struct err *err);
MUST_USE enum err_code graph_add_assign(struct graph *graph, int32_t variable,
					int32_t value, struct err *err);
MUST_USE enum err_code graph_rename(struct graph *graph, int32_t value,
				    const char *name, struct err *err);

/** VALUE_NONE: none. Walks all values. */
int32_t graph_find_value(const struct graph *graph, const char *name);
static inline const int32_t *graph_in(const struct graph *graph,
				      const struct graph_node *node)
{
	return graph->edge + node->first_in;
}
static inline const int32_t *graph_out(const struct graph *graph,
				       const struct graph_node *node)
{
	return graph->edge + node->first_out;
}
/** The node that makes a value, or NULL. */
const struct graph_node *graph_producer(const struct graph *graph,
					int32_t value);
/** Of each value: nodes, outputs and assigns. readers[n_value]. */
void graph_count_readers(const struct graph *graph, int32_t *readers);
/** Replaces every use of value `from` by `to` (edges, outputs, assigns). */
void graph_replace_uses(struct graph *graph, int32_t from, int32_t to);
/** For many at once: forward[value] is the value to use instead (or itself);
 * chains are followed. forward[n_value]. */
void graph_forward_uses(struct graph *graph, int32_t *forward);
/** Drops nodes marked dead and those that neither outputs nor assigns need, and
 * restores an order that can run (Kahn; ties as before). Values keep their ids;
 * those of dropped nodes have source VALUE_NONE. ERR_INVALID names a node on a
 * cycle or one that reads a dropped node's value. */
MUST_USE enum err_code graph_tidy(struct graph *graph, struct err *err);

#endif
