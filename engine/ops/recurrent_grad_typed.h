/* SPDX-License-Identifier: Apache-2.0 */
/* The way back through a recurrent layer in one type, after
 * recurrent_pass_typed.h. Everything of the way there lies by step, then row;
 * rows whose sequence has ended are 0. */

struct NAME(back) {
	const struct recurrent *r;
	const struct back_job *job;
	struct NAME(pass) pass;
	const T *y, *dy;
	int64_t n, width, rows; /* n_hidden, its gates, of the pass */
	/* gate: results; slope: their slopes, and then the gradients of what
	 * activations got */
	T *gate, *slope, *prev;
	T *spare; /* GRU: r h, or h R^T + rb and then its gradient */
	T *c, *bent, *bent_slope; /* LSTM: c before each step; h(c) */
	T *dh, *dc, *part;	  /* by row */
};

/* to[m, n] += a[m, k] b[k, n]; rows of a are lda apart */
static void NAME(add_back)(bool fast, const struct recurrent_extents *e,
			   int64_t lda, const T *a, const T *b, T *to)
{
	const struct blas_product p = {
		.m = e->m,
		.n = e->n,
		.k = e->k,
		.lda = lda,
		.ldb = e->n,
		.ldc = e->ldc,
		.alpha = 1,
		.beta = 1,
	};

	if (!e->m || !e->n || !e->k)
		return;
	if (fast) {
		BLAS(p)(&p, a, b, to);
		return;
	}
	for (int64_t i = 0; i < e->m; i++)
		for (int64_t l = 0; l < e->k; l++)
			for (int64_t j = 0; j < e->n; j++)
				to[i * e->ldc + j] +=
				    a[i * lda + l] * b[l * e->n + j];
}

/* The slope where an activation gave y. */
static T NAME(slope_at)(const struct bend *bend, T y)
{
	const T alpha = (T)bend->param[0], beta = (T)bend->param[1];

	switch (bend->slope) {
	case SLOPE_AFFINE:
		return alpha;
	case SLOPE_ELU:
		return y > 0 ? 1 : y + alpha;
	case SLOPE_HARD_SIGMOID:
		return y > 0 && y < 1 ? alpha : 0;
	case SLOPE_LEAKY_RELU:
		return y > 0 ? 1 : alpha;
	case SLOPE_RELU:
		return (T)(y > 0);
	case SLOPE_SCALED_TANH:
		return alpha == 0 ? 0 : beta * (alpha - y * y / alpha);
	case SLOPE_SIGMOID:
		return y * (1 - y);
	case SLOPE_SOFTPLUS:
		return (T)-expm1(-(double)y);
	case SLOPE_SOFTSIGN:
		return (y < 0 ? 1 + y : 1 - y) * (y < 0 ? 1 + y : 1 - y);
	case SLOPE_TANH:
		return 1 - y * y;
	case SLOPE_THRESHOLD:
		return (T)(y != 0);
	}
	return 0;
}

/* bend(), and the slopes of what it did. */
static void NAME(bend_slopes)(const struct recurrent_job *job, unsigned i,
			      int64_t n, T *x, T *slope)
{
	const struct bend *bend = &job->bend[i];
	const T limit = (T)job->r.clip;
	const bool clips = i < CLIPPED && job->r.clip > 0;

	for (int64_t j = 0; j < n; j++)
		slope[j] = (T)(!clips || (x[j] <= limit && x[j] >= -limit));
	NAME(bend)(job, i, n, x);
	for (int64_t j = 0; j < n; j++)
		slope[j] *= NAME(slope_at)(bend, x[j]);
}

/* What activations get from X and from h before each step. */
static void NAME(load_gates)(struct NAME(back) * b)
{
	const struct recurrent_job *job = &b->job->job;
	const int64_t chunk = recurrent_chunk_steps(b->rows), n = b->n;
	const bool is_gru = b->r->kind == RECURRENT_GRU;
	const struct recurrent_extents e = { b->r->n_steps * b->rows,
					     is_gru ? 2 * n : b->width,
					     n,
					     b->width,
					     NULL,
					     NULL,
					     false };
	const int64_t bytes = n * (int64_t)sizeof(T);

	for (int64_t s = 0; s < b->r->n_steps; s += chunk) {
		const int64_t left = b->r->n_steps - s;

		b->pass.pre = b->gate + s * b->rows * b->width;
		NAME(load_steps)(&b->pass, s, left < chunk ? left : chunk);
	}
	NAME(load_state)(&b->pass, job->in[RECURRENT_H0], b->prev);
	for (int64_t i = 0; i < e.m; i++) {
		const int64_t row = job->row + i % b->rows;
		const int64_t s = i / b->rows;
		T *to = b->prev + i * n;

		if (recurrent_time(job, row, s) < 0)
			memset(to, 0, (size_t)bytes);
		else if (s > 0 && b->y)
			memcpy(to,
			       b->y + recurrent_y_at(
					  job, row,
					  recurrent_time(job, row, s - 1)),
			       (size_t)bytes);
	}
	NAME(add_product)(job, &e, b->prev, b->pass.u, b->gate);
}

static void NAME(lstm_there)(struct NAME(back) * b, int64_t i)
{
	const struct recurrent_job *job = &b->job->job;
	const int64_t n = b->n;
	const T *peep = b->pass.peep, *c = b->c + i * n;
	T *in = b->gate + i * b->width, *slope = b->slope + i * b->width;
	T *forget = in + 2 * n, *next = in + 3 * n;
	T *after = b->c + (i + b->rows) * n;

	for (int64_t j = 0; peep && j < n; j++) {
		in[j] += peep[j] * c[j];
		forget[j] += peep[2 * n + j] * c[j];
	}
	NAME(bend_slopes)(job, 0, n, in, slope);
	NAME(bend_slopes)(job, 0, n, forget, slope + 2 * n);
	NAME(bend_slopes)(job, 1, n, next, slope + 3 * n);
	for (int64_t j = 0; b->r->input_forget && j < n; j++)
		forget[j] = 1 - in[j];
	for (int64_t j = 0; j < n; j++)
		after[j] = forget[j] * c[j] + in[j] * next[j];
	for (int64_t j = 0; peep && j < n; j++)
		in[n + j] += peep[n + j] * after[j];
	NAME(bend_slopes)(job, 0, n, in + n, slope + n);
	memcpy(b->bent + i * n, after, (size_t)n * sizeof(T));
	NAME(bend_slopes)(job, 2, n, b->bent + i * n, b->bent_slope + i * n);
}

/* z and r of all steps at once, then n. */
static void NAME(gru_there)(struct NAME(back) * b)
{
	const struct recurrent_job *job = &b->job->job;
	const int64_t n = b->n, m = b->r->n_steps * b->rows;
	const bool is_late = b->r->linear_before_reset;
	const T *u = b->pass.u + 2 * n * n;
	const T *late = b->pass.bias ? b->pass.bias + b->width + 2 * n : NULL;
	const struct recurrent_extents whole = {
		m, n, n, n, NULL, NULL, false
	};
	const struct recurrent_extents added = { m,    n,    n,	   b->width,
						 NULL, NULL, false };

	for (int64_t i = 0; i < m; i++) {
		T *gate = b->gate + i * b->width;
		T *slope = b->slope + i * b->width;

		NAME(bend_slopes)(job, 0, 2 * n, gate, slope);
		for (int64_t j = 0; j < n; j++)
			b->spare[i * n + j] =
			    is_late ? (late ? late[j] : 0)
				    : gate[n + j] * b->prev[i * n + j];
	}
	if (is_late)
		NAME(add_product)(job, &whole, b->prev, u, b->spare);
	else
		NAME(add_product)(job, &added, b->spare, u, b->gate + 2 * n);
	for (int64_t i = 0; i < m; i++) {
		T *gate = b->gate + i * b->width;

		for (int64_t j = 0; is_late && j < n; j++)
			gate[2 * n + j] += gate[n + j] * b->spare[i * n + j];
		NAME(bend_slopes)
		(job, 1, n, gate + 2 * n, b->slope + i * b->width + 2 * n);
	}
}

/* Gates, their slopes and cells of the whole pass. */
static void NAME(go_there)(struct NAME(back) * b)
{
	const struct recurrent_job *job = &b->job->job;
	const int64_t n = b->n, m = b->r->n_steps * b->rows;

	NAME(load_gates)(b);
	if (b->r->kind == RECURRENT_GRU)
		NAME(gru_there)(b);
	else if (b->r->kind == RECURRENT_LSTM)
		NAME(load_state)(&b->pass, job->in[RECURRENT_C0], b->c);
	for (int64_t i = 0; i < m; i++) {
		const int64_t row = job->row + i % b->rows;
		const bool is_there =
		    recurrent_time(job, row, i / b->rows) >= 0;

		if (is_there && b->r->kind == RECURRENT_LSTM)
			NAME(lstm_there)(b, i);
		else if (is_there && b->r->kind == RECURRENT_RNN)
			NAME(bend_slopes)
		(job, 0, n, b->gate + i * n, b->slope + i * n);
		if (is_there)
			continue;
		memset(b->slope + i * b->width, 0,
		       (size_t)b->width * sizeof(T));
		if (b->r->kind == RECURRENT_LSTM)
			memcpy(b->c + (i + b->rows) * n, b->c + i * n,
			       (size_t)n * sizeof(T));
		if (b->r->kind == RECURRENT_GRU)
			memset(b->spare + i * n, 0, (size_t)n * sizeof(T));
	}
}

/* One row of one step of an LSTM: dh is the whole gradient of h, and spent. */
static void NAME(lstm_back)(struct NAME(back) * b, int64_t i, T *dh, T *dc,
			    T *dpeep)
{
	const int64_t n = b->n;
	const T *peep = b->pass.peep, *c = b->c + i * n;
	const T *after = b->c + (i + b->rows) * n;
	const T *in = b->gate + i * b->width;
	T *d = b->slope + i * b->width;

	for (int64_t j = 0; j < n; j++) {
		const T forget = in[2 * n + j], next = in[3 * n + j];
		T of_in, of_forget;

		d[n + j] *= dh[j] * b->bent[i * n + j];
		dc[j] += dh[j] * in[n + j] * b->bent_slope[i * n + j];
		dc[j] += peep ? d[n + j] * peep[n + j] : 0;
		of_in = dc[j] * next;
		of_forget = dc[j] * c[j];
		if (b->r->input_forget) {
			of_in -= of_forget;
			of_forget = 0;
		}
		d[j] *= of_in;
		d[2 * n + j] *= of_forget;
		d[3 * n + j] *= dc[j] * in[j];
		dc[j] *= forget;
		if (peep)
			dc[j] +=
			    d[j] * peep[j] + d[2 * n + j] * peep[2 * n + j];
		dh[j] = 0;
	}
	for (int64_t j = 0; dpeep && j < n; j++) {
		dpeep[j] += d[j] * c[j];
		dpeep[n + j] += d[n + j] * after[j];
		dpeep[2 * n + j] += d[2 * n + j] * c[j];
	}
}

/* One row of one step of a GRU, but for r without linear_before_reset. */
static void NAME(gru_back)(struct NAME(back) * b, int64_t i, T *dh)
{
	const int64_t n = b->n;
	const T *gate = b->gate + i * b->width, *h = b->prev + i * n;
	T *d = b->slope + i * b->width, *spare = b->spare + i * n;

	for (int64_t j = 0; j < n; j++) {
		d[2 * n + j] *= dh[j] * (1 - gate[j]);
		d[j] *= dh[j] * (h[j] - gate[2 * n + j]);
		dh[j] *= gate[j];
		if (b->r->linear_before_reset) {
			d[n + j] *= d[2 * n + j] * spare[j];
			spare[j] = d[2 * n + j] * gate[n + j];
		}
	}
}

/* What a step's gates give h before it, of all rows. */
static void NAME(gru_hand_on)(struct NAME(back) * b, int64_t step)
{
	const bool fast = b->job->job.fast, is_late = b->r->linear_before_reset;
	const int64_t n = b->n, rows = b->rows, first = step * rows;
	const T *u = b->pass.u + 2 * n * n;
	const struct recurrent_extents one = {
		rows, n, n, n, NULL, NULL, false
	};
	const struct recurrent_extents two = { rows, n,	   2 * n, n,
					       NULL, NULL, false };
	T *d = b->slope + first * b->width;

	if (is_late) {
		NAME(add_back)(fast, &one, n, b->spare + first * n, u, b->dh);
	} else {
		memset(b->part, 0, (size_t)(rows * n) * sizeof(T));
		NAME(add_back)(fast, &one, b->width, d + 2 * n, u, b->part);
	}
	for (int64_t i = 0; !is_late && i < rows; i++) {
		const T *gate = b->gate + (first + i) * b->width;
		const T *h = b->prev + (first + i) * n;

		for (int64_t j = 0; j < n; j++) {
			const T part = b->part[i * n + j];

			d[i * b->width + n + j] *= part * h[j];
			b->dh[i * n + j] += part * gate[n + j];
		}
	}
	NAME(add_back)(fast, &two, b->width, d, b->pass.u, b->dh);
}

static void NAME(step_back)(struct NAME(back) * b, int64_t step)
{
	const struct recurrent_job *job = &b->job->job;
	const int64_t n = b->n;
	const struct recurrent_extents e = { b->rows, n,    b->width, n,
					     NULL,    NULL, false };
	T *peep = b->job->out[BACK_PEEP];

	for (int64_t i = 0; i < b->rows; i++) {
		const int64_t row = job->row + i;
		const int64_t t = recurrent_time(job, row, step);
		const int64_t at = step * b->rows + i;
		T *dh = b->dh + i * n;

		if (t < 0)
			continue;
		for (int64_t j = 0; b->dy && j < n; j++)
			dh[j] += b->dy[recurrent_y_at(job, row, t) + j];
		if (b->r->kind == RECURRENT_LSTM) {
			NAME(lstm_back)
			(b, at, dh, b->dc + i * n,
			 peep ? peep + peep_at(job, row) : NULL);
		} else if (b->r->kind == RECURRENT_GRU) {
			NAME(gru_back)(b, at, dh);
		} else {
			for (int64_t j = 0; j < n; j++)
				b->slope[at * n + j] *= dh[j];
			memset(dh, 0, (size_t)n * sizeof(T));
		}
	}
	if (b->r->kind == RECURRENT_GRU)
		NAME(gru_hand_on)(b, step);
	else
		NAME(add_back)
	(job->fast, &e, b->width, b->slope + step * b->rows * b->width,
	 b->pass.u, b->dh);
}

/* Rows of `size` elements by step to the rows of X that they belong to. */
static void NAME(store_rows)(const struct NAME(back) * b, const T *from,
			     int64_t size, T *to)
{
	const struct recurrent_job *job = &b->job->job;
	const int64_t all = b->r->n_steps * b->r->n_batch;

	if (!to)
		return;
	to += job->direction * all * size;
	for (int64_t i = 0; i < b->r->n_steps * b->rows; i++) {
		const int64_t row = job->row + i % b->rows;
		const int64_t step = i / b->rows;
		const int64_t t = recurrent_time(job, row, step);

		/* past the end, `step` is a time that no other step has */
		memcpy(to +
			   recurrent_row_at(b->r, row, t < 0 ? step : t) * size,
		       from + i * size, (size_t)size * sizeof(T));
	}
}

static void NAME(back_init)(struct NAME(back) * b, const struct back_job *job,
			    void *scratch)
{
	const struct recurrent_job *pass = &job->job;
	const struct recurrent *r = &pass->r;
	const int64_t rows = pass->n_rows, n = r->n_hidden;
	const int64_t all = r->n_steps * rows, width = r->n_gates * n;
	const int64_t chunk = recurrent_chunk_steps(rows) * rows;
	T *at = scratch;

	*b = (struct NAME(back)){
		.r = r,
		.job = job,
		.y = job->y,
		.dy = job->dy,
		.n = n,
		.width = width,
		.rows = rows,
	};
	NAME(pass_start)(&b->pass, pass);
	b->pass.xs = at;
	b->gate = at + chunk * r->n_in;
	b->slope = b->gate + all * width;
	b->prev = b->slope + all * width;
	b->spare = b->prev + (all + rows) * n;
	b->c = b->spare + all * n;
	b->bent = b->c + (all + rows) * n;
	b->bent_slope = b->bent + all * n;
	b->dh = b->bent_slope + all * n;
	b->dc = b->dh + rows * n;
	b->part = b->dc + rows * n;
}

static void NAME(run_back)(const struct back_job *job, void *scratch)
{
	const struct recurrent_job *pass = &job->job;
	struct NAME(back) b;
	T *peep = job->out[BACK_PEEP];

	NAME(back_init)(&b, job, scratch);
	for (int64_t i = 0; peep && i < b.rows; i++)
		memset(peep + peep_at(pass, pass->row + i), 0,
		       (size_t)(3 * b.n) * sizeof(T));
	NAME(go_there)(&b);
	NAME(load_state)(&b.pass, job->dh, b.dh);
	NAME(load_state)(&b.pass, job->dc, b.dc);
	for (int64_t s = b.r->n_steps; s-- > 0;)
		NAME(step_back)(&b, s);
	NAME(store_rows)(&b, b.slope, b.width, job->out[BACK_GATES]);
	NAME(store_rows)(&b, b.prev, b.n, job->out[BACK_PREV]);
	NAME(store_rows)(&b, b.spare, b.n, job->out[BACK_RESET]);
	NAME(store_state)(&b.pass, b.dh, job->out[BACK_DH0]);
	NAME(store_state)(&b.pass, b.dc, job->out[BACK_DC0]);
}

#undef T
#undef NAME
#undef ELEM
#undef BLAS
