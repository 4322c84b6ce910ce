/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * One pass of a recurrent layer: one direction over some rows of the batch,
 * and where its rows lie. Steps count as the pass goes; times as X has them.
 *
 * Threads: plain data and pure functions.
 */
#ifndef ENGINE_OPS_RECURRENT_JOB_H
#define ENGINE_OPS_RECURRENT_JOB_H

#include "engine/kernels/loops.h"
#include "engine/kernels/row_loops.h"
#include "engine/ops/recurrent.h"

/* CHUNK_ROWS: of inputs that are multiplied at once; PART_ROWS: the least part
 * of a batch; FEW_ROWS: up to here a product is read row by row; PANEL_ROWS: or
 * panel by panel; PACK_STEPS: from here on a run packs weights that no plan
 * knows; CLIPPED: the first activations get clipped numbers, but not h of the
 * LSTM's cell, which ONNX Runtime leaves alone, too */
enum {
	CHUNK_ROWS = 512,
	PART_ROWS = 16,
	PARTS_MAX = 8,
	FEW_ROWS = 2,
	PANEL_ROWS = 8,
	PACK_STEPS = 16,
	CLIPPED = 2
};

/* One pass. Absent operands are NULL. */
struct recurrent_job {
	struct recurrent r;
	/* packs_u: into the scratch; is_usual: sigmoid and tanh, no more */
	bool fast, is_reverse, packs_u, is_usual;
	int64_t direction, row, n_rows;
	const void *w_panels, *u_panels; /* of this direction; NULL: none */
	const void *in[RECURRENT_P + 1];
	void *out[3];
	const struct bend *bend;
	const struct loop *loop[RECURRENT_BENDS]; /* NULL: it needs none */
};

struct recurrent_extents {
	int64_t m, n, k, ldc;
	const void *panels; /* b packed; NULL: it is not */
};

/* A length that cannot be is 0; the run says so. */
static inline int64_t recurrent_length(const struct recurrent_job *job,
				       int64_t row)
{
	const int32_t *lengths = job->in[RECURRENT_LENGTHS];

	if (!lengths)
		return job->r.n_steps;
	return lengths[row] < 0 || lengths[row] > job->r.n_steps ? 0
								 : lengths[row];
}

/* The time that a row's step stands for; -1: its sequence has ended. */
static inline int64_t recurrent_time(const struct recurrent_job *job,
				     int64_t row, int64_t step)
{
	const int64_t length = recurrent_length(job, row);

	if (step >= length)
		return -1;
	return job->is_reverse ? length - 1 - step : step;
}

/* The number of a row of X at a time, and where it begins. */
static inline int64_t recurrent_row_at(const struct recurrent *r, int64_t row,
				       int64_t t)
{
	return r->batch_first ? row * r->n_steps + t : t * r->n_batch + row;
}

static inline int64_t recurrent_x_at(const struct recurrent *r, int64_t row,
				     int64_t t)
{
	return recurrent_row_at(r, row, t) * r->n_in;
}

static inline int64_t recurrent_y_at(const struct recurrent_job *job,
				     int64_t row, int64_t t)
{
	const struct recurrent *r = &job->r;
	const int64_t n = r->n_directions;
	const int64_t at = r->batch_first
			       ? (row * r->n_steps + t) * n + job->direction
			       : (t * n + job->direction) * r->n_batch + row;

	return at * r->n_hidden;
}

static inline int64_t recurrent_state_at(const struct recurrent_job *job,
					 int64_t row)
{
	const struct recurrent *r = &job->r;

	return (r->batch_first ? row * r->n_directions + job->direction
			       : job->direction * r->n_batch + row) *
	       r->n_hidden;
}

static inline int64_t recurrent_chunk_steps(int64_t n_rows)
{
	return n_rows > 0 && n_rows < CHUNK_ROWS ? CHUNK_ROWS / n_rows : 1;
}

static inline float dot_f32(bool fast, const float *a, const float *b,
			    int64_t n)
{
	double sum = 0;

	if (fast)
		return row_loops()->dot(a, b, n);
	for (int64_t i = 0; i < n; i++)
		sum += (double)a[i] * (double)b[i];
	return (float)sum;
}

static inline double dot_f64(bool fast, const double *a, const double *b,
			     int64_t n)
{
	double sum = 0;

	(void)fast;
	for (int64_t i = 0; i < n; i++)
		sum += a[i] * b[i];
	return sum;
}

static inline void recurrent_of(const struct kernel_query *q,
				struct recurrent *ret)
{
	const enum err_code rc =
	    recurrent_init(q->op->name, q->attrs, q->in, q->n_in, ret, NULL);

	(void)rc; /* infer() has seen it pass */
}

static inline unsigned recurrent_parts(const struct recurrent *r)
{
	const int64_t n = r->n_batch / PART_ROWS;

	return n < 1 ? 1 : n < PARTS_MAX ? (unsigned)n : PARTS_MAX;
}

/* The most rows that a slice has. */
static inline int64_t recurrent_part_rows(const struct recurrent *r)
{
	const int64_t n = recurrent_parts(r);

	return (r->n_batch + n - 1) / n;
}

static inline void recurrent_find_loops(struct recurrent_job *job)
{
	for (unsigned i = 0; i < RECURRENT_BENDS; i++) {
		const struct bend *bend = &job->bend[i];
		const char *name =
		    bend->form == BEND_SCALED_TANH ? "Tanh" : bend->loop;

		if (!name || bend->form == BEND_AFFINE ||
		    bend->form == BEND_THRESHOLD)
			continue;
		job->loop[i] =
		    job->fast ? loop_find(name) : loop_find_reference(name);
	}
}

/* Everything but panels; in and out as the call has them. */
static inline void recurrent_job_init(const struct kernel_call *call,
				      unsigned slice, bool fast,
				      struct recurrent_job *job)
{
	const struct kernel_query *q = call->query;
	unsigned n_parts;
	int64_t last;

	*job = (struct recurrent_job){ .fast = fast };
	recurrent_of(q, &job->r);
	n_parts = recurrent_parts(&job->r);
	job->direction = slice / n_parts;
	job->is_reverse = job->r.is_reverse[job->direction];
	kernel_slice(job->r.n_batch, n_parts, slice % n_parts, &job->row,
		     &last);
	job->n_rows = last - job->row;
	for (unsigned i = 0; i <= RECURRENT_P && i < q->n_in; i++)
		job->in[i] =
		    q->in[i].type.elem == DTYPE_NONE ? NULL : call->in[i];
	job->bend = job->r.bend[job->direction];
	recurrent_find_loops(job);
}

#endif
