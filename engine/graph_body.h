/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Graph body: graphs that nodes of another graph run (If, Loop, Scan).
 *
 * The last n_captured inputs of a node are values of the outer graph that its
 * bodies read; they are the last inputs of every body, in the same order, and
 * none is VALUE_NONE.
 *
 * Ownership: a body lives in the arena of the outermost graph.
 * Threads:   as in graph.h.
 */
#ifndef ENGINE_GRAPH_BODY_H
#define ENGINE_GRAPH_BODY_H

#include "engine/graph.h"

/** Gives the node made last its bodies, in the order of op->bodies, and types
 * its outputs. The bodies live in the graph's arena (graph_create_body). */
MUST_USE enum err_code graph_set_bodies(struct graph *graph,
					struct graph *const *body,
					int32_t n_captured, struct err *err);
/** An empty graph in the arena of another, with which it ends. */
MUST_USE enum err_code graph_create_body(struct graph *graph,
					 struct graph **ret_body,
					 struct err *err);

#endif
