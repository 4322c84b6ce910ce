/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Trainer, inside: its members, and the evaluation beside the steps.
 *
 * Threads: one caller.
 */
#ifndef TRAINING_TRAINER_PRIV_H
#define TRAINING_TRAINER_PRIV_H

#include "data/batch.h"
#include "data/sampling.h"
#include "training/evaluation.h"
#include "training/features.h"
#include "training/history.h"
#include "training/trainer.h"
#include "training/trainer_rows_priv.h"
#include "training/watch.h"
#include "training/weights.h"

struct trainer {
	struct trainer_options options;
	const struct job_spec *spec;
	struct arena *arena;
	struct stepper *stepper;
	struct loader *loader;
	struct rows_source source;
	struct features *features; /* of the phase's frozen body, or NULL */
	bool has_filled;	   /* their cache, or has tried to */
	bool is_running;
	bool shows_others; /* averages or the best weights stand in */
	struct safetensors model, moments; /* the live memory */
	struct weights_snapshot best;
	struct tensor_view *built; /* where the weights were before */
	size_t n_built;
	struct job_memory memory;
	struct weights_snapshot average, raw; /* where weights are averaged */
	struct layer_groups groups;
	struct watch watch;
	bool *frozen;	/* by variable, of the phase */
	double *factor; /* by group, of the phase */
	size_t phase;
	int64_t phase_epoch;	      /* its first */
	struct evaluation evaluation; /* of the part that was last measured */
	enum dataset_part measured;
	struct history history;
	struct baseline baseline;
	int64_t *order;
	int64_t *partner;	   /* of each row of a batch that is mixed */
	int64_t n_train, n_epoch;  /* rows of an epoch; those it trains on */
	struct sampling *sampling; /* NULL: an epoch is the training part */
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
/** The peak, and how to stay below the limit. Ends in the first phase. */
MUST_USE enum err_code trainer_plan_memory(struct trainer *trainer,
					   struct err *err);
/** Of the loader, once it is there. */
void trainer_limit_batches(struct trainer *trainer);
/** Where a copy of weights is to lie: NULL: in memory. */
const char *trainer_spill_dir(const struct trainer *trainer);
/** trainer->order for an epoch: shuffled, or as a stream goes. */
void trainer_order_rows(struct trainer *trainer, int64_t epoch);
/** Do the rows of this batch follow those of the batch before? */
bool trainer_goes_on(const struct trainer *trainer, enum dataset_part part,
		     const struct batch *batch);
/** What metrics take of a batch: its rows, or all tokens of a text. */
struct metric_rows trainer_rows(const struct trainer *trainer,
				const struct batch *batch,
				const struct stepper_result *result);
void trainer_add(const struct trainer *trainer, const struct metric_rows *rows,
		 struct metric_sums *sums);
/** Groups of layers. */
MUST_USE enum err_code trainer_phases_init(struct trainer *trainer,
					   struct err *err);
/** The optimizer, rates and frozen layers of a phase; the checkpoint's state
 * says later where in it the run stands. */
MUST_USE enum err_code trainer_begin_phase(struct trainer *trainer,
					   size_t phase, struct err *err);
/** What the kernels of this phase's steps are called together. */
MUST_USE enum err_code trainer_describe(struct trainer *trainer,
					struct err *err);
/** The rate of a phase that is auto, once. An order breaks it off. */
MUST_USE enum err_code trainer_choose_rate(struct trainer *trainer,
					   enum trainer_order *ret_order,
					   struct err *err);
/** Rate and momentum of the next step. */
void trainer_schedule(const struct trainer *trainer, double *ret_rate,
		      double *ret_momentum);
/** After a step (an epoch): the averages take the weights in. */
void trainer_average_step(struct trainer *trainer);
void trainer_average_epoch(struct trainer *trainer);
/** The averages stand in for the weights, and the weights come back. */
void trainer_show_average(struct trainer *trainer);
void trainer_show_weights(struct trainer *trainer);
/** Scales new weights by the first batch, where `init` is lsuv. */
MUST_USE enum err_code trainer_scale_weights(struct trainer *trainer,
					     struct err *err);
/** Back to the last checkpoint, with a lower rate; false where the job has
 * none, or has tried often enough. */
MUST_USE enum err_code trainer_roll_back(struct trainer *trainer, bool *ret_did,
					 struct err *err);
MUST_USE enum err_code trainer_save(struct trainer *trainer, struct err *err);
MUST_USE enum err_code trainer_restore(struct trainer *trainer,
				       const struct checkpoint *checkpoint,
				       struct err *err);
/** One step, counted; nothing of it remains where it gave NaN. */
MUST_USE enum err_code trainer_train_on(struct trainer *trainer,
					const struct batch *batch,
					bool *ret_is_nan, struct err *err);
/** Where rows are mixed: with which, and how, in the batch that `draw` of the
 * update says. */
void trainer_mix(const struct trainer *trainer, int64_t n,
		 struct stepper_update *update);
/** What is wanted now; a wish for a checkpoint is kept in the trainer. */
enum trainer_order trainer_poll(struct trainer *trainer);
/* These are broken off by an order to end, which *ret_order tells: then
 * nothing counts. */
/** The figures of the weights, or of their averages, and of the epoch so far;
 * keeps them when they are the best. ends_epoch: counts the epoch, too. */
MUST_USE enum err_code trainer_evaluate(struct trainer *trainer,
					bool ends_epoch,
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
