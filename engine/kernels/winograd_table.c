/* SPDX-License-Identifier: Apache-2.0 */
/* Compiled once for each level; WINOGRAD_TABLE names the table, WINOGRAD_LANES
 * says how many channels a block has, WINOGRAD_TILES (2, 6 or 14) how many
 * tiles are multiplied at once. Contraction is on here: the products are
 * fused multiplications and additions. */
#include "engine/kernels/winograd_priv.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))
#define LANES ((ptrdiff_t)WINOGRAD_LANES)
#define COLUMNS ((ptrdiff_t)4 * WINOGRAD_STRIP + 2)

enum {
	/* Sums of a group stay in registers: 2 * MOST vectors, and two of
	 * weights and one of values beside them. */
	MOST = WINOGRAD_TILES,
	LINE_BYTES = 64, /* of cache */
};

typedef float vec __attribute__((vector_size(4 * WINOGRAD_LANES)));
typedef int32_t mask __attribute__((vector_size(4 * WINOGRAD_LANES)));
/* The same in memory, where floats lie. */
typedef float lanes
    __attribute__((vector_size(4 * WINOGRAD_LANES), aligned(4), may_alias));

/* Points 0, A, -A, B, -B and infinity for tiles of 4 x 4. Among pairs whose
 * squares are short these give the smallest errors (winograd.h). */
#define A 0.625F
#define B 1.5F
#define AA (A * A)
#define BB (B * B)

#define LOAD(from) (*(const lanes *)(from))
#define STORE(to, value) (*(lanes *)(to) = (value))

/* Values at the points of a row (or column) of n = 4 or 6 inputs. */
INLINE void points_of_4(const vec d[4], vec v[4])
{
	v[0] = d[0] - d[2];
	v[1] = d[2] + d[1];
	v[2] = d[2] - d[1];
	v[3] = d[3] - d[1];
}

INLINE void points_of_6(const vec d[6], vec v[6])
{
	const vec even_a = d[4] - BB * d[2], odd_a = d[3] - BB * d[1];
	const vec even_b = d[4] - AA * d[2], odd_b = d[3] - AA * d[1];

	v[0] = (d[4] - (AA + BB) * d[2]) + AA * BB * d[0];
	v[1] = even_a + A * odd_a;
	v[2] = even_a - A * odd_a;
	v[3] = even_b + B * odd_b;
	v[4] = even_b - B * odd_b;
	v[5] = (d[5] - (AA + BB) * d[3]) + AA * BB * d[1];
}

/* 2 or 4 outputs of the products at the points. */
INLINE void outputs_of_4(const vec m[4], vec y[2])
{
	y[0] = m[0] + (m[1] + m[2]);
	y[1] = m[3] + (m[1] - m[2]);
}

INLINE void outputs_of_6(const vec m[6], vec y[4])
{
	const vec even_a = m[1] + m[2], odd_a = m[1] - m[2];
	const vec even_b = m[3] + m[4], odd_b = m[3] - m[4];

	y[0] = m[0] + (even_a + even_b);
	y[1] = A * odd_a + B * odd_b;
	y[2] = AA * even_a + BB * even_b;
	y[3] = m[5] + (AA * A * odd_a + BB * B * odd_b);
}

INLINE void points(const int size, const vec *d, vec *v)
{
	if (size == 4)
		points_of_6(d, v);
	else
		points_of_4(d, v);
}

INLINE void outputs(const int size, const vec *m, vec *y)
{
	if (size == 4)
		outputs_of_6(m, y);
	else
		outputs_of_4(m, y);
}

static const float zeros[COLUMNS * LANES];

/* Down the columns that the tiles cover, into lines of COLUMNS blocks. */
INLINE void input_columns(const int size, const struct winograd_input *job)
{
	const int64_t n = size * job->n + 2, width = job->extent[1];
	const int64_t first = job->corner[1] < 0 ? -job->corner[1] : 0;
	const int64_t last =
	    width - job->corner[1] < n ? width - job->corner[1] : n;
	const float *row[6];
	float *line = job->line;

	for (int i = 0; i < size + 2; i++) {
		const int64_t at = job->corner[0] + i;

		row[i] = zeros;
		if (at >= 0 && at < job->extent[0])
			row[i] = job->x +
				 (at * width + job->corner[1] + first) * LANES;
		memset(line + i * COLUMNS * LANES, 0,
		       (size_t)first * LANES * sizeof(float));
		memset(line + (i * COLUMNS + last) * LANES, 0,
		       (size_t)(n - last) * LANES * sizeof(float));
	}
	line += first * LANES;
	for (int64_t j = 0; j < (last - first) * LANES; j += LANES) {
		vec d[6], v[6];

		for (int i = 0; i < size + 2; i++)
			d[i] = LOAD(row[i] + j);
		points(size, d, v);
		for (int i = 0; i < size + 2; i++)
			STORE(line + i * COLUMNS * LANES + j, v[i]);
	}
}

/* Along the lines, into the planes of V. */
INLINE void input(const int size, const struct winograd_input *job)
{
	const int64_t plane = job->v_plane, n = size + 2;

	input_columns(size, job);
	for (int i = 0; i < size + 2; i++) {
		const float *line = job->line + i * COLUMNS * LANES;
		float *v = job->v + i * n * plane;

		for (int64_t t = 0; t < job->n; t++) {
			const struct winograd_place *place = &job->place[t];
			float *to = v + place->at + place->step * job->block;
			vec d[6], p[6];

			for (int j = 0; j < size + 2; j++)
				d[j] = LOAD(line + (size * t + j) * LANES);
			points(size, d, p);
			for (int j = 0; j < size + 2; j++)
				STORE(to + j * plane, p[j]);
		}
	}
}

static void input_2(const struct winograd_input *job)
{
	input(2, job);
}

static void input_4(const struct winograd_input *job)
{
	input(4, job);
}

/* One group of tiles against one pair of blocks. */
struct group {
	const float *u, *v;
	float *m[2];
	int64_t blocks;
	const char *next; /* bytes to fetch: so many a channel */
	int64_t next_step;
};

/* n is a constant where this is inlined. */
INLINE void multiply(const int n, const struct group *group)
{
	const float *u = group->u, *v = group->v;
	const char *next = group->next;
	vec sum[MOST][2];

#pragma GCC unroll 16
	for (int r = 0; r < n; r++)
		sum[r][0] = sum[r][1] = (vec){ 0 };
	for (int64_t block = group->blocks; block > 0; block--) {
#pragma GCC unroll 1 /* more of it does not fit in registers */
		for (int c = 0; c < LANES; c++) {
			const vec u0 = LOAD(u + 2 * LANES * c);
			const vec u1 = LOAD(u + 2 * LANES * c + LANES);

			__builtin_prefetch(next, 0, 2);
			if (LANES == 16)
				__builtin_prefetch(next + LINE_BYTES, 0, 2);
			next += group->next_step;
#pragma GCC unroll 16
			for (int r = 0; r < n; r++) {
				sum[r][0] += u0 * v[r * LANES + c];
				sum[r][1] += u1 * v[r * LANES + c];
			}
		}
		u += 2 * LANES * LANES;
		v += n * LANES;
	}
#pragma GCC unroll 16
	for (int r = 0; r < n; r++) {
		STORE(group->m[0] + r * LANES, sum[r][0]);
		STORE(group->m[1] + r * LANES, sum[r][1]);
	}
}

#define MULTIPLY(n)                                         \
	static __attribute__((noinline)) void multiply_##n( \
	    const struct group *group)                      \
	{                                                   \
		multiply(n, group);                         \
	}
MULTIPLY(1)
MULTIPLY(2)
#if WINOGRAD_TILES > 2
MULTIPLY(3)
MULTIPLY(4)
MULTIPLY(5)
MULTIPLY(6)
#endif
#if WINOGRAD_TILES > 6
MULTIPLY(7)
MULTIPLY(8)
MULTIPLY(9)
MULTIPLY(10)
MULTIPLY(11)
MULTIPLY(12)
MULTIPLY(13)
MULTIPLY(14)
#endif

/* clang-format off */
static void (*const multiply_by_tiles[MOST + 1])(const struct group *) = {
	NULL, multiply_1, multiply_2,
#if WINOGRAD_TILES > 2
	multiply_3, multiply_4, multiply_5, multiply_6,
#endif
#if WINOGRAD_TILES > 6
	multiply_7, multiply_8, multiply_9, multiply_10, multiply_11,
	multiply_12, multiply_13, multiply_14,
#endif
};
/* clang-format on */

/* All groups of tiles against one pair of blocks at one point. Each fetches
 * its share of the weights that come next. */
static void product_of_panel(const struct winograd_product *job, int64_t point,
			     int64_t pair, const float *next)
{
	const int64_t panel = job->blocks * 2 * LANES * LANES;
	const int64_t n_groups = (job->n_tiles + MOST - 1) / MOST;
	const int64_t step = (2 * LANES * 4 + n_groups - 1) / n_groups;
	const int64_t number = 2 * pair * job->n_points + point;
	float *m = job->m + number * job->m_plane;
	int64_t first = 0;

	for (int64_t g = 0; g < n_groups; g++) {
		const int64_t last = job->n_tiles * (g + 1) / n_groups;
		const struct group group = {
			.u = job->u + (pair * job->n_points + point) * panel,
			.v = job->v + point * job->v_plane +
			     first * job->blocks * LANES,
			.m = { m + first * LANES,
			       m + job->n_points * job->m_plane +
				   first * LANES },
			.blocks = job->blocks,
			.next = (const char *)(next + panel * g / n_groups),
			.next_step = step,
		};

		multiply_by_tiles[last - first](&group);
		first = last;
	}
}

static void product_of_point(const struct winograd_product *job, int64_t point)
{
	const int64_t panel = job->blocks * 2 * LANES * LANES;

	for (int64_t i = 0; i < job->n_pairs; i++) {
		const float *next =
		    job->u + ((i + 1) * job->n_points + point) * panel;

		if (i + 1 == job->n_pairs)
			next = point + 1 == job->n_points
				   ? job->u_after
				   : job->u + (point + 1) * panel;
		product_of_panel(job, point, i, next);
	}
}

static void product(const struct winograd_product *job)
{
	for (int64_t point = 0; point < job->n_points; point++)
		product_of_point(job, point);
}

/* One of two by the bits of a comparison. */
INLINE vec pick(mask by, vec yes, vec no)
{
	return (vec)((by & (mask)yes) | (~by & (mask)no));
}

/* Row i of a tile's outputs: what lies inside is written. */
INLINE void write_row(const struct winograd_output *job, const int size,
		      const vec *row, int64_t at, int64_t n)
{
	const vec bias = LOAD(job->bias);
	const vec low = (vec){ 0 } + job->low, high = (vec){ 0 } + job->high;

	for (int j = 0; j < size && j < n; j++) {
		vec y = row[j] + bias;

		if (job->z)
			y += LOAD(job->z + at + j * LANES);
		/* what is no number stays */
		if (job->low > -INFINITY)
			y = pick(y < low, low, y);
		if (job->high < INFINITY)
			y = pick(y > high, high, y);
		STORE(job->y + at + j * LANES, y);
	}
}

INLINE void output_tile(const struct winograd_output *job, const int size,
			int64_t tile)
{
	const int64_t left = job->left[1] - size * tile;
	const float *m = job->m + tile * LANES;
	const int64_t n = size + 2;
	vec column[6][4];

	for (int j = 0; j < size + 2; j++) {
		vec d[6];

		for (int i = 0; i < size + 2; i++)
			d[i] = LOAD(m + (i * n + j) * job->m_plane);
		outputs(size, d, column[j]);
	}
	for (int i = 0; i < size && i < job->left[0]; i++) {
		const int64_t at = i * job->pitch + size * tile * LANES;
		vec d[6], row[4];

		for (int j = 0; j < size + 2; j++)
			d[j] = column[j][i];
		outputs(size, d, row);
		if (left >= size)
			write_row(job, size, row, at, size);
		else
			write_row(job, size, row, at, left);
	}
}

static void output_2(const struct winograd_output *job)
{
	for (int64_t tile = 0; tile < job->n; tile++)
		output_tile(job, 2, tile);
}

static void output_4(const struct winograd_output *job)
{
	for (int64_t tile = 0; tile < job->n; tile++)
		output_tile(job, 4, tile);
}

extern const struct winograd_loops WINOGRAD_TABLE;
const struct winograd_loops WINOGRAD_TABLE = {
	.lanes = LANES,
	.most = MOST,
	.input = { input_2, input_4 },
	.product = product,
	.output = { output_2, output_4 },
};
