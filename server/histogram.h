/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Histogram: counts of observations between fixed bounds.
 *
 * Times are kept in nanoseconds and written in seconds, as Prometheus wants
 * them; other quantities are written as they are.
 *
 * Ownership: the caller's struct. Threads: any; counters are relaxed, so a
 * scrape may see a bucket one ahead of the sum.
 */
#ifndef SERVER_HISTOGRAM_H
#define SERVER_HISTOGRAM_H

#include <stdatomic.h>
#include <stdint.h>

enum { HISTOGRAM_MAX = 16 };

struct histogram_bounds {
	unsigned n;
	uint64_t le[HISTOGRAM_MAX]; /**< inclusive, ascending */
	double unit;		    /**< what 1 is worth in the text */
};

struct histogram {
	const struct histogram_bounds *bounds;
	atomic_uint_least64_t bucket[HISTOGRAM_MAX + 1]; /**< not cumulated */
	atomic_uint_least64_t sum;
};

/** 0.5 ms to 10 s. */
extern const struct histogram_bounds histogram_request_times;
/** 10 us to 1 s. */
extern const struct histogram_bounds histogram_run_times;
/** 1 to 64 rows. */
extern const struct histogram_bounds histogram_batches;

void histogram_init(struct histogram *histogram,
		    const struct histogram_bounds *bounds);
void histogram_observe(struct histogram *histogram, uint64_t value);

#endif
