/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Pooling: attributes, for all kernels of the family.
 *
 * The gradients are rows of their own: dx = MaxPoolGrad(dy, x), and
 * dx = AveragePoolGrad<shape>(dy).
 */
#ifndef ENGINE_OPS_POOL_H
#define ENGINE_OPS_POOL_H

#include "engine/ops/window.h"

struct pool_attrs {
	struct window_attrs window;
	int64_t count_include_pad; /**< AveragePool */
	int64_t storage_order;	   /**< MaxPool: 1 counts columns first */
	struct attr_ints shape;	   /**< AveragePoolGrad: the shape of x */
};

/** share[n_out]: one over the number of elements that each window averages;
 * with_pad: padding counts. */
void pool_share(const struct window *win, bool with_pad, double *share);

#endif
