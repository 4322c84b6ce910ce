/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "server/model_cache_priv.h"

/* A load of one model: its slots as they will be. */
struct load {
	struct model_cache *cache;
	struct model_entry *entry;
	struct model_config config;
	struct model_slot *slot; /* new ones */
	size_t n;
	enum err_code rc; /* of the newest version that failed */
	struct err err;
};

static enum err_code no_memory(const char *name, struct err *err)
{
	return err_set(err, ERR_NO_MEMORY, "model '%s': out of memory", name);
}

/* Exchanges the slots of an entry; the old ones are let go outside the lock,
 * as the last user of a model frees it. */
static void swap_slots(struct model_cache *cache, struct model_entry *entry,
		       struct model_slot *slots, size_t n)
{
	struct model_slot *old;
	size_t n_old;

	(void)pthread_mutex_lock(&cache->lock);
	old = entry->slot;
	n_old = entry->n;
	entry->slot = slots;
	entry->n = n;
	(void)pthread_mutex_unlock(&cache->lock);
	for (size_t i = 0; i < n_old; i++)
		model_slot_finish(&old[i]);
	mem_free(old);
}

/* A slot that shares what the old one of that version holds. */
static struct model_slot share(const struct model_entry *entry, int64_t version)
{
	const struct model_slot *old = model_entry_find(entry, version);
	struct model_slot slot = { .version = version, .state = MODEL_LOADING };

	if (!old)
		return slot;
	slot.stamp = old->stamp;
	if (old->stats)
		slot.stats = model_stats_ref(old->stats);
	if (old->model) {
		slot.model = served_model_ref(old->model);
		slot.state = MODEL_READY;
	}
	return slot;
}

static enum err_code build(struct load *load, int64_t version,
			   struct model_stats *stats,
			   struct served_model **ret_model, struct err *err)
{
	const struct model_cache_options *options = &load->cache->options;
	struct package *package;
	enum err_code rc;

	rc = repository_load(options->repository, load->entry->name, version,
			     &package, err);
	if (rc)
		return rc;
	return served_model_create(package, &load->config, options->serving,
				   stats, ret_model, err);
}

static void note_failure(struct load *load, struct model_slot *slot,
			 const struct err *err)
{
	const char *name = load->entry->name;

	model_slot_explain(slot, err->msg);
	load->rc = err->code;
	load->err = *err;
	if (slot->model) {
		log_write(LOG_LEVEL_WARNING, "models",
			  "model '%s' version %lld: reload failed, the loaded "
			  "one serves on: %s",
			  name, (long long)slot->version, err->msg);
		return;
	}
	slot->state = MODEL_UNAVAILABLE;
	/* the sentence begins with model and version */
	log_write(LOG_LEVEL_WARNING, "models", "not served: %s", err->msg);
}

/* A version is loaded anew when its files have changed, or how it is served. */
static uint64_t mix_config(uint64_t stamp, const struct model_config *config)
{
	const int64_t number[] = {
		config->max_batch_size,	     config->max_queue_delay_us,
		config->instances,	     config->max_queue_size,
		(int64_t)config->passes.off, (int64_t)config->passes.on,
		config->strict_numerics
	};

	for (size_t i = 0; i < sizeof(number) / sizeof(number[0]); i++)
		stamp = (stamp ^ (uint64_t)number[i]) * 0x100000001b3u;
	return stamp;
}

/* Loads the slot's version, unless it is loaded already. */
static void load_slot(struct load *load, struct model_slot *slot)
{
	const int64_t start = clock_monotonic_ns();
	struct repository *repository = load->cache->options.repository;
	char report[LOAD_REPORT_TEXT_MAX];
	struct served_model *model;
	uint64_t stamp = 0;
	struct err err;
	enum err_code rc;

	rc = repository_stamp(repository, load->entry->name, slot->version,
			      &stamp, &err);
	stamp = mix_config(stamp, &load->config);
	if (!rc && slot->model && stamp == slot->stamp && !slot->reason)
		return;
	if (!rc)
		rc = build(load, slot->version, slot->stats, &model, &err);
	slot->stamp = stamp;
	if (rc) {
		note_failure(load, slot, &err);
		return;
	}
	served_model_unref(slot->model);
	slot->model = model;
	if (!slot->stats)
		slot->stats = model_stats_ref(model->stats);
	slot->state = MODEL_READY;
	model_slot_explain(slot, "");
	log_write(LOG_LEVEL_INFO, "models",
		  "model '%s' version %lld is ready after %lld ms%s%s",
		  load->entry->name, (long long)slot->version,
		  (long long)(clock_monotonic_ns() - start) / 1000000,
		  model->max_batch ? ", batching" : "",
		  load_report_text(&model->report, report));
}

/* The versions to serve (what somebody chose as the default stays, however many
 * newer ones come), each sharing what is loaded of it, and a view of them
 * for the index, where new ones are LOADING. */
static enum err_code make_slots(struct load *load,
				const struct repository_model *listed,
				struct err *err)
{
	int64_t chosen;

	load->slot = mem_array(listed->n_versions + 1, sizeof(*load->slot));
	if (!load->slot)
		return no_memory(listed->name, err);
	(void)pthread_mutex_lock(&load->cache->lock);
	chosen = load->entry->default_version;
	(void)pthread_mutex_unlock(&load->cache->lock);
	for (size_t i = 0; i < listed->n_versions; i++)
		if (listed->version[i] == chosen ||
		    model_config_serves(&load->config, listed->version,
					listed->n_versions, i))
			load->slot[load->n++] =
			    share(load->entry, listed->version[i]);
	return ERR_NONE;
}

static enum err_code show_loading(struct load *load, struct err *err)
{
	struct model_slot *shown =
	    mem_array(load->n + load->entry->n + 1, sizeof(*shown));
	size_t n = 0;

	if (!shown)
		return no_memory(load->entry->name, err);
	for (size_t i = 0; i < load->entry->n; i++) {
		const struct model_slot *old = &load->entry->slot[i];

		/* what serves goes on serving until the swap */
		if (old->model)
			shown[n++] = share(load->entry, old->version);
	}
	for (size_t i = 0; i < load->n; i++)
		if (!load->slot[i].model)
			shown[n++] = share(load->entry, load->slot[i].version);
	swap_slots(load->cache, load->entry, shown, n);
	return ERR_NONE;
}

static void load_slots(struct load *load)
{
	for (size_t i = 0; i < load->n; i++)
		load_slot(load, &load->slot[i]);
	swap_slots(load->cache, load->entry, load->slot, load->n);
	load->slot = NULL;
	load->n = 0;
}

static struct model_entry *add_entry(struct model_cache *cache,
				     const char *name)
{
	struct model_entry *entry;

	(void)pthread_mutex_lock(&cache->lock);
	entry = model_table_add(cache, name);
	(void)pthread_mutex_unlock(&cache->lock);
	return entry;
}

/* A model whose configuration cannot be read keeps what is loaded; otherwise
 * every version of it says why it does not serve. */
static enum err_code refuse_all(struct load *load,
				const struct repository_model *listed,
				const struct err *why, struct err *err)
{
	enum err_code rc;

	load->config.all = true;
	rc = make_slots(load, listed, err);
	if (rc)
		return rc;
	for (size_t i = 0; i < load->n; i++)
		note_failure(load, &load->slot[i], why);
	swap_slots(load->cache, load->entry, load->slot, load->n);
	load->slot = NULL;
	load->n = 0;
	*err = *why;
	return why->code;
}

static enum err_code read_config(struct load *load, struct arena *arena,
				 const struct repository_model *listed,
				 struct err *err)
{
	if (listed->fault)
		return err_set(err, ERR_INVALID, "model '%s': %s", listed->name,
			       listed->fault);
	return model_config_read(listed->config, listed->name, arena,
				 &load->config, err);
}

static enum err_code load_with(struct load *load, struct arena *arena,
			       const struct repository_model *listed,
			       struct err *err)
{
	struct err why;
	enum err_code rc;

	if (read_config(load, arena, listed, &why))
		return refuse_all(load, listed, &why, err);
	rc = make_slots(load, listed, err);
	if (!rc)
		rc = show_loading(load, err);
	if (rc)
		return rc;
	load_slots(load);
	if (load->rc)
		*err = load->err;
	return load->rc;
}

uint64_t model_stamp_of(struct repository *repository,
			const struct repository_model *listed)
{
	uint64_t stamp = listed->n_versions + 1;

	for (size_t i = 0; i < listed->n_versions; i++) {
		uint64_t one = 0;

		if (repository_stamp(repository, listed->name,
				     listed->version[i], &one, NULL))
			one = 1;
		stamp = (stamp ^ one) * 0x100000001b3u;
	}
	return stamp;
}

static void note_stamp(struct model_cache *cache, struct model_entry *entry,
		       uint64_t stamp)
{
	(void)pthread_mutex_lock(&cache->lock);
	entry->applied_stamp = stamp;
	entry->seen_stamp = stamp;
	(void)pthread_mutex_unlock(&cache->lock);
}

enum err_code model_load_listed(struct model_cache *cache,
				const struct repository_model *listed,
				struct err *err)
{
	struct load load = { .cache = cache };
	struct arena *arena = arena_create(1 << 20);
	enum err_code rc;

	load.entry = add_entry(cache, listed->name);
	if (!arena || !load.entry) {
		arena_destroy(arena);
		return no_memory(listed->name, err);
	}
	/* taken before the load: what is written meanwhile is a change */
	note_stamp(cache, load.entry,
		   model_stamp_of(cache->options.repository, listed));
	rc = load_with(&load, arena, listed, err);
	for (size_t i = 0; i < load.n; i++)
		model_slot_finish(&load.slot[i]);
	mem_free(load.slot);
	arena_destroy(arena);
	return rc;
}

void model_unload_entry(struct model_cache *cache, struct model_entry *entry)
{
	for (size_t i = 0; i < entry->n; i++) {
		struct model_slot *slot = &entry->slot[i];
		struct served_model *model;

		(void)pthread_mutex_lock(&cache->lock);
		model = slot->model;
		slot->model = NULL;
		slot->state = MODEL_UNAVAILABLE;
		slot->stamp = 0;
		model_slot_explain(slot, "unloaded");
		(void)pthread_mutex_unlock(&cache->lock);
		served_model_unref(model);
	}
	log_write(LOG_LEVEL_INFO, "models", "model '%s' is unloaded",
		  entry->name);
}
