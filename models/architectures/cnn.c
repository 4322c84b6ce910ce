/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * cnn: a small network for small pictures.
 *
 * { conv2d 3x3, batch_norm, relu, max_pool2d 2 } with 32, then 64 channels,
 * flatten, linear 128, relu, dropout 0.25, linear
 */
#include "models/architectures/assembly.h"
#include "models/architectures/layer_options.h"

struct cnn_options {
	int init;
};

static const struct field cnn_fields[] = {
	INIT_FIELD(struct cnn_options),
	{ 0 },
};

static enum err_code cnn_build(struct assembly *assembly, const void *options,
			       int32_t in, int64_t width, int32_t *ret_out,
			       struct err *err)
{
	int64_t three[] = { 3 }, two[] = { 2 }, one[] = { 1 };
	const struct conv_options conv[2] = {
		{ .out_channels = 32,
		  .kernel_size = { 1, three },
		  .padding = { 1, one },
		  .groups = 1,
		  .bias = true },
		{ .out_channels = 64,
		  .kernel_size = { 1, three },
		  .padding = { 1, one },
		  .groups = 1,
		  .bias = true },
	};
	const struct batch_norm_options norm = { 1e-5, 0.1 };
	const struct pool_options pool = { .kernel_size = { 1, two } };
	const struct linear_options hidden = { 128, true };
	const struct linear_options last = { width, true };
	const struct dropout_options dropout = { 0.25 };
	const struct {
		const char *kind;
		const void *options;
	} layers[] = {
		{ "conv2d", &conv[0] }, { "batch_norm", &norm },
		{ "relu", NULL },	{ "max_pool2d", &pool },
		{ "conv2d", &conv[1] }, { "batch_norm", &norm },
		{ "relu", NULL },	{ "max_pool2d", &pool },
		{ "flatten", NULL },	{ "linear", &hidden },
		{ "relu", NULL },	{ "dropout", &dropout },
		{ "linear", &last },
	};
	enum err_code rc = ERR_NONE;

	(void)options;
	for (size_t i = 0; i < sizeof(layers) / sizeof(*layers) && !rc; i++) {
		char name[16];

		(void)snprintf(name, sizeof(name), "%zu", i);
		rc = assembly_layer(assembly, layers[i].kind, layers[i].options,
				    name, &in, err);
	}
	*ret_out = in;
	return rc;
}

extern const struct architecture architecture_cnn;
const struct architecture architecture_cnn = {
	.name = "cnn",
	.help = "two convolutions with batch norm, for pictures",
	.options = cnn_fields,
	.size = sizeof(struct cnn_options),
	.build = cnn_build,
};
