/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Trainer: epochs of steps over a dataset, evaluated, watched, saved.
 *
 * Goes on from the newest checkpoint in its folder bit for bit, wherever the
 * last run ended. The best weights by `monitor` are kept beside the current
 * ones and are what a finished run leaves in the graph (restore_best).
 *
 * Ownership: create/destroy; borrows spec, dataset, pipeline, graph, pool.
 * Threads:   one caller; poll() is asked between two steps.
 */
#ifndef TRAINING_TRAINER_H
#define TRAINING_TRAINER_H

#include "data/dataset.h"
#include "training/baseline.h"
#include "training/checkpoint.h"
#include "training/job_spec.h"
#include "training/lr_finder.h"
#include "training/memory.h"
#include "training/metric.h"
#include "training/stepper.h"

/** What somebody wants of a running trainer. */
enum trainer_order {
	ORDER_NONE,
	ORDER_CHECKPOINT,
	ORDER_PAUSE,  /**< checkpoint and end as paused */
	ORDER_STOP,   /**< checkpoint and end as interrupted */
	ORDER_CANCEL, /**< end at once */
};

enum stop_reason {
	STOP_COMPLETED,
	STOP_EARLY,
	STOP_MAX_TIME,
	STOP_MAX_STEPS,
	STOP_CANCELLED,
	STOP_PAUSED,
	STOP_INTERRUPTED,
	STOP_NAN,
};

struct trainer_eval;

struct trainer_progress {
	int64_t epoch, epochs, step, total_steps, samples;
	double samples_per_second, eta_seconds, percent;
	double train_loss; /**< running average, debiased */
	double rate, momentum, grad_norm;
	const struct trainer_eval *best; /**< step 0: none yet */
	enum diagnosis diagnosis;	 /**< of the newest evaluation */
};

struct watch;

/** Figures of an evaluation; NaN where there is none. */
struct trainer_eval {
	int64_t epoch, step;
	const char *const *name; /**< the spec's metrics */
	double value[3 * METRIC_MAX];
	bool is_best;
	enum diagnosis diagnosis;
	double gap;	     /**< of overfitting: validation - training loss */
	int64_t since_epoch; /**< of overfitting */
	const struct watch *watch; /**< in an event; NULL otherwise */
};

struct trainer_events {
	void *ctx;
	void (*step)(void *ctx, const struct trainer_progress *progress);
	void (*eval)(void *ctx, const struct trainer_eval *eval);
	void (*checkpoint)(void *ctx, int64_t step, const char *name);
	/** A phase (from 0) whose rate is auto has found one. */
	void (*lr_find)(void *ctx, const struct lr_curve *curve, size_t phase,
			double rate);
	void (*warning)(void *ctx, const char *code, const char *message);
	enum trainer_order (*poll)(void *ctx);
};

struct trainer_options {
	const struct job_spec *spec;
	const struct dataset *dataset;
	const struct pipeline *pipeline;
	struct graph *graph;
	struct shape state; /**< of the network (models/network.h) */
	struct pool *pool;
	unsigned threads;
	const char *job_dir;   /**< NULL: no checkpoints */
	const char *spill_dir; /**< for what does not fit; NULL: nowhere */
	const char *spec_digest;
	const struct trainer_events *events;
};

struct trainer_result {
	enum stop_reason reason;
	struct trainer_eval last, best; /**< best.step 0: none */
	enum diagnosis diagnosis;	/**< of the run, where it ended */
	struct baseline baseline;
	double seconds;
};

struct history;
struct json_writer;
struct trainer;

/** Plans the run and its memory. ERR_NO_MEMORY where that is above the job's
 * memory_limit, whatever is saved. */
MUST_USE enum err_code trainer_create(const struct trainer_options *options,
				      struct trainer **ret_trainer,
				      struct err *err);
const struct job_memory *trainer_memory(const struct trainer *trainer);
/** After a run: gives back what only steps need. */
void trainer_rest(struct trainer *trainer);
MUST_USE enum err_code trainer_run(struct trainer *trainer,
				   struct trainer_result *ret, struct err *err);
/** Seconds of one training step of a full batch, over n steps whose effect is
 * undone; for a dry run. */
MUST_USE enum err_code trainer_time_step(struct trainer *trainer, int n,
					 double *ret_seconds, struct err *err);
/** Steps under rising rates, from the weights as they are; parameters,
 * statistics and optimizer have the same bits afterwards. An order to end
 * breaks it off, which *ret_order tells. */
MUST_USE enum err_code trainer_find_rate(struct trainer *trainer,
					 struct lr_curve *ret_curve,
					 enum trainer_order *ret_order,
					 struct err *err);
/** Figures as a finished run has them, of what the newest checkpoint has: the
 * best weights, or the last ones. ERR_NOT_FOUND: there is no checkpoint. */
MUST_USE enum err_code trainer_assess(struct trainer *trainer,
				      struct trainer_eval *ret,
				      struct err *err);
/** Of the rows that were measured last, which a finished run's figures are of:
 * the test part, or the validation part where there is none. */
void trainer_report(const struct trainer *trainer, struct json_writer *writer);
const struct history *trainer_history(const struct trainer *trainer);
struct stepper *trainer_stepper(struct trainer *trainer);
/** Rows of an epoch, as sampled. */
int64_t trainer_epoch_rows(const struct trainer *trainer);
void trainer_destroy(struct trainer *trainer);

#endif
