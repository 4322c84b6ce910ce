/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/ops/product.h"

#include <string.h>

/* int64 cannot hold every uint64, but alpha and beta of integers are small */
#define T float
#define ACC double
#define COEF(x) (x)
#define NAME(x) x##_f32
#include "engine/ops/product_typed.h"

#define T double
#define ACC double
#define COEF(x) (x)
#define NAME(x) x##_f64
#include "engine/ops/product_typed.h"

#define T int32_t
#define ACC uint32_t
#define COEF(x) (uint32_t)(int64_t)(x)
#define NAME(x) x##_i32
#include "engine/ops/product_typed.h"

#define T int64_t
#define ACC uint64_t
#define COEF(x) (uint64_t)(int64_t)(x)
#define NAME(x) x##_i64
#include "engine/ops/product_typed.h"

#define T uint64_t
#define ACC uint64_t
#define COEF(x) (uint64_t)(int64_t)(x)
#define NAME(x) x##_u64
#include "engine/ops/product_typed.h"

/* Elements between batches, numpy's broadcasting: axes of extent 1 are
 * shared. */
static void steps(const struct shape *shape, const struct shape *batch,
		  int64_t step[SHAPE_MAX_RANK])
{
	const unsigned rank = shape->rank - 2;
	int64_t n = shape->dim[rank] * shape->dim[rank + 1];

	for (unsigned i = 0; i < rank; i++) {
		const unsigned from = rank - 1 - i;

		step[batch->rank - 1 - i] = shape->dim[from] == 1 ? 0 : n;
		n *= shape->dim[from];
	}
}

static struct shape as_matrix(const struct shape *shape, bool is_left)
{
	struct shape matrix = *shape;

	if (shape->rank != 1)
		return matrix;
	matrix.rank = 2;
	matrix.dim[0] = is_left ? 1 : shape->dim[0];
	matrix.dim[1] = is_left ? shape->dim[0] : 1;
	return matrix;
}

static void fold_batch(struct product *p)
{
	for (unsigned i = 0; i < p->batch.rank; i++) {
		if (p->step_b[i] || (!p->step_a[i] && p->batch.dim[i] != 1))
			return;
	}
	if (p->trans_a || p->m * p->n_batch > INT32_MAX)
		return;
	p->m *= p->n_batch;
	p->n_batch = 1;
	p->batch.rank = 0;
}

static void query_matmul(const struct kernel_query *query, struct product *p)
{
	const struct shape a = as_matrix(&query->in[0].shape, true);
	const struct shape b = as_matrix(&query->in[1].shape, false);
	const struct matmul_attrs *attrs =
	    query->op->attrs_size ? query->attrs : NULL;
	const unsigned rank = a.rank > b.rank ? a.rank : b.rank;

	p->trans_a = attrs && attrs->trans_a;
	p->trans_b = attrs && attrs->trans_b;
	p->m = a.dim[a.rank - (p->trans_a ? 1 : 2)];
	p->k = a.dim[a.rank - (p->trans_a ? 2 : 1)];
	p->n = b.dim[b.rank - (p->trans_b ? 2 : 1)];
	p->batch.rank = rank - 2;
	memcpy(p->batch.dim, query->out[0].shape.dim,
	       p->batch.rank * sizeof(p->batch.dim[0]));
	p->n_batch = shape_count(&p->batch);
	steps(&a, &p->batch, p->step_a);
	steps(&b, &p->batch, p->step_b);
	p->has_c = query->n_in > 2 && query->in[2].type.elem != DTYPE_NONE;
	p->beta = 1;
	p->col_c = 1;
	fold_batch(p);
}

static void query_gemm(const struct kernel_query *query, struct product *p)
{
	const struct gemm_attrs *attrs = query->attrs;
	const struct shape *a = &query->in[0].shape;
	const struct shape *y = &query->out[0].shape;

	p->alpha = attrs->alpha;
	p->beta = attrs->beta;
	p->trans_a = attrs->transA != 0;
	p->trans_b = attrs->transB != 0;
	p->m = y->dim[0];
	p->n = y->dim[1];
	p->k = a->dim[p->trans_a ? 0 : 1];
	p->n_batch = 1;
	p->has_c = query->n_in > 2 && query->in[2].type.elem != DTYPE_NONE;
	if (p->has_c) {
		const struct shape *c = &query->in[2].shape;
		const int64_t cols = c->rank ? c->dim[c->rank - 1] : 1;

		p->col_c = cols == 1 ? 0 : 1;
		p->row_c = c->rank < 2 || c->dim[0] == 1 ? 0 : cols;
	}
}

void product_query(const struct kernel_query *query, struct product *ret)
{
	*ret = (struct product){ .alpha = 1 };
	if (!strcmp(query->op->name, "Gemm"))
		query_gemm(query, ret);
	else
		query_matmul(query, ret);
}

void product_batch(const struct product *p, int64_t i, int64_t *ret_a,
		   int64_t *ret_b)
{
	*ret_a = *ret_b = 0;
	for (unsigned axis = p->batch.rank; axis-- > 0;) {
		const int64_t at = i % p->batch.dim[axis];

		i /= p->batch.dim[axis];
		*ret_a += at * p->step_a[axis];
		*ret_b += at * p->step_b[axis];
	}
}

double product_flops(const struct product *p)
{
	return 2.0 * (double)p->m * (double)p->n * (double)p->k *
	       (double)p->n_batch;
}

static double plain_cost(const struct kernel_query *query)
{
	struct product p;

	product_query(query, &p);
	return 0.1 + product_flops(&p) * 1e-3;
}

static void plain_run(const struct kernel_call *call, unsigned slice,
		      void *scratch)
{
	const void *a = call->in[0], *b = call->in[1], *c = NULL;
	struct product p;

	(void)slice;
	(void)scratch;
	product_query(call->query, &p);
	if (p.has_c)
		c = call->in[2];
	switch ((int)call->query->in[0].type.elem) {
	case DTYPE_F32:
		batches_f32(&p, a, b, c, call->out[0]);
		break;
	case DTYPE_F64:
		batches_f64(&p, a, b, c, call->out[0]);
		break;
	case DTYPE_I32:
		batches_i32(&p, a, b, c, call->out[0]);
		break;
	case DTYPE_I64:
		batches_i64(&p, a, b, c, call->out[0]);
		break;
	case DTYPE_U64:
		batches_u64(&p, a, b, c, call->out[0]);
		break;
	}
}

static bool plain_fits(const struct kernel_query *query)
{
	const enum dtype elem = query->in[0].type.elem;

	return elem == DTYPE_F32 || elem == DTYPE_F64 || elem == DTYPE_I32 ||
	       elem == DTYPE_I64 || elem == DTYPE_U64;
}

const struct kernel product_plain = {
	.name = "product.plain",
	.flags = KERNEL_QUICK,
	.fits = plain_fits,
	.cost = plain_cost,
	.run = plain_run,
};
