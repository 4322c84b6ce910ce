/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Pooling layers: max_pool2d, avg_pool2d, adaptive_avg_pool2d.
 *
 * A window over height and width of each channel gives its largest number or
 * its mean; adaptive_avg_pool2d to 1 gives the mean of the whole channel.
 */
#include "models/architectures/assembly.h"
#include "models/architectures/layer_options.h"

enum { AXES = 2 };

static const struct field max_pool_fields[] = {
	{ .name = "kernel_size",
	  .help = "extent of the window, one number or height and width",
	  .kind = FIELD_INTS,
	  .offset = offsetof(struct pool_options, kernel_size),
	  .flags = FIELD_REQUIRED,
	  .min = 1,
	  .max = 1 << 16 },
	{ .name = "stride",
	  .help = "steps of the window; kernel_size when it is left out",
	  .kind = FIELD_INTS,
	  .offset = offsetof(struct pool_options, stride),
	  .min = 1,
	  .max = 1 << 16 },
	{ .name = "padding",
	  .help = "on both sides, at most half of kernel_size",
	  .kind = FIELD_INTS,
	  .offset = offsetof(struct pool_options, padding),
	  .min = 0,
	  .max = 1 << 16 },
	{ .name = "dilation",
	  .help = "distance of the window's taps",
	  .kind = FIELD_INTS,
	  .offset = offsetof(struct pool_options, dilation),
	  .min = 1,
	  .max = 1 << 16 },
	{ .name = "ceil_mode",
	  .help = "let the last window reach over the edge",
	  .kind = FIELD_BOOL,
	  .offset = offsetof(struct pool_options, ceil_mode) },
	{ 0 },
};

static const struct field avg_pool_fields[] = {
	{ .name = "kernel_size",
	  .help = "extent of the window, one number or height and width",
	  .kind = FIELD_INTS,
	  .offset = offsetof(struct pool_options, kernel_size),
	  .flags = FIELD_REQUIRED,
	  .min = 1,
	  .max = 1 << 16 },
	{ .name = "stride",
	  .help = "steps of the window; kernel_size when it is left out",
	  .kind = FIELD_INTS,
	  .offset = offsetof(struct pool_options, stride),
	  .min = 1,
	  .max = 1 << 16 },
	{ .name = "padding",
	  .help = "on both sides, at most half of kernel_size",
	  .kind = FIELD_INTS,
	  .offset = offsetof(struct pool_options, padding),
	  .min = 0,
	  .max = 1 << 16 },
	{ .name = "ceil_mode",
	  .help = "let the last window reach over the edge",
	  .kind = FIELD_BOOL,
	  .offset = offsetof(struct pool_options, ceil_mode) },
	{ .name = "count_include_pad",
	  .help = "padding counts in the mean",
	  .kind = FIELD_BOOL,
	  .offset = offsetof(struct pool_options, count_include_pad),
	  .def = 1 },
	{ 0 },
};

struct lists {
	int64_t kernel[AXES], stride[AXES], dilation[AXES], pads[2 * AXES];
};

static enum err_code spread(const struct field_ints *list, const char *what,
			    const int64_t *otherwise, int64_t *to,
			    struct err *err)
{
	if (list->n > AXES)
		return err_set(err, ERR_INVALID,
			       "'%s' has %zu numbers; expected 1 or %d", what,
			       list->n, AXES);
	for (unsigned d = 0; d < AXES; d++)
		to[d] = !list->n       ? otherwise[d]
			: list->n == 1 ? list->v[0]
				       : list->v[d];
	return ERR_NONE;
}

static enum err_code make_lists(const struct pool_options *o, struct lists *l,
				struct err *err)
{
	static const int64_t ones[AXES] = { 1, 1 }, zeros[AXES] = { 0, 0 };
	enum err_code rc;

	rc = spread(&o->kernel_size, "kernel_size", ones, l->kernel, err);
	if (!rc)
		rc = spread(&o->stride, "stride", l->kernel, l->stride, err);
	if (!rc)
		rc = spread(&o->dilation, "dilation", ones, l->dilation, err);
	if (!rc)
		rc = spread(&o->padding, "padding", zeros, l->pads, err);
	for (unsigned d = 0; d < AXES && !rc; d++) {
		l->pads[AXES + d] = l->pads[d];
		if (2 * l->pads[d] > l->kernel[d])
			rc = err_set(err, ERR_INVALID,
				     "'padding' is %lld; at most half of "
				     "kernel_size, which is %lld",
				     (long long)l->pads[d],
				     (long long)l->kernel[d]);
	}
	return rc;
}

static enum err_code check_row(struct assembly *assembly, const char *layer,
			       int32_t in, struct err *err)
{
	struct shape row = assembly_row(assembly, in);
	char text[128];

	if (row.rank == AXES + 1)
		return ERR_NONE;
	return err_set(err, ERR_SHAPE,
		       "%s takes rows of [channels, height, width], but gets "
		       "%s",
		       layer, shape_text(&row, text, sizeof(text)));
}

static enum err_code max_pool2d_build(struct assembly *assembly,
				      const void *options, const char *name,
				      int32_t in, int32_t *ret_out,
				      struct err *err)
{
	const struct pool_options *o = options;
	struct lists l = { 0 };
	const struct attr_named attrs[] = {
		{ "kernel_shape",
		  { .kind = ATTR_INTS, .ints = { AXES, l.kernel } } },
		{ "strides",
		  { .kind = ATTR_INTS, .ints = { AXES, l.stride } } },
		{ "dilations",
		  { .kind = ATTR_INTS, .ints = { AXES, l.dilation } } },
		{ "pads",
		  { .kind = ATTR_INTS, .ints = { (size_t)2 * AXES, l.pads } } },
		{ "ceil_mode", { .kind = ATTR_INT, .i = o->ceil_mode } },
	};
	const struct assembly_call call = {
		"MaxPool", { attrs, sizeof(attrs) / sizeof(*attrs) }, &in, 1
	};
	enum err_code rc = check_row(assembly, "max_pool2d", in, err);

	(void)name;
	if (!rc)
		rc = make_lists(o, &l, err);
	return rc ? rc : assembly_node(assembly, &call, ret_out, err);
}

static enum err_code avg_pool2d_build(struct assembly *assembly,
				      const void *options, const char *name,
				      int32_t in, int32_t *ret_out,
				      struct err *err)
{
	const struct pool_options *o = options;
	struct lists l = { 0 };
	const struct attr_named attrs[] = {
		{ "kernel_shape",
		  { .kind = ATTR_INTS, .ints = { AXES, l.kernel } } },
		{ "strides",
		  { .kind = ATTR_INTS, .ints = { AXES, l.stride } } },
		{ "pads",
		  { .kind = ATTR_INTS, .ints = { (size_t)2 * AXES, l.pads } } },
		{ "ceil_mode", { .kind = ATTR_INT, .i = o->ceil_mode } },
		{ "count_include_pad",
		  { .kind = ATTR_INT, .i = o->count_include_pad } },
	};
	const struct assembly_call call = {
		"AveragePool", { attrs, sizeof(attrs) / sizeof(*attrs) }, &in, 1
	};
	enum err_code rc = check_row(assembly, "avg_pool2d", in, err);

	(void)name;
	if (!rc)
		rc = make_lists(o, &l, err);
	return rc ? rc : assembly_node(assembly, &call, ret_out, err);
}

struct adaptive_options {
	int64_t output_size;
};

static const struct field adaptive_fields[] = {
	{ .name = "output_size",
	  .help = "1: the mean of each channel",
	  .kind = FIELD_INT,
	  .offset = offsetof(struct adaptive_options, output_size),
	  .min = 1,
	  .max = 1,
	  .def = 1 },
	{ 0 },
};

static enum err_code adaptive_avg_pool2d_build(struct assembly *assembly,
					       const void *options,
					       const char *name, int32_t in,
					       int32_t *ret_out,
					       struct err *err)
{
	const struct assembly_call call = {
		"GlobalAveragePool", { NULL, 0 }, &in, 1
	};
	enum err_code rc = check_row(assembly, "adaptive_avg_pool2d", in, err);

	(void)options;
	(void)name;
	return rc ? rc : assembly_node(assembly, &call, ret_out, err);
}

extern const struct layer_kind layer_max_pool2d, layer_avg_pool2d,
    layer_adaptive_avg_pool2d;
const struct layer_kind layer_max_pool2d = {
	.name = "max_pool2d",
	.help = "the largest number in a window",
	.fields = max_pool_fields,
	.size = sizeof(struct pool_options),
	.build = max_pool2d_build,
};
const struct layer_kind layer_avg_pool2d = {
	.name = "avg_pool2d",
	.help = "the mean of a window",
	.fields = avg_pool_fields,
	.size = sizeof(struct pool_options),
	.build = avg_pool2d_build,
};
const struct layer_kind layer_adaptive_avg_pool2d = {
	.name = "adaptive_avg_pool2d",
	.help = "the mean of each channel",
	.fields = adaptive_fields,
	.size = sizeof(struct adaptive_options),
	.build = adaptive_avg_pool2d_build,
};
