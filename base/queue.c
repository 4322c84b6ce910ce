/* SPDX-License-Identifier: Apache-2.0 */
#include "base/queue.h"

#include <pthread.h>
#include <stdbool.h>
#include <time.h>

#include "base/clock.h"
#include "base/mem.h"

struct queue {
	pthread_mutex_t lock; /* guards everything below */
	pthread_cond_t has_item, has_room;
	bool is_closed;
	size_t first, n, capacity;
	void *items[];
};

/* Waits are measured on the clock that nobody sets. */
static int init_locks(struct queue *queue)
{
	pthread_condattr_t attr;
	int rc = pthread_condattr_init(&attr);

	if (rc)
		return rc;
	rc = pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	if (rc)
		goto out_attr;
	rc = pthread_mutex_init(&queue->lock, NULL);
	if (rc)
		goto out_attr;
	rc = pthread_cond_init(&queue->has_item, &attr);
	if (rc)
		goto out_lock;
	rc = pthread_cond_init(&queue->has_room, &attr);
	if (rc == 0)
		goto out_attr;
	(void)pthread_cond_destroy(&queue->has_item);
out_lock:
	(void)pthread_mutex_destroy(&queue->lock);
out_attr:
	(void)pthread_condattr_destroy(&attr);
	return rc;
}

enum err_code queue_create(size_t capacity, struct queue **ret_queue,
			   struct err *err)
{
	struct queue *queue = NULL;
	size_t bytes;

	if (capacity == 0)
		return err_set(err, ERR_INVALID,
			       "queue: a capacity of 0 holds nothing");
	if (!__builtin_mul_overflow(capacity, sizeof(void *), &bytes) &&
	    !__builtin_add_overflow(bytes, sizeof(*queue), &bytes))
		queue = mem_zero(bytes);
	if (!queue)
		return err_set(err, ERR_NO_MEMORY,
			       "queue of %zu items: out of memory", capacity);
	queue->capacity = capacity;
	if (init_locks(queue)) {
		mem_free(queue);
		return err_set(err, ERR_NO_MEMORY, "queue: no lock to be had");
	}
	*ret_queue = queue;
	return ERR_NONE;
}

/* False once the deadline is past. */
static bool wait_until(struct queue *queue, pthread_cond_t *cond,
		       int64_t deadline_ns)
{
	struct timespec ts;

	if (deadline_ns == CLOCK_FOREVER)
		return pthread_cond_wait(cond, &queue->lock) == 0;
	if (deadline_ns < 0)
		deadline_ns = 0;
	ts.tv_sec = (time_t)(deadline_ns / 1000000000);
	ts.tv_nsec = (long)(deadline_ns % 1000000000);
	return pthread_cond_timedwait(cond, &queue->lock, &ts) == 0;
}

static void append(struct queue *queue, void *item)
{
	const size_t at = queue->first + queue->n;

	queue->items[at < queue->capacity ? at : at - queue->capacity] = item;
	queue->n++;
	(void)pthread_cond_signal(&queue->has_item);
}

enum err_code queue_try_put(struct queue *queue, void *item)
{
	enum err_code rc = ERR_NONE;

	(void)pthread_mutex_lock(&queue->lock);
	if (queue->is_closed)
		rc = ERR_CANCELLED;
	else if (queue->n == queue->capacity)
		rc = ERR_BUSY;
	else
		append(queue, item);
	(void)pthread_mutex_unlock(&queue->lock);
	return rc;
}

enum err_code queue_put(struct queue *queue, void *item, int64_t deadline_ns)
{
	enum err_code rc = ERR_NONE;
	bool has_time = true;

	(void)pthread_mutex_lock(&queue->lock);
	while (!queue->is_closed && queue->n == queue->capacity && has_time)
		has_time = wait_until(queue, &queue->has_room, deadline_ns);
	if (queue->is_closed)
		rc = ERR_CANCELLED;
	else if (queue->n == queue->capacity)
		rc = ERR_DEADLINE;
	else
		append(queue, item);
	(void)pthread_mutex_unlock(&queue->lock);
	return rc;
}

enum err_code queue_take(struct queue *queue, int64_t deadline_ns,
			 void **ret_item)
{
	enum err_code rc = ERR_NONE;
	bool has_time = true;

	(void)pthread_mutex_lock(&queue->lock);
	while (queue->n == 0 && !queue->is_closed && has_time)
		has_time = wait_until(queue, &queue->has_item, deadline_ns);
	if (queue->n) {
		*ret_item = queue->items[queue->first];
		if (++queue->first == queue->capacity)
			queue->first = 0;
		queue->n--;
		(void)pthread_cond_signal(&queue->has_room);
	} else {
		rc = queue->is_closed ? ERR_CANCELLED : ERR_DEADLINE;
	}
	(void)pthread_mutex_unlock(&queue->lock);
	return rc;
}

size_t queue_count(struct queue *queue)
{
	size_t n;

	(void)pthread_mutex_lock(&queue->lock);
	n = queue->n;
	(void)pthread_mutex_unlock(&queue->lock);
	return n;
}

void queue_close(struct queue *queue)
{
	(void)pthread_mutex_lock(&queue->lock);
	queue->is_closed = true;
	(void)pthread_cond_broadcast(&queue->has_item);
	(void)pthread_cond_broadcast(&queue->has_room);
	(void)pthread_mutex_unlock(&queue->lock);
}

void queue_destroy(struct queue *queue)
{
	if (!queue)
		return;
	(void)pthread_cond_destroy(&queue->has_room);
	(void)pthread_cond_destroy(&queue->has_item);
	(void)pthread_mutex_destroy(&queue->lock);
	mem_free(queue);
}
