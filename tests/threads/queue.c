/* SPDX-License-Identifier: Apache-2.0 */
/* Every item that is put is taken exactly once, whoever puts and takes, and
 * takers end when the queue is closed. */
#include "base/queue.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "base/clock.h"

enum { THREADS = 4, ITEMS = 20000, CAPACITY = 8 };

struct work {
	struct queue *queue;
	int items[THREADS * ITEMS];
	atomic_int n_taken, n_faults;
};

struct share {
	struct work *work;
	int first;
};

static void *produce(void *arg)
{
	const struct share *share = arg;
	struct work *work = share->work;

	for (int i = 0; i < ITEMS; i++) {
		int *item = &work->items[share->first + i];

		*item += 1;
		if (queue_put(work->queue, item, CLOCK_FOREVER))
			atomic_fetch_add(&work->n_faults, 1);
	}
	return NULL;
}

static void *consume(void *arg)
{
	struct work *work = arg;
	enum err_code rc;
	void *item;

	do {
		rc = queue_take(work->queue, clock_deadline_ns(1), &item);
		if (rc == ERR_NONE) {
			*(int *)item += 1;
			atomic_fetch_add(&work->n_taken, 1);
		}
	} while (rc != ERR_CANCELLED);
	return NULL;
}

static int verdict(struct work *work)
{
	for (int i = 0; i < THREADS * ITEMS; i++)
		if (work->items[i] != 2) {
			(void)printf("item %d was handled %d times\n", i,
				     work->items[i]);
			return 1;
		}
	(void)printf("%d items taken, %d faults\n", work->n_taken,
		     work->n_faults);
	return work->n_taken != THREADS * ITEMS || work->n_faults != 0;
}

int main(void)
{
	static struct work work;
	struct share shares[THREADS];
	pthread_t producers[THREADS], consumers[THREADS];

	if (queue_create(CAPACITY, &work.queue, NULL))
		return 1;
	for (int i = 0; i < THREADS; i++) {
		shares[i] = (struct share){ &work, i * ITEMS };
		if (pthread_create(&consumers[i], NULL, consume, &work) ||
		    pthread_create(&producers[i], NULL, produce, &shares[i]))
			return 1;
	}
	for (int i = 0; i < THREADS; i++)
		(void)pthread_join(producers[i], NULL);
	queue_close(work.queue);
	for (int i = 0; i < THREADS; i++)
		(void)pthread_join(consumers[i], NULL);
	queue_destroy(work.queue);
	return verdict(&work);
}
