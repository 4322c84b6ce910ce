/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Augmentation against GridSample, which is ONNX's and PyTorch's grid_sample,
 * and the shares of what is drawn.
 */
#include "data/augment.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>

#include "data/batch.h"
#include "engine/graph_text.h"
#include "engine/interpreter.h"
#include "tests/unit/data/pipeline_text.h"

enum { CHANNELS = 3, HEIGHT = 7, WIDTH = 10, N = CHANNELS * HEIGHT * WIDTH };

static const struct shape shape = { 3, { CHANNELS, HEIGHT, WIDTH } };
static const double mean[] = { 0.5, 0.4, 0.3 }, std[] = { 0.2, 0.25, 0.3 };
/* Draw number e. */
static struct augment_draw draw_of(const struct augment_spec *spec, uint64_t e,
				   int64_t width, int64_t height)
{
	const struct augment_place place = {
		.rng = { .seed = 9, .stream = 3, .step = 1 }, .element = e
	};

	return augment_draw(spec, &place, width, height);
}

static void apply(const struct augment_draw *draw, int pad_mode,
		  const double *centre, const double *spread, float *x)
{
	float room[N];
	const struct augment_picture picture = { shape, centre, spread, x,
						 room };

	augment_apply(draw, pad_mode, &picture);
}

static void draw_picture(float *x)
{
	rng_fill_normal((struct rng){ .seed = 1, .stream = 1 }, 0, N, x);
}

static void read_spec(const char *yaml, struct augment_spec *ret,
		      struct arena *arena)
{
	struct err err = { 0 };
	struct doc *doc;

	cr_assert_eq(doc_parse_yaml(yaml, strlen(yaml), "augmentation", arena,
				    &doc, &err),
		     ERR_NONE, "%s", err.msg);
	cr_assert_eq(augment_read(doc, ret, arena, &err), ERR_NONE, "%s",
		     err.msg);
}

/* The same map of places through the operator. */
static void by_operator(const struct augment_draw *draw, const char *padding,
			float *x, float *ret)
{
	float grid[HEIGHT * WIDTH * 2];
	const struct interpreter_options options = { .max_bytes = 1 << 20 };
	struct tensor_view in[2] = {
		{ x, DTYPE_F32, { 4, { 1, CHANNELS, HEIGHT, WIDTH } } },
		{ grid, DTYPE_F32, { 4, { 1, HEIGHT, WIDTH, 2 } } },
	};
	struct interpreter_result result;
	struct graph *graph;
	struct fact *input = NULL;
	struct err err = { 0 };
	char text[160];

	for (int i = 0; i < HEIGHT * WIDTH; i++) {
		const double a = 2.0 * (i % WIDTH) / (WIDTH - 1) - 1;
		const double b = 2.0 * (i / WIDTH) / (HEIGHT - 1) - 1;
		double to[3];

		for (int k = 0; k < 3; k++)
			to[k] = draw->map.at[k][0] * a +
				draw->map.at[k][1] * b + draw->map.at[k][2];
		grid[2 * i] = (float)(to[0] / to[2]);
		grid[2 * i + 1] = (float)(to[1] / to[2]);
	}
	(void)snprintf(text, sizeof(text),
		       "y = GridSample<align_corners=1, padding_mode=\"%s\">"
		       "(x:float[1,3,7,10], g:float[1,7,10,2])",
		       padding);
	cr_assert_eq(graph_text_parse(text, &graph, &input, &err), ERR_NONE,
		     "%s", err.msg);
	cr_assert_eq(interpret(graph, in, &options, &result, &err), ERR_NONE,
		     "%s", err.msg);
	memcpy(ret, result.value[graph->output[0]].data, N * sizeof(float));
	interpreter_result_finish(&result);
	graph_destroy(graph);
}

Test(augment, places_are_read_as_grid_sample_reads_them)
{
	static const char *const modes[] = { "reflection", "zeros", "border" };
	static const char *const ways[] = {
		"max_rotate: 30", "max_zoom: 2", "max_warp: 0.4",
		"flip_lr: 1, flip_vert: 1, max_rotate: 90, max_zoom: 1.5, "
		"max_warp: 0.3"
	};

	for (int i = 0; i < 12; i++) {
		struct arena *arena = arena_create(1 << 20);
		struct augment_spec spec;
		float x[N], y[N], want[N];
		char yaml[256];
		int moved = 0;

		(void)snprintf(yaml, sizeof(yaml),
			       "{%s, p_affine: 1, pad_mode: %s}", ways[i % 4],
			       modes[i / 4]);
		read_spec(yaml, &spec, arena);
		cr_assert(spec.is_on);
		for (uint64_t e = 0; e < 5; e++) {
			const struct augment_draw draw =
			    draw_of(&spec, e, WIDTH, HEIGHT);
			/* black is 0 for the operator */
			const double zero[] = { 0, 0, 0 }, one[] = { 1, 1, 1 };

			cr_assert(draw.moves && !draw.lights);
			draw_picture(x);
			memcpy(y, x, sizeof(y));
			by_operator(&draw, modes[i / 4], x, want);
			apply(&draw, spec.pad_mode, zero, one, y);
			for (int k = 0; k < N; k++) {
				cr_expect_float_eq(
				    y[k], want[k], 1e-4, "%s: %d: %g, not %g",
				    yaml, k, (double)y[k], (double)want[k]);
				moved += fabsf(y[k] - x[k]) > 1e-3f;
			}
		}
		cr_expect(moved > N, "%s", yaml);
		arena_destroy(arena);
	}
}

Test(augment, a_mirror_image_has_its_columns_the_other_way_round)
{
	struct arena *arena = arena_create(1 << 20);
	struct augment_spec spec;
	struct augment_draw draw;
	float x[N], y[N];

	read_spec("{flip_lr: 1}", &spec, arena);
	draw = draw_of(&spec, 0, WIDTH, HEIGHT);
	draw_picture(x);
	memcpy(y, x, sizeof(y));
	apply(&draw, spec.pad_mode, mean, std, y);
	for (int i = 0; i < N; i++)
		cr_expect_float_eq(
		    y[i], x[i / WIDTH * WIDTH + WIDTH - 1 - i % WIDTH], 1e-5);
	arena_destroy(arena);
}

Test(augment, outside_is_black_where_it_is_filled_with_zeros)
{
	struct augment_draw draw = {
		.moves = true,
		.map = { { { 9, 0, 0 }, { 0, 9, 0 }, { 0, 0, 1 } } },
	};
	float x[N];

	draw_picture(x);
	apply(&draw, PAD_ZEROS, mean, std, x);
	cr_expect_float_eq(x[0], -0.5 / 0.2, 1e-6);
	cr_expect_float_eq(x[N - 1], -0.3 / 0.3, 1e-6);
}

Test(augment, light_is_changed_in_logits)
{
	const struct augment_draw draw = { .lights = true,
					   .brightness = 0.7,
					   .contrast = 1.3 };
	float x[N];

	for (int i = 0; i < N; i++)
		x[i] = (float)((0.2 - mean[i / (HEIGHT * WIDTH)]) /
			       std[i / (HEIGHT * WIDTH)]);
	apply(&draw, PAD_ZEROS, mean, std, x);
	for (int i = 0; i < N; i++) {
		const int c = i / (HEIGHT * WIDTH);
		const double logit = (log(0.2 / 0.8) + 0.7) * 1.3;

		cr_expect_float_eq((double)x[i] * std[c] + mean[c],
				   1 / (1 + exp(-logit)), 1e-5);
	}
}

Test(augment, what_is_drawn_has_the_shares_and_bounds_that_were_asked_for)
{
	struct arena *arena = arena_create(1 << 20);
	struct augment_spec spec;
	int flips = 0, turns = 0, lights = 0;

	read_spec("{flip_lr: 0.3}", &spec, arena);
	for (uint64_t e = 0; e < 4000; e++)
		flips += draw_of(&spec, e, 8, 8).moves;
	cr_expect(abs(flips - 1200) < 90, "%d", flips);
	read_spec("{max_rotate: 10, p_affine: 0.6}", &spec, arena);
	for (uint64_t e = 0; e < 4000; e++) {
		const struct augment_draw d = draw_of(&spec, e, 8, 8);

		turns += d.moves;
		cr_expect(fabs(d.map.at[0][1]) <= sin(10 * 3.14159266 / 180));
	}
	cr_expect(abs(turns - 2400) < 100, "%d", turns);
	read_spec("{max_lighting: 0.2, p_lighting: 0.5}", &spec, arena);
	for (uint64_t e = 0; e < 4000; e++)
		lights += draw_of(&spec, e, 8, 8).lights;
	cr_expect(abs(lights - 3000) < 100, "%d", lights);
	read_spec("{p_affine: 1}", &spec, arena);
	cr_expect_not(spec.is_on);
	arena_destroy(arena);
}

#define PICTURES                                                         \
	"input_features: [{name: p, type: image, shape: [1, 6, 6]}]\n"   \
	"output_features: [{name: y, type: category, num_classes: 3}]\n" \
	"data: {source: synthetic, rows: 20}\n"

/* The first batch of an epoch from a position on. */
static void load(struct text_pipeline *t, const struct augment_spec *spec,
		 uint32_t epoch, int64_t first, float *ret)
{
	struct loader *loader;
	struct batch *batch;
	int64_t order[20];

	for (int64_t i = 0; i < 20; i++)
		order[i] = i;
	cr_assert_eq(loader_create(t->dataset, t->pipeline, 4, &loader, NULL),
		     0);
	cr_assert_eq(loader_augment(loader, spec, 3, epoch, NULL), 0);
	cr_assert_eq(loader_start(loader, order, 20, first, 4, NULL), 0);
	cr_assert_eq(loader_take(loader, &batch, NULL), 0);
	memcpy(ret, batch->input[0], 4 * 36 * sizeof(*ret));
	loader_give_back(loader, batch);
	loader_destroy(loader);
}

Test(augment, batches_are_the_same_from_any_position_and_others_in_each_epoch)
{
	struct arena *arena = arena_create(1 << 20);
	struct text_pipeline t;
	struct augment_spec spec;
	float x[4][4 * 36];

	read_spec("{max_rotate: 45, p_affine: 1}", &spec, arena);
	cr_assert_eq(text_pipeline_init(&t, PICTURES), 0, "%s", t.err.msg);
	cr_assert_eq(text_dataset_init(&t, NULL), 0, "%s", t.err.msg);
	cr_assert_eq(dataset_fit(t.dataset, t.pipeline, &t.err), 0);
	load(&t, &spec, 1, 8, x[0]);
	load(&t, &spec, 1, 8, x[1]);
	load(&t, &spec, 2, 8, x[2]);
	load(&t, NULL, 1, 8, x[3]);
	cr_expect_eq(memcmp(x[0], x[1], sizeof(x[0])), 0);
	cr_expect_neq(memcmp(x[0], x[2], sizeof(x[0])), 0);
	cr_expect_neq(memcmp(x[0], x[3], sizeof(x[0])), 0);
	text_pipeline_finish(&t);
	arena_destroy(arena);
}
