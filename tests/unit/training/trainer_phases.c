/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * The trainer's phases, averages, steps of several batches and rollbacks.
 */
#include <criterion/criterion.h>
#include <math.h>

#include "tests/unit/training/rig.h"

/* --- phases, averages, steps of several batches --- */

static void expect_weights(const char *a, const char *b, double tolerance)
{
	struct rig_outcome one = { 0 }, two = { 0 };
	double most = 0;

	cr_assert(rig_attempt(a, NULL, ORDER_NONE, 0, &one));
	cr_assert(rig_attempt(b, NULL, ORDER_NONE, 0, &two));
	cr_assert_eq(one.weights.len, two.weights.len);
	for (size_t i = 0; i < one.weights.len / sizeof(float); i++)
		most = fmax(
		    most, fabs((double)((float *)(void *)one.weights.data)[i] -
			       (double)((float *)(void *)two.weights.data)[i]));
	cr_expect_leq(most, tolerance, "%s and %s: %g", a, b, most);
	buf_finish(&one.weights);
	buf_finish(&two.weights);
}

#define WHOLE_STEP                                                    \
	"optimizer: {type: sgd, momentum: 0.9}, learning_rate: 0.1, " \
	"early_stopping: {restore_best: false}"

/* 70 rows: the last step of an epoch has 22, in batches of 8, 8 and 6 */
Test(trainer_phases, batches_of_one_step_are_one_batch)
{
	expect_weights(
	    LINEAR "trainer: {epochs: 3, batch_size: 24, " WHOLE_STEP "}\n",
	    LINEAR "trainer: {epochs: 3, batch_size: 8, "
		   "gradient_accumulation_steps: 3, " WHOLE_STEP "}\n",
	    1e-6);
}

Test(trainer_phases, two_phases_that_say_the_same_are_one_but_for_the_optimizer)
{
	expect_weights(LINEAR "trainer: {epochs: 4, batch_size: 16, optimizer: "
			      "{type: sgd}}\n",
		       LINEAR "trainer: {batch_size: 16, optimizer: {type: "
			      "sgd}, phases: [{epochs: 1}, {epochs: 3}]}\n",
		       0);
}

/* by: 0 frozen, 1 trained */
static void expect_moved(const char *text, const bool *moves)
{
	struct rig rig;
	struct buf before, after;
	size_t at = 0;

	rig_begin(&rig, text, 1);
	rig_weights(&rig, &before);
	rig_run(&rig, NULL);
	rig_weights(&rig, &after);
	for (int32_t v = 0; v < rig.network.graph->n_variable; v++) {
		const struct variable *variable =
		    &rig.network.graph->variable[v];
		size_t n =
		    tensor_bytes(variable->view.dtype, &variable->view.shape);

		cr_expect_eq(memcmp((char *)before.data + at,
				    (char *)after.data + at, n) != 0,
			     moves[v], "%s of %s", variable->name, text);
		at += n;
	}
	buf_finish(&before);
	buf_finish(&after);
	rig_end(&rig);
}

/* convolution, batch norm (scale, bias, mean, variance), linear */
Test(trainer_phases, what_is_frozen_keeps_its_bits)
{
	static const bool head[] = { 0, 0, 0, 0, 0, 0, 1, 1 };
	static const bool norm[] = { 1, 1, 0, 0, 0, 0, 1, 1 };
	static const bool biases[] = { 1, 0, 1, 0, 1, 1, 1, 0 };

	expect_moved(NETWORK "trainer: {epochs: 1, freeze: body}\n", head);
	expect_moved(NETWORK "trainer: {epochs: 1, freeze: 2}\n", head);
	expect_moved(NETWORK "trainer: {epochs: 1, freeze: '^1[.]'}\n", norm);
	expect_moved(NETWORK "trainer: {epochs: 1, freeze: ['bias$']}\n",
		     biases);
}

Test(trainer_phases, each_group_of_layers_has_its_rate)
{
	struct rig rig;
	struct buf before, after;
	const float *a, *b;
	double first = 0, last = 0;

	/* sgd's step is the rate times the gradient: rates of 0 to the last
	 * digit leave the first layers where they are */
	rig_begin(&rig,
		  "model: {layers: [{type: flatten}, {type: linear, "
		  "out_features: 8}, {type: tanh}, {type: linear, "
		  "out_features: 4}]}\n"
		  "trainer: {epochs: 1, optimizer: {type: sgd}, learning_rate:"
		  " [1.0e-20, 0.1]}\n",
		  1);
	rig_weights(&rig, &before);
	rig_run(&rig, NULL);
	rig_weights(&rig, &after);
	a = (const float *)(const void *)before.data;
	b = (const float *)(const void *)after.data;
	for (int i = 0; i < 36 * 8 + 8; i++)
		first = fmax(first, fabs((double)(a[i] - b[i])));
	for (int i = 36 * 8 + 8; i < 36 * 8 + 8 + 36; i++)
		last = fmax(last, fabs((double)(a[i] - b[i])));
	cr_expect_eq(first, 0);
	cr_expect_gt(last, 1e-4);
	buf_finish(&before);
	buf_finish(&after);
	rig_end(&rig);
}

static void expect_refusal(const char *text, const char *why)
{
	struct rig rig;

	rig_begin(&rig, text, 1);
	cr_expect_eq(trainer_create(
			 &(struct trainer_options){
			     .spec = &rig.spec,
			     .dataset = rig.dataset,
			     .pipeline = rig.pipeline,
			     .graph = rig.network.graph,
			     .threads = 1,
			 },
			 &rig.trainer, &rig.err),
		     ERR_INVALID);
	cr_expect(strstr(rig.err.msg, why), "%s", rig.err.msg);
	rig_end(&rig);
}

Test(trainer_phases, phases_that_do_not_fit_the_network_are_refused)
{
	expect_refusal(LINEAR "trainer: {freeze: conv}\n",
		       "no parameter matches 'conv'");
	expect_refusal(LINEAR "trainer: {freeze: 1}\n", "no parameter is left");
	expect_refusal(LINEAR "trainer: {learning_rate: [1, 2, 3]}\n",
		       "there are 3 rates");
}

/* The finder leaves no trace: what follows it is what follows without. */
Test(trainer_phases, looking_for_a_rate_changes_no_bit)
{
	static const char text[] =
	    NETWORK "trainer: {epochs: 2, batch_size: 16, optimizer: {type: "
		    "adamw}, learning_rate: 0.01}\n";
	struct rig_outcome want = { 0 };
	struct lr_curve curve = { 0 };
	enum trainer_order order;
	struct rig rig;
	struct buf got;

	cr_assert(rig_attempt(text, NULL, ORDER_NONE, 0, &want));
	rig_begin(&rig, text, 1);
	rig_create(&rig, NULL);
	cr_assert_eq(trainer_find_rate(rig.trainer, &curve, &order, &rig.err),
		     ERR_NONE);
	cr_expect_eq(order, ORDER_NONE);
	cr_expect_gt(curve.n, 50);
	cr_assert_eq(trainer_run(rig.trainer, &rig.result, &rig.err), ERR_NONE);
	rig_weights(&rig, &got);
	cr_expect_eq(memcmp(got.data, want.weights.data, got.len), 0);
	cr_expect(rig_is_same_eval(&rig.result.last, &want.result.last));
	buf_finish(&got);
	buf_finish(&want.weights);
	rig_end(&rig);
}

static void keep_bits(const struct rig *rig, struct buf *ret)
{
	const struct train_memory *memory =
	    stepper_memory(trainer_stepper(rig->trainer));
	const size_t bytes = memory->n * sizeof(float);

	rig_weights(rig, ret);
	buf_put(ret, memory->params, bytes);
	for (unsigned i = 0; i < memory->n_moments; i++)
		buf_put(ret, memory->moment[i], bytes);
	if (memory->sum)
		buf_put(ret, memory->sum, bytes);
	cr_assert_eq(buf_check(ret, "bits", NULL), ERR_NONE);
}

/* In the middle of a job, when moments, statistics and a half sum of gradients
 * are there. */
Test(trainer_phases, finding_a_rate_leaves_every_bit_of_model_and_optimizer)
{
	static const char *const texts[] = {
		NETWORK "trainer: {max_steps: 3, batch_size: 16, optimizer: "
			"{type: adam, amsgrad: true}}\n",
		NETWORK "trainer: {max_steps: 3, batch_size: 8, optimizer: "
			"{type: sgd, momentum: 0.9}, "
			"gradient_accumulation_steps: 2}\n",
		RESIDUAL "trainer: {max_steps: 3, batch_size: 16, mixup: {}}\n",
		RESIDUAL "trainer: {max_steps: 3, batch_size: 16, optimizer: "
			 "{type: muon}}\n",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct lr_curve curve = { 0 };
		enum trainer_order order;
		struct buf before, after;
		struct rig rig;

		rig_begin(&rig, texts[i], 1);
		rig_run(&rig, NULL);
		keep_bits(&rig, &before);
		cr_assert_eq(
		    trainer_find_rate(rig.trainer, &curve, &order, &rig.err),
		    ERR_NONE);
		cr_expect_gt(curve.n, 20);
		keep_bits(&rig, &after);
		cr_expect_eq(before.len, after.len);
		cr_expect_eq(memcmp(before.data, after.data, before.len), 0,
			     "%s", texts[i]);
		buf_finish(&before);
		buf_finish(&after);
		rig_end(&rig);
	}
}

/* A network that has learned what there is: no rate makes its loss fall, so
 * some are tried, which leaves no trace either. */
Test(trainer_phases, rates_are_tried_where_none_makes_the_loss_fall)
{
	struct lr_curve curve = { 0 };
	enum trainer_order order;
	struct buf before, after;
	struct rig rig;

	rig_begin(&rig,
		  "data: {source: synthetic, rows: 1500}\n" LINEAR
		  "trainer: {epochs: 8, batch_size: 8, optimizer: {type: adam},"
		  " learning_rate: 3.0e-3}\n",
		  1);
	rig_run(&rig, NULL);
	keep_bits(&rig, &before);
	cr_assert_eq(trainer_find_rate(rig.trainer, &curve, &order, &rig.err),
		     ERR_NONE);
	cr_expect_eq(curve.n_trials, LR_TRIALS);
	for (size_t i = 0; i < curve.n_trials; i++)
		cr_expect(curve.trial[i].loss > 0, "%g", curve.trial[i].loss);
	cr_expect_lt(curve.trial[0].loss, curve.trial[LR_TRIALS - 1].loss);
	cr_expect_eq(lr_curve_choose(&curve), curve.trial[0].rate);
	keep_bits(&rig, &after);
	cr_expect_eq(memcmp(before.data, after.data, before.len), 0);
	buf_finish(&before);
	buf_finish(&after);
	rig_end(&rig);
}

Test(trainer_phases, an_auto_rate_trains)
{
	struct rig rig;

	rig_begin(&rig,
		  NETWORK "trainer: {epochs: 6, batch_size: 16, "
			  "learning_rate: auto, learning_rate_scheduler: "
			  "{type: one_cycle}}\n",
		  1);
	rig_run(&rig, NULL);
	cr_expect_eq(rig.n_found, 1);
	cr_expect(rig.found > 1e-6 && rig.found < 1, "%g", rig.found);
	cr_expect_lt(rig_figure(&rig.eval[5], "train_loss"),
		     rig_figure(&rig.eval[0], "train_loss"));
	rig_end(&rig);
}

Test(trainer_phases, the_average_is_what_is_measured_and_kept)
{
	static const char swa[] = LINEAR
	    "trainer: {epochs: 2, averaging: {type: swa}, " WHOLE_STEP "}\n";
	static const char *const plain[] = {
		LINEAR "trainer: {epochs: 1, " WHOLE_STEP "}\n",
		LINEAR "trainer: {epochs: 2, " WHOLE_STEP "}\n",
	};
	struct rig_outcome mean = { 0 }, part[2] = { 0 };
	const float *m, *a, *b;

	/* decay 0: the average is the weights themselves */
	expect_weights(plain[1],
		       LINEAR "trainer: {epochs: 2, averaging: {type: ema, "
			      "decay: 0}, " WHOLE_STEP "}\n",
		       0);
	cr_assert(rig_attempt(swa, NULL, ORDER_NONE, 0, &mean));
	for (int i = 0; i < 2; i++)
		cr_assert(rig_attempt(plain[i], NULL, ORDER_NONE, 0, &part[i]));
	m = (const float *)(const void *)mean.weights.data;
	a = (const float *)(const void *)part[0].weights.data;
	b = (const float *)(const void *)part[1].weights.data;
	for (size_t i = 0; i < mean.weights.len / sizeof(float); i++)
		cr_expect_float_eq(m[i], (a[i] + b[i]) / 2, 1e-6);
	cr_expect_not(
	    rig_is_same_eval(&mean.result.last, &part[1].result.last));
	buf_finish(&mean.weights);
	buf_finish(&part[0].weights);
	buf_finish(&part[1].weights);
}

Test(trainer_phases, evaluates_within_an_epoch)
{
	static const int64_t steps[] = { 2, 4, 5, 6, 8, 10 };
	struct rig rig;

	rig_begin(&rig,
		  NETWORK "trainer: {epochs: 2, batch_size: 16,"
			  " evaluate_every_n_steps: 2}\n",
		  1);
	rig_run(&rig, NULL);
	cr_assert_eq(rig.n_evals, 6);
	for (int i = 0; i < 6; i++)
		cr_expect_eq(rig.eval[i].step, steps[i]);
	cr_expect_eq(rig.eval[1].epoch, 1);
	cr_expect_eq(rig.eval[3].epoch, 2);
	rig_end(&rig);
}

Test(trainer_phases, a_run_that_diverges_goes_back_and_on_with_a_lower_rate)
{
	struct rig rig;
	struct rig_outcome got = { 0 }, want = { 0 };
	char dir[64];
	static const char text[] =
	    NETWORK "trainer: {epochs: 3, batch_size: 16, learning_rate: "
		    "1.0e+30, optimizer: {type: sgd}, on_nan: {action: "
		    "rollback, lr_factor: 1.0e-9, max_retries: 4}}\n";

	rig_make_dir(dir);
	rig_begin(&rig, text, 1);
	rig_run(&rig, dir);
	cr_expect_eq(rig.result.reason, STOP_COMPLETED);
	cr_expect_str_eq(rig.warning, "nan_rollback");
	cr_expect_eq(rig.n_evals, 3);
	cr_expect(isfinite(rig_figure(&rig.result.last, "valid_loss")));
	rig_end(&rig);
	rig_remove_dir(dir);
	/* a crash anywhere changes nothing of it */
	rig_make_dir(dir);
	cr_assert(rig_attempt(text, dir, ORDER_NONE, 0, &want));
	rig_remove_dir(dir);
	for (int64_t at = 1; at < want.n_polls; at += 3) {
		rig_make_dir(dir);
		if (!rig_attempt(text, dir, ORDER_CANCEL, at, &got))
			cr_assert(rig_attempt(text, dir, ORDER_NONE, 0, &got));
		rig_expect_same(text, at, &got, &want);
		buf_finish(&got.weights);
		rig_remove_dir(dir);
	}
	buf_finish(&want.weights);
}

Test(trainer_phases, after_so_many_rollbacks_the_job_fails)
{
	struct rig rig;
	char dir[64];

	rig_make_dir(dir);
	rig_begin(&rig,
		  NETWORK "trainer: {epochs: 3, learning_rate: 1.0e+30,"
			  " optimizer: {type: sgd}, on_nan: {action: rollback,"
			  " max_retries: 2}}\n",
		  1);
	rig_run(&rig, dir);
	cr_expect_eq(rig.result.reason, STOP_NAN);
	cr_expect_eq(rig.n_warnings, 2);
	rig_end(&rig);
	rig_remove_dir(dir);
}
