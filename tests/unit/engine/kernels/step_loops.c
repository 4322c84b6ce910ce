/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/kernels/step_loops.h"

#include <criterion/criterion.h>
#include <string.h>

#include "base/rng.h"
#include "engine/kernels/loops.h"

enum { ROWS = 19, DEPTH = 37, COLUMNS = 70, GAP = 3 };
enum { WIDE = COLUMNS + STEP_WIDTH_MOST, A_STEP = DEPTH + GAP };

struct product {
	float a[ROWS * A_STEP], b[DEPTH * COLUMNS], transposed[DEPTH * COLUMNS];
	float panels[DEPTH * WIDE], other[DEPTH * WIDE];
	float to[ROWS * WIDE], alone[WIDE];
};

static void fill(struct product *p)
{
	const struct rng rng = { .seed = 9, .stream = 1 };

	rng_fill_normal(rng, 0, ROWS * A_STEP, p->a);
	rng_fill_normal(rng, ROWS * A_STEP, DEPTH * COLUMNS, p->b);
	for (int64_t l = 0; l < DEPTH; l++)
		for (int64_t j = 0; j < COLUMNS; j++)
			p->transposed[j * DEPTH + l] = p->b[l * COLUMNS + j];
}

static float start_of(int64_t i, int64_t j)
{
	return (float)(i - j) / 16;
}

static void check(const struct step_loops *loops, struct product *p,
		  int64_t rows)
{
	const int64_t n = step_columns(loops, COLUMNS);
	struct step_product run = { .m = rows,
				    .n = n,
				    .k = DEPTH,
				    .lda = A_STEP,
				    .a = p->a,
				    .panels = p->panels,
				    .to = p->to };

	for (int64_t i = 0; i < ROWS * WIDE; i++)
		p->to[i] = start_of(i / n, i % n);
	loops->product(&run);
	for (int64_t i = 0; i < ROWS * n; i++) {
		const int64_t row = i / n, j = i % n;
		double want = (double)start_of(row, j);

		for (int64_t l = 0; row < rows && j < COLUMNS && l < DEPTH; l++)
			want += (double)p->a[row * A_STEP + l] *
				(double)p->b[l * COLUMNS + j];
		cr_assert_float_eq(p->to[i], want, 2e-5, "row %d, column %d",
				   (int)row, (int)j);
	}
	/* a row has the same bits alone */
	for (int64_t row = 0; row < rows; row++) {
		for (int64_t j = 0; j < n; j++)
			p->alone[j] = start_of(row, j);
		run.m = 1;
		run.a = p->a + row * A_STEP;
		run.to = p->alone;
		loops->product(&run);
		cr_assert_eq(memcmp(p->alone, p->to + row * n,
				    (size_t)n * sizeof(float)),
			     0);
	}
}

Test(step_loops, products_are_right_and_rows_alone_at_every_level)
{
	static struct product p;

	fill(&p);
	for (unsigned level = 0; level < loop_levels(); level++) {
		const struct step_loops *loops = step_loops_level(level);
		const size_t bytes =
		    (size_t)(step_columns(loops, COLUMNS) * DEPTH) *
		    sizeof(float);

		cr_assert_leq(loops->width, STEP_WIDTH_MOST);
		memset(p.panels, 0x7f, sizeof(p.panels));
		memset(p.other, 0x7f, sizeof(p.other));
		step_pack(loops, p.b, DEPTH, COLUMNS, p.panels);
		step_pack_transposed(loops, p.transposed, DEPTH, COLUMNS,
				     p.other);
		cr_assert_eq(memcmp(p.panels, p.other, bytes), 0);
		for (int64_t rows = 1; rows <= ROWS; rows++)
			check(loops, &p, rows);
	}
}
