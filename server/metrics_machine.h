/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Metrics of this process and of the machine it runs on.
 *
 * The machine's are under the names that Triton's dashboards read.
 *
 * Ownership: the caller's struct. Threads: any.
 */
#ifndef SERVER_METRICS_MACHINE_H
#define SERVER_METRICS_MACHINE_H

#include <stdatomic.h>
#include <stdint.h>

struct buf;

struct metrics_machine {
	int64_t start_ms; /**< of the process, since 1970 */
	/* ticks of all processors at the last scrape */
	atomic_uint_least64_t busy, total;
};

void metrics_machine_write(struct metrics_machine *machine, struct buf *buf);

#endif
