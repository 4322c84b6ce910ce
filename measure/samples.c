/* SPDX-License-Identifier: Apache-2.0 */
#include "measure/samples.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/mem.h"

enum { FIRST_CAP = 1024 };

void samples_init(struct samples *samples)
{
	*samples = (struct samples){ 0 };
}

void samples_finish(struct samples *samples)
{
	mem_free(samples->ns);
	samples_init(samples);
}

enum err_code samples_add(struct samples *samples, int64_t ns, struct err *err)
{
	if (samples->n == samples->cap) {
		size_t cap = samples->cap ? samples->cap * 2 : FIRST_CAP;
		int64_t *grown =
		    mem_resize(samples->ns, cap, sizeof(*samples->ns));

		if (!grown)
			return err_set(err, ERR_NO_MEMORY,
				       "%zu measurements: out of memory", cap);
		samples->ns = grown;
		samples->cap = cap;
	}
	samples->ns[samples->n++] = ns;
	return ERR_NONE;
}

bool samples_is_done(const struct samples *samples, int64_t deadline_ns)
{
	if (samples->n >= SAMPLES_MAX)
		return true;
	return samples->n >= SAMPLES_LEAST &&
	       clock_monotonic_ns() >= deadline_ns;
}

static int by_time(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

struct samples_summary samples_summarize(struct samples *samples)
{
	size_t n = samples->n;
	const size_t half = n / 2, p99 = (n * 99 + 99) / 100;

	assert(n);
	qsort(samples->ns, n, sizeof(*samples->ns), by_time);
	return (struct samples_summary){
		.min_us = (double)samples->ns[0] / 1e3,
		.median_us = (double)samples->ns[half] / 1e3,
		.p99_us = (double)samples->ns[p99 - 1] / 1e3,
	};
}

size_t samples_peak_rss(void)
{
	struct rusage usage;

	if (getrusage(RUSAGE_SELF, &usage))
		return 0;
	return (size_t)usage.ru_maxrss * 1024;
}
