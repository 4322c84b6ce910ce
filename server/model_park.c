/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Parking: models that are unloaded until somebody asks for them.
 */
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
	(void)pthread_mutex_unlock(&cache->lock);
	model_unload_entry(cache, entry, why);
	after = model_park_bytes(cache);
	entry->bytes = before > after ? before - after : 0;
	atomic_fetch_add_explicit(&cache->n_parked, 1, memory_order_relaxed);
}

/* The loaded entry that nobody asked for longest, or NULL. */
static struct model_entry *find_oldest(struct model_cache *cache,
				       const struct model_entry *needed)
{
	struct model_entry *oldest = NULL;

	(void)pthread_mutex_lock(&cache->lock);
	for (size_t i = 0; i < cache->n; i++) {
		struct model_entry *entry = cache->entry[i];

		if (entry != needed && model_entry_is_loaded(entry) &&
		    (!oldest || entry->used_ns < oldest->used_ns))
			oldest = entry;
	}
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
	is_parked = entry && entry->is_parked && !cache->is_stopped;
	(void)pthread_mutex_unlock(&cache->lock);
	return is_parked;
}

void model_cache_demand(struct model_cache *cache, const char *name)
{
	char known[256] = "";
	struct model_entry *entry;

	(void)pthread_mutex_lock(&cache->loading);
	(void)pthread_mutex_lock(&cache->lock);
	entry = entry_of(cache, name);
	if (entry && entry->is_parked && !cache->is_stopped)
		(void)snprintf(known, sizeof(known), "%s", entry->name);
	(void)pthread_mutex_unlock(&cache->lock);
	if (*known) {
		const struct model_order order = { .is_wanted = true };
		struct err err;

		model_park_for(cache, entry, entry->bytes);
		/* whoever asked finds the reason in the table */
		if (!model_load_named(cache, known, &order, &err))
			atomic_fetch_add_explicit(&cache->n_demanded, 1,
						  memory_order_relaxed);
	}
	(void)pthread_mutex_unlock(&cache->loading);
}

void model_cache_parking(struct model_cache *cache, uint64_t *ret_parked,
			 uint64_t *ret_demanded)
{
	*ret_parked =
	    atomic_load_explicit(&cache->n_parked, memory_order_relaxed);
	*ret_demanded =
	    atomic_load_explicit(&cache->n_demanded, memory_order_relaxed);
}
