/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Parking: models that are unloaded until somebody asks for them.
 */
#include "server/model_park.h"

#include "base/clock.h"
#include "base/log.h"
#include "engine/pack.h"
#include "server/model_cache_priv.h"

size_t model_park_bytes(struct model_cache *cache)
{
	struct pack_stats packs;
	size_t bytes;

	pack_store_stats(repository_packs(cache->options.repository), &packs);
	bytes = packs.bytes;
	/* nobody changes the table while `loading` is held */
	for (size_t i = 0; i < cache->n; i++)
		for (size_t j = 0; j < cache->entry[i]->n; j++)
			if (cache->entry[i]->slot[j].model)
				bytes += served_model_bytes(
				    cache->entry[i]->slot[j].model);
	return bytes;
}

static void park(struct model_cache *cache, struct model_entry *entry,
		 const char *why)
{
	const size_t before = model_park_bytes(cache);
	size_t after;

	(void)pthread_mutex_lock(&cache->lock);
	entry->is_parked = true;
	entry->is_asked = false;
	entry->retry_ns = 0; /* the next who asks has it tried again */
	(void)pthread_mutex_unlock(&cache->lock);
	model_unload_entry(cache, entry, why);
	after = model_park_bytes(cache);
	entry->bytes = before > after ? before - after : 0;
	atomic_fetch_add_explicit(&cache->n_parked, 1, memory_order_relaxed);
}

/* The loaded entry that nobody asked for longest, or NULL. The last one stays
 * where somebody asked for it: it would only be loaded again. */
static struct model_entry *find_oldest(struct model_cache *cache,
				       const struct model_entry *needed)
{
	struct model_entry *oldest = NULL;
	size_t n = 0;

	(void)pthread_mutex_lock(&cache->lock);
	for (size_t i = 0; i < cache->n; i++) {
		struct model_entry *entry = cache->entry[i];

		if (entry == needed || !model_entry_is_loaded(entry))
			continue;
		n++;
		if (!oldest || entry->used_ns < oldest->used_ns)
			oldest = entry;
	}
	if (!needed && n == 1 && oldest && oldest->is_asked)
		oldest = NULL;
	(void)pthread_mutex_unlock(&cache->lock);
	return oldest;
}

static bool is_idle(struct model_cache *cache, const struct model_entry *entry,
		    int64_t now)
{
	bool is_idle;

	(void)pthread_mutex_lock(&cache->lock);
	is_idle = entry->idle_ns > 0 && now - entry->used_ns > entry->idle_ns &&
		  model_entry_is_loaded(entry);
	(void)pthread_mutex_unlock(&cache->lock);
	return is_idle;
}

void model_park_for(struct model_cache *cache, const struct model_entry *needed,
		    size_t bytes)
{
	const size_t budget = cache->options.budget;
	struct model_entry *entry;

	while (budget && model_park_bytes(cache) + bytes > budget) {
		entry = find_oldest(cache, needed);
		if (!entry)
			break;
		park(cache, entry,
		     "unloaded for others, by the memory budget; the next "
		     "request loads it");
	}
}

void model_park_some(struct model_cache *cache,
		     const struct model_entry *needed)
{
	const int64_t now = clock_monotonic_ns();

	for (size_t i = 0; i < cache->n; i++)
		if (cache->entry[i] != needed &&
		    is_idle(cache, cache->entry[i], now))
			park(cache, cache->entry[i],
			     "unloaded after its idle time; the next request "
			     "loads it");
	model_park_for(cache, needed, 0);
}

/* --- for those who ask --- */

/* Not soon after a load that failed: it would most often fail again. */
static bool may_load(const struct model_entry *entry)
{
	return clock_monotonic_ns() >= entry->retry_ns;
}

/* The entry of that name, or the only one. Under the lock. */
static struct model_entry *entry_of(const struct model_cache *cache,
				    const char *name)
{
	if (name)
		return model_table_find(cache, name);
	return cache->n == 1 ? cache->entry[0] : NULL;
}

int64_t model_cache_take_rate(struct model_cache *cache, const char *name)
{
	struct model_entry *entry;
	int64_t wait_ns = 0;

	(void)pthread_mutex_lock(&cache->lock);
	entry = model_table_find(cache, name);
	if (entry)
		wait_ns = rate_take(&entry->rate, clock_monotonic_ns());
	(void)pthread_mutex_unlock(&cache->lock);
	return wait_ns;
}

const char *model_cache_sole(struct model_cache *cache, struct arena *arena)
{
	const struct model_entry *entry;
	const char *name;

	(void)pthread_mutex_lock(&cache->lock);
	entry = entry_of(cache, NULL);
	name = entry ? arena_strdup(arena, entry->name) : NULL;
	(void)pthread_mutex_unlock(&cache->lock);
	return name;
}

bool model_cache_is_parked(struct model_cache *cache, const char *name)
{
	const struct model_entry *entry;
	bool is_parked;

	(void)pthread_mutex_lock(&cache->lock);
	entry = entry_of(cache, name);
	is_parked =
	    entry && entry->is_parked && !cache->is_stopped && may_load(entry);
	(void)pthread_mutex_unlock(&cache->lock);
	return is_parked;
}

/* The name of a model that is parked, to *ret; "" when it is not. */
static struct model_entry *find_parked(struct model_cache *cache,
				       const char *name, char ret[256])
{
	struct model_entry *entry;

	*ret = '\0';
	(void)pthread_mutex_lock(&cache->lock);
	entry = entry_of(cache, name);
	if (entry && entry->is_parked && !cache->is_stopped)
		(void)snprintf(ret, 256, "%s", entry->name);
	(void)pthread_mutex_unlock(&cache->lock);
	return entry;
}

/* Its folder is gone, and nobody has looked since. */
static void note_missing(struct model_cache *cache, struct model_entry *entry,
			 const struct err *err)
{
	(void)pthread_mutex_lock(&cache->lock);
	for (size_t i = 0; i < entry->n; i++)
		model_slot_explain(&entry->slot[i], err->msg);
	entry->retry_ns = clock_deadline_ns(MODEL_RETRY_MS);
	(void)pthread_mutex_unlock(&cache->lock);
}

enum err_code model_cache_demand(struct model_cache *cache, const char *name,
				 const char *version,
				 struct served_model **ret_model,
				 struct err *err)
{
	const struct model_order order = { .is_wanted = true };
	struct model_entry *entry;
	char known[256];
	int64_t number;
	enum err_code rc = ERR_NONE;

	(void)pthread_mutex_lock(&cache->loading);
	entry = find_parked(cache, name, known);
	if (entry && *known && may_load(entry)) {
		model_park_for(cache, entry, entry->bytes);
		rc = model_load_named(cache, known, &order, err);
		if (!rc)
			atomic_fetch_add_explicit(&cache->n_demanded, 1,
						  memory_order_relaxed);
		else if (rc == ERR_NOT_FOUND)
			note_missing(cache, entry, err);
	}
	if (entry)
		name = entry->name;
	/* some of its versions may be there though others failed */
	rc = name ? model_cache_version(cache, name, version, &number, err)
		  : err_set(err, ERR_NOT_FOUND, "no model is loaded");
	if (!rc)
		rc = model_cache_find(cache, name, number, ret_model, err);
	(void)pthread_mutex_unlock(&cache->loading);
	return rc;
}

void model_cache_parking(struct model_cache *cache, uint64_t *ret_parked,
			 uint64_t *ret_demanded)
{
	*ret_parked =
	    atomic_load_explicit(&cache->n_parked, memory_order_relaxed);
	*ret_demanded =
	    atomic_load_explicit(&cache->n_demanded, memory_order_relaxed);
}
