/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * mlp: linear layers with an activation between them.
 *
 * [flatten] { linear, [batch_norm], activation, [dropout] } ... linear
 */
#include "base/str.h"
#include "models/architectures/assembly.h"
#include "models/architectures/layer_options.h"

struct mlp_options {
	int init;
	struct field_ints hidden_sizes;
	int activation;
	double dropout;
	bool batch_norm;
};

static const char *const activations[] = { "relu", "leaky_relu", "sigmoid",
					   "silu", "tanh",	 NULL };

static const struct field mlp_fields[] = {
	INIT_FIELD(struct mlp_options),
	{ .name = "hidden_sizes",
	  .help = "widths of the hidden layers; one of 128 when left out",
	  .kind = FIELD_INTS,
	  .offset = offsetof(struct mlp_options, hidden_sizes),
	  .min = 1,
	  .max = 1 << 24 },
	{ .name = "activation",
	  .help = "after each hidden layer",
	  .kind = FIELD_ENUM,
	  .offset = offsetof(struct mlp_options, activation),
	  .names = activations },
	{ .name = "dropout",
	  .help = "after each activation; 0: none",
	  .kind = FIELD_DOUBLE,
	  .offset = offsetof(struct mlp_options, dropout),
	  .min = 0,
	  .max = 0.999 },
	{ .name = "batch_norm",
	  .help = "before each activation",
	  .kind = FIELD_BOOL,
	  .offset = offsetof(struct mlp_options, batch_norm) },
	{ 0 },
};

/* Layers are named by their number, as in PyTorch's Sequential. */
struct stack {
	struct assembly *assembly;
	unsigned n;
	int32_t value;
};

static enum err_code push(struct stack *stack, const char *kind,
			  const void *options, struct err *err)
{
	char name[16];

	(void)snprintf(name, sizeof(name), "%u", stack->n++);
	return assembly_layer(stack->assembly, kind, options, name,
			      &stack->value, err);
}

static enum err_code push_hidden(struct stack *stack,
				 const struct mlp_options *o, int64_t width,
				 struct err *err)
{
	const struct linear_options linear = { width, true };
	const struct batch_norm_options batch_norm = { 1e-5, 0.1 };
	const struct leaky_relu_options leaky = { 0.01 };
	const struct dropout_options dropout = { o->dropout };
	const char *activation = activations[o->activation];
	enum err_code rc;

	rc = push(stack, "linear", &linear, err);
	if (!rc && o->batch_norm)
		rc = push(stack, "batch_norm", &batch_norm, err);
	if (!rc) /* only leaky_relu looks at its options */
		rc = push(stack, activation, &leaky, err);
	if (!rc && o->dropout > 0)
		rc = push(stack, "dropout", &dropout, err);
	return rc;
}

static enum err_code mlp_build(struct assembly *assembly, const void *options,
			       int32_t in, int64_t width, int32_t *ret_out,
			       struct err *err)
{
	static const int64_t default_sizes[] = { 128 };
	const struct mlp_options *o = options;
	const struct linear_options last = { width, true };
	struct stack stack = { .assembly = assembly, .value = in };
	const int64_t *size = default_sizes;
	size_t n = 1;
	enum err_code rc = ERR_NONE;

	if (o->hidden_sizes.v) {
		size = o->hidden_sizes.v;
		n = o->hidden_sizes.n;
	}
	if (assembly_row(assembly, in).rank != 1)
		rc = push(&stack, "flatten", NULL, err);
	for (size_t i = 0; i < n && !rc; i++)
		rc = push_hidden(&stack, o, size[i], err);
	if (!rc)
		rc = push(&stack, "linear", &last, err);
	*ret_out = stack.value;
	return rc;
}

extern const struct architecture architecture_mlp;
const struct architecture architecture_mlp = {
	.name = "mlp",
	.help = "linear layers with an activation between them",
	.options = mlp_fields,
	.size = sizeof(struct mlp_options),
	.build = mlp_build,
};
