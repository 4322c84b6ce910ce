/* SPDX-License-Identifier: Apache-2.0 */
/* Kernels of recurrent layers: the same passes with BLAS and fast loops, and
 * plain. A slice is one direction of a part of the batch. */
#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "engine/kernels/blas.h"
#include "engine/kernels/tap_loops.h"
#include "engine/ops/byte_weights.h"
#include "engine/ops/recurrent_job.h"
#include "engine/pack.h"

/* Constant weights of all directions in panels, by recurrent_blas. */
struct packed {
	struct pack *w, *u;	/* NULL: not packed */
	int64_t w_step, u_step; /* from one direction to the next */
};

/* Weights [n, k] in panels of ROW_PANEL rows, each k times its rows' elements;
 * the last one's missing rows are 0. */
static int64_t panel_size(int64_t n, int64_t k)
{
	return (n + ROW_PANEL - 1) / ROW_PANEL * ROW_PANEL * k;
}

static void pack(const float *from, int64_t n, int64_t k, float *to)
{
	for (int64_t i = 0; i < panel_size(n, 1); i++) {
		float *column =
		    to + i / ROW_PANEL * ROW_PANEL * k + i % ROW_PANEL;

		for (int64_t l = 0; l < k; l++)
			column[l * ROW_PANEL] = i < n ? from[i * k + l] : 0;
	}
}

/* R in panels: a GRU's last gate is multiplied by itself. */
static int64_t u_panels_size(const struct recurrent *r)
{
	const int64_t n = r->n_hidden;

	if (r->kind == RECURRENT_GRU)
		return panel_size(2 * n, n) + panel_size(n, n);
	return panel_size(r->n_gates * n, n);
}

static const float *pack_u_f32(const struct recurrent *r, const float *u,
			       float *to)
{
	const int64_t n = r->n_hidden;

	if (r->kind == RECURRENT_GRU) {
		pack(u, 2 * n, n, to);
		pack(u + 2 * n * n, n, n, to + panel_size(2 * n, n));
	} else {
		pack(u, r->n_gates * n, n, to);
	}
	return to;
}

/* Panel number i in the order in which they are met. */
static int64_t panel_at(const struct recurrent_extents *e, int64_t i)
{
	const int64_t n_panels = (e->n + ROW_PANEL - 1) / ROW_PANEL;

	return (e->from_end ? n_panels - 1 - i : i) * ROW_PANEL;
}

/* Row by row. */
static void add_rows_f32(const struct recurrent_extents *e, const float *a,
			 float *to)
{
	const int64_t k_n_step[3] = { e->k, ROW_PANEL, ROW_PANEL };
	const struct row_loops *rows = row_loops();
	const float *panels = e->panels;
	float sum[ROW_PANEL];

	for (int64_t p = 0; p * ROW_PANEL < e->n; p++) {
		const int64_t j = panel_at(e, p), left = e->n - j;

		for (int64_t i = 0; i < e->m; i++) {
			rows->panel(a + i * e->k, panels + j * e->k, k_n_step,
				    sum);
			rows->scatter(sum, 1,
				      left < ROW_PANEL ? left : ROW_PANEL,
				      to + i * e->ldc + j);
		}
	}
}

/* Numbers side by side that stand in one place of a few rows. */
static void gather_rows(const float *a, const struct recurrent_extents *e,
			int64_t n_most, int64_t k, float *to)
{
	const int64_t step = e->k;

	/* a count that is known has no loop */
	for (int64_t l = 0; l < k && e->m == TAP_MOST; l++) {
		const float *x = a + l;
		float *y = to + l * TAP_MOST;

		y[0] = x[0];
		y[1] = x[step];
		y[2] = x[2 * step];
		y[3] = x[3 * step];
		y[4] = x[4 * step];
		y[5] = x[5 * step];
		y[6] = x[6 * step];
		y[7] = x[7 * step];
	}
	for (int64_t l = 0; l < k && e->m != TAP_MOST; l++)
		for (int64_t i = 0; i < e->m; i++)
			to[l * n_most + i] = a[i * step + l];
}

/* A few rows against all panels, of numbers first to first + k - 1 of each sum.
 * Rows are to the loops what channels out are, and columns what pixels are. */
static void add_part_f32(const struct recurrent_extents *e,
			 const struct tap_loops *loops, const float *a,
			 int64_t first, int64_t k, float *to)
{
	static const float zeros[TAP_MOST];
	float rows[TAP_MOST * PANEL_DEPTH], sum[TAP_MOST * ROW_PANEL];
	struct tap_run run = {
		.tap_step = ROW_PANEL,
		.n_channels = 1,
		.n_rows = 1,
		.n_taps = k,
		.w = rows,
		.bias = zeros,
		.y = sum,
		.n_out = e->m,
		.n_pixels = ROW_PANEL,
	};

	for (int64_t i = 0; i < e->m; i++)
		run.out_at[i] = i * ROW_PANEL;
	gather_rows(a + first, e, loops->n_most, k, rows);
	for (int64_t p = 0; p * ROW_PANEL < e->n; p++) {
		const int64_t j = panel_at(e, p), left = e->n - j;

		run.x = (const float *)e->panels + j * e->k + first * ROW_PANEL;
		loops->run(&run);
		for (int64_t i = 0; i < e->m; i++)
			row_loops()->scatter(sum + i * ROW_PANEL, 1,
					     left < ROW_PANEL ? left
							      : ROW_PANEL,
					     to + i * e->ldc + j);
	}
}

/* to[m, n] += a[m, k] b[n, k]^T with b in panels */
static void add_panels_f32(const struct recurrent_extents *e, const float *a,
			   float *to)
{
	const struct tap_loops *loops = tap_loops();

	if (e->m <= FEW_ROWS) {
		add_rows_f32(e, a, to);
		return;
	}
	for (int64_t i = 0; i < e->m; i += loops->n_most) {
		struct recurrent_extents part = *e;

		part.m = e->m - i < loops->n_most ? e->m - i : loops->n_most;
		for (int64_t l = 0; l < e->k; l += PANEL_DEPTH)
			add_part_f32(&part, loops, a + i * e->k, l,
				     e->k - l < PANEL_DEPTH ? e->k - l
							    : PANEL_DEPTH,
				     to + i * e->ldc);
	}
}

/* The same with b stored as bytes; false: it is not. */
static bool add_bytes_f32(const struct recurrent_job *job,
			  const struct recurrent_extents *e, const float *a,
			  float *to)
{
	const int64_t all[] = { 0, byte_panels(e->n) };

	if (e->bytes)
		byte_weights_add(e->bytes, e->m, a, to, all, job->way->rows);
	return e->bytes != NULL;
}

/* The usual cell in one sweep; false: it is not the usual one. */
static bool lstm_at_once_f32(const struct recurrent_job *job,
			     const float *gates, float *h, float *c)
{
	if (job->is_usual)
		row_loops()->lstm(gates, job->r.n_hidden, c, h);
	return job->is_usual;
}

/* only floats are packed */
#define T float
#define ELEM DTYPE_F32
#define PACKS
#define BLAS(x) blas_product_f32
#define NAME(x) x##_f32
#include "engine/ops/recurrent_pass_typed.h"
#include "engine/ops/recurrent_typed.h"

#define T double
#define ELEM DTYPE_F64
#define BLAS(x) blas_product_f64
#define NAME(x) x##_f64
#include "engine/ops/recurrent_pass_typed.h"
#include "engine/ops/recurrent_typed.h"

static void check_lengths(const struct kernel_call *call,
			  const struct recurrent_job *job)
{
	const int32_t *lengths = job->in[RECURRENT_LENGTHS];

	for (int64_t i = 0; lengths && i < job->r.n_batch; i++)
		if (lengths[i] < 0 || lengths[i] > job->r.n_steps)
			kernel_fault(call, i);
}

/* Sigmoid, then tanh twice, of an LSTM without peepholes. */
static bool is_usual_lstm(const struct recurrent_job *job)
{
	static const char *const usual[] = { "Sigmoid", "Tanh", "Tanh" };

	if (!job->fast || job->r.kind != RECURRENT_LSTM ||
	    job->r.input_forget || job->r.clip > 0 || job->in[RECURRENT_P])
		return false;
	for (unsigned i = 0; i < RECURRENT_BENDS; i++)
		if (job->bend[i].form != BEND_LOOP ||
		    strcmp(job->bend[i].loop, usual[i]) != 0)
			return false;
	return true;
}

/* A run's own panels pay off where few rows go many steps. Whether R is known
 * must not matter: sums would differ between a plan and the interpreter. */
static bool packs_u(const struct kernel_query *q, const struct recurrent *r)
{
	const int64_t n_rows = recurrent_part_rows(r);

	return q->in[0].type.elem == DTYPE_F32 && n_rows > 0 &&
	       n_rows <= PANEL_ROWS && r->n_steps >= PACK_STEPS;
}

static void find_panels(const struct kernel_call *call,
			const struct packed *packed, struct recurrent_job *job)
{
	job->packs_u = !packed && !job->way->u && packs_u(call->query, &job->r);
	if (packed && packed->w)
		job->w_panels = (const float *)pack_bytes(packed->w) +
				job->direction * packed->w_step;
	if (packed && packed->u)
		job->u_panels = (const float *)pack_bytes(packed->u) +
				job->direction * packed->u_step;
}

void recurrent_run_slice(const struct kernel_call *call,
			 const struct recurrent *r, unsigned slice,
			 const struct recurrent_way *way, void *scratch)
{
	struct recurrent_job job;

	recurrent_job_init(call, r, slice, way, &job);
	if (slice == 0)
		check_lengths(call, &job);
	if (job.n_rows == 0 || job.r.n_hidden == 0)
		return;
	job.is_usual = is_usual_lstm(&job);
	if (way->fast)
		find_panels(call, way->packed, &job);
	if (call->query->in[0].type.elem == DTYPE_F32)
		run_f32(&job, scratch);
	else
		run_f64(&job, scratch);
}

static void blas_run(const struct kernel_call *call, unsigned slice,
		     void *scratch)
{
	const struct recurrent_way way = { .fast = true,
					   .packed = call->state };
	struct recurrent r;

	recurrent_of(call->query, &r);
	recurrent_run_slice(call, &r, slice, &way, scratch);
}

/* All slices, one after the other. */
static void plain_run(const struct kernel_call *call, unsigned slice,
		      void *scratch)
{
	const struct recurrent_way way = { .fast = false };
	struct recurrent r;

	recurrent_of(call->query, &r);
	for (slice = 0; slice < r.n_directions * recurrent_parts(&r); slice++)
		recurrent_run_slice(call, &r, slice, &way, scratch);
}

/* Parts of fewer rows may take more steps at once. */
size_t recurrent_scratch(const struct recurrent *r, size_t size)
{
	const size_t rows = (size_t)recurrent_part_rows(r);
	const size_t most = rows < CHUNK_ROWS ? CHUNK_ROWS : rows;
	const size_t hidden = (size_t)r->n_hidden;

	return size * (most * ((size_t)r->n_in + (size_t)r->n_gates * hidden) +
		       3 * rows * hidden);
}

static size_t scratch_of(const struct kernel_query *q,
			 const struct recurrent *r, bool packs)
{
	return recurrent_scratch(r, dtype_info(q->in[0].type.elem)->size) +
	       (packs ? sizeof(float) * (size_t)u_panels_size(r) : 0);
}

static enum err_code no_memory(struct err *err)
{
	return err_set(err, ERR_NO_MEMORY, "recurrent: out of memory");
}

/* Panels of each direction's n rows, then of the rest, of k elements each. */
struct panels {
	int64_t n, rest, k, n_directions;
};

static int64_t panels_step(const struct panels *p)
{
	return panel_size(p->n, p->k) + panel_size(p->rest, p->k);
}

static enum err_code fill_panels(const void *data, const void *plain, void *to,
				 struct err *err)
{
	const struct panels *p = data;
	const float *from = plain;
	float *at = to;

	(void)err;
	for (int64_t d = 0; d < p->n_directions; d++) {
		pack(from, p->n, p->k, at);
		pack(from + p->n * p->k, p->rest, p->k,
		     at + panel_size(p->n, p->k));
		from += (p->n + p->rest) * p->k;
		at += panels_step(p);
	}
	return ERR_NONE;
}

static enum err_code get_panels(const struct kernel_query *q, const void *plain,
				const struct panels *p, struct pack **ret,
				struct err *err)
{
	const size_t n = (size_t)(p->n_directions * (p->n + p->rest) * p->k);
	const size_t n_packed = (size_t)(p->n_directions * panels_step(p));
	const struct pack_wish wish = { .plain = plain,
					.plain_bytes = n * sizeof(float),
					.form = p,
					.form_bytes = sizeof(*p),
					.bytes = n_packed * sizeof(float),
					.make = fill_panels,
					.data = p };

	return pack_get(q->packs, &wish, ret, err);
}

static enum err_code pack_w(const struct kernel_query *q,
			    const struct recurrent *r, struct packed *packed,
			    struct err *err)
{
	const struct panels p = { .n = r->n_gates * r->n_hidden,
				  .k = r->n_in,
				  .n_directions = r->n_directions };

	packed->w_step = panels_step(&p);
	return get_panels(q, q->in[RECURRENT_W].value, &p, &packed->w, err);
}

/* As pack_u_f32() does. */
static enum err_code pack_r(const struct kernel_query *q,
			    const struct recurrent *r, struct packed *packed,
			    struct err *err)
{
	const int64_t apart = r->kind == RECURRENT_GRU ? 1 : 0;
	const struct panels p = { .n = (r->n_gates - apart) * r->n_hidden,
				  .rest = apart * r->n_hidden,
				  .k = r->n_hidden,
				  .n_directions = r->n_directions };

	packed->u_step = panels_step(&p);
	return get_panels(q, q->in[RECURRENT_R].value, &p, &packed->u, err);
}

static void packed_finish(void *state)
{
	struct packed *packed = state;

	pack_put(packed->w);
	pack_put(packed->u);
	mem_free(packed);
}

/* R, and W where it is constant, too. */
static enum err_code pack_constants(const struct kernel_query *q,
				    struct kernel_setup *ret, struct err *err)
{
	struct packed *packed = mem_zero(sizeof(*packed));
	struct recurrent r;
	enum err_code rc;

	if (!packed)
		return no_memory(err);
	recurrent_of(q, &r);
	rc = pack_r(q, &r, packed, err);
	if (!rc && q->in[RECURRENT_W].value && r.n_in)
		rc = pack_w(q, &r, packed, err);
	if (rc) {
		packed_finish(packed);
		return rc;
	}
	ret->pack_bytes = pack_size(packed->w) + pack_size(packed->u);
	ret->state = packed;
	return ERR_NONE;
}

static enum err_code blas_prepare(const struct kernel_query *query,
				  struct kernel_setup *ret, struct err *err)
{
	struct recurrent r;

	(void)err;
	recurrent_of(query, &r);
	ret->scratch_bytes = scratch_of(query, &r, packs_u(query, &r));
	ret->n_slices = r.n_directions * recurrent_parts(&r);
	return ERR_NONE;
}

static enum err_code panels_prepare(const struct kernel_query *query,
				    struct kernel_setup *ret, struct err *err)
{
	struct recurrent r;

	recurrent_of(query, &r);
	ret->scratch_bytes = scratch_of(query, &r, false);
	ret->n_slices = r.n_directions * recurrent_parts(&r);
	return pack_constants(query, ret, err);
}

static enum err_code plain_prepare(const struct kernel_query *query,
				   struct kernel_setup *ret, struct err *err)
{
	struct recurrent r;

	(void)err;
	recurrent_of(query, &r);
	ret->scratch_bytes = scratch_of(query, &r, false);
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

/* Constant weights that few rows meet. */
static bool panels_fits(const struct kernel_query *query)
{
	struct recurrent r;

	if (query->in[0].type.elem != DTYPE_F32 ||
	    !query->in[RECURRENT_R].value)
		return false;
	recurrent_of(query, &r);
	return r.n_hidden && r.n_batch > 0 &&
	       recurrent_part_rows(&r) <= PANEL_ROWS;
}

const struct kernel recurrent_panels = {
	.name = "recurrent.panels",
	.fits = panels_fits,
	.cost = recurrent_cost,
	.prepare = panels_prepare,
	.run = blas_run,
	.finish = packed_finish,
};
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
