/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Update loops: what an optimizer does to a row of parameters, compiled once
 * for each level of CPU (engine/kernels/loops.h says which there are).
 *
 * Formulas stand in engine/ops/optimizer.c, numbers in a row of hyper
 * (engine/ops/optimizer.h). Contraction is off, so all levels give the same
 * bits.
 *
 * Threads: const tables; pure functions.
 */
#ifndef ENGINE_KERNELS_UPDATE_LOOPS_H
#define ENGINE_KERNELS_UPDATE_LOOPS_H

#include <stdbool.h>
#include <stdint.h>

enum { UPDATE_BLOCK = 512 };

/** Neighbouring parameters under one row of hyper, updated where they lie.
 * grad is spent. */
struct row_update {
	int64_t n; /**< at most UPDATE_BLOCK */
	float *param, *moment[3], *grad;
	const float *hyper;
	bool momentum, nesterov, centered, amsgrad;
	float trust; /**< lars, lamb: the ratio of norms */
};

typedef void update_loop(struct row_update *update);

struct update_loops {
	/** grad = the clipped and decayed gradient. */
	void (*load_grad)(struct row_update *update, const float *from,
			  float scale);
	update_loop *adadelta, *adagrad, *adam, *adamax, *lion, *nadam, *radam,
	    *rmsprop, *rprop, *sgd;
	update_loop *lamb_moments; /**< first */
	update_loop *lamb_look;	   /**< then grad becomes the direction */
	update_loop *lamb;	   /**< and then the parameters move along it */
	update_loop *lars;
};

/** The widest level that this CPU runs. */
const struct update_loops *update_loops(void);
/** Level number 0 to loop_levels() - 1: tests try each. */
const struct update_loops *update_loops_level(unsigned level);

#endif
