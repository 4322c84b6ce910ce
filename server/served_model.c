/* SPDX-License-Identifier: Apache-2.0 */
#include "server/served_model.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "server/limit.h"

enum { WARM_RUNS = 3, PLANS = 64 };
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
	plan_cache_destroy(model->plans);
	package_unref(model->package);
	model_stats_unref(model->stats);
	mem_free(model);
}

/* --- the first runs --- */

/* Zeros in the shape of one row; false where a shape is open otherwise. */
static bool make_row(const struct served_model *model, struct arena *arena,
		     struct tensor_view *input)
{
	const struct model_signature *signature = &model->package->signature;

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
			if (d == 0 && model->max_batch)
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
	};

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

static enum err_code build(struct served_model *model,
			   const struct model_config *config,
			   struct serving *serving, struct err *err)
{
	const struct pass_switch passes =
	    pass_switch_merge(serving->passes, config->passes);
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
	if (!rc)
		rc = plan_cache_create(model->package->graph, &options,
				       &model->plans, err);
	if (rc)
		return rc;
	rc = make_batcher(model, config, serving, err);
	if (rc)
		return rc;
	arena = arena_create(WARM_BYTES_MAX);
	if (!arena)
		return err_set(err, ERR_NO_MEMORY, "model '%s': out of memory",
			       model->package->name);
	rc = warm(model, arena, err);
	arena_destroy(arena);
	end_tuning(model);
	model->load_ns = clock_monotonic_ns() - start;
	return rc;
}

enum err_code
served_model_create(struct package *package, const struct model_config *config,
		    struct serving *serving, struct model_stats *stats,
		    struct served_model **ret_model, struct err *err)
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
	model->stats = stats ? model_stats_ref(stats) : model_stats_create();
	rc = model->stats ? build(model, config, serving, err)
			  : err_set(err, ERR_NO_MEMORY,
				    "model '%s': out of memory", package->name);
	if (rc) {
		served_model_unref(model);
		return rc;
	}
	*ret_model = model;
	return ERR_NONE;
}
