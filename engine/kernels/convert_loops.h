/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Convert loops: elements to another type, and between numbers and bytes with
 * a scale.
 *
 * One source (convert_loops_table.c) is compiled for each level of CPU, like
 * loops.h. All levels give the bits that dtype_convert() and the formulas of
 * engine/ops/quantize.h give.
 *
 * Threads: const tables; pure functions.
 */
#ifndef ENGINE_KERNELS_CONVERT_LOOPS_H
#define ENGINE_KERNELS_CONVERT_LOOPS_H

#include <stdint.h>

#include "engine/dtype.h"

typedef void convert_run(const void *from, int64_t n, void *to);

struct convert_row {
	enum dtype from, to;
	convert_run *run;
};

/** low and high: of the byte's type. */
struct byte_grid {
	float scale;
	int32_t zero, low, high;
};

/** Sums of products by bytes, and what makes floats of them. */
struct byte_sums {
	const int32_t *sum, *lower, *column; /**< lower may be NULL */
	const float *base;		     /**< may be NULL */
	int32_t zero;
	float factor;
};

/** y = saturate(round(((a - a_zero) a_scale + (b - b_zero) b_scale) / y_scale)
 * + y_zero), step by step in float. flip: 0, or 128 of what is signed; zero
 * points count in what is flipped. */
struct byte_sum_grid {
	float a_scale, b_scale, y_scale;
	int32_t a_zero, b_zero, y_zero;
	uint8_t a_flip, b_flip, y_flip;
};

struct convert_loops {
	const struct convert_row *row; /**< ends with run NULL */
	/** The least and the largest element, and 0. */
	void (*range)(const float *x, int64_t n, float range[2]);
	/** y = saturate(round(x / scale) + zero) */
	void (*quantize)(const float *x, int64_t n, const struct byte_grid *g,
			 uint8_t *y);
	/** y[i] = saturate(round(x[i] scale[i]) + zero) */
	void (*requantize)(const int32_t *x, const float *scale, int64_t n,
			   const struct byte_grid *g, uint8_t *y);
	/** y[i] = x[i] scale[i] + add[i]; add NULL: 0 */
	void (*scale_whole)(const int32_t *x, const float *scale,
			    const float *add, int64_t n, float *y);
	/** The largest magnitude; NaN where some element is not finite. */
	float (*reach)(const float *x, int64_t n);
	/** round(x factor), of at most 15 bits and a sign, as
	 * 256 (high - 128) + low. */
	void (*split)(const float *x, float factor, int64_t n, uint8_t *high,
		      uint8_t *low);
	/** y[i] = base[i] + (sum[i] - zero column[i]) (scale[i] factor), where
	 * `base` is y[i] itself if it is NULL; where there are `lower` sums,
	 * the others count 256 of theirs. */
	void (*add_scaled)(const struct byte_sums *sums, const float *scale,
			   int64_t n, float *y);
	/** y may be a or b. */
	void (*add_bytes)(const uint8_t *a, const uint8_t *b, int64_t n,
			  const struct byte_sum_grid *g, uint8_t *y);
	/** y = (x - zero) scale */
	void (*from_u8)(const uint8_t *x, int64_t n, const struct byte_grid *g,
			float *y);
	/** y = x rounded to what bfloat16 has; y may be x. */
	void (*round_brain)(const float *x, int64_t n, float *y);
	void (*from_i8)(const int8_t *x, int64_t n, const struct byte_grid *g,
			float *y);
};

/** The widest level that this CPU runs. */
const struct convert_loops *convert_loops(void);
/** Level i of loop_levels(). */
const struct convert_loops *convert_loops_level(unsigned level);
/** NULL: dtype_convert() knows this pair alone. */
convert_run *convert_find(const struct convert_loops *loops, enum dtype from,
			  enum dtype to);

#endif
