/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Job spec: what a person submits to /train, checked and with every default
 * filled in.
 *
 * Reads YAML and JSON alike (base/doc.h). Unknown keys are refused with the
 * nearest valid one. The resolved form, written as JSON, is kept with the job
 * and reads back to the same spec.
 *
 * Ownership: everything lives in the arena; documents are borrowed.
 * Threads:   read only once made.
 */
#ifndef TRAINING_JOB_SPEC_H
#define TRAINING_JOB_SPEC_H

#include "data/augment.h"
#include "data/dataset.h"
#include "engine/numerics.h"
#include "training/condition.h"
#include "training/loss.h"
#include "training/mixup.h"
#include "training/optimizer.h"
#include "training/phase.h"

struct buf;

enum monitor_mode { MODE_AUTO, MODE_MIN, MODE_MAX };

struct trainer_spec {
	int64_t epochs, max_steps, batch_size, eval_batch_size, seed;
	int64_t gradient_accumulation_steps, evaluate_every_n_steps;
	double max_time;
	bool deterministic, cache_features;
	const char *monitor;
	int mode;      /**< enum monitor_mode; resolved to MIN or MAX */
	int precision; /**< of steps: enum products */
	const struct doc *learning_rate, *optimizer, *schedule, *freeze,
	    *phases, *clipping, *mixup, *activation, *watch, *averaging,
	    *on_nan, *early_stopping, *checkpoint;
};

struct clipping_spec {
	double max_norm, max_value; /**< 0: none */
};

/** Of recurrent layers (engine/train_step.h). */
struct activation_spec {
	double alpha, beta; /**< of activations, of their changes; 0: none */
};

/** What is watched besides metrics (training/watch.h). */
struct watch_spec {
	bool update_ratio, dead_units;
};

/** A second set of weights, which is evaluated, kept and published. */
enum averaging_type { AVERAGE_NONE, AVERAGE_EMA, AVERAGE_SWA };

struct averaging_spec {
	int type;	     /**< enum averaging_type */
	double decay;	     /**< ema */
	int64_t start_epoch; /**< from 0: epochs before it are left out */
};

enum nan_action { NAN_FAIL, NAN_ROLLBACK };

struct nan_spec {
	int action; /**< enum nan_action */
	double lr_factor;
	int64_t max_retries;
};

struct early_stopping_spec {
	int64_t patience; /**< evaluations without improvement; -1: off */
	double min_delta;
	int64_t min_epochs;
	bool restore_best;
};

struct checkpoint_spec {
	int64_t every_n_steps, every_n_epochs;
	double every_n_seconds;
	int64_t keep_last, keep_best;
};

struct resources_spec {
	int64_t threads, nice, memory_limit, priority;
};

struct publish_spec {
	const char *model; /**< NULL: not published */
	const char *when;  /**< NULL: always */
	bool set_default;
	const struct doc *version_doc;
	int64_t version; /**< 0: the next one */
	const struct condition *condition;
};

struct job_spec {
	const char *name, *base_model, *resume_from;
	const struct doc *data_map, *input_features, *output_features, *model,
	    *trainer_map, *resources_map, *publish_map, *augmentation_map;
	struct augment_spec augmentation;
	struct dataset_spec data;
	struct trainer_spec trainer;
	struct optimizer optimizer;
	struct phases phases;
	struct clipping_spec clipping;
	struct mixup_spec mixup;
	struct activation_spec activation;
	struct watch_spec watch;
	struct averaging_spec averaging;
	struct nan_spec on_nan;
	struct early_stopping_spec early_stopping;
	struct checkpoint_spec checkpoint;
	struct resources_spec resources;
	struct publish_spec publish;
	struct loss loss;
	bool has_pictures;	 /**< among its inputs */
	const char *output_type; /**< of the one output feature */
	const char *index_input; /**< the first that is a category, or NULL */
	const char *const
	    *metrics; /**< names that events carry; ends with NULL */
};

/** Reads and checks all that can be checked without the data. */
MUST_USE enum err_code job_spec_read(const struct doc *doc,
				     struct job_spec *ret, struct arena *arena,
				     struct err *err);
/** The resolved form, as one JSON object. */
MUST_USE enum err_code job_spec_write(const struct job_spec *spec,
				      struct buf *buf, struct err *err);
/** Parses text, YAML or JSON by its first character, and reads it. */
MUST_USE enum err_code job_spec_parse(const char *text, size_t len,
				      const char *name, struct job_spec *ret,
				      struct arena *arena, struct err *err);

#endif
