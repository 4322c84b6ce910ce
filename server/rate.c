/* SPDX-License-Identifier: Apache-2.0 */
#include "server/rate.h"

void rate_set(struct rate *rate, double per_second, double burst)
{
	if (burst < 1)
		burst = per_second > 1 ? per_second : 1;
	rate->gap_ns = per_second > 0 ? (int64_t)(1e9 / per_second) : 0;
	rate->burst_ns = (int64_t)((burst - 1) * (double)rate->gap_ns);
}

void rate_init(struct rate *rate, double per_second, double burst)
{
	rate_set(rate, per_second, burst);
	atomic_init(&rate->over_ns, 0);
}

int64_t rate_take(struct rate *rate, int64_t now_ns)
{
	int64_t over =
	    atomic_load_explicit(&rate->over_ns, memory_order_relaxed);
	int64_t start;

	if (!rate->gap_ns)
		return 0;
	do {
		start = over > now_ns ? over : now_ns;
		if (start - now_ns > rate->burst_ns)
			return start - now_ns - rate->burst_ns;
	} while (!atomic_compare_exchange_weak_explicit(
	    &rate->over_ns, &over, start + rate->gap_ns, memory_order_relaxed,
	    memory_order_relaxed));
	return 0;
}
