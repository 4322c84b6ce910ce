/* SPDX-License-Identifier: Apache-2.0 */
/* What passes forward and back share, in one type. T: element; ELEM: its
 * number; BLAS(x): the product of that type; PACKS: it is packed into panels. A
 * pass's inputs are multiplied some steps at once. */

struct NAME(pass) {
	const struct recurrent *r;
	const struct recurrent_job *job;
	const T *x, *w, *u, *bias, *peep;
	T *y;
	T *xs, *pre, *h, *c, *spare; /* scratch */
	/* the weights in panels; NULL: there are none */
	const T *w_panels, *u_panels;
};

/* to[m, n] += a[m, k] b[n, k]^T */
static void NAME(add_product)(const struct recurrent_job *job,
			      const struct recurrent_extents *e, const T *a,
			      const T *b, T *to)
{
	const struct blas_product p = {
		.m = e->m,
		.n = e->n,
		.k = e->k,
		.lda = e->k,
		.ldb = e->k,
		.ldc = e->ldc,
		.trans_b = true,
		.alpha = 1,
		.beta = 1,
	};

	if (!e->m || !e->n || !e->k)
		return;
#ifdef PACKS
	if (NAME(add_bytes)(job, e, a, to))
		return;
	if (e->panels) {
		NAME(add_panels)(e, a, to);
		return;
	}
#endif
	if (job->fast && e->m > FEW_ROWS) {
		BLAS(p)(&p, a, b, to);
		return;
	}
	for (int64_t j = 0; j < e->n; j++)
		for (int64_t i = 0; i < e->m; i++)
			to[i * e->ldc + j] += NAME(recurrent_dot)(
			    job->fast, a + i * e->k, b + j * e->k, e->k);
}

static void NAME(bend)(const struct recurrent_job *job, unsigned i, int64_t n,
		       T *x)
{
	const struct bend *bend = &job->bend[i];
	const T alpha = (T)bend->param[0], beta = (T)bend->param[1];
	const T limit = (T)job->r.clip;
	const void *in = x;
	const int step = 1;

	for (int64_t j = 0; j < n && i < CLIPPED && job->r.clip > 0; j++)
		x[j] = x[j] > limit ? limit : x[j] < -limit ? -limit : x[j];
	for (int64_t j = 0; j < n && bend->form == BEND_SCALED_TANH; j++)
		x[j] *= beta;
	if (job->loop[i])
		(void)job->loop[i]->run[ELEM](n, &in, &step, x, bend->param);
	for (int64_t j = 0; j < n && bend->form == BEND_SCALED_TANH; j++)
		x[j] *= alpha;
	for (int64_t j = 0; j < n && bend->form == BEND_AFFINE; j++)
		x[j] = alpha * x[j] + beta;
	for (int64_t j = 0; j < n && bend->form == BEND_THRESHOLD; j++)
		x[j] = x[j] >= alpha ? x[j] : 0;
}

/* What one row of gates begins with: the biases of both products. */
static T NAME(bias_at)(const struct NAME(pass) * p, int64_t j)
{
	const int64_t n = p->r->n_gates * p->r->n_hidden;
	const bool is_late = p->r->kind == RECURRENT_GRU &&
			     p->r->linear_before_reset &&
			     j >= 2 * p->r->n_hidden;

	if (!p->bias)
		return 0;
	return is_late ? p->bias[j] : p->bias[j] + p->bias[n + j];
}

/* Inputs of n steps lie in x as a product wants them. */
static bool NAME(is_in_order)(const struct recurrent_job *job)
{
	return !job->is_reverse && !job->in[RECURRENT_LENGTHS] &&
	       job->n_rows == job->r.n_batch &&
	       (!job->r.batch_first || job->n_rows == 1);
}

static const T *NAME(gather_steps)(const struct NAME(pass) * p, int64_t first,
				   int64_t n)
{
	const struct recurrent_job *job = p->job;

	if (NAME(is_in_order)(job))
		return p->x + first * job->n_rows * p->r->n_in;
	for (int64_t i = 0; i < n * job->n_rows; i++) {
		const int64_t row = job->row + i % job->n_rows;
		const int64_t t =
		    recurrent_time(job, row, first + i / job->n_rows);
		T *to = p->xs + i * p->r->n_in;

		if (t < 0)
			memset(to, 0, (size_t)p->r->n_in * sizeof(T));
		else
			memcpy(to, p->x + recurrent_x_at(p->r, row, t),
			       (size_t)p->r->n_in * sizeof(T));
	}
	return p->xs;
}

static void NAME(load_steps)(const struct NAME(pass) * p, int64_t first,
			     int64_t n)
{
	const struct recurrent_job *job = p->job;
	const int64_t width = p->r->n_gates * p->r->n_hidden;
	const struct recurrent_extents e = {
		n * job->n_rows, width,	      p->r->n_in, width,
		p->w_panels,	 job->way->w, false
	};

	for (int64_t j = 0; j < width && e.m > 0; j++)
		p->pre[j] = NAME(bias_at)(p, j);
	for (int64_t i = 1; i < e.m; i++)
		memcpy(p->pre + i * width, p->pre, (size_t)width * sizeof(T));
	NAME(add_product)
	(job, &e, NAME(gather_steps)(p, first, n), p->w, p->pre);
}

/* The states of the pass's rows: read from data (NULL: zeros), or written. */
static void NAME(load_state)(const struct NAME(pass) * p, const T *data, T *to)
{
	const size_t bytes = (size_t)p->r->n_hidden * sizeof(T);

	for (int64_t i = 0; i < p->job->n_rows; i++)
		if (data)
			memcpy(to + i * p->r->n_hidden,
			       data +
				   recurrent_state_at(p->job, p->job->row + i),
			       bytes);
		else
			memset(to + i * p->r->n_hidden, 0, bytes);
}

static void NAME(store_state)(const struct NAME(pass) * p, const T *from,
			      T *data)
{
	const size_t bytes = (size_t)p->r->n_hidden * sizeof(T);

	for (int64_t i = 0; data && i < p->job->n_rows; i++)
		memcpy(data + recurrent_state_at(p->job, p->job->row + i),
		       from + i * p->r->n_hidden, bytes);
}

/* The operands of the pass's direction; no scratch yet. */
static void NAME(pass_start)(struct NAME(pass) * p,
			     const struct recurrent_job *job)
{
	const struct recurrent *r = &job->r;
	const int64_t width = r->n_gates * r->n_hidden, d = job->direction;
	const T *bias = job->in[RECURRENT_B], *peep = job->in[RECURRENT_P];
	const T *w = job->in[RECURRENT_W], *u = job->in[RECURRENT_R];

	*p = (struct NAME(pass)){
		.r = r,
		.job = job,
		.x = job->in[RECURRENT_X],
		.w = w ? w + d * width * r->n_in : NULL,
		.u = u ? u + d * width * r->n_hidden : NULL,
		.bias = bias ? bias + d * 2 * width : NULL,
		.peep = peep ? peep + d * 3 * r->n_hidden : NULL,
	};
}
