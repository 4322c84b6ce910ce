/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Attributes of the dropout rows, for those who build them by hand.
 *
 * mask = DropoutMask(x, step) has x's shape and type and holds 0 or
 * 1 / (1 - ratio); y = DropoutTrain(x, step) is x times that mask, and its
 * gradient is DropoutTrain of dy: the mask is drawn again, not kept.
 */
#ifndef ENGINE_OPS_DROPOUT_H
#define ENGINE_OPS_DROPOUT_H

#include "engine/op.h"

struct dropout_mask_attrs {
	int64_t seed;	/**< of the job */
	int64_t stream; /**< number of the node in the base graph */
	double ratio;	/**< probability of 0; at least 0, below 1 */
};

#endif
