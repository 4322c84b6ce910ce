/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Profile job: what the profiling commands share, which is watching the runs of
 * one plan and telling where their time went.
 *
 * Runs that somebody watches and runs that nobody does take turns, so that the
 * cost of watching shows and both meet the same neighbours.
 *
 * Ownership: finish; what is watched is borrowed. Threads: one.
 */
#ifndef MEASURE_PROFILE_JOB_H
#define MEASURE_PROFILE_JOB_H

#include "measure/profile_print.h"

struct args;

struct profile_job {
	/** Runs `instance` once; data is the caller's. */
	enum err_code (*run)(void *data, struct err *err);
	void *data;
	struct instance *instance;
	double seconds; /**< how long to measure */
	struct profile profile;
	struct samples alone;
};

/** Rows of a command's flags, and how its usage names them. */
#define PROFILE_JOB_FLAGS                                                \
	{ "trace", "FILE", "write the last run as trace events there" }, \
	    { "top", "N", "the N dearest steps only (30)" },             \
	{                                                                \
		"json", NULL, "one JSON object, with every step"         \
	}
#define PROFILE_JOB_USAGE "[--trace FILE] [--top N] [--json]"

/** Measures, and prints what those flags ask for. */
MUST_USE enum err_code profile_job_run(struct profile_job *job,
				       const struct args *args,
				       struct err *err);
void profile_job_finish(struct profile_job *job);

#endif
