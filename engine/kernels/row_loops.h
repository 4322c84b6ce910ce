/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Row loops: what kernels do to a row of floats, compiled once for each level
 * of CPU (engine/kernels/loops.h says which there are).
 *
 * Sums run in a fixed number of lanes that meet in a fixed order, and
 * contraction is off, so all levels give the same bits.
 *
 * Threads: const tables; pure functions.
 */
#ifndef ENGINE_KERNELS_ROW_LOOPS_H
#define ENGINE_KERNELS_ROW_LOOPS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/rng.h"

enum { ROW_PANEL = 64 };

/** A row of normalization by its own statistics, going back: with
 * h = (x - mean) rstd, dscale += dy h and dbias += dy element by element, and
 * dx (may be dy, may be NULL) is
 * rstd (dy scale - mean(dy scale) - h mean(dy scale h)). */
struct row_norm_back {
	int64_t n;
	const float *dy, *x, *scale;
	float mean, rstd;
	double *dscale, *dbias;
	float *dx;
};

struct row_loops {
	/** sum[j] = sum over l < k of x[l] w[l * step + j], j < n <=
	 * ROW_PANEL. w ends with its last row's n elements. */
	void (*panel)(const float *x, const float *w, const int64_t k_n_step[3],
		      float *sum);
	float (*dot)(const float *x, const float *y, int64_t n);
	/** In double. */
	double (*sum)(const float *x, int64_t n);
	double (*squares)(const float *x, int64_t n);
	/** sum[j] += x[i * step + j] for all i < rows, one after the other. */
	void (*sum_rows)(const float *x, int64_t rows, int64_t step, int64_t n,
			 double *sum);
	float (*largest)(const float *x, int64_t n); /**< n > 0 */
	/** The same, but a NaN among them is the result. */
	float (*largest_or_nan)(const float *x, int64_t n);
	/** y[i] = exp(x[i] - shift); their sum. y may be NULL, or x. */
	float (*exps)(const float *x, float shift, int64_t n, float *y);
	/** y = x * factor + add. y may be x. */
	void (*scale)(const float *x, float factor, float add, int64_t n,
		      float *y);
	/** y = (x - a) - b. */
	void (*shift)(const float *x, float a, float b, int64_t n, float *y);
	/** y = (x - mean) rstd scale + bias; bias may be NULL; y may be x. */
	void (*norm)(const float *x, const float mean_rstd[2],
		     const float *scale, const float *bias, int64_t n,
		     float *y);
	void (*norm_back)(const struct row_norm_back *back);
	/** Uniform numbers of whole blocks, four each, as rng_fill_uniform()
	 * draws them from element 4 * block on (base/rng.h). */
	void (*uniforms)(struct rng rng, uint64_t block, int64_t n_blocks,
			 float *out);
	/** y[i] = u[i] >= least ? factor x[i] : 0; x NULL: all 1. */
	void (*keep)(const float *u, float least, float factor, const float *x,
		     int64_t n, float *y);
	/** y[k * i] .. y[k * i + k - 1] = x[i]. */
	void (*repeat)(const float *x, int64_t k, int64_t n, float *y);
	/** y = a + b. y may be a or b. */
	void (*add)(const float *a, const float *b, int64_t n, float *y);
	/** y[i * step] += x[i]. */
	void (*scatter)(const float *x, int64_t step, int64_t n, float *y);
	/** One row of LSTM: gates i o f n before their activations, n elements
	 * each; c and h become new. */
	void (*lstm)(const float *gates, int64_t n, float *c, float *h);
	/** dx = y (dy - sum). dx may be dy. */
	void (*softmax_grad)(const float *dy, const float *y, float sum,
			     int64_t n, float *dx);
};

/** The widest level that this CPU runs. */
const struct row_loops *row_loops(void);
/** Level number 0 to loop_levels() - 1: tests try each. */
const struct row_loops *row_loops_level(unsigned level);

#endif
