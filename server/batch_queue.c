/* SPDX-License-Identifier: Apache-2.0 */
#include "server/batch_queue.h"

#include "base/clock.h"
#include "server/batch_pad.h"

void call_list_init(struct call_list *list)
{
	list->first = NULL;
	list->end = &list->first;
}

void call_list_put(struct call_list *list, struct infer_call *call)
{
	call->next = NULL;
	*list->end = call;
	list->end = &call->next;
}

/* Takes out *link; returns it. */
static struct infer_call *list_take(struct call_list *list,
				    struct infer_call **link)
{
	struct infer_call *call = *link;

	*link = call->next;
	if (!call->next)
		list->end = link;
	call->next = NULL;
	return call;
}

void batch_queue_init(struct batch_queue *queue)
{
	for (int i = 0; i < BATCHER_PRIORITIES; i++)
		call_list_init(&queue->level[i]);
	queue->n = 0;
	queue->rows = 0;
	queue->start_by_ns = CLOCK_FOREVER;
}

/* Not at the last moment: an eighth of its time is kept for threads that come
 * late. */
static int64_t start_by(const struct infer_call *call)
{
	if (call->deadline_ns == CLOCK_FOREVER)
		return CLOCK_FOREVER;
	return call->deadline_ns - (call->deadline_ns - call->queued_ns) / 8;
}

void batch_queue_put(struct batch_queue *queue, struct infer_call *call)
{
	const unsigned level = call->priority < BATCHER_PRIORITIES
				   ? call->priority
				   : BATCHER_PRIORITIES - 1;

	call_list_put(&queue->level[level], call);
	queue->n++;
	queue->rows += call->rows;
	if (start_by(call) < queue->start_by_ns)
		queue->start_by_ns = start_by(call);
}

static struct infer_call *take(struct batch_queue *queue, int level,
			       struct infer_call **link)
{
	struct infer_call *call = list_take(&queue->level[level], link);

	queue->n--;
	queue->rows -= call->rows;
	return call;
}

/* --- when a batch may start --- */

static int64_t oldest_ns(const struct batch_queue *queue)
{
	int64_t oldest = CLOCK_FOREVER;

	for (int i = 0; i < BATCHER_PRIORITIES; i++) {
		const struct infer_call *first = queue->level[i].first;

		if (first && first->queued_ns < oldest)
			oldest = first->queued_ns;
	}
	return oldest;
}

/* The largest preferred size that what waits can fill, or 0. */
static int64_t preferred_rows(const struct batch_queue *queue,
			      const struct batch_rules *rules)
{
	int64_t best = 0;

	for (size_t i = 0; i < rules->n_preferred; i++)
		if (rules->preferred[i] <= queue->rows &&
		    rules->preferred[i] <= rules->max_rows)
			best = rules->preferred[i];
	return best;
}

struct batch_start batch_queue_start(const struct batch_queue *queue,
				     const struct batch_rules *rules,
				     int64_t now_ns)
{
	struct batch_start start = { .max_rows = rules->max_rows };
	int64_t preferred;

	if (!rules->batches) {
		start.why = CLOSE_ALONE;
		return start;
	}
	if (queue->rows >= rules->max_rows) {
		start.why = CLOSE_FULL;
		return start;
	}
	preferred = preferred_rows(queue, rules);
	if (preferred) {
		start.why = CLOSE_PREFERRED;
		start.max_rows = preferred;
		return start;
	}
	start.why = rules->window_ns ? CLOSE_DELAY : CLOSE_IDLE;
	if (rules->window_ns) {
		start.due_ns = oldest_ns(queue) + rules->window_ns;
		if (start.due_ns > queue->start_by_ns - rules->lead_ns)
			start.due_ns = queue->start_by_ns - rules->lead_ns;
	}
	if (start.due_ns <= now_ns)
		start.due_ns = 0;
	return start;
}

/* --- which calls share a run --- */

static bool joins(const struct infer_call *a, const struct infer_call *b,
		  const struct batch_pad *pad)
{
	for (unsigned i = 0; i < a->n_inputs; i++) {
		const struct shape *x = &a->input[i].shape;
		const struct shape *y = &b->input[i].shape;

		if (x->rank != y->rank)
			return false;
		for (unsigned d = 1; d < x->rank; d++)
			if (x->dim[d] != y->dim[d] &&
			    !batch_pad_may_grow(pad, i, d))
				return false;
	}
	return true;
}

/* What may not share its run: nothing to batch by, no rows, rows enough. */
static bool is_loner(const struct batch_rules *rules,
		     const struct infer_call *call, int64_t max_rows)
{
	return !rules->batches || !call->rows || call->rows >= max_rows;
}

static unsigned take_level(struct batch_queue *queue, int level,
			   const struct batch_rules *rules, int64_t max_rows,
			   struct call_list *batch, int64_t *rows)
{
	struct infer_call **link = &queue->level[level].first;
	unsigned n = 0;

	while (*link && *rows < max_rows) {
		struct infer_call *call = *link;

		if (!call->rows || *rows + call->rows > max_rows ||
		    !joins(batch->first, call, rules->pad)) {
			link = &call->next;
			continue;
		}
		*rows += call->rows;
		n++;
		call_list_put(batch, take(queue, level, link));
	}
	return n;
}

unsigned batch_queue_take(struct batch_queue *queue,
			  const struct batch_rules *rules, int64_t max_rows,
			  struct call_list *ret_batch)
{
	int level = 0;
	int64_t rows;
	unsigned n = 1;

	while (!queue->level[level].first)
		level++;
	call_list_put(ret_batch,
		      take(queue, level, &queue->level[level].first));
	rows = ret_batch->first->rows;
	if (is_loner(rules, ret_batch->first, max_rows))
		return n;
	for (; level < BATCHER_PRIORITIES && rows < max_rows; level++)
		n +=
		    take_level(queue, level, rules, max_rows, ret_batch, &rows);
	return n;
}

/* --- who leaves without a run --- */

static bool is_dead(const struct infer_call *call, int64_t now)
{
	return call->deadline_ns <= now ||
	       (call->is_abandoned &&
		atomic_load_explicit(call->is_abandoned, memory_order_relaxed));
}

int64_t batch_queue_take_dead(struct batch_queue *queue, int64_t now_ns,
			      struct call_list *dead)
{
	int64_t next = CLOCK_FOREVER;

	queue->start_by_ns = CLOCK_FOREVER;
	for (int i = 0; i < BATCHER_PRIORITIES; i++) {
		struct infer_call **link = &queue->level[i].first;

		while (*link) {
			if (is_dead(*link, now_ns)) {
				call_list_put(dead, take(queue, i, link));
				continue;
			}
			if ((*link)->deadline_ns < next)
				next = (*link)->deadline_ns;
			if (start_by(*link) < queue->start_by_ns)
				queue->start_by_ns = start_by(*link);
			link = &(*link)->next;
		}
	}
	return next;
}

struct infer_call *batch_queue_give_way(struct batch_queue *queue,
					unsigned priority)
{
	for (int i = BATCHER_PRIORITIES - 1; i > (int)priority; i--) {
		struct infer_call **link = &queue->level[i].first;

		if (!*link)
			continue;
		while ((*link)->next)
			link = &(*link)->next;
		return take(queue, i, link);
	}
	return NULL;
}

struct infer_call *batch_queue_take_all(struct batch_queue *queue)
{
	struct call_list all;

	call_list_init(&all);
	for (int i = 0; i < BATCHER_PRIORITIES; i++)
		while (queue->level[i].first)
			call_list_put(&all,
				      take(queue, i, &queue->level[i].first));
	return all.first;
}
