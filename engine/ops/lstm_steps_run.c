/* SPDX-License-Identifier: Apache-2.0 */
/* Kernels of LSTMSteps and LSTMStepsGrad. Rows never meet, so a slice is a part
 * of them through all steps; it packs R for itself. */
#include <assert.h>
#include <math.h>
#include <string.h>

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
	int64_t row, rows; /* of the slice */
	float *panels, *bias;
	float *zeros;	       /* a state of all rows */
	float *h[2], *kept[2]; /* of steps in turn, where nobody reads them */
	float *dc, *gates[2];
};

static void part_init(struct part *p, const struct kernel_call *call,
		      unsigned slice)
{
	int64_t last;

	*p = (struct part){ .loops = step_loops(),
			    .e = lstm_steps_extents(call->query) };
	kernel_slice(p->e.rows, call->n_slices, slice, &p->row, &last);
	p->rows = last - p->row;
}

/* Takes n floats of the scratch. */
static float *take(float **scratch, int64_t n)
{
	float *const taken = *scratch;

	*scratch += n;
	return taken;
}

static int64_t there_floats(const struct lstm_extents *e, int64_t rows)
{
	return step_panels(step_loops(), 0, e->n) + LSTM_GATES * e->n +
	       (1 + 2 + 2 * LSTM_KEPT) * rows * e->n;
}

static void begin_there(struct part *p, const struct kernel_call *call,
			float *scratch)
{
	const int64_t n = p->e.n, width = LSTM_GATES * n, state = p->rows * n;
	const float *b = lstm_in(call, STEPS_B);

	p->panels = take(&scratch, step_panels(p->loops, 0, n));
	p->bias = take(&scratch, width);
	p->zeros = take(&scratch, state);
	for (int i = 0; i < 2; i++) {
		p->h[i] = take(&scratch, state);
		p->kept[i] = take(&scratch, LSTM_KEPT * state);
	}
	p->loops->pack_there(call->in[STEPS_R], n, p->panels);
	memset(p->zeros, 0, (size_t)state * sizeof(*p->zeros));
	for (int64_t j = 0; j < width; j++)
		p->bias[j] = b ? b[j] + b[width + j] : 0;
}

/* Rows of a step's state, in the result where there is one. */
static float *state_at(const struct part *p, float *all, float *const turn[2],
		       int64_t t, int64_t width)
{
	return all ? all + (t * p->e.rows + p->row) * width : turn[t % 2];
}

/* The state before all steps. */
static const float *first_state(const struct part *p, const float *given)
{
	return given ? given + p->row * p->e.n : p->zeros;
}

static void step_there(const struct part *p, const struct kernel_call *call,
		       int64_t t)
{
	const int64_t n = p->e.n, kept = LSTM_KEPT * n;
	const int64_t at = t * p->e.rows + p->row;
	float *y = call->out[STEPS_Y], *all = call->out[STEPS_KEPT];
	const struct step_there step = {
		.rows = p->rows,
		.n = n,
		.panels = p->panels,
		.pre = (const float *)call->in[STEPS_PRE] + at * LSTM_GATES * n,
		.bias = p->bias,
		.h = t ? state_at(p, y, p->h, t - 1, n)
		       : first_state(p, lstm_in(call, STEPS_H0)),
		.c = t ? state_at(p, all, p->kept, t - 1, kept) + 5 * n
		       : first_state(p, lstm_in(call, STEPS_C0)),
		.c_step = t ? kept : n,
		.kept = state_at(p, all, p->kept, t, kept),
		.y = state_at(p, y, p->h, t, n),
	};

	p->loops->there(&step);
}

static void store_state(const struct part *p, const float *from, int64_t step,
			float *to)
{
	for (int64_t i = 0; to && i < p->rows; i++)
		memcpy(to + (p->row + i) * p->e.n, from + i * step,
		       (size_t)p->e.n * sizeof(*to));
}

static void panels_run(const struct kernel_call *call, unsigned slice,
		       void *scratch)
{
	const float *h, *c;
	struct part p;
	int64_t last;

	part_init(&p, call, slice);
	if (!p.rows)
		return;
	begin_there(&p, call, scratch);
	for (int64_t t = 0; t < p.e.steps; t++)
		step_there(&p, call, t);
	last = p.e.steps - 1;
	h = last < 0 ? first_state(&p, lstm_in(call, STEPS_H0))
		     : state_at(&p, call->out[STEPS_Y], p.h, last, p.e.n);
	c = last < 0 ? first_state(&p, lstm_in(call, STEPS_C0))
		     : state_at(&p, call->out[STEPS_KEPT], p.kept, last,
				LSTM_KEPT * p.e.n) +
			   5 * p.e.n;
	store_state(&p, h, p.e.n, call->out[STEPS_Y_H]);
	store_state(&p, c, last < 0 ? p.e.n : LSTM_KEPT * p.e.n,
		    call->out[STEPS_Y_C]);
}

/* --- and back --- */

static int64_t back_floats(const struct lstm_extents *e, int64_t rows)
{
	return step_panels(step_loops(), 1, e->n) +
	       (1 + 1 + 2 * LSTM_GATES) * rows * e->n;
}

static void begin_back(struct part *p, const struct kernel_call *call,
		       float *scratch)
{
	const int64_t n = p->e.n, state = p->rows * n;
	const float *dc = lstm_in(call, STEPS_BACK_DC);

	p->panels = take(&scratch, step_panels(p->loops, 1, n));
	p->zeros = take(&scratch, state);
	p->dc = take(&scratch, state);
	for (int i = 0; i < 2; i++)
		p->gates[i] = take(&scratch, LSTM_GATES * state);
	p->loops->pack_back(call->in[STEPS_BACK_R], n, p->panels);
	memset(p->zeros, 0, (size_t)state * sizeof(*p->zeros));
	memcpy(p->dc, first_state(p, dc), (size_t)state * sizeof(*p->dc));
}

/* h before the step, for dR. */
static void store_before(const struct part *p, const struct kernel_call *call,
			 int64_t t)
{
	const size_t bytes = (size_t)(p->rows * p->e.n) * sizeof(float);
	const float *y = call->in[STEPS_BACK_Y];
	float *to = call->out[STEPS_BACK_BEFORE];

	if (!to)
		return;
	to += (t * p->e.rows + p->row) * p->e.n;
	if (t)
		memcpy(to, y + ((t - 1) * p->e.rows + p->row) * p->e.n, bytes);
	else
		memcpy(to, first_state(p, lstm_in(call, STEPS_BACK_H0)), bytes);
}

/* Gradients of h, of all rows, that come from above and from the step after;
 * what is left of them before the first step is the result, if wanted. */
static void step_back(const struct part *p, const struct kernel_call *call,
		      int64_t t)
{
	const int64_t n = p->e.n, width = LSTM_GATES * n, kept = LSTM_KEPT * n;
	const int64_t at = t * p->e.rows + p->row;
	const float *all = call->in[STEPS_BACK_KEPT];
	const float *dy = lstm_in(call, STEPS_BACK_DY);
	const float *dh = lstm_in(call, STEPS_BACK_DH);
	float *dpre = call->out[STEPS_BACK_DPRE];
	const struct step_back step = {
		.rows = p->rows,
		.n = n,
		.panels = p->panels,
		.after = t + 1 < p->e.steps
			     ? state_at(p, dpre, p->gates, t + 1, width)
			     : NULL,
		.start = t + 1 < p->e.steps || !dh ? NULL : dh + p->row * n,
		.dy = dy ? dy + at * n : NULL,
		.kept = all + at * kept,
		.c = t ? all + (at - p->e.rows) * kept + 5 * n
		       : first_state(p, lstm_in(call, STEPS_BACK_C0)),
		.c_step = t ? kept : n,
		.dc = p->dc,
		.dgates = state_at(p, dpre, p->gates, t, width),
	};

	store_before(p, call, t);
	p->loops->back(&step);
}

static void end_back(const struct part *p, const struct kernel_call *call)
{
	const int64_t n = p->e.n;
	const float *dh = lstm_in(call, STEPS_BACK_DH);
	float *to = call->out[STEPS_BACK_DH0];
	const struct step_back step = {
		.rows = p->rows,
		.n = n,
		.panels = p->panels,
		.after = p->e.steps ? state_at(p, call->out[STEPS_BACK_DPRE],
					       p->gates, 0, LSTM_GATES * n)
				    : NULL,
		.start = p->e.steps || !dh ? NULL : dh + p->row * n,
		.dh = to ? to + p->row * n : NULL,
	};

	if (to)
		p->loops->back(&step);
	store_state(p, p->dc, n, call->out[STEPS_BACK_DC0]);
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
	end_back(&p, call);
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

/* Rows of the largest slice; how many slices there are is settled. */
static int64_t cut(const struct kernel_query *query,
		   const struct lstm_extents *e, struct kernel_setup *ret)
{
	ret->n_slices =
	    kernel_slices(query, (double)e->rows / (double)LEAST_ROWS);
	return (e->rows + ret->n_slices - 1) / ret->n_slices;
}

static enum err_code panels_prepare(const struct kernel_query *query,
				    struct kernel_setup *ret, struct err *err)
{
	const struct lstm_extents e = lstm_steps_extents(query);

	(void)err;
	ret->scratch_bytes =
	    sizeof(float) * (size_t)there_floats(&e, cut(query, &e, ret));
	return ERR_NONE;
}

static enum err_code panels_back_prepare(const struct kernel_query *query,
					 struct kernel_setup *ret,
					 struct err *err)
{
	const struct lstm_extents e = lstm_steps_extents(query);

	(void)err;
	ret->scratch_bytes =
	    sizeof(float) * (size_t)back_floats(&e, cut(query, &e, ret));
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
