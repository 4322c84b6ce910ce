/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Plane loops: what normalization and pooling do to a plane of floats, the
 * elements of one channel of one image.
 *
 * One source (plane_loops_table.c) is compiled for each level of CPU, like
 * loops.h. Sums run in lanes whose order is fixed and contraction is off: all
 * levels give the same bits.
 *
 * Threads: const tables; pure functions.
 */
#ifndef ENGINE_KERNELS_PLANE_LOOPS_H
#define ENGINE_KERNELS_PLANE_LOOPS_H

#include <stdint.h>

enum { PLANE_GIVE_APART = 64 };

struct plane_blend {
	float at_u, at_v, mean, add;
};

/** Windows over a plane: extents of rows, then of columns. */
struct plane_window {
	int64_t in[2], out[2], kernel[2], stride[2], dilation[2], begin[2];
};

struct plane_loops {
	/** sum[0] += sum of (a - shift[0]),
	 * sum[1] += sum of (a - shift[0]) (b - shift[1]) */
	void (*sums)(int64_t n, const float *a, const float *b,
		     const float shift[2], double sum[2]);
	/** y = at_u u + (at_v (v - mean) + add); u may be NULL; y may be u or
	 * v */
	void (*blend)(int64_t n, const float *u, const float *v, float *y,
		      const struct plane_blend *blend);
	/** The largest of each window of 2 x 2, side by side over a plane of
	 * those extents (an odd row or column is left out), and, where at is
	 * not NULL, base + its place. Of equals the first one counts, of what
	 * is no number the last. */
	void (*largest_of_4)(const int64_t extent[2], const float *x, float *y,
			     int64_t *at, int64_t base);
	/** Gradient of the values above: dy goes to the place of the largest,
	 * 0 to every other. */
	void (*give_to_4)(const int64_t extent[2], const float *x,
			  const float *dy, float *dx);
	/** The largest of each window over a plane, -infinity where it lies in
	 * the padding altogether; what is no number wins. row: room for
	 * plane_window_width() floats. */
	void (*largest)(const struct plane_window *w, const float *x, float *y,
			float *row);
	/** Gradient of the values above: each window's dy is added at the first
	 * place of its largest, or the last that is no number; a window that
	 * lies in the padding altogether gives none. The plane has fewer than
	 * 2^30 elements. room: plane_give_room() words. */
	void (*give)(const struct plane_window *w, const float *x,
		     const float *dy, float *dx, int32_t *room);
};

/** Columns that the windows of a row reach over, padding included. */
static inline int64_t plane_window_width(const struct plane_window *w)
{
	const int64_t reach = (w->out[1] - 1) * w->stride[1] +
			      (w->kernel[1] - 1) * w->dilation[1] + 1;
	const int64_t all = w->begin[1] + w->in[1];

	return reach > all ? reach : all;
}

/** Words of 4 bytes that give() works in. */
static inline int64_t plane_give_room(const struct plane_window *w)
{
	const int64_t width = plane_window_width(w) + w->stride[1];

	return (w->in[0] + 1) * width + PLANE_GIVE_APART;
}

/** The widest level that this CPU runs. */
const struct plane_loops *plane_loops(void);
/** Level i of loop_levels(). */
const struct plane_loops *plane_loops_level(unsigned level);

#endif
