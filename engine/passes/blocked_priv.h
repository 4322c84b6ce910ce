/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * The pass `blocked`, inside: its state, and the rules by operator.
 *
 * A value of the graph as it was may have a twin: the same value, blocked.
 * A rule makes the twins of a node's results from those of its inputs, or
 * says that it does not apply; then the node stays and reads plain values.
 *
 * Ownership: everything is in the pass's arena or the graph's.
 * Threads:   one.
 */
#ifndef ENGINE_PASSES_BLOCKED_PRIV_H
#define ENGINE_PASSES_BLOCKED_PRIV_H

#include "engine/build.h"
#include "engine/ops/blocked.h"

struct blocking {
	struct graph *graph;
	struct facts *facts;
	struct build build;
	struct arena *arena;
	int64_t lanes;
	int32_t n_value; /**< of the graph as it was */
	/* by value of the graph as it was */
	int32_t *twin;	  /**< or VALUE_NONE */
	int32_t *readers; /**< nodes, outputs, assigns */
	bool *is_read;	  /**< in its plain form, by what stays or reorders */
	bool changed;
};

/** The twin of a value that has none yet by a reorder; the twin else. */
int32_t blocking_twin(struct blocking *b, int32_t value);
static inline const struct fact *blocking_fact(const struct blocking *b,
					       int32_t value)
{
	return build_fact(&b->build, value);
}
/** Float, with channels on axis 1, of a shape that can be blocked. */
bool blocking_is_image(const struct blocking *b, int32_t value);
/** The channels of a value fill its blocks. */
static inline bool blocking_is_full(const struct blocking *b, int32_t value)
{
	return blocking_fact(b, value)->shape.dim[1] % b->lanes == 0;
}

/** Makes the twin of the node's output 0. False: the node stays. */
typedef bool blocking_rule(struct blocking *b, const struct graph_node *node);
/** NULL: the node stays. */
blocking_rule *blocking_rule_of(const struct op *op);

/* blocked_conv.c */
blocking_rule blocking_conv;
/** Joins what follows a ConvBlocked to it; false: nothing to join. */
blocking_rule blocking_join_sum, blocking_join_activation;

#endif
