/* SPDX-License-Identifier: Apache-2.0 */
#include "training/trainer.h"

#include <math.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "training/trainer_priv.h"

/* fastai's smoothing of the reported training loss */
#define SMOOTHING 0.98
#define STEP_EVENT_NS 1000000000LL

static enum err_code no_memory(struct err *err)
{
	return err_set(err, ERR_NO_MEMORY, "trainer: out of memory");
}

static double seconds_since(int64_t start_ns)
{
	return (double)(clock_monotonic_ns() - start_ns) * 1e-9;
}

static void warn(struct trainer *trainer, const char *code, const char *message)
{
	const struct trainer_events *events = trainer->options.events;

	if (events && events->warning)
		events->warning(events->ctx, code, message);
}

/* --- birth --- */

static enum err_code make_stepper(struct trainer *trainer, struct err *err)
{
	const struct trainer_options *o = &trainer->options;
	const struct pipeline *p = o->pipeline;
	struct stepper_port port[STEPPER_MAX_PORTS];
	struct stepper_options options = {
		.optimizer = &trainer->spec->optimizer,
		.clipping = trainer->spec->clipping,
		.seed = (uint64_t)trainer->spec->trainer.seed,
		.input = port,
		.n_inputs = pipeline_n_inputs(p),
		.pool = o->pool,
		.threads = o->threads,
	};
	int64_t width;
	enum err_code rc;

	if (options.n_inputs > STEPPER_MAX_PORTS)
		return err_set(err, ERR_UNSUPPORTED,
			       "input_features: at most %d, got %u",
			       (int)STEPPER_MAX_PORTS, options.n_inputs);
	for (unsigned i = 0; i < options.n_inputs; i++)
		pipeline_input_row(p, i, &port[i].dtype, &port[i].row);
	pipeline_target_row(p, 0, &options.target.dtype, &options.target.row,
			    &width);
	rc = loss_for_step(&trainer->spec->loss, trainer->arena, &options.loss,
			   err);
	return rc ? rc
		  : stepper_create(o->graph, &options, &trainer->stepper, err);
}

static enum err_code make_lists(struct trainer *trainer, struct err *err)
{
	enum err_code rc;

	rc = weights_list(trainer->options.graph, trainer->arena,
			  &trainer->model, err);
	if (!rc)
		rc = weights_moments(stepper_memory(trainer->stepper),
				     trainer->arena, &trainer->moments, err);
	if (!rc)
		rc = weights_snapshot_init(&trainer->best, &trainer->model,
					   trainer->arena, err);
	return rc;
}

static void check_digest(struct trainer *trainer, const char *was,
			 const char *is)
{
	if (was && !str_equal(was, is))
		warn(trainer, "other_kernels",
		     "the checkpoint was made with other kernels (another "
		     "version or processor): the run goes on, but its bits may "
		     "differ");
}

static enum err_code restore(struct trainer *trainer,
			     const struct checkpoint *checkpoint,
			     struct err *err)
{
	struct checkpoint_state *state = &trainer->state;
	const char *fingerprint = state->fingerprint;
	const char *plan = state->plan_digest, *version = state->version;
	enum err_code rc;

	if (!str_equal(checkpoint->state.fingerprint, fingerprint))
		return err_set(err, ERR_CONFLICT,
			       "the data is not what it was when the job was "
			       "interrupted; submit the job again");
	rc = weights_restore(&checkpoint->model, &trainer->model, err);
	if (!rc)
		rc =
		    weights_restore(&checkpoint->optim, &trainer->moments, err);
	if (!rc && checkpoint->best.n)
		rc = weights_restore(&checkpoint->best, &trainer->best.list,
				     err);
	if (rc)
		return rc;
	check_digest(trainer, checkpoint->state.plan_digest, plan);
	*state = checkpoint->state;
	state->fingerprint = fingerprint;
	state->plan_digest = plan;
	state->version = version;
	state->spec_digest = trainer->options.spec_digest;
	trainer->before_seconds = state->seconds;
	trainer->saved_step = state->step;
	return ERR_NONE;
}

static enum err_code resume(struct trainer *trainer, struct err *err)
{
	struct checkpoint *checkpoint = NULL;
	enum err_code rc = ERR_NONE;

	if (!trainer->options.job_dir)
		return ERR_NONE;
	rc = checkpoint_load(trainer->options.job_dir, &checkpoint, err);
	if (!rc && checkpoint)
		rc = restore(trainer, checkpoint, err);
	checkpoint_destroy(checkpoint);
	return rc;
}

static enum err_code describe(struct trainer *trainer, struct err *err)
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
	dataset_fingerprint(trainer->options.dataset, hex);
	state->fingerprint = arena_strdup(trainer->arena, hex);
	state->version = PREDICTD_VERSION;
	state->spec_digest = trainer->options.spec_digest;
	return state->plan_digest && state->fingerprint ? ERR_NONE
							: no_memory(err);
}

static enum err_code count_steps(struct trainer *trainer, struct err *err)
{
	const struct trainer_spec *t = &trainer->spec->trainer;
	int64_t most = trainer->n_train;

	for (int part = 0; part < PART_COUNT; part++) {
		int64_t n = dataset_n(trainer->options.dataset,
				      (enum dataset_part)part);

		most = n > most ? n : most;
	}
	trainer->order = mem_array((size_t)most, sizeof(*trainer->order));
	if (!trainer->order)
		return no_memory(err);
	trainer->steps_per_epoch =
	    (trainer->n_train + t->batch_size - 1) / t->batch_size;
	trainer->total_steps = trainer->steps_per_epoch * t->epochs;
	if (t->max_steps && t->max_steps < trainer->total_steps)
		trainer->total_steps = t->max_steps;
	return ERR_NONE;
}

enum err_code trainer_create(const struct trainer_options *options,
			     struct trainer **ret_trainer, struct err *err)
{
	struct trainer *trainer = mem_zero(sizeof(*trainer));
	int64_t batch = options->spec->trainer.batch_size;
	int64_t eval = options->spec->trainer.eval_batch_size;
	enum err_code rc;

	if (trainer)
		trainer->arena = arena_create((size_t)256 << 20);
	if (!trainer || !trainer->arena) {
		rc = no_memory(err);
		goto out;
	}
	trainer->options = *options;
	trainer->spec = options->spec;
	trainer->n_train = dataset_n(options->dataset, PART_TRAIN);
	rc = count_steps(trainer, err);
	if (!rc)
		rc = make_stepper(trainer, err);
	if (!rc)
		rc = make_lists(trainer, err);
	if (!rc)
		rc = describe(trainer, err);
	if (!rc)
		rc = resume(trainer, err);
	if (!rc)
		rc = loader_create(options->dataset, options->pipeline,
				   batch > eval ? batch : eval,
				   &trainer->loader, err);
	if (rc)
		goto out;
	*ret_trainer = trainer;
	trainer = NULL;
out:
	trainer_destroy(trainer);
	return rc;
}

void trainer_destroy(struct trainer *trainer)
{
	if (!trainer)
		return;
	loader_destroy(trainer->loader);
	stepper_destroy(trainer->stepper);
	weights_snapshot_finish(&trainer->best);
	mem_free(trainer->order);
	arena_destroy(trainer->arena);
	mem_free(trainer);
}

struct stepper *trainer_stepper(struct trainer *trainer)
{
	return trainer->stepper;
}

/* --- events and checkpoints --- */

static void fill_progress(struct trainer *trainer, double elapsed)
{
	struct trainer_progress *p = &trainer->progress;
	const struct checkpoint_state *s = &trainer->state;
	int64_t left = trainer->total_steps - s->step;

	p->epoch = s->epoch + (s->is_epoch_over ? 0 : 1);
	p->epochs = trainer->spec->trainer.epochs;
	p->step = s->step;
	p->total_steps = trainer->total_steps;
	p->samples = s->samples;
	p->percent = 100 * (double)s->step / (double)trainer->total_steps;
	p->train_loss =
	    s->train_weight > 0 ? s->train_loss / s->train_weight : (double)NAN;
	if (elapsed > 0)
		p->samples_per_second =
		    (double)(s->samples - trainer->event_samples) / elapsed;
	if (p->samples_per_second > 0)
		p->eta_seconds = (double)left *
				 (double)trainer->spec->trainer.batch_size /
				 p->samples_per_second;
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
static enum err_code save(struct trainer *trainer, struct err *err)
{
	const struct trainer_events *events = trainer->options.events;
	const struct checkpoint_spec *spec = &trainer->spec->checkpoint;
	struct checkpoint_write what = {
		.state = &trainer->state,
		.part = { &trainer->model, &trainer->moments },
		.keep = spec->keep_last,
	};
	struct arena *scratch;
	const char *name;
	enum err_code rc;

	if (!trainer->options.job_dir)
		return ERR_NONE;
	scratch = arena_create((size_t)16 << 20);
	if (!scratch)
		return no_memory(err);
	if (trainer->state.has_best && spec->keep_best)
		what.part[2] = &trainer->best.list;
	trainer->state.seconds =
	    trainer->before_seconds + seconds_since(trainer->start_ns);
	rc = checkpoint_save(trainer->options.job_dir, &what, scratch, &name,
			     err);
	trainer->saved_ns = clock_monotonic_ns();
	if (!rc) {
		trainer->saved_step = trainer->state.step;
		if (events && events->checkpoint)
			events->checkpoint(events->ctx, trainer->state.step,
					   name);
	} else if (rc == ERR_NO_SPACE) {
		warn(trainer, "no_space",
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

static void schedule_now(const struct trainer *trainer, double *ret_rate,
			 double *ret_momentum)
{
	const struct schedule_time time = {
		.step = (double)trainer->state.step,
		.total_steps = (double)trainer->total_steps,
		.epoch = (double)trainer->state.step /
			 (double)trainer->steps_per_epoch,
	};
	struct schedule_value value =
	    schedule_at(&trainer->spec->schedule, &time);

	*ret_rate = value.rate;
	*ret_momentum = value.momentum;
}

static void count_step(struct trainer *trainer, const struct batch *batch,
		       const struct stepper_result *result)
{
	struct checkpoint_state *s = &trainer->state;
	struct metric_sums sums = { 0 };

	metric_add(&sums, trainer->spec->output_type,
		   &(struct metric_rows){ result->output, batch->target[0],
					  batch->n, result->width,
					  result->loss });
	s->sum_n += sums.n;
	s->sum_loss += sums.loss;
	s->sum_hits += sums.hits;
	s->train_loss =
	    SMOOTHING * s->train_loss + (1 - SMOOTHING) * result->loss;
	s->train_weight = SMOOTHING * s->train_weight + (1 - SMOOTHING);
	s->step++;
	s->batch_in_epoch++;
	s->samples += batch->n;
}

static enum err_code train_on(struct trainer *trainer,
			      const struct batch *batch, bool *ret_is_nan,
			      struct err *err)
{
	const struct stepper_batch rows = { .n = batch->n,
					    .input = batch->input,
					    .target = batch->target[0] };
	struct stepper_update update = {
		.step = (uint64_t)trainer->state.step + 1,
	};
	struct stepper_result result;
	enum err_code rc;

	schedule_now(trainer, &update.rate, &update.momentum);
	rc = stepper_step(trainer->stepper, &rows, &update, &result, err);
	if (rc)
		return rc;
	*ret_is_nan = !isfinite(result.norm) || !isfinite(result.loss);
	if (*ret_is_nan)
		return ERR_NONE;
	count_step(trainer, batch, &result);
	trainer->progress.rate = update.rate;
	trainer->progress.momentum = update.momentum;
	trainer->progress.grad_norm = result.norm;
	return ERR_NONE;
}

/* --- epochs --- */

/* Obeys an order and says whether the run is over, and then why. */
static enum err_code obey(struct trainer *trainer, bool *ret_over,
			  enum stop_reason *ret_reason, struct err *err)
{
	static const enum stop_reason reason[] = {
		[ORDER_PAUSE] = STOP_PAUSED,
		[ORDER_STOP] = STOP_INTERRUPTED,
		[ORDER_CANCEL] = STOP_CANCELLED,
	};
	enum trainer_order order = trainer_poll(trainer);

	if (order == ORDER_NONE)
		return ERR_NONE;
	if (order != ORDER_CHECKPOINT) {
		*ret_over = true;
		*ret_reason = reason[order];
	}
	if (order == ORDER_CANCEL || trainer->saved_step == trainer->state.step)
		return ERR_NONE;
	return save(trainer, err);
}

static bool is_limit_reached(const struct trainer *trainer,
			     enum stop_reason *ret_reason)
{
	const struct trainer_spec *t = &trainer->spec->trainer;
	double seconds =
	    trainer->before_seconds + seconds_since(trainer->start_ns);
	bool is_step = t->max_steps && trainer->state.step >= t->max_steps;
	bool is_time = t->max_time > 0 && seconds >= t->max_time;

	if (is_step || is_time)
		*ret_reason = is_step ? STOP_MAX_STEPS : STOP_MAX_TIME;
	return is_step || is_time;
}

/* The rest of an epoch; *ret_over when the run ends within it. */
static enum err_code train_epoch(struct trainer *trainer, bool *ret_over,
				 enum stop_reason *ret_reason, struct err *err)
{
	int64_t batch_size = trainer->spec->trainer.batch_size;
	struct checkpoint_state *s = &trainer->state;
	enum err_code rc;

	batch_shuffle(dataset_rows(trainer->options.dataset, PART_TRAIN),
		      trainer->n_train, (uint64_t)trainer->spec->trainer.seed,
		      (uint32_t)s->epoch, trainer->order);
	rc = loader_start(trainer->loader, trainer->order, trainer->n_train,
			  s->batch_in_epoch * batch_size, batch_size, err);
	*ret_over = false;
	while (!rc && !*ret_over) {
		struct batch *batch;
		bool is_nan = false;

		rc = obey(trainer, ret_over, ret_reason, err);
		if (rc || *ret_over)
			break;
		rc = loader_take(trainer->loader, &batch, err);
		if (rc || !batch)
			break;
		rc = train_on(trainer, batch, &is_nan, err);
		loader_give_back(trainer->loader, batch);
		if (rc)
			break;
		tell_step(trainer, false);
		*ret_over = is_nan || is_limit_reached(trainer, ret_reason);
		if (is_nan)
			*ret_reason = STOP_NAN;
		else if (is_save_due(trainer))
			rc = save(trainer, err);
	}
	return rc;
}

/* After the last batch: figures, best weights, patience, checkpoint. */
static enum err_code end_epoch(struct trainer *trainer, bool *ret_over,
			       enum stop_reason *ret_reason, struct err *err)
{
	const struct early_stopping_spec *early =
	    &trainer->spec->early_stopping;
	const struct checkpoint_spec *spec = &trainer->spec->checkpoint;
	struct checkpoint_state *s = &trainer->state;
	bool is_cancelled = false;
	enum err_code rc;

	tell_step(trainer, true);
	rc = trainer_evaluate(trainer, &is_cancelled, err);
	if (rc)
		return rc;
	if (is_cancelled) {
		*ret_over = true;
		*ret_reason = STOP_CANCELLED;
		return ERR_NONE;
	}
	s->epoch++;
	s->batch_in_epoch = 0;
	s->sum_n = s->sum_loss = s->sum_hits = 0;
	s->is_epoch_over = 1;
	if (spec->every_n_epochs && s->epoch % spec->every_n_epochs == 0)
		rc = save(trainer, err);
	s->is_epoch_over = 0;
	if (early->patience >= 0 && s->wait > early->patience &&
	    s->epoch >= early->min_epochs && !*ret_over) {
		*ret_over = true;
		*ret_reason = STOP_EARLY;
	}
	return rc;
}

static bool is_final(enum stop_reason reason)
{
	return reason == STOP_COMPLETED || reason == STOP_EARLY ||
	       reason == STOP_MAX_TIME || reason == STOP_MAX_STEPS;
}

enum err_code trainer_run(struct trainer *trainer, struct trainer_result *ret,
			  struct err *err)
{
	struct checkpoint_state *s = &trainer->state;
	enum stop_reason reason = STOP_COMPLETED;
	bool is_over = false;
	enum err_code rc;

	trainer->start_ns = trainer->event_ns = clock_monotonic_ns();
	trainer->saved_ns = trainer->start_ns;
	trainer->event_samples = s->samples;
	s->is_epoch_over = 0;
	rc = trainer_recall_best(trainer, err);
	while (!rc && !is_over && s->epoch < trainer->spec->trainer.epochs) {
		rc = train_epoch(trainer, &is_over, &reason, err);
		if (!rc && (!is_over || is_final(reason)))
			rc = end_epoch(trainer, &is_over, &reason, err);
	}
	if (!rc && is_final(reason))
		rc = trainer_conclude(trainer, err);
	if (rc)
		return rc;
	*ret = (struct trainer_result){
		.reason = reason,
		.last = trainer->last,
		.best = trainer->best_eval,
		.seconds =
		    trainer->before_seconds + seconds_since(trainer->start_ns),
	};
	return ERR_NONE;
}

enum err_code trainer_time_step(struct trainer *trainer, int n,
				double *ret_seconds, struct err *err)
{
	int64_t batch_size = trainer->spec->trainer.batch_size;
	struct weights_snapshot before = { 0 };
	struct checkpoint_state state = trainer->state;
	struct batch *batch = NULL;
	bool is_nan;
	int64_t start = 0;
	enum err_code rc;

	rc = weights_snapshot_init(&before, &trainer->model, trainer->arena,
				   err);
	if (!rc)
		rc = loader_start(
		    trainer->loader,
		    dataset_rows(trainer->options.dataset, PART_TRAIN),
		    trainer->n_train, 0, batch_size, err);
	if (!rc)
		rc = loader_take(trainer->loader, &batch, err);
	for (int i = 0; i <= n && !rc; i++) {
		if (i == 1) /* the first one plans and warms up */
			start = clock_monotonic_ns();
		rc = train_on(trainer, batch, &is_nan, err);
	}
	if (!rc)
		*ret_seconds = seconds_since(start) / n;
	if (batch)
		loader_give_back(trainer->loader, batch);
	if (!rc)
		rc = weights_restore(&before.list, &trainer->model, err);
	for (size_t i = 0; i < trainer->moments.n; i++) {
		struct tensor_view *view = &trainer->moments.entry[i].view;

		memset(view->data, 0, tensor_bytes(view->dtype, &view->shape));
	}
	trainer->state = state;
	weights_snapshot_finish(&before);
	return rc;
}
