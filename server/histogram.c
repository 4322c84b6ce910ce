/* SPDX-License-Identifier: Apache-2.0 */
#include "server/histogram.h"

#define US(n) ((uint64_t)(n)*1000)
#define MS(n) ((uint64_t)(n)*1000000)

const struct histogram_bounds histogram_request_times = {
	.n = 14,
	.le = { US(500), MS(1), MS(2), MS(5), MS(10), MS(25), MS(50), MS(100),
		MS(250), MS(500), MS(1000), MS(2500), MS(5000), MS(10000) },
	.unit = 1e-9,
};

const struct histogram_bounds histogram_run_times = {
	.n = 15,
	.le = { US(10), US(20), US(50), US(100), US(200), US(500), MS(1), MS(2),
		MS(5), MS(10), MS(25), MS(50), MS(100), MS(250), MS(1000) },
	.unit = 1e-9,
};

const struct histogram_bounds histogram_batches = {
	.n = 12,
	.le = { 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64 },
	.unit = 1,
};

void histogram_init(struct histogram *histogram,
		    const struct histogram_bounds *bounds)
{
	histogram->bounds = bounds;
	for (unsigned i = 0; i <= HISTOGRAM_MAX; i++)
		atomic_init(&histogram->bucket[i], 0);
	atomic_init(&histogram->sum, 0);
}

void histogram_observe(struct histogram *histogram, uint64_t value)
{
	const struct histogram_bounds *bounds = histogram->bounds;
	unsigned i = 0;

	while (i < bounds->n && value > bounds->le[i])
		i++;
	atomic_fetch_add_explicit(&histogram->bucket[i], 1,
				  memory_order_relaxed);
	atomic_fetch_add_explicit(&histogram->sum, value, memory_order_relaxed);
}
