/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Team: claims, parking and lending.
 *
 * A crew is where one leader and its helpers meet; it belongs to the pool, so
 * that a helper which wakes late never looks at a leader's stack. Its `word`
 * holds the generation of the work and how many slices are left to claim. A
 * claim takes one off by compare-and-swap, so that it fails when the work has
 * changed since the helper looked. What the work is (fn, arg, n) is read
 * before the claim and counts only if the claim succeeds: the leader changes
 * it only when nothing is left to claim and every slice begun has ended.
 *
 * Sleeping is Dekker's pattern: a helper says that it sleeps and looks once
 * more; a leader publishes work and then looks who sleeps. Both use the total
 * order of sequentially consistent accesses, so one of them sees the other.
 */
#include "engine/team.h"

#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "engine/flush.h"
#include "engine/team_priv.h"

enum {
	SPIN_NS = 50000, /* a parked thread takes 12 to 60 us to wake */
	LOOKS = 64,	 /* at the work between two at the clock */
	SLICE_BITS = 24, /* the other 40 count generations */
	NOBODY = TEAM_MAX,
	CPU_SETS = 8, /* room for 8192 CPUs */
};
#define SLICES_MAX ((1u << SLICE_BITS) - 1)

typedef void slice_fn(void *arg, unsigned slice);

struct crew {
	_Alignas(64) _Atomic uint64_t word; /* generation, slices left */
	_Atomic(slice_fn *) fn;
	_Atomic(void *) arg;
	_Atomic uint32_t n;
	_Alignas(64) _Atomic uint32_t done; /* slices; the leader's futex */
	_Atomic bool leader_sleeps;
};

struct helper {
	_Alignas(64) _Atomic uint32_t asleep; /* futex */
	_Atomic unsigned crew;		      /* NOBODY: not lent */
	_Atomic bool is_paused;
	struct pool *pool;
	pthread_t thread;
	unsigned number;
	int cpu; /* -1: not pinned */
};

struct pool {
	struct crew crew[TEAM_MAX]; /* a team meets in its first helper's */
	struct helper helper[TEAM_MAX];
	_Alignas(64) _Atomic uint64_t idle; /* bit i: helper i can be lent */
	unsigned n_helpers;
	unsigned n_lent; /* at most, at once */
	_Atomic bool has_stopped;
};

static void futex_wait(_Atomic uint32_t *word, uint32_t value)
{
	(void)syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL,
		      0);
}

static void futex_wake(_Atomic uint32_t *word)
{
	(void)syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void relax(void)
{
#if defined(__SSE2__)
	_mm_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

/** Claims and runs one slice; false when none is left. is_paused: the flag of
 * a helper, NULL for the leader. */
static bool crew_help(struct crew *crew, const _Atomic bool *is_paused)
{
	uint64_t word = atomic_load_explicit(&crew->word, memory_order_acquire);
	slice_fn *fn;
	void *arg;
	uint32_t n, left;

	do {
		left = (uint32_t)(word & SLICES_MAX);
		if (!left)
			return false;
		fn = atomic_load_explicit(&crew->fn, memory_order_relaxed);
		arg = atomic_load_explicit(&crew->arg, memory_order_relaxed);
		n = atomic_load_explicit(&crew->n, memory_order_relaxed);
		while (is_paused && atomic_load(is_paused))
			(void)sched_yield();
	} while (!atomic_compare_exchange_weak_explicit(
	    &crew->word, &word, word - 1, memory_order_acq_rel,
	    memory_order_acquire));

	fn(arg, n - left);
	if (atomic_fetch_add(&crew->done, 1) + 1 == n &&
	    atomic_load(&crew->leader_sleeps))
		futex_wake(&crew->done);
	return true;
}

static bool has_work(struct helper *helper)
{
	unsigned crew = atomic_load(&helper->crew);

	return crew != NOBODY &&
	       (atomic_load(&helper->pool->crew[crew].word) & SLICES_MAX);
}

/** True when there is work, or the pool stops, within SPIN_NS. */
static bool spin(struct helper *helper)
{
	const int64_t until = clock_monotonic_ns() + SPIN_NS;

	do {
		for (int i = 0; i < LOOKS; i++) {
			if (has_work(helper))
				return true;
			relax();
		}
		if (atomic_load(&helper->pool->has_stopped))
			return true;
	} while (clock_monotonic_ns() < until);
	return false;
}

static void park(struct helper *helper)
{
	atomic_store(&helper->asleep, 1);
	if (has_work(helper) || atomic_load(&helper->pool->has_stopped)) {
		atomic_store(&helper->asleep, 0);
		return;
	}
	while (atomic_load(&helper->asleep))
		futex_wait(&helper->asleep, 1);
}

static void wake(struct helper *helper)
{
	if (atomic_load(&helper->asleep) && atomic_exchange(&helper->asleep, 0))
		futex_wake(&helper->asleep);
}

static void *helper_main(void *arg)
{
	struct helper *helper = arg;
	struct pool *pool = helper->pool;
	char name[16];

	(void)snprintf(name, sizeof(name), "team-%u", helper->number);
	(void)pthread_setname_np(pthread_self(), name);
	(void)flush_begin();
	while (!atomic_load(&pool->has_stopped)) {
		unsigned crew = atomic_load(&helper->crew);

		if (crew != NOBODY &&
		    crew_help(&pool->crew[crew], &helper->is_paused))
			continue;
		if (!spin(helper))
			park(helper);
	}
	return NULL;
}

/** The CPU number `nth` of the process's affinity, or -1. */
static int nth_cpu(const cpu_set_t *set, unsigned nth)
{
	for (int cpu = 0; cpu < CPU_SETS * CPU_SETSIZE; cpu++)
		if (CPU_ISSET_S((size_t)cpu, CPU_SETS * sizeof(*set), set) &&
		    nth-- == 0)
			return cpu;
	return -1;
}

/** A pin that fails costs speed only. */
static void pin(const struct helper *helper)
{
	cpu_set_t set[CPU_SETS];

	if (helper->cpu < 0)
		return;
	CPU_ZERO_S(sizeof(set), set);
	CPU_SET_S((size_t)helper->cpu, sizeof(set), set);
	(void)pthread_setaffinity_np(helper->thread, sizeof(set), set);
}

/** Signals are for the threads that expect them: helpers block all. */
static enum err_code start(struct helper *helper, struct err *err)
{
	sigset_t all, old;
	int fault;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &old);
	fault = pthread_create(&helper->thread, NULL, helper_main, helper);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (fault)
		return err_set(err, ERR_NO_MEMORY,
			       "team: cannot start helper %u: error %d",
			       helper->number, fault);
	pin(helper);
	return ERR_NONE;
}

enum err_code pool_create(unsigned n_helpers, struct pool **ret_pool,
			  struct err *err)
{
	struct pool *pool = NULL;
	cpu_set_t set[CPU_SETS];
	unsigned n_threads = n_helpers;
	enum err_code rc = ERR_NONE;

	if (n_helpers > TEAM_MAX)
		return err_set(err, ERR_INVALID,
			       "team: at most %d helpers, %u were asked for",
			       TEAM_MAX, n_helpers);
	pool = mem_aligned(sizeof(*pool));
	if (!pool)
		return err_set(err, ERR_NO_MEMORY, "team: out of memory");
	memset(pool, 0, sizeof(*pool));
	CPU_ZERO_S(sizeof(set), set);
	(void)sched_getaffinity(0, sizeof(set), set);
	/* one more, so that wherever the leader is, there are n elsewhere */
	if (n_helpers && n_helpers < TEAM_MAX && nth_cpu(set, n_helpers) >= 0)
		n_threads++;
	pool->n_lent = n_helpers;
	while (pool->n_helpers < n_threads) {
		struct helper *helper = &pool->helper[pool->n_helpers];

		helper->pool = pool;
		helper->number = pool->n_helpers;
		helper->cpu = nth_cpu(set, helper->number);
		atomic_store(&helper->crew, NOBODY);
		rc = start(helper, err);
		if (rc)
			goto out;
		pool->n_helpers++;
	}
	atomic_store(&pool->idle,
		     n_threads ? UINT64_MAX >> (64 - n_threads) : 0);
	*ret_pool = pool;
	pool = NULL;
out:
	pool_destroy(pool);
	return rc;
}

void pool_destroy(struct pool *pool)
{
	if (!pool)
		return;
	atomic_store(&pool->has_stopped, true);
	for (unsigned i = 0; i < pool->n_helpers; i++)
		wake(&pool->helper[i]);
	for (unsigned i = 0; i < pool->n_helpers; i++)
		(void)pthread_join(pool->helper[i].thread, NULL);
	mem_free(pool);
}

void pool_pause(struct pool *pool, unsigned i, bool is_paused)
{
	atomic_store(&pool->helper[i].is_paused, is_paused);
}

/** All helpers but the one on the caller's CPU, which would only stand in the
 * caller's way. */
static uint64_t elsewhere(const struct pool *pool)
{
	int cpu = sched_getcpu();

	for (unsigned i = 0; cpu >= 0 && i < pool->n_helpers; i++)
		if (pool->helper[i].cpu == cpu)
			return ~(UINT64_C(1) << i);
	return UINT64_MAX;
}

/** How many of `want` may be lent while those of `idle` are not. */
static unsigned allowed(const struct pool *pool, uint64_t idle, unsigned want)
{
	const unsigned lent =
	    pool->n_helpers - (unsigned)__builtin_popcountll(idle);
	const unsigned left = lent < pool->n_lent ? pool->n_lent - lent : 0;

	return want < left ? want : left;
}

/** The lowest `n` bits that are set. */
static uint64_t lowest(uint64_t bits, unsigned n)
{
	uint64_t taken = 0;

	for (; bits && n; n--) {
		taken |= bits & -bits;
		bits &= bits - 1;
	}
	return taken;
}

void team_borrow(struct pool *pool, unsigned want, struct team *ret_team)
{
	struct team team = { .pool = pool };
	uint64_t idle, mask;

	if (pool && want) {
		mask = elsewhere(pool);
		idle = atomic_load(&pool->idle);
		do
			team.helpers =
			    lowest(idle & mask, allowed(pool, idle, want));
		while (!atomic_compare_exchange_weak(&pool->idle, &idle,
						     idle & ~team.helpers));
	}
	team.n = (unsigned)__builtin_popcountll(team.helpers);
	for (uint64_t rest = team.helpers; rest; rest &= rest - 1)
		atomic_store(&pool->helper[__builtin_ctzll(rest)].crew,
			     (unsigned)__builtin_ctzll(team.helpers));
	*ret_team = team;
}

void team_return(struct team *team)
{
	for (uint64_t rest = team->helpers; rest; rest &= rest - 1)
		atomic_store(&team->pool->helper[__builtin_ctzll(rest)].crew,
			     NOBODY);
	if (team->helpers)
		(void)atomic_fetch_or(&team->pool->idle, team->helpers);
	team->helpers = 0;
	team->n = 0;
}

void team_wake(struct team *team)
{
	for (uint64_t rest = team->helpers; rest; rest &= rest - 1)
		wake(&team->pool->helper[__builtin_ctzll(rest)]);
}

static void publish(struct crew *crew, unsigned n_slices, slice_fn *fn,
		    void *arg)
{
	uint64_t generation =
	    (atomic_load_explicit(&crew->word, memory_order_relaxed) >>
	     SLICE_BITS) +
	    1;

	atomic_store_explicit(&crew->fn, fn, memory_order_relaxed);
	atomic_store_explicit(&crew->arg, arg, memory_order_relaxed);
	atomic_store_explicit(&crew->n, n_slices, memory_order_relaxed);
	atomic_store_explicit(&crew->done, 0, memory_order_relaxed);
	atomic_store(&crew->word, generation << SLICE_BITS | n_slices);
}

/** Until the slices that others began have ended. */
static void wait_done(struct crew *crew, uint32_t n)
{
	const int64_t until = clock_monotonic_ns() + SPIN_NS;
	uint32_t done;

	do {
		for (int i = 0; i < LOOKS; i++) {
			if (atomic_load(&crew->done) == n)
				return;
			relax();
		}
	} while (clock_monotonic_ns() < until);
	atomic_store(&crew->leader_sleeps, true);
	while ((done = atomic_load(&crew->done)) != n)
		futex_wait(&crew->done, done);
	atomic_store(&crew->leader_sleeps, false);
}

void team_run(struct team *team, unsigned n_slices, slice_fn *fn, void *arg)
{
	struct crew *crew;
	unsigned wanted;

	if (!team || !team->helpers || n_slices < 2 || n_slices > SLICES_MAX) {
		for (unsigned i = 0; i < n_slices; i++)
			fn(arg, i);
		return;
	}
	crew = &team->pool->crew[__builtin_ctzll(team->helpers)];
	publish(crew, n_slices, fn, arg);
	wanted = n_slices - 1; /* the leader takes one at least */
	for (uint64_t rest = team->helpers; rest && wanted; wanted--) {
		wake(&team->pool->helper[__builtin_ctzll(rest)]);
		rest &= rest - 1;
	}
	while (crew_help(crew, NULL))
		;
	if (atomic_load(&crew->done) != n_slices)
		wait_done(crew, n_slices);
}
