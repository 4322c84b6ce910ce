/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Autodiff, inside: the state of a sweep, and rules that are graph text.
 *
 * Ownership: a sweep owns its arena.
 */
#ifndef ENGINE_AUTODIFF_PRIV_H
#define ENGINE_AUTODIFF_PRIV_H

#include "engine/autodiff.h"

enum { AUTODIFF_MAX_DEPTH = 16 };

/** Gradients handed in: grad[i] (or VALUE_NONE) belongs to value[i]. */
struct seed_list {
	const int32_t *value, *grad;
	size_t n;
};

/** What is asked of a sweep: gradients by wrt[i] into grad[i]. */
struct question {
	struct seed_list seeds;
	const int32_t *wrt;
	size_t n;
	int32_t *grad;
};

/** What to differentiate: nodes first to end - 1. Values from `base` on belong
 * to them; of those before, only the `outer` ones can want a gradient. */
struct range {
	int32_t first, end, base;
	const int32_t *outer;
	int32_t n_outer;
};

/** One part of a value's gradient; parts of one value are a list. */
struct part {
	int32_t value, next;
};

struct sweep {
	struct build *build;
	struct arena *arena;
	struct range range;
	unsigned depth; /**< of bodies in bodies */
	int32_t n_slots;
	/* by slot */
	int32_t *source;       /**< the wanted value it depends on, or NONE */
	bool *reaches;	       /**< the loss depends on it */
	int32_t *first, *last; /**< parts, in the order they came */
	int32_t *total;	       /**< their sum, once it was asked for */
	struct part *part;
	int32_t n_parts, cap_parts;
};

/** On failure too, the caller destroys the arena. */
MUST_USE enum err_code sweep_init(struct sweep *sweep, struct build *build,
				  const struct range *range, unsigned depth,
				  struct err *err);
/** Slot of a value, or -1 for one that is none of the sweep's. */
int32_t sweep_slot(const struct sweep *sweep, int32_t value);
/** Only floats have gradients. */
bool sweep_is_float(const struct graph *graph, int32_t value);
/** Forward: which values depend on a wanted one, and on which. */
void sweep_mark_sources(struct sweep *sweep);
/** Backward: which values lead to the loss. Nodes on the way without a rule
 * are told together. */
MUST_USE enum err_code sweep_mark_paths(struct sweep *sweep, struct err *err);
/** The first wanted value that a node's outputs depend on, where the loss
 * depends on them, or NONE: the node is on no path. */
int32_t sweep_path_source(const struct sweep *sweep,
			  const struct graph_node *node);
MUST_USE enum err_code sweep_add_part(struct sweep *sweep, int32_t slot,
				      int32_t value, struct err *err);
/** The gradient of a slot's value: its one part, or the Sum of all. */
MUST_USE enum err_code sweep_total(struct sweep *sweep, int32_t slot,
				   int32_t *ret, struct err *err);

/** Appends what a row's `grad` says of the wanted inputs. */
MUST_USE enum err_code autodiff_text_rule(struct vjp *vjp, struct err *err);
/** Appends a row's body, fed by the node's inputs; out[i] is its output i. */
MUST_USE enum err_code autodiff_append_body(struct vjp *vjp, int32_t *out,
					    struct err *err);

#endif
