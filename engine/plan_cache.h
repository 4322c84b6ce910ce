/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Plan cache: plans of one graph by signature, and instances ready to run.
 *
 * plan_cache_acquire() lends an instance of the plan for a signature: an idle
 * one, else a new one, else a new plan's. Plans and instances are made outside
 * the lock; two threads that meet an unknown signature at once may both plan
 * it, and one of the plans then serves its first run only. Beyond the bounds
 * the plans and instances used longest ago go. Inputs whose values decide
 * shapes have a plan for each value, until half of max_plans are of the same
 * shapes: one more then serves every other value, and shapes as it runs.
 *
 * Ownership: create/destroy. The graph and its memory must outlive the cache;
 *            every instance lent must come back before destroy.
 * Threads:   every function but destroy may be called from any thread.
 * Limits:    max_plans, and max_bytes of idle instances.
 */
#ifndef ENGINE_PLAN_CACHE_H
#define ENGINE_PLAN_CACHE_H

#include "engine/instance.h"

enum {
	PLAN_CACHE_PLANS = 32,	     /**< a good max_plans */
	PLAN_CACHE_IDLE = 16,	     /**< idle instances of one plan */
	PLAN_CACHE_VALUE_BYTES = 64, /**< of an input that may shape a plan */
};

struct plan_cache;

struct plan_cache_options {
	struct plan_options plan;
	unsigned max_plans; /**< 0: PLAN_CACHE_PLANS */
	size_t max_bytes;   /**< 0: no bound */
};

struct plan_cache_stats {
	uint64_t n_hits;    /**< an idle instance was there */
	uint64_t n_grown;   /**< a plan was there, an instance was made */
	uint64_t n_misses;  /**< a plan was made */
	uint64_t n_evicted; /**< plans */
	size_t n_plans, n_idle, n_lent;
	size_t idle_bytes, lent_bytes;
};

MUST_USE enum err_code
plan_cache_create(const struct graph *graph,
		  const struct plan_cache_options *options,
		  struct plan_cache **ret_cache, struct err *err);
/** NULL is fine. */
void plan_cache_destroy(struct plan_cache *cache);

/** True when input i's value reaches a port that decides a shape. Signatures
 * may give the values of all inputs: the cache looks at those of such inputs
 * only, up to PLAN_CACHE_VALUE_BYTES. */
bool plan_cache_wants_value(const struct plan_cache *cache, unsigned i);

/** The instance is the caller's until plan_cache_release(). */
MUST_USE enum err_code plan_cache_acquire(struct plan_cache *cache,
					  const struct signature *signature,
					  struct instance **ret_instance,
					  struct err *err);
void plan_cache_release(struct plan_cache *cache, struct instance *instance);

/** Makes the plans that `from` has now, each with an instance or two, in the
 * order in which they were used; what this graph does not allow is left out.
 * For a graph that takes the place of another, before anybody runs it. Returns
 * how many there are. */
unsigned plan_cache_follow(struct plan_cache *cache, struct plan_cache *from);

void plan_cache_stats(struct plan_cache *cache, struct plan_cache_stats *ret);

#endif
