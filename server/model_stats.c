/* SPDX-License-Identifier: Apache-2.0 */
#include "server/model_stats.h"

#include "base/clock.h"
#include "base/mem.h"

struct model_stats *model_stats_create(void)
{
	struct model_stats *stats = mem_zero(sizeof(*stats));

	if (!stats)
		return NULL;
	atomic_init(&stats->refs, 1);
	histogram_init(&stats->infer, &histogram_run_times);
	histogram_init(&stats->queue, &histogram_run_times);
	histogram_init(&stats->rows, &histogram_batches);
	histogram_init(&stats->input, &histogram_run_times);
	histogram_init(&stats->output, &histogram_run_times);
	histogram_init(&stats->request, &histogram_request_times);
	return stats;
}

struct model_stats *model_stats_ref(struct model_stats *stats)
{
	atomic_fetch_add_explicit(&stats->refs, 1, memory_order_relaxed);
	return stats;
}

void model_stats_unref(struct model_stats *stats)
{
	if (stats && atomic_fetch_sub_explicit(&stats->refs, 1,
					       memory_order_acq_rel) == 1)
		mem_free(stats);
}

static void add(atomic_uint_least64_t *counter, uint64_t n)
{
	atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

static void add_time(struct stat_time *time, uint64_t count, int64_t ns)
{
	add(&time->count, count);
	add(&time->ns, ns > 0 ? (uint64_t)ns : 0);
}

void model_stats_run(struct model_stats *stats, unsigned n_parts,
		     unsigned n_ended, uint64_t rows,
		     const int64_t ns[PHASE_OUTPUT + 1])
{
	struct stat_batch *batch =
	    &stats->batch[rows < MODEL_STATS_BATCH ? rows : MODEL_STATS_BATCH];

	for (int i = PHASE_INPUT; i <= PHASE_OUTPUT; i++) {
		add_time(&stats->phase[i], n_ended, n_parts * ns[i]);
		add_time(&batch->phase[i], 1, ns[i]);
	}
	add(&stats->n_inference, rows);
	add(&stats->n_execution, 1);
	atomic_store_explicit(&stats->last_inference_ms, clock_realtime_ms(),
			      memory_order_relaxed);
	histogram_observe(&stats->infer, (uint64_t)ns[PHASE_INFER]);
	histogram_observe(&stats->input, (uint64_t)ns[PHASE_INPUT]);
	histogram_observe(&stats->output, (uint64_t)ns[PHASE_OUTPUT]);
	histogram_observe(&stats->rows, rows);
}

void model_stats_closed(struct model_stats *stats, enum batch_close why,
			unsigned n_requests)
{
	add(&stats->n_closed[why], 1);
	if (n_requests > 1)
		add(&stats->n_shared, n_requests);
}

void model_stats_cached(struct model_stats *stats, bool is_hit, int64_t ns)
{
	add_time(is_hit ? &stats->cache_hit : &stats->cache_miss, 1, ns);
}

void model_stats_queued(struct model_stats *stats, int64_t ns)
{
	add_time(&stats->phase[PHASE_QUEUE], 1, ns);
	histogram_observe(&stats->queue, ns > 0 ? (uint64_t)ns : 0);
}

void model_stats_answered(struct model_stats *stats, enum err_code code,
			  int64_t ns)
{
	enum fail_reason reason = FAIL_OTHER;

	histogram_observe(&stats->request, ns > 0 ? (uint64_t)ns : 0);
	if (code == ERR_NONE) {
		add_time(&stats->phase[PHASE_SUCCESS], 1, ns);
		return;
	}
	add_time(&stats->phase[PHASE_FAIL], 1, ns);
	if (code == ERR_BUSY)
		reason = FAIL_REJECTED;
	else if (code == ERR_DEADLINE || code == ERR_CANCELLED)
		reason = FAIL_CANCELED;
	else if (err_http(code) == 500)
		reason = FAIL_BACKEND;
	add(&stats->n_fail[reason], 1);
	if (code == ERR_DEADLINE)
		add(&stats->n_deadline, 1);
}
