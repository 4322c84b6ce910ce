/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/log.h"
#include "server/model_cache_priv.h"

enum { LISTING_BYTES_MAX = 64 << 20 };

/* Whether the model changed since it was loaded and has been quiet since the
 * last poll. */
static bool is_due(struct model_cache *cache, const char *name, uint64_t stamp)
{
	struct model_entry *entry;
	bool is_due = false;

	(void)pthread_mutex_lock(&cache->lock);
	entry = model_table_add(cache, name);
	if (entry) {
		is_due = !entry->is_held && stamp != entry->applied_stamp &&
			 stamp == entry->seen_stamp;
		entry->seen_stamp = stamp;
	}
	(void)pthread_mutex_unlock(&cache->lock);
	return is_due;
}

static bool is_listed(const struct repository_listing *listing,
		      const char *name)
{
	for (size_t i = 0; i < listing->n; i++)
		if (strcmp(listing->model[i].name, name) == 0)
			return true;
	return false;
}

/* Takes out the entries whose folders are gone. Under `loading`. */
static void drop_vanished(struct model_cache *cache,
			  const struct repository_listing *listing)
{
	for (size_t i = cache->n; i-- > 0;) {
		struct model_entry *entry = cache->entry[i];

		if (is_listed(listing, entry->name))
			continue;
		model_unload_entry(cache, entry);
		(void)pthread_mutex_lock(&cache->lock);
		model_table_remove(cache, entry);
		(void)pthread_mutex_unlock(&cache->lock);
		model_entry_destroy(entry);
	}
}

static enum err_code poll_once(struct model_cache *cache, struct arena *arena,
			       struct err *err)
{
	struct repository *repository = cache->options.repository;
	struct repository_listing listing;
	enum err_code rc;

	rc = repository_list(repository, arena, &listing, err);
	if (rc)
		return rc;
	for (size_t i = 0; i < listing.n; i++) {
		const struct repository_model *listed = &listing.model[i];
		struct err why;

		if (is_due(cache, listed->name,
			   model_stamp_of(repository, listed)))
			(void)!model_load_listed(cache, listed, &why);
	}
	drop_vanished(cache, &listing);
	return ERR_NONE;
}

/* Sleeps until the next poll; false when it is time to end. */
static bool wait_poll(struct model_cache *cache)
{
	const int64_t due = clock_deadline_ns(cache->options.poll_ms);
	const struct timespec until = { .tv_sec = due / 1000000000,
					.tv_nsec = due % 1000000000 };
	bool must_stop;

	(void)pthread_mutex_lock(&cache->poll_lock);
	while (!cache->must_stop && clock_monotonic_ns() < due)
		(void)pthread_cond_timedwait(&cache->poll_wake,
					     &cache->poll_lock, &until);
	must_stop = cache->must_stop;
	(void)pthread_mutex_unlock(&cache->poll_lock);
	return !must_stop;
}

void *model_poll_run(void *arg)
{
	struct model_cache *cache = arg;
	struct arena *arena = arena_create(LISTING_BYTES_MAX);

	(void)pthread_setname_np(pthread_self(), "model-poll");
	model_cache_stand_back();
	while (arena && wait_poll(cache)) {
		struct err err;

		(void)pthread_mutex_lock(&cache->loading);
		if (poll_once(cache, arena, &err))
			log_write(LOG_LEVEL_WARNING, "models",
				  "the repository cannot be polled: %s",
				  err.msg);
		(void)pthread_mutex_unlock(&cache->loading);
		arena_reset(arena);
	}
	arena_destroy(arena);
	return NULL;
}
