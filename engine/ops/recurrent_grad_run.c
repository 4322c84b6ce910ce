/* SPDX-License-Identifier: Apache-2.0 */
/* Kernels of the way back through recurrent layers. A slice is one direction
 * of a part of the batch, as on the way there. */
#include <math.h>
#include <string.h>

#include "engine/kernels/blas.h"
#include "engine/ops/recurrent_job.h"

/* BACK_RESET, BACK_DC0 and BACK_PEEP: where a kind has them, see back_of() */
enum back_slot { BACK_RESET = BACK_LAST, BACK_DC0, BACK_PEEP, BACK_SLOTS };

/* One pass, back. Absent operands are NULL. */
struct back_job {
	struct recurrent_job job;
	const void *y, *dy, *dh, *dc;
	void *out[BACK_SLOTS];
};

/* Where a row's part of the gradient of peepholes is. */
static int64_t peep_at(const struct recurrent_job *job, int64_t row)
{
	return (job->direction * job->r.n_batch + row) * 3 * job->r.n_hidden;
}

#define T float
#define ELEM DTYPE_F32
#define BLAS(x) blas_product_f32
#define NAME(x) x##_f32
#include "engine/ops/recurrent_pass_typed.h"

#include "engine/ops/recurrent_grad_typed.h"

#define T double
#define ELEM DTYPE_F64
#define BLAS(x) blas_product_f64
#define NAME(x) x##_f64
#include "engine/ops/recurrent_pass_typed.h"

#include "engine/ops/recurrent_grad_typed.h"

static void back_of(const struct kernel_call *call, unsigned slice,
		    const struct recurrent_way *way, struct back_job *back)
{
	const struct kernel_query *q = call->query;
	const void *more[RECURRENT_DC - RECURRENT_P] = { NULL };
	struct recurrent r;
	unsigned n;

	memset(back, 0, sizeof(*back));
	recurrent_of(q, &r);
	recurrent_job_init(call, &r, slice, way, &back->job);
	for (unsigned i = RECURRENT_Y; i <= RECURRENT_DC && i < q->n_in; i++)
		if (q->in[i].type.elem != DTYPE_NONE)
			more[i - RECURRENT_Y] = call->in[i];
	back->y = more[0];
	back->dy = more[1];
	back->dh = more[2];
	back->dc = more[3];
	for (n = 0; n < BACK_LAST && n < q->n_out; n++)
		back->out[n] = call->out[n];
	if (back->job.r.kind == RECURRENT_GRU && n < q->n_out)
		back->out[BACK_RESET] = call->out[n];
	if (back->job.r.kind != RECURRENT_LSTM)
		return;
	if (n < q->n_out)
		back->out[BACK_DC0] = call->out[n++];
	if (n < q->n_out && back->job.in[RECURRENT_P])
		back->out[BACK_PEEP] = call->out[n];
}

static void run_slice(const struct kernel_call *call, unsigned slice,
		      void *scratch, bool fast)
{
	const struct recurrent_way way = { .fast = fast };
	struct back_job back;

	back_of(call, slice, &way, &back);
	if (back.job.n_rows == 0)
		return;
	if (call->query->in[0].type.elem == DTYPE_F32)
		run_back_f32(&back, scratch);
	else
		run_back_f64(&back, scratch);
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
	for (slice = 0; slice < r.n_directions * recurrent_parts(&r); slice++)
		run_slice(call, slice, scratch, false);
}

/* What back_init() cuts up. */
static enum err_code prepare(const struct kernel_query *query,
			     struct kernel_setup *ret, struct err *err)
{
	const size_t size = dtype_info(query->in[0].type.elem)->size;
	size_t rows, all, hidden, chunk;
	struct recurrent r;

	(void)err;
	recurrent_of(query, &r);
	rows = (size_t)recurrent_part_rows(&r);
	all = (size_t)r.n_steps * rows;
	hidden = (size_t)r.n_hidden;
	chunk = rows < CHUNK_ROWS ? CHUNK_ROWS : rows;
	ret->scratch_bytes =
	    size *
	    (chunk * (size_t)r.n_in +
	     hidden * (2 * (size_t)r.n_gates * all + 5 * all + 5 * rows));
	return ERR_NONE;
}

static enum err_code blas_prepare(const struct kernel_query *query,
				  struct kernel_setup *ret, struct err *err)
{
	struct recurrent r;

	recurrent_of(query, &r);
	ret->n_slices = r.n_directions * recurrent_parts(&r);
	return prepare(query, ret, err);
}

static double cost(const struct kernel_query *query)
{
	struct recurrent r;

	recurrent_of(query, &r);
	return 1 + 6e-5 * (double)r.n_directions * (double)r.n_steps *
		       (double)r.n_batch * (double)r.n_gates *
		       (double)r.n_hidden * (double)(r.n_in + r.n_hidden);
}

static bool fits(const struct kernel_query *query)
{
	const enum dtype elem = query->in[0].type.elem;

	return elem == DTYPE_F32 || elem == DTYPE_F64;
}

const struct kernel recurrent_grad_blas = {
	.name = "recurrent_grad.blas",
	.flags = KERNEL_QUICK,
	.fits = fits,
	.cost = cost,
	.prepare = blas_prepare,
	.run = blas_run,
};
const struct kernel recurrent_grad_plain = {
	.name = "recurrent_grad.plain",
	.flags = KERNEL_QUICK,
	.fits = fits,
	.cost = cost,
	.prepare = prepare,
	.run = plain_run,
};
