/* SPDX-License-Identifier: Apache-2.0 */
/* Recurrent layers in one type. T: element; ELEM: its number; BLAS(x): the
 * product of that type; PACKS: it is packed into panels. A pass is one
 * direction over some rows of the batch; its steps go in chunks, each of which
 * multiplies its inputs at once. */

struct NAME(pass) {
	const struct recurrent *r;
	const struct job *job;
	const T *x, *w, *u, *bias, *peep;
	T *y;
	T *xs, *pre, *h, *c, *spare; /* scratch */
	/* the weights in panels; NULL: there are none */
	const T *w_panels, *u_panels;
};

/* to[m, n] += a[m, k] b[n, k]^T */
static void NAME(add_product)(const struct job *job, const struct extents *e,
			      const T *a, const T *b, T *to)
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
			to[i * e->ldc + j] += NAME(dot)(job->fast, a + i * e->k,
							b + j * e->k, e->k);
}

static void NAME(bend)(const struct job *job, unsigned i, int64_t n, T *x)
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
static bool NAME(is_in_order)(const struct job *job)
{
	return !job->is_reverse && !job->in[RECURRENT_LENGTHS] &&
	       job->n_rows == job->r.n_batch &&
	       (!job->r.batch_first || job->n_rows == 1);
}

static const T *NAME(gather_steps)(const struct NAME(pass) * p, int64_t first,
				   int64_t n)
{
	const struct job *job = p->job;

	if (NAME(is_in_order)(job))
		return p->x + first * job->n_rows * p->r->n_in;
	for (int64_t i = 0; i < n * job->n_rows; i++) {
		const int64_t row = job->row + i % job->n_rows;
		const int64_t t = time_of(job, row, first + i / job->n_rows);
		T *to = p->xs + i * p->r->n_in;

		if (t < 0)
			memset(to, 0, (size_t)p->r->n_in * sizeof(T));
		else
			memcpy(to, p->x + x_at(p->r, row, t),
			       (size_t)p->r->n_in * sizeof(T));
	}
	return p->xs;
}

static void NAME(load_steps)(const struct NAME(pass) * p, int64_t first,
			     int64_t n)
{
	const struct job *job = p->job;
	const int64_t width = p->r->n_gates * p->r->n_hidden;
	const struct extents e = {
		n * job->n_rows, width,	      p->r->n_in, width,
		p->w_panels,	 job->way->w, false
	};
	const T *xs;

	for (int64_t j = 0; j < width && e.m > 0; j++)
		p->pre[j] = NAME(bias_at)(p, j);
	for (int64_t i = 1; i < e.m; i++)
		memcpy(p->pre + i * width, p->pre, (size_t)width * sizeof(T));
	xs = NAME(gather_steps)(p, first, n);
	NAME(add_product)(job, &e, xs, p->w, p->pre);
}

static void NAME(lstm_row)(const struct NAME(pass) * p, T *a, T *h, T *c)
{
	const int64_t n = p->r->n_hidden;
	T *in = a, *out = a + n, *forget = a + 2 * n, *next = a + 3 * n;

#ifdef PACKS
	if (NAME(lstm_at_once)(p->job, a, h, c))
		return;
#endif
	for (int64_t j = 0; p->peep && j < n; j++) {
		in[j] += p->peep[j] * c[j];
		forget[j] += p->peep[2 * n + j] * c[j];
	}
	NAME(bend)(p->job, 0, n, in);
	if (!p->r->input_forget)
		NAME(bend)(p->job, 0, n, forget);
	for (int64_t j = 0; p->r->input_forget && j < n; j++)
		forget[j] = 1 - in[j];
	NAME(bend)(p->job, 1, n, next);
	for (int64_t j = 0; j < n; j++)
		c[j] = forget[j] * c[j] + in[j] * next[j];
	for (int64_t j = 0; p->peep && j < n; j++)
		out[j] += p->peep[n + j] * c[j];
	NAME(bend)(p->job, 0, n, out);
	memcpy(h, c, (size_t)n * sizeof(T));
	NAME(bend)(p->job, 2, n, h);
	for (int64_t j = 0; j < n; j++)
		h[j] *= out[j];
}

/* z and r of all rows; then what n gets from h: in spare the product that the
 * reset gate multiplies, or r h, whose product is added. */
static void NAME(gru_gates)(const struct NAME(pass) * p, bool from_end, T *a)
{
	const int64_t n = p->r->n_hidden, width = 3 * n;
	const int64_t rows = p->job->n_rows;
	const T *late = p->bias ? p->bias + width + 2 * n : NULL;
	const T *u = p->u + 2 * n * n, *panels = p->u_panels;
	const T *u_panels = panels ? panels + panel_size(2 * n, n) : NULL;
	const struct extents gates = { rows,   2 * n, n,       width,
				       panels, NULL,  from_end };
	const struct extents whole = {
		rows, n, n, n, u_panels, NULL, from_end
	};
	const struct extents added = { rows,	 n,    n,	width,
				       u_panels, NULL, from_end };

	NAME(add_product)(p->job, &gates, p->h, p->u, a);
	for (int64_t i = 0; i < rows; i++) {
		const T *reset = a + i * width + n, *h = p->h + i * n;

		NAME(bend)(p->job, 0, n, a + i * width);
		NAME(bend)(p->job, 0, n, a + i * width + n);
		for (int64_t j = 0; j < n; j++)
			p->spare[i * n + j] = p->r->linear_before_reset
						  ? (late ? late[j] : 0)
						  : reset[j] * h[j];
	}
	if (!p->r->linear_before_reset) {
		NAME(add_product)(p->job, &added, p->spare, u, a + 2 * n);
		return;
	}
	NAME(add_product)(p->job, &whole, p->h, u, p->spare);
	for (int64_t i = 0; i < rows; i++) {
		const T *reset = a + i * width + n;
		T *next = a + i * width + 2 * n;

		for (int64_t j = 0; j < n; j++)
			next[j] += reset[j] * p->spare[i * n + j];
	}
}

static void NAME(gru_row)(const struct NAME(pass) * p, T *a, T *h)
{
	const int64_t n = p->r->n_hidden;
	T *next = a + 2 * n;

	NAME(bend)(p->job, 1, n, next);
	for (int64_t j = 0; j < n; j++)
		h[j] = (1 - a[j]) * next[j] + a[j] * h[j];
}

/* Every other step meets the weights that the step before it left in the
 * nearest cache first. */
static void NAME(step)(const struct NAME(pass) * p, int64_t step, T *a)
{
	const int64_t n = p->r->n_hidden, width = p->r->n_gates * n;
	const bool from_end = step % 2;
	const struct extents e = { p->job->n_rows, width,	n,
				   width,	   p->u_panels, p->job->way->u,
				   from_end };

	if (p->r->kind == RECURRENT_GRU)
		NAME(gru_gates)(p, from_end, a);
	else
		NAME(add_product)(p->job, &e, p->h, p->u, a);
	for (int64_t i = 0; i < p->job->n_rows; i++) {
		const int64_t row = p->job->row + i;
		const int64_t t = time_of(p->job, row, step);
		T *h = p->h + i * n, *gates = a + i * width;

		if (t < 0)
			continue;
		if (p->r->kind == RECURRENT_LSTM) {
			NAME(lstm_row)(p, gates, h, p->c + i * n);
		} else if (p->r->kind == RECURRENT_GRU) {
			NAME(gru_row)(p, gates, h);
		} else {
			NAME(bend)(p->job, 0, n, gates);
			memcpy(h, gates, (size_t)n * sizeof(T));
		}
		if (p->y)
			memcpy(p->y + y_at(p->job, row, t), h,
			       (size_t)n * sizeof(T));
	}
}

/* The states of the pass's rows: read from data (NULL: zeros), or written. */
static void NAME(load_state)(const struct NAME(pass) * p, const T *data, T *to)
{
	const size_t bytes = (size_t)p->r->n_hidden * sizeof(T);

	for (int64_t i = 0; i < p->job->n_rows; i++)
		if (data)
			memcpy(to + i * p->r->n_hidden,
			       data + state_at(p->job, p->job->row + i), bytes);
		else
			memset(to + i * p->r->n_hidden, 0, bytes);
}

static void NAME(store_state)(const struct NAME(pass) * p, const T *from,
			      T *data)
{
	const size_t bytes = (size_t)p->r->n_hidden * sizeof(T);

	for (int64_t i = 0; data && i < p->job->n_rows; i++)
		memcpy(data + state_at(p->job, p->job->row + i),
		       from + i * p->r->n_hidden, bytes);
}

/* Behind a sequence's end Y is 0. */
static void NAME(clear_rest)(const struct NAME(pass) * p)
{
	for (int64_t i = 0; p->y && i < p->job->n_rows; i++) {
		const int64_t row = p->job->row + i;

		for (int64_t t = length_of(p->job, row); t < p->r->n_steps; t++)
			memset(p->y + y_at(p->job, row, t), 0,
			       (size_t)p->r->n_hidden * sizeof(T));
	}
}

static void NAME(pass_init)(struct NAME(pass) * p, const struct job *job,
			    void *scratch)
{
	const struct recurrent *r = &job->r;
	const int64_t width = r->n_gates * r->n_hidden;
	const int64_t rows = chunk_steps(job->n_rows) * job->n_rows;
	const int64_t d = job->direction, states = job->n_rows * r->n_hidden;
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
		.y = job->out[0],
		.xs = scratch,
	};
	p->pre = p->xs + rows * r->n_in;
	p->h = p->pre + rows * width;
	p->c = p->h + states;
	p->spare = p->c + states;
	p->w_panels = job->w_panels;
	p->u_panels = job->u_panels;
#ifdef PACKS
	if (job->packs_u)
		p->u_panels = NAME(pack_u)(r, p->u, p->spare + states);
#endif
}

static void NAME(run)(const struct job *job, void *scratch)
{
	const int64_t chunk = chunk_steps(job->n_rows);
	const int64_t width = job->r.n_gates * job->r.n_hidden;
	struct NAME(pass) p;

	NAME(pass_init)(&p, job, scratch);
	NAME(load_state)(&p, job->in[RECURRENT_H0], p.h);
	NAME(load_state)(&p, job->in[RECURRENT_C0], p.c);
	for (int64_t s = 0; s < job->r.n_steps; s += chunk) {
		const int64_t left = job->r.n_steps - s;
		const int64_t n = left < chunk ? left : chunk;

		NAME(load_steps)(&p, s, n);
		for (int64_t i = 0; i < n; i++)
			NAME(step)(&p, s + i, p.pre + i * job->n_rows * width);
	}
	NAME(clear_rest)(&p);
	NAME(store_state)(&p, p.h, job->out[1]);
	NAME(store_state)(&p, p.c, job->out[2]);
}

#undef T
#undef PACKS
#undef NAME
#undef ELEM
#undef BLAS
