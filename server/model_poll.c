/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/log.h"
#include "server/model_cache_priv.h"
#include "server/model_watch.h"

enum { LISTING_BYTES_MAX = 64 << 20, PARK_MS = 1000 };

/* Whether a version is as it was loaded or tried last. */
static bool is_known(struct model_cache *cache, const char *name,
		     const struct model_slot *slot)
{
	uint64_t stamp = 0;

	return slot && slot->file_stamp &&
	       !repository_stamp(cache->options.repository, name, slot->version,
				 &stamp, NULL) &&
	       stamp == slot->file_stamp;
}

/* Whether every version that is new has a manifest: then nobody is writing. */
static bool is_sealed(struct model_cache *cache,
		      const struct repository_model *listed)
{
	const struct model_entry *entry;

	(void)pthread_mutex_lock(&cache->lock);
	entry = model_table_find(cache, listed->name);
	(void)pthread_mutex_unlock(&cache->lock);
	/* its slots change under `loading` only, which is held */
	for (size_t i = 0; i < listed->n_versions; i++) {
		const struct model_slot *slot =
		    entry ? model_entry_find(entry, listed->version[i]) : NULL;

		if (!is_known(cache, listed->name, slot) &&
		    !repository_is_sealed(cache->options.repository,
					  listed->name, listed->version[i]))
			return false;
	}
	return true;
}

/* Whether the model changed since it was loaded and is quiet, or failed and is
 * due again; *ret_due says when to look again, if earlier. */
static bool is_due(struct model_cache *cache,
		   const struct repository_model *listed, int64_t *ret_due)
{
	const int64_t quiet_ms = cache->options.quiet_ms
				     ? cache->options.quiet_ms
				     : cache->options.poll_ms;
	const uint64_t stamp =
	    model_stamp_of(cache->options.repository, listed);
	const bool sealed = is_sealed(cache, listed);
	const int64_t now = clock_monotonic_ns();
	struct model_entry *entry;
	int64_t due = CLOCK_FOREVER;

	(void)pthread_mutex_lock(&cache->lock);
	entry = model_table_add(cache, listed->name);
	if (entry && (stamp != entry->seen_stamp || !entry->seen_ns)) {
		entry->seen_stamp = stamp;
		entry->seen_ns = now;
	}
	if (entry && !entry->is_held && stamp != entry->applied_stamp)
		due = sealed ? now : entry->seen_ns + quiet_ms * 1000000;
	else if (entry && !entry->is_held && entry->retry_ns)
		due = entry->retry_ns;
	(void)pthread_mutex_unlock(&cache->lock);
	if (due > now && due < *ret_due)
		*ret_due = due;
	return due <= now;
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
		model_unload_entry(cache, entry, "its folder is gone");
		(void)pthread_mutex_lock(&cache->lock);
		model_table_remove(cache, entry);
		(void)pthread_mutex_unlock(&cache->lock);
		model_entry_destroy(entry);
	}
}

/* Every folder that a version may come to or change in. */
static void watch_all(struct model_cache *cache, struct arena *arena,
		      const struct repository_listing *listing)
{
	const char *dir, *path;

	for (size_t r = 0; (dir = repository_dir(cache->options.repository, r));
	     r++) {
		model_watch_add(cache->watch, dir);
		for (size_t i = 0; i < listing->n; i++) {
			const struct repository_model *m = &listing->model[i];

			path = arena_printf(arena, "%s/%s", dir, m->name);
			if (!path)
				return;
			model_watch_add(cache->watch, path);
			for (size_t v = 0; v < m->n_versions; v++) {
				path = arena_printf(arena, "%s/%s/%lld", dir,
						    m->name,
						    (long long)m->version[v]);
				if (path)
					model_watch_add(cache->watch, path);
			}
		}
	}
}

/* *ret_due: when to look again at the latest; earlier where a model will be
 * quiet, or is to be tried again, by then. */
static enum err_code poll_once(struct model_cache *cache, struct arena *arena,
			       int64_t *ret_due, struct err *err)
{
	const struct model_order order = { .is_wanted = false };
	struct repository *repository = cache->options.repository;
	struct repository_listing listing;
	enum err_code rc;

	rc = repository_list(repository, arena, &listing, err);
	if (rc)
		return rc;
	/* before the look, so that nothing comes between */
	watch_all(cache, arena, &listing);
	for (size_t i = 0; i < listing.n; i++) {
		const struct repository_model *listed = &listing.model[i];
		struct err why;

		if (is_due(cache, listed, ret_due))
			(void)!model_load_listed(cache, listed, &order, &why);
	}
	drop_vanished(cache, &listing);
	return ERR_NONE;
}

/* Every second, where models may be parked. */
static bool may_park(const struct model_cache *cache)
{
	for (size_t i = 0; i < cache->n; i++)
		if (cache->entry[i]->idle_ns)
			return true;
	return cache->options.budget > 0;
}

/* Looks and parks; returns when to come again. Under `loading`. */
static int64_t work(struct model_cache *cache, struct arena *arena, int64_t now,
		    int64_t *poll_due)
{
	const int64_t poll_ms = cache->options.poll_ms;
	int64_t due;
	struct err err;

	if (poll_ms && now >= *poll_due) {
		*poll_due = clock_deadline_ns(poll_ms);
		if (poll_once(cache, arena, poll_due, &err))
			log_write(LOG_LEVEL_WARNING, "models",
				  "the repository cannot be polled: %s",
				  err.msg);
	}
	due = poll_ms ? *poll_due : CLOCK_FOREVER;
	if (may_park(cache)) {
		model_park_some(cache, NULL);
		now = clock_deadline_ns(PARK_MS);
		due = now < due ? now : due;
	}
	return due;
}

void *model_poll_run(void *arg)
{
	struct model_cache *cache = arg;
	struct arena *arena = arena_create(LISTING_BYTES_MAX);
	enum model_watch_event event = WATCH_TIMEOUT;
	/* the first look is for the sake of the watches */
	int64_t due, poll_due = 0;

	(void)pthread_setname_np(pthread_self(), "model-poll");
	model_cache_stand_back();
	while (arena && event != WATCH_STOPPED) {
		(void)pthread_mutex_lock(&cache->loading);
		due = work(cache, arena, clock_monotonic_ns(), &poll_due);
		(void)pthread_mutex_unlock(&cache->loading);
		arena_reset(arena);
		event = model_watch_wait(cache->watch, due);
		if (event == WATCH_CHANGED)
			poll_due = 0;
	}
	arena_destroy(arena);
	return NULL;
}
