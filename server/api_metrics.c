/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/pack.h"
#include "server/api_handlers.h"
#include "server/api_jobs.h"
#include "server/metrics.h"
#include "server/metrics_jobs.h"
#include "server/metrics_life.h"
#include "server/metrics_text.h"
#include "server/model_cache.h"
#include "server/server_priv.h"

enum { MODEL_STATES = MODEL_UNLOADING + 1 };

/* One family of numbers about versions of models. */
struct family {
	const char *name, *type, *help;
	double (*value)(const struct model_row *row);
};

struct rows {
	const struct model_row *row;
	char (*labels)[METRICS_LABELS_MAX];
	size_t n;
};

static double get(const atomic_uint_least64_t *counter)
{
	return (double)atomic_load_explicit(counter, memory_order_relaxed);
}

static double us(const struct model_row *row, enum model_phase phase)
{
	return get(&row->stats->phase[phase].ns) / 1000;
}

static double value_ready(const struct model_row *row)
{
	return row->state == MODEL_READY;
}

static double value_bytes(const struct model_row *row)
{
	return row->model ? (double)row->model->package->bytes : 0;
}

static double value_load(const struct model_row *row)
{
	return row->model ? (double)row->model->load_ns * 1e-9 : 0;
}

/* Constants as they are in the file; models may share them. */
static double value_weights(const struct model_row *row)
{
	const struct graph *graph =
	    row->model ? row->model->package->graph : NULL;
	double bytes = 0;

	for (int32_t i = 0; graph && i < graph->n_constant; i++)
		bytes += (double)tensor_bytes(graph->constant[i].dtype,
					      &graph->constant[i].shape);
	return bytes;
}

static double value_instances(const struct model_row *row)
{
	struct plan_cache_stats stats = { 0 };

	if (row->model)
		plan_cache_stats(row->model->plans, &stats);
	return (double)stats.idle_bytes + (double)stats.lent_bytes;
}

static double value_deviation(const struct model_row *row)
{
	return row->model ? row->model->package->precision.deviation : 0;
}

/* Of one run of one row; 0 where the load could not plan it. */
static double value_peak(const struct model_row *row)
{
	return row->model ? (double)row->model->report.peak : 0;
}

static double value_threads(const struct model_row *row)
{
	return row->model ? (double)row->model->n_instances : 0;
}

static double value_pending(const struct model_row *row)
{
	return (double)atomic_load_explicit(&row->stats->n_pending,
					    memory_order_relaxed);
}

static double value_deadline(const struct model_row *row)
{
	return get(&row->stats->n_deadline);
}

static double value_success(const struct model_row *row)
{
	return get(&row->stats->phase[PHASE_SUCCESS].count);
}

static double value_inference(const struct model_row *row)
{
	return get(&row->stats->n_inference);
}

static double value_execution(const struct model_row *row)
{
	return get(&row->stats->n_execution);
}

static double value_request_us(const struct model_row *row)
{
	return us(row, PHASE_SUCCESS);
}

static double value_queue_us(const struct model_row *row)
{
	return us(row, PHASE_QUEUE);
}

static double value_input_us(const struct model_row *row)
{
	return us(row, PHASE_INPUT);
}

static double value_infer_us(const struct model_row *row)
{
	return us(row, PHASE_INFER);
}

static double value_output_us(const struct model_row *row)
{
	return us(row, PHASE_OUTPUT);
}

static double value_hits(const struct model_row *row)
{
	return get(&row->stats->cache_hit.count);
}

static double value_misses(const struct model_row *row)
{
	return get(&row->stats->cache_miss.count);
}

static double value_hit_us(const struct model_row *row)
{
	return get(&row->stats->cache_hit.ns) / 1000;
}

static double value_miss_us(const struct model_row *row)
{
	return get(&row->stats->cache_miss.ns) / 1000;
}

static const struct family families[] = {
	{ "predictd_model_ready", "gauge", "1 where the version answers.",
	  value_ready },
	{ "predictd_model_bytes", "gauge", "Bytes of the version's files.",
	  value_bytes },
	{ "predictd_model_load_seconds", "gauge",
	  "What planning and warming the version took.", value_load },
	{ "predictd_model_weights_bytes", "gauge",
	  "Constants of the version, which others may share.", value_weights },
	{ "predictd_model_instances_bytes", "gauge",
	  "Memory of the version's runs.", value_instances },
	{ "predictd_model_deviation", "gauge",
	  "Largest difference of outputs from fp32, seen at load.",
	  value_deviation },
	{ "predictd_model_peak_bytes", "gauge",
	  "Memory of one run of one row, constants included.", value_peak },
	{ "predictd_model_threads", "gauge",
	  "Runs of the version at the same time, at most.", value_threads },
	{ "predictd_queue_depth", "gauge", "Requests that wait for a run.",
	  value_pending },
	{ "predictd_deadline_exceeded_total", "counter",
	  "Requests whose deadline passed.", value_deadline },
	{ "nv_inference_request_success", "counter",
	  "Requests that were answered.", value_success },
	{ "nv_inference_count", "counter", "Rows that were inferred.",
	  value_inference },
	{ "nv_inference_exec_count", "counter", "Runs of the model.",
	  value_execution },
	{ "nv_inference_pending_request_count", "gauge",
	  "Requests that wait for a run.", value_pending },
	{ "nv_inference_request_duration_us", "counter",
	  "Time of requests that were answered.", value_request_us },
	{ "nv_inference_queue_duration_us", "counter", "Time in the queue.",
	  value_queue_us },
	{ "nv_inference_compute_input_duration_us", "counter",
	  "Time of copying inputs.", value_input_us },
	{ "nv_inference_compute_infer_duration_us", "counter", "Time of runs.",
	  value_infer_us },
	{ "nv_inference_compute_output_duration_us", "counter",
	  "Time of copying outputs.", value_output_us },
	{ "nv_cache_num_hits_per_model", "counter",
	  "Answers that were in the cache.", value_hits },
	{ "nv_cache_num_misses_per_model", "counter", "Answers that were not.",
	  value_misses },
	{ "nv_cache_hit_duration_per_model", "counter",
	  "Time of looks that found one, in microseconds.", value_hit_us },
	{ "nv_cache_miss_duration_per_model", "counter",
	  "Time of looks that did not.", value_miss_us },
};

static void write_families(struct buf *buf, const struct rows *rows)
{
	for (size_t f = 0; f < sizeof(families) / sizeof(*families); f++) {
		const struct family *family = &families[f];

		metrics_text_family(buf, family->name, family->type,
				    family->help);
		for (size_t i = 0; i < rows->n; i++)
			metrics_text_sample(buf, family->name, rows->labels[i],
					    family->value(&rows->row[i]));
	}
}

/* How many versions of each model are in each state; rows are by model. */
static void write_versions(struct buf *buf, const struct model_row *rows,
			   size_t n)
{
	static const char name[] = "predictd_model_versions";

	metrics_text_family(buf, name, "gauge",
			    "Versions of a model, by their state.");
	for (size_t i = 0, end; i < n; i = end) {
		unsigned by_state[MODEL_STATES] = { 0 };
		char model[METRICS_LABELS_MAX / 2];

		for (end = i;
		     end < n && strcmp(rows[end].name, rows[i].name) == 0;
		     end++)
			by_state[rows[end].state]++;
		(void)metrics_text_label(rows[i].name, model, sizeof(model));
		for (int state = 0; state < MODEL_STATES; state++) {
			char labels[METRICS_LABELS_MAX];

			(void)snprintf(
			    labels, sizeof(labels), "model=\"%s\",state=\"%s\"",
			    model, model_state_name((enum model_state)state));
			metrics_text_count(buf, name, labels, by_state[state]);
		}
	}
}

static void write_packs(struct buf *buf, struct model_cache *models)
{
	struct pack_stats stats;

	model_cache_packs(models, &stats);
	metrics_text_family(buf, "predictd_packs_bytes", "gauge",
			    "Constants of all models in memory, as they are "
			    "and as kernels want them.");
	metrics_text_sample(buf, "predictd_packs_bytes", "",
			    (double)stats.bytes);
}

static void write_failures(struct buf *buf, const struct rows *rows)
{
	static const char name[] = "nv_inference_request_failure";
	static const char *const reasons[FAIL_COUNT] = { "REJECTED", "CANCELED",
							 "BACKEND", "OTHER" };

	metrics_text_family(buf, name, "counter",
			    "Requests that were not answered, by reason.");
	for (size_t i = 0; i < rows->n; i++)
		for (int r = 0; r < FAIL_COUNT; r++) {
			char labels[METRICS_LABELS_MAX + 32];

			(void)snprintf(labels, sizeof(labels),
				       "%s,reason=\"%s\"", rows->labels[i],
				       reasons[r]);
			metrics_text_sample(
			    buf, name, labels,
			    get(&rows->row[i].stats->n_fail[r]));
		}
}

static void write_histograms(struct buf *buf, const struct rows *rows)
{
	static const struct {
		const char *name, *help;
		size_t offset;
	} table[] = {
		{ "predictd_inference_duration_seconds", "Time of a run.",
		  offsetof(struct model_stats, infer) },
		{ "predictd_queue_duration_seconds",
		  "Time of a request in the queue.",
		  offsetof(struct model_stats, queue) },
		{ "predictd_compute_input_duration_seconds",
		  "Time of copying inputs into a run.",
		  offsetof(struct model_stats, input) },
		{ "predictd_compute_output_duration_seconds",
		  "Time of copying outputs out of a run.",
		  offsetof(struct model_stats, output) },
		{ "predictd_model_request_duration_seconds",
		  "From the head of a request to its answer, whatever it was.",
		  offsetof(struct model_stats, request) },
		{ "predictd_batch_size", "Rows of a run.",
		  offsetof(struct model_stats, rows) },
	};

	for (size_t t = 0; t < sizeof(table) / sizeof(*table); t++) {
		metrics_text_family(buf, table[t].name, "histogram",
				    table[t].help);
		for (size_t i = 0; i < rows->n; i++) {
			const void *at =
			    (const char *)rows->row[i].stats + table[t].offset;

			metrics_text_histogram(buf, table[t].name,
					       rows->labels[i], at);
		}
	}
}

/* In milliseconds, as Triton has it: here a request has one response. */
static void write_first_response(struct buf *buf, const struct rows *rows)
{
	static const char name[] = "nv_inference_first_response_histogram_ms";

	metrics_text_family(buf, name, "histogram",
			    "Time of requests until their answer.");
	for (size_t i = 0; i < rows->n; i++)
		metrics_text_histogram_in(buf, name, rows->labels[i],
					  &rows->row[i].stats->request, 1e-6);
}

/* Versions that have counters, with their labels. */
static enum err_code make_rows(struct arena *arena, struct model_row *rows,
			       size_t n, struct rows *ret, struct err *err)
{
	struct model_row *kept = arena_array(arena, n + 1, sizeof(*kept));
	size_t n_kept = 0;

	ret->labels = arena_array(arena, n + 1, sizeof(*ret->labels));
	if (!kept || !ret->labels)
		return err_set(err, ERR_NO_MEMORY, "metrics: out of memory");
	for (size_t i = 0; i < n; i++) {
		char name[METRICS_LABELS_MAX / 2];

		if (!rows[i].stats)
			continue;
		kept[n_kept] = rows[i];
		(void)snprintf(
		    ret->labels[n_kept], METRICS_LABELS_MAX,
		    "model=\"%s\",version=\"%lld\"",
		    metrics_text_label(rows[i].name, name, sizeof(name)),
		    (long long)rows[i].version);
		n_kept++;
	}
	ret->row = kept;
	ret->n = n_kept;
	return ERR_NONE;
}

enum err_code api_metrics(struct api_request *request, struct err *err)
{
	struct api_context *context = request->context;
	struct buf *body = &request->response.body;
	struct model_row *listed;
	struct rows rows;
	size_t n;
	enum err_code rc;

	rc = model_cache_list(context->models, NULL, request->arena, &listed,
			      &n, err);
	if (rc)
		return rc;
	rc = make_rows(request->arena, listed, n, &rows, err);
	if (!rc) {
		request->response.status = 200;
		request->response.content_type =
		    "text/plain; version=0.0.4; charset=utf-8";
		buf_reset(body);
		metrics_write(context->metrics, body);
		write_families(body, &rows);
		write_versions(body, listed, n);
		write_packs(body, context->models);
		metrics_life_write(context->models, listed, n, body);
		write_failures(body, &rows);
		write_histograms(body, &rows);
		write_first_response(body, &rows);
		if (context->jobs)
			metrics_jobs_write(context->jobs->store, request->arena,
					   body);
	}
	model_cache_list_free(listed, n);
	return rc;
}
