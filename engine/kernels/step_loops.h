/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Step loops: one step of an LSTM of n units, there and back, for some rows.
 * Compiled once for each level of CPU.
 *
 * Weights lie in panels, the columns of a few units side by side and each as
 * long as the sum is. What becomes of a sum is made while the sum is at hand,
 * and meanwhile the memory for the next one is on its way. A row's numbers are
 * the same whatever rows stand beside it, so that a batch may be cut anywhere.
 *
 * Threads: const tables; pure functions.
 */
#ifndef ENGINE_KERNELS_STEP_LOOPS_H
#define ENGINE_KERNELS_STEP_LOOPS_H

#include <stdint.h>

enum { STEP_GATES = 4, STEP_KEPT = 6 };

/** a = pre + bias + h R^T, then gates i o f g, c and h of the step, where kept
 * is i o f g tanh(c) c. Rows of h and y are n apart, those of pre 4 n, of kept
 * 6 n. `y` is not h, nor `c` in kept. */
struct step_there {
	int64_t rows, n;
	const float *h, *panels, *pre, *bias;
	const float *c; /**< before the step, rows c_step apart */
	int64_t c_step;
	float *kept, *y;
};

/** dh = start + dy + after R, where `after` are gates' gradients of the next
 * step; any of them may be NULL. Then gradients of this step's gates, and dc
 * goes from c to c before. Without dgates, dh is the result. */
struct step_back {
	int64_t rows, n;
	const float *after, *panels, *start, *dy;
	const float *kept, *c; /**< c: before the step, rows c_step apart */
	int64_t c_step;
	float *dc, *dgates, *dh;
};

struct step_loops {
	int64_t units[2]; /**< of a panel, there and back */
	/** R [4 n, n] into panels of step_panels() floats. */
	void (*pack_there)(const float *r, int64_t n, float *to);
	void (*pack_back)(const float *r, int64_t n, float *to);
	void (*there)(const struct step_there *step);
	void (*back)(const struct step_back *step);
};

/** Floats of R in panels: way 0 is there, 1 is back. */
static inline int64_t step_panels(const struct step_loops *loops, int way,
				  int64_t n)
{
	const int64_t units = loops->units[way];

	return (n + units - 1) / units * units * STEP_GATES * n;
}

/** The best level that this CPU runs. */
const struct step_loops *step_loops(void);
/** Level number 0 to loop_levels() - 1: tests try each. */
const struct step_loops *step_loops_level(unsigned level);

#endif
