/* SPDX-License-Identifier: Apache-2.0 */
#include "server/model_cache.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/mutex.h"
#include "base/str.h"
#include "engine/pack.h"
#include "models/ensemble.h"
#include "server/model_cache_priv.h"
#include "server/model_watch.h"

enum { LISTING_BYTES_MAX = 64 << 20 };

enum err_code model_cache_create(const struct model_cache_options *options,
				 struct model_cache **ret_cache,
				 struct err *err)
{
	struct model_cache *cache = mem_zero(sizeof(*cache));
	enum err_code rc;

	if (!cache)
		return err_set(err, ERR_NO_MEMORY, "model cache: no memory");
	cache->options = *options;
	if (!cache->options.defaults.max_batch_size)
		cache->options.defaults.max_batch_size = BATCHER_MAX_BATCH;
	histogram_init(&cache->swaps, &histogram_run_times);
	(void)pthread_mutex_init(&cache->loading, NULL);
	mutex_init(&cache->lock);
	rc = model_watch_create(&cache->watch, err);
	if (rc)
		model_cache_destroy(cache);
	else
		*ret_cache = cache;
	return rc;
}

void model_cache_destroy(struct model_cache *cache)
{
	if (!cache)
		return;
	model_cache_stop(cache);
	model_table_finish(cache);
	model_watch_destroy(cache->watch);
	(void)pthread_mutex_destroy(&cache->lock);
	(void)pthread_mutex_destroy(&cache->loading);
	mem_free(cache);
}

enum err_code model_cache_start(struct model_cache *cache, struct err *err)
{
	if (pthread_create(&cache->poller, NULL, model_poll_run, cache) != 0)
		return err_set(err, ERR_NO_MEMORY,
			       "cannot start the thread that watches the "
			       "repository");
	cache->is_polling = true;
	return ERR_NONE;
}

static void stop_polling(struct model_cache *cache)
{
	if (!cache->is_polling)
		return;
	model_watch_stop(cache->watch);
	(void)pthread_join(cache->poller, NULL);
	cache->is_polling = false;
}

void model_cache_stop(struct model_cache *cache)
{
	stop_polling(cache);
	(void)pthread_mutex_lock(&cache->loading);
	(void)pthread_mutex_lock(&cache->lock);
	cache->is_stopped = true;
	(void)pthread_mutex_unlock(&cache->lock);
	/* nobody changes the table while `loading` is held */
	for (size_t i = 0; i < cache->n; i++)
		for (size_t j = 0; j < cache->entry[i]->n; j++)
			if (cache->entry[i]->slot[j].model)
				batcher_close(
				    cache->entry[i]->slot[j].model->batcher);
	(void)pthread_mutex_unlock(&cache->loading);
}

/* --- loading --- */

/* Lists the repository into a new arena, which is the caller's. */
static enum err_code list_repository(struct model_cache *cache,
				     struct arena **ret_arena,
				     struct repository_listing *ret_listing,
				     struct err *err)
{
	struct arena *arena = arena_create(LISTING_BYTES_MAX);
	enum err_code rc;

	if (!arena)
		return err_set(err, ERR_NO_MEMORY, "model cache: no memory");
	rc =
	    repository_list(cache->options.repository, arena, ret_listing, err);
	if (rc)
		arena_destroy(arena);
	else
		*ret_arena = arena;
	return rc;
}

enum err_code model_cache_load_all(struct model_cache *cache, struct err *err)
{
	struct repository_listing listing;
	struct arena *arena;
	enum err_code rc;

	(void)pthread_mutex_lock(&cache->loading);
	rc = list_repository(cache, &arena, &listing, err);
	if (!rc) {
		const struct model_order order = { .is_wanted = false };
		struct err why;

		for (size_t i = 0; i < listing.n; i++)
			(void)!model_load_listed(cache, &listing.model[i],
						 &order, &why);
		arena_destroy(arena);
	}
	(void)pthread_mutex_unlock(&cache->loading);
	return rc;
}

static enum err_code not_found(const char *name, struct err *err)
{
	return err_set(err, ERR_NOT_FOUND,
		       "model '%.128s' is not in the repository", name);
}

static void set_held(struct model_cache *cache, const char *name, bool is_held)
{
	struct model_entry *entry;

	(void)pthread_mutex_lock(&cache->lock);
	entry = model_table_find(cache, name);
	if (entry)
		entry->is_held = is_held;
	if (entry && is_held)
		entry->is_parked = false;
	(void)pthread_mutex_unlock(&cache->lock);
}

enum err_code model_load_named(struct model_cache *cache, const char *name,
			       const struct model_order *order, struct err *err)
{
	const struct repository_model *listed = NULL;
	struct repository_listing listing;
	struct arena *arena;
	enum err_code rc;

	rc = list_repository(cache, &arena, &listing, err);
	if (rc)
		return rc;
	for (size_t i = 0; i < listing.n; i++)
		if (strcmp(listing.model[i].name, name) == 0)
			listed = &listing.model[i];
	if (!listed)
		rc = err_set(err, ERR_NOT_FOUND,
			     "model '%.128s' is not in the repository: "
			     "there is no %.128s/1/model.onnx, nor a "
			     "higher version",
			     name, name);
	else if (!listed->n_versions)
		rc = err_set(err, ERR_NOT_FOUND,
			     "model '%s' has no version folder with a "
			     "model.onnx",
			     name);
	else
		rc = model_load_listed(cache, listed, order, err);
	arena_destroy(arena);
	return rc;
}

static enum err_code load_by_name(struct model_cache *cache, const char *name,
				  const struct model_order *order,
				  struct err *err)
{
	enum err_code rc;

	(void)pthread_mutex_lock(&cache->loading);
	set_held(cache, name, false);
	rc = model_load_named(cache, name, order, err);
	(void)pthread_mutex_unlock(&cache->loading);
	return rc;
}

enum err_code model_cache_load(struct model_cache *cache, const char *name,
			       struct err *err)
{
	const struct model_order order = { .is_wanted = true };

	return load_by_name(cache, name, &order, err);
}

enum err_code model_cache_load_as(struct model_cache *cache, const char *name,
				  const char *config, struct err *err)
{
	const struct model_order order = { .is_wanted = true,
					   .is_anew = true,
					   .config = config };

	return load_by_name(cache, name, &order, err);
}

/* --- unloading, under `loading` --- */

static enum err_code unload(struct model_cache *cache, const char *name,
			    struct err *err)
{
	struct model_entry *entry;

	(void)pthread_mutex_lock(&cache->lock);
	entry = model_table_find(cache, name);
	(void)pthread_mutex_unlock(&cache->lock);
	if (!entry)
		return not_found(name, err);
	set_held(cache, name, true);
	model_unload_entry(cache, entry, "unloaded");
	return ERR_NONE;
}

/* Only the holder of `loading` changes the table: it may be read. */
static bool is_loaded(const struct model_cache *cache, const char *name)
{
	const struct model_entry *entry = model_table_find(cache, name);

	return entry && model_entry_is_loaded(entry);
}

/* Is the model a step of an ensemble that is loaded? */
static bool is_needed(const struct model_cache *cache,
		      const struct repository_listing *listing,
		      const char *name)
{
	for (size_t i = 0; i < listing->n; i++)
		if (ensemble_has_step(ensemble_of(listing->model[i].config),
				      name) &&
		    is_loaded(cache, listing->model[i].name))
			return true;
	return false;
}

/* Once the model itself is unloaded. */
static void unload_dependents(struct model_cache *cache,
			      const struct repository_listing *listing,
			      const char *name)
{
	const struct doc *own = NULL;

	for (size_t i = 0; i < listing->n; i++) {
		const struct repository_model *model = &listing->model[i];
		const struct doc *ensemble = ensemble_of(model->config);

		if (strcmp(model->name, name) == 0)
			own = ensemble;
		else if (ensemble_has_step(ensemble, name))
			(void)!unload(cache, model->name, NULL);
	}
	for (size_t i = 0; i < listing->n; i++) {
		const char *step = listing->model[i].name;

		if (ensemble_has_step(own, step) &&
		    !is_needed(cache, listing, step))
			(void)!unload(cache, step, NULL);
	}
}

enum err_code model_cache_unload(struct model_cache *cache, const char *name,
				 bool with_dependents, struct err *err)
{
	struct repository_listing listing = { .n = 0 };
	struct arena *arena = NULL;
	enum err_code rc = ERR_NONE;

	(void)pthread_mutex_lock(&cache->loading);
	if (with_dependents)
		rc = list_repository(cache, &arena, &listing, err);
	if (!rc)
		rc = unload(cache, name, err);
	if (!rc)
		unload_dependents(cache, &listing, name);
	(void)pthread_mutex_unlock(&cache->loading);
	arena_destroy(arena);
	return rc;
}

/* --- the default version --- */

enum err_code model_cache_set_default(struct model_cache *cache,
				      const char *name, int64_t version,
				      struct err *err)
{
	struct model_entry *entry;
	enum err_code rc = ERR_NONE;

	(void)pthread_mutex_lock(&cache->lock);
	entry = model_table_find(cache, name);
	if (entry) {
		entry->default_version = version;
	} else {
		model_table_remember(cache, name, version);
		rc = not_found(name, err);
	}
	(void)pthread_mutex_unlock(&cache->lock);
	return rc;
}

/* --- finding, under the lock --- */

static struct model_slot *default_slot(const struct model_entry *entry)
{
	struct model_slot *slot;

	slot = entry->default_version
		   ? model_entry_find(entry, entry->default_version)
		   : NULL;
	if (slot && slot->model)
		return slot;
	for (size_t i = entry->n; i-- > 0;)
		if (entry->slot[i].model)
			return &entry->slot[i];
	return NULL;
}

/* A reason most often begins with model and version, which its reader knows. */
static const char *bare_reason(const struct model_entry *entry,
			       const struct model_slot *slot)
{
	const char *reason = slot->reason ? slot->reason : "";
	char start[256];

	(void)snprintf(start, sizeof(start),
		       "model '%s' version %lld: ", entry->name,
		       (long long)slot->version);
	if (!str_starts_with(reason, start))
		(void)snprintf(start, sizeof(start),
			       "model '%s': ", entry->name);
	return reason + (str_starts_with(reason, start) ? strlen(start) : 0);
}

static enum err_code not_ready(const struct model_entry *entry,
			       const struct model_slot *slot, struct err *err)
{
	if (!slot && entry->n)
		slot = &entry->slot[entry->n - 1];
	if (!slot)
		return err_set(err, ERR_NOT_READY,
			       "model '%s' has no version that can be served",
			       entry->name);
	return err_set(err, ERR_NOT_READY, "model '%s' version %lld is %s%s%s",
		       entry->name, (long long)slot->version,
		       model_state_name(slot->state), slot->reason ? ": " : "",
		       bare_reason(entry, slot));
}

static enum err_code find(struct model_cache *cache, const char *name,
			  int64_t version, struct served_model **ret_model,
			  struct err *err)
{
	struct model_entry *entry = model_table_find(cache, name);
	const struct model_slot *slot;

	if (cache->is_stopped)
		return err_set(err, ERR_NOT_READY, "the server is stopping");
	if (!entry)
		return not_found(name, err);
	slot = version ? model_entry_find(entry, version) : default_slot(entry);
	if (version && !slot)
		return err_set(err, ERR_NOT_FOUND,
			       "model '%s' has no version %lld that is served",
			       name, (long long)version);
	if (!slot || !slot->model)
		return not_ready(entry, slot, err);
	entry->used_ns = clock_monotonic_ns();
	entry->is_asked = true;
	*ret_model = served_model_ref(slot->model);
	return ERR_NONE;
}

/* "stable, canary": for a message; NULL when there are none. */
static void list_labels(const struct model_entry *entry, char *text, size_t cap)
{
	size_t n = 0;

	text[0] = '\0';
	for (size_t i = 0; i < entry->n_labels && n < cap; i++)
		n += (size_t)snprintf(text + n, cap - n, "%s%s", i ? ", " : "",
				      entry->label[i].name);
}

/* Under the lock. */
static enum err_code find_label(const struct model_cache *cache,
				const char *name, const char *text,
				int64_t *ret_version, struct err *err)
{
	const struct model_entry *entry = model_table_find(cache, name);
	char labels[256];

	if (!entry)
		return not_found(name, err);
	for (size_t i = 0; i < entry->n_labels; i++)
		if (str_equal(entry->label[i].name, text)) {
			*ret_version = entry->label[i].version;
			return ERR_NONE;
		}
	list_labels(entry, labels, sizeof(labels));
	return err_set(err, ERR_NOT_FOUND,
		       "model '%.128s' has no version '%.128s': versions are "
		       "integers from 1 up%s%s",
		       name, text, entry->n_labels ? ", or its labels: " : "",
		       labels);
}

enum err_code model_cache_version(struct model_cache *cache, const char *name,
				  const char *text, int64_t *ret_version,
				  struct err *err)
{
	enum err_code rc;

	*ret_version = 0;
	if (!text || (str_parse_int64(text, ret_version) && *ret_version > 0))
		return ERR_NONE;
	(void)pthread_mutex_lock(&cache->lock);
	rc = find_label(cache, name, text, ret_version, err);
	(void)pthread_mutex_unlock(&cache->lock);
	return rc;
}

enum err_code model_cache_find(struct model_cache *cache, const char *name,
			       int64_t version, struct served_model **ret_model,
			       struct err *err)
{
	enum err_code rc;

	(void)pthread_mutex_lock(&cache->lock);
	rc = find(cache, name, version, ret_model, err);
	(void)pthread_mutex_unlock(&cache->lock);
	return rc;
}

enum err_code model_cache_policy(struct model_cache *cache, const char *name,
				 struct arena *arena, struct model_policy *ret,
				 struct err *err)
{
	const struct model_entry *entry;
	enum err_code rc = ERR_NONE;

	(void)pthread_mutex_lock(&cache->lock);
	entry = model_table_find(cache, name);
	if (entry)
		*ret = entry->policy;
	else
		rc = not_found(name, err);
	if (!rc && ret->specific.n) {
		ret->specific.v =
		    arena_copy(arena, ret->specific.v,
			       ret->specific.n * sizeof(*ret->specific.v));
		if (!ret->specific.v)
			rc = err_set(err, ERR_NO_MEMORY,
				     "model '%s': out of memory", name);
	}
	(void)pthread_mutex_unlock(&cache->lock);
	return rc;
}

enum err_code model_cache_find_only(struct model_cache *cache,
				    struct served_model **ret_model,
				    struct err *err)
{
	const struct model_entry *only = NULL;
	size_t n = 0;
	enum err_code rc;

	(void)pthread_mutex_lock(&cache->lock);
	for (size_t i = 0; i < cache->n; i++)
		if (default_slot(cache->entry[i])) {
			only = cache->entry[i];
			n++;
		}
	if (!n && cache->n == 1) /* it tells why it is not ready */
		only = cache->entry[0];
	if (only && n <= 1)
		rc = find(cache, only->name, 0, ret_model, err);
	else if (n == 0)
		rc = err_set(err, cache->n ? ERR_NOT_READY : ERR_NOT_FOUND,
			     "no model is loaded");
	else
		rc = err_set(err, ERR_INVALID,
			     "\"model\" must say which: %zu models are loaded",
			     n);
	(void)pthread_mutex_unlock(&cache->lock);
	return rc;
}

/* --- listing --- */

static bool list_row_labels(const struct model_entry *entry, int64_t version,
			    struct arena *arena, struct model_row *row)
{
	row->label =
	    arena_array(arena, entry->n_labels + 1, sizeof(*row->label));
	for (size_t i = 0; row->label && i < entry->n_labels; i++) {
		if (entry->label[i].version != version)
			continue;
		row->label[row->n_labels] =
		    arena_strdup(arena, entry->label[i].name);
		if (!row->label[row->n_labels++])
			return false;
	}
	return row->label != NULL;
}

/* Rows of one entry, from rows[*n] on; false when out of memory. */
static bool list_entry(const struct model_entry *entry, struct arena *arena,
		       struct model_row *rows, size_t *n)
{
	const struct model_slot *chosen = default_slot(entry);
	const char *name = arena_strdup(arena, entry->name);

	if (!name)
		return false;
	if (!entry->n)
		rows[(*n)++] =
		    (struct model_row){ .name = name,
					.state = MODEL_UNAVAILABLE,
					.reason = "no version can be served" };
	for (size_t i = 0; i < entry->n; i++) {
		const struct model_slot *slot = &entry->slot[i];
		const char *reason = bare_reason(entry, slot);
		struct model_row *row = &rows[*n];

		row->reason = arena_strdup(arena, reason);
		if (!row->reason)
			return false;
		row->name = name;
		row->version = slot->version;
		row->state = slot->state;
		row->is_default = slot == chosen;
		row->is_held = entry->is_held;
		row->is_parked = entry->is_parked;
		if (!list_row_labels(entry, slot->version, arena, row))
			return false;
		row->model = slot->model ? served_model_ref(slot->model) : NULL;
		row->stats = slot->stats ? model_stats_ref(slot->stats) : NULL;
		(*n)++;
	}
	return true;
}

static size_t count_rows(const struct model_cache *cache)
{
	size_t n = 0;

	for (size_t i = 0; i < cache->n; i++)
		n += cache->entry[i]->n + 1;
	return n;
}

enum err_code model_cache_list(struct model_cache *cache, const char *name,
			       struct arena *arena, struct model_row **ret_rows,
			       size_t *ret_n, struct err *err)
{
	struct model_row *rows;
	size_t n = 0;
	bool is_good;

	(void)pthread_mutex_lock(&cache->lock);
	rows = arena_array(arena, count_rows(cache) + 1, sizeof(*rows));
	is_good = rows != NULL;
	for (size_t i = 0; i < cache->n && is_good; i++)
		if (!name || strcmp(cache->entry[i]->name, name) == 0)
			is_good = list_entry(cache->entry[i], arena, rows, &n);
	(void)pthread_mutex_unlock(&cache->lock);
	if (!is_good) {
		model_cache_list_free(rows, n);
		return err_set(err, ERR_NO_MEMORY, "model list: no memory");
	}
	if (name && !n)
		return not_found(name, err);
	*ret_rows = rows;
	*ret_n = n;
	return ERR_NONE;
}

void model_cache_list_free(struct model_row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		served_model_unref(rows[i].model);
		model_stats_unref(rows[i].stats);
	}
}

void model_cache_packs(struct model_cache *cache, struct pack_stats *ret)
{
	pack_store_stats(repository_packs(cache->options.repository), ret);
}

const struct histogram *model_cache_swaps(const struct model_cache *cache)
{
	return &cache->swaps;
}
