/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * LRN: each element by the squares of its neighbours in other channels
 * (section 3.3 of Krizhevsky, Sutskever, Hinton: ImageNet Classification with
 * Deep Convolutional Neural Networks).
 *
 *   y = x z^-beta,   z = bias + alpha / size * (sum of x^2 over the window)
 *   dx = dy z^-beta - 2 alpha beta / size x B'(dy x z^-(beta + 1))
 * The window of channel c is c - floor((size - 1) / 2) to c + ceil((size - 1)
 * / 2); B' sums over the channels whose windows hold c. The gradient has it as
 * a product with a matrix of [channels, channels].
 */
#include <math.h>

#include "base/mem.h"
#include "engine/autodiff.h"
#include "engine/kernel.h"
#include "engine/ops/reshape.h"

enum { MAX_SLICES = 16, SLICE_ELEMENTS = 1 << 12, MAX_GRAD_CHANNELS = 8192 };

struct lrn_attrs {
	double alpha, beta, bias;
	int64_t size;
};

struct lrn {
	int64_t n_rows, n_channels, inner, before, after;
	double factor, beta, bias;
};

#define T float
#define NAME(x) x##_f32
#include "engine/ops/lrn_typed.h"

#define T double
#define NAME(x) x##_f64
#include "engine/ops/lrn_typed.h"

static struct lrn read_lrn(const struct shape *x, const struct lrn_attrs *attrs)
{
	return (struct lrn){
		.n_rows = x->dim[0] * x->dim[1],
		.n_channels = x->dim[1],
		.inner = shape_range(x, 2, x->rank),
		.before = (attrs->size - 1) / 2,
		.after = attrs->size / 2,
		.factor = attrs->alpha / (double)attrs->size,
		.beta = attrs->beta,
		.bias = attrs->bias,
	};
}

static void run(const struct kernel_call *call, unsigned slice, void *scratch)
{
	const struct lrn g =
	    read_lrn(&call->query->in[0].shape, call->query->attrs);
	const bool is_f64 = call->query->in[0].type.elem == DTYPE_F64;
	int64_t first, last;

	kernel_slice(g.n_rows, call->n_slices, slice, &first, &last);
	for (int64_t i = first; i < last; i++) {
		const int64_t c = i % g.n_channels, at = (i - c) * g.inner;

		if (is_f64)
			channel_f64(&g, (const double *)call->in[0] + at, c,
				    scratch, (double *)call->out[0] + at);
		else
			channel_f32(&g, (const float *)call->in[0] + at, c,
				    scratch, (float *)call->out[0] + at);
	}
}

static enum err_code prepare(const struct kernel_query *query,
			     struct kernel_setup *ret, struct err *err)
{
	const struct lrn g = read_lrn(&query->in[0].shape, query->attrs);
	int64_t n = g.n_rows * g.inner / SLICE_ELEMENTS;

	(void)err;
	n = n > g.n_rows ? g.n_rows : n;
	ret->n_slices = n < 1 ? 1 : n > MAX_SLICES ? MAX_SLICES : (unsigned)n;
	ret->scratch_bytes = (size_t)g.inner * sizeof(double);
	return ERR_NONE;
}

static double cost(const struct kernel_query *query)
{
	return 0.1 + (double)shape_count(&query->in[0].shape) * 2e-2;
}

static enum err_code lrn_infer(struct infer *infer, struct err *err)
{
	const struct shape *x = &infer->in[0].shape;

	if (x->rank < 2)
		return infer_fail(err,
				  "input 'X': expected [batch, channels, ...], "
				  "got rank %u",
				  x->rank);
	return infer_same(infer, err);
}

/* [channels, channels]: 1 where the row's window holds the column */
static int32_t make_band(struct build *build, const struct lrn *g)
{
	const int64_t n = g->n_channels;
	struct tensor_view view = { .dtype = DTYPE_F32,
				    .shape = { 2, { n, n } } };
	float *band = arena_array(build->graph->arena, (size_t)(n * n) + 1,
				  sizeof(*band));

	if (!band)
		return VALUE_NONE;
	for (int64_t i = 0; i < n * n; i++) {
		const int64_t off = i % n - i / n;

		band[i] = off >= -g->before && off <= g->after ? 1 : 0;
	}
	view.data = band;
	return build_const(build, &view);
}

static enum err_code lrn_vjp(struct vjp *vjp, struct err *err)
{
	struct build *build = vjp->build;
	const struct fact x = *build_fact(build, vjp->in[0]);
	const struct lrn g = read_lrn(&x.shape, vjp->attrs);
	const struct shape flat = { 3,
				    { x.shape.dim[0], g.n_channels, g.inner } };
	struct build_name in[] = {
		{ "x", VALUE_NONE },	{ "dy", VALUE_NONE },
		{ "band", VALUE_NONE }, { "factor", VALUE_NONE },
		{ "bias", VALUE_NONE }, { "beta", VALUE_NONE },
	};
	struct build_name out = { "dx", VALUE_NONE };

	if (g.n_channels > MAX_GRAD_CHANNELS)
		return err_set(err, ERR_UNSUPPORTED,
			       "LRN: of more than %d channels it has no "
			       "gradient",
			       MAX_GRAD_CHANNELS);
	in[0].value = build_reshape(build, vjp->in[0], &flat);
	in[1].value = build_reshape(build, vjp->grad_out[0], &flat);
	in[2].value = make_band(build, &g);
	if (in[2].value == VALUE_NONE)
		return build_check(build, err)
			   ? build->code
			   : err_set(err, ERR_NO_MEMORY, "LRN: out of memory");
	in[3].value = build_scalar(build, x.type.elem, g.factor);
	in[4].value = build_scalar(build, x.type.elem, g.bias);
	in[5].value = build_scalar(build, x.type.elem, g.beta);
	build_text(build,
		   "b = CastLike(band, x)\n"
		   "z = Add(Mul(MatMul(b, Mul(x, x)), factor), bias)\n"
		   "w = Mul(dy, Pow(z, Neg(beta)))\n"
		   "s = MatMulT<trans_a=1>(b, Div(Mul(w, x), z))\n"
		   "dx = Sub(w, Mul(Mul(x, s), Mul(Mul(factor, beta), 2)))",
		   in, 6, NULL, &out, 1);
	vjp->grad_in[0] = build_reshape_like(build, out.value, vjp->in[0]);
	return build_check(build, err);
}

static const struct kernel lrn_kernel = {
	.name = "lrn.plain",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE,
	.cost = cost,
	.prepare = prepare,
	.run = run,
};
static const struct kernel *const kernels[] = { &lrn_kernel, NULL };

static const struct port lrn_in[] = {
	{ "X", "T:float16,float,double,bfloat16", 0 },
	{ 0 },
};
static const struct port lrn_out[] = { { "Y", "T", 0 }, { 0 } };

/* clang-format off */
#define AT(member) .offset = offsetof(struct lrn_attrs, member)
static const struct op_attr attrs[] = {
	{ .name = "alpha", .help = "factor of the mean of squares", AT(alpha), .kind = ATTR_FLOAT,
	  .def = 1e-4 },
	{ .name = "beta", .help = "the exponent", AT(beta), .kind = ATTR_FLOAT, .def = 0.75 },
	{ .name = "bias", .help = "added to the mean of squares", AT(bias), .kind = ATTR_FLOAT,
	  .def = 1 },
	{ .name = "size", .help = "channels in a window", AT(size), .kind = ATTR_INT,
	  .flags = ATTR_REQUIRED, .min = 1, .max = INT32_MAX },
	{ 0 },
};

static const struct op_case cases[] = {
	{ .name = "images",
	  .graph = "y = LRN<size=3, alpha=0.5, beta=0.5, bias=2>(x:float[2,5,3,3])" },
	{ .name = "even window", .graph = "y = LRN<size=4, alpha=1>(x:float[2,6,3])" },
	{ .name = "wide window", .graph = "y = LRN<size=99, alpha=1>(x:double[2,5,3])" },
	{ .name = "window of one", .graph = "y = LRN<size=1, alpha=1>(x:float[3,4])" },
	{ .name = "many rows", .graph = "y = LRN<size=5>(x:float[2,20,30,30])" },
	{ .name = "no channels", .graph = "y = LRN<size=3>(x:float[2,0,3])" },
	{ .name = "a vector", .graph = "y = LRN<size=3>(x:float[5])", .want = ERR_SHAPE },
	{ .name = "no window", .graph = "y = LRN<size=0>(x:float[2,5,3])", .want = ERR_INVALID },
	{ 0 },
};
/* clang-format on */

extern const struct op op_lrn;
const struct op op_lrn = {
	.domain = "",
	.name = "LRN",
	.help = "Elements by the squares of neighbouring channels.",
	.since = 1,
	.flags = OP_ZERO_STAYS_ZERO,
	.in = lrn_in,
	.out = lrn_out,
	.attrs = attrs,
	.attrs_size = sizeof(struct lrn_attrs),
	.infer = lrn_infer,
	.kernels = kernels,
	.vjp = lrn_vjp,
	.cases = cases,
};
