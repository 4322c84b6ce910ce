/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Batch queue: calls that wait for a run, and which of them share the next.
 *
 * Calls stand in levels of priority, 0 first, and in each by age. A batch is
 * taken from the front: the first call, and what fits with it. It may start
 * when it is full, has a preferred size, or its oldest call has waited for the
 * window, or has just the time to be run before its deadline; without a window
 * as soon as somebody can run it.
 *
 * Ownership: calls belong to whoever put them in.
 * Threads:   under the lock of the batcher.
 */
#ifndef SERVER_BATCH_QUEUE_H
#define SERVER_BATCH_QUEUE_H

#include "server/batcher.h"

/** Calls in a list, oldest first. */
struct call_list {
	struct infer_call *first, **end;
};

struct batch_queue {
	struct call_list level[BATCHER_PRIORITIES];
	unsigned n;
	int64_t rows;
	int64_t start_by_ns; /**< or a deadline of theirs may pass */
};

/** How batches are made of what waits. */
struct batch_rules {
	bool batches;
	int64_t max_rows;
	int64_t window_ns;	  /**< 0: nobody waits for others */
	int64_t lead_ns;	  /**< before a deadline the window ends */
	const int64_t *preferred; /**< [n_preferred], ascending */
	size_t n_preferred;
	const struct batch_pad *pad; /**< NULL: shapes must agree */
};

/** When the next batch may start, and of how many rows. */
struct batch_start {
	int64_t due_ns; /**< 0: at once */
	int64_t max_rows;
	enum batch_close why; /**< it closes then */
};

void call_list_init(struct call_list *list);
void call_list_put(struct call_list *list, struct infer_call *call);

void batch_queue_init(struct batch_queue *queue);
void batch_queue_put(struct batch_queue *queue, struct infer_call *call);
static inline bool batch_queue_is_empty(const struct batch_queue *queue)
{
	return queue->n == 0;
}
/** With something in it. */
struct batch_start batch_queue_start(const struct batch_queue *queue,
				     const struct batch_rules *rules,
				     int64_t now_ns);
/** Takes the first call and those that share a run with it, of max_rows
 * together, unless the first one alone is longer. Returns how many. */
unsigned batch_queue_take(struct batch_queue *queue,
			  const struct batch_rules *rules, int64_t max_rows,
			  struct call_list *ret_batch);
/** Moves calls past their deadline, or whose client is gone, to `dead`.
 * Returns the next deadline, CLOCK_FOREVER when nobody has one. */
int64_t batch_queue_take_dead(struct batch_queue *queue, int64_t now_ns,
			      struct call_list *dead);
/** Takes the youngest call of the last level, if that level is behind
 * `priority`; NULL when none is. */
struct infer_call *batch_queue_give_way(struct batch_queue *queue,
					unsigned priority);
/** Takes all. */
struct infer_call *batch_queue_take_all(struct batch_queue *queue);

#endif
