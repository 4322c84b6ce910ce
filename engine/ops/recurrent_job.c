/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/ops/recurrent_job.h"

#include <string.h>

float recurrent_dot_f32(bool fast, const float *a, const float *b, int64_t n)
{
	double sum = 0;

	if (fast)
		return row_loops()->dot(a, b, n);
	for (int64_t i = 0; i < n; i++)
		sum += (double)a[i] * (double)b[i];
	return (float)sum;
}

double recurrent_dot_f64(bool fast, const double *a, const double *b, int64_t n)
{
	double sum = 0;

	(void)fast;
	for (int64_t i = 0; i < n; i++)
		sum += a[i] * b[i];
	return sum;
}

void recurrent_of(const struct kernel_query *q, struct recurrent *ret)
{
	const enum err_code rc =
	    recurrent_init(q->op->name, q->attrs, q->in, q->n_in, ret, NULL);

	(void)rc; /* infer() has seen it pass */
}

unsigned recurrent_parts(const struct recurrent *r)
{
	const int64_t n = r->n_batch / PART_ROWS;

	return n < 1 ? 1 : n < PARTS_MAX ? (unsigned)n : PARTS_MAX;
}

int64_t recurrent_part_rows(const struct recurrent *r)
{
	const int64_t n = recurrent_parts(r);

	return (r->n_batch + n - 1) / n;
}

static void find_loops(struct recurrent_job *job)
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

static void load_operands(const struct kernel_call *call,
			  const struct recurrent_way *way,
			  struct recurrent_job *job)
{
	const struct kernel_query *q = call->query;

	job->in[RECURRENT_X] = call->in[RECURRENT_X];
	for (unsigned i = 1; i <= RECURRENT_P && i < q->n_in; i++)
		job->in[i] =
		    q->in[i].type.elem == DTYPE_NONE ? NULL : call->in[i];
	for (unsigned i = 0; i < 3 && i < q->n_out; i++)
		job->out[i] = call->out[i];
	if (way->is_stored)
		job->in[RECURRENT_W] = job->in[RECURRENT_R] = NULL;
}

void recurrent_job_init(const struct kernel_call *call,
			const struct recurrent *r, unsigned slice,
			const struct recurrent_way *way,
			struct recurrent_job *job)
{
	const unsigned n_parts = recurrent_parts(r);
	int64_t last;

	*job = (struct recurrent_job){ .r = *r, .fast = way->fast, .way = way };
	job->direction = slice / n_parts;
	job->is_reverse = job->r.is_reverse[job->direction];
	kernel_slice(job->r.n_batch, n_parts, slice % n_parts, &job->row,
		     &last);
	job->n_rows = last - job->row;
	load_operands(call, way, job);
	job->bend = job->r.bend[job->direction];
	find_loops(job);
}
