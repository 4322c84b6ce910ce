/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Metrics of jobs: how many are in each state that is no end, and how those
 * that run get on.
 *
 * A job has series while it runs, so that they come and go with the jobs that
 * there are, not with all that ever were. What the store cannot say is left
 * out: the rest of a scrape is worth having.
 *
 * Ownership: what is read lives in the arena handed in. Threads: any.
 * Limits:    1,000 jobs a state are counted.
 */
#ifndef SERVER_METRICS_JOBS_H
#define SERVER_METRICS_JOBS_H

#include "base/arena.h"
#include "base/buf.h"

struct store;

void metrics_jobs_write(struct store *store, struct arena *arena,
			struct buf *buf);

#endif
