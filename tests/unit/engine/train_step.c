/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/train_step.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "engine/graph_text.h"
#include "engine/instance.h"
#include "engine/interpreter.h"
#include "engine/ops/loss.h"
#include "engine/ops/optimizer.h"
#include "engine/plan_priv.h"
#include "plan_check.h"

/* A base graph and everything that a training run needs. */
struct bench {
	struct graph *base, *step;
	struct train_memory *memory;
	struct plan *plan;
	struct instance *instance;
	struct optimizer_attrs attrs;
	struct optimizer_setting setting[4];
	struct train_step_options options;
	struct fact input[4];
	struct err err;
	uint64_t n_steps;
};

static const struct cross_entropy_attrs cross_entropy = { .ignore_index =
							      -100 };

static struct fact fact_of(enum dtype elem, unsigned rank, int64_t a, int64_t b)
{
	return (struct fact){ .type = { .elem = elem },
			      .shape = { rank, { a, b } },
			      .has_shape = true };
}

static void parse(struct bench *bench, const char *text)
{
	struct fact *input = NULL;
	enum err_code rc =
	    graph_text_parse(text, &bench->base, &input, &bench->err);

	cr_assert_eq(rc, ERR_NONE, "%s", bench->err.msg);
	cr_assert_eq(facts_type_graph(bench->base, &bench->err), ERR_NONE);
	for (int32_t i = 0; i < bench->base->n_input; i++)
		bench->input[i] = input[i];
	/* numbers for the variables, the same every time */
	for (int32_t i = 0; i < bench->base->n_variable; i++) {
		const struct tensor_view *view = &bench->base->variable[i].view;

		for (int64_t j = 0; j < shape_count(&view->shape); j++)
			((float *)view->data)[j] =
			    (float)((j * 7 + i * 5) % 11 - 5) / 8;
	}
}

/** Sgd on cross-entropy with int64 targets [rows], unless changed after. */
static void begin(struct bench *bench, const char *text, int64_t rows)
{
	memset(bench, 0, sizeof(*bench));
	parse(bench, text);
	bench->input[bench->base->n_input] = fact_of(DTYPE_I64, 1, rows, 0);
	bench->options = (struct train_step_options){
		.loss = { .op = "SoftmaxCrossEntropy",
			  .attrs = &cross_entropy,
			  .target = { .elem = DTYPE_I64 } },
		.optimizer = "Sgd",
		.optimizer_attrs = &bench->attrs,
		.n_groups = 1,
	};
	bench->setting[0] = (struct optimizer_setting){ .rate = 0.1 };
}

static enum err_code build(struct bench *bench)
{
	const struct op *op = op_find("predictd", bench->options.optimizer);
	enum err_code rc = train_memory_create(
	    bench->base, optimizer_moments(op, &bench->attrs), false,
	    &bench->memory, &bench->err);

	return rc ? rc
		  : train_step_build(bench->base, bench->memory,
				     &bench->options, bench->input,
				     &bench->step, &bench->err);
}

static void plan(struct bench *bench, const struct plan_options *options)
{
	struct fact input[8];
	const unsigned n = (unsigned)bench->base->n_input + 1;
	const struct signature signature = { n + 2, input };
	char text[256];
	enum err_code rc;

	memcpy(input, bench->input, n * sizeof(*input));
	input[n] = fact_of(DTYPE_I64, 0, 0, 0);
	input[n + 1] =
	    fact_of(DTYPE_F32, 2, bench->options.n_groups, OPTIMIZER_HYPER);
	rc = plan_create(bench->step, &signature, options, &bench->plan,
			 &bench->err);
	cr_assert_eq(rc, ERR_NONE, "%s", bench->err.msg);
	cr_assert(plan_check(bench->plan, text, sizeof(text)), "%s", text);
	rc = instance_create(bench->plan, &bench->instance, &bench->err);
	cr_assert_eq(rc, ERR_NONE, "%s", bench->err.msg);
	instance_poison(bench->instance);
}

static void make(struct bench *bench)
{
	enum err_code rc = build(bench);

	cr_assert_eq(rc, ERR_NONE, "%s", bench->err.msg);
	plan(bench, NULL);
}

static void end(struct bench *bench)
{
	instance_destroy(bench->instance);
	plan_unref(bench->plan);
	graph_destroy(bench->step);
	train_memory_destroy(bench->memory);
	graph_destroy(bench->base);
}

static void *input(struct bench *bench, unsigned i)
{
	return instance_input(bench->instance, i).data;
}

static float output(struct bench *bench, unsigned i)
{
	return *(float *)instance_output(bench->instance, i).data;
}

/** One step; the caller has written inputs and target. */
static void step(struct bench *bench, struct team *team)
{
	const unsigned n = (unsigned)bench->base->n_input + 1;
	const struct op *op = op_find("predictd", bench->options.optimizer);
	float *hyper = input(bench, n + 1);
	enum err_code rc;

	bench->n_steps++;
	*(int64_t *)input(bench, n) = (int64_t)bench->n_steps;
	for (unsigned i = 0; i < bench->options.n_groups; i++)
		optimizer_hyper_fill(op, &bench->attrs, &bench->setting[i],
				     bench->n_steps,
				     hyper + i * OPTIMIZER_HYPER);
	rc = instance_run(bench->instance, team, &bench->err);
	cr_assert_eq(rc, ERR_NONE, "%s", bench->err.msg);
}

static float *variable(struct bench *bench, int32_t i)
{
	return bench->base->variable[i].view.data;
}

/* A perceptron 3-4-2 in plain double loops: what the steps must give. */

enum { ROWS = 5, IN = 3, HIDDEN = 4, OUT = 2, N_PARAMS = 26 };

struct hand {
	/* w1 [3,4], b1 [4], w2 [4,2], b2 [2], one after the other */
	double param[N_PARAMS], grad[N_PARAMS], buffer[N_PARAMS];
	double loss, norm;
};

static void hand_row(struct hand *hand, const float *x, int64_t target)
{
	const double *w1 = hand->param, *b1 = w1 + 12, *w2 = b1 + 4,
		     *b2 = w2 + 8;
	double *dw1 = hand->grad, *db1 = dw1 + 12, *dw2 = db1 + 4,
	       *db2 = dw2 + 8;
	double h[HIDDEN], z[OUT], sum = 0;

	for (int j = 0; j < HIDDEN; j++) {
		h[j] = b1[j];
		for (int i = 0; i < IN; i++)
			h[j] += (double)x[i] * w1[i * HIDDEN + j];
		h[j] = h[j] > 0 ? h[j] : 0;
	}
	for (int k = 0; k < OUT; k++) {
		z[k] = b2[k];
		for (int j = 0; j < HIDDEN; j++)
			z[k] += h[j] * w2[j * OUT + k];
		sum += exp(z[k]);
	}
	hand->loss -= log(exp(z[target]) / sum) / ROWS;
	for (int k = 0; k < OUT; k++) {
		const double dz = (exp(z[k]) / sum - (k == target)) / ROWS;

		db2[k] += dz;
		for (int j = 0; j < HIDDEN; j++) {
			const double dh = h[j] > 0 ? dz * w2[j * OUT + k] : 0;

			dw2[j * OUT + k] += dz * h[j];
			db1[j] += dh;
			for (int i = 0; i < IN; i++)
				dw1[i * HIDDEN + j] += dh * (double)x[i];
		}
	}
}

static void hand_gradients(struct hand *hand, const float *x,
			   const int64_t *target)
{
	memset(hand->grad, 0, sizeof(hand->grad));
	hand->loss = hand->norm = 0;
	for (int i = 0; i < ROWS; i++)
		hand_row(hand, x + i * IN, target[i]);
	for (int i = 0; i < N_PARAMS; i++)
		hand->norm += hand->grad[i] * hand->grad[i];
	hand->norm = sqrt(hand->norm);
}

static const char perceptron[] =
    "w1:float[3,4]!\nb1:float[4]!\nw2:float[4,2]!\nb2:float[2]!\n"
    "h = Relu(Add(MatMul(x:float[5,3], w1), b1))\n"
    "y = Add(MatMul(h, w2), b2)\n"
    "return y";

static void fill(struct bench *bench)
{
	float *x = input(bench, 0);
	int64_t *target = input(bench, 1);

	for (int i = 0; i < ROWS * IN; i++)
		x[i] = (float)(i * 13 % 7 - 3) / 2;
	for (int i = 0; i < ROWS; i++)
		target[i] = i % 2;
}

static void copy_params(struct bench *bench, double *param)
{
	static const int n[] = { 12, 4, 8, 2 };

	for (int32_t i = 0; i < 4; i++)
		for (int j = 0; j < n[i]; j++)
			*param++ = (double)variable(bench, i)[j];
}

static void check_params(struct bench *bench, const double *want,
			 double tolerance)
{
	double got[N_PARAMS];

	copy_params(bench, got);
	for (int i = 0; i < N_PARAMS; i++)
		cr_assert(fabs(got[i] - want[i]) <= tolerance,
			  "parameter %d: got %.9g, want %.9g", i, got[i],
			  want[i]);
}

Test(train_step, a_perceptron_learns_as_by_hand)
{
	struct hand hand = { 0 };
	struct bench bench;

	begin(&bench, perceptron, ROWS);
	bench.attrs.momentum = 1;
	bench.setting[0].momentum = 0.9;
	bench.setting[0].weight_decay = 0.01;
	make(&bench);
	fill(&bench);
	copy_params(&bench, hand.param);
	for (int i = 0; i < 20; i++) {
		hand_gradients(&hand, input(&bench, 0), input(&bench, 1));
		for (int j = 0; j < N_PARAMS; j++) {
			hand.buffer[j] = 0.9 * hand.buffer[j] + hand.grad[j] +
					 0.01 * hand.param[j];
			hand.param[j] -= 0.1 * hand.buffer[j];
		}
		step(&bench, NULL);
		cr_assert_float_eq((double)output(&bench, 0), hand.loss, 1e-6);
		cr_assert_float_eq((double)output(&bench, 1), hand.norm, 1e-6);
	}
	check_params(&bench, hand.param, 2e-6);
	cr_assert_eq(instance_output(bench.instance, 2).shape.dim[1], OUT);
	end(&bench);
}

Test(train_step, adam_moves_as_by_hand)
{
	struct hand hand = { 0 };
	double square[N_PARAMS] = { 0 };
	struct bench bench;

	begin(&bench, perceptron, ROWS);
	bench.options.optimizer = "Adam";
	bench.attrs.decoupled = 1;
	bench.setting[0] = (struct optimizer_setting){ .rate = 0.01,
						       .weight_decay = 0.1,
						       .momentum = 0.9,
						       .square = 0.999,
						       .eps = 1e-5 };
	make(&bench);
	fill(&bench);
	copy_params(&bench, hand.param);
	for (int t = 1; t <= 10; t++) {
		hand_gradients(&hand, input(&bench, 0), input(&bench, 1));
		for (int j = 0; j < N_PARAMS; j++) {
			const double g = hand.grad[j];

			hand.buffer[j] = 0.9 * hand.buffer[j] + 0.1 * g;
			square[j] = 0.999 * square[j] + 0.001 * g * g;
			hand.param[j] *= 1 - 0.01 * 0.1;
			hand.param[j] -=
			    0.01 * (hand.buffer[j] / (1 - pow(0.9, t))) /
			    (sqrt(square[j] / (1 - pow(0.999, t))) + 1e-5);
		}
		step(&bench, NULL);
	}
	check_params(&bench, hand.param, 5e-6);
	end(&bench);
}

Test(train_step, nothing_is_copied_but_padding)
{
	struct bench bench;
	size_t n_copies = 0;

	/* every parameter but the last fills its lines */
	begin(&bench,
	      "a:float[4,16]!\nb:float[16]!\nc:float[16,8]!\nd:float[8]!\n"
	      "h = Relu(Add(MatMul(x:float[5,4], a), b))\n"
	      "y = Add(MatMul(h, c), d)\nreturn y",
	      5);
	make(&bench);
	for (size_t i = 0; i < bench.plan->report.n_steps; i++)
		n_copies += bench.plan->step[i].node < 0;
	cr_assert_eq(n_copies, 0U);
	end(&bench);
}

Test(train_step, the_interpreter_takes_the_same_steps)
{
	struct interpreter_result result;
	struct tensor_view in[4];
	float start[256], want[256];
	struct bench bench;

	begin(&bench, perceptron, ROWS);
	bench.attrs.momentum = 1;
	bench.setting[0].momentum = 0.9;
	cr_assert_eq(build(&bench), ERR_NONE, "%s", bench.err.msg);
	plan(&bench, &(struct plan_options){ .quick = true });
	fill(&bench);
	cr_assert(bench.memory->n * 2 <= 256);
	step(&bench, NULL);
	memcpy(start, bench.memory->params, bench.memory->n * 8);
	step(&bench, NULL);
	memcpy(want, bench.memory->params, bench.memory->n * 8);
	memcpy(bench.memory->params, start, bench.memory->n * 8);
	for (unsigned i = 0; i < 4; i++)
		in[i] = instance_input(bench.instance, i);
	cr_assert_eq(interpret(bench.step, in, NULL, &result, &bench.err),
		     ERR_NONE, "%s", bench.err.msg);
	cr_assert_eq(*(float *)result.value[bench.step->output[0]].data,
		     output(&bench, 0));
	cr_assert(!memcmp(want, bench.memory->params, bench.memory->n * 8));
	interpreter_result_finish(&result);
	end(&bench);
}

/* Every family of a small convolutional network, forward and backward. */
Test(train_step, a_convolutional_network_learns)
{
	struct plan_options options[] = { { .quick = true },
					  { .quick = true, .keep_all = true },
					  { .threads = 2 } };
	float loss[3], first;

	for (int i = 0; i < 3; i++) {
		struct bench bench;
		float *x;

		begin(&bench,
		      "k:float[4,1,3,3]!\ns:float[4]!\nb:float[4]!\n"
		      "m:float[4]!state\nv:float[4]!state\nw:float[36,3]!\n"
		      "c = Conv<pads=[1,1,1,1]>(x:float[6,1,6,6], k)\n"
		      "n = Relu(BatchNormalization(c, s, b, m, v))\n"
		      "p = MaxPool<kernel_shape=[2,2], strides=[2,2]>(n)\n"
		      "d = Dropout(Flatten(p), r:float[]={0.1})\n"
		      "y = MatMul(d, w)\nreturn y",
		      6);
		bench.options.optimizer = "Adam";
		bench.setting[0] = (struct optimizer_setting){ .rate = 0.05,
							       .momentum = 0.9,
							       .square = 0.99,
							       .eps = 1e-5 };
		cr_assert_eq(build(&bench), ERR_NONE, "%s", bench.err.msg);
		plan(&bench, &options[i]);
		x = input(&bench, 0);
		for (int j = 0; j < 6 * 36; j++)
			x[j] = (float)((j + j / 36 * 5) % 13 - 6) / 4;
		for (int j = 0; j < 6; j++)
			((int64_t *)input(&bench, 1))[j] = j % 3;
		for (int j = 0; j < 4; j++)
			variable(&bench, 1)[j] = 1;
		step(&bench, NULL);
		first = output(&bench, 0);
		for (int j = 0; j < 30; j++)
			step(&bench, NULL);
		cr_assert(output(&bench, 0) < first / 4, "%g from %g",
			  (double)output(&bench, 0), (double)first);
		loss[i] = output(&bench, 0);
		cr_assert_float_eq((double)loss[i], (double)loss[0], 1e-4);
		end(&bench);
	}
}

Test(train_step, running_out_of_memory_is_an_error_at_any_place)
{
	enum err_code rc = ERR_NO_MEMORY;
	unsigned long n = 1;

	for (; rc; n++) {
		struct bench bench;

		begin(&bench, perceptron, ROWS);
		mem_fail_at(n);
		rc = build(&bench);
		mem_fail_at(0);
		cr_assert(!rc || rc == ERR_NO_MEMORY, "allocation %lu: %s", n,
			  bench.err.msg);
		end(&bench);
		cr_assert(n < 10000);
	}
	cr_assert(n > 10);
}

Test(train_step, any_number_of_threads_trains_to_the_same_bits)
{
	float want[256] = { 0 };

	for (unsigned threads = 1; threads <= 8;
	     threads += threads == 3 ? 5 : 1) {
		struct pool *pool = NULL;
		struct bench bench;
		struct team team;
		float *x;

		cr_assert_eq(pool_create(threads, &pool, NULL), ERR_NONE);
		begin(&bench,
		      "a:float[40,64]!\nb:float[64,5]!\n"
		      "h = Tanh(MatMul(x:float[300,40], a))\n"
		      "y = MatMul(h, b)\nreturn y",
		      300);
		cr_assert_eq(build(&bench), ERR_NONE, "%s", bench.err.msg);
		plan(&bench,
		     &(struct plan_options){ .threads = threads,
					     .numerics = NUMERICS_REPEATABLE });
		instance_call_always(bench.instance);
		x = input(&bench, 0);
		for (int i = 0; i < 300 * 40; i++)
			x[i] = (float)(i * 31 % 17 - 8) / 4;
		for (int i = 0; i < 300; i++)
			((int64_t *)input(&bench, 1))[i] = i % 5;
		for (int i = 0; i < 10; i++) {
			team_borrow(pool, threads - 1, &team);
			step(&bench, &team);
			team_return(&team);
		}
		if (threads == 1)
			memcpy(want, variable(&bench, 1), sizeof(want));
		cr_assert(!memcmp(want, variable(&bench, 1), sizeof(want)),
			  "%u threads", threads);
		end(&bench);
		pool_destroy(pool);
	}
}

Test(train_step, frozen_parameters_stay_and_groups_have_their_own_rates)
{
	const bool frozen[] = { true, false, true, false };
	const int32_t group[] = { 0, 0, 0, 1 };
	struct hand hand = { 0 };
	double start[N_PARAMS];
	struct bench bench;

	begin(&bench, perceptron, ROWS);
	bench.options.frozen = frozen;
	bench.options.group = group;
	bench.options.n_groups = 2;
	bench.setting[1].rate = 0.3;
	make(&bench);
	fill(&bench);
	copy_params(&bench, hand.param);
	memcpy(start, hand.param, sizeof(start));
	for (int i = 0; i < 5; i++) {
		hand_gradients(&hand, input(&bench, 0), input(&bench, 1));
		for (int j = 12; j < 16; j++)
			hand.param[j] -= 0.1 * hand.grad[j];
		for (int j = 24; j < 26; j++)
			hand.param[j] -= 0.3 * hand.grad[j];
		step(&bench, NULL);
	}
	check_params(&bench, hand.param, 1e-6);
	cr_assert_eq((double)variable(&bench, 0)[3], start[3]);
	end(&bench);
}

Test(train_step, weights_stay_when_the_gradient_is_not_finite)
{
	double start[N_PARAMS];
	struct bench bench;

	begin(&bench, perceptron, ROWS);
	make(&bench);
	fill(&bench);
	step(&bench, NULL);
	copy_params(&bench, start);
	((float *)input(&bench, 0))[4] = INFINITY;
	step(&bench, NULL);
	cr_assert(!isfinite(output(&bench, 1)));
	check_params(&bench, start, 0);
	end(&bench);
}

Test(train_step, batch_norm_trains_and_keeps_running_statistics)
{
	struct bench bench;
	float *x;

	begin(&bench,
	      "s:float[2]!\nb:float[2]!\nm:float[2]!state\nv:float[2]!state\n"
	      "y = BatchNormalization<momentum=0.75>(x:float[4,2], s, b, m, v)"
	      "\nreturn y",
	      4);
	make(&bench);
	x = input(&bench, 0);
	for (int i = 0; i < 4; i++) {
		x[2 * i] = (float)i; /* mean 1.5, unbiased variance 5 / 3 */
		x[2 * i + 1] = 10;
		((int64_t *)input(&bench, 1))[i] = i % 2;
	}
	variable(&bench, 2)[0] = 1;
	variable(&bench, 3)[0] = 2;
	variable(&bench, 2)[1] = 0;
	variable(&bench, 3)[1] = 4;
	variable(&bench, 0)[0] = 2;
	variable(&bench, 1)[0] = 1;
	step(&bench, NULL);
	cr_assert_float_eq((double)variable(&bench, 2)[0],
			   0.75 * 1 + 0.25 * 1.5, 1e-6);
	cr_assert_float_eq((double)variable(&bench, 3)[0],
			   0.75 * 2 + 0.25 * 5 / 3, 1e-6);
	cr_assert_float_eq((double)variable(&bench, 2)[1], 2.5, 1e-6);
	cr_assert_float_eq((double)variable(&bench, 3)[1], 3.0, 1e-6);
	/* output 0 of base: 2 (x - 1.5) / sqrt(1.25) + 1 in its first row */
	cr_assert_float_eq((double)output(&bench, 2), 1 - 3 / sqrt(1.25 + 1e-5),
			   1e-5);
	end(&bench);
}

Test(train_step, frozen_statistics_are_used_and_not_changed)
{
	const bool frozen[] = { false, false, true, true };
	struct bench bench;

	begin(&bench,
	      "s:float[2]!\nb:float[2]!\nm:float[2]!state\nv:float[2]!state\n"
	      "y = BatchNormalization(x:float[4,2], s, b, m, v)\nreturn y",
	      4);
	bench.options.frozen = frozen;
	make(&bench);
	variable(&bench, 0)[0] = 2;
	variable(&bench, 1)[0] = 0.5f;
	variable(&bench, 2)[0] = 1;
	variable(&bench, 3)[0] = 4;
	((float *)input(&bench, 0))[0] = 3;
	step(&bench, NULL);
	cr_assert_float_eq((double)output(&bench, 2), 2.5, 1e-4);
	cr_assert_eq(variable(&bench, 2)[0], 1.0f);
	cr_assert_eq(variable(&bench, 3)[0], 4.0f);
	end(&bench);
}

Test(train_step, dropout_draws_by_seed_and_step)
{
	float y[2][64];
	struct bench bench;
	int zeros = 0;

	begin(&bench,
	      "w:float[64]!\n"
	      "y = Dropout(Mul(x:float[1,64], w), r:float[]={0.25})\nreturn y",
	      1);
	bench.options.seed = 7;
	make(&bench);
	bench.setting[0].rate = 0;
	for (int i = 0; i < 64; i++) {
		((float *)input(&bench, 0))[i] = 3;
		variable(&bench, 0)[i] = 1;
	}
	for (int i = 0; i < 2; i++) {
		step(&bench, NULL);
		memcpy(y[i], instance_output(bench.instance, 2).data,
		       sizeof(y[i]));
	}
	cr_assert(memcmp(y[0], y[1], sizeof(y[0])), "another mask");
	for (int i = 0; i < 64; i++) {
		cr_assert(y[0][i] == 0 || y[0][i] == 4);
		zeros += y[0][i] == 0;
	}
	cr_assert(zeros > 4 && zeros < 32, "%d zeros", zeros);
	bench.n_steps = 0;
	step(&bench, NULL);
	cr_assert(!memcmp(y[0], instance_output(bench.instance, 2).data,
			  sizeof(y[0])),
		  "the same step has the same mask");
	end(&bench);
}

Test(train_step, a_line_is_found)
{
	struct bench bench;

	begin(&bench,
	      "w:float[1,1]!\nb:float[1]!\n"
	      "y = Add(MatMul(x:float[100,1], w), b)\nreturn y",
	      0);
	bench.options.loss =
	    (struct train_loss){ .op = "MeanSquaredError",
				 .target = { .elem = DTYPE_F32 } };
	bench.input[1] = fact_of(DTYPE_F32, 2, 100, 1);
	make(&bench);
	for (int i = 0; i < 100; i++) {
		((float *)input(&bench, 0))[i] = (float)i / 50 - 1;
		((float *)input(&bench, 1))[i] = 3 * ((float)i / 50 - 1) + 2;
	}
	for (int i = 0; i < 100; i++)
		step(&bench, NULL);
	cr_assert_float_eq((double)*variable(&bench, 0), 3, 0.05);
	cr_assert_float_eq((double)*variable(&bench, 1), 2, 0.05);
	end(&bench);
}

Test(train_step, an_evaluation_graph_has_the_loss_first)
{
	struct bench bench;
	struct hand hand = { 0 };
	struct graph *eval = NULL;
	struct interpreter_result result;
	struct tensor_view in[2];

	begin(&bench, perceptron, ROWS);
	make(&bench);
	fill(&bench);
	copy_params(&bench, hand.param);
	hand_gradients(&hand, input(&bench, 0), input(&bench, 1));
	cr_assert_eq(train_eval_build(bench.base, &bench.options.loss, false,
				      bench.input, &eval, &bench.err),
		     ERR_NONE, "%s", bench.err.msg);
	in[0] = instance_input(bench.instance, 0);
	in[1] = instance_input(bench.instance, 1);
	cr_assert_eq(interpret(eval, in, NULL, &result, &bench.err), ERR_NONE,
		     "%s", bench.err.msg);
	cr_assert_float_eq((double)*(float *)result.value[eval->output[0]].data,
			   hand.loss, 1e-6);
	cr_assert_eq(eval->n_output, 2);
	interpreter_result_finish(&result);
	graph_destroy(eval);
	end(&bench);
}

Test(train_step, what_cannot_be_trained_is_refused)
{
	const bool frozen[] = { true, true, true, true };
	struct bench bench;

	begin(&bench, perceptron, ROWS);
	bench.options.frozen = frozen;
	cr_assert_eq(build(&bench), ERR_INVALID);
	cr_assert_not_null(strstr(bench.err.msg, "nothing to train"));
	bench.options.frozen = NULL;
	bench.options.loss.op = "Relu";
	cr_assert_eq(train_step_build(bench.base, bench.memory, &bench.options,
				      bench.input, &bench.step, &bench.err),
		     ERR_INVALID);
	bench.options.loss.op = "SoftmaxCrossEntropy";
	bench.options.optimizer = "Adam";
	cr_assert_eq(train_step_build(bench.base, bench.memory, &bench.options,
				      bench.input, &bench.step, &bench.err),
		     ERR_INVALID);
	cr_assert_not_null(strstr(bench.err.msg, "needs 2 moments"));
	bench.options.optimizer = "Sgd";
	bench.input[1].shape.dim[0] = 4;
	cr_assert_eq(train_step_build(bench.base, bench.memory, &bench.options,
				      bench.input, &bench.step, &bench.err),
		     ERR_SHAPE);
	end(&bench);
	begin(&bench, "w:double[2]!\ny = Mul(x:double[1,2], w)\nreturn y", 1);
	cr_assert_eq(build(&bench), ERR_UNSUPPORTED);
	end(&bench);
}
