/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * A network from a model's file, to train further.
 *
 * Its float initializers are parameters (models/onnx_support.c says which),
 * those that several nodes read stay one parameter. Files are made for
 * inference: BatchNormalization is often folded into convolutions, which train
 * as they are, and a softmax at the end goes, since losses take logits.
 *
 * replace_head cuts the last layer off and puts a new one there, with dropout:
 * what the layer cut off took is averaged over its spatial axes, or keeps them,
 * then come hidden layers, and a linear one.
 */
#include "base/str.h"
#include "models/architectures/layer_options.h"
#include "models/network_priv.h"

enum { ROWS = 2 }; /* shapes are inferred for so many */

struct onnx_options_map {
	int init;
	const char *onnx;
	const struct doc *replace_head, *head; /* two names of one */
};

static const struct field onnx_fields[] = {
	INIT_FIELD(struct onnx_options_map),
	{ .name = "onnx",
	  .help = "MODEL or MODEL/VERSION of the repository, or path:FILE",
	  .kind = FIELD_STRING,
	  .offset = offsetof(struct onnx_options_map, onnx),
	  .flags = FIELD_REQUIRED },
	{ .name = "replace_head",
	  .help = "put a new last layer in place of the model's",
	  .kind = FIELD_DOC,
	  .offset = offsetof(struct onnx_options_map, replace_head) },
	{ .name = "head",
	  .help = "the same as replace_head",
	  .kind = FIELD_DOC,
	  .offset = offsetof(struct onnx_options_map, head) },
	{ 0 },
};

enum pooling { POOLING_AVERAGE, POOLING_NONE };
static const char *const pooling_names[] = { "average", "none", NULL };

struct head_options {
	const char *after;
	int pooling;
	struct field_ints hidden_sizes;
	double dropout;
};

static const struct field head_fields[] = {
	{ .name = "after",
	  .help = "node whose result the new layers take; auto: what the last "
		  "layer with weights took",
	  .kind = FIELD_STRING,
	  .offset = offsetof(struct head_options, after),
	  .def_text = "auto" },
	{ .name = "pooling",
	  .help =
	      "what becomes of spatial axes: average, or none: all are kept",
	  .kind = FIELD_ENUM,
	  .offset = offsetof(struct head_options, pooling),
	  .names = pooling_names },
	{ .name = "hidden_sizes",
	  .help = "widths of hidden layers before the last one",
	  .kind = FIELD_INTS,
	  .offset = offsetof(struct head_options, hidden_sizes),
	  .min = 1,
	  .max = 1 << 24 },
	{ .name = "dropout",
	  .help = "probability of a zero before each linear layer",
	  .kind = FIELD_DOUBLE,
	  .offset = offsetof(struct head_options, dropout),
	  .max = 0.999 },
	{ 0 },
};

/* A network while it is made. */
struct tuning {
	const struct network_request *request;
	struct assembly assembly;
	struct model_signature file; /* as it is in the file */
	struct onnx_options_map options;
	struct head_options head;
};

static enum err_code read_maps(struct tuning *t, struct err *err)
{
	const struct doc *head;
	enum err_code rc;

	rc = field_read(onnx_fields, t->request->model, "model", NULL,
			&t->options, t->assembly.scratch, err);
	if (!rc && t->options.head && t->options.replace_head)
		rc = err_set(err, ERR_INVALID,
			     "model: 'head' and 'replace_head' are the same; "
			     "expected one of them");
	if (t->options.head)
		t->options.replace_head = t->options.head;
	head = t->options.replace_head;
	t->assembly.init = (enum init_kind)t->options.init;
	if (rc || !head)
		return rc;
	return field_read(head_fields, head, "model.replace_head", NULL,
			  &t->head, t->assembly.scratch, err);
}

/* --- inputs --- */

static int32_t find_input(const struct graph *graph, const char *name)
{
	for (int32_t i = 0; i < graph->n_input; i++)
		if (str_equal(graph->value[graph->input[i]].name, name))
			return i;
	return -1;
}

/* Features and inputs meet by name, or else in their order. */
static enum err_code order_inputs(struct tuning *t, struct err *err)
{
	const struct network_request *request = t->request;
	struct graph *graph = t->assembly.graph;
	const struct model_signature *s = &t->file;

	if ((unsigned)graph->n_input != request->n_in)
		return err_set(err, ERR_INVALID,
			       "model.onnx: '%s' has %d inputs, the job %u "
			       "input features",
			       t->options.onnx, (int)graph->n_input,
			       request->n_in);
	for (unsigned i = 0; i < request->n_in; i++) {
		const int32_t at = find_input(graph, request->in[i].name);
		const struct signature_port port = s->input[i];
		const int32_t value = graph->input[i];

		if (at < (int32_t)i)
			continue;
		graph->input[i] = graph->input[at];
		graph->input[at] = value;
		s->input[i] = s->input[at];
		s->input[at] = port;
	}
	for (int32_t i = 0; i < graph->n_input; i++)
		graph->value[graph->input[i]].source = i;
	return ERR_NONE;
}

static enum err_code check_input(const struct tuning *t, unsigned i,
				 struct err *err)
{
	const struct network_port *feature = &t->request->in[i];
	const struct signature_port *port = &t->file.input[i];
	bool fits = port->has_rank && port->rank == feature->row.rank + 1;
	char text[128];

	if (port->dtype != feature->dtype)
		return err_set(err, ERR_INVALID,
			       "model.onnx: input '%s' is of %s, but input "
			       "feature '%s' gives %s",
			       port->name, dtype_info(port->dtype)->name,
			       feature->name, dtype_info(feature->dtype)->name);
	for (unsigned d = 0; fits && d < feature->row.rank; d++)
		fits = port->dim[d + 1].extent < 0 ||
		       port->dim[d + 1].extent == feature->row.dim[d];
	if (port->has_rank && !fits)
		return err_set(err, ERR_SHAPE,
			       "model.onnx: input '%s' does not take rows of "
			       "%s, which input feature '%s' gives",
			       port->name,
			       shape_text(&feature->row, text, sizeof(text)),
			       feature->name);
	if (port->has_rank && port->dim[0].extent > 1)
		return err_set(
		    err, ERR_UNSUPPORTED,
		    "model.onnx: input '%s' takes %lld rows, no more "
		    "and no less; export the model with an open "
		    "first extent",
		    port->name, (long long)port->dim[0].extent);
	return ERR_NONE;
}

/* Facts of n rows of all inputs, in scratch. */
static struct fact *input_facts(const struct tuning *t, int64_t n)
{
	const struct network_request *request = t->request;
	struct fact *fact = arena_array(
	    t->assembly.scratch, (size_t)request->n_in + 1, sizeof(*fact));

	for (unsigned i = 0; fact && i < request->n_in; i++) {
		const struct shape *row = &request->in[i].row;

		fact[i] = (struct fact){ .type.elem = request->in[i].dtype,
					 .has_shape = true };
		fact[i].shape.rank = row->rank + 1;
		fact[i].shape.dim[0] = n;
		memcpy(&fact[i].shape.dim[1], row->dim,
		       row->rank * sizeof(*row->dim));
	}
	return fact;
}

static enum err_code take_inputs(struct tuning *t, struct err *err)
{
	struct graph *graph = t->assembly.graph;
	enum err_code rc = order_inputs(t, err);

	for (unsigned i = 0; i < t->request->n_in && !rc; i++) {
		if (t->request->in[i].row.rank + 1 > SHAPE_MAX_RANK)
			return err_set(err, ERR_SHAPE,
				       "model: input feature '%s' has too many "
				       "axes",
				       t->request->in[i].name);
		rc = check_input(t, i, err);
		if (!rc)
			rc = graph_rename(graph, graph->input[i],
					  t->request->in[i].name, err);
	}
	return rc;
}

/* Any number of rows: shown by inferring two. */
static enum err_code infer_rows(struct tuning *t, struct facts **ret_facts,
				struct err *err)
{
	struct graph *graph = t->assembly.graph;
	const struct fact *one = input_facts(t, 1), *two = input_facts(t, ROWS);
	enum err_code rc;

	if (!one || !two)
		return network_no_memory(err);
	rc = network_free_batch(graph, one, err);
	if (!rc)
		rc = facts_create(graph, two, ret_facts, err);
	if (rc)
		(void)err_prefix(err, "model.onnx: '%s' with %d rows",
				 t->options.onnx, (int)ROWS);
	else
		build_init(&t->assembly.build, graph, *ret_facts);
	return rc;
}

/* --- where the body ends --- */

static bool is_named(const struct graph_node *node, const char *name)
{
	return node && node->op && !*node->op->domain &&
	       !strcmp(node->op->name, name);
}

/* What a softmax at the end took. */
static int32_t before_softmax(const struct graph *graph, int32_t value)
{
	const struct graph_node *node = graph_producer(graph, value);

	if (is_named(node, "Softmax") || is_named(node, "LogSoftmax"))
		return graph_in(graph, node)[0];
	return value;
}

static bool is_parameter(const struct graph *graph, int32_t value)
{
	if (value == VALUE_NONE ||
	    graph->value[value].origin != ORIGIN_VARIABLE)
		return false;
	return graph->variable[graph->value[value].source].role == ROLE_PARAM;
}

/* A parameter, perhaps under another shape. */
static bool is_weight(const struct graph *graph, int32_t value)
{
	const struct graph_node *node;

	for (int i = 0; i < 4 && value != VALUE_NONE; i++) {
		if (is_parameter(graph, value))
			return true;
		node = graph_producer(graph, value);
		if (!is_named(node, "Reshape") && !is_named(node, "Transpose"))
			return false;
		value = graph_in(graph, node)[0];
	}
	return false;
}

static enum err_code find_last_layer(const struct tuning *t, int32_t *ret,
				     struct err *err)
{
	const struct graph *graph = t->assembly.graph;

	for (int32_t i = graph->n_node; i-- > 0;) {
		const struct graph_node *node = &graph->node[i];

		if ((is_named(node, "Gemm") || is_named(node, "MatMul") ||
		     is_named(node, "Conv")) &&
		    is_weight(graph, graph_in(graph, node)[1])) {
			*ret = graph_in(graph, node)[0];
			return ERR_NONE;
		}
	}
	return err_set(err, ERR_INVALID,
		       "model.replace_head: '%s' has no Gemm, MatMul or Conv "
		       "with weights; 'after' may name the node to end with",
		       t->options.onnx);
}

static enum err_code find_end(const struct tuning *t, int32_t *ret,
			      struct err *err)
{
	const struct graph *graph = t->assembly.graph;
	const char *after = t->head.after;
	int32_t value;

	if (str_equal(after, "auto"))
		return find_last_layer(t, ret, err);
	for (int32_t i = 0; i < graph->n_node; i++) {
		const struct graph_node *node = &graph->node[i];

		if (node->op && node->n_out && str_equal(node->name, after)) {
			*ret = graph_out(graph, node)[0];
			if (*ret != VALUE_NONE)
				return ERR_NONE;
		}
	}
	value = graph_find_value(graph, after);
	if (value == VALUE_NONE || graph->value[value].origin != ORIGIN_NODE)
		return err_set(err, ERR_INVALID,
			       "model.replace_head.after: '%s' has no node and "
			       "no value '%.100s'",
			       t->options.onnx, after);
	*ret = value;
	return ERR_NONE;
}

/* --- the new head --- */

static enum err_code make_rows_flat(struct tuning *t, int32_t *value,
				    struct err *err)
{
	static const struct no_options none = { 0 };
	struct assembly *assembly = &t->assembly;
	const struct shape row = assembly_row(assembly, *value);
	const struct assembly_call average = {
		"GlobalAveragePool", { NULL, 0 }, value, 1
	};
	enum err_code rc = ERR_NONE;

	if (row.rank > 2 && t->head.pooling == POOLING_AVERAGE)
		rc = assembly_node(assembly, &average, value, err);
	if (!rc && row.rank > 1)
		rc = assembly_layer(assembly, "flatten", &none, "head", value,
				    err);
	return rc;
}

static enum err_code add_linear(struct tuning *t, unsigned i, int64_t width,
				int32_t *value, struct err *err)
{
	const struct dropout_options dropout = { .p = t->head.dropout };
	const struct linear_options linear = { width, true };
	struct assembly *assembly = &t->assembly;
	const char *name = arena_printf(assembly->scratch, "head.%u", i);
	enum err_code rc = ERR_NONE;

	if (!name)
		return network_no_memory(err);
	if (dropout.p > 0)
		rc = assembly_layer(assembly, "dropout", &dropout, name, value,
				    err);
	return rc ? rc
		  : assembly_layer(assembly, "linear", &linear, name, value,
				   err);
}

static enum err_code add_head(struct tuning *t, int32_t *value, struct err *err)
{
	static const struct no_options none = { 0 };
	const struct field_ints *sizes = &t->head.hidden_sizes;
	unsigned i = 0;
	enum err_code rc = make_rows_flat(t, value, err);

	for (; i < sizes->n && !rc; i++) {
		rc = add_linear(t, i, sizes->v[i], value, err);
		if (!rc)
			rc = assembly_layer(&t->assembly, "relu", &none, "head",
					    value, err);
	}
	return rc ? rc : add_linear(t, i, t->request->out[0].width, value, err);
}

/* --- the end --- */

static enum err_code check_result(const struct tuning *t, int32_t value,
				  struct err *err)
{
	const struct network_target *out = &t->request->out[0];
	const struct fact *fact = build_fact(&t->assembly.build, value);
	struct shape row;
	char text[128];

	if (!fact->has_shape || !fact->shape.rank ||
	    fact->shape.dim[0] != ROWS || fact->type.elem != DTYPE_F32)
		return err_set(err, ERR_UNSUPPORTED,
			       "model.onnx: the result of '%s' for %d rows is "
			       "%s, not a float for each row",
			       t->options.onnx, (int)ROWS,
			       fact->has_shape ? shape_text(&fact->shape, text,
							    sizeof(text))
					       : "of a shape that only a run "
						 "can tell");
	row = assembly_row(&t->assembly, value);
	if (shape_count(&row) != out->width)
		return err_set(err, ERR_SHAPE,
			       "model.onnx: '%s' gives %s a row, output "
			       "feature '%s' needs %lld; replace_head would "
			       "make a new last layer",
			       t->options.onnx,
			       shape_text(&row, text, sizeof(text)), out->name,
			       (long long)out->width);
	return ERR_NONE;
}

/* What is exported must be of the standard. */
static enum err_code check_nodes(const struct tuning *t, struct err *err)
{
	const struct graph *graph = t->assembly.graph;

	for (int32_t i = 0; i < graph->n_node; i++) {
		const struct graph_node *node = &graph->node[i];

		if (!strcmp(node->op->domain, "predictd"))
			return err_set(err, ERR_UNSUPPORTED,
				       "model.onnx: node '%s' (%s) of '%s' has "
				       "no form in the standard, in which a "
				       "trained model is written",
				       node->name, node->op->name,
				       t->options.onnx);
	}
	return ERR_NONE;
}

static enum err_code finish_graph(struct tuning *t, int32_t *value,
				  struct err *err)
{
	static const struct no_options none = { 0 };
	struct graph *graph = t->assembly.graph;
	struct shape row;
	enum err_code rc = check_result(t, *value, err);

	if (rc)
		return rc;
	row = assembly_row(&t->assembly, *value);
	if (row.rank != 1)
		rc = assembly_layer(&t->assembly, "flatten", &none, "output",
				    value, err);
	graph->n_output = 0;
	if (!rc)
		rc = graph_add_output(graph, *value, err);
	if (!rc)
		rc = graph_tidy(graph, err);
	if (!rc)
		rc = network_drop_unused(graph, err);
	return rc ? rc : check_nodes(t, err);
}

/* --- the table of layers --- */

/* Trainable numbers of a node that no node before it has. */
static int64_t count_params(const struct graph *graph,
			    const struct graph_node *node, bool *seen)
{
	int64_t n = 0;

	for (int32_t i = 0; i < node->n_in; i++) {
		const int32_t value = graph_in(graph, node)[i];
		int32_t variable;

		if (!is_parameter(graph, value))
			continue;
		variable = graph->value[value].source;
		if (!seen[variable])
			n += shape_count(&graph->variable[variable].view.shape);
		seen[variable] = true;
	}
	return n;
}

static enum err_code summarize(const struct tuning *t,
			       struct network_summary *ret, struct err *err)
{
	const struct graph *graph = t->assembly.graph;
	struct network_layer *layer = arena_array(
	    graph->arena, (size_t)graph->n_node + 1, sizeof(*layer));
	bool *seen = arena_array(t->assembly.scratch,
				 (size_t)graph->n_variable + 1, sizeof(*seen));

	if (!layer || !seen)
		return network_no_memory(err);
	*ret = (struct network_summary){ .layer = layer };
	for (int32_t i = 0; i < graph->n_node; i++) {
		const struct graph_node *node = &graph->node[i];
		const int64_t n = count_params(graph, node, seen);

		if (!n)
			continue;
		layer[ret->n++] = (struct network_layer){
			.name = node->name,
			.type = node->op->name,
			.row = assembly_row(&t->assembly,
					    graph_out(graph, node)[0]),
			.n_params = n,
		};
		ret->n_params += n;
	}
	if (!ret->n_params)
		return err_set(err, ERR_INVALID,
			       "model.onnx: '%s' has no float weights that "
			       "training could change",
			       t->options.onnx);
	return ERR_NONE;
}

/* --- the whole --- */

static enum err_code make(struct tuning *t, struct network *ret,
			  struct facts **facts, struct err *err)
{
	struct assembly *assembly = &t->assembly;
	int32_t value = VALUE_NONE;
	enum err_code rc;

	if (t->request->n_out != 1)
		return err_set(err, ERR_UNSUPPORTED,
			       "model: %u output features; this network has "
			       "one",
			       t->request->n_out);
	rc = read_maps(t, err);
	if (!rc)
		rc = network_read_file(t->options.onnx, t->request->places,
				       &assembly->graph, &t->file, err);
	if (!rc)
		rc = take_inputs(t, err);
	if (!rc)
		rc = infer_rows(t, facts, err);
	if (rc)
		return rc;
	value = before_softmax(assembly->graph, assembly->graph->output[0]);
	if (t->options.replace_head) {
		rc = find_end(t, &value, err);
		if (!rc)
			rc = add_head(t, &value, err);
	}
	if (!rc)
		rc = finish_graph(t, &value, err);
	if (!rc)
		rc = summarize(t, &ret->summary, err);
	return rc ? rc
		  : network_fill_signature(assembly, t->request, value,
					   &ret->signature, err);
}

enum err_code network_from_onnx(const struct network_request *request,
				struct network *ret, struct err *err)
{
	struct tuning t = {
		.request = request,
		.assembly = { .seed = request->seed, .dry = request->dry },
	};
	struct facts *facts = NULL;
	struct network network = { 0 };
	enum err_code rc;

	t.assembly.scratch = arena_create(NETWORK_SCRATCH_MAX);
	rc = t.assembly.scratch ? make(&t, &network, &facts, err)
				: network_no_memory(err);
	if (!rc) {
		network.graph = t.assembly.graph;
		t.assembly.graph = NULL; /* handed over */
		*ret = network;
	}
	facts_destroy(facts);
	arena_destroy(t.assembly.scratch);
	graph_destroy(t.assembly.graph);
	return rc;
}
