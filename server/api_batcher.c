/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * What the batcher of a model does, and what could be set better.
 */
#include "base/json_write.h"
#include "server/api_demand.h"
#include "server/api_handlers.h"
#include "server/served_model.h"
#include "server/server_priv.h"

enum { FEW = 100, ADVICE_MAX = 256 };

/* What an advice goes by. */
struct figures {
	const struct served_model *model;
	const struct batcher_options *options;
	struct batcher_state state;
	uint64_t closed[CLOSE_COUNT], n_runs;
	double rows, wait_us, run_us; /* means, of a run and of a request */
};

static uint64_t get(const atomic_uint_least64_t *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

static double mean(uint64_t sum, uint64_t n)
{
	return n ? (double)sum / (double)n : 0;
}

static void read_figures(struct served_model *model, struct figures *ret)
{
	const struct model_stats *stats = model->stats;
	const struct stat_time *queue = &stats->phase[PHASE_QUEUE];
	const struct stat_time *infer = &stats->phase[PHASE_INFER];

	*ret = (struct figures){ .model = model,
				 .options = batcher_options(model->batcher) };
	batcher_look(model->batcher, &ret->state);
	for (int i = 0; i < CLOSE_COUNT; i++) {
		ret->closed[i] = get(&stats->n_closed[i]);
		ret->n_runs += ret->closed[i];
	}
	ret->rows = mean(get(&stats->n_inference), get(&stats->n_execution));
	ret->wait_us = mean(get(&queue->ns), get(&queue->count)) / 1000;
	ret->run_us = mean(get(&infer->ns), get(&infer->count)) / 1000;
}

/* --- advice --- */

static double share(const struct figures *f, enum batch_close why)
{
	return mean(f->closed[why], f->n_runs);
}

static void advise_tuned(const struct figures *f, char text[ADVICE_MAX])
{
	const long long objective = f->options->objective_ns / 1000;
	const long long late = f->state.late_ns / 1000;

	if (late > objective && f->state.max_rows == 1)
		(void)snprintf(
		    text, ADVICE_MAX,
		    "19 of 20 requests take up to %lld us, more than "
		    "the objective of %lld us even alone: give it "
		    "more time, or less load",
		    late, objective);
	else
		(void)snprintf(
		    text, ADVICE_MAX,
		    "the window is tuned to %lld us and runs to %lld "
		    "rows for an objective of %lld us",
		    (long long)f->state.window_ns / 1000,
		    (long long)f->state.max_rows, objective);
}

static void advise_waiting(const struct figures *f, char text[ADVICE_MAX])
{
	if (share(f, CLOSE_DELAY) > 0.5 && f->rows < 1.5)
		(void)snprintf(text, ADVICE_MAX,
			       "requests wait for the window and find no "
			       "company (%.1f rows a run): set "
			       "max_queue_delay_us to 0",
			       f->rows);
	else if (share(f, CLOSE_DELAY) > 0.5)
		(void)snprintf(text, ADVICE_MAX,
			       "runs begin when the window ends, with %.1f "
			       "rows: a longer max_queue_delay_us makes them "
			       "larger, a shorter one makes answers faster",
			       f->rows);
	else if (share(f, CLOSE_FULL) > 0.5 && f->wait_us > 2 * f->run_us)
		(void)snprintf(text, ADVICE_MAX,
			       "runs are full and requests wait %.0f us for "
			       "them: raise max_batch_size (%u) or instances "
			       "(%u), or give it more processors",
			       f->wait_us, f->options->max_batch,
			       f->options->n_instances);
	else
		(void)snprintf(text, ADVICE_MAX,
			       "requests share runs as they come (%.1f rows a "
			       "run, %.0f us in the queue): nothing to change",
			       f->rows, f->wait_us);
}

static void advise(const struct figures *f, char text[ADVICE_MAX])
{
	if (!f->options->batches)
		(void)snprintf(text, ADVICE_MAX, "%s",
			       f->model->package->batches
				   ? "max_batch_size is 1: every request runs "
				     "alone"
				   : "the model does not batch: its first "
				     "dimensions are not one symbol, or rows "
				     "depend on each other");
	else if (f->n_runs < FEW)
		(void)snprintf(text, ADVICE_MAX,
			       "%llu run%s so far: too few to say anything",
			       (unsigned long long)f->n_runs,
			       f->n_runs == 1 ? "" : "s");
	else if (f->options->objective_ns)
		advise_tuned(f, text);
	else if (share(f, CLOSE_ALONE) > 0.9)
		(void)snprintf(text, ADVICE_MAX,
			       "requests run at once, on the threads that read "
			       "them, and nobody waits: nothing to change");
	else
		advise_waiting(f, text);
}

/* --- the answer --- */

static void write_settings(struct json_writer *w, const struct figures *f)
{
	const struct batcher_options *o = f->options;

	json_write_bool(w, "batches", o->batches);
	json_write_uint(w, "max_batch_size", o->max_batch);
	json_write_array(w, "preferred_batch_sizes");
	for (size_t i = 0; i < o->n_preferred; i++)
		json_write_int(w, NULL, o->preferred[i]);
	json_write_array_end(w);
	json_write_uint(w, "instances", o->n_instances);
	json_write_int(w, "max_queue_delay_us", o->max_delay_ns / 1000);
	json_write_int(w, "latency_objective_us", o->objective_ns / 1000);
	json_write_int(w, "priority_levels", f->model->priority_levels);
	json_write_int(w, "window_us", f->state.window_ns / 1000);
	json_write_int(w, "max_rows", f->state.max_rows);
	json_write_uint(w, "window_decisions", f->state.n_decisions);
}

static void write_now(struct json_writer *w, const struct figures *f)
{
	json_write_object(w, "now");
	json_write_uint(w, "waiting", f->state.n_waiting);
	json_write_int(w, "rows_waiting", f->state.rows_waiting);
	json_write_uint(w, "max_waiting", f->options->max_queued);
	json_write_uint(w, "running", f->state.n_active);
	json_write_double(w, "us_per_row", (double)f->state.ns_per_row / 1000);
	json_write_object_end(w);
}

static void write_closed(struct json_writer *w, const struct figures *f)
{
	static const char *const names[CLOSE_COUNT] = { "alone", "full",
							"preferred", "delay",
							"idle" };

	json_write_object(w, "closed");
	for (int i = 0; i < CLOSE_COUNT; i++)
		json_write_uint(w, names[i], f->closed[i]);
	json_write_object_end(w);
}

static void write_sizes(struct json_writer *w, const struct model_stats *stats)
{
	json_write_array(w, "batch_sizes");
	for (int64_t n = 0; n <= MODEL_STATS_BATCH; n++) {
		const struct stat_time *infer =
		    &stats->batch[n].phase[PHASE_INFER];

		if (!get(&infer->count))
			continue;
		json_write_object(w, NULL);
		json_write_int(w, "rows", n);
		json_write_uint(w, "runs", get(&infer->count));
		json_write_double(w, "mean_run_us",
				  mean(get(&infer->ns), get(&infer->count)) /
				      1000);
		json_write_object_end(w);
	}
	json_write_array_end(w);
}

/* The bound of the bucket that a share of all lies within; null when that is
 * beyond the last one, or there is nothing yet. */
static void write_quantile(struct json_writer *w, const char *key,
			   const struct histogram *h, double part)
{
	uint64_t all = 0, n = 0;

	for (unsigned i = 0; i <= h->bounds->n; i++)
		all += get(&h->bucket[i]);
	for (unsigned i = 0; all && i < h->bounds->n; i++) {
		n += get(&h->bucket[i]);
		if ((double)n >= part * (double)all) {
			json_write_double(w, key,
					  (double)h->bounds->le[i] / 1000);
			return;
		}
	}
	json_write_null(w, key);
}

static void write_wait(struct json_writer *w, const struct figures *f)
{
	const struct histogram *queue = &f->model->stats->queue;

	json_write_object(w, "wait_us");
	json_write_double(w, "mean", f->wait_us);
	write_quantile(w, "p50_below", queue, 0.5);
	write_quantile(w, "p90_below", queue, 0.9);
	write_quantile(w, "p99_below", queue, 0.99);
	json_write_object_end(w);
}

enum err_code api_models_batcher(struct api_request *request, struct err *err)
{
	const char *version = api_query(request, "version");
	struct served_model *model;
	struct figures f;
	struct json_writer w;
	char advice[ADVICE_MAX];
	enum err_code rc;

	rc = api_find_model(request, request->param[0], version, &model, err);
	if (rc)
		return rc;
	read_figures(model, &f);
	advise(&f, advice);
	api_answer_json(request, 200, &w);
	json_write_object(&w, NULL);
	json_write_string(&w, "model", model->package->name);
	json_write_string(&w, "version", model->version);
	json_write_string(&w, "advice", advice);
	write_settings(&w, &f);
	write_now(&w, &f);
	json_write_uint(&w, "runs", f.n_runs);
	json_write_double(&w, "mean_rows", f.rows);
	json_write_uint(&w, "requests_that_shared",
			get(&model->stats->n_shared));
	write_closed(&w, &f);
	write_sizes(&w, model->stats);
	write_wait(&w, &f);
	json_write_object_end(&w);
	served_model_unref(model);
	return ERR_NONE;
}
