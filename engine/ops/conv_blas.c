/* SPDX-License-Identifier: Apache-2.0 */
/* Convolutions through CBLAS. For one image and group, columns [c * taps,
 * outputs] hold what each output sees; with w as [m, c * taps]
 *
 *   y = w columns        columns' gradient = w^T dy        dw = dy columns^T
 *
 * A block of output rows at a time, so that columns stay in cache; windows of
 * one tap and stride 1 need none. What is cut into slices depends on the shape
 * alone: images and blocks forward, images and channels for the gradients. */
#include <string.h>

#include "engine/kernels/blas.h"
#include "engine/ops/conv.h"

enum {
	MAX_SLICES = 16,
	BLOCK_BYTES = 1 << 19, /* of columns */
	CHUNK_ROWS = 96,       /* of columns, in a chunk of channels */
};

#define SLICE_FLOPS 4e6
#define US_PER_FLOP 1.2e-5
#define US_PER_COLUMN 3e-4

/* How the work of one kernel is cut. */
struct cut {
	struct conv g;
	int64_t chunk, n_chunks; /* channels of x in one go */
	int64_t rows, n_blocks;	 /* rows of outputs in one go */
	int64_t out_rows, width; /* all rows, and outputs of one */
	bool direct;		 /* columns are x itself */
};

static void cut_init(const struct kernel_query *query, bool by_channel,
		     struct cut *cut)
{
	const struct window *win = &cut->g.window;
	int64_t bytes;

	conv_query(query, &cut->g);
	cut->width = win->out[2];
	cut->out_rows = win->out[0] * win->out[1];
	cut->chunk = cut->g.c;
	if (by_channel && cut->chunk * win->n_taps > CHUNK_ROWS)
		cut->chunk = (CHUNK_ROWS + win->n_taps - 1) / win->n_taps;
	cut->chunk = cut->chunk > 0 ? cut->chunk : 1;
	cut->n_chunks = (cut->g.c + cut->chunk - 1) / cut->chunk;
	bytes = cut->chunk * win->n_taps * cut->width * (int64_t)sizeof(float);
	cut->rows = bytes ? BLOCK_BYTES / bytes : 1;
	cut->rows = cut->rows < 1 ? 1 : cut->rows;
	if (cut->rows > cut->out_rows)
		cut->rows = cut->out_rows > 0 ? cut->out_rows : 1;
	cut->n_blocks = (cut->out_rows + cut->rows - 1) / cut->rows;
	cut->direct = win->n_taps == 1 && win->n_in == win->n_out;
	for (unsigned i = 0; i < WINDOW_DIMS; i++)
		cut->direct = cut->direct && !win->begin[i] && !win->end[i];
}

static unsigned n_slices(const struct cut *cut, int64_t items)
{
	const double want = conv_flops(&cut->g) / SLICE_FLOPS;

	if (items > MAX_SLICES)
		items = MAX_SLICES;
	if ((double)items > want)
		items = (int64_t)want;
	return items < 1 ? 1 : (unsigned)items;
}

static size_t column_bytes(const struct cut *cut)
{
	return (size_t)(cut->chunk * cut->g.window.n_taps * cut->rows *
			cut->width) *
	       sizeof(float);
}

/* One row of outputs for one tap: zeros where the source is padding. */
static void fill_row(const struct window *win, const struct window_tap *box,
		     int64_t row, const float *x, float *to)
{
	const int64_t d = row / win->out[1], h = row % win->out[1];
	const int64_t lo = box->lo[2], hi = box->hi[2], step = win->stride[2];
	const float *from;

	if (d < box->lo[0] || d >= box->hi[0] || h < box->lo[1] ||
	    h >= box->hi[1] || lo >= hi) {
		memset(to, 0, (size_t)win->out[2] * sizeof(*to));
		return;
	}
	from = x +
	       ((d * win->stride[0] + box->first[0]) * win->in[1] +
		h * win->stride[1] + box->first[1]) *
		   win->in[2] +
	       box->first[2];
	for (int64_t i = 0; i < lo; i++)
		to[i] = 0;
	if (step == 1)
		memcpy(to + lo, from + lo, (size_t)(hi - lo) * sizeof(*to));
	for (int64_t i = lo; step != 1 && i < hi; i++)
		to[i] = from[i * step];
	for (int64_t i = hi; i < win->out[2]; i++)
		to[i] = 0;
}

/* Adds one row of a tap's gradient back to where it came from. */
static void spread_row(const struct window *win, const struct window_tap *box,
		       int64_t row, const float *from, float *dx)
{
	const int64_t d = row / win->out[1], h = row % win->out[1];
	const int64_t step = win->stride[2];
	float *to;

	if (d < box->lo[0] || d >= box->hi[0] || h < box->lo[1] ||
	    h >= box->hi[1] || box->lo[2] >= box->hi[2])
		return;
	to = dx +
	     ((d * win->stride[0] + box->first[0]) * win->in[1] +
	      h * win->stride[1] + box->first[1]) *
		 win->in[2] +
	     box->first[2];
	for (int64_t i = box->lo[2]; i < box->hi[2]; i++)
		to[i * step] += from[i];
}

/* Rows of outputs of one block. */
struct block {
	int64_t first, last, n; /* n: outputs */
};

static struct block block_at(const struct cut *cut, int64_t i)
{
	struct block block = { .first = i * cut->rows };

	block.last = block.first + cut->rows < cut->out_rows
			 ? block.first + cut->rows
			 : cut->out_rows;
	block.n = (block.last - block.first) * cut->width;
	return block;
}

/* n channels from x on */
static void fill_columns(const struct cut *cut, const struct block *block,
			 const float *x, int64_t n, float *columns)
{
	const struct window *win = &cut->g.window;
	struct window_tap box;

	for (int64_t tap = 0; tap < win->n_taps; tap++) {
		window_tap(win, tap, &box);
		for (int64_t c = 0; c < n; c++) {
			float *to =
			    columns + (c * win->n_taps + tap) * block->n;

			for (int64_t r = block->first; r < block->last; r++) {
				fill_row(win, &box, r, x + c * win->n_in, to);
				to += cut->width;
			}
		}
	}
}

static void spread_columns(const struct cut *cut, const struct block *block,
			   const float *columns, int64_t n, float *dx)
{
	const struct window *win = &cut->g.window;
	struct window_tap box;

	for (int64_t tap = 0; tap < win->n_taps; tap++) {
		window_tap(win, tap, &box);
		for (int64_t c = 0; c < n; c++) {
			const float *from =
			    columns + (c * win->n_taps + tap) * block->n;

			for (int64_t r = block->first; r < block->last; r++) {
				spread_row(win, &box, r, from,
					   dx + c * win->n_in);
				from += cut->width;
			}
		}
	}
}

/* Image and group number i, and the planes that are theirs. */
static const float *x_plane(const struct cut *cut, const void *x, int64_t i)
{
	return (const float *)x + i * cut->g.c * cut->g.window.n_in;
}

static void forward_block(const struct cut *cut, const struct kernel_call *call,
			  int64_t item, float *columns)
{
	const struct conv *g = &cut->g;
	const struct window *win = &g->window;
	const int64_t image = item / cut->n_blocks, group = image % g->group;
	const struct block block = block_at(cut, item % cut->n_blocks);
	const int64_t k = g->c * win->n_taps;
	const float *x = x_plane(cut, call->in[0], image);
	const float *w = (const float *)call->in[1] + group * g->m * k;
	const float *bias = call->query->n_in > 2 ? call->in[2] : NULL;
	float *y = (float *)call->out[0] + image * g->m * win->n_out +
		   block.first * cut->width;
	const struct blas_product product = {
		.m = g->m,
		.n = block.n,
		.k = k,
		.lda = k,
		.ldb = cut->direct ? win->n_in : block.n,
		.ldc = win->n_out,
		.alpha = 1,
		.beta = bias ? 1 : 0,
	};

	for (int64_t m = 0; bias && m < g->m; m++) {
		for (int64_t i = 0; i < block.n; i++)
			y[m * win->n_out + i] = bias[group * g->m + m];
	}
	if (!cut->direct)
		fill_columns(cut, &block, x, g->c, columns);
	blas_product_f32(&product, w,
			 cut->direct ? x + block.first * cut->width : columns,
			 y);
}

static void forward_run(const struct kernel_call *call, unsigned slice,
			void *scratch)
{
	int64_t first, last;
	struct cut cut;

	cut_init(call->query, false, &cut);
	kernel_slice(cut.g.batch * cut.g.group * cut.n_blocks, call->n_slices,
		     slice, &first, &last);
	for (int64_t i = first; i < last; i++)
		forward_block(&cut, call, i, scratch);
}

static enum err_code forward_prepare(const struct kernel_query *query,
				     struct kernel_setup *ret, struct err *err)
{
	struct cut cut;

	(void)err;
	cut_init(query, false, &cut);
	ret->n_slices =
	    n_slices(&cut, cut.g.batch * cut.g.group * cut.n_blocks);
	ret->scratch_bytes = cut.direct ? 0 : column_bytes(&cut);
	return ERR_NONE;
}

/* Channels first..first+n-1 of a group. */
static int64_t chunk_at(const struct cut *cut, int64_t i, int64_t *ret_n)
{
	const int64_t first = i * cut->chunk;

	*ret_n = cut->g.c - first < cut->chunk ? cut->g.c - first : cut->chunk;
	return first;
}

/* The bias of a ConvTranspose, over n channels of an image. */
static void add_bias(const struct cut *cut, const float *bias, int64_t n,
		     float *dx)
{
	const int64_t n_in = cut->g.window.n_in;

	for (int64_t i = 0; i < n; i++) {
		for (int64_t j = 0; j < n_in; j++)
			dx[i * n_in + j] += bias[i];
	}
}

static void data_chunk(const struct cut *cut, const struct kernel_call *call,
		       int64_t item, float *columns)
{
	const struct conv *g = &cut->g;
	const struct window *win = &g->window;
	const int64_t image = item / cut->n_chunks;
	int64_t n, c = chunk_at(cut, item % cut->n_chunks, &n);
	const int64_t k = g->c * win->n_taps;
	const float *w = (const float *)call->in[1] +
			 image % g->group * g->m * k + c * win->n_taps;
	float *dx = (float *)call->out[0] + (image * g->c + c) * win->n_in;
	struct blas_product product = {
		.m = n * win->n_taps,
		.k = g->m,
		.lda = k,
		.ldb = win->n_out,
		.trans_a = true,
		.alpha = 1,
	};

	if (!cut->direct)
		memset(dx, 0, (size_t)(n * win->n_in) * sizeof(*dx));
	for (int64_t b = 0; b < cut->n_blocks; b++) {
		const struct block block = block_at(cut, b);
		const float *dy = (const float *)call->in[0] +
				  image * g->m * win->n_out +
				  block.first * cut->width;

		product.n = block.n;
		product.ldc = cut->direct ? win->n_in : block.n;
		blas_product_f32(&product, w, dy,
				 cut->direct ? dx + block.first * cut->width
					     : columns);
		if (!cut->direct)
			spread_columns(cut, &block, columns, n, dx);
	}
	if (call->query->n_in > 2 && call->in[2])
		add_bias(cut,
			 (const float *)call->in[2] + image % g->group * g->c +
			     c,
			 n, dx);
}

static void data_run(const struct kernel_call *call, unsigned slice,
		     void *scratch)
{
	int64_t first, last;
	struct cut cut;

	cut_init(call->query, true, &cut);
	kernel_slice(cut.g.batch * cut.g.group * cut.n_chunks, call->n_slices,
		     slice, &first, &last);
	for (int64_t i = first; i < last; i++)
		data_chunk(&cut, call, i, scratch);
}

static enum err_code data_prepare(const struct kernel_query *query,
				  struct kernel_setup *ret, struct err *err)
{
	struct cut cut;

	(void)err;
	cut_init(query, true, &cut);
	ret->n_slices =
	    n_slices(&cut, cut.g.batch * cut.g.group * cut.n_chunks);
	ret->scratch_bytes = cut.direct ? 0 : column_bytes(&cut);
	return ERR_NONE;
}

static void weights_chunk(const struct cut *cut, const struct kernel_call *call,
			  int64_t item, float *columns)
{
	const struct conv *g = &cut->g;
	const struct window *win = &g->window;
	const int64_t group = item / cut->n_chunks;
	int64_t n, c = chunk_at(cut, item % cut->n_chunks, &n);
	const int64_t k = g->c * win->n_taps;
	float *dw = (float *)call->out[0] + group * g->m * k + c * win->n_taps;
	struct blas_product product = {
		.m = g->m,
		.n = n * win->n_taps,
		.lda = win->n_out,
		.ldc = k,
		.trans_b = true,
		.alpha = 1,
	};

	for (int64_t i = 0; i < g->batch * cut->n_blocks; i++) {
		const int64_t image = i / cut->n_blocks * g->group + group;
		const struct block block = block_at(cut, i % cut->n_blocks);
		const int64_t skip = block.first * cut->width;
		const float *x =
		    x_plane(cut, call->in[1], image) + c * win->n_in;
		const float *dy = (const float *)call->in[0] +
				  image * g->m * win->n_out + skip;

		if (!cut->direct)
			fill_columns(cut, &block, x, n, columns);
		product.k = block.n;
		product.ldb = cut->direct ? win->n_in : block.n;
		product.beta = i ? 1 : 0;
		blas_product_f32(&product, dy, cut->direct ? x + skip : columns,
				 dw);
	}
}

static void weights_run(const struct kernel_call *call, unsigned slice,
			void *scratch)
{
	int64_t first, last;
	struct cut cut;

	cut_init(call->query, true, &cut);
	kernel_slice(cut.g.group * cut.n_chunks, call->n_slices, slice, &first,
		     &last);
	for (int64_t i = first; i < last; i++)
		weights_chunk(&cut, call, i, scratch);
}

static enum err_code weights_prepare(const struct kernel_query *query,
				     struct kernel_setup *ret, struct err *err)
{
	struct cut cut;

	(void)err;
	cut_init(query, true, &cut);
	ret->n_slices = n_slices(&cut, cut.g.group * cut.n_chunks);
	ret->scratch_bytes = cut.direct ? 0 : column_bytes(&cut);
	return ERR_NONE;
}

static double cost(const struct kernel_query *query)
{
	struct cut cut;
	double columns = 0;

	cut_init(query, false, &cut);
	if (!cut.direct)
		columns = (double)(cut.g.batch * cut.g.group * cut.g.c) *
			  (double)cut.g.window.n_taps *
			  (double)cut.g.window.n_out;
	return 1 + conv_flops(&cut.g) * US_PER_FLOP + columns * US_PER_COLUMN;
}

/* nothing to sum: the plain kernels write the zeros */
static bool fits(const struct kernel_query *query)
{
	struct conv g;

	if (query->in[0].type.elem != DTYPE_F32)
		return false;
	conv_query(query, &g);
	return g.batch > 0 && g.c > 0 && g.m > 0 && g.window.n_out > 0 &&
	       g.c * g.window.n_taps <= INT32_MAX &&
	       g.window.n_in <= INT32_MAX && g.window.n_out <= INT32_MAX;
}

const struct kernel conv_blas = {
	.name = "conv.blas",
	.flags = KERNEL_QUICK,
	.fits = fits,
	.cost = cost,
	.prepare = forward_prepare,
	.run = forward_run,
};

const struct kernel conv_grad_data_blas = {
	.name = "conv_grad_data.blas",
	.flags = KERNEL_QUICK,
	.fits = fits,
	.cost = cost,
	.prepare = data_prepare,
	.run = data_run,
};

const struct kernel conv_grad_weights_blas = {
	.name = "conv_grad_weights.blas",
	.flags = KERNEL_QUICK,
	.fits = fits,
	.cost = cost,
	.prepare = weights_prepare,
	.run = weights_run,
};
