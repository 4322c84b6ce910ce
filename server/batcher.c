/* SPDX-License-Identifier: Apache-2.0 */
#include "server/batcher.h"

#include <pthread.h>
#include <stddef.h>

#include "base/clock.h"
#include "base/mem.h"
#include "engine/team.h"
#include "server/batch_queue.h"
#include "server/batch_tuner.h"
#include "server/batcher_priv.h"

enum {
	INLINE_NS_MAX = 1000000, /* longer runs are not a connection's work */
	TEAM_NS_MIN = 200000,	 /* shorter runs are faster alone */
	LOOK_NS = 100000000, /* how often those that wait are looked after */
	LEAD_NS = 2000000,   /* for a thread to wake and take a batch */
};

struct batcher {
	atomic_uint refs;
	struct batcher_options options;
	pthread_mutex_t lock; /* guards what follows, up to the tasks */
	struct batch_queue waiting;
	struct batch_tuner tuner;
	unsigned n_active;
	bool is_closed;
	struct run_task run, expire; /* each holds a reference when queued */
	atomic_int_least64_t ns_per_row; /* of late; 0: not known */
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
	atomic_init(&batcher->ns_per_row, 0);
	batcher->options = *options;
	(void)pthread_mutex_init(&batcher->lock, NULL);
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

/* --- runs --- */

static void finish(struct infer_call *call, enum err_code rc,
		   const struct err *err)
{
	call->rc = rc;
	if (rc)
		call->err = *err;
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

static int64_t predicted_ns(struct batcher *batcher, int64_t rows)
{
	int64_t per_row =
	    atomic_load_explicit(&batcher->ns_per_row, memory_order_relaxed);

	return per_row * (batcher->options.batches ? batch_padded(rows) : 1);
}

/* Three parts of what is known and one of what is new. */
static void learn(struct batcher *batcher, int64_t rows, int64_t ns)
{
	const int64_t n = batcher->options.batches ? batch_padded(rows) : 1;
	const int64_t new = n > 0 ? ns / n + 1 : ns + 1;
	const int64_t old =
	    atomic_load_explicit(&batcher->ns_per_row, memory_order_relaxed);

	atomic_store_explicit(&batcher->ns_per_row,
			      old ? (3 * old + new) / 4 : new,
			      memory_order_relaxed);
}

/* One run of parts with the helpers it deserves. */
static enum err_code run_parts(struct batcher *batcher,
			       const struct batch_part *parts, unsigned n_parts,
			       struct err *err)
{
	const struct batcher_options *options = &batcher->options;
	int64_t ns[PHASE_OUTPUT + 1], rows = 0;
	unsigned others, n_ended = 0;
	struct team team = { 0 };
	enum err_code rc;

	for (unsigned i = 0; i < n_parts; i++) {
		rows += parts[i].n;
		n_ended += parts[i].first + parts[i].n == parts[i].call->rows;
	}
	others = atomic_fetch_add_explicit(options->n_running, 1,
					   memory_order_relaxed);
	if (options->helpers && others + 1 < options->threads &&
	    predicted_ns(batcher, rows) >= TEAM_NS_MIN)
		team_borrow(options->helpers, options->threads - 1 - others,
			    &team);
	rc = batch_run(options, parts, n_parts, team.n ? &team : NULL, ns, err);
	if (team.n)
		team_return(&team);
	atomic_fetch_sub_explicit(options->n_running, 1, memory_order_relaxed);
	if (rc)
		return rc;
	learn(batcher, rows, ns[PHASE_INFER]);
	model_stats_run(options->stats, n_parts, n_ended,
			options->batches ? (uint64_t)rows : 1, ns);
	return ERR_NONE;
}

/* One call alone, in pieces when it is larger than a batch. */
static void run_alone(struct batcher *batcher, struct infer_call *call)
{
	const int64_t most = batcher->options.max_batch;
	struct batch_part part = { .call = call };
	struct err err;
	enum err_code rc;

	do {
		part.n = call->rows - part.first;
		if (batcher->options.batches && part.n > most)
			part.n = most;
		rc = run_parts(batcher, &part, 1, &err);
		part.first += part.n;
	} while (!rc && part.first < call->rows);
	finish(call, rc, &err);
}

static void run_joined(struct batcher *batcher, struct infer_call *first,
		       unsigned n)
{
	struct batch_part parts[BATCHER_MAX_BATCH];
	struct infer_call *call = first;
	struct err err;
	enum err_code rc;

	for (unsigned i = 0; call && i < n; i++, call = call->next)
		parts[i] = (struct batch_part){ call, 0, call->rows };
	rc = run_parts(batcher, parts, n, &err);
	for (call = first; call; call = call->next) {
		if (rc == ERR_INVALID) /* whose value it was is not known */
			run_alone(batcher, call);
		else
			finish(call, rc, &err);
	}
}

/* --- what waits --- */

/* Under the lock. */
static struct batch_rules rules_of(struct batcher *batcher)
{
	const struct batcher_options *options = &batcher->options;
	const int64_t most = batcher->tuner.max_rows;
	const int64_t rows =
	    batcher->waiting.rows < most ? batcher->waiting.rows : most;

	return (struct batch_rules){
		.batches = options->batches,
		.max_rows = most,
		.window_ns = batcher->tuner.window_ns,
		.lead_ns = LEAD_NS + 2 * predicted_ns(batcher, rows),
		.preferred = options->preferred,
		.n_preferred = options->n_preferred,
		.pad = options->pad,
	};
}

static struct batch_start start_of(struct batcher *batcher)
{
	const struct batch_rules rules = rules_of(batcher);

	return batch_queue_start(&batcher->waiting, &rules,
				 clock_monotonic_ns());
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

/* Takes the next batch if one may start; otherwise none, and *ret_due says
 * when to come again (CLOCK_FOREVER: somebody else will see to it). Under the
 * lock. */
static void begin_batch(struct batcher *batcher, struct batch *batch,
			int64_t *ret_due)
{
	const struct batch_rules rules = rules_of(batcher);
	struct batch_start start;

	*ret_due = CLOCK_FOREVER;
	if (batch_queue_is_empty(&batcher->waiting) ||
	    batcher->n_active >= batcher->options.n_instances)
		return;
	start = start_of(batcher);
	*ret_due = start.due_ns;
	if (start.due_ns)
		return;
	batch->rows = batcher->waiting.rows;
	batch->n = batch_queue_take(&batcher->waiting, &rules, start.max_rows,
				    &batch->calls);
	batch->rows -= batcher->waiting.rows;
	batch->why = start.why;
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
	int64_t due = CLOCK_FOREVER;

	(void)pthread_mutex_lock(&batcher->lock);
	batcher->n_active--;
	batch_tuner_observe(&batcher->tuner, batch->n, batch->rows,
			    now - oldest_ns(batch->calls.first), now);
	if (!batch_queue_is_empty(&batcher->waiting))
		due = start_of(batcher).due_ns;
	(void)pthread_mutex_unlock(&batcher->lock);
	if (due != CLOCK_FOREVER)
		schedule(batcher, batcher->options.runners, &batcher->run, due);
}

static void run_batch(struct batcher *batcher, const struct batch *batch)
{
	const int64_t now = clock_monotonic_ns();
	struct model_stats *stats = batcher->options.stats;

	for (struct infer_call *c = batch->calls.first; c; c = c->next)
		model_stats_queued(stats, now - c->queued_ns);
	model_stats_closed(stats, batch->why, batch->n);
	if (batch->n == 1)
		run_alone(batcher, batch->calls.first);
	else
		run_joined(batcher, batch->calls.first, batch->n);
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
		run_batch(batcher, &batch);
	batcher_unref(batcher);
}

/* --- calls come in --- */

static void prepare(const struct batcher *batcher, struct infer_call *call)
{
	call->rc = ERR_NONE;
	call->rows = batcher->options.batches ? call->input[0].shape.dim[0] : 1;
	call->queued_ns = clock_monotonic_ns();
	for (unsigned j = 0; j < call->n_outputs; j++)
		call->output[j].data = NULL;
}

/* Reading the request has taken all the time that it had. */
static bool is_late(const struct infer_call *call)
{
	return call->queued_ns >= call->deadline_ns;
}

static bool may_run_now(struct batcher *batcher, const struct infer_call *call)
{
	const int64_t ns = predicted_ns(batcher, call->rows);

	return !batcher->is_closed && !is_late(call) &&
	       batch_queue_is_empty(&batcher->waiting) &&
	       batcher->n_active < batcher->options.n_instances && ns > 0 &&
	       ns < INLINE_NS_MAX && !batcher->tuner.window_ns;
}

bool batcher_run_now(struct batcher *batcher, struct infer_call *call)
{
	const struct batch batch = { .calls = { .first = call },
				     .n = 1,
				     .why = CLOSE_ALONE };
	bool may_run;

	prepare(batcher, call);
	(void)pthread_mutex_lock(&batcher->lock);
	may_run = may_run_now(batcher, call);
	batcher->n_active += may_run;
	(void)pthread_mutex_unlock(&batcher->lock);
	if (!may_run)
		return false;
	model_stats_queued(batcher->options.stats, 0);
	model_stats_closed(batcher->options.stats, CLOSE_ALONE, 1);
	run_alone(batcher, call);
	end_run(batcher, &batch);
	return true;
}

void batcher_warm(struct batcher *batcher, struct infer_call *call)
{
	struct batch_part part = { .call = call };
	int64_t ns[PHASE_OUTPUT + 1];
	struct err err;
	enum err_code rc;

	prepare(batcher, call);
	part.n = call->rows;
	rc = batch_run(&batcher->options, &part, 1, NULL, ns, &err);
	if (!rc)
		learn(batcher, part.n, ns[PHASE_INFER]);
	finish(call, rc, &err);
}

/* Would it wait beyond its deadline, by how long runs take? Half of that may be
 * wrong. Under the lock. */
static bool is_hopeless(struct batcher *batcher, const struct infer_call *call)
{
	const struct batcher_options *options = &batcher->options;
	const int64_t rows = options->batches ? batcher->waiting.rows
					      : (int64_t)batcher->waiting.n;
	const int64_t ns =
	    rows *
	    atomic_load_explicit(&batcher->ns_per_row, memory_order_relaxed) /
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

static void refuse_displaced(struct batcher *batcher, struct infer_call *call)
{
	if (!call)
		return;
	call->rc = err_set(&call->err, ERR_BUSY,
			   "model '%s': the queue is full of requests with a "
			   "higher priority",
			   batcher->options.name);
	hand_back(batcher, call);
}

enum err_code batcher_submit(struct batcher *batcher, struct infer_call *call,
			     struct err *err)
{
	const struct batcher_options *options = &batcher->options;
	struct infer_call *displaced = NULL;
	int64_t due = CLOCK_FOREVER, look;
	enum err_code rc;

	prepare(batcher, call);
	look = look_at(call->queued_ns, call->deadline_ns);
	(void)pthread_mutex_lock(&batcher->lock);
	rc = admit(batcher, call, &displaced, err);
	if (!rc) {
		batch_queue_put(&batcher->waiting, call);
		atomic_fetch_add_explicit(&options->stats->n_pending, 1,
					  memory_order_relaxed);
		if (batcher->n_active < options->n_instances)
			due = start_of(batcher).due_ns;
		(void)batcher_ref(batcher); /* the call may end before this */
	}
	(void)pthread_mutex_unlock(&batcher->lock);
	refuse_displaced(batcher, displaced);
	if (rc)
		return rc;
	if (due != CLOCK_FOREVER)
		schedule(batcher, options->runners, &batcher->run, due);
	schedule(batcher, options->timer, &batcher->expire, look);
	batcher_unref(batcher);
	return ERR_NONE;
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
	ret_state->ns_per_row =
	    atomic_load_explicit(&batcher->ns_per_row, memory_order_relaxed);
}

const struct batcher_options *batcher_options(const struct batcher *batcher)
{
	return &batcher->options;
}
