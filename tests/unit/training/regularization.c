/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Mixup, dropout of weights and rows, penalties of recurrent layers, and LSUV.
 */
#include <criterion/criterion.h>
#include <math.h>

#include "base/str.h"
#include "engine/graph_text.h"
#include "engine/instance.h"
#include "engine/kernels/blas.h"
#include "tests/unit/training/rig.h"
#include "training/lsuv.h"
#include "training/mixup.h"

static const struct stepper_update first = {
	.step = 1, .draw = 1, .share = 1, .rate = 1, .momentum = (double)NAN
};

/* Of gradient descent: what a step takes away is the gradient. */
static void read_sgd(struct optimizer *ret, struct arena *arena)
{
	struct doc *sgd = doc_new(arena, DOC_MAP);
	struct err err = { 0 };

	doc_add(sgd, "type", doc_new_text(arena, "sgd"));
	cr_assert_eq(optimizer_read(sgd, ret, arena, &err), ERR_NONE);
}

static const struct train_loss squares = { .op = "MeanSquaredError",
					   .target = { .elem = DTYPE_F32 } };

static void make(const char *text, struct stepper_options *options,
		 struct arena *arena, struct graph **ret_base,
		 struct stepper **ret)
{
	static struct pointwise_loss_attrs {
		double delta;
	} attrs = { 1 };
	struct optimizer *optimizer = arena_alloc(arena, sizeof(*optimizer));
	struct err err = { 0 };

	cr_assert_eq(blas_init(&err), ERR_NONE);
	read_sgd(optimizer, arena);
	options->optimizer = optimizer;
	options->loss = squares;
	options->loss.attrs = &attrs;
	options->threads = 1;
	options->n_inputs = 1;
	cr_assert_eq(graph_text_parse(text, ret_base, NULL, &err), ERR_NONE,
		     "%s", err.msg);
	cr_assert_eq(stepper_create(*ret_base, options, ret, &err), ERR_NONE,
		     "%s", err.msg);
}

static void fill(const struct graph *base, int variable, const float *value)
{
	const struct tensor_view *view = &base->variable[variable].view;

	memcpy(view->data, value, tensor_bytes(DTYPE_F32, &view->shape));
}

/* PyTorch's numbers: tanh layer of two states over three steps, mse of the
 * last ones, plus 2 mean(y^2) and mean((y[1:] - y[:-1])^2). */
Test(regularization, penalties_of_recurrent_layers_agree_with_pytorch)
{
	static const char base_text[] =
	    "y, h = RNN<hidden_size=2>(Transpose<perm=[1,0,2]>(x:float[2,3,2]),"
	    " w:float[1,2,2]!, r:float[1,2,2]!);"
	    "z = Squeeze(h, a:int64[1]={0}); return z";
	static const float w[] = { .5f, -.25f, .75f, .1f },
			   r[] = { .2f, .4f, -.3f, .6f };
	static const double dw[] = { 1.475780725, -.506390691, 1.028823614,
				     -.485747635 },
			    dr[] = { -.249716192, -.218677640, -.198459417,
				     -.420254827 };
	float x[] = { .5f, -1,	 -.5f,	.75f, 2,     -.25f,
		      1,   .25f, .125f, 1.5f, -.75f, .5f };
	float t[] = { .1f, .2f, -.3f, .4f };
	struct arena *arena = arena_create(1 << 20);
	struct stepper_port in = { DTYPE_F32, { 2, { 3, 2 } } };
	struct stepper_options options = { .input = &in,
					   .target = { DTYPE_F32,
						       { 1, { 2 } } },
					   .activation = 2,
					   .temporal = 1 };
	void *input = x;
	const struct stepper_batch batch = { 2, &input, t, false };
	struct stepper_result result;
	struct stepper *stepper;
	struct graph *base;
	struct err err = { 0 };

	make(base_text, &options, arena, &base, &stepper);
	fill(base, 0, w);
	fill(base, 1, r);
	cr_assert_eq(stepper_step(stepper, &batch, &first, &result, &err),
		     ERR_NONE, "%s", err.msg);
	/* the loss that is told is without them */
	cr_expect_float_eq(result.loss, 0.3129785, 1e-6);
	for (int i = 0; i < 4; i++) {
		const float *now = base->variable[0].view.data;
		const float *then = base->variable[1].view.data;

		cr_expect_float_eq((double)(w[i] - now[i]), dw[i], 1e-5);
		cr_expect_float_eq((double)(r[i] - then[i]), dr[i], 1e-5);
	}
	stepper_destroy(stepper);
	graph_destroy(base);
	arena_destroy(arena);
}

/* y = x + w with w of 0: rows are mixed, the loss is mixed of both targets. */
Test(regularization, mixed_rows_have_both_targets)
{
	float x[] = { 1, 2, 3, 4, 5, 6 }, t[] = { 0, 0, 1, 1, 9, 9 };
	static const int64_t partner[] = { 2, 0, 1 };
	struct arena *arena = arena_create(1 << 20);
	struct stepper_port in = { DTYPE_F32, { 1, { 2 } } };
	struct stepper_options options = { .input = &in,
					   .target = { DTYPE_F32,
						       { 1, { 2 } } },
					   .mixes = true };
	struct stepper_update update = first;
	void *input = x;
	const struct stepper_batch batch = { 3, &input, t, false };
	struct stepper_result result;
	struct stepper *stepper;
	struct graph *base;
	struct err err = { 0 };
	double want = 0;

	update.mix = 0.75;
	update.partner = partner;
	make("y = Add(x:float[3,2], w:float[3,2]!); return y", &options, arena,
	     &base, &stepper);
	cr_assert_eq(stepper_step(stepper, &batch, &update, &result, &err),
		     ERR_NONE, "%s", err.msg);
	for (int64_t i = 0; i < 6; i++) {
		const int64_t o = partner[i / 2] * 2 + i % 2;
		const double y = 0.75 * (double)x[i] + 0.25 * (double)x[o];
		const double a = y - (double)t[i], b = y - (double)t[o];

		want += (0.75 * a * a + 0.25 * b * b) / 6;
		cr_expect_float_eq((double)result.output[i], y, 1e-6);
		cr_expect_float_eq(
		    -(double)((const float *)base->variable[0].view.data)[i],
		    (0.75 * a + 0.25 * b) / 3, 1e-6);
	}
	cr_expect_float_eq(result.loss, want, 1e-5);
	stepper_destroy(stepper);
	graph_destroy(base);
	arena_destroy(arena);
}

/* Beta(a, a) has mean 1/2 and variance 1 / (4 (2 a + 1)). */
Test(regularization, shares_are_of_the_beta_distribution)
{
	static const double alpha[] = { 0.1, 0.4, 1, 3 };
	enum { N = 20000 };

	for (int a = 0; a < 4; a++) {
		const double variance = 1 / (4 * (2 * alpha[a] + 1));
		double sum = 0, square = 0;

		for (uint64_t i = 0; i < N; i++) {
			const double x = mixup_beta(5, i, alpha[a]);

			cr_assert(x >= 0 && x <= 1);
			sum += x / N;
			square += (x - 0.5) * (x - 0.5) / N;
		}
		cr_expect_lt(fabs(sum - 0.5), 4 * sqrt(variance / N), "%g: %g",
			     alpha[a], sum);
		cr_expect_lt(fabs(square - variance), 0.03 * variance,
			     "%g: %g, not %g", alpha[a], square, variance);
	}
}

Test(regularization, a_share_is_at_least_half_and_partners_are_the_batch)
{
	int64_t partner[9];

	for (uint64_t draw = 1; draw < 50; draw++) {
		const double share = mixup_draw(3, draw, 0.4, 9, partner);
		unsigned seen = 0;

		cr_expect(share >= 0.5 && share <= 1);
		for (int i = 0; i < 9; i++)
			seen |= 1U << partner[i];
		cr_expect_eq(seen, 511);
		cr_expect_eq(mixup_draw(3, draw, 0.4, 9, partner), share);
	}
}

static const struct variable *find(const struct rig *rig, const char *name)
{
	const struct graph *graph = rig->network.graph;

	for (int32_t v = 0; v < graph->n_variable; v++) {
		if (str_equal(graph->variable[v].name, name))
			return &graph->variable[v];
	}
	cr_assert(false, "there is no %s", name);
	return NULL;
}

/* What the mask leaves out has no gradient. */
Test(regularization, dropped_weights_stay_where_they_are)
{
	const struct variable *weight;
	float before[100];
	struct rig rig;
	int n_same = 0;

	rig_begin(&rig,
		  RECURRENT "trainer: {max_steps: 1, optimizer: {type: sgd}, "
			    "learning_rate: 1}\n",
		  1);
	weight = find(&rig, "1.weight_hh_l1");
	cr_assert_eq(shape_count(&weight->view.shape), 100);
	memcpy(before, weight->view.data, sizeof(before));
	rig_run(&rig, NULL);
	for (int i = 0; i < 100; i++)
		n_same += ((const float *)weight->view.data)[i] == before[i];
	/* 0.3 of 100, three deviations */
	cr_expect(n_same > 16 && n_same < 44, "%d stayed", n_same);
	rig_end(&rig);
}

/* In a step, and not in an evaluation. */
Test(regularization, a_dropped_path_drops_whole_rows)
{
	enum { ROWS = 64, WIDTH = 4 };
	static float x[ROWS * 36];
	static const int64_t target[ROWS];
	void *input = x;
	const struct stepper_batch batch = { ROWS, &input, target, false };
	struct stepper_result result;
	struct rig rig;
	int n_dropped = 0;

	for (int i = 0; i < ROWS * 36; i++)
		x[i] = 1 + sinf((float)i);
	rig_begin(&rig,
		  "model: {layers: [{type: flatten}, {type: linear, "
		  "out_features: 4}, {type: drop_path, p: 0.5}]}\n",
		  1);
	rig_create(&rig, NULL);
	cr_assert_eq(stepper_step(trainer_stepper(rig.trainer), &batch, &first,
				  &result, &rig.err),
		     ERR_NONE, "%s", rig.err.msg);
	for (int r = 0; r < ROWS; r++) {
		int n_zero = 0;

		for (int j = 0; j < WIDTH; j++)
			n_zero += !(fabsf(result.output[r * WIDTH + j]) > 0);
		cr_expect(n_zero == 0 || n_zero == WIDTH, "row %d", r);
		n_dropped += n_zero == WIDTH;
	}
	cr_expect(n_dropped > 16 && n_dropped < 48, "%d rows", n_dropped);
	cr_assert_eq(stepper_evaluate(trainer_stepper(rig.trainer), &batch,
				      &result, &rig.err),
		     ERR_NONE);
	for (int i = 0; i < ROWS * WIDTH; i++)
		cr_expect(fabsf(result.output[i]) > 0);
	rig_end(&rig);
}

Test(regularization, categories_cannot_be_mixed)
{
	static const char text[] =
	    "data: {source: synthetic}\n"
	    "input_features: [{name: n, type: number}, {name: colour, type: "
	    "category, num_classes: 3}]\n"
	    "output_features: [{name: y, type: number}]\n"
	    "model: {type: tabular, row_dropout: 0.1}\n"
	    "trainer: {mixup: {alpha: 0.2}}\n";
	struct arena *arena = arena_create(1 << 20);
	struct job_spec spec;
	struct err err = { 0 };

	cr_expect_eq(
	    job_spec_parse(text, strlen(text), "job", &spec, arena, &err),
	    ERR_INVALID);
	cr_expect_str_eq(err.msg,
			 "trainer.mixup: input feature 'colour' is a category, "
			 "which cannot be mixed");
	arena_destroy(arena);
}

/* --- LSUV --- */

/* The deviation of what a layer gives before its activation: the run of a
 * graph that ends there. */
static double deviation(const struct graph *graph, int32_t node,
			const struct fact *input, void *const *value)
{
	struct graph *part;
	struct err err = { 0 };
	const struct signature signature = { .input = input, .n = 1 };
	const struct plan_options options = { .threads = 1 };
	struct instance *instance;
	struct tensor_view view;
	struct plan *plan;
	double mean = 0, square = 0;
	int64_t n;

	cr_assert_eq(graph_clone(graph, &part, &err), ERR_NONE);
	part->n_output = 0;
	cr_assert_eq(
	    graph_add_output(part, graph_out(part, &part->node[node])[0], &err),
	    ERR_NONE);
	cr_assert_eq(plan_create(part, &signature, &options, &plan, &err),
		     ERR_NONE, "%s", err.msg);
	cr_assert_eq(instance_create(plan, &instance, &err), ERR_NONE);
	view = instance_input(instance, 0);
	memcpy(view.data, value[0], tensor_bytes(view.dtype, &view.shape));
	cr_assert_eq(instance_run(instance, NULL, &err), ERR_NONE);
	view = instance_output(instance, 0);
	n = shape_count(&view.shape);
	for (int64_t i = 0; i < n; i++)
		mean += (double)((const float *)view.data)[i] / (double)n;
	for (int64_t i = 0; i < n; i++) {
		const double d = (double)((const float *)view.data)[i] - mean;

		square += d * d / (double)n;
	}
	instance_destroy(instance);
	plan_unref(plan);
	graph_destroy(part);
	return sqrt(square);
}

Test(regularization, lsuv_gives_every_layer_unit_variance)
{
	enum { ROWS = 64, DEPTH = 20 };
	static float x[ROWS * 36];
	void *value = x;
	const struct fact input = { .type = { .elem = DTYPE_F32 },
				    .shape = { 4, { ROWS, 1, 6, 6 } },
				    .has_shape = true };
	char text[4096] = "model: {layers: [{type: conv2d, out_channels: 4, "
			  "kernel_size: 3}, {type: relu}, {type: flatten}";
	const struct graph *graph;
	struct rig rig;
	int n = 0;

	for (int i = 0; i < DEPTH; i++)
		(void)strncat(text,
			      ", {type: linear, out_features: 32}, {type: "
			      "relu}",
			      sizeof(text) - strlen(text) - 1);
	(void)strncat(text, ", {type: linear, out_features: 4}]}\n",
		      sizeof(text) - strlen(text) - 1);
	rig_begin(&rig, text, 1);
	for (int i = 0; i < ROWS * 36; i++)
		x[i] = 3 + sinf((float)i * 1.7f) + 2 * cosf((float)(i * i));
	graph = rig.network.graph;
	cr_assert_eq(lsuv_scale(graph, &input, &value, &rig.err), ERR_NONE,
		     "%s", rig.err.msg);
	for (int32_t i = 0; i < graph->n_node; i++) {
		const char *op = graph->node[i].op->name;

		if (!str_equal(op, "Conv") && !str_equal(op, "Gemm"))
			continue;
		cr_expect_float_eq(deviation(graph, i, &input, &value), 1, 1e-3,
				   "layer %d", n);
		n++;
	}
	cr_expect_eq(n, DEPTH + 2);
	rig_end(&rig);
}

Test(regularization, lsuv_scales_new_weights_and_no_restored_ones)
{
	static const char with[] =
	    RESIDUAL "trainer: {epochs: 1, batch_size: 16}\n";
	struct buf scaled, again, plain;
	char dir[64];
	struct rig rig;

	rig_make_dir(dir);
	rig_begin(&rig, with, 1);
	rig_weights(&rig, &plain);
	rig_run(&rig, dir);
	rig_weights(&rig, &scaled);
	rig_end(&rig);
	cr_expect_neq(memcmp(scaled.data, plain.data, plain.len), 0);
	rig_begin(&rig, with, 1);
	rig_create(&rig, dir);
	rig_weights(&rig, &again);
	cr_expect_eq(memcmp(scaled.data, again.data, again.len), 0);
	rig_end(&rig);
	buf_finish(&scaled);
	buf_finish(&again);
	buf_finish(&plain);
	rig_remove_dir(dir);
}
