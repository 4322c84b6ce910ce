/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/kernels/winograd.h"

#include <string.h>

#include "engine/kernel.h"
#include "engine/kernels/winograd_priv.h"

/* A run under way. */
struct job {
	const struct winograd *plan;
	const struct winograd_values *values;
	int64_t first, n; /* tiles of the chunk */
	int64_t group;
	float *v, *m, *line;
	float bias[16]; /* of a block that m ends in, or of none */
	struct winograd_place place[WINOGRAD_CHUNK];
};

/* Tiles of the chunk that stand side by side, from number i on. */
struct strip {
	int64_t n, image, row, column;
};

static struct strip strip_at(const struct job *job, int64_t i, int64_t most)
{
	const struct winograd *plan = job->plan;
	const int64_t at = job->first + i, row = at / plan->tiles[1];
	struct strip strip = {
		.image = row / plan->tiles[0],
		.row = row % plan->tiles[0],
		.column = at % plan->tiles[1],
	};

	strip.n = winograd_min(plan->tiles[1] - strip.column, job->n - i);
	strip.n = winograd_min(strip.n, most);
	return strip;
}

/* The same groups as product() makes. */
static void place_tiles(struct job *job)
{
	const int64_t lanes = job->plan->lanes,
		      blocks = winograd_in_blocks(job->plan);
	const int64_t n_groups = winograd_ceil(job->n, job->plan->loops->most);
	int64_t first = 0;

	for (int64_t g = 0; g < n_groups; g++) {
		const int64_t last = job->n * (g + 1) / n_groups;

		for (int64_t i = first; i < last; i++) {
			job->place[i].at =
			    (first * blocks + (i - first)) * lanes;
			job->place[i].step = (last - first) * lanes;
		}
		first = last;
	}
}

static void input_strip(const struct job *job, int64_t i,
			const struct strip *strip)
{
	const struct winograd *plan = job->plan;
	const int64_t blocks = winograd_in_blocks(plan);
	const int64_t plane = plan->in[0] * plan->in[1] * plan->lanes;
	struct winograd_input input = {
		.x = job->values->x + strip->image * blocks * plane,
		.extent = { plan->in[0], plan->in[1] },
		.corner = { strip->row * plan->size - plan->begin[0],
			    strip->column * plan->size - plan->begin[1] },
		.n = strip->n,
		.place = job->place + i,
		.v = job->v,
		.v_plane = winograd_v_plane(plan),
		.line = job->line,
	};

	for (input.block = 0; input.block < blocks; input.block++) {
		plan->loops->input[plan->size / 4](&input);
		input.x += plane;
	}
}

static void input_chunk(const struct job *job)
{
	int64_t i = 0;

	while (i < job->n) {
		const struct strip strip = strip_at(job, i, WINOGRAD_STRIP);

		input_strip(job, i, &strip);
		i += strip.n;
	}
}

static int64_t pairs_of(const struct job *job)
{
	const struct winograd *plan = job->plan;

	return winograd_min(plan->group,
			    winograd_pairs(plan) - job->group * plan->group);
}

static void multiply_chunk(const struct job *job)
{
	const struct winograd *plan = job->plan;
	const int64_t panel = winograd_panel(plan);
	const int64_t points = winograd_points(plan), n = pairs_of(job);
	const int64_t before = job->group * plan->group * points * panel;
	const bool is_last = job->group == winograd_groups(plan) - 1;
	const struct winograd_product product = {
		.u = job->values->u + before,
		.u_after = job->values->u +
			   (is_last ? 0 : before + n * points * panel),
		.v = job->v,
		.m = job->m,
		.n_points = points,
		.n_pairs = n,
		.n_tiles = job->n,
		.blocks = winograd_in_blocks(plan),
		.v_plane = winograd_v_plane(plan),
		.m_plane = winograd_m_plane(plan),
	};

	plan->loops->product(&product);
}

/* In the place where it lies, while it is near. */
static void finish_rows(const struct job *job,
			const struct winograd_output *output)
{
	static const int walks = 1;
	const struct winograd *plan = job->plan;
	const int64_t rows = winograd_min(plan->size, output->left[0]);
	const int64_t columns =
	    winograd_min(plan->size * output->n, output->left[1]);

	for (int64_t i = 0; i < rows; i++) {
		float *row = output->y + i * output->pitch;
		const void *in = row;

		(void)job->values->finish(columns * plan->lanes, &in, &walks,
					  row, job->values->numbers);
	}
}

/* Whole blocks are read where they lie. */
static const float *bias_of(struct job *job, int64_t block)
{
	const int64_t lanes = job->plan->lanes, first = block * lanes;
	const float *bias = job->values->bias;

	if (bias && first + lanes <= job->plan->m)
		return bias + first;
	memset(job->bias, 0, sizeof(job->bias));
	for (int64_t i = first; bias && i < job->plan->m; i++)
		job->bias[i - first] = bias[i];
	return job->bias;
}

/* Block number `block` of the group. */
static void output_strip(struct job *job, int64_t i, const struct strip *strip,
			 int64_t block)
{
	const struct winograd *plan = job->plan;
	const struct winograd_values *values = job->values;
	const int64_t lanes = plan->lanes, size = plan->size;
	const int64_t whole = job->group * plan->group * 2 + block;
	const int64_t at =
	    (((strip->image * winograd_out_blocks(plan) + whole) *
		  plan->out[0] +
	      strip->row * size) *
		 plan->out[1] +
	     strip->column * size) *
	    lanes;
	const struct winograd_output output = {
		.m = job->m +
		     block * winograd_points(plan) * winograd_m_plane(plan) +
		     i * lanes,
		.m_plane = winograd_m_plane(plan),
		.n = strip->n,
		.left = { plan->out[0] - strip->row * size,
			  plan->out[1] - strip->column * size },
		.pitch = plan->out[1] * lanes,
		.y = values->y + at,
		.z = values->z ? values->z + at : NULL,
		.bias = bias_of(job, whole),
		.low = values->low,
		.high = values->high,
	};

	plan->loops->output[size / 4](&output);
	if (values->finish)
		finish_rows(job, &output);
}

static void output_chunk(struct job *job)
{
	const struct winograd *plan = job->plan;
	const int64_t before = job->group * plan->group * 2;
	const int64_t blocks =
	    winograd_min(2 * plan->group, winograd_out_blocks(plan) - before);

	for (int64_t block = 0; block < blocks; block++) {
		int64_t i = 0;

		while (i < job->n) {
			const struct strip strip = strip_at(job, i, job->n);

			output_strip(job, i, &strip, block);
			i += strip.n;
		}
	}
}

void winograd_run(const struct winograd *plan,
		  const struct winograd_values *values, unsigned part,
		  void *scratch)
{
	struct job job = { .plan = plan, .values = values, .v = scratch };
	int64_t last, first_group, last_group;

	job.m = job.v + winograd_points(plan) * winograd_v_plane(plan);
	job.line = job.m + winograd_points(plan) * 2 * plan->group *
			       winograd_m_plane(plan);
	kernel_slice(winograd_tiles(plan), plan->tile_parts,
		     part / plan->group_parts, &job.first, &last);
	kernel_slice(winograd_groups(plan), plan->group_parts,
		     part % plan->group_parts, &first_group, &last_group);
	for (; job.first < last; job.first += job.n) {
		job.n = winograd_min(plan->chunk, last - job.first);
		place_tiles(&job);
		input_chunk(&job);
		for (job.group = first_group; job.group < last_group;
		     job.group++) {
			multiply_chunk(&job);
			output_chunk(&job);
		}
	}
}
