/* SPDX-License-Identifier: Apache-2.0 */
/* Few rows by a constant matrix: y = alpha x op(B) + beta c, with B packed at
 * birth into panels of ROW_PANEL columns, which a row reads from end to end:
 * such a product is as fast as memory gives B. */
#include "engine/kernels/row_loops.h"
#include "engine/ops/product.h"
#include "engine/pack.h"

enum { MOST_ROWS = 2, LEAST_FLOATS = 2048 };
enum { MAX_SLICES = 16, SLICE_BYTES = 1 << 18 };

static int64_t n_panels(const struct product *p)
{
	return (p->n + ROW_PANEL - 1) / ROW_PANEL;
}

/* Missing columns of the last panel are 0. */
static enum err_code fill(const void *data, const void *plain, void *packed,
			  struct err *err)
{
	const struct product *p = data;
	const float *b = plain;
	float *to = packed;
	const int64_t row = p->trans_b ? 1 : p->n;
	const int64_t column = p->trans_b ? p->k : 1;

	for (int64_t i = 0; i < n_panels(p) * ROW_PANEL; i++) {
		float *at =
		    to + i / ROW_PANEL * ROW_PANEL * p->k + i % ROW_PANEL;

		for (int64_t l = 0; l < p->k; l++)
			at[l * ROW_PANEL] =
			    i < p->n ? b[l * row + i * column] : 0;
	}
	(void)err;
	return ERR_NONE;
}

/* The same for one row and for two. */
static enum err_code pack(const struct kernel_query *query,
			  const struct product *p, struct pack **ret,
			  struct err *err)
{
	const int64_t form[] = { p->n, p->k, p->trans_b };
	const int64_t n = n_panels(p) * ROW_PANEL * p->k;
	const struct pack_wish wish = {
		.plain = query->in[1].value,
		.plain_bytes = (size_t)(p->n * p->k) * sizeof(float),
		.form = form,
		.form_bytes = sizeof(form),
		.bytes = (size_t)n * sizeof(float),
		.make = fill,
		.data = p,
	};

	return pack_get(query->packs, &wish, ret, err);
}

/* One row's panel that begins at `column`. */
static void finish(const struct product *p, int64_t row, int64_t column,
		   const float *c, const float *sum, float *y)
{
	const float alpha = (float)p->alpha, beta = (float)p->beta;
	const int64_t left = p->n - column;
	const int64_t n = left < ROW_PANEL ? left : ROW_PANEL;

	y += row * p->n + column;
	for (int64_t j = 0; j < n; j++)
		y[j] = alpha * sum[j];
	if (!c)
		return;
	c += row * p->row_c + column * p->col_c;
	for (int64_t j = 0; j < n; j++)
		y[j] += beta * c[j * p->col_c];
}

static void panels_run(const struct kernel_call *call, unsigned slice,
		       void *scratch)
{
	const float *x = call->in[0], *packed = pack_bytes(call->state),
		    *c = NULL;
	const struct row_loops *rows = row_loops();
	float sum[ROW_PANEL];
	int64_t first, last;
	struct product p;

	(void)scratch;
	product_query(call->query, &p);
	if (p.has_c)
		c = call->in[2];
	kernel_slice(n_panels(&p), call->n_slices, slice, &first, &last);
	for (int64_t i = first; i < last; i++) {
		const int64_t k_n_step[3] = { p.k, ROW_PANEL, ROW_PANEL };

		for (int64_t row = 0; row < p.m; row++) {
			rows->panel(x + row * p.k, packed + i * ROW_PANEL * p.k,
				    k_n_step, sum);
			finish(&p, row, i * ROW_PANEL, c, sum, call->out[0]);
		}
	}
}

static enum err_code panels_prepare(const struct kernel_query *query,
				    struct kernel_setup *ret, struct err *err)
{
	struct pack *packed;
	struct product p;
	enum err_code rc;
	int64_t n;

	product_query(query, &p);
	rc = pack(query, &p, &packed, err);
	if (rc)
		return rc;
	ret->pack_bytes = pack_size(packed);
	ret->state = packed;
	n = p.n * p.k * (int64_t)sizeof(float) / SLICE_BYTES;
	if (n > n_panels(&p))
		n = n_panels(&p);
	ret->n_slices = n < 1 ? 1 : n > MAX_SLICES ? MAX_SLICES : (unsigned)n;
	return ERR_NONE;
}

static void panels_finish(void *state)
{
	pack_put(state);
}

static double panels_cost(const struct kernel_query *query)
{
	struct product p;

	product_query(query, &p);
	return 0.05 + (double)p.m * (double)(p.n * p.k) * 3e-5;
}

static bool panels_fits(const struct kernel_query *query)
{
	struct product p;

	if (query->in[0].type.elem != DTYPE_F32 || !query->in[1].value)
		return false;
	product_query(query, &p);
	return p.m >= 1 && p.m <= MOST_ROWS && p.n_batch == 1 &&
	       (p.m == 1 || !p.trans_a) && p.n * p.k >= LEAST_FLOATS &&
	       p.n > ROW_PANEL / 2;
}

const struct kernel product_panels = {
	.name = "product.panels",
	.flags = KERNEL_SLICE_FREE,
	.fits = panels_fits,
	.cost = panels_cost,
	.prepare = panels_prepare,
	.run = panels_run,
	.finish = panels_finish,
};
