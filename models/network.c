/* SPDX-License-Identifier: Apache-2.0 */
#include "models/network.h"

#include "base/str.h"
#include "data/pipeline.h"
#include "models/architectures/assembly.h"
#include "models/architectures/recurrent.h"
#include "models/network_priv.h"

static const char *const batch_symbol = "batch";
static const char *const steps_symbol = "sequence";

#define ARCHITECTURE(name) extern const struct architecture architecture_##name;
#include "models/architectures/architectures.def"
#undef ARCHITECTURE

static const struct architecture *const architectures[] = {
#define ARCHITECTURE(name) &architecture_##name,
#include "models/architectures/architectures.def"
#undef ARCHITECTURE
	NULL,
};

static const char *const architecture_names[] = {
#define ARCHITECTURE(name) #name,
#include "models/architectures/architectures.def"
#undef ARCHITECTURE
	NULL,
};

enum err_code network_no_memory(struct err *err)
{
	return err_set(err, ERR_NO_MEMORY,
		       "model: out of memory, or the network is too large");
}

/* --- which network --- */

static enum err_code find_architecture(const struct doc *model,
				       const struct architecture **ret,
				       struct err *err)
{
	const struct doc *type = doc_find(model, "type");
	const char *name = "layers", *near;

	if (!model || model->kind != DOC_MAP)
		return err_set(err, ERR_INVALID,
			       "model: expected a map with 'type', 'layers' or "
			       "'onnx'");
	if (!type && !doc_find(model, "layers"))
		return err_set(err, ERR_INVALID,
			       "model: 'type' must name a network, 'layers' "
			       "list its layers, or 'onnx' name a model to "
			       "train further");
	if (type && type->kind != DOC_STRING)
		return err_set(err, ERR_INVALID,
			       "model: 'type' must be the name of a network");
	if (type)
		name = type->text;
	for (size_t i = 0; architectures[i]; i++) {
		if (str_equal(architectures[i]->name, name)) {
			*ret = architectures[i];
			return ERR_NONE;
		}
	}
	near = field_nearest(name, architecture_names);
	return err_set(err, ERR_INVALID,
		       "model: there is no network of type '%.64s'%s%s%s", name,
		       near ? ", did you mean '" : "", near ? near : "",
		       near ? "'?" : "");
}

static enum err_code read_options(const struct architecture *architecture,
				  const struct doc *model,
				  struct arena *scratch, void **ret_options,
				  struct err *err)
{
	static const char *const also[] = { "type", NULL };
	void *options = arena_alloc(scratch, architecture->size);

	if (!options)
		return network_no_memory(err);
	*ret_options = options;
	return field_read(architecture->options, model, "model", also, options,
			  scratch, err);
}

enum err_code network_check(const struct doc *model, struct arena *scratch,
			    struct err *err)
{
	const struct architecture *architecture = NULL;
	const struct doc *layers = doc_find(model, "layers");
	void *options;
	enum err_code rc;

	if (doc_find(model, "onnx"))
		return ERR_NONE;
	rc = find_architecture(model, &architecture, err);
	if (!rc)
		rc = read_options(architecture, model, scratch, &options, err);
	if (!rc && layers)
		rc =
		    assembly_check_layers(layers, "model.layers", scratch, err);
	return rc;
}

/* --- inputs and outputs --- */

/* All become one value. */
static enum err_code check_joined(const struct network_request *request,
				  struct err *err)
{
	for (unsigned i = 0; i < request->n_in; i++) {
		const struct network_port *port = &request->in[i];
		char text[128];

		if (port->dtype != DTYPE_F32)
			return err_set(err, ERR_UNSUPPORTED,
				       "model: input feature '%s' gives %s; "
				       "this network takes float, 'tabular' "
				       "takes categories, too",
				       port->name,
				       dtype_info(port->dtype)->name);
		if (request->n_in > 1 && port->row.rank != 1)
			return err_set(
			    err, ERR_UNSUPPORTED,
			    "model: several input features must be "
			    "numbers or vectors, which are joined; '%s' gives "
			    "%s a row",
			    port->name,
			    shape_text(&port->row, text, sizeof(text)));
	}
	return ERR_NONE;
}

static enum err_code add_input(struct assembly *assembly,
			       const struct network_port *port,
			       int32_t *ret_value, struct err *err)
{
	struct fact fact = { .type = { .elem = port->dtype },
			     .has_shape = true };
	enum err_code rc;

	if (port->row.rank + 1 > SHAPE_MAX_RANK)
		return err_set(err, ERR_SHAPE,
			       "model: input feature '%s' has a rank above %d",
			       port->name, SHAPE_MAX_RANK - 1);
	fact.shape.rank = port->row.rank + 1;
	fact.shape.dim[0] = 1;
	for (unsigned d = 0; d < port->row.rank; d++)
		fact.shape.dim[d + 1] = port->row.dim[d];
	rc = shape_check(&fact.shape, port->name, err);
	if (!rc)
		rc = graph_add_input(assembly->graph, port->name, fact.type,
				     ret_value, err);
	if (!rc)
		rc = facts_set(assembly->build.facts, *ret_value, &fact, err);
	return rc;
}

enum err_code assembly_state(struct assembly *assembly, const struct shape *row,
			     struct err *err)
{
	const struct network_port port = { .name = NETWORK_STATE_INPUT,
					   .dtype = DTYPE_F32,
					   .row = *row };

	assembly->state.row = *row;
	return add_input(assembly, &port, &assembly->state.in, err);
}

static enum err_code join_inputs(struct assembly *assembly,
				 const int32_t *value, unsigned n,
				 int32_t *ret_value, struct err *err)
{
	static const struct attr_named attrs[] = {
		{ "axis", { .kind = ATTR_INT, .i = 1 } },
	};
	const struct assembly_call call = { "Concat", { attrs, 1 }, value, n };

	if (n == 1) {
		*ret_value = value[0];
		return ERR_NONE;
	}
	return assembly_node(assembly, &call, ret_value, err);
}

static enum err_code add_inputs(struct assembly *assembly,
				const struct network_request *request,
				int32_t **ret_value, struct err *err)
{
	int32_t *value =
	    arena_array(assembly->scratch, request->n_in + 1, sizeof(*value));
	enum err_code rc = ERR_NONE;

	if (!value)
		return network_no_memory(err);
	if (!request->n_in)
		return err_set(err, ERR_INVALID,
			       "model: the job has no input features");
	for (unsigned i = 0; i < request->n_in && !rc; i++)
		rc = add_input(assembly, &request->in[i], &value[i], err);
	*ret_value = value;
	return rc;
}

static enum err_code build_body(struct assembly *assembly,
				const struct architecture *architecture,
				const void *options,
				const struct network_request *request,
				int32_t *ret_out, struct err *err)
{
	const int64_t width = request->out[0].width;
	const bool joins = architecture->build != NULL;
	int32_t *value = NULL, in = VALUE_NONE;
	enum err_code rc = joins ? check_joined(request, err) : ERR_NONE;

	if (!rc)
		rc = add_inputs(assembly, request, &value, err);
	if (!rc && joins)
		rc = join_inputs(assembly, value, request->n_in, &in, err);
	if (rc)
		return rc;
	return joins ? architecture->build(assembly, options, in, width,
					   ret_out, err)
		     : architecture->build_of_ports(
			   assembly, options,
			   &(struct assembly_inputs){ request->n_in,
						      request->in, value },
			   width, ret_out, err);
}

/* Of each step: [steps, width], with as many steps as the input has. */
static enum err_code check_sequence(const struct network_target *out,
				    const struct shape *row, struct err *err)
{
	char text[128];

	if (row->rank == 2 && row->dim[1] == out->width)
		return ERR_NONE;
	return err_set(err, ERR_SHAPE,
		       "model: output feature '%s' needs %lld values for each "
		       "token, as rnn_language_model gives them; this network "
		       "gives %s a row",
		       out->name, (long long)out->width,
		       shape_text(row, text, sizeof(text)));
}

static enum err_code check_output(const struct assembly *assembly,
				  const struct network_target *out,
				  bool is_list, int32_t value, struct err *err)
{
	struct shape row = assembly_row(assembly, value);
	char text[128];

	if (out->is_sequence)
		return check_sequence(out, &row, err);
	if (row.rank != 1)
		return err_set(
		    err, ERR_SHAPE,
		    "%s: the last layer gives %s a row, output "
		    "feature '%s' needs %lld; a flatten and a linear "
		    "would give that",
		    is_list ? "model.layers" : "model",
		    shape_text(&row, text, sizeof(text)), out->name,
		    (long long)out->width);
	if (row.dim[0] != out->width)
		return err_set(err, ERR_SHAPE,
			       "%s: the last layer gives %lld values a row, "
			       "output feature '%s' needs %lld",
			       is_list ? "model.layers" : "model",
			       (long long)row.dim[0], out->name,
			       (long long)out->width);
	return ERR_NONE;
}

/* --- signature --- */

static void fill_port(struct signature_port *port, const char *name,
		      enum dtype dtype, const struct shape *row)
{
	*port = (struct signature_port){ .name = name,
					 .dtype = dtype,
					 .has_rank = true,
					 .rank = row->rank + 1 };
	port->dim[0] = (struct signature_dim){ -1, batch_symbol };
	for (unsigned d = 0; d < row->rank; d++)
		port->dim[d + 1].extent = row->dim[d];
}

/* With a state between runs a text may come in pieces of any length. */
static void fill_state(const struct assembly *assembly, unsigned n_in,
		       struct model_signature *s)
{
	const struct signature_dim steps = { -1, steps_symbol };

	for (unsigned i = 0; i < n_in; i++)
		s->input[i].dim[1] = steps;
	s->output[0].dim[1] = steps;
	fill_port(&s->input[n_in], NETWORK_STATE_INPUT, DTYPE_F32,
		  &assembly->state.row);
	fill_port(&s->output[1], NETWORK_STATE_OUTPUT, DTYPE_F32,
		  &assembly->state.row);
}

/* A job may predict what it reads (the next letter of a text): the output then
 * has another name, because names are unique in a file. */
static const char *output_name(const struct network_request *request,
			       struct arena *arena)
{
	const char *name = request->out[0].name;

	for (unsigned i = 0; i < request->n_in; i++) {
		if (str_equal(request->in[i].name, name))
			return arena_printf(arena, "%s_output", name);
	}
	return arena_strdup(arena, name);
}

enum err_code network_fill_signature(const struct assembly *assembly,
				     const struct network_request *request,
				     int32_t value, struct model_signature *ret,
				     struct err *err)
{
	struct arena *arena = assembly->graph->arena;
	struct shape row = assembly_row(assembly, value);
	const char *name = output_name(request, arena);
	const bool has_state = assembly->state.row.rank > 0;
	struct model_signature s = { .n_inputs = request->n_in + has_state,
				     .n_outputs = 1U + has_state,
				     .may_batch = true };

	s.input = arena_array(arena, request->n_in + 2, sizeof(*s.input));
	s.output = arena_array(arena, 2, sizeof(*s.output));
	if (!s.input || !s.output || !name)
		return network_no_memory(err);
	for (unsigned i = 0; i < request->n_in; i++) {
		int32_t input = assembly->graph->input[i];

		fill_port(&s.input[i], assembly->graph->value[input].name,
			  request->in[i].dtype, &request->in[i].row);
	}
	fill_port(&s.output[0], name, DTYPE_F32, &row);
	if (has_state)
		fill_state(assembly, request->n_in, &s);
	*ret = s;
	return ERR_NONE;
}

/* --- the whole --- */

static enum err_code build_network(struct assembly *assembly,
				   const struct network_request *request,
				   struct network *ret, struct err *err)
{
	const struct architecture *architecture = NULL;
	void *options = NULL;
	int32_t value = VALUE_NONE;
	int init;
	enum err_code rc;

	if (request->n_out != 1)
		return err_set(err, ERR_UNSUPPORTED,
			       "model: %u output features; this network has "
			       "one",
			       request->n_out);
	rc = find_architecture(request->model, &architecture, err);
	if (rc || !architecture)
		return rc;
	rc = read_options(architecture, request->model, assembly->scratch,
			  &options, err);
	if (!rc) { /* the first member of all */
		memcpy(&init, options, sizeof(init));
		assembly->init = (enum init_kind)init;
	}
	if (!rc)
		rc = build_body(assembly, architecture, options, request,
				&value, err);
	if (!rc)
		rc = check_output(assembly, &request->out[0],
				  str_equal(architecture->name, "layers"),
				  value, err);
	if (!rc)
		rc = graph_add_output(assembly->graph, value, err);
	if (!rc && assembly->state.row.rank)
		rc =
		    graph_add_output(assembly->graph, assembly->state.out, err);
	ret->state = assembly->state.row;
	if (!rc)
		rc = network_fill_signature(assembly, request, value,
					    &ret->signature, err);
	ret->summary =
	    (struct network_summary){ assembly->n_layers, assembly->layer,
				      assembly->n_params };
	return rc;
}

enum err_code network_ports(const struct pipeline *pipeline,
			    struct network_port *in, unsigned cap,
			    struct network_target *ret_out, struct err *err)
{
	const unsigned n = pipeline_n_inputs(pipeline);
	enum dtype dtype;
	struct shape row;

	if (n > cap)
		return err_set(err, ERR_UNSUPPORTED,
			       "input_features: at most %u, got %u", cap, n);
	for (unsigned i = 0; i < n; i++) {
		const int64_t size = pipeline_input_embedding_size(pipeline, i);

		in[i] = (struct network_port){ 0 };
		in[i].name = pipeline_input_name(pipeline, i);
		pipeline_input_row(pipeline, i, &in[i].dtype, &in[i].row);
		if (size < 0)
			continue;
		in[i].n_indices = pipeline_input_width(pipeline, i);
		in[i].embedding_size = size;
	}
	ret_out->name = pipeline_output_name(pipeline, 0);
	ret_out->is_sequence = pipeline_is_language(pipeline);
	pipeline_target_row(pipeline, 0, &dtype, &row, &ret_out->width);
	return ERR_NONE;
}

enum err_code network_build(const struct network_request *request,
			    struct network *ret, struct err *err)
{
	struct assembly assembly = { .seed = request->seed,
				     .dry = request->dry };
	struct facts *facts = NULL;
	struct network network = { 0 };
	enum err_code rc;

	if (doc_find(request->model, "onnx"))
		return network_from_onnx(request, ret, err);
	rc = graph_create(NETWORK_BYTES_MAX, &assembly.graph, err);
	if (rc)
		return rc;
	assembly.scratch = arena_create(NETWORK_SCRATCH_MAX);
	rc = assembly.scratch ? facts_create_empty(&facts, err)
			      : network_no_memory(err);
	if (rc)
		goto out;
	build_init(&assembly.build, assembly.graph, facts);
	rc = build_network(&assembly, request, &network, err);
	if (rc)
		goto out;
	network.graph = assembly.graph;
	assembly.graph = NULL; /* handed over */
	*ret = network;
out:
	facts_destroy(facts);
	arena_destroy(assembly.scratch);
	graph_destroy(assembly.graph);
	return rc;
}
