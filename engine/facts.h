/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Facts: shapes and known values of every value of a graph, by one sweep.
 *
 * Where all inputs of a node have values and the result is small (at most
 * FACTS_MAX_VALUE elements or 16 MiB) or takes at most four times their room,
 * the reference kernel runs now; large values are forgotten once all their
 * readers have been run so. Shape and Size always know theirs. A node whose
 * shape only a run can tell (OP_DYNAMIC, an unknown value input) gives facts
 * without shape.
 *
 * Ownership: facts_create's result owns an arena; known values point into it
 *            or into constants.
 * Limits:    folded values take at most four times the constants' bytes and
 *            64 MiB at once; beyond that a node is left to the run.
 * Threads:   one at a time while growing; then read only.
 */
#ifndef ENGINE_FACTS_H
#define ENGINE_FACTS_H

#include "engine/op.h"

enum { FACTS_MAX_VALUE = 4096 };

struct facts {
	struct arena *arena;
	struct fact *fact; /**< [n], by value id */
	int32_t n, cap;
	size_t constants;      /**< bytes of those met: a measure for folding */
	struct facts_big *big; /**< large values, in blocks of their own */
	size_t big_bytes;
	int32_t *readers; /**< not folded yet; NULL: nobody counts */
	bool is_lean;	  /**< of facts_create_shapes() */
};

/** Element types of every value, from those of inputs, constants and
 * variables, checked against the ports. Fills graph->value[].type.
 * All refusals are collected in one message that names each node. */
MUST_USE enum err_code facts_type_graph(struct graph *graph, struct err *err);

/** input[i]: fact of graph input i (shape, and value where known). */
MUST_USE enum err_code facts_create(const struct graph *graph,
				    const struct fact *input,
				    struct facts **ret_facts, struct err *err);
/** The same for who asks for shapes: no value of more than FACTS_MAX_VALUE
 * elements is computed. */
MUST_USE enum err_code facts_create_shapes(const struct graph *graph,
					   const struct fact *input,
					   struct facts **ret_facts,
					   struct err *err);
/** An empty one that grows with facts_node(); inputs are added by hand. */
MUST_USE enum err_code facts_create_empty(struct facts **ret_facts,
					  struct err *err);
MUST_USE enum err_code facts_set(struct facts *facts, int32_t value,
				 const struct fact *fact, struct err *err);
/** Infers node number `node`, appended after the last sweep; constants and
 * variables among its inputs are taken from the graph. */
MUST_USE enum err_code facts_node(struct facts *facts,
				  const struct graph *graph, int32_t node,
				  struct err *err);
void facts_destroy(struct facts *facts);

#endif
