/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Direct convolution of blocked values by our own loops
 * (engine/kernels/blocked_loops.h): for what the library does not offer, such
 * as dilations that reach far into the padding. Weights are known and packed.
 *
 * Rows that a few zeros make long enough are copied with those, so that all
 * their pixels read the same taps; others are cut where the taps change.
 *
 * Work is cut into strips: a pair of blocks out (of a channel a group: one
 * block) of one row of one image. Sums do not depend on the cut.
 */
#include <string.h>

#include "base/mem.h"
#include "engine/kernels/blocked_loops.h"
#include "engine/ops/blocked.h"
#include "engine/pack.h"

enum { MAX_SLICES = 64, STRIP = 96, COPY_BYTES = 1 << 18 };

#define FLOPS_PER_US_A_LANE 8e3
#define SLICE_US 20.0

struct direct {
	struct conv_blocked g;
	const struct blocked_loops *loops;
	bool is_deep;	 /* a channel a group */
	int64_t padded;	 /* pixels of a copied row; 0: none is copied */
	int64_t n_pairs; /* of one image: of blocks out, or blocks */
	int64_t group_pairs, group_blocks; /* of one group, in and out */
	int64_t pair_floats;		   /* of packed weights */
	struct pack *w;
	float *bias;
	struct blocked_follow follow;
};

static bool is_deep(const struct conv *conv)
{
	return conv->group > 1 && conv->c == 1 && conv->m == 1;
}

static bool fits(const struct kernel_query *query)
{
	struct blocked_follow follow;
	struct conv_blocked g;
	const struct conv *conv = &g.conv;

	conv_blocked_query(query, &g);
	return blocked_loops(g.lanes) && blocked_follow(&g.epilogue, &follow) &&
	       blocked_keeps_lanes(&g) && !g.is_plain_in &&
	       conv->window.n <= 2 && query->in[1].value &&
	       (!g.has_bias || query->in[2].value) &&
	       shape_count(&query->out[0].shape) &&
	       shape_count(&query->in[0].shape) &&
	       (conv->group == 1 || is_deep(conv) ||
		(conv->c % g.lanes == 0 && conv->m % g.lanes == 0));
}

static double cost(const struct kernel_query *query)
{
	struct conv_blocked g;

	conv_blocked_query(query, &g);
	return 1 + conv_flops(&g.conv) * (is_deep(&g.conv) ? 3 : 1) /
		       (FLOPS_PER_US_A_LANE * (double)g.lanes);
}

/* w [m][c][taps] of one group to [pair][block in][tap][lane in][2 lanes]. */
static void pack_group(const struct direct *d, const float *w, float *to)
{
	const struct conv *conv = &d->g.conv;
	const int64_t lanes = d->g.lanes, n_taps = conv->window.n_taps;

	for (int64_t m = 0; m < conv->m; m++) {
		float *pair =
		    to + m / (2 * lanes) * d->pair_floats + m % (2 * lanes);

		for (int64_t c = 0; c < conv->c; c++)
			for (int64_t k = 0; k < n_taps; k++)
				pair[((c / lanes * n_taps + k) * lanes +
				      c % lanes) *
				     2 * lanes] =
				    w[(m * conv->c + c) * n_taps + k];
	}
}

static size_t w_bytes(const struct direct *d)
{
	return (size_t)(d->n_pairs * d->pair_floats) * sizeof(float);
}

static enum err_code fill_w(const void *data, const void *plain, void *to,
			    struct err *err)
{
	const struct direct *d = data;
	const struct conv *conv = &d->g.conv;
	const int64_t n_taps = conv->window.n_taps, lanes = d->g.lanes;
	const float *w = plain;
	float *packed = to;

	(void)err;
	memset(packed, 0, w_bytes(d));
	if (!d->is_deep) {
		for (int64_t i = 0; i < conv->group; i++)
			pack_group(d, w + i * conv->m * conv->c * n_taps,
				   packed +
				       i * d->group_pairs * d->pair_floats);
		return ERR_NONE;
	}
	for (int64_t i = 0; i < conv->group; i++)
		for (int64_t k = 0; k < n_taps; k++)
			packed[i / lanes * d->pair_floats + k * lanes +
			       i % lanes] = w[i * n_taps + k];
	return ERR_NONE;
}

static enum err_code pack_w(const struct kernel_query *query, struct direct *d,
			    struct err *err)
{
	const struct conv *conv = &d->g.conv;
	const int64_t form[] = { d->g.lanes, conv->group, conv->c, conv->m,
				 conv->window.n_taps };
	const struct pack_wish wish = {
		.plain = query->in[1].value,
		.plain_bytes = tensor_bytes(DTYPE_F32, &query->in[1].shape),
		.form = form,
		.form_bytes = sizeof(form),
		.bytes = w_bytes(d),
		.make = fill_w,
		.data = d,
	};

	return pack_get(query->packs, &wish, &d->w, err);
}

/* In whole pairs of blocks; zeros where there is none. */
static enum err_code copy_bias(const struct kernel_query *query,
			       struct direct *d, struct err *err)
{
	const struct conv *conv = &d->g.conv;

	d->bias = mem_array((size_t)((d->g.out_blocks + 1) * d->g.lanes),
			    sizeof(*d->bias));
	if (!d->bias)
		return err_set(err, ERR_NO_MEMORY, "conv: out of memory");
	if (d->g.has_bias)
		memcpy(d->bias, query->in[2].value,
		       (size_t)(conv->group * conv->m) * sizeof(*d->bias));
	return ERR_NONE;
}

/* What a row of outputs reads, padding and all. */
static int64_t padded_width(const struct direct *d)
{
	const struct window *w = &d->g.conv.window;
	const int64_t width = (w->out[2] - 1) * w->stride[2] +
			      (w->kernel[2] - 1) * w->dilation[2] + 1;
	const int64_t bytes = d->group_blocks * w->kernel[1] * width *
			      d->g.lanes * (int64_t)sizeof(float);

	if (d->is_deep || (!w->begin[2] && width <= w->in[2]) ||
	    2 * width > 3 * w->in[2] || bytes > COPY_BYTES)
		return 0;
	return width;
}

static void measure(struct direct *d)
{
	const struct conv *conv = &d->g.conv;
	const int64_t lanes = d->g.lanes, n_taps = conv->window.n_taps;

	d->is_deep = is_deep(conv);
	d->group_blocks = blocked_count(conv->c, lanes);
	d->group_pairs = blocked_count(conv->m, 2 * lanes);
	d->n_pairs = conv->group * d->group_pairs;
	d->pair_floats = d->group_blocks * n_taps * lanes * 2 * lanes;
	d->padded = padded_width(d);
	if (!d->is_deep)
		return;
	d->n_pairs = d->g.out_blocks;
	d->pair_floats = n_taps * lanes;
}

/* One tap without steps: rows are one long row, cut into strips. */
static bool is_pointwise(const struct conv *conv)
{
	const struct window *w = &conv->window;

	return w->n_taps == 1 && w->n_in == w->n_out && !w->begin[1] &&
	       !w->begin[2] && w->stride[1] == 1 && w->stride[2] == 1;
}

static int64_t strips_of(const struct conv *conv)
{
	return is_pointwise(conv) ? (conv->window.n_out + STRIP - 1) / STRIP
				  : conv->window.out[1];
}

static void finish(void *state)
{
	struct direct *d = state;

	pack_put(d->w);
	mem_free(d->bias);
	mem_free(d);
}

static enum err_code prepare(const struct kernel_query *query,
			     struct kernel_setup *ret, struct err *err)
{
	struct direct *d = mem_zero(sizeof(*d));
	enum err_code rc;
	double most;

	if (!d)
		return err_set(err, ERR_NO_MEMORY, "conv: out of memory");
	conv_blocked_query(query, &d->g);
	d->loops = blocked_loops(d->g.lanes);
	measure(d);
	(void)blocked_follow(&d->g.epilogue, &d->follow);
	rc = pack_w(query, d, err);
	if (!rc)
		rc = copy_bias(query, d, err);
	if (rc) {
		finish(d);
		return rc;
	}
	most = cost(query) / SLICE_US;
	ret->n_slices =
	    kernel_slices(query, most < MAX_SLICES ? most : MAX_SLICES);
	ret->scratch_bytes =
	    (size_t)(d->group_blocks * d->g.conv.window.kernel[1] * d->padded *
		     d->g.lanes) *
	    sizeof(float);
	ret->pack_bytes = pack_size(d->w);
	ret->state = d;
	return ERR_NONE;
}

/* Where a strip lies: an image, a pair of blocks, a row. */
struct strip {
	int64_t image, pair, row;
};

/* What all runs of a strip share. */
static struct conv_run run_of(const struct direct *d,
			      const struct kernel_call *call,
			      const struct strip *at, int64_t block)
{
	const struct conv_blocked *g = &d->g;
	const struct window *w = &g->conv.window;
	const int64_t lanes = g->lanes, plane = w->n_out * lanes;
	const int64_t out = (at->image * g->out_blocks + block) * plane;
	const bool is_pair =
	    !d->is_deep && block + 1 < g->out_blocks &&
	    (at->pair % d->group_pairs * 2 + 1) * lanes < g->conv.m;

	return (struct conv_run){
		.block_step = w->n_in * lanes,
		.row_step = w->dilation[1] * w->in[2] * lanes,
		.tap_step = w->dilation[2] * lanes,
		.pixel_step = w->stride[2] * lanes,
		.n_blocks = d->group_blocks,
		.n_last = g->conv.c - (d->group_blocks - 1) * lanes,
		.w_block_step = w->n_taps * lanes * 2 * lanes,
		.w_row_step =
		    w->kernel[2] * lanes * (d->is_deep ? 1 : 2 * lanes),
		.bias = d->bias + block * lanes,
		.y = (float *)call->out[0] + out,
		.z = g->has_residual ? (const float *)call->in[3] + out : NULL,
		.out_step = is_pair ? plane : 0,
		.low = d->follow.low,
		.high = d->follow.high,
	};
}

/* What bounds cannot do, over what a run has written. */
static void finish_run(const struct direct *d, const struct conv_run *run)
{
	const int step = 1;

	for (int block = 0; block < (run->out_step ? 2 : 1); block++) {
		float *y = run->y + block * run->out_step;
		const void *in = y;

		(void)d->follow.finish(run->n_pixels * d->g.lanes, &in, &step,
				       y, d->follow.numbers);
	}
}

/* The rows that a strip reads, each between zeros; x: where the first lies. */
static void copy_rows(const struct direct *d, const float *x, float *to,
		      struct conv_run *run)
{
	const struct window *w = &d->g.conv.window;
	const int64_t lanes = d->g.lanes, left = w->begin[2] * lanes;
	const int64_t width = d->padded * lanes;
	const int64_t room = width - left, in = w->in[2] * lanes;
	const int64_t n = in < room ? in : room;

	run->x = to;
	for (int64_t i = 0; i < run->n_blocks * run->n_rows; i++) {
		const float *from = x + i / run->n_rows * run->block_step +
				    i % run->n_rows * run->row_step;

		memset(to, 0, (size_t)left * sizeof(*to));
		memcpy(to + left, from, (size_t)n * sizeof(*to));
		memset(to + left + n, 0,
		       (size_t)(width - left - n) * sizeof(*to));
		to += width;
	}
	run->row_step = width;
	run->block_step = run->n_rows * width;
}

static void finish_strip(const struct direct *d, const struct conv_run *run)
{
	if (d->is_deep)
		d->loops->deep(run);
	else
		d->loops->dense(run);
	if (d->follow.finish)
		finish_run(d, run);
}

/* All pixels of a row at once, from copied rows. x: of the image. */
static void run_padded(const struct direct *d, const float *x,
		       const struct strip *at, float *scratch,
		       struct conv_run *run)
{
	const struct window *w = &d->g.conv.window;
	const int64_t top = at->row * w->stride[1] - w->begin[1];
	const int64_t lanes = d->g.lanes, out = at->row * w->out[2] * lanes;
	int64_t lo, hi;

	blocked_taps(w, 1, top, &lo, &hi);
	run->n_rows = hi - lo;
	run->n_taps = w->kernel[2];
	run->n_pixels = w->out[2];
	run->w += lo * run->w_row_step;
	run->y += out;
	run->z = run->z ? run->z + out : NULL;
	copy_rows(d, x + (top + lo * w->dilation[1]) * w->in[2] * lanes,
		  scratch, run);
	finish_strip(d, run);
}

static void run_strip(const struct direct *d, const struct kernel_call *call,
		      const struct strip *at, float *scratch)
{
	const struct conv_blocked *g = &d->g;
	const struct window *w = &g->conv.window;
	const int64_t lanes = g->lanes;
	const int64_t group = d->is_deep ? 0 : at->pair / d->group_pairs;
	const int64_t block = d->is_deep ? at->pair
					 : group * (g->conv.m / lanes) +
					       at->pair % d->group_pairs * 2;
	const int64_t in = d->is_deep ? block : group * d->group_blocks;
	const float *x = (const float *)call->in[0] +
			 (at->image * g->in_blocks + in) * w->n_in * lanes;
	const bool is_flat = is_pointwise(&g->conv);
	const int64_t top = is_flat ? 0 : at->row * w->stride[1] - w->begin[1];
	struct conv_run whole = run_of(d, call, at, block);
	int64_t first = is_flat ? at->row * STRIP : 0;
	int64_t end = is_flat ? first + STRIP : w->out[2];
	const int64_t out = is_flat ? 0 : at->row * w->out[2];
	int64_t row_lo, row_hi, lo, hi, n;

	whole.w = (const float *)pack_bytes(d->w) + at->pair * d->pair_floats;
	if (d->padded) {
		run_padded(d, x, at, scratch, &whole);
		return;
	}
	if (is_flat && end > w->n_out)
		end = w->n_out;
	blocked_taps(w, 1, top, &row_lo, &row_hi);
	for (; first < end; first += n) {
		const int64_t left = first * w->stride[2] - w->begin[2];
		struct conv_run run = whole;

		lo = 0;
		hi = 1;
		n = end - first;
		if (!is_flat) {
			n = blocked_alike(w, first, end);
			blocked_taps(w, 2, left, &lo, &hi);
		}
		run.n_rows = row_hi - row_lo;
		run.n_taps = hi - lo;
		run.x = x + ((top + row_lo * w->dilation[1]) * w->in[2] + left +
			     lo * w->dilation[2]) *
				lanes;
		run.w += row_lo * run.w_row_step +
			 lo * lanes * (d->is_deep ? 1 : 2 * lanes);
		run.y += (out + first) * lanes;
		run.z = run.z ? run.z + (out + first) * lanes : NULL;
		run.n_pixels = n;
		finish_strip(d, &run);
	}
}

static void run(const struct kernel_call *call, unsigned slice, void *scratch)
{
	const struct direct *d = call->state;
	const int64_t n_rows = strips_of(&d->g.conv);
	int64_t first, last;

	kernel_slice(d->g.conv.batch * d->n_pairs * n_rows, call->n_slices,
		     slice, &first, &last);
	for (; first < last; first++) {
		const struct strip at = {
			.image = first / n_rows / d->n_pairs,
			.pair = first / n_rows % d->n_pairs,
			.row = first % n_rows,
		};

		run_strip(d, call, &at, scratch);
	}
}

const struct kernel conv_blocked_direct = {
	.name = "conv_blocked.direct",
	.flags = KERNEL_SLICE_FREE,
	.fits = fits,
	.cost = cost,
	.prepare = prepare,
	.run = run,
	.finish = finish,
};
