/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Rig: a trainer over a job's text, for tests. Everything here asserts.
 *
 * Ownership: begin/end. Threads: one.
 */
#ifndef TESTS_UNIT_TRAINING_RIG_H
#define TESTS_UNIT_TRAINING_RIG_H

#include "base/buf.h"
#include "engine/team.h"
#include "models/network.h"
#include "training/trainer.h"

struct rig {
	struct arena *arena;
	struct job_spec spec;
	struct pipeline *pipeline;
	struct dataset *dataset;
	struct network network;
	struct pool *pool;
	unsigned threads;
	struct trainer_events events;
	struct trainer *trainer;
	struct trainer_result result;
	struct err err;
	/* the order given at poll number order_at, from 1; 0: never */
	enum trainer_order order;
	int64_t order_at, n_polls;
	int n_evals, n_checkpoints, n_warnings, n_steps;
	char warning[64]; /* code of the last */
	struct trainer_eval eval[64];
};

/** Everything but the trainer; text as in a job, without data and features:
 * pictures of 6x6 in 4 classes, `rows` of them. */
void rig_begin(struct rig *rig, const char *text, unsigned threads);
/** Makes a trainer over dir (NULL: none) and runs it. */
void rig_run(struct rig *rig, const char *dir);
void rig_end(struct rig *rig);
/** Bytes of every variable; before rig_end(). */
void rig_weights(const struct rig *rig, struct buf *ret);

#endif
