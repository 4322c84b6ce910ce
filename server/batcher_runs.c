/* SPDX-License-Identifier: Apache-2.0 */
/* The runs of a batcher, and what it learns of the time that they take. */
#include "base/clock.h"
#include "engine/team.h"
#include "server/batcher_priv.h"

enum {
	TEAM_NS_MIN = 200000, /* shorter runs are faster alone */
};

void batcher_prepare(const struct batcher *batcher, struct infer_call *call)
{
	call->next = NULL;
	call->rc = ERR_NONE;
	call->rows = batcher->options.batches ? call->input[0].shape.dim[0] : 1;
	call->queued_ns = clock_monotonic_ns();
	for (unsigned j = 0; j < call->n_outputs; j++)
		call->output[j].data = NULL;
}

static void finish(struct infer_call *call, enum err_code rc,
		   const struct err *err)
{
	call->rc = rc;
	if (rc)
		call->err = *err;
}

int64_t batcher_predict_ns(struct batcher *batcher, int64_t rows)
{
	return run_times_predict(&batcher->times,
				 batcher->options.batches ? rows : 1);
}

static void learn(struct batcher *batcher, int64_t rows, int64_t ns)
{
	run_times_learn(&batcher->times, batcher->options.batches ? rows : 1,
			ns);
}

void batcher_follow(struct batcher *batcher, const struct batcher *from)
{
	run_times_follow(&batcher->times, &from->times);
}

/* One run of parts with the helpers it deserves. */
static enum err_code run_parts(struct batcher *batcher,
			       const struct batch_part *parts, unsigned n_parts,
			       bool may_borrow, struct err *err)
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
	if (may_borrow && options->helpers && others + 1 < options->threads &&
	    batcher_predict_ns(batcher, rows) >= TEAM_NS_MIN)
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
static void run_alone(struct batcher *batcher, struct infer_call *call,
		      bool may_borrow)
{
	const int64_t most = batcher->options.max_batch;
	struct batch_part part = { .call = call };
	struct err err;
	enum err_code rc;

	do {
		part.n = call->rows - part.first;
		if (batcher->options.batches && part.n > most)
			part.n = most;
		rc = run_parts(batcher, &part, 1, may_borrow, &err);
		part.first += part.n;
	} while (!rc && part.first < call->rows);
	finish(call, rc, &err);
}

static void run_joined(struct batcher *batcher, struct infer_call *first,
		       bool may_borrow)
{
	struct batch_part parts[BATCHER_MAX_BATCH];
	struct infer_call *call = first;
	unsigned n = 0;
	struct err err;
	enum err_code rc;

	for (; call && n < BATCHER_MAX_BATCH; call = call->next)
		parts[n++] = (struct batch_part){ call, 0, call->rows };
	rc = run_parts(batcher, parts, n, may_borrow, &err);
	for (call = first; call; call = call->next) {
		if (rc == ERR_INVALID) /* whose value it was is not known */
			run_alone(batcher, call, may_borrow);
		else
			finish(call, rc, &err);
	}
}

void batcher_run_calls(struct batcher *batcher, struct infer_call *first,
		       bool may_borrow)
{
	if (first->next)
		run_joined(batcher, first, may_borrow);
	else
		run_alone(batcher, first, may_borrow);
}

void batcher_warm(struct batcher *batcher, struct infer_call *call)
{
	struct batch_part part = { .call = call };
	int64_t ns[PHASE_OUTPUT + 1];
	struct err err;
	enum err_code rc;

	batcher_prepare(batcher, call);
	part.n = call->rows;
	rc = batch_run(&batcher->options, &part, 1, NULL, ns, &err);
	if (!rc)
		learn(batcher, part.n, ns[PHASE_INFER]);
	finish(call, rc, &err);
}
