/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Attributes of the normalization rows, for those who build them by hand.
 *
 *   y, mean, rstd, new_mean, new_var =
 *       BatchNormTrain(x, scale, bias, running_mean, running_var)
 * normalizes by the batch's own mean and biased variance; the new running
 * values are (1 - momentum) old + momentum batch, with the variance made
 * unbiased by n / (n - 1), as PyTorch does.
 */
#ifndef ENGINE_OPS_NORM_H
#define ENGINE_OPS_NORM_H

#include "engine/op.h"

/** ONNX's row, whose momentum is the share of the old value. */
struct batch_norm_attrs {
	double epsilon, momentum;
	int64_t training_mode;
};

/** PyTorch's momentum: the share of the new value. */
struct batch_norm_train_attrs {
	double epsilon, momentum;
};

/** LayerNormalization: axis. GroupNormalization: num_groups. */
struct row_norm_attrs {
	int64_t axis, num_groups;
	double epsilon;
	int64_t stash_type;
};

/** Of BatchNormGrad; frozen: the statistics were constants. */
struct batch_norm_grad_attrs {
	int64_t frozen;
};

#endif
