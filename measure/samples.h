/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Samples: how long each of many runs took, and what that says.
 *
 * Ownership: init/finish. Threads: one.
 * Limits:    keeps the first SAMPLES_MAX; a benchmark ends there.
 */
#ifndef MEASURE_SAMPLES_H
#define MEASURE_SAMPLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum { SAMPLES_MAX = 1 << 20, SAMPLES_LEAST = 5 };

struct samples {
	int64_t *ns;
	size_t n, cap;
};

/** Microseconds. */
struct samples_summary {
	double min_us, median_us, p99_us;
};

void samples_init(struct samples *samples);
void samples_finish(struct samples *samples);
MUST_USE enum err_code samples_add(struct samples *samples, int64_t ns,
				   struct err *err);
/** Enough: at least SAMPLES_LEAST, and the time is over or the room full. */
bool samples_is_done(const struct samples *samples, int64_t deadline_ns);
/** Sorts them. Nearest ranks; the median of an even count is the upper one.
 * n must not be 0. */
struct samples_summary samples_summarize(struct samples *samples);

/** Most memory this process has held in RAM so far, in bytes. */
size_t samples_peak_rss(void);

#endif
