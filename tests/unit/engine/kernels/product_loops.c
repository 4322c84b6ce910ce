/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/kernels/product_loops.h"

#include <criterion/criterion.h>
#include <string.h>

#include "base/rng.h"
#include "engine/kernels/loops.h"

enum { ROWS = 23, DEPTH = 37, COLUMNS = 70, GAP = 3 };
enum { WIDE = COLUMNS + PRODUCT_WIDTH_MOST, A_STEP = DEPTH + GAP };
enum { TO_STEP = COLUMNS + GAP, A_MOST = 2 * ROWS + GAP };

struct product {
	float a[ROWS * A_STEP], b[DEPTH * COLUMNS], turned[DEPTH * COLUMNS];
	float columns[DEPTH * A_MOST]; /* a transposed, with a gap */
	float panels[DEPTH * WIDE], other[DEPTH * WIDE];
	float strips[2 * A_MOST * (DEPTH + PRODUCT_SKIP)];
	float to[ROWS * TO_STEP], again[ROWS * TO_STEP];
};

static void fill(struct product *p)
{
	const struct rng rng = { .seed = 9, .stream = 1 };

	rng_fill_normal(rng, 0, ROWS * A_STEP, p->a);
	rng_fill_normal(rng, ROWS * A_STEP, DEPTH * COLUMNS, p->b);
	for (int64_t l = 0; l < DEPTH; l++) {
		for (int64_t j = 0; j < COLUMNS; j++)
			p->turned[j * DEPTH + l] = p->b[l * COLUMNS + j];
		for (int64_t i = 0; i < ROWS; i++)
			p->columns[l * A_MOST + i] = p->a[i * A_STEP + l];
	}
}

static float start_of(int64_t i)
{
	return (float)(i % 19 - 9) / 16;
}

static void start(float *to)
{
	for (int64_t i = 0; i < ROWS * TO_STEP; i++)
		to[i] = start_of(i);
}

/* What lies beyond the columns, or the rows, stays as it was. */
static void check(const struct product *p, const struct product_block *block)
{
	for (int64_t i = 0; i < ROWS * TO_STEP; i++) {
		const int64_t row = i / TO_STEP, j = i % TO_STEP;
		const bool in = row < block->m && j < block->n;
		double want = in && !block->adds ? 0 : (double)start_of(i);

		for (int64_t l = 0; in && l < DEPTH; l++)
			want += (double)p->a[row * A_STEP + l] *
				(double)p->b[l * COLUMNS + j];
		cr_assert_float_eq(p->to[i], want, 2e-5, "row %d, column %d",
				   (int)row, (int)j);
	}
}

static void multiply(const struct product_loops *loops, struct product *p,
		     int64_t rows, bool adds)
{
	const struct product_pack strips = { p->columns, DEPTH, rows, A_MOST };
	struct product_block block = { .m = rows,
				       .n = COLUMNS,
				       .k = DEPTH,
				       .lda = A_STEP,
				       .ldc = TO_STEP,
				       .a = p->a,
				       .panels = p->panels,
				       .to = p->to,
				       .adds = adds };

	start(p->to);
	loops->block(&block);
	check(p, &block);
	/* the same of strips, and of a row alone */
	start(p->again);
	memset(p->strips, 0x7f, sizeof(p->strips));
	cr_assert_leq((size_t)product_strips_size(loops, rows, DEPTH),
		      sizeof(p->strips) / sizeof(float));
	loops->strips(&strips, p->strips);
	block.lda = 0;
	block.a = p->strips;
	block.to = p->again;
	loops->block(&block);
	cr_assert_arr_eq(p->to, p->again, sizeof(p->to));
	start(p->again);
	block.lda = A_STEP;
	block.m = 1;
	for (int64_t i = 0; i < rows; i++) {
		block.a = p->a + i * A_STEP;
		block.to = p->again + i * TO_STEP;
		loops->block(&block);
	}
	cr_assert_arr_eq(p->to, p->again, sizeof(p->to));
}

Test(product_loops, products_are_right_and_rows_alone_at_every_level)
{
	static struct product p;

	fill(&p);
	for (unsigned level = 0; level < loop_levels(); level++) {
		const struct product_loops *loops = product_loops_level(level);
		const struct product_pack b = { p.b, DEPTH, COLUMNS, COLUMNS };
		const struct product_pack turned = { p.turned, DEPTH, COLUMNS,
						     DEPTH };
		const size_t n =
		    (size_t)product_panels_size(loops, COLUMNS, DEPTH);

		cr_assert_leq(loops->width, PRODUCT_WIDTH_MOST);
		memset(p.panels, 0x7f, sizeof(p.panels));
		memset(p.other, 0x7f, sizeof(p.other));
		loops->panels(&b, p.panels);
		loops->turned(&turned, p.other);
		cr_assert_arr_eq(p.panels, p.other, n * sizeof(float));
		for (int64_t rows = 1; rows <= ROWS; rows++) {
			multiply(loops, &p, rows, false);
			multiply(loops, &p, rows, true);
		}
	}
}
