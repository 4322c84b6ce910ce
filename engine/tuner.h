/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Tuner: chooses kernels of convolutions and products for one model, by
 * measuring where several could run a shape.
 *
 * What the process has answered already (engine/tuning.h) is followed. An open
 * question is measured as long as the model's budget lasts: every kernel that
 * can, and that is not predicted to be hopeless, is prepared and runs a few
 * times in turn on this thread (engine/kernel_trial.h). What counts is the time
 * of the slices that the busiest of the plan's threads would get. One that is
 * predicted to be best keeps its place unless another is faster by MARGIN.
 * Without budget, what is predicted is the answer, and it stays that.
 *
 * A question tells the number of threads, and nothing of the weights' values.
 *
 * Ownership: the tuning is borrowed and must outlive it; the tuner must outlive
 *            plans that it is given to, and their instances.
 * Threads:   tuner_prepare() and tuner_stop() may be called from any.
 */
#ifndef ENGINE_TUNER_H
#define ENGINE_TUNER_H

#include <stdatomic.h>

#include "engine/kernel.h"
#include "engine/tuning.h"

struct tuner {
	struct tuning *tuning; /**< NULL: kernels are chosen as predicted */
	atomic_int_least64_t left_ns;
};

/** Of a model that is loaded; a good budget. */
#define TUNER_BUDGET_NS INT64_C(1000000000)

void tuner_init(struct tuner *tuner, struct tuning *tuning, int64_t budget_ns);
/** From now on nothing is measured. */
void tuner_stop(struct tuner *tuner);

/** What the query asks, the same text for equal questions; false: no question
 * to be measured. */
bool tuner_question(const struct kernel_query *query,
		    char ret_text[TUNING_QUESTION_MAX]);
/** As kernel_prepare() of kernels that need not be quick; tuner NULL: the same.
 */
MUST_USE enum err_code tuner_prepare(struct tuner *tuner,
				     const struct kernel_query *query,
				     const struct kernel **ret_kernel,
				     struct kernel_setup *ret_setup,
				     struct err *err);

#endif
