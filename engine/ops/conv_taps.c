/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Convolution of plain values by our own loops (engine/kernels/tap_loops.h):
 * for few channels out, where rows need neither steps nor padding: there
 * vectors of channels are mostly empty, and vectors of pixels are not. Weights
 * are known and packed.
 *
 * Very few channels out would let each load of inputs serve few sums. So some
 * neighbouring rows of outputs are taken at once: a row more is as many
 * channels more, whose weights stand a step lower in a window that is that
 * much higher, with zeros where it reaches beyond the true one. (So infinity
 * may become no number in the rows beside those that read it.)
 *
 * Rows are read where they lie, but for a vector of outputs at both ends where
 * there is padding: what those read is copied, with zeros.
 *
 * Work is cut into strips: a piece of such rows of one image, all channels out.
 * Sums do not depend on the cut.
 */
#include <string.h>

#include "base/mem.h"
#include "engine/kernels/tap_loops.h"
#include "engine/ops/conv.h"
#include "engine/pack.h"

enum { MAX_SLICES = 64, STRIP = 512, FEW_OUT = 8, MANY_TAPS = 9 };

#define FLOPS_PER_US_A_LANE 8e3
#define SLICE_US 20.0

struct taps {
	struct conv g;
	const struct tap_loops *loops;
	int64_t rows;		      /* of outputs at once */
	int64_t height;		      /* of the window that all of them need */
	int64_t n_parts, part_floats; /* of n_most channels times rows each */
	int64_t edge;		      /* outputs at each end apart; or 0 */
	int64_t n_strips;	      /* between, side by side */
	int64_t n_stacks;	      /* of such rows, one below the other */
	struct pack *w;
	float *bias; /* in whole parts */
};

bool conv_taps_suits(const struct conv *g)
{
	const struct window *w = &g->window;
	const int64_t lanes = tap_loops()->lanes;

	return g->group == 1 && g->m > 0 && g->m <= FEW_OUT && w->n <= 2 &&
	       w->n_taps >= MANY_TAPS && w->stride[2] == 1 &&
	       w->out[2] >= 4 * lanes && w->begin[2] <= lanes &&
	       w->end[2] <= lanes;
}

static bool fits(const struct kernel_query *query)
{
	struct conv g;

	if (query->in[0].type.elem != DTYPE_F32 || !query->in[1].value ||
	    (query->n_in > 2 && query->in[2].type.elem != DTYPE_NONE &&
	     !query->in[2].value) ||
	    !shape_count(&query->in[0].shape) ||
	    !shape_count(&query->out[0].shape))
		return false;
	conv_query(query, &g);
	return conv_taps_suits(&g);
}

static double cost(const struct kernel_query *query)
{
	struct conv g;

	conv_query(query, &g);
	return 1 + conv_flops(&g) /
		       (FLOPS_PER_US_A_LANE * (double)tap_loops()->lanes);
}

static size_t w_bytes(const struct taps *t)
{
	return (size_t)(t->n_parts * t->part_floats) * sizeof(float);
}

/* w [m][c][taps] to [part][c][row][tap][n_most]: channel out number i of row
 * r is number r * m + i. */
static enum err_code fill_w(const void *data, const void *plain, void *to,
			    struct err *err)
{
	const struct taps *t = data;
	const struct window *win = &t->g.window;
	const int64_t most = t->loops->n_most, width = win->kernel[2];
	const float *w = plain;
	float *packed = to;

	(void)err;
	memset(packed, 0, w_bytes(t));
	for (int64_t i = 0; i < t->g.m * t->rows; i++) {
		const int64_t down = i / t->g.m * win->stride[1];
		const float *from = w + i % t->g.m * t->g.c * win->n_taps;
		float *part = packed + i / most * t->part_floats + i % most;

		for (int64_t c = 0; c < t->g.c; c++)
			for (int64_t k = 0; k < win->n_taps; k++)
				part[((c * t->height + down) * width + k) *
				     most] = from[c * win->n_taps + k];
	}
	return ERR_NONE;
}

static enum err_code pack_w(const struct kernel_query *query, struct taps *t,
			    struct err *err)
{
	const struct window *w = &t->g.window;
	const int64_t form[] = { t->loops->n_most, t->rows,	 w->stride[1],
				 t->g.c,	   w->kernel[1], w->kernel[2] };
	const struct pack_wish wish = {
		.plain = query->in[1].value,
		.plain_bytes = tensor_bytes(DTYPE_F32, &query->in[1].shape),
		.form = form,
		.form_bytes = sizeof(form),
		.bytes = w_bytes(t),
		.make = fill_w,
		.data = t,
	};

	return pack_get(query->packs, &wish, &t->w, err);
}

static void measure(struct taps *t)
{
	const struct window *w = &t->g.window;
	const int64_t most = t->loops->n_most, n_rows = w->out[1];
	int64_t rows = 1;

	/* no more than a third of all rows of taps for nothing */
	while (w->dilation[1] == 1 && (rows + 1) * t->g.m <= t->loops->best &&
	       rows < n_rows && 2 * rows * w->stride[1] <= w->kernel[1])
		rows++;
	t->rows = rows;
	t->height = w->kernel[1] + (t->rows - 1) * w->stride[1];
	t->n_parts = (t->g.m * t->rows + most - 1) / most;
	t->part_floats = t->g.c * t->height * w->kernel[2] * most;
	t->n_stacks = (n_rows + rows - 1) / rows;
	/* a last strip of less than a vector goes with the one before */
	t->edge = w->begin[2] || w->end[2] ? t->loops->lanes : 0;
	t->n_strips = (w->out[2] - 2 * t->edge - t->loops->lanes) / STRIP + 1;
}

/* In the order of the packed weights. */
static enum err_code copy_bias(const struct kernel_query *query, struct taps *t,
			       struct err *err)
{
	const float *bias = query->n_in > 2 ? query->in[2].value : NULL;

	t->bias = mem_array((size_t)(t->n_parts * t->loops->n_most),
			    sizeof(*t->bias));
	if (!t->bias)
		return err_set(err, ERR_NO_MEMORY, "conv: out of memory");
	for (int64_t i = 0; i < t->n_parts * t->loops->n_most; i++)
		t->bias[i] =
		    bias && i < t->g.m * t->rows ? bias[i % t->g.m] : 0;
	return ERR_NONE;
}

/* Inputs that a row of taps needs for an edge. */
static int64_t edge_width(const struct taps *t)
{
	const struct window *w = &t->g.window;

	return t->edge + (w->kernel[2] - 1) * w->dilation[2];
}

static void finish(void *state)
{
	struct taps *t = state;

	pack_put(t->w);
	mem_free(t->bias);
	mem_free(t);
}

static enum err_code prepare(const struct kernel_query *query,
			     struct kernel_setup *ret, struct err *err)
{
	struct taps *t = mem_zero(sizeof(*t));
	const double most = cost(query) / SLICE_US;
	enum err_code rc;

	if (!t)
		return err_set(err, ERR_NO_MEMORY, "conv: out of memory");
	conv_query(query, &t->g);
	t->loops = tap_loops();
	measure(t);
	rc = copy_bias(query, t, err);
	if (!rc)
		rc = pack_w(query, t, err);
	if (rc) {
		finish(t);
		return rc;
	}
	ret->n_slices =
	    kernel_slices(query, most < MAX_SLICES ? most : MAX_SLICES);
	ret->scratch_bytes =
	    t->edge
		? sizeof(float) * (size_t)(t->g.c * t->height * edge_width(t))
		: 0;
	ret->pack_bytes = pack_size(t->w);
	ret->state = t;
	return ERR_NONE;
}

/* Rows of taps that read rows of the input: *lo..*hi - 1. */
static void tap_rows(const struct taps *t, int64_t top, int64_t *lo,
		     int64_t *hi)
{
	const int64_t step = t->g.window.dilation[1];
	const int64_t below = t->g.window.in[1] - top;

	*lo = top < 0 ? (-top + step - 1) / step : 0;
	*hi = below > 0 ? (below + step - 1) / step : 0;
	*hi = *hi < t->height ? *hi : t->height;
	*lo = *lo < *hi ? *lo : *hi;
}

/* What outputs from number `first` of a row on read, of rows of taps from
 * run->x on, which is where the row begins: copied, with zeros for the padding.
 */
static void copy_edge(const struct taps *t, int64_t first, float *to,
		      struct tap_run *run)
{
	const struct window *w = &t->g.window;
	const int64_t width = edge_width(t);
	const int64_t left = first - w->begin[2];
	const int64_t lo = left < 0 ? -left : 0;
	const int64_t room = w->in[2] - left;
	const int64_t hi = room < lo ? lo : room < width ? room : width;
	const float *x = run->x;

	run->x = to;
	for (int64_t i = 0; i < run->n_channels * run->n_rows; i++) {
		const float *from = x + i / run->n_rows * run->channel_step +
				    i % run->n_rows * run->row_step + left;

		memset(to, 0, (size_t)width * sizeof(*to));
		memcpy(to + lo, from + lo, (size_t)(hi - lo) * sizeof(*to));
		to += width;
	}
	run->row_step = width;
	run->channel_step = run->n_rows * width;
}

/* Strip number i of a row, the edges last: its outputs, and what they read. */
static void place_strip(const struct taps *t, int64_t i, float *scratch,
			struct tap_run *run)
{
	const struct window *w = &t->g.window;
	int64_t first = t->edge + i * STRIP;

	if (i < t->n_strips) {
		run->n_pixels =
		    i == t->n_strips - 1 ? w->out[2] - t->edge - first : STRIP;
		run->x += first - w->begin[2];
	} else {
		first = i == t->n_strips ? 0 : w->out[2] - t->edge;
		run->n_pixels = t->edge;
		copy_edge(t, first, scratch, run);
	}
	run->y += first;
}

static int64_t strips_of(const struct taps *t)
{
	return t->n_strips + (t->edge ? 2 : 0);
}

/* Strip number i of an image. */
static void run_strip(const struct taps *t, const struct kernel_call *call,
		      int64_t image, int64_t i, float *scratch)
{
	const struct window *w = &t->g.window;
	const int64_t most = t->loops->n_most, plane = w->n_out;
	const int64_t row = i / strips_of(t) * t->rows;
	const int64_t top = row * w->stride[1] - w->begin[1];
	const int64_t left = w->out[1] - row;
	const int64_t n = t->g.m * (left < t->rows ? left : t->rows);
	const float *packed = pack_bytes(t->w);
	int64_t lo, hi;
	struct tap_run run = {
		.channel_step = w->n_in,
		.row_step = w->dilation[1] * w->in[2],
		.tap_step = w->dilation[2],
		.n_channels = t->g.c,
		.n_taps = w->kernel[2],
		.w_channel_step = t->height * w->kernel[2] * most,
		.w_row_step = w->kernel[2] * most,
		.y = (float *)call->out[0] + image * t->g.m * plane +
		     row * w->out[2],
	};

	tap_rows(t, top, &lo, &hi);
	run.n_rows = hi - lo;
	run.x = (const float *)call->in[0] + image * t->g.c * w->n_in +
		(top + lo * w->dilation[1]) * w->in[2];
	place_strip(t, i % strips_of(t), scratch, &run);
	for (int64_t at = 0; at < n; at += run.n_out) {
		run.n_out = n - at < most ? n - at : most;
		run.w =
		    packed + at / most * t->part_floats + lo * run.w_row_step;
		run.bias = t->bias + at;
		for (int64_t j = 0; j < run.n_out; j++)
			run.out_at[j] = (at + j) % t->g.m * plane +
					(at + j) / t->g.m * w->out[2];
		t->loops->run(&run);
	}
}

static void run(const struct kernel_call *call, unsigned slice, void *scratch)
{
	const struct taps *t = call->state;
	const int64_t n = t->n_stacks * strips_of(t);
	int64_t first, last;

	kernel_slice(t->g.batch * n, call->n_slices, slice, &first, &last);
	for (; first < last; first++)
		run_strip(t, call, first / n, first % n, scratch);
}

const struct kernel conv_taps = {
	.name = "conv.taps",
	.flags = KERNEL_SLICE_FREE,
	.fits = fits,
	.cost = cost,
	.prepare = prepare,
	.run = run,
	.finish = finish,
};
