/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Attributes of the loss rows, for those who build them by hand.
 */
#ifndef ENGINE_OPS_LOSS_H
#define ENGINE_OPS_LOSS_H

#include "engine/op.h"

/** loss, log_prob = SoftmaxCrossEntropy(logits, target, [weight]) and its
 * gradient row. */
struct cross_entropy_attrs {
	double label_smoothing; /**< 0 to 1 */
	int64_t ignore_index;	/**< targets that do not count; -100 */
};

/** loss = MeanSquaredError(x, t), MeanAbsoluteError, HuberLoss, SmoothL1Loss,
 * BinaryCrossEntropyWithLogits, BinaryCrossEntropy: means over all elements. */
struct pointwise_loss_attrs {
	double delta; /**< HuberLoss: delta; SmoothL1Loss: beta; 1 */
};

#endif
