/* SPDX-License-Identifier: Apache-2.0 */
#include "server/batcher.h"

#include <pthread.h>
#include <stddef.h>

#include "base/clock.h"
#include "base/mem.h"
#include "engine/team.h"
#include "server/batcher_priv.h"

enum {
	INLINE_NS_MAX = 1000000, /* longer runs are not a connection's work */
	TEAM_NS_MIN = 200000,	 /* shorter runs are faster alone */
};

/* Calls in a list, oldest first. */
struct call_list {
	struct infer_call *first, **end;
};

struct batcher {
	atomic_uint refs;
	struct batcher_options options;
	pthread_mutex_t lock; /* guards what follows, up to the tasks */
	struct call_list waiting;
	unsigned n_waiting, n_active;
	int64_t rows_waiting;
	bool is_closed;
	struct run_task run, expire; /* each holds a reference when queued */
	atomic_int_least64_t ns_per_row; /* of late; 0: not known */
};

static void list_init(struct call_list *list)
{
	list->first = NULL;
	list->end = &list->first;
}

static void list_put(struct call_list *list, struct infer_call *call)
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
	list_init(&batcher->waiting);
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
	unsigned others;
	struct team team = { 0 };
	enum err_code rc;

	for (unsigned i = 0; i < n_parts; i++)
		rows += parts[i].n;
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
	model_stats_run(options->stats, n_parts,
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

	for (unsigned i = 0; i < n; i++, call = call->next)
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

static bool is_dead(const struct infer_call *call, int64_t now)
{
	return call->deadline_ns <= now ||
	       (call->is_abandoned &&
		atomic_load_explicit(call->is_abandoned, memory_order_relaxed));
}

/* Moves what is past its deadline, or whose client is gone, to the end of
 * `dead`, and says when to look again. Under the lock. */
static int64_t take_dead(struct batcher *batcher, struct call_list *dead)
{
	const int64_t now = clock_monotonic_ns();
	struct infer_call **link = &batcher->waiting.first;
	int64_t next = CLOCK_FOREVER;

	while (*link) {
		struct infer_call *call = *link;

		if (!is_dead(call, now)) {
			if (call->deadline_ns < next)
				next = call->deadline_ns;
			link = &call->next;
			continue;
		}
		list_put(dead, list_take(&batcher->waiting, link));
		batcher->n_waiting--;
		batcher->rows_waiting -= call->rows;
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
	return next;
}

static void expire_task_runs(struct run_task *task)
{
	struct batcher *batcher =
	    (struct batcher *)(void *)((char *)task -
				       offsetof(struct batcher, expire));
	struct call_list dead;
	int64_t next;

	list_init(&dead);
	(void)pthread_mutex_lock(&batcher->lock);
	next = take_dead(batcher, &dead);
	(void)pthread_mutex_unlock(&batcher->lock);
	hand_back(batcher, dead.first);
	if (next != CLOCK_FOREVER)
		schedule(batcher, batcher->options.timer, &batcher->expire,
			 next);
	batcher_unref(batcher);
}

static bool joins(const struct infer_call *a, const struct infer_call *b)
{
	for (unsigned i = 0; i < a->n_inputs; i++) {
		const struct shape *x = &a->input[i].shape;
		const struct shape *y = &b->input[i].shape;

		if (x->rank != y->rank ||
		    memcmp(x->dim + 1, y->dim + 1,
			   (x->rank - 1) * sizeof(*x->dim)) != 0)
			return false;
	}
	return true;
}

/* The oldest call and those that fit with it, in a list. Under the lock. */
static unsigned take_batch(struct batcher *batcher, struct call_list *batch)
{
	const struct batcher_options *options = &batcher->options;
	struct infer_call **link = &batcher->waiting.first, *first = *link;
	int64_t rows = first->rows;
	unsigned n = 1;

	list_put(batch, list_take(&batcher->waiting, link));
	while (*link && options->batches && first->rows &&
	       rows < options->max_batch) {
		struct infer_call *call = *link;

		if (!call->rows || rows + call->rows > options->max_batch ||
		    !joins(first, call)) {
			link = &call->next;
			continue;
		}
		rows += call->rows;
		n++;
		list_put(batch, list_take(&batcher->waiting, link));
	}
	batcher->n_waiting -= n;
	batcher->rows_waiting -= rows;
	return n;
}

/* When the next batch may start. Under the lock, with something waiting. */
static int64_t due_ns(const struct batcher *batcher)
{
	const struct batcher_options *options = &batcher->options;

	if (!options->batches || !options->max_delay_ns ||
	    batcher->rows_waiting >= options->max_batch)
		return 0;
	return batcher->waiting.first->queued_ns + options->max_delay_ns;
}

/* Takes the next batch if one may start; otherwise none, and *ret_due says
 * when to come again (CLOCK_FOREVER: somebody else will see to it). Under the
 * lock. */
static unsigned begin_batch(struct batcher *batcher, struct call_list *batch,
			    int64_t *ret_due)
{
	unsigned n;

	*ret_due = CLOCK_FOREVER;
	if (!batcher->waiting.first ||
	    batcher->n_active >= batcher->options.n_instances)
		return 0;
	*ret_due = due_ns(batcher);
	if (*ret_due > clock_monotonic_ns())
		return 0;
	n = take_batch(batcher, batch);
	batcher->n_active++;
	*ret_due = batcher->waiting.first ? due_ns(batcher) : CLOCK_FOREVER;
	return n;
}

static void end_run(struct batcher *batcher)
{
	int64_t due = CLOCK_FOREVER;

	(void)pthread_mutex_lock(&batcher->lock);
	batcher->n_active--;
	if (batcher->waiting.first)
		due = due_ns(batcher);
	(void)pthread_mutex_unlock(&batcher->lock);
	if (due != CLOCK_FOREVER)
		schedule(batcher, batcher->options.runners, &batcher->run, due);
}

static void run_task_runs(struct run_task *task)
{
	struct batcher *batcher =
	    (struct batcher *)(void *)((char *)task -
				       offsetof(struct batcher, run));
	struct call_list batch, dead;
	int64_t due, now;
	unsigned n;

	list_init(&batch);
	list_init(&dead);
	(void)pthread_mutex_lock(&batcher->lock);
	(void)take_dead(batcher, &dead);
	n = begin_batch(batcher, &batch, &due);
	(void)pthread_mutex_unlock(&batcher->lock);
	if (due != CLOCK_FOREVER)
		schedule(batcher, batcher->options.runners, &batcher->run, due);
	hand_back(batcher, dead.first);
	if (n) {
		now = clock_monotonic_ns();
		for (struct infer_call *c = batch.first; c; c = c->next)
			model_stats_queued(batcher->options.stats,
					   now - c->queued_ns);
		if (n == 1)
			run_alone(batcher, batch.first);
		else
			run_joined(batcher, batch.first, n);
		end_run(batcher);
		hand_back(batcher, batch.first);
	}
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

static bool may_run_now(struct batcher *batcher, const struct infer_call *call)
{
	const int64_t ns = predicted_ns(batcher, call->rows);

	return !batcher->is_closed && !batcher->waiting.first &&
	       batcher->n_active < batcher->options.n_instances && ns > 0 &&
	       ns < INLINE_NS_MAX && !batcher->options.max_delay_ns;
}

bool batcher_run_now(struct batcher *batcher, struct infer_call *call)
{
	bool may_run;

	prepare(batcher, call);
	(void)pthread_mutex_lock(&batcher->lock);
	may_run = may_run_now(batcher, call);
	batcher->n_active += may_run;
	(void)pthread_mutex_unlock(&batcher->lock);
	if (!may_run)
		return false;
	model_stats_queued(batcher->options.stats, 0);
	run_alone(batcher, call);
	end_run(batcher);
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

enum err_code batcher_submit(struct batcher *batcher, struct infer_call *call,
			     struct err *err)
{
	const struct batcher_options *options = &batcher->options;
	const int64_t deadline = call->deadline_ns;
	enum err_code rc = ERR_NONE;
	int64_t due = CLOCK_FOREVER;

	prepare(batcher, call);
	(void)pthread_mutex_lock(&batcher->lock);
	if (batcher->is_closed) {
		rc = err_set(err, ERR_NOT_READY, "model '%s' is being stopped",
			     options->name);
	} else if (batcher->n_waiting >= options->max_queued) {
		rc = err_set(err, ERR_BUSY,
			     "model '%s': %u requests wait already",
			     options->name, batcher->n_waiting);
	} else {
		list_put(&batcher->waiting, call);
		batcher->n_waiting++;
		batcher->rows_waiting += call->rows;
		atomic_fetch_add_explicit(&options->stats->n_pending, 1,
					  memory_order_relaxed);
		if (batcher->n_active < options->n_instances)
			due = due_ns(batcher);
		(void)batcher_ref(batcher); /* the call may end before this */
	}
	(void)pthread_mutex_unlock(&batcher->lock);
	if (rc)
		return rc;
	if (due != CLOCK_FOREVER)
		schedule(batcher, options->runners, &batcher->run, due);
	if (deadline != CLOCK_FOREVER)
		schedule(batcher, options->timer, &batcher->expire, deadline);
	batcher_unref(batcher);
	return ERR_NONE;
}

void batcher_close(struct batcher *batcher)
{
	struct infer_call *waiting;

	(void)pthread_mutex_lock(&batcher->lock);
	batcher->is_closed = true;
	waiting = batcher->waiting.first;
	list_init(&batcher->waiting);
	batcher->n_waiting = 0;
	batcher->rows_waiting = 0;
	(void)pthread_mutex_unlock(&batcher->lock);
	for (struct infer_call *call = waiting; call; call = call->next)
		call->rc = err_set(&call->err, ERR_NOT_READY,
				   "model '%s' is being stopped",
				   batcher->options.name);
	hand_back(batcher, waiting);
}

unsigned batcher_n_waiting(struct batcher *batcher)
{
	unsigned n;

	(void)pthread_mutex_lock(&batcher->lock);
	n = batcher->n_waiting;
	(void)pthread_mutex_unlock(&batcher->lock);
	return n;
}
