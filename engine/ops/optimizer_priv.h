/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Optimizer rows, inside: one rule a row, and what all rows share.
 *
 * Threads: const tables; pure functions.
 */
#ifndef ENGINE_OPS_OPTIMIZER_PRIV_H
#define ENGINE_OPS_OPTIMIZER_PRIV_H

#include <stddef.h>

#include "engine/kernel.h"
#include "engine/kernels/update_loops.h"
#include "engine/ops/optimizer.h"

struct optimizer_rule {
	const char *op;
	size_t loop;	      /**< offset of its loop in struct update_loops */
	bool is_by_parameter; /**< scaled by norms of whole parameters */
	unsigned (*moments)(const struct optimizer_attrs *attrs);
	/** Changes what differs from the common columns; may be NULL. */
	void (*fill)(const struct optimizer_setting *setting, double t,
		     double value[OPTIMIZER_HYPER]);
};

/** NULL where there is none of that name. */
const struct optimizer_rule *optimizer_rule_find(const char *op);
void optimizer_run(const struct kernel_call *call, unsigned slice,
		   void *scratch);
MUST_USE enum err_code optimizer_prepare(const struct kernel_query *query,
					 struct kernel_setup *ret,
					 struct err *err);
double optimizer_cost(const struct kernel_query *query);
MUST_USE enum err_code optimizer_infer(struct infer *infer, const struct op *op,
				       struct err *err);

#endif
