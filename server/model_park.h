/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Model park: models that are unloaded until somebody asks for them.
 *
 * Ownership: the cache's.
 * Threads:   any; demand waits for other loads.
 */
#ifndef SERVER_MODEL_PARK_H
#define SERVER_MODEL_PARK_H

#include "server/model_cache.h"

/** Is it parked, and no load failed just now? name NULL: the only model. */
bool model_cache_is_parked(struct model_cache *cache, const char *name);
/** Loads a model, if it is parked, and finds it before another load can push it
 * out again. name NULL as above; version: a number, a label, or NULL for the
 * default one. The caller unrefs the model. */
MUST_USE enum err_code model_cache_demand(struct model_cache *cache,
					  const char *name, const char *version,
					  struct served_model **ret_model,
					  struct err *err);
/** How often models were parked, and loaded on demand. */
void model_cache_parking(struct model_cache *cache, uint64_t *ret_parked,
			 uint64_t *ret_demanded);

#endif
