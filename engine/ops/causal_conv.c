/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * CausalConvWithState: each channel convolved with a kernel of its own, over
 * what was and never over what comes.
 *
 *   y[t] = f(bias + sum over j < k of w[j] e[t + j]),   e = past, then x
 * where past holds k - 1 elements (zeros when it is not given) and f is x or
 * silu(x) = x / (1 + exp(-x)). The second result is the last k - 1 of e.
 * The gradient is that of a Conv over e in groups of one channel.
 */
#include <math.h>
#include <string.h>

#include "engine/autodiff.h"
#include "engine/kernel.h"
#include "engine/ops/conv.h"
#include "engine/ops/reshape.h"

enum { MAX_SLICES = 16, SLICE_PRODUCTS = 1 << 14 };

struct causal_attrs {
	const char *activation;
};

struct causal {
	int64_t n_rows, n_channels, length, k;
	bool has_bias, has_past, is_silu;
};

#define T float
#define EXP expf
#define NAME(x) x##_f32
#include "engine/ops/causal_conv_typed.h"

#define T double
#define EXP exp
#define NAME(x) x##_f64
#include "engine/ops/causal_conv_typed.h"

static bool has(const struct fact *in, unsigned n_in, unsigned i)
{
	return i < n_in && in[i].type.elem != DTYPE_NONE;
}

static struct causal query_causal(const struct kernel_query *query)
{
	const struct causal_attrs *attrs = query->attrs;
	const struct shape *x = &query->in[0].shape;

	return (struct causal){
		.n_rows = x->dim[0] * x->dim[1],
		.n_channels = x->dim[1],
		.length = x->dim[2],
		.k = query->in[1].shape.dim[2],
		.has_bias = has(query->in, query->n_in, 2),
		.has_past = has(query->in, query->n_in, 3),
		.is_silu = strcmp(attrs->activation, "none") != 0,
	};
}

static void run(const struct kernel_call *call, unsigned slice, void *scratch)
{
	const struct causal g = query_causal(call->query);
	const bool is_f64 = call->query->in[0].type.elem == DTYPE_F64;
	int64_t first, last;

	(void)scratch;
	kernel_slice(g.n_rows, call->n_slices, slice, &first, &last);
	for (int64_t i = first; i < last; i++) {
		if (is_f64)
			row_f64(&g, call, i);
		else
			row_f32(&g, call, i);
	}
}

static enum err_code prepare(const struct kernel_query *query,
			     struct kernel_setup *ret, struct err *err)
{
	const struct causal g = query_causal(query);
	int64_t n = g.n_rows * g.length / SLICE_PRODUCTS;

	(void)err;
	n = n > g.n_rows ? g.n_rows : n;
	ret->n_slices = n < 1 ? 1 : n > MAX_SLICES ? MAX_SLICES : (unsigned)n;
	return ERR_NONE;
}

static double cost(const struct kernel_query *query)
{
	const struct causal g = query_causal(query);

	return 0.2 +
	       (double)g.n_rows * (double)g.length * (double)(g.k + 4) * 3e-4;
}

static enum err_code expect(const struct infer *infer, unsigned i,
			    const struct shape *want, struct err *err)
{
	static const char *const names[] = { "input", "weight", "bias",
					     "past_state" };
	char text[2][64];

	if (!has(infer->in, infer->n_in, i) ||
	    shape_equal(&infer->in[i].shape, want))
		return ERR_NONE;
	return infer_fail(
	    err, "input '%s': expected %s, got %s", names[i],
	    shape_text(want, text[0], sizeof(text[0])),
	    shape_text(&infer->in[i].shape, text[1], sizeof(text[1])));
}

static enum err_code check_shapes(const struct infer *infer, struct shape *past,
				  struct err *err)
{
	const struct shape *x = &infer->in[0].shape;
	const struct shape *w = &infer->in[1].shape;
	const struct shape bias = { 1, { x->dim[1] } };
	struct shape weight = { 3, { x->dim[1], 1, 1 } };
	enum err_code rc;

	if (x->rank != 3)
		return infer_fail(err,
				  "input 'input': expected [batch, channels, "
				  "length], got rank %u",
				  x->rank);
	if (w->rank == 3 && w->dim[2] > 0)
		weight.dim[2] = w->dim[2];
	*past =
	    (struct shape){ 3, { x->dim[0], x->dim[1], weight.dim[2] - 1 } };
	rc = expect(infer, 1, &weight, err);
	if (!rc)
		rc = expect(infer, 2, &bias, err);
	if (!rc)
		rc = expect(infer, 3, past, err);
	return rc;
}

static enum err_code causal_infer(struct infer *infer, struct err *err)
{
	const struct causal_attrs *attrs = infer->attrs;
	struct shape past;
	enum err_code rc;

	if (strcmp(attrs->activation, "none") != 0 &&
	    strcmp(attrs->activation, "silu") != 0 &&
	    strcmp(attrs->activation, "swish") != 0)
		return err_set(err, ERR_INVALID,
			       "attribute 'activation': expected none, silu or "
			       "swish, got '%.40s'",
			       attrs->activation);
	rc = check_shapes(infer, &past, err);
	if (!rc && infer->n_out > 1) {
		infer->out[1].shape = past;
		infer->out[1].has_shape = true;
		rc = shape_check(&past, "output 'present_state'", err);
	}
	return rc ? rc : infer_same(infer, err);
}

struct causal_grad {
	struct vjp *vjp;
	struct shape x, w, e;
	int32_t whole, dz; /* e, and the gradient of what f is given */
};

static int32_t make_whole(const struct causal_grad *g)
{
	struct build *build = g->vjp->build;
	const bool has_past =
	    g->vjp->node->n_in > 3 && g->vjp->in[3] != VALUE_NONE;
	const struct shape past = {
		3, { g->x.dim[0], g->x.dim[1], g->w.dim[2] - 1 }
	};
	struct build_name in[2] = { { "p", VALUE_NONE },
				    { "x", g->vjp->in[0] } };
	struct build_name out = { "e", VALUE_NONE };

	in[0].value =
	    has_past
		? g->vjp->in[3]
		: build_2(build, "Expand",
			  build_scalar(
			      build,
			      build_fact(build, g->vjp->in[0])->type.elem, 0),
			  build_ints(build, past.dim, 3));
	build_text(build, "e = Concat<axis=2>(p, x)", in, 2, NULL, &out, 1);
	return out.value;
}

/* dy, or through silu: dy s (1 + z (1 - s)), s = sigmoid(z) */
static int32_t make_dz(const struct causal_grad *g,
		       const struct conv_attrs *conv)
{
	const struct causal_attrs *attrs = g->vjp->attrs;
	struct build *build = g->vjp->build;
	const bool has_bias =
	    g->vjp->node->n_in > 2 && g->vjp->in[2] != VALUE_NONE;
	const int32_t conv_in[3] = { g->whole, g->vjp->in[1],
				     has_bias ? g->vjp->in[2] : VALUE_NONE };
	struct build_name in[2] = { { "dy", g->vjp->grad_out[0] },
				    { "z", VALUE_NONE } };
	struct build_name out = { "dz", VALUE_NONE };

	if (!strcmp(attrs->activation, "none"))
		return g->vjp->grad_out[0];
	in[1].value =
	    build_node(build, "Conv", conv, conv_in, has_bias ? 3 : 2);
	build_text(build,
		   "s = Sigmoid(z); "
		   "t = Add(Mul(z, Sub(1, s)), 1); dz = Mul(dy, Mul(s, t))",
		   in, 2, NULL, &out, 1);
	return out.value;
}

/* rows `from` to `to` of de */
static int32_t cut(struct build *build, int32_t de, int64_t from, int64_t to)
{
	const int64_t axis = 2;
	const int32_t in[4] = { de, build_ints(build, &from, 1),
				build_ints(build, &to, 1),
				build_ints(build, &axis, 1) };

	return build_node(build, "Slice", NULL, in, 4);
}

static void make_grads(const struct causal_grad *g, struct conv_attrs *conv)
{
	struct vjp *vjp = g->vjp;
	struct build *build = vjp->build;
	const int64_t n_past = g->w.dim[2] - 1;
	const int32_t to_data[2] = { g->dz, vjp->in[1] };
	const int32_t to_weights[2] = { g->dz, g->whole };
	const struct shape channels = { 3, { 1, g->x.dim[1], 1 } };
	int32_t de;

	if (vjp->wanted[1])
		vjp->grad_in[1] =
		    build_node(build, "ConvGradWeights", conv, to_weights, 2);
	conv->shape = (struct attr_ints){ 3, g->e.dim };
	de = build_node(build, "ConvGradData", conv, to_data, 2);
	if (vjp->wanted[0])
		vjp->grad_in[0] = cut(build, de, n_past, g->e.dim[2]);
	if (vjp->node->n_in > 2 && vjp->in[2] != VALUE_NONE && vjp->wanted[2])
		vjp->grad_in[2] = build_reshape_like(
		    build,
		    build_2(build, "SumTo", g->dz,
			    build_reshape(build, vjp->in[2], &channels)),
		    vjp->in[2]);
	if (vjp->node->n_in > 3 && vjp->in[3] != VALUE_NONE && vjp->wanted[3])
		vjp->grad_in[3] = cut(build, de, 0, n_past);
}

static enum err_code causal_vjp(struct vjp *vjp, struct err *err)
{
	struct causal_grad g = {
		.vjp = vjp,
		.x = build_fact(vjp->build, vjp->in[0])->shape,
		.w = build_fact(vjp->build, vjp->in[1])->shape,
	};
	struct conv_attrs conv = { .group = g.x.dim[1] };

	if (vjp->node->n_out > 1 && vjp->grad_out[1] != VALUE_NONE)
		return err_set(err, ERR_UNSUPPORTED,
			       "CausalConvWithState: only its first result has "
			       "a gradient");
	/* nothing depends on anything */
	if (vjp->grad_out[0] == VALUE_NONE || !shape_count(&g.x))
		return ERR_NONE;
	g.e = g.x;
	g.e.dim[2] += g.w.dim[2] - 1;
	conv.window.auto_pad = "NOTSET";
	conv.window.kernel_shape = (struct attr_ints){ 1, &g.w.dim[2] };
	g.whole = make_whole(&g);
	g.dz = make_dz(&g, &conv);
	make_grads(&g, &conv);
	return build_check(vjp->build, err);
}

static const struct kernel causal_kernel = {
	.name = "causal_conv.plain",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE,
	.cost = cost,
	.prepare = prepare,
	.run = run,
};
static const struct kernel *const kernels[] = { &causal_kernel, NULL };

static const struct port causal_in[] = {
	{ "input", "T:float,double,float16,bfloat16", 0 },
	{ "weight", "T", 0 },
	{ "bias", "T", PORT_OPTIONAL },
	{ "past_state", "T", PORT_OPTIONAL },
	{ 0 },
};
static const struct port causal_out[] = {
	{ "output", "T", 0 },
	{ "present_state", "T", PORT_OPTIONAL },
	{ 0 },
};

/* clang-format off */
static const struct op_attr attrs[] = {
	{ .name = "activation", .help = "none, silu or swish (the same as silu)",
	  .offset = offsetof(struct causal_attrs, activation), .kind = ATTR_STRING,
	  .def_text = "none" },
	{ 0 },
};

static const struct op_case cases[] = {
	{ .name = "no past",
	  .graph = "y, s = CausalConvWithState(x:float[2,3,7], w:float[3,1,4])" },
	{ .name = "past and bias",
	  .graph = "y, s = CausalConvWithState(x:float[2,3,7], w:float[3,1,4], b:float[3], "
		   "p:float[2,3,3])" },
	{ .name = "silu",
	  .graph = "y = CausalConvWithState<activation=\"silu\">(x:float[2,3,7], w:float[3,1,4], "
		   "b:float[3])" },
	{ .name = "one step",
	  .graph = "y, s = CausalConvWithState<activation=\"swish\">(x:float[2,3,1], "
		   "w:float[3,1,4], , p:float[2,3,3])" },
	{ .name = "shorter than the kernel",
	  .graph = "y, s = CausalConvWithState(x:float[1,2,2], w:float[2,1,6], , "
		   "p:float[1,2,5])" },
	{ .name = "kernel of one",
	  .graph = "y, s = CausalConvWithState(x:float[1,2,5], w:float[2,1,1])" },
	{ .name = "double",
	  .graph = "y = CausalConvWithState(x:double[2,3,7], w:double[3,1,4])" },
	{ .name = "many rows",
	  .graph = "y, s = CausalConvWithState(x:float[3,40,300], w:float[40,1,4])" },
	{ .name = "no steps",
	  .graph = "y, s = CausalConvWithState(x:float[1,2,0], w:float[2,1,3], , "
		   "p:float[1,2,2])" },
	{ .name = "no channels",
	  .graph = "y, s = CausalConvWithState(x:float[1,0,3], w:float[0,1,2])" },
	{ .name = "no kernel", .graph = "y = CausalConvWithState(x:float[1,2,3], w:float[2,1,0])",
	  .want = ERR_SHAPE },
	{ .name = "rank 2", .graph = "y = CausalConvWithState(x:float[2,3], w:float[2,1,2])",
	  .want = ERR_SHAPE },
	{ .name = "other channels",
	  .graph = "y = CausalConvWithState(x:float[1,2,3], w:float[3,1,2])", .want = ERR_SHAPE },
	{ .name = "past too long",
	  .graph = "y = CausalConvWithState(x:float[1,2,3], w:float[2,1,2], , p:float[1,2,2])",
	  .want = ERR_SHAPE },
	{ .name = "bias too long",
	  .graph = "y = CausalConvWithState(x:float[1,2,3], w:float[2,1,2], b:float[3])",
	  .want = ERR_SHAPE },
	{ .name = "another activation",
	  .graph = "y = CausalConvWithState<activation=\"relu\">(x:float[1,2,3], w:float[2,1,2])",
	  .want = ERR_INVALID },
	{ 0 },
};
/* clang-format on */

extern const struct op op_causal_conv_with_state;
const struct op op_causal_conv_with_state = {
	.domain = "",
	.name = "CausalConvWithState",
	.help = "Each channel convolved with its own past.",
	.since = 27,
	.in = causal_in,
	.out = causal_out,
	.attrs = attrs,
	.attrs_size = sizeof(struct causal_attrs),
	.infer = causal_infer,
	.kernels = kernels,
	.vjp = causal_vjp,
	.cases = cases,
};
