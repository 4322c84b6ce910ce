/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Step loops: what a recurrent layer does with a few rows, step after step: a
 * product with weights that lie in panels. Compiled once for each level of CPU.
 *
 * Panels: columns go side by side in groups of `width`, each k rows long, the
 * last group filled up with zeros. A row's sums run over k in order, whatever
 * rows it is multiplied with, so that a batch may be cut anywhere.
 *
 * Threads: const tables; pure functions.
 */
#ifndef ENGINE_KERNELS_STEP_LOOPS_H
#define ENGINE_KERNELS_STEP_LOOPS_H

#include <stdint.h>

enum { STEP_WIDTH_MOST = 32 };

/** to[m, n] += a[m, k] b[k, n], with b in panels. n is a multiple of width;
 * rows of a are lda apart, those of `to` n. */
struct step_product {
	int64_t m, n, k, lda;
	const float *a, *panels;
	float *to;
};

struct step_loops {
	int64_t width; /**< columns of a panel */
	void (*product)(const struct step_product *product);
};

/** n columns as panels fill them. */
static inline int64_t step_columns(const struct step_loops *loops, int64_t n)
{
	return (n + loops->width - 1) / loops->width * loops->width;
}

/** b[k, n] by rows, and b given as its transpose [n, k], into panels of
 * step_columns(n) times k floats. */
void step_pack(const struct step_loops *loops, const float *b, int64_t k,
	       int64_t n, float *to);
void step_pack_transposed(const struct step_loops *loops, const float *b,
			  int64_t k, int64_t n, float *to);

/** The best level that this CPU runs. */
const struct step_loops *step_loops(void);
/** Level number 0 to loop_levels() - 1: tests try each. */
const struct step_loops *step_loops_level(unsigned level);

#endif
