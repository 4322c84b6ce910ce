/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Trainer, inside: where batches come from, the loader or cached features.
 *
 * Threads: one caller.
 */
#ifndef TRAINING_TRAINER_ROWS_PRIV_H
#define TRAINING_TRAINER_ROWS_PRIV_H

#include "data/batch.h"
#include "training/stepper.h"

struct trainer;

/** The batches under way. */
struct rows_source {
	const int64_t *order; /**< borrowed until the next start */
	int64_t n, next, batch_size;
	bool is_cached;
	struct batch *lent; /**< by the loader */
};

/** Cuts a frozen body off, which ends the features of the phase before: the
 * head and its inputs are then in *phase. */
MUST_USE enum err_code trainer_cut_body(struct trainer *trainer,
					struct stepper_phase *phase,
					struct err *err);
/** Bytes of the phase's features; 0: nothing is cached. */
size_t trainer_feature_bytes(const struct trainer *trainer);
/** Whether so many are kept in memory. */
bool trainer_keeps_features(const struct trainer *trainer, size_t bytes);
/** Rows of epoch `epoch` that are started from now on are augmented, where the
 * job says so; -1: as they are. */
MUST_USE enum err_code trainer_rows_augment(struct trainer *trainer,
					    int64_t epoch, struct err *err);
/** As the loader's (data/batch.h), in the form that the phase trains on. order
 * must stay as it is; a batch is valid until it is given back. */
MUST_USE enum err_code trainer_rows_start(struct trainer *trainer,
					  const int64_t *order, int64_t n,
					  int64_t first, int64_t batch_size,
					  struct err *err);
MUST_USE enum err_code trainer_rows_take(struct trainer *trainer,
					 const struct batch **ret,
					 struct err *err);
void trainer_rows_give(struct trainer *trainer);
#endif
