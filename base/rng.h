/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Random numbers that are a function of their place, not of a history.
 *
 * Philox4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel Random Numbers: As Easy
 * as 1, 2, 3", SC 2011). The number of element e depends on seed, stream, step
 * and e only, so any thread may compute any part in any order, and a resumed
 * run draws what the first would have drawn. Element e is word e % 4 of block
 * e / 4: key = seed, counter = (block low, block high, stream, step).
 *
 * Each use takes its own stream (dropout, shuffle, init ...): uniform, normal
 * and bounded numbers of one element are not independent of each other.
 *
 * Ownership: plain data. Threads: pure functions.
 * Limits:    2^56 elements.
 */
#ifndef BASE_RNG_H
#define BASE_RNG_H

#include <stddef.h>
#include <stdint.h>

struct rng {
	uint64_t seed;
	uint32_t stream; /**< what for: a constant of the caller */
	uint32_t step;	 /**< which step, epoch or row */
};

/** The bare function: ten rounds on counter under key. */
void rng_philox(const uint32_t counter[4], const uint32_t key[2],
		uint32_t ret_words[4]);

uint32_t rng_u32(struct rng rng, uint64_t element);
/** [0, 1), a multiple of 2^-24. */
float rng_uniform(struct rng rng, uint64_t element);
/** Mean 0, variance 1 (Box and Muller 1958). */
float rng_normal(struct rng rng, uint64_t element);
/** [0, bound), without bias; bound > 0. */
uint64_t rng_below(struct rng rng, uint64_t element, uint64_t bound);

/** out[i] = the number of element first + i. */
void rng_fill_u32(struct rng rng, uint64_t first, size_t n, uint32_t *out);
void rng_fill_uniform(struct rng rng, uint64_t first, size_t n, float *out);
void rng_fill_normal(struct rng rng, uint64_t first, size_t n, float *out);

/** 0 .. n-1 in an order of equal chance (Fisher and Yates). */
void rng_permutation(struct rng rng, size_t n, int64_t *out);

#endif
