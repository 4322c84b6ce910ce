/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Kernels over plane_loops.h: pooling and batch normalization.
 */
#ifndef ENGINE_KERNELS_PLANES_H
#define ENGINE_KERNELS_PLANES_H

#include "engine/kernel.h"

extern const struct kernel max_pool_planes, max_pool_windows,
    max_pool_grad_planes, max_pool_grad_windows;
extern const struct kernel batch_norm_planes, batch_norm_train_planes,
    batch_norm_grad_planes;

#endif
