/* SPDX-License-Identifier: Apache-2.0 */
#include "training/trainer.h"

#include <stdio.h>

#include "base/mem.h"
#include "base/str.h"
#include "training/stepper_thrift.h"
#include "training/trainer_priv.h"

static enum err_code no_memory(struct err *err)
{
	return err_set(err, ERR_NO_MEMORY, "trainer: out of memory");
}

void trainer_warn(struct trainer *trainer, const char *code,
		  const char *message)
{
	const struct trainer_events *events = trainer->options.events;

	if (events && events->warning)
		events->warning(events->ctx, code, message);
}

/* --- birth --- */

/* Where the weights lie until the stepper moves them. */
static enum err_code list_built(struct trainer *trainer, struct err *err)
{
	const struct graph *graph = trainer->options.graph;

	trainer->built =
	    arena_array(trainer->arena, (size_t)graph->n_variable + 1,
			sizeof(*trainer->built));
	if (!trainer->built)
		return no_memory(err);
	for (int32_t v = 0; v < graph->n_variable; v++)
		if (graph->variable[v].role == ROLE_PARAM)
			trainer->built[trainer->n_built++] =
			    graph->variable[v].view;
	return ERR_NONE;
}

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
		.accumulates =
		    trainer->spec->trainer.gradient_accumulation_steps > 1,
		.mixes = trainer->spec->mixup.alpha > 0,
		.activation = trainer->spec->activation.alpha,
		.temporal = trainer->spec->activation.beta,
		.watches = trainer->spec->watch.dead_units,
		.state = o->state,
		.state_rows = trainer->spec->trainer.batch_size,
		.eval_state_rows = trainer->spec->trainer.eval_batch_size,
		.pool = o->pool,
		.threads = o->threads,
		.products = (enum products)trainer->spec->trainer.precision,
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
	rc = loss_for_step(&trainer->spec->loss, width, trainer->arena,
			   &options.loss, err);
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
				     stepper_state(trainer->stepper),
				     trainer->arena, &trainer->moments, err);
	return rc;
}

/* Of the weights: the best ones, and averages. */
static enum err_code make_copies(struct trainer *trainer, struct err *err)
{
	struct arena *arena = trainer->arena;
	enum err_code rc;

	rc = weights_snapshot_spill(&trainer->best, &trainer->model,
				    trainer_spill_dir(trainer), arena, err);
	if (rc || trainer->spec->averaging.type == AVERAGE_NONE)
		return rc;
	rc = weights_snapshot_init(&trainer->average, &trainer->model, arena,
				   err);
	if (!rc)
		rc = weights_snapshot_init(&trainer->raw, &trainer->model,
					   arena, err);
	return rc;
}

static void check_digest(struct trainer *trainer, const char *was,
			 const char *is)
{
	if (was && !str_equal(was, is))
		trainer_warn(
		    trainer, "other_kernels",
		    "the checkpoint was made with other kernels (another "
		    "version or processor): the run goes on, but its bits may "
		    "differ");
}

static enum err_code restore_weights(struct trainer *trainer,
				     const struct checkpoint *checkpoint,
				     struct err *err)
{
	enum err_code rc;

	rc = weights_restore(&checkpoint->model, &trainer->model, err);
	if (!rc)
		rc =
		    weights_restore(&checkpoint->optim, &trainer->moments, err);
	if (!rc && checkpoint->best.n) {
		rc = weights_restore(&checkpoint->best, &trainer->best.list,
				     err);
		trainer->has_best_weights = rc == ERR_NONE;
		weights_snapshot_rest(&trainer->best);
	}
	if (!rc && checkpoint->state.n_averaged)
		rc = weights_restore(&checkpoint->average,
				     &trainer->average.list, err);
	if (!rc)
		rc = history_restore(&trainer->history, &checkpoint->history,
				     err);
	if (!rc)
		rc = watch_restore(&trainer->watch, &checkpoint->history, err);
	return rc;
}

enum err_code trainer_restore(struct trainer *trainer,
			      const struct checkpoint *checkpoint,
			      struct err *err)
{
	struct checkpoint_state *state = &trainer->state;
	const char *fingerprint = state->fingerprint;
	const char *version = state->version, *plan;
	size_t phase = (size_t)checkpoint->state.phase;
	enum err_code rc = ERR_NONE;

	if (!str_equal(checkpoint->state.fingerprint, fingerprint))
		return err_set(err, ERR_CONFLICT,
			       "the data is not what it was when the "
			       "checkpoint was written; begin anew, or with "
			       "base_model");
	if (phase >= trainer->spec->phases.n)
		return err_set(
		    err, ERR_FORMAT,
		    "the checkpoint is of phase %zu, the job has %zu",
		    phase + 1, trainer->spec->phases.n);
	if (phase != trainer->phase)
		rc = trainer_begin_phase(trainer, phase, err);
	if (!rc)
		rc = restore_weights(trainer, checkpoint, err);
	if (rc)
		return rc;
	plan = state->plan_digest;
	check_digest(trainer, checkpoint->state.plan_digest, plan);
	*state = checkpoint->state;
	state->fingerprint = fingerprint;
	state->plan_digest = plan;
	state->version = version;
	state->spec_digest = trainer->options.spec_digest;
	trainer->before_seconds = state->seconds;
	trainer->is_saved = true;
	return ERR_NONE;
}

/* What is lost is told: a run that began anew would look like a slow one. */
static void tell_skipped(struct trainer *trainer,
			 const struct checkpoint_skipped *skipped,
			 const struct checkpoint *loaded)
{
	char text[1400], where[64] = "begins anew";

	if (!skipped->n)
		return;
	if (loaded)
		(void)snprintf(where, sizeof(where), "goes on from step %lld",
			       (long long)loaded->state.step);
	(void)snprintf(text, sizeof(text),
		       "%zu checkpoint%s cannot be used, the newest, %s, "
		       "because %s: the run %s",
		       skipped->n, skipped->n > 1 ? "s" : "", skipped->name,
		       skipped->why.msg, where);
	trainer_warn(trainer, "checkpoint_skipped", text);
}

static enum err_code resume(struct trainer *trainer, struct err *err)
{
	struct checkpoint *checkpoint = NULL;
	struct checkpoint_skipped skipped;
	enum err_code rc = ERR_NONE;

	if (!trainer->options.job_dir)
		return ERR_NONE;
	rc = checkpoint_load(trainer->options.job_dir, &checkpoint, &skipped,
			     err);
	if (!rc)
		tell_skipped(trainer, &skipped, checkpoint);
	if (!rc && checkpoint)
		rc = trainer_restore(trainer, checkpoint, err);
	checkpoint_destroy(checkpoint);
	return rc;
}

/* What no phase changes. */
static enum err_code describe(struct trainer *trainer, struct err *err)
{
	struct checkpoint_state *state = &trainer->state;
	char hex[DIGEST_HEX_MAX];

	dataset_fingerprint(trainer->options.dataset, hex);
	state->fingerprint = arena_strdup(trainer->arena, hex);
	state->version = PREDICTD_VERSION;
	state->spec_digest = trainer->options.spec_digest;
	return state->fingerprint ? ERR_NONE : no_memory(err);
}

/* A network with batch norm cannot learn from a last batch of one row. Then
 * each epoch leaves out the row that comes last in its order. */
static enum err_code leave_lone_row(struct trainer *trainer, struct err *err)
{
	struct plan_report report;
	int64_t batch = trainer->spec->trainer.batch_size;
	enum err_code rc;

	trainer->n_epoch = trainer->n_train;
	if (trainer->n_epoch % batch != 1 || trainer->n_epoch <= batch)
		return ERR_NONE;
	rc = stepper_prepare(trainer->stepper, 1, STEPPER_TRAINS, &report, err);
	if (!rc || rc == ERR_NO_MEMORY)
		return rc;
	trainer->n_epoch--;
	trainer_warn(trainer, "row_left_out",
		     "the last batch of an epoch would have one row, from "
		     "which batch norm cannot learn: each epoch leaves out "
		     "another row; another batch_size avoids this");
	return ERR_NONE;
}

static void count_steps(struct trainer *trainer)
{
	const struct trainer_spec *t = &trainer->spec->trainer;

	int64_t rows = t->batch_size * t->gradient_accumulation_steps;

	trainer->steps_per_epoch = (trainer->n_epoch + rows - 1) / rows;
	trainer->total_steps = trainer->steps_per_epoch * t->epochs;
	if (t->max_steps && t->max_steps < trainer->total_steps)
		trainer->total_steps = t->max_steps;
}

/* Room for the rows of any part, in order and evaluated. */
static enum err_code make_order(struct trainer *trainer, struct err *err)
{
	int64_t most = trainer->n_train, most_other = 0, width;
	enum dtype dtype;
	struct shape row;

	for (int part = 0; part < PART_COUNT; part++) {
		int64_t n = dataset_n(trainer->options.dataset,
				      (enum dataset_part)part);

		most = n > most ? n : most;
		if (part != PART_TRAIN)
			most_other = n > most_other ? n : most_other;
	}
	trainer->order = mem_array((size_t)most, sizeof(*trainer->order));
	trainer->partner = mem_array((size_t)trainer->spec->trainer.batch_size,
				     sizeof(*trainer->partner));
	if (!trainer->order || !trainer->partner)
		return no_memory(err);
	pipeline_target_row(trainer->options.pipeline, 0, &dtype, &row, &width);
	return evaluation_init(&trainer->evaluation,
			       trainer->spec->loss.kind->measures, most_other,
			       width, err);
}

void trainer_order_rows(struct trainer *trainer, int64_t epoch)
{
	const struct trainer_spec *t = &trainer->spec->trainer;
	const int64_t *rows =
	    dataset_rows(trainer->options.dataset, PART_TRAIN);

	if (trainer->sampling)
		sampling_order(trainer->sampling, (uint32_t)epoch,
			       trainer->order);
	else if (dataset_is_stream(trainer->options.dataset))
		batch_stream(rows, trainer->n_train, t->batch_size,
			     trainer->order);
	else
		batch_shuffle(rows, trainer->n_train, (uint64_t)t->seed,
			      (uint32_t)epoch, trainer->order);
}

bool trainer_goes_on(const struct trainer *trainer, enum dataset_part part,
		     const struct batch *batch)
{
	const struct trainer_spec *t = &trainer->spec->trainer;
	const int64_t n = dataset_n(trainer->options.dataset, part);
	int64_t wide = part == PART_TRAIN ? t->batch_size : t->eval_batch_size;

	wide = n < wide ? n : wide;
	return dataset_is_stream(trainer->options.dataset) &&
	       batch->first > 0 && batch->n == wide;
}

struct metric_rows trainer_rows(const struct trainer *trainer,
				const struct batch *batch,
				const struct stepper_result *result)
{
	struct metric_rows rows = { result->output, batch->target[0], batch->n,
				    result->width, result->loss };
	int64_t steps;

	if (!pipeline_is_language(trainer->options.pipeline))
		return rows;
	steps = pipeline_text_cut(trainer->options.pipeline).length;
	rows.n *= steps;
	rows.width /= steps;
	return rows;
}

void trainer_add(const struct trainer *trainer, const struct metric_rows *rows,
		 struct metric_sums *sums)
{
	metric_add(sums, trainer->spec->loss.kind->measures, rows);
	if (pipeline_is_language(trainer->options.pipeline))
		sums->characters += pipeline_characters(
		    trainer->options.pipeline, rows->target, rows->n);
}

/* valid_x needs a validation part; job_spec has refused test_x. */
static void check_monitor(struct trainer *trainer)
{
	const char *monitor = trainer->spec->trainer.monitor;
	char text[256];

	trainer->is_monitored =
	    !str_starts_with(monitor, "valid_") ||
	    dataset_n(trainer->options.dataset, PART_VALID) > 0;
	if (trainer->is_monitored)
		return;
	(void)snprintf(text, sizeof(text),
		       "there are no validation rows, so '%s' is not measured: "
		       "the last weights are kept and nothing stops early",
		       monitor);
	trainer_warn(trainer, "no_validation", text);
}

/* Before anything is made for the rows of an epoch. */
static enum err_code make_sampling(struct trainer *trainer, struct err *err)
{
	const struct trainer_options *o = &trainer->options;
	const enum sampling_type type =
	    (enum sampling_type)trainer->spec->data.sampling;
	enum err_code rc;

	if (type == SAMPLING_NONE)
		return ERR_NONE;
	rc = sampling_create(o->dataset, o->pipeline, type,
			     (uint64_t)trainer->spec->trainer.seed,
			     &trainer->sampling, err);
	if (!rc)
		trainer->n_train = sampling_n(trainer->sampling);
	return rc;
}

/* Of the rows that are learned from. */
static enum err_code measure_baseline(struct trainer *trainer, struct err *err)
{
	const struct trainer_options *o = &trainer->options;
	struct baseline_rows rows = { o->dataset, o->pipeline,
				      dataset_rows(o->dataset, PART_TRAIN),
				      trainer->n_train };
	enum err_code rc = ERR_NONE;

	/* drawn numbers need not make sense */
	if (!str_equal(trainer->spec->data.source, "synthetic"))
		rc = baseline_check_targets(o->dataset, o->pipeline,
					    &trainer->spec->loss, err);
	if (rc)
		return rc;
	if (trainer->sampling) {
		sampling_order(trainer->sampling, 0, trainer->order);
		rows.row = trainer->order;
	}
	return baseline_measure(&rows, &trainer->spec->loss, &trainer->baseline,
				err);
}

/* What does not depend on a phase. */
static enum err_code prepare(struct trainer *trainer, struct err *err)
{
	const struct trainer_options *o = &trainer->options;
	const int64_t batch = trainer->spec->trainer.batch_size;
	const int64_t eval = trainer->spec->trainer.eval_batch_size;
	enum err_code rc = make_sampling(trainer, err);

	if (!rc)
		rc = make_order(trainer, err);
	if (!rc)
		rc = measure_baseline(trainer, err);
	if (!rc)
		rc = list_built(trainer, err);
	if (!rc)
		rc = make_stepper(trainer, err);
	if (!rc)
		rc = make_lists(trainer, err);
	if (!rc)
		rc = trainer_phases_init(trainer, err);
	if (!rc)
		rc =
		    watch_init(&trainer->watch, &trainer->spec->watch, o->graph,
			       &trainer->groups, trainer->arena, err);
	if (!rc)
		rc = describe(trainer, err);
	return rc ? rc
		  : loader_create(o->dataset, o->pipeline,
				  batch > eval ? batch : eval, &trainer->loader,
				  err);
}

enum err_code trainer_create(const struct trainer_options *options,
			     struct trainer **ret_trainer, struct err *err)
{
	struct trainer *trainer = mem_zero(sizeof(*trainer));
	enum err_code rc;

	if (trainer)
		trainer->arena = arena_create((size_t)256 << 20);
	if (!trainer || !trainer->arena) {
		rc = no_memory(err);
		goto out;
	}
	trainer->options = *options;
	trainer->memory.process = mem_resident();
	trainer->spec = options->spec;
	trainer->n_train = dataset_n(options->dataset, PART_TRAIN);
	history_init(&trainer->history, trainer->spec->metrics);
	rc = prepare(trainer, err);
	if (!rc)
		rc = trainer_begin_phase(trainer, 0, err);
	if (!rc)
		rc = leave_lone_row(trainer, err);
	if (!rc)
		rc = trainer_plan_memory(trainer, err);
	if (!rc)
		rc = make_copies(trainer, err);
	if (!rc)
		rc = resume(trainer, err);
	/* restored weights have been scaled long ago */
	if (!rc && !trainer->is_saved)
		rc = trainer_scale_weights(trainer, err);
	if (rc)
		goto out;
	trainer_limit_batches(trainer);
	count_steps(trainer);
	check_monitor(trainer);
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
	features_destroy(trainer->features);
	weights_snapshot_finish(&trainer->best);
	weights_snapshot_finish(&trainer->average);
	weights_snapshot_finish(&trainer->raw);
	evaluation_finish(&trainer->evaluation);
	history_finish(&trainer->history);
	watch_finish(&trainer->watch);
	sampling_destroy(trainer->sampling);
	mem_free(trainer->order);
	mem_free(trainer->partner);
	arena_destroy(trainer->arena);
	mem_free(trainer);
}

int64_t trainer_epoch_rows(const struct trainer *trainer)
{
	return trainer->n_epoch;
}

struct stepper *trainer_stepper(struct trainer *trainer)
{
	return trainer->stepper;
}

const char *trainer_spill_dir(const struct trainer *trainer)
{
	return trainer->memory.spills ? trainer->options.spill_dir : NULL;
}

void trainer_rest(struct trainer *trainer)
{
	if (trainer->memory.is_thrifty)
		stepper_rest(trainer->stepper);
	if (trainer->features && trainer->memory.is_thrifty)
		features_rest(trainer->features);
}

const struct history *trainer_history(const struct trainer *trainer)
{
	return &trainer->history;
}
