/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/facts.h"
#include "engine/graph_body.h"
#include "models/onnx_file_priv.h"

/* Ceilings when the caller gives none: an element of a file's byte takes at
 * most eight in memory (int64_data), a node of two bytes about a hundred. */
#define ARENA_LEAST ((size_t)64 << 20)
#define ARENA_EXTERNAL ((size_t)8 << 30) /* the size of a model, as limited */
enum { ARENA_PER_BYTE = 16, SCRATCH_PER_BYTE = 64, PORTS_MAX = 4096 };

/* A file, or a body in it, on its way to a graph. */
struct importer {
	struct onnx_reader reader;
	struct onnx_file file;
	struct onnx_names names;
	struct graph *graph;
	struct build build;
	int32_t *keys;	 /* by output: keys of its maps, or VALUE_NONE */
	const int *role; /* by initializer; NULL: all are constants */
	bool trainable, any_values;
	/* of a body: the node's operands in the graph around it */
	const struct graph *outer;
	const struct onnx_node *node;
	const int32_t *operand;
};

static size_t ceiling(size_t len, size_t per_byte, size_t least)
{
	size_t bytes;

	if (__builtin_mul_overflow(len, per_byte, &bytes) ||
	    __builtin_add_overflow(bytes, least, &bytes))
		return SIZE_MAX;
	return bytes;
}

/* --- inputs and initializers --- */

static enum err_code add_input(struct importer *im, int32_t i, struct err *err)
{
	const struct onnx_port *port = &im->file.input[i];
	struct onnx_def *def = onnx_find_name(&im->names, port->name);

	if (!def || def->kind != ONNX_DEF_INPUT)
		return ERR_NONE; /* an initializer: its value is known */
	if (port->is_other || port->type.elem == DTYPE_NONE ||
	    (!im->any_values &&
	     (port->type.is_sequence || port->type.is_optional)))
		return err_set(err, ERR_UNSUPPORTED,
			       "%s: input '%s' is no tensor of a known element "
			       "type",
			       im->reader.name, port->name);
	if (im->graph->n_input >= PORTS_MAX)
		return err_set(err, ERR_TOO_LARGE, "%s: more than %d inputs",
			       im->reader.name, PORTS_MAX);
	return graph_add_input(im->graph, port->name, port->type, &def->value,
			       err);
}

static enum err_code add_initializer(struct importer *im, int32_t i,
				     int32_t *ret_value, struct err *err)
{
	const struct onnx_tensor *tensor = &im->file.init[i];
	struct tensor_view own = tensor->view;

	if (!im->role || im->role[i] < 0)
		return graph_add_constant(im->graph, tensor->name, &own,
					  ret_value, err);
	own.data = arena_aligned(im->graph->arena,
				 tensor_bytes(own.dtype, &own.shape));
	if (!own.data)
		return onnx_no_memory(im->reader.name, err);
	memcpy(own.data, tensor->view.data,
	       tensor_bytes(own.dtype, &own.shape));
	return graph_add_variable(im->graph, tensor->name,
				  (enum role)im->role[i], &own, ret_value, err);
}

/* Initializers come in when the first node reads them. */
static enum err_code value_of(struct importer *im, struct onnx_def *def,
			      int32_t *ret_value, struct err *err)
{
	enum err_code rc = ERR_NONE;

	if (def && def->value == VALUE_NONE && def->kind == ONNX_DEF_INIT)
		rc = add_initializer(im, def->index, &def->value, err);
	*ret_value = def ? def->value : VALUE_NONE;
	return rc;
}

/* --- nodes --- */

/* Outputs of the lowered node take the file's names, unless they are values
 * that have one already. */
static enum err_code name_outputs(struct importer *im,
				  const struct onnx_node *node,
				  const int32_t *out, int32_t first_new,
				  struct err *err)
{
	enum err_code rc = ERR_NONE;

	for (int32_t i = 0; i < node->n_out && !rc; i++) {
		struct onnx_def *def;

		if (!*node->out[i])
			continue;
		if (out[i] == VALUE_NONE)
			return err_set(err, ERR_UNSUPPORTED,
				       "%s: node '%s' (%s): output %d is not "
				       "supported",
				       im->reader.name, onnx_node_name(node),
				       node->op, i);
		def = onnx_find_name(&im->names, node->out[i]);
		def->value = out[i];
		if (out[i] >= first_new)
			rc = graph_rename(im->graph, out[i], node->out[i], err);
	}
	return rc;
}

/* --- bodies --- */

/* The operand that input i of a body takes its type from; VALUE_NONE: none. */
static int32_t body_operand(const struct importer *im, int32_t i)
{
	const struct onnx_node *node = im->node;
	const int32_t own = im->file.n_input - node->n_captured;
	const int32_t own_in = node->n_in - node->n_captured;

	if (i >= own)
		return im->operand[own_in + i - own];
	return i < own_in ? im->operand[i] : VALUE_NONE;
}

/* As declared, or like the operand. */
static struct type body_input_type(const struct importer *im, int32_t i)
{
	const struct onnx_port *port = &im->file.input[i];
	const int32_t operand = body_operand(im, i);
	const bool is_captured = i >= im->file.n_input - im->node->n_captured;
	struct type type = { .elem = DTYPE_NONE };

	if (port->type.elem != DTYPE_NONE && !port->is_other && !is_captured)
		return port->type;
	if (operand != VALUE_NONE)
		type = im->outer->value[operand].type;
	if (!is_captured && !strcmp(im->node->op, "SequenceMap"))
		type.is_sequence = false;
	if (is_captured || strcmp(im->node->op, "Loop") != 0 || i > 1)
		return type;
	return (struct type){ .elem = i ? DTYPE_BOOL : DTYPE_I64 };
}

/* Constants of the graph around it are the body's own. */
static enum err_code add_body_input(struct importer *im, int32_t i,
				    struct err *err)
{
	const struct onnx_port *port = &im->file.input[i];
	const char *name = *port->name ? port->name : NULL;
	struct onnx_def *def = name ? onnx_find_name(&im->names, name) : NULL;
	const int32_t operand = body_operand(im, i);
	const struct graph *outer = im->outer;
	int32_t value = VALUE_NONE;
	enum err_code rc;

	if (i >= im->file.n_input - im->node->n_captured &&
	    operand != VALUE_NONE &&
	    outer->value[operand].origin == ORIGIN_CONST)
		rc = graph_add_constant(
		    im->graph, name,
		    &outer->constant[outer->value[operand].source], &value,
		    err);
	else
		rc = graph_add_input(im->graph, name, body_input_type(im, i),
				     &value, err);
	if (def && def->kind == ONNX_DEF_INPUT)
		def->value = value;
	return rc;
}

static enum err_code lower_nodes(struct importer *im, struct err *err);
static enum err_code add_outputs(struct importer *im, struct err *err);

/* NOLINTNEXTLINE(misc-no-recursion): at most ONNX_MAX_DEPTH deep */
static enum err_code import_body(struct importer *im,
				 const struct onnx_node *node,
				 const struct onnx_file *file,
				 const int32_t *operand,
				 struct graph **ret_body, struct err *err)
{
	struct importer body = { .reader = im->reader,
				 .file = *file,
				 .outer = im->graph,
				 .node = node,
				 .operand = operand };
	enum err_code rc = graph_create_body(im->graph, &body.graph, err);

	if (rc)
		return rc;
	build_init(&body.build, body.graph, NULL);
	rc = onnx_resolve_names(&body.reader, &body.file, &body.names, err);
	for (int32_t i = 0; i < body.file.n_input && !rc; i++)
		rc = add_body_input(&body, i, err);
	if (!rc)
		rc = lower_nodes(&body, err);
	if (!rc && body.file.n_output)
		rc = add_outputs(&body, err);
	if (!rc)
		rc = facts_type_graph(body.graph, err);
	*ret_body = body.graph;
	return rc;
}

enum { BODIES_MAX = 4 };

/* NOLINTNEXTLINE(misc-no-recursion): at most ONNX_MAX_DEPTH deep */
static enum err_code import_bodies(struct importer *im,
				   const struct onnx_node *node,
				   const int32_t *operand,
				   struct graph *body[BODIES_MAX],
				   struct err *err)
{
	const struct op *row = op_find(node->domain, node->op);
	enum err_code rc = ERR_NONE;

	for (size_t b = 0; row && row->bodies[b] && !rc; b++) {
		int32_t i = 0;

		while (i < node->n_attr &&
		       (!node->attr[i].is_graph ||
			strcmp(node->attr[i].name, row->bodies[b]) != 0))
			i++;
		if (i == node->n_attr)
			return err_set(err, ERR_FORMAT,
				       "%s: node '%s' (%s): the body '%s' is "
				       "missing",
				       im->reader.name, onnx_node_name(node),
				       node->op, row->bodies[b]);
		rc = import_body(im, node, node->body[i], operand, &body[b],
				 err);
	}
	return rc;
}

/* Captured constants went into the bodies: the node needs them no more. */
static int32_t drop_constants(const struct graph *graph, struct onnx_node *node,
			      int32_t *in)
{
	const int32_t own = node->n_in - node->n_captured;
	int32_t n = own;

	for (int32_t i = own; i < node->n_in; i++)
		if (in[i] == VALUE_NONE ||
		    graph->value[in[i]].origin != ORIGIN_CONST)
			in[n++] = in[i];
	return n;
}

/* NOLINTNEXTLINE(misc-no-recursion): at most ONNX_MAX_DEPTH deep */
static enum err_code lower_control(struct importer *im, struct onnx_node *node,
				   int32_t *in, int32_t *out, struct err *err)
{
	struct graph *body[BODIES_MAX] = { NULL };
	struct onnx_node own = *node;
	enum err_code rc = import_bodies(im, node, in, body, err);

	if (rc)
		return rc;
	own.n_in = drop_constants(im->graph, node, in);
	own.n_captured -= node->n_in - own.n_in;
	rc = onnx_lower_node(&im->reader, &im->build, &own, in, out, err);
	if (!rc)
		rc = graph_set_bodies(im->graph, body, own.n_captured, err);
	return rc ? err_prefix(err, "%s", im->reader.name) : ERR_NONE;
}

/* NOLINTNEXTLINE(misc-no-recursion): at most ONNX_MAX_DEPTH deep */
static enum err_code lower_node(struct importer *im, struct onnx_node *node,
				struct err *err)
{
	size_t n_in = (size_t)node->n_in, n_out = (size_t)node->n_out;
	int32_t *in =
	    arena_array(im->reader.scratch, n_in + n_out + 1, sizeof(*in));
	int32_t *out, first_new;
	enum err_code rc = ERR_NONE;

	if (!in)
		return onnx_no_memory(im->reader.name, err);
	out = in + n_in;
	for (int32_t i = 0; i < node->n_in && !rc; i++)
		rc = value_of(im, node->def[i], &in[i], err);
	for (size_t i = 0; i < n_out; i++)
		out[i] = VALUE_NONE;
	if (rc)
		return rc;
	first_new = im->graph->n_value;
	rc = node->body
		 ? lower_control(im, node, in, out, err)
		 : onnx_lower_node(&im->reader, &im->build, node, in, out, err);
	if (!rc)
		rc = name_outputs(im, node, out, first_new, err);
	return rc;
}

/* NOLINTNEXTLINE(misc-no-recursion): at most ONNX_MAX_DEPTH deep */
static enum err_code lower_nodes(struct importer *im, struct err *err)
{
	int32_t *order = NULL;
	enum err_code rc;

	rc = onnx_sort_nodes(&im->reader, &im->file, &order, err);
	for (int32_t i = 0; i < im->file.n_node && !rc; i++)
		rc = lower_node(im, &im->file.node[order[i]], err);
	return rc;
}

/* How many keys a map has: one label a column, of one kind or the other. */
static int64_t n_labels(const struct graph *graph, int32_t keys)
{
	static const char *const names[] = { "classlabels_strings",
					     "classlabels_int64s" };
	const struct graph_node *node = graph_producer(graph, keys);
	int64_t n = 0;

	for (unsigned i = 0; i < 2; i++) {
		const struct op_attr *row =
		    op_attr_find(node->op->attrs, names[i]);
		struct attr_value value;

		if (row && op_attr_get(row, node->attrs, &value))
			n +=
			    (int64_t)(row->kind == ATTR_INTS ? value.ints.n
							     : value.strings.n);
	}
	return n;
}

/* The keys of a value that is made as maps, or VALUE_NONE. */
static int32_t keys_of(const struct graph *graph, int32_t value)
{
	const struct graph_node *node = graph_producer(graph, value);

	if (!node || strcmp(node->op->domain, "ai.onnx.ml") != 0 ||
	    strcmp(node->op->name, "ZipMap") != 0 || node->n_out < 2)
		return VALUE_NONE;
	return graph_out(graph, node)[1];
}

/* An output of maps is two: NAME has the values, and behind all of the file's
 * outputs NAME_keys has the keys, row by row. */
static enum err_code add_keys(struct importer *im, struct err *err)
{
	struct graph *graph = im->graph;
	enum err_code rc = ERR_NONE;

	im->keys =
	    arena_array(im->reader.scratch, (size_t)im->file.n_output + 1,
			sizeof(*im->keys));
	if (!im->keys)
		return onnx_no_memory(im->reader.name, err);
	for (int32_t i = 0; i < im->file.n_output && !rc; i++) {
		char *name;

		im->keys[i] = keys_of(graph, graph->output[i]);
		if (im->keys[i] == VALUE_NONE)
			continue;
		name = arena_printf(im->reader.keep, "%s_keys",
				    im->file.output[i].name);
		if (!name)
			return onnx_no_memory(im->reader.name, err);
		rc = graph_rename(graph, im->keys[i], name, err);
		if (!rc)
			rc = graph_add_output(graph, im->keys[i], err);
	}
	return rc;
}

static enum err_code add_outputs(struct importer *im, struct err *err)
{
	enum err_code rc = ERR_NONE;

	if (!im->file.n_output || im->file.n_output > PORTS_MAX)
		return err_set(err, ERR_FORMAT,
			       "%s: %d outputs; expected 1 to %d",
			       im->reader.name, im->file.n_output, PORTS_MAX);
	for (int32_t i = 0; i < im->file.n_output && !rc; i++) {
		const char *name = im->file.output[i].name;
		struct onnx_def *def = onnx_find_name(&im->names, name);
		int32_t value = VALUE_NONE;

		rc = value_of(im, def, &value, err);
		if (!rc && value == VALUE_NONE)
			rc = err_set(err, ERR_FORMAT,
				     "%s: nothing defines the output '%s'",
				     im->reader.name, name);
		if (!rc)
			rc = graph_add_output(im->graph, value, err);
	}
	return rc ? rc : add_keys(im, err);
}

/* --- signature --- */

static enum err_code fill_port(const struct importer *im,
			       const struct onnx_port *from, int32_t value,
			       struct signature_port *port, struct err *err)
{
	struct type type = im->graph->value[value].type;

	if (type.elem == DTYPE_NONE ||
	    (!im->any_values && (type.is_sequence || type.is_optional)))
		return err_set(err, ERR_UNSUPPORTED,
			       "%s: output '%s' is no tensor", im->reader.name,
			       from->name);
	if (!from->is_other && !from->type.is_sequence &&
	    from->type.elem != DTYPE_NONE && from->type.elem != type.elem)
		return err_set(err, ERR_FORMAT,
			       "%s: output '%s' is declared as %s; the graph "
			       "gives %s",
			       im->reader.name, from->name,
			       dtype_info(from->type.elem)->name,
			       dtype_info(type.elem)->name);
	port->name = from->name;
	port->dtype = type.elem;
	port->has_rank = from->has_rank && !from->type.is_sequence;
	port->rank = from->rank;
	memcpy(port->dim, from->dim, sizeof(port->dim));
	return ERR_NONE;
}

/* Shapes of maps are not written down: a row for each of the inputs' rows. */
static void fill_map_ports(const struct importer *im, struct model_signature *s)
{
	const struct signature_port *in = s->input;
	const char *symbol =
	    s->n_inputs && in->has_rank && in->rank ? in->dim[0].symbol : NULL;

	for (int32_t i = 0; i < im->file.n_output; i++) {
		struct signature_port *port = &s->output[i];
		const int32_t keys = im->keys[i];

		if (keys == VALUE_NONE)
			continue;
		port->has_rank = true;
		port->rank = 2;
		port->dim[0] = (struct signature_dim){ -1, symbol };
		port->dim[1] =
		    (struct signature_dim){ n_labels(im->graph, keys), NULL };
		s->output[s->n_outputs] = *port;
		s->output[s->n_outputs].name = im->graph->value[keys].name;
		s->output[s->n_outputs].dtype =
		    im->graph->value[keys].type.elem;
		s->n_outputs++;
	}
}

static enum err_code refuse_equal_outputs(const struct importer *im,
					  struct err *err)
{
	for (int32_t i = 0; i < im->file.n_output; i++) {
		struct onnx_def *def =
		    onnx_find_name(&im->names, im->file.output[i].name);

		if (def->is_output)
			return err_set(err, ERR_FORMAT,
				       "%s: two outputs have the name '%s'",
				       im->reader.name, def->name);
		def->is_output = true;
	}
	return ERR_NONE;
}

static enum err_code fill_signature(struct importer *im,
				    struct model_signature *ret,
				    struct err *err)
{
	struct model_signature s = { 0 };
	const struct graph *graph = im->graph;
	enum err_code rc;

	s.input = arena_array(graph->arena, (size_t)graph->n_input + 1,
			      sizeof(*s.input));
	s.output = arena_array(graph->arena, (size_t)graph->n_output + 1,
			       sizeof(*s.output));
	if (!s.input || !s.output)
		return onnx_no_memory(im->reader.name, err);
	rc = refuse_equal_outputs(im, err);
	for (int32_t i = 0; i < im->file.n_input && !rc; i++) {
		const struct onnx_port *port = &im->file.input[i];
		const struct onnx_def *def =
		    onnx_find_name(&im->names, port->name);

		if (def && def->kind == ONNX_DEF_INPUT)
			rc = fill_port(im, port, def->value,
				       &s.input[s.n_inputs++], err);
	}
	for (int32_t i = 0; i < im->file.n_output && !rc; i++)
		rc = fill_port(im, &im->file.output[i], graph->output[i],
			       &s.output[s.n_outputs++], err);
	if (rc)
		return rc;
	fill_map_ports(im, &s);
	s.may_batch = signature_may_batch(&s);
	*ret = s;
	return ERR_NONE;
}

/* --- the whole --- */

static enum err_code import_file(struct importer *im, const void *bytes,
				 size_t len, struct model_signature *ret,
				 struct err *err)
{
	int *role = NULL;
	enum err_code rc;

	rc = onnx_parse_file(&im->reader, bytes, len, &im->file, err);
	if (!rc)
		rc = onnx_check_support(&im->reader, &im->file, err);
	if (!rc)
		rc =
		    onnx_resolve_names(&im->reader, &im->file, &im->names, err);
	if (!rc && im->trainable)
		rc = onnx_choose_roles(&im->reader, &im->file, &role, err);
	im->role = role;
	for (int32_t i = 0; i < im->file.n_input && !rc; i++)
		rc = add_input(im, i, err);
	if (!rc)
		rc = lower_nodes(im, err);
	if (!rc)
		rc = add_outputs(im, err);
	if (!rc)
		rc = facts_type_graph(im->graph, err);
	if (!rc)
		rc = fill_signature(im, ret, err);
	return rc;
}

/* NOLINTNEXTLINE(readability-function-size): bytes in, graph and ports out */
enum err_code onnx_read(const void *bytes, size_t len, const char *name,
			const struct onnx_options *options,
			struct graph **ret_graph,
			struct model_signature *ret_signature, struct err *err)
{
	struct importer im = {
		.reader = { .name = name,
			    .folder = options->folder,
			    .copy = options->copy,
			    .is_map = options->is_map,
			    .packs = options->copy ? options->packs : NULL },
		.trainable = options->trainable,
		.any_values = options->any_values
	};
	size_t max_bytes = options->max_bytes;
	struct model_signature signature;
	enum err_code rc;

	if (!max_bytes)
		max_bytes =
		    ceiling(len, ARENA_PER_BYTE,
			    options->folder ? ARENA_EXTERNAL : ARENA_LEAST);
	rc = graph_create(max_bytes, &im.graph, err);
	if (rc)
		return rc;
	im.reader.keep = im.graph->arena;
	im.reader.scratch =
	    arena_create(ceiling(len, SCRATCH_PER_BYTE, ARENA_LEAST));
	if (!im.reader.scratch) {
		rc = onnx_no_memory(name, err);
		goto out;
	}
	build_init(&im.build, im.graph, NULL);
	rc = import_file(&im, bytes, len, &signature, err);
	if (rc)
		goto out;
	*ret_signature = signature;
	*ret_graph = im.graph;
	im.graph = NULL;
out:
	arena_destroy(im.reader.scratch);
	graph_destroy(im.graph);
	return rc;
}

/* NOLINTNEXTLINE(readability-function-size): bytes in, name and view out */
enum err_code onnx_read_tensor(const void *bytes, size_t len, const char *name,
			       struct arena *arena,
			       struct tensor_view *ret_view,
			       const char **ret_name, struct err *err)
{
	struct onnx_reader reader = {
		.name = name, .keep = arena, .scratch = arena, .copy = true
	};
	struct onnx_tensor tensor;
	struct wire message;
	enum err_code rc;

	wire_init(&message, bytes, len, name);
	rc = onnx_parse_tensor(&reader, message, arena, &tensor, err);
	if (rc)
		return rc;
	*ret_view = tensor.view;
	*ret_name = tensor.name;
	return ERR_NONE;
}
