/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Experimental operators of the first opsets, which files still hold, and
 * forms of image operators that changed their defaults.
 */
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "engine/spelling.h"

enum { TEXT_MAX = 256 };

struct numbers {
	double alpha, beta, scale;
};
struct scaler_attrs {
	struct attr_floats bias;
	double scale;
};
struct crop_attrs {
	struct attr_ints border, scale;
};
struct fill_attrs {
	struct attr_floats values;
	struct attr_ints shape, extra_shape;
	int64_t input_as_shape;
};
struct roi_attrs {
	const char *mode;
	int64_t height, width, sampling_ratio;
	double scale;
};

/* clang-format off */
#define NUMBER(label, member, value) \
	{ .name = (label), .help = "a factor or an addend", \
	  .offset = offsetof(struct numbers, member), .kind = ATTR_FLOAT, .def = (value) }
static const struct op_attr alpha_beta[] = {
	NUMBER("alpha", alpha, 1), NUMBER("beta", beta, 0), { 0 },
};
static const struct op_attr alpha_beta_1[] = {
	NUMBER("alpha", alpha, 1), NUMBER("beta", beta, 1), { 0 },
};
static const struct op_attr scale[] = { NUMBER("scale", scale, 1), { 0 } };
static const struct op_attr scaler[] = {
	{ .name = "bias", .help = "added, by channel",
	  .offset = offsetof(struct scaler_attrs, bias), .kind = ATTR_FLOATS },
	{ .name = "scale", .help = "a factor",
	  .offset = offsetof(struct scaler_attrs, scale), .kind = ATTR_FLOAT, .def = 1 },
	{ 0 },
};
static const struct op_attr crop[] = {
	{ .name = "border", .help = "left, top, right, bottom",
	  .offset = offsetof(struct crop_attrs, border), .kind = ATTR_INTS,
	  .flags = ATTR_REQUIRED, .max = INT32_MAX },
	{ .name = "scale", .help = "rows and columns that stay",
	  .offset = offsetof(struct crop_attrs, scale), .kind = ATTR_INTS, .max = INT32_MAX },
	{ 0 },
};
static const struct op_attr fill[] = {
	{ .name = "extra_shape", .help = "extents behind those of the input",
	  .offset = offsetof(struct fill_attrs, extra_shape), .kind = ATTR_INTS },
	{ .name = "input_as_shape", .help = "1: the input holds the shape",
	  .offset = offsetof(struct fill_attrs, input_as_shape), .kind = ATTR_INT, .max = 1 },
	{ .name = "shape", .help = "of the result",
	  .offset = offsetof(struct fill_attrs, shape), .kind = ATTR_INTS },
	{ .name = "values", .help = "elements",
	  .offset = offsetof(struct fill_attrs, values), .kind = ATTR_FLOATS },
	{ 0 },
};
static const struct op_attr roi[] = {
	{ .name = "mode", .help = "avg or max",
	  .offset = offsetof(struct roi_attrs, mode), .kind = ATTR_STRING, .def_text = "avg" },
	{ .name = "output_height", .help = "rows of the result",
	  .offset = offsetof(struct roi_attrs, height), .kind = ATTR_INT, .def = 1 },
	{ .name = "output_width", .help = "columns of the result",
	  .offset = offsetof(struct roi_attrs, width), .kind = ATTR_INT, .def = 1 },
	{ .name = "sampling_ratio", .help = "points on a side of a bin",
	  .offset = offsetof(struct roi_attrs, sampling_ratio), .kind = ATTR_INT },
	{ .name = "spatial_scale", .help = "extent of X by that of the image",
	  .offset = offsetof(struct roi_attrs, scale), .kind = ATTR_FLOAT, .def = 1 },
	{ 0 },
};
/* clang-format on */

/* A list as a constant vector of floats. */
static int32_t floats(struct build *build, const struct attr_floats *list)
{
	struct tensor_view view = {
		.dtype = DTYPE_F32,
		.shape = { 1, { (int64_t)list->n } },
	};

	/* only read: build_const() copies */
	memcpy(&view.data, &list->v, sizeof(view.data));
	return build_const(build, &view);
}

/* Text over the node's first input x and two more values. */
static enum err_code finish(struct lower *lower, const char *text, int32_t a,
			    int32_t b, struct err *err)
{
	const struct spelling_node *node = lower->node;
	const struct build_name in[] = {
		{ "a", a },
		{ "b", b },
		{ "x", node->n_in ? node->in[0] : VALUE_NONE },
	};
	struct build_name out = { "y", VALUE_NONE };
	enum err_code rc;

	build_text(lower->build, text, in, node->n_in ? 3 : 2, NULL, &out, 1);
	rc = build_check(lower->build, err);
	if (!rc && node->n_out != 1)
		rc = err_set(err, ERR_INVALID,
			     "node '%s' (%s): expected one output, got %u",
			     node->node_name, node->name, node->n_out);
	if (!rc)
		node->out[0] = out.value;
	return rc;
}

static enum err_code lower_scaler(struct lower *lower, struct err *err)
{
	const struct scaler_attrs *own = lower->attrs;
	const struct attr_floats factor = { 1, (const float[]){
						   (float)own->scale } };
	const int32_t a = floats(lower->build, &factor);

	if (!own->bias.n)
		return finish(lower, "y = Mul(x, CastLike(a, x))", a, a, err);
	return finish(lower,
		      "c = Reshape(b, s:int64[3]={-1,1,1})\n"
		      "y = Add(Mul(x, CastLike(a, x)), CastLike(c, x))",
		      a, floats(lower->build, &own->bias), err);
}

static enum err_code lower_crop(struct lower *lower, struct err *err)
{
	const struct crop_attrs *own = lower->attrs;
	const int64_t *border = own->border.v;
	int64_t rows, columns;
	char text[TEXT_MAX];

	if (own->border.n != 4 || (own->scale.n && own->scale.n != 2))
		return err_set(err, ERR_INVALID,
			       "node '%s' (Crop): attribute 'border' must have "
			       "4 numbers and 'scale' 2 or none, not %zu and "
			       "%zu",
			       lower->node->node_name, own->border.n,
			       own->scale.n);
	/* an end below 0 counts from the back */
	rows = border[3] ? -border[3] : INT64_MAX;
	columns = border[2] ? -border[2] : INT64_MAX;
	if (own->scale.n) {
		rows = border[1] + own->scale.v[0];
		columns = border[0] + own->scale.v[1];
	}
	(void)snprintf(text, sizeof(text),
		       "y0 = Slice(x0, s:int64[2]={%" PRId64 ",%" PRId64
		       "}, e:int64[2]={%" PRId64 ",%" PRId64
		       "}, a:int64[2]={2,3})",
		       border[1], border[0], rows, columns);
	return lower_text(lower, text, err);
}

static enum err_code lower_fill(struct lower *lower, struct err *err)
{
	const struct fill_attrs *own = lower->attrs;
	struct build *build = lower->build;
	const int32_t values = floats(build, &own->values);
	const bool has_input =
	    lower->node->n_in && lower->node->in[0] != VALUE_NONE;
	const struct attr_ints *list =
	    has_input ? &own->extra_shape : &own->shape;
	const int32_t shape = build_ints(build, list->v, list->n);

	if (!has_input)
		return finish(lower, "y = Reshape<allowzero=1>(a, b)", values,
			      shape, err);
	return finish(lower,
		      own->input_as_shape
			  ? "y = Reshape<allowzero=1>(a, "
			    "Concat<axis=0>(Cast<to=int64>(x), b))"
			  : "y = Reshape<allowzero=1>(a, "
			    "Concat<axis=0>(Shape(x), b))",
		      values, shape, err);
}

/* clang-format off */
#define LAST UINT16_MAX
const struct spelling spellings_early[] = {
	{ .domain = "", .name = "Affine", .from = 1, .to = LAST,
	  .attrs = alpha_beta, .attrs_size = sizeof(struct numbers),
	  .text = "y0 = Add(Mul(x0, @alpha), @beta)" },
	{ .domain = "", .name = "Crop", .from = 1, .to = LAST,
	  .attrs = crop, .attrs_size = sizeof(struct crop_attrs), .lower = lower_crop },
	{ .domain = "", .name = "GivenTensorFill", .from = 1, .to = LAST,
	  .attrs = fill, .attrs_size = sizeof(struct fill_attrs), .lower = lower_fill },
	{ .domain = "", .name = "ImageScaler", .from = 1, .to = LAST,
	  .attrs = scaler, .attrs_size = sizeof(struct scaler_attrs), .lower = lower_scaler },
	{ .domain = "", .name = "ParametricSoftplus", .from = 1, .to = LAST,
	  .attrs = alpha_beta_1, .attrs_size = sizeof(struct numbers),
	  .text = "y0 = Mul(Softplus(Mul(x0, @beta)), @alpha)" },
	{ .domain = "", .name = "RoiAlign", .from = 10, .to = 15,
	  .attrs = roi, .attrs_size = sizeof(struct roi_attrs),
	  .text = "y0 = RoiAlign<mode=@mode, output_height=@output_height, "
		  "output_width=@output_width, sampling_ratio=@sampling_ratio, "
		  "spatial_scale=@spatial_scale, "
		  "coordinate_transformation_mode=\"output_half_pixel\">(x0, x1, x2)" },
	{ .domain = "", .name = "Scale", .from = 1, .to = LAST,
	  .attrs = scale, .attrs_size = sizeof(struct numbers),
	  .text = "y0 = Mul(x0, @scale)" },
	{ .domain = "", .name = "ScaledTanh", .from = 1, .to = LAST,
	  .attrs = alpha_beta_1, .attrs_size = sizeof(struct numbers),
	  .text = "y0 = Mul(Tanh(Mul(x0, @beta)), @alpha)" },
	{ 0 },
};
/* clang-format on */
