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

/** One segment under way. The outputs hold the old values already; a moment
 * that nobody reads goes through spare memory. */
struct optimizer_segment {
	const struct kernel_call *call;
	struct row_update update;
	unsigned n_moments;
	bool only_looks; /**< moments are spare ones too */
	float spare[1 + OPTIMIZER_MAX_MOMENTS][UPDATE_BLOCK];
	float room[UPDATE_BLOCK];
};

void optimizer_segment_init(struct optimizer_segment *s,
			    const struct kernel_call *call, const float *hyper);
/** The block at `at` into s->update, with its gradient. */
void optimizer_load_block(struct optimizer_segment *s, int64_t at,
			  int64_t last);
/** The loop over all blocks. */
void optimizer_run_segment(struct optimizer_segment *s, update_loop *loop,
			   int64_t first, int64_t last);
/** What a slice of whole segments does: copies what lies there, and calls
 * `update` for each where the norm is finite. */
void optimizer_run_parameters(const struct kernel_call *call, unsigned slice,
			      void (*update)(struct optimizer_segment *s,
					     size_t i, void *scratch),
			      void *scratch);
/** NULL where there is none of that name. */
const struct optimizer_rule *optimizer_rule_find(const char *op);
void optimizer_run(const struct kernel_call *call, unsigned slice,
		   void *scratch);
MUST_USE enum err_code optimizer_prepare(const struct kernel_query *query,
					 struct kernel_setup *ret,
					 struct err *err);
double optimizer_cost(const struct kernel_query *query);
void muon_run(const struct kernel_call *call, unsigned slice, void *scratch);
MUST_USE enum err_code muon_prepare(const struct kernel_query *query,
				    struct kernel_setup *ret, struct err *err);
double muon_cost(const struct kernel_query *query);
MUST_USE enum err_code optimizer_infer(struct infer *infer, const struct op *op,
				       struct err *err);

#endif
