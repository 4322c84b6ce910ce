/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Checkpoint: everything that a run needs to go on bit for bit.
 *
 * A folder ckpt-<step>/ beneath the job's: model.safetensors (parameters and
 * statistics), optim.safetensors (moments), best.safetensors (the best weights
 * so far, where there are any), average.safetensors (averaged weights, the
 * same), history.safetensors (curves), state.json, and manifest.json with the
 * size and SHA-256 of each, written last. It is written as .tmp-ckpt, synced,
 * renamed, and the parent synced: a crash leaves the old ones or the new one.
 * Random numbers need no state: they are functions of (seed, stream, step,
 * element).
 *
 * Ownership: a loaded checkpoint owns its bytes; tensors point into them.
 * Threads:   one.
 */
#ifndef TRAINING_CHECKPOINT_H
#define TRAINING_CHECKPOINT_H

#include "base/digest.h"
#include "base/spill.h"
#include "models/safetensors.h"
#include "training/diagnosis.h"
#include "training/metric.h"
#include "training/schedule.h"

#define CHECKPOINT_PREFIX "ckpt-"

enum { CHECKPOINT_PARTS = 5 };

/** Where a run stands. Every member is in state.json. */
struct checkpoint_state {
	int64_t epoch, step, batch_in_epoch;
	double train_loss, train_weight; /**< running average, debiased */
	struct metric_sums sum;		 /**< of the epoch so far */
	bool has_best;
	double best_value;
	int64_t best_step, best_epoch, wait;
	struct metric_sums best_sum; /**< of its epoch */
	struct schedule_watch watch;
	struct diagnosis_watch diagnosis;
	int64_t phase;	       /**< whose optimizer the moments are */
	int64_t batch;	       /**< of the job: for dropout */
	int64_t judged_step;   /**< when the last evaluation was */
	int64_t averaged_step; /**< of the last epoch that swa took in */
	int64_t n_averaged, n_rollbacks;
	double rate_factor; /**< of the rate, after rollbacks; 0: 1 */
	double found_rate;  /**< of the phase, where it is auto; 0: none */
	int64_t samples;
	double seconds; /**< of training, all attempts together */
	/** These weights were evaluated and judged; `epoch` counts it. */
	bool is_epoch_over;
	const char *fingerprint, *spec_digest, *plan_digest, *version;
};

struct checkpoint {
	struct arena *arena;
	struct checkpoint_state state;
	struct safetensors model, optim;
	struct safetensors best, average, history; /**< n 0: none */
	char *bytes[CHECKPOINT_PARTS];
};

struct checkpoint_write {
	const struct checkpoint_state *state;
	/** model, optim; best, average, history, or NULL */
	const struct safetensors *part[CHECKPOINT_PARTS];
	int64_t keep; /**< how many stay */
	/** Tensors that lie in it leave memory once written; NULL: none do. */
	const struct spill *spill;
};

/** *ret_name: "ckpt-000000938", in `arena`. ERR_NO_SPACE and other failures
 * leave what was there; ERR_IO where the folder is lost. */
MUST_USE enum err_code checkpoint_save(const char *job_dir,
				       const struct checkpoint_write *what,
				       struct arena *arena,
				       const char **ret_name, struct err *err);
/** Names of a folder's checkpoints, oldest first, in `arena`; they are not
 * looked into. ERR_NOT_FOUND without the folder. */
MUST_USE enum err_code checkpoint_list(const char *job_dir, struct arena *arena,
				       const char ***ret_names, size_t *ret_n,
				       struct err *err);

/** What could not be used of a folder's checkpoints. */
struct checkpoint_skipped {
	size_t n;	 /**< newer than the one that was loaded */
	char name[64];	 /**< of the newest of them */
	struct err why;	 /**< of the same */
	bool is_foreign; /**< one of them is of another format */
};

/** The newest that verifies; *ret is NULL where there is none. ret_skipped may
 * be NULL. ERR_CONFLICT where none can be used and one is of another format:
 * another version wrote it, and nobody wants the run to begin anew unasked. */
MUST_USE enum err_code checkpoint_load(const char *job_dir,
				       struct checkpoint **ret,
				       struct checkpoint_skipped *ret_skipped,
				       struct err *err);
/** NULL is fine. */
void checkpoint_destroy(struct checkpoint *checkpoint);

#endif
