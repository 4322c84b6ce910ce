/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * The passes `blocked` and `narrow`, inside: their state, and rules by
 * operator.
 *
 * A value of the graph as it was may have a twin: the same value, blocked, or
 * with its channels last. A rule makes the twins of a node's results from those
 * of its inputs, or says that it does not apply; then the node stays and reads
 * plain values.
 *
 * Ownership: everything is in the pass's arena or the graph's.
 * Threads:   one.
 */
#ifndef ENGINE_PASSES_BLOCKED_PRIV_H
#define ENGINE_PASSES_BLOCKED_PRIV_H

#include "engine/build.h"
#include "engine/ops/blocked.h"

struct blocking;
/** Makes the twin of the node's output 0. False: the node stays. */
typedef bool blocking_rule(struct blocking *b, const struct graph_node *node);

struct blocking {
	/** NULL: the node stays. */
	blocking_rule *(*rule_of)(const struct op *op);
	/** A value in its plain form, from its twin. */
	int32_t (*plain_of)(struct blocking *b, int32_t value);
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
	bool *is_flat;	  /**< `narrow`: the twin's shape is the plain one */
	bool changed;
};

/** The whole walk; graph, facts, arena and the two functions are there. */
MUST_USE enum err_code blocking_run(struct blocking *b, struct err *err);

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

/** Rules of `blocked` and of `narrow`. */
blocking_rule *blocking_rule_of(const struct op *op);
blocking_rule *narrow_rule_of(const struct op *op);

/* blocked_conv.c */
blocking_rule blocking_conv;
/** Joins what follows a ConvBlocked to it; false: nothing to join. */
blocking_rule blocking_join_sum, blocking_join_activation;
/** The epilogue that an activation node is. */
bool blocking_epilogue(const struct blocking *b, const struct graph_node *node,
		       struct epilogue *ret);

/* blocked_rules.c */

/** What an operand of an elementwise operator is beside an image. */
enum blocking_part {
	PART_IMAGE,   /**< the image's own shape */
	PART_CHANNEL, /**< an element a channel (and image) */
	PART_SCALAR,
	PART_OTHER
};
enum blocking_part blocking_part_of(const struct shape *image,
				    const struct shape *x);
/** Some operand is an image that has a twin, and all others go with it. */
bool blocking_operands_fit(const struct blocking *b,
			   const struct graph_node *node,
			   const struct shape *image);
/** The node's only input is averaged over all axes of its plane, which stay
 * with extent 1. */
bool blocking_is_plane_mean(const struct blocking *b,
			    const struct graph_node *node);

#endif
