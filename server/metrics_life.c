/* SPDX-License-Identifier: Apache-2.0 */
#include "server/metrics_life.h"

#include "engine/pack.h"
#include "server/metrics_text.h"
#include "server/model_cache.h"
#include "server/model_park.h"

/* What the memory budget bounds. */
static size_t memory_of(struct model_cache *models,
			const struct model_row *rows, size_t n)
{
	struct pack_stats packs;
	size_t bytes;

	model_cache_packs(models, &packs);
	bytes = packs.bytes;
	for (size_t i = 0; i < n; i++)
		if (rows[i].model)
			bytes += served_model_bytes(rows[i].model);
	return bytes;
}

void metrics_life_write(struct model_cache *models,
			const struct model_row *rows, size_t n, struct buf *buf)
{
	static const char swap[] = "predictd_model_swap_seconds";
	static const char memory[] = "predictd_models_memory_bytes";
	static const char parked[] = "predictd_models_parked_total";
	static const char demanded[] = "predictd_models_demanded_total";
	uint64_t n_parked, n_demanded;

	metrics_text_family(buf, swap, "histogram",
			    "Time in which new versions took over, during "
			    "which requests wait for the table of models.");
	metrics_text_histogram(buf, swap, "", model_cache_swaps(models));
	model_cache_parking(models, &n_parked, &n_demanded);
	metrics_text_family(buf, memory, "gauge",
			    "Constants and runs of all models in memory: what "
			    "the memory budget bounds.");
	metrics_text_count(buf, memory, "", memory_of(models, rows, n));
	metrics_text_family(buf, parked, "counter",
			    "Models that were unloaded until somebody asks.");
	metrics_text_count(buf, parked, "", n_parked);
	metrics_text_family(buf, demanded, "counter",
			    "Models that were loaded because somebody asked.");
	metrics_text_count(buf, demanded, "", n_demanded);
}
