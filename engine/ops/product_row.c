/* SPDX-License-Identifier: Apache-2.0 */
/* One row: y = alpha x op(B) + beta c. The matrix is read once, so the loops
 * only have to keep up with memory: over panels of columns where B is as
 * stored, and over dot products in fixed lanes where it is transposed. */
#include "engine/ops/product.h"

enum { PANEL = 64, LANES = 32, MAX_SLICES = 16, SLICE_BYTES = 1 << 18 };

static float finish(const struct product *p, const float *c, int64_t col,
		    float sum)
{
	sum *= (float)p->alpha;
	return c ? sum + (float)p->beta * c[col * p->col_c] : sum;
}

/* Columns first..last-1, at most PANEL of them. */
static void panel(const struct product *p, const float *x, const float *b,
		  int64_t first, int64_t last, float sum[PANEL])
{
	const int64_t n = last - first;

	for (int64_t j = 0; j < PANEL; j++)
		sum[j] = 0;
	for (int64_t l = 0; l < p->k; l++) {
		const float *row = b + l * p->n + first;
		const float xl = x[l];

		if (n == PANEL) {
			for (int64_t j = 0; j < PANEL; j++)
				sum[j] += xl * row[j];
		} else {
			for (int64_t j = 0; j < n; j++)
				sum[j] += xl * row[j];
		}
	}
}

static float dot(const float *x, const float *y, int64_t n)
{
	float lane[LANES] = { 0 };
	int64_t i = 0;

	for (; i + LANES <= n; i += LANES) {
		for (int64_t j = 0; j < LANES; j++)
			lane[j] += x[i + j] * y[i + j];
	}
	for (int64_t j = 0; i + j < n; j++)
		lane[j] += x[i + j] * y[i + j];
	for (int64_t half = LANES / 2; half > 0; half /= 2) {
		for (int64_t j = 0; j < half; j++)
			lane[j] += lane[j + half];
	}
	return lane[0];
}

static void row_run(const struct kernel_call *call, unsigned slice,
		    void *scratch)
{
	const float *x = call->in[0], *b = call->in[1], *c = NULL;
	float *y = call->out[0], sum[PANEL];
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

		if (!p.trans_b)
			panel(&p, x, b, j, end, sum);
		for (int64_t i = j; i < end; i++)
			y[i] = finish(&p, c, i,
				      p.trans_b ? dot(x, b + i * p.k, p.k)
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
