/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Convolution of blocked values (blocked.h), with what follows it:
 *   Y = epilogue(Conv(X, W) + B + Z)
 * X is blocked, or plain, as thin images come; W is Conv's; Z has Y's shape.
 * Made by the pass `blocked` (engine/passes/blocked.c); W is a constant there,
 * so that kernels pack it.
 */
#include "engine/ops/blocked.h"

#include <string.h>

#include "engine/kernels/onednn/onednn.h"

enum err_code conv_blocked_epilogue(const struct conv_blocked_attrs *attrs,
				    struct epilogue *ret, struct err *err)
{
	ret->alpha = attrs->alpha;
	ret->beta = attrs->beta;
	if (epilogue_find(attrs->activation, &ret->kind))
		return ERR_NONE;
	return err_set(err, ERR_INVALID,
		       "attribute 'activation': expected an epilogue such as "
		       "Relu, got '%s'",
		       attrs->activation);
}

static bool has(unsigned n_in, const struct fact *in, unsigned i)
{
	return i < n_in && in[i].type.elem != DTYPE_NONE;
}

/* The channels' view of X; its blocks and lanes must be what W says. */
static enum err_code plain_x(const struct conv_blocked_attrs *attrs,
			     const struct shape *x, const struct shape *w,
			     struct shape *ret, struct err *err)
{
	char text[64];
	int64_t channels;

	*ret = *x;
	if (w->rank < 3 || x->rank == w->rank)
		return ERR_NONE; /* conv_init() has the checks */
	if (x->rank != w->rank + 1)
		return infer_fail(err,
				  "input 'X': expected rank %u, or %u with "
				  "lanes, got rank %u",
				  w->rank, w->rank + 1, x->rank);
	if (attrs->conv.group < 1 || w->dim[1] > INT32_MAX / attrs->conv.group)
		return err_set(err, ERR_INVALID,
			       "attribute 'group': expected 1 or more that "
			       "input 'X' can have, got %lld",
			       (long long)attrs->conv.group);
	channels = w->dim[1] * attrs->conv.group;
	*ret = blocked_plain(x, channels);
	if (attrs->lanes > 0 && x->dim[x->rank - 1] == attrs->lanes &&
	    x->dim[1] == blocked_count(channels, attrs->lanes))
		return ERR_NONE;
	return infer_fail(err,
			  "input 'X': expected %lld channels in blocks of "
			  "%lld, got %s",
			  (long long)channels, (long long)attrs->lanes,
			  shape_text(x, text, sizeof(text)));
}

static enum err_code geometry(const struct conv_blocked_attrs *attrs,
			      unsigned n_in, const struct fact *in,
			      struct conv_blocked *ret, struct err *err)
{
	const struct shape *x = &in[0].shape, *w = &in[1].shape;
	struct shape plain;
	enum err_code rc = plain_x(attrs, x, w, &plain, err);

	if (!rc)
		rc = conv_init(&attrs->conv, &plain, w, NULL, &ret->conv, err);
	if (!rc)
		rc = conv_blocked_epilogue(attrs, &ret->epilogue, err);
	if (rc)
		return rc;
	ret->lanes = attrs->lanes;
	ret->is_plain_in = x->rank == w->rank;
	ret->in_blocks = blocked_count(plain.dim[1], attrs->lanes);
	ret->out_blocks = blocked_count(w->dim[0], attrs->lanes);
	ret->has_bias = has(n_in, in, 2);
	ret->has_residual = has(n_in, in, 3);
	return ERR_NONE;
}

void conv_blocked_query(const struct kernel_query *query,
			struct conv_blocked *ret)
{
	enum err_code rc;

	*ret = (struct conv_blocked){ 0 };
	rc = geometry(query->attrs, query->n_in, query->in, ret, NULL);
	(void)rc; /* infer() has seen it pass */
	conv_lay_down(&ret->conv.window);
}

static enum err_code infer(struct infer *infer, struct err *err)
{
	const struct conv_blocked_attrs *attrs = infer->attrs;
	const struct shape *w = &infer->in[1].shape;
	struct shape *y = &infer->out[0].shape;
	struct conv_blocked g;
	char text[2][64];
	enum err_code rc;

	if (attrs->lanes < 1 || attrs->lanes > BLOCKED_MAX_LANES)
		return err_set(err, ERR_INVALID,
			       "attribute 'lanes': expected 1 to %d, got %lld",
			       BLOCKED_MAX_LANES, (long long)attrs->lanes);
	rc = geometry(attrs, infer->n_in, infer->in, &g, err);
	if (rc)
		return rc;
	if (g.has_bias && (infer->in[2].shape.rank != 1 ||
			   infer->in[2].shape.dim[0] != w->dim[0]))
		return infer_fail(err,
				  "input 'B': expected [%lld], one for each "
				  "channel out",
				  (long long)w->dim[0]);
	rc = window_shape(&g.conv.window, g.conv.batch, w->dim[0], y, err);
	if (rc)
		return rc;
	*y = blocked_shape(y, attrs->lanes);
	infer->out[0].has_shape = true;
	rc = shape_check(y, "output 'Y'", err);
	if (!rc && g.has_residual && !shape_equal(y, &infer->in[3].shape))
		rc = infer_fail(
		    err, "input 'Z': expected %s, got %s",
		    shape_text(y, text[0], sizeof(text[0])),
		    shape_text(&infer->in[3].shape, text[1], sizeof(text[1])));
	return rc;
}

/* Where channel c of image n begins, and how far its pixels lie apart. */
struct place {
	int64_t first, step;
};

static struct place place_of(int64_t n, int64_t c, int64_t blocks,
			     int64_t plane, int64_t lanes)
{
	return (struct place){
		((n * blocks + c / lanes) * plane) * lanes + c % lanes, lanes
	};
}

static struct place place_in(const struct conv_blocked *g, int64_t n, int64_t c)
{
	const struct conv *conv = &g->conv;

	if (g->is_plain_in)
		return (struct place){
			(n * conv->group * conv->c + c) * conv->window.n_in, 1
		};
	return place_of(n, c, g->in_blocks, conv->window.n_in, g->lanes);
}

/* sum[o] += w x over one tap's box */
static void add_tap(const struct window *win, int64_t tap, const float *x,
		    int64_t step, const double w_of_tap, double *sum)
{
	struct window_tap box;
	int64_t o, i;

	window_tap(win, tap, &box);
	for (int64_t row = 0; row < box.n_rows; row++) {
		window_row(win, &box, row, &o, &i);
		for (int64_t j = 0; j < box.hi[2] - box.lo[2]; j++)
			sum[o + j] +=
			    w_of_tap *
			    (double)x[(i + j * win->stride[2]) * step];
	}
}

/* One channel out of one image. */
static void channel(const struct conv_blocked *g,
		    const struct kernel_call *call, int64_t n, int64_t m,
		    double *sum)
{
	const struct conv *conv = &g->conv;
	const int64_t n_taps = conv->window.n_taps, n_out = conv->window.n_out;
	const float *w = (const float *)call->in[1] + m * conv->c * n_taps;
	const float *bias = g->has_bias ? call->in[2] : NULL;
	const float *z = g->has_residual ? call->in[3] : NULL;
	const struct place y = place_of(n, m, g->out_blocks, n_out, g->lanes);
	float *out = call->out[0];

	for (int64_t o = 0; o < n_out; o++)
		sum[o] = bias ? (double)bias[m] : 0;
	for (int64_t c = 0; c < conv->c; c++) {
		const struct place x =
		    place_in(g, n, m / conv->m * conv->c + c);

		for (int64_t k = 0; k < n_taps; k++)
			add_tap(&conv->window, k,
				(const float *)call->in[0] + x.first, x.step,
				(double)w[c * n_taps + k], sum);
	}
	for (int64_t o = 0; o < n_out; o++) {
		const int64_t at = y.first + o * y.step;

		out[at] = (float)epilogue_apply(
		    &g->epilogue, sum[o] + (z ? (double)z[at] : 0));
	}
}

static void run(const struct kernel_call *call, unsigned slice, void *scratch)
{
	const struct shape *y = &call->query->out[0].shape;
	struct conv_blocked g;

	(void)slice;
	conv_blocked_query(call->query, &g);
	memset(call->out[0], 0, tensor_bytes(DTYPE_F32, y));
	for (int64_t n = 0; n < g.conv.batch; n++)
		for (int64_t m = 0; m < g.conv.group * g.conv.m; m++)
			channel(&g, call, n, m, scratch);
}

static double cost(const struct kernel_query *query)
{
	struct conv_blocked g;

	conv_blocked_query(query, &g);
	return 1 + conv_flops(&g.conv) * 2e-3;
}

static enum err_code prepare(const struct kernel_query *query,
			     struct kernel_setup *ret, struct err *err)
{
	struct conv_blocked g;

	(void)err;
	conv_blocked_query(query, &g);
	ret->scratch_bytes = (size_t)g.conv.window.n_out * sizeof(double);
	return ERR_NONE;
}

static const struct kernel conv_blocked_plain = {
	.name = "conv_blocked.plain",
	.flags = KERNEL_QUICK,
	.cost = cost,
	.prepare = prepare,
	.run = run,
};
static const struct kernel *const kernels[] = {
	&conv_blocked_winograd,
	&conv_blocked_onednn,
	&conv_blocked_direct,
	&conv_blocked_plain,
	NULL,
};

static const struct port in[] = {
	{ "X", "T:float", 0 },
	{ "W", "T", 0 },
	{ "B", "T", PORT_OPTIONAL },
	{ "Z", "T", PORT_OPTIONAL },
	{ 0 },
};
static const struct port out[] = { { "Y", "T", 0 }, { 0 } };

/* clang-format off */
#define WINDOW(member) offsetof(struct conv_blocked_attrs, conv.window.member)
static const struct op_attr attrs[] = {
	{ .name = "activation", .help = "the epilogue, such as Relu",
	  .offset = offsetof(struct conv_blocked_attrs, activation), .kind = ATTR_STRING,
	  .def_text = "" },
	{ .name = "alpha", .help = "of the epilogue",
	  .offset = offsetof(struct conv_blocked_attrs, alpha), .kind = ATTR_FLOAT },
	{ .name = "auto_pad", .help = "as in Conv",
	  .offset = WINDOW(auto_pad), .kind = ATTR_STRING, .def_text = "NOTSET" },
	{ .name = "beta", .help = "of the epilogue",
	  .offset = offsetof(struct conv_blocked_attrs, beta), .kind = ATTR_FLOAT },
	{ .name = "dilations", .help = "as in Conv",
	  .offset = WINDOW(dilations), .kind = ATTR_INTS, .min = 1, .max = INT32_MAX },
	{ .name = "group", .help = "as in Conv",
	  .offset = offsetof(struct conv_blocked_attrs, conv.group), .kind = ATTR_INT, .min = 1,
	  .max = INT32_MAX, .def = 1 },
	{ .name = "kernel_shape", .help = "as in Conv",
	  .offset = WINDOW(kernel_shape), .kind = ATTR_INTS, .min = 1, .max = INT32_MAX },
	{ .name = "lanes", .help = "channels of a block",
	  .offset = offsetof(struct conv_blocked_attrs, lanes), .kind = ATTR_INT,
	  .flags = ATTR_REQUIRED, .min = 1, .max = BLOCKED_MAX_LANES },
	{ .name = "pads", .help = "as in Conv",
	  .offset = WINDOW(pads), .kind = ATTR_INTS, .max = INT32_MAX },
	{ .name = "strides", .help = "as in Conv",
	  .offset = WINDOW(strides), .kind = ATTR_INTS, .min = 1, .max = INT32_MAX },
	{ 0 },
};

/* w and b of n numbers that a plan knows */
#define KNOWN(name, n, shape) \
	"Reshape(Sin(Range(0., " n ", 1.)), " name ":int64[" shape "})"
#define CONV "y = predictd.ConvBlocked<lanes=8, "
static const struct op_case cases[] = {
	{ .name = "one tap", .graph = CONV "kernel_shape=[1,1]>"
		   "(x:float[2,2,5,7,8], w:float[24,16,1,1])" },
	{ .name = "bias, padding and Relu",
	  .graph = CONV "pads=[1,1,1,1], activation=\"Relu\">"
		   "(x:float[2,2,9,7,8], w:float[16,16,3,3], b:float[16])" },
	{ .name = "residual",
	  .graph = CONV "pads=[1,1,1,1], activation=\"Relu\">"
		   "(x:float[2,2,6,7,8], w:float[16,16,3,3], b:float[16], z:float[2,2,6,7,8])" },
	{ .name = "residual alone",
	  .graph = CONV "pads=[1,1,1,1]>"
		   "(x:float[1,3,10,8,8], w:float[8,24,3,3], , z:float[1,1,10,8,8])" },
	{ .name = "a part of a block",
	  .graph = CONV "pads=[1,1,1,1], activation=\"Relu\">"
		   "(x:float[1,2,8,8,8], w:float[11,13,3,3], b:float[11])" },
	{ .name = "plain input",
	  .graph = CONV "pads=[3,3,3,3], strides=[2,2]>"
		   "(x:float[2,3,19,17], w:float[16,3,7,7], b:float[16])" },
	{ .name = "one channel",
	  .graph = CONV "pads=[1,1,1,1], activation=\"Relu\">"
		   "(x:float[2,1,14,14], w:float[32,1,3,3], b:float[32])" },
	{ .name = "stride and dilation",
	  .graph = CONV "strides=[2,1], dilations=[1,2], pads=[1,2,1,2]>"
		   "(x:float[1,2,9,11,8], w:float[16,16,3,3])" },
	{ .name = "a group a channel",
	  .graph = CONV "group=24, pads=[1,1,1,1], activation=\"Clip\", beta=6.0>"
		   "(x:float[2,3,9,8,8], w:float[24,1,3,3], b:float[24])" },
	{ .name = "a group a channel, a part of a block",
	  .graph = CONV "group=20, strides=[2,2], pads=[1,1,1,1]>"
		   "(x:float[1,3,9,8,8], w:float[20,1,3,3], b:float[20])" },
	{ .name = "groups", .graph = CONV "group=2>"
		   "(x:float[2,2,6,6,8], w:float[16,8,3,3], b:float[16])" },
	{ .name = "sequence",
	  .graph = CONV "pads=[2,2], activation=\"Sigmoid\">"
		   "(x:float[2,2,21,8], w:float[8,16,5], b:float[8])" },
	{ .name = "volume", .graph = CONV "pads=[1,1,1,1,1,1]>"
		   "(x:float[1,1,4,5,5,8], w:float[8,8,3,3,3])" },
	{ .name = "LeakyRelu", .graph = CONV "activation=\"LeakyRelu\", alpha=0.1>"
		   "(x:float[1,1,5,5,8], w:float[8,8,1,1])" },
	{ .name = "HardSwish", .graph = CONV "activation=\"HardSwish\">"
		   "(x:float[1,1,5,5,8], w:float[8,8,1,1], b:float[8])" },
	{ .name = "HardSigmoid", .graph = CONV "activation=\"HardSigmoid\", alpha=0.2, beta=0.5>"
		   "(x:float[1,1,5,5,8], w:float[8,8,1,1])" },
	{ .name = "Swish", .graph = CONV "activation=\"Swish\", alpha=1.0>"
		   "(x:float[1,1,5,5,8], w:float[8,8,1,1])" },
	{ .name = "Tanh", .graph = CONV "activation=\"Tanh\">"
		   "(x:float[1,1,5,5,8], w:float[8,8,1,1])" },
	{ .name = "medium", .graph = CONV "pads=[1,1,1,1], activation=\"Relu\">"
		   "(x:float[3,4,21,19,8], w:float[32,32,3,3], b:float[32])" },
	{ .name = "five taps of a few channels",
	  .graph = CONV "pads=[2,2,2,2], activation=\"HardSwish\">"
		   "(x:float[2,1,6,14,8], w:float[16,5,5,5], b:float[16], z:float[2,2,6,14,8])" },
	{ .name = "uneven padding, stride",
	  .graph = CONV "pads=[1,3,0,1], strides=[1,2]>"
		   "(x:float[1,2,7,16,8], w:float[8,11,3,5])" },
	{ .name = "wide lanes",
	  .graph = "y = predictd.ConvBlocked<lanes=16, pads=[1,1,1,1], activation=\"Relu\">"
		   "(x:float[1,2,9,10,16], w:float[32,32,3,3], b:float[32])" },
	{ .name = "known weights", .graph = CONV "pads=[1,1,1,1], activation=\"Relu\">"
		   "(x:float[2,2,9,10,8], " KNOWN("s", "1152.", "4]={8,16,3,3") ", "
		   KNOWN("t", "8.", "1]={8") ", z:float[2,1,9,10,8])" },
	{ .name = "known, dilated far into the padding",
	  .graph = CONV "pads=[5,5,5,5], dilations=[5,5], activation=\"HardSwish\">"
		   "(x:float[1,2,4,7,8], " KNOWN("s", "3744.", "4]={26,16,3,3") ")" },
	{ .name = "known, strides", .graph = CONV "strides=[3,2], pads=[2,1,1,0], "
		   "activation=\"Clip\", alpha=-0.5, beta=1.0>"
		   "(x:float[1,3,11,14,8], " KNOWN("s", "3000.", "4]={25,20,3,2") ")" },
	{ .name = "known, one tap", .graph = CONV "activation=\"LeakyRelu\", alpha=0.1>"
		   "(x:float[2,2,13,11,8], " KNOWN("s", "384.", "4]={24,16,1,1") ", "
		   KNOWN("t", "24.", "1]={24") ")" },
	{ .name = "known, one tap that steps into the padding",
	  .graph = CONV "strides=[1,2], pads=[0,0,0,1]>"
		   "(x:float[1,1,3,2,8], " KNOWN("s", "64.", "4]={8,8,1,1") ")" },
	{ .name = "known, a part of a block that zero would leave",
	  .graph = CONV "activation=\"Sigmoid\">"
		   "(x:float[1,1,3,2,8], " KNOWN("s", "88.", "4]={11,8,1,1") ")" },
	{ .name = "known, groups", .graph = CONV "group=2, pads=[1,1,1,1], activation=\"Tanh\">"
		   "(x:float[1,2,6,5,8], " KNOWN("s", "1728.", "4]={24,8,3,3") ")" },
	{ .name = "known, two groups", .graph = CONV "group=2, pads=[1,1,1,1]>"
		   "(x:float[1,2,6,5,8], " KNOWN("s", "1152.", "4]={16,8,3,3") ")" },
	{ .name = "known, a group a channel",
	  .graph = CONV "group=20, pads=[2,2,2,2], dilations=[2,2], activation=\"Swish\", "
		   "alpha=1.0>"
		   "(x:float[2,3,7,9,8], " KNOWN("s", "180.", "4]={20,1,3,3") ", "
		   KNOWN("t", "20.", "1]={20") ")" },
	{ .name = "known, a sequence", .graph = CONV "pads=[4,0], activation=\"Sigmoid\">"
		   "(x:float[2,2,21,8], " KNOWN("s", "640.", "3]={8,16,5") ")" },
	{ .name = "no batch", .graph = CONV "pads=[1,1,1,1]>"
		   "(x:float[0,1,8,8,8], w:float[8,8,3,3])" },
	{ .name = "other lanes", .graph = CONV "pads=[1,1,1,1]>"
		   "(x:float[1,1,8,8,16], w:float[8,8,3,3])", .want = ERR_SHAPE },
	{ .name = "other channels", .graph = CONV "pads=[1,1,1,1]>"
		   "(x:float[1,1,8,8,8], w:float[8,24,3,3])", .want = ERR_SHAPE },
	{ .name = "another residual", .graph = CONV "pads=[1,1,1,1]>"
		   "(x:float[1,1,8,8,8], w:float[8,8,3,3], , z:float[1,1,8,9,8])",
	  .want = ERR_SHAPE },
	{ .name = "unknown epilogue", .graph = CONV "activation=\"Gelu\">"
		   "(x:float[1,1,8,8,8], w:float[8,8,3,3])", .want = ERR_INVALID },
	{ .name = "no rank", .graph = CONV "pads=[1,1]>(x:float[1,8], w:float[8,8,3])",
	  .want = ERR_SHAPE },
	{ 0 },
};
/* clang-format on */

extern const struct op op_conv_blocked;
const struct op op_conv_blocked = {
	.domain = "predictd",
	.name = "ConvBlocked",
	.help = "Convolution of channels in blocks, with its epilogue.",
	.since = 1,
	.flags = OP_NO_GRADIENT,
	.in = in,
	.out = out,
	.attrs = attrs,
	.attrs_size = sizeof(struct conv_blocked_attrs),
	.infer = infer,
	.kernels = kernels,
	.cases = cases,
};
