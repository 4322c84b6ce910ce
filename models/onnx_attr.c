/* SPDX-License-Identifier: Apache-2.0 */
#include "models/onnx_priv.h"

/* Field numbers of AttributeProto; single values first, then lists. */
enum {
	ATTR_FIELD_NAME = 1,
	ATTR_FIELD_F = 2,
	ATTR_FIELD_I = 3,
	ATTR_FIELD_S = 4,
	ATTR_FIELD_T = 5,
	ATTR_FIELD_G = 6,
	ATTR_FIELD_FLOATS = 7,
	ATTR_FIELD_INTS = 8,
	ATTR_FIELD_STRINGS = 9,
	ATTR_FIELD_TENSORS = 10,
	ATTR_FIELD_GRAPHS = 11,
	ATTR_FIELD_TYPE_PROTO = 14,
	ATTR_FIELD_TYPE = 20,
	ATTR_FIELD_REF = 21,
	ATTR_FIELD_SPARSE = 22
};

/* AttributeProto.AttributeType, by number. */
enum {
	TYPE_UNDEFINED,
	TYPE_FLOAT,
	TYPE_INT,
	TYPE_STRING,
	TYPE_TENSOR,
	TYPE_GRAPH,
	TYPE_FLOATS,
	TYPE_INTS,
	TYPE_STRINGS,
	TYPE_TENSORS,
	TYPE_GRAPHS,
	TYPE_SPARSE,
	TYPE_TYPE_PROTO = 13
};

/* How a type is told as a number: this much more for a sequence. */
enum { SEQUENCE_OF = 256 };

struct parts {
	struct wire message;
	struct onnx_attr *attr;
	uint64_t type;
	uint32_t seen; /* bit n: field n is there */
	struct wire_field f, i, s, t, g, type_proto;
};

static enum err_code parse_field(const struct onnx_reader *reader,
				 struct parts *parts,
				 const struct wire_field *field,
				 struct err *err)
{
	if (field->number < 32)
		parts->seen |= (uint32_t)1 << field->number;
	switch (field->number) {
	case ATTR_FIELD_NAME:
		return onnx_text(reader, field, reader->scratch,
				 "an attribute's name", &parts->attr->name,
				 err);
	case ATTR_FIELD_F:
		parts->f = *field;
		return wire_expect(&parts->message, field, WIRE_FIXED32,
				   "an attribute's float", err);
	case ATTR_FIELD_I:
		parts->i = *field;
		return wire_expect(&parts->message, field, WIRE_VARINT,
				   "an attribute's int", err);
	case ATTR_FIELD_S:
		parts->s = *field;
		return wire_expect(&parts->message, field, WIRE_BYTES,
				   "an attribute's string", err);
	case ATTR_FIELD_T:
		parts->t = *field;
		return wire_expect(&parts->message, field, WIRE_BYTES,
				   "an attribute's tensor", err);
	case ATTR_FIELD_SPARSE:
		parts->t = *field;
		return wire_expect(&parts->message, field, WIRE_BYTES,
				   "an attribute's sparse tensor", err);
	case ATTR_FIELD_G:
		parts->g = *field;
		return wire_expect(&parts->message, field, WIRE_BYTES,
				   "an attribute's graph", err);
	case ATTR_FIELD_TYPE_PROTO:
		parts->type_proto = *field;
		return wire_expect(&parts->message, field, WIRE_BYTES,
				   "an attribute's type", err);
	case ATTR_FIELD_REF:
		return onnx_text(reader, field, reader->scratch,
				 "an attribute's name", &parts->attr->ref, err);
	case ATTR_FIELD_TYPE:
		parts->type = field->value;
		return wire_expect(&parts->message, field, WIRE_VARINT,
				   "an attribute's type", err);
	default:
		return ERR_NONE;
	}
}

/* Files of the first IR versions leave the type out. */
static uint64_t guess_type(const struct parts *parts)
{
	static const struct {
		uint32_t field;
		uint64_t type;
	} rows[] = {
		{ ATTR_FIELD_F, TYPE_FLOAT },
		{ ATTR_FIELD_I, TYPE_INT },
		{ ATTR_FIELD_S, TYPE_STRING },
		{ ATTR_FIELD_T, TYPE_TENSOR },
		{ ATTR_FIELD_G, TYPE_GRAPH },
		{ ATTR_FIELD_FLOATS, TYPE_FLOATS },
		{ ATTR_FIELD_INTS, TYPE_INTS },
		{ ATTR_FIELD_STRINGS, TYPE_STRINGS },
		{ ATTR_FIELD_TENSORS, TYPE_TENSORS },
		{ ATTR_FIELD_GRAPHS, TYPE_GRAPHS },
		{ ATTR_FIELD_SPARSE, TYPE_SPARSE },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		if (parts->seen >> rows[i].field & 1)
			return rows[i].type;
	}
	return TYPE_INTS; /* a list without members */
}

static float bits_to_float(uint64_t bits)
{
	uint32_t word = (uint32_t)bits;
	float value;

	memcpy(&value, &word, sizeof(value));
	return value;
}

static enum err_code read_floats(const struct onnx_reader *reader,
				 const struct parts *parts,
				 struct attr_value *value, struct err *err)
{
	struct wire_numbers numbers;
	uint64_t bits = 0;
	bool more;
	size_t n;
	float *v;
	enum err_code rc;

	rc = wire_numbers_count(&parts->message, ATTR_FIELD_FLOATS,
				WIRE_FIXED32, &n, err);
	if (rc)
		return rc;
	v = arena_array(reader->scratch, n + 1, sizeof(*v));
	if (!v)
		return onnx_no_memory(reader->name, err);
	wire_numbers_init(&numbers, &parts->message, ATTR_FIELD_FLOATS,
			  WIRE_FIXED32);
	for (size_t i = 0; i < n && !rc; i++) {
		rc = wire_numbers_next(&numbers, &bits, &more, err);
		v[i] = bits_to_float(bits);
	}
	value->kind = ATTR_FLOATS;
	value->floats = (struct attr_floats){ n, v };
	return rc;
}

static enum err_code read_ints(const struct onnx_reader *reader,
			       const struct parts *parts,
			       struct attr_value *value, struct err *err)
{
	struct wire_numbers numbers;
	uint64_t bits = 0;
	bool more;
	size_t n;
	int64_t *v;
	enum err_code rc;

	rc = wire_numbers_count(&parts->message, ATTR_FIELD_INTS, WIRE_VARINT,
				&n, err);
	if (rc)
		return rc;
	v = arena_array(reader->scratch, n + 1, sizeof(*v));
	if (!v)
		return onnx_no_memory(reader->name, err);
	wire_numbers_init(&numbers, &parts->message, ATTR_FIELD_INTS,
			  WIRE_VARINT);
	for (size_t i = 0; i < n && !rc; i++) {
		rc = wire_numbers_next(&numbers, &bits, &more, err);
		v[i] = (int64_t)bits;
	}
	value->kind = ATTR_INTS;
	value->ints = (struct attr_ints){ n, v };
	return rc;
}

static struct str field_str(const struct wire_field *field)
{
	return (struct str){ field->bytes ? (const char *)field->bytes : "",
			     field->len };
}

static enum err_code read_strings(const struct onnx_reader *reader,
				  const struct parts *parts,
				  struct attr_value *value, struct err *err)
{
	struct wire message = parts->message;
	struct wire_field field;
	size_t n = 0, cap = 0;
	struct str *v = NULL;
	enum err_code rc;

	value->kind = ATTR_STRINGS;
	for (;;) {
		rc = wire_next(&message, &field, err);
		if (rc || !field.number)
			break;
		if (field.number != ATTR_FIELD_STRINGS)
			continue;
		rc = wire_expect(&message, &field, WIRE_BYTES,
				 "an attribute's strings", err);
		if (rc)
			return rc;
		if (n == cap) {
			struct str *grown;

			cap = cap ? 2 * cap : 8;
			grown = arena_array(reader->scratch, cap, sizeof(*v));
			if (!grown)
				return onnx_no_memory(reader->name, err);
			if (n)
				memcpy(grown, v, n * sizeof(*v));
			v = grown;
		}
		v[n++] = field_str(&field);
	}
	value->strings = (struct attr_strings){ n, v };
	return rc;
}

static enum err_code read_tensor(const struct onnx_reader *reader,
				 const struct parts *parts,
				 struct arena *tensors,
				 struct attr_value *value, struct err *err)
{
	struct onnx_tensor tensor;
	struct tensor_view *view;
	struct wire message;
	enum err_code rc;

	rc = wire_enter(&parts->message, &parts->t, "an attribute's tensor",
			&message, err);
	if (!rc)
		rc = parts->type == TYPE_SPARSE
			 ? onnx_parse_sparse(reader, message, tensors, &tensor,
					     err)
			 : onnx_parse_tensor(reader, message, tensors, &tensor,
					     err);
	if (rc)
		return rc;
	view = arena_copy(reader->scratch, &tensor.view, sizeof(tensor.view));
	if (!view)
		return onnx_no_memory(reader->name, err);
	value->kind = ATTR_TENSOR;
	value->t = view;
	return ERR_NONE;
}

/* Of an Optional, the type of what it may hold. */
static enum err_code read_type(const struct onnx_reader *reader,
			       const struct parts *parts, struct err *err)
{
	struct onnx_port port = { .name = parts->attr->name };
	struct attr_value *value = &parts->attr->value;
	struct wire message;
	enum err_code rc = wire_enter(&parts->message, &parts->type_proto,
				      "an attribute's type", &message, err);

	if (!rc)
		rc = onnx_parse_type(reader, message, &port, err);
	if (port.is_other)
		parts->attr->is_other = true;
	value->kind = ATTR_INT;
	value->i =
	    (int64_t)port.type.elem + (port.type.is_sequence ? SEQUENCE_OF : 0);
	return rc;
}

/* The value by its type; a field that is left out has protobuf's default. */
static enum err_code read_value(const struct onnx_reader *reader,
				const struct parts *parts,
				struct arena *tensors, struct err *err)
{
	struct onnx_attr *attr = parts->attr;
	struct attr_value *value = &attr->value;

	switch (parts->type) {
	case TYPE_FLOAT:
		value->kind = ATTR_FLOAT;
		value->f = (double)bits_to_float(parts->f.value);
		return ERR_NONE;
	case TYPE_INT:
		value->kind = ATTR_INT;
		value->i = (int64_t)parts->i.value;
		return ERR_NONE;
	case TYPE_STRING:
		value->kind = ATTR_STRING;
		value->s = field_str(&parts->s);
		return ERR_NONE;
	case TYPE_TENSOR:
	case TYPE_SPARSE:
		return read_tensor(reader, parts, tensors, value, err);
	case TYPE_FLOATS:
		return read_floats(reader, parts, value, err);
	case TYPE_INTS:
		return read_ints(reader, parts, value, err);
	case TYPE_STRINGS:
		return read_strings(reader, parts, value, err);
	case TYPE_TYPE_PROTO:
		return read_type(reader, parts, err);
	case TYPE_GRAPH:
		attr->is_graph = true;
		return wire_enter(&parts->message, &parts->g,
				  "an attribute's graph", &attr->graph, err);
	default:
		attr->is_other = true;
		return ERR_NONE;
	}
}

enum err_code onnx_parse_attr(const struct onnx_reader *reader,
			      struct wire message, struct arena *tensors,
			      struct onnx_attr *ret, struct err *err)
{
	struct onnx_attr attr = { .name = "" };
	struct parts parts = { .message = message, .attr = &attr };
	struct wire_field field;
	enum err_code rc;

	for (;;) {
		rc = wire_next(&message, &field, err);
		if (rc)
			return rc;
		if (!field.number)
			break;
		rc = parse_field(reader, &parts, &field, err);
		if (rc)
			return rc;
	}
	if (parts.type == TYPE_UNDEFINED)
		parts.type = guess_type(&parts);
	if (attr.ref)
		attr.is_other = true;
	else
		rc = read_value(reader, &parts, tensors, err);
	if (!rc)
		*ret = attr;
	return rc;
}
