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
	int64_t n_train, n_epoch; /* training rows; those of an epoch */
	int64_t steps_per_epoch, total_steps;
	struct checkpoint_state state;
	struct trainer_eval last, best_eval;
	int64_t start_ns, event_ns, saved_ns;
	bool is_saved; /* a checkpoint says what state says */
	bool wants_checkpoint;
	bool has_best_weights; /* they are in `best` */
	bool is_monitored;     /* the monitor is measured at all */
	int64_t event_samples;
	struct trainer_progress progress;
	double before_seconds; /* of earlier attempts */
};

void trainer_warn(struct trainer *trainer, const char *code,
		  const char *message);
/** One step, counted; nothing of it remains where it gave NaN. */
MUST_USE enum err_code trainer_train_on(struct trainer *trainer,
					const struct batch *batch,
					bool *ret_is_nan, struct err *err);
/** What is wanted now; a wish for a checkpoint is kept in the trainer. */
enum trainer_order trainer_poll(struct trainer *trainer);
/* These are broken off by an order to end, which *ret_order tells: then
 * nothing counts. */
/** The figures of an epoch; keeps the weights when they are the best. */
MUST_USE enum err_code trainer_evaluate(struct trainer *trainer,
					enum trainer_order *ret_order,
					struct err *err);
/** The weights that a finished run leaves: the best, and their figures on the
 * test part. Only a cancel breaks it off. */
MUST_USE enum err_code trainer_conclude(struct trainer *trainer,
					enum trainer_order *ret_order,
					struct err *err);
/** The figures of the best weights after a resume, measured again so that
 * they need not be stored. */
MUST_USE enum err_code trainer_recall_best(struct trainer *trainer,
					   enum trainer_order *ret_order,
					   struct err *err);

#endif
