/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Product loops: blocks of a product of floats, whose right side lies in
 * panels, and what brings operands into that form. Compiled once for each
 * level of CPU.
 *
 * Panels: columns go side by side in groups of `width`, each k rows long, the
 * last group filled up with zeros. Strips are the same of a's rows, in groups
 * of `rows`, and SKIP floats of nothing behind each, so that strips do not meet
 * in the same lines of a cache. An element's sum runs over k in order, whatever
 * stands beside it, so that a product may be cut anywhere but along k.
 *
 * Threads: const tables; pure functions.
 */
#ifndef ENGINE_KERNELS_PRODUCT_LOOPS_H
#define ENGINE_KERNELS_PRODUCT_LOOPS_H

#include <stdbool.h>
#include <stdint.h>

enum { PRODUCT_WIDTH_MOST = 32, PRODUCT_SKIP = 16 };

/** to[m, n] = a[m, k] b[k, n], or += where it adds. Rows of `to` are ldc
 * apart. Where lda is 0, `a` is in strips, else its rows are lda apart. */
struct product_block {
	int64_t m, n, k, lda, ldc;
	const float *a, *panels;
	float *to;
	bool adds;
};

/** x[k, n], its rows `step` apart, on its way into panels or strips. */
struct product_pack {
	const float *x;
	int64_t k, n, step;
};

struct product_loops {
	int64_t width, rows; /**< of a panel, of a strip */
	void (*block)(const struct product_block *block);
	/** Fills panels of x, and of its transpose, where x is [n, k]. */
	void (*panels)(const struct product_pack *pack, float *to);
	void (*turned)(const struct product_pack *pack, float *to);
	/** Fills strips of n rows from x, which is a transposed. */
	void (*strips)(const struct product_pack *pack, float *to);
};

/** Floats of n columns in panels, of n rows in strips. */
static inline int64_t product_panels_size(const struct product_loops *loops,
					  int64_t n, int64_t k)
{
	return (n + loops->width - 1) / loops->width * loops->width * k;
}

static inline int64_t product_strips_size(const struct product_loops *loops,
					  int64_t n, int64_t k)
{
	return (n + loops->rows - 1) / loops->rows *
	       (loops->rows * k + PRODUCT_SKIP);
}

/** The best level that this CPU runs. */
const struct product_loops *product_loops(void);
/** Level number 0 to loop_levels() - 1: tests try each. */
const struct product_loops *product_loops_level(unsigned level);

#endif
