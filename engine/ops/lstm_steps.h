/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * LSTM steps: an LSTM's steps over products that are there already, for
 * training: what it keeps spares the way back from computing anything twice.
 *
 *   i, o, f = sigmoid(a), g = tanh(a) with a = pre + h R^T + both biases
 *   c = f c + i g, h = o tanh(c)
 *
 * pre [steps, rows, 4 n] is X W^T of all steps in one product, which is left
 * to nodes of their own, as is what it gives its operands. kept [steps, rows,
 * 6 n] is i o f g tanh(c) c of each step.
 *
 * Threads: pure.
 */
#ifndef ENGINE_OPS_LSTM_STEPS_H
#define ENGINE_OPS_LSTM_STEPS_H

#include "engine/kernel.h"

enum { LSTM_GATES = 4, LSTM_KEPT = 6 };

enum lstm_steps_input { STEPS_PRE, STEPS_R, STEPS_B, STEPS_H0, STEPS_C0 };
enum lstm_steps_output { STEPS_Y, STEPS_Y_H, STEPS_Y_C, STEPS_KEPT };
enum lstm_back_input {
	STEPS_BACK_R,
	STEPS_BACK_KEPT,
	STEPS_BACK_Y,
	STEPS_BACK_H0,
	STEPS_BACK_C0,
	STEPS_BACK_DY,
	STEPS_BACK_DH,
	STEPS_BACK_DC
};
enum lstm_back_output {
	STEPS_BACK_DPRE,
	STEPS_BACK_BEFORE,
	STEPS_BACK_DH0,
	STEPS_BACK_DC0
};

struct lstm_extents {
	int64_t steps, rows, n;
};

/** Extents of either node, whose facts are there. */
struct lstm_extents lstm_steps_extents(const struct kernel_query *query);

extern const struct kernel lstm_steps_panels, lstm_steps_plain;
extern const struct kernel lstm_steps_grad_panels, lstm_steps_grad_plain;

#endif
