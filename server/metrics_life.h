/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Metrics of the life of models: how they come, go and take over.
 *
 * Ownership: borrows the buffer. Threads: any.
 */
#ifndef SERVER_METRICS_LIFE_H
#define SERVER_METRICS_LIFE_H

#include "base/buf.h"

struct model_cache;
struct model_row;

/** rows: every version (model_cache_list()). */
void metrics_life_write(struct model_cache *models,
			const struct model_row *rows, size_t n,
			struct buf *buf);

#endif
