/* SPDX-License-Identifier: Apache-2.0 */
/* Many clients on one batcher: every call ends exactly once, with the answer
 * to its own rows, whoever it shared a run with. */
#include "server/batcher.h"

#include <pthread.h>

#include "base/clock.h"
#include "base/doc.h"
#include "base/mem.h"
#include "engine/graph_text.h"
#include "server/batch_pad.h"
#include "server/gathering.h"

enum { CLIENTS = 8, CALLS = 300, WIDTH = 4, ROWS_MAX = 80, TOGETHER = 12 };

#define CHECK(condition)                                               \
	do {                                                           \
		if (!(condition)) {                                    \
			(void)fprintf(stderr, "%s:%d: %s\n", __FILE__, \
				      __LINE__, #condition);           \
			abort();                                       \
		}                                                      \
	} while (0)

struct rig {
	struct graph *graph;
	struct plan_cache *plans;
	struct model_stats *stats;
	struct run_pool *runners, *timer;
	struct batcher *batcher;
	struct batch_pad *pad; /* NULL: all rows are as wide */
	atomic_uint n_running, n_now, n_queued, n_refused, n_dead, n_gathered;
};

struct client {
	struct rig *rig;
	unsigned number;
	pthread_mutex_t lock; /* guards n_done */
	pthread_cond_t wake;
	unsigned n_done;
};

/* Rows of x may be of any width: x [n, t] to y [n, t]. */
static struct batch_pad *make_pad(void)
{
	static struct signature_port x = { .name = "x",
					   .dtype = DTYPE_F32,
					   .has_rank = true,
					   .rank = 2,
					   .dim = { { -1, "n" },
						    { -1, "t" } } };
	static const struct model_signature signature = {
		.input = &x, .output = &x, .n_inputs = 1, .n_outputs = 1
	};
	struct doc row = { .kind = DOC_INT, .key = "x", .number = 9 };
	const struct doc map = { .kind = DOC_MAP, .n = 1, .first = &row };
	struct batch_pad *pad;
	struct err err;

	CHECK(!batch_pad_create(&signature, &map, &pad, &err));
	return pad;
}

static void rig_begin(struct rig *rig, int64_t delay_ns, unsigned max_queued,
		      bool pads)
{
	const struct plan_cache_options plans = { .max_plans = 64 };
	struct batcher_options options = { .name = "twice",
					   .batches = true,
					   .max_batch = 16,
					   .n_instances = 2,
					   .threads = 2,
					   .max_queued = max_queued,
					   .max_delay_ns = delay_ns };
	struct err err;

	memset(rig, 0, sizeof(*rig));
	CHECK(
	    !graph_text_parse("y = Add(x:float, x)", &rig->graph, NULL, &err));
	CHECK(!facts_type_graph(rig->graph, &err));
	CHECK(!plan_cache_create(rig->graph, &plans, &rig->plans, &err));
	CHECK(!run_pool_create(2, "run", &rig->runners, &err));
	CHECK(!run_pool_create(1, "timer", &rig->timer, &err));
	if (pads)
		rig->pad = make_pad();
	options.pad = rig->pad;
	rig->stats = model_stats_create();
	CHECK(rig->stats);
	options.plans = rig->plans;
	options.stats = rig->stats;
	options.runners = rig->runners;
	options.timer = rig->timer;
	options.n_running = &rig->n_running;
	CHECK(!batcher_create(&options, &rig->batcher, &err));
}

static void rig_end(struct rig *rig)
{
	batcher_close(rig->batcher);
	run_pool_destroy(rig->runners);
	run_pool_destroy(rig->timer);
	CHECK(atomic_load(&rig->stats->n_pending) == 0);
	CHECK(atomic_load(&rig->n_running) == 0);
	batcher_unref(rig->batcher);
	batch_pad_destroy(rig->pad);
	plan_cache_destroy(rig->plans);
	model_stats_unref(rig->stats);
	graph_destroy(rig->graph);
}

static void done(struct infer_call *call)
{
	struct client *client = call->data;

	(void)pthread_mutex_lock(&client->lock);
	client->n_done++;
	(void)pthread_cond_signal(&client->wake);
	(void)pthread_mutex_unlock(&client->lock);
}

/* n calls have ended since the last time. */
static void wait_done(struct client *client, unsigned n)
{
	(void)pthread_mutex_lock(&client->lock);
	while (client->n_done < n)
		(void)pthread_cond_wait(&client->wake, &client->lock);
	CHECK(client->n_done == n);
	client->n_done = 0;
	(void)pthread_mutex_unlock(&client->lock);
}

static void check_answer(const struct infer_call *call, const float *x,
			 int64_t rows, int64_t width)
{
	const struct tensor_view *y = &call->output[0];

	CHECK(y->shape.dim[0] == rows && y->shape.dim[1] == width);
	for (int64_t i = 0; i < rows * width; i++)
		CHECK(((const float *)y->data)[i] == 2 * x[i]);
}

/* One call of some rows; inline or queued, as the batcher sees fit. */
static void ask(struct client *client, unsigned i, struct arena *arena)
{
	struct rig *rig = client->rig;
	const int64_t rows = (client->number * 7 + i * 3) % 9 == 0
				 ? ROWS_MAX
				 : (client->number + i) % 5;
	const int64_t width = rig->pad ? (client->number + i) % 11 : WIDTH;
	float *x = arena_array(arena, (size_t)(rows * width) + 1, sizeof(*x));
	struct tensor_view input = { .data = x,
				     .dtype = DTYPE_F32,
				     .shape = { 2, { rows, width } } };
	struct tensor_view output = { 0 };
	struct infer_call call = { .n_inputs = 1,
				   .n_outputs = 1,
				   .input = &input,
				   .output = &output,
				   .arena = arena,
				   .done = done,
				   .data = client };
	struct err err;
	enum err_code rc;

	/* some have no time left, and some too little to wait */
	call.deadline_ns = i % 100 == 49   ? 1
			   : i % 100 == 99 ? clock_monotonic_ns() + 30000
					   : clock_deadline_ns(20000);
	for (int64_t k = 0; k < rows * width; k++)
		x[k] = (float)(client->number * 1000 + i) + (float)k;
	if (i % 3 && batcher_run_now(rig->batcher, &call)) {
		atomic_fetch_add(&rig->n_now, 1);
	} else {
		rc = batcher_submit(rig->batcher, &call, &err);
		if (rc) {
			CHECK(rc == ERR_BUSY ||
			      (rc == ERR_DEADLINE && i % 50 == 49));
			atomic_fetch_add(&rig->n_refused, 1);
			return;
		}
		wait_done(client, 1);
		atomic_fetch_add(&rig->n_queued, 1);
	}
	if (call.rc == ERR_DEADLINE)
		atomic_fetch_add(&rig->n_dead, 1);
	else
		CHECK(!call.rc);
	if (!call.rc)
		check_answer(&call, x, rows, width);
}

/* --- calls of one thread, gathered --- */

struct question {
	struct infer_call call;
	struct tensor_view input, output;
	struct arena *arena; /* of its own: it is whose the call is */
	float *x;
};

static void make_question(struct question *q, struct client *client,
			  int64_t rows, int64_t width)
{
	struct arena *arena = arena_create(1 << 20);

	CHECK(arena);
	q->arena = arena;
	q->x = arena_array(arena, (size_t)(rows * width) + 1, sizeof(*q->x));
	CHECK(q->x);
	for (int64_t k = 0; k < rows * width; k++)
		q->x[k] = (float)client->number + (float)(k * 3 + rows);
	q->input = (struct tensor_view){ .data = q->x,
					 .dtype = DTYPE_F32,
					 .shape = { 2, { rows, width } } };
	q->output = (struct tensor_view){ 0 };
	q->call = (struct infer_call){ .n_inputs = 1,
				       .n_outputs = 1,
				       .input = &q->input,
				       .output = &q->output,
				       .arena = arena,
				       .priority = (unsigned)rows % 3,
				       .deadline_ns = clock_deadline_ns(20000),
				       .done = done,
				       .data = client };
}

/* Its answer, unless it may have been refused; its end. */
static void end_question(struct question *q, enum err_code may_be)
{
	if (!q->call.rc)
		check_answer(&q->call, q->x, q->input.shape.dim[0],
			     q->input.shape.dim[1]);
	else
		CHECK(q->call.rc == may_be);
	arena_destroy(q->arena);
}

/* Several at once; what cannot be gathered is asked for as it comes. */
static void ask_together(struct client *client, unsigned i)
{
	struct rig *rig = client->rig;
	struct question question[TOGETHER];
	struct gathering gathering = { .n_expected = TOGETHER };
	unsigned n_to_end = 0;
	enum err_code rc;
	struct err err;

	for (unsigned k = 0; k < TOGETHER; k++) {
		struct question *q = &question[k];
		const int64_t rows = (client->number + i + k) % 5;
		const int64_t width = rig->pad ? (i + k) % 7 : WIDTH;

		make_question(q, client, rows, width);
		if (gathering_add(&gathering, rig->batcher, &q->call)) {
			atomic_fetch_add(&rig->n_gathered, 1);
			n_to_end++;
		} else if (batcher_run_now(rig->batcher, &q->call)) {
			atomic_fetch_add(&rig->n_now, 1);
		} else {
			/* where it is taken the call is another thread's */
			rc = batcher_submit(rig->batcher, &q->call, &err);
			if (rc)
				q->call.rc = rc;
			else
				n_to_end++;
			atomic_fetch_add(rc ? &rig->n_refused : &rig->n_queued,
					 1);
		}
	}
	gathering_run(&gathering);
	CHECK(gathering.n == 0);
	wait_done(client, n_to_end);
	for (unsigned k = 0; k < TOGETHER; k++)
		end_question(&question[k], ERR_BUSY);
}

static void *run_client(void *arg)
{
	struct client *client = arg;
	struct arena *arena = arena_create(1 << 20);

	CHECK(arena);
	for (unsigned i = 0; i < CALLS; arena_reset(arena)) {
		if (client->number % 2) {
			ask_together(client, i);
			i += TOGETHER;
		} else {
			ask(client, i++, arena);
		}
	}
	arena_destroy(arena);
	return NULL;
}

static void hammer(int64_t delay_ns, unsigned max_queued, bool pads)
{
	struct rig rig;
	struct client client[CLIENTS];
	pthread_t thread[CLIENTS];

	rig_begin(&rig, delay_ns, max_queued, pads);
	for (unsigned i = 0; i < CLIENTS; i++) {
		client[i] = (struct client){ .rig = &rig, .number = i };
		(void)pthread_mutex_init(&client[i].lock, NULL);
		(void)pthread_cond_init(&client[i].wake, NULL);
		CHECK(
		    !pthread_create(&thread[i], NULL, run_client, &client[i]));
	}
	for (unsigned i = 0; i < CLIENTS; i++)
		(void)pthread_join(thread[i], NULL);
	printf("delay %lld ns, queue %u: %u at once, %u gathered, %u queued, "
	       "%u refused, %u late, %llu runs for %llu rows\n",
	       (long long)delay_ns, max_queued, atomic_load(&rig.n_now),
	       atomic_load(&rig.n_gathered), atomic_load(&rig.n_queued),
	       atomic_load(&rig.n_refused), atomic_load(&rig.n_dead),
	       (unsigned long long)atomic_load(&rig.stats->n_execution),
	       (unsigned long long)atomic_load(&rig.stats->n_inference));
	CHECK(atomic_load(&rig.n_now) + atomic_load(&rig.n_gathered) +
		  atomic_load(&rig.n_queued) + atomic_load(&rig.n_refused) ==
	      CLIENTS * CALLS);
	rig_end(&rig);
}

/* What waits when the batcher closes ends with an error. */
static void close_while_waiting(void)
{
	struct arena *arena = arena_create(1 << 20);
	struct client client = { 0 };
	struct tensor_view input = { .dtype = DTYPE_F32,
				     .shape = { 2, { 1, WIDTH } } };
	float x[WIDTH] = { 1, 2, 3, 4 };
	struct batcher_state state;
	struct tensor_view output = { 0 };
	struct infer_call call = { .n_inputs = 1,
				   .n_outputs = 1,
				   .input = &input,
				   .output = &output,
				   .arena = arena,
				   .deadline_ns = CLOCK_FOREVER,
				   .done = done,
				   .data = &client };
	struct rig rig;
	struct err err;

	CHECK(arena);
	input.data = x;
	(void)pthread_mutex_init(&client.lock, NULL);
	(void)pthread_cond_init(&client.wake, NULL);
	rig_begin(&rig, 3600 * (int64_t)1000000000, 16, false);
	CHECK(!batcher_submit(rig.batcher, &call, &err));
	batcher_look(rig.batcher, &state);
	CHECK(state.n_waiting == 1);
	batcher_close(rig.batcher);
	wait_done(&client, 1);
	CHECK(call.rc == ERR_NOT_READY);
	CHECK(batcher_submit(rig.batcher, &call, &err) == ERR_NOT_READY);
	rig_end(&rig);
	arena_destroy(arena);
}

/* A rig whose batcher knows how long a run takes, with one thread alone. */
static void begin_alone(struct rig *rig, struct client *client)
{
	struct question q;

	*client = (struct client){ .rig = rig };
	(void)pthread_mutex_init(&client->lock, NULL);
	(void)pthread_cond_init(&client->wake, NULL);
	rig_begin(rig, 0, 64, false);
	make_question(&q, client, 1, WIDTH);
	CHECK(!batcher_run_now(rig->batcher, &q.call));
	batcher_warm(rig->batcher, &q.call);
	end_question(&q, ERR_NONE);
}

/* As many calls as make a batch of one size, and whether they were one run on
 * this thread. */
static void gather_some(struct rig *rig, struct client *client, bool is_at_once)
{
	const uint64_t n_runs = atomic_load(&rig->stats->n_execution);
	struct question question[TOGETHER];
	struct gathering gathering = { .n_expected = TOGETHER };

	for (unsigned k = 0; k < TOGETHER; k++) {
		make_question(&question[k], client, 1, WIDTH);
		CHECK(
		    gathering_add(&gathering, rig->batcher, &question[k].call));
	}
	CHECK(atomic_load(&rig->stats->n_pending) == TOGETHER);
	gathering_run(&gathering);
	if (is_at_once) {
		CHECK(client->n_done == TOGETHER);
		CHECK(atomic_load(&rig->stats->n_execution) == n_runs + 1);
	}
	wait_done(client, TOGETHER);
	for (unsigned k = 0; k < TOGETHER; k++)
		end_question(&question[k], ERR_NONE);
}

/* The first of a size is planned by another thread, the next is one run on this
 * one; so is the first of a version whose plans were made beside. */
static void gather_alone(void)
{
	struct client client, other;
	struct rig rig, next;

	begin_alone(&rig, &client);
	gather_some(&rig, &client, false);
	gather_some(&rig, &client, true);
	begin_alone(&next, &other);
	batcher_follow(next.batcher, rig.batcher);
	gather_some(&next, &other, true);
	rig_end(&next);
	rig_end(&rig);
}

/* What closes while calls are gathered is told to each. */
static void close_while_gathered(void)
{
	struct gathering gathering = { .n_expected = TOGETHER };
	struct question q[3];
	struct client client;
	struct rig rig;

	begin_alone(&rig, &client);
	for (unsigned k = 0; k < 3; k++) {
		make_question(&q[k], &client, 1, WIDTH);
		if (k == 2)
			batcher_close(rig.batcher);
		CHECK(gathering_add(&gathering, rig.batcher, &q[k].call) ==
		      (k < 2));
	}
	gathering_run(&gathering);
	wait_done(&client, 2);
	CHECK(q[0].call.rc == ERR_NOT_READY && q[1].call.rc == ERR_NOT_READY);
	for (unsigned k = 0; k < 3; k++)
		arena_destroy(q[k].arena);
	rig_end(&rig);
}

/* One more than it has room for is refused, and nothing else is lost. */
static void gather_of_many_models(void)
{
	struct gathering gathering = { .n_expected = TOGETHER };
	struct question q[GATHERING_MODELS + 1];
	struct client client[GATHERING_MODELS + 1];
	struct rig rig[GATHERING_MODELS + 1];

	for (unsigned k = 0; k <= GATHERING_MODELS; k++) {
		begin_alone(&rig[k], &client[k]);
		make_question(&q[k], &client[k], 1 + k % 2, WIDTH);
		CHECK(gathering_add(&gathering, rig[k].batcher, &q[k].call) ==
		      (k < GATHERING_MODELS));
	}
	gathering_run(&gathering);
	for (unsigned k = 0; k <= GATHERING_MODELS; k++) {
		CHECK(client[k].n_done == (k < GATHERING_MODELS));
		if (k < GATHERING_MODELS)
			end_question(&q[k], ERR_NONE);
		else
			arena_destroy(q[k].arena);
		rig_end(&rig[k]);
	}
}

int main(void)
{
	hammer(0, 64, false);
	hammer(200000, 64, false);
	hammer(0, 3, false);
	hammer(200000, 64, true);
	close_while_waiting();
	gather_alone();
	close_while_gathered();
	gather_of_many_models();
	return 0;
}
