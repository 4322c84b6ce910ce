/* SPDX-License-Identifier: Apache-2.0 */
#include "training/trainer.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/str.h"
#include "tests/unit/training/rig.h"

Test(trainer, the_loss_falls_and_the_figures_are_told)
{
	struct rig rig;

	rig_begin(&rig,
		  NETWORK "trainer: {epochs: 8, batch_size: 16,"
			  " learning_rate: 0.01}\n",
		  1);
	rig_run(&rig, NULL);
	cr_expect_eq(rig.result.reason, STOP_COMPLETED);
	cr_expect_eq(rig.n_evals, 8);
	cr_expect_eq(rig.eval[7].step, 8 * 5); /* 70 rows: 4 x 16 + 6 */
	cr_expect_eq(rig.eval[7].epoch, 8);
	cr_expect_lt(rig_figure(&rig.eval[7], "train_loss"),
		     0.8 * rig_figure(&rig.eval[0], "train_loss"));
	cr_expect_gt(rig_figure(&rig.result.last, "valid_accuracy"), 0.5);
	cr_expect_gt(rig_figure(&rig.result.last, "test_accuracy"), 0.3);
	cr_expect(isfinite(rig_figure(&rig.result.last, "test_loss")));
	cr_expect_geq(rig.n_steps, 8);
	cr_expect_eq(rig.n_checkpoints, 0);
	cr_expect_eq(rig.n_warnings, 0);
	rig_end(&rig);
}

Test(trainer, numbers_are_learned_and_measured_in_both_parts)
{
	struct rig rig;

	rig_begin(
	    &rig,
	    "input_features: [{name: a, type: number}, {name: b, type:"
	    " number}, {name: c, type: number}]\n"
	    "output_features: [{name: y, type: number}]\n"
	    "data: {source: synthetic, rows: 300}\n"
	    "model: {type: mlp}\n"
	    "trainer: {epochs: 20, learning_rate: 0.03, batch_size: 16}\n",
	    1);
	rig_run(&rig, NULL);
	cr_expect_gt(rig_figure(&rig.result.last, "valid_r2"), 0.1);
	cr_expect_gt(rig_figure(&rig.eval[19], "train_r2"), 0.5);
	cr_expect_gt(rig_figure(&rig.result.last, "train_mae"), 0.1);
	cr_expect_geq(rig_figure(&rig.result.last, "train_rmse"),
		      rig_figure(&rig.result.last, "train_mae"));
	cr_expect_float_eq(rig_figure(&rig.result.last, "train_loss"),
			   rig_figure(&rig.result.last, "train_rmse") *
			       rig_figure(&rig.result.last, "train_rmse"),
			   1e-5 * rig_figure(&rig.result.last, "train_loss"));
	rig_end(&rig);
}

/* Of a vector of ten, place k of the target is 1 in rows of hidden class k. */
Test(trainer, vectors_are_learned_by_each_of_their_losses)
{
	static const struct {
		const char *loss, *last, *metric;
		double least;
	} rows[] = {
		{ "{type: binary_cross_entropy_with_logits, pos_weight: 3}", "",
		  "valid_iou", 0.8 },
		{ "{type: binary_cross_entropy}", ", {type: sigmoid}",
		  "valid_accuracy", 0.95 },
		{ "{type: dice}", "", "valid_dice", 0.8 },
		{ "{type: focal}", "", "valid_roc_auc", 0.95 },
		{ "{type: hinge}", "", "valid_f1", 0.8 },
		{ "{type: mse}", "", "valid_r2", 0.5 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct rig rig;
		char text[700];
		double got;

		(void)snprintf(
		    text, sizeof(text),
		    "data: {source: synthetic, rows: 400}\n"
		    "output_features: [{name: y, type: vector, size: 10, "
		    "loss: %s}]\n"
		    "model: {layers: [{type: flatten}, {type: linear, "
		    "out_features: 10}%s]}\n"
		    "trainer: {epochs: 30, batch_size: 32, learning_rate: "
		    "0.03}\n",
		    rows[i].loss, rows[i].last);
		rig_begin(&rig, text, 1);
		rig_run(&rig, NULL);
		got = rig_figure(&rig.result.last, rows[i].metric);
		cr_expect_geq(got, rows[i].least, "%s: %s is %g", rows[i].loss,
			      rows[i].metric, got);
		rig_end(&rig);
	}
}

static void expect_same_for_any_threads(const char *text)
{
	struct buf want = { 0 };

	for (unsigned threads = 1; threads <= 8;
	     threads += threads == 3 ? 5 : 1) {
		struct rig rig;
		struct buf got;

		rig_begin(&rig, text, threads);
		rig_run(&rig, NULL);
		rig_weights(&rig, &got);
		rig_end(&rig);
		if (threads == 1) {
			want = got;
			continue;
		}
		cr_expect_eq(got.len, want.len);
		cr_expect_eq(memcmp(got.data, want.data, want.len), 0,
			     "%u threads: %s", threads, text);
		buf_finish(&got);
	}
	buf_finish(&want);
}

Test(trainer, gives_the_same_bits_for_any_number_of_threads)
{
	expect_same_for_any_threads(NETWORK
				    "augmentation: {max_rotate: 20}\n"
				    "trainer: {epochs: 2, batch_size: 16}\n");
	expect_same_for_any_threads(
	    RESIDUAL "trainer: {epochs: 2, batch_size: 16, mixup: {}}\n");
	expect_same_for_any_threads(RESIDUAL
				    "trainer: {epochs: 2, batch_size: 16, "
				    "optimizer: {type: muon}}\n");
	expect_same_for_any_threads(RECURRENT
				    "trainer: {epochs: 2, batch_size: 16, "
				    "activation_regularization: {}}\n");
	expect_same_for_any_threads(
	    WIDE "trainer: {epochs: 2, batch_size: 16, precision: bf16}\n");
	expect_same_for_any_threads(LANGUAGE
				    "trainer: {epochs: 2, batch_size: 16, "
				    "precision: bf16}\n");
}

Test(trainer, another_seed_gives_another_run)
{
	struct buf bytes[2];

	for (int i = 0; i < 2; i++) {
		struct rig rig;

		rig_begin(&rig,
			  i ? NETWORK "trainer: {epochs: 1, seed: 1}\n"
			    : NETWORK "trainer: {epochs: 1, seed: 2}\n",
			  1);
		rig_run(&rig, NULL);
		rig_weights(&rig, &bytes[i]);
		rig_end(&rig);
	}
	cr_expect_neq(memcmp(bytes[0].data, bytes[1].data, bytes[0].len), 0);
	buf_finish(&bytes[0]);
	buf_finish(&bytes[1]);
}

/* --- interruptions --- */

/* Breaks the run off at each poll, and then again every few. A cancel saves
 * nothing: it stands for a crash. */
static void break_everywhere(const char *text, enum trainer_order order)
{
	struct rig_outcome want = { 0 };
	int64_t n;

	cr_assert(rig_attempt(text, NULL, ORDER_NONE, 0, &want));
	n = want.n_polls;
	cr_assert_geq(n, 3);
	for (int64_t at = 1; at <= n + 1; at++) {
		struct rig_outcome got = { 0 };
		char dir[64];
		int n_attempts = 1;

		rig_make_dir(dir);
		if (!rig_attempt(text, dir, order, at, &got)) {
			/* a second one, elsewhere */
			while (!rig_attempt(text, dir, order,
					    n_attempts++ < 3 ? 1 + at % 5 : 0,
					    &got))
				cr_assert_lt(n_attempts, 6);
		}
		rig_expect_same(text, at, &got, &want);
		buf_finish(&got.weights);
		rig_remove_dir(dir);
	}
	buf_finish(&want.weights);
}

#define SMALL "epochs: 3, batch_size: 16"

static const char *const runs[] = {
	NETWORK "trainer: {" SMALL "}\n",
	NETWORK "trainer: {" SMALL
		", optimizer: {type: sgd, momentum: 0.9, nesterov: true},"
		" learning_rate_scheduler: {type: one_cycle},"
		" checkpoint: {every_n_steps: 2, every_n_epochs: 0}}\n",
	/* the first epoch is the best; the run stops after the second */
	NETWORK "trainer: {" SMALL
		", early_stopping: {patience: 1, min_delta: 100}}\n",
	NETWORK "trainer: {" SMALL
		", early_stopping: {patience: 1, min_delta: 100,"
		" restore_best: false}, checkpoint: {keep_best: 0}}\n",
	/* restore_best needs what keep_best does not ask for */
	NETWORK "trainer: {" SMALL
		", early_stopping: {min_delta: 100}, checkpoint: {keep_best:"
		" 0, keep_last: 1}}\n",
	NETWORK "trainer: {" SMALL ", max_steps: 8, checkpoint:"
		" {every_n_steps: 4}}\n",
	NETWORK "trainer: {" SMALL ", max_steps: 5}\n",
	NETWORK "trainer: {" SMALL
		", monitor: train_loss, early_stopping: {restore_best: false},"
		" checkpoint: {every_n_epochs: 2, keep_last: 1}}\n",
	/* whatever else is state */
	NETWORK "trainer: {epochs: 2, batch_size: 8,"
		" gradient_accumulation_steps: 3, averaging: {type: ema, decay:"
		" 0.9}, checkpoint: {every_n_steps: 2}}\n",
	NETWORK "trainer: {" SMALL ", averaging: {type: swa, start_epoch: 1},"
		" evaluate_every_n_steps: 2, learning_rate_scheduler: {type:"
		" plateau, patience: 0}, checkpoint: {every_n_steps: 3},"
		" early_stopping: {restore_best: false}}\n",
	NETWORK
	"trainer: {batch_size: 16, optimizer: {type: nadam}, phases: ["
	"{epochs: 1, freeze: body, learning_rate_scheduler: {type:"
	" fit_one_cycle, pct_start: 0.99}}, {epochs: 2, learning_rate:"
	" {from: 1.0e-4, to: 0.01}, learning_rate_scheduler: {type:"
	" one_cycle, div_factor: 5}}], checkpoint: {every_n_steps: 3}}\n",
	NETWORK "trainer: {epochs: 2, batch_size: 16, learning_rate: auto,"
		" checkpoint: {every_n_steps: 3}}\n",
	RESIDUAL "augmentation: {max_warp: 0.3, max_lighting: 0.2}\n"
		 "trainer: {epochs: 2, batch_size: 16, mixup: {},"
		 " checkpoint: {every_n_steps: 3}}\n",
	RECURRENT "trainer: {epochs: 2, batch_size: 16,"
		  " activation_regularization: {}, checkpoint:"
		  " {every_n_steps: 3}}\n",
	/* the state that batches hand on is state */
	LANGUAGE "trainer: {epochs: 2, batch_size: 16, checkpoint:"
		 " {every_n_steps: 2}, evaluate_every_n_steps: 2}\n",
	LANGUAGE "trainer: {epochs: 2, batch_size: 8,"
		 " gradient_accumulation_steps: 3}\n",
	/* rounded operands */
	WIDE "trainer: {" SMALL ", precision: bf16, checkpoint:"
	     " {every_n_steps: 3}}\n",
	LANGUAGE "trainer: {epochs: 2, batch_size: 16, precision: bf16,"
		 " gradient_accumulation_steps: 2}\n",
	/* no validation part, and a batch that is larger than the data */
	"data: {source: synthetic, rows: 20, split: {probabilities: [1,"
	" 0]}}\n" NETWORK "trainer: {" SMALL "}\n",
};

Test(trainer, a_run_that_was_stopped_anywhere_ends_with_the_same_bits)
{
	for (size_t i = 0; i < sizeof(runs) / sizeof(runs[0]); i++)
		break_everywhere(runs[i], ORDER_STOP);
}

Test(trainer, a_run_that_was_paused_anywhere_ends_with_the_same_bits)
{
	for (size_t i = 0; i < sizeof(runs) / sizeof(runs[0]); i++)
		break_everywhere(runs[i], ORDER_PAUSE);
}

Test(trainer, a_run_that_crashed_anywhere_ends_with_the_same_bits)
{
	for (size_t i = 0; i < sizeof(runs) / sizeof(runs[0]); i++)
		break_everywhere(runs[i], ORDER_CANCEL);
}

/* The daemon is killed after the last checkpoint and before the last word:
 * what is run again must not train a step more. */
Test(trainer, a_run_that_died_after_its_end_only_ends_again)
{
	for (size_t i = 0; i < sizeof(runs) / sizeof(runs[0]); i++) {
		struct rig_outcome want = { 0 }, again = { 0 };
		char dir[64];

		rig_make_dir(dir);
		cr_assert(rig_attempt(runs[i], dir, ORDER_NONE, 0, &want));
		cr_assert(rig_attempt(runs[i], dir, ORDER_NONE, 0, &again));
		rig_expect_same(runs[i], 0, &again, &want);
		buf_finish(&want.weights);
		buf_finish(&again.weights);
		rig_remove_dir(dir);
	}
}

/* Writes another number for the format into every manifest, or breaks them. */
static void change_checkpoints(const char *dir, const char *manifest,
			       const char *only)
{
	struct arena *arena = arena_create(1 << 20);
	const char **names;
	size_t n;

	cr_assert_eq(file_list_dir(dir, 100, arena, &names, &n, NULL),
		     ERR_NONE);
	for (size_t i = 0; i < n; i++) {
		char *path =
		    arena_printf(arena, "%s/%s/manifest.json", dir, names[i]);

		if (!str_starts_with(names[i], only))
			continue;
		cr_assert_eq(
		    file_write_atomic(path, manifest, strlen(manifest), NULL),
		    ERR_NONE);
	}
	arena_destroy(arena);
}

static enum err_code create_over(struct rig *rig, const char *dir)
{
	const struct trainer_options options = {
		.spec = &rig->spec,
		.dataset = rig->dataset,
		.pipeline = rig->pipeline,
		.graph = rig->network.graph,
		.threads = 1,
		.job_dir = dir,
		.events = &rig->events,
	};

	return trainer_create(&options, &rig->trainer, &rig->err);
}

Test(trainer, checkpoints_of_another_format_are_refused)
{
	struct rig_outcome outcome = { 0 };
	struct rig rig;
	char dir[64];

	rig_make_dir(dir);
	cr_assert_not(rig_attempt(LINEAR, dir, ORDER_STOP, 3, &outcome));
	change_checkpoints(dir, "{\"format\":99,\"files\":[]}", "ckpt-");
	rig_begin(&rig, LINEAR, 1);
	cr_expect_eq(create_over(&rig, dir), ERR_CONFLICT);
	cr_expect(strstr(rig.err.msg, "format 99, this version reads format"),
		  "%s", rig.err.msg);
	cr_expect(strstr(rig.err.msg, "submit it again"), "%s", rig.err.msg);
	rig_end(&rig);
	rig_remove_dir(dir);
}

Test(trainer, checkpoints_that_are_passed_over_are_told)
{
	static const char text[] =
	    LINEAR "trainer: {batch_size: 8, checkpoint: {every_n_steps: 2, "
		   "keep_last: 9}}\n";
	struct rig_outcome outcome = { 0 };
	struct rig rig;
	char dir[64];

	rig_make_dir(dir);
	cr_assert_not(rig_attempt(text, dir, ORDER_CANCEL, 8, &outcome));
	change_checkpoints(dir, "{\"format\":99,\"files\":[]}",
			   "ckpt-000000000006");
	rig_begin(&rig, text, 1);
	cr_expect_eq(create_over(&rig, dir), ERR_NONE);
	cr_expect_str_eq(rig.warning, "checkpoint_skipped");
	cr_expect(strstr(rig.message, "format 99") &&
		      strstr(rig.message, "goes on from step 4"),
		  "%s", rig.message);
	rig_end(&rig);
	change_checkpoints(dir, "{", "ckpt-");
	rig_begin(&rig, text, 1);
	cr_expect_eq(create_over(&rig, dir), ERR_NONE);
	cr_expect_str_eq(rig.warning, "checkpoint_skipped");
	cr_expect(strstr(rig.message, "begins anew"), "%s", rig.message);
	rig_end(&rig);
	rig_remove_dir(dir);
}

Test(trainer, saves_when_it_is_asked_to_even_during_an_evaluation)
{
	static const char text[] =
	    NETWORK "trainer: {" SMALL ", checkpoint: {every_n_epochs: 0}}\n";
	struct rig_outcome whole = { 0 };

	cr_assert(rig_attempt(text, NULL, ORDER_NONE, 0, &whole));
	for (int64_t at = 1; at < whole.n_polls; at++) {
		struct rig rig;
		char dir[64];

		rig_make_dir(dir);
		rig_begin(&rig, text, 1);
		rig.order = ORDER_CHECKPOINT;
		rig.order_at = at;
		rig_run(&rig, dir);
		cr_expect_eq(rig.result.reason, STOP_COMPLETED);
		/* the last evaluation and the test part end the run */
		if (at < whole.n_polls - 3)
			cr_expect_eq(rig.n_checkpoints, 1, "poll %lld",
				     (long long)at);
		rig_end(&rig);
		rig_remove_dir(dir);
	}
	buf_finish(&whole.weights);
}

Test(trainer, other_data_than_before_is_refused)
{
	struct trainer_options options;
	struct rig_outcome outcome = { 0 };
	struct rig rig;
	char dir[64];

	rig_make_dir(dir);
	cr_assert_not(rig_attempt(LINEAR, dir, ORDER_STOP, 3, &outcome));
	rig_begin(&rig, "data: {source: synthetic, rows: 101}\n" LINEAR, 1);
	options = (struct trainer_options){
		.spec = &rig.spec,
		.dataset = rig.dataset,
		.pipeline = rig.pipeline,
		.graph = rig.network.graph,
		.threads = 1,
		.job_dir = dir,
	};
	cr_expect_eq(trainer_create(&options, &rig.trainer, &rig.err),
		     ERR_CONFLICT);
	cr_expect(strstr(rig.err.msg, "begin anew"), "%s", rig.err.msg);
	rig_end(&rig);
	rig_remove_dir(dir);
}

/* --- ends --- */

Test(trainer, stops_after_patience_evaluations_without_improvement)
{
	static const struct {
		const char *early;
		int n_evals;
	} rows[] = {
		{ "{patience: 0, min_delta: 100}", 2 },
		{ "{patience: 1, min_delta: 100}", 2 },
		{ "{patience: 2, min_delta: 100}", 3 },
		{ "{patience: 2, min_delta: 100, min_epochs: 5}", 5 },
		{ "{patience: -1, min_delta: 100}", 6 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct rig rig, first;
		struct buf got, want;
		char text[1024];

		(void)snprintf(text, sizeof(text),
			       NETWORK "trainer: {epochs: 6, batch_size: 16,"
				       " early_stopping: %s}\n",
			       rows[i].early);
		rig_begin(&rig, text, 1);
		rig_run(&rig, NULL);
		cr_expect_eq(rig.n_evals, rows[i].n_evals, "%s: %d",
			     rows[i].early, rig.n_evals);
		cr_expect_eq(rig.result.reason,
			     rows[i].n_evals < 6 ? STOP_EARLY : STOP_COMPLETED);
		cr_expect_eq(rig.result.best.epoch, 1);
		cr_expect_eq(rig.result.last.epoch, 1);
		rig_weights(&rig, &got);
		/* the best weights are those of the first epoch */
		rig_begin(&first,
			  NETWORK "trainer: {epochs: 1, batch_size:"
				  " 16}\n",
			  1);
		rig_run(&first, NULL);
		rig_weights(&first, &want);
		cr_expect_eq(memcmp(got.data, want.data, want.len), 0, "%s",
			     rows[i].early);
		buf_finish(&got);
		buf_finish(&want);
		rig_end(&first);
		rig_end(&rig);
	}
}

Test(trainer, a_higher_accuracy_is_better)
{
	struct rig rig;
	int best = 0;

	rig_begin(&rig,
		  NETWORK "trainer: {epochs: 6, batch_size: 16, monitor:"
			  " valid_accuracy}\n",
		  1);
	rig_run(&rig, NULL);
	for (int i = 1; i < rig.n_evals; i++)
		best = rig_figure(&rig.eval[i], "valid_accuracy") >
			       rig_figure(&rig.eval[best], "valid_accuracy")
			   ? i
			   : best;
	cr_expect_eq(rig.result.best.epoch, best + 1);
	cr_expect(rig.eval[best].is_best);
	rig_end(&rig);
}

Test(trainer, ends_at_max_steps_with_an_evaluation)
{
	struct rig rig;

	rig_begin(&rig,
		  NETWORK "trainer: {epochs: 9, batch_size: 16, max_steps:"
			  " 7}\n",
		  1);
	rig_run(&rig, NULL);
	cr_expect_eq(rig.result.reason, STOP_MAX_STEPS);
	cr_expect_eq(rig.n_evals, 2);
	cr_expect_eq(rig.eval[1].step, 7);
	rig_end(&rig);
}

Test(trainer, ends_at_max_time_with_an_evaluation)
{
	struct rig rig;

	rig_begin(&rig, NETWORK "trainer: {epochs: 9, max_time: 1.0e-9}\n", 1);
	rig_run(&rig, NULL);
	cr_expect_eq(rig.result.reason, STOP_MAX_TIME);
	cr_expect_eq(rig.n_evals, 1);
	cr_expect_eq(rig.eval[0].step, 1);
	rig_end(&rig);
}

Test(trainer, a_cancel_ends_it_at_once_and_saves_nothing)
{
	struct rig rig;
	char dir[64];

	rig_make_dir(dir);
	rig_begin(&rig, NETWORK "trainer: {epochs: 9, batch_size: 16}\n", 1);
	rig.order = ORDER_CANCEL;
	rig.order_at = 4;
	rig_run(&rig, dir);
	cr_expect_eq(rig.result.reason, STOP_CANCELLED);
	cr_expect_eq(rig.n_polls, 4);
	cr_expect_eq(rig.n_checkpoints, 0);
	rig_end(&rig);
	rig_remove_dir(dir);
}

/* --- what goes wrong --- */

static const char *const diverging[] = {
	NETWORK "trainer: {epochs: 9, batch_size: 16, learning_rate: 1.0e+30,"
		" optimizer: {type: sgd}}\n",
	NETWORK "trainer: {epochs: 9, batch_size: 16, learning_rate:"
		" 1.0e+30}\n",
	"model: {layers: [{type: flatten}, {type: linear, out_features: 32},"
	" {type: batch_norm}, {type: linear, out_features: 32}, {type: relu},"
	" {type: linear, out_features: 4}]}\n"
	"trainer: {epochs: 9, batch_size: 16, learning_rate: 1.0e+30,"
	" optimizer: {type: sgd}}\n",
};

Test(trainer, a_run_that_diverges_keeps_its_last_finite_weights)
{
	for (size_t i = 0; i < sizeof(diverging) / sizeof(diverging[0]); i++) {
		struct checkpoint *checkpoint = NULL;
		struct rig rig;
		struct buf bytes;
		char dir[64];
		int n_bad = 0;

		rig_make_dir(dir);
		rig_begin(&rig, diverging[i], 1);
		rig_run(&rig, dir);
		cr_expect_eq(rig.result.reason, STOP_NAN, "%zu: %d", i,
			     (int)rig.result.reason);
		rig_weights(&rig, &bytes);
		for (size_t j = 0; j < bytes.len / sizeof(float); j++)
			n_bad += !isfinite(
			    ((const float *)(const void *)bytes.data)[j]);
		cr_expect_eq(n_bad, 0, "%zu: %d weights", i, n_bad);
		cr_expect_eq(rig.n_checkpoints, 1);
		cr_assert_eq(checkpoint_load(dir, &checkpoint, NULL, NULL),
			     ERR_NONE);
		cr_expect(checkpoint && checkpoint->state.step > 0);
		checkpoint_destroy(checkpoint);
		buf_finish(&bytes);
		rig_end(&rig);
		rig_remove_dir(dir);
	}
}

Test(trainer, a_last_batch_of_one_row_is_trained_on)
{
	struct rig rig;

	rig_begin(&rig,
		  "data: {source: synthetic, rows: 21}\n" /* 17 + 2 + 2 */
		  "model: {layers: [{type: flatten}, {type: linear,"
		  " out_features: 8}, {type: batch_norm}, {type: linear,"
		  " out_features: 4}]}\n"
		  "trainer: {epochs: 3, batch_size: 16}\n",
		  1);
	rig_run(&rig, NULL);
	cr_expect_eq(rig.result.reason, STOP_COMPLETED, "%d",
		     (int)rig.result.reason);
	cr_expect_eq(rig.eval[2].step, 3);
	cr_expect_str_eq(rig.warning, "row_left_out");
	rig_end(&rig);
}

Test(trainer, without_validation_rows_the_last_weights_are_kept)
{
	struct rig rig;

	rig_begin(&rig,
		  "data: {source: synthetic, rows: 40, split: {probabilities:"
		  " [1, 0]}}\n" NETWORK
		  "trainer: {epochs: 4, early_stopping: {patience: 1}}\n",
		  1);
	rig_run(&rig, NULL);
	cr_expect_eq(rig.result.reason, STOP_COMPLETED);
	cr_expect_eq(rig.result.best.step, 0);
	cr_expect_eq(rig.result.last.epoch, 4);
	cr_expect(isnan(rig_figure(&rig.result.last, "valid_loss")));
	cr_expect(isfinite(rig_figure(&rig.result.last, "train_loss")));
	cr_expect_str_eq(rig.warning, "no_validation");
	rig_end(&rig);
}

Test(trainer, fewer_rows_than_a_batch_are_one_batch)
{
	struct rig rig;

	rig_begin(&rig,
		  "data: {source: synthetic, rows: 10}\n" NETWORK
		  "trainer: {epochs: 2, batch_size: 64}\n",
		  2);
	rig_run(&rig, NULL);
	cr_expect_eq(rig.result.reason, STOP_COMPLETED);
	cr_expect_eq(rig.eval[1].step, 2);
	rig_end(&rig);
}

Test(trainer, timing_a_step_changes_nothing)
{
	struct rig_outcome want = { 0 };
	struct rig rig;
	struct buf before, after;
	double seconds = 0;

	cr_assert(rig_attempt(NETWORK "trainer: {epochs: 1}\n", NULL,
			      ORDER_NONE, 0, &want));
	buf_finish(&want.weights);
	rig_begin(&rig, NETWORK "trainer: {epochs: 1}\n", 1);
	rig_weights(&rig, &before);
	cr_assert_eq(trainer_create(
			 &(struct trainer_options){
			     .spec = &rig.spec,
			     .dataset = rig.dataset,
			     .pipeline = rig.pipeline,
			     .graph = rig.network.graph,
			     .threads = 1,
			 },
			 &rig.trainer, &rig.err),
		     ERR_NONE, "%s", rig.err.msg);
	cr_assert_eq(trainer_time_step(rig.trainer, 3, &seconds, &rig.err),
		     ERR_NONE);
	cr_expect(seconds > 0 && seconds < 10);
	rig_weights(&rig, &after);
	cr_expect_eq(memcmp(before.data, after.data, before.len), 0);
	buf_finish(&before);
	buf_finish(&after);
	cr_assert_eq(trainer_run(rig.trainer, &rig.result, &rig.err), ERR_NONE);
	cr_expect(rig_is_same_eval(&rig.result.last, &want.result.last));
	rig_end(&rig);
}

Test(trainer, a_full_disk_is_a_warning)
{
	struct rig rig;
	char dir[64];

	rig_make_dir(dir);
	rig_begin(&rig, NETWORK "trainer: {epochs: 3, batch_size: 16}\n", 1);
	file_fail_at(5, ENOSPC);
	rig_run(&rig, dir);
	file_fail_at(0, 0);
	cr_expect_eq(rig.result.reason, STOP_COMPLETED);
	cr_expect_eq(rig.n_warnings, 1);
	cr_expect_str_eq(rig.warning, "no_space");
	cr_expect_eq(rig.n_checkpoints, 2);
	rig_end(&rig);
	rig_remove_dir(dir);
}
