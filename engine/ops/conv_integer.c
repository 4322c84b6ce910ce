/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * ConvInteger and QLinearConv: convolutions of bytes, as int32 or quantized
 * again.
 *
 *   Y = conv(x - zero of x, w - zero of w)
 *   y = saturate(round((Y + B) x_scale w_scale / y_scale) + zero of y)
 * What w has may be one for each channel out; padding is the zero point of x.
 * Each group of each image is a product: w's rows by columns of x's windows.
 */
#include <string.h>

#include "engine/ops/conv.h"
#include "engine/ops/int_product.h"
#include "engine/ops/quantize.h"

enum { COLUMNS_MAX = 256, PLANE_MAX = 1024 };

/* Zero points and scales; n: how many there are */
struct factor {
	enum dtype elem;
	const void *data;
	int64_t n;
};

struct conv_job {
	struct conv g;
	enum dtype x_elem, w_elem, y_elem;
	const void *x, *w;
	const int32_t *bias;
	void *y;
	int32_t x_zero;
	struct factor w_zero, x_scale, w_scale, y_scale, y_zero;
};

/* Where the operands of each row stand; 0: it has none (input 0 is x). */
struct places {
	unsigned w, x_zero, w_zero, x_scale, w_scale, y_scale, y_zero, bias;
};
static const struct places integer_places = { 1, 2, 3, 0, 0, 0, 0, 0 };
static const struct places qlinear_places = { 3, 2, 5, 1, 4, 6, 7, 8 };

static const struct places *places_of(const struct op *op)
{
	return strcmp(op->name, "ConvInteger") ? &qlinear_places
					       : &integer_places;
}

static bool has(const struct fact *in, unsigned n_in, unsigned i)
{
	return i > 0 && i < n_in && in[i].type.elem != DTYPE_NONE;
}

static struct factor factor_of(const struct kernel_call *call, unsigned i)
{
	const struct kernel_query *q = call->query;

	if (!has(q->in, q->n_in, i))
		return (struct factor){ DTYPE_F32, NULL, 1 };
	return (struct factor){ q->in[i].type.elem, call->in[i],
				shape_count(&q->in[i].shape) };
}

static void find_conv(const struct kernel_query *q, struct conv *ret)
{
	const struct shape *w = &q->in[places_of(q->op)->w].shape;
	const enum err_code rc =
	    conv_init(q->attrs, &q->in[0].shape, w, NULL, ret, NULL);

	(void)rc; /* infer() has seen it pass */
}

static void conv_job_init(const struct kernel_call *call, struct conv_job *ret)
{
	const struct kernel_query *q = call->query;
	const struct places *at = places_of(q->op);
	const struct factor x_zero = factor_of(call, at->x_zero);

	*ret = (struct conv_job){
		.x_elem = q->in[0].type.elem,
		.w_elem = q->in[at->w].type.elem,
		.y_elem = q->out[0].type.elem,
		.x = call->in[0],
		.w = call->in[at->w],
		.y = call->out[0],
		.bias = factor_of(call, at->bias).data,
		.x_zero = quantized_at(x_zero.elem, x_zero.data, 0),
		.w_zero = factor_of(call, at->w_zero),
		.x_scale = factor_of(call, at->x_scale),
		.w_scale = factor_of(call, at->w_scale),
		.y_scale = factor_of(call, at->y_scale),
		.y_zero = factor_of(call, at->y_zero),
	};
	find_conv(q, &ret->g);
}

/* batch: group number of all images */
static void load_w(const void *ctx, const struct int_tile *tile, float *to)
{
	const struct conv_job *c = ctx;
	const int64_t depth = c->g.c * c->g.window.n_taps;
	const int64_t first = tile->batch % c->g.group * c->g.m + tile->row;

	for (int64_t i = 0; i < tile->n_rows; i++) {
		const int64_t m = first + i;

		int_load(c->w_elem, c->w, m * depth + tile->k, tile->n_k,
			 quantized_at(c->w_zero.elem, c->w_zero.data,
				      m % c->w_zero.n),
			 to + i * tile->n_k);
	}
}

/* One channel of x: where it begins, and as floats where it is small enough. */
struct channel {
	int64_t number, at;
	bool is_loaded;
	float plane[PLANE_MAX];
};

static void load_channel(const struct conv_job *c, int64_t number,
			 struct channel *ret)
{
	const int64_t n = c->g.window.n_in;

	ret->number = number;
	ret->at = number * n;
	ret->is_loaded = n <= PLANE_MAX;
	if (ret->is_loaded)
		int_load(c->x_elem, c->x, ret->at, n, c->x_zero, ret->plane);
}

/* n outputs, the first of which has its source at `in` in the channel. */
static void load_run(const struct conv_job *c, const struct channel *channel,
		     int64_t in, int64_t n, float *to)
{
	const int64_t stride = c->g.window.stride[2];

	if (channel->is_loaded && stride == 1)
		memcpy(to, channel->plane + in, (size_t)n * sizeof(*to));
	else if (channel->is_loaded)
		for (int64_t o = 0; o < n; o++)
			to[o] = channel->plane[in + o * stride];
	else if (stride == 1)
		int_load(c->x_elem, c->x, channel->at + in, n, c->x_zero, to);
	else
		for (int64_t o = 0; o < n; o++)
			int_load(c->x_elem, c->x, channel->at + in + o * stride,
				 1, c->x_zero, to + o);
}

/* One row of the columns: one tap of the channel, for the tile's outputs, of
 * which row number r is at depth d and height h. */
static void load_tap(const struct conv_job *c, const struct int_tile *tile,
		     const struct channel *channel, int64_t tap_number,
		     float *to)
{
	const struct window *win = &c->g.window;
	const int64_t width = win->out[2], end = tile->col + tile->n_cols;
	int64_t r = tile->col / width, d = r / win->out[1];
	int64_t h = r % win->out[1];
	struct window_tap tap;

	window_tap(win, tap_number, &tap);
	memset(to, 0, (size_t)tile->n_cols * sizeof(*to));
	for (; r * width < end; r++, h++) {
		const int64_t row = r * width;
		int64_t first = row + tap.lo[2], last = row + tap.hi[2], in;

		if (h == win->out[1]) {
			h = 0;
			d++;
		}
		in = ((d * win->stride[0] + tap.first[0]) * win->in[1] +
		      h * win->stride[1] + tap.first[1]) *
			 win->in[2] +
		     tap.first[2];
		first = first > tile->col ? first : tile->col;
		last = last < end ? last : end;
		if (d >= tap.lo[0] && d < tap.hi[0] && h >= tap.lo[1] &&
		    h < tap.hi[1] && first < last)
			load_run(c, channel,
				 in + (first - row) * win->stride[2],
				 last - first, to + first - tile->col);
	}
}

static void load_x(const void *ctx, const struct int_tile *tile, float *to)
{
	const struct conv_job *c = ctx;
	const int64_t n_taps = c->g.window.n_taps;
	struct channel channel = { .number = -1 };

	for (int64_t l = 0; l < tile->n_k; l++) {
		const int64_t k = tile->k + l;
		const int64_t number = tile->batch * c->g.c + k / n_taps;

		if (number != channel.number)
			load_channel(c, number, &channel);
		load_tap(c, tile, &channel, k % n_taps, to + l * tile->n_cols);
	}
}

static int64_t out_at(const struct conv_job *c, const struct int_tile *tile,
		      int64_t i)
{
	return (tile->batch * c->g.m + tile->row + i) * c->g.window.n_out +
	       tile->col;
}

static void store_integers(const void *ctx, const struct int_tile *tile,
			   const int32_t *sum)
{
	const struct conv_job *c = ctx;

	for (int64_t i = 0; i < tile->n_rows; i++)
		memcpy((int32_t *)c->y + out_at(c, tile, i),
		       sum + i * tile->n_cols,
		       (size_t)tile->n_cols * sizeof(*sum));
}

static void store_quantized(const void *ctx, const struct int_tile *tile,
			    const int32_t *sum)
{
	const struct conv_job *c = ctx;
	const float x = scale_at(c->x_scale.elem, c->x_scale.data, 0);
	const float y = scale_at(c->y_scale.elem, c->y_scale.data, 0);
	const int32_t zero = quantized_at(c->y_zero.elem, c->y_zero.data, 0);
	int32_t with_bias[COLUMNS_MAX];
	float scale[COLUMNS_MAX];

	for (int64_t i = 0; i < tile->n_rows; i++) {
		const int64_t m =
		    tile->batch % c->g.group * c->g.m + tile->row + i;
		const uint32_t bias = c->bias ? (uint32_t)c->bias[m] : 0;
		const float w = scale_at(c->w_scale.elem, c->w_scale.data,
					 m % c->w_scale.n);

		for (int64_t j = 0; j < tile->n_cols; j++) {
			with_bias[j] =
			    (int32_t)((uint32_t)sum[i * tile->n_cols + j] +
				      bias);
			scale[j] = x * w / y;
		}
		requantize(with_bias, scale, tile->n_cols, zero, c->y_elem,
			   (char *)c->y + out_at(c, tile, i));
	}
}

static struct int_job job_of(const struct conv_job *c, const struct op *op)
{
	return (struct int_job){
		.n_batch = c->g.batch * c->g.group,
		.m = c->g.m,
		.n = c->g.window.n_out,
		.k = c->g.c * c->g.window.n_taps,
		.ctx = c,
		.load_a = load_w,
		.load_b = load_x,
		.store =
		    places_of(op)->y_scale ? store_quantized : store_integers,
	};
}

static double conv_cost(const struct kernel_query *query)
{
	struct conv_job c;
	struct int_job job;

	find_conv(query, &c.g);
	job = job_of(&c, query->op);
	return int_job_cost(&job);
}

static enum err_code fast_prepare(const struct kernel_query *query,
				  struct kernel_setup *ret, struct err *err)
{
	struct conv_job c;
	struct int_job job;

	(void)err;
	find_conv(query, &c.g);
	job = job_of(&c, query->op);
	int_job_setup(&job, query->want_slices, ret);
	return ERR_NONE;
}

static void fast_run(const struct kernel_call *call, unsigned slice,
		     void *scratch)
{
	struct conv_job c;
	struct int_job job;

	conv_job_init(call, &c);
	job = job_of(&c, call->query->op);
	int_job_run(&job, call->n_slices, slice, scratch, false);
}

static void plain_run(const struct kernel_call *call, unsigned slice,
		      void *scratch)
{
	struct conv_job c;
	struct int_job job;

	conv_job_init(call, &c);
	job = job_of(&c, call->query->op);
	int_job_run(&job, 1, slice, scratch, true);
}

/* ---- shapes -------------------------------------------------------------- */

/* channels 1: one for the whole tensor only */
static enum err_code check_factor(const struct infer *infer, unsigned i,
				  int64_t channels, struct err *err)
{
	const struct shape *s = &infer->in[i].shape;
	char text[64];

	if (!has(infer->in, infer->n_in, i) ||
	    (s->rank <= 1 && shape_count(s) == 1) ||
	    (s->rank == 1 && s->dim[0] == channels))
		return ERR_NONE;
	return infer_fail(err, "input %u: expected %s%lld%s, got %s", i,
			  channels == 1 ? "a scalar or ["
					: "a scalar or one "
					  "for each of ",
			  (long long)channels,
			  channels == 1 ? "]" : " channels out",
			  shape_text(s, text, sizeof(text)));
}

static enum err_code check_factors(const struct infer *infer,
				   const struct places *at, struct err *err)
{
	const unsigned whole[] = { at->x_zero, at->x_scale, at->y_scale,
				   at->y_zero };
	const int64_t channels = infer->in[at->w].shape.dim[0];
	enum err_code rc = check_factor(infer, at->w_zero, channels, err);

	if (!rc)
		rc = check_factor(infer, at->w_scale, channels, err);
	for (unsigned i = 0; i < sizeof(whole) / sizeof(whole[0]) && !rc; i++)
		rc = check_factor(infer, whole[i], 1, err);
	if (!rc && has(infer->in, infer->n_in, at->bias) &&
	    (infer->in[at->bias].shape.rank != 1 ||
	     infer->in[at->bias].shape.dim[0] != channels))
		rc = infer_fail(err,
				"input 'B': expected [%lld], one for each "
				"channel out",
				(long long)channels);
	return rc;
}

static enum err_code conv_integer_infer(struct infer *infer, struct err *err)
{
	const bool is_plain = infer->n_in <= 4;
	const struct places *at = is_plain ? &integer_places : &qlinear_places;
	const struct shape *w = &infer->in[at->w].shape;
	struct conv g;
	enum err_code rc =
	    conv_init(infer->attrs, &infer->in[0].shape, w, NULL, &g, err);

	if (!rc)
		rc = check_factors(infer, at, err);
	if (rc)
		return rc;
	infer->out[0].has_shape = true;
	return window_shape(&g.window, g.batch, w->dim[0], &infer->out[0].shape,
			    err);
}

/* ---- rows ---------------------------------------------------------------- */

static const struct kernel fast = {
	.name = "conv_integer.blas",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE,
	.cost = conv_cost,
	.prepare = fast_prepare,
	.run = fast_run,
};
static const struct kernel plain = {
	.name = "conv_integer.plain",
	.flags = KERNEL_QUICK,
	.cost = conv_cost,
	.prepare = int_job_plain_prepare,
	.run = plain_run,
};
static const struct kernel *const conv_integer_kernels[] = { &fast, &plain,
							     NULL };

/* clang-format off */
static const struct port integer_in[] = {
	{ "x", "T1:int8,uint8", 0 },
	{ "w", "T2:int8,uint8", 0 },
	{ "x_zero_point", "T1", PORT_OPTIONAL },
	{ "w_zero_point", "T2", PORT_OPTIONAL },
	{ 0 },
};
static const struct port integer_out[] = { { "y", "int32", 0 }, { 0 } };
static const struct port qlinear_in[] = {
	{ "x", "T1:int8,uint8", 0 },
	{ "x_scale", "float", 0 },
	{ "x_zero_point", "T1", 0 },
	{ "w", "T2:int8,uint8", 0 },
	{ "w_scale", "float", 0 },
	{ "w_zero_point", "T2", 0 },
	{ "y_scale", "float", 0 },
	{ "y_zero_point", "T3:int8,uint8", 0 },
	{ "B", "int32", PORT_OPTIONAL },
	{ 0 },
};
static const struct port qlinear_out[] = { { "y", "T3", 0 }, { 0 } };

static const struct op_case integer_cases[] = {
	{ .name = "plain", .graph = "y = ConvInteger(x:uint8[2,3,6,7], w:int8[4,3,3,3])" },
	{ .name = "padding is the zero point",
	  .graph = "y = ConvInteger<pads=[1,2,0,1]>(x:uint8[1,2,5,6], w:uint8[3,2,3,2], "
		   "z:uint8[]={2}, v:uint8[]={1})" },
	{ .name = "zero points by channel",
	  .graph = "y = ConvInteger(x:uint8[1,2,5,6], w:int8[3,2,2,2], z:uint8[1]={2}, "
		   "v:int8[3]={1,-2,3})" },
	{ .name = "groups and strides",
	  .graph = "y = ConvInteger<group=2, strides=[2,3], "
		   "auto_pad=\"SAME_UPPER\">(x:int8[2,4,9,10], w:int8[6,2,3,3], z:int8[]={1}, "
		   "v:int8[6])" },
	{ .name = "one axis, dilated",
	  .graph = "y = ConvInteger<dilations=[2]>(x:uint8[1,2,300], w:int8[3,2,3])" },
	{ .name = "three axes",
	  .graph = "y = ConvInteger<pads=[1,0,1,0,1,0]>(x:uint8[1,2,4,5,6], w:int8[3,2,2,2,3], "
		   "z:uint8[]={1})" },
	{ .name = "deep",
	  .graph = "y = ConvInteger(x:uint8[1,100,5,5], w:int8[130,100,3,3], z:uint8[]={1})" },
	{ .name = "no images", .graph = "y = ConvInteger(x:uint8[0,2,5,6], w:int8[3,2,2,2])" },
	{ .name = "channels differ",
	  .graph = "y = ConvInteger(x:uint8[1,3,5,6], w:int8[3,2,2,2])", .want = ERR_SHAPE },
	{ .name = "too many zero points",
	  .graph = "y = ConvInteger(x:uint8[1,2,5,6], w:int8[3,2,2,2], z:uint8[2])",
	  .want = ERR_SHAPE },
	{ 0 },
};
static const struct op_case qlinear_cases[] = {
	{ .name = "one scale",
	  .graph = "y = QLinearConv<pads=[1,1,1,1]>(x:uint8[2,3,6,7], s:float[]={0.5}, "
		   "z:uint8[]={1}, w:int8[4,3,3,3], t:float[]={0.25}, v:int8[]={1}, "
		   "u:float[]={0.7}, k:uint8[]={30})" },
	{ .name = "by channel, with bias",
	  .graph = "y = QLinearConv(x:uint8[1,2,6,7], s:float[1]={0.5}, z:uint8[1]={1}, "
		   "w:uint8[3,2,3,3], t:float[3]={0.25,0.5,1}, v:uint8[3]={1,2,3}, "
		   "u:float[1]={0.7}, k:int8[1]={-3}, b:int32[3]={100,-200,3})" },
	{ .name = "no images",
	  .graph = "y = QLinearConv(x:uint8[0,2,6,7], s:float[], z:uint8[], w:uint8[3,2,3,3], "
		   "t:float[], v:uint8[], u:float[], k:int8[])" },
	{ .name = "bias too long",
	  .graph = "y = QLinearConv(x:uint8[1,2,6,7], s:float[], z:uint8[], w:uint8[3,2,3,3], "
		   "t:float[], v:uint8[], u:float[], k:int8[], b:int32[4])", .want = ERR_SHAPE },
	{ .name = "scales by channel in",
	  .graph = "y = QLinearConv(x:uint8[1,2,6,7], s:float[2], z:uint8[], w:uint8[3,2,3,3], "
		   "t:float[], v:uint8[], u:float[], k:int8[])", .want = ERR_SHAPE },
	{ 0 },
};
/* clang-format on */

extern const struct op op_conv_integer;
const struct op op_conv_integer = {
	.domain = "",
	.name = "ConvInteger",
	.help = "Convolution of bytes less their zero points, as int32.",
	.since = 10,
	.flags = OP_ANY_TYPE | OP_NO_GRADIENT,
	.in = integer_in,
	.out = integer_out,
	.attrs = conv_attr_rows,
	.attrs_size = sizeof(struct conv_attrs),
	.infer = conv_integer_infer,
	.kernels = conv_integer_kernels,
	.cases = integer_cases,
};

extern const struct op op_qlinear_conv;
const struct op op_qlinear_conv = {
	.domain = "",
	.name = "QLinearConv",
	.help = "Convolution of quantized numbers, quantized again.",
	.since = 10,
	.flags = OP_ANY_TYPE | OP_NO_GRADIENT,
	.in = qlinear_in,
	.out = qlinear_out,
	.attrs = conv_attr_rows,
	.attrs_size = sizeof(struct conv_attrs),
	.infer = conv_integer_infer,
	.kernels = conv_integer_kernels,
	.cases = qlinear_cases,
};
