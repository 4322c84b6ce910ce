/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Passes: rewrites of a whole graph, each a plain function.
 *
 * A pass appends nodes, forwards values and marks nodes dead; graph_tidy()
 * ends it. Values keep their ids, so that what others know of them stays true.
 *
 * Ownership: a pass changes the graph that it is given: hand in your own copy.
 * Threads:   one writer.
 */
#ifndef ENGINE_PASSES_PASS_H
#define ENGINE_PASSES_PASS_H

#include "engine/facts.h"
#include "engine/graph.h"

/** Types alone, no shapes: puts Cast around every node whose kernels lack the
 * type of an input (dtype_info()->arith), so that kernels see six arithmetic
 * types. Between two such nodes the wide value goes on as it is, unrounded;
 * casts that nobody needs are left out. Types must be known. Called once, by
 * plan_create() on its own copy; the interpreter widens node by node. */
MUST_USE enum err_code graph_widen(struct graph *graph, struct err *err);

/** With shapes: blocks the channels of convolutions whose weights are known and
 * of what lies between them, and joins to each convolution what follows it. */
MUST_USE enum err_code graph_block(struct graph *graph, struct facts *facts,
				   bool *ret_changed, struct err *err);

#endif
