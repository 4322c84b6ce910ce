/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Layers that hold parameters: linear, conv1d, conv2d, batch_norm.
 *
 * linear      y = x W' + b           W [out, in], as PyTorch keeps it
 * convNd      y = x * W + b          W [out, in / groups, kernel...]
 * batch_norm  y = (x - mean) / sqrt(var + eps) weight + bias, by channel
 */
#include "models/architectures/assembly.h"
#include "models/architectures/layer_options.h"

/* --- linear --- */

static const struct field linear_fields[] = {
	{ .name = "out_features",
	  .help = "numbers a row that it gives",
	  .kind = FIELD_INT,
	  .offset = offsetof(struct linear_options, out_features),
	  .flags = FIELD_REQUIRED,
	  .min = 1,
	  .max = 1 << 24 },
	{ .name = "bias",
	  .help = "add one number to each",
	  .kind = FIELD_BOOL,
	  .offset = offsetof(struct linear_options, bias),
	  .def = 1 },
	{ 0 },
};

static enum err_code linear_build(struct assembly *assembly,
				  const void *options, const char *name,
				  int32_t in, int32_t *ret_out, struct err *err)
{
	static const struct attr_named attrs[] = {
		{ "transB", { .kind = ATTR_INT, .i = 1 } },
	};
	const struct linear_options *o = options;
	struct shape row = assembly_row(assembly, in);
	struct assembly_param weight = { .name = name,
					 .part = "weight",
					 .shape = { 2, { o->out_features } },
					 .is_weight = true };
	struct assembly_param bias = { .name = name,
				       .part = "bias",
				       .shape = { 1, { o->out_features } } };
	int32_t x[3] = { in };
	const struct assembly_call call = {
		"Gemm", { attrs, 1 }, x, o->bias ? 3 : 2
	};
	char text[128];
	enum err_code rc;

	if (row.rank != 1)
		return err_set(err, ERR_SHAPE,
			       "linear takes rows of one dimension, but gets "
			       "%s; put a flatten before it",
			       shape_text(&row, text, sizeof(text)));
	weight.shape.dim[1] = row.dim[0];
	weight.fan_in = bias.fan_in = row.dim[0];
	weight.fan_out = o->out_features;
	rc = assembly_param(assembly, &weight, &x[1], err);
	if (!rc && o->bias)
		rc = assembly_param(assembly, &bias, &x[2], err);
	return rc ? rc : assembly_node(assembly, &call, ret_out, err);
}

extern const struct layer_kind layer_linear;
const struct layer_kind layer_linear = {
	.name = "linear",
	.help = "every output from every input",
	.fields = linear_fields,
	.size = sizeof(struct linear_options),
	.build = linear_build,
};

/* --- convolutions --- */

static const int64_t one[1] = { 1 };

static const struct field conv_fields[] = {
	{ .name = "out_channels",
	  .help = "channels that it gives",
	  .kind = FIELD_INT,
	  .offset = offsetof(struct conv_options, out_channels),
	  .flags = FIELD_REQUIRED,
	  .min = 1,
	  .max = 1 << 20 },
	{ .name = "kernel_size",
	  .help = "extent of the window, one number or one an axis",
	  .kind = FIELD_INTS,
	  .offset = offsetof(struct conv_options, kernel_size),
	  .flags = FIELD_REQUIRED,
	  .min = 1,
	  .max = 1 << 16 },
	{ .name = "stride",
	  .help = "steps of the window",
	  .kind = FIELD_INTS,
	  .offset = offsetof(struct conv_options, stride),
	  .min = 1,
	  .max = 1 << 16 },
	{ .name = "padding",
	  .help = "zeros on both sides",
	  .kind = FIELD_INTS,
	  .offset = offsetof(struct conv_options, padding),
	  .min = 0,
	  .max = 1 << 16 },
	{ .name = "dilation",
	  .help = "distance of the window's taps",
	  .kind = FIELD_INTS,
	  .offset = offsetof(struct conv_options, dilation),
	  .min = 1,
	  .max = 1 << 16 },
	{ .name = "groups",
	  .help = "parts that see only their own channels",
	  .kind = FIELD_INT,
	  .offset = offsetof(struct conv_options, groups),
	  .min = 1,
	  .max = 1 << 20,
	  .def = 1 },
	{ .name = "bias",
	  .help = "add one number to each channel",
	  .kind = FIELD_BOOL,
	  .offset = offsetof(struct conv_options, bias),
	  .def = 1 },
	{ 0 },
};

/* The lists of a window, one number an axis, and padding as ONNX wants it:
 * beginnings, then ends. */
struct window {
	int64_t kernel[SHAPE_MAX_RANK], stride[SHAPE_MAX_RANK],
	    dilation[SHAPE_MAX_RANK], pads[2 * SHAPE_MAX_RANK];
};

static enum err_code spread(const struct field_ints *list, const char *what,
			    const struct field_ints *otherwise, unsigned n,
			    int64_t *to, struct err *err)
{
	const struct field_ints *from = list->n ? list : otherwise;

	if (from->n != 1 && from->n != n)
		return err_set(err, ERR_INVALID,
			       "'%s' has %zu numbers; expected 1 or %u", what,
			       from->n, n);
	for (unsigned d = 0; d < n; d++)
		to[d] = from->v[from->n == 1 ? 0 : d];
	return ERR_NONE;
}

static enum err_code conv_window(const struct conv_options *o, unsigned n,
				 struct window *w, struct err *err)
{
	static const int64_t none[1] = { 0 };
	union {
		const int64_t *from;
		int64_t *v;
	} ones = { .from = one }, zeros = { .from = none };
	const struct field_ints by_one = { 1, ones.v },
				by_zero = { 1, zeros.v };
	enum err_code rc;

	rc = spread(&o->kernel_size, "kernel_size", &by_one, n, w->kernel, err);
	if (!rc)
		rc = spread(&o->stride, "stride", &by_one, n, w->stride, err);
	if (!rc)
		rc = spread(&o->dilation, "dilation", &by_one, n, w->dilation,
			    err);
	if (!rc)
		rc = spread(&o->padding, "padding", &by_zero, n, w->pads, err);
	for (unsigned d = 0; d < n && !rc; d++)
		w->pads[n + d] = w->pads[d];
	return rc;
}

static enum err_code conv_params(struct assembly *assembly,
				 const struct conv_options *o, const char *name,
				 const struct window *w, int32_t *x,
				 struct err *err)
{
	struct shape row = assembly_row(assembly, x[0]);
	struct assembly_param weight = {
		.name = name,
		.part = "weight",
		.shape = { row.rank + 1,
			   { o->out_channels, row.dim[0] / o->groups } },
		.is_weight = true
	};
	struct assembly_param bias = { .name = name,
				       .part = "bias",
				       .shape = { 1, { o->out_channels } } };
	int64_t taps = 1;
	enum err_code rc;

	/* at most 2^16 for each of at most two axes */
	for (unsigned d = 0; d + 1 < row.rank; d++) {
		weight.shape.dim[2 + d] = w->kernel[d];
		taps *= w->kernel[d];
	}
	weight.fan_in = bias.fan_in = weight.shape.dim[1] * taps;
	weight.fan_out = o->out_channels * taps;
	rc = assembly_param(assembly, &weight, &x[1], err);
	if (!rc && o->bias)
		rc = assembly_param(assembly, &bias, &x[2], err);
	return rc;
}

static enum err_code check_conv(const struct conv_options *o,
				const struct shape *row, unsigned n,
				struct err *err)
{
	char text[128];

	if (row->rank != n + 1)
		return err_set(err, ERR_SHAPE,
			       "conv%ud takes rows of [channels, %s], but gets "
			       "%s",
			       n, n == 1 ? "length" : "height, width",
			       shape_text(row, text, sizeof(text)));
	if (row->dim[0] % o->groups || o->out_channels % o->groups)
		return err_set(err, ERR_SHAPE,
			       "conv%ud: %lld groups divide neither %lld "
			       "channels in nor %lld out",
			       n, (long long)o->groups, (long long)row->dim[0],
			       (long long)o->out_channels);
	return ERR_NONE;
}

static enum err_code conv_build(struct assembly *assembly,
				const struct conv_options *o, const char *name,
				unsigned n, int32_t *value, struct err *err)
{
	struct shape row = assembly_row(assembly, *value);
	struct window w = { 0 };
	const struct attr_named attrs[] = {
		{ "group", { .kind = ATTR_INT, .i = o->groups } },
		{ "kernel_shape",
		  { .kind = ATTR_INTS, .ints = { n, w.kernel } } },
		{ "strides", { .kind = ATTR_INTS, .ints = { n, w.stride } } },
		{ "dilations",
		  { .kind = ATTR_INTS, .ints = { n, w.dilation } } },
		{ "pads",
		  { .kind = ATTR_INTS, .ints = { (size_t)2 * n, w.pads } } },
	};
	int32_t x[3] = { *value };
	const struct assembly_call call = { "Conv",
					    { attrs,
					      sizeof(attrs) / sizeof(*attrs) },
					    x,
					    o->bias ? 3 : 2 };
	enum err_code rc = check_conv(o, &row, n, err);

	if (!rc)
		rc = conv_window(o, n, &w, err);
	if (!rc)
		rc = conv_params(assembly, o, name, &w, x, err);
	return rc ? rc : assembly_node(assembly, &call, value, err);
}

static enum err_code conv1d_build(struct assembly *assembly,
				  const void *options, const char *name,
				  int32_t in, int32_t *ret_out, struct err *err)
{
	*ret_out = in;
	return conv_build(assembly, options, name, 1, ret_out, err);
}

static enum err_code conv2d_build(struct assembly *assembly,
				  const void *options, const char *name,
				  int32_t in, int32_t *ret_out, struct err *err)
{
	*ret_out = in;
	return conv_build(assembly, options, name, 2, ret_out, err);
}

extern const struct layer_kind layer_conv1d, layer_conv2d;
const struct layer_kind layer_conv1d = {
	.name = "conv1d",
	.help = "a window over one axis",
	.fields = conv_fields,
	.size = sizeof(struct conv_options),
	.build = conv1d_build,
};
const struct layer_kind layer_conv2d = {
	.name = "conv2d",
	.help = "a window over height and width",
	.fields = conv_fields,
	.size = sizeof(struct conv_options),
	.build = conv2d_build,
};

/* --- batch_norm --- */

static const struct field batch_norm_fields[] = {
	{ .name = "eps",
	  .help = "added to the variance",
	  .kind = FIELD_DOUBLE,
	  .offset = offsetof(struct batch_norm_options, eps),
	  .min = 1e-12,
	  .max = 1,
	  .def = 1e-5 },
	{ .name = "momentum",
	  .help = "share of the new statistics in the running ones",
	  .kind = FIELD_DOUBLE,
	  .offset = offsetof(struct batch_norm_options, momentum),
	  .min = 1e-12,
	  .max = 1,
	  .def = 0.1 },
	{ 0 },
};

static enum err_code batch_norm_build(struct assembly *assembly,
				      const void *options, const char *name,
				      int32_t in, int32_t *ret_out,
				      struct err *err)
{
	static const struct {
		const char *part;
		enum role role;
		float begins;
	} parts[4] = { { "weight", ROLE_PARAM, 1 },
		       { "bias", ROLE_PARAM, 0 },
		       { "running_mean", ROLE_STATE, 0 },
		       { "running_var", ROLE_STATE, 1 } };
	const struct batch_norm_options *o = options;
	struct shape row = assembly_row(assembly, in);
	/* ONNX counts the share of the old ones */
	const struct attr_named attrs[] = {
		{ "epsilon", { .kind = ATTR_FLOAT, .f = o->eps } },
		{ "momentum", { .kind = ATTR_FLOAT, .f = 1 - o->momentum } },
	};
	int32_t x[5] = { in };
	const struct assembly_call call = {
		"BatchNormalization", { attrs, 2 }, x, 5
	};
	enum err_code rc = ERR_NONE;

	if (!row.rank)
		return err_set(err, ERR_SHAPE,
			       "batch_norm takes rows of [channels, ...], but "
			       "gets one number a row");
	for (unsigned i = 0; i < 4 && !rc; i++) {
		const struct assembly_param param = {
			.name = name,
			.part = parts[i].part,
			.role = parts[i].role,
			.shape = { 1, { row.dim[0] } },
			.is_constant = true,
			.constant = parts[i].begins,
		};

		rc = assembly_param(assembly, &param, &x[1 + i], err);
	}
	return rc ? rc : assembly_node(assembly, &call, ret_out, err);
}

extern const struct layer_kind layer_batch_norm;
const struct layer_kind layer_batch_norm = {
	.name = "batch_norm",
	.help = "mean 0 and variance 1 in each channel, then scale and shift",
	.fields = batch_norm_fields,
	.size = sizeof(struct batch_norm_options),
	.build = batch_norm_build,
};
