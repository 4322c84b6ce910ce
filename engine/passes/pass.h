/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Pass: a rewrite of a whole graph that makes it cheaper to run.
 *
 * LOAD passes run once over a model that is served, without shapes, in rounds
 * until nothing changes; constants that they make are shared by all plans.
 * PLAN passes run in every plan, when shapes are known, each once, in the
 * order of passes.def. A pass appends nodes, forwards values, marks nodes dead
 * (op = NULL) and ends with graph_tidy(). Values keep their ids, so that what
 * others know of them stays true.
 *
 * Training starts from graphs that no LOAD pass has seen, and so does export.
 *
 * Ownership: a pass changes the graph that it is given: hand in your own.
 * Threads:   one writer. Rows are const.
 */
#ifndef ENGINE_PASSES_PASS_H
#define ENGINE_PASSES_PASS_H

#include "engine/facts.h"
#include "engine/graph.h"
#include "engine/passes/pass_switch.h"

struct facts;
struct plan_options;
struct rewrite;

enum pass_flag { PASS_LOAD = 1, PASS_PLAN = 2 };
enum { RANK_ANY = -1 };

struct pass_context {
	struct graph *graph;
	struct arena *arena;   /**< zeroed memory for this run of this pass */
	const int *input_rank; /**< LOAD: see passes_load(); may be NULL */
	struct facts *facts;   /**< PLAN: of all values; LOAD: NULL */
	const struct plan_options *options; /**< PLAN; LOAD: NULL */
};

struct pass {
	const char *name, *help;
	unsigned flags; /**< of enum pass_flag */
	/** *ret_changed is false before the call. The graph is tidy after it.
	 */
	enum err_code (*run)(const struct pass_context *context,
			     bool *ret_changed, struct err *err);
	/** In place of run: see engine/passes/rewrite.h. */
	const struct rewrite *rewrites;
};

/** Rows in the order in which they run; NULL when i is past the end. */
const struct pass *pass_at(unsigned i);

/** All LOAD passes that are on, over a typed graph and its bodies.
 * input_rank: of each graph input, RANK_ANY where it is not known; NULL: none
 * is. */
MUST_USE enum err_code passes_load(struct graph *graph, const int *input_rank,
				   struct pass_switch passes, struct err *err);
/** All PLAN passes that options->passes leaves on. */
MUST_USE enum err_code passes_plan(struct graph *graph, struct facts *facts,
				   const struct plan_options *options,
				   bool *ret_changed, struct err *err);

#endif
