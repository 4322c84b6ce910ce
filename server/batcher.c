/* SPDX-License-Identifier: Apache-2.0 */
#include "server/batcher.h"

#include <pthread.h>
#include <stddef.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/mutex.h"
#include "server/batcher_priv.h"

enum {
	INLINE_NS_MAX = 1000000, /* longer runs are not a connection's work */
	LOOK_NS = 100000000, /* how often those that wait are looked after */
	LEAD_NS = 2000000,   /* for a thread to wake and take a batch */
	/* between: runs are joined where that is known to be faster, */
	GATHER_NS_MIN = 4000,  /* and below where several requests come, */
	GATHER_NS_MAX = 30000, /* and above even a first one waits for more */
	GATHER_REQUESTS = 3,
	RETRY = 512, /* times that it was not worth joining */
};

/* --- birth and death --- */

static void run_task_runs(struct run_task *task);
static void expire_task_runs(struct run_task *task);

static enum err_code check_options(const struct batcher_options *options,
				   struct err *err)
{
	if (options->max_batch >= 1 &&
	    options->max_batch <= BATCHER_MAX_BATCH &&
	    options->n_instances >= 1 && options->max_queued >= 1)
		return ERR_NONE;
	return err_set(err, ERR_INVALID,
		       "model '%s': expected max_batch_size from 1 to %d, and "
		       "at least one instance",
		       options->name, BATCHER_MAX_BATCH);
}

enum err_code batcher_create(const struct batcher_options *options,
			     struct batcher **ret_batcher, struct err *err)
{
	struct batcher *batcher;
	enum err_code rc = check_options(options, err);

	if (rc)
		return rc;
	batcher = mem_zero(sizeof(*batcher));
	if (!batcher)
		return err_set(err, ERR_NO_MEMORY, "model '%s': out of memory",
			       options->name);
	atomic_init(&batcher->refs, 1);
	run_times_init(&batcher->times);
	atomic_init(&batcher->n_unjoined, 0);
	batcher->options = *options;
	mutex_init(&batcher->lock);
	batch_queue_init(&batcher->waiting);
	batch_tuner_init(&batcher->tuner, options->objective_ns,
			 options->max_delay_ns, options->max_batch);
	batcher->run.run = run_task_runs;
	batcher->expire.run = expire_task_runs;
	*ret_batcher = batcher;
	return ERR_NONE;
}

struct batcher *batcher_ref(struct batcher *batcher)
{
	atomic_fetch_add_explicit(&batcher->refs, 1, memory_order_relaxed);
	return batcher;
}

void batcher_unref(struct batcher *batcher)
{
	if (!batcher || atomic_fetch_sub_explicit(&batcher->refs, 1,
						  memory_order_acq_rel) != 1)
		return;
	(void)pthread_mutex_destroy(&batcher->lock);
	mem_free(batcher);
}

static void schedule(struct batcher *batcher, struct run_pool *pool,
		     struct run_task *task, int64_t due_ns)
{
	(void)batcher_ref(batcher);
	if (!run_pool_schedule(pool, task, due_ns))
		batcher_unref(batcher);
}

/* Calls done() for a list; no lock is held. */
static void hand_back(struct batcher *batcher, struct infer_call *call)
{
	while (call) {
		struct infer_call *next = call->next;

		atomic_fetch_sub_explicit(&batcher->options.stats->n_pending, 1,
					  memory_order_relaxed);
		call->done(call);
		call = next;
	}
}

/* --- what waits --- */

/* For what waits, or was gathered. Under the lock. */
static struct batch_rules rules_of(struct batcher *batcher,
				   const struct batch_queue *queue)
{
	const struct batcher_options *options = &batcher->options;
	const int64_t most = batcher->tuner.max_rows;
	const int64_t rows = queue->rows < most ? queue->rows : most;

	return (struct batch_rules){
		.batches = options->batches,
		.max_rows = most,
		.window_ns = batcher->tuner.window_ns,
		.lead_ns = LEAD_NS + 2 * batcher_predict_ns(batcher, rows),
		.preferred = options->preferred,
		.n_preferred = options->n_preferred,
		.pad = options->pad,
	};
}

static struct batch_start start_of(struct batcher *batcher)
{
	const struct batch_rules rules = rules_of(batcher, &batcher->waiting);

	return batch_queue_start(&batcher->waiting, &rules,
				 clock_monotonic_ns());
}

/* When somebody is to see to what waits; CLOCK_FOREVER: who runs now will.
 * Under the lock. */
static int64_t due_of(struct batcher *batcher)
{
	const bool is_free = batcher->n_active < batcher->options.n_instances;

	return is_free && !batch_queue_is_empty(&batcher->waiting)
		   ? start_of(batcher).due_ns
		   : CLOCK_FOREVER;
}

/* Says in each of a list of calls why it is not run. */
static void explain_dead(struct batcher *batcher, struct infer_call *dead,
			 int64_t now)
{
	for (struct infer_call *call = dead; call; call = call->next)
		call->rc =
		    call->deadline_ns <= now
			? err_set(&call->err, ERR_DEADLINE,
				  "model '%s': the deadline passed after %lld "
				  "ms in the queue",
				  batcher->options.name,
				  (long long)(now - call->queued_ns) / 1000000)
			: err_set(&call->err, ERR_CANCELLED,
				  "model '%s': the client is gone",
				  batcher->options.name);
}

/* A client may go at any time, and nobody calls then. */
static int64_t look_at(int64_t now, int64_t deadline)
{
	return deadline < now + LOOK_NS ? deadline : now + LOOK_NS;
}

/* Takes what is dead and says when to look again; CLOCK_FOREVER when nothing
 * waits. Under the lock. */
static int64_t take_dead(struct batcher *batcher, struct call_list *dead)
{
	const int64_t now = clock_monotonic_ns();
	const int64_t next =
	    batch_queue_take_dead(&batcher->waiting, now, dead);

	explain_dead(batcher, dead->first, now);
	return batch_queue_is_empty(&batcher->waiting) ? CLOCK_FOREVER
						       : look_at(now, next);
}

static void expire_task_runs(struct run_task *task)
{
	struct batcher *batcher =
	    (struct batcher *)(void *)((char *)task -
				       offsetof(struct batcher, expire));
	struct call_list dead;
	int64_t next;

	call_list_init(&dead);
	(void)pthread_mutex_lock(&batcher->lock);
	next = take_dead(batcher, &dead);
	(void)pthread_mutex_unlock(&batcher->lock);
	hand_back(batcher, dead.first);
	if (next != CLOCK_FOREVER)
		schedule(batcher, batcher->options.timer, &batcher->expire,
			 next);
	batcher_unref(batcher);
}

/* A batch that was taken to be run. */
struct batch {
	struct call_list calls;
	unsigned n;
	int64_t rows;
	enum batch_close why;
};

static void take_batch(struct batch_queue *queue,
		       const struct batch_rules *rules,
		       const struct batch_start *start, struct batch *batch)
{
	batch->rows = queue->rows;
	batch->n =
	    batch_queue_take(queue, rules, start->max_rows, &batch->calls);
	batch->rows -= queue->rows;
	batch->why = start->why;
}

/* Takes the next batch if one may start; otherwise none, and *ret_due says
 * when to come again (CLOCK_FOREVER: somebody else will see to it). Under the
 * lock. */
static void begin_batch(struct batcher *batcher, struct batch *batch,
			int64_t *ret_due)
{
	const struct batch_rules rules = rules_of(batcher, &batcher->waiting);
	struct batch_start start;

	*ret_due = CLOCK_FOREVER;
	if (batch_queue_is_empty(&batcher->waiting) ||
	    batcher->n_active >= batcher->options.n_instances)
		return;
	start = start_of(batcher);
	*ret_due = start.due_ns;
	if (start.due_ns)
		return;
	take_batch(&batcher->waiting, &rules, &start, batch);
	batcher->n_active++;
	*ret_due = batch_queue_is_empty(&batcher->waiting)
		       ? CLOCK_FOREVER
		       : start_of(batcher).due_ns;
}

static int64_t oldest_ns(const struct infer_call *call)
{
	int64_t oldest = CLOCK_FOREVER;

	for (; call; call = call->next)
		if (call->queued_ns < oldest)
			oldest = call->queued_ns;
	return oldest;
}

static void end_run(struct batcher *batcher, const struct batch *batch)
{
	const int64_t now = clock_monotonic_ns();
	int64_t due;

	(void)pthread_mutex_lock(&batcher->lock);
	batcher->n_active--;
	batch_tuner_observe(&batcher->tuner, batch->n, batch->rows,
			    now - oldest_ns(batch->calls.first), now);
	due = due_of(batcher);
	(void)pthread_mutex_unlock(&batcher->lock);
	if (due != CLOCK_FOREVER)
		schedule(batcher, batcher->options.runners, &batcher->run, due);
}

static void run_batch(struct batcher *batcher, const struct batch *batch,
		      bool may_borrow)
{
	const int64_t now = clock_monotonic_ns();
	struct model_stats *stats = batcher->options.stats;

	for (struct infer_call *c = batch->calls.first; c; c = c->next)
		model_stats_queued(stats, now - c->queued_ns);
	model_stats_closed(stats, batch->why, batch->n);
	batcher_run_calls(batcher, batch->calls.first, may_borrow);
	end_run(batcher, batch);
	hand_back(batcher, batch->calls.first);
}

static void run_task_runs(struct run_task *task)
{
	struct batcher *batcher =
	    (struct batcher *)(void *)((char *)task -
				       offsetof(struct batcher, run));
	struct batch batch = { .n = 0 };
	struct call_list dead;
	int64_t due;

	call_list_init(&batch.calls);
	call_list_init(&dead);
	(void)pthread_mutex_lock(&batcher->lock);
	(void)take_dead(batcher, &dead);
	begin_batch(batcher, &batch, &due);
	(void)pthread_mutex_unlock(&batcher->lock);
	if (due != CLOCK_FOREVER)
		schedule(batcher, batcher->options.runners, &batcher->run, due);
	hand_back(batcher, dead.first);
	if (batch.n)
		run_batch(batcher, &batch, true);
	batcher_unref(batcher);
}

/* --- calls come in --- */

/* Reading the request has taken all the time that it had. */
static bool is_late(const struct infer_call *call)
{
	return call->queued_ns >= call->deadline_ns;
}

/* Under the lock. */
static bool may_run_now(struct batcher *batcher, int64_t rows)
{
	const int64_t ns = batcher_predict_ns(batcher, rows);

	return !batcher->is_closed && batch_queue_is_empty(&batcher->waiting) &&
	       batcher->n_active < batcher->options.n_instances && ns > 0 &&
	       ns < INLINE_NS_MAX && !batcher->tuner.window_ns;
}

bool batcher_run_now(struct batcher *batcher, struct infer_call *call)
{
	const struct batch batch = { .calls = { .first = call },
				     .n = 1,
				     .why = CLOSE_ALONE };
	bool may_run;

	batcher_prepare(batcher, call);
	(void)pthread_mutex_lock(&batcher->lock);
	may_run = !is_late(call) && may_run_now(batcher, call->rows);
	batcher->n_active += may_run;
	(void)pthread_mutex_unlock(&batcher->lock);
	if (!may_run)
		return false;
	model_stats_queued(batcher->options.stats, 0);
	model_stats_closed(batcher->options.stats, CLOSE_ALONE, 1);
	batcher_run_calls(batcher, call, true);
	end_run(batcher, &batch);
	return true;
}

/* Would it wait beyond its deadline, by how long runs take? Half of that may be
 * wrong. Under the lock. */
static bool is_hopeless(struct batcher *batcher, const struct infer_call *call)
{
	const struct batcher_options *options = &batcher->options;
	const int64_t rows = options->batches ? batcher->waiting.rows
					      : (int64_t)batcher->waiting.n;
	const int64_t ns = rows *
			   atomic_load_explicit(&batcher->times.ns_per_row,
						memory_order_relaxed) /
			   options->n_instances;

	return call->deadline_ns != CLOCK_FOREVER &&
	       ns / 2 > call->deadline_ns - call->queued_ns;
}

/* Makes room for a call, or says why there is none. Under the lock;
 * *ret_displaced: a call that gave way. */
static enum err_code admit(struct batcher *batcher,
			   const struct infer_call *call,
			   struct infer_call **ret_displaced, struct err *err)
{
	const struct batcher_options *options = &batcher->options;
	struct batch_queue *waiting = &batcher->waiting;

	if (batcher->is_closed)
		return err_set(err, ERR_NOT_READY,
			       "model '%s' is being stopped", options->name);
	if (is_late(call))
		return err_set(err, ERR_DEADLINE,
			       "model '%s': the deadline had passed when the "
			       "request could be run",
			       options->name);
	if (is_hopeless(batcher, call))
		return err_set(err, ERR_BUSY,
			       "model '%s': the deadline would pass in the "
			       "queue, where %u requests wait",
			       options->name, waiting->n);
	if (waiting->n < options->max_queued)
		return ERR_NONE;
	*ret_displaced = batch_queue_give_way(waiting, call->priority);
	if (*ret_displaced)
		return ERR_NONE;
	return err_set(err, ERR_BUSY, "model '%s': %u requests wait already",
		       options->name, waiting->n);
}

/* Puts a call to those that wait; one that has to go for it, to `refused`.
 * Under the lock. */
static enum err_code put_waiting(struct batcher *batcher,
				 struct infer_call *call,
				 struct call_list *refused, struct err *err)
{
	struct infer_call *displaced = NULL;
	enum err_code rc = admit(batcher, call, &displaced, err);

	if (!rc)
		batch_queue_put(&batcher->waiting, call);
	if (displaced) {
		displaced->rc = err_set(&displaced->err, ERR_BUSY,
					"model '%s': the queue is full of "
					"requests with a higher priority",
					batcher->options.name);
		call_list_put(refused, displaced);
	}
	return rc;
}

/* For calls that were put to those that wait, and may have ended since. */
static void see_to(struct batcher *batcher, int64_t due, int64_t look)
{
	if (due != CLOCK_FOREVER)
		schedule(batcher, batcher->options.runners, &batcher->run, due);
	schedule(batcher, batcher->options.timer, &batcher->expire, look);
}

enum err_code batcher_submit(struct batcher *batcher, struct infer_call *call,
			     struct err *err)
{
	struct call_list refused;
	int64_t due, look;
	enum err_code rc;

	batcher_prepare(batcher, call);
	look = look_at(call->queued_ns, call->deadline_ns);
	call_list_init(&refused);
	(void)pthread_mutex_lock(&batcher->lock);
	rc = put_waiting(batcher, call, &refused, err);
	due = due_of(batcher);
	if (!rc) {
		atomic_fetch_add_explicit(&batcher->options.stats->n_pending, 1,
					  memory_order_relaxed);
		(void)batcher_ref(batcher); /* the call may end before this */
	}
	(void)pthread_mutex_unlock(&batcher->lock);
	hand_back(batcher, refused.first);
	if (rc)
		return rc;
	see_to(batcher, due, look);
	batcher_unref(batcher);
	return ERR_NONE;
}

/* --- calls that were gathered --- */

/* As many rows, halved, as run in a time that a connection's thread has. */
static int64_t inline_rows(struct batcher *batcher, int64_t rows)
{
	while (rows > 1 && batcher_predict_ns(batcher, rows) >= INLINE_NS_MAX)
		rows /= 2;
	return rows;
}

/* Runs gain by being joined where it is the weights that take the time; else
 * each waits for all of them, and nobody is answered earlier. A size that has
 * not been run is worth a try, and one that did not pay another one later. To
 * gather a call that stays alone takes a microsecond. */
static bool is_worth_joining(struct batcher *batcher,
			     const struct batch_queue *gathered,
			     unsigned n_expected)
{
	const int64_t most = batcher->options.max_batch;
	const int64_t more = n_expected > 2 ? n_expected : 2;
	int64_t n, one, joined;

	if (!batch_queue_is_empty(gathered))
		return true;
	one = batcher_predict_ns(batcher, 1);
	n = inline_rows(batcher, more < most ? more : most);
	if (one < GATHER_NS_MAX && n_expected < GATHER_REQUESTS)
		return false;
	if (one < GATHER_NS_MIN || !run_times_knows(&batcher->times, n))
		return true;
	(void)run_times_split(&batcher->times, n, &joined);
	return joined <= n * one / 8 * 7 ||
	       atomic_fetch_add_explicit(&batcher->n_unjoined, 1,
					 memory_order_relaxed) %
		       RETRY ==
		   RETRY - 1;
}

bool batcher_gather(struct batcher *batcher, struct infer_call *call,
		    struct batch_queue *gathered, unsigned n_expected)
{
	bool may_run;

	if (!batcher->options.batches ||
	    !is_worth_joining(batcher, gathered, n_expected))
		return false;
	batcher_prepare(batcher, call);
	(void)pthread_mutex_lock(&batcher->lock);
	may_run = !is_late(call) && may_run_now(batcher, call->rows);
	(void)pthread_mutex_unlock(&batcher->lock);
	if (!may_run)
		return false;
	atomic_fetch_add_explicit(&batcher->options.stats->n_pending, 1,
				  memory_order_relaxed);
	batch_queue_put(gathered, call);
	return true;
}

/* Takes a batch; false: it is not for the thread of a connection, where the
 * first run of a size would plan. Under the lock. */
static bool begin_gathered(struct batcher *batcher,
			   struct batch_queue *gathered, struct batch *batch)
{
	struct batch_rules rules = rules_of(batcher, gathered);
	struct batch_start start;
	int64_t ns;
	bool may_run;

	rules.max_rows = inline_rows(batcher, rules.max_rows);
	start = batch_queue_start(gathered, &rules, 0);
	if (start.why == CLOSE_IDLE)
		start.max_rows =
		    run_times_split(&batcher->times, gathered->rows, &ns);
	take_batch(gathered, &rules, &start, batch);
	if (batch->n == 1)
		batch->why = CLOSE_ALONE;
	may_run =
	    may_run_now(batcher, batch->rows) &&
	    (batch->n == 1 || run_times_knows(&batcher->times, batch->rows));
	batcher->n_active += may_run;
	return may_run;
}

/* All at once, so that they are one batch there, too. */
static void hand_on(struct batcher *batcher, struct infer_call *call)
{
	int64_t due, look = CLOCK_FOREVER;
	struct call_list refused;

	call_list_init(&refused);
	(void)pthread_mutex_lock(&batcher->lock);
	while (call) {
		struct infer_call *next = call->next;
		const int64_t at = look_at(call->queued_ns, call->deadline_ns);

		look = at < look ? at : look;
		call->rc = put_waiting(batcher, call, &refused, &call->err);
		if (call->rc)
			call_list_put(&refused, call);
		call = next;
	}
	due = due_of(batcher);
	(void)batcher_ref(batcher);
	(void)pthread_mutex_unlock(&batcher->lock);
	hand_back(batcher, refused.first);
	see_to(batcher, due, look);
	batcher_unref(batcher);
}

void batcher_run_gathered(struct batcher *batcher, struct batch_queue *gathered)
{
	while (!batch_queue_is_empty(gathered)) {
		struct batch batch = { .n = 0 };
		bool may_run;

		call_list_init(&batch.calls);
		(void)pthread_mutex_lock(&batcher->lock);
		may_run = begin_gathered(batcher, gathered, &batch);
		(void)pthread_mutex_unlock(&batcher->lock);
		/* as many requests as threads have none to spare */
		if (may_run)
			run_batch(batcher, &batch,
				  batch.n < batcher->options.threads);
		else
			hand_on(batcher, batch.calls.first);
	}
}

void batcher_close(struct batcher *batcher)
{
	struct infer_call *waiting;

	(void)pthread_mutex_lock(&batcher->lock);
	batcher->is_closed = true;
	waiting = batch_queue_take_all(&batcher->waiting);
	(void)pthread_mutex_unlock(&batcher->lock);
	for (struct infer_call *call = waiting; call; call = call->next)
		call->rc = err_set(&call->err, ERR_NOT_READY,
				   "model '%s' is being stopped",
				   batcher->options.name);
	hand_back(batcher, waiting);
}

/* --- looks --- */

bool batcher_is_full(struct batcher *batcher)
{
	bool is_full;

	(void)pthread_mutex_lock(&batcher->lock);
	is_full = batcher->waiting.n >= batcher->options.max_queued;
	(void)pthread_mutex_unlock(&batcher->lock);
	return is_full;
}

void batcher_look(struct batcher *batcher, struct batcher_state *ret_state)
{
	(void)pthread_mutex_lock(&batcher->lock);
	*ret_state = (struct batcher_state){
		.n_waiting = batcher->waiting.n,
		.n_active = batcher->n_active,
		.rows_waiting = batcher->waiting.rows,
		.window_ns = batcher->tuner.window_ns,
		.max_rows = batcher->tuner.max_rows,
		.n_decisions = batcher->tuner.n_decisions,
		.late_ns = batcher->tuner.late_ns,
	};
	(void)pthread_mutex_unlock(&batcher->lock);
	ret_state->ns_per_row = atomic_load_explicit(&batcher->times.ns_per_row,
						     memory_order_relaxed);
}

const struct batcher_options *batcher_options(const struct batcher *batcher)
{
	return &batcher->options;
}
