/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Trainer: one step after the other, to an end of any kind.
 */
#include <math.h>

#include "base/clock.h"
#include "training/trainer_priv.h"

/* fastai's smoothing of the reported training loss */
#define SMOOTHING 0.98
#define STEP_EVENT_NS 1000000000LL

static double seconds_since(int64_t start_ns)
{
	return (double)(clock_monotonic_ns() - start_ns) * 1e-9;
}

/* --- events and checkpoints --- */

static void fill_progress(struct trainer *trainer, double elapsed)
{
	struct trainer_progress *p = &trainer->progress;
	const struct checkpoint_state *s = &trainer->state;
	int64_t left = trainer->total_steps - s->step;
	/* of a step */
	double rows =
	    (double)trainer->n_epoch / (double)trainer->steps_per_epoch;

	p->epoch = s->epoch + 1;
	p->epochs = trainer->spec->trainer.epochs;
	p->step = s->step;
	p->total_steps = trainer->total_steps;
	p->samples = s->samples;
	p->percent = 100 * (double)s->step / (double)trainer->total_steps;
	p->train_loss =
	    s->train_weight > 0 ? s->train_loss / s->train_weight : (double)NAN;
	p->best = &trainer->best_eval;
	p->diagnosis = (enum diagnosis)s->diagnosis.name;
	if (elapsed > 0)
		p->samples_per_second =
		    (double)(s->samples - trainer->event_samples) / elapsed;
	if (p->samples_per_second > 0)
		p->eta_seconds = (double)left * rows / p->samples_per_second;
}

static void tell_step(struct trainer *trainer, bool is_due)
{
	const struct trainer_events *events = trainer->options.events;
	int64_t now = clock_monotonic_ns();

	if (!events || !events->step)
		return;
	if (!is_due && now - trainer->event_ns < STEP_EVENT_NS)
		return;
	fill_progress(trainer, (double)(now - trainer->event_ns) * 1e-9);
	trainer->event_ns = now;
	trainer->event_samples = trainer->state.samples;
	events->step(events->ctx, &trainer->progress);
}

/* A full disk does not end a run: it is told, and tried again later. */
enum err_code trainer_save(struct trainer *trainer, struct err *err)
{
	const struct trainer_events *events = trainer->options.events;
	const struct checkpoint_spec *spec = &trainer->spec->checkpoint;
	struct checkpoint_write what = {
		.state = &trainer->state,
		.part = { &trainer->model, &trainer->moments },
		.keep = spec->keep_last,
		.spill = &trainer->best.spill,
	};
	struct safetensors history;
	struct arena *scratch;
	const char *name;
	enum err_code rc;

	if (!trainer->options.job_dir)
		return ERR_NONE;
	scratch = arena_create((size_t)16 << 20);
	if (!scratch)
		return err_set(err, ERR_NO_MEMORY, "trainer: out of memory");
	if (trainer->has_best_weights &&
	    (spec->keep_best || trainer->spec->early_stopping.restore_best))
		what.part[2] = &trainer->best.list;
	if (trainer->state.n_averaged)
		what.part[3] = &trainer->average.list;
	trainer->state.seconds =
	    trainer->before_seconds + seconds_since(trainer->start_ns);
	what.part[4] = &history;
	rc = history_list(&trainer->history, scratch, &history, err);
	if (!rc)
		rc = watch_list(&trainer->watch, scratch, &history, err);
	if (!rc)
		rc = checkpoint_save(trainer->options.job_dir, &what, scratch,
				     &name, err);
	trainer->saved_ns = clock_monotonic_ns();
	if (!rc) {
		trainer->is_saved = true;
		trainer->wants_checkpoint = false;
		if (events && events->checkpoint)
			events->checkpoint(events->ctx, trainer->state.step,
					   name);
	} else if (rc == ERR_NO_SPACE) {
		trainer_warn(trainer, "no_space",
			     err ? err->msg : "no space for a checkpoint");
		rc = ERR_NONE;
	}
	arena_destroy(scratch);
	return rc;
}

static bool is_save_due(const struct trainer *trainer)
{
	const struct checkpoint_spec *spec = &trainer->spec->checkpoint;
	int64_t step = trainer->state.step;

	if (spec->every_n_steps && step % spec->every_n_steps == 0)
		return true;
	return spec->every_n_seconds > 0 &&
	       seconds_since(trainer->saved_ns) >= spec->every_n_seconds;
}

/* --- one step --- */

/* A batch, and a step where it is the last of one. */
static void count_batch(struct trainer *trainer, const struct batch *batch,
			const struct stepper_result *result, bool is_step)
{
	const struct metric_rows rows = trainer_rows(trainer, batch, result);
	struct checkpoint_state *s = &trainer->state;

	if (s->is_epoch_over)
		s->sum = (struct metric_sums){ 0 };
	s->is_epoch_over = false;
	trainer_add(trainer, &rows, &s->sum);
	s->train_loss =
	    SMOOTHING * s->train_loss + (1 - SMOOTHING) * result->loss;
	s->train_weight = SMOOTHING * s->train_weight + (1 - SMOOTHING);
	s->step += is_step;
	s->batch++;
	s->batch_in_epoch++;
	s->samples += batch->n;
	trainer->is_saved = false;
}

static void note_step(struct trainer *trainer)
{
	const struct checkpoint_state *s = &trainer->state;

	history_step(&trainer->history,
		     (const double[HISTORY_COLUMNS]){
			 (double)s->step, s->train_loss / s->train_weight,
			 trainer->progress.rate, trainer->progress.grad_norm });
}

/* Of the rows of its step, which end with the epoch. */
static void place_batch(const struct trainer *trainer,
			const struct batch *batch,
			struct stepper_update *update)
{
	const struct trainer_spec *t = &trainer->spec->trainer;
	int64_t rows = t->batch_size * t->gradient_accumulation_steps;
	int64_t first = batch->first / rows * rows;
	int64_t end =
	    first + rows < trainer->n_epoch ? first + rows : trainer->n_epoch;

	update->share = (double)batch->n / (double)(end - first);
	update->is_partial = batch->first + batch->n < end;
}

void trainer_mix(const struct trainer *trainer, int64_t n,
		 struct stepper_update *update)
{
	const struct job_spec *spec = trainer->spec;

	if (!(spec->mixup.alpha > 0))
		return;
	update->partner = trainer->partner;
	update->mix = mixup_draw((uint64_t)spec->trainer.seed, update->draw,
				 spec->mixup.alpha, n, trainer->partner);
}

/* An evaluation follows the step. */
static bool is_watch_due(const struct trainer *trainer,
			 const struct batch *batch,
			 const struct stepper_update *update)
{
	const struct trainer_spec *t = &trainer->spec->trainer;
	const int64_t step = trainer->state.step + 1;

	if (update->is_partial)
		return false;
	return batch->first + batch->n >= trainer->n_epoch ||
	       (t->max_steps && step >= t->max_steps) ||
	       (t->evaluate_every_n_steps &&
		step % t->evaluate_every_n_steps == 0);
}

enum err_code trainer_train_on(struct trainer *trainer,
			       const struct batch *batch, bool *ret_is_nan,
			       struct err *err)
{
	const struct stepper_batch rows = {
		.n = batch->n,
		.input = batch->input,
		.target = batch->target[0],
		.goes_on = trainer_goes_on(trainer, PART_TRAIN, batch),
	};
	const struct checkpoint_state *s = &trainer->state;
	struct stepper_update update = {
		.step = (uint64_t)(s->step - trainer->phase_epoch *
						 trainer->steps_per_epoch) +
			1,
		.draw = (uint64_t)s->batch + 1,
	};
	struct stepper_result result;
	bool is_watched;
	enum err_code rc;

	place_batch(trainer, batch, &update);
	trainer_schedule(trainer, &update.rate, &update.momentum);
	trainer_mix(trainer, batch->n, &update);
	is_watched = is_watch_due(trainer, batch, &update);
	if (is_watched)
		watch_before_step(&trainer->watch);
	rc = stepper_step(trainer->stepper, &rows, &update, &result, err);
	if (rc)
		return rc;
	*ret_is_nan = !isfinite(result.norm) || !isfinite(result.loss);
	if (*ret_is_nan)
		return ERR_NONE;
	if (is_watched)
		watch_after_step(&trainer->watch);
	count_batch(trainer, batch, &result, !update.is_partial);
	if (!update.is_partial)
		trainer_average_step(trainer);
	trainer->progress.rate = update.rate;
	trainer->progress.momentum = update.momentum;
	trainer->progress.grad_norm = result.norm;
	if (!update.is_partial)
		note_step(trainer);
	return ERR_NONE;
}

/* --- epochs --- */

static bool is_steps_limit(const struct trainer *trainer)
{
	int64_t most = trainer->spec->trainer.max_steps;

	return most && trainer->state.step >= most;
}

static bool is_time_limit(const struct trainer *trainer)
{
	double most = trainer->spec->trainer.max_time;

	return most > 0 &&
	       trainer->before_seconds + seconds_since(trainer->start_ns) >=
		   most;
}

static bool is_patience_over(const struct trainer *trainer)
{
	const struct early_stopping_spec *early =
	    &trainer->spec->early_stopping;
	const struct checkpoint_state *s = &trainer->state;

	return s->judged_step == s->step && early->patience >= 0 &&
	       s->wait > 0 && s->wait >= early->patience &&
	       s->epoch >= early->min_epochs;
}

/* Whether the run is over where it stands, and why. */
static bool is_end(const struct trainer *trainer, enum stop_reason *ret_reason)
{
	if (is_patience_over(trainer))
		*ret_reason = STOP_EARLY;
	else if (is_steps_limit(trainer))
		*ret_reason = STOP_MAX_STEPS;
	else if (is_time_limit(trainer))
		*ret_reason = STOP_MAX_TIME;
	else
		return false;
	return true;
}

/* Obeys an order; true when it ends the run. */
static bool obey(struct trainer *trainer, enum trainer_order order,
		 enum stop_reason *ret_reason, enum err_code *ret_rc,
		 struct err *err)
{
	static const enum stop_reason reason[] = {
		[ORDER_PAUSE] = STOP_PAUSED,
		[ORDER_STOP] = STOP_INTERRUPTED,
		[ORDER_CANCEL] = STOP_CANCELLED,
	};
	bool is_wanted = order == ORDER_PAUSE || order == ORDER_STOP ||
			 trainer->wants_checkpoint;

	*ret_rc = ERR_NONE;
	if (order)
		*ret_reason = reason[order];
	if (is_wanted && order != ORDER_CANCEL && !trainer->is_saved)
		*ret_rc = trainer_save(trainer, err);
	trainer->wants_checkpoint = false;
	return order != ORDER_NONE;
}

/* The last finite weights are kept. */
static enum err_code end_in_nan(struct trainer *trainer, struct err *err)
{
	trainer->state.diagnosis.name = DIAGNOSIS_DIVERGING;
	if (trainer->is_saved || !weights_are_finite(&trainer->model))
		return ERR_NONE;
	return trainer_save(trainer, err);
}

/* How a stretch of steps ends. */
enum leg { LEG_EPOCH, LEG_OVER, LEG_AGAIN };

static enum leg end_or_roll_back(struct trainer *trainer,
				 enum stop_reason *ret_reason,
				 enum err_code *ret_rc, struct err *err)
{
	bool did;

	*ret_rc = trainer_roll_back(trainer, &did, err);
	if (*ret_rc || did)
		return LEG_AGAIN;
	*ret_reason = STOP_NAN;
	*ret_rc = end_in_nan(trainer, err);
	return LEG_OVER;
}

static bool is_in_step(const struct trainer *trainer)
{
	return trainer->state.batch_in_epoch %
		   trainer->spec->trainer.gradient_accumulation_steps !=
	       0;
}

/* Between two steps of an epoch; its end has an evaluation anyway. */
static bool is_eval_due(const struct trainer *trainer)
{
	const struct trainer_spec *t = &trainer->spec->trainer;
	const struct checkpoint_state *s = &trainer->state;

	return t->evaluate_every_n_steps && s->batch_in_epoch > 0 &&
	       !is_in_step(trainer) && s->judged_step != s->step &&
	       s->step % t->evaluate_every_n_steps == 0 &&
	       s->batch_in_epoch * t->batch_size < trainer->n_epoch;
}

/* An evaluation within an epoch; the loader must begin anew then. */
static enum leg evaluate_within(struct trainer *trainer,
				enum stop_reason *ret_reason,
				enum err_code *ret_rc, struct err *err)
{
	enum trainer_order order;

	*ret_rc = trainer_evaluate(trainer, false, &order, err);
	if (*ret_rc)
		return LEG_OVER;
	if (order)
		return obey(trainer, order, ret_reason, ret_rc, err)
			   ? LEG_OVER
			   : LEG_AGAIN;
	return is_end(trainer, ret_reason) ? LEG_OVER : LEG_AGAIN;
}

/* What follows a batch. */
static enum leg follow_batch(struct trainer *trainer, bool is_nan,
			     enum stop_reason *ret_reason,
			     enum err_code *ret_rc, struct err *err)
{
	enum leg leg = LEG_EPOCH;

	*ret_rc = ERR_NONE;
	if (is_nan)
		return end_or_roll_back(trainer, ret_reason, ret_rc, err);
	if (is_in_step(trainer))
		return LEG_EPOCH;
	tell_step(trainer, false);
	if (is_end(trainer, ret_reason))
		leg = LEG_OVER;
	else if (is_eval_due(trainer))
		leg = evaluate_within(trainer, ret_reason, ret_rc, err);
	if (!*ret_rc && is_save_due(trainer))
		*ret_rc = trainer_save(trainer, err);
	return leg;
}

static enum err_code start_leg(struct trainer *trainer, struct err *err)
{
	int64_t batch_size = trainer->spec->trainer.batch_size;
	struct checkpoint_state *s = &trainer->state;
	enum err_code rc;

	/* speed and ETA are those of steps, not of what came before them */
	trainer->event_ns = clock_monotonic_ns();
	trainer->event_samples = s->samples;
	trainer_order_rows(trainer, s->epoch);
	rc = trainer_rows_augment(trainer, s->epoch, err);
	return rc ? rc
		  : trainer_rows_start(
			trainer, trainer->order, trainer->n_epoch,
			s->batch_in_epoch * batch_size, batch_size, err);
}

/* One batch of a leg. */
static enum leg advance(struct trainer *trainer, enum stop_reason *ret_reason,
			bool *ret_is_last, enum err_code *ret_rc,
			struct err *err)
{
	const struct batch *batch;
	bool is_nan = false;

	if (obey(trainer, trainer_poll(trainer), ret_reason, ret_rc, err))
		return LEG_OVER;
	if (!*ret_rc)
		*ret_rc = trainer_rows_take(trainer, &batch, err);
	if (*ret_rc)
		return LEG_OVER;
	*ret_is_last = !batch;
	if (!batch)
		return LEG_EPOCH;
	*ret_rc = trainer_train_on(trainer, batch, &is_nan, err);
	trainer_rows_give(trainer);
	if (*ret_rc)
		return LEG_OVER;
	return follow_batch(trainer, is_nan, ret_reason, ret_rc, err);
}

/* The rest of an epoch, or of it what comes before an evaluation or after a
 * rollback. */
static enum leg train_leg(struct trainer *trainer, enum stop_reason *ret_reason,
			  enum err_code *ret_rc, struct err *err)
{
	enum leg leg = LEG_EPOCH;
	bool is_last = false;

	*ret_rc = ERR_NONE;
	/* a run that died before an evaluation within the epoch */
	if (is_eval_due(trainer)) {
		leg = evaluate_within(trainer, ret_reason, ret_rc, err);
		if (*ret_rc || leg == LEG_OVER)
			return leg;
	}
	*ret_rc = start_leg(trainer, err);
	leg = LEG_EPOCH;
	while (!*ret_rc && leg == LEG_EPOCH && !is_last)
		leg = advance(trainer, ret_reason, &is_last, ret_rc, err);
	return leg;
}

static enum err_code train_epoch(struct trainer *trainer, bool *ret_over,
				 enum stop_reason *ret_reason, struct err *err)
{
	enum trainer_order order = ORDER_NONE;
	enum leg leg = LEG_AGAIN;
	int64_t first;
	size_t phase =
	    phases_at(&trainer->spec->phases, trainer->state.epoch, &first);
	enum err_code rc = ERR_NONE;

	*ret_over = false;
	if (phase != trainer->phase) {
		rc = trainer_begin_phase(trainer, phase, err);
		trainer->is_saved = false;
	}
	if (!rc)
		rc = trainer_choose_rate(trainer, &order, err);
	if (!rc && order) {
		*ret_over = obey(trainer, order, ret_reason, &rc, err);
		return rc;
	}
	while (!rc && leg == LEG_AGAIN)
		leg = train_leg(trainer, ret_reason, &rc, err);
	*ret_over = leg == LEG_OVER;
	return rc;
}

/* After the last batch: figures, best weights, patience, checkpoint. An order
 * breaks the evaluation off; a resumed run does it again. */
static enum err_code end_epoch(struct trainer *trainer, bool *ret_over,
			       enum stop_reason *ret_reason, struct err *err)
{
	const struct checkpoint_spec *spec = &trainer->spec->checkpoint;
	const struct checkpoint_state *s = &trainer->state;
	enum trainer_order order;
	enum err_code rc;

	tell_step(trainer, true);
	rc = trainer_evaluate(trainer, true, &order, err);
	if (rc)
		return rc;
	if (order) {
		*ret_over = obey(trainer, order, ret_reason, &rc, err);
		return rc;
	}
	if (!*ret_over)
		*ret_over = is_end(trainer, ret_reason);
	if (spec->every_n_epochs && s->epoch % spec->every_n_epochs == 0)
		rc = trainer_save(trainer, err);
	return rc;
}

static bool is_final(enum stop_reason reason)
{
	return reason == STOP_COMPLETED || reason == STOP_EARLY ||
	       reason == STOP_MAX_TIME || reason == STOP_MAX_STEPS;
}

/* From where the state stands to an end of any kind. */
static enum err_code run_epochs(struct trainer *trainer,
				enum stop_reason *ret_reason, struct err *err)
{
	const struct checkpoint_state *s = &trainer->state;
	enum trainer_order order;
	bool is_over;
	enum err_code rc;

	*ret_reason = STOP_COMPLETED;
	/* where a rollback could lead to */
	if (trainer->spec->on_nan.action == NAN_ROLLBACK && s->batch == 0) {
		rc = trainer_save(trainer, err);
		if (rc)
			return rc;
	}
	rc = trainer_recall_best(trainer, &order, err);
	if (rc || obey(trainer, order, ret_reason, &rc, err))
		return rc;
	/* a run that died between its last step and its last word */
	is_over = s->step > 0 && is_end(trainer, ret_reason);
	if (!rc && is_over && !s->is_epoch_over)
		rc = end_epoch(trainer, &is_over, ret_reason, err);
	while (!rc && !is_over && s->epoch < trainer->spec->trainer.epochs) {
		rc = train_epoch(trainer, &is_over, ret_reason, err);
		if (!rc && (!is_over || is_final(*ret_reason)))
			rc = end_epoch(trainer, &is_over, ret_reason, err);
	}
	if (rc || !is_final(*ret_reason))
		return rc;
	rc = trainer_conclude(trainer, &order, err);
	if (!rc)
		(void)obey(trainer, order, ret_reason, &rc, err);
	return rc;
}

enum err_code trainer_run(struct trainer *trainer, struct trainer_result *ret,
			  struct err *err)
{
	enum stop_reason reason;
	enum err_code rc;

	trainer->start_ns = trainer->event_ns = clock_monotonic_ns();
	trainer->saved_ns = trainer->start_ns;
	trainer->event_samples = trainer->state.samples;
	trainer->is_running = true;
	rc = run_epochs(trainer, &reason, err);
	trainer->is_running = false;
	if (rc)
		return rc;
	*ret = (struct trainer_result){
		.reason = reason,
		.last = trainer->last,
		.best = trainer->best_eval,
		.diagnosis = (enum diagnosis)trainer->state.diagnosis.name,
		.baseline = trainer->baseline,
		.seconds =
		    trainer->before_seconds + seconds_since(trainer->start_ns),
	};
	return ERR_NONE;
}
