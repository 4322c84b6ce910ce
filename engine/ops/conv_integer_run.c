/* SPDX-License-Identifier: Apache-2.0 */
/* Kernels of convolutions of bytes: by products of bytes, and plain.
 *
 * A job is a band of output rows of one group of one image. Its input is copied
 * with its padding into planes, one for each channel and tap in depth and, for
 * strides, one for each remainder of a row and of a column by them: the source
 * of neighbouring outputs then is neighbours, for every tap, and even from row
 * to row of the band. So w's rows are multiplied by panels whose columns are
 * the band's outputs, and some behind each row's end, which are dropped. */
#include <string.h>

#include "engine/kernels/byte_product.h"
#include "engine/kernels/convert_loops.h"
#include "engine/ops/conv_integer.h"
#include "engine/ops/quantize.h"

enum { BAND_BYTES = 1 << 17, WEAVE = 4, LINE = 64, STRIDE_MAX = 64 };
#define SLICE_US 20.0

struct bands {
	const struct conv *g;
	int64_t depth;		/* of a sum */
	int64_t n_rows;		/* of output, in a band */
	int64_t per_plane;	/* bands */
	int64_t rows, cols;	/* of a plane of the copy */
	int64_t high, wide;	/* of what a band reads, with padding */
	int64_t plane, channel; /* bytes */
};

/* One band and where its parts lie. */
struct band {
	const struct byte_conv *c;
	const struct bands *s;
	int64_t image, group, deep, row, n_rows;
	int32_t *w_zero, *row_sum; /* [m] */
	int64_t *tap;		   /* [depth]: where in the copy */
	uint8_t *copy, *panel;
};

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t up_to(int64_t n, int64_t multiple)
{
	return (n + multiple - 1) / multiple * multiple;
}

static void size_bands(struct bands *s, int64_t n_rows)
{
	const struct window *w = &s->g->window;
	const int64_t high = (n_rows - 1) * w->stride[1] +
			     (w->kernel[1] - 1) * w->dilation[1] + 1;
	const int64_t wide = (w->out[2] - 1) * w->stride[2] +
			     (w->kernel[2] - 1) * w->dilation[2] + 1;

	s->n_rows = n_rows;
	s->per_plane = (w->out[1] + n_rows - 1) / n_rows;
	s->high = high;
	s->wide = wide;
	s->rows = (high + w->stride[1] - 1) / w->stride[1];
	s->cols = (wide + w->stride[2] - 1) / w->stride[2];
	s->plane = s->rows * s->cols;
	s->channel = s->plane * w->stride[1] * w->stride[2] * w->kernel[0];
}

static int64_t n_bands(const struct bands *s)
{
	return s->g->batch * s->g->group * s->g->window.out[0] * s->per_plane;
}

/* Bands that a cache holds, and enough of them for every slice. Nothing of
 * them shows in the result. */
static void bands_init(const struct conv *g, int64_t n_slices,
		       struct bands *ret)
{
	const int64_t images = g->batch * g->group * g->window.out[0];
	const int64_t high = g->window.out[1];
	int64_t n_rows = high;

	*ret = (struct bands){ .g = g, .depth = g->c * g->window.n_taps };
	if (images > 0 && images < n_slices)
		n_rows = (high * images + n_slices - 1) / n_slices;
	size_bands(ret, n_rows);
	while (n_rows > 1 && g->c * ret->channel > BAND_BYTES) {
		n_rows = (n_rows + 1) / 2;
		size_bands(ret, n_rows);
	}
}

static struct byte_form form_of(const struct byte_conv *c,
				const struct bands *s, int64_t n)
{
	return (struct byte_form){
		.loops = byte_loops(),
		.n_parts = 1,
		.k = s->depth,
		.n = n,
		.a_is_signed = c->w_elem == DTYPE_I8,
		.b_is_signed = c->x_elem == DTYPE_I8,
	};
}

/* ---- the copy ------------------------------------------------------------ */

/* Some tap reads rows (or columns) of that remainder by the stride. */
static bool is_read(const struct window *w, unsigned axis, int64_t remainder)
{
	for (int64_t k = 0; k < w->kernel[axis]; k++)
		if (k * w->dilation[axis] % w->stride[axis] == remainder)
			return true;
	return false;
}

/* One row of x (NULL: padding) to every plane of its remainders. to: of the
 * first of them. */
static void copy_row(const struct band *b, const uint8_t *from, uint8_t *to)
{
	const struct window *w = &b->c->g.window;
	const int64_t step = w->stride[2];
	const uint8_t zero = (uint8_t)b->c->x_zero;

	for (int64_t r = 0; r < step; r++, to += b->s->plane) {
		int64_t first = 0, last = 0, at;

		if (!is_read(w, 2, r))
			continue;
		if (from) {
			at = w->begin[2] - r;
			first = at > 0
				    ? least((at + step - 1) / step, b->s->cols)
				    : 0;
			at += w->in[2];
			last = at > 0
				   ? least((at + step - 1) / step, b->s->cols)
				   : 0;
		}
		if (last < first)
			last = first;
		memset(to, zero, (size_t)first);
		at = first * step + r - w->begin[2];
		if (step == 1 && last > first)
			memcpy(to + first, from + at, (size_t)(last - first));
		for (int64_t i = first; step != 1 && i < last; i++)
			to[i] = from[at + (i - first) * step];
		memset(to + last, zero, (size_t)(b->s->cols - last));
	}
}

/* The rows of one channel and tap in depth. */
static void copy_plane(const struct band *b, const uint8_t *from, uint8_t *to)
{
	const struct window *w = &b->c->g.window;
	const int64_t high = (b->n_rows - 1) * w->stride[1] +
			     (w->kernel[1] - 1) * w->dilation[1] + 1;

	for (int64_t i = 0; i < high; i++) {
		const int64_t remainder = i % w->stride[1];
		const int64_t y = b->row * w->stride[1] + i - w->begin[1];
		const bool is_in = from && y >= 0 && y < w->in[1];

		if (!is_read(w, 1, remainder))
			continue;
		copy_row(b, is_in ? from + y * w->in[2] : NULL,
			 to + remainder * w->stride[2] * b->s->plane +
			     i / w->stride[1] * b->s->cols);
	}
}

static void copy_band(const struct band *b)
{
	const struct conv *g = &b->c->g;
	const struct window *w = &g->window;
	const int64_t first = (b->image * g->group + b->group) * g->c;
	const int64_t deep = b->s->channel / w->kernel[0];

	for (int64_t i = 0; i < g->c * w->kernel[0]; i++) {
		const int64_t z = b->deep * w->stride[0] +
				  i % w->kernel[0] * w->dilation[0] -
				  w->begin[0];
		const uint8_t *x = (const uint8_t *)b->c->x +
				   (first + i / w->kernel[0]) * w->n_in +
				   z * w->in[1] * w->in[2];

		copy_plane(b, z >= 0 && z < w->in[0] ? x : NULL,
			   b->copy + i * deep);
	}
}

/* Where in a channel's plane the source of a tap is. */
static int64_t tap_at(const struct bands *s, int64_t ky, int64_t kx)
{
	const struct window *w = &s->g->window;
	const int64_t y = ky * w->dilation[1], x = kx * w->dilation[2];

	return (y % w->stride[1] * w->stride[2] + x % w->stride[2]) * s->plane +
	       y / w->stride[1] * s->cols + x / w->stride[2];
}

/* Where in the copy each product's first source is: all taps of a channel and
 * depth, and the same for the others. */
static void find_taps(const struct bands *s, int64_t *tap)
{
	const struct window *w = &s->g->window;
	const int64_t n = w->kernel[1] * w->kernel[2];
	const int64_t plane = s->channel / w->kernel[0];

	for (int64_t y = 0; y < w->kernel[1]; y++)
		for (int64_t x = 0; x < w->kernel[2]; x++)
			tap[y * w->kernel[2] + x] = tap_at(s, y, x);
	for (int64_t l = n; l < s->depth; l++)
		tap[l] = tap[l - n] + plane;
}

/* ---- the product --------------------------------------------------------- */

static void pack_panel(const struct band *b, const struct byte_form *form,
		       int64_t column)
{
	const struct byte_panel panel = { *form, b->panel };

	for (int64_t l = 0; l < form->k; l += WEAVE) {
		const int64_t n = least(form->k - l, WEAVE);
		const void *row[WEAVE] = { NULL };

		for (int64_t i = 0; i < n; i++)
			row[i] = b->copy + b->tap[l + i] + column;
		byte_panel_rows(&panel, l, row, (unsigned)n);
	}
	byte_panel_end(&panel);
}

/* What a sum of channel m becomes. */
struct finish {
	uint32_t bias;
	float scale;
	struct byte_grid grid;
};

static struct finish finish_of(const struct byte_conv *c, int64_t m)
{
	const struct byte_factor *x = &c->x_scale, *w = &c->w_scale;
	const struct byte_factor *y = &c->y_scale;
	struct finish f = { .bias = c->bias ? (uint32_t)c->bias[m] : 0 };

	if (c->y_elem == DTYPE_I32)
		return f;
	f.scale = scale_at(x->elem, x->data, 0) *
		  scale_at(w->elem, w->data, m % w->n) /
		  scale_at(y->elem, y->data, 0);
	f.grid.zero = quantized_at(c->y_zero.elem, c->y_zero.data, 0);
	(void)quantized_range(c->y_elem, &f.grid.low, &f.grid.high);
	return f;
}

/* n neighbours of a row of y, the first of which is element `at`. */
static void store_run(const struct byte_conv *c, const struct finish *f,
		      int32_t *sum, int64_t n, int64_t at)
{
	float scale[BYTE_PANEL];

	if (c->y_elem == DTYPE_I32) {
		memcpy((int32_t *)c->y + at, sum, (size_t)n * sizeof(*sum));
		return;
	}
	for (int64_t j = 0; j < n; j++) {
		sum[j] = (int32_t)((uint32_t)sum[j] + f->bias);
		scale[j] = f->scale;
	}
	convert_loops()->requantize(sum, scale, n, &f->grid,
				    (uint8_t *)c->y + at);
}

/* A row of a panel that begins at `column` of the band. */
static void store_row(const struct band *b, int64_t m, int64_t column,
		      int64_t n, int32_t *sum)
{
	const struct conv *g = &b->c->g;
	const struct window *w = &g->window;
	const int64_t channel = b->group * g->m + m;
	const int64_t plane =
	    (b->image * g->group * g->m + channel) * w->out[0] + b->deep;
	const struct finish finish = finish_of(b->c, channel);

	for (int64_t j = 0; j < n;) {
		const int64_t r = (column + j) / b->s->cols;
		const int64_t x = (column + j) % b->s->cols;
		const int64_t left = least(b->s->cols - x, n - j);
		const int64_t good = least(w->out[2] - x, left);
		const int64_t row = plane * w->out[1] + b->row + r;

		if (good > 0)
			store_run(b->c, &finish, sum + j, good,
				  row * w->out[2] + x);
		j += left;
	}
}

static void run_panel(const struct band *b, const struct byte_product *product,
		      int64_t column, int64_t n)
{
	const int64_t most = byte_rows(product->form.loops);
	int32_t sum[BYTE_ROWS_MAX * BYTE_PANEL];

	for (int64_t m = 0; m < b->c->g.m; m += most) {
		const int64_t rows = least(b->c->g.m - m, most);

		byte_tile(product, m, rows, 0, sum);
		for (int64_t i = 0; i < rows; i++)
			store_row(b, m + i, column, n, sum + i * BYTE_PANEL);
	}
}

static void run_band(const struct band *b)
{
	const struct conv *g = &b->c->g;
	const int64_t columns = (b->n_rows - 1) * b->s->cols + g->window.out[2];
	const int64_t m = b->group * g->m;
	struct byte_product product = {
		.form = form_of(b->c, b->s, BYTE_PANEL),
		.a = (const uint8_t *)b->c->w + m * b->s->depth,
		.row_step = b->s->depth,
		.packed = b->panel,
		.a_zero = b->w_zero,
		.b_zero = &b->c->x_zero,
		.n_a_zero = g->m,
		.n_b_zero = 1,
	};

	for (int64_t i = 0; i < g->m; i++)
		b->w_zero[i] =
		    quantized_at(b->c->w_zero.elem, b->c->w_zero.data,
				 (m + i) % b->c->w_zero.n);
	if (byte_wants_sums(&product)) {
		byte_row_sums(&product, 0, g->m, b->row_sum);
		product.row_sum = b->row_sum;
	}
	copy_band(b);
	for (int64_t at = 0; at < columns; at += BYTE_PANEL) {
		product.form.n = least(columns - at, BYTE_PANEL);
		pack_panel(b, &product.form, at);
		run_panel(b, &product, at, product.form.n);
	}
}

/* ---- kernels ------------------------------------------------------------- */

static double conv_cost(const struct kernel_query *query)
{
	const double us_a_product = byte_is_fast(byte_loops()) ? 4e-6 : 2e-5;
	struct conv g;

	byte_conv_query(query, &g);
	return 0.5 + us_a_product * conv_flops(&g) / 2;
}

/* Bytes of the taps and of what each channel has. */
static int64_t number_bytes(const struct bands *s)
{
	return up_to(s->depth * (int64_t)sizeof(int64_t) +
			 2 * s->g->m * (int64_t)sizeof(int32_t),
		     LINE);
}

/* Bytes of the copy, and what a last strip reads behind it. */
static int64_t copy_bytes(const struct bands *s)
{
	return up_to(s->g->c * s->channel + BYTE_PANEL, LINE);
}

static size_t scratch_bytes(const struct byte_conv *c, const struct bands *s)
{
	const struct byte_form form = form_of(c, s, BYTE_PANEL);

	return (size_t)(number_bytes(s) + copy_bytes(s)) +
	       byte_pack_bytes(&form);
}

/* Rows and columns lie apart by their remainders by the stride, each of which
 * is looked at. */
static bool bytes_fits(const struct kernel_query *query)
{
	struct conv g;

	byte_conv_query(query, &g);
	return g.window.stride[1] <= STRIDE_MAX &&
	       g.window.stride[2] <= STRIDE_MAX;
}

static enum err_code bytes_prepare(const struct kernel_query *query,
				   struct kernel_setup *ret, struct err *err)
{
	const unsigned n = kernel_slices(query, conv_cost(query) / SLICE_US);
	struct byte_conv c = { .w_elem = DTYPE_U8 };
	struct bands s;

	(void)err;
	byte_conv_query(query, &c.g);
	bands_init(&c.g, n, &s);
	ret->n_slices = kernel_slices(query, (double)least(n, n_bands(&s)));
	/* for as many slices as run() will be told */
	bands_init(&c.g, ret->n_slices, &s);
	ret->scratch_bytes = scratch_bytes(&c, &s);
	return ERR_NONE;
}

static void bytes_run(const struct kernel_call *call, unsigned slice,
		      void *scratch)
{
	struct byte_conv c;
	struct bands s;
	struct band b = { .c = &c, .s = &s, .tap = scratch };
	int64_t first, last;
	void *at;

	byte_conv_init(call, &c);
	bands_init(&c.g, call->n_slices, &s);
	at = b.tap + s.depth;
	b.w_zero = at;
	b.row_sum = b.w_zero + c.g.m;
	b.copy = (uint8_t *)scratch + number_bytes(&s);
	b.panel = b.copy + copy_bytes(&s);
	find_taps(&s, b.tap);
	kernel_slice(n_bands(&s), call->n_slices, slice, &first, &last);
	for (int64_t i = first; i < last; i++) {
		const int64_t plane = i / s.per_plane;

		b.row = i % s.per_plane * s.n_rows;
		b.n_rows = least(s.n_rows, c.g.window.out[1] - b.row);
		b.deep = plane % c.g.window.out[0];
		b.group = plane / c.g.window.out[0] % c.g.group;
		b.image = plane / c.g.window.out[0] / c.g.group;
		run_band(&b);
	}
}

/* ---- the plain one ------------------------------------------------------- */

/* The sum at output o of channel m of all groups. */
static int32_t plain_sum(const struct byte_conv *c, int64_t image, int64_t m,
			 int64_t o)
{
	const struct window *w = &c->g.window;
	const int64_t at[WINDOW_DIMS] = { o / w->out[2] / w->out[1],
					  o / w->out[2] % w->out[1],
					  o % w->out[2] };
	const int32_t w_zero =
	    quantized_at(c->w_zero.elem, c->w_zero.data, m % c->w_zero.n);
	const int64_t first = (image * c->g.group + m / c->g.m) * c->g.c;
	uint32_t sum = 0;

	for (int64_t l = 0; l < c->g.c * w->n_taps; l++) {
		const int64_t k[WINDOW_DIMS] = {
			l % w->n_taps / w->kernel[2] / w->kernel[1],
			l % w->n_taps / w->kernel[2] % w->kernel[1],
			l % w->kernel[2]
		};
		int64_t in = first + l / w->n_taps;
		bool is_in = true;

		for (unsigned d = 0; d < WINDOW_DIMS; d++) {
			const int64_t i = at[d] * w->stride[d] +
					  k[d] * w->dilation[d] - w->begin[d];

			is_in = is_in && i >= 0 && i < w->in[d];
			in = in * w->in[d] + i;
		}
		if (is_in)
			sum += (uint32_t)((quantized_at(c->x_elem, c->x, in) -
					   c->x_zero) *
					  (quantized_at(c->w_elem, c->w,
							m * c->g.c * w->n_taps +
							    l) -
					   w_zero));
	}
	return (int32_t)sum;
}

static void plain_run(const struct kernel_call *call, unsigned slice,
		      void *scratch)
{
	const int64_t n = shape_count(&call->query->out[0].shape);
	struct finish finish;
	struct byte_conv c;

	(void)slice;
	(void)scratch;
	byte_conv_init(call, &c);
	for (int64_t e = 0; e < n; e++) {
		const int64_t plane = e / c.g.window.n_out;
		const int64_t m = plane % (c.g.group * c.g.m);
		int32_t sum = plain_sum(&c, plane / (c.g.group * c.g.m), m,
					e % c.g.window.n_out);

		finish = finish_of(&c, m);
		store_run(&c, &finish, &sum, 1, e);
	}
}

const struct kernel conv_integer_bytes = {
	.name = "conv_integer.bytes",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE,
	.fits = bytes_fits,
	.cost = conv_cost,
	.prepare = bytes_prepare,
	.run = bytes_run,
};
const struct kernel conv_integer_plain = {
	.name = "conv_integer.plain",
	.flags = KERNEL_QUICK,
	.cost = conv_cost,
	.run = plain_run,
};
