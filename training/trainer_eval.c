/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "base/json_write.h"
#include "base/str.h"
#include "training/trainer_priv.h"

enum trainer_order trainer_poll(struct trainer *trainer)
{
	const struct trainer_events *events = trainer->options.events;
	enum trainer_order order =
	    events && events->poll ? events->poll(events->ctx) : ORDER_NONE;

	if (order != ORDER_CHECKPOINT)
		return order;
	trainer->wants_checkpoint = true;
	return ORDER_NONE;
}

/* Names and values go by part; training rows have fewer. figures NULL: of all
 * rows together there are none. */
static void fill_eval(struct trainer *trainer, enum dataset_part part,
		      const struct metric_sums *sums,
		      const struct evaluation_figures *figures)
{
	const struct metric *metric =
	    metrics_of(trainer->spec->loss.kind->measures);
	double *value = trainer->last.value;

	for (int p = PART_TRAIN; p <= (int)part; p++) {
		for (const struct metric *m = metric; m->name; m++) {
			if (p == PART_TRAIN && !m->value)
				continue;
			if (p == (int)part)
				*value = sums->n > 0
					     ? metric_value(m, sums, figures)
					     : (double)NAN;
			value++;
		}
	}
}

/* One batch's share of the sums; false at the end of the part. */
static bool evaluate_batch(struct trainer *trainer, enum dataset_part part,
			   struct metric_sums *sums, enum err_code *ret_rc,
			   struct err *err)
{
	struct stepper_result result;
	struct stepper_batch rows;
	const struct batch *batch;

	*ret_rc = trainer_rows_take(trainer, &batch, err);
	if (*ret_rc || !batch)
		return false;
	rows = (struct stepper_batch){ .n = batch->n,
				       .input = batch->input,
				       .target = batch->target[0],
				       .goes_on = trainer_goes_on(trainer, part,
								  batch) };
	*ret_rc = stepper_evaluate(trainer->stepper, &rows, &result, err);
	if (!*ret_rc) {
		const struct metric_rows all =
		    trainer_rows(trainer, batch, &result);

		trainer_add(trainer, &all, sums);
		evaluation_add(&trainer->evaluation, &all);
		/* units of a frozen body are not looked at */
		if (trainer->measured == PART_VALID && !trainer->features)
			*ret_rc =
			    watch_rows(&trainer->watch, trainer->stepper, err);
	}
	trainer_rows_give(trainer);
	return *ret_rc == ERR_NONE;
}

/* Until the end of the part, or an order that is at least `grave`. */
static enum err_code evaluate_part(struct trainer *trainer,
				   enum dataset_part part,
				   enum trainer_order grave,
				   enum trainer_order *ret_order,
				   struct err *err)
{
	const struct dataset *dataset = trainer->options.dataset;
	struct metric_sums sums = { 0 };
	enum trainer_order order = ORDER_NONE;
	const int64_t eval_batch = trainer->spec->trainer.eval_batch_size;
	const int64_t *rows = dataset_rows(dataset, part);
	int64_t n = dataset_n(dataset, part);
	struct evaluation_figures figures;
	enum err_code rc = ERR_NONE;

	evaluation_reset(&trainer->evaluation);
	trainer->measured = part;
	if (n > 0 && dataset_is_stream(dataset)) {
		batch_stream(rows, n, eval_batch, trainer->order);
		rows = trainer->order;
	}
	if (n > 0)
		rc = trainer_rows_augment(trainer, -1, err);
	if (n > 0 && !rc)
		rc = trainer_rows_start(trainer, rows, n, 0, eval_batch, err);
	while (n > 0 && !rc && order < grave) {
		if (!evaluate_batch(trainer, part, &sums, &rc, err))
			break;
		order = trainer_poll(trainer);
	}
	*ret_order = order < grave ? ORDER_NONE : order;
	if (rc || *ret_order)
		return rc;
	figures = evaluation_figures(&trainer->evaluation);
	fill_eval(trainer, part, &sums, &figures);
	return ERR_NONE;
}

/* The figures of the weights as they are, in trainer->last; `train` are those
 * of their epoch. */
static enum err_code measure(struct trainer *trainer, int64_t epoch,
			     int64_t step, const struct metric_sums *train,
			     enum trainer_order *ret_order, struct err *err)
{
	struct trainer_eval *eval = &trainer->last;

	*eval = (struct trainer_eval){ .epoch = epoch,
				       .step = step,
				       .name = trainer->spec->metrics };
	for (size_t i = 0; i < (size_t)3 * METRIC_MAX; i++)
		eval->value[i] = (double)NAN;
	fill_eval(trainer, PART_TRAIN, train, NULL);
	return evaluate_part(trainer, PART_VALID, ORDER_PAUSE, ret_order, err);
}

static double monitored(const struct trainer *trainer)
{
	for (size_t i = 0; trainer->spec->metrics[i]; i++) {
		if (str_equal(trainer->spec->metrics[i],
			      trainer->spec->trainer.monitor))
			return trainer->last.value[i];
	}
	return (double)NAN;
}

static bool is_better(const struct trainer *trainer, double value)
{
	const struct checkpoint_state *s = &trainer->state;
	double delta = trainer->spec->early_stopping.min_delta;

	if (!isfinite(value))
		return false;
	if (!s->has_best)
		return true;
	return trainer->spec->trainer.mode == MODE_MAX
		   ? value > s->best_value + delta
		   : value < s->best_value - delta;
}

/* Keeps the weights when they are the best so far; counts the wait. */
static void judge(struct trainer *trainer)
{
	struct checkpoint_state *s = &trainer->state;
	double value = monitored(trainer);

	trainer->last.is_best = is_better(trainer, value);
	s->judged_step = s->step;
	if (schedule_observe(
		&trainer->spec->phases.phase[trainer->phase].schedule, value,
		trainer->spec->trainer.mode == MODE_MAX, &s->watch))
		trainer_warn(trainer, "plateau",
			     "the monitor stands still: the learning rate is "
			     "cut");
	if (!trainer->last.is_best) {
		s->wait += trainer->is_monitored;
		return;
	}
	s->wait = 0;
	s->has_best = trainer->has_best_weights = true;
	s->best_value = value;
	s->best_step = s->step;
	s->best_epoch = s->epoch + 1;
	s->best_sum = s->sum;
	trainer->best_eval = trainer->last;
	weights_snapshot_take(&trainer->best, &trainer->model);
}

static double figure(const struct trainer_eval *eval, const char *name)
{
	for (size_t i = 0; eval->name[i]; i++) {
		if (str_equal(eval->name[i], name))
			return eval->value[i];
	}
	return (double)NAN;
}

/* Names how the run goes; says so when that is no longer what it was. */
static void diagnose(struct trainer *trainer)
{
	struct diagnosis_watch *watch = &trainer->state.diagnosis;
	struct trainer_eval *eval = &trainer->last;
	const int64_t before = watch->name;
	const char *text;

	diagnosis_observe(
	    watch, &(struct diagnosis_figures){
		       .epoch = eval->epoch,
		       .train_loss = figure(eval, "train_loss"),
		       .valid_loss = figure(eval, "valid_loss"),
		       .start_loss = history_first_loss(&trainer->history),
		       .trivial_loss = trainer->baseline.loss });
	eval->diagnosis = (enum diagnosis)watch->name;
	if (eval->diagnosis == DIAGNOSIS_OVERFITTING) {
		eval->gap = watch->gap;
		eval->since_epoch = watch->best_epoch;
	}
	text = diagnosis_text(eval->diagnosis);
	if (watch->name != before && text)
		trainer_warn(trainer, diagnosis_name(eval->diagnosis), text);
}

/* With the averages, where there are any. */
static enum err_code measure_and_judge(struct trainer *trainer,
				       enum trainer_order *ret_order,
				       struct err *err)
{
	struct checkpoint_state *s = &trainer->state;
	enum err_code rc;

	trainer_show_average(trainer);
	watch_begin(&trainer->watch);
	rc = measure(trainer, s->epoch + 1, s->step, &s->sum, ret_order, err);
	watch_end(&trainer->watch);
	if (!rc && !*ret_order) {
		diagnose(trainer);
		judge(trainer);
		rc = watch_keep(&trainer->watch, s->step, err);
	}
	if (!rc && !*ret_order) {
		rc = history_eval(&trainer->history, trainer->last.epoch,
				  trainer->last.step, trainer->last.value, err);
	}
	trainer_show_weights(trainer);
	return rc;
}

enum err_code trainer_evaluate(struct trainer *trainer, bool ends_epoch,
			       enum trainer_order *ret_order, struct err *err)
{
	const struct trainer_events *events = trainer->options.events;
	struct checkpoint_state *s = &trainer->state;
	enum err_code rc;

	/* once, though an evaluation that was broken off is done again */
	if (ends_epoch && s->averaged_step != s->step) {
		trainer_average_epoch(trainer);
		s->averaged_step = s->step;
	}
	rc = measure_and_judge(trainer, ret_order, err);
	if (rc || *ret_order)
		return rc;
	if (ends_epoch) {
		s->epoch++;
		s->batch_in_epoch = 0;
		s->is_epoch_over = true;
	}
	trainer->is_saved = false;
	if (events && events->eval) {
		trainer->last.watch = &trainer->watch;
		events->eval(events->ctx, &trainer->last);
		trainer->last.watch = NULL;
	}
	return ERR_NONE;
}

enum err_code trainer_conclude(struct trainer *trainer,
			       enum trainer_order *ret_order, struct err *err)
{
	const struct checkpoint_state *s = &trainer->state;
	enum err_code rc = ERR_NONE;

	*ret_order = ORDER_NONE;
	if (trainer->has_best_weights &&
	    trainer->spec->early_stopping.restore_best) {
		trainer->shows_others = true;
		weights_snapshot_give(&trainer->best, &trainer->model);
		trainer->last = trainer->best_eval;
	} else {
		trainer_show_average(trainer);
	}
	if (!trainer->last.name && !rc) {
		/* resumed after the last evaluation */
		rc = measure(trainer, s->epoch, s->step, &s->sum, ret_order,
			     err);
	}
	if (rc || *ret_order)
		return rc;
	rc = evaluate_part(trainer, PART_TEST, ORDER_CANCEL, ret_order, err);
	/* the report is of these weights, not of the last ones */
	if (!rc && !*ret_order &&
	    !dataset_n(trainer->options.dataset, PART_TEST))
		rc = evaluate_part(trainer, PART_VALID, ORDER_CANCEL, ret_order,
				   err);
	return rc;
}

/* Of the classes that the report numbers. */
static void write_labels(const struct trainer *trainer,
			 struct json_writer *writer)
{
	const struct pipeline *p = trainer->options.pipeline;
	const char *label = pipeline_label(p, true, 0, 0);

	if (!label)
		return;
	json_write_array(writer, "labels");
	for (int64_t i = 1; label; i++) {
		json_write_string(writer, NULL, label);
		label = pipeline_label(p, true, 0, i);
	}
	json_write_array_end(writer);
}

void trainer_report(const struct trainer *trainer, struct json_writer *writer)
{
	static const char *const names[] = { [PART_TRAIN] = "train",
					     [PART_VALID] = "valid",
					     [PART_TEST] = "test" };

	json_write_string(writer, "part", names[trainer->measured]);
	write_labels(trainer, writer);
	evaluation_write(
	    &trainer->evaluation,
	    dataset_rows(trainer->options.dataset, trainer->measured), writer);
	watch_write_past(&trainer->watch, writer);
}

/* Where the weights were not kept, the one figure that was. */
static void recall_value(struct trainer *trainer)
{
	const struct checkpoint_state *s = &trainer->state;
	struct trainer_eval *best = &trainer->best_eval;

	*best = (struct trainer_eval){ .epoch = s->best_epoch,
				       .step = s->best_step,
				       .name = trainer->spec->metrics,
				       .is_best = true };
	for (size_t i = 0; best->name[i]; i++)
		best->value[i] =
		    str_equal(best->name[i], trainer->spec->trainer.monitor)
			? s->best_value
			: (double)NAN;
}

enum err_code trainer_recall_best(struct trainer *trainer,
				  enum trainer_order *ret_order,
				  struct err *err)
{
	const struct checkpoint_state *s = &trainer->state;
	struct weights_snapshot now;
	enum err_code rc;

	*ret_order = ORDER_NONE;
	if (!s->has_best)
		return ERR_NONE;
	recall_value(trainer);
	if (!trainer->has_best_weights)
		return ERR_NONE;
	rc = weights_snapshot_spill(&now, &trainer->model,
				    trainer_spill_dir(trainer), trainer->arena,
				    err);
	if (rc)
		return rc;
	weights_snapshot_give(&trainer->best, &trainer->model);
	trainer->shows_others = true;
	rc = measure(trainer, s->best_epoch, s->best_step, &s->best_sum,
		     ret_order, err);
	if (!rc && !*ret_order) {
		trainer->best_eval = trainer->last;
		trainer->best_eval.is_best = true;
	}
	trainer->last = (struct trainer_eval){ 0 };
	weights_snapshot_give(&now, &trainer->model);
	trainer->shows_others = false;
	weights_snapshot_finish(&now);
	return rc;
}

enum err_code trainer_assess(struct trainer *trainer, struct trainer_eval *ret,
			     struct err *err)
{
	enum trainer_order order;
	enum err_code rc;

	if (!trainer->is_saved)
		return err_set(err, ERR_NOT_FOUND,
			       "the job has no checkpoint yet");
	rc = trainer_recall_best(trainer, &order, err);
	if (!rc && !order)
		rc = trainer_conclude(trainer, &order, err);
	if (!rc && order)
		rc = err_set(err, ERR_CANCELLED, "it was broken off");
	if (!rc)
		*ret = trainer->last;
	return rc;
}
