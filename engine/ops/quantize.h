/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Quantized numbers: which scale and zero point an element has, and the loops
 * that every operator of quantized numbers ends in.
 *
 *   x = (q - zero point) * scale      q = saturate(round(x / scale) + zero)
 * with round to nearest even. A scale is one for the whole tensor, one for
 * each index of an axis, or one for each block along an axis.
 *
 * Threads: plain data and pure functions.
 */
#ifndef ENGINE_OPS_QUANTIZE_H
#define ENGINE_OPS_QUANTIZE_H

#include "engine/kernel.h"

/** Element e has scale ((e / (n_axis * n_inner)) * n_block +
 * (e / n_inner % n_axis) / block) * n_inner + e % n_inner when is_blocked,
 * else e / n_inner % n_axis. */
struct scale_grid {
	bool is_blocked;
	int64_t n_axis, n_inner, block, n_block;
};

/** Elements that follow each other and whose scales do, too. */
struct scale_run {
	int64_t n, scale;
	int step; /**< of the scale: 0 or 1 */
};

/** names: of x, its scale and its zero point, for messages. zero may be absent
 * (elem DTYPE_NONE). block_size 0: not blocked. */
MUST_USE enum err_code scale_grid_init(const struct fact *x,
				       const struct fact *scale,
				       const struct fact *zero, int64_t axis,
				       int64_t block_size,
				       const char *const names[3],
				       struct scale_grid *ret, struct err *err);
/** The run that begins at element e and ends before `last` at the latest. */
struct scale_run scale_run_at(const struct scale_grid *grid, int64_t e,
			      int64_t last);

/** The integers that a type holds; false for no integer type. */
bool quantized_range(enum dtype dtype, int32_t *ret_low, int32_t *ret_high);
/** saturate(round(x) + zero) of an integer type of at most 16 bits. NaN gives
 * the lowest. */
int32_t quantize_one(double x, int32_t zero, enum dtype dtype);
/** Integer number i of an integer tensor of at most 32 bits. data NULL: 0 */
int32_t quantized_at(enum dtype dtype, const void *data, int64_t i);
/** Number i of a float tensor of any width. data NULL: 1 */
float scale_at(enum dtype dtype, const void *data, int64_t i);
/** Writes an integer of at most 16 bits as element i. */
void quantized_put(enum dtype dtype, void *data, int64_t i, int32_t value);

#endif
