/* SPDX-License-Identifier: Apache-2.0 */
/* How the work is cut, what it costs, and the weights at the points. */
#include "engine/kernels/winograd_priv.h"

#include <string.h>

enum {
	LEAST_TILES = 18, /* of a chunk, where there are so many */
	MOST_PAIRS = 4,	  /* of a group */
	PART_TILES = 8,	  /* the least that is worth a part */
	L2_SHARE = 320 << 10,
	/* weights that no cache keeps, and then: */
	WEIGHTS_FAR = 4 << 20,
	FAR_SHARE = 4 << 20,
};

#define WEIGHTS_MOST ((int64_t)1 << 30)
#define BYTES_OF_WINDOW ((int64_t)144) /* at 36 points */

#ifdef LOOPS_X86_LEVELS
static const struct winograd_loops *loops_of(unsigned lanes)
{
	const unsigned level = loop_levels() - 1;

	if (lanes == 16)
		return level == 2 ? &winograd_v4 : &winograd_base16;
	return level >= 1 ? &winograd_v3 : &winograd_base;
}

bool winograd_is_fast(const struct winograd *plan)
{
	return plan->loops == &winograd_v3 || plan->loops == &winograd_v4;
}
#else
static const struct winograd_loops *loops_of(unsigned lanes)
{
	return lanes == 16 ? &winograd_base16 : &winograd_base;
}

bool winograd_is_fast(const struct winograd *plan)
{
	(void)plan;
	return false;
}
#endif

size_t winograd_weights(const struct winograd *plan)
{
	return (size_t)(winograd_points(plan) * winograd_pairs(plan) *
			winograd_panel(plan)) *
	       sizeof(float);
}

size_t winograd_scratch(const struct winograd *plan)
{
	const int64_t floats =
	    winograd_points(plan) * (winograd_v_plane(plan) +
				     2 * plan->group * winograd_m_plane(plan)) +
	    (int64_t)WINOGRAD_LINE * plan->lanes;

	return (size_t)floats * sizeof(float);
}

static bool has_far_weights(const struct winograd *plan)
{
	return winograd_weights(plan) > WEIGHTS_FAR;
}

/* Few outputs: cut the tiles. Weights from afar: rather cut those, for the
 * points of the inputs cost less than weights that every part reads. */
static void cut(struct winograd *plan, unsigned want)
{
	const int64_t tiles = winograd_tiles(plan),
		      pairs = winograd_pairs(plan);
	int64_t by_tiles = winograd_min(want, tiles / PART_TILES);
	int64_t by_pairs;

	if (by_tiles < 1 || (has_far_weights(plan) && pairs >= want))
		by_tiles = 1;
	by_pairs = winograd_min(winograd_ceil(want, by_tiles), pairs);
	plan->group = winograd_ceil(pairs, by_pairs);
	plan->group =
	    winograd_ceil(plan->group, winograd_ceil(plan->group, MOST_PAIRS));
	plan->tile_parts = (unsigned)by_tiles;
	plan->group_parts =
	    (unsigned)winograd_min(by_pairs, winograd_groups(plan));
}

/* The points of a chunk's tiles stay in the second cache. Weights from afar
 * must be worth their way: 54 tiles take three times as long. */
static int64_t chunk_of(const struct winograd *plan)
{
	const int64_t bytes =
	    winograd_points(plan) * 4 * winograd_in_blocks(plan) * plan->lanes;
	const int64_t tiles =
	    winograd_ceil(winograd_tiles(plan), plan->tile_parts);
	int64_t most = (has_far_weights(plan) ? FAR_SHARE : L2_SHARE) / bytes;

	if (most < LEAST_TILES)
		most = LEAST_TILES;
	most = winograd_min(most, WINOGRAD_CHUNK);
	return winograd_ceil(tiles, winograd_ceil(tiles, most));
}

static void plan_size(struct winograd *plan, unsigned size, unsigned want)
{
	plan->size = size;
	for (int i = 0; i < 2; i++)
		plan->tiles[i] = winograd_ceil(plan->out[i], size);
	cut(plan, want);
	plan->chunk = chunk_of(plan);
}

bool winograd_plan(struct winograd *plan, unsigned want)
{
	struct winograd small = *plan;
	const bool is_free = plan->size == 0;

	if ((plan->lanes != 8 && plan->lanes != 16) ||
	    plan->c > WEIGHTS_MOST / plan->m / BYTES_OF_WINDOW)
		return false;
	if (want < 1)
		want = 1;
	plan->loops = small.loops = loops_of(plan->lanes);
	plan_size(plan, is_free ? 4 : plan->size, want);
	if (!is_free)
		return true;
	plan_size(&small, 2, want);
	if (winograd_cost(&small) < winograd_cost(plan))
		*plan = small;
	return true;
}

/* Measured on a core with AVX2 (Zen 3); with 16 lanes as much faster as direct
 * convolution is taken to be. */
#define FLOPS_8 92e3 /* per us */
#define FLOPS_16 230e3
#define BYTES_FAR 12e3 /* of weights per us, from memory */
#define BYTES_NEAR 30e3
#define WEIGHTS_SEEN 0.3 /* the share that is not hidden behind products */
#define FLOATS_PER_US 8e3

/* A tile's block: us to its points, and from them. */
static const double tile_us[WINOGRAD_SIZES][2] = { { 0.025, 0.015 },
						   { 0.055, 0.050 } };

double winograd_cost(const struct winograd *plan)
{
	const double tiles = (double)winograd_tiles(plan);
	const double *us = tile_us[plan->size / 4];
	const double in = (double)winograd_in_blocks(plan);
	const double out = (double)winograd_out_blocks(plan);
	const double lanes = plan->lanes,
		     points = (double)winograd_points(plan);
	const double images = (double)plan->batch * lanes;
	const double product = 2 * tiles * points * in * lanes *
			       (double)winograd_pairs(plan) * 2 * lanes /
			       (lanes > 8 ? FLOPS_16 : FLOPS_8);
	const double weights = (double)winograd_weights(plan) /
			       (has_far_weights(plan) ? BYTES_FAR : BYTES_NEAR);
	const double moved =
	    images * (in * (double)plan->in[0] * (double)plan->in[1] +
		      out * (double)plan->out[0] * (double)plan->out[1]);
	const double longer = product > weights ? product : weights;

	return 0.5 + longer + WEIGHTS_SEEN * (product + weights - longer) +
	       tiles * (in * us[0] + out * us[1]) + moved / FLOATS_PER_US;
}

/* A window of 3 at the points: those of winograd_table.c. */
static void weights_of(unsigned size, const double g[3], double *u)
{
	const double a = 0.625, b = 1.5, aa = a * a, bb = b * b;
	const double by_a = 0.5 / (aa * (aa - bb));
	const double by_b = 0.5 / (bb * (bb - aa));

	if (size == 2) {
		u[0] = g[0];
		u[1] = 0.5 * (g[0] + g[1] + g[2]);
		u[2] = 0.5 * (g[0] - g[1] + g[2]);
		u[3] = g[2];
		return;
	}
	u[0] = g[0] / (aa * bb);
	u[1] = (g[0] + a * g[1] + aa * g[2]) * by_a;
	u[2] = (g[0] - a * g[1] + aa * g[2]) * by_a;
	u[3] = (g[0] + b * g[1] + bb * g[2]) * by_b;
	u[4] = (g[0] - b * g[1] + bb * g[2]) * by_b;
	u[5] = g[2];
}

/* One window [3][3] at all points, which are step floats apart. */
static void transform_window(unsigned size, const float *w, int64_t step,
			     float *u)
{
	const unsigned n = size + 2;
	double column[3][6];

	for (unsigned j = 0; j < 3; j++) {
		const double g[3] = { (double)w[j], (double)w[3 + j],
				      (double)w[6 + j] };

		weights_of(size, g, column[j]);
	}
	for (unsigned i = 0; i < n; i++) {
		const double g[3] = { column[0][i], column[1][i],
				      column[2][i] };
		double row[6];

		weights_of(size, g, row);
		for (unsigned j = 0; j < n; j++)
			u[(int64_t)(i * n + j) * step] = (float)row[j];
	}
}

/* [pair][point][channel][2 * lanes] */
void winograd_transform(const struct winograd *plan, const float *w, float *u)
{
	const int64_t panel = winograd_panel(plan), lanes = plan->lanes;
	const int64_t wide = 2 * lanes;

	memset(u, 0, winograd_weights(plan));
	for (int64_t m = 0; m < plan->m; m++) {
		float *to =
		    u + m / wide * winograd_points(plan) * panel + m % wide;

		for (int64_t c = 0; c < plan->c; c++)
			transform_window(plan->size, w + (m * plan->c + c) * 9,
					 panel, to + c * wide);
	}
}
