/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Convolution over 1 to 3 spatial axes, and its gradients by data and by
 * weights. conv.h has the formulas.
 */
#include "engine/ops/conv.h"

#include <string.h>

#include "engine/autodiff.h"
#include "engine/kernels/onednn/onednn.h"
#include "engine/ops/reshape.h"

#define T float
#define NAME(x) x##_f32
#include "engine/ops/conv_typed.h"

#define T double
#define NAME(x) x##_f64
#include "engine/ops/conv_typed.h"

/* kernel_shape where it is given, else the extents of w */
static enum err_code kernel_extents(const struct conv_attrs *attrs,
				    const struct shape *w,
				    struct attr_ints *ret, struct err *err)
{
	char text[64];

	*ret = attrs->window.kernel_shape;
	if (!w)
		return ERR_NONE;
	if (w->rank < 3 || (ret->n && ret->n != w->rank - 2) ||
	    (ret->n &&
	     memcmp(ret->v, w->dim + 2, ret->n * sizeof(ret->v[0])) != 0))
		return infer_fail(err,
				  "input 'W': expected [channels out, channels "
				  "in, %s], got %s",
				  ret->n ? "kernel_shape" : "spatial extents",
				  shape_text(w, text, sizeof(text)));
	ret->n = w->rank - 2;
	ret->v = w->dim + 2;
	return ERR_NONE;
}

/* channels of x, and of w or dy, against the groups */
static enum err_code split_channels(const struct conv_attrs *attrs, int64_t n_c,
				    int64_t n_m, const struct shape *w,
				    struct conv *ret, struct err *err)
{
	ret->group = attrs->group;
	if (ret->group < 1 || n_c % ret->group || n_m % ret->group)
		return err_set(err, ERR_INVALID,
			       "attribute 'group': expected a divisor of %lld "
			       "channels in and %lld out, got %lld",
			       (long long)n_c, (long long)n_m,
			       (long long)ret->group);
	ret->c = n_c / ret->group;
	ret->m = n_m / ret->group;
	if (w && w->dim[1] != ret->c)
		return infer_fail(err,
				  "input 'W': expected %lld channels in each "
				  "of %lld groups as in input 'X', got %lld",
				  (long long)ret->c, (long long)ret->group,
				  (long long)w->dim[1]);
	return ERR_NONE;
}

enum err_code conv_init(const struct conv_attrs *attrs, const struct shape *x,
			const struct shape *w, const struct shape *dy,
			struct conv *ret, struct err *err)
{
	struct attr_ints kernel;
	struct shape y;
	char text[2][64];
	enum err_code rc = kernel_extents(attrs, w, &kernel, err);

	if (!rc)
		rc = window_init(&attrs->window, &kernel, x, &ret->window, err);
	if (!rc)
		rc = split_channels(attrs, x->dim[1],
				    w ? w->dim[0] : dy->dim[1], w, ret, err);
	if (rc)
		return rc;
	ret->batch = x->dim[0];
	rc = window_shape(&ret->window, ret->batch, ret->group * ret->m, &y,
			  err);
	if (!rc && dy && !shape_equal(dy, &y))
		rc = infer_fail(err, "input 'dy': expected %s, got %s",
				shape_text(&y, text[0], sizeof(text[0])),
				shape_text(dy, text[1], sizeof(text[1])));
	return rc;
}

void conv_lay_down(struct window *w)
{
	int64_t *const list[] = { w->in,       w->out,	 w->kernel, w->stride,
				  w->dilation, w->begin, w->end };

	if (w->n != 2 || w->in[2] != 1 || w->out[2] != 1 || w->kernel[2] != 1)
		return;
	for (size_t i = 0; i < sizeof(list) / sizeof(*list); i++) {
		const int64_t extent = list[i][1];

		list[i][1] = list[i][2];
		list[i][2] = extent;
	}
}

void conv_query(const struct kernel_query *query, struct conv *ret)
{
	const struct conv_attrs *attrs = query->attrs;
	const struct shape *first = &query->in[0].shape;
	const struct shape *second = &query->in[1].shape;
	struct conv_transpose back;
	struct shape x;
	enum err_code rc;

	*ret = (struct conv){ 0 };
	if (!strcmp(query->op->name, "Conv")) {
		rc = conv_init(attrs, first, second, NULL, ret, NULL);
	} else if (!strcmp(query->op->name, "ConvTranspose")) {
		rc = conv_transpose_init(query->attrs, first, second, &back,
					 NULL);
		if (!rc)
			rc = conv_init(&back.attrs, &back.y, second, first, ret,
				       NULL);
	} else if (!strcmp(query->op->name, "ConvGradData")) {
		x = shape_of(attrs->shape.v, attrs->shape.n);
		rc = conv_init(attrs, &x, second, first, ret, NULL);
	} else {
		rc = conv_init(attrs, second, NULL, first, ret, NULL);
	}
	(void)rc; /* infer() has seen it pass */
	conv_lay_down(&ret->window);
}

double conv_flops(const struct conv *conv)
{
	return 2.0 * (double)conv->batch * (double)conv->group *
	       (double)conv->m * (double)conv->c * (double)conv->window.n_taps *
	       (double)conv->window.n_out;
}

static double plain_cost(const struct kernel_query *query)
{
	struct conv g;

	conv_query(query, &g);
	return 1 + conv_flops(&g) * 1e-3;
}

/* A plane of the result; what is empty may be of any extent. */
static enum err_code plain_prepare(const struct kernel_query *query,
				   struct kernel_setup *ret, struct err *err)
{
	const struct shape *y = &query->out[0].shape;

	(void)err;
	ret->scratch_bytes =
	    (size_t)shape_range(y, 2, y->rank) * sizeof(double);
	return ERR_NONE;
}

static bool is_f64(const struct kernel_call *call)
{
	return call->query->in[0].type.elem == DTYPE_F64;
}

static void forward_run(const struct kernel_call *call, unsigned slice,
			void *scratch)
{
	struct conv g;

	(void)slice;
	conv_query(call->query, &g);
	if (is_f64(call))
		forward_f64(&g, call, scratch);
	else
		forward_f32(&g, call, scratch);
}

static void grad_data_run(const struct kernel_call *call, unsigned slice,
			  void *scratch)
{
	struct conv g;

	(void)slice;
	conv_query(call->query, &g);
	if (is_f64(call))
		grad_data_f64(&g, call, scratch);
	else
		grad_data_f32(&g, call, scratch);
}

static void grad_weights_run(const struct kernel_call *call, unsigned slice,
			     void *scratch)
{
	struct conv g;

	(void)slice;
	(void)scratch;
	conv_query(call->query, &g);
	if (is_f64(call))
		grad_weights_f64(&g, call);
	else
		grad_weights_f32(&g, call);
}

static enum err_code conv_infer(struct infer *infer, struct err *err)
{
	const struct shape *x = &infer->in[0].shape, *w = &infer->in[1].shape;
	struct conv g;
	enum err_code rc = conv_init(infer->attrs, x, w, NULL, &g, err);

	if (rc)
		return rc;
	if (infer->n_in > 2 && infer->in[2].type.elem != DTYPE_NONE &&
	    (infer->in[2].shape.rank != 1 ||
	     infer->in[2].shape.dim[0] != w->dim[0]))
		return infer_fail(err,
				  "input 'B': expected [%lld], one for each "
				  "channel out",
				  (long long)w->dim[0]);
	infer->out[0].has_shape = true;
	return window_shape(&g.window, g.batch, w->dim[0], &infer->out[0].shape,
			    err);
}

static enum err_code grad_data_infer(struct infer *infer, struct err *err)
{
	const struct conv_attrs *attrs = infer->attrs;
	struct shape x;
	struct conv g;
	enum err_code rc;

	if (attrs->shape.n < 3 || attrs->shape.n > 2 + WINDOW_DIMS)
		return err_set(err, ERR_INVALID,
			       "attribute 'shape': expected 3 to %d extents, "
			       "got %zu",
			       2 + WINDOW_DIMS, attrs->shape.n);
	x = shape_of(attrs->shape.v, attrs->shape.n);
	rc = shape_check(&x, "attribute 'shape'", err);
	if (!rc)
		rc = conv_init(attrs, &x, &infer->in[1].shape,
			       &infer->in[0].shape, &g, err);
	infer->out[0].shape = x;
	infer->out[0].has_shape = true;
	return rc;
}

static enum err_code grad_weights_infer(struct infer *infer, struct err *err)
{
	const struct shape *dy = &infer->in[0].shape, *x = &infer->in[1].shape;
	const struct conv_attrs *attrs = infer->attrs;
	struct shape *w = &infer->out[0].shape;
	struct conv g;
	enum err_code rc;

	if (dy->rank < 3)
		return infer_fail(err,
				  "input 'dy': expected rank 3 or more, got "
				  "rank %u",
				  dy->rank);
	rc = conv_init(attrs, x, NULL, dy, &g, err);
	if (rc)
		return rc;
	w->rank = x->rank;
	w->dim[0] = dy->dim[1];
	w->dim[1] = g.c;
	for (unsigned i = 2; i < w->rank; i++)
		w->dim[i] = attrs->window.kernel_shape.v[i - 2];
	infer->out[0].has_shape = true;
	return shape_check(w, "output 'dw'", err);
}

/* sum of dy over the batch and the spatial axes */
static int32_t bias_grad(struct build *build, int32_t dy, int32_t bias)
{
	struct shape shape = build_fact(build, dy)->shape;

	shape.dim[0] = 1;
	for (unsigned i = 2; i < shape.rank; i++)
		shape.dim[i] = 1;
	return build_2(build, "SumTo", dy, build_reshape(build, bias, &shape));
}

static enum err_code conv_vjp(struct vjp *vjp, struct err *err)
{
	struct build *build = vjp->build;
	const struct shape x = build_fact(build, vjp->in[0])->shape;
	const struct shape w = build_fact(build, vjp->in[1])->shape;
	const int32_t dy = vjp->grad_out[0];
	struct conv_attrs attrs = *(const struct conv_attrs *)vjp->attrs;

	attrs.window.kernel_shape = (struct attr_ints){ w.rank - 2, w.dim + 2 };
	attrs.shape = (struct attr_ints){ x.rank, x.dim };
	if (vjp->wanted[0]) {
		const int32_t in[2] = { dy, vjp->in[1] };

		vjp->grad_in[0] =
		    build_node(build, "ConvGradData", &attrs, in, 2);
	}
	attrs.shape.n = 0;
	if (vjp->wanted[1]) {
		const int32_t in[2] = { dy, vjp->in[0] };

		vjp->grad_in[1] =
		    build_node(build, "ConvGradWeights", &attrs, in, 2);
	}
	if (vjp->node->n_in > 2 && vjp->in[2] != VALUE_NONE && vjp->wanted[2])
		vjp->grad_in[2] = build_reshape_like(
		    build, bias_grad(build, dy, vjp->in[2]), vjp->in[2]);
	return build_check(build, err);
}

static bool fits(const struct kernel_query *query)
{
	const enum dtype elem = query->in[0].type.elem;

	return elem == DTYPE_F32 || elem == DTYPE_F64;
}

static const struct kernel forward_plain = {
	.name = "conv.plain",
	.flags = KERNEL_QUICK,
	.fits = fits,
	.cost = plain_cost,
	.prepare = plain_prepare,
	.run = forward_run,
};
const struct kernel conv_grad_data_plain = {
	.name = "conv_grad_data.plain",
	.flags = KERNEL_QUICK,
	.fits = fits,
	.cost = plain_cost,
	.prepare = plain_prepare,
	.run = grad_data_run,
};
static const struct kernel grad_weights_plain = {
	.name = "conv_grad_weights.plain",
	.flags = KERNEL_QUICK,
	.fits = fits,
	.cost = plain_cost,
	.run = grad_weights_run,
};
static const struct kernel *const conv_kernels[] = {
	&conv_onednn_bf16,    &conv_taps,
	&conv_tiny,	      &conv_onednn_winograd,
	&conv_onednn_product, &conv_onednn_plain,
	&conv_onednn,	      &conv_blas,
	&forward_plain,	      NULL,
};
static const struct kernel *const grad_data_kernels[] = {
	&conv_grad_data_onednn_bf16,	 &conv_grad_data_tiny,
	&conv_grad_data_onednn_winograd, &conv_grad_data_onednn_plain,
	&conv_grad_data_onednn,		 &conv_grad_data_blas,
	&conv_grad_data_plain,		 NULL,
};
static const struct kernel *const grad_weights_kernels[] = {
	&conv_grad_weights_onednn_bf16,
	&conv_grad_weights_tiny,
	&conv_grad_weights_onednn_winograd,
	&conv_grad_weights_onednn_product,
	&conv_grad_weights_onednn_plain,
	&conv_grad_weights_onednn,
	&conv_grad_weights_blas,
	&grad_weights_plain,
	NULL,
};

static const struct port conv_in[] = {
	{ "X", "T:float16,float,double,bfloat16", 0 },
	{ "W", "T", 0 },
	{ "B", "T", PORT_OPTIONAL },
	{ 0 },
};
static const struct port conv_out[] = { { "Y", "T", 0 }, { 0 } };
static const struct port grad_data_in[] = {
	{ "dy", "T:float,double", 0 },
	{ "w", "T", 0 },
	{ 0 },
};
static const struct port grad_data_out[] = { { "dx", "T", 0 }, { 0 } };
static const struct port grad_weights_in[] = {
	{ "dy", "T:float,double", 0 },
	{ "x", "T", 0 },
	{ 0 },
};
static const struct port grad_weights_out[] = { { "dw", "T", 0 }, { 0 } };

/* clang-format off */
#define WINDOW(member) offsetof(struct conv_attrs, window.member)
const struct op_attr conv_attr_rows[] = {
	{ .name = "auto_pad", .help = "NOTSET, SAME_UPPER, SAME_LOWER or VALID",
	  .offset = WINDOW(auto_pad), .kind = ATTR_STRING, .def_text = "NOTSET" },
	{ .name = "dilations", .help = "distance of taps, by axis",
	  .offset = WINDOW(dilations), .kind = ATTR_INTS, .min = 1, .max = INT32_MAX },
	{ .name = "group", .help = "groups of channels that do not mix",
	  .offset = offsetof(struct conv_attrs, group), .kind = ATTR_INT, .min = 1,
	  .max = INT32_MAX, .def = 1 },
	{ .name = "kernel_shape", .help = "taps, by axis; as in W",
	  .offset = WINDOW(kernel_shape), .kind = ATTR_INTS, .min = 1, .max = INT32_MAX },
	{ .name = "pads", .help = "zeros before each axis, then after each",
	  .offset = WINDOW(pads), .kind = ATTR_INTS, .max = INT32_MAX },
	{ .name = "strides", .help = "steps of the window, by axis",
	  .offset = WINDOW(strides), .kind = ATTR_INTS, .min = 1, .max = INT32_MAX },
	{ 0 },
};
static const struct op_attr grad_attrs[] = {
	{ .name = "auto_pad", .help = "as in Conv",
	  .offset = WINDOW(auto_pad), .kind = ATTR_STRING, .def_text = "NOTSET" },
	{ .name = "dilations", .help = "as in Conv",
	  .offset = WINDOW(dilations), .kind = ATTR_INTS, .min = 1, .max = INT32_MAX },
	{ .name = "group", .help = "as in Conv",
	  .offset = offsetof(struct conv_attrs, group), .kind = ATTR_INT, .min = 1,
	  .max = INT32_MAX, .def = 1 },
	{ .name = "kernel_shape", .help = "taps, by axis",
	  .offset = WINDOW(kernel_shape), .kind = ATTR_INTS, .min = 1, .max = INT32_MAX },
	{ .name = "pads", .help = "as in Conv",
	  .offset = WINDOW(pads), .kind = ATTR_INTS, .max = INT32_MAX },
	{ .name = "shape", .help = "ConvGradData: the shape of x",
	  .offset = offsetof(struct conv_attrs, shape), .kind = ATTR_INTS, .max = INT32_MAX },
	{ .name = "strides", .help = "as in Conv",
	  .offset = WINDOW(strides), .kind = ATTR_INTS, .min = 1, .max = INT32_MAX },
	{ 0 },
};

static const struct op_case conv_cases[] = {
	{ .name = "plain", .graph = "y = Conv(x:float[2,3,8,8], w:float[4,3,3,3])" },
	{ .name = "bias and padding",
	  .graph = "y = Conv<pads=[1,1,1,1]>(x:float[2,3,7,5], w:float[4,3,3,3], b:float[4])" },
	{ .name = "stride",
	  .graph = "y = Conv<strides=[2,2], pads=[1,1,1,1]>(x:float[2,3,9,9], "
		   "w:float[4,3,3,3], b:float[4])" },
	{ .name = "uneven padding",
	  .graph = "y = Conv<strides=[2,3], pads=[0,2,1,0]>(x:float[1,2,7,8], "
		   "w:float[3,2,3,2])" },
	{ .name = "dilation",
	  .graph = "y = Conv<dilations=[2,2], pads=[2,2,2,2]>(x:float[2,3,8,8], "
		   "w:float[4,3,3,3])" },
	{ .name = "few out of long rows",
	  .graph = "y = Conv(x:float[2,5,9,86], w:float[3,5,3,3], b:float[3])" },
	{ .name = "few out of long rows, padding above, stride",
	  .graph = "y = Conv<strides=[2,1], pads=[2,0,3,0]>(x:float[1,3,11,90], "
		   "w:float[2,3,5,7])" },
	{ .name = "one out of long rows, dilation",
	  .graph = "y = Conv<dilations=[2,3], pads=[2,0,1,0]>(x:float[1,2,8,99], "
		   "w:float[1,2,3,4], b:float[1])" },
	{ .name = "one out of long rows",
	  .graph = "y = Conv<pads=[5,0,5,0]>(x:float[1,2,7,133], "
		   "w:float[1,2,11,3], b:float[1])" },
	{ .name = "two out of long rows, padding",
	  .graph = "y = Conv<pads=[1,2,1,3]>(x:float[2,3,5,93], w:float[2,3,3,6], b:float[2])" },
	{ .name = "three out of long rows, all padding",
	  .graph = "y = Conv<pads=[0,4,0,4], dilations=[1,2]>(x:float[1,2,6,65], "
		   "w:float[3,2,3,5])" },
	{ .name = "seven out of long rows",
	  .graph = "y = Conv(x:float[1,3,4,81], w:float[7,3,3,3], b:float[7])" },
	{ .name = "eight out of a very long row",
	  .graph = "y = Conv(x:float[2,3,1047], w:float[8,3,9], b:float[8])" },
	{ .name = "groups",
	  .graph = "y = Conv<group=2>(x:float[2,4,6,6], w:float[6,2,3,3], b:float[6])" },
	{ .name = "a group a channel",
	  .graph = "y = Conv<group=4, pads=[1,1,1,1]>(x:float[2,4,8,8], "
		   "w:float[4,1,3,3], b:float[4])" },
	{ .name = "one tap", .graph = "y = Conv(x:float[2,3,5,7], w:float[4,3,1,1], b:float[4])" },
	{ .name = "one tap, stride",
	  .graph = "y = Conv<strides=[2,2]>(x:float[2,3,5,7], w:float[4,3,1,1])" },
	{ .name = "larger than the input",
	  .graph = "y = Conv<pads=[3,3,3,3]>(x:float[1,1,2,2], w:float[2,1,5,5])" },
	{ .name = "one column",
	  .graph = "y = Conv<strides=[2,1], pads=[2,0,1,0]>(x:float[2,16,37,1], "
		   "w:float[24,16,5,1], b:float[24])" },
	{ .name = "one column, dilation, groups",
	  .graph = "y = Conv<dilations=[2,1], group=2>(x:float[2,6,23,1], w:float[4,3,3,1])" },
	{ .name = "one column, padding beside it",
	  .graph = "y = Conv<pads=[0,1,0,1]>(x:float[2,3,9,1], w:float[4,3,3,3])" },
	{ .name = "sequence",
	  .graph = "y = Conv<pads=[2,2]>(x:float[2,3,16], w:float[4,3,5], b:float[4])" },
	{ .name = "volume",
	  .graph = "y = Conv<pads=[1,1,1,1,1,1]>(x:float[1,2,4,5,5], "
		   "w:float[3,2,3,3,3], b:float[3])" },
	{ .name = "same upper",
	  .graph = "y = Conv<auto_pad=\"SAME_UPPER\", strides=[2,2]>(x:float[1,1,5,6], "
		   "w:float[1,1,3,3])" },
	{ .name = "same lower",
	  .graph = "y = Conv<auto_pad=\"SAME_LOWER\", strides=[2,2]>(x:float[1,1,6,6], "
		   "w:float[1,1,3,3])" },
	{ .name = "valid",
	  .graph = "y = Conv<auto_pad=\"VALID\", strides=[2,2]>(x:float[1,1,5,6], "
		   "w:float[1,1,3,3])" },
	{ .name = "kernel_shape",
	  .graph = "y = Conv<kernel_shape=[3,2]>(x:float[1,1,5,6], w:float[1,1,3,2])" },
	{ .name = "double",
	  .graph = "y = Conv(x:double[1,2,5,5], w:double[3,2,3,3], b:double[3])" },
	{ .name = "medium",
	  .graph = "y = Conv<pads=[1,1,1,1]>(x:float[3,16,21,19], w:float[24,16,3,3], "
		   "b:float[24])" },
	{ .name = "planes of 2 x 2",
	  .graph = "y = Conv<pads=[1,1,1,1]>(x:float[16,17,2,2], "
		   "w:float[33,17,3,3], b:float[33])" },
	{ .name = "planes of 2 x 2, one image",
	  .graph = "y = Conv<pads=[1,1,1,1]>(x:float[1,3,2,2], w:float[5,3,3,3])" },
	{ .name = "planes of 4 x 4 to 2 x 2",
	  .graph = "y = Conv<strides=[2,2], pads=[1,1,1,1]>(x:float[17,5,4,4], "
		   "w:float[17,5,3,3], b:float[17])" },
	{ .name = "planes of 4 x 4",
	  .graph = "y = Conv<pads=[1,1,1,1]>(x:float[16,19,4,4], w:float[14,19,3,3])" },
	{ .name = "planes of 4 x 4, five images",
	  .graph = "y = Conv<pads=[1,1,1,1]>(x:float[5,17,4,4], w:float[3,17,3,3], b:float[3])" },
	{ .name = "planes of one pixel",
	  .graph = "y = Conv<pads=[1,1,1,1]>(x:float[16,3,1,1], w:float[5,3,3,3], b:float[5])" },
	{ .name = "planes of 8 x 8 to 4 x 4",
	  .graph = "y = Conv<strides=[2,2], pads=[1,1,1,1]>(x:float[3,5,8,8], w:float[7,5,3,3])" },
	{ .name = "planes of 4 x 4 of many channels",
	  .graph = "y = Conv<pads=[1,1,1,1]>(x:float[17,300,4,4], "
		   "w:float[5,300,3,3], b:float[5])" },
	{ .name = "no batch", .graph = "y = Conv(x:float[0,3,8,8], w:float[4,3,3,3])" },
	{ .name = "no channels out", .graph = "y = Conv(x:float[2,3,8,8], w:float[0,3,3,3])" },
	{ .name = "channels differ", .graph = "y = Conv(x:float[2,3,8,8], w:float[4,2,3,3])",
	  .want = ERR_SHAPE },
	{ .name = "window too large", .graph = "y = Conv(x:float[2,3,2,8], w:float[4,3,3,3])",
	  .want = ERR_SHAPE },
	{ .name = "no spatial axis", .graph = "y = Conv(x:float[2,3], w:float[4,3])",
	  .want = ERR_SHAPE },
	{ .name = "ranks differ", .graph = "y = Conv(x:float[2,3,8], w:float[4,3,3,3])",
	  .want = ERR_SHAPE },
	{ .name = "four spatial axes",
	  .graph = "y = Conv(x:float[1,1,3,3,3,3], w:float[1,1,3,3,3,3])",
	  .want = ERR_UNSUPPORTED },
	{ .name = "bias too long",
	  .graph = "y = Conv(x:float[2,3,8,8], w:float[4,3,3,3], b:float[5])",
	  .want = ERR_SHAPE },
	{ .name = "groups do not divide",
	  .graph = "y = Conv<group=2>(x:float[2,3,8,8], w:float[4,3,3,3])",
	  .want = ERR_INVALID },
	{ .name = "kernel_shape differs",
	  .graph = "y = Conv<kernel_shape=[3,3]>(x:float[1,1,5,6], w:float[1,1,3,2])",
	  .want = ERR_SHAPE },
	{ .name = "too few pads",
	  .graph = "y = Conv<pads=[1,1]>(x:float[2,3,8,8], w:float[4,3,3,3])",
	  .want = ERR_SHAPE },
	{ .name = "unknown auto_pad",
	  .graph = "y = Conv<auto_pad=\"SOME\">(x:float[2,3,8,8], w:float[4,3,3,3])",
	  .want = ERR_INVALID },
	{ 0 },
};
static const struct op_case grad_data_cases[] = {
	{ .name = "plain",
	  .graph = "dx = predictd.ConvGradData<shape=[2,3,8,8]>(dy:float[2,4,6,6], "
		   "w:float[4,3,3,3])" },
	{ .name = "stride leaves a rest",
	  .graph = "dx = predictd.ConvGradData<shape=[2,3,9,10], strides=[2,2], "
		   "pads=[1,1,1,1]>(dy:float[2,4,5,5], w:float[4,3,3,3])" },
	{ .name = "groups",
	  .graph = "dx = predictd.ConvGradData<shape=[2,4,6,6], "
		   "group=2>(dy:float[2,6,4,4], w:float[6,2,3,3])" },
	{ .name = "channels that fill no block",
	  .graph = "dx = predictd.ConvGradData<shape=[64,20,12,12]>(dy:float[64,50,8,8], "
		   "w:float[50,20,5,5])" },
	{ .name = "medium",
	  .graph = "dx = predictd.ConvGradData<shape=[3,16,21,19], "
		   "pads=[1,1,1,1]>(dy:float[3,24,21,19], w:float[24,16,3,3])" },
	{ .name = "planes of 2 x 2",
	  .graph = "dx = predictd.ConvGradData<shape=[16,17,2,2], "
		   "pads=[1,1,1,1]>(dy:float[16,33,2,2], w:float[33,17,3,3])" },
	{ .name = "planes of 2 x 2, one image",
	  .graph = "dx = predictd.ConvGradData<shape=[1,3,2,2], "
		   "pads=[1,1,1,1]>(dy:float[1,5,2,2], w:float[5,3,3,3])" },
	{ .name = "planes of 4 x 4 to 2 x 2",
	  .graph = "dx = predictd.ConvGradData<shape=[17,5,4,4], strides=[2,2], "
		   "pads=[1,1,1,1]>(dy:float[17,17,2,2], w:float[17,5,3,3])" },
	{ .name = "planes of 4 x 4",
	  .graph = "dx = predictd.ConvGradData<shape=[16,19,4,4], "
		   "pads=[1,1,1,1]>(dy:float[16,14,4,4], w:float[14,19,3,3])" },
	{ .name = "planes of 4 x 4, five images",
	  .graph = "dx = predictd.ConvGradData<shape=[5,17,4,4], "
		   "pads=[1,1,1,1]>(dy:float[5,3,4,4], w:float[3,17,3,3])" },
	{ .name = "planes of one pixel",
	  .graph = "dx = predictd.ConvGradData<shape=[16,3,1,1], "
		   "pads=[1,1,1,1]>(dy:float[16,5,1,1], w:float[5,3,3,3])" },
	{ .name = "planes of 8 x 8 to 4 x 4",
	  .graph = "dx = predictd.ConvGradData<shape=[3,5,8,8], strides=[2,2], "
		   "pads=[1,1,1,1]>(dy:float[3,7,4,4], w:float[7,5,3,3])" },
	{ .name = "planes of 4 x 4 of many channels",
	  .graph = "dx = predictd.ConvGradData<shape=[17,5,4,4], "
		   "pads=[1,1,1,1]>(dy:float[17,300,4,4], w:float[300,5,3,3])" },
	{ .name = "no batch",
	  .graph = "dx = predictd.ConvGradData<shape=[0,3,8,8]>(dy:float[0,4,6,6], "
		   "w:float[4,3,3,3])" },
	{ .name = "another dy",
	  .graph = "dx = predictd.ConvGradData<shape=[2,3,8,8]>(dy:float[2,4,6,5], "
		   "w:float[4,3,3,3])", .want = ERR_SHAPE },
	{ .name = "no shape",
	  .graph = "dx = predictd.ConvGradData(dy:float[2,4,6,6], w:float[4,3,3,3])",
	  .want = ERR_INVALID },
	{ 0 },
};
static const struct op_case grad_weights_cases[] = {
	{ .name = "channels that fill no block",
	  .graph = "dw = predictd.ConvGradWeights<kernel_shape=[5,5]>(dy:float[64,50,8,8], "
		   "x:float[64,20,12,12])" },
	{ .name = "one channel, many out",
	  .graph = "dw = predictd.ConvGradWeights<kernel_shape=[5,5]>(dy:float[64,20,24,24], "
		   "x:float[64,1,28,28])" },
	{ .name = "plain",
	  .graph = "dw = "
		   "predictd.ConvGradWeights<kernel_shape=[3,3]>(dy:float[2,4,6,6], "
		   "x:float[2,3,8,8])" },
	{ .name = "stride leaves a rest",
	  .graph = "dw = predictd.ConvGradWeights<kernel_shape=[3,3], strides=[2,2], "
		   "pads=[1,1,1,1]>(dy:float[2,4,5,5], x:float[2,3,9,10])" },
	{ .name = "groups",
	  .graph = "dw = predictd.ConvGradWeights<kernel_shape=[3,3], "
		   "group=2>(dy:float[2,6,4,4], x:float[2,4,6,6])" },
	{ .name = "medium",
	  .graph = "dw = predictd.ConvGradWeights<kernel_shape=[3,3], "
		   "pads=[1,1,1,1]>(dy:float[3,24,21,19], x:float[3,16,21,19])",
	  .tolerance = 1e-4 },
	{ .name = "planes of 2 x 2", .tolerance = 1e-4,
	  .graph = "dw = predictd.ConvGradWeights<kernel_shape=[3,3], "
		   "pads=[1,1,1,1]>(dy:float[16,33,2,2], x:float[16,17,2,2])" },
	{ .name = "planes of 2 x 2, one image", .tolerance = 1e-4,
	  .graph = "dw = predictd.ConvGradWeights<kernel_shape=[3,3], "
		   "pads=[1,1,1,1]>(dy:float[1,5,2,2], x:float[1,3,2,2])" },
	{ .name = "planes of 4 x 4 to 2 x 2", .tolerance = 1e-4,
	  .graph = "dw = predictd.ConvGradWeights<kernel_shape=[3,3], strides=[2,2], "
		   "pads=[1,1,1,1]>(dy:float[17,17,2,2], x:float[17,5,4,4])" },
	{ .name = "planes of 4 x 4", .tolerance = 1e-4,
	  .graph = "dw = predictd.ConvGradWeights<kernel_shape=[3,3], "
		   "pads=[1,1,1,1]>(dy:float[16,14,4,4], x:float[16,19,4,4])" },
	{ .name = "planes of 4 x 4, five images", .tolerance = 1e-4,
	  .graph = "dw = predictd.ConvGradWeights<kernel_shape=[3,3], "
		   "pads=[1,1,1,1]>(dy:float[5,3,4,4], x:float[5,17,4,4])" },
	{ .name = "planes of one pixel", .tolerance = 1e-4,
	  .graph = "dw = predictd.ConvGradWeights<kernel_shape=[3,3], "
		   "pads=[1,1,1,1]>(dy:float[16,5,1,1], x:float[16,3,1,1])" },
	{ .name = "planes of 8 x 8 to 4 x 4", .tolerance = 1e-4,
	  .graph = "dw = predictd.ConvGradWeights<kernel_shape=[3,3], strides=[2,2], "
		   "pads=[1,1,1,1]>(dy:float[3,7,4,4], x:float[3,5,8,8])" },
	{ .name = "no batch",
	  .graph = "dw = "
		   "predictd.ConvGradWeights<kernel_shape=[3,3]>(dy:float[0,4,6,6], "
		   "x:float[0,3,8,8])" },
	{ .name = "another x",
	  .graph = "dw = "
		   "predictd.ConvGradWeights<kernel_shape=[3,3]>(dy:float[2,4,6,6], "
		   "x:float[2,3,8,7])", .want = ERR_SHAPE },
	{ .name = "no kernel_shape",
	  .graph = "dw = predictd.ConvGradWeights(dy:float[2,4,6,6], x:float[2,3,8,8])",
	  .want = ERR_INVALID },
	{ 0 },
};
/* clang-format on */

extern const struct op op_conv;
const struct op op_conv = {
	.domain = "",
	.name = "Conv",
	.help = "Convolution over 1 to 3 spatial axes, in groups of channels.",
	.since = 1,
	.in = conv_in,
	.out = conv_out,
	.attrs = conv_attr_rows,
	.attrs_size = sizeof(struct conv_attrs),
	.infer = conv_infer,
	.kernels = conv_kernels,
	.vjp = conv_vjp,
	.cases = conv_cases,
};

extern const struct op op_conv_grad_data;
const struct op op_conv_grad_data = {
	.domain = "predictd",
	.name = "ConvGradData",
	.help = "Gradient of Conv by its input.",
	.since = 1,
	.in = grad_data_in,
	.out = grad_data_out,
	.attrs = grad_attrs,
	.attrs_size = sizeof(struct conv_attrs),
	.infer = grad_data_infer,
	.kernels = grad_data_kernels,
	.cases = grad_data_cases,
};

extern const struct op op_conv_grad_weights;
const struct op op_conv_grad_weights = {
	.domain = "predictd",
	.name = "ConvGradWeights",
	.help = "Gradient of Conv by its weights.",
	.since = 1,
	.in = grad_weights_in,
	.out = grad_weights_out,
	.attrs = grad_attrs,
	.attrs_size = sizeof(struct conv_attrs),
	.infer = grad_weights_infer,
	.kernels = grad_weights_kernels,
	.cases = grad_weights_cases,
};
