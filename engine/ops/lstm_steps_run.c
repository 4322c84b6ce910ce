/* SPDX-License-Identifier: Apache-2.0 */
/* Kernels of LSTMSteps and LSTMStepsGrad. Rows never meet, so a slice is a part
 * of them through all steps; it packs R for itself. */
#include <assert.h>
#include <math.h>
#include <string.h>

#include "engine/kernels/row_loops.h"
#include "engine/kernels/step_loops.h"
#include "engine/ops/lstm_steps.h"

/* LEAST_ROWS: of a slice, which reads all of R at each step */
enum { LEAST_ROWS = 8, PLAIN_SCRATCH = 12 };

/* NULL where it is absent. */
static const void *lstm_in(const struct kernel_call *call, unsigned i)
{
	const struct kernel_query *q = call->query;

	return i < q->n_in && q->in[i].type.elem != DTYPE_NONE ? call->in[i]
							       : NULL;
}

/* --- plain --- */

#define T float
#define EXP expf
#define TANH tanhf
#define NAME(x) x##_f32
#include "engine/ops/lstm_steps_typed.h"

#define T double
#define EXP exp
#define TANH tanh
#define NAME(x) x##_f64
#include "engine/ops/lstm_steps_typed.h"

typedef void row_run(const struct kernel_call *call,
		     const struct lstm_extents *e, int64_t row, void *scratch);

static void each_row(const struct kernel_call *call, row_run *f32, row_run *f64,
		     void *scratch)
{
	const struct lstm_extents e = lstm_steps_extents(call->query);
	const bool is_f32 = call->query->in[0].type.elem == DTYPE_F32;

	assert(scratch); /* no kernel runs where n is 0 */
	for (int64_t row = 0; row < e.rows; row++)
		(is_f32 ? f32 : f64)(call, &e, row, scratch);
}

static void plain_run(const struct kernel_call *call, unsigned slice,
		      void *scratch)
{
	(void)slice;
	each_row(call, row_there_f32, row_there_f64, scratch);
}

static void plain_back_run(const struct kernel_call *call, unsigned slice,
			   void *scratch)
{
	(void)slice;
	each_row(call, row_back_f32, row_back_f64, scratch);
}

static enum err_code plain_prepare(const struct kernel_query *query,
				   struct kernel_setup *ret, struct err *err)
{
	const struct lstm_extents e = lstm_steps_extents(query);

	(void)err;
	ret->scratch_bytes = PLAIN_SCRATCH * (size_t)e.n *
			     dtype_info(query->in[0].type.elem)->size;
	return ERR_NONE;
}

/* --- there --- */

/* A slice's part of the work, and its scratch. */
struct part {
	const struct step_loops *loops;
	struct lstm_extents e;
	int64_t row, rows;	     /* of the slice */
	int64_t columns;	     /* of the product, filled up */
	float *panels, *bias;	     /* bias: zeros where there is none */
	float *gates, *h, *c, *kept; /* by row, but kept: of one */
	float *dh, *dc;
};

static int64_t most_rows(const struct lstm_extents *e, unsigned n_slices)
{
	return (e->rows + n_slices - 1) / n_slices;
}

static void part_init(struct part *p, const struct kernel_call *call,
		      unsigned slice)
{
	int64_t last;

	*p = (struct part){ .loops = step_loops(),
			    .e = lstm_steps_extents(call->query) };
	kernel_slice(p->e.rows, call->n_slices, slice, &p->row, &last);
	p->rows = last - p->row;
}

static void load_state(const struct part *p, const float *from, float *to,
		       int64_t step)
{
	for (int64_t i = 0; i < p->rows; i++)
		if (from)
			memcpy(to + i * step, from + (p->row + i) * p->e.n,
			       (size_t)p->e.n * sizeof(*to));
		else
			memset(to + i * step, 0, (size_t)p->e.n * sizeof(*to));
}

static void store_state(const struct part *p, const float *from, float *to,
			int64_t step)
{
	for (int64_t i = 0; to && i < p->rows; i++)
		memcpy(to + (p->row + i) * p->e.n, from + i * step,
		       (size_t)p->e.n * sizeof(*to));
}

static void begin_there(struct part *p, const struct kernel_call *call,
			float *scratch)
{
	const int64_t n = p->e.n, width = LSTM_GATES * n;
	const float *b = lstm_in(call, STEPS_B);

	p->columns = step_columns(p->loops, width);
	p->panels = scratch;
	p->gates = p->panels + p->columns * n;
	p->bias = p->gates + p->rows * p->columns;
	p->h = p->bias + width;
	p->c = p->h + p->rows * n;
	p->kept = p->c + p->rows * n;
	step_pack_transposed(p->loops, call->in[STEPS_R], n, width, p->panels);
	for (int64_t j = 0; j < width; j++)
		p->bias[j] = b ? b[j] + b[width + j] : 0;
	/* columns beyond the gates stay what they are */
	memset(p->gates, 0, (size_t)(p->rows * p->columns) * sizeof(*p->gates));
	load_state(p, lstm_in(call, STEPS_H0), p->h, n);
	load_state(p, lstm_in(call, STEPS_C0), p->c, n);
}

static void step_there(const struct part *p, const struct kernel_call *call,
		       int64_t t)
{
	const int64_t n = p->e.n, width = LSTM_GATES * n;
	const int64_t at = t * p->e.rows + p->row;
	const float *pre = (const float *)call->in[STEPS_PRE] + at * width;
	float *y = call->out[STEPS_Y], *kept = call->out[STEPS_KEPT];
	const struct step_product product = {
		.m = p->rows,
		.n = p->columns,
		.k = n,
		.lda = n,
		.a = p->h,
		.panels = p->panels,
		.to = p->gates,
	};

	for (int64_t i = 0; i < p->rows; i++)
		row_loops()->add(pre + i * width, p->bias, width,
				 p->gates + i * p->columns);
	p->loops->product(&product);
	for (int64_t i = 0; i < p->rows; i++) {
		const struct lstm_row cell = {
			.n = n,
			.gates = p->gates + i * p->columns,
			.c_before = p->c + i * n,
			.kept =
			    kept ? kept + (at + i) * LSTM_KEPT * n : p->kept,
			.h = p->h + i * n,
		};

		row_loops()->lstm_keep(&cell);
		memcpy(p->c + i * n, cell.kept + 5 * n,
		       (size_t)n * sizeof(*p->c));
		if (y)
			memcpy(y + (at + i) * n, cell.h,
			       (size_t)n * sizeof(*y));
	}
}

static void panels_run(const struct kernel_call *call, unsigned slice,
		       void *scratch)
{
	struct part p;

	part_init(&p, call, slice);
	if (!p.rows)
		return;
	begin_there(&p, call, scratch);
	for (int64_t t = 0; t < p.e.steps; t++)
		step_there(&p, call, t);
	store_state(&p, p.h, call->out[STEPS_Y_H], p.e.n);
	store_state(&p, p.c, call->out[STEPS_Y_C], p.e.n);
}

/* --- and back --- */

static void begin_back(struct part *p, const struct kernel_call *call,
		       float *scratch)
{
	const int64_t n = p->e.n, width = LSTM_GATES * n;

	p->columns = step_columns(p->loops, n);
	p->panels = scratch;
	p->dh = p->panels + p->columns * width;
	p->dc = p->dh + p->rows * p->columns;
	p->gates = p->dc + p->rows * n;
	p->kept = p->gates + p->rows * width; /* zeros */
	step_pack(p->loops, call->in[STEPS_BACK_R], width, n, p->panels);
	memset(p->dh, 0, (size_t)(p->rows * p->columns) * sizeof(*p->dh));
	memset(p->kept, 0, (size_t)n * sizeof(*p->kept));
	load_state(p, lstm_in(call, STEPS_BACK_DH), p->dh, p->columns);
	load_state(p, lstm_in(call, STEPS_BACK_DC), p->dc, n);
}

/* h before the step, for dR. */
static void store_before(const struct part *p, const struct kernel_call *call,
			 int64_t t)
{
	const size_t bytes = (size_t)(p->rows * p->e.n) * sizeof(float);
	const float *y = call->in[STEPS_BACK_Y];
	const float *h0 = lstm_in(call, STEPS_BACK_H0);
	float *to = call->out[STEPS_BACK_BEFORE];

	if (!to)
		return;
	to += (t * p->e.rows + p->row) * p->e.n;
	if (t)
		memcpy(to, y + ((t - 1) * p->e.rows + p->row) * p->e.n, bytes);
	else if (h0)
		memcpy(to, h0 + p->row * p->e.n, bytes);
	else
		memset(to, 0, bytes);
}

/* The gradient of what activations got, of all rows: in the result, or in the
 * scratch where nobody reads that. */
static float *cells_back(const struct part *p, const struct kernel_call *call,
			 int64_t t)
{
	const int64_t n = p->e.n, width = LSTM_GATES * n;
	const int64_t at = t * p->e.rows + p->row, last = at - p->e.rows;
	const float *kept = call->in[STEPS_BACK_KEPT];
	const float *c0 = lstm_in(call, STEPS_BACK_C0);
	const float *dy = lstm_in(call, STEPS_BACK_DY);
	float *dpre = call->out[STEPS_BACK_DPRE];
	float *to = dpre ? dpre + at * width : p->gates;

	for (int64_t i = 0; i < p->rows; i++) {
		const struct lstm_row_back cell = {
			.n = n,
			.kept = kept + (at + i) * LSTM_KEPT * n,
			.c_before = t ? kept + ((last + i) * LSTM_KEPT + 5) * n
				    : c0 ? c0 + (p->row + i) * n
					 : p->kept,
			.dh = p->dh + i * p->columns,
			.dc = p->dc + i * n,
			.dgates = to + i * width,
		};
		float *dh = p->dh + i * p->columns;

		if (dy)
			row_loops()->add(dh, dy + (at + i) * n, n, dh);
		row_loops()->lstm_back(&cell);
	}
	return to;
}

static void step_back(const struct part *p, const struct kernel_call *call,
		      int64_t t)
{
	const int64_t width = LSTM_GATES * p->e.n;
	const struct step_product product = {
		.m = p->rows,
		.n = p->columns,
		.k = width,
		.lda = width,
		.a = cells_back(p, call, t),
		.panels = p->panels,
		.to = p->dh,
	};

	store_before(p, call, t);
	memset(p->dh, 0, (size_t)(p->rows * p->columns) * sizeof(*p->dh));
	/* nobody asks for what the state before the first step gets */
	if (t || call->out[STEPS_BACK_DH0])
		p->loops->product(&product);
}

static void panels_back_run(const struct kernel_call *call, unsigned slice,
			    void *scratch)
{
	struct part p;

	part_init(&p, call, slice);
	if (!p.rows)
		return;
	begin_back(&p, call, scratch);
	for (int64_t t = p.e.steps; t-- > 0;)
		step_back(&p, call, t);
	store_state(&p, p.dh, call->out[STEPS_BACK_DH0], p.columns);
	store_state(&p, p.dc, call->out[STEPS_BACK_DC0], p.e.n);
}

/* --- choice --- */

static bool panels_fits(const struct kernel_query *query)
{
	const struct lstm_extents e = lstm_steps_extents(query);

	return query->in[0].type.elem == DTYPE_F32 && e.n > 0 && e.rows > 0;
}

static bool plain_fits(const struct kernel_query *query)
{
	const enum dtype elem = query->in[0].type.elem;

	return elem == DTYPE_F32 || elem == DTYPE_F64;
}

static enum err_code panels_prepare(const struct kernel_query *query,
				    struct kernel_setup *ret, struct err *err)
{
	const struct lstm_extents e = lstm_steps_extents(query);
	const int64_t width = LSTM_GATES * e.n;
	const int64_t wide = step_columns(step_loops(), width);
	int64_t rows;

	(void)err;
	ret->n_slices =
	    kernel_slices(query, (double)e.rows / (double)LEAST_ROWS);
	rows = most_rows(&e, ret->n_slices);
	ret->scratch_bytes =
	    sizeof(float) * (size_t)(wide * e.n + rows * wide + width +
				     2 * rows * e.n + LSTM_KEPT * e.n);
	return ERR_NONE;
}

static enum err_code panels_back_prepare(const struct kernel_query *query,
					 struct kernel_setup *ret,
					 struct err *err)
{
	const struct lstm_extents e = lstm_steps_extents(query);
	const int64_t width = LSTM_GATES * e.n;
	const int64_t wide = step_columns(step_loops(), e.n);
	int64_t rows;

	(void)err;
	ret->n_slices =
	    kernel_slices(query, (double)e.rows / (double)LEAST_ROWS);
	rows = most_rows(&e, ret->n_slices);
	ret->scratch_bytes =
	    sizeof(float) * (size_t)(wide * width + rows * wide + rows * e.n +
				     rows * width + e.n);
	return ERR_NONE;
}

static double cost(const struct kernel_query *query)
{
	const struct lstm_extents e = lstm_steps_extents(query);

	return 1 + 8e-5 * (double)e.steps * (double)e.rows * (double)e.n *
		       (double)e.n;
}

const struct kernel lstm_steps_panels = {
	.name = "lstm_steps.panels",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE,
	.fits = panels_fits,
	.cost = cost,
	.prepare = panels_prepare,
	.run = panels_run,
};
const struct kernel lstm_steps_plain = {
	.name = "lstm_steps.plain",
	.flags = KERNEL_QUICK,
	.fits = plain_fits,
	.cost = cost,
	.prepare = plain_prepare,
	.run = plain_run,
};
const struct kernel lstm_steps_grad_panels = {
	.name = "lstm_steps_grad.panels",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE,
	.fits = panels_fits,
	.cost = cost,
	.prepare = panels_back_prepare,
	.run = panels_back_run,
};
const struct kernel lstm_steps_grad_plain = {
	.name = "lstm_steps_grad.plain",
	.flags = KERNEL_QUICK,
	.fits = plain_fits,
	.cost = cost,
	.prepare = plain_prepare,
	.run = plain_back_run,
};
