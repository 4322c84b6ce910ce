/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Model cache: which versions of which models are loaded.
 *
 * Loading builds the new version beside the old one, runs it, and then swaps
 * the pointer that requests follow; the old one ends with its last request. A
 * version that cannot be loaded is UNAVAILABLE with the reason, and never
 * takes a good one away: a reload that fails leaves what was loaded. A version
 * whose files have not changed since it was loaded is not loaded again.
 *
 * Without a version a request goes to the default one, which is the highest
 * that is ready unless model_cache_set_default() chose another.
 *
 * The repository is watched and polled: what changed is loaded once its files
 * have stayed the same for quiet_ms, or at once where every new version has a
 * manifest; what vanished is unloaded; what failed is tried again, later each
 * time. Models that were unloaded by name wait to be loaded by name.
 *
 * A model that nobody asks for may be parked: unloaded until somebody does.
 * That happens after its idle time, and to those not asked for longest when
 * models take more than the budget, which one may that was asked for last.
 *
 * Ownership: create/destroy; models that were found belong to the finder too.
 * Threads:   any. Loads run one after another; finding never waits for them.
 */
#ifndef SERVER_MODEL_CACHE_H
#define SERVER_MODEL_CACHE_H

#include "models/repository.h"
#include "server/served_model.h"

enum model_state {
	MODEL_READY,
	MODEL_UNAVAILABLE,
	MODEL_LOADING,
	MODEL_UNLOADING
};

struct model_cache;
struct pack_stats;

struct model_cache_options {
	struct repository *repository;
	struct serving *serving;
	int64_t poll_ms;  /**< 0: never */
	int64_t quiet_ms; /**< of files that change; 0: poll_ms */
	int64_t retry_ms; /**< after the first failure; 0: MODEL_RETRY_MS */
	size_t budget;	  /**< bytes that models may take; 0: no bound */
	struct model_defaults defaults;
};

enum { MODEL_RETRY_MS = 5000, MODEL_RETRY_MAX_MS = 300000 };

/** A version of a model as the index and the metrics see it. */
struct model_row {
	const char *name;
	int64_t version; /**< 0: the model has no version folder */
	enum model_state state;
	const char *reason;	  /**< "" when there is none */
	bool is_default, is_held; /**< is_held: unloaded by name */
	bool is_parked;		  /**< loaded when somebody asks */
	const char **label;
	size_t n_labels;
	struct served_model *model; /**< NULL unless READY */
	struct model_stats *stats;  /**< NULL when it never was */
};

MUST_USE enum err_code
model_cache_create(const struct model_cache_options *options,
		   struct model_cache **ret_cache, struct err *err);
/** Every model that was found must have been let go. NULL is fine. */
void model_cache_destroy(struct model_cache *cache);

/** Tries every model; those that fail do not fail the call. */
MUST_USE enum err_code model_cache_load_all(struct model_cache *cache,
					    struct err *err);
/** Starts polling. */
MUST_USE enum err_code model_cache_start(struct model_cache *cache,
					 struct err *err);
/** Stops polling, refuses new requests and ends those that wait. */
void model_cache_stop(struct model_cache *cache);

/** For a thread that only loads: it stands behind all that serve. */
void model_cache_stand_back(void);
/** Loads what the version policy says; the error is the newest version's. */
MUST_USE enum err_code model_cache_load(struct model_cache *cache,
					const char *name, struct err *err);
/** The same with a configuration over config.yaml (server/model_override.h). */
MUST_USE enum err_code model_cache_load_as(struct model_cache *cache,
					   const char *name, const char *config,
					   struct err *err);
/** with_dependents: ensembles of it too, and its steps that no other needs. */
MUST_USE enum err_code model_cache_unload(struct model_cache *cache,
					  const char *name,
					  bool with_dependents,
					  struct err *err);
/** version 0: the highest that is ready, as at first. One that is not there
 * (ERR_NOT_FOUND), or goes and comes again, has it when it comes. */
MUST_USE enum err_code model_cache_set_default(struct model_cache *cache,
					       const char *name,
					       int64_t version,
					       struct err *err);

/** version 0: the default one. ERR_NOT_FOUND names model or version,
 * ERR_NOT_READY the reason. The caller unrefs the model. */
MUST_USE enum err_code model_cache_find(struct model_cache *cache,
					const char *name, int64_t version,
					struct served_model **ret_model,
					struct err *err);
/** The number of a version that is given as text: a number, or a label of the
 * model. NULL is 0. ERR_NOT_FOUND when it is neither. */
MUST_USE enum err_code model_cache_version(struct model_cache *cache,
					   const char *name, const char *text,
					   int64_t *ret_version,
					   struct err *err);
/** Which versions of a model are served; its list is put in the arena. */
MUST_USE enum err_code model_cache_policy(struct model_cache *cache,
					  const char *name, struct arena *arena,
					  struct model_policy *ret,
					  struct err *err);
/** Counts a request in the rate of a model: 0, or how long to wait, in ns. */
int64_t model_cache_take_rate(struct model_cache *cache, const char *name);
/** The name of the only model, copied; NULL: there are none or several. */
const char *model_cache_sole(struct model_cache *cache, struct arena *arena);
/** The default version of the only one that is ready; ERR_INVALID: several. */
MUST_USE enum err_code model_cache_find_only(struct model_cache *cache,
					     struct served_model **ret_model,
					     struct err *err);
/** Every version of every model (of one, unless name is NULL), in order. */
MUST_USE enum err_code model_cache_list(struct model_cache *cache,
					const char *name, struct arena *arena,
					struct model_row **ret_rows,
					size_t *ret_n, struct err *err);
void model_cache_list_free(struct model_row *rows, size_t n);
/** How long each swap took, in ns. */
const struct histogram *model_cache_swaps(const struct model_cache *cache);
/** Of all models' constants. */
void model_cache_packs(struct model_cache *cache, struct pack_stats *ret);

/** "READY", "UNAVAILABLE", "LOADING", "UNLOADING" */
const char *model_state_name(enum model_state state);

#endif
