/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Team: a leader and the helpers lent to it for one run.
 *
 * Slices are claimed, never assigned: the leader publishes (run, step) and
 * anyone claims the next slice by compare-and-swap on one word that holds
 * both, so a claim for an old step fails. The leader waits only for slices
 * begun, never for a helper to come. Helpers are pinned, one a CPU; they spin
 * 50 us for the next step, then sleep on a futex.
 *
 * Ownership: the pool owns its threads; a team lives on the leader's stack.
 * Threads:   pools may be used from any thread; a team by its leader.
 * Limits:    TEAM_MAX helpers.
 */
#ifndef ENGINE_TEAM_H
#define ENGINE_TEAM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

enum { TEAM_MAX = 64 };

struct pool;

struct team {
	struct pool *pool;
	unsigned n;	  /**< helpers lent; 0: alone */
	uint64_t helpers; /**< bit i: helper i */
};

/** Lends n_helpers threads beside the callers; 0 is fine. Pins helper i to CPU
 * i of the process's affinity where that exists. Where there is a CPU left, one
 * thread more sleeps there: a leader on any of them finds n_helpers elsewhere.
 */
MUST_USE enum err_code pool_create(unsigned n_helpers, struct pool **ret_pool,
				   struct err *err);
void pool_destroy(struct pool *pool);
/** CPUs this process may use: affinity, then the cgroup's quota. */
unsigned pool_cpus(void);

/** Never waits: lends what is free, even none, and skips the leader's CPU. */
void team_borrow(struct pool *pool, unsigned want, struct team *ret_team);
void team_return(struct team *team);

/** Wakes helpers that sleep, without waiting for them: work comes soon. They
 * sleep again when none has come for 50 us. */
void team_wake(struct team *team);

/** One stretch of work of n slices; fn(arg, slice) runs each exactly once, on
 * the leader and its helpers. Returns when all have ended. */
void team_run(struct team *team, unsigned n_slices,
	      void (*fn)(void *arg, unsigned slice), void *arg);

#endif
