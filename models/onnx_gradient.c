/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Gradient of ai.onnx.preview.training names tensors in its attributes: what
 * it differentiates becomes its last input, so that the graph's edges tell all.
 * The named independent tensors must be its inputs: a gradient at other values
 * would need the graph computed anew, and is refused.
 */
#include "models/onnx_file_priv.h"

static const struct attr_value *find_attr(const struct onnx_node *node,
					  const char *name)
{
	for (int32_t i = 0; i < node->n_attr; i++)
		if (!strcmp(node->attr[i].name, name))
			return &node->attr[i].value;
	return NULL;
}

static bool is_named(const struct str *name, const char *input)
{
	return strlen(input) == name->len &&
	       !memcmp(input, name->bytes, name->len);
}

/* The names of a list are the inputs from *at on. */
static bool names_inputs(const struct onnx_node *node, const char *list,
			 int32_t *at)
{
	const struct attr_value *value = find_attr(node, list);

	if (!value || value->kind != ATTR_STRINGS)
		return true;
	for (size_t i = 0; i < value->strings.n; i++) {
		if (*at >= node->n_in ||
		    !is_named(&value->strings.v[i], node->in[*at]))
			return false;
		++*at;
	}
	return true;
}

enum err_code onnx_name_target(const struct onnx_reader *reader,
			       struct onnx_node *node, struct err *err)
{
	const struct attr_value *y = find_attr(node, "y");
	const char **in;
	int32_t at = 0;

	if (strcmp(node->op, "Gradient") != 0 ||
	    strcmp(node->domain, "ai.onnx.preview.training") != 0 || !y ||
	    y->kind != ATTR_STRING)
		return ERR_NONE;
	if (!names_inputs(node, "xs", &at) || !names_inputs(node, "zs", &at))
		return err_set(err, ERR_UNSUPPORTED,
			       "%s: node '%s' (Gradient): its inputs must be "
			       "the tensors named in xs and zs",
			       reader->name, onnx_node_name(node));
	in = arena_array(reader->scratch, (size_t)node->n_in + 1, sizeof(*in));
	if (!in)
		return onnx_no_memory(reader->name, err);
	for (int32_t i = 0; i < node->n_in; i++)
		in[i] = node->in[i];
	in[node->n_in] = arena_strndup(reader->scratch, y->s.bytes, y->s.len);
	if (!in[node->n_in])
		return onnx_no_memory(reader->name, err);
	node->in = in;
	node->n_in++;
	return ERR_NONE;
}
