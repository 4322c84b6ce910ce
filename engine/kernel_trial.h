/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Kernel trial: one query run alone, on operands made for it.
 *
 * Inputs whose values are known are those; other floats are uniform in
 * [-1, 1), the same ones in every process; everything else is zero. So kernels
 * that answer the same query can be compared: by time (engine/tuning.h) or by
 * what comes out (engine/plan_deviation.h).
 *
 * Ownership: create/destroy; the query must outlive it.
 * Threads:   one; slices run one after the other on the caller's thread.
 * Limits:    ERR_UNSUPPORTED for strings, ERR_TOO_LARGE for operands above
 *            KERNEL_TRIAL_BYTES together.
 */
#ifndef ENGINE_KERNEL_TRIAL_H
#define ENGINE_KERNEL_TRIAL_H

#include "engine/kernel.h"

#define KERNEL_TRIAL_BYTES ((size_t)1 << 30)

struct kernel_trial;

MUST_USE enum err_code kernel_trial_create(const struct kernel_query *query,
					   struct kernel_trial **ret_trial,
					   struct err *err);
/** NULL is fine. */
void kernel_trial_destroy(struct kernel_trial *trial);

/** Runs what prepare() made of the query; *ret_ns (may be NULL): how long the
 * run took, without binding. */
MUST_USE enum err_code kernel_trial_run(struct kernel_trial *trial,
					const struct kernel *kernel,
					const struct kernel_setup *setup,
					int64_t *ret_ns, struct err *err);
/** Elements of an operand, as the last run left them; NULL: it is absent. */
const void *kernel_trial_in(const struct kernel_trial *trial, unsigned i);
const void *kernel_trial_out(const struct kernel_trial *trial, unsigned i);

#endif
