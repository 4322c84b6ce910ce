/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Trainer, inside: its members, and the evaluation beside the steps.
 *
 * Threads: one caller.
 */
#ifndef TRAINING_TRAINER_PRIV_H
#define TRAINING_TRAINER_PRIV_H

#include "data/batch.h"
#include "training/trainer.h"
#include "training/weights.h"

struct trainer {
	struct trainer_options options;
	const struct job_spec *spec;
	struct arena *arena;
	struct stepper *stepper;
	struct loader *loader;
	struct safetensors model, moments; /* the live memory */
	struct weights_snapshot best;
	int64_t *order;
	int64_t n_train, steps_per_epoch, total_steps;
	struct checkpoint_state state;
	struct trainer_eval last, best_eval;
	int64_t start_ns, event_ns, saved_ns, saved_step;
	int64_t event_samples;
	struct trainer_progress progress;
	double before_seconds; /* of earlier attempts */
};

/** What is wanted now. */
enum trainer_order trainer_poll(struct trainer *trainer);
/** The figures of an epoch; keeps the weights when they are the best. */
MUST_USE enum err_code trainer_evaluate(struct trainer *trainer,
					bool *ret_cancelled, struct err *err);
/** The weights that a finished run leaves: the best, and their figures on the
 * test part. */
MUST_USE enum err_code trainer_conclude(struct trainer *trainer,
					struct err *err);
/** The figures of the best weights after a resume, measured again so that
 * they need not be stored. */
MUST_USE enum err_code trainer_recall_best(struct trainer *trainer,
					   struct err *err);

#endif
