/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Batch tuner: how long a batch waits for company, so that an objective for
 * the latency holds.
 *
 * It watches the longest time that a call of each run spent (in the queue and
 * in the run), how many rows the runs had, and how often calls come. After
 * every TUNER_RUNS runs it decides: where one run in twenty takes longer than
 * the objective, the window shrinks, and where there is no window left, the
 * largest batch does; where nobody comes within the window, waiting is of no
 * use and it shrinks, too, and is not tried again for a while; where there is
 * time left and runs are not full, it grows by a fiftieth of the objective, to
 * half of it at most.
 *
 * Ownership: the caller's struct.
 * Threads:   under the lock of the batcher.
 */
#ifndef SERVER_BATCH_TUNER_H
#define SERVER_BATCH_TUNER_H

#include <stdint.h>

enum { TUNER_RUNS = 32, TUNER_PAUSE = 64 };

struct batch_tuner {
	int64_t objective_ns; /**< 0: nothing is tuned */
	int64_t max_batch;    /**< the configured one */
	int64_t window_ns;    /**< what it says now */
	int64_t max_rows;
	/* since the last decision */
	unsigned n_runs;
	int64_t spent_ns[TUNER_RUNS], rows;
	int64_t n_calls, since_ns;
	uint64_t n_decisions;
	unsigned n_pause; /**< decisions until waiting is tried again */
	int64_t late_ns; /**< what 19 of 20 runs stayed below at the last one */
};

/** window_ns: to begin with. */
void batch_tuner_init(struct batch_tuner *tuner, int64_t objective_ns,
		      int64_t window_ns, int64_t max_batch);
/** A run has ended at now_ns: n_calls calls, the longest of which spent
 * spent_ns. */
void batch_tuner_observe(struct batch_tuner *tuner, unsigned n_calls,
			 int64_t rows, int64_t spent_ns, int64_t now_ns);

#endif
