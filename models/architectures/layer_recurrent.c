/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Recurrent layers: rnn, gru, lstm, over rows of [steps, numbers].
 *
 * Time is the first axis within, as ONNX has it by default, so that what is
 * exported runs everywhere: one transposition at the beginning and one at the
 * end, however many layers lie on each other.
 */
#include "models/architectures/assembly.h"
#include "models/architectures/layer_options.h"
#include "models/architectures/recurrent.h"

enum output_kind { OUTPUT_SEQUENCE, OUTPUT_LAST };
static const char *const output_names[] = { "sequence", "last", NULL };

static const struct field recurrent_fields[] = {
	{ .name = "hidden_size",
	  .help = "numbers of the state",
	  .kind = FIELD_INT,
	  .offset = offsetof(struct recurrent_options, hidden_size),
	  .flags = FIELD_REQUIRED,
	  .min = 1,
	  .max = 1 << 20 },
	{ .name = "num_layers",
	  .help = "layers on each other",
	  .kind = FIELD_INT,
	  .offset = offsetof(struct recurrent_options, num_layers),
	  .min = 1,
	  .max = 64,
	  .def = 1 },
	{ .name = "bidirectional",
	  .help = "also from the end to the beginning",
	  .kind = FIELD_BOOL,
	  .offset = offsetof(struct recurrent_options, bidirectional) },
	{ .name = "bias",
	  .help = "add one number to each gate",
	  .kind = FIELD_BOOL,
	  .offset = offsetof(struct recurrent_options, bias),
	  .def = 1 },
	{ .name = "output",
	  .help = "all steps, or the last state of each direction",
	  .kind = FIELD_ENUM,
	  .offset = offsetof(struct recurrent_options, output),
	  .names = output_names },
	{ 0 },
};

enum err_code recurrent_transpose(const struct recurrent_stack *s,
				  const int64_t *perm, size_t n, int32_t *value,
				  struct err *err)
{
	const struct attr_named attrs[] = {
		{ "perm", { .kind = ATTR_INTS, .ints = { n, perm } } },
	};
	const int32_t in = *value;
	const struct assembly_call call = { "Transpose", { attrs, 1 }, &in, 1 };

	return assembly_node(s->assembly, &call, value, err);
}

/* The last axes of a value as one; those before stay. */
enum err_code recurrent_join_axes(const struct recurrent_stack *s,
				  size_t n_before, int32_t *value,
				  struct err *err)
{
	int64_t shape[3] = { 0 };
	int32_t in[2] = { *value };
	const struct assembly_call call = { "Reshape", { NULL, 0 }, in, 2 };

	shape[n_before] = s->n_directions * s->o->hidden_size;
	in[1] = build_ints(&s->assembly->build, shape, n_before + 1);
	return assembly_node(s->assembly, &call, value, err);
}

static enum err_code add_param(const struct recurrent_stack *s, int64_t layer,
			       const char *part, struct shape shape,
			       int32_t *ret, struct err *err)
{
	struct assembly *assembly = s->assembly;
	struct assembly_param param = {
		.name = s->name,
		.part =
		    arena_printf(assembly->scratch, "%s_l%d", part, (int)layer),
		.shape = shape,
		.is_weight = shape.rank == 3,
		.fan_in = s->o->hidden_size,
		.fan_out = s->o->hidden_size,
	};

	if (!param.part)
		return err_set(err, ERR_NO_MEMORY, "model: out of memory");
	/* PyTorch goes by hidden_size alone */
	if (assembly->init != INIT_DEFAULT && shape.rank == 3)
		param.fan_in = shape.dim[2];
	return assembly_param(assembly, &param, ret, err);
}

static enum err_code add_params(const struct recurrent_stack *s, int64_t layer,
				int32_t in[4], struct err *err)
{
	const int64_t h = s->o->hidden_size, d = s->n_directions;
	const int64_t width = s->n_gates * h;
	enum err_code rc;

	rc = add_param(s, layer, "weight_ih",
		       (struct shape){ 3, { d, width, s->n_in } }, &in[1], err);
	if (!rc)
		rc = add_param(s, layer, "weight_hh",
			       (struct shape){ 3, { d, width, h } }, &in[2],
			       err);
	if (!rc && s->o->bias)
		rc = add_param(s, layer, "bias",
			       (struct shape){ 2, { d, 2 * width } }, &in[3],
			       err);
	return rc;
}

enum err_code recurrent_layer(const struct recurrent_stack *s, int64_t layer,
			      const int32_t from[RECURRENT_VALUES],
			      int32_t out[RECURRENT_VALUES], struct err *err)
{
	static const struct str direction[] = { { "forward", 7 },
						{ "bidirectional", 13 } };
	const struct attr_named attrs[] = {
		{ "direction",
		  { .kind = ATTR_STRING,
		    .s = direction[s->o->bidirectional] } },
		{ "hidden_size", { .kind = ATTR_INT, .i = s->o->hidden_size } },
		{ "linear_before_reset", { .kind = ATTR_INT, .i = 1 } },
	};
	/* X, W, R, B, lengths, the states before */
	int32_t in[7] = { from[0],    VALUE_NONE, VALUE_NONE, VALUE_NONE,
			  VALUE_NONE, from[1],	  from[2] };
	const unsigned n_values = recurrent_n_states(s) + 1;
	struct assembly_call call = { s->op,
				      { attrs, s->n_gates == 3 ? 3 : 2 },
				      in,
				      s->o->bias ? 4 : 3 };
	enum err_code rc = add_params(s, layer, in, err);

	if (from[1] != VALUE_NONE)
		call.n_in = 4 + n_values;
	out[2] = VALUE_NONE;
	return rc ? rc : assembly_nodes(s->assembly, &call, out, n_values, err);
}

unsigned recurrent_n_states(const struct recurrent_stack *s)
{
	return s->n_gates == 4 ? 2 : 1;
}

static enum err_code build_stack(struct recurrent_stack *s, int32_t *value,
				 struct err *err)
{
	static const int64_t time_first[] = { 1, 0, 2 };
	static const int64_t rows_first[] = { 2, 0, 1, 3 };
	static const int64_t rows_second[] = { 0, 2, 1, 3 };
	int32_t in[RECURRENT_VALUES] = { *value, VALUE_NONE, VALUE_NONE };
	int32_t out[RECURRENT_VALUES] = { VALUE_NONE, VALUE_NONE, VALUE_NONE };
	enum err_code rc = recurrent_transpose(s, time_first, 3, &in[0], err);

	for (int64_t i = 0; i < s->o->num_layers && !rc; i++) {
		rc = recurrent_layer(s, i, in, out, err);
		if (rc || i + 1 == s->o->num_layers)
			break;
		in[0] = out[0];
		rc = recurrent_transpose(s, rows_second, 4, &in[0], err);
		if (!rc)
			rc = recurrent_join_axes(s, 2, &in[0], err);
		s->n_in = s->n_directions * s->o->hidden_size;
	}
	if (rc)
		return rc;
	*value = out[s->o->output];
	if (s->o->output == OUTPUT_LAST) {
		rc = recurrent_transpose(s, time_first, 3, value, err);
		return rc ? rc : recurrent_join_axes(s, 1, value, err);
	}
	rc = recurrent_transpose(s, rows_first, 4, value, err);
	return rc ? rc : recurrent_join_axes(s, 2, value, err);
}

static enum err_code recurrent_build(struct recurrent_stack *s, int32_t in,
				     int32_t *ret_out, struct err *err)
{
	const struct shape row = assembly_row(s->assembly, in);
	char text[128];

	if (row.rank != 2)
		return err_set(err, ERR_SHAPE,
			       "%s takes rows of [steps, numbers], but gets %s",
			       s->op, shape_text(&row, text, sizeof(text)));
	s->n_in = row.dim[1];
	s->n_directions = s->o->bidirectional ? 2 : 1;
	*ret_out = in;
	return build_stack(s, ret_out, err);
}

static enum err_code rnn_build(struct assembly *assembly, const void *options,
			       const char *name, int32_t in, int32_t *ret_out,
			       struct err *err)
{
	struct recurrent_stack stack = {
		assembly, options, "RNN", name, 1, 0, 0
	};

	return recurrent_build(&stack, in, ret_out, err);
}

static enum err_code gru_build(struct assembly *assembly, const void *options,
			       const char *name, int32_t in, int32_t *ret_out,
			       struct err *err)
{
	struct recurrent_stack stack = {
		assembly, options, "GRU", name, 3, 0, 0
	};

	return recurrent_build(&stack, in, ret_out, err);
}

static enum err_code lstm_build(struct assembly *assembly, const void *options,
				const char *name, int32_t in, int32_t *ret_out,
				struct err *err)
{
	struct recurrent_stack stack = { assembly, options, "LSTM", name,
					 4,	   0,	    0 };

	return recurrent_build(&stack, in, ret_out, err);
}

#define RECURRENT(layer, text)                            \
	extern const struct layer_kind layer_##layer;     \
	const struct layer_kind layer_##layer = {         \
		.name = #layer,                           \
		.help = text,                             \
		.fields = recurrent_fields,               \
		.size = sizeof(struct recurrent_options), \
		.build = layer##_build,                   \
	}
RECURRENT(gru, "gated recurrent units");
RECURRENT(lstm, "long short-term memory");
RECURRENT(rnn, "a simple recurrent layer");
#undef RECURRENT
