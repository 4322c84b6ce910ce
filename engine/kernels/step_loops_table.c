/* SPDX-License-Identifier: Apache-2.0 */
/* Compiled once for each level; STEP_LOOPS_TABLE names the table, STEP_LANES
 * its vectors, STEP_ROWS how many rows of two vectors hold sums. */
#include "engine/kernels/step_loops_priv.h"

#include <string.h>

enum { LANES = STEP_LANES, ROWS = STEP_ROWS, WIDTH = 2 * LANES };

typedef float vec __attribute__((vector_size(LANES * sizeof(float))));

static inline __attribute__((always_inline)) vec load(const float *from)
{
	vec v;

	memcpy(&v, from, sizeof(v));
	return v;
}

static inline __attribute__((always_inline)) vec all(float x)
{
	return x - (vec){ 0 }; /* less nothing: no operation is left */
}

/* m rows of one panel; a constant wherever this is inlined. */
static inline __attribute__((always_inline)) void
tile(const struct step_product *p, const float *a, const float *b, float *to,
     const int m)
{
	vec sum[ROWS][2];

#pragma GCC unroll 8
	for (int i = 0; i < m; i++) {
		sum[i][0] = load(to + i * p->n);
		sum[i][1] = load(to + i * p->n + LANES);
	}
#pragma GCC unroll 1
	for (int64_t l = 0; l < p->k; l++, b += WIDTH) {
		const vec left = load(b), right = load(b + LANES);

#pragma GCC unroll 8
		for (int i = 0; i < m; i++) {
			const vec x = all(a[i * p->lda + l]);

			sum[i][0] += x * left;
			sum[i][1] += x * right;
		}
	}
#pragma GCC unroll 8
	for (int i = 0; i < m; i++) {
		memcpy(to + i * p->n, &sum[i][0], sizeof(vec));
		memcpy(to + i * p->n + LANES, &sum[i][1], sizeof(vec));
	}
}

/* A panel stays near while rows pass by. */
static void product(const struct step_product *p)
{
	for (int64_t j = 0; j < p->n; j += WIDTH) {
		const float *b = p->panels + j * p->k, *a = p->a;
		float *to = p->to + j;
		int64_t i = 0;

		for (; i + ROWS <= p->m; i += ROWS)
			tile(p, a + i * p->lda, b, to + i * p->n, ROWS);
		for (; ROWS > 4 && i + 4 <= p->m; i += 4)
			tile(p, a + i * p->lda, b, to + i * p->n, 4);
		for (; i + 2 <= p->m; i += 2)
			tile(p, a + i * p->lda, b, to + i * p->n, 2);
		if (i < p->m)
			tile(p, a + i * p->lda, b, to + i * p->n, 1);
	}
}

const struct step_loops STEP_LOOPS_TABLE = {
	.width = WIDTH,
	.product = product,
};
