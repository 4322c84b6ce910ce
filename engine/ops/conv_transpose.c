/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * ConvTranspose: the gradient of a convolution by its data, as an operator.
 *
 *   Y = ConvGradData(X, W) + B,   dX = Conv(dY, W),   dW = ConvGradWeights(X,
 * dY) with W [channels in, channels out / group, taps...]. Its kernels are
 * those of ConvGradData.
 */
#include <string.h>

#include "engine/autodiff.h"
#include "engine/ops/conv.h"
#include "engine/ops/reshape.h"

/* list[i], or `absent` where the list is empty */
static int64_t item(const struct attr_ints *list, size_t i, int64_t absent)
{
	return list->n ? list->v[i] : absent;
}

static enum err_code check_lists(const struct conv_transpose_attrs *attrs,
				 const struct shape *x, const struct shape *w,
				 struct err *err)
{
	const struct attr_ints *const list[] = { &attrs->window.strides,
						 &attrs->window.dilations,
						 &attrs->output_padding,
						 &attrs->output_shape,
						 &attrs->window.pads };
	static const char *const names[] = { "strides", "dilations",
					     "output_padding", "output_shape",
					     "pads" };

	if (x->rank < 3 || x->rank > 2 + WINDOW_DIMS)
		return err_set(err, x->rank < 3 ? ERR_SHAPE : ERR_UNSUPPORTED,
			       "input 'X': expected rank 3 to %d (batch, "
			       "channels, spatial axes), got rank %u",
			       2 + WINDOW_DIMS, x->rank);
	if (w->rank != x->rank)
		return infer_fail(err,
				  "input 'W': expected rank %u as of input "
				  "'X', got rank %u",
				  x->rank, w->rank);
	if (w->dim[0] != x->dim[1])
		return infer_fail(err,
				  "input 'W': expected %lld channels in as in "
				  "input 'X', got %lld",
				  (long long)x->dim[1], (long long)w->dim[0]);
	for (int i = 0; i < 5; i++) {
		const size_t n = (size_t)(x->rank - 2) * (i == 4 ? 2 : 1);

		if (list[i]->n && list[i]->n != n)
			return infer_fail(err,
					  "attribute '%s': expected %zu "
					  "numbers, got %zu",
					  names[i], n, list[i]->n);
		for (size_t j = 0; j < list[i]->n; j++) {
			if (list[i]->v[j] < (i < 2) ||
			    list[i]->v[j] > SHAPE_MAX_EXTENT)
				return err_set(err, ERR_INVALID,
					       "attribute '%s': got %lld",
					       names[i],
					       (long long)list[i]->v[j]);
		}
	}
	return ERR_NONE;
}

/* ONNX, operator ConvTranspose: output_shape and auto_pad decide the padding,
 * else the padding decides the shape. */
static enum err_code place_axis(const struct conv_transpose_attrs *attrs,
				unsigned i, int64_t x, int64_t taps,
				struct conv_transpose *ret, struct err *err)
{
	const char *mode = attrs->window.auto_pad ? attrs->window.auto_pad : "";
	const unsigned n = ret->y.rank - 2;
	const int64_t stride = item(&attrs->window.strides, i, 1);
	const int64_t extra = item(&attrs->output_padding, i, 0);
	const bool is_same = !strncmp(mode, "SAME", 4);
	const bool is_valid = !strcmp(mode, "VALID");
	const int64_t full = stride * (x - 1) + extra +
			     (taps - 1) * item(&attrs->window.dilations, i, 1) +
			     1;
	int64_t out = item(&attrs->output_shape, i, is_same ? x * stride : 0);
	int64_t *begin = &ret->pads[i], *end = &ret->pads[n + i];

	if (extra >= stride)
		return err_set(err, ERR_UNSUPPORTED,
			       "attribute 'output_padding': expected below the "
			       "stride %lld, got %lld",
			       (long long)stride, (long long)extra);
	*begin = is_valid ? 0 : item(&attrs->window.pads, i, 0);
	*end = is_valid ? 0 : item(&attrs->window.pads, n + i, 0);
	if (attrs->output_shape.n || is_same) {
		const int64_t total = full > out ? full - out : 0;

		*begin =
		    strcmp(mode, "SAME_UPPER") ? total - total / 2 : total / 2;
		*end = total - *begin;
	} else {
		out = full - *begin - *end;
	}
	if (out < 1)
		return infer_fail(err,
				  "input 'X': extent %lld of spatial axis %u "
				  "gives no output",
				  (long long)x, i);
	ret->y.dim[2 + i] = out;
	return ERR_NONE;
}

enum err_code conv_transpose_init(const struct conv_transpose_attrs *attrs,
				  const struct shape *x, const struct shape *w,
				  struct conv_transpose *ret, struct err *err)
{
	enum err_code rc = check_lists(attrs, x, w, err);

	if (rc)
		return rc;
	if (attrs->group < 1 || w->dim[1] > SHAPE_MAX_EXTENT / attrs->group)
		return err_set(err, ERR_INVALID, "attribute 'group': got %lld",
			       (long long)attrs->group);
	ret->y = *x;
	ret->y.dim[1] = w->dim[1] * attrs->group;
	for (unsigned i = 0; !rc && i < x->rank - 2; i++)
		rc = place_axis(attrs, i, x->dim[2 + i], w->dim[2 + i], ret,
				err);
	if (!rc)
		rc = shape_check(&ret->y, "output 'Y'", err);
	ret->attrs = (struct conv_attrs){
		.window = {
			.kernel_shape = attrs->window.kernel_shape,
			.strides = attrs->window.strides,
			.dilations = attrs->window.dilations,
			.pads = { 2 * (size_t)(x->rank - 2), ret->pads },
		},
		.group = attrs->group,
	};
	return rc;
}

static enum err_code infer(struct infer *infer, struct err *err)
{
	const struct shape *x = &infer->in[0].shape, *w = &infer->in[1].shape;
	struct conv_transpose back;
	struct conv g;
	enum err_code rc = conv_transpose_init(infer->attrs, x, w, &back, err);

	if (!rc)
		rc = conv_init(&back.attrs, &back.y, w, x, &g, err);
	if (rc)
		return rc;
	if (infer->n_in > 2 && infer->in[2].type.elem != DTYPE_NONE &&
	    (infer->in[2].shape.rank != 1 ||
	     infer->in[2].shape.dim[0] != back.y.dim[1]))
		return infer_fail(err,
				  "input 'B': expected [%lld], one for each "
				  "channel out",
				  (long long)back.y.dim[1]);
	infer->out[0].shape = back.y;
	infer->out[0].has_shape = true;
	return ERR_NONE;
}

static enum err_code vjp(struct vjp *v, struct err *err)
{
	struct build *build = v->build;
	const struct shape x = build_fact(build, v->in[0])->shape;
	const struct shape w = build_fact(build, v->in[1])->shape;
	const int32_t dy = v->grad_out[0];
	const int32_t for_x[2] = { dy, v->in[1] }, for_w[2] = { v->in[0], dy };
	struct conv_transpose back;
	enum err_code rc = conv_transpose_init(v->attrs, &x, &w, &back, err);

	if (rc)
		return rc;
	back.attrs.window.auto_pad = "NOTSET"; /* passes read it */
	back.attrs.window.kernel_shape =
	    (struct attr_ints){ w.rank - 2, w.dim + 2 };
	if (v->wanted[0])
		v->grad_in[0] =
		    build_node(build, "Conv", &back.attrs, for_x, 2);
	if (v->wanted[1])
		v->grad_in[1] =
		    build_node(build, "ConvGradWeights", &back.attrs, for_w, 2);
	if (v->node->n_in > 2 && v->in[2] != VALUE_NONE && v->wanted[2]) {
		struct shape channels = back.y;

		channels.dim[0] = 1;
		for (unsigned i = 2; i < channels.rank; i++)
			channels.dim[i] = 1;
		v->grad_in[2] = build_reshape_like(
		    build,
		    build_2(build, "SumTo", dy,
			    build_reshape(build, v->in[2], &channels)),
		    v->in[2]);
	}
	return build_check(build, err);
}

static const struct kernel *const kernels[] = { &conv_grad_data_blas,
						&conv_grad_data_plain, NULL };

static const struct port in_ports[] = {
	{ "X", "T:float16,float,double,bfloat16", 0 },
	{ "W", "T", 0 },
	{ "B", "T", PORT_OPTIONAL },
	{ 0 },
};
static const struct port out_ports[] = { { "Y", "T", 0 }, { 0 } };

/* clang-format off */
#define WINDOW(member) offsetof(struct conv_transpose_attrs, window.member)
static const struct op_attr attrs[] = {
	{ .name = "auto_pad", .help = "NOTSET, SAME_UPPER, SAME_LOWER or VALID",
	  .offset = WINDOW(auto_pad), .kind = ATTR_STRING, .def_text = "NOTSET" },
	{ .name = "dilations", .help = "distance of taps, by axis",
	  .offset = WINDOW(dilations), .kind = ATTR_INTS, .min = 1, .max = INT32_MAX },
	{ .name = "group", .help = "groups of channels that do not mix",
	  .offset = offsetof(struct conv_transpose_attrs, group), .kind = ATTR_INT,
	  .min = 1, .max = INT32_MAX, .def = 1 },
	{ .name = "kernel_shape", .help = "taps, by axis; as in W",
	  .offset = WINDOW(kernel_shape), .kind = ATTR_INTS, .min = 1, .max = INT32_MAX },
	{ .name = "output_padding", .help = "extent added at the end of each axis",
	  .offset = offsetof(struct conv_transpose_attrs, output_padding), .kind = ATTR_INTS,
	  .max = INT32_MAX },
	{ .name = "output_shape", .help = "spatial extents of Y, which then decide the padding",
	  .offset = offsetof(struct conv_transpose_attrs, output_shape), .kind = ATTR_INTS,
	  .max = INT32_MAX },
	{ .name = "pads", .help = "cut from the start of each axis, then from each end",
	  .offset = WINDOW(pads), .kind = ATTR_INTS, .max = INT32_MAX },
	{ .name = "strides", .help = "steps of the window, by axis",
	  .offset = WINDOW(strides), .kind = ATTR_INTS, .min = 1, .max = INT32_MAX },
	{ 0 },
};

static const struct op_case cases[] = {
	{ .name = "plain", .graph = "y = ConvTranspose(x:float[1,2,3,4], w:float[2,3,3,3])" },
	{ .name = "stride, padding and bias",
	  .graph = "y = ConvTranspose<strides=[2,2], pads=[1,1,1,1], output_padding=[1,1]>"
		   "(x:float[2,4,5,5], w:float[4,3,3,3], b:float[3])" },
	{ .name = "groups", .graph = "y = ConvTranspose<group=2, strides=[2,1]>"
		   "(x:float[2,4,3,5], w:float[4,3,2,3], b:float[6])" },
	{ .name = "dilation", .graph = "y = ConvTranspose<dilations=[2,2]>"
		   "(x:float[1,1,3,3], w:float[1,1,2,2])" },
	{ .name = "output shape", .graph = "y = ConvTranspose<strides=[3,2], output_shape=[10,8]>"
		   "(x:float[1,1,3,3], w:float[1,2,3,3])" },
	{ .name = "same upper", .graph = "y = ConvTranspose<strides=[2,2], auto_pad=\"SAME_UPPER\">"
		   "(x:float[1,1,3,3], w:float[1,2,3,3])" },
	{ .name = "same lower", .graph = "y = ConvTranspose<strides=[2,2], auto_pad=\"SAME_LOWER\">"
		   "(x:float[1,1,3,3], w:float[1,2,3,3])" },
	{ .name = "sequence",
	  .graph = "y = ConvTranspose<strides=[2]>(x:float[2,3,5], w:float[3,2,3])" },
	{ .name = "volume",
	  .graph = "y = ConvTranspose(x:float[1,2,2,3,2], w:float[2,1,2,2,2], b:float[1])" },
	{ .name = "double",
	  .graph = "y = ConvTranspose(x:double[1,2,3,3], w:double[2,3,2,2], b:double[3])" },
	{ .name = "medium", .graph = "y = ConvTranspose<strides=[2,2], pads=[1,1,1,1]>"
		   "(x:float[3,24,11,9], w:float[24,16,4,4], b:float[16])" },
	{ .name = "no batch",
	  .graph = "y = ConvTranspose(x:float[0,2,3,4], w:float[2,3,3,3], b:float[3])" },
	{ .name = "no channels in",
	  .graph = "y = ConvTranspose(x:float[1,0,3,4], w:float[0,3,3,3], b:float[3])" },
	{ .name = "channels differ",
	  .graph = "y = ConvTranspose(x:float[1,2,3,4], w:float[3,3,3,3])",
	  .want = ERR_SHAPE },
	{ .name = "ranks differ", .graph = "y = ConvTranspose(x:float[1,2,3], w:float[2,3,3,3])",
	  .want = ERR_SHAPE },
	{ .name = "all cut away",
	  .graph = "y = ConvTranspose<pads=[3,3]>(x:float[1,1,3], w:float[1,1,3])",
	  .want = ERR_SHAPE },
	{ .name = "bias too long",
	  .graph = "y = ConvTranspose(x:float[1,2,3], w:float[2,3,3], b:float[2])",
	  .want = ERR_SHAPE },
	{ .name = "output padding beyond the stride",
	  .graph = "y = ConvTranspose<output_padding=[1]>(x:float[1,2,3], w:float[2,3,3])",
	  .want = ERR_UNSUPPORTED },
	{ 0 },
};
/* clang-format on */

extern const struct op op_conv_transpose;
const struct op op_conv_transpose = {
	.domain = "",
	.name = "ConvTranspose",
	.help = "The gradient of a convolution by its input, as an operator.",
	.since = 1,
	.in = in_ports,
	.out = out_ports,
	.attrs = attrs,
	.attrs_size = sizeof(struct conv_transpose_attrs),
	.infer = infer,
	.kernels = kernels,
	.vjp = vjp,
	.cases = cases,
};
