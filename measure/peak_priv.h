/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Peak, inside: the loops of peak_loops.c, one table a level of CPU.
 */
#ifndef MEASURE_PEAK_PRIV_H
#define MEASURE_PEAK_PRIV_H

#include <stddef.h>
#include <stdint.h>

struct peak_loops {
	double flops; /**< of one turn of multiply() */
	/** So many turns; the result keeps the compiler from leaving them out.
	 */
	float (*multiply)(int64_t turns);
	/** bytes: a multiple of 1,024; from: 64-byte aligned. */
	uint64_t (*read)(const void *from, size_t bytes);
};

extern const struct peak_loops peak_loops_base, peak_loops_v3, peak_loops_v4;

#endif
