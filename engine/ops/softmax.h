/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Attributes of Softmax, LogSoftmax and their gradients.
 */
#ifndef ENGINE_OPS_SOFTMAX_H
#define ENGINE_OPS_SOFTMAX_H

#include "engine/op.h"

struct softmax_attrs {
	int64_t axis;
};

#endif
