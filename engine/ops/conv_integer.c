/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * ConvInteger and QLinearConv: the rows, and what their kernels share.
 * conv_integer.h has the formulas.
 */
#include "engine/ops/conv_integer.h"

#include <string.h>

#include "engine/ops/quantize.h"

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

static struct byte_factor factor_of(const struct kernel_call *call, unsigned i)
{
	const struct kernel_query *q = call->query;

	if (!has(q->in, q->n_in, i))
		return (struct byte_factor){ DTYPE_F32, NULL, 1 };
	return (struct byte_factor){ q->in[i].type.elem, call->in[i],
				     shape_count(&q->in[i].shape) };
}

void byte_conv_query(const struct kernel_query *query, struct conv *ret)
{
	const struct shape *w = &query->in[places_of(query->op)->w].shape;
	const enum err_code rc =
	    conv_init(query->attrs, &query->in[0].shape, w, NULL, ret, NULL);

	(void)rc; /* infer() has seen it pass */
}

void byte_conv_init(const struct kernel_call *call, struct byte_conv *ret)
{
	const struct kernel_query *q = call->query;
	const struct places *at = places_of(q->op);
	const struct byte_factor x_zero = factor_of(call, at->x_zero);

	*ret = (struct byte_conv){
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
	byte_conv_query(q, &ret->g);
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

static const struct kernel *const conv_integer_kernels[] = {
	&conv_integer_bytes, &conv_integer_plain, NULL
};

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
	{ .name = "strides and dilations, wide windows",
	  .graph = "y = ConvInteger<strides=[2,3], dilations=[3,2], pads=[4,3,5,2]>("
		   "x:uint8[2,3,19,70], w:uint8[7,3,3,4], z:uint8[]={2}, v:uint8[7])" },
	{ .name = "a step far beyond the input",
	  .graph = "y = ConvInteger<strides=[2000000000,2000000000]>("
		   "x:uint8[1,2,5,5], w:uint8[3,2,2,2], z:uint8[])" },
	{ .name = "strides over three axes",
	  .graph = "y = ConvInteger<strides=[2,1,2], pads=[1,1,1,1,1,1]>(x:int8[1,2,5,6,9], "
		   "w:int8[3,2,3,2,3], z:int8[]={-1})" },
	{ .name = "a stride wider than the window",
	  .graph = "y = ConvInteger<strides=[3,2]>(x:uint8[1,5,10,11], w:int8[4,5,1,1])" },
	{ .name = "each channel by itself",
	  .graph = "y = ConvInteger<group=6, pads=[1,1,1,1]>(x:uint8[2,6,5,9], w:int8[6,1,3,3], "
		   "z:uint8[]={1})" },
	{ .name = "padding alone", .graph = "y = ConvInteger<pads=[3,3,3,3]>(x:uint8[1,1,2,2], "
		   "w:int8[1,1,2,2], z:uint8[]={3})" },
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
