/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Stepper thrift: what a stepper's memory is, and how it does with less.
 *
 * Ownership: as the stepper's (stepper.h). Threads: one.
 */
#ifndef TRAINING_STEPPER_THRIFT_H
#define TRAINING_STEPPER_THRIFT_H

#include "training/stepper.h"

/** How to do with less memory. Losses and weights have the same bits. */
struct stepper_thrift {
	bool shares_block; /**< all plans run in one block */
	size_t arena_goal; /**< of steps (engine/plan.h); 0: none */
	bool one_scratch;  /**< the same */
};

void stepper_save_memory(struct stepper *stepper,
			 const struct stepper_thrift *thrift);
/** Evaluates n rows of zeros, so that what libraries take then is there. */
MUST_USE enum err_code stepper_try(struct stepper *stepper, int64_t n,
				   struct err *err);
/** Gives plans and their memory back; they are made again where needed. */
void stepper_rest(struct stepper *stepper);

#endif
