/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * The table behind the model cache.
 *
 * Threads: `lock` guards the table and is held for moments only; `loading` is
 *          held during a load, and only its holder changes the table. Order:
 *          loading, then lock.
 */
#ifndef SERVER_MODEL_CACHE_PRIV_H
#define SERVER_MODEL_CACHE_PRIV_H

#include <pthread.h>
#include <stdatomic.h>

#include "server/model_cache.h"
#include "server/rate.h"

struct model_watch;

struct model_slot {
	int64_t version;
	enum model_state state;
	char *reason; /* owned; NULL: none */
	struct served_model *model;
	struct model_stats *stats;
	uint64_t stamp;	     /* of what was loaded, or tried last */
	uint64_t file_stamp; /* of its files alone */
};

struct model_entry {
	char *name;
	size_t n;
	struct model_slot *slot;   /* by version */
	int64_t default_version;   /* 0: the highest that is ready */
	struct model_label *label; /* owned, as its names */
	size_t n_labels;
	struct model_policy policy; /* its list is owned */
	char *override;		    /* owned; NULL: none. Under `loading` */
	bool is_held;		    /* unloaded by name */
	bool is_parked;		    /* not loaded until somebody asks */
	bool is_asked;		    /* somebody did, since it was loaded */
	uint64_t seen_stamp;	    /* of all versions, at the last poll */
	int64_t seen_ns;	    /* when that was seen first */
	uint64_t applied_stamp;	    /* at the last load */
	unsigned n_failures;	    /* loads in a row */
	int64_t retry_ns;	    /* when to try again; 0: nothing failed */
	int64_t idle_ns;	    /* 0: stays, whoever asks */
	int64_t used_ns;	    /* when somebody asked last */
	struct rate rate;
	size_t bytes; /* when it was loaded last; 0: not known */
};

/** The default version that somebody chose of a model that is not there. */
struct model_choice {
	char *name; /* owned */
	int64_t version;
};

enum { MODEL_CHOICES = 256 }; /* older ones are forgotten */

struct model_cache {
	struct model_cache_options options;
	pthread_mutex_t loading;
	pthread_mutex_t lock;
	struct model_entry **entry; /* by name */
	size_t n, cap;
	struct model_choice choice[MODEL_CHOICES];
	size_t n_choices;
	bool is_stopped;
	struct histogram swaps; /* ns that requests could not find a model */

	atomic_uint_least64_t n_parked, n_demanded; /* counters */

	pthread_t poller;
	bool is_polling;
	struct model_watch *watch;
};

/** The entry of that name, or NULL. Under the lock. */
struct model_entry *model_table_find(const struct model_cache *cache,
				     const char *name);
/** The same, made when it is not there; NULL: out of memory. */
struct model_entry *model_table_add(struct model_cache *cache,
				    const char *name);
void model_table_remove(struct model_cache *cache, struct model_entry *entry);
/** Keeps the choice of a default version until a model of that name is added
 * (again): a folder may only be away for a while. Under the lock. */
void model_table_remember(struct model_cache *cache, const char *name,
			  int64_t version);
void model_table_finish(struct model_cache *cache);
struct model_slot *model_entry_find(const struct model_entry *entry,
				    int64_t version);
void model_entry_destroy(struct model_entry *entry);
/** Those that any of the versions has, or NULL. */
struct sequences *model_slots_sequences(const struct model_slot *slots,
					size_t n);
/** Lets go what a slot holds; not under the lock. */
void model_slot_finish(struct model_slot *slot);
/** Replaces the reason; "" is none. */
void model_slot_explain(struct model_slot *slot, const char *reason);

/** What a load is for. */
struct model_order {
	bool is_wanted; /**< somebody asks for the model now */
	bool is_anew;	/**< the configuration is this one, not the last one */
	const char *config; /**< laid over config.yaml; NULL: nothing is */
};

/** Loads one model of a listing by its policy, or parks it, unless it is wanted
 * now. Under `loading`. */
MUST_USE enum err_code model_load_listed(struct model_cache *cache,
					 const struct repository_model *listed,
					 const struct model_order *order,
					 struct err *err);
/** Looks a model up in the repository and loads it. Under `loading`. */
MUST_USE enum err_code model_load_named(struct model_cache *cache,
					const char *name,
					const struct model_order *order,
					struct err *err);
/** Every version of a model and the files of each, in one number. */
uint64_t model_stamp_of(struct repository *repository,
			const struct repository_model *listed);
/** Takes every version out; their slots say why. Under `loading`. */
void model_unload_entry(struct model_cache *cache, struct model_entry *entry,
			const char *why);
/** Under the lock. */
bool model_entry_is_loaded(const struct model_entry *entry);
/** Keep copies. */
void model_entry_set_policy(struct model_entry *entry,
			    const struct model_policy *policy);
void model_entry_set_labels(struct model_entry *entry,
			    const struct model_label *label, size_t n);

/* model_park.c. Under `loading`. */
/** Unloads what nobody asked for long enough, and then, until the budget is
 * kept, what was not asked for longest; but never `needed` (may be NULL). */
void model_park_some(struct model_cache *cache,
		     const struct model_entry *needed);
/** Unloads others so that a model of about so many bytes fits. */
void model_park_for(struct model_cache *cache, const struct model_entry *needed,
		    size_t bytes);
/** Memory of all models. */
size_t model_park_bytes(struct model_cache *cache);

/** The poller's thread. */
void *model_poll_run(void *arg);

#endif
