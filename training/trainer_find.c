/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Trainer: the learning rate finder, and a timed step. Both leave everything
 * as it was.
 */
#include <math.h>

#include "base/clock.h"
#include "base/str.h"
#include "training/lsuv.h"
#include "training/trainer_priv.h"

/* Everything that steps change. */
struct rehearsal {
	struct weights_snapshot model, moments;
	struct checkpoint_state state;
};

static enum err_code begin(struct trainer *trainer, struct rehearsal *ret,
			   struct err *err)
{
	struct rehearsal r = { .state = trainer->state };
	const char *dir = trainer_spill_dir(trainer);
	enum err_code rc;

	rc = weights_snapshot_spill(&r.model, &trainer->model, dir,
				    trainer->arena, err);
	if (!rc)
		rc = weights_snapshot_spill(&r.moments, &trainer->moments, dir,
					    trainer->arena, err);
	if (rc)
		weights_snapshot_finish(&r.model);
	else
		*ret = r;
	return rc;
}

static void give_back(struct trainer *trainer, const struct rehearsal *r)
{
	weights_snapshot_give(&r->model, &trainer->model);
	weights_snapshot_give(&r->moments, &trainer->moments);
	trainer->state = r->state;
}

static void end(struct trainer *trainer, struct rehearsal *r)
{
	give_back(trainer, r);
	weights_snapshot_finish(&r->model);
	weights_snapshot_finish(&r->moments);
}

/* One step of a whole batch under a rate. */
static enum err_code step(struct trainer *trainer, const struct batch *batch,
			  size_t i, double rate, double *ret_loss,
			  struct err *err)
{
	const struct stepper_batch rows = {
		.n = batch->n,
		.input = batch->input,
		.target = batch->target[0],
		.goes_on = trainer_goes_on(trainer, PART_TRAIN, batch),
	};
	struct stepper_update update = {
		.step = i + 1,
		.draw = i + 1,
		.share = 1,
		.rate = rate,
		.momentum = (double)NAN,
	};
	struct stepper_result result;
	enum err_code rc;

	trainer_mix(trainer, batch->n, &update);
	rc = stepper_step(trainer->stepper, &rows, &update, &result, err);
	if (!rc)
		*ret_loss = isfinite(result.norm) ? result.loss : (double)NAN;
	return rc;
}

/* Batches in the order of the first epoch, over and over. */
static enum err_code start(struct trainer *trainer, struct err *err)
{
	const struct trainer_spec *t = &trainer->spec->trainer;

	enum err_code rc = trainer_rows_augment(trainer, 0, err);

	trainer_order_rows(trainer, 0);
	return rc ? rc
		  : trainer_rows_start(trainer, trainer->order,
				       trainer->n_epoch, 0, t->batch_size, err);
}

static enum err_code take(struct trainer *trainer,
			  const struct batch **ret_batch, struct err *err)
{
	enum err_code rc = trainer_rows_take(trainer, ret_batch, err);

	if (!rc && !*ret_batch) {
		rc = start(trainer, err);
		if (!rc)
			rc = trainer_rows_take(trainer, ret_batch, err);
	}
	return rc;
}

/* The next batch under a rate, as step i; the loss is NaN where an order came
 * first. */
static enum err_code go_on(struct trainer *trainer, size_t i, double rate,
			   double *ret_loss, enum trainer_order *ret_order,
			   struct err *err)
{
	const struct batch *batch;
	enum err_code rc;

	*ret_loss = (double)NAN;
	*ret_order = trainer_poll(trainer);
	if (*ret_order)
		return ERR_NONE;
	rc = take(trainer, &batch, err);
	if (rc)
		return rc;
	rc = step(trainer, batch, i, rate, ret_loss, err);
	trainer_rows_give(trainer);
	return rc;
}

/* The same batches twice, with the same dropout: first under a rate of 0, for
 * their losses before anything is learned, then under rising rates. */
static enum err_code walk(struct trainer *trainer, struct lr_curve *curve,
			  bool climbs, enum trainer_order *ret_order,
			  struct err *err)
{
	enum err_code rc = start(trainer, err);
	bool goes_on = true;

	for (size_t i = 0; !rc && goes_on && i < LR_FIND_STEPS; i++) {
		const double rate = climbs ? lr_find_rate(i) : 0;
		double loss;

		rc = go_on(trainer, i, rate, &loss, ret_order, err);
		if (rc || *ret_order)
			break;
		if (climbs)
			goes_on = lr_curve_add(curve, loss);
		else
			curve->start_loss[i] = loss;
	}
	return rc;
}

/* The same batches once more, under one rate; half of them lead up to it, since
 * there are too few to recover from the first steps at a high one. */
static enum err_code try_rate(struct trainer *trainer, struct lr_trial *trial,
			      enum trainer_order *ret_order, struct err *err)
{
	const size_t from = LR_FIND_STEPS - LR_TRIAL_LAST;
	const size_t ramp = LR_FIND_STEPS / 2;
	enum err_code rc = start(trainer, err);

	trial->loss = 0;
	for (size_t i = 0; !rc && i < LR_FIND_STEPS; i++) {
		const double rate =
		    trial->rate * fmin((double)(i + 1) / (double)ramp, 1);
		double loss;

		rc = go_on(trainer, i, rate, &loss, ret_order, err);
		if (*ret_order)
			break;
		if (i >= from || !isfinite(loss))
			trial->loss += loss / LR_TRIAL_LAST;
		if (!isfinite(trial->loss))
			break;
	}
	return rc;
}

/* Only where no row comes twice: what was seen before would tell how fast the
 * network learns by heart. */
static enum err_code try_rates(struct trainer *trainer,
			       const struct rehearsal *rehearsal,
			       struct lr_curve *curve,
			       enum trainer_order *ret_order, struct err *err)
{
	const int64_t n = trainer->n_epoch / trainer->spec->trainer.batch_size;
	double rates[LR_TRIALS];
	const size_t n_trials =
	    n < LR_FIND_STEPS ? 0 : lr_curve_rates_to_try(curve, rates);

	for (size_t i = 0; i < n_trials; i++) {
		struct lr_trial trial = { .rate = rates[i] };
		enum err_code rc;

		give_back(trainer, rehearsal);
		rc = try_rate(trainer, &trial, ret_order, err);
		if (rc || *ret_order)
			return rc;
		curve->trial[curve->n_trials++] = trial;
	}
	return ERR_NONE;
}

enum err_code trainer_find_rate(struct trainer *trainer,
				struct lr_curve *ret_curve,
				enum trainer_order *ret_order, struct err *err)
{
	struct lr_curve curve = { 0 };
	struct rehearsal rehearsal;
	enum err_code rc = begin(trainer, &rehearsal, err);

	*ret_order = ORDER_NONE;
	if (rc)
		return rc;
	rc = walk(trainer, &curve, false, ret_order, err);
	give_back(trainer, &rehearsal); /* moments, running statistics */
	if (!rc && !*ret_order)
		rc = walk(trainer, &curve, true, ret_order, err);
	if (!rc && !*ret_order)
		rc = try_rates(trainer, &rehearsal, &curve, ret_order, err);
	end(trainer, &rehearsal);
	if (!rc)
		*ret_curve = curve;
	return rc;
}

enum err_code trainer_time_step(struct trainer *trainer, int n,
				double *ret_seconds, struct err *err)
{
	struct rehearsal rehearsal;
	const struct batch *batch = NULL;
	int64_t before = 0;
	double loss;
	enum err_code rc = begin(trainer, &rehearsal, err);

	if (rc)
		return rc;
	rc = start(trainer, err);
	if (!rc)
		rc = trainer_rows_take(trainer, &batch, err);
	for (int i = 0; i <= n && !rc; i++) {
		if (i == 1) /* the first one plans and warms up */
			before = clock_monotonic_ns();
		rc = step(trainer, batch, (size_t)i, 1e-6, &loss, err);
	}
	if (!rc)
		*ret_seconds =
		    (double)(clock_monotonic_ns() - before) * 1e-9 / n;
	trainer_rows_give(trainer);
	end(trainer, &rehearsal);
	return rc;
}

static bool is_lsuv(const struct trainer *trainer)
{
	const struct doc *model = trainer->spec->model;
	const struct doc *init = doc_find(model, "init");

	return init && init->kind == DOC_STRING &&
	       str_equal(init->text, "lsuv") && !doc_find(model, "onnx");
}

enum err_code trainer_scale_weights(struct trainer *trainer, struct err *err)
{
	const struct pipeline *pipeline = trainer->options.pipeline;
	struct fact fact[STEPPER_MAX_PORTS];
	struct batch *batch = NULL;
	enum err_code rc;

	if (!is_lsuv(trainer))
		return ERR_NONE;
	rc = start(trainer, err);
	if (!rc)
		rc = loader_take(trainer->loader, &batch, err);
	if (rc)
		return rc;
	for (unsigned i = 0; i < pipeline_n_inputs(pipeline); i++) {
		struct shape row;

		fact[i] = (struct fact){ .has_shape = true };
		pipeline_input_row(pipeline, i, &fact[i].type.elem, &row);
		fact[i].shape.rank = row.rank + 1;
		fact[i].shape.dim[0] = batch->n;
		for (unsigned d = 0; d < row.rank; d++)
			fact[i].shape.dim[d + 1] = row.dim[d];
	}
	rc = lsuv_scale(trainer->options.graph, fact, batch->input, err);
	loader_give_back(trainer->loader, batch);
	return rc;
}
