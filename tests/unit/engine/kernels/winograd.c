/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/kernels/winograd.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "engine/attr.h"
#include "engine/kernels/winograd_priv.h"
#include "engine/ops/blocked.h"

/* Planes smaller than a tile, rests of tiles, of chunks, of blocks and of
 * pairs, padding on any side. */
static const struct shape_case {
	int64_t batch, c, m, h, w, lanes;
	int64_t pads[4]; /* top, left, bottom, right */
} shapes[] = {
	{ 1, 8, 16, 4, 4, 8, { 1, 1, 1, 1 } },
	{ 1, 8, 8, 1, 1, 8, { 1, 1, 1, 1 } },
	{ 2, 16, 16, 9, 7, 8, { 1, 1, 1, 1 } },
	{ 2, 13, 11, 8, 8, 8, { 1, 1, 1, 1 } },
	{ 1, 24, 40, 14, 13, 8, { 0, 0, 0, 0 } },
	{ 3, 8, 24, 6, 10, 8, { 0, 1, 2, 0 } },
	{ 1, 8, 16, 5, 90, 8, { 2, 3, 1, 4 } },
	{ 9, 32, 80, 7, 7, 8, { 1, 1, 1, 1 } },
	{ 1, 8, 144, 23, 21, 8, { 1, 1, 1, 1 } },
	{ 2, 16, 48, 9, 10, 16, { 1, 1, 1, 1 } },
	{ 1, 20, 33, 7, 5, 16, { 1, 0, 1, 2 } },
};
enum { N_SHAPES = sizeof(shapes) / sizeof(*shapes), PLAIN = 6 };

static const struct epilogue_case {
	const char *name;
	double alpha, beta;
} epilogues[] = {
	{ "", 0, 0 },		{ "Relu", 0, 0 },
	{ "Clip", -0.5, 0.75 }, { "LeakyRelu", 0.1, 0 },
	{ "Sigmoid", 0, 0 },	{ "Tanh", 0, 0 },
	{ "Swish", 1, 0 },	{ "HardSigmoid", 0.2, 0.5 },
	{ "HardSwish", 0, 0 },
};
enum { N_EPILOGUES = sizeof(epilogues) / sizeof(*epilogues) };

/* A ConvBlocked, its operands and what the row's reference makes of them. */
struct question {
	struct conv_blocked_attrs attrs;
	int64_t pads[4];
	struct fact in[4], out;
	float *data[4], *want;
	size_t bytes;
	struct kernel_query query;
};

static void operand(struct question *q, unsigned i, const struct shape *shape,
		    bool is_there)
{
	const int64_t n = shape_count(shape);

	if (!is_there)
		return;
	q->in[i] = (struct fact){ .type = { .elem = DTYPE_F32 },
				  .shape = *shape,
				  .has_shape = true };
	q->data[i] = mem_aligned((size_t)n * sizeof(float));
	rng_fill_normal((struct rng){ .seed = 7, .stream = i }, 0, (size_t)n,
			q->data[i]);
}

/* Lanes past c are zeros. */
static void clear_rest(float *x, const struct shape *shape, int64_t c)
{
	const int64_t lanes = shape->dim[4],
		      plane = shape->dim[2] * shape->dim[3];
	const int64_t blocks = shape->dim[1];

	for (int64_t i = 0; i < shape_count(shape); i++)
		if (i / lanes / plane % blocks * lanes + i % lanes >= c)
			x[i] = 0;
}

static void run_kernel(const struct question *q, const struct kernel *kernel,
		       unsigned want, float *y)
{
	struct kernel_query query = q->query;
	struct kernel_setup setup = { .n_slices = 1 };
	int32_t fault = 0;
	struct kernel_call call = { .query = &query,
				    .in = (const void *const *)q->data,
				    .out = (void *const *)&y,
				    .fault = &fault };
	struct err err;
	char *scratch;

	query.want_slices = want;
	memset(y, 0xff, q->bytes);
	cr_assert_eq(kernel->prepare(&query, &setup, &err), ERR_NONE, "%s",
		     err.msg);
	call.state = setup.state;
	call.n_slices = setup.n_slices;
	scratch = mem_aligned(setup.scratch_bytes + 64);
	memset(scratch, 0xff, setup.scratch_bytes);
	memset(scratch + setup.scratch_bytes, 0x5a, 64);
	for (unsigned i = setup.n_slices; i-- > 0;)
		kernel->run(&call, i, scratch);
	for (int i = 0; i < 64; i++)
		cr_assert_eq(scratch[setup.scratch_bytes + (size_t)i], 0x5a);
	mem_free(scratch);
	if (kernel->finish)
		kernel->finish(setup.state);
}

static const struct kernel *last_of(const struct op *op)
{
	const struct kernel *const *kernel = op->kernels;

	while (kernel[1])
		kernel++;
	return *kernel;
}

static void ask(struct question *q, const struct shape_case *c,
		const struct epilogue_case *e, bool has_bias, bool has_residual)
{
	const struct op *op = op_find("predictd", "ConvBlocked");
	const struct shape x = { 4, { c->batch, c->c, c->h, c->w } };
	const struct shape w = { 4, { c->m, c->c, 3, 3 } }, b = { 1, { c->m } };
	const struct shape y = { 4,
				 { c->batch, c->m,
				   c->h + c->pads[0] + c->pads[2] - 2,
				   c->w + c->pads[1] + c->pads[3] - 2 } };
	const struct shape x_blocked = blocked_shape(&x, c->lanes);
	const struct shape y_blocked = blocked_shape(&y, c->lanes);

	memset(q, 0, sizeof(*q));
	op_attr_defaults(op->attrs, &q->attrs);
	memcpy(q->pads, c->pads, sizeof(q->pads));
	q->attrs.conv.window.pads = (struct attr_ints){ 4, q->pads };
	q->attrs.lanes = c->lanes;
	q->attrs.activation = e->name;
	q->attrs.alpha = e->alpha;
	q->attrs.beta = e->beta;
	operand(q, 0, &x_blocked, true);
	clear_rest(q->data[0], &x_blocked, c->c);
	operand(q, 1, &w, true);
	operand(q, 2, &b, has_bias);
	operand(q, 3, &y_blocked, has_residual);
	if (has_residual)
		clear_rest(q->data[3], &y_blocked, c->m);
	q->in[1].value = q->data[1];
	q->out = (struct fact){ .type = { .elem = DTYPE_F32 },
				.shape = y_blocked,
				.has_shape = true };
	q->bytes = tensor_bytes(DTYPE_F32, &y_blocked);
	q->query = (struct kernel_query){ .op = op,
					  .attrs = &q->attrs,
					  .in = q->in,
					  .out = &q->out,
					  .n_in = 4,
					  .n_out = 1,
					  .want_slices = 1,
					  .numerics = NUMERICS_FAST };
	q->want = mem_aligned(q->bytes);
	run_kernel(q, last_of(op), 1, q->want);
}

static void question_finish(struct question *q)
{
	for (int i = 0; i < 4; i++)
		mem_free(q->data[i]);
	mem_free(q->want);
}

/* Sums of 9 c products of numbers of size 1. */
static void expect_near(const struct question *q, const float *y,
			const char *what, size_t number)
{
	const double most = 1e-5 * sqrt(9.0 * (double)q->in[1].shape.dim[1]);

	for (size_t i = 0; i < q->bytes / sizeof(*y); i++)
		cr_assert(fabs((double)y[i] - (double)q->want[i]) <= most,
			  "%s %zu: element %zu is %g and not %g", what, number,
			  i, (double)y[i], (double)q->want[i]);
}

static const struct kernel *winograd(void)
{
	const struct kernel *kernel =
	    op_find("predictd", "ConvBlocked")->kernels[0];

	cr_assert_str_eq(kernel->name, "conv_blocked.winograd");
	return kernel;
}

Test(winograd, convolves_in_any_number_of_slices)
{
	for (size_t i = 0; i < N_SHAPES; i++) {
		static const unsigned wants[] = { 1, 2, 3, 7 };
		struct question q;
		float *first, *y;

		ask(&q, &shapes[i], &epilogues[1], true, false);
		first = mem_aligned(q.bytes);
		y = mem_aligned(q.bytes);
		run_kernel(&q, winograd(), 1, first);
		expect_near(&q, first, "shape", i);
		for (size_t j = 0; j < 4; j++) {
			run_kernel(&q, winograd(), wants[j], y);
			cr_expect_arr_eq(y, first, q.bytes,
					 "shape %zu, %u slices", i, wants[j]);
		}
		mem_free(first);
		mem_free(y);
		question_finish(&q);
	}
}

Test(winograd, adds_a_residual_before_every_epilogue)
{
	for (size_t i = 0; i < 4 * N_EPILOGUES; i++) {
		const struct epilogue_case *e = &epilogues[i / 4];
		struct question q;
		float *y;

		ask(&q, &shapes[2], e, i % 2, i / 2 % 2);
		y = mem_aligned(q.bytes);
		run_kernel(&q, winograd(), 1, y);
		expect_near(&q, y, e->name, i);
		mem_free(y);
		question_finish(&q);
	}
}

/* All parts of a plan, which is made for tiles of that size; PLAIN of them by
 * the steps that every CPU has. */
static void run_size(const struct question *q, const struct shape_case *c,
		     unsigned size, unsigned want, float *y)
{
	struct winograd plan = {
		.batch = c->batch,
		.c = c->c,
		.m = c->m,
		.in = { c->h, c->w },
		.out = { q->out.shape.dim[2], q->out.shape.dim[3] },
		.begin = { c->pads[0], c->pads[1] },
		.lanes = (unsigned)c->lanes,
		.size = size,
	};
	struct winograd_values values = {
		.x = q->data[0], .y = y, .low = -INFINITY, .high = INFINITY
	};
	float *u;
	void *scratch;

	cr_assert(winograd_plan(&plan, want));
	cr_assert_eq(plan.size, size);
	if (want == PLAIN)
		plan.loops = c->lanes == 8 ? &winograd_base : &winograd_base16;
	u = mem_aligned(winograd_weights(&plan));
	scratch = mem_aligned(winograd_scratch(&plan));
	memset(scratch, 0xff, winograd_scratch(&plan));
	winograd_transform(&plan, q->data[1], u);
	values.u = u;
	for (unsigned i = 0; i < plan.tile_parts * plan.group_parts; i++)
		winograd_run(&plan, &values, i, scratch);
	mem_free(scratch);
	mem_free(u);
}

Test(winograd, convolves_by_tiles_of_either_size)
{
	for (size_t i = 0; i < 2 * N_SHAPES; i++) {
		const struct shape_case *c = &shapes[i / 2];
		struct question q;
		float *y;

		ask(&q, c, &epilogues[0], false, false);
		y = mem_aligned(q.bytes);
		for (unsigned want = 1; want < 12; want += PLAIN - 1) {
			memset(y, 0xff, q.bytes);
			run_size(&q, c, i % 2 ? 4 : 2, want, y);
			expect_near(&q, y, i % 2 ? "4 x 4" : "2 x 2", i / 2);
		}
		mem_free(y);
		question_finish(&q);
	}
}

Test(winograd, is_chosen_where_it_wins_and_never_where_sums_are_strict)
{
	static const struct shape_case deep = { 1,  256, 256,		14,
						14, 8,	 { 1, 1, 1, 1 } };
	struct question q;

	ask(&q, &deep, &epilogues[0], false, false);
	cr_expect_eq(winograd()->fits(&q.query), loop_levels() > 1);
	q.query.numerics = NUMERICS_STRICT;
	cr_expect_not(kernel_takes(winograd(), &q.query, false));
	q.query.numerics = NUMERICS_FAST;
	q.in[1].value = NULL;
	cr_expect_not(winograd()->fits(&q.query));
	question_finish(&q);
	ask(&q, &shapes[1], &epilogues[0], false, false);
	cr_expect_not(winograd()->fits(&q.query), "one pixel");
	question_finish(&q);
}
