/* SPDX-License-Identifier: Apache-2.0 */
#include "models/onnx_file_priv.h"
#include "models/onnx_function_priv.h"
#include "models/onnx_rows_priv.h"

/* Field numbers of ModelProto, OperatorSetIdProto and GraphProto. */
enum {
	MODEL_IR_VERSION = 1,
	MODEL_GRAPH = 7,
	MODEL_IMPORT = 8,
	MODEL_FUNCTION = 25
};
enum { IMPORT_DOMAIN = 1, IMPORT_VERSION = 2 };
enum {
	GRAPH_NODE = 1,
	GRAPH_INIT = 5,
	GRAPH_INPUT = 11,
	GRAPH_OUTPUT = 12,
	GRAPH_SPARSE_INIT = 15
};
/* 14 added element types, which are refused where one occurs */
enum { IR_VERSION_MIN = 3, IR_VERSION_MAX = 14 };
enum { IMPORTS_MAX = 256 };

static enum err_code check_init(const struct onnx_reader *reader,
				const struct onnx_tensor *tensor,
				struct err *err)
{
	return *tensor->name
		   ? ERR_NONE
		   : err_set(err, ERR_FORMAT, "%s: an initializer has no name",
			     reader->name);
}

static enum err_code parse_init(const struct onnx_reader *reader,
				struct wire message, void *row, struct err *err)
{
	enum err_code rc =
	    onnx_parse_tensor(reader, message, reader->keep, row, err);

	return rc ? rc : check_init(reader, row, err);
}

static enum err_code parse_sparse(const struct onnx_reader *reader,
				  struct wire message, void *row,
				  struct err *err)
{
	enum err_code rc =
	    onnx_parse_sparse(reader, message, reader->keep, row, err);

	return rc ? rc : check_init(reader, row, err);
}

static enum err_code parse_port(const struct onnx_reader *reader,
				struct wire message, void *row, struct err *err)
{
	return onnx_parse_port(reader, message, row, err);
}

enum err_code onnx_parse_import(const struct onnx_reader *reader,
				struct wire message, void *row, struct err *err)
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

/* Sparse initializers stand behind the others. */
static enum err_code join_inits(const struct onnx_reader *reader,
				struct onnx_file *file,
				const struct onnx_rows *sparse, struct err *err)
{
	const size_t n = (size_t)file->n_init;
	struct onnx_tensor *all =
	    arena_array(reader->scratch, n + (size_t)sparse->n, sizeof(*all));

	if (!all)
		return onnx_no_memory(reader->name, err);
	if (n)
		memcpy(all, file->init, n * sizeof(*all));
	memcpy(all + n, sparse->row, (size_t)sparse->n * sizeof(*all));
	file->init = all;
	file->n_init += sparse->n;
	return ERR_NONE;
}

enum err_code onnx_parse_graph(const struct onnx_reader *reader,
			       struct onnx_file *file, struct err *err)
{
	struct onnx_rows rows[] = {
		{ GRAPH_NODE, "a node", sizeof(*file->node), onnx_parse_node,
		  NULL, 0, 0 },
		{ GRAPH_INIT, "an initializer", sizeof(*file->init), parse_init,
		  NULL, 0, 0 },
		{ GRAPH_INPUT, "an input", sizeof(*file->input), parse_port,
		  NULL, 0, 0 },
		{ GRAPH_OUTPUT, "an output", sizeof(*file->output), parse_port,
		  NULL, 0, 0 },
		{ GRAPH_SPARSE_INIT, "a sparse initializer",
		  sizeof(*file->init), parse_sparse, NULL, 0, 0 },
		{ 0 },
	};
	enum err_code rc = onnx_parse_rows(reader, file->graph, rows, err);

	file->node = rows[0].row;
	file->n_node = rows[0].n;
	file->init = rows[1].row;
	file->n_init = rows[1].n;
	file->input = rows[2].row;
	file->n_input = rows[2].n;
	file->output = rows[3].row;
	file->n_output = rows[3].n;
	if (!rc && rows[4].n)
		rc = join_inits(reader, file, &rows[4], err);
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
			file->model->ir_version = (int64_t)field.value;
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
	if (file->model->ir_version < IR_VERSION_MIN ||
	    file->model->ir_version > IR_VERSION_MAX)
		return err_set(err, ERR_UNSUPPORTED,
			       "%s: IR version %lld; versions %d to %d are "
			       "supported",
			       reader->name, (long long)file->model->ir_version,
			       IR_VERSION_MIN, IR_VERSION_MAX);
	return ERR_NONE;
}

/* The lists of ModelProto, but its graph. */
static enum err_code parse_lists(const struct onnx_reader *reader,
				 struct wire message, struct onnx_model *model,
				 struct err *err)
{
	struct onnx_rows rows[] = {
		{ MODEL_IMPORT, "an operator set", sizeof(*model->import),
		  onnx_parse_import, NULL, 0, 0 },
		{ MODEL_FUNCTION, "a function", sizeof(*model->function),
		  onnx_parse_function, NULL, 0, 0 },
		{ 0 },
	};
	enum err_code rc = onnx_parse_rows(reader, message, rows, err);

	if (rc)
		return rc;
	model->import = rows[0].row;
	model->n_import = rows[0].n;
	model->function = rows[1].row;
	model->n_function = rows[1].n;
	if (model->n_import > IMPORTS_MAX)
		return err_set(err, ERR_TOO_LARGE,
			       "%s: %d operator sets; at most %d are read",
			       reader->name, model->n_import, IMPORTS_MAX);
	return onnx_sort_functions(reader, model, err);
}

enum err_code onnx_parse_file(const struct onnx_reader *reader,
			      const void *bytes, size_t len,
			      struct onnx_file *ret, struct err *err)
{
	struct onnx_file file = { 0 };
	struct wire message;
	enum err_code rc;

	file.model = arena_alloc(reader->scratch, sizeof(*file.model));
	if (!file.model)
		return onnx_no_memory(reader->name, err);
	wire_init(&message, bytes, len, reader->name);
	rc = parse_model(reader, message, &file, err);
	if (!rc)
		rc = parse_lists(reader, message, file.model, err);
	if (!rc)
		rc = onnx_parse_graph(reader, &file, err);
	if (!rc)
		rc = onnx_inline_calls(reader, &file, NULL, err);
	if (!rc)
		rc = onnx_parse_bodies(reader, &file, 0, err);
	if (!rc)
		*ret = file;
	return rc;
}
