/* SPDX-License-Identifier: Apache-2.0 */
#include "server/served_model.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "engine/graph_alike.h"
#include "server/batch_pad.h"
#include "server/limit.h"
#include "server/response_cache.h"
#include "server/sequences.h"

enum { WARM_RUNS = 3, PLANS = 64, RETIRE_MS = 200 };
/* Constants that are smaller are not in the packs. */
enum { SMALL_BYTES = 64 << 10 };
#define WARM_BYTES_MAX ((size_t)256 << 20)

struct served_model *served_model_ref(struct served_model *model)
{
	atomic_fetch_add_explicit(&model->refs, 1, memory_order_relaxed);
	return model;
}

void served_model_unref(struct served_model *model)
{
	if (!model || atomic_fetch_sub_explicit(&model->refs, 1,
						memory_order_acq_rel) != 1)
		return;
	batcher_unref(model->batcher);
	if (model->cache)
		response_cache_forget(model->cache, model->number);
	batch_pad_destroy(model->pad);
	sequences_unref(model->sequences);
	plan_cache_destroy(model->plans);
	package_unref(model->package);
	model_stats_unref(model->stats);
	mem_free(model);
}

size_t served_model_bytes(const struct served_model *model)
{
	const size_t small = model->package->bytes;
	struct plan_cache_stats stats;

	plan_cache_stats(model->plans, &stats);
	return stats.idle_bytes + stats.lent_bytes +
	       (small < SMALL_BYTES ? small : SMALL_BYTES);
}

void served_model_retire(struct served_model *model)
{
	for (int i = 0; model && i < RETIRE_MS; i++) {
		if (atomic_load_explicit(&model->refs, memory_order_acquire) ==
		    1)
			break;
		clock_sleep_ms(1);
	}
	served_model_unref(model);
}

/* --- the first runs --- */

/* Zeros in the shape of one row; false where a shape is open otherwise. */
static bool make_row(const struct served_model *model, struct arena *arena,
		     struct tensor_view *input)
{
	const struct model_signature *signature = &model->package->signature;
	/* one that could batch takes one row, whether it does or not */
	const bool is_rows = model->max_batch || model->package->batches;

	for (unsigned i = 0; i < signature->n_inputs; i++) {
		const struct signature_port *port = &signature->input[i];
		struct tensor_view *view = &input[i];
		size_t bytes;

		if (!port->has_rank)
			return false;
		view->dtype = port->dtype;
		view->shape.rank = port->rank;
		for (unsigned d = 0; d < port->rank; d++) {
			view->shape.dim[d] = port->dim[d].extent;
			if (d == 0 && is_rows)
				view->shape.dim[d] = 1;
			if (view->shape.dim[d] < 0)
				return false;
		}
		if (tensor_bytes_checked(view->dtype, view->shape.rank,
					 view->shape.dim, port->name, &bytes,
					 NULL))
			return false;
		view->data = arena_aligned(arena, bytes + 1);
		if (!view->data)
			return false;
	}
	return true;
}

/* A plan that cannot be made is a model that cannot be served. A run that
 * fails on zeros says nothing about other values. */
static enum err_code warm(struct served_model *model, struct arena *arena,
			  struct err *err)
{
	const struct model_signature *signature = &model->package->signature;
	struct infer_call call = { .n_inputs = signature->n_inputs,
				   .n_outputs = signature->n_outputs,
				   .arena = arena,
				   .deadline_ns = CLOCK_FOREVER };
	struct tensor_view *input =
	    arena_array(arena, call.n_inputs + 1, sizeof(*input));

	call.input = input;
	call.output =
	    arena_array(arena, call.n_outputs + 1, sizeof(*call.output));
	if (!input || !call.output || !make_row(model, arena, input))
		return ERR_NONE;
	for (unsigned i = 0; i < signature->n_inputs; i++)
		if (plan_cache_wants_value(model->plans, i))
			return ERR_NONE;
	for (int i = 0; i < WARM_RUNS; i++) {
		batcher_warm(model->batcher, &call);
		if (call.rc == ERR_UNSUPPORTED || call.rc == ERR_NO_MEMORY) {
			*err = call.err;
			return call.rc;
		}
		if (call.rc)
			return ERR_NONE;
	}
	return load_report_make(model->plans, input, signature->n_inputs,
				&model->report, err);
}

/* --- birth --- */

static bool wants_values(const struct served_model *model)
{
	for (unsigned i = 0; i < model->package->signature.n_inputs; i++)
		if (plan_cache_wants_value(model->plans, i))
			return true;
	return false;
}

static enum err_code make_batcher(struct served_model *model,
				  const struct model_config *config,
				  struct serving *serving, struct err *err)
{
	const unsigned instances =
	    config->instances ? (unsigned)config->instances : serving->threads;
	const bool batches = model->package->batches &&
			     config->max_batch_size > 1 && !wants_values(model);
	struct batcher_options options = {
		.name = model->package->name,
		.plans = model->plans,
		.stats = model->stats,
		.runners = serving->runners,
		.timer = serving->timer,
		.helpers = serving->helpers,
		.n_running = &serving->n_running,
		.threads = serving->threads,
		.batches = batches,
		.max_batch = batches ? (unsigned)config->max_batch_size : 1,
		.n_instances = instances < 2 ? 2 : instances,
		.max_queued = (unsigned)config->max_queue_size,
		.max_delay_ns = config->max_queue_delay_us * 1000,
		.objective_ns = config->latency_objective_us * 1000,
		.n_preferred = config->preferred_batch_sizes.n,
	};
	enum err_code rc = ERR_NONE;

	/* one instance more than the budget costs memory only when two
	 * connections ask at the same moment */
	if (config->instances)
		options.n_instances = instances;
	if (!options.max_queued)
		options.max_queued =
		    4 * options.max_batch * options.n_instances;
	if (!config->max_queue_size && options.max_queued < BATCHER_MIN_QUEUE)
		options.max_queued = BATCHER_MIN_QUEUE;
	model->max_batch = batches ? options.max_batch : 0;
	model->n_instances = options.n_instances;
	model->max_queue_delay_us = config->max_queue_delay_us;
	model->priority_levels = config->priority_levels;
	model->default_priority = config->default_priority;
	for (size_t i = 0; i < options.n_preferred; i++)
		options.preferred[i] = config->preferred_batch_sizes.v[i];
	if (batches && config->pad_inputs)
		rc = batch_pad_create(&model->package->signature,
				      config->pad_inputs, &model->pad, err);
	if (rc)
		return err_prefix(err, "model '%s'", model->package->name);
	options.pad = model->pad;
	return batcher_create(&options, &model->batcher, err);
}

/* Nobody who waits for an answer waits for a measurement. */
static void end_tuning(struct served_model *model)
{
	struct err err;

	tuner_stop(&model->tuner);
	if (model->tuner.tuning && tuning_save(model->tuner.tuning, &err))
		log_write(LOG_LEVEL_WARNING, "models",
			  "what tuning found is not kept: %s", err.msg);
}

/* Sequences go on over versions whose states are of the same kind, in either
 * direction: what is rolled back goes on with them, too. */
static enum err_code make_sequences(struct served_model *model,
				    const struct served_model_source *source,
				    struct err *err)
{
	const struct package *package = model->package;
	struct sequences *old = source->sequences;
	enum err_code rc;

	if (!source->config->sequence)
		return ERR_NONE;
	rc = sequences_create(&package->signature, source->config->sequence,
			      package->name, &model->sequences, err);
	if (rc)
		return err_prefix(err, "model '%s'", package->name);
	if (old && sequences_alike(old, model->sequences)) {
		sequences_adopt(old, model->sequences);
		sequences_unref(model->sequences);
		model->sequences = sequences_ref(old);
	}
	return ERR_NONE;
}

static void follow(struct served_model *model,
		   const struct served_model *before)
{
	if (!before)
		return;
	model->is_weights_only =
	    graph_alike(before->package->graph, model->package->graph);
	model->n_followed = plan_cache_follow(model->plans, before->plans);
	batcher_follow(model->batcher, before->batcher);
}

static enum err_code build(struct served_model *model,
			   const struct served_model_source *source,
			   struct err *err)
{
	const struct model_config *config = source->config;
	struct serving *serving = source->serving;
	const struct pass_switch passes =
	    pass_switch_merge(serving->passes, config->passes);
	struct package_precision wish = { .precision = config->precision,
					  .calibration = config->rows };
	const bool is_strict =
	    serving->strict_numerics || config->strict_numerics;
	const struct plan_cache_options options = {
		.plan = { .threads = serving->threads,
			  .numerics =
			      is_strict ? NUMERICS_STRICT : NUMERICS_REPEATABLE,
			  .memory_limit = limit_usable_bytes() / 2,
			  .passes = passes,
			  .packs = model->package->packs,
			  .tuner = &model->tuner },
		.max_plans = PLANS,
	};
	const int64_t start = clock_monotonic_ns();
	struct arena *arena;
	enum err_code rc;

	model->report.is_strict = is_strict;
	tuner_init(&model->tuner, serving->tuning, TUNER_BUDGET_NS);
	rc = package_prepare(model->package, passes, err);
	wish.plan = options.plan;
	wish.plan.tuner = NULL; /* calibration's plans are soon gone */
	if (!rc)
		rc = package_narrow(model->package, &wish, err);
	if (!rc)
		rc = plan_cache_create(model->package->graph, &options,
				       &model->plans, err);
	if (rc)
		return rc;
	rc = make_batcher(model, config, serving, err);
	model->number = 1 + atomic_fetch_add_explicit(&serving->n_models, 1,
						      memory_order_relaxed);
	model->cache = config->response_cache ? serving->cache : NULL;
	if (!rc)
		rc = make_sequences(model, source, err);
	if (rc)
		return rc;
	arena = arena_create(WARM_BYTES_MAX);
	if (!arena)
		return err_set(err, ERR_NO_MEMORY, "model '%s': out of memory",
			       model->package->name);
	rc = warm(model, arena, err);
	arena_destroy(arena);
	if (!rc)
		follow(model, source->before);
	end_tuning(model);
	model->load_ns = clock_monotonic_ns() - start;
	return rc;
}

enum err_code served_model_create(struct package *package,
				  const struct served_model_source *source,
				  struct served_model **ret_model,
				  struct err *err)
{
	struct served_model *model = mem_zero(sizeof(*model));
	enum err_code rc;

	if (!model) {
		package_unref(package);
		return err_set(err, ERR_NO_MEMORY, "served model: no memory");
	}
	atomic_init(&model->refs, 1);
	model->package = package;
	(void)snprintf(model->version, sizeof(model->version), "%lld",
		       (long long)package->version);
	model->stats = source->stats ? model_stats_ref(source->stats)
				     : model_stats_create();
	rc = model->stats ? build(model, source, err)
			  : err_set(err, ERR_NO_MEMORY,
				    "model '%s': out of memory", package->name);
	if (rc) {
		served_model_unref(model);
		return rc;
	}
	*ret_model = model;
	return ERR_NONE;
}
