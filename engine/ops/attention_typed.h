/* SPDX-License-Identifier: Apache-2.0 */
/* Plain attention in one type. T: element of Q, K and Y. Values may have
 * another; scores and sums are held in double. */

/* score[j] of one query and every key */
static void NAME(scores)(const struct attention *a, struct plain *p,
			 const struct kernel_call *call)
{
	const T *q = (const T *)call->in[ATTENTION_Q] +
		     attention_at(&a->q, p->b, p->h, p->i);

	for (int64_t j = 0; j < a->n_kv; j++) {
		const bool is_past = j < a->n_past;
		const T *k =
		    is_past
			? (const T *)call->in[ATTENTION_PAST_KEY] +
			      attention_at(&a->past_k, p->b, p->kv_h, j)
			: (const T *)call->in[ATTENTION_K] +
			      attention_at(&a->k, p->b, p->kv_h, j - a->n_past);
		double sum = 0;

		for (int64_t l = 0; l < a->head; l++)
			sum += (double)q[l] * (double)k[l];
		p->score[j] = sum * a->scale;
	}
}

static void NAME(show)(const struct attention *a, struct plain *p,
		       const struct kernel_call *call, int64_t mode)
{
	const struct attention_attrs *attrs = call->query->attrs;
	T *to = call->query->n_out > ATTENTION_SCORES
		    ? call->out[ATTENTION_SCORES]
		    : NULL;

	if (!to || attrs->qk_matmul_output_mode != mode)
		return;
	to += ((p->b * a->q_heads + p->h) * a->n_q + p->i) * a->n_kv;
	for (int64_t j = 0; j < a->n_kv; j++)
		to[j] = (T)p->score[j];
}

static void NAME(values)(const struct attention *a, struct plain *p,
			 const struct kernel_call *call)
{
	const enum dtype elem = call->query->in[ATTENTION_V].type.elem;
	T *y =
	    (T *)call->out[ATTENTION_Y] + attention_at(&a->y, p->b, p->h, p->i);

	for (int64_t l = 0; l < a->v_head; l++) {
		double sum = 0;

		for (int64_t j = p->window.lo; j < p->window.hi; j++) {
			const bool is_past = j < a->n_past;
			const void *v = call->in[is_past ? ATTENTION_PAST_VALUE
							 : ATTENTION_V];
			const int64_t at =
			    is_past ? attention_at(&a->past_v, p->b, p->kv_h, j)
				    : attention_at(&a->v, p->b, p->kv_h,
						   j - a->n_past);

			if (p->score[j] != 0)
				sum += p->score[j] *
				       attention_number(v, elem, at + l);
		}
		y[l] = (T)sum;
	}
}

static void NAME(query)(const struct attention *a, struct plain *p,
			const struct kernel_call *call)
{
	NAME(scores)(a, p, call);
	NAME(show)(a, p, call, SCORES_RAW);
	for (int64_t j = 0; a->softcap > 0 && j < a->n_kv; j++)
		p->score[j] = a->softcap * tanh(p->score[j] / a->softcap);
	NAME(show)(a, p, call, SCORES_CAPPED);
	add_mask(a, p, call);
	NAME(show)(a, p, call, SCORES_MASKED);
	softmax(a, p);
	NAME(show)(a, p, call, SCORES_SOFTMAX);
	if (call->out[ATTENTION_Y])
		NAME(values)(a, p, call);
}

#undef T
#undef NAME
