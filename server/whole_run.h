/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Whole run: the plain middle of a JSON array of integers, as a float run
 * (server/float_run.h) is of floats.
 *
 * It stops before the first element that is not a whole number of its type, or
 * that has more than 16 digits (8 without vectors), and the caller's walk reads
 * or refuses it.
 *
 * Ownership: borrows all. Threads: pure but for out and n.
 */
#ifndef SERVER_WHOLE_RUN_H
#define SERVER_WHOLE_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct whole_run {
	const char *begin; /**< where reading may begin: before `at` */
	void *out;	   /**< [count], little-endian */
	size_t size;	   /**< of an element: 1, 2, 4 or 8 bytes */
	uint64_t limit[2]; /**< the largest magnitude: from 0 up, below 0 */
	size_t *n;	   /**< how many there are; counted on */
	size_t count;
	bool is_nested; /**< in two arrays or more */
};

/** Returns the start of the first element that was not read: behind a comma,
 * or behind a bracket that opens at this depth. */
typedef const char *whole_run_fn(const char *at, const char *end,
				 const struct whole_run *run);

/** The fastest one of this CPU. */
whole_run_fn *whole_run_find(void);
/** That of a level (engine/kernels/loops.h counts them), for tests. */
whole_run_fn *whole_run_find_level(unsigned level);

#endif
