/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Train trial: a job's training step, put together as the worker does it and
 * run in this process on one batch that is encoded beforehand.
 *
 * The job's own pipeline, network, loss and optimizer. With --data-root the
 * batch is of the data that the job names; without it, it is synthetic, of the
 * same shapes.
 *
 * Ownership: open/close. Threads: one caller; its pool's helpers come and go
 * inside a step.
 */
#ifndef MEASURE_TRAIN_TRIAL_H
#define MEASURE_TRAIN_TRIAL_H

#include "base/arena.h"
#include "data/batch.h"
#include "models/network.h"
#include "training/stepper.h"

struct args;

struct train_trial {
	struct arena *arena;
	struct job_spec spec;
	struct pipeline *pipeline;
	struct dataset *dataset;
	struct network network;
	struct pool *pool;
	struct stepper *stepper;
	struct loader *loader;
	struct batch *batch;
	int64_t threads;
	double seconds; /**< how long to measure */
	uint64_t step;
};

/** Rows of a command's flags, and how its usage names them. */
#define TRAIN_TRIAL_FLAGS                                                      \
	{ "threads", "T", "threads that share a step (1)" },                   \
	    { "seconds", "S", "how long to measure; at least 5 steps (2)" },   \
	{                                                                      \
		"data-root", "DIR",                                            \
		    "time the job's own data, beneath DIR, not synthetic rows" \
	}
#define TRAIN_TRIAL_USAGE "[--threads T] [--seconds S] [--data-root DIR]"

/** Of the job file that is the command's word. */
MUST_USE enum err_code train_trial_open(const struct args *args,
					struct train_trial *ret_trial,
					struct err *err);
/** One update; a loss that is not finite is an error. */
MUST_USE enum err_code train_trial_step(struct train_trial *trial,
					struct err *err);
/** Twice is fine. */
void train_trial_close(struct train_trial *trial);

#endif
