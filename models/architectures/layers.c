/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * layers: the network that the job lists, layer by layer.
 */
#include "models/architectures/assembly.h"

struct layers_options {
	int init;
	const struct doc *layers;
};

static const struct field layers_fields[] = {
	INIT_FIELD(struct layers_options),
	{ .name = "layers",
	  .help = "maps with a 'type', from the input to the output",
	  .kind = FIELD_DOC,
	  .offset = offsetof(struct layers_options, layers),
	  .flags = FIELD_REQUIRED },
	{ 0 },
};

static enum err_code layers_build(struct assembly *assembly,
				  const void *options, int32_t in,
				  int64_t width, int32_t *ret_out,
				  struct err *err)
{
	const struct layers_options *o = options;

	(void)width; /* the list says what it gives; network_build() looks */
	*ret_out = in;
	return assembly_layers(assembly, o->layers, "model.layers", "", ret_out,
			       err);
}

extern const struct architecture architecture_layers;
const struct architecture architecture_layers = {
	.name = "layers",
	.help = "the layers that `layers` lists",
	.options = layers_fields,
	.size = sizeof(struct layers_options),
	.build = layers_build,
};
