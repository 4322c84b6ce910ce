/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Widen: Cast around nodes whose kernels lack a type. Not a row of the table
 * of passes (pass.h): no plan works without it.
 *
 * Ownership: changes the graph that it is given: hand in your own copy.
 * Threads:   one writer.
 */
#ifndef ENGINE_PASSES_WIDEN_H
#define ENGINE_PASSES_WIDEN_H

#include "engine/graph.h"

/** Types alone, no shapes: puts Cast around every node whose kernels lack the
 * type of an input (dtype_info()->arith), so that kernels see six arithmetic
 * types. Between two such nodes the wide value goes on as it is, unrounded;
 * casts that nobody needs are left out. Types must be known. Called once, by
 * plan_create() on its own copy; the interpreter widens node by node. */
MUST_USE enum err_code graph_widen(struct graph *graph, struct err *err);

#endif
