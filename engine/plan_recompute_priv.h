/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Recomputation, inside: what is known of a step, and a choice of cuts.
 *
 * Ownership: everything is in the planner's arena.
 * Threads:   one.
 */
#ifndef ENGINE_PLAN_RECOMPUTE_PRIV_H
#define ENGINE_PLAN_RECOMPUTE_PRIV_H

#include <stdint.h>

#include "engine/planner_priv.h"

/** A position that never comes. */
enum { RECOMPUTE_NEVER = INT32_MAX };

/** An item is a node number, or ~number for the node's clone. */
struct recompute {
	struct planner *p;
	struct graph *graph;
	int32_t n; /* values; the clone of value v is v + n */
	/* by value */
	int32_t *root, *made_at, *read_at; /* forward positions, of roots */
	size_t *bytes;
	bool *is_kept;	  /* root: whatever the cuts are */
	bool *is_saved;	  /* root: the way back reads it */
	bool *is_dropped; /* root: of the cuts at hand */
	int32_t *last;	  /* by value and clone: the last item that reads it */
	bool *is_live;
	bool *is_whole;	    /* root: a Concat whose parts lie in it */
	size_t *part_bytes; /* root: of its parts that are there */
	/* by node */
	bool *is_forward, *is_cloned;
	int32_t *segment, *stack;
	double *cost;
	size_t *scratch;
	/* by position on the way forward */
	int32_t *forward, n_forward;
	size_t *crossing; /* bytes that the rest of the way forward reads */
	bool *is_cut;	  /* after it */
	size_t saved;	  /* bytes that the way back reads */
	int32_t *item, n_items;
	double us; /* of the clones */
	int32_t n_tries;
};

/** Cuts, and what they come to. */
struct recompute_choice {
	bool *is_cut;
	size_t peak;
	double us;
};

/** The node that makes a value, or -1. */
static inline int32_t recompute_maker(const struct graph *graph, int32_t value)
{
	if (value == VALUE_NONE || graph->value[value].origin != ORIGIN_NODE)
		return -1;
	return graph->value[value].source;
}

static inline int32_t recompute_root(const struct recompute *r, int32_t value)
{
	return plan_root_of(r->root, value);
}

/** A dropped value, which the way back reads from a clone. */
bool recompute_is_again(const struct recompute *r, int32_t value);
/** Whether anything helps; items, clones and `dropped` are then those of
 * *best. */
bool recompute_choose(struct recompute *r, struct recompute_choice *best);

#endif
