/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Body plans: plans of the bodies that a plan's tail runs (If, Loop, Scan),
 * kept from turn to turn and from run to run.
 *
 * A body whose inputs have the same types and shapes for the third time is
 * planned, with the constants that it captures as its own; from then on a turn
 * copies its inputs, runs the plan and copies the results. Bodies that a plan
 * cannot run as a whole (unknown shapes, bodies inside, sequences, strings,
 * variables, random numbers), that come with too many signatures or with large
 * inputs to copy stay with the interpreter.
 *
 * Ownership: create/destroy; bodies must outlive it.
 * Threads:   one at a time.
 * Limits:    BODY_PLANS_SIGNATURES plans a body, BODY_PLANS_BYTES copied a
 *            turn.
 */
#ifndef ENGINE_BODY_PLANS_H
#define ENGINE_BODY_PLANS_H

#include "engine/plan.h"
#include "engine/run_heap.h"

enum {
	BODY_PLANS_SIGNATURES = 4,
	BODY_PLANS_TURNS = 3, /**< of one signature before it is planned */
	BODY_PLANS_BYTES = 1 << 18,
};

struct body_plans;

MUST_USE enum err_code body_plans_create(const struct plan_options *options,
					 struct body_plans **ret_plans,
					 struct err *err);
/** NULL is fine. */
void body_plans_destroy(struct body_plans *plans);

/** One turn of a body, as frame_run() has it. */
struct body_turn {
	const struct graph *body;
	const struct item *in;
	struct item *out;
	struct run_heap *heap;
};

/** *ret_steps: how many steps it took; 0: the interpreter is to run it. */
MUST_USE enum err_code body_plans_run(struct body_plans *plans,
				      const struct body_turn *turn,
				      size_t *ret_steps, struct err *err);

#endif
