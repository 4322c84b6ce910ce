/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * resnet18: He et al., "Deep Residual Learning for Image Recognition" (2015),
 * with torchvision's names, so that its weights fit.
 *
 * conv 7x7 / 2, batch_norm, relu, max_pool 3 / 2, four stages of two blocks
 * with 64, 128, 256 and 512 channels, global average, linear. A block is
 * relu(x + bn2(conv2(relu(bn1(conv1(x)))))), with a 1x1 convolution and batch
 * norm on x where shapes change. With `drop_path`, what is added to x is
 * dropped in training, row by row, as often as the block is deep (Huang et al.
 * 2016).
 */
#include "models/architectures/assembly.h"
#include "models/architectures/layer_options.h"

struct resnet_options {
	int init;
	double drop_path;
};

static const struct field resnet_fields[] = {
	INIT_FIELD(struct resnet_options),
	{ .name = "drop_path",
	  .help = "stochastic depth of the last block; earlier ones have less",
	  .kind = FIELD_DOUBLE,
	  .offset = offsetof(struct resnet_options, drop_path),
	  .min = 0,
	  .max = 0.999 },
	{ 0 },
};

enum { STAGES = 4, BLOCKS = 2, NAME_BYTES = 64 };

struct conv_size {
	int64_t channels, kernel, stride;
	double drop_path; /* of a block */
};

/* Without bias: batch norm follows and has one. */
static enum err_code add_conv(struct assembly *assembly, struct conv_size size,
			      const char *name, int32_t *value, struct err *err)
{
	int64_t kernel[] = { size.kernel }, stride[] = { size.stride };
	int64_t padding[] = { size.kernel / 2 };
	const struct conv_options conv = {
		.out_channels = size.channels,
		.kernel_size = { 1, kernel },
		.stride = { 1, stride },
		.padding = { 1, padding },
		.groups = 1,
	};

	return assembly_layer(assembly, "conv2d", &conv, name, value, err);
}

static enum err_code add_norm(struct assembly *assembly, const char *name,
			      int32_t *value, struct err *err)
{
	const struct batch_norm_options norm = { 1e-5, 0.1 };

	return assembly_layer(assembly, "batch_norm", &norm, name, value, err);
}

static const char *join(char text[NAME_BYTES], const char *prefix,
			const char *name)
{
	(void)snprintf(text, NAME_BYTES, "%.30s%.30s", prefix, name);
	return text;
}

static enum err_code add_downsample(struct assembly *assembly,
				    struct conv_size size, const char *prefix,
				    int32_t *value, struct err *err)
{
	const struct conv_size one = { size.channels, 1, size.stride, 0 };
	char name[NAME_BYTES];
	enum err_code rc;

	rc = add_conv(assembly, one, join(name, prefix, "downsample.0"), value,
		      err);
	if (rc)
		return rc;
	return add_norm(assembly, join(name, prefix, "downsample.1"), value,
			err);
}

static enum err_code add_block(struct assembly *assembly, struct conv_size size,
			       const char *prefix, int32_t *value,
			       struct err *err)
{
	const struct conv_size again = { size.channels, size.kernel, 1, 0 };
	int32_t x = *value, pair[2];
	const struct assembly_call add = { "Add", { NULL, 0 }, pair, 2 };
	char name[NAME_BYTES];
	enum err_code rc;

	rc = add_conv(assembly, size, join(name, prefix, "conv1"), value, err);
	if (!rc)
		rc = add_norm(assembly, join(name, prefix, "bn1"), value, err);
	if (!rc)
		rc = assembly_layer(assembly, "relu", NULL,
				    join(name, prefix, "relu"), value, err);
	if (!rc)
		rc = add_conv(assembly, again, join(name, prefix, "conv2"),
			      value, err);
	if (!rc)
		rc = add_norm(assembly, join(name, prefix, "bn2"), value, err);
	if (!rc && (size.stride != 1 ||
		    assembly_row(assembly, x).dim[0] != size.channels))
		rc = add_downsample(assembly, size, prefix, &x, err);
	if (!rc)
		rc = assembly_dropout(assembly, size.drop_path, prefix, value,
				      err);
	pair[0] = *value;
	pair[1] = x;
	if (!rc)
		rc = assembly_node(assembly, &add, value, err);
	if (!rc)
		rc = assembly_layer(assembly, "relu", NULL,
				    join(name, prefix, "relu"), value, err);
	return rc;
}

static enum err_code add_stem(struct assembly *assembly, int32_t *value,
			      struct err *err)
{
	const struct conv_size size = { 64, 7, 2, 0 };
	int64_t three[] = { 3 }, two[] = { 2 }, one[] = { 1 };
	const struct pool_options pool = { .kernel_size = { 1, three },
					   .stride = { 1, two },
					   .padding = { 1, one } };
	enum err_code rc;

	rc = add_conv(assembly, size, "conv1", value, err);
	if (!rc)
		rc = add_norm(assembly, "bn1", value, err);
	if (!rc)
		rc = assembly_layer(assembly, "relu", NULL, "relu", value, err);
	if (!rc)
		rc = assembly_layer(assembly, "max_pool2d", &pool, "maxpool",
				    value, err);
	return rc;
}

static enum err_code add_head(struct assembly *assembly, int64_t width,
			      int32_t *value, struct err *err)
{
	const struct linear_options last = { width, true };
	enum init_kind init = assembly->init;
	enum err_code rc;

	rc = assembly_layer(assembly, "adaptive_avg_pool2d", NULL, "avgpool",
			    value, err);
	if (!rc)
		rc = assembly_layer(assembly, "flatten", NULL, "flatten", value,
				    err);
	/* torchvision leaves the last layer as it comes */
	if (init == INIT_KAIMING_FAN_OUT)
		assembly->init = INIT_DEFAULT;
	if (!rc)
		rc =
		    assembly_layer(assembly, "linear", &last, "fc", value, err);
	assembly->init = init;
	return rc;
}

static enum err_code resnet18_build(struct assembly *assembly,
				    const void *options, int32_t in,
				    int64_t width, int32_t *ret_out,
				    struct err *err)
{
	const struct resnet_options *o = options;
	enum err_code rc;

	if (assembly->init == INIT_DEFAULT)
		assembly->init = INIT_KAIMING_FAN_OUT;
	rc = add_stem(assembly, &in, err);
	for (int stage = 0; stage < STAGES && !rc; stage++) {
		for (int block = 0; block < BLOCKS && !rc; block++) {
			const int number = stage * BLOCKS + block;
			const struct conv_size size = {
				(int64_t)64 << stage, 3,
				stage && !block ? 2 : 1,
				o->drop_path * number / (STAGES * BLOCKS - 1)
			};
			char prefix[NAME_BYTES];

			(void)snprintf(prefix, sizeof(prefix), "layer%d.%d.",
				       stage + 1, block);
			rc = add_block(assembly, size, prefix, &in, err);
		}
	}
	if (!rc)
		rc = add_head(assembly, width, &in, err);
	*ret_out = in;
	return rc;
}

extern const struct architecture architecture_resnet18;
const struct architecture architecture_resnet18 = {
	.name = "resnet18",
	.help = "a residual network of 18 layers, for pictures",
	.options = resnet_fields,
	.size = sizeof(struct resnet_options),
	.build = resnet18_build,
};
