/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/kernels/step_loops.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "base/rng.h"
#include "engine/kernels/loops.h"

/* units: less than a vector, of whole panels, and neither */
enum { UNITS_MOST = 64, ROWS = 19, GAP = 3 };
enum { C_STEP = UNITS_MOST + GAP };

static const int64_t sizes[] = { 3, 37, 64 };

struct step {
	int64_t n;
	float r[4 * UNITS_MOST * UNITS_MOST], panels[4 * UNITS_MOST * 96];
	float h[ROWS * UNITS_MOST], c[ROWS * C_STEP], bias[4 * UNITS_MOST];
	float pre[4 * ROWS * UNITS_MOST], kept[6 * ROWS * UNITS_MOST];
	float y[ROWS * UNITS_MOST], dy[ROWS * UNITS_MOST];
	float after[4 * ROWS * UNITS_MOST], dgates[4 * ROWS * UNITS_MOST];
	float dc[ROWS * UNITS_MOST], dh[ROWS * UNITS_MOST];
	/* the same of a row alone */
	float alone[6 * UNITS_MOST], alone_y[UNITS_MOST], alone_dc[UNITS_MOST];
};

static void draw(uint32_t stream, int64_t n, float *to)
{
	rng_fill_normal((struct rng){ .seed = 9, .stream = stream }, 0,
			(size_t)n, to);
}

static void fill(struct step *s, int64_t n)
{
	s->n = n;
	draw(0, 4 * n * n, s->r);
	draw(1, ROWS * UNITS_MOST, s->h);
	draw(2, ROWS * C_STEP, s->c);
	draw(3, 4 * n, s->bias);
	draw(4, 4 * ROWS * n, s->pre);
	draw(5, ROWS * n, s->dy);
	draw(6, 4 * ROWS * n, s->after);
	for (int64_t i = 0; i < 4 * n * n; i++)
		s->r[i] /= 8;
}

static double sigmoid(double x)
{
	return 1 / (1 + exp(-x));
}

/* Gate g of a row before its activation. */
static double gate(const struct step *s, int64_t row, int64_t g, int64_t j)
{
	const int64_t n = s->n;
	double sum =
	    (double)s->pre[(row * 4 + g) * n + j] + (double)s->bias[g * n + j];

	for (int64_t l = 0; l < n; l++)
		sum += (double)s->h[row * n + l] *
		       (double)s->r[(g * n + j) * n + l];
	return sum;
}

/* kept of one unit: i o f g tanh(c) c */
static void kept_of(const struct step *s, int64_t row, int64_t j,
		    double kept[6])
{
	for (int64_t g = 0; g < 3; g++)
		kept[g] = sigmoid(gate(s, row, g, j));
	kept[3] = tanh(gate(s, row, 3, j));
	kept[5] = kept[2] * (double)s->c[row * C_STEP + j] + kept[0] * kept[3];
	kept[4] = tanh(kept[5]);
}

static struct step_there there_of(struct step *s, int64_t rows)
{
	return (struct step_there){ .rows = rows,
				    .n = s->n,
				    .h = s->h,
				    .panels = s->panels,
				    .pre = s->pre,
				    .bias = s->bias,
				    .c = s->c,
				    .c_step = C_STEP,
				    .kept = s->kept,
				    .y = s->y };
}

static void check_there(const struct step *s, int64_t rows)
{
	const int64_t n = s->n;

	for (int64_t row = 0; row < rows; row++)
		for (int64_t j = 0; j < n; j++) {
			double want[6];

			kept_of(s, row, j, want);
			for (int64_t g = 0; g < 6; g++)
				cr_assert_float_eq(
				    s->kept[(row * 6 + g) * n + j], want[g],
				    1e-5, "%d of row %d, unit %d", (int)g,
				    (int)row, (int)j);
			cr_assert_float_eq(s->y[row * n + j], want[1] * want[4],
					   1e-5);
		}
}

/* A row has the same bits alone. */
static void check_there_alone(const struct step_loops *loops, struct step *s,
			      int64_t rows)
{
	const int64_t n = s->n;
	struct step_there run = there_of(s, 1);

	for (int64_t row = 0; row < rows; row++) {
		run.h = s->h + row * n;
		run.pre = s->pre + row * 4 * n;
		run.c = s->c + row * C_STEP;
		run.kept = s->alone;
		run.y = s->alone_y;
		loops->there(&run);
		cr_assert_arr_eq(s->alone, s->kept + row * 6 * n,
				 6 * (size_t)n * sizeof(float));
		cr_assert_arr_eq(s->alone_y, s->y + row * n,
				 (size_t)n * sizeof(float));
	}
}

static struct step_back back_of(struct step *s, int64_t rows)
{
	return (struct step_back){ .rows = rows,
				   .n = s->n,
				   .after = s->after,
				   .panels = s->panels,
				   .dy = s->dy,
				   .kept = s->kept,
				   .c = s->c,
				   .c_step = C_STEP,
				   .dc = s->dc,
				   .dgates = s->dgates };
}

/* The gradient of h: dy, and all gates after by R. */
static double dh_of(const struct step *s, int64_t row, int64_t j)
{
	const int64_t n = s->n;
	double sum = (double)s->dy[row * n + j];

	for (int64_t l = 0; l < 4 * n; l++)
		sum +=
		    (double)s->after[row * 4 * n + l] * (double)s->r[l * n + j];
	return sum;
}

static void check_back(const struct step *s, int64_t rows)
{
	const int64_t n = s->n;

	for (int64_t row = 0; row < rows; row++)
		for (int64_t j = 0; j < n; j++) {
			const float *d = s->dgates + row * 4 * n + j;
			const double dh = dh_of(s, row, j);
			double k[6], of_c;

			kept_of(s, row, j, k);
			of_c = 0.25 + dh * k[1] * (1 - k[4] * k[4]);
			cr_assert_float_eq(
			    d[0], of_c * k[3] * k[0] * (1 - k[0]), 2e-5,
			    "row %d, unit %d", (int)row, (int)j);
			cr_assert_float_eq(d[n], dh * k[4] * k[1] * (1 - k[1]),
					   2e-5);
			cr_assert_float_eq(d[2 * n],
					   of_c *
					       (double)s->c[row * C_STEP + j] *
					       k[2] * (1 - k[2]),
					   2e-5);
			cr_assert_float_eq(
			    d[3 * n], of_c * k[0] * (1 - k[3] * k[3]), 2e-5);
			cr_assert_float_eq(s->dc[row * n + j], of_c * k[2],
					   2e-5);
		}
}

static void check_back_alone(const struct step_loops *loops, struct step *s,
			     int64_t rows)
{
	const int64_t n = s->n;
	struct step_back run = back_of(s, 1);

	for (int64_t row = 0; row < rows; row++) {
		for (int64_t j = 0; j < n; j++)
			s->alone_dc[j] = 0.25F;
		run.after = s->after + row * 4 * n;
		run.dy = s->dy + row * n;
		run.kept = s->kept + row * 6 * n;
		run.c = s->c + row * C_STEP;
		run.dc = s->alone_dc;
		run.dgates = s->alone;
		loops->back(&run);
		cr_assert_arr_eq(s->alone, s->dgates + row * 4 * n,
				 4 * (size_t)n * sizeof(float));
		cr_assert_arr_eq(s->alone_dc, s->dc + row * n,
				 (size_t)n * sizeof(float));
	}
}

/* Without gates it is the gradient of h that comes out. */
static void check_end(const struct step_loops *loops, struct step *s,
		      int64_t rows)
{
	struct step_back run = back_of(s, rows);

	run.dgates = NULL;
	run.dh = s->dh;
	loops->back(&run);
	for (int64_t i = 0; i < rows * s->n; i++)
		cr_assert_float_eq(s->dh[i], dh_of(s, i / s->n, i % s->n),
				   2e-5);
	run.after = NULL;
	run.start = s->h;
	loops->back(&run);
	for (int64_t i = 0; i < rows * s->n; i++)
		cr_assert_eq(s->dh[i], s->h[i] + s->dy[i]);
}

static void go_there_and_back(const struct step_loops *loops, struct step *s,
			      int64_t rows)
{
	const struct step_there there = there_of(s, rows);
	const struct step_back back = back_of(s, rows);

	memset(s->panels, 0x7f, sizeof(s->panels));
	loops->pack_there(s->r, s->n, s->panels);
	loops->there(&there);
	check_there(s, rows);
	check_there_alone(loops, s, rows);
	memset(s->panels, 0x7f, sizeof(s->panels));
	loops->pack_back(s->r, s->n, s->panels);
	for (int64_t i = 0; i < rows * s->n; i++)
		s->dc[i] = 0.25F;
	loops->back(&back);
	check_back(s, rows);
	check_back_alone(loops, s, rows);
	check_end(loops, s, rows);
}

Test(step_loops, steps_are_right_and_rows_alone_at_every_level)
{
	static struct step s;

	for (unsigned level = 0; level < loop_levels(); level++) {
		const struct step_loops *loops = step_loops_level(level);

		for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
			fill(&s, sizes[i]);
			for (int way = 0; way < 2; way++)
				cr_assert_leq(
				    (size_t)step_panels(loops, way, s.n),
				    sizeof(s.panels) / sizeof(float));
			for (int64_t rows = 1; rows <= ROWS; rows += 3)
				go_there_and_back(loops, &s, rows);
		}
	}
}
