/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Product loops, inside: the tables by level.
 *
 * Threads: const tables.
 */
#ifndef ENGINE_KERNELS_PRODUCT_LOOPS_PRIV_H
#define ENGINE_KERNELS_PRODUCT_LOOPS_PRIV_H

#include "engine/kernels/product_loops.h"

extern const struct product_loops product_loops_base, product_loops_v3,
    product_loops_v4;

#endif
