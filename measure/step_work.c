/* SPDX-License-Identifier: Apache-2.0 */
#include "measure/step_work.h"

#include "base/str.h"
#include "engine/ops/product.h"

/* Each element of out 0 sums as many products as a row of the weights has. */
static double conv_flops_of(const struct kernel_query *q, unsigned weights)
{
	const struct shape *w = &q->in[weights].shape;

	if (w->rank < 1 || w->dim[0] < 1)
		return 0;
	return 2.0 * (double)shape_count(&q->out[0].shape) *
	       (double)shape_count(w) / (double)w->dim[0];
}

/* The same, seen from x: each of its elements goes into so many products. */
static double transposed_flops(const struct kernel_query *q, unsigned weights)
{
	const struct shape *w = &q->in[weights].shape;

	if (w->rank < 1 || w->dim[0] < 1)
		return 0;
	return 2.0 * (double)shape_count(&q->in[0].shape) *
	       (double)shape_count(w) / (double)w->dim[0];
}

/* Each element of out 0 sums over the columns of A. */
static double product_flops_of(const struct kernel_query *q, unsigned b)
{
	const struct shape *a = &q->in[0].shape;

	(void)b;
	if (a->rank < 1)
		return 0;
	return 2.0 * (double)shape_count(&q->out[0].shape) *
	       (double)a->dim[a->rank - 1];
}

/* MatMul, MatMulT and Gemm, whichever sides are swapped. */
static double matmul_flops(const struct kernel_query *q, unsigned b)
{
	struct product product;

	(void)b;
	product_query(q, &product);
	return product_flops(&product);
}

/* R meets every step of every sequence, there and back; beside it stands what
 * all steps have. */
static double steps_flops(const struct kernel_query *q, unsigned r)
{
	const struct shape *all = &q->in[1 - r].shape;

	if (all->rank < 2)
		return 0;
	return 2.0 * (double)all->dim[0] * (double)all->dim[1] *
	       (double)shape_count(&q->in[r].shape);
}

/* Both weights meet every step of every sequence: W is in 1, R in 2. */
static double recurrent_flops(const struct kernel_query *q, unsigned w)
{
	const struct shape *x = &q->in[0].shape;

	if (q->n_in < w + 2 || x->rank < 2)
		return 0;
	return 2.0 * (double)x->dim[0] * (double)x->dim[1] *
	       ((double)shape_count(&q->in[w].shape) +
		(double)shape_count(&q->in[w + 1].shape));
}

static const struct work_row {
	const char *op;
	unsigned operand; /* that of the weights */
	double (*flops)(const struct kernel_query *query, unsigned operand);
} rows[] = {
	{ "Conv", 1, conv_flops_of },
	{ "ConvInteger", 1, conv_flops_of },
	{ "ConvTranspose", 1, transposed_flops },
	{ "GRU", 1, recurrent_flops },
	{ "Gemm", 1, matmul_flops },
	{ "LSTM", 1, recurrent_flops },
	{ "LSTMSteps", 1, steps_flops },
	{ "LSTMStepsGrad", 0, steps_flops },
	{ "MatMul", 1, matmul_flops },
	{ "MatMulInteger", 1, product_flops_of },
	{ "MatMulT", 1, matmul_flops },
	{ "QLinearConv", 3, conv_flops_of },
	{ "QLinearMatMul", 3, product_flops_of },
	{ "RNN", 1, recurrent_flops },
};

/* What these do not take over they do not read. */
static const char *const movers[] = { "Gather", "GatherElements", "GatherND",
				      "Slice" };

static bool is_mover(const struct op *op)
{
	for (size_t i = 0; i < sizeof(movers) / sizeof(*movers); i++)
		if (str_equal(op->name, movers[i]))
			return true;
	return false;
}

static double bytes_of(const struct fact *fact, unsigned n)
{
	double bytes = 0;

	for (unsigned i = 0; i < n; i++)
		if (fact[i].type.elem != DTYPE_NONE)
			bytes += (double)tensor_bytes(fact[i].type.elem,
						      &fact[i].shape);
	return bytes;
}

struct step_work step_work(const struct plan_step_info *step)
{
	const struct kernel_query *q = step->query;
	struct step_work work = { 0 };

	if (!q->op) { /* a copy, of so many bytes */
		work.bytes = 2.0 * (double)*(const size_t *)step->state;
		return work;
	}
	work.bytes = bytes_of(q->in, q->n_in) + bytes_of(q->out, q->n_out);
	if (is_mover(q->op))
		work.bytes += bytes_of(q->out, 1) - bytes_of(q->in, 1);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (str_equal(q->op->name, rows[i].op) &&
		    q->n_in > rows[i].operand)
			work.flops = rows[i].flops(q, rows[i].operand);
	return work;
}
