/* SPDX-License-Identifier: Apache-2.0 */
#include "models/onnx_file_priv.h"
#include "models/onnx_rows_priv.h"

/* Field numbers of NodeProto. */
enum {
	NODE_IN = 1,
	NODE_OUT = 2,
	NODE_NAME = 3,
	NODE_OP = 4,
	NODE_ATTR = 5,
	NODE_DOMAIN = 7,
	NODE_OVERLOAD = 8
};

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
	if (node->n_in > ONNX_LIST_MAX || node->n_out > ONNX_LIST_MAX)
		return err_set(err, ERR_TOO_LARGE,
			       "%s: a node has more than %d operands",
			       reader->name, ONNX_LIST_MAX);
	node->in = arena_array(reader->scratch, (size_t)node->n_in + 1,
			       sizeof(*node->in));
	node->out = arena_array(reader->scratch, (size_t)node->n_out + 1,
				sizeof(*node->out));
	if (!node->in || !node->out)
		return onnx_no_memory(reader->name, err);
	return ERR_NONE;
}

enum err_code onnx_parse_node(const struct onnx_reader *reader,
			      struct wire message, void *row, struct err *err)
{
	struct onnx_node *node = row;
	struct wire rest = message;
	struct wire_field field;
	int32_t n_in = 0, n_out = 0;
	enum err_code rc;

	node->domain = node->op = node->name = node->overload = "";
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
		case NODE_OVERLOAD:
			to = &node->overload;
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
