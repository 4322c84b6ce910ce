/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Worker, inside: its members, and the rehearsals beside the job itself.
 *
 * Threads: one.
 */
#ifndef TRAINING_WORKER_PRIV_H
#define TRAINING_WORKER_PRIV_H

#include "models/network.h"
#include "training/worker.h"
#include "training/worker_link.h"

struct worker {
	const struct worker_options *options;
	struct worker_link *link;
	struct arena *arena;
	const char *job_id;
	struct job_spec spec;
	char spec_digest[DIGEST_HEX_MAX], fingerprint[DIGEST_HEX_MAX];
	struct pipeline *pipeline;
	struct dataset *dataset;
	struct network network;
	struct pool *pool;
	struct trainer *trainer;
	struct trainer_result result;
	const char *published_model;
	int64_t published_version;
	unsigned threads;
	int lock_fd;
};

/* Callback of the trainer; ctx: the worker. */
void worker_send_step(void *ctx, const struct trainer_progress *p);
/* Of a condition: a metric's value, NaN where there is none; ctx: the
 * evaluation. */
double worker_figure(const void *ctx, const char *name);
/* A member "best", where there is one. */
void worker_write_best(const struct worker *worker,
		       const struct trainer_eval *best, struct json_writer *w);

/* Each says "done" with its result. */
MUST_USE enum err_code worker_dry_run(struct worker *worker, struct err *err);
MUST_USE enum err_code worker_check(struct worker *worker, struct err *err);
MUST_USE enum err_code worker_lr_find(struct worker *worker, struct err *err);
MUST_USE enum err_code worker_evaluate(struct worker *worker, struct err *err);
/* Needs no job. */
MUST_USE enum err_code worker_unpack(struct worker *worker, struct err *err);

#endif
