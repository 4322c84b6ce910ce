/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Graph body: the graphs inside a node (If, Loop, Scan, SequenceMap).
 *
 * A body is a graph in the arena of the one around it, with which it ends.
 * What it captures are inputs of the node, and of the body behind its own.
 *
 * Ownership: the outermost graph owns all.
 * Threads:   none; as a graph.
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
