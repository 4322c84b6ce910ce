/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Float digits: the shortest decimals of many floats at once.
 *
 * The same steps as decimal_write_float() takes for one, over blocks of
 * floats in loops that compilers turn into vectors; built once a level of CPU.
 * The texts are laid out one after another, by whoever asked.
 *
 * Threads: pure functions.
 */
#ifndef SERVER_FLOAT_DIGITS_H
#define SERVER_FLOAT_DIGITS_H

#include <stdint.h>

enum { FLOAT_DIGITS = 16 };

/** Of each float that is finite and not 0: nine digits with the point after
 * the first `point` of them. Of others: anything. */
struct float_digits {
	uint32_t first[FLOAT_DIGITS]; /**< a digit from 1 to 9 */
	/** four digits each, the first in the lowest byte, less '0' */
	uint32_t high[FLOAT_DIGITS], low[FLOAT_DIGITS];
	int32_t point[FLOAT_DIGITS];
};

/** From the bits of FLOAT_DIGITS floats. */
typedef void float_digits_fn(const uint32_t *bits, struct float_digits *ret);

/** The fastest one of this CPU. */
float_digits_fn *float_digits_find(void);
/** That of a level (engine/kernels/loops.h counts them), for tests. */
float_digits_fn *float_digits_find_level(unsigned level);

#endif
