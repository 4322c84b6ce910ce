/* SPDX-License-Identifier: Apache-2.0 */
#include "models/onnx_function_priv.h"

#include "models/onnx_file_priv.h"

/* Field numbers of FunctionProto. */
enum {
	FUNCTION_NAME = 1,
	FUNCTION_IN = 4,
	FUNCTION_OUT = 5,
	FUNCTION_NODE = 7,
	FUNCTION_IMPORT = 9,
	FUNCTION_DOMAIN = 10,
	FUNCTION_DEFAULT = 11,
	FUNCTION_OVERLOAD = 13
};

static enum err_code parse_default(const struct onnx_reader *reader,
				   struct wire message, void *row,
				   struct err *err)
{
	return onnx_parse_attr(reader, message, reader->scratch, row, err);
}

static enum err_code parse_names(const struct onnx_reader *reader,
				 struct wire message,
				 struct onnx_function *function,
				 struct err *err)
{
	struct wire_field field;
	enum err_code rc;

	function->domain = function->name = function->overload = "";
	for (;;) {
		const char **to = NULL;

		rc = wire_next(&message, &field, err);
		if (rc || !field.number)
			break;
		if (field.number == FUNCTION_NAME)
			to = &function->name;
		else if (field.number == FUNCTION_DOMAIN)
			to = &function->domain;
		else if (field.number == FUNCTION_OVERLOAD)
			to = &function->overload;
		if (to)
			rc = onnx_text(reader, &field, reader->scratch,
				       "a function's name", to, err);
		if (rc)
			break;
	}
	if (!strcmp(function->domain, "ai.onnx"))
		function->domain = "";
	return rc;
}

enum err_code onnx_parse_function(const struct onnx_reader *reader,
				  struct wire message, void *row,
				  struct err *err)
{
	struct onnx_function *function = row;
	struct onnx_rows rows[] = {
		{ FUNCTION_IMPORT, "an operator set", sizeof(*function->import),
		  onnx_parse_import, NULL, 0, 0 },
		{ FUNCTION_DEFAULT, "an attribute", sizeof(*function->defaults),
		  parse_default, NULL, 0, 0 },
		{ FUNCTION_NODE, "a node", sizeof(*function->node),
		  onnx_parse_node, NULL, 0, 0 },
		{ 0 },
	};
	enum err_code rc = parse_names(reader, message, function, err);

	if (!rc)
		rc = onnx_parse_texts(reader, message, FUNCTION_IN,
				      "a function's input", &function->in, err);
	if (!rc)
		rc = onnx_parse_texts(reader, message, FUNCTION_OUT,
				      "a function's output", &function->out,
				      err);
	if (!rc)
		rc = onnx_parse_rows(reader, message, rows, err);
	function->import = rows[0].row;
	function->n_import = rows[0].n;
	function->defaults = rows[1].row;
	function->n_default = rows[1].n;
	function->node = rows[2].row;
	function->n_node = rows[2].n;
	return rc;
}

static int compare_functions(const void *left, const void *right)
{
	const struct onnx_function *a = left, *b = right;
	int order = strcmp(a->domain, b->domain);

	if (!order)
		order = strcmp(a->name, b->name);
	return order ? order : strcmp(a->overload, b->overload);
}

enum err_code onnx_sort_functions(const struct onnx_reader *reader,
				  struct onnx_model *model, struct err *err)
{
	struct onnx_function *function = model->function;

	if (model->n_function)
		qsort(function, (size_t)model->n_function, sizeof(*function),
		      compare_functions);
	for (int32_t i = 1; i < model->n_function; i++)
		if (!compare_functions(&function[i - 1], &function[i]))
			return err_set(err, ERR_FORMAT,
				       "%s: the function '%s' of domain '%s' "
				       "is defined twice",
				       reader->name, function[i].name,
				       function[i].domain);
	return ERR_NONE;
}

const struct onnx_function *onnx_find_function(const struct onnx_model *model,
					       const struct onnx_node *node)
{
	const struct onnx_function key = { .domain = node->domain,
					   .name = node->op,
					   .overload = node->overload };

	return model->n_function
		   ? bsearch(&key, model->function, (size_t)model->n_function,
			     sizeof(key), compare_functions)
		   : NULL;
}
