/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Numerics: how near to the plain formula, and to itself, a result has to be.
 */
#ifndef ENGINE_NUMERICS_H
#define ENGINE_NUMERICS_H

enum numerics {
	NUMERICS_STRICT,     /**< no reassociation beyond the kernel's own */
	NUMERICS_REPEATABLE, /**< the same bits for any thread count */
	NUMERICS_FAST,
};

/** What matrix products and convolutions of floats multiply: their operands as
 * they are, or rounded to bfloat16 (nearest, ties to even), with sums in float.
 * A kernel without KERNEL_ROUNDS multiplies what it is given either way; the
 * planner then rounds before it (engine/plan_round.c). */
enum products { PRODUCTS_F32, PRODUCTS_BF16 };

#endif
