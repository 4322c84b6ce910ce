/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Limit: the memory that all requests under way may hold together.
 *
 * Bodies and tensors are counted in before they are allocated and counted out
 * when their request is answered; beyond the budget a request is refused with
 * ERR_BUSY before its body is read, or with ERR_TOO_LARGE where it alone would
 * be beyond it.
 *
 * Ownership: the caller's struct. Threads: any.
 */
#ifndef SERVER_LIMIT_H
#define SERVER_LIMIT_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct limit {
	size_t max_bytes;
	atomic_size_t held_bytes;
	atomic_uint_least64_t n_refused;
};

/** Memory this process may use, by its cgroup or the machine. */
size_t limit_usable_bytes(void);
/** max_bytes 0: a quarter of the memory this process may use, by its cgroup
 * or the machine. */
void limit_init(struct limit *limit, size_t max_bytes);
MUST_USE enum err_code limit_take(struct limit *limit, size_t bytes,
				  struct err *err);
void limit_give(struct limit *limit, size_t bytes);

#endif
