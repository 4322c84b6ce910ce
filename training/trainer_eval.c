/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "base/str.h"
#include "training/trainer_priv.h"

enum trainer_order trainer_poll(struct trainer *trainer)
{
	const struct trainer_events *events = trainer->options.events;

	return events && events->poll ? events->poll(events->ctx) : ORDER_NONE;
}

static enum err_code evaluate_part(struct trainer *trainer,
				   enum dataset_part part,
				   struct metric_sums *ret, bool *ret_cancelled,
				   struct err *err)
{
	const struct dataset *dataset = trainer->options.dataset;
	struct metric_sums sums = { 0 };
	enum err_code rc;

	*ret_cancelled = false;
	rc = loader_start(trainer->loader, dataset_rows(dataset, part),
			  dataset_n(dataset, part), 0,
			  trainer->spec->trainer.eval_batch_size, err);
	while (!rc) {
		struct batch *batch;
		struct stepper_batch rows;
		struct stepper_result result;

		rc = loader_take(trainer->loader, &batch, err);
		if (rc || !batch)
			break;
		rows = (struct stepper_batch){ .n = batch->n,
					       .input = batch->input,
					       .target = batch->target[0] };
		rc = stepper_evaluate(trainer->stepper, &rows, &result, err);
		if (!rc)
			metric_add(&sums, trainer->spec->output_type,
				   &(struct metric_rows){
				       result.output, batch->target[0],
				       batch->n, result.width, result.loss });
		loader_give_back(trainer->loader, batch);
		*ret_cancelled = trainer_poll(trainer) == ORDER_CANCEL;
		if (*ret_cancelled)
			break;
	}
	*ret = sums;
	return rc;
}

static void fill_eval(struct trainer *trainer, enum dataset_part part,
		      const struct metric_sums *sums)
{
	const struct metric *metric = metrics_of(trainer->spec->output_type);
	struct trainer_eval *eval = &trainer->last;
	size_t n = 0;

	while (metric[n].name)
		n++;
	for (size_t i = 0; i < n; i++)
		eval->value[(size_t)part * n + i] =
		    sums->n > 0 ? metric[i].value(sums) : (double)NAN;
}

static void forget_figures(struct trainer_eval *eval)
{
	for (size_t i = 0; i < sizeof(eval->value) / sizeof(eval->value[0]);
	     i++)
		eval->value[i] = (double)NAN;
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

/* Keeps the weights when they are the best so far; counts the wait. */
static void judge(struct trainer *trainer)
{
	struct checkpoint_state *s = &trainer->state;
	double value = monitored(trainer);
	double delta = trainer->spec->early_stopping.min_delta;
	bool is_max = trainer->spec->trainer.mode == MODE_MAX;
	bool is_better =
	    !isnan(value) &&
	    (!s->has_best || (is_max ? value > s->best_value + delta
				     : value < s->best_value - delta));

	trainer->last.is_best = is_better;
	s->wait = is_better ? 0 : s->wait + 1;
	if (!is_better)
		return;
	s->has_best = true;
	s->best_value = value;
	s->best_step = s->step;
	s->best_epoch = s->epoch + 1;
	s->best_sum_n = s->sum_n;
	s->best_sum_loss = s->sum_loss;
	s->best_sum_hits = s->sum_hits;
	trainer->best_eval = trainer->last;
	weights_snapshot_take(&trainer->best, &trainer->model);
}

enum err_code trainer_evaluate(struct trainer *trainer, bool *ret_cancelled,
			       struct err *err)
{
	const struct trainer_events *events = trainer->options.events;
	struct checkpoint_state *s = &trainer->state;
	struct metric_sums sums = { .n = s->sum_n,
				    .loss = s->sum_loss,
				    .hits = s->sum_hits };
	enum err_code rc = ERR_NONE;

	trainer->last = (struct trainer_eval){ .epoch = s->epoch + 1,
					       .step = s->step,
					       .name = trainer->spec->metrics };
	forget_figures(&trainer->last);
	fill_eval(trainer, PART_TRAIN, &sums);
	if (dataset_n(trainer->options.dataset, PART_VALID) > 0)
		rc = evaluate_part(trainer, PART_VALID, &sums, ret_cancelled,
				   err);
	if (rc || *ret_cancelled)
		return rc;
	if (dataset_n(trainer->options.dataset, PART_VALID) > 0)
		fill_eval(trainer, PART_VALID, &sums);
	judge(trainer);
	if (events && events->eval)
		events->eval(events->ctx, &trainer->last);
	return ERR_NONE;
}

/* The weights that the run leaves: the best, and their figures on the test
 * part. */
enum err_code trainer_conclude(struct trainer *trainer, struct err *err)
{
	struct metric_sums sums;
	bool is_cancelled;
	enum err_code rc = ERR_NONE;

	if (trainer->state.has_best &&
	    trainer->spec->early_stopping.restore_best) {
		rc = weights_restore(&trainer->best.list, &trainer->model, err);
		trainer->last = trainer->best_eval;
	}
	if (rc || dataset_n(trainer->options.dataset, PART_TEST) == 0)
		return rc;
	rc = evaluate_part(trainer, PART_TEST, &sums, &is_cancelled, err);
	if (!rc && !is_cancelled)
		fill_eval(trainer, PART_TEST, &sums);
	return rc;
}

/* The figures of the best weights, after a resume that did not measure them:
 * measured again, so that they do not have to be stored. */
enum err_code trainer_recall_best(struct trainer *trainer, struct err *err)
{
	struct checkpoint_state *s = &trainer->state;
	struct checkpoint_state saved = *s;
	struct weights_snapshot now;
	bool is_cancelled = false;
	struct metric_sums sums = { .n = s->best_sum_n,
				    .loss = s->best_sum_loss,
				    .hits = s->best_sum_hits };
	enum err_code rc;

	if (!s->has_best || trainer->best_eval.step == s->best_step)
		return ERR_NONE;
	rc = weights_snapshot_init(&now, &trainer->model, trainer->arena, err);
	if (rc)
		return rc;
	rc = weights_restore(&trainer->best.list, &trainer->model, err);
	trainer->last = (struct trainer_eval){ .epoch = saved.best_epoch,
					       .step = saved.best_step,
					       .name = trainer->spec->metrics,
					       .is_best = true };
	forget_figures(&trainer->last);
	fill_eval(trainer, PART_TRAIN, &sums);
	if (!rc && dataset_n(trainer->options.dataset, PART_VALID) > 0) {
		rc = evaluate_part(trainer, PART_VALID, &sums, &is_cancelled,
				   err);
		fill_eval(trainer, PART_VALID, &sums);
	}
	trainer->best_eval = trainer->last;
	if (!rc)
		rc = weights_restore(&now.list, &trainer->model, err);
	weights_snapshot_finish(&now);
	return rc;
}
