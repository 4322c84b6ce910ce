/* SPDX-License-Identifier: Apache-2.0 */
/* Products through CBLAS, cut into slices that depend on the shape alone. */
#include <string.h>

#include "engine/kernels/blas.h"
#include "engine/ops/product.h"

enum { MAX_SLICES = 16, ROWS = 16, COLUMNS = 64 };

#define US_PER_FLOP 1.2e-5
#define SLICE_FLOPS 4e6

/* What is cut: batches where there are enough, else the longer side. */
enum cut { CUT_BATCH, CUT_ROWS, CUT_COLUMNS };

static unsigned cut(const struct product *p, enum cut *ret)
{
	const double want = product_flops(p) / SLICE_FLOPS;
	int64_t parts = p->n_batch;

	*ret = CUT_BATCH;
	if (parts == 1) {
		*ret = p->m >= p->n ? CUT_ROWS : CUT_COLUMNS;
		parts = p->m >= p->n ? p->m / ROWS : p->n / COLUMNS;
	}
	if (parts > MAX_SLICES)
		parts = MAX_SLICES;
	if ((double)parts > want)
		parts = (int64_t)want;
	return parts < 1 ? 1 : (unsigned)parts;
}

/* Part of n in whole blocks. */
static void part(int64_t n, int64_t block, const struct kernel_call *call,
		 unsigned slice, int64_t *first, int64_t *last)
{
	kernel_slice((n + block - 1) / block, call->n_slices, slice, first,
		     last);
	*first *= block;
	*last = *last * block < n ? *last * block : n;
}

struct block {
	int64_t first_row, last_row, first_col, last_col;
};

/* y = c, where c broadcasts */
static void spread(const struct product *p, const struct block *at,
		   const char *c, char *y, size_t size)
{
	for (int64_t i = at->first_row; i < at->last_row; i++) {
		char *to = y + (size_t)(i * p->n + at->first_col) * size;
		const char *from =
		    c +
		    (size_t)(i * p->row_c + at->first_col * p->col_c) * size;
		const int64_t n = at->last_col - at->first_col;

		if (p->col_c) {
			memcpy(to, from, (size_t)n * size);
			continue;
		}
		for (int64_t j = 0; j < n; j++)
			memcpy(to + (size_t)j * size, from, size);
	}
}

static void run_block(const struct kernel_call *call, const struct product *p,
		      const struct block *at, const int64_t first[3])
{
	const enum dtype elem = call->query->in[0].type.elem;
	const size_t size = dtype_info(elem)->size;
	const int64_t skip_a = at->first_row * (p->trans_a ? 1 : p->k);
	const int64_t skip_b = at->first_col * (p->trans_b ? p->k : 1);
	const struct blas_product blas = {
		.m = at->last_row - at->first_row,
		.n = at->last_col - at->first_col,
		.k = p->k,
		.lda = p->trans_a ? p->m : p->k,
		.ldb = p->trans_b ? p->k : p->n,
		.ldc = p->n,
		.trans_a = p->trans_a,
		.trans_b = p->trans_b,
		.alpha = p->alpha,
		.beta = p->has_c ? p->beta : 0,
	};
	const char *a =
	    (const char *)call->in[0] + (size_t)(first[0] + skip_a) * size;
	const char *b =
	    (const char *)call->in[1] + (size_t)(first[1] + skip_b) * size;
	char *y = (char *)call->out[0] + (size_t)first[2] * size;
	char *corner =
	    y + (size_t)(at->first_row * p->n + at->first_col) * size;

	if (blas.m <= 0 || blas.n <= 0)
		return;
	if (p->has_c)
		spread(p, at, call->in[2], y, size);
	if (elem == DTYPE_F32)
		blas_product_f32(&blas, (const void *)a, (const void *)b,
				 (void *)corner);
	else
		blas_product_f64(&blas, (const void *)a, (const void *)b,
				 (void *)corner);
}

static void blas_run(const struct kernel_call *call, unsigned slice,
		     void *scratch)
{
	struct product p;
	struct block at = { 0 };
	int64_t batch = 0, last = 1, first[3];
	enum cut what;

	(void)scratch;
	product_query(call->query, &p);
	at.last_row = p.m;
	at.last_col = p.n;
	cut(&p, &what);
	if (what == CUT_BATCH)
		kernel_slice(p.n_batch, call->n_slices, slice, &batch, &last);
	else if (what == CUT_ROWS)
		part(p.m, ROWS, call, slice, &at.first_row, &at.last_row);
	else
		part(p.n, COLUMNS, call, slice, &at.first_col, &at.last_col);
	for (; batch < last; batch++) {
		product_batch(&p, batch, &first[0], &first[1]);
		first[2] = batch * p.m * p.n;
		run_block(call, &p, &at, first);
	}
}

static enum err_code blas_prepare(const struct kernel_query *query,
				  struct kernel_setup *ret, struct err *err)
{
	struct product p;
	enum cut what;

	(void)err;
	product_query(query, &p);
	ret->n_slices = cut(&p, &what);
	return ERR_NONE;
}

static double blas_cost(const struct kernel_query *query)
{
	struct product p;

	product_query(query, &p);
	return 0.5 * (double)p.n_batch + product_flops(&p) * US_PER_FLOP;
}

static bool blas_fits(const struct kernel_query *query)
{
	const enum dtype elem = query->in[0].type.elem;

	return elem == DTYPE_F32 || elem == DTYPE_F64;
}

const struct kernel product_blas = {
	.name = "product.blas",
	.flags = KERNEL_QUICK,
	.fits = blas_fits,
	.cost = blas_cost,
	.prepare = blas_prepare,
	.run = blas_run,
};
