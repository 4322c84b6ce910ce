/* SPDX-License-Identifier: Apache-2.0 */
/* Compiled once for each level; PRODUCT_LOOPS_TABLE names the table,
 * PRODUCT_LANES its vectors, PRODUCT_ROWS how many rows of two vectors hold
 * sums. */
#include "engine/kernels/product_loops_priv.h"

#define VECTOR_LANES PRODUCT_LANES
#include "engine/kernels/lanes.h"

/* AHEAD: rows that packing asks for before it needs them */
enum { ROWS = PRODUCT_ROWS, WIDTH = 2 * LANES, AHEAD = 8 };

/* Where a tile's sums go. */
struct place {
	float *to;
	int64_t step, columns;
	bool adds;
};

/* The last columns of all, one by one. */
static void put_part(const float sum[WIDTH], const struct place *place,
		     int64_t row)
{
	float *to = place->to + row * place->step;

	for (int64_t j = 0; j < place->columns; j++)
		to[j] = place->adds ? to[j] + sum[j] : sum[j];
}

static inline __attribute__((always_inline)) void
put(const vec sum[2], const struct place *place, int64_t row)
{
	float *to = place->to + row * place->step;
	float part[2 * PRODUCT_LANES];

	if (place->columns < WIDTH) {
		store(sum[0], part);
		store(sum[1], part + LANES);
		put_part(part, place, row);
	} else if (place->adds) {
		store(load(to) + sum[0], to);
		store(load(to + LANES) + sum[1], to + LANES);
	} else {
		store(sum[0], to);
		store(sum[1], to + LANES);
	}
}

/* m rows of one panel, elements of a at row * by[0] + l * by[1]; m and one of
 * `by` are constants wherever this is inlined. */
static inline __attribute__((always_inline)) void
tile(const float *a, const int64_t by[2], const float *b, int64_t k,
     const struct place *place, const int m)
{
	vec sum[ROWS][2];

#pragma GCC unroll 16
	for (int i = 0; i < m; i++) {
		__builtin_prefetch(place->to + i * place->step, 1);
		__builtin_prefetch(place->to + i * place->step + LANES, 1);
		sum[i][0] = sum[i][1] = (vec){ 0 };
	}
#pragma GCC unroll 1
	for (int64_t l = 0; l < k; l++, b += WIDTH) {
		const vec left = load(b), right = load(b + LANES);

#pragma GCC unroll 16
		for (int i = 0; i < m; i++) {
			const vec x = all(a[i * by[0] + l * by[1]]);

			sum[i][0] += x * left;
			sum[i][1] += x * right;
		}
	}
#pragma GCC unroll 16
	for (int i = 0; i < m; i++)
		put(sum[i], place, i);
}

/* First element of row i. Strips hold whole tiles alone, but for the last. */
static inline __attribute__((always_inline)) const float *
row_of(const struct product_block *p, int64_t i, const bool is_strip)
{
	return is_strip
		   ? p->a + i / ROWS * (ROWS * p->k + PRODUCT_SKIP) + i % ROWS
		   : p->a + i * p->lda;
}

static inline __attribute__((always_inline)) void
column(const struct product_block *p, const float *b, struct place place,
       const bool is_strip)
{
	const int64_t by[2] = { is_strip ? 1 : p->lda, is_strip ? ROWS : 1 };
	float *const to = place.to;
	int64_t i = 0;

	for (; i + ROWS <= p->m; i += ROWS, place.to = to + i * p->ldc)
		tile(row_of(p, i, is_strip), by, b, p->k, &place, ROWS);
	for (; ROWS > 4 && i + 4 <= p->m; i += 4, place.to = to + i * p->ldc)
		tile(row_of(p, i, is_strip), by, b, p->k, &place, 4);
	for (; i + 2 <= p->m; i += 2, place.to = to + i * p->ldc)
		tile(row_of(p, i, is_strip), by, b, p->k, &place, 2);
	if (i < p->m)
		tile(row_of(p, i, is_strip), by, b, p->k, &place, 1);
}

/* A panel stays near while rows pass by. */
static void block(const struct product_block *p)
{
	for (int64_t j = 0; j < p->n; j += WIDTH) {
		const struct place place = {
			p->to + j,
			p->ldc,
			p->n - j < WIDTH ? p->n - j : WIDTH,
			p->adds,
		};
		const float *b = p->panels + j * p->k;

		if (p->lda)
			column(p, b, place, false);
		else
			column(p, b, place, true);
	}
}

static void panels(const struct product_pack *p, float *to)
{
	for (int64_t j = 0; j < p->n; j += WIDTH) {
		const float *x = p->x + j;
		const int64_t left = p->n - j;

		for (int64_t l = 0; l < p->k; l++, x += p->step, to += WIDTH) {
			if (left >= WIDTH) {
				store(load(x), to);
				store(load(x + LANES), to + LANES);
				continue;
			}
			for (int64_t i = 0; i < WIDTH; i++)
				to[i] = i < left ? x[i] : 0;
		}
	}
}

/* Rows of x are far apart, where no CPU looks ahead by itself. */
static void strips(const struct product_pack *p, float *to)
{
	const int64_t size = ROWS * p->k + PRODUCT_SKIP;
	const int64_t whole = p->n / ROWS, left = p->n % ROWS;

	for (int64_t l = 0; l < p->k; l++, to += ROWS) {
		const float *x = p->x + l * p->step;
		const float *ahead =
		    x + (l + AHEAD < p->k ? AHEAD : 0) * p->step;

		for (int64_t i = 0; i < whole; i++) {
			if (i * ROWS % LANES == 0)
				__builtin_prefetch(ahead + i * ROWS);
			memcpy(to + i * size, x + i * ROWS, ROWS * sizeof(*to));
		}
		for (int64_t i = 0; left && i < ROWS; i++)
			to[whole * size + i] =
			    i < left ? x[whole * ROWS + i] : 0;
	}
}

static void turned(const struct product_pack *p, float *to)
{
	for (int64_t j = 0; j < p->n || j % WIDTH; j += LANES) {
		const int64_t left = j < p->n ? p->n - j : 0;
		const int64_t n_k[2] = { left < LANES ? left : LANES, p->k };

		turn_rows(p->x + j * p->step, p->step, n_k,
			  to + j / WIDTH * WIDTH * p->k + j % WIDTH, WIDTH);
	}
}

extern const struct product_loops PRODUCT_LOOPS_TABLE;
const struct product_loops PRODUCT_LOOPS_TABLE = {
	.width = WIDTH,
	.rows = ROWS,
	.block = block,
	.panels = panels,
	.turned = turned,
	.strips = strips,
};
