/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/op.h"
#include "models/onnx_write_priv.h"

/* Field numbers of TensorProto and AttributeProto. */
enum {
	TENSOR_DIMS = 1,
	TENSOR_TYPE = 2,
	TENSOR_STRINGS = 6,
	TENSOR_NAME = 8,
	TENSOR_RAW = 9
};
enum { NODE_ATTR = 5 };
enum {
	ATTR_FIELD_NAME = 1,
	ATTR_FIELD_F = 2,
	ATTR_FIELD_I = 3,
	ATTR_FIELD_S = 4,
	ATTR_FIELD_T = 5,
	ATTR_FIELD_FLOATS = 7,
	ATTR_FIELD_INTS = 8,
	ATTR_FIELD_STRINGS = 9,
	ATTR_FIELD_TYPE = 20
};

static void put_elements(const struct tensor_view *view, struct buf *buf)
{
	size_t n = (size_t)shape_count(&view->shape), bytes;
	const struct str *str = view->data;
	char *to;

	if (view->dtype == DTYPE_STRING) {
		for (size_t i = 0; i < n; i++)
			wire_put_bytes(buf, TENSOR_STRINGS, str[i].bytes,
				       str[i].len);
		return;
	}
	bytes = dtype_file_bytes(view->dtype, n);
	if (dtype_info(view->dtype)->file_bits >= 8) {
		wire_put_bytes(buf, TENSOR_RAW, view->data, bytes);
		return;
	}
	{
		size_t at = wire_begin(buf, TENSOR_RAW);

		to = bytes ? buf_reserve(buf, bytes) : NULL;
		if (to) {
			dtype_pack(view->dtype, view->data, n, to);
			buf_advance(buf, bytes);
		}
		wire_end(buf, at);
	}
}

enum err_code onnx_put_tensor(const struct tensor_view *view, const char *name,
			      struct buf *buf, struct err *err)
{
	if (view->dtype == DTYPE_NONE || view->dtype >= DTYPE_COUNT ||
	    !view->data)
		return err_set(err, ERR_INTERNAL,
			       "onnx: tensor '%s' has no plain elements", name);
	for (unsigned d = 0; d < view->shape.rank; d++)
		wire_put_varint(buf, TENSOR_DIMS, (uint64_t)view->shape.dim[d]);
	wire_put_varint(buf, TENSOR_TYPE, view->dtype);
	wire_put_text(buf, TENSOR_NAME, name);
	put_elements(view, buf);
	return ERR_NONE;
}

static bool is_default(const struct op_attr *row,
		       const struct attr_value *value)
{
	if (row->flags & ATTR_REQUIRED)
		return false;
	switch (row->kind) {
	case ATTR_INT:
		return value->i == (int64_t)row->def;
	case ATTR_FLOAT:
		return !(value->f < row->def || value->f > row->def);
	case ATTR_STRING:
		return row->def_text && !strcmp(row->def_text, value->s.bytes);
	case ATTR_INTS:
		return !value->ints.n;
	case ATTR_FLOATS:
		return !value->floats.n;
	case ATTR_STRINGS:
		return !value->strings.n;
	case ATTR_TENSOR:
		break;
	}
	return false;
}

/* Numbers of AttributeProto.AttributeType by attr_kind. */
static unsigned type_number(enum attr_kind kind)
{
	switch (kind) {
	case ATTR_FLOAT:
		return 1;
	case ATTR_INT:
		return 2;
	case ATTR_STRING:
		return 3;
	case ATTR_TENSOR:
		return 4;
	case ATTR_FLOATS:
		return 6;
	case ATTR_INTS:
		return 7;
	case ATTR_STRINGS:
		break;
	}
	return 8;
}

static void put_list(const struct attr_value *value, struct buf *buf)
{
	for (size_t i = 0; value->kind == ATTR_INTS && i < value->ints.n; i++)
		wire_put_varint(buf, ATTR_FIELD_INTS,
				(uint64_t)value->ints.v[i]);
	for (size_t i = 0; value->kind == ATTR_FLOATS && i < value->floats.n;
	     i++)
		wire_put_float(buf, ATTR_FIELD_FLOATS, value->floats.v[i]);
	for (size_t i = 0; value->kind == ATTR_STRINGS && i < value->strings.n;
	     i++)
		wire_put_bytes(buf, ATTR_FIELD_STRINGS,
			       value->strings.v[i].bytes,
			       value->strings.v[i].len);
}

static enum err_code put_value(const struct attr_value *value, struct buf *buf,
			       struct err *err)
{
	enum err_code rc;
	size_t at;

	switch (value->kind) {
	case ATTR_INT:
		wire_put_varint(buf, ATTR_FIELD_I, (uint64_t)value->i);
		return ERR_NONE;
	case ATTR_FLOAT:
		wire_put_float(buf, ATTR_FIELD_F, (float)value->f);
		return ERR_NONE;
	case ATTR_STRING:
		wire_put_bytes(buf, ATTR_FIELD_S, value->s.bytes, value->s.len);
		return ERR_NONE;
	case ATTR_TENSOR:
		at = wire_begin(buf, ATTR_FIELD_T);
		rc = onnx_put_tensor(value->t, "", buf, err);
		wire_end(buf, at);
		return rc;
	case ATTR_INTS:
	case ATTR_FLOATS:
	case ATTR_STRINGS:
		break;
	}
	put_list(value, buf);
	return ERR_NONE;
}

enum err_code onnx_put_attrs(const struct graph_node *node, struct buf *buf,
			     struct err *err)
{
	const struct op_attr *row = node->op->attrs;
	enum err_code rc = ERR_NONE;

	for (; row && row->name && !rc; row++) {
		struct attr_value value;
		size_t at;

		if (!op_attr_get(row, node->attrs, &value) ||
		    is_default(row, &value))
			continue;
		at = wire_begin(buf, NODE_ATTR);
		wire_put_text(buf, ATTR_FIELD_NAME, row->name);
		rc = put_value(&value, buf, err);
		wire_put_varint(buf, ATTR_FIELD_TYPE, type_number(value.kind));
		wire_end(buf, at);
	}
	return rc;
}
