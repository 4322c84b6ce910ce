/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Pooling of blocked values (blocked.h): MaxPoolBlocked and
 * AveragePoolBlocked, as MaxPool and AveragePool are, without Indices.
 * Lanes past the channels hold zeros, and so do their maxima and averages.
 */
#include <limits.h>
#include <math.h>

#include "engine/kernels/blocked_loops.h"
#include "engine/kernels/onednn/onednn.h"
#include "engine/ops/blocked.h"
#include "engine/ops/quantize.h"

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

/* The taps of one window: a range of each axis. */
struct taps {
	int64_t lo[WINDOW_DIMS], hi[WINDOW_DIMS], at[WINDOW_DIMS];
};

static void taps_of(const struct window *w, int64_t o, struct taps *ret)
{
	for (unsigned i = WINDOW_DIMS; i-- > 0;) {
		ret->at[i] = o % w->out[i] * w->stride[i] - w->begin[i];
		blocked_taps(w, i, ret->at[i], &ret->lo[i], &ret->hi[i]);
		o /= w->out[i];
	}
}

/* Elements before the first lane of tap number k of a window's box. */
static int64_t tap_at(const struct window *w, const struct taps *t, int64_t k,
		      int64_t lanes)
{
	int64_t place[WINDOW_DIMS];

	for (unsigned i = WINDOW_DIMS; i-- > 0;) {
		const int64_t n = t->hi[i] - t->lo[i];

		place[i] = t->at[i] + (t->lo[i] + k % n) * w->dilation[i];
		k /= n;
	}
	return ((place[0] * w->in[1] + place[1]) * w->in[2] + place[2]) * lanes;
}

/* One window of one lane, summed in double. */
static float pool_lane(const struct window *w, const struct taps *t,
		       const float *x, int64_t lanes, const double *share)
{
	int64_t n = 1;
	double sum = 0;
	float most = -INFINITY;

	for (unsigned i = 0; i < WINDOW_DIMS; i++)
		n *= t->hi[i] - t->lo[i];
	for (int64_t k = 0; k < n; k++) {
		const float v = x[tap_at(w, t, k, lanes)];

		sum += (double)v;
		if (v > most || v != v)
			most = v;
	}
	return share ? (float)(sum * *share) : most;
}

/* One window of one lane of bytes. */
static int pool_byte(const struct window *w, const struct taps *t,
		     enum dtype elem, const void *data, int64_t lanes,
		     int64_t first)
{
	int64_t n = 1;
	int most = INT_MIN;

	for (unsigned i = 0; i < WINDOW_DIMS; i++)
		n *= t->hi[i] - t->lo[i];
	for (int64_t k = 0; k < n; k++) {
		const int v =
		    quantized_at(elem, data, first + tap_at(w, t, k, lanes));

		most = v > most ? v : most;
	}
	return most;
}

static bool is_max(const struct kernel_query *query)
{
	return query->op->name[0] == 'M';
}

static void plain_run(const struct kernel_call *call, unsigned slice,
		      void *scratch)
{
	const struct pool_attrs *attrs = call->query->attrs;
	const struct shape *x = &call->query->in[0].shape;
	const int64_t lanes = x->dim[x->rank - 1];
	const float *in = call->in[0];
	double *share = is_max(call->query) ? NULL : scratch;
	float *out = call->out[0];
	int64_t first, last;
	struct window w;
	struct taps t;

	if (window_of(attrs, x, &w, NULL))
		return;
	if (share)
		pool_share(&w, attrs->count_include_pad != 0, share);
	kernel_slice(x->dim[0] * x->dim[1], call->n_slices, slice, &first,
		     &last);
	for (int64_t i = first * w.n_out; i < last * w.n_out; i++) {
		const int64_t o = i % w.n_out;

		taps_of(&w, o, &t);
		for (int64_t l = 0; l < lanes; l++)
			out[i * lanes + l] = pool_lane(
			    &w, &t, in + i / w.n_out * w.n_in * lanes + l,
			    lanes, share ? share + o : NULL);
	}
}

/* One row of outputs of one block. */
struct row {
	const struct window *w;
	const struct blocked_loops *loops;
	const float *x;	     /* of the block */
	float *y;	     /* of the row */
	const double *share; /* of the row; NULL: maxima */
	int64_t number;
};

static void run_row(const struct row *row)
{
	const struct window *w = row->w;
	const int64_t lanes = row->loops->lanes;
	const int64_t top = row->number * w->stride[1] - w->begin[1];
	struct pool_run run = {
		.row_step = w->dilation[1] * w->in[2] * lanes,
		.tap_step = w->dilation[2] * lanes,
		.pixel_step = w->stride[2] * lanes,
	};
	int64_t lo, hi, n;

	blocked_taps(w, 1, top, &lo, &hi);
	run.n_rows = hi - lo;
	for (int64_t o = 0; o < w->out[2]; o += n) {
		const int64_t left = o * w->stride[2] - w->begin[2];
		const int64_t line =
		    (top + lo * w->dilation[1]) * w->in[2] + left;
		int64_t tap, end;

		n = blocked_alike(w, o, w->out[2]);
		for (int64_t k = 1; row->share && k < n; k++)
			if (row->share[o + k] != row->share[o])
				n = k;
		blocked_taps(w, 2, left, &tap, &end);
		run.n_taps = end - tap;
		run.x = row->x + (line + tap * w->dilation[2]) * lanes;
		run.y = row->y + o * lanes;
		run.n_pixels = n;
		if (row->share)
			row->loops->mean(&run, (float)row->share[o]);
		else
			row->loops->max(&run);
	}
}

static void simd_run(const struct kernel_call *call, unsigned slice,
		     void *scratch)
{
	const struct pool_attrs *attrs = call->query->attrs;
	const struct shape *x = &call->query->in[0].shape;
	const int64_t lanes = x->dim[x->rank - 1];
	double *share = is_max(call->query) ? NULL : scratch;
	int64_t first, last;
	struct window w;
	struct row row = { .w = &w, .loops = blocked_loops(lanes) };

	if (window_of(attrs, x, &w, NULL))
		return;
	if (share)
		pool_share(&w, attrs->count_include_pad != 0, share);
	kernel_slice(x->dim[0] * x->dim[1], call->n_slices, slice, &first,
		     &last);
	for (int64_t i = first * w.out[1]; i < last * w.out[1]; i++) {
		row.number = i % w.out[1];
		row.x =
		    (const float *)call->in[0] + i / w.out[1] * w.n_in * lanes;
		row.y = (float *)call->out[0] + i * w.out[2] * lanes;
		row.share = share ? share + row.number * w.out[2] : NULL;
		run_row(&row);
	}
}

static bool is_float(const struct kernel_query *query)
{
	return query->in[0].type.elem == DTYPE_F32;
}

static void bytes_run(const struct kernel_call *call, unsigned slice,
		      void *scratch)
{
	const struct fact *x = &call->query->in[0];
	const int64_t lanes = x->shape.dim[x->shape.rank - 1];
	int64_t first, last;
	struct window w;
	struct taps t;

	(void)scratch;
	if (window_of(call->query->attrs, &x->shape, &w, NULL))
		return;
	kernel_slice(x->shape.dim[0] * x->shape.dim[1], call->n_slices, slice,
		     &first, &last);
	for (int64_t i = first * w.n_out; i < last * w.n_out; i++) {
		taps_of(&w, i % w.n_out, &t);
		for (int64_t l = 0; l < lanes; l++)
			quantized_put(
			    x->type.elem, call->out[0], i * lanes + l,
			    pool_byte(&w, &t, x->type.elem, call->in[0], lanes,
				      i / w.n_out * w.n_in * lanes + l));
	}
}

static bool bytes_fit(const struct kernel_query *query)
{
	return !is_float(query);
}

static bool simd_fits(const struct kernel_query *query)
{
	const struct shape *x = &query->in[0].shape;

	return is_float(query) && x->rank <= 5 &&
	       blocked_loops(x->dim[x->rank - 1]);
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
	ret->n_slices = kernel_slices(query, (double)n);
	ret->scratch_bytes =
	    (size_t)shape_range(y, 2, y->rank - 1) * sizeof(double);
	return ERR_NONE;
}

static double cost(const struct kernel_query *query)
{
	const struct pool_attrs *attrs = query->attrs;
	const double vectors = (double)shape_count(&query->out[0].shape) / 8;
	double taps = 1;

	for (size_t i = 0; i < attrs->window.kernel_shape.n; i++)
		taps *= (double)attrs->window.kernel_shape.v[i];
	return 0.2 + vectors * (taps * 1e-3 + 4e-3) +
	       (double)shape_count(&query->in[0].shape) * 0.1e-3;
}

static double plain_cost(const struct kernel_query *query)
{
	return 50 * cost(query);
}

static enum err_code infer(struct infer *infer, struct err *err)
{
	const struct pool_attrs *attrs = infer->attrs;
	const struct shape *x = &infer->in[0].shape;
	struct shape *y = &infer->out[0].shape;
	struct window w;
	enum err_code rc;

	if (x->rank < 4 || x->rank > 3 + WINDOW_DIMS)
		return infer_fail(err,
				  "input 'X': expected rank 4 to %d, got rank "
				  "%u",
				  3 + WINDOW_DIMS, x->rank);
	rc = window_of(attrs, x, &w, err);
	if (!rc)
		rc = window_shape(&w, x->dim[0], x->dim[1], y, err);
	if (rc)
		return rc;
	y->dim[y->rank++] = x->dim[x->rank - 1];
	infer->out[0].has_shape = true;
	return shape_check(y, "output 'Y'", err);
}

static const struct kernel simd = {
	.name = "pool_blocked.simd",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE,
	.fits = simd_fits,
	.cost = cost,
	.prepare = prepare,
	.run = simd_run,
};
static const struct kernel bytes = {
	.name = "pool_blocked.bytes",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE,
	.fits = bytes_fit,
	.cost = plain_cost,
	.prepare = prepare,
	.run = bytes_run,
};
static const struct kernel plain = {
	.name = "pool_blocked.plain",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE,
	.fits = is_float,
	.cost = plain_cost,
	.prepare = prepare,
	.run = plain_run,
};
static const struct kernel *const max_kernels[] = { &max_pool_last_onednn,
						    &bytes, &simd, &plain,
						    NULL };
static const struct kernel *const average_kernels[] = { &simd, &plain, NULL };

static const struct port max_in[] = { { "X", "T:float,uint8,int8", 0 }, { 0 } };
static const struct port average_in[] = { { "X", "T:float", 0 }, { 0 } };
static const struct port out[] = { { "Y", "T", 0 }, { 0 } };

/* clang-format off */
#define WINDOW(member) offsetof(struct pool_attrs, window.member)
static const struct op_attr attrs[] = {
	{ .name = "auto_pad", .help = "as in MaxPool",
	  .offset = WINDOW(auto_pad), .kind = ATTR_STRING, .def_text = "NOTSET" },
	{ .name = "ceil_mode", .help = "as in MaxPool",
	  .offset = WINDOW(ceil_mode), .kind = ATTR_INT, .max = 1 },
	{ .name = "count_include_pad", .help = "as in AveragePool",
	  .offset = offsetof(struct pool_attrs, count_include_pad),
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
#define LAST(attrs, x) "y = predictd.MaxPoolBlocked<" attrs ">(" x ")"
static const struct op_case max_cases[] = {
	CASES("MaxPoolBlocked"),
	{ .name = "channels last, bytes",
	  .graph = LAST("kernel_shape=[3,3], strides=[2,2], pads=[1,1,1,1]",
			"x:uint8[2,1,11,8,24]") },
	{ .name = "channels last, signed bytes",
	  .graph = LAST("kernel_shape=[3,2], strides=[2,2], pads=[1,1,0,0], ceil_mode=1",
			"Cast<to=3>(Mul(x:float[1,1,9,8,20], 30.))") },
	{ .name = "channels last, floats",
	  .graph = LAST("kernel_shape=[2,2]", "x:float[2,1,6,7,20]") },
	{ .name = "blocks of bytes",
	  .graph = LAST("kernel_shape=[2,2]", "x:int8[1,2,6,7,16]") },
	{ .name = "a row of bytes, dilated",
	  .graph = LAST("kernel_shape=[2], dilations=[2]", "x:uint8[1,1,9,16]") },
	{ 0 },
};
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
	.flags = OP_NO_GRADIENT | OP_ANY_TYPE,
	.in = max_in,
	.out = out,
	.attrs = attrs,
	.attrs_size = sizeof(struct pool_attrs),
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
	.in = average_in,
	.out = out,
	.attrs = attrs,
	.attrs_size = sizeof(struct pool_attrs),
	.infer = infer,
	.kernels = average_kernels,
	.cases = average_cases,
};
