/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Diagnoses: of figures by hand, and of three runs that go as their names say.
 */
#include "training/diagnosis.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/rng.h"
#include "engine/kernels/blas.h"
#include "engine/ops/loss.h"
#include "models/network.h"
#include "training/baseline.h"
#include "training/stepper.h"

enum { ARENA = 64 << 20, ROWS = 20 };

/* --- by hand --- */

static int64_t after(const double (*losses)[2], size_t n, double trivial)
{
	struct diagnosis_watch watch = { 0 };

	for (size_t i = 0; i < n; i++)
		diagnosis_observe(&watch, &(struct diagnosis_figures){
					      .epoch = (int64_t)i + 1,
					      .train_loss = losses[i][0],
					      .valid_loss = losses[i][1],
					      .start_loss = (double)NAN,
					      .trivial_loss = trivial });
	return watch.name;
}

Test(diagnosis, is_of_the_curves)
{
	static const double falls[][2] = { { 1, 1 }, { .8, .9 }, { .6, .8 } };
	static const double rises[][2] = {
		{ 1, 1 }, { .8, .9 }, { .6, .95 }, { .4, 1.1 }, { .2, 1.3 }
	};
	static const double both[][2] = {
		{ 1, 1 }, { 1.1, 1.1 }, { 1.2, 1.2 }, { 1.3, 1.3 }
	};
	static const double level[][2] = { { 1, 1 },	   { .5, .5 },
					   { .5, .499 },   { .5, .498 },
					   { .499, .497 }, { .499, .497 },
					   { .498, .497 } };
	static const double grows[][2] = { { 1, 1 }, { 4.1, 9 } };
	const double broken[][2] = { { 1, 1 }, { (double)NAN, 1 } };

	cr_expect_eq(after(falls, 3, 2), DIAGNOSIS_OK);
	cr_expect_eq(after(rises, 4, 2), DIAGNOSIS_OK);
	cr_expect_eq(after(rises, 5, 2), DIAGNOSIS_OVERFITTING);
	/* both rise: that is no overfitting */
	cr_expect_eq(after(both, 4, 2), DIAGNOSIS_OK);
	cr_expect_eq(after(falls, 3, 0.61), DIAGNOSIS_UNDERFITTING);
	cr_expect_eq(after(falls, 2, 0.81), DIAGNOSIS_OK);
	cr_expect_eq(after(level, 7, 2), DIAGNOSIS_PLATEAU);
	cr_expect_eq(after(grows, 2, 2), DIAGNOSIS_DIVERGING);
	cr_expect_eq(after(broken, 2, (double)NAN), DIAGNOSIS_DIVERGING);
	/* what is still better than nothing has not diverged */
	cr_expect_eq(after(grows, 2, 5), DIAGNOSIS_OK);
}

Test(diagnosis, what_never_beats_the_baseline_does_not_overfit)
{
	/* XOR and a linear model: the curves are noise */
	static const double noise[][2] = { { .74, .69 },
					   { .73, .7 },
					   { .72, .71 },
					   { .71, .72 },
					   { .7, .73 } };

	cr_expect_eq(after(noise, 5, .693), DIAGNOSIS_UNDERFITTING);
	cr_expect_eq(after(noise, 5, 1), DIAGNOSIS_OVERFITTING);
}

Test(diagnosis, a_first_epoch_far_above_its_first_step_diverges)
{
	struct diagnosis_watch watch = { 0 };
	struct diagnosis_figures f = { .epoch = 1,
				       .train_loss = 1e9,
				       .valid_loss = 1e9,
				       .start_loss = .7,
				       .trivial_loss = .69 };

	diagnosis_observe(&watch, &f);
	cr_expect_eq(watch.name, DIAGNOSIS_DIVERGING);
	/* a first step that is bad is none */
	watch = (struct diagnosis_watch){ 0 };
	f.start_loss = 2e9;
	diagnosis_observe(&watch, &f);
	cr_expect_eq(watch.name, DIAGNOSIS_OK);
}

Test(diagnosis, every_one_has_a_name_and_all_but_ok_a_text)
{
	for (int i = 0; i <= DIAGNOSIS_PLATEAU; i++) {
		cr_expect(*diagnosis_name((enum diagnosis)i));
		cr_expect_eq(diagnosis_text((enum diagnosis)i) != NULL, i > 0);
	}
}

/* --- runs --- */

struct study {
	const char *model, *optimizer;
	double rate;
	int64_t n, width;     /* rows; of the output */
	const void *input[2]; /* [n, 2] or [n, 1]: training, validation */
	const void *target[2];
	int64_t inputs;
	struct train_loss loss;
	int n_steps, n_between; /* evaluations */
	double trivial;
};

static double step_once(struct stepper *stepper, const struct study *study,
			uint64_t step, struct err *err)
{
	void *input = (void *)(uintptr_t)study->input[0];
	const struct stepper_batch batch = { study->n, &input, study->target[0],
					     false };
	const struct stepper_update update = { .step = step,
					       .draw = step,
					       .share = 1,
					       .rate = study->rate,
					       .momentum = (double)NAN };
	struct stepper_result result;

	cr_assert_eq(stepper_step(stepper, &batch, &update, &result, err),
		     ERR_NONE, "%s", err->msg);
	return isfinite(result.norm) ? result.loss : (double)NAN;
}

static double validate(struct stepper *stepper, const struct study *study,
		       struct err *err)
{
	void *input = (void *)(uintptr_t)study->input[1];
	const struct stepper_batch batch = { study->n, &input, study->target[1],
					     false };
	struct stepper_result result;

	cr_assert_eq(stepper_evaluate(stepper, &batch, &result, err), ERR_NONE,
		     "%s", err->msg);
	return result.loss;
}

static struct stepper *make(const struct study *study, struct network *network,
			    struct optimizer *optimizer, struct arena *arena,
			    struct err *err)
{
	const struct network_port in = { .name = "x",
					 .dtype = DTYPE_F32,
					 .row = { 1, { study->inputs } } };
	const struct network_target out = { "y", study->width, false };
	bool is_class = study->loss.target.elem == DTYPE_I64;
	const struct stepper_port port = { DTYPE_F32, in.row };
	struct stepper_port target = { study->loss.target.elem, { 0 } };
	struct stepper *stepper;
	struct doc *model, *map;

	if (!is_class)
		target.row = (struct shape){ 1, { 1 } };
	cr_assert_eq(doc_parse_yaml(study->model, strlen(study->model), "m",
				    arena, &model, err),
		     ERR_NONE);
	cr_assert_eq(doc_parse_yaml(study->optimizer, strlen(study->optimizer),
				    "o", arena, &map, err),
		     ERR_NONE);
	cr_assert_eq(optimizer_read(map, optimizer, arena, err), ERR_NONE);
	cr_assert_eq(network_build(&(struct network_request){ .model = model,
							      .in = &in,
							      .n_in = 1,
							      .out = &out,
							      .n_out = 1,
							      .seed = 1 },
				   network, err),
		     ERR_NONE, "%s", err->msg);
	cr_assert_eq(
	    stepper_create(network->graph,
			   &(struct stepper_options){ .optimizer = optimizer,
						      .loss = study->loss,
						      .input = &port,
						      .n_inputs = 1,
						      .target = target,
						      .threads = 1 },
			   &stepper, err),
	    ERR_NONE, "%s", err->msg);
	return stepper;
}

static const char *run(const struct study *study)
{
	struct arena *arena = arena_create(ARENA);
	struct diagnosis_watch watch = { 0 };
	struct optimizer optimizer;
	struct network network;
	struct err err = { 0 };
	struct stepper *stepper;

	cr_assert_eq(blas_init(&err), ERR_NONE);
	stepper = make(study, &network, &optimizer, arena, &err);
	for (int i = 1; i <= study->n_steps; i++) {
		double loss = step_once(stepper, study, (uint64_t)i, &err);

		if (i % study->n_between && !isnan(loss))
			continue;
		diagnosis_observe(
		    &watch, &(struct diagnosis_figures){
				.epoch = i,
				.train_loss = loss,
				.valid_loss = validate(stepper, study, &err),
				.start_loss = (double)NAN,
				.trivial_loss = study->trivial });
		if (isnan(loss))
			break;
	}
	stepper_destroy(stepper);
	graph_destroy(network.graph);
	arena_destroy(arena);
	return diagnosis_name((enum diagnosis)watch.name);
}

static const struct pointwise_loss_attrs pointwise = { .delta = 1 };
static const struct cross_entropy_attrs entropy = { .ignore_index = -100 };
static const struct loss_kind mse = { .name = "mse" };

/* Points of a sine, with noise of their own. */
static void draw_sine(float x[2][ROWS], float y[2][ROWS], double *ret_trivial)
{
	const struct loss loss = { .kind = &mse };
	double targets[ROWS];

	for (int part = 0; part < 2; part++) {
		for (int i = 0; i < ROWS; i++) {
			struct rng rng = { .stream = (uint32_t)part };

			x[part][i] = 2 * rng_uniform(rng, 2 * (uint64_t)i) - 1;
			y[part][i] = sinf(3 * x[part][i]) +
				     0.4f * rng_normal(rng, 1000 + (uint64_t)i);
		}
	}
	for (int i = 0; i < ROWS; i++)
		targets[i] = (double)y[0][i];
	*ret_trivial = baseline_of_numbers(targets, ROWS, &loss);
}

#define MLP                                                                  \
	"{layers: [{type: linear, out_features: 200}, {type: tanh}, {type: " \
	"linear, out_features: 200}, {type: tanh}, {type: linear, "          \
	"out_features: 1}]}"

static struct study sine_study(float x[2][ROWS], float y[2][ROWS])
{
	return (struct study){
		.model = MLP,
		.optimizer = "{type: adam}",
		.rate = 0.01,
		.n = ROWS,
		.width = 1,
		.inputs = 1,
		.input = { x[0], x[1] },
		.target = { y[0], y[1] },
		.loss = { .op = "MeanSquaredError",
			  .attrs = &pointwise,
			  .target = { .elem = DTYPE_F32 } },
		.n_steps = 2000,
		.n_between = 100,
	};
}

Test(diagnosis, a_large_network_on_twenty_noisy_points_overfits)
{
	float x[2][ROWS], y[2][ROWS];
	double trivial;
	struct study study;

	draw_sine(x, y, &trivial);
	study = sine_study(x, y);
	study.trivial = trivial;
	cr_expect_str_eq(run(&study), "overfitting");
}

Test(diagnosis, a_rate_of_100000_diverges)
{
	float x[2][ROWS], y[2][ROWS];
	double trivial;
	struct study study;

	draw_sine(x, y, &trivial);
	study = sine_study(x, y);
	study.trivial = trivial;
	study.optimizer = "{type: sgd}";
	study.rate = 1e5;
	study.n_between = 1;
	study.n_steps = 5;
	cr_expect_str_eq(run(&study), "diverging");
}

Test(diagnosis, a_linear_model_of_xor_underfits)
{
	static const float x[] = { 0, 0, 0, 1, 1, 0, 1, 1 };
	static const int64_t y[] = { 0, 1, 1, 0 };
	static const double count[] = { 2, 2 };
	static const struct loss_kind kind = { .name = "cross_entropy" };
	const struct loss loss = { .kind = &kind };
	struct study study = {
		.model = "{layers: [{type: linear, out_features: 2}]}",
		.optimizer = "{type: adam}",
		.rate = 0.1,
		.n = 4,
		.width = 2,
		.inputs = 2,
		.input = { x, x },
		.target = { y, y },
		.loss = { .op = "SoftmaxCrossEntropy",
			  .attrs = &entropy,
			  .target = { .elem = DTYPE_I64 } },
		.n_steps = 200,
		.n_between = 20,
		.trivial = baseline_of_classes(count, 2, &loss),
	};

	cr_expect_float_eq(study.trivial, log(2), 1e-12);
	cr_expect_str_eq(run(&study), "underfitting");
	/* and a network that can does not */
	study.model = "{layers: [{type: linear, out_features: 16}, {type: "
		      "tanh}, {type: linear, out_features: 2}]}";
	cr_expect_str_neq(run(&study), "underfitting");
}

/* Of shares the best that sees no inputs is their mean; what is not known is
 * not told. */
Test(diagnosis, a_binary_baseline_is_the_entropy_of_the_mean)
{
	static const struct loss_kind known = {
		.name = "binary_cross_entropy_with_logits"
	};
	static const struct loss_kind other = { .name = "dice" };
	double target[] = { 0, 1, 1, 1 }, weight = 2;
	struct loss loss = { .kind = &known };

	cr_expect_float_eq(baseline_of_numbers(target, 4, &loss),
			   -0.75 * log(0.75) - 0.25 * log(0.25), 1e-12);
	loss.params.weight = (struct field_doubles){ 1, &weight };
	cr_expect(isnan(baseline_of_numbers(target, 4, &loss)));
	loss = (struct loss){ .kind = &other };
	cr_expect(isnan(baseline_of_numbers(target, 4, &loss)));
}
