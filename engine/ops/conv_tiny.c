/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Convolution over tiny planes and its gradients, by our own loops
 * (engine/kernels/tiny_planes.h): for batches that fill vectors, where other
 * kernels mostly multiply padding.
 *
 * Sources are spread first, images side by side. Results come in strips of
 * some channels, whose weights stay in cache while all images pass; what comes
 * out is gathered back. Work is cut by channels of results: by channels out
 * for the gradient by weights. Sums do not depend on the cut.
 */
#include <math.h>
#include <string.h>

#include "engine/kernels/tiny_planes.h"
#include "engine/ops/conv.h"

enum {
	STRIP = 12, /* channels of results at once */
	MAX_SLICES = 64,
	LINE = 16,	  /* floats of a line of cache */
	HALF_L2 = 1 << 17 /* floats of sources spread at once */
};

enum kind { FORWARD, DATA, WEIGHTS };

/* As in engine/kernels/onednn/conv_job.c, beside which they count. A us: flops
 * of pairs that meet; floats of weights, from or to memory; elements moved to
 * and from vectors. */
static const struct tiny_rate {
	double flops, weights;
} rates[] = {
	[FORWARD] = { 170e3, 8e3 },
	[DATA] = { 165e3, 6e3 },
	[WEIGHTS] = { 160e3, 4.5e3 },
};
#define MOVED_A_US 1.2e3
#define START_US 2.0
#define SLICE_US 40.0

struct tiny {
	struct conv g;
	const struct tiny_planes *loops;
	const struct tiny_plane *plane; /* NULL: there is none */
	int64_t n_from, n_to;		/* channels of sources and results */
	int64_t from, to;		/* pixels of theirs */
	int64_t n_groups, at_once; /* of images; of them, spread together */
	int64_t n_strips;
};

static bool is_tiny(const struct conv *g)
{
	const struct window *w = &g->window;

	if (g->group != 1 || w->n != 2 || w->in[1] != w->in[2] ||
	    w->stride[1] != w->stride[2])
		return false;
	for (int i = 1; i < WINDOW_DIMS; i++)
		if (w->kernel[i] != 3 || w->dilation[i] != 1 ||
		    w->begin[i] != 1 ||
		    w->out[i] != (w->in[i] - 1) / w->stride[i] + 1)
			return false;
	return true;
}

static void measure(const struct kernel_query *query, enum kind kind,
		    struct tiny *t)
{
	const struct window *w = &t->g.window;
	int64_t lanes;

	*t = (struct tiny){ .loops = tiny_planes() };
	conv_query(query, &t->g);
	if (!is_tiny(&t->g))
		return;
	lanes = t->loops->lanes;
	t->plane = tiny_plane_find(t->loops, w->in[2], w->stride[2]);
	t->n_from = kind == DATA ? t->g.m : t->g.c;
	t->n_to = kind == DATA ? t->g.c : t->g.m;
	t->from = kind == DATA ? w->n_out : w->n_in;
	t->to = kind == DATA ? w->n_in : w->n_out;
	t->n_groups = (t->g.batch + lanes - 1) / lanes;
	t->at_once = HALF_L2 / (t->n_from * t->from * lanes + 1);
	t->at_once = t->at_once < 1 ? 1 : t->at_once;
	t->at_once = t->at_once < t->n_groups ? t->at_once : t->n_groups;
	t->n_strips = (t->n_to + STRIP - 1) / STRIP;
}

/* Pairs of an output and an input of a plane that meet at a tap. */
static int64_t pairs_of(const struct window *w)
{
	int64_t n = 0;

	for (int64_t i = 0; i < w->out[2]; i++)
		for (int64_t k = 0; k < w->kernel[2]; k++) {
			const int64_t at = i * w->stride[2] + k - 1;

			n += at >= 0 && at < w->in[2];
		}
	return n * n;
}

/* As many as vectors hold: lanes that stay empty take their time too. */
static int64_t whole(const struct tiny *t, int64_t n)
{
	const int64_t lanes = t->loops->lanes;

	return (n + lanes - 1) / lanes * lanes;
}

static double cost(const struct kernel_query *query, enum kind kind)
{
	double images, c, weights, flops, us;
	struct tiny t;

	measure(query, kind, &t);
	if (!t.plane)
		return HUGE_VAL;
	images = (double)(kind == WEIGHTS ? t.g.batch : whole(&t, t.g.batch));
	c = (double)(kind == WEIGHTS ? whole(&t, t.g.c) : t.g.c);
	flops = 2 * images * c * (double)t.g.m * (double)pairs_of(&t.g.window);
	weights = (double)(t.g.m * t.g.c * TINY_TAPS) / rates[kind].weights;
	us = flops / rates[kind].flops;
	return START_US + (us > weights ? us : weights) +
	       (double)t.g.batch * (double)(t.n_from * t.from + t.n_to * t.to) /
		   MOVED_A_US;
}

/* No other kernel of the row is predicted to be faster. */
static bool is_best(const struct kernel_query *query, enum kind kind,
		    const struct kernel *self)
{
	const struct kernel *const *other = query->op->kernels;
	const double us = cost(query, kind);

	for (; *other; other++)
		if (*other != self && kernel_takes(*other, query, false) &&
		    kernel_cost(*other, query) < us)
			return false;
	return true;
}

static bool fits(const struct kernel_query *query, enum kind kind,
		 const struct kernel *self)
{
	struct tiny t;

	if (query->in[0].type.elem != DTYPE_F32 ||
	    !shape_count(&query->in[0].shape) ||
	    !shape_count(&query->in[1].shape) ||
	    !shape_count(&query->out[0].shape))
		return false;
	measure(query, kind, &t);
	return t.plane && (query->any || is_best(query, kind, self));
}

/* Floats of a slice's scratch: all sources, then a strip of results; or, for
 * the weights, a strip of dy. */
static size_t sources_size(const struct tiny *t, enum kind kind)
{
	const int64_t lanes = t->loops->lanes;
	const int64_t n = t->n_from * t->from;

	if (kind == WEIGHTS)
		return (size_t)(whole(t, t->n_from) * t->from * t->g.batch);
	return (size_t)((n * t->at_once * lanes + LINE - 1) / LINE * LINE);
}

static enum err_code prepare(const struct kernel_query *query, enum kind kind,
			     struct kernel_setup *ret)
{
	const double most = cost(query, kind) / SLICE_US;
	struct tiny t;
	int64_t n;

	measure(query, kind, &t);
	n = t.n_strips < MAX_SLICES ? t.n_strips : MAX_SLICES;
	ret->n_slices =
	    kernel_slices(query, most < (double)n ? most : (double)n);
	n = STRIP * t.to * (kind == WEIGHTS ? t.g.batch : t.loops->lanes);
	ret->scratch_bytes =
	    (sources_size(&t, kind) + (size_t)n) * sizeof(float);
	return ERR_NONE;
}

/* Images from number `first` on, as many as are left of a vector's lanes. */
static int64_t images_at(const struct tiny *t, int64_t first)
{
	const int64_t left = t->g.batch - first;

	return left < t->loops->lanes ? left : t->loops->lanes;
}

/* Results number first..first + n - 1 of some groups of images. */
static void run_strip(const struct tiny *t, enum kind kind,
		      const struct tiny_sums *strip, int64_t group, int64_t n,
		      float *to)
{
	const int64_t lanes = t->loops->lanes;
	const int64_t in = t->n_from * t->from, out = t->n_to * t->to;

	for (int64_t i = 0; i < n; i++) {
		const int64_t image = (group + i) * lanes;
		struct tiny_sums sums = *strip;

		sums.x += i * in * lanes;
		if (kind == DATA)
			t->plane->data(&sums);
		else
			t->plane->forward(&sums);
		t->loops->gather(sums.y, out, images_at(t, image),
				 sums.n * t->to, to + image * out);
	}
}

/* Forward and by data: of x, y, w the sources, results and weights. */
static void run_sums(const struct kernel_call *call, enum kind kind,
		     unsigned slice, float *scratch)
{
	const bool has_bias = kind == FORWARD && call->query->n_in > 2;
	const float *x = call->in[0], *w = call->in[1],
		    *bias = has_bias ? call->in[2] : NULL;
	struct tiny_sums strip = { .x = scratch };
	int64_t first, last, lanes, in;
	struct tiny t;

	measure(call->query, kind, &t);
	lanes = t.loops->lanes;
	in = t.n_from * t.from;
	strip.n_sums = t.n_from;
	strip.y = scratch + sources_size(&t, kind);
	strip.w_step = (kind == DATA ? 1 : t.g.c) * TINY_TAPS;
	strip.w_sum_step = (kind == DATA ? t.g.c : 1) * TINY_TAPS;
	kernel_slice(t.n_strips, call->n_slices, slice, &first, &last);
	for (int64_t group = 0; group < t.n_groups; group += t.at_once) {
		const int64_t left = t.n_groups - group,
			      n = left < t.at_once ? left : t.at_once;

		for (int64_t i = 0; i < n; i++) {
			const int64_t image = (group + i) * lanes;

			t.loops->spread(x + image * in, in,
					images_at(&t, image), in,
					scratch + i * in * lanes);
		}
		for (int64_t i = first * STRIP; i < last * STRIP && i < t.n_to;
		     i += STRIP) {
			strip.n = t.n_to - i < STRIP ? t.n_to - i : STRIP;
			strip.w = w + i * strip.w_step;
			strip.bias = bias ? bias + i : NULL;
			run_strip(&t, kind, &strip, group, n,
				  (float *)call->out[0] + i * t.to);
		}
	}
}

/* dy of some channels out from number `first` on, images side by side. */
static void copy_rows(const struct tiny *t, const float *dy, int64_t first,
		      int64_t n, float *to)
{
	const size_t bytes = (size_t)t->to * sizeof(*dy);

	for (int64_t i = 0; i < n; i++)
		for (int64_t k = 0; k < t->g.batch; k++) {
			memcpy(to, dy + (k * t->g.m + first + i) * t->to,
			       bytes);
			to += t->to;
		}
}

static void run_weights(const struct kernel_call *call, unsigned slice,
			float *scratch)
{
	const float *dy = call->in[0], *x = call->in[1];
	struct tiny_weights strip = { .x = scratch };
	int64_t first, last, lanes;
	float *rows, *to = scratch;
	struct tiny t;

	measure(call->query, WEIGHTS, &t);
	lanes = t.loops->lanes;
	rows = scratch + sources_size(&t, WEIGHTS);
	for (int64_t c = 0; c < t.g.c; c += lanes)
		for (int64_t k = 0; k < t.g.batch; k++) {
			const int64_t left = t.g.c - c;

			t.loops->spread(x + (k * t.g.c + c) * t.from, t.from,
					left < lanes ? left : lanes, t.from,
					to);
			to += t.from * lanes;
		}
	strip.dy = rows;
	strip.n_images = t.g.batch;
	strip.c = t.g.c;
	kernel_slice(t.n_strips, call->n_slices, slice, &first, &last);
	for (int64_t i = first * STRIP; i < last * STRIP && i < t.g.m;
	     i += STRIP) {
		strip.n = t.g.m - i < STRIP ? t.g.m - i : STRIP;
		strip.dw = (float *)call->out[0] + i * t.g.c * TINY_TAPS;
		copy_rows(&t, dy, i, strip.n, rows);
		t.plane->weights(&strip);
	}
}

static void run(const struct kernel_call *call, enum kind kind, unsigned slice,
		float *scratch)
{
	if (kind == WEIGHTS)
		run_weights(call, slice, scratch);
	else
		run_sums(call, kind, slice, scratch);
}

#define CONV_TINY(row, text, kind)                                            \
	static bool row##_fits(const struct kernel_query *query)              \
	{                                                                     \
		return fits(query, kind, &row);                               \
	}                                                                     \
	static double row##_cost(const struct kernel_query *query)            \
	{                                                                     \
		return cost(query, kind);                                     \
	}                                                                     \
	static enum err_code row##_prepare(const struct kernel_query *query,  \
					   struct kernel_setup *ret,          \
					   struct err *err)                   \
	{                                                                     \
		(void)err;                                                    \
		return prepare(query, kind, ret);                             \
	}                                                                     \
	static void row##_run(const struct kernel_call *call, unsigned slice, \
			      void *scratch)                                  \
	{                                                                     \
		run(call, kind, slice, scratch);                              \
	}                                                                     \
	const struct kernel row = {                                           \
		.name = text,                                                 \
		.flags = KERNEL_QUICK | KERNEL_SLICE_FREE,                    \
		.fits = row##_fits,                                           \
		.cost = row##_cost,                                           \
		.prepare = row##_prepare,                                     \
		.run = row##_run,                                             \
	}

CONV_TINY(conv_tiny, "conv.tiny", FORWARD);
CONV_TINY(conv_grad_data_tiny, "conv_grad_data.tiny", DATA);
CONV_TINY(conv_grad_weights_tiny, "conv_grad_weights.tiny", WEIGHTS);
