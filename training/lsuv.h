/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * LSUV: layer-sequential unit variance (Mishkin and Matas 2016).
 *
 * Each layer's weight (of Conv, Gemm, MatMul), from the first to the last, is
 * divided by the deviation of what the layer gives for a batch, until that is
 * 1 within LSUV_TOLERANCE. Other parameters stay as they are; a layer that
 * gives the same number for everything does too.
 *
 * Ownership: borrows everything; weights change in place. Threads: one.
 */
#ifndef TRAINING_LSUV_H
#define TRAINING_LSUV_H

#include "engine/facts.h"

#define LSUV_TOLERANCE 1e-3
enum { LSUV_TRIES = 10 };

/** input: facts of the graph's inputs (with the batch's extent) and their
 * values, dense. */
MUST_USE enum err_code lsuv_scale(const struct graph *graph,
				  const struct fact *input, void *const *value,
				  struct err *err);

#endif
