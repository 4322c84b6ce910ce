/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/spelling.h"
#include "models/onnx_file_priv.h"

static enum err_code attr_at(const void *ctx, size_t i, const char **ret_name,
			     struct attr_value *ret, struct err *err)
{
	const struct onnx_node *node = ctx;
	const struct onnx_attr *attr = node->attr;

	/* bodies are no attributes of the row */
	for (; attr->is_graph || i > 0; attr++)
		i -= !attr->is_graph;
	if (attr->is_other)
		return err_set(err, ERR_UNSUPPORTED,
			       "node '%s' (%s): attribute '%s' is of a kind "
			       "that is not supported",
			       onnx_node_name(node), node->op, attr->name);
	*ret_name = attr->name;
	*ret = attr->value;
	return ERR_NONE;
}

static size_t count_attrs(const struct onnx_node *node)
{
	size_t n = 0;

	for (int32_t i = 0; i < node->n_attr; i++)
		n += !node->attr[i].is_graph;
	return n;
}

/* A tensor's elements are the graph's already: they need no copy, unless a call
 * gave them. */
static bool is_constant(const struct onnx_node *node)
{
	return !*node->domain && !strcmp(node->op, "Constant") &&
	       node->n_attr == 1 && node->n_out == 1 && !node->n_in &&
	       !node->attr->is_given && node->attr->value.kind == ATTR_TENSOR &&
	       node->attr->value.t && !strcmp(node->attr->name, "value");
}

/* A list of maps is served as two tensors: the node is given room for its keys
 * beside the values. */
static bool makes_maps(const struct onnx_node *node)
{
	return !strcmp(node->domain, "ai.onnx.ml") &&
	       !strcmp(node->op, "ZipMap") && node->n_out == 1;
}

enum err_code onnx_lower_node(const struct onnx_reader *reader,
			      struct build *build, const struct onnx_node *node,
			      const int32_t *in, int32_t *out, struct err *err)
{
	const struct attr_source source = { .ctx = node,
					    .n = count_attrs(node),
					    .at = attr_at };
	struct spelling_node spelled = {
		.domain = node->domain,
		.name = node->op,
		.opset = node->opset,
		.node_name = onnx_node_name(node),
		.attrs = &source,
		.bodies = node->bodies,
		.in = in,
		.n_in = (unsigned)node->n_in,
		.out = out,
		.n_out = (unsigned)node->n_out,
	};
	int32_t map[2] = { VALUE_NONE, VALUE_NONE };
	enum err_code rc;

	if (is_constant(node))
		return graph_add_constant(build->graph, node->out[0],
					  node->attr->value.t, out, err);
	if (makes_maps(node)) {
		spelled.out = map;
		spelled.n_out = 2;
	}
	rc = spelling_lower(build, &spelled, err);
	if (makes_maps(node))
		out[0] = map[0];
	return rc ? err_prefix(err, "%s", reader->name) : ERR_NONE;
}
