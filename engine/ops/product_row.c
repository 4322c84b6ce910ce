/* SPDX-License-Identifier: Apache-2.0 */
/* One row: y = alpha x op(B) + beta c. The matrix is read once, so the loops
 * only have to keep up with memory: over panels of columns where B is as
 * stored, and over dot products in fixed lanes where it is transposed. */
#include "engine/kernels/row_loops.h"
#include "engine/ops/product.h"

enum { PANEL = ROW_PANEL, MAX_SLICES = 16, SLICE_BYTES = 1 << 18 };

static float finish(const struct product *p, const float *c, int64_t col,
		    float sum)
{
	sum *= (float)p->alpha;
	return c ? sum + (float)p->beta * c[col * p->col_c] : sum;
}

static void row_run(const struct kernel_call *call, unsigned slice,
		    void *scratch)
{
	const float *x = call->in[0], *b = call->in[1], *c = NULL;
	float *y = call->out[0], sum[PANEL];
	const struct row_loops *rows = row_loops();
	int64_t first, last;
	struct product p;

	(void)scratch;
	product_query(call->query, &p);
	if (p.has_c)
		c = call->in[2];
	kernel_slice((p.n + PANEL - 1) / PANEL, call->n_slices, slice, &first,
		     &last);
	last = last * PANEL < p.n ? last * PANEL : p.n;
	for (int64_t j = first * PANEL; j < last; j += PANEL) {
		const int64_t end = j + PANEL < last ? j + PANEL : last;

		const int64_t k_n_step[3] = { p.k, end - j, p.n };

		if (!p.trans_b)
			rows->panel(x, b + j, k_n_step, sum);
		for (int64_t i = j; i < end; i++)
			y[i] = finish(&p, c, i,
				      p.trans_b ? rows->dot(x, b + i * p.k, p.k)
						: sum[i - j]);
	}
}

static enum err_code row_prepare(const struct kernel_query *query,
				 struct kernel_setup *ret, struct err *err)
{
	struct product p;
	int64_t n;

	(void)err;
	product_query(query, &p);
	n = p.n * p.k * (int64_t)sizeof(float) / SLICE_BYTES;
	if (n > p.n / PANEL)
		n = p.n / PANEL;
	ret->n_slices = n < 1 ? 1 : n > MAX_SLICES ? MAX_SLICES : (unsigned)n;
	return ERR_NONE;
}

static double row_cost(const struct kernel_query *query)
{
	struct product p;

	product_query(query, &p);
	return 0.05 + (double)(p.n * p.k) * 4e-5;
}

static bool row_fits(const struct kernel_query *query)
{
	struct product p;

	if (query->in[0].type.elem != DTYPE_F32)
		return false;
	product_query(query, &p);
	return p.m == 1 && p.n_batch == 1;
}

const struct kernel product_row = {
	.name = "product.row",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE,
	.fits = row_fits,
	.cost = row_cost,
	.prepare = row_prepare,
	.run = row_run,
};
