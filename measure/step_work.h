/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Step work: what a step has to do, whoever does it: floating point
 * operations, where its operator is known to be made of products, and bytes of
 * its operands, each counted once.
 *
 * Threads: pure functions.
 */
#ifndef MEASURE_STEP_WORK_H
#define MEASURE_STEP_WORK_H

#include "engine/plan.h"

struct step_work {
	double flops; /**< 0: not made of products */
	double bytes; /**< read and written */
};

struct step_work step_work(const struct plan_step_info *step);

#endif
