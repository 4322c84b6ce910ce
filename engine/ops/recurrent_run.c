/* SPDX-License-Identifier: Apache-2.0 */
/* Kernels of recurrent layers: the same passes with BLAS and fast loops, and
 * plain. A slice is one direction of a part of the batch. */
#include <string.h>

#include "engine/kernels/blas.h"
#include "engine/kernels/loops.h"
#include "engine/kernels/row_loops.h"
#include "engine/ops/recurrent.h"

/* CHUNK_ROWS: of inputs that are multiplied at once; PART_ROWS: the least part
 * of a batch; FEW_ROWS: up to here a product is read row by row;
 * CLIPPED: the first activations get clipped numbers, but not h of the LSTM's
 * cell, which ONNX Runtime leaves alone, too */
enum {
	CHUNK_ROWS = 512,
	PART_ROWS = 16,
	PARTS_MAX = 8,
	FEW_ROWS = 2,
	CLIPPED = 2
};

/* One pass. Absent operands are NULL. */
struct job {
	struct recurrent r;
	bool fast, is_reverse;
	int64_t direction, row, n_rows;
	const void *in[RECURRENT_P + 1];
	void *out[3];
	const struct bend *bend;
	const struct loop *loop[RECURRENT_BENDS]; /* NULL: it needs none */
};

struct extents {
	int64_t m, n, k, ldc;
};

/* A length that cannot be is 0; the run says so. */
static int64_t length_of(const struct job *job, int64_t row)
{
	const int32_t *lengths = job->in[RECURRENT_LENGTHS];

	if (!lengths)
		return job->r.n_steps;
	return lengths[row] < 0 || lengths[row] > job->r.n_steps ? 0
								 : lengths[row];
}

/* The time that a row's step stands for; -1: its sequence has ended. */
static int64_t time_of(const struct job *job, int64_t row, int64_t step)
{
	const int64_t length = length_of(job, row);

	if (step >= length)
		return -1;
	return job->is_reverse ? length - 1 - step : step;
}

static int64_t x_at(const struct recurrent *r, int64_t row, int64_t t)
{
	return (r->batch_first ? row * r->n_steps + t : t * r->n_batch + row) *
	       r->n_in;
}

static int64_t y_at(const struct job *job, int64_t row, int64_t t)
{
	const struct recurrent *r = &job->r;
	const int64_t n = r->n_directions;
	const int64_t at = r->batch_first
			       ? (row * r->n_steps + t) * n + job->direction
			       : (t * n + job->direction) * r->n_batch + row;

	return at * r->n_hidden;
}

static int64_t state_at(const struct job *job, int64_t row)
{
	const struct recurrent *r = &job->r;

	return (r->batch_first ? row * r->n_directions + job->direction
			       : job->direction * r->n_batch + row) *
	       r->n_hidden;
}

static int64_t chunk_steps(int64_t n_rows)
{
	return n_rows > 0 && n_rows < CHUNK_ROWS ? CHUNK_ROWS / n_rows : 1;
}

static float dot_f32(bool fast, const float *a, const float *b, int64_t n)
{
	double sum = 0;

	if (fast)
		return row_loops()->dot(a, b, n);
	for (int64_t i = 0; i < n; i++)
		sum += (double)a[i] * (double)b[i];
	return (float)sum;
}

static double dot_f64(bool fast, const double *a, const double *b, int64_t n)
{
	double sum = 0;

	(void)fast;
	for (int64_t i = 0; i < n; i++)
		sum += a[i] * b[i];
	return sum;
}

#define T float
#define ELEM DTYPE_F32
#define BLAS(x) blas_product_f32
#define NAME(x) x##_f32
#include "engine/ops/recurrent_typed.h"

#define T double
#define ELEM DTYPE_F64
#define BLAS(x) blas_product_f64
#define NAME(x) x##_f64
#include "engine/ops/recurrent_typed.h"

static void recurrent_of(const struct kernel_query *q, struct recurrent *ret)
{
	const enum err_code rc =
	    recurrent_init(q->op->name, q->attrs, q->in, q->n_in, ret, NULL);

	(void)rc; /* infer() has seen it pass */
}

static unsigned parts_of(const struct recurrent *r)
{
	const int64_t n = r->n_batch / PART_ROWS;

	return n < 1 ? 1 : n < PARTS_MAX ? (unsigned)n : PARTS_MAX;
}

static void find_loops(struct job *job)
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

static void check_lengths(const struct kernel_call *call, const struct job *job)
{
	const int32_t *lengths = job->in[RECURRENT_LENGTHS];

	for (int64_t i = 0; lengths && i < job->r.n_batch; i++)
		if (lengths[i] < 0 || lengths[i] > job->r.n_steps)
			kernel_fault(call, i);
}

static void run_slice(const struct kernel_call *call, unsigned slice,
		      void *scratch, bool fast)
{
	const struct kernel_query *q = call->query;
	struct job job = { .fast = fast };
	unsigned n_parts;
	int64_t last;

	recurrent_of(q, &job.r);
	n_parts = parts_of(&job.r);
	job.direction = slice / n_parts;
	job.is_reverse = job.r.is_reverse[job.direction];
	kernel_slice(job.r.n_batch, n_parts, slice % n_parts, &job.row, &last);
	job.n_rows = last - job.row;
	for (unsigned i = 0; i <= RECURRENT_P && i < q->n_in; i++)
		job.in[i] =
		    q->in[i].type.elem == DTYPE_NONE ? NULL : call->in[i];
	for (unsigned i = 0; i < 3 && i < q->n_out; i++)
		job.out[i] = call->out[i];
	if (slice == 0)
		check_lengths(call, &job);
	if (job.n_rows == 0 || job.r.n_hidden == 0)
		return;
	job.bend = job.r.bend[job.direction];
	find_loops(&job);
	if (q->in[0].type.elem == DTYPE_F32)
		run_f32(&job, scratch);
	else
		run_f64(&job, scratch);
}

static void blas_run(const struct kernel_call *call, unsigned slice,
		     void *scratch)
{
	run_slice(call, slice, scratch, true);
}

/* All slices, one after the other. */
static void plain_run(const struct kernel_call *call, unsigned slice,
		      void *scratch)
{
	struct recurrent r;

	recurrent_of(call->query, &r);
	for (slice = 0; slice < r.n_directions * parts_of(&r); slice++)
		run_slice(call, slice, scratch, false);
}

/* What pass_init() cuts up; parts of fewer rows may take more steps at once. */
static size_t scratch_of(const struct kernel_query *q,
			 const struct recurrent *r)
{
	const int64_t n = parts_of(r);
	const size_t rows = (size_t)((r->n_batch + n - 1) / n);
	const size_t most = rows < CHUNK_ROWS ? CHUNK_ROWS : rows;
	const size_t hidden = (size_t)r->n_hidden;
	const size_t size = dtype_info(q->in[0].type.elem)->size;

	return size * (most * ((size_t)r->n_in + (size_t)r->n_gates * hidden) +
		       3 * rows * hidden);
}

static enum err_code blas_prepare(const struct kernel_query *query,
				  struct kernel_setup *ret, struct err *err)
{
	struct recurrent r;

	(void)err;
	recurrent_of(query, &r);
	ret->scratch_bytes = scratch_of(query, &r);
	ret->n_slices = r.n_directions * parts_of(&r);
	return ERR_NONE;
}

static enum err_code plain_prepare(const struct kernel_query *query,
				   struct kernel_setup *ret, struct err *err)
{
	struct recurrent r;

	(void)err;
	recurrent_of(query, &r);
	ret->scratch_bytes = scratch_of(query, &r);
	return ERR_NONE;
}

static double recurrent_cost(const struct kernel_query *query)
{
	struct recurrent r;

	recurrent_of(query, &r);
	return 1 + 3e-5 * (double)r.n_directions * (double)r.n_steps *
		       (double)r.n_batch * (double)r.n_gates *
		       (double)r.n_hidden * (double)(r.n_in + r.n_hidden);
}

static bool fits(const struct kernel_query *query)
{
	const enum dtype elem = query->in[0].type.elem;

	return elem == DTYPE_F32 || elem == DTYPE_F64;
}

const struct kernel recurrent_blas = {
	.name = "recurrent.blas",
	.flags = KERNEL_QUICK,
	.fits = fits,
	.cost = recurrent_cost,
	.prepare = blas_prepare,
	.run = blas_run,
};
const struct kernel recurrent_plain = {
	.name = "recurrent.plain",
	.flags = KERNEL_QUICK,
	.fits = fits,
	.cost = recurrent_cost,
	.prepare = plain_prepare,
	.run = plain_run,
};
