/* SPDX-License-Identifier: Apache-2.0 */
/* Products of matrices that both change from run to run, as in training: the
 * right side is brought into panels and a transposed left side into strips,
 * block by block, so that what is multiplied lies in order and near. oneDNN
 * packs the right side anew for each slice and gathers columns one by one.
 *
 * An element's sum is that of blocks of DEPTH, each summed in order: it does
 * not depend on the slices. */
#include <string.h>

#include "engine/kernels/loops.h"
#include "engine/kernels/product_loops.h"
#include "engine/ops/product.h"

/* Panels of DEPTH by COLUMNS and strips of ROWS by DEPTH have room in a cache
 * of the second level, a panel of DEPTH in one of the first. */
enum { DEPTH = 256, COLUMNS = 1024, ROWS = 256 };
enum { LEAST_ROWS = 96, LEAST_COLUMNS = 96, LEAST_DEPTH = 32 };
enum { BEST_LEVEL = 2 }; /* elsewhere oneDNN is as good */

#define SLICE_FLOPS 2e6
#define LEAST_FLOPS \
	28e6 /* from here on oneDNN cuts, and packs for each slice */

/* A slice's part of the result. */
struct part {
	const struct product_loops *loops;
	struct product p;
	const float *a, *b, *c;
	float *y, *panels, *strips;
	int64_t row, last_row, column, last_column;
};

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* Rows are cut, or columns where there are more of them. */
static bool cuts_rows(const struct product *p)
{
	return p->m >= p->n;
}

static void cut(struct part *part, unsigned n_slices, unsigned slice)
{
	const struct product *p = &part->p;
	const bool rows = cuts_rows(p);
	const int64_t n = rows ? p->m : p->n;
	const int64_t unit = rows ? part->loops->rows : part->loops->width;
	int64_t first, last;

	kernel_slice((n + unit - 1) / unit, n_slices, slice, &first, &last);
	first *= unit;
	last = least(last * unit, n);
	part->row = rows ? first : 0;
	part->last_row = rows ? last : p->m;
	part->column = rows ? 0 : first;
	part->last_column = rows ? p->n : last;
}

static void start_with_row(const struct part *part)
{
	const size_t bytes =
	    (size_t)(part->last_column - part->column) * sizeof(*part->c);

	for (int64_t i = part->row; i < part->last_row; i++)
		memcpy(part->y + i * part->p.n + part->column,
		       part->c + part->column, bytes);
}

/* Columns from block->to on, whose panels are there, of k rows from l on. */
static void all_rows(const struct part *part, struct product_block block,
		     int64_t l)
{
	const struct product *p = &part->p;
	float *const to = block.to;

	block.lda = p->trans_a ? 0 : p->k;
	for (int64_t i = part->row; i < part->last_row; i += ROWS) {
		block.m = least(ROWS, part->last_row - i);
		block.to = to + i * p->n;
		block.a = part->a + i * p->k + l;
		if (p->trans_a) {
			const struct product_pack pack = {
				part->a + l * p->m + i, block.k, block.m, p->m
			};

			part->loops->strips(&pack, part->strips);
			block.a = part->strips;
		}
		part->loops->block(&block);
	}
}

static void multiply(const struct part *part, int64_t column, int64_t l)
{
	const struct product *p = &part->p;
	const struct product_block block = {
		.n = least(COLUMNS, part->last_column - column),
		.k = least(DEPTH, p->k - l),
		.ldc = p->n,
		.panels = part->panels,
		.to = part->y + column,
		.adds = l > 0 || part->c,
	};
	const struct product_pack pack = {
		.x = part->b +
		     (p->trans_b ? column * p->k + l : l * p->n + column),
		.k = block.k,
		.n = block.n,
		.step = p->trans_b ? p->k : p->n,
	};

	if (p->trans_b)
		part->loops->turned(&pack, part->panels);
	else
		part->loops->panels(&pack, part->panels);
	all_rows(part, block, l);
}

static void tiles_run(const struct kernel_call *call, unsigned slice,
		      void *scratch)
{
	struct part part = { .loops = product_loops(),
			     .a = call->in[0],
			     .b = call->in[1],
			     .y = call->out[0],
			     .panels = scratch };

	product_query(call->query, &part.p);
	part.strips =
	    part.panels + product_panels_size(part.loops, COLUMNS, DEPTH);
	cut(&part, call->n_slices, slice);
	if (part.p.has_c) {
		part.c = call->in[2];
		start_with_row(&part);
	}
	for (int64_t j = part.column; j < part.last_column; j += COLUMNS)
		for (int64_t l = 0; l < part.p.k; l += DEPTH)
			multiply(&part, j, l);
}

static enum err_code tiles_prepare(const struct kernel_query *query,
				   struct kernel_setup *ret, struct err *err)
{
	const struct product_loops *loops = product_loops();
	struct product p;

	(void)err;
	product_query(query, &p);
	ret->n_slices = kernel_slices(query, product_flops(&p) / SLICE_FLOPS);
	ret->scratch_bytes =
	    sizeof(float) *
	    (size_t)(product_panels_size(loops, COLUMNS, DEPTH) +
		     product_strips_size(loops, ROWS, DEPTH));
	return ERR_NONE;
}

/* An eighth of what panels hold may be nothing. */
static bool fills_panels(int64_t n)
{
	const int64_t width = product_loops()->width;

	return (n + width - 1) / width * width * 7 <= n * 8;
}

/* Not where b is a constant, which oneDNN packs once. */
static bool tiles_fits(const struct kernel_query *query)
{
	struct product p;

	if (query->in[0].type.elem != DTYPE_F32 || query->in[1].value)
		return false;
	product_query(query, &p);
	if (!query->any &&
	    (loop_levels() - 1 < BEST_LEVEL || product_flops(&p) < LEAST_FLOPS))
		return false;
	return p.n_batch == 1 && p.alpha == 1 && p.m >= LEAST_ROWS &&
	       p.n >= LEAST_COLUMNS && p.k >= LEAST_DEPTH &&
	       fills_panels(p.n) &&
	       (!p.has_c || (p.beta == 1 && !p.row_c && p.col_c == 1));
}

static double tiles_cost(const struct kernel_query *query)
{
	struct product p;

	product_query(query, &p);
	return 1 + product_flops(&p) / 2.5e5 +
	       (double)(p.n * p.k + (p.trans_a ? p.m * p.k : 0)) / 5e3;
}

const struct kernel product_tiles = {
	.name = "product.tiles",
	.flags = KERNEL_SLICE_FREE,
	.fits = tiles_fits,
	.cost = tiles_cost,
	.prepare = tiles_prepare,
	.run = tiles_run,
};
