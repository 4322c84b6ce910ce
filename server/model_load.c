/* SPDX-License-Identifier: Apache-2.0 */
#include <semaphore.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/json_write.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "models/calibration.h"
#include "models/ensemble.h"
#include "server/model_cache_priv.h"
#include "server/model_override.h"
#include "server/run_pool.h"

enum { NICE = 10, CONFIG_BYTES_MAX = 4 << 20 };
#define ROWS_BYTES_MAX ((size_t)4 << 30)

/* A load of one model: its slots as they will be. */
struct load {
	struct model_cache *cache;
	struct model_entry *entry;
	struct model_config config;
	uint64_t config_stamp;
	const struct doc *ensemble; /* NULL: a model of its own */
	struct model_slot *slot;    /* new ones */
	size_t n, n_loaded;
	bool is_wanted;	  /* somebody asks for it now */
	enum err_code rc; /* of the newest version that failed */
	struct err err;
};

static enum err_code no_memory(const char *name, struct err *err)
{
	return err_set(err, ERR_NO_MEMORY, "model '%s': out of memory", name);
}

static bool holds(const struct model_slot *slots, size_t n,
		  const struct served_model *model)
{
	for (size_t i = 0; i < n; i++)
		if (slots[i].model == model)
			return true;
	return false;
}

/* The slots of an entry, and those that take their place. */
struct exchange {
	struct run_task task;
	struct model_cache *cache;
	struct model_entry *entry;
	struct model_slot *slots;
	size_t n;
	int64_t ns; /* what it took */
	sem_t done;
};

static void run_exchange(struct run_task *task)
{
	/* the task is the first member */
	struct exchange *e = (struct exchange *)(void *)task;
	const int64_t start = clock_monotonic_ns();
	struct model_slot *slots;
	size_t n;

	(void)pthread_mutex_lock(&e->cache->lock);
	slots = e->entry->slot;
	n = e->entry->n;
	e->entry->slot = e->slots;
	e->entry->n = e->n;
	(void)pthread_mutex_unlock(&e->cache->lock);
	e->ns = clock_monotonic_ns() - start;
	e->slots = slots;
	e->n = n;
	(void)sem_post(&e->done);
}

/* Exchanges the slots of an entry, and says how long that took; the old ones
 * are let go outside the lock, as the last user of a model frees it. A thread
 * that stands back would keep all requests waiting if it lost its CPU with the
 * lock held, so the one that ends late calls does it. */
static int64_t swap_slots(struct model_cache *cache, struct model_entry *entry,
			  struct model_slot *slots, size_t n)
{
	struct exchange e = { .task.run = run_exchange,
			      .cache = cache,
			      .entry = entry,
			      .slots = slots,
			      .n = n };
	struct model_slot *old;
	size_t n_old;

	(void)sem_init(&e.done, 0, 0);
	(void)run_pool_schedule(cache->options.serving->timer, &e.task, 0);
	while (sem_wait(&e.done) != 0)
		; /* a signal came */
	(void)sem_destroy(&e.done);
	old = e.slots;
	n_old = e.n;
	for (size_t i = 0; i < n_old; i++) {
		if (!holds(slots, n, old[i].model)) {
			served_model_retire(old[i].model);
			old[i].model = NULL;
		}
		model_slot_finish(&old[i]);
	}
	mem_free(old);
	return e.ns;
}

/* A slot that shares what the old one of that version holds. */
static struct model_slot share(const struct model_entry *entry, int64_t version)
{
	const struct model_slot *old = model_entry_find(entry, version);
	struct model_slot slot = { .version = version, .state = MODEL_LOADING };

	if (!old)
		return slot;
	slot.stamp = old->stamp;
	slot.file_stamp = old->file_stamp;
	if (old->stats)
		slot.stats = model_stats_ref(old->stats);
	if (old->model) {
		slot.model = served_model_ref(old->model);
		slot.state = MODEL_READY;
	}
	return slot;
}

/* The one whose place a new version takes: the newest that serves. */
static const struct served_model *model_before(const struct load *load)
{
	for (size_t i = load->entry->n; i-- > 0;)
		if (load->entry->slot[i].model)
			return load->entry->slot[i].model;
	return NULL;
}

/* Of the versions that serve, or of those that this load has made. */
static struct sequences *sequences_before(const struct load *load)
{
	struct sequences *served =
	    model_slots_sequences(load->entry->slot, load->entry->n);

	return served ? served : model_slots_sequences(load->slot, load->n);
}

static enum err_code build(struct load *load, int64_t version,
			   struct model_stats *stats,
			   struct served_model **ret_model, struct err *err)
{
	const struct model_cache_options *options = &load->cache->options;
	struct model_config config = load->config;
	const struct served_model_source source = {
		.config = &config,
		.serving = options->serving,
		.stats = stats,
		.before = model_before(load),
		.sequences = sequences_before(load),
	};
	struct calibration rows;
	struct package *package;
	struct arena *arena = NULL;
	enum err_code rc;

	rc = load->ensemble
		 ? ensemble_load(options->repository, load->entry->name,
				 load->ensemble, &package, err)
		 : repository_load(options->repository, load->entry->name,
				   version, &package, err);
	if (rc)
		return rc;
	if (config.calibration && config.precision != PRECISION_FP32) {
		arena = arena_create(ROWS_BYTES_MAX);
		rc = arena ? repository_calibration(options->repository,
						    config.calibration, package,
						    arena, &rows, err)
			   : no_memory(load->entry->name, err);
		config.rows = &rows;
	}
	if (rc)
		package_unref(package);
	else
		rc = served_model_create(package, &source, ret_model, err);
	arena_destroy(arena);
	return rc;
}

/* What became of it below fp32, and what would make it better. */
static void tell_precision(const struct package *package)
{
	const struct precision_report *report = &package->precision;
	struct buf buf;

	if (report->precision == PRECISION_FP32)
		return;
	buf_init(&buf, 1024);
	precision_print(report, &buf);
	if (!buf_check(&buf, "a report", NULL))
		log_write(LOG_LEVEL_INFO, "models",
			  "model '%s' version %lld: %s", package->name,
			  (long long)package->version, buf.data);
	buf_finish(&buf);
	if (report->precision == PRECISION_INT8 && !package->is_calibrated)
		log_write(LOG_LEVEL_WARNING, "models",
			  "model '%s' version %lld: calibrated on random rows; "
			  "name real ones in config.yaml: calibration",
			  package->name, (long long)package->version);
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

/* Of what config.yaml says; `all` is false where only what a loaded version
 * depends on counts. */
static uint64_t stamp_of_config(const struct doc *config, bool all)
{
	static const char *const apart[] = { "version_policy", "labels",
					     "rollout" };
	uint64_t stamp = HASH_BEGIN;
	struct buf text;

	buf_init(&text, CONFIG_BYTES_MAX);
	for (const struct doc *row = config ? config->first : NULL; row;
	     row = row->next) {
		struct json_writer w;
		bool counts = row->key != NULL;

		for (size_t i = 0; !all && i < sizeof(apart) / sizeof(*apart);
		     i++)
			counts = counts && !str_equal(row->key, apart[i]);
		if (!counts)
			continue;
		buf_reset(&text);
		json_write_init(&w, &text);
		json_write_doc(&w, NULL, row);
		stamp = hash_mix(stamp, row->key, strlen(row->key));
		stamp = hash_mix(stamp, text.data, text.len);
	}
	buf_finish(&text);
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

	rc = load->ensemble
		 ? ensemble_stamp(repository, load->ensemble, &stamp, &err)
		 : repository_stamp(repository, load->entry->name,
				    slot->version, &stamp, &err);
	slot->file_stamp = stamp;
	/* anew when its files have changed, or how it is served */
	stamp ^= load->config_stamp;
	if (!rc && load->config.calibration)
		stamp ^= repository_calibration_stamp(
		    repository, load->entry->name, slot->version,
		    load->config.calibration);
	if (!rc && slot->model && stamp == slot->stamp && !slot->reason)
		return;
	if (!rc)
		rc = build(load, slot->version, slot->stats, &model, &err);
	if (rc) {
		note_failure(load, slot, &err);
		return;
	}
	slot->stamp = stamp;
	served_model_unref(slot->model);
	slot->model = model;
	if (!slot->stats)
		slot->stats = model_stats_ref(model->stats);
	slot->state = MODEL_READY;
	model_slot_explain(slot, "");
	load->n_loaded++;
	log_write(LOG_LEVEL_INFO, "models",
		  "model '%s' version %lld is ready after %lld ms%s%s%s, %u "
		  "plans made beside",
		  load->entry->name, (long long)slot->version,
		  (long long)(clock_monotonic_ns() - start) / 1000000,
		  model->max_batch ? ", batching" : "",
		  load_report_text(&model->report, report),
		  model->is_weights_only ? ", other weights for a graph that "
					   "is served"
					 : "",
		  model->n_followed);
	tell_precision(model->package);
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
	(void)swap_slots(load->cache, load->entry, shown, n);
	return ERR_NONE;
}

static void load_slots(struct load *load)
{
	int64_t ns;

	for (size_t i = 0; i < load->n; i++)
		load_slot(load, &load->slot[i]);
	ns = swap_slots(load->cache, load->entry, load->slot, load->n);
	load->slot = NULL;
	load->n = 0;
	if (!load->n_loaded)
		return;
	histogram_observe(&load->cache->swaps, (uint64_t)ns);
	log_write(LOG_LEVEL_INFO, "models",
		  "model '%s': what was loaded took over within %lld ns",
		  load->entry->name, (long long)ns);
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

	load->config.policy.all = true;
	rc = make_slots(load, listed, err);
	if (rc)
		return rc;
	for (size_t i = 0; i < load->n; i++)
		note_failure(load, &load->slot[i], why);
	(void)swap_slots(load->cache, load->entry, load->slot, load->n);
	load->slot = NULL;
	load->n = 0;
	*err = *why;
	return why->code;
}

static enum err_code read_config(struct load *load, struct arena *arena,
				 const struct repository_model *listed,
				 struct err *err)
{
	int64_t version;

	if (listed->fault)
		return err_set(err, ERR_INVALID, "model '%s': %s", listed->name,
			       listed->fault);
	load->ensemble = ensemble_of(listed->config);
	if (load->ensemble &&
	    !repository_highest(load->cache->options.repository, listed->name,
				&version, NULL))
		return err_set(err, ERR_INVALID,
			       "model '%s': config.yaml: ensemble: it has "
			       "version %lld of its own, too",
			       listed->name, (long long)version);
	return model_config_read(listed->config, listed->name,
				 &load->cache->options.defaults, arena,
				 &load->config, err);
}

/* What the entry itself needs of the configuration. */
static void take_settings(struct load *load)
{
	struct model_entry *entry = load->entry;

	(void)pthread_mutex_lock(&load->cache->lock);
	model_entry_set_labels(entry, load->config.label,
			       load->config.n_labels);
	model_entry_set_policy(entry, &load->config.policy);
	rate_set(&entry->rate, load->config.rate_limit,
		 load->config.rate_burst);
	entry->idle_ns = (int64_t)(load->config.idle_timeout * 1e9);
	(void)pthread_mutex_unlock(&load->cache->lock);
}

/* Whether nobody needs the model now: it was parked, or comes up for the first
 * time and is to wait, or does not fit. */
static bool may_park(const struct load *load)
{
	const struct model_cache *cache = load->cache;

	if (load->is_wanted || model_entry_is_loaded(load->entry))
		return false;
	return load->entry->is_parked || load->config.load_on_demand ||
	       (cache->options.budget &&
		model_park_bytes(load->cache) > cache->options.budget);
}

static void park_slots(struct load *load)
{
	for (size_t i = 0; i < load->n; i++) {
		load->slot[i].state = MODEL_UNAVAILABLE;
		model_slot_explain(&load->slot[i],
				   "not loaded yet; the first request loads "
				   "it");
	}
	(void)swap_slots(load->cache, load->entry, load->slot, load->n);
	load->slot = NULL;
	load->n = 0;
	(void)pthread_mutex_lock(&load->cache->lock);
	load->entry->is_parked = true;
	(void)pthread_mutex_unlock(&load->cache->lock);
}

/* A policy that leaves no version is a mistake, and takes no good one away. */
static enum err_code refuse_policy(struct load *load,
				   const struct repository_model *listed,
				   struct err *err)
{
	char versions[64] = "";
	struct err why;
	size_t n = 0;

	for (size_t i = listed->n_versions; i-- > 0 && n < sizeof(versions);)
		n += (size_t)snprintf(versions + n, sizeof(versions) - n,
				      "%s%lld", n ? ", " : "",
				      (long long)listed->version[i]);
	mem_free(load->slot);
	(void)err_set(&why, ERR_INVALID,
		      "model '%s': version_policy names none of the versions "
		      "that there are: %s",
		      listed->name, versions);
	return refuse_all(load, listed, &why, err);
}

static enum err_code load_with(struct load *load, struct arena *arena,
			       const struct repository_model *listed,
			       struct err *err)
{
	struct err why;
	enum err_code rc;

	load->config_stamp = stamp_of_config(listed->config, false);
	if (read_config(load, arena, listed, &why))
		return refuse_all(load, listed, &why, err);
	rc = make_slots(load, listed, err);
	if (rc)
		return rc;
	if (!load->n && listed->n_versions)
		return refuse_policy(load, listed, err);
	take_settings(load);
	if (may_park(load)) {
		park_slots(load);
		return ERR_NONE;
	}
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
	uint64_t stamp = stamp_of_config(listed->config, true);

	if (listed->fault) /* a file that cannot be read is no missing one */
		stamp = hash_mix(stamp, listed->fault, strlen(listed->fault));
	if (ensemble_of(listed->config)) {
		uint64_t steps = 1;

		if (ensemble_stamp(repository, ensemble_of(listed->config),
				   &steps, NULL))
			steps = 0;
		return hash_mix(stamp, &steps, sizeof(steps));
	}
	stamp =
	    hash_mix(stamp, &listed->n_versions, sizeof(listed->n_versions));
	for (size_t i = 0; i < listed->n_versions; i++) {
		uint64_t one = 0;

		if (repository_stamp(repository, listed->name,
				     listed->version[i], &one, NULL))
			one = 1;
		stamp = hash_mix(stamp, &one, sizeof(one));
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

/* What failed is tried again, later each time; what was loaded counts as
 * asked for now. */
static void note_end(struct model_cache *cache, struct model_entry *entry,
		     bool has_failed)
{
	const int64_t now = clock_monotonic_ns();
	int64_t ms =
	    cache->options.retry_ms ? cache->options.retry_ms : MODEL_RETRY_MS;

	(void)pthread_mutex_lock(&cache->lock);
	if (model_entry_is_loaded(entry)) {
		entry->is_parked = false;
		entry->used_ns = now;
	}
	for (unsigned i = 0; i < entry->n_failures && ms < MODEL_RETRY_MAX_MS;
	     i++)
		ms *= 2;
	if (ms > MODEL_RETRY_MAX_MS)
		ms = MODEL_RETRY_MAX_MS;
	entry->n_failures = has_failed ? entry->n_failures + 1 : 0;
	entry->retry_ns = has_failed ? now + ms * 1000000 : 0;
	(void)pthread_mutex_unlock(&cache->lock);
}

/* The listing with the order's configuration, or the one that an earlier load
 * brought. One that cannot be read changes nothing. */
static enum err_code lay_over(struct load *load, struct arena *arena,
			      const struct model_order *order,
			      struct repository_model *listed, struct err *err)
{
	const char *text =
	    order->is_anew ? order->config : load->entry->override;
	struct model_config config;
	enum err_code rc;

	if (!text)
		return ERR_NONE;
	rc = model_override_apply(text, listed->name, listed->config, arena,
				  &listed->config, err);
	if (!rc)
		rc = model_config_read(listed->config, listed->name,
				       &load->cache->options.defaults, arena,
				       &config, err);
	return rc;
}

static void keep_override(struct model_entry *entry,
			  const struct model_order *order)
{
	if (!order->is_anew)
		return;
	mem_free(entry->override);
	entry->override = order->config ? mem_strdup(order->config) : NULL;
}

static enum err_code load_listed(struct load *load, struct arena *arena,
				 struct repository_model listed,
				 const struct model_order *order,
				 struct err *err)
{
	struct model_cache *cache = load->cache;
	/* taken before the load: what is written meanwhile is a change */
	const uint64_t stamp =
	    model_stamp_of(cache->options.repository, &listed);
	enum err_code rc = lay_over(load, arena, order, &listed, err);

	if (rc && order->is_anew)
		return rc;
	note_stamp(cache, load->entry, stamp);
	if (!rc)
		rc = load_with(load, arena, &listed, err);
	if (!rc)
		keep_override(load->entry, order);
	for (size_t i = 0; i < load->n; i++)
		model_slot_finish(&load->slot[i]);
	mem_free(load->slot);
	note_end(cache, load->entry, rc != ERR_NONE);
	return rc;
}

enum err_code model_load_listed(struct model_cache *cache,
				const struct repository_model *listed,
				const struct model_order *order,
				struct err *err)
{
	struct load load = { .cache = cache, .is_wanted = order->is_wanted };
	struct arena *arena = arena_create(4 << 20);
	enum err_code rc;

	load.entry = add_entry(cache, listed->name);
	if (!arena || !load.entry) {
		arena_destroy(arena);
		return no_memory(listed->name, err);
	}
	rc = load_listed(&load, arena, *listed, order, err);
	arena_destroy(arena);
	/* what came and went is not kept for the next one */
	mem_trim();
	model_park_some(cache, load.entry);
	return rc;
}

void model_cache_stand_back(void)
{
	/* Linux takes a thread's id here; where it does not want to, a load
	 * takes its full share */
	(void)setpriority(PRIO_PROCESS, (id_t)gettid(), NICE);
}

void model_unload_entry(struct model_cache *cache, struct model_entry *entry,
			const char *why)
{
	for (size_t i = 0; i < entry->n; i++) {
		struct model_slot *slot = &entry->slot[i];
		struct served_model *model;

		(void)pthread_mutex_lock(&cache->lock);
		model = slot->model;
		slot->model = NULL;
		slot->state = MODEL_UNAVAILABLE;
		slot->stamp = 0;
		model_slot_explain(slot, why);
		(void)pthread_mutex_unlock(&cache->lock);
		served_model_retire(model);
	}
	mem_trim();
	log_write(LOG_LEVEL_INFO, "models", "model '%s': %s", entry->name, why);
}
