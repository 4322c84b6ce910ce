/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * What the files of the training step share.
 *
 * Ownership: everything lives in the step graph's arena.
 * Threads:   one.
 */
#ifndef ENGINE_TRAIN_STEP_PRIV_H
#define ENGINE_TRAIN_STEP_PRIV_H

#include "engine/build.h"
#include "engine/train_step.h"

struct train_work {
	struct graph *graph; /**< the step graph */
	struct build build;
	const struct train_memory *memory;
	const struct train_step_options *options;
	int32_t n_base_node, n_base_variable;
	int32_t target, step, hyper, share; /**< inputs */
	int32_t loss, norm;
};

static inline bool train_is_frozen(const struct train_work *work,
				   int32_t variable)
{
	return work->options->frozen && work->options->frozen[variable];
}

/** Training forms in place of evaluation forms, then graph_tidy(). */
MUST_USE enum err_code train_forms(struct train_work *work, struct err *err);
/** The training form of an LSTM node, where there is one: what stands for its
 * outputs. */
MUST_USE enum err_code train_lstm(struct train_work *work,
				  const struct graph_node *node,
				  int32_t ret_out[3], bool *ret_did,
				  struct err *err);
/** Gradients, their norm, the optimizer and its assigns. */
MUST_USE enum err_code train_update(struct train_work *work, struct err *err);

#endif
