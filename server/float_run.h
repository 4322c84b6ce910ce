/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Float run: the plain middle of a JSON array of floats.
 *
 * Commas are found 64 bytes at a time, so that no element waits for the end of
 * the one before it. An element is read here where it is written without an
 * exponent and in few digits, which is what clients send; a run stops before
 * the first element that is not so, and the caller's walk reads it. Both read
 * the same bits.
 *
 * The element's digits are an integer w below 2^63, its value w * 10^-n; that
 * product as a double is off by less than 3 units of its last place (the
 * integer, the power and the product are rounded once each), so the float it
 * rounds to is right unless the middle of two floats lies as near, which is
 * seen in the last bits. Then the walk decides.
 *
 * Ownership: borrows all. Threads: pure but for out and n.
 */
#ifndef SERVER_FLOAT_RUN_H
#define SERVER_FLOAT_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct float_run {
	const char *begin; /**< where reading may begin: before `at` */
	uint32_t *out;	   /**< bits of floats, [count] */
	size_t *n;	   /**< how many there are; counted on */
	size_t count;
	bool is_nested; /**< in two arrays or more */
};

/** Returns the start of the first element that was not read: behind a comma,
 * or behind a bracket that opens at this depth. */
typedef const char *float_run_fn(const char *at, const char *end,
				 const struct float_run *run);

/** The fastest one of this CPU. */
float_run_fn *float_run_find(void);
/** How many this CPU runs, the plainest first: tests try each. */
unsigned float_run_levels(void);
float_run_fn *float_run_find_level(unsigned level);

#endif
