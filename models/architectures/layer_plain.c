/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Layers without parameters: activations, dropout, flatten, reshape, and
 * residual, which adds what the layers inside it give.
 *
 * silu      y = x sigmoid(x)
 * residual  y = x + f(x)
 */
#include "models/architectures/assembly.h"
#include "models/architectures/layer_options.h"

static const struct field no_fields[] = { { 0 } };

/* One node of one input without attributes. */
static enum err_code one_node(struct assembly *assembly, const char *op,
			      int32_t in, int32_t *ret_out, struct err *err)
{
	const struct assembly_call call = { op, { NULL, 0 }, &in, 1 };

	return assembly_node(assembly, &call, ret_out, err);
}

static enum err_code add_node(struct assembly *assembly, const char *op,
			      int32_t a, int32_t b, int32_t *ret_out,
			      struct err *err)
{
	const int32_t in[2] = { a, b };
	const struct assembly_call call = { op, { NULL, 0 }, in, 2 };

	return assembly_node(assembly, &call, ret_out, err);
}

#define ACTIVATION(layer, op)                                                 \
	static enum err_code layer##_build(                                   \
	    struct assembly *assembly, const void *options, const char *name, \
	    int32_t in, int32_t *ret_out, struct err *err)                    \
	{                                                                     \
		(void)options;                                                \
		(void)name;                                                   \
		return one_node(assembly, op, in, ret_out, err);              \
	}
ACTIVATION(relu, "Relu")
ACTIVATION(sigmoid, "Sigmoid")
ACTIVATION(tanh, "Tanh")
ACTIVATION(softmax, "Softmax") /* over the last axis */
ACTIVATION(log_softmax, "LogSoftmax")
ACTIVATION(flatten, "Flatten") /* from axis 1 on */
#undef ACTIVATION

static enum err_code silu_build(struct assembly *assembly, const void *options,
				const char *name, int32_t in, int32_t *ret_out,
				struct err *err)
{
	int32_t gate;
	enum err_code rc = one_node(assembly, "Sigmoid", in, &gate, err);

	(void)options;
	(void)name;
	return rc ? rc : add_node(assembly, "Mul", in, gate, ret_out, err);
}

static enum err_code leaky_relu_build(struct assembly *assembly,
				      const void *options, const char *name,
				      int32_t in, int32_t *ret_out,
				      struct err *err)
{
	const struct leaky_relu_options *o = options;
	const struct attr_named attrs[] = {
		{ "alpha", { .kind = ATTR_FLOAT, .f = o->negative_slope } },
	};
	const struct assembly_call call = { "LeakyRelu", { attrs, 1 }, &in, 1 };

	(void)name;
	return assembly_node(assembly, &call, ret_out, err);
}

/* Evaluation form: the identity. Training makes a mask of it. */
static enum err_code dropout_build(struct assembly *assembly,
				   const void *options, const char *name,
				   int32_t in, int32_t *ret_out,
				   struct err *err)
{
	const struct dropout_options *o = options;
	int32_t ratio = build_scalar(&assembly->build, DTYPE_F32, o->p);

	(void)name;
	return add_node(assembly, "Dropout", in, ratio, ret_out, err);
}

/* The same of whole rows: inside a residual, stochastic depth. */
static enum err_code drop_path_build(struct assembly *assembly,
				     const void *options, const char *name,
				     int32_t in, int32_t *ret_out,
				     struct err *err)
{
	const struct dropout_options *o = options;

	*ret_out = in;
	return assembly_dropout(assembly, o->p, name, ret_out, err);
}

static const struct field leaky_relu_fields[] = {
	{ .name = "negative_slope",
	  .help = "slope below 0",
	  .kind = FIELD_DOUBLE,
	  .offset = offsetof(struct leaky_relu_options, negative_slope),
	  .min = -1e6,
	  .max = 1e6,
	  .def = 0.01 },
	{ 0 },
};

static const struct field dropout_fields[] = {
	{ .name = "p",
	  .help = "share of the numbers that training sets to 0",
	  .kind = FIELD_DOUBLE,
	  .offset = offsetof(struct dropout_options, p),
	  .min = 0,
	  .max = 0.999,
	  .def = 0.5 },
	{ 0 },
};

static const struct field drop_path_fields[] = {
	{ .name = "p",
	  .help = "share of the rows that training sets to 0",
	  .kind = FIELD_DOUBLE,
	  .offset = offsetof(struct dropout_options, p),
	  .min = 0,
	  .max = 0.999,
	  .def = 0.1 },
	{ 0 },
};

/* --- reshape --- */

struct reshape_options {
	struct field_ints shape;
};

static const struct field reshape_fields[] = {
	{ .name = "shape",
	  .help = "extents of a row; -1: what is left",
	  .kind = FIELD_INTS,
	  .offset = offsetof(struct reshape_options, shape),
	  .flags = FIELD_REQUIRED,
	  .min = -1,
	  .max = INT32_MAX },
	{ 0 },
};

static enum err_code reshape_build(struct assembly *assembly,
				   const void *options, const char *name,
				   int32_t in, int32_t *ret_out,
				   struct err *err)
{
	const struct reshape_options *o = options;
	int64_t shape[SHAPE_MAX_RANK] = { 0 }; /* 0: the rows, as they are */
	int32_t target;

	(void)name;
	if (o->shape.n >= SHAPE_MAX_RANK)
		return err_set(err, ERR_SHAPE,
			       "'shape' has %zu extents; a row has at most %d",
			       o->shape.n, SHAPE_MAX_RANK - 1);
	for (size_t i = 0; i < o->shape.n; i++) {
		shape[i + 1] = o->shape.v[i];
		if (!shape[i + 1])
			return err_set(err, ERR_SHAPE,
				       "'shape' has an extent of 0");
	}
	target = build_ints(&assembly->build, shape, o->shape.n + 1);
	return add_node(assembly, "Reshape", in, target, ret_out, err);
}

/* --- residual --- */

struct residual_options {
	const struct doc *layers;
};

static const struct field residual_fields[] = {
	{ .name = "layers",
	  .help = "what is added to the input",
	  .kind = FIELD_DOC,
	  .offset = offsetof(struct residual_options, layers),
	  .flags = FIELD_REQUIRED },
	{ 0 },
};

/* One level: a residual inside a residual would be recursion. */
static enum err_code refuse_nested(const struct doc *layers, struct err *err)
{
	for (const struct doc *d = layers->first; d; d = d->next) {
		const struct doc *type = doc_find(d, "type");

		if (type && type->kind == DOC_STRING &&
		    !strcmp(type->text, "residual"))
			return err_set(err, ERR_INVALID,
				       "a residual must not hold another "
				       "residual");
	}
	return ERR_NONE;
}

static enum err_code residual_build(struct assembly *assembly,
				    const void *options, const char *name,
				    int32_t in, int32_t *ret_out,
				    struct err *err)
{
	const struct residual_options *o = options;
	const char *where =
	    arena_printf(assembly->scratch, "model.layers[%s].layers", name);
	const char *prefix = arena_printf(assembly->scratch, "%s.", name);
	struct shape before = assembly_row(assembly, in), after;
	int32_t value = in;
	char text[2][128];
	enum err_code rc;

	if (!where || !prefix)
		return err_set(err, ERR_NO_MEMORY, "model: out of memory");
	rc = refuse_nested(o->layers, err);
	if (!rc)
		rc = assembly_layers(assembly, o->layers, where, prefix, &value,
				     err);
	if (rc)
		return rc;
	after = assembly_row(assembly, value);
	if (!shape_equal(&before, &after))
		return err_set(err, ERR_SHAPE,
			       "a residual's layers must give the shape they "
			       "get: they get %s and give %s",
			       shape_text(&before, text[0], sizeof(text[0])),
			       shape_text(&after, text[1], sizeof(text[1])));
	return add_node(assembly, "Add", in, value, ret_out, err);
}

/* --- rows --- */

#define PLAIN(layer, what)                            \
	extern const struct layer_kind layer_##layer; \
	const struct layer_kind layer_##layer = {     \
		.name = #layer,                       \
		.help = (what),                       \
		.fields = no_fields,                  \
		.size = sizeof(struct no_options),    \
		.build = layer##_build,               \
	}
PLAIN(flatten, "all axes of a row in one");
PLAIN(log_softmax, "logarithm of softmax");
PLAIN(relu, "max(0, x)");
PLAIN(sigmoid, "1 / (1 + exp(-x))");
PLAIN(silu, "x sigmoid(x)");
PLAIN(softmax, "exp(x) over its sum, along the last axis");
PLAIN(tanh, "hyperbolic tangent");
#undef PLAIN

extern const struct layer_kind layer_drop_path, layer_dropout, layer_leaky_relu,
    layer_reshape, layer_residual;
const struct layer_kind layer_reshape = {
	.name = "reshape",
	.help = "the numbers of a row under other extents",
	.fields = reshape_fields,
	.size = sizeof(struct reshape_options),
	.build = reshape_build,
};
const struct layer_kind layer_drop_path = {
	.name = "drop_path",
	.help = "in training, sets some rows to 0 and scales the others",
	.fields = drop_path_fields,
	.size = sizeof(struct dropout_options),
	.build = drop_path_build,
};
const struct layer_kind layer_dropout = {
	.name = "dropout",
	.help = "in training, sets some numbers to 0 and scales the others",
	.fields = dropout_fields,
	.size = sizeof(struct dropout_options),
	.build = dropout_build,
};
const struct layer_kind layer_leaky_relu = {
	.name = "leaky_relu",
	.help = "x above 0, a small slope below",
	.fields = leaky_relu_fields,
	.size = sizeof(struct leaky_relu_options),
	.build = leaky_relu_build,
};
const struct layer_kind layer_residual = {
	.name = "residual",
	.help = "x plus what its layers give for x",
	.fields = residual_fields,
	.size = sizeof(struct residual_options),
	.build = residual_build,
};
