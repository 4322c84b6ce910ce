/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Winograd, inside: the steps that winograd_table.c is compiled to, one table
 * a level of CPU, and once more with 16 lanes for any CPU.
 *
 * Values are floats in blocks of `lanes` channels. The points of a tile are
 * p = i * n + j, i and j < n = size + 2. V (the transformed input) and M (the
 * products) hold one plane for each point. In V, tiles stand in groups of at
 * most `most`, and a group's floats are [block of channels][tile][lane]; in M
 * a block of outputs is [point][tile][lane].
 */
#ifndef ENGINE_KERNELS_WINOGRAD_PRIV_H
#define ENGINE_KERNELS_WINOGRAD_PRIV_H

#include "engine/kernels/winograd.h"

enum {
	WINOGRAD_STRIP = 16, /* tiles that one call of input() takes */
	WINOGRAD_SIZES = 2,  /* tiles of 2 x 2 and of 4 x 4 outputs */
	WINOGRAD_APART = 32,
	WINOGRAD_CHUNK = 96,			      /* at most */
	WINOGRAD_LINE = 6 * (4 * WINOGRAD_STRIP + 2), /* blocks of scratch */
};

/* Where a tile's floats lie in a plane of V: at + step * block. */
struct winograd_place {
	int64_t at, step;
};

/* Neighbouring tiles of one row, one block of channels. */
struct winograd_input {
	const float *x;	   /* the block's plane */
	int64_t extent[2]; /* of that plane */
	int64_t corner[2]; /* first tile's; may lie outside */
	int64_t n;	   /* tiles, at most WINOGRAD_STRIP */
	int64_t block;
	const struct winograd_place *place; /* one a tile */
	float *v;
	int64_t v_plane; /* floats */
	float *line;	 /* WINOGRAD_LINE blocks */
};

/* All tiles of a chunk against neighbouring pairs of output blocks. */
struct winograd_product {
	const float *u;	      /* [pair][point][channel][2 lanes] */
	const float *u_after; /* what is read after it: fetched ahead */
	const float *v;
	float *m;
	int64_t n_points, n_pairs, n_tiles;
	int64_t blocks; /* of input channels */
	int64_t v_plane, m_plane;
};

/* Neighbouring tiles of one row, one block of outputs. */
struct winograd_output {
	const float *m; /* first tile's */
	int64_t m_plane;
	int64_t n;	 /* tiles */
	int64_t left[2]; /* rows and columns from the first tile's corner on */
	int64_t pitch;	 /* floats from row to row of y */
	float *y;
	const float *z;	   /* as y; NULL: nothing to add */
	const float *bias; /* one block */
	float low, high;   /* y is clipped to these */
};

struct winograd_loops {
	unsigned lanes, most;
	void (*input[WINOGRAD_SIZES])(const struct winograd_input *job);
	void (*product)(const struct winograd_product *job);
	void (*output[WINOGRAD_SIZES])(const struct winograd_output *job);
};

extern const struct winograd_loops winograd_base, winograd_base16, winograd_v3,
    winograd_v4;

static inline int64_t winograd_ceil(int64_t n, int64_t by)
{
	return n / by + (n % by != 0);
}

static inline int64_t winograd_min(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static inline int64_t winograd_points(const struct winograd *plan)
{
	return (int64_t)(plan->size + 2) * (plan->size + 2);
}

static inline int64_t winograd_in_blocks(const struct winograd *plan)
{
	return winograd_ceil(plan->c, plan->lanes);
}

static inline int64_t winograd_out_blocks(const struct winograd *plan)
{
	return winograd_ceil(plan->m, plan->lanes);
}

static inline int64_t winograd_pairs(const struct winograd *plan)
{
	return winograd_ceil(winograd_out_blocks(plan), 2);
}

static inline int64_t winograd_groups(const struct winograd *plan)
{
	return winograd_ceil(winograd_pairs(plan), plan->group);
}

static inline int64_t winograd_tiles(const struct winograd *plan)
{
	return plan->batch * plan->tiles[0] * plan->tiles[1];
}

/** Floats of one point's weights of a pair. */
static inline int64_t winograd_panel(const struct winograd *plan)
{
	return winograd_in_blocks(plan) * plan->lanes * 2 * plan->lanes;
}

/** Floats from point to point. Planes lie a few lines apart, so that the same
 * place of all does not meet in one set of a cache. */
static inline int64_t winograd_v_plane(const struct winograd *plan)
{
	return plan->chunk * winograd_in_blocks(plan) * plan->lanes +
	       WINOGRAD_APART;
}

static inline int64_t winograd_m_plane(const struct winograd *plan)
{
	return plan->chunk * plan->lanes + WINOGRAD_APART;
}

#endif
