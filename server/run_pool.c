/* SPDX-License-Identifier: Apache-2.0 */
#include "server/run_pool.h"

#include <pthread.h>

#include "base/clock.h"
#include "base/mem.h"

enum { THREADS_MAX = 1024, NAME_BYTES = 16 };

struct run_pool {
	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t wake;
	struct run_task *first; /* by due_ns */
	bool is_closing;
	unsigned n_threads;
	pthread_t *thread;
	char name[NAME_BYTES];
};

static struct timespec timespec_of(int64_t ns)
{
	return (struct timespec){ .tv_sec = ns / 1000000000,
				  .tv_nsec = ns % 1000000000 };
}

/* Waits until the first task is due and takes it; NULL when the pool closes.
 * Under the lock. */
static struct run_task *take_due(struct run_pool *pool)
{
	while (!pool->is_closing) {
		struct run_task *task = pool->first;
		struct timespec until;

		if (!task) {
			(void)pthread_cond_wait(&pool->wake, &pool->lock);
			continue;
		}
		if (task->due_ns <= clock_monotonic_ns()) {
			pool->first = task->next;
			task->is_queued = false;
			return task;
		}
		until = timespec_of(task->due_ns);
		(void)pthread_cond_timedwait(&pool->wake, &pool->lock, &until);
	}
	return NULL;
}

static void *work(void *arg)
{
	struct run_pool *pool = arg;
	struct run_task *task;

	(void)pthread_setname_np(pthread_self(), pool->name);
	(void)pthread_mutex_lock(&pool->lock);
	while ((task = take_due(pool))) {
		/* the next one may be due too, and this thread is busy now */
		if (pool->first)
			(void)pthread_cond_signal(&pool->wake);
		(void)pthread_mutex_unlock(&pool->lock);
		task->run(task);
		(void)pthread_mutex_lock(&pool->lock);
	}
	(void)pthread_mutex_unlock(&pool->lock);
	return NULL;
}

/* Waits are measured by the clock that deadlines are made of. */
static void init_sync(struct run_pool *pool)
{
	pthread_condattr_t attr;

	(void)pthread_mutex_init(&pool->lock, NULL);
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&pool->wake, &attr);
	(void)pthread_condattr_destroy(&attr);
}

enum err_code run_pool_create(unsigned n_threads, const char *name,
			      struct run_pool **ret_pool, struct err *err)
{
	struct run_pool *pool = mem_zero(sizeof(*pool));

	if (!pool || n_threads > THREADS_MAX)
		goto fail;
	init_sync(pool);
	(void)snprintf(pool->name, sizeof(pool->name), "%s", name);
	pool->thread = mem_array(n_threads, sizeof(*pool->thread));
	if (!pool->thread)
		goto fail;
	while (pool->n_threads < n_threads) {
		if (pthread_create(&pool->thread[pool->n_threads], NULL, work,
				   pool) != 0)
			goto fail;
		pool->n_threads++;
	}
	*ret_pool = pool;
	return ERR_NONE;
fail:
	if (pool && pool->thread)
		run_pool_destroy(pool);
	else
		mem_free(pool);
	return err_set(err, ERR_NO_MEMORY, "cannot start %u threads '%s'",
		       n_threads, name);
}

/* Under the lock. */
static void insert(struct run_pool *pool, struct run_task *task)
{
	struct run_task **link = &pool->first;

	while (*link && (*link)->due_ns <= task->due_ns)
		link = &(*link)->next;
	task->next = *link;
	*link = task;
	task->is_queued = true;
}

static void take_out(struct run_pool *pool, struct run_task *task)
{
	struct run_task **link = &pool->first;

	while (*link != task)
		link = &(*link)->next;
	*link = task->next;
}

bool run_pool_schedule(struct run_pool *pool, struct run_task *task,
		       int64_t due_ns)
{
	bool was_queued;

	(void)pthread_mutex_lock(&pool->lock);
	was_queued = task->is_queued;
	if (was_queued && due_ns < task->due_ns)
		take_out(pool, task);
	if (!was_queued || due_ns < task->due_ns) {
		task->due_ns = due_ns;
		insert(pool, task);
		if (pool->first == task)
			(void)pthread_cond_signal(&pool->wake);
	}
	(void)pthread_mutex_unlock(&pool->lock);
	return !was_queued;
}

void run_pool_destroy(struct run_pool *pool)
{
	if (!pool)
		return;
	(void)pthread_mutex_lock(&pool->lock);
	pool->is_closing = true;
	(void)pthread_cond_broadcast(&pool->wake);
	(void)pthread_mutex_unlock(&pool->lock);
	for (unsigned i = 0; i < pool->n_threads; i++)
		(void)pthread_join(pool->thread[i], NULL);
	while (pool->first) {
		struct run_task *task = pool->first;

		pool->first = task->next;
		task->is_queued = false;
		task->run(task);
	}
	(void)pthread_cond_destroy(&pool->wake);
	(void)pthread_mutex_destroy(&pool->lock);
	mem_free(pool->thread);
	mem_free(pool);
}
