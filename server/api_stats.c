/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>

#include "base/json_write.h"
#include "server/api_demand.h"
#include "server/api_handlers.h"
#include "server/model_cache.h"
#include "server/server_priv.h"

static uint64_t get(const atomic_uint_least64_t *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

static void write_time(struct json_writer *w, const char *key,
		       const struct stat_time *time)
{
	json_write_object(w, key);
	json_write_uint(w, "count", get(&time->count));
	json_write_uint(w, "ns", get(&time->ns));
	json_write_object_end(w);
}

static void write_times(struct json_writer *w, const struct model_stats *stats)
{
	static const struct {
		const char *key;
		enum model_phase phase;
	} rows[] = {
		{ "success", PHASE_SUCCESS },
		{ "fail", PHASE_FAIL },
		{ "queue", PHASE_QUEUE },
		{ "compute_input", PHASE_INPUT },
		{ "compute_infer", PHASE_INFER },
		{ "compute_output", PHASE_OUTPUT },
	};

	json_write_object(w, "inference_stats");
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		write_time(w, rows[i].key, &stats->phase[rows[i].phase]);
	write_time(w, "cache_hit", &stats->cache_hit);
	write_time(w, "cache_miss", &stats->cache_miss);
	json_write_object_end(w);
	json_write_object(w, "response_stats");
	json_write_object_end(w);
}

static void write_batches(struct json_writer *w,
			  const struct model_stats *stats)
{
	json_write_array(w, "batch_stats");
	for (int64_t n = 0; n <= MODEL_STATS_BATCH; n++) {
		const struct stat_time *phase = stats->batch[n].phase;

		if (!get(&phase[PHASE_INFER].count))
			continue;
		json_write_object(w, NULL);
		json_write_int(w, "batch_size", n);
		write_time(w, "compute_input", &phase[PHASE_INPUT]);
		write_time(w, "compute_infer", &phase[PHASE_INFER]);
		write_time(w, "compute_output", &phase[PHASE_OUTPUT]);
		json_write_object_end(w);
	}
	json_write_array_end(w);
}

static void write_memory(struct json_writer *w, const struct model_row *row)
{
	json_write_array(w, "memory_usage");
	if (row->model) {
		json_write_object(w, NULL);
		json_write_string(w, "type", "CPU");
		json_write_int(w, "id", 0);
		json_write_uint(w, "byte_size", row->model->package->bytes);
		json_write_object_end(w);
	}
	json_write_array_end(w);
}

static void write_row(struct json_writer *w, const struct model_row *row)
{
	const struct model_stats *stats = row->stats;
	char version[24];

	(void)snprintf(version, sizeof(version), "%" PRId64, row->version);
	json_write_object(w, NULL);
	json_write_string(w, "name", row->name);
	json_write_string(w, "version", version);
	json_write_int(w, "last_inference",
		       atomic_load_explicit(&stats->last_inference_ms,
					    memory_order_relaxed));
	json_write_uint(w, "inference_count", get(&stats->n_inference));
	json_write_uint(w, "execution_count", get(&stats->n_execution));
	write_times(w, stats);
	write_batches(w, stats);
	write_memory(w, row);
	json_write_object_end(w);
}

enum err_code api_v2_stats(struct api_request *request, struct err *err)
{
	struct model_row *rows;
	struct json_writer w;
	size_t n, n_written = 0;
	int64_t version;
	enum err_code rc = api_version_wanted(request, &version, err);

	if (!rc)
		rc = model_cache_list(request->context->models,
				      request->param[0], request->arena, &rows,
				      &n, err);
	if (rc)
		return rc;
	api_answer_json(request, 200, &w);
	json_write_object(&w, NULL);
	json_write_array(&w, "model_stats");
	for (size_t i = 0; i < n; i++)
		if (rows[i].stats && (!version || rows[i].version == version)) {
			write_row(&w, &rows[i]);
			n_written++;
		}
	json_write_array_end(&w);
	json_write_object_end(&w);
	model_cache_list_free(rows, n);
	return version && !n_written ? api_no_version(request, err) : ERR_NONE;
}
