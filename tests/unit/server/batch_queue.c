/* SPDX-License-Identifier: Apache-2.0 */
#include "server/batch_queue.h"

#include <criterion/criterion.h>

#include "base/clock.h"

enum { CALLS = 8 };

struct bench {
	struct batch_queue queue;
	struct infer_call call[CALLS];
	struct tensor_view input[CALLS];
	struct batch_rules rules;
	unsigned n;
};

static void begin(struct bench *b)
{
	memset(b, 0, sizeof(*b));
	batch_queue_init(&b->queue);
	b->rules = (struct batch_rules){ .batches = true, .max_rows = 8 };
}

static struct infer_call *put_with(struct bench *b, int64_t rows, int64_t width,
				   unsigned priority, int64_t deadline_ns)
{
	struct infer_call *call = &b->call[b->n];

	b->input[b->n].shape = (struct shape){ 2, { rows, width } };
	*call = (struct infer_call){ .n_inputs = 1,
				     .input = &b->input[b->n],
				     .rows = rows,
				     .priority = priority,
				     .deadline_ns = deadline_ns,
				     .queued_ns = 1000 + b->n };
	batch_queue_put(&b->queue, call);
	b->n++;
	return call;
}

static struct infer_call *put(struct bench *b, int64_t rows, int64_t width,
			      unsigned priority)
{
	return put_with(b, rows, width, priority, CLOCK_FOREVER);
}

static unsigned take(struct bench *b, int64_t max_rows, struct call_list *list)
{
	call_list_init(list);
	return batch_queue_take(&b->queue, &b->rules, max_rows, list);
}

Test(batch_queue, joins_what_fits_in_order_of_age)
{
	struct call_list list;
	struct bench b;

	begin(&b);
	put(&b, 3, 4, 0);
	put(&b, 6, 4, 0); /* too many with the first */
	put(&b, 2, 5, 0); /* another width */
	put(&b, 5, 4, 0);
	cr_assert_eq(take(&b, 8, &list), 2U);
	cr_assert_eq(list.first, &b.call[0]);
	cr_assert_eq(list.first->next, &b.call[3]);
	cr_assert_eq(b.queue.n, 2U);
	cr_assert_eq(b.queue.rows, 8);
	cr_assert_eq(take(&b, 8, &list), 1U);
	cr_assert_eq(list.first, &b.call[1]);
	cr_assert_eq(take(&b, 8, &list), 1U);
	cr_assert(batch_queue_is_empty(&b.queue));
}

Test(batch_queue, a_higher_priority_goes_first_and_takes_others_along)
{
	struct call_list list;
	struct bench b;

	begin(&b);
	put(&b, 2, 4, 3);
	put(&b, 2, 4, 1);
	put(&b, 2, 4, 3);
	cr_assert_eq(take(&b, 4, &list), 2U);
	cr_assert_eq(list.first, &b.call[1]);
	cr_assert_eq(list.first->next, &b.call[0]);
}

Test(batch_queue, the_youngest_of_the_last_level_gives_way)
{
	struct bench b;

	begin(&b);
	put(&b, 1, 4, 2);
	put(&b, 1, 4, 5);
	put(&b, 1, 4, 5);
	cr_assert_eq(batch_queue_give_way(&b.queue, 5), NULL);
	cr_assert_eq(batch_queue_give_way(&b.queue, 2), &b.call[2]);
	cr_assert_eq(batch_queue_give_way(&b.queue, 0), &b.call[1]);
	cr_assert_eq(batch_queue_give_way(&b.queue, 0), &b.call[0]);
	cr_assert_eq(batch_queue_give_way(&b.queue, 0), NULL);
	/* the ends of the lists are whole */
	put(&b, 1, 4, 5);
	cr_assert_eq(b.queue.level[5].first, &b.call[3]);
	cr_assert_eq(b.queue.n, 1U);
}

Test(batch_queue, says_when_a_batch_may_start_and_why)
{
	static const int64_t preferred[] = { 2, 4 };
	struct batch_start start;
	struct bench b;

	begin(&b);
	put(&b, 1, 4, 0);
	start = batch_queue_start(&b.queue, &b.rules, 2000);
	cr_assert_eq(start.why, CLOSE_IDLE);
	cr_assert_eq(start.due_ns, 0);
	b.rules.window_ns = 5000;
	start = batch_queue_start(&b.queue, &b.rules, 2000);
	cr_assert_eq(start.due_ns, 6000);
	start = batch_queue_start(&b.queue, &b.rules, 6000);
	cr_assert_eq(start.due_ns, 0);
	cr_assert_eq(start.why, CLOSE_DELAY);
	b.rules.preferred = preferred;
	b.rules.n_preferred = 2;
	cr_assert_eq(batch_queue_start(&b.queue, &b.rules, 2000).due_ns, 6000);
	put(&b, 4, 4, 0);
	start = batch_queue_start(&b.queue, &b.rules, 2000);
	cr_assert_eq(start.why, CLOSE_PREFERRED);
	cr_assert_eq(start.max_rows, 4);
	cr_assert_eq(start.due_ns, 0);
	put(&b, 3, 4, 0);
	start = batch_queue_start(&b.queue, &b.rules, 2000);
	cr_assert_eq(start.why, CLOSE_FULL);
	cr_assert_eq(start.max_rows, 8);
	b.rules.batches = false;
	cr_assert_eq(batch_queue_start(&b.queue, &b.rules, 2000).why,
		     CLOSE_ALONE);
}

Test(batch_queue, the_dead_leave)
{
	atomic_bool is_gone = true;
	struct call_list dead;
	struct bench b;

	begin(&b);
	put(&b, 1, 4, 0)->deadline_ns = 50;
	put(&b, 1, 4, 1)->is_abandoned = &is_gone;
	put(&b, 1, 4, 1)->deadline_ns = 200;
	put(&b, 1, 4, 2);
	call_list_init(&dead);
	cr_assert_eq(batch_queue_take_dead(&b.queue, 100, &dead), 200);
	cr_assert_eq(dead.first, &b.call[0]);
	cr_assert_eq(dead.first->next, &b.call[1]);
	cr_assert_null(dead.first->next->next);
	cr_assert_eq(b.queue.n, 2U);
	cr_assert_eq(b.queue.rows, 2);
	cr_assert_eq(batch_queue_take_all(&b.queue), &b.call[2]);
	cr_assert(batch_queue_is_empty(&b.queue));
}

Test(batch_queue, a_window_ends_before_a_deadline)
{
	struct call_list dead;
	struct bench b;

	begin(&b);
	b.rules.window_ns = 50000;
	b.rules.lead_ns = 300;
	put(&b, 1, 4, 0);
	cr_assert_eq(batch_queue_start(&b.queue, &b.rules, 1000).due_ns, 51000);
	(void)put_with(&b, 1, 4, 0, 9001);
	cr_assert_eq(batch_queue_start(&b.queue, &b.rules, 1000).due_ns, 7701);
	cr_assert_eq(batch_queue_start(&b.queue, &b.rules, 7800).due_ns, 0);
	/* once that call has gone, the others wait on */
	call_list_init(&dead);
	(void)batch_queue_take_dead(&b.queue, 9001, &dead);
	cr_assert_eq(dead.first, &b.call[1]);
	cr_assert_eq(batch_queue_start(&b.queue, &b.rules, 9001).due_ns, 51000);
}
