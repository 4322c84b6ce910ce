/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Queue: pointers that move between threads, first in, first out, bounded.
 *
 * Who puts an item forgets it; who takes it owns it. After queue_close() puts
 * are refused and takes drain what is left, then say ERR_CANCELLED.
 *
 * Ownership: create/destroy; items that are left at destroy are the caller's
 *            to take out before.
 * Threads:   every function but destroy may be called from any thread.
 * Limits:    `capacity` items; never grows.
 */
#ifndef BASE_QUEUE_H
#define BASE_QUEUE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct queue;

MUST_USE enum err_code queue_create(size_t capacity, struct queue **ret_queue,
				    struct err *err);
/** ERR_BUSY when full, ERR_CANCELLED when closed. Never blocks. */
MUST_USE enum err_code queue_try_put(struct queue *queue, void *item);
/** Waits for room until the deadline (clock_monotonic_ns(); CLOCK_FOREVER):
 * ERR_DEADLINE, or ERR_CANCELLED when closed. */
MUST_USE enum err_code queue_put(struct queue *queue, void *item,
				 int64_t deadline_ns);
/** Waits for an item until the deadline: ERR_DEADLINE, or ERR_CANCELLED when
 * closed and empty. A deadline in the past polls. */
MUST_USE enum err_code queue_take(struct queue *queue, int64_t deadline_ns,
				  void **ret_item);
/** How many wait at this moment. */
size_t queue_count(struct queue *queue);
/** Wakes everybody. May be called twice. */
void queue_close(struct queue *queue);
/** NULL is fine. No thread may be inside. */
void queue_destroy(struct queue *queue);

#endif
