/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Pooling of blocked values (blocked.h): MaxPoolBlocked and
 * AveragePoolBlocked, as MaxPool and AveragePool are, without Indices.
 * Lanes past the channels hold zeros, and so do their maxima and averages.
 */
#include <math.h>
#include <string.h>

#include "engine/ops/blocked.h"

enum { MAX_SLICES = 16, SLICE_ELEMENTS = 1 << 14 };

/* The window over the channels' view; infer() has seen it pass. */
static enum err_code window_of(const struct pool_attrs *attrs,
			       const struct shape *x, struct window *ret,
			       struct err *err)
{
	const struct shape plain = blocked_plain(x, x->dim[1]);

	return window_init(&attrs->window, &attrs->window.kernel_shape, &plain,
			   ret, err);
}

/* The taps of one window, row by row: a range of each axis. */
struct taps {
	int64_t lo[WINDOW_DIMS], hi[WINDOW_DIMS], first[WINDOW_DIMS];
};

static void taps_of(const struct window *w, int64_t o, struct taps *ret)
{
	for (unsigned i = WINDOW_DIMS; i-- > 0;) {
		const int64_t at = o % w->out[i] * w->stride[i] - w->begin[i];
		const int64_t step = w->dilation[i];
		const int64_t past = w->in[i] - at;

		o /= w->out[i];
		ret->first[i] = at;
		ret->lo[i] = at < 0 ? (step - 1 - at) / step : 0;
		ret->hi[i] = past < 1 ? 0 : (past + step - 1) / step;
		if (ret->hi[i] > w->kernel[i])
			ret->hi[i] = w->kernel[i];
	}
}

/* Folds a run of n pixels, `step` floats apart, into the lanes of `into`. */
typedef void fold_run(const float *x, int64_t n, int64_t step, int64_t lanes,
		      float *restrict into);

static void fold_max_8(const float *x, int64_t n, int64_t step, int64_t lanes,
		       float *restrict into)
{
	for (int64_t i = 0; i < n; i++)
		for (int64_t l = 0; l < lanes; l += 8)
			for (int j = 0; j < 8; j++) {
				const float v = x[i * step + l + j];
				const float old = into[l + j];

				into[l + j] = v > old || v != v ? v : old;
			}
}

static void fold_max(const float *x, int64_t n, int64_t step, int64_t lanes,
		     float *restrict into)
{
	for (int64_t i = 0; i < n; i++)
		for (int64_t l = 0; l < lanes; l++) {
			const float v = x[i * step + l];

			if (v > into[l] || v != v)
				into[l] = v;
		}
}

static void fold_sum(const float *x, int64_t n, int64_t step, int64_t lanes,
		     float *restrict into)
{
	for (int64_t i = 0; i < n; i++)
		for (int64_t l = 0; l < lanes; l++)
			into[l] += x[i * step + l];
}

static void fold_window(const struct window *w, const struct taps *t,
			const float *x, int64_t lanes, fold_run *fold,
			float *into)
{
	const int64_t n = t->hi[2] - t->lo[2];
	const int64_t column = t->first[2] + t->lo[2] * w->dilation[2];

	for (int64_t d = t->lo[0]; d < t->hi[0]; d++) {
		for (int64_t h = t->lo[1]; h < t->hi[1]; h++) {
			const int64_t z = t->first[0] + d * w->dilation[0];
			const int64_t y = t->first[1] + h * w->dilation[1];
			const int64_t at =
			    (z * w->in[1] + y) * w->in[2] + column;

			if (n > 0)
				fold(x + at * lanes, n, w->dilation[2] * lanes,
				     lanes, into);
		}
	}
}

static void max_run(const struct kernel_call *call, unsigned slice,
		    void *scratch)
{
	const struct pool_blocked_attrs *attrs = call->query->attrs;
	const struct shape *x = &call->query->in[0].shape;
	const int64_t lanes = x->dim[x->rank - 1];
	fold_run *const fold = lanes % 8 ? fold_max : fold_max_8;
	const float *in = call->in[0];
	float *out = call->out[0];
	int64_t first, last;
	struct window w;
	struct taps t;

	(void)scratch;
	if (window_of(&attrs->pool, x, &w, NULL))
		return;
	kernel_slice(x->dim[0] * x->dim[1], call->n_slices, slice, &first,
		     &last);
	for (int64_t i = first * w.n_out; i < last * w.n_out; i++) {
		float *to = out + i * lanes;

		for (int64_t l = 0; l < lanes; l++)
			to[l] = -INFINITY;
		taps_of(&w, i % w.n_out, &t);
		fold_window(&w, &t, in + i / w.n_out * w.n_in * lanes, lanes,
			    fold, to);
	}
}

static void average_run(const struct kernel_call *call, unsigned slice,
			void *scratch)
{
	const struct pool_blocked_attrs *attrs = call->query->attrs;
	const struct shape *x = &call->query->in[0].shape;
	const int64_t lanes = x->dim[x->rank - 1];
	const float *in = call->in[0];
	double *share = scratch;
	float *out = call->out[0];
	int64_t first, last;
	struct window w;
	struct taps t;

	if (window_of(&attrs->pool, x, &w, NULL))
		return;
	pool_share(&w, attrs->pool.count_include_pad != 0, share);
	kernel_slice(x->dim[0] * x->dim[1], call->n_slices, slice, &first,
		     &last);
	for (int64_t i = first * w.n_out; i < last * w.n_out; i++) {
		float *to = out + i * lanes;

		memset(to, 0, (size_t)lanes * sizeof(*to));
		taps_of(&w, i % w.n_out, &t);
		fold_window(&w, &t, in + i / w.n_out * w.n_in * lanes, lanes,
			    fold_sum, to);
		for (int64_t l = 0; l < lanes; l++)
			to[l] *= (float)share[i % w.n_out];
	}
}

static enum err_code prepare(const struct kernel_query *query,
			     struct kernel_setup *ret, struct err *err)
{
	const struct shape *x = &query->in[0].shape;
	const struct shape *y = &query->out[0].shape;
	const int64_t blocks = x->dim[0] * x->dim[1];
	int64_t n = shape_count(x) / SLICE_ELEMENTS;

	(void)err;
	n = n > blocks ? blocks : n;
	n = n > MAX_SLICES ? MAX_SLICES : n;
	if (n > query->want_slices)
		n = query->want_slices;
	ret->n_slices = n < 1 ? 1 : (unsigned)n;
	ret->scratch_bytes =
	    (size_t)shape_range(y, 2, y->rank - 1) * sizeof(double);
	return ERR_NONE;
}

static double cost(const struct kernel_query *query)
{
	const struct pool_blocked_attrs *attrs = query->attrs;
	const double vectors = (double)shape_count(&query->out[0].shape) / 8;
	double taps = 1;

	for (size_t i = 0; i < attrs->pool.window.kernel_shape.n; i++)
		taps *= (double)attrs->pool.window.kernel_shape.v[i];
	return 0.2 + vectors * (taps * 1e-3 + 4e-3) +
	       (double)shape_count(&query->in[0].shape) * 0.1e-3;
}

static enum err_code infer(struct infer *infer, struct err *err)
{
	const struct pool_blocked_attrs *attrs = infer->attrs;
	const struct shape *x = &infer->in[0].shape;
	struct shape *y = &infer->out[0].shape;
	struct window w;
	enum err_code rc;

	if (x->rank < 4 || x->rank > 3 + WINDOW_DIMS)
		return infer_fail(err,
				  "input 'X': expected rank 4 to %d, got rank "
				  "%u",
				  3 + WINDOW_DIMS, x->rank);
	rc = window_of(&attrs->pool, x, &w, err);
	if (!rc)
		rc = window_shape(&w, x->dim[0], x->dim[1], y, err);
	if (rc)
		return rc;
	y->dim[y->rank++] = x->dim[x->rank - 1];
	infer->out[0].has_shape = true;
	return shape_check(y, "output 'Y'", err);
}

static const struct kernel max_kernel = {
	.name = "max_pool_blocked",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE,
	.cost = cost,
	.prepare = prepare,
	.run = max_run,
};
static const struct kernel average_kernel = {
	.name = "average_pool_blocked",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE,
	.cost = cost,
	.prepare = prepare,
	.run = average_run,
};
static const struct kernel *const max_kernels[] = { &max_kernel, NULL };
static const struct kernel *const average_kernels[] = { &average_kernel, NULL };

static const struct port in[] = { { "X", "T:float", 0 }, { 0 } };
static const struct port out[] = { { "Y", "T", 0 }, { 0 } };

/* clang-format off */
#define WINDOW(member) offsetof(struct pool_blocked_attrs, pool.window.member)
static const struct op_attr attrs[] = {
	{ .name = "auto_pad", .help = "as in MaxPool",
	  .offset = WINDOW(auto_pad), .kind = ATTR_STRING, .def_text = "NOTSET" },
	{ .name = "ceil_mode", .help = "as in MaxPool",
	  .offset = WINDOW(ceil_mode), .kind = ATTR_INT, .max = 1 },
	{ .name = "count_include_pad", .help = "as in AveragePool",
	  .offset = offsetof(struct pool_blocked_attrs, pool.count_include_pad),
	  .kind = ATTR_INT, .max = 1 },
	{ .name = "dilations", .help = "as in MaxPool",
	  .offset = WINDOW(dilations), .kind = ATTR_INTS, .min = 1, .max = INT32_MAX },
	{ .name = "kernel_shape", .help = "extents of the window",
	  .offset = WINDOW(kernel_shape), .kind = ATTR_INTS, .flags = ATTR_REQUIRED,
	  .min = 1, .max = INT32_MAX },
	{ .name = "pads", .help = "as in MaxPool",
	  .offset = WINDOW(pads), .kind = ATTR_INTS, .max = INT32_MAX },
	{ .name = "strides", .help = "as in MaxPool",
	  .offset = WINDOW(strides), .kind = ATTR_INTS, .min = 1, .max = INT32_MAX },
	{ 0 },
};

#define CASES(op)                                                              \
	{ .name = "plain", .graph = "y = predictd." op "<kernel_shape=[2,2]>"  \
				    "(x:float[2,3,8,9,8])" },                  \
	{ .name = "stride and padding",                                        \
	  .graph = "y = predictd." op "<kernel_shape=[3,3], strides=[2,2], "   \
		   "pads=[1,1,1,1]>(x:float[1,2,11,8,8])" },                   \
	{ .name = "dilation",                                                  \
	  .graph = "y = predictd." op "<kernel_shape=[2,3], dilations=[3,2], " \
		   "pads=[1,2,2,1]>(x:float[1,2,9,10,16])" },                  \
	{ .name = "ceil",                                                      \
	  .graph = "y = predictd." op "<kernel_shape=[3,3], strides=[2,2], "   \
		   "ceil_mode=1>(x:float[2,1,8,8,8])" },                       \
	{ .name = "sequence",                                                  \
	  .graph = "y = predictd." op "<kernel_shape=[3], strides=[2]>"        \
		   "(x:float[2,3,13,4])" },                                    \
	{ .name = "volume",                                                    \
	  .graph = "y = predictd." op "<kernel_shape=[2,2,2]>"                 \
		   "(x:float[1,2,4,5,3,3])" },                                 \
	{ .name = "sliced",                                                    \
	  .graph = "y = predictd." op "<kernel_shape=[3,3], pads=[1,1,1,1]>"   \
		   "(x:float[3,4,20,21,8])" },                                 \
	{ .name = "nothing",                                                   \
	  .graph = "y = predictd." op "<kernel_shape=[2,2]>"                   \
		   "(x:float[0,3,8,9,8])" },                                   \
	{ .name = "too large",                                                 \
	  .graph = "y = predictd." op "<kernel_shape=[9,9]>"                   \
		   "(x:float[1,3,8,9,8])", .want = ERR_SHAPE },                \
	{ .name = "no lanes", .want = ERR_SHAPE,                               \
	  .graph = "y = predictd." op "<kernel_shape=[2]>(x:float[1,3,8])" }
static const struct op_case max_cases[] = { CASES("MaxPoolBlocked"), { 0 } };
static const struct op_case average_cases[] = {
	CASES("AveragePoolBlocked"),
	{ .name = "padding counts",
	  .graph = "y = predictd.AveragePoolBlocked<kernel_shape=[3,3], strides=[2,2], "
		   "pads=[1,1,1,1], count_include_pad=1>(x:float[1,2,11,8,8])" },
	{ 0 },
};
/* clang-format on */

extern const struct op op_max_pool_blocked;
const struct op op_max_pool_blocked = {
	.domain = "predictd",
	.name = "MaxPoolBlocked",
	.help = "MaxPool of channels in blocks.",
	.since = 1,
	.flags = OP_NO_GRADIENT,
	.in = in,
	.out = out,
	.attrs = attrs,
	.attrs_size = sizeof(struct pool_blocked_attrs),
	.infer = infer,
	.kernels = max_kernels,
	.cases = max_cases,
};

extern const struct op op_average_pool_blocked;
const struct op op_average_pool_blocked = {
	.domain = "predictd",
	.name = "AveragePoolBlocked",
	.help = "AveragePool of channels in blocks.",
	.since = 1,
	.flags = OP_NO_GRADIENT,
	.in = in,
	.out = out,
	.attrs = attrs,
	.attrs_size = sizeof(struct pool_blocked_attrs),
	.infer = infer,
	.kernels = average_kernels,
	.cases = average_cases,
};
