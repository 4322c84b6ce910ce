/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Networks over the tokens of one text.
 *
 * rnn                 embedding, [dropout], recurrent layers, their last
 *                     states, [dropout], linear
 * rnn_language_model  embedding, [dropout], recurrent layers with [dropout]
 *                     between them, [dropout], linear of each step
 *
 * The second has its states as one more input and output, `initial_state` and
 * `final_state` of [rows, states, hidden]: of each layer h, and c of an LSTM.
 * Zeros begin a text; what one run gives, the next one takes. With tied
 * weights the last layer is the embedding (Press and Wolf 2017).
 */
#include "base/str.h"
#include "models/architectures/recurrent.h"

enum cell { CELL_LSTM, CELL_GRU, CELL_RNN };
static const char *const cell_names[] = { "lstm", "gru", "rnn", NULL };
static const char *const cell_ops[] = { "LSTM", "GRU", "RNN" };
static const int64_t cell_gates[] = { 4, 3, 1 };

struct rnn_options {
	int init;
	int cell;
	int64_t embedding_size, hidden_size, num_layers;
	double input_dropout, hidden_dropout, output_dropout;
	bool bidirectional, tie_weights;
};

#define AT(member) offsetof(struct rnn_options, member)
#define SIZE(text, of, member, low, high, value)                            \
	{                                                                   \
		.name = text, .help = of, .kind = FIELD_INT,                \
		.offset = AT(member), .min = low, .max = high, .def = value \
	}
#define DROPOUT(text, of, member)                               \
	{                                                       \
		.name = text, .help = of, .kind = FIELD_DOUBLE, \
		.offset = AT(member), .max = 0.999              \
	}
#define COMMON_FIELDS                                                          \
	INIT_FIELD(struct rnn_options),                                        \
	    { .name = "cell",                                                  \
	      .help = "lstm, gru or rnn",                                      \
	      .kind = FIELD_ENUM,                                              \
	      .offset = AT(cell),                                              \
	      .names = cell_names },                                           \
	    SIZE("embedding_size",                                             \
		 "numbers that stand for a token, unless "                     \
		 "the feature says how many",                                  \
		 embedding_size, 1, 65536, 128),                               \
	    SIZE("hidden_size", "numbers of a state", hidden_size, 1, 1 << 20, \
		 256),                                                         \
	    SIZE("num_layers", "layers on each other", num_layers, 1, 64, 1),  \
	    DROPOUT("input_dropout", "behind the embedding; 0: none",          \
		    input_dropout),                                            \
	    DROPOUT("hidden_dropout", "between two layers; 0: none",           \
		    hidden_dropout),                                           \
	    DROPOUT("output_dropout", "before the linear layer; 0: none",      \
		    output_dropout)

static const struct field rnn_fields[] = {
	COMMON_FIELDS,
	{ .name = "bidirectional",
	  .help = "also from the end to the beginning",
	  .kind = FIELD_BOOL,
	  .offset = AT(bidirectional) },
	{ 0 },
};

static const struct field language_fields[] = {
	COMMON_FIELDS,
	{ .name = "tie_weights",
	  .help = "the last layer's weight is the embedding",
	  .kind = FIELD_BOOL,
	  .offset = AT(tie_weights) },
	{ 0 },
};

/* While it is put together. */
struct rnn {
	struct assembly *assembly;
	const struct rnn_options *o;
	struct recurrent_options layers;
	struct recurrent_stack stack;
	int64_t width;
	int32_t tokens; /* [rows, steps] */
	int32_t weight; /* of the embedding: [tokens, numbers] */
};

static enum err_code check_port(const struct assembly_inputs *in,
				struct err *err)
{
	const struct network_port *port = &in->port[0];

	if (in->n == 1 && port->n_indices > 0 && port->row.rank == 1)
		return ERR_NONE;
	return err_set(err, ERR_UNSUPPORTED,
		       "model: this network takes one text; input feature '%s' "
		       "%s",
		       in->port[in->n > 1].name,
		       in->n > 1 ? "is one too many" : "is none");
}

static enum err_code begin(struct rnn *rnn, const struct assembly_inputs *in,
			   struct err *err)
{
	const struct network_port *port = &in->port[0];
	const struct rnn_options *o = rnn->o;
	const int64_t size =
	    port->embedding_size ? port->embedding_size : o->embedding_size;
	const int64_t before = rnn->assembly->n_params;
	const struct assembly_param weight = {
		.name = "embedding",
		.part = "weight",
		.shape = { 2, { port->n_indices, size } },
		.is_weight = true,
		/* what begins as the last layer's weight must be small */
		.std = o->tie_weights ? 0.05 : 1
	};
	enum err_code rc;

	rnn->layers = (struct recurrent_options){
		.hidden_size = o->hidden_size,
		.num_layers = o->num_layers,
		.bidirectional = o->bidirectional,
		.bias = true,
	};
	rnn->stack = (struct recurrent_stack){
		rnn->assembly, &rnn->layers,	    cell_ops[o->cell],
		"rnn",	       cell_gates[o->cell], o->bidirectional ? 2 : 1,
		size,
	};
	rnn->tokens = in->value[0];
	rc = assembly_param(rnn->assembly, &weight, &rnn->weight, err);
	return rc ? rc
		  : assembly_note(rnn->assembly, "embedding", "embedding",
				  &(struct shape){ 1, { size } }, before, err);
}

static enum err_code add_layer(struct rnn *rnn, int64_t i,
			       const int32_t from[RECURRENT_VALUES],
			       int32_t out[RECURRENT_VALUES], struct err *err)
{
	const struct shape row = {
		1, { rnn->stack.n_directions * rnn->o->hidden_size }
	};
	const int64_t before = rnn->assembly->n_params;
	char name[32];
	enum err_code rc = recurrent_layer(&rnn->stack, i, from, out, err);

	(void)snprintf(name, sizeof(name), "rnn.%d", (int)i);
	return rc ? rc
		  : assembly_note(rnn->assembly, cell_names[rnn->o->cell], name,
				  &row, before, err);
}

static enum err_code drop(struct rnn *rnn, double p, const char *name,
			  int32_t *value, struct err *err)
{
	const struct dropout_options dropout = { p };

	if (!(p > 0))
		return ERR_NONE;
	return assembly_layer(rnn->assembly, "dropout", &dropout, name, value,
			      err);
}

/* [rows, steps] of numbers to [steps, rows, numbers] */
static enum err_code embed(struct rnn *rnn, int32_t *ret, struct err *err)
{
	static const int64_t time_first[] = { 1, 0 };
	int32_t in[2] = { rnn->weight, rnn->tokens };
	const struct assembly_call call = { "Gather", { NULL, 0 }, in, 2 };
	enum err_code rc =
	    recurrent_transpose(&rnn->stack, time_first, 2, &in[1], err);

	if (!rc)
		rc = assembly_node(rnn->assembly, &call, ret, err);
	return rc ? rc
		  : drop(rnn, rnn->o->input_dropout, "input_dropout", ret, err);
}

/* [steps, directions, rows, hidden] to [steps, rows, numbers] */
static enum err_code next_input(struct rnn *rnn, int32_t *value,
				struct err *err)
{
	static const int64_t rows_second[] = { 0, 2, 1, 3 };
	enum err_code rc =
	    recurrent_transpose(&rnn->stack, rows_second, 4, value, err);

	rnn->stack.n_in = rnn->stack.n_directions * rnn->o->hidden_size;
	if (!rc)
		rc = recurrent_join_axes(&rnn->stack, 2, value, err);
	return rc ? rc
		  : drop(rnn, rnn->o->hidden_dropout, "hidden_dropout", value,
			 err);
}

/* --- the last states --- */

static enum err_code rnn_build(struct assembly *assembly, const void *options,
			       const struct assembly_inputs *in, int64_t width,
			       int32_t *ret_out, struct err *err)
{
	static const int64_t rows_first[] = { 1, 0, 2 };
	const struct linear_options last = { width, true };
	struct rnn rnn = { .assembly = assembly, .o = options };
	int32_t from[RECURRENT_VALUES] = { VALUE_NONE, VALUE_NONE, VALUE_NONE };
	int32_t out[RECURRENT_VALUES] = { VALUE_NONE, VALUE_NONE, VALUE_NONE };
	enum err_code rc = check_port(in, err);

	if (!rc)
		rc = begin(&rnn, in, err);
	if (!rc)
		rc = embed(&rnn, &from[0], err);
	for (int64_t i = 0; i < rnn.o->num_layers && !rc; i++) {
		rc = add_layer(&rnn, i, from, out, err);
		from[0] = out[0];
		if (!rc && i + 1 < rnn.o->num_layers)
			rc = next_input(&rnn, &from[0], err);
	}
	if (!rc)
		rc = recurrent_transpose(&rnn.stack, rows_first, 3, &out[1],
					 err);
	if (!rc)
		rc = recurrent_join_axes(&rnn.stack, 1, &out[1], err);
	if (!rc)
		rc = drop(&rnn, rnn.o->output_dropout, "output_dropout",
			  &out[1], err);
	if (!rc)
		rc = assembly_layer(assembly, "linear", &last, "decoder",
				    &out[1], err);
	*ret_out = out[1];
	return rc;
}

extern const struct architecture architecture_rnn;
const struct architecture architecture_rnn = {
	.name = "rnn",
	.help = "the tokens of a text by recurrent layers, to one answer",
	.options = rnn_fields,
	.size = sizeof(struct rnn_options),
	.build_of_ports = rnn_build,
};

/* --- a language model --- */

static enum err_code check_tied(const struct rnn *rnn, struct err *err)
{
	if (!rnn->o->tie_weights || rnn->stack.n_in == rnn->o->hidden_size)
		return ERR_NONE;
	return err_set(
	    err, ERR_INVALID,
	    "model: tie_weights needs embedding_size and hidden_size "
	    "to be the same, they are %lld and %lld",
	    (long long)rnn->stack.n_in, (long long)rnn->o->hidden_size);
}

/* State number i of [rows, states, hidden], as [1, rows, hidden]. */
static enum err_code take_state(struct rnn *rnn, int64_t i, int32_t *ret,
				struct err *err)
{
	static const int64_t states_first[] = { 1, 0, 2 };
	static const struct attr_named axis[] = {
		{ "axis", { .kind = ATTR_INT, .i = 1 } },
	};
	int32_t in[2] = { rnn->assembly->state.in,
			  build_ints(&rnn->assembly->build, &i, 1) };
	const struct assembly_call call = { "Gather", { axis, 1 }, in, 2 };
	enum err_code rc = assembly_node(rnn->assembly, &call, ret, err);

	return rc ? rc
		  : recurrent_transpose(&rnn->stack, states_first, 3, ret, err);
}

/* All of [1, rows, hidden] as [rows, states, hidden]. */
static enum err_code join_states(struct rnn *rnn, const int32_t *value,
				 unsigned n, struct err *err)
{
	static const int64_t rows_first[] = { 1, 0, 2 };
	static const struct attr_named axis[] = {
		{ "axis", { .kind = ATTR_INT } },
	};
	const struct assembly_call call = { "Concat", { axis, 1 }, value, n };
	int32_t *out = &rnn->assembly->state.out;
	enum err_code rc = ERR_NONE;

	*out = value[0];
	if (n > 1)
		rc = assembly_node(rnn->assembly, &call, out, err);
	return rc ? rc
		  : recurrent_transpose(&rnn->stack, rows_first, 3, out, err);
}

static enum err_code add_layers(struct rnn *rnn, int32_t *value,
				struct err *err)
{
	const unsigned n = recurrent_n_states(&rnn->stack);
	const int64_t n_layers = rnn->o->num_layers;
	int32_t from[RECURRENT_VALUES] = { *value, VALUE_NONE, VALUE_NONE };
	int32_t out[RECURRENT_VALUES];
	int32_t *state = arena_array(rnn->assembly->scratch,
				     (size_t)n_layers * n + 1, sizeof(*state));
	enum err_code rc = ERR_NONE;

	if (!state)
		return err_set(err, ERR_NO_MEMORY, "model: out of memory");
	for (int64_t i = 0; i < n_layers && !rc; i++) {
		for (unsigned k = 0; k < n && !rc; k++)
			rc = take_state(rnn, i * n + k, &from[k + 1], err);
		if (!rc)
			rc = add_layer(rnn, i, from, out, err);
		if (rc)
			return rc;
		for (unsigned k = 0; k < n; k++)
			state[i * n + k] = out[k + 1];
		from[0] = out[0];
		if (i + 1 < n_layers)
			rc = next_input(rnn, &from[0], err);
	}
	*value = from[0];
	return rc ? rc : join_states(rnn, state, (unsigned)n_layers * n, err);
}

/* [n, hidden] to [n, tokens] */
static enum err_code add_decoder(struct rnn *rnn, int32_t *value,
				 struct err *err)
{
	static const struct attr_named attrs[] = {
		{ "transB", { .kind = ATTR_INT, .i = 1 } },
	};
	const int64_t before = rnn->assembly->n_params;
	const int64_t hidden = rnn->o->hidden_size;
	const struct assembly_param weight = {
		.name = "decoder",
		.part = "weight",
		.shape = { 2, { rnn->width, hidden } },
		.is_weight = true,
		.fan_in = hidden,
		.fan_out = rnn->width,
	};
	const struct assembly_param bias = {
		.name = "decoder",
		.part = "bias",
		.shape = { 1, { rnn->width } },
		.fan_in = hidden,
	};
	const struct shape row = { 1, { rnn->width } };
	int32_t x[3] = { *value, rnn->weight };
	const struct assembly_call call = { "Gemm", { attrs, 1 }, x, 3 };
	enum err_code rc = ERR_NONE;

	if (!rnn->o->tie_weights)
		rc = assembly_param(rnn->assembly, &weight, &x[1], err);
	if (!rc)
		rc = assembly_param(rnn->assembly, &bias, &x[2], err);
	if (!rc)
		rc = assembly_node(rnn->assembly, &call, value, err);
	return rc ? rc
		  : assembly_note(rnn->assembly, "linear", "decoder", &row,
				  before, err);
}

/* Rows of hidden numbers to those of each token; *value: [steps, 1, rows,
 * hidden] to [rows, steps, tokens]. */
static enum err_code decode(struct rnn *rnn, int32_t *value, struct err *err)
{
	static const int64_t rows_first[] = { 2, 0, 1, 3 };
	const int64_t flat[] = { -1, rnn->o->hidden_size };
	const int64_t width[] = { rnn->width };
	static const struct attr_named axis[] = {
		{ "axis", { .kind = ATTR_INT } },
	};
	struct build *build = &rnn->assembly->build;
	int32_t shape[2], reshape[2];
	const struct assembly_call join = { "Concat", { axis, 1 }, shape, 2 };
	enum err_code rc =
	    recurrent_transpose(&rnn->stack, rows_first, 4, value, err);

	if (rc)
		return rc;
	*value = build_2(build, "Reshape", *value, build_ints(build, flat, 2));
	rc = build_check(build, err);
	if (!rc)
		rc = drop(rnn, rnn->o->output_dropout, "output_dropout", value,
			  err);
	if (!rc)
		rc = add_decoder(rnn, value, err);
	if (rc)
		return rc;
	shape[0] = build_1(build, "Shape", rnn->tokens);
	shape[1] = build_ints(build, width, 1);
	rc = assembly_node(rnn->assembly, &join, &reshape[1], err);
	if (!rc)
		*value = build_2(build, "Reshape", *value, reshape[1]);
	return rc ? rc : build_check(build, err);
}

static enum err_code language_build(struct assembly *assembly,
				    const void *options,
				    const struct assembly_inputs *in,
				    int64_t width, int32_t *ret_out,
				    struct err *err)
{
	struct rnn rnn = { .assembly = assembly, .o = options, .width = width };
	struct shape state = { .rank = 2 };
	enum err_code rc = check_port(in, err);

	if (!rc)
		rc = begin(&rnn, in, err);
	if (!rc)
		rc = check_tied(&rnn, err);
	if (rc)
		return rc;
	state.dim[0] = rnn.o->num_layers * recurrent_n_states(&rnn.stack);
	state.dim[1] = rnn.o->hidden_size;
	rc = assembly_state(assembly, &state, err);
	if (!rc)
		rc = embed(&rnn, ret_out, err);
	if (!rc)
		rc = add_layers(&rnn, ret_out, err);
	return rc ? rc : decode(&rnn, ret_out, err);
}

extern const struct architecture architecture_rnn_language_model;
const struct architecture architecture_rnn_language_model = {
	.name = "rnn_language_model",
	.help = "what follows each token of a text, by recurrent layers",
	.options = language_fields,
	.size = sizeof(struct rnn_options),
	.build_of_ports = language_build,
};
