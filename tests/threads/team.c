/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Teams under ThreadSanitizer: every slice runs exactly once, also while
 * helpers are stopped at their worst moment and leaders share one pool.
 */
#include "engine/team.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "engine/flush.h"
#include "engine/team_priv.h"

#define CHECK(condition)                                               \
	do {                                                           \
		if (!(condition)) {                                    \
			(void)fprintf(stderr, "%s:%d: %s\n", __FILE__, \
				      __LINE__, #condition);           \
			return 1;                                      \
		}                                                      \
	} while (0)

enum { SLICES = 37, RUNS = 4000, LEADERS = 4, HELPERS = 3 };

/* plain memory: ThreadSanitizer sees whether the hand-over orders it */
struct work {
	int64_t count[SLICES];
	int64_t sum[SLICES];
	int64_t add;
	int64_t sleep_ms;
	pthread_t leader;
	_Atomic unsigned by_others;
};

static void add_slice(void *arg, unsigned slice)
{
	struct work *work = arg;

	work->count[slice]++;
	work->sum[slice] += work->add;
	if (!pthread_equal(work->leader, pthread_self())) {
		(void)atomic_fetch_add(&work->by_others, 1);
		if (work->sleep_ms)
			clock_sleep_ms(work->sleep_ms);
	} else if (work->sleep_ms) {
		clock_sleep_ms(1); /* helpers come in, however busy it is */
	}
}

/** The same by another function, so that a stale claim would show. */
static void subtract_slice(void *arg, unsigned slice)
{
	struct work *work = arg;

	work->count[slice]++;
	work->sum[slice] -= work->add;
}

/** Runs of 1 to SLICES slices; 0 when each ran once. */
static int run_many(struct pool *pool, unsigned want, struct work *work)
{
	int64_t count[SLICES] = { 0 }, sum[SLICES] = { 0 };
	struct team team;

	work->leader = pthread_self();
	for (int run = 0; run < RUNS; run++) {
		unsigned n = 1 + (unsigned)run % SLICES;

		team_borrow(pool, want, &team);
		CHECK(team.n <= want);
		for (int step = 0; step < 3; step++) {
			work->add = run + step;
			team_run(&team, n,
				 step == 1 ? subtract_slice : add_slice, work);
			for (unsigned i = 0; i < n; i++) {
				count[i]++;
				sum[i] += step == 1 ? -work->add : work->add;
			}
		}
		team_return(&team);
		CHECK(!team.n && !team.helpers);
	}
	CHECK(!memcmp(count, work->count, sizeof(count)));
	CHECK(!memcmp(sum, work->sum, sizeof(sum)));
	return 0;
}

static int every_slice_runs_once(void)
{
	for (unsigned helpers = 0; helpers <= HELPERS; helpers++) {
		struct work work = { 0 };
		struct pool *pool = NULL;
		int bad;

		CHECK(!pool_create(helpers, &pool, NULL));
		bad = run_many(pool, HELPERS, &work);
		pool_destroy(pool);
		CHECK(!bad);
		CHECK(helpers || !work.by_others);
	}
	CHECK(pool_create(TEAM_MAX + 1, &(struct pool *){ NULL }, NULL) ==
	      ERR_INVALID);
	return 0;
}

struct leader {
	struct pool *pool;
	struct work work;
	int bad;
};

static void *lead(void *arg)
{
	struct leader *leader = arg;

	leader->bad = run_many(leader->pool, 2, &leader->work);
	return NULL;
}

struct disturber {
	struct pool *pool;
	atomic_bool has_ended;
};

/** Stops and frees helpers between look and claim. */
static void *disturb(void *arg)
{
	struct disturber *disturber = arg;

	for (unsigned i = 0; !atomic_load(&disturber->has_ended); i++) {
		pool_pause(disturber->pool, i % HELPERS, true);
		(void)usleep(i % 7 * 30);
		pool_pause(disturber->pool, i % HELPERS, false);
	}
	return NULL;
}

static int leaders_share_a_pool(void)
{
	static struct leader leader[LEADERS];
	struct disturber disturber = { 0 };
	pthread_t thread[LEADERS], other;

	CHECK(!pool_create(HELPERS, &disturber.pool, NULL));
	CHECK(!pthread_create(&other, NULL, disturb, &disturber));
	for (int i = 0; i < LEADERS; i++) {
		leader[i].pool = disturber.pool;
		CHECK(!pthread_create(&thread[i], NULL, lead, &leader[i]));
	}
	for (int i = 0; i < LEADERS; i++)
		CHECK(!pthread_join(thread[i], NULL));
	atomic_store(&disturber.has_ended, true);
	CHECK(!pthread_join(other, NULL));
	pool_destroy(disturber.pool);
	for (int i = 0; i < LEADERS; i++)
		CHECK(!leader[i].bad);
	return 0;
}

static int helpers_are_lent_once(void)
{
	struct pool *pool = NULL;
	struct team a, b, c;

	CHECK(!pool_create(HELPERS, &pool, NULL));
	team_borrow(pool, 1, &a);
	team_borrow(pool, TEAM_MAX, &b);
	team_borrow(pool, 1, &c);
	CHECK(a.n == 1 && b.n >= 1 && a.n + b.n + c.n <= HELPERS);
	CHECK(!(a.helpers & b.helpers) && !(a.helpers & c.helpers));
	CHECK(!(b.helpers & c.helpers));
	team_return(&a);
	team_return(&b);
	team_return(&c);
	team_borrow(NULL, 3, &a);
	CHECK(!a.n);
	team_return(&a);
	pool_destroy(pool);
	return 0;
}

static int a_helper_stopped_before_its_claim_delays_nobody(void)
{
	struct work work = { .leader = pthread_self(), .add = 1 };
	struct pool *pool = NULL;
	struct team team;
	int64_t start;

	CHECK(!pool_create(HELPERS, &pool, NULL));
	for (unsigned i = 0; i < HELPERS; i++)
		pool_pause(pool, i, true);
	team_borrow(pool, HELPERS, &team);
	CHECK(team.n >= HELPERS - 1);
	start = clock_monotonic_ns();
	for (int run = 0; run < 50; run++)
		team_run(&team, SLICES, add_slice, &work);
	CHECK(clock_monotonic_ns() - start < 5000000000);
	CHECK(!work.by_others);
	for (unsigned i = 0; i < SLICES; i++)
		CHECK(work.count[i] == 50);
	for (unsigned i = 0; i < HELPERS; i++)
		pool_pause(pool, i, false);
	team_return(&team);
	pool_destroy(pool);
	return 0;
}

/** Leader and helpers sleep and are woken, both ways. */
static int a_leader_waits_for_slices_begun(void)
{
	struct work work = { .leader = pthread_self(),
			     .add = 1,
			     .sleep_ms = 3 };
	struct pool *pool = NULL;
	struct team team;
	int64_t runs = 0;

	CHECK(!pool_create(HELPERS, &pool, NULL));
	team_borrow(pool, HELPERS, &team);
	for (; runs < 200 && work.by_others < 50; runs++) {
		team_run(&team, SLICES, add_slice, &work);
		for (unsigned i = 0; i < SLICES; i++)
			CHECK(work.count[i] == runs + 1);
	}
	CHECK(work.by_others >= 50);
	team_return(&team);
	pool_destroy(pool);
	return 0;
}

struct tiny {
	pthread_t leader;
	volatile float value;
	_Atomic unsigned flushed, kept;
};

static void halve(void *arg, unsigned slice)
{
	struct tiny *tiny = arg;

	(void)slice;
	if (pthread_equal(tiny->leader, pthread_self()))
		clock_sleep_ms(1);
	else if (tiny->value * 0.5f > 0.0f)
		(void)atomic_fetch_add(&tiny->kept, 1);
	else
		(void)atomic_fetch_add(&tiny->flushed, 1);
}

static int helpers_flush_denormal_numbers(void)
{
	struct tiny tiny = { .leader = pthread_self(), .value = 1.2e-38f };
	struct pool *pool = NULL;
	struct team team;
	uint64_t old;

	CHECK(tiny.value * 0.5f > 0.0f);
	old = flush_begin();
	CHECK(!(tiny.value * 0.5f > 0.0f));
	flush_end(old);
	CHECK(tiny.value * 0.5f > 0.0f);
	CHECK(!pool_create(HELPERS, &pool, NULL));
	team_borrow(pool, HELPERS, &team);
	for (int i = 0; i < 1000 && !tiny.flushed && !tiny.kept; i++)
		team_run(&team, SLICES, halve, &tiny);
	CHECK(tiny.flushed && !tiny.kept);
	team_return(&team);
	pool_destroy(pool);
	return 0;
}

static int write_file(const char *dir, const char *name, const char *text)
{
	char path[512];
	FILE *file;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	file = fopen(path, "we");
	CHECK(file);
	CHECK(fputs(text, file) >= 0);
	CHECK(!fclose(file));
	return 0;
}

/* A helper that sleeps is there for a slice that comes soon after it was woken,
 * although nobody wakes it for that. */
static int woken_helpers_come(void)
{
	struct work work = { .sleep_ms = 20, .leader = pthread_self() };
	struct pool *pool;
	struct team team;

	CHECK(!pool_create(1, &pool, NULL));
	for (int run = 0; run < 20; run++) {
		clock_sleep_ms(1);
		team_borrow(pool, 1, &team);
		CHECK(team.n == 1);
		for (int i = 0; i < 3; i++)
			team_wake(&team);
		team_run(&team, 2, add_slice, &work);
		team_return(&team);
		CHECK(work.count[0] == run + 1 && work.count[1] == run + 1);
	}
	CHECK(atomic_load(&work.by_others));
	team_borrow(NULL, 1, &team);
	team_wake(&team); /* of nobody */
	pool_destroy(pool);
	return 0;
}

static int quotas_are_rounded_up(void)
{
	char root[] = "/tmp/predictd-team-XX"
		      "XX"
		      "XX",
	     dir[64], list[64];

	CHECK(mkdtemp(root));
	(void)snprintf(list, sizeof(list), "%s/self", root);
	CHECK(!cgroup_cpus(root, list));
	CHECK(!write_file(root, "self", "4:cpuset:/x\n0::/a/b\n"));
	CHECK(!cgroup_cpus(root, list));
	(void)snprintf(dir, sizeof(dir), "%s/a", root);
	CHECK(!mkdir(dir, 0700));
	CHECK(!write_file(dir, "cpu.max", "max 100000\n"));
	CHECK(!cgroup_cpus(root, list));
	CHECK(!write_file(dir, "cpu.max", "250000 100000\n"));
	CHECK(cgroup_cpus(root, list) == 3);
	(void)snprintf(dir, sizeof(dir), "%s/a/b", root);
	CHECK(!mkdir(dir, 0700));
	CHECK(!write_file(dir, "cpu.max", "20000 100000\n"));
	CHECK(cgroup_cpus(root, list) == 1);
	CHECK(!write_file(dir, "cpu.max", "900000 100000\n"));
	CHECK(cgroup_cpus(root, list) == 3);
	CHECK(!write_file(root, "self", "4:cpuacct,cpu:/c\n"));
	(void)snprintf(dir, sizeof(dir), "%s/cpu", root);
	CHECK(!mkdir(dir, 0700));
	CHECK(!write_file(dir, "cpu.cfs_quota_us", "-1\n"));
	CHECK(!write_file(dir, "cpu.cfs_period_us", "100000\n"));
	CHECK(!cgroup_cpus(root, list));
	CHECK(!write_file(dir, "cpu.cfs_quota_us", "400001\n"));
	CHECK(cgroup_cpus(root, list) == 5);
	CHECK(pool_cpus() >= 1);
	return 0;
}

int main(void)
{
	int bad = every_slice_runs_once();

	bad |= leaders_share_a_pool();
	bad |= helpers_are_lent_once();
	bad |= a_helper_stopped_before_its_claim_delays_nobody();
	bad |= a_leader_waits_for_slices_begun();
	bad |= helpers_flush_denormal_numbers();
	bad |= woken_helpers_come();
	bad |= quotas_are_rounded_up();
	return bad;
}
