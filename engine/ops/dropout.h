/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Attributes of the dropout rows, for those who build them by hand.
 *
 * mask = DropoutMask(x, step) has x's shape and type and holds 0 or
 * 1 / (1 - ratio); y = DropoutTrain(x, step) is x times that mask, and its
 * gradient is DropoutTrain of dy: the mask is drawn again, not kept. With
 * `rows`, all elements of an index along axis 0 are kept or not together:
 * stochastic depth (Huang et al. 2016) of rows, dropout of an embedding's rows
 * (Merity et al. 2017). In a base graph such a node is a Dropout whose name
 * has ROW_DROPOUT in it.
 */
#ifndef ENGINE_OPS_DROPOUT_H
#define ENGINE_OPS_DROPOUT_H

#include "engine/op.h"

#define ROW_DROPOUT "row_dropout"

struct dropout_mask_attrs {
	int64_t seed;	/**< of the job */
	int64_t stream; /**< number of the node in the base graph */
	double ratio;	/**< probability of 0; at least 0, below 1 */
	int64_t rows;	/**< 1: by index along axis 0; 0: by element */
};

#endif
