/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Plan deviation: how far a plan's shortcuts lead.
 *
 * A kernel that is a shortcut (KERNEL_SHORTCUT: Winograd's method) rounds
 * otherwise than the sums that define its operator. Each step of a convolution
 * by such a kernel is run once, with its own weights on inputs that are uniform
 * in [-1, 1), and some of what comes out is compared with sums in double.
 *
 * Ownership: plain data; the node's name is the plan's.
 * Threads:   any; the plan is only read.
 */
#ifndef ENGINE_PLAN_DEVIATION_H
#define ENGINE_PLAN_DEVIATION_H

#include "engine/plan.h"

struct plan_deviation {
	unsigned n_steps; /**< that are shortcuts and were measured */
	/** As a share of the largest output of the step. */
	double largest;
	const char *node_name; /**< where that was; NULL: nowhere */
};

MUST_USE enum err_code plan_deviation(const struct plan *plan,
				      struct plan_deviation *ret,
				      struct err *err);

#endif
