/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/graph.h"

#include <string.h>

#include "base/mem.h"
#include "engine/attr.h"
#include "engine/graph_body.h"
#include "engine/port.h"

enum { FIRST_CAP = 16 };

enum err_code graph_create(size_t max_bytes, struct graph **ret_graph,
			   struct err *err)
{
	struct arena *arena = arena_create(max_bytes);
	struct graph *graph = arena ? arena_alloc(arena, sizeof(*graph)) : NULL;

	if (!graph) {
		arena_destroy(arena);
		return err_set(err, ERR_NO_MEMORY, "graph: out of memory");
	}
	graph->arena = arena;
	graph->max_bytes = max_bytes;
	*ret_graph = graph;
	return ERR_NONE;
}

enum err_code graph_create_body(struct graph *graph, struct graph **ret_body,
				struct err *err)
{
	struct graph *body = arena_alloc(graph->arena, sizeof(*body));

	if (!body)
		return err_set(err, ERR_NO_MEMORY, "graph: out of memory");
	body->arena = graph->arena;
	body->max_bytes = graph->max_bytes;
	*ret_body = body;
	return ERR_NONE;
}

void graph_destroy(struct graph *graph)
{
	if (graph)
		arena_destroy(graph->arena);
}

static enum err_code full(struct err *err)
{
	return err_set(err, ERR_NO_MEMORY,
		       "graph: out of memory, or larger than its ceiling");
}

/* Room for `more` further members of a list (n used of *cap, `size` bytes
 * each); growth doubles, and the old block stays in the arena. On failure the
 * list comes back as it was. */
static void *grow(struct graph *graph, void *list, int32_t n, int32_t *cap,
		  size_t size, int32_t more)
{
	int64_t want = (int64_t)n + more, new_cap = *cap ? *cap : FIRST_CAP;
	void *block;

	if (want <= *cap)
		return list;
	while (new_cap < want)
		new_cap *= 2;
	if (new_cap > INT32_MAX)
		return list;
	block = arena_array(graph->arena, (size_t)new_cap, size);
	if (!block)
		return list;
	if (n)
		memcpy(block, list, (size_t)n * size);
	*cap = (int32_t)new_cap;
	return block;
}

/* clang-format off */
#define GROW(graph, list, more, err)                                           \
	((graph)->list = grow((graph), (graph)->list, (graph)->n_##list,       \
			      &(graph)->cap_##list, sizeof(*(graph)->list),    \
			      (more)),                                         \
	 (graph)->cap_##list - (graph)->n_##list >= (more) ? ERR_NONE          \
							   : full(err))
/* clang-format on */

static const char *value_name(struct graph *graph, const char *name)
{
	return name ? arena_strdup(graph->arena, name)
		    : arena_printf(graph->arena, "v%d", (int)graph->n_value);
}

static enum err_code add_value(struct graph *graph, const char *name,
			       struct graph_value value, int32_t *ret_value,
			       struct err *err)
{
	enum err_code rc = GROW(graph, value, 1, err);

	if (rc)
		return rc;
	value.name = value_name(graph, name);
	if (!value.name)
		return full(err);
	graph->value[graph->n_value] = value;
	*ret_value = graph->n_value++;
	return ERR_NONE;
}

enum err_code graph_add_input(struct graph *graph, const char *name,
			      struct type type, int32_t *ret_value,
			      struct err *err)
{
	enum err_code rc = GROW(graph, input, 1, err);
	int32_t value = VALUE_NONE;

	if (!rc)
		rc = add_value(graph, name,
			       (struct graph_value){ .type = type,
						     .origin = ORIGIN_INPUT,
						     .source = graph->n_input },
			       &value, err);
	if (rc)
		return rc;
	graph->input[graph->n_input++] = value;
	*ret_value = value;
	return ERR_NONE;
}

enum err_code graph_add_constant(struct graph *graph, const char *name,
				 const struct tensor_view *view,
				 int32_t *ret_value, struct err *err)
{
	struct type type = { .elem = view->dtype };
	enum err_code rc =
	    shape_check(&view->shape, name ? name : "a constant", err);

	if (!rc)
		rc = GROW(graph, constant, 1, err);
	if (!rc)
		rc = add_value(
		    graph, name,
		    (struct graph_value){ .type = type,
					  .origin = ORIGIN_CONST,
					  .source = graph->n_constant },
		    ret_value, err);
	if (rc)
		return rc;
	graph->constant[graph->n_constant++] = *view;
	return ERR_NONE;
}

enum err_code graph_copy_constant(struct graph *graph, const char *name,
				  const struct tensor_view *view,
				  int32_t *ret_value, struct err *err)
{
	const struct tensor_view *copy;
	enum err_code rc =
	    shape_check(&view->shape, name ? name : "a constant", err);

	if (rc)
		return rc;
	copy = tensor_copy(view, graph->arena);
	return copy ? graph_add_constant(graph, name, copy, ret_value, err)
		    : full(err);
}

enum err_code graph_add_variable(struct graph *graph, const char *name,
				 enum role role, const struct tensor_view *view,
				 int32_t *ret_value, struct err *err)
{
	struct type type = { .elem = view->dtype };
	int32_t value = VALUE_NONE;
	enum err_code rc =
	    shape_check(&view->shape, name ? name : "a variable", err);

	if (!rc)
		rc = GROW(graph, variable, 1, err);
	if (!rc)
		rc = add_value(
		    graph, name,
		    (struct graph_value){ .type = type,
					  .origin = ORIGIN_VARIABLE,
					  .source = graph->n_variable },
		    &value, err);
	if (rc)
		return rc;
	graph->variable[graph->n_variable++] = (struct variable){
		.name = graph->value[value].name,
		.role = role,
		.view = *view,
	};
	*ret_value = value;
	return ERR_NONE;
}

/* Types the outputs when every present input has a type. */
static enum err_code type_outputs(struct graph *graph,
				  const struct graph_node *node,
				  struct err *err)
{
	size_t n = (size_t)node->n_in + (size_t)node->n_out;
	struct type few[FIRST_CAP] = { { 0 } };
	struct type *type = n > FIRST_CAP ? mem_array(n, sizeof(*type)) : few;
	enum err_code rc = ERR_NONE;

	if (!type)
		return full(err);
	for (int32_t i = 0; i < node->n_in; i++) {
		int32_t value = graph_in(graph, node)[i];

		if (value == VALUE_NONE)
			continue;
		type[i] = graph->value[value].type;
		if (type[i].elem == DTYPE_NONE)
			goto out;
	}
	rc = port_unify(node->op, node, type, (unsigned)node->n_in,
			type + node->n_in, (unsigned)node->n_out, node->name,
			err);
	for (int32_t i = 0; i < node->n_out && !rc; i++)
		graph->value[graph_out(graph, node)[i]].type =
		    type[node->n_in + i];
out:
	if (type != few)
		mem_free(type);
	return rc;
}

static enum err_code check_inputs(const struct graph *graph, const char *name,
				  const int32_t *in, int32_t n_in,
				  struct err *err)
{
	if (graph->n_node >= GRAPH_MAX_NODES)
		return err_set(err, ERR_TOO_LARGE, "graph: more than %d nodes",
			       GRAPH_MAX_NODES);
	for (int32_t i = 0; i < n_in; i++)
		if (in[i] != VALUE_NONE &&
		    (in[i] < 0 || in[i] >= graph->n_value))
			return err_set(err, ERR_INTERNAL,
				       "node '%s': input %d is value %d of %d",
				       name, (int)i, (int)in[i],
				       (int)graph->n_value);
	return ERR_NONE;
}

static enum err_code reserve_node(struct graph *graph, int32_t n_in,
				  int32_t n_out, struct err *err)
{
	enum err_code rc = GROW(graph, node, 1, err);

	if (!rc)
		rc = GROW(graph, edge, n_in + n_out, err);
	return rc;
}

/* NOLINTNEXTLINE(readability-function-size): a node has that many parts */
enum err_code graph_add_node(struct graph *graph, const struct op *op,
			     const char *name, const void *attrs,
			     const int32_t *in, int32_t n_in, int32_t *out,
			     int32_t n_out, struct err *err)
{
	struct graph_node node = { .op = op, .n_in = n_in, .n_out = n_out };
	int32_t n_value = graph->n_value;
	enum err_code rc =
	    check_inputs(graph, name ? name : op->name, in, n_in, err);

	if (!rc)
		rc = reserve_node(graph, n_in, n_out, err);
	if (rc)
		return rc;
	node.name = arena_strdup(graph->arena, name ? name : "");
	node.attrs = op_attrs_copy(op, attrs, graph->arena);
	if (!node.name || (!node.attrs && op->attrs_size))
		return full(err);
	node.first_in = graph->n_edge;
	node.first_out = graph->n_edge + n_in;
	if (n_in)
		memcpy(graph->edge + node.first_in, in,
		       (size_t)n_in * sizeof(*in));
	for (int32_t i = 0; i < n_out && !rc; i++)
		rc = add_value(graph, NULL,
			       (struct graph_value){ .origin = ORIGIN_NODE,
						     .source = graph->n_node },
			       &graph->edge[node.first_out + i], err);
	/* bodies come later, and types with them */
	if (!rc && !op->bodies)
		rc = type_outputs(graph, &node, err);
	if (rc) {
		graph->n_value = n_value;
		return rc;
	}
	if (n_out)
		memcpy(out, graph->edge + node.first_out,
		       (size_t)n_out * sizeof(*out));
	graph->n_edge += n_in + n_out;
	graph->node[graph->n_node++] = node;
	return ERR_NONE;
}

enum err_code graph_set_bodies(struct graph *graph, struct graph *const *body,
			       int32_t n_captured, struct err *err)
{
	struct graph_node *node = &graph->node[graph->n_node - 1];
	unsigned n = 0;

	for (int32_t i = node->n_in - n_captured; i < node->n_in; i++)
		if (graph_in(graph, node)[i] == VALUE_NONE)
			return err_set(err, ERR_INVALID,
				       "node '%s' (%s): input %d, which its "
				       "bodies read, is missing",
				       node->name, node->op->name, (int)i);
	while (node->op->bodies && node->op->bodies[n])
		n++;
	node->body = arena_copy(graph->arena, body, n * sizeof(struct graph *));
	if (!node->body)
		return full(err);
	node->n_body = n;
	node->n_captured = n_captured;
	return type_outputs(graph, node, err);
}

enum err_code graph_add_output(struct graph *graph, int32_t value,
			       struct err *err)
{
	enum err_code rc = GROW(graph, output, 1, err);

	if (!rc)
		graph->output[graph->n_output++] = value;
	return rc;
}

enum err_code graph_add_assign(struct graph *graph, int32_t variable,
			       int32_t value, struct err *err)
{
	enum err_code rc = GROW(graph, assign, 1, err);

	if (!rc)
		graph->assign[graph->n_assign++] =
		    (struct assign){ variable, value };
	return rc;
}

enum err_code graph_rename(struct graph *graph, int32_t value, const char *name,
			   struct err *err)
{
	const char *copy = arena_strdup(graph->arena, name);

	if (!copy)
		return full(err);
	graph->value[value].name = copy;
	return ERR_NONE;
}

#define CLONE(member)                                                      \
	if (graph->n_##member) {                                           \
		copy->member = arena_copy(copy->arena, graph->member,      \
					  (size_t)graph->n_##member *      \
					      sizeof(*graph->member));     \
		if (!copy->member)                                         \
			goto out;                                          \
		copy->n_##member = copy->cap_##member = graph->n_##member; \
	}

enum err_code graph_clone(const struct graph *graph, struct graph **ret_graph,
			  struct err *err)
{
	struct graph *copy = NULL;
	enum err_code rc = graph_create(graph->max_bytes, &copy, err);

	if (rc)
		return rc;
	CLONE(value)
	CLONE(node)
	CLONE(constant)
	CLONE(variable)
	CLONE(assign)
	CLONE(edge)
	CLONE(input)
	CLONE(output)
	*ret_graph = copy;
	return ERR_NONE;
out:
	graph_destroy(copy);
	return full(err);
}

int32_t graph_find_value(const struct graph *graph, const char *name)
{
	for (int32_t i = 0; i < graph->n_value; i++)
		if (!strcmp(graph->value[i].name, name))
			return i;
	return VALUE_NONE;
}

const struct graph_node *graph_producer(const struct graph *graph,
					int32_t value)
{
	const struct graph_value *row;

	if (value < 0 || value >= graph->n_value)
		return NULL;
	row = &graph->value[value];
	if (row->origin != ORIGIN_NODE || row->source < 0)
		return NULL;
	return &graph->node[row->source];
}

void graph_count_readers(const struct graph *graph, int32_t *readers)
{
	memset(readers, 0, (size_t)graph->n_value * sizeof(*readers));
	for (int32_t i = 0; i < graph->n_node; i++) {
		const struct graph_node *node = &graph->node[i];

		if (!node->op)
			continue;
		for (int32_t j = 0; j < node->n_in; j++)
			if (graph_in(graph, node)[j] != VALUE_NONE)
				readers[graph_in(graph, node)[j]]++;
	}
	for (int32_t i = 0; i < graph->n_output; i++)
		readers[graph->output[i]]++;
	for (int32_t i = 0; i < graph->n_assign; i++)
		readers[graph->assign[i].value]++;
}

void graph_replace_uses(struct graph *graph, int32_t from, int32_t to)
{
	for (int32_t i = 0; i < graph->n_node; i++) {
		const struct graph_node *node = &graph->node[i];

		for (int32_t j = 0; j < node->n_in; j++)
			if (graph->edge[node->first_in + j] == from)
				graph->edge[node->first_in + j] = to;
	}
	for (int32_t i = 0; i < graph->n_output; i++)
		if (graph->output[i] == from)
			graph->output[i] = to;
	for (int32_t i = 0; i < graph->n_assign; i++)
		if (graph->assign[i].value == from)
			graph->assign[i].value = to;
}

/* Follows a chain and shortens it, so that all together are linear. */
static int32_t resolve(int32_t *forward, int32_t value)
{
	while (forward[value] != value) {
		forward[value] = forward[forward[value]];
		value = forward[value];
	}
	return value;
}

void graph_forward_uses(struct graph *graph, int32_t *forward)
{
	for (int32_t i = 0; i < graph->n_node; i++) {
		const struct graph_node *node = &graph->node[i];

		for (int32_t j = 0; j < node->n_in; j++) {
			int32_t *use = &graph->edge[node->first_in + j];

			if (*use != VALUE_NONE)
				*use = resolve(forward, *use);
		}
	}
	for (int32_t i = 0; i < graph->n_output; i++)
		graph->output[i] = resolve(forward, graph->output[i]);
	for (int32_t i = 0; i < graph->n_assign; i++)
		graph->assign[i].value =
		    resolve(forward, graph->assign[i].value);
}
