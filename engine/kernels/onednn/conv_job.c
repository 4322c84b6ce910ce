/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/kernels/onednn/conv_priv.h"

#include "engine/kernels/onednn/recipe_priv.h"

enum {
	CHANNELS = 16, /* of one block: slices of channels are multiples */
	MAX_SLICES = 64,
	SLICE_US = 40,	  /* less is not worth a slice */
	FIXED_SLICES = 2, /* where slices change bits, and bits matter */
	SMALL_PLANE = 64  /* most outputs of an image that PRODUCT takes */
};

/* Measured on one core with AVX-512 (Xeon, 2.3 GHz), plain values outside, for
 * the shapes of ResNet-18 at 224 and 64 pixels and of a small network; the
 * gradient of weights by Winograd, and bfloat16, on a Zen 4, where their share
 * of the direct one's time counts. A us: flops of dense arithmetic; floats of
 * weights, which are read anew for each image; floats of weights that Winograd
 * transforms. */
struct conv_rate {
	double flops, weights, transform, start_us;
};

static const struct conv_rate rates[CONV_N_KINDS][CONV_N_FORMS] = {
	[CONV_FORWARD] = {
		[CONV_PLAIN] = { 115e3, 4e3, 0, 2 },
		[CONV_DIRECT] = { 185e3, 16e3, 0, 2 },
		[CONV_WINOGRAD] = { 325e3, 1e9, 380, 20 },
		[CONV_PRODUCT] = { 165e3, 1e9, 0, 5 },
		[CONV_BF16] = { 400e3, 30e3, 0, 2 },
	},
	[CONV_DATA] = {
		[CONV_PLAIN] = { 95e3, 2.7e3, 0, 2 },
		[CONV_DIRECT] = { 180e3, 18e3, 0, 3 },
		[CONV_WINOGRAD] = { 300e3, 1e9, 330, 60 },
		[CONV_BF16] = { 380e3, 30e3, 0, 3 },
	},
	[CONV_WEIGHTS] = {
		[CONV_PLAIN] = { 105e3, 4.5e3, 0, 2 },
		[CONV_DIRECT] = { 165e3, 5.5e3, 0, 3 },
		[CONV_WINOGRAD] = { 400e3, 1e9, 800, 60 },
		[CONV_PRODUCT] = { 165e3, 1e9, 0, 5 },
		[CONV_BF16] = { 340e3, 5.5e3, 0, 3 },
	},
};

#define REORDER_FLOATS 3.8e3  /* plain to blocked or back, a us */
#define REORDER_WEIGHTS 3.2e3 /* the same of weights */
#define ROUND_FLOATS 2.3e3    /* plain to blocked bfloat16 */
#define ROUND_THIN 12e3	      /* the same of a thin input */
#define ROUND_WEIGHTS 2.5e3
#define PACKED_WINOGRAD 2.9e3 /* floats of transformed weights read, a us */
#define PURE_PRODUCT 150e3    /* one tap, no step: nothing to gather */
#define GATHER_FLOATS 0.8e3   /* PRODUCT's im2col of small planes, a us */

static double weights_of(const struct conv *g)
{
	return (double)(g->group * g->m) * (double)(g->c * g->window.n_taps);
}

static double in_of(const struct conv *g)
{
	return (double)(g->batch * g->group * g->c) * (double)g->window.n_in;
}

static double out_of(const struct conv *g)
{
	return (double)(g->batch * g->group * g->m) * (double)g->window.n_out;
}

static int64_t round_up(int64_t n, int64_t unit)
{
	return (n + unit - 1) / unit * unit;
}

/* Blocks and tiles that are not full are computed all the same. */
static double waste(const struct conv_job *job)
{
	const struct conv *g = &job->whole;
	const int64_t *out = g->window.out;
	double ratio = 1;
	int64_t c = round_up(g->c, CHANNELS), m = round_up(g->m, CHANNELS);

	if (job->form == CONV_PLAIN || job->form == CONV_PRODUCT ||
	    g->group > 1)
		return 1;
	/* a thin input of an image is no block */
	if (g->c < CHANNELS && job->kind != CONV_DATA)
		c = g->c;
	ratio = (double)(c * m) / (double)(g->c * g->m);
	if (job->form == CONV_WINOGRAD)
		ratio *= (double)(round_up(out[1], 4) * round_up(out[2], 4)) /
			 (double)(out[1] * out[2]);
	return ratio;
}

static bool is_pure_product(const struct conv *g)
{
	const struct window *w = &g->window;

	return g->group == 1 && w->n_taps == 1 && w->n_in == w->n_out;
}

static double arithmetic_us(const struct conv_job *job)
{
	const struct conv_rate *rate = &rates[job->kind][job->form];
	const struct conv *g = &job->whole;
	const double depth = (double)(g->c * g->window.n_taps);
	const double weights = weights_of(g);
	const double n_transforms = job->cut == CUT_BATCH ? job->n_slices : 1;
	double flops = rate->flops, us, read;

	if (job->form == CONV_PLAIN)
		flops = is_pure_product(g) ? PURE_PRODUCT
			: job->kind == CONV_WEIGHTS
			    ? flops * (double)g->m / (double)(g->m + 40)
			    : flops * depth / (depth + 20);
	us = conv_flops(g) * waste(job) / flops;
	if (job->form == CONV_WINOGRAD)
		us += job->known_w && job->kind == CONV_FORWARD
			  ? weights / PACKED_WINOGRAD
			  : weights * n_transforms / rate->transform;
	/* a channel a group: bound by memory, not by arithmetic */
	if (g->group > 1 && g->c < 4)
		us *= job->form == CONV_PLAIN ? 30 : 3;
	read = weights * (double)g->batch / rate->weights;
	return us > read ? us : read;
}

/* BF16: two operands are rounded as they are reordered, the result is not. */
static double rounding_us(const struct conv_job *job)
{
	const struct conv *g = &job->whole;
	const bool is_thin =
	    job->kind != CONV_DATA && g->group * g->c < CHANNELS;
	const double x = job->kind == CONV_DATA ? REORDER_FLOATS
			 : is_thin		? ROUND_THIN
						: ROUND_FLOATS;
	const double y =
	    job->kind == CONV_FORWARD ? REORDER_FLOATS : ROUND_FLOATS;
	const double w =
	    job->kind == CONV_WEIGHTS ? REORDER_WEIGHTS : ROUND_WEIGHTS;

	return in_of(g) / x + out_of(g) / y + weights_of(g) / w;
}

double conv_job_cost(const struct conv_job *job)
{
	const struct conv *g = &job->whole;
	double us = rates[job->kind][job->form].start_us + arithmetic_us(job);

	if (job->form == CONV_PLAIN)
		return us;
	if (job->form == CONV_BF16)
		return us + rounding_us(job);
	if (job->form == CONV_PRODUCT)
		return us + (double)(g->batch * g->window.n_out) *
				(double)(g->c * g->window.n_taps + g->m) /
				GATHER_FLOATS;
	/* a thin input is read as it is, but for a gradient */
	if (job->kind == CONV_DATA || g->group * g->c >= CHANNELS)
		us += in_of(g) / REORDER_FLOATS;
	us += out_of(g) / REORDER_FLOATS;
	if (!job->known_w)
		us += weights_of(g) / REORDER_WEIGHTS *
		      (job->kind == CONV_WEIGHTS ? 2 : 1);
	return us;
}

/* What each slice reorders again, in floats. */
static double repeated(const struct conv_job *job, enum conv_cut cut)
{
	const struct conv *g = &job->whole;

	if (cut == CUT_GROUP)
		return 0;
	if (cut == CUT_BATCH)
		return job->known_w || job->form == CONV_PLAIN ||
			       job->form == CONV_PRODUCT
			   ? 0
			   : weights_of(g);
	return cut == CUT_IN ? out_of(g) : in_of(g);
}

static unsigned parts_of(const struct conv_job *job, enum conv_cut cut,
			 unsigned want)
{
	const struct conv *g = &job->whole;

	switch (cut) {
	case CUT_BATCH:
		return job->kind == CONV_WEIGHTS
			   ? 1
			   : recipe_parts(g->batch, 1, want, MAX_SLICES);
	case CUT_GROUP:
		if (g->group == 1 || job->form == CONV_PLAIN)
			return 1;
		return recipe_parts(g->group, g->c < CHANNELS ? CHANNELS : 1,
				    want, MAX_SLICES);
	case CUT_OUT:
		return g->group > 1 || job->kind == CONV_DATA ||
			       (job->kind == CONV_FORWARD &&
				job->form == CONV_PRODUCT)
			   ? 1
			   : recipe_parts(g->m, CHANNELS, want, MAX_SLICES);
	case CUT_IN:
		return g->group > 1 || job->kind != CONV_DATA
			   ? 1
			   : recipe_parts(g->c, CHANNELS, want, MAX_SLICES);
	default:
		return 1;
	}
}

static void cut_part(struct conv_job *job)
{
	const int64_t n = job->n_slices;

	job->part = job->whole;
	if (job->cut == CUT_BATCH)
		job->part.batch /= n;
	else if (job->cut == CUT_GROUP)
		job->part.group /= n;
	else if (job->cut == CUT_OUT)
		job->part.m /= n;
	else if (job->cut == CUT_IN)
		job->part.c /= n;
}

/* Slices of direct convolutions give the same bits however they are cut;
 * products of other shapes, and Winograd's, do not. */
static unsigned wanted_slices(const struct kernel_query *query,
			      const struct conv_job *job)
{
	const double most = conv_job_cost(job) / SLICE_US;
	unsigned want = query->want_slices;

	if (job->form != CONV_DIRECT && query->numerics != NUMERICS_FAST)
		want = FIXED_SLICES;
	if (most < want)
		want = (unsigned)most;
	return want < 1 ? 1 : want;
}

void conv_job(const struct kernel_query *query, enum conv_kind kind,
	      enum conv_form form, struct conv_job *ret)
{
	unsigned want;

	*ret = (struct conv_job){ .kind = kind, .form = form, .n_slices = 1 };
	conv_query(query, &ret->whole);
	ret->part = ret->whole;
	ret->known_w = kind == CONV_WEIGHTS ? NULL : query->in[1].value;
	ret->has_bias = kind == CONV_FORWARD && query->n_in > 2 &&
			query->in[2].type.elem != DTYPE_NONE;
	want = wanted_slices(query, ret);
	for (enum conv_cut cut = CUT_BATCH; want > 1 && cut <= CUT_IN; cut++) {
		const unsigned n = parts_of(ret, cut, want);

		if (n == 1 || (ret->cut != CUT_NONE &&
			       repeated(ret, cut) >= repeated(ret, ret->cut)))
			continue;
		ret->cut = cut;
		ret->n_slices = n;
	}
	cut_part(ret);
}

/* Winograd's method is made for windows of 3 x 3, step 1, over blocks of
 * channels. */
static bool winograd_fits(const struct conv_job *job)
{
	const struct conv *g = &job->whole;
	const struct window *w = &g->window;

	if (g->group > 1 || w->n != 2)
		return false;
	for (int i = 1; i < WINDOW_DIMS; i++)
		if (w->kernel[i] != 3 || w->stride[i] != 1 ||
		    w->dilation[i] != 1)
			return false;
	return g->c >= CHANNELS && g->m >= CHANNELS;
}

static bool form_fits(const struct conv_job *job)
{
	const struct conv *g = &job->whole;

	if (job->form == CONV_WINOGRAD)
		return winograd_fits(job);
	if (job->form == CONV_PRODUCT)
		return job->kind != CONV_DATA && g->group == 1 &&
		       !job->has_bias && g->window.n_out <= SMALL_PLANE;
	return true;
}

/* Rows list the forms of floats in this order. */
static const enum conv_form order[] = { CONV_WINOGRAD, CONV_PRODUCT, CONV_PLAIN,
					CONV_DIRECT };
enum { N_FLOAT_FORMS = sizeof(order) / sizeof(order[0]) };

bool conv_job_is_best(const struct kernel_query *query, enum conv_kind kind,
		      enum conv_form form)
{
	struct conv_job job;
	double us;
	unsigned i = 0;

	conv_job(query, kind, form, &job);
	if (!form_fits(&job))
		return false;
	if (query->any)
		return true;
	us = conv_job_cost(&job);
	while (order[i] != form)
		i++;
	for (i++; i < N_FLOAT_FORMS; i++) {
		conv_job(query, kind, order[i], &job);
		if (form_fits(&job) && conv_job_cost(&job) < us)
			return false;
	}
	return true;
}
