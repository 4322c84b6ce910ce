/* SPDX-License-Identifier: Apache-2.0 */
#include "server/metrics_life.h"

#include "server/metrics_text.h"
#include "server/model_cache.h"

void metrics_life_write(struct model_cache *models, struct buf *buf)
{
	static const char swap[] = "predictd_model_swap_seconds";

	metrics_text_family(buf, swap, "histogram",
			    "Time in which new versions took over, during "
			    "which requests wait for the table of models.");
	metrics_text_histogram(buf, swap, "", model_cache_swaps(models));
}
