/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Bodies: subgraphs of nodes, parsed to a bounded depth.
 *
 * What a body reads of the graphs around it becomes an input, of the node and
 * of every body of the node, so that nothing later knows of scopes.
 */
#include "models/onnx_file_priv.h"
#include "models/onnx_function_priv.h"

enum { LOOP_OWN = 2 }; /* operands that Loop has even where they are left out */

struct strings {
	const char **at;
	size_t n, cap;
};

static enum err_code push(const struct onnx_reader *reader,
			  struct strings *list, const char *text,
			  struct err *err)
{
	if (list->n == list->cap) {
		const size_t cap = list->cap ? 2 * list->cap : 16;
		const char **at =
		    arena_array(reader->scratch, cap, sizeof(*at));

		if (!at)
			return onnx_no_memory(reader->name, err);
		if (list->n)
			memcpy(at, list->at, list->n * sizeof(*at));
		list->at = at;
		list->cap = cap;
	}
	list->at[list->n++] = text;
	return ERR_NONE;
}

static int compare_texts(const void *a, const void *b)
{
	const char *const *x = a, *const *y = b;

	return strcmp(*x, *y);
}

/* Sorted, each once. */
static void sort_texts(struct strings *list)
{
	size_t n = 0;

	if (list->n)
		qsort(list->at, list->n, sizeof(*list->at), compare_texts);
	for (size_t i = 0; i < list->n; i++)
		if (!n || strcmp(list->at[n - 1], list->at[i]) != 0)
			list->at[n++] = list->at[i];
	list->n = n;
}

static bool has_text(const struct strings *list, const char *text)
{
	return list->n && bsearch(&text, list->at, list->n, sizeof(*list->at),
				  compare_texts);
}

static enum err_code list_defined(const struct onnx_reader *reader,
				  const struct onnx_file *body,
				  struct strings *ret, struct err *err)
{
	enum err_code rc = ERR_NONE;

	*ret = (struct strings){ 0 };
	for (int32_t i = 0; i < body->n_input && !rc; i++)
		rc = push(reader, ret, body->input[i].name, err);
	for (int32_t i = 0; i < body->n_init && !rc; i++)
		rc = push(reader, ret, body->init[i].name, err);
	for (int32_t i = 0; i < body->n_node && !rc; i++)
		for (int32_t j = 0; j < body->node[i].n_out && !rc; j++)
			rc = push(reader, ret, body->node[i].out[j], err);
	sort_texts(ret);
	return rc;
}

/* Appends what the body reads and does not define. */
static enum err_code list_captured(const struct onnx_reader *reader,
				   const struct onnx_file *body,
				   struct strings *captured, struct err *err)
{
	struct strings defined;
	enum err_code rc = list_defined(reader, body, &defined, err);

	for (int32_t i = 0; i < body->n_node && !rc; i++) {
		const struct onnx_node *node = &body->node[i];

		for (int32_t j = 0; j < node->n_in && !rc; j++)
			if (*node->in[j] && !has_text(&defined, node->in[j]))
				rc = push(reader, captured, node->in[j], err);
	}
	for (int32_t i = 0; i < body->n_output && !rc; i++)
		if (!has_text(&defined, body->output[i].name))
			rc = push(reader, captured, body->output[i].name, err);
	return rc;
}

/* A body that has a name of its own for it takes the operand without one. */
static enum err_code add_body_inputs(const struct onnx_reader *reader,
				     struct onnx_file *body,
				     const struct strings *captured,
				     struct err *err)
{
	const size_t n = (size_t)body->n_input;
	struct onnx_port *input =
	    arena_array(reader->scratch, n + captured->n + 1, sizeof(*input));
	struct strings defined;
	enum err_code rc = list_defined(reader, body, &defined, err);

	if (!input)
		return onnx_no_memory(reader->name, err);
	if (n)
		memcpy(input, body->input, n * sizeof(*input));
	for (size_t i = 0; i < captured->n; i++)
		input[n + i].name =
		    has_text(&defined, captured->at[i]) ? "" : captured->at[i];
	body->input = input;
	body->n_input = (int32_t)(n + captured->n);
	return rc;
}

static enum err_code add_node_inputs(const struct onnx_reader *reader,
				     struct onnx_node *node,
				     const struct strings *captured,
				     struct err *err)
{
	const bool is_loop = !*node->domain && !strcmp(node->op, "Loop");
	const size_t own =
	    is_loop && node->n_in < LOOP_OWN ? LOOP_OWN : (size_t)node->n_in;
	const char **in =
	    arena_array(reader->scratch, own + captured->n + 1, sizeof(*in));

	if (!in)
		return onnx_no_memory(reader->name, err);
	if (own + captured->n > INT32_MAX / 2)
		return err_set(err, ERR_TOO_LARGE, "%s: too many operands",
			       reader->name);
	for (size_t i = 0; i < own; i++)
		in[i] = (int32_t)i < node->n_in ? node->in[i] : "";
	for (size_t i = 0; i < captured->n; i++)
		in[own + i] = captured->at[i];
	node->in = in;
	node->n_in = (int32_t)(own + captured->n);
	node->n_captured = (int32_t)captured->n;
	return ERR_NONE;
}

/* NOLINTNEXTLINE(misc-no-recursion): at most ONNX_MAX_DEPTH deep */
static enum err_code parse_body(const struct onnx_reader *reader,
				const struct onnx_file *file,
				struct onnx_node *node, int32_t i,
				unsigned depth, struct err *err)
{
	struct onnx_file *body = arena_alloc(reader->scratch, sizeof(*body));
	const struct onnx_scope *scope = NULL;
	enum err_code rc;

	if (!body)
		return onnx_no_memory(reader->name, err);
	if (depth >= ONNX_MAX_DEPTH)
		return err_set(err, ERR_TOO_LARGE,
			       "%s: node '%s' (%s): bodies nest deeper than %d",
			       reader->name, onnx_node_name(node), node->op,
			       ONNX_MAX_DEPTH);
	body->model = file->model;
	body->graph = node->attr[i].graph;
	body->graph.depth = 0; /* bodies have their own ceiling */
	node->body[i] = body;
	rc = onnx_parse_graph(reader, body, err);
	if (!rc)
		rc = onnx_scope_body(reader, node->attr[i].scope, body, &scope,
				     err);
	if (!rc)
		rc = onnx_inline_calls(reader, body, scope, err);
	return rc ? rc : onnx_parse_bodies(reader, body, depth + 1, err);
}

/* NOLINTNEXTLINE(misc-no-recursion): at most ONNX_MAX_DEPTH deep */
static enum err_code parse_node_bodies(const struct onnx_reader *reader,
				       const struct onnx_file *file,
				       struct onnx_node *node, unsigned depth,
				       struct err *err)
{
	struct strings captured = { 0 };
	enum err_code rc = ERR_NONE;

	node->body = arena_array(reader->scratch, (size_t)node->n_attr + 1,
				 sizeof(struct onnx_file *));
	if (!node->body)
		return onnx_no_memory(reader->name, err);
	for (int32_t i = 0; i < node->n_attr && !rc; i++) {
		if (!node->attr[i].is_graph)
			continue;
		rc = parse_body(reader, file, node, i, depth, err);
		if (!rc)
			rc = list_captured(reader, node->body[i], &captured,
					   err);
	}
	sort_texts(&captured);
	for (int32_t i = 0; i < node->n_attr && !rc; i++)
		if (node->body[i])
			rc = add_body_inputs(reader, node->body[i], &captured,
					     err);
	return rc ? rc : add_node_inputs(reader, node, &captured, err);
}

/* NOLINTNEXTLINE(misc-no-recursion): at most ONNX_MAX_DEPTH deep */
enum err_code onnx_parse_bodies(const struct onnx_reader *reader,
				struct onnx_file *file, unsigned depth,
				struct err *err)
{
	enum err_code rc = ERR_NONE;

	for (int32_t i = 0; i < file->n_node && !rc; i++) {
		struct onnx_node *node = &file->node[i];
		bool has_body = false;

		for (int32_t j = 0; j < node->n_attr; j++)
			has_body = has_body || node->attr[j].is_graph;
		if (has_body)
			rc = parse_node_bodies(reader, file, node, depth, err);
	}
	return rc;
}
