/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Run times: how long runs of a model take, by how many rows they are padded
 * to.
 *
 * A run of many rows may take many times as long as one of a single row, or
 * hardly longer, where it is the weights that take the time. So times are kept
 * for each size; one that has not been run is judged by the next smaller one,
 * as if each row took its time.
 *
 * Ownership: embedded in its owner.
 * Threads:   any; relaxed, of runs that end together one may be forgotten.
 */
#ifndef SERVER_RUN_TIMES_H
#define SERVER_RUN_TIMES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { RUN_SIZES = 12 };

struct run_times {
	atomic_int_least64_t ns[RUN_SIZES]; /**< of late; 0: not run yet */
	atomic_int_least64_t ns_per_row;    /**< of late, in runs of any size */
};

/** The size that a run of that many rows is padded to; above the largest, their
 * number itself. */
int64_t run_padded(int64_t rows);

void run_times_init(struct run_times *times);
void run_times_learn(struct run_times *times, int64_t rows, int64_t ns);
/** Whether a run of that padded size has been. */
bool run_times_knows(const struct run_times *times, int64_t rows);
/** What a run of so many rows takes; 0: nothing is known. */
int64_t run_times_predict(const struct run_times *times, int64_t rows);
/** How many of so many rows to run first, and what they all take then: all of
 * them, padded, or as many as the next smaller size has. */
int64_t run_times_split(const struct run_times *times, int64_t rows,
			int64_t *ret_ns);
/** Takes over the sizes that another model has run, and this one not: their
 * times in proportion to runs of one row. */
void run_times_follow(struct run_times *times, const struct run_times *from);

#endif
