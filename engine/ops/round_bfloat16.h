/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * RoundBfloat16: what stands before a product of rounded operands
 * (PRODUCTS_BF16) whose kernel does not round by itself.
 *
 * Threads: pure functions.
 */
#ifndef ENGINE_OPS_ROUND_BFLOAT16_H
#define ENGINE_OPS_ROUND_BFLOAT16_H

#include "engine/kernel.h"

/** Products whose operands, inputs 0 and 1, PRODUCTS_BF16 means. */
bool round_is_product(const struct op *op);
/** Is a kernel that rounds as it reads and takes so many us predicted to be
 * faster than the best one of the row that does not, with both operands
 * rounded before it? */
bool round_pays(const struct kernel_query *query, double us);

#endif
