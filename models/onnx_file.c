/* SPDX-License-Identifier: Apache-2.0 */
#include "models/onnx_file_priv.h"

/* Field numbers of ModelProto, OperatorSetIdProto, FunctionProto, GraphProto
 * and NodeProto. */
enum {
	MODEL_IR_VERSION = 1,
	MODEL_GRAPH = 7,
	MODEL_IMPORT = 8,
	MODEL_FUNCTION = 25
};
enum { IMPORT_DOMAIN = 1, IMPORT_VERSION = 2 };
enum { FUNCTION_NAME = 1, FUNCTION_DOMAIN = 10 };
enum {
	GRAPH_NODE = 1,
	GRAPH_INIT = 5,
	GRAPH_INPUT = 11,
	GRAPH_OUTPUT = 12,
	GRAPH_SPARSE_INIT = 15
};
enum {
	NODE_IN = 1,
	NODE_OUT = 2,
	NODE_NAME = 3,
	NODE_OP = 4,
	NODE_ATTR = 5,
	NODE_DOMAIN = 7
};

enum { IR_VERSION_MIN = 3, IR_VERSION_MAX = 13 };
enum { LIST_MAX = 1 << 20, IMPORTS_MAX = 256 };

/* Reads one message of a repeated field into row i of a list. */
typedef enum err_code parse_row(const struct onnx_reader *reader,
				struct wire message, void *row,
				struct err *err);

/* One repeated field of messages: where its rows go. */
struct rows {
	uint32_t field;
	const char *what;
	size_t size;
	parse_row *parse;
	void *row;
	int32_t n, cap;
};

static struct rows *rows_of(struct rows *rows, uint32_t field)
{
	for (; rows->field; rows++) {
		if (rows->field == field)
			return rows;
	}
	return NULL;
}

/* Counts first, so that lists are allocated once. */
static enum err_code count_rows(struct wire message, struct rows *all,
				struct err *err)
{
	struct wire_field field;
	enum err_code rc;

	for (;;) {
		struct rows *rows;

		rc = wire_next(&message, &field, err);
		if (rc || !field.number)
			return rc;
		rows = rows_of(all, field.number);
		if (rows && ++rows->cap > LIST_MAX)
			return err_set(err, ERR_TOO_LARGE,
				       "%s: more than %d times %s",
				       message.name, LIST_MAX, rows->what);
	}
}

static enum err_code parse_rows(const struct onnx_reader *reader,
				struct wire message, struct rows *all,
				struct err *err)
{
	struct wire_field field;
	struct wire child;
	enum err_code rc;

	rc = count_rows(message, all, err);
	for (struct rows *rows = all; rows->field && !rc; rows++) {
		rows->row = arena_array(reader->scratch, (size_t)rows->cap + 1,
					rows->size);
		if (!rows->row)
			rc = onnx_no_memory(reader->name, err);
	}
	while (!rc) {
		struct rows *rows;

		rc = wire_next(&message, &field, err);
		if (rc || !field.number)
			break;
		rows = rows_of(all, field.number);
		if (!rows || !rows->row)
			continue;
		rc = wire_enter(&message, &field, rows->what, &child, err);
		if (!rc)
			rc = rows->parse(reader, child,
					 (char *)rows->row +
					     (size_t)rows->n++ * rows->size,
					 err);
	}
	return rc;
}

/* --- nodes --- */

static enum err_code parse_attrs(const struct onnx_reader *reader,
				 struct wire message, struct onnx_node *node,
				 struct err *err)
{
	/* the elements of a Constant become the graph's, others are copied
	 * when the node is lowered */
	struct arena *tensors =
	    strcmp(node->op, "Constant") ? reader->scratch : reader->keep;
	struct wire_field field;
	struct wire child;
	int32_t n = 0;
	enum err_code rc;

	node->attr = arena_array(reader->scratch, (size_t)node->n_attr + 1,
				 sizeof(*node->attr));
	if (!node->attr)
		return onnx_no_memory(reader->name, err);
	for (;;) {
		rc = wire_next(&message, &field, err);
		if (rc || !field.number)
			return rc;
		if (field.number != NODE_ATTR)
			continue;
		rc = wire_enter(&message, &field, "an attribute", &child, err);
		if (!rc)
			rc = onnx_parse_attr(reader, child, tensors,
					     &node->attr[n++], err);
		if (rc)
			return rc;
	}
}

static enum err_code count_node(const struct onnx_reader *reader,
				struct wire message, struct onnx_node *node,
				struct err *err)
{
	struct wire_field field;
	enum err_code rc;

	for (;;) {
		rc = wire_next(&message, &field, err);
		if (rc || !field.number)
			break;
		node->n_in += field.number == NODE_IN;
		node->n_out += field.number == NODE_OUT;
		node->n_attr += field.number == NODE_ATTR;
	}
	if (rc)
		return rc;
	if (node->n_in > LIST_MAX || node->n_out > LIST_MAX)
		return err_set(err, ERR_TOO_LARGE,
			       "%s: a node has more than %d operands",
			       reader->name, LIST_MAX);
	node->in = arena_array(reader->scratch, (size_t)node->n_in + 1,
			       sizeof(*node->in));
	node->out = arena_array(reader->scratch, (size_t)node->n_out + 1,
				sizeof(*node->out));
	if (!node->in || !node->out)
		return onnx_no_memory(reader->name, err);
	return ERR_NONE;
}

static enum err_code parse_node(const struct onnx_reader *reader,
				struct wire message, void *row, struct err *err)
{
	struct onnx_node *node = row;
	struct wire rest = message;
	struct wire_field field;
	int32_t n_in = 0, n_out = 0;
	enum err_code rc;

	node->domain = node->op = node->name = "";
	rc = count_node(reader, message, node, err);
	while (!rc) {
		const char **to = NULL;
		struct arena *arena = reader->keep;

		rc = wire_next(&rest, &field, err);
		if (rc || !field.number)
			break;
		switch (field.number) {
		case NODE_IN:
			to = &node->in[n_in++];
			arena = reader->scratch;
			break;
		case NODE_OUT:
			to = &node->out[n_out++];
			break;
		case NODE_NAME:
			to = &node->name;
			break;
		case NODE_OP:
			to = &node->op;
			break;
		case NODE_DOMAIN:
			to = &node->domain;
			break;
		default:
			break;
		}
		if (to)
			rc = onnx_text(reader, &field, arena,
				       "a name in a node", to, err);
	}
	if (rc)
		return rc;
	if (!strcmp(node->domain, "ai.onnx"))
		node->domain = "";
	return parse_attrs(reader, message, node, err);
}

/* --- the rest --- */

static enum err_code parse_init(const struct onnx_reader *reader,
				struct wire message, void *row, struct err *err)
{
	struct onnx_tensor *tensor = row;
	enum err_code rc;

	rc = onnx_parse_tensor(reader, message, reader->keep, tensor, err);
	if (!rc && !*tensor->name)
		rc = err_set(err, ERR_FORMAT, "%s: an initializer has no name",
			     reader->name);
	return rc;
}

static enum err_code parse_port(const struct onnx_reader *reader,
				struct wire message, void *row, struct err *err)
{
	return onnx_parse_port(reader, message, row, err);
}

static enum err_code parse_sparse(const struct onnx_reader *reader,
				  struct wire message, void *row,
				  struct err *err)
{
	(void)message;
	(void)row;
	return err_set(err, ERR_UNSUPPORTED,
		       "%s: sparse initializers are not supported",
		       reader->name);
}

static enum err_code parse_import(const struct onnx_reader *reader,
				  struct wire message, void *row,
				  struct err *err)
{
	struct onnx_import *import = row;
	struct wire_field field;
	enum err_code rc;

	import->domain = "";
	for (;;) {
		rc = wire_next(&message, &field, err);
		if (rc || !field.number)
			break;
		if (field.number == IMPORT_DOMAIN) {
			rc = onnx_text(reader, &field, reader->scratch,
				       "an operator set's domain",
				       &import->domain, err);
		} else if (field.number == IMPORT_VERSION) {
			import->version = (int64_t)field.value;
			rc = wire_expect(&message, &field, WIRE_VARINT,
					 "an operator set's version", err);
		}
		if (rc)
			break;
	}
	if (!strcmp(import->domain, "ai.onnx"))
		import->domain = "";
	return rc;
}

static enum err_code parse_function(const struct onnx_reader *reader,
				    struct wire message, void *row,
				    struct err *err)
{
	struct onnx_function *function = row;
	struct wire_field field;
	enum err_code rc;

	function->domain = function->name = "";
	for (;;) {
		rc = wire_next(&message, &field, err);
		if (rc || !field.number)
			break;
		if (field.number == FUNCTION_NAME)
			rc = onnx_text(reader, &field, reader->scratch,
				       "a function's name", &function->name,
				       err);
		else if (field.number == FUNCTION_DOMAIN)
			rc = onnx_text(reader, &field, reader->scratch,
				       "a function's domain", &function->domain,
				       err);
		if (rc)
			break;
	}
	return rc;
}

enum err_code onnx_parse_graph(const struct onnx_reader *reader,
			       struct onnx_file *file, struct err *err)
{
	struct rows rows[] = {
		{ GRAPH_NODE, "a node", sizeof(*file->node), parse_node, NULL,
		  0, 0 },
		{ GRAPH_INIT, "an initializer", sizeof(*file->init), parse_init,
		  NULL, 0, 0 },
		{ GRAPH_INPUT, "an input", sizeof(*file->input), parse_port,
		  NULL, 0, 0 },
		{ GRAPH_OUTPUT, "an output", sizeof(*file->output), parse_port,
		  NULL, 0, 0 },
		{ GRAPH_SPARSE_INIT, "a sparse initializer", 1, parse_sparse,
		  NULL, 0, 0 },
		{ 0 },
	};
	enum err_code rc = parse_rows(reader, file->graph, rows, err);

	file->node = rows[0].row;
	file->n_node = rows[0].n;
	file->init = rows[1].row;
	file->n_init = rows[1].n;
	file->input = rows[2].row;
	file->n_input = rows[2].n;
	file->output = rows[3].row;
	file->n_output = rows[3].n;
	return rc;
}

/* The fields of ModelProto that are no lists. */
static enum err_code parse_model(const struct onnx_reader *reader,
				 struct wire message, struct onnx_file *file,
				 struct err *err)
{
	struct wire rest = message;
	struct wire_field field;
	enum err_code rc;

	for (;;) {
		rc = wire_next(&rest, &field, err);
		if (rc || !field.number)
			break;
		if (field.number == MODEL_IR_VERSION) {
			file->ir_version = (int64_t)field.value;
			rc = wire_expect(&rest, &field, WIRE_VARINT,
					 "ir_version", err);
		} else if (field.number == MODEL_GRAPH) {
			file->has_graph = true;
			rc = wire_enter(&rest, &field, "the graph",
					&file->graph, err);
		}
		if (rc)
			break;
	}
	if (rc)
		return rc;
	if (!file->has_graph)
		return err_set(err, ERR_FORMAT,
			       "%s: no graph; is this an ONNX model?",
			       reader->name);
	if (file->ir_version < IR_VERSION_MIN ||
	    file->ir_version > IR_VERSION_MAX)
		return err_set(err, ERR_UNSUPPORTED,
			       "%s: IR version %lld; versions %d to %d are "
			       "supported",
			       reader->name, (long long)file->ir_version,
			       IR_VERSION_MIN, IR_VERSION_MAX);
	return ERR_NONE;
}

enum err_code onnx_set_opsets(const struct onnx_reader *reader,
			      struct onnx_file *file, struct err *err)
{
	for (int32_t i = 0; i < file->n_node; i++) {
		struct onnx_node *node = &file->node[i];
		int64_t version = *node->domain ? 1 : 0;

		for (int32_t j = 0; j < file->n_import; j++) {
			if (!strcmp(file->import[j].domain, node->domain))
				version = file->import[j].version;
		}
		if (version < 1 || version > UINT16_MAX)
			return err_set(err, ERR_FORMAT,
				       "%s: the operator set '%s' is %s",
				       reader->name,
				       *node->domain ? node->domain : "ai.onnx",
				       version ? "of no version that exists"
					       : "not imported");
		node->opset = (unsigned)version;
	}
	return ERR_NONE;
}

enum err_code onnx_parse_file(const struct onnx_reader *reader,
			      const void *bytes, size_t len,
			      struct onnx_file *ret, struct err *err)
{
	struct onnx_file file = { 0 };
	struct rows rows[] = {
		{ MODEL_IMPORT, "an operator set", sizeof(*file.import),
		  parse_import, NULL, 0, 0 },
		{ MODEL_FUNCTION, "a function", sizeof(*file.function),
		  parse_function, NULL, 0, 0 },
		{ 0 },
	};
	struct wire message;
	enum err_code rc;

	wire_init(&message, bytes, len, reader->name);
	rc = parse_model(reader, message, &file, err);
	if (!rc)
		rc = parse_rows(reader, message, rows, err);
	file.import = rows[0].row;
	file.n_import = rows[0].n;
	file.function = rows[1].row;
	file.n_function = rows[1].n;
	if (!rc && file.n_import > IMPORTS_MAX)
		rc = err_set(err, ERR_TOO_LARGE,
			     "%s: %d operator sets; at most %d are read",
			     reader->name, file.n_import, IMPORTS_MAX);
	if (!rc)
		rc = onnx_parse_graph(reader, &file, err);
	if (!rc)
		rc = onnx_set_opsets(reader, &file, err);
	if (!rc)
		rc = onnx_parse_bodies(reader, &file, 0, err);
	if (!rc)
		*ret = file;
	return rc;
}
