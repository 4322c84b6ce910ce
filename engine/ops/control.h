/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * What operators with bodies share.
 *
 * Ownership: as in engine/evaluate.h. Threads: one run.
 */
#ifndef ENGINE_OPS_CONTROL_H
#define ENGINE_OPS_CONTROL_H

#include "engine/evaluate.h"

/** Operands of one turn of a body, and what it gave. */
struct turn {
	const struct evaluate *call;
	const struct graph *body;
	struct frame *frame;
	struct item *in;  /**< [body->n_input]; the last are the captured */
	struct item *out; /**< [body->n_output] */
	int32_t n_own;	  /**< inputs before the captured ones */
};

MUST_USE enum err_code turn_init(struct turn *turn, const struct evaluate *call,
				 const struct graph *body, struct err *err);
void turn_finish(struct turn *turn);
/** Runs the body and drops its own inputs. */
MUST_USE enum err_code turn_run(struct turn *turn, struct err *err);

/** Results of many turns, which end as one tensor or sequence. */
struct pile {
	struct item block;
	struct sequence *sequence;
	size_t n;
};
/** Takes the item. */
MUST_USE enum err_code pile_push(struct run_heap *heap, struct pile *pile,
				 struct item *item, struct err *err);
void pile_drop(struct run_heap *heap, struct pile *pile);
/** The items' order turned around. */
void pile_reverse(struct pile *pile);

/** Checks that a body takes and gives that many values. */
MUST_USE enum err_code control_check_body(const struct graph_node *node,
					  unsigned i, int64_t n_in,
					  int64_t least_out, struct err *err);
/** Facts of a body's outputs when no turn tells them: what the shapes of
 * turn->in say. Shape [0, ...] in ret, or [0] where only a run could tell. */
MUST_USE enum err_code control_no_turns(const struct turn *turn, int32_t output,
					int64_t axis, struct item *ret,
					struct err *err);

#endif
