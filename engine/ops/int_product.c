/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/ops/int_product.h"

#include <string.h>

#include "engine/kernels/blas.h"
#include "engine/kernels/convert_loops.h"

/* DEPTH: as many products as a float adds up exactly */
enum { ROWS = 128, COLUMNS = 256, DEPTH = 256 };

struct tiles {
	float a[ROWS * DEPTH], b[DEPTH * COLUMNS], part[ROWS * COLUMNS];
	int32_t sum[ROWS * COLUMNS];
};

static int64_t blocks(int64_t n, int64_t size)
{
	return (n + size - 1) / size;
}

static int64_t n_tiles(const struct int_job *job)
{
	return job->n_batch * blocks(job->m, ROWS) * blocks(job->n, COLUMNS);
}

void int_job_setup(const struct int_job *job, unsigned want_slices,
		   struct kernel_setup *ret)
{
	const int64_t n = n_tiles(job);

	if (n < (int64_t)want_slices)
		want_slices = (unsigned)n;
	ret->scratch_bytes = sizeof(struct tiles);
	ret->n_slices = want_slices ? want_slices : 1;
}

enum err_code int_job_plain_prepare(const struct kernel_query *query,
				    struct kernel_setup *ret, struct err *err)
{
	(void)query;
	(void)err;
	ret->scratch_bytes = sizeof(struct tiles);
	return ERR_NONE;
}

double int_job_cost(const struct int_job *job)
{
	return 1 + 3e-5 * (double)job->n_batch * (double)job->m *
		       (double)job->n * (double)job->k;
}

static void plain_product(const struct int_tile *tile, const float *a,
			  const float *b, float *to)
{
	for (int64_t i = 0; i < tile->n_rows * tile->n_cols; i++) {
		const float *row = a + i / tile->n_cols * tile->n_k;
		const float *col = b + i % tile->n_cols;
		double sum = 0;

		for (int64_t l = 0; l < tile->n_k; l++)
			sum += (double)row[l] * (double)col[l * tile->n_cols];
		to[i] = (float)sum;
	}
}

static void blas_product(const struct int_tile *tile, const float *a,
			 const float *b, float *to)
{
	const struct blas_product p = {
		.m = tile->n_rows,
		.n = tile->n_cols,
		.k = tile->n_k,
		.lda = tile->n_k,
		.ldb = tile->n_cols,
		.ldc = tile->n_cols,
		.alpha = 1,
	};

	blas_product_f32(&p, a, b, to);
}

static void run_tile(const struct int_job *job, struct int_tile *tile,
		     struct tiles *t, bool plain)
{
	const int64_t n = tile->n_rows * tile->n_cols;

	memset(t->sum, 0, (size_t)n * sizeof(t->sum[0]));
	for (tile->k = 0; tile->k < job->k; tile->k += DEPTH) {
		tile->n_k = job->k - tile->k;
		if (tile->n_k > DEPTH)
			tile->n_k = DEPTH;
		job->load_a(job->ctx, tile, t->a);
		job->load_b(job->ctx, tile, t->b);
		if (plain)
			plain_product(tile, t->a, t->b, t->part);
		else
			blas_product(tile, t->a, t->b, t->part);
		convert_loops()->add_whole(t->part, n, t->sum);
	}
	job->store(job->ctx, tile, t->sum);
}

void int_job_run(const struct int_job *job, unsigned n_slices, unsigned slice,
		 void *scratch, bool plain)
{
	const int64_t across = blocks(job->n, COLUMNS);
	const int64_t down = blocks(job->m, ROWS);
	int64_t first, last;

	kernel_slice(n_tiles(job), n_slices, slice, &first, &last);
	for (int64_t i = first; i < last; i++) {
		struct int_tile tile = {
			.batch = i / across / down,
			.row = i / across % down * ROWS,
			.col = i % across * COLUMNS,
		};

		tile.n_rows =
		    job->m - tile.row < ROWS ? job->m - tile.row : ROWS;
		tile.n_cols =
		    job->n - tile.col < COLUMNS ? job->n - tile.col : COLUMNS;
		run_tile(job, &tile, scratch, plain);
	}
}

void int_load(enum dtype elem, const void *from, int64_t at, int64_t n,
	      int32_t zero, float *to)
{
	const struct byte_grid grid = { .scale = 1, .zero = zero };

	if (elem == DTYPE_U8)
		convert_loops()->from_u8((const uint8_t *)from + at, n, &grid,
					 to);
	else
		convert_loops()->from_i8((const int8_t *)from + at, n, &grid,
					 to);
}

void int_load_by(enum dtype elem, const void *from, int64_t at, int64_t n,
		 const int32_t *zero, float *to)
{
	const uint8_t *u8 = (const uint8_t *)from + at;
	const int8_t *i8 = (const int8_t *)from + at;

	if (elem == DTYPE_U8)
		for (int64_t i = 0; i < n; i++)
			to[i] = (float)((int32_t)u8[i] - zero[i]);
	else
		for (int64_t i = 0; i < n; i++)
			to[i] = (float)((int32_t)i8[i] - zero[i]);
}
