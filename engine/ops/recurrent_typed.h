/* SPDX-License-Identifier: Apache-2.0 */
/* Recurrent layers in one type, after recurrent_pass_typed.h. The steps of a
 * pass go in chunks. */

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
	const struct recurrent_extents gates = { rows,	 2 * n, n,	 width,
						 panels, NULL,	from_end };
	const struct recurrent_extents whole = { rows,	   n,	 n,	  n,
						 u_panels, NULL, from_end };
	const struct recurrent_extents added = { rows,	   n,	 n,	  width,
						 u_panels, NULL, from_end };

	assert(p->spare); /* pass_init() has cut it */
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
	const struct recurrent_extents e = {
		p->job->n_rows, width,		n,	 width,
		p->u_panels,	p->job->way->u, from_end
	};

	if (p->r->kind == RECURRENT_GRU)
		NAME(gru_gates)(p, from_end, a);
	else
		NAME(add_product)(p->job, &e, p->h, p->u, a);
	for (int64_t i = 0; i < p->job->n_rows; i++) {
		const int64_t row = p->job->row + i;
		const int64_t t = recurrent_time(p->job, row, step);
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
			memcpy(p->y + recurrent_y_at(p->job, row, t), h,
			       (size_t)n * sizeof(T));
	}
}

/* Behind a sequence's end Y is 0. */
static void NAME(clear_rest)(const struct NAME(pass) * p)
{
	for (int64_t i = 0; p->y && i < p->job->n_rows; i++) {
		const int64_t row = p->job->row + i;

		for (int64_t t = recurrent_length(p->job, row);
		     t < p->r->n_steps; t++)
			memset(p->y + recurrent_y_at(p->job, row, t), 0,
			       (size_t)p->r->n_hidden * sizeof(T));
	}
}

static void NAME(pass_init)(struct NAME(pass) * p,
			    const struct recurrent_job *job, void *scratch)
{
	const struct recurrent *r = &job->r;
	const int64_t width = r->n_gates * r->n_hidden;
	const int64_t rows = recurrent_chunk_steps(job->n_rows) * job->n_rows;
	const int64_t states = job->n_rows * r->n_hidden;

	NAME(pass_start)(p, job);
	p->y = job->out[0];
	p->xs = scratch;
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

static void NAME(run)(const struct recurrent_job *job, void *scratch)
{
	const int64_t chunk = recurrent_chunk_steps(job->n_rows);
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
