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
 * panel by panel, PANEL_DEPTH numbers deep; PACK_STEPS: from here on a run
 * packs weights that no plan knows; CLIPPED: the first activations get clipped
 * numbers, but not h of the LSTM's cell, which ONNX Runtime leaves alone, too
 */
enum {
	CHUNK_ROWS = 128,
	PART_ROWS = 16,
	PARTS_MAX = 8,
	FEW_ROWS = 2,
	PANEL_ROWS = 8,
	PANEL_DEPTH = 256,
	PACK_STEPS = 16,
	CLIPPED = 2
};

/* One pass. Absent operands are NULL. */
struct recurrent_job {
	struct recurrent r;
	/* packs_u: into the scratch; is_usual: sigmoid and tanh, no more */
	bool fast, is_reverse, packs_u, is_usual;
	const struct recurrent_way *way;
	int64_t direction, row, n_rows;
	const void *w_panels, *u_panels; /* of this direction; NULL: none */
	const void *in[RECURRENT_P + 1];
	void *out[3];
	const struct bend *bend;
	const struct loop *loop[RECURRENT_BENDS]; /* NULL: it needs none */
};

struct recurrent_extents {
	int64_t m, n, k, ldc;
	const void *panels;		  /* b packed; NULL: it is not */
	const struct byte_weights *bytes; /* b stored as bytes, or NULL */
	bool from_end;			  /* the last panel first */
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

float recurrent_dot_f32(bool fast, const float *a, const float *b, int64_t n);
double recurrent_dot_f64(bool fast, const double *a, const double *b,
			 int64_t n);
void recurrent_of(const struct kernel_query *q, struct recurrent *ret);
/** The most rows that a slice has. */
int64_t recurrent_part_rows(const struct recurrent *r);
/** Everything but panels; in and out as the call has them. */
void recurrent_job_init(const struct kernel_call *call,
			const struct recurrent *r, unsigned slice,
			const struct recurrent_way *way,
			struct recurrent_job *job);

#endif
