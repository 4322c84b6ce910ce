/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/facts.h"
#include "engine/graph_body.h"
#include "engine/spelling.h"
#include "models/onnx_import_priv.h"

/* The operand that input i of a body takes its type from; VALUE_NONE: none. */
static int32_t body_operand(const struct onnx_importer *im, int32_t i)
{
	const struct onnx_node *node = im->node;
	const int32_t own = im->file.n_input - node->n_captured;
	const int32_t own_in = node->n_in - node->n_captured;

	if (i >= own)
		return im->operand[own_in + i - own];
	return i < own_in ? im->operand[i] : VALUE_NONE;
}

/* As declared, or like the operand. */
static struct type body_input_type(const struct onnx_importer *im, int32_t i)
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
static enum err_code add_body_input(struct onnx_importer *im, int32_t i,
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

/* NOLINTNEXTLINE(misc-no-recursion): at most ONNX_MAX_DEPTH deep */
static enum err_code import_body(struct onnx_importer *im,
				 const struct onnx_node *node,
				 const struct onnx_file *file,
				 const int32_t *operand,
				 struct graph **ret_body, struct err *err)
{
	struct onnx_importer body = { .reader = im->reader,
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
		rc = onnx_import_nodes(&body, err);
	if (!rc && body.file.n_output)
		rc = onnx_import_outputs(&body, err);
	if (!rc)
		rc = facts_type_graph(body.graph, err);
	*ret_body = body.graph;
	return rc;
}

enum { BODIES_MAX = 4 };

/* Number of the attribute, or -1. */
static int32_t find_body(const struct onnx_node *node, const char *name)
{
	for (int32_t i = 0; i < node->n_attr; i++)
		if (node->attr[i].is_graph && !strcmp(node->attr[i].name, name))
			return i;
	return -1;
}

/* NOLINTNEXTLINE(misc-no-recursion): at most ONNX_MAX_DEPTH deep */
static enum err_code import_bodies(struct onnx_importer *im,
				   const struct onnx_node *node,
				   const int32_t *operand,
				   struct graph *body[BODIES_MAX],
				   struct err *err)
{
	const struct op *row = op_find(node->domain, node->op);
	enum err_code rc = ERR_NONE;

	for (size_t b = 0; row && row->bodies[b] && !rc; b++) {
		const int32_t i = find_body(node, row->bodies[b]);

		if (i < 0)
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

/* --- bodies of spellings: appended to the graph around them --- */

/* A node whose spelling appends its bodies. */
struct appending {
	struct onnx_importer *im;
	const struct onnx_node *node;
	const int32_t *operand;
};

/* Its one input is a value of the graph, and so is what it captures. */
static enum err_code bind_inputs(const struct appending *a,
				 struct onnx_importer *body, const char *name,
				 int32_t value, struct err *err)
{
	const int32_t captured = a->node->n_captured;
	const int32_t first = a->node->n_in - captured;

	if (body->file.n_input - captured != 1 || body->file.n_output != 1)
		return err_set(
		    err, ERR_FORMAT,
		    "%s: node '%s' (%s): the body '%s' must have one "
		    "input and one output",
		    body->reader.name, onnx_node_name(a->node), a->node->op,
		    name);
	for (int32_t i = 0; i < body->file.n_input; i++) {
		struct onnx_def *def =
		    onnx_find_name(&body->names, body->file.input[i].name);

		if (def && def->kind == ONNX_DEF_INPUT)
			def->value = i ? a->operand[first + i - 1] : value;
	}
	return ERR_NONE;
}

/* NOLINTNEXTLINE(misc-no-recursion): at most ONNX_MAX_DEPTH deep */
static enum err_code append_body(void *ctx, const char *name, int32_t *value,
				 struct err *err)
{
	const struct appending *a = ctx;
	const int32_t i = find_body(a->node, name);
	struct onnx_importer body = { .reader = a->im->reader,
				      .graph = a->im->graph,
				      .is_appended = true };
	enum err_code rc;

	if (i < 0)
		return ERR_NONE;
	body.file = *a->node->body[i];
	build_init(&body.build, body.graph, NULL);
	rc = onnx_resolve_names(&body.reader, &body.file, &body.names, err);
	if (!rc)
		rc = bind_inputs(a, &body, name, *value, err);
	if (!rc)
		rc = onnx_import_nodes(&body, err);
	if (!rc)
		rc = onnx_import_value(
		    &body,
		    onnx_find_name(&body.names, body.file.output[0].name),
		    value, err);
	if (!rc && *value == VALUE_NONE)
		rc = err_set(err, ERR_FORMAT,
			     "%s: nothing defines the output '%s'",
			     body.reader.name, body.file.output[0].name);
	return rc;
}

/* NOLINTNEXTLINE(misc-no-recursion): at most ONNX_MAX_DEPTH deep */
static enum err_code lower_appending(struct onnx_importer *im,
				     const struct onnx_node *node,
				     const int32_t *in, int32_t *out,
				     struct err *err)
{
	struct appending appending = { im, node, in };
	const struct body_source bodies = { &appending, append_body };
	struct onnx_node own = *node;

	own.n_in -= own.n_captured;
	own.bodies = &bodies;
	return onnx_lower_node(&im->reader, &im->build, &own, in, out, err);
}

/* NOLINTNEXTLINE(misc-no-recursion): at most ONNX_MAX_DEPTH deep */
enum err_code onnx_import_control(struct onnx_importer *im,
				  struct onnx_node *node, int32_t *in,
				  int32_t *out, struct err *err)
{
	const struct spelling *spelling =
	    spelling_find(node->domain, node->op, node->opset);
	struct graph *body[BODIES_MAX] = { NULL };
	struct onnx_node own = *node;
	enum err_code rc;

	if (spelling && spelling->bodies)
		return lower_appending(im, node, in, out, err);
	rc = import_bodies(im, node, in, body, err);
	if (rc)
		return rc;
	own.n_in = drop_constants(im->graph, node, in);
	own.n_captured -= node->n_in - own.n_in;
	rc = onnx_lower_node(&im->reader, &im->build, &own, in, out, err);
	if (!rc)
		rc = graph_set_bodies(im->graph, body, own.n_captured, err);
	return rc ? err_prefix(err, "%s", im->reader.name) : ERR_NONE;
}
