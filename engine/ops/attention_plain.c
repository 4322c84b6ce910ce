/* SPDX-License-Identifier: Apache-2.0 */
/* The plain form of Attention, and what its fast form shares with it: keys and
 * values as they are handed on, and lengths that come as values. */
#include <math.h>
#include <string.h>

#include "engine/ops/attention.h"

/* one query of one head */
struct plain {
	int64_t b, h, kv_h, i;
	struct attention_window window;
	double *score;
};

double attention_number(const void *x, enum dtype elem, int64_t i)
{
	switch ((int)elem) {
	case DTYPE_F32:
		return (double)((const float *)x)[i];
	case DTYPE_F64:
		return ((const double *)x)[i];
	case DTYPE_I32:
		return ((const int32_t *)x)[i];
	case DTYPE_I64:
		return (double)((const int64_t *)x)[i];
	case DTYPE_U64:
		return (double)((const uint64_t *)x)[i];
	default:
		return ((const uint8_t *)x)[i] ? 0 : -(double)INFINITY;
	}
}

int64_t attention_length(const struct attention *a,
			 const struct kernel_call *call, int64_t b)
{
	int64_t n;

	if (!a->has_lengths)
		return a->n_kv;
	n = ((const int64_t *)call->in[ATTENTION_LENGTHS])[b];
	if (n >= 0 && n <= a->n_kv)
		return n;
	kernel_fault(call, b);
	return 0;
}

/* n rows of `size` elements of `bytes` each */
struct rows {
	int64_t n, size;
	size_t bytes;
};

static void copy_rows(const struct rows *rows, const void *from,
		      int64_t from_step, void *to)
{
	const size_t bytes = (size_t)rows->size * rows->bytes;

	for (int64_t i = 0; bytes && i < rows->n; i++)
		memcpy((char *)to + (size_t)i * bytes,
		       (const char *)from +
			   (size_t)(i * from_step) * rows->bytes,
		       bytes);
}

/* keys (what 0) or values (1) of one head */
static void hand_on(const struct attention *a, const struct kernel_call *call,
		    unsigned what, int64_t item)
{
	const struct attention_step *fresh = what ? &a->v : &a->k;
	const struct attention_step *past = what ? &a->past_v : &a->past_k;
	const struct attention_step *all = what ? &a->present_v : &a->present_k;
	const unsigned o = ATTENTION_PRESENT_KEY + what;
	const int64_t b = item / a->kv_heads, h = item % a->kv_heads;
	struct rows rows = {
		.n = a->n_past,
		.size = what ? a->v_head : a->head,
		.bytes = dtype_info(call->query->out[o].type.elem)->size,
	};
	char *to = (char *)call->out[o] +
		   (size_t)attention_at(all, b, h, 0) * rows.bytes;

	if (a->n_past)
		copy_rows(&rows,
			  (const char *)call->in[ATTENTION_PAST_KEY + what] +
			      (size_t)attention_at(past, b, h, 0) * rows.bytes,
			  past->row, to);
	rows.n = a->n_new;
	copy_rows(&rows,
		  (const char *)call->in[ATTENTION_K + what] +
		      (size_t)attention_at(fresh, b, h, 0) * rows.bytes,
		  fresh->row, to + (size_t)(a->n_past * all->row) * rows.bytes);
}

void attention_present(const struct attention *a,
		       const struct kernel_call *call, unsigned slice)
{
	int64_t first, last;

	kernel_slice(a->n_batch * a->kv_heads, call->n_slices, slice, &first,
		     &last);
	for (unsigned what = 0; what < 2; what++) {
		const unsigned o = ATTENTION_PRESENT_KEY + what;

		if (o >= call->query->n_out || !call->out[o])
			continue;
		for (int64_t i = first; i < last; i++)
			hand_on(a, call, what, i);
	}
}

/* what is out of the window can never be seen again */
static void add_mask(const struct attention *a, struct plain *p,
		     const struct kernel_call *call)
{
	const int64_t at =
	    p->b * a->mask[0] + p->h * a->mask[1] + p->i * a->mask[2];
	struct attention_window *w = &p->window;
	double most = -(double)INFINITY;

	for (int64_t j = 0; j < a->n_kv; j++) {
		double bias = j < w->lo || j >= w->hi ? -(double)INFINITY : 0;

		if (bias == 0 && a->has_mask)
			bias = attention_number(
			    call->in[ATTENTION_MASK],
			    call->query->in[ATTENTION_MASK].type.elem,
			    at + j * a->mask[3]);
		p->score[j] += bias;
		most = bias > most ? bias : most;
	}
	if (most == (double)-INFINITY)
		w->lo = w->hi = 0;
}

static void softmax(const struct attention *a, const struct plain *p)
{
	const struct attention_window *w = &p->window;
	double most = -(double)INFINITY, sum = 0;

	for (int64_t j = w->lo; j < w->hi; j++)
		most = p->score[j] > most ? p->score[j] : most;
	for (int64_t j = 0; j < a->n_kv; j++) {
		p->score[j] =
		    j < w->lo || j >= w->hi ? 0 : exp(p->score[j] - most);
		sum += p->score[j];
	}
	for (int64_t j = w->lo; j < w->hi; j++)
		p->score[j] /= sum;
}

#define T float
#define NAME(x) x##_f32
#include "engine/ops/attention_typed.h"

#define T double
#define NAME(x) x##_f64
#include "engine/ops/attention_typed.h"

static void plain_run(const struct kernel_call *call, unsigned slice,
		      void *scratch)
{
	const struct attention a = attention_of(call->query);
	const bool is_f64 = call->query->in[0].type.elem == DTYPE_F64;
	const int64_t n = a.n_batch * a.q_heads * a.n_q;
	struct plain p = { .score = scratch };

	attention_present(&a, call, slice);
	for (int64_t at = 0; at < n; at++) {
		p.b = at / (a.q_heads * a.n_q);
		p.h = at / a.n_q % a.q_heads;
		p.i = at % a.n_q;
		p.kv_h = p.h / (a.q_heads / a.kv_heads);
		p.window =
		    attention_window(&a, p.i, attention_length(&a, call, p.b));
		if (is_f64)
			query_f64(&a, &p, call);
		else
			query_f32(&a, &p, call);
	}
}

static enum err_code plain_prepare(const struct kernel_query *query,
				   struct kernel_setup *ret, struct err *err)
{
	(void)err;
	ret->scratch_bytes =
	    (size_t)attention_of(query).n_kv * sizeof(double) + 1;
	return ERR_NONE;
}

static double plain_cost(const struct kernel_query *query)
{
	const struct attention a = attention_of(query);

	return 0.1 + 2e-3 * (double)(a.n_batch * a.q_heads * a.n_q) *
			 (double)a.n_kv * (double)(a.head + a.v_head + 8);
}

const struct kernel attention_plain = {
	.name = "attention.plain",
	.flags = KERNEL_QUICK,
	.cost = plain_cost,
	.prepare = plain_prepare,
	.run = plain_run,
};
