/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Trainer: what changes between steps. Phases, averages, rollbacks.
 */
#include <stdio.h>

#include "base/clock.h"
#include "base/str.h"
#include "training/trainer_priv.h"

enum err_code trainer_phases_init(struct trainer *trainer, struct err *err)
{
	struct arena *arena = trainer->arena;
	const struct graph *graph = trainer->options.graph;
	enum err_code rc;

	rc = layer_groups_find(graph, arena, &trainer->groups, err);
	if (rc)
		return rc;
	trainer->frozen = arena_array(arena, (size_t)graph->n_variable + 1,
				      sizeof(*trainer->frozen));
	trainer->factor = arena_array(arena, (size_t)trainer->groups.n + 1,
				      sizeof(*trainer->factor));
	if (!trainer->frozen || !trainer->factor)
		return err_set(err, ERR_NO_MEMORY, "trainer: out of memory");
	return ERR_NONE;
}

enum err_code trainer_describe(struct trainer *trainer, struct err *err)
{
	struct checkpoint_state *state = &trainer->state;
	char hex[DIGEST_HEX_MAX];
	int64_t n = trainer->spec->trainer.batch_size;
	enum err_code rc;

	if (n > trainer->n_train)
		n = trainer->n_train;
	rc = stepper_digest(trainer->stepper, n, hex, err);
	if (rc)
		return rc;
	state->plan_digest = arena_strdup(trainer->arena, hex);
	return state->plan_digest
		   ? ERR_NONE
		   : err_set(err, ERR_NO_MEMORY, "trainer: out of memory");
}

enum err_code trainer_begin_phase(struct trainer *trainer, size_t phase,
				  struct err *err)
{
	const struct phase_spec *spec = &trainer->spec->phases.phase[phase];
	struct stepper_phase begin = {
		.group = trainer->groups.of,
		.factor = trainer->factor,
		.n_groups = trainer->groups.n,
	};
	enum err_code rc;

	rc =
	    rates_spread(&spec->rates, trainer->groups.n, trainer->factor, err);
	if (!rc && freeze_is_any(&spec->freeze)) {
		begin.frozen = trainer->frozen;
		rc = freeze_apply(&spec->freeze, trainer->options.graph,
				  &trainer->groups, trainer->frozen, err);
	}
	if (rc) {
		(void)err_prefix(err, "phase %zu", phase + 1);
		return rc;
	}
	rc = trainer_cut_body(trainer, &begin, err);
	if (!rc)
		rc = stepper_begin(trainer->stepper, &begin, err);
	if (rc)
		return rc;
	trainer->phase = phase;
	trainer->phase_epoch = 0;
	for (size_t i = 0; i < phase; i++)
		trainer->phase_epoch += trainer->spec->phases.phase[i].epochs;
	trainer->state.phase = (int64_t)phase;
	trainer->state.watch = (struct schedule_watch){ 0 };
	trainer->state.found_rate = 0;
	return trainer_describe(trainer, err);
}

void trainer_schedule(const struct trainer *trainer, double *ret_rate,
		      double *ret_momentum)
{
	const struct phase_spec *phase =
	    &trainer->spec->phases.phase[trainer->phase];
	const struct checkpoint_state *s = &trainer->state;
	const double per_epoch = (double)trainer->steps_per_epoch;
	const double first = (double)trainer->phase_epoch * per_epoch;
	const double left = (double)trainer->total_steps - first;
	struct schedule_time time = {
		.step = (double)s->step - first,
		.total_steps = (double)phase->epochs * per_epoch,
		.epochs = (double)phase->epochs,
		.reduction = s->watch.reduction,
	};
	struct schedule schedule = phase->schedule;
	struct schedule_value value;

	if (phase->rates.is_auto)
		schedule.base_rate = s->found_rate;
	if (left < time.total_steps)
		time.total_steps = left;
	time.epoch = time.step / per_epoch;
	value = schedule_at(&schedule, &time);
	*ret_rate = value.rate * (s->rate_factor > 0 ? s->rate_factor : 1);
	*ret_momentum = value.momentum;
}

enum err_code trainer_choose_rate(struct trainer *trainer,
				  enum trainer_order *ret_order,
				  struct err *err)
{
	const struct trainer_events *events = trainer->options.events;
	struct checkpoint_state *s = &trainer->state;
	struct lr_curve curve;
	enum err_code rc;

	*ret_order = ORDER_NONE;
	if (!trainer->spec->phases.phase[trainer->phase].rates.is_auto ||
	    s->found_rate > 0)
		return ERR_NONE;
	rc = trainer_find_rate(trainer, &curve, ret_order, err);
	if (rc || *ret_order)
		return rc;
	s->found_rate = lr_curve_choose(&curve);
	trainer->is_saved = false;
	if (!(s->found_rate > 0))
		return err_set(err, ERR_INVALID,
			       "learning_rate: no rate was found, the loss is "
			       "not finite from the beginning or never falls; "
			       "expected a number in place of auto");
	if (events && events->lr_find)
		events->lr_find(events->ctx, &curve, trainer->phase,
				s->found_rate);
	return ERR_NONE;
}

/* --- averages --- */

static bool is_averaging(const struct trainer *trainer, int type)
{
	const struct averaging_spec *spec = &trainer->spec->averaging;

	return spec->type == type && trainer->state.epoch >= spec->start_epoch;
}

void trainer_average_step(struct trainer *trainer)
{
	struct checkpoint_state *s = &trainer->state;

	if (!is_averaging(trainer, AVERAGE_EMA))
		return;
	weights_snapshot_mix(&trainer->average, &trainer->model,
			     s->n_averaged ? 1 - trainer->spec->averaging.decay
					   : 1);
	s->n_averaged++;
}

void trainer_average_epoch(struct trainer *trainer)
{
	struct checkpoint_state *s = &trainer->state;

	if (!is_averaging(trainer, AVERAGE_SWA))
		return;
	weights_snapshot_mix(&trainer->average, &trainer->model,
			     1 / (double)(s->n_averaged + 1));
	s->n_averaged++;
}

void trainer_show_average(struct trainer *trainer)
{
	if (!trainer->state.n_averaged)
		return;
	weights_snapshot_take(&trainer->raw, &trainer->model);
	weights_snapshot_give(&trainer->average, &trainer->model);
	trainer->shows_others = true;
}

void trainer_show_weights(struct trainer *trainer)
{
	if (trainer->state.n_averaged)
		weights_snapshot_give(&trainer->raw, &trainer->model);
	trainer->shows_others = false;
}

/* --- rollback --- */

/* What the checkpoint does not know. */
static void lower_rate(struct trainer *trainer,
		       const struct checkpoint_state *before)
{
	struct checkpoint_state *s = &trainer->state;
	double factor = before->rate_factor > 0 ? before->rate_factor : 1;

	s->rate_factor = factor * trainer->spec->on_nan.lr_factor;
	s->n_rollbacks = before->n_rollbacks + 1;
	s->seconds = before->seconds;
	trainer->before_seconds +=
	    (double)(clock_monotonic_ns() - trainer->start_ns) * 1e-9;
	trainer->start_ns = clock_monotonic_ns();
	trainer->is_saved = false;
}

enum err_code trainer_roll_back(struct trainer *trainer, bool *ret_did,
				struct err *err)
{
	const struct nan_spec *spec = &trainer->spec->on_nan;
	const struct checkpoint_state before = trainer->state;
	const double seconds = trainer->before_seconds;
	struct checkpoint *checkpoint = NULL;
	char text[160];
	enum err_code rc;

	*ret_did = false;
	if (spec->action != NAN_ROLLBACK ||
	    before.n_rollbacks >= spec->max_retries ||
	    !trainer->options.job_dir)
		return ERR_NONE;
	rc = checkpoint_load(trainer->options.job_dir, &checkpoint, NULL, err);
	if (rc || !checkpoint)
		return rc;
	rc = trainer_restore(trainer, checkpoint, err);
	checkpoint_destroy(checkpoint);
	if (rc)
		return rc;
	trainer->before_seconds = seconds;
	lower_rate(trainer, &before);
	(void)snprintf(
	    text, sizeof(text),
	    "step %lld gave NaN: the run goes on from step %lld with "
	    "%g of the learning rate",
	    (long long)before.step + 1, (long long)trainer->state.step,
	    trainer->state.rate_factor);
	trainer_warn(trainer, "nan_rollback", text);
	*ret_did = true;
	/* so that a crash does not forget it */
	return trainer_save(trainer, err);
}
