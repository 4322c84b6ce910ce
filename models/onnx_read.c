/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/facts.h"
#include "models/onnx_import_priv.h"

/* Ceilings when the caller gives none: an element of a file's byte takes at
 * most eight in memory (int64_data), a node of two bytes about a hundred. */
#define ARENA_LEAST ((size_t)64 << 20)
#define SCRATCH_LEAST ((size_t)256 << 20) /* calls of functions add up */
#define ARENA_EXTERNAL ((size_t)8 << 30)  /* the size of a model, as limited */
enum { ARENA_PER_BYTE = 16, SCRATCH_PER_BYTE = 64, PORTS_MAX = 4096 };

static size_t ceiling(size_t len, size_t per_byte, size_t least)
{
	size_t bytes;

	if (__builtin_mul_overflow(len, per_byte, &bytes) ||
	    __builtin_add_overflow(bytes, least, &bytes))
		return SIZE_MAX;
	return bytes;
}

/* --- inputs and initializers --- */

static enum err_code add_input(struct onnx_importer *im, int32_t i,
			       struct err *err)
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

static enum err_code add_initializer(struct onnx_importer *im, int32_t i,
				     int32_t *ret_value, struct err *err)
{
	const struct onnx_tensor *tensor = &im->file.init[i];
	struct tensor_view own = tensor->view;

	if (!im->role || im->role[i] < 0)
		return graph_add_constant(im->graph,
					  im->is_appended ? NULL : tensor->name,
					  &own, ret_value, err);
	own.data = arena_aligned(im->graph->arena,
				 tensor_bytes(own.dtype, &own.shape));
	if (!own.data)
		return onnx_no_memory(im->reader.name, err);
	memcpy(own.data, tensor->view.data,
	       tensor_bytes(own.dtype, &own.shape));
	return graph_add_variable(im->graph, tensor->name,
				  (enum role)im->role[i], &own, ret_value, err);
}

enum err_code onnx_import_value(struct onnx_importer *im, struct onnx_def *def,
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
static enum err_code name_outputs(struct onnx_importer *im,
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
		if (out[i] >= first_new && !im->is_appended)
			rc = graph_rename(im->graph, out[i], node->out[i], err);
	}
	return rc;
}

/* NOLINTNEXTLINE(misc-no-recursion): at most ONNX_MAX_DEPTH deep */
static enum err_code lower_node(struct onnx_importer *im,
				struct onnx_node *node, struct err *err)
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
		rc = onnx_import_value(im, node->def[i], &in[i], err);
	for (size_t i = 0; i < n_out; i++)
		out[i] = VALUE_NONE;
	if (rc)
		return rc;
	first_new = im->graph->n_value;
	rc = node->body
		 ? onnx_import_control(im, node, in, out, err)
		 : onnx_lower_node(&im->reader, &im->build, node, in, out, err);
	if (!rc)
		rc = name_outputs(im, node, out, first_new, err);
	return rc;
}

/* NOLINTNEXTLINE(misc-no-recursion): at most ONNX_MAX_DEPTH deep */
enum err_code onnx_import_nodes(struct onnx_importer *im, struct err *err)
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
static enum err_code add_keys(struct onnx_importer *im, struct err *err)
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

enum err_code onnx_import_outputs(struct onnx_importer *im, struct err *err)
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

		rc = onnx_import_value(im, def, &value, err);
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

static enum err_code fill_port(const struct onnx_importer *im,
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
static void fill_map_ports(const struct onnx_importer *im,
			   struct model_signature *s)
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

static enum err_code refuse_equal_outputs(const struct onnx_importer *im,
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

static enum err_code fill_signature(struct onnx_importer *im,
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

static enum err_code import_file(struct onnx_importer *im, const void *bytes,
				 size_t len, struct model_signature *ret,
				 struct err *err)
{
	struct wire message;
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
		rc = onnx_import_nodes(im, err);
	if (!rc)
		rc = onnx_import_outputs(im, err);
	if (!rc)
		rc = facts_type_graph(im->graph, err);
	if (!rc)
		rc = fill_signature(im, ret, err);
	if (!rc) {
		wire_init(&message, bytes, len, im->reader.name);
		rc = onnx_read_notes(&im->reader, message, ret, err);
	}
	return rc;
}

/* NOLINTNEXTLINE(readability-function-size): bytes in, graph and ports out */
enum err_code onnx_read(const void *bytes, size_t len, const char *name,
			const struct onnx_options *options,
			struct graph **ret_graph,
			struct model_signature *ret_signature, struct err *err)
{
	struct onnx_importer im = {
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
	    arena_create(ceiling(len, SCRATCH_PER_BYTE, SCRATCH_LEAST));
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
