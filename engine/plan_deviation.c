/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/plan_deviation.h"

#include <math.h>

#include "base/rng.h"
#include "engine/kernel_trial.h"
#include "engine/ops/blocked.h"
#include "engine/plan_priv.h"

enum { SAMPLES = 256, SEED = 20, STREAM = 0x6465 };

/* A convolution's operands as they lie: plain ones in blocks of 1. */
struct sample {
	struct conv conv;
	int64_t lanes;
	const float *x, *w, *bias, *z, *y; /* bias and z may be NULL */
	struct epilogue epilogue;
};

static int64_t place(int64_t n, int64_t c, int64_t channels, int64_t plane,
		     int64_t lanes)
{
	return (n * blocked_count(channels, lanes) + c / lanes) * plane *
		   lanes +
	       c % lanes;
}

/* The source of tap k for output o, as an offset in its plane; -1: padding. */
static int64_t source(const struct window *w, int64_t o, int64_t k)
{
	int64_t at = 0, step = 1;

	for (int d = WINDOW_DIMS - 1; d >= 0; d--) {
		const int64_t i = o % w->out[d] * w->stride[d] - w->begin[d] +
				  k % w->kernel[d] * w->dilation[d];

		if (i < 0 || i >= w->in[d])
			return -1;
		at += i * step;
		step *= w->in[d];
		o /= w->out[d];
		k /= w->kernel[d];
	}
	return at;
}

/* Before the epilogue, of image n, channel m and output o. */
static double sum_at(const struct sample *s, int64_t n, int64_t m, int64_t o)
{
	const struct conv *conv = &s->conv;
	const struct window *win = &conv->window;
	const int64_t channels = conv->group * conv->c, n_taps = win->n_taps;
	double sum = s->bias ? (double)s->bias[m] : 0;

	for (int64_t c = 0; c < conv->c; c++) {
		const float *w = s->w + (m * conv->c + c) * n_taps;
		const float *x = s->x + place(n, m / conv->m * conv->c + c,
					      channels, win->n_in, s->lanes);

		for (int64_t k = 0; k < n_taps; k++) {
			const int64_t i = source(win, o, k);

			if (i >= 0)
				sum += (double)w[k] * (double)x[i * s->lanes];
		}
	}
	return sum;
}

/* The largest difference as a share of the largest sum. */
static double compare(const struct sample *s)
{
	const struct rng rng = { .seed = SEED, .stream = STREAM };
	const struct conv *conv = &s->conv;
	const int64_t channels = conv->group * conv->m;
	const int64_t plane = conv->window.n_out;
	const int64_t count = conv->batch * channels * plane;
	double largest = 0, far = 0;

	for (uint64_t i = 0; i < SAMPLES && count; i++) {
		const int64_t at = (int64_t)rng_below(rng, i, (uint64_t)count);
		const int64_t o = at % plane, m = at / plane % channels;
		const int64_t n = at / plane / channels;
		const int64_t y =
		    place(n, m, channels, plane, s->lanes) + o * s->lanes;
		const double sum =
		    sum_at(s, n, m, o) + (s->z ? (double)s->z[y] : 0);
		const double got = (double)s->y[y];

		largest = fmax(largest, fabs(sum));
		far = fmax(far, fabs(got - epilogue_apply(&s->epilogue, sum)));
	}
	return largest > 0 ? far / largest : 0;
}

/* False: not a step whose sums are known here. */
static bool describe(const struct kernel_query *query, struct sample *ret)
{
	struct conv_blocked g;

	*ret = (struct sample){ .lanes = 1 };
	if (query->op == op_find("", "Conv")) {
		conv_query(query, &ret->conv);
		return true;
	}
	if (query->op != op_find("predictd", "ConvBlocked"))
		return false;
	conv_blocked_query(query, &g);
	ret->conv = g.conv;
	ret->lanes = g.lanes;
	ret->epilogue = g.epilogue;
	return !g.is_plain_in;
}

static const float *operand(const struct kernel_trial *trial, unsigned i)
{
	return kernel_trial_in(trial, i);
}

static enum err_code measure(const struct plan_step *step, double *ret,
			     bool *ret_known, struct err *err)
{
	const struct kernel_setup setup = {
		.state = step->state,
		.scratch_bytes = step->scratch_bytes,
		.n_slices = step->n_slices,
	};
	struct kernel_trial *trial = NULL;
	struct sample sample;
	enum err_code rc;

	*ret_known = describe(&step->query, &sample);
	if (!*ret_known)
		return ERR_NONE;
	rc = kernel_trial_create(&step->query, &trial, err);
	if (!rc)
		rc = kernel_trial_run(trial, step->kernel, &setup, NULL, err);
	if (!rc) {
		sample.x = operand(trial, 0);
		sample.w = operand(trial, 1);
		sample.bias = operand(trial, 2);
		sample.z = operand(trial, 3);
		sample.y = kernel_trial_out(trial, 0);
		*ret = compare(&sample);
	}
	kernel_trial_destroy(trial);
	return rc;
}

enum err_code plan_deviation(const struct plan *plan,
			     struct plan_deviation *ret, struct err *err)
{
	struct plan_deviation found = { 0 };
	enum err_code rc = ERR_NONE;

	for (size_t i = 0; i < plan->report.n_steps && !rc; i++) {
		const struct plan_step *step = &plan->step[i];
		double deviation = 0;
		bool is_known;

		if (!(step->kernel->flags & KERNEL_SHORTCUT))
			continue;
		rc = measure(step, &deviation, &is_known, err);
		if (rc || !is_known)
			continue;
		if (!found.n_steps++ || deviation > found.largest) {
			found.largest = deviation;
			found.node_name = step->name;
		}
	}
	if (!rc)
		*ret = found;
	return rc;
}
