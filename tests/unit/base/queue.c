/* SPDX-License-Identifier: Apache-2.0 */
#include "base/queue.h"

#include <criterion/criterion.h>

#include "base/clock.h"
#include "base/mem.h"

static struct queue *make(size_t capacity)
{
	struct queue *queue = NULL;

	cr_assert_eq(queue_create(capacity, &queue, NULL), ERR_NONE);
	return queue;
}

Test(queue, gives_back_in_order_and_wraps)
{
	struct queue *queue = make(3);
	int items[10];
	void *got;

	for (int i = 0; i < 10; i++) {
		cr_assert_eq(queue_try_put(queue, &items[i]), ERR_NONE);
		if (i < 1)
			continue;
		cr_assert_eq(queue_take(queue, 0, &got), ERR_NONE);
		cr_assert_eq(got, &items[i - 1]);
	}
	cr_assert_eq(queue_count(queue), 1);
	queue_destroy(queue);
	queue_destroy(NULL);
}

Test(queue, is_busy_when_full)
{
	struct queue *queue = make(2);
	int item;

	cr_assert_eq(queue_try_put(queue, &item), ERR_NONE);
	cr_assert_eq(queue_put(queue, &item, 0), ERR_NONE);
	cr_assert_eq(queue_try_put(queue, &item), ERR_BUSY);
	cr_assert_eq(queue_put(queue, &item, clock_deadline_ns(10)),
		     ERR_DEADLINE);
	queue_destroy(queue);
}

Test(queue, waits_no_longer_than_the_deadline)
{
	struct queue *queue = make(2);
	const int64_t before = clock_monotonic_ns();
	void *got;
	int64_t ms;

	cr_assert_eq(queue_take(queue, clock_deadline_ns(30), &got),
		     ERR_DEADLINE);
	ms = (clock_monotonic_ns() - before) / 1000000;
	cr_assert(ms >= 29 && ms < 5000, "%lld", (long long)ms);
	cr_assert_eq(queue_take(queue, -5, &got), ERR_DEADLINE);
	queue_destroy(queue);
}

Test(queue, drains_after_it_was_closed)
{
	struct queue *queue = make(2);
	int item;
	void *got;

	cr_assert_eq(queue_try_put(queue, &item), ERR_NONE);
	queue_close(queue);
	queue_close(queue);
	cr_assert_eq(queue_try_put(queue, &item), ERR_CANCELLED);
	cr_assert_eq(queue_put(queue, &item, CLOCK_FOREVER), ERR_CANCELLED);
	cr_assert_eq(queue_take(queue, CLOCK_FOREVER, &got), ERR_NONE);
	cr_assert_eq(queue_take(queue, CLOCK_FOREVER, &got), ERR_CANCELLED);
	queue_destroy(queue);
}

Test(queue, refuses_what_it_cannot_hold)
{
	struct queue *queue = NULL;
	struct err err;

	cr_assert_eq(queue_create(0, &queue, &err), ERR_INVALID);
	cr_assert_eq(queue_create(SIZE_MAX / 4, &queue, &err), ERR_NO_MEMORY);
	mem_fail_at(1);
	cr_assert_eq(queue_create(4, &queue, &err), ERR_NO_MEMORY);
	cr_assert_null(queue);
}
