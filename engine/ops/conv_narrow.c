/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * ConvNarrow (conv_narrow.h): its row, and plain loops that sum in double.
 * Made where a model's precision is chosen (engine/precision.h), and joined
 * to its neighbours by the pass `narrow` (engine/passes/narrow.c).
 */
#include "engine/ops/conv_narrow.h"

#include <math.h>
#include <string.h>

#include "engine/kernels/onednn/onednn.h"
#include "engine/ops/quantize.h"

struct shape channels_first(const struct shape *last)
{
	struct shape shape = *last;
	const int64_t channels = last->dim[last->rank - 1];

	memmove(shape.dim + 2, shape.dim + 1,
		(last->rank - 2) * sizeof(shape.dim[0]));
	shape.dim[1] = channels;
	return shape;
}

struct shape channels_last(const struct shape *first)
{
	struct shape shape = *first;

	memmove(shape.dim + 1, shape.dim + 2,
		(first->rank - 2) * sizeof(shape.dim[0]));
	shape.dim[first->rank - 1] = first->dim[1];
	return shape;
}

static bool has(unsigned n_in, const struct fact *in, unsigned i)
{
	return i < n_in && in[i].type.elem != DTYPE_NONE;
}

/* All axes of X but the last are rows of a product. */
static enum err_code product(const struct shape *x, const struct shape *w,
			     struct conv *ret, struct err *err)
{
	static const int64_t one[] = { 1 };
	const struct conv_attrs attrs = {
		.window = { .auto_pad = "NOTSET", .kernel_shape = { 1, one } },
		.group = 1
	};
	struct shape rows = { 3, { 1, 0, 0 } };
	const struct shape taps = { 3, { w->dim[0], w->dim[1], 1 } };

	if (x->rank < 1 || x->dim[x->rank - 1] != w->dim[1])
		return infer_fail(err,
				  "input 'X': expected a last axis of %lld",
				  (long long)w->dim[1]);
	rows.dim[1] = w->dim[1];
	rows.dim[2] = shape_range(x, 0, x->rank - 1);
	return conv_init(&attrs, &rows, &taps, NULL, ret, err);
}

static bool zero_fits(int64_t zero, enum dtype elem)
{
	int32_t low, high;

	if (zero == 0)
		return true;
	return quantized_range(elem, &low, &high) && zero >= low &&
	       zero <= high;
}

static enum err_code geometry(const struct conv_narrow_attrs *attrs,
			      unsigned n_in, const struct fact *in,
			      struct conv_narrow *ret, struct err *err)
{
	const struct shape *x = &in[CONV_NARROW_X].shape;
	const struct shape *w = &in[CONV_NARROW_W].shape;
	struct shape plain = *x;

	*ret = (struct conv_narrow){
		.x_last = attrs->x_last != 0,
		.y_last = attrs->y_last != 0,
		.has_bias = has(n_in, in, CONV_NARROW_B),
		.has_sum = has(n_in, in, CONV_NARROW_Z),
		.is_product = w->rank == 2,
		.x_elem = in[CONV_NARROW_X].type.elem,
		.z_elem = in[CONV_NARROW_Z].type.elem,
		.y_elem = (enum dtype)attrs->to,
		.y_scale =
		    dtype_is_float((enum dtype)attrs->to) ? 1 : attrs->y_scale,
		.z_scale = dtype_is_float(in[CONV_NARROW_Z].type.elem)
			       ? 1
			       : attrs->z_scale,
		.x_zero = (int32_t)attrs->x_zero,
		.y_zero = (int32_t)attrs->y_zero,
		.epilogue = { .alpha = attrs->alpha, .beta = attrs->beta },
	};
	if (!epilogue_find(attrs->activation, &ret->epilogue.kind))
		return err_set(err, ERR_INVALID,
			       "attribute 'activation': expected an epilogue "
			       "such as Relu, got '%s'",
			       attrs->activation);
	if (!(ret->y_scale > 0) || !(ret->z_scale > 0) ||
	    !isfinite(ret->y_scale) || !isfinite(ret->z_scale))
		return err_set(err, ERR_INVALID,
			       "attributes 'y_scale', 'z_scale': expected "
			       "numbers above 0");
	if (!zero_fits(attrs->x_zero, ret->x_elem) ||
	    !zero_fits(attrs->y_zero, ret->y_elem))
		return err_set(err, ERR_INVALID,
			       "attributes 'x_zero', 'y_zero': expected "
			       "bytes of the types of X and Y");
	if (!ret->is_product) {
		if (ret->x_last && x->rank > 2)
			plain = channels_first(x);
		return conv_init(&attrs->conv, &plain, w, NULL, &ret->conv,
				 err);
	}
	if (!ret->x_last || !ret->y_last)
		return err_set(err, ERR_INVALID,
			       "attributes 'x_last', 'y_last': expected 1 for "
			       "a product");
	return product(x, w, &ret->conv, err);
}

void conv_narrow_query(const struct kernel_query *query,
		       struct conv_narrow *ret)
{
	enum err_code rc;

	rc = geometry(query->attrs, query->n_in, query->in, ret, NULL);
	(void)rc; /* infer() has seen it pass */
}

static enum err_code check_channels(const struct infer *infer, unsigned i,
				    const char *name, bool may_be_one,
				    struct err *err)
{
	const struct shape *w = &infer->in[CONV_NARROW_W].shape;
	const struct shape *s = &infer->in[i].shape;

	if (!has(infer->n_in, infer->in, i) ||
	    (s->rank == 1 && s->dim[0] == w->dim[0]) ||
	    (may_be_one && s->rank <= 1 && shape_count(s) == 1))
		return ERR_NONE;
	return infer_fail(err,
			  "input '%s': expected [%lld], one for each channel "
			  "out",
			  name, (long long)w->dim[0]);
}

static bool is_result(int64_t elem)
{
	return elem == DTYPE_F32 || elem == DTYPE_U8 || elem == DTYPE_I8 ||
	       elem == DTYPE_BF16;
}

/* Bytes come with bytes, bfloat16 with itself; Z has Y's width, or is what Y
 * would be if it were narrow. */
static enum err_code check_types(const struct infer *infer, int64_t to,
				 struct err *err)
{
	const struct fact *in = infer->in;
	const bool is_bf16 = in[CONV_NARROW_X].type.elem == DTYPE_BF16;
	const enum dtype z = in[CONV_NARROW_Z].type.elem;

	if (!is_result(to) || (is_bf16 && to != DTYPE_BF16 && to != DTYPE_F32))
		return err_set(err, ERR_INVALID,
			       "attribute 'to': expected float or %s",
			       is_bf16 ? "bfloat16" : "a byte");
	if (is_bf16 != (in[CONV_NARROW_W].type.elem == DTYPE_BF16))
		return err_set(err, ERR_INVALID,
			       "input 'W': expected %s, as X has it",
			       is_bf16 ? "bfloat16" : "int8");
	if (z == DTYPE_NONE || z == (enum dtype)to || to == DTYPE_F32 ||
	    (z != DTYPE_F32 && !dtype_is_float((enum dtype)to) &&
	     !dtype_is_float(z)))
		return ERR_NONE;
	return err_set(err, ERR_INVALID,
		       "input 'Z': expected elements as wide as 'to'");
}

static enum err_code infer(struct infer *infer, struct err *err)
{
	const struct conv_narrow_attrs *attrs = infer->attrs;
	const struct shape *x = &infer->in[CONV_NARROW_X].shape;
	const struct shape *w = &infer->in[CONV_NARROW_W].shape;
	struct shape *y = &infer->out[0].shape;
	struct conv_narrow g;
	char text[64];
	enum err_code rc;

	rc = check_types(infer, attrs->to, err);
	if (!rc)
		rc = geometry(attrs, infer->n_in, infer->in, &g, err);
	if (!rc)
		rc = check_channels(infer, CONV_NARROW_S, "S", true, err);
	if (!rc)
		rc = check_channels(infer, CONV_NARROW_B, "B", false, err);
	if (rc)
		return rc;
	*y = *x;
	if (g.is_product)
		y->dim[y->rank - 1] = w->dim[0];
	else
		rc = window_shape(&g.conv.window, g.conv.batch, w->dim[0], y,
				  err);
	if (!rc && !g.is_product && g.y_last)
		*y = channels_last(y);
	infer->out[0].has_shape = true;
	if (!rc)
		rc = shape_check(y, "output 'Y'", err);
	if (!rc && g.has_sum && !shape_equal(y, &infer->in[0].shape))
		rc = infer_fail(err, "input 'Z': expected %s",
				shape_text(y, text, sizeof(text)));
	return rc;
}

/* ---- plain loops --------------------------------------------------------- */

/* Where channel c of image n begins, and how far its pixels lie apart. */
struct place {
	int64_t first, step;
};

static struct place place_of(bool is_last, int64_t n, int64_t c,
			     int64_t channels, int64_t plane)
{
	if (is_last)
		return (struct place){ n * plane * channels + c, channels };
	return (struct place){ (n * channels + c) * plane, 1 };
}

static double element(enum dtype elem, const void *data, int64_t i)
{
	if (dtype_is_float(elem))
		return (double)scale_at(elem, data, i);
	return quantized_at(elem, data, i);
}

/* Operands under way. */
struct job {
	struct conv_narrow g;
	const struct kernel_query *query;
	const void *const *in;
	void *out;
};

/* sum[o] += w x over one tap's box */
static void add_tap(const struct job *job, int64_t tap, struct place x,
		    double w, double *sum)
{
	const struct window *win = &job->g.conv.window;
	struct window_tap box;
	int64_t o, i;

	window_tap(win, tap, &box);
	for (int64_t row = 0; row < box.n_rows; row++) {
		window_row(win, &box, row, &o, &i);
		for (int64_t j = 0; j < box.hi[2] - box.lo[2]; j++) {
			const int64_t at =
			    x.first + (i + j * win->stride[2]) * x.step;

			sum[o + j] += w * (element(job->g.x_elem,
						   job->in[CONV_NARROW_X], at) -
					   job->g.x_zero);
		}
	}
}

static double per_channel(const struct job *job, unsigned i, int64_t m,
			  double none)
{
	const struct kernel_query *q = job->query;

	if (!has(q->n_in, q->in, i))
		return none;
	return (double)((const float *)job
			    ->in[i])[shape_count(&q->in[i].shape) == 1 ? 0 : m];
}

static void store(const struct job *job, int64_t at, double real)
{
	const double y = epilogue_apply(&job->g.epilogue, real);
	const enum dtype to = job->g.y_elem;
	const float narrow = (float)(y / job->g.y_scale);

	if (dtype_is_float(to))
		dtype_convert(DTYPE_F32, &narrow, to,
			      (char *)job->out +
				  (size_t)at * dtype_info(to)->size,
			      1, true);
	else
		quantized_put(to, job->out, at,
			      quantize_one((double)narrow, job->g.y_zero, to));
}

/* One channel out of one image. */
static void channel(const struct job *job, int64_t n, int64_t m, double *sum)
{
	const struct conv *conv = &job->g.conv;
	const int64_t n_taps = conv->window.n_taps, n_out = conv->window.n_out;
	const double scale = per_channel(job, CONV_NARROW_S, m, 1);
	const double bias = per_channel(job, CONV_NARROW_B, m, 0);
	const struct place y =
	    place_of(job->g.y_last, n, m, conv->group * conv->m, n_out);

	for (int64_t o = 0; o < n_out; o++)
		sum[o] = bias;
	for (int64_t c = 0; c < conv->c; c++) {
		const struct place x =
		    place_of(job->g.x_last, n, m / conv->m * conv->c + c,
			     conv->group * conv->c, conv->window.n_in);

		for (int64_t k = 0; k < n_taps; k++)
			add_tap(job, k, x,
				element(job->query->in[CONV_NARROW_W].type.elem,
					job->in[CONV_NARROW_W],
					(m * conv->c + c) * n_taps + k),
				sum);
	}
	for (int64_t o = 0; o < n_out; o++) {
		const int64_t at = y.first + o * y.step;
		double real = scale * sum[o];

		if (job->g.has_sum)
			real +=
			    job->g.z_scale *
			    element(job->g.z_elem, job->in[CONV_NARROW_Z], at);
		store(job, at, real);
	}
}

static void run(const struct kernel_call *call, unsigned slice, void *scratch)
{
	struct job job = { .query = call->query,
			   .in = call->in,
			   .out = call->out[0] };
	const struct conv *conv = &job.g.conv;

	(void)slice;
	conv_narrow_query(call->query, &job.g);
	for (int64_t n = 0; n < conv->batch; n++)
		for (int64_t m = 0; m < conv->group * conv->m; m++)
			channel(&job, n, m, scratch);
}

static double cost(const struct kernel_query *query)
{
	struct conv_narrow g;

	conv_narrow_query(query, &g);
	return 1 + conv_flops(&g.conv) * 4e-3;
}

static enum err_code prepare(const struct kernel_query *query,
			     struct kernel_setup *ret, struct err *err)
{
	struct conv_narrow g;

	(void)err;
	conv_narrow_query(query, &g);
	ret->scratch_bytes = (size_t)g.conv.window.n_out * sizeof(double);
	return ERR_NONE;
}

static const struct kernel plain = {
	.name = "conv_narrow.plain",
	.flags = KERNEL_QUICK,
	.cost = cost,
	.prepare = prepare,
	.run = run,
};
static const struct kernel *const kernels[] = {
	&conv_narrow_onednn,
	&plain,
	NULL,
};

/* clang-format off */
static const struct port in[] = {
	{ "Z", "T1:uint8,int8,bfloat16,float", PORT_OPTIONAL },
	{ "X", "T2:uint8,int8,bfloat16", 0 },
	{ "W", "T3:int8,bfloat16", 0 },
	{ "S", "T4:float", PORT_OPTIONAL },
	{ "B", "T4", PORT_OPTIONAL },
	{ 0 },
};
static const struct port out[] = { { "Y", "@to", 0 }, { 0 } };

#define ATTR(member) offsetof(struct conv_narrow_attrs, member)
static const struct op_attr attrs[] = {
	{ .name = "activation", .help = "the epilogue, such as Relu",
	  .offset = ATTR(activation), .kind = ATTR_STRING, .def_text = "" },
	{ .name = "alpha", .help = "of the epilogue",
	  .offset = ATTR(alpha), .kind = ATTR_FLOAT },
	{ .name = "auto_pad", .help = "as in Conv",
	  .offset = ATTR(conv.window.auto_pad), .kind = ATTR_STRING, .def_text = "NOTSET" },
	{ .name = "beta", .help = "of the epilogue",
	  .offset = ATTR(beta), .kind = ATTR_FLOAT },
	{ .name = "dilations", .help = "as in Conv",
	  .offset = ATTR(conv.window.dilations), .kind = ATTR_INTS, .min = 1, .max = INT32_MAX },
	{ .name = "group", .help = "as in Conv",
	  .offset = ATTR(conv.group), .kind = ATTR_INT, .min = 1, .max = INT32_MAX, .def = 1 },
	{ .name = "kernel_shape", .help = "as in Conv",
	  .offset = ATTR(conv.window.kernel_shape), .kind = ATTR_INTS, .min = 1,
	  .max = INT32_MAX },
	{ .name = "pads", .help = "as in Conv",
	  .offset = ATTR(conv.window.pads), .kind = ATTR_INTS, .max = INT32_MAX },
	{ .name = "strides", .help = "as in Conv",
	  .offset = ATTR(conv.window.strides), .kind = ATTR_INTS, .min = 1, .max = INT32_MAX },
	{ .name = "to", .help = "the type of Y: float, uint8, int8 or bfloat16",
	  .offset = ATTR(to), .kind = ATTR_INT, .def = DTYPE_F32 },
	{ .name = "x_last", .help = "1: channels of X are its last axis",
	  .offset = ATTR(x_last), .kind = ATTR_INT, .max = 1 },
	{ .name = "y_last", .help = "1: channels of Y and Z are their last axis",
	  .offset = ATTR(y_last), .kind = ATTR_INT, .max = 1 },
	{ .name = "x_zero", .help = "the zero point of X",
	  .offset = ATTR(x_zero), .kind = ATTR_INT, .min = INT8_MIN, .max = UINT8_MAX },
	{ .name = "y_scale", .help = "of a Y of bytes",
	  .offset = ATTR(y_scale), .kind = ATTR_FLOAT, .def = 1 },
	{ .name = "y_zero", .help = "the zero point of Y",
	  .offset = ATTR(y_zero), .kind = ATTR_INT, .min = INT8_MIN, .max = UINT8_MAX },
	{ .name = "z_scale", .help = "of a Z of bytes",
	  .offset = ATTR(z_scale), .kind = ATTR_FLOAT, .def = 1 },
	{ 0 },
};
/* w and what follows it are known to a plan */
#define KNOWN(name, n, shape)                                                  \
	"Cast<to=3>(Mul(Reshape(Sin(Range(0., " n ", 1.)), " name ":int64["    \
	shape "}), 100.))"
#define KNOWN_SMALL(name, n, shape)                                            \
	"Cast<to=3>(Mul(Reshape(Sin(Range(0., " n ", 1.)), " name ":int64["    \
	shape "}), 63.))"
#define CONV "y = predictd.ConvNarrow<x_last=1, y_last=1, "
static const struct op_case cases[] = {
	{ .name = "product", .graph = "y = predictd.ConvNarrow<x_last=1, y_last=1>"
		   "(, x:uint8[3,70], w:int8[24,70], s:float[1]={0.37}, b:float[24])" },
	{ .name = "product of one row, a scale a channel",
	  .graph = CONV "to=3, y_scale=0.9>(, x:int8[1,1,5], w:int8[3,5], "
		   "s:float[3]={0.37,0.21,1.03}, b:float[3])" },
	{ .name = "product, known",
	  .graph = CONV "to=2, y_scale=23.1, activation=\"Relu\">(, x:uint8[40,64], "
		   KNOWN("t", "2048.", "2]={32,64") ", s:float[1]={0.37})" },
	{ .name = "plain", .graph = "y = predictd.ConvNarrow<pads=[1,1,1,1]>"
		   "(, x:uint8[2,16,9,7], w:int8[24,16,3,3], s:float[1]={0.37}, b:float[24])" },
	{ .name = "plain, known, three channels",
	  .graph = "y = predictd.ConvNarrow<pads=[3,3,3,3], strides=[2,2], y_last=1, to=2, "
		   "y_scale=77.7>(, x:int8[1,3,22,18], "
		   KNOWN("t", "2352.", "4]={16,3,7,7") ", s:float[1]={0.37})" },
	{ .name = "to plain bytes",
	  .graph = "y = predictd.ConvNarrow<to=3, y_scale=1.93, x_last=1>"
		   "(, x:uint8[2,9,7,16], w:int8[24,16,1,1], s:float[1]={0.37}, b:float[24])" },
	{ .name = "Relu", .graph = CONV "pads=[1,1,1,1], activation=\"Relu\", to=2, "
		   "y_scale=0.93>(, x:uint8[2,9,7,16], w:int8[32,16,3,3], s:float[1]={0.37}, "
		   "b:float[32])" },
	{ .name = "residual", .graph = CONV "pads=[1,1,1,1], to=2, y_scale=0.93, z_scale=1.7, "
		   "activation=\"Relu\">(z:uint8[2,9,7,32], x:uint8[2,9,7,16], "
		   "w:int8[32,16,3,3], s:float[1]={0.37}, b:float[32])" },
	{ .name = "zero points and padding",
	  .graph = CONV "pads=[1,1,1,1], to=2, y_scale=93.1, y_zero=117, x_zero=13>"
		   "(, x:uint8[2,9,7,16], " KNOWN_SMALL("t", "4608.", "4]={32,16,3,3")
		   ", s:float[1]={0.37}, b:float[32])" },
	{ .name = "zero points, a channel a group",
	  .graph = CONV "pads=[1,1,1,1], group=32, strides=[2,2], to=3, y_scale=23.1, "
		   "y_zero=-7, x_zero=3, activation=\"Relu\">(, x:int8[1,9,7,32], "
		   KNOWN_SMALL("t", "288.", "4]={32,1,3,3") ", s:float[1]={0.37}, b:float[32])" },
	{ .name = "zero points of a product",
	  .graph = CONV "to=2, y_scale=23.17, y_zero=200, x_zero=100>(, x:uint8[40,64], "
		   KNOWN_SMALL("t", "2048.", "2]={32,64") ", s:float[1]={0.37})" },
	{ .name = "a zero point of three channels",
	  .graph = CONV "pads=[3,3,3,3], strides=[2,2], x_zero=114>(, x:uint8[1,22,18,3], "
		   KNOWN_SMALL("t", "2352.", "4]={16,3,7,7") ", s:float[1]={0.37})" },
	{ .name = "a zero point that is no byte of X",
	  .graph = CONV "x_zero=200>(, x:int8[3,70], w:int8[24,70], s:float[1])",
	  .want = ERR_INVALID },
	{ .name = "residual of another sign",
	  .graph = CONV "to=3, y_scale=0.93, z_scale=1.7>(z:uint8[1,5,5,16], "
		   "x:int8[1,5,5,16], w:int8[16,16,1,1], s:float[1]={0.37})" },
	{ .name = "residual of bytes, wide result",
	  .graph = CONV "z_scale=1.7, activation=\"Relu\">(z:int8[1,5,5,16], "
		   "x:int8[1,5,5,16], w:int8[16,16,1,1], s:float[1]={0.37}, b:float[16])" },
	{ .name = "residual of floats", .graph = CONV "activation=\"Relu\">"
		   "(z:float[1,5,5,16], x:int8[1,5,5,16], w:int8[16,16,1,1], "
		   "s:float[1]={0.37})" },
	{ .name = "residual, plain",
	  .graph = "y = predictd.ConvNarrow<to=3, y_scale=0.93, z_scale=1.7>"
		   "(z:uint8[1,16,5,5], x:int8[1,16,5,5], w:int8[16,16,1,1], "
		   "s:float[1]={0.37})" },
	{ .name = "Clip", .graph = CONV "activation=\"Clip\", beta=6.0, to=2, y_scale=0.093>"
		   "(, x:uint8[1,5,5,16], w:int8[16,16,1,1], s:float[1]={0.37})" },
	{ .name = "HardSwish", .graph = CONV "activation=\"HardSwish\", to=3, y_scale=0.93>"
		   "(, x:int8[1,5,5,16], w:int8[16,16,1,1], s:float[1]={0.37})" },
	{ .name = "Swish", .graph = CONV "activation=\"Swish\", alpha=1.0, to=3, y_scale=0.93>"
		   "(, x:int8[1,5,5,16], w:int8[16,16,1,1], s:float[1]={0.037})" },
	{ .name = "Sigmoid", .graph = CONV "activation=\"Sigmoid\">"
		   "(, x:int8[1,5,5,16], w:int8[16,16,1,1], s:float[1]={0.037})" },
	{ .name = "a group a channel",
	  .graph = CONV "group=24, pads=[1,1,1,1], activation=\"Clip\", beta=6.0, to=2, "
		   "y_scale=0.093>(, x:uint8[2,9,8,24], w:int8[24,1,3,3], s:float[1]={0.37}, "
		   "b:float[24])" },
	{ .name = "a group a channel, stride",
	  .graph = CONV "group=20, strides=[2,2], pads=[1,1,1,1], to=3, y_scale=0.93>"
		   "(, x:int8[1,9,8,20], w:int8[20,1,3,3], s:float[1]={0.37})" },
	{ .name = "groups", .graph = CONV "group=2>(, x:uint8[2,6,6,16], w:int8[16,8,3,3], "
		   "s:float[1]={0.37})" },
	{ .name = "stride and dilation",
	  .graph = CONV "strides=[2,1], dilations=[1,2], pads=[1,2,1,2]>"
		   "(, x:int8[1,9,11,16], w:int8[16,16,3,3], s:float[1]={0.37})" },
	{ .name = "sequence", .graph = CONV "pads=[2,2]>"
		   "(, x:uint8[2,21,16], w:int8[8,16,5], s:float[1]={0.37}, b:float[8])" },
	{ .name = "volume", .graph = CONV "pads=[1,1,1,1,1,1]>"
		   "(, x:uint8[1,4,5,5,8], w:int8[8,8,3,3,3], s:float[1]={0.37})" },
	{ .name = "sliced rows", .graph = CONV "strides=[2,2]>"
		   "(, x:uint8[1,33,33,64], w:int8[64,64,3,3], s:float[1]={0.37})" },
	{ .name = "sliced rows, padded",
	  .graph = CONV "pads=[1,1,1,1], to=2, y_scale=0.93, z_scale=0.7, "
		   "activation=\"Relu\">(z:uint8[1,32,32,64], x:uint8[1,32,32,64], "
		   "w:int8[64,64,3,3], s:float[1]={0.37})" },
	{ .name = "sliced rows, padded, steps",
	  .graph = CONV "pads=[2,2,1,2], strides=[2,2]>(, x:int8[1,41,40,64], "
		   "w:int8[64,64,5,5], s:float[1]={0.37}, b:float[64])" },
	{ .name = "known weights, signs",
	  .graph = CONV "pads=[1,1,1,1], to=3, y_scale=33.3>(, x:int8[2,9,10,16], "
		   KNOWN("t", "2304.", "4]={16,16,3,3") ", s:float[1]={0.37})" },
	{ .name = "weights for any CPU",
	  .graph = CONV "pads=[1,1,1,1], to=2, y_scale=33.3>(, x:uint8[2,9,10,16], "
		   KNOWN_SMALL("t", "2304.", "4]={16,16,3,3") ", s:float[1]={0.37})" },
	{ .name = "weights for any CPU, signs",
	  .graph = CONV "pads=[1,1,1,1], to=3, y_scale=33.3, z_scale=0.7, "
		   "activation=\"Relu\">(z:int8[2,9,10,16], x:int8[2,9,10,16], Mul("
		   KNOWN_SMALL("t", "2304.", "4]={16,16,3,3") ", Cast<to=3>(2)), "
		   "s:float[1]={0.37})" },
	{ .name = "bfloat16", .graph = CONV "pads=[1,1,1,1], activation=\"Relu\">"
		   "(, Cast<to=16>(x:float[1,9,10,16]), Cast<to=16>(w:float[32,16,3,3]), , "
		   "b:float[32])", .tolerance = 1e-4 },
	{ .name = "bfloat16, a product", .graph = CONV "to=16>"
		   "(, Cast<to=16>(x:float[7,50]), Cast<to=16>(w:float[32,50]), , b:float[32])",
	  .tolerance = 1e-2 },
	{ .name = "bfloat16, residual", .graph = CONV "to=16>"
		   "(Cast<to=16>(z:float[1,5,6,32]), Cast<to=16>(x:float[1,5,6,16]), "
		   "Cast<to=16>(w:float[32,16,1,1]))", .tolerance = 1e-2 },
	{ .name = "no batch", .graph = CONV "to=2>(, x:uint8[0,5,5,16], w:int8[16,16,1,1])" },
	{ .name = "too few channels", .want = ERR_SHAPE,
	  .graph = CONV "to=2>(, x:uint8[1,5,5,15], w:int8[16,16,1,1])" },
	{ .name = "another residual", .want = ERR_SHAPE,
	  .graph = CONV "to=2>(z:uint8[1,5,5,15], x:uint8[1,5,5,16], w:int8[16,16,1,1])" },
	{ .name = "a wide residual", .want = ERR_INVALID,
	  .graph = CONV "to=2>(z:float[1,5,5,16], x:uint8[1,5,5,16], w:int8[16,16,1,1])" },
	{ .name = "too few scales", .want = ERR_SHAPE,
	  .graph = CONV "to=2>(, x:uint8[1,5,5,16], w:int8[16,16,1,1], s:float[15])" },
	{ .name = "no epilogue", .want = ERR_INVALID,
	  .graph = CONV "activation=\"Nosuch\">(, x:uint8[1,5,5,16], w:int8[16,16,1,1])" },
	{ .name = "a scale of zero", .want = ERR_INVALID,
	  .graph = CONV "to=2, y_scale=0.0>(, x:uint8[1,5,5,16], w:int8[16,16,1,1])" },
	{ .name = "a plain product", .want = ERR_INVALID,
	  .graph = "y = predictd.ConvNarrow(, x:uint8[5,16], w:int8[16,16])" },
	{ .name = "mixed", .want = ERR_INVALID,
	  .graph = CONV "to=2>(, x:uint8[1,5,5,16], Cast<to=16>(w:float[16,16,1,1]))" },
	{ 0 },
};
/* clang-format on */

extern const struct op op_conv_narrow;
const struct op op_conv_narrow = {
	.domain = "predictd",
	.name = "ConvNarrow",
	.help = "Convolution or product of bytes or bfloat16, with its scales, "
		"bias, residual and activation.",
	.since = 1,
	.flags = OP_NO_GRADIENT | OP_ANY_TYPE,
	.in = in,
	.out = out,
	.attrs = attrs,
	.attrs_size = sizeof(struct conv_narrow_attrs),
	.infer = infer,
	.kernels = kernels,
	.cases = cases,
};
