/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Rate: so many requests a second, and so many at once.
 *
 * The generic cell rate algorithm (ITU-T I.371): one number, the moment at
 * which everything taken so far would be over if it came evenly. A request is
 * refused when that is further ahead than a burst lasts.
 *
 * Ownership: the caller's struct. Threads: any.
 */
#ifndef SERVER_RATE_H
#define SERVER_RATE_H

#include <stdatomic.h>
#include <stdint.h>

struct rate {
	int64_t gap_ns;	  /**< between requests; 0: no limit */
	int64_t burst_ns; /**< how far ahead requests may be */
	atomic_int_least64_t over_ns;
};

/** per_second 0: no limit. burst 0: what a second lets through, at least 1. */
void rate_init(struct rate *rate, double per_second, double burst);
/** Changes the limit and keeps what was taken. */
void rate_set(struct rate *rate, double per_second, double burst);
/** 0 when one more request is taken; else how long to wait, in ns. */
int64_t rate_take(struct rate *rate, int64_t now_ns);

#endif
