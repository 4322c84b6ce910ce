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

#include "server/model_cache.h"

struct model_slot {
	int64_t version;
	enum model_state state;
	char *reason; /* owned; NULL: none */
	struct served_model *model;
	struct model_stats *stats;
	uint64_t stamp; /* of the files that were loaded, or tried last */
};

struct model_entry {
	char *name;
	size_t n;
	struct model_slot *slot; /* by version */
	int64_t default_version; /* 0: the highest that is ready */
	bool is_held;		 /* unloaded by name */
	uint64_t seen_stamp;	 /* of all versions, at the last poll */
	uint64_t applied_stamp;	 /* at the last load */
};

struct model_cache {
	struct model_cache_options options;
	pthread_mutex_t loading;
	pthread_mutex_t lock;
	struct model_entry **entry; /* by name */
	size_t n, cap;
	bool is_stopped;
	struct histogram swaps; /* ns that requests could not find a model */

	pthread_t poller;
	bool is_polling;
	pthread_mutex_t poll_lock; /* guards the next two */
	pthread_cond_t poll_wake;
	bool must_stop;
};

/** The entry of that name, or NULL. Under the lock. */
struct model_entry *model_table_find(const struct model_cache *cache,
				     const char *name);
/** The same, made when it is not there; NULL: out of memory. */
struct model_entry *model_table_add(struct model_cache *cache,
				    const char *name);
void model_table_remove(struct model_cache *cache, struct model_entry *entry);
struct model_slot *model_entry_find(const struct model_entry *entry,
				    int64_t version);
void model_entry_destroy(struct model_entry *entry);
/** Lets go what a slot holds; not under the lock. */
void model_slot_finish(struct model_slot *slot);
/** Replaces the reason; "" is none. */
void model_slot_explain(struct model_slot *slot, const char *reason);

/** Loads one model of a listing by its policy. Under `loading`. */
MUST_USE enum err_code model_load_listed(struct model_cache *cache,
					 const struct repository_model *listed,
					 struct err *err);
/** Every version of a model and the files of each, in one number. */
uint64_t model_stamp_of(struct repository *repository,
			const struct repository_model *listed);
/** Takes every version out. Under `loading`. */
void model_unload_entry(struct model_cache *cache, struct model_entry *entry);

/** The poller's thread. */
void *model_poll_run(void *arg);

#endif
