/* SPDX-License-Identifier: Apache-2.0 */
#include "models/onnx_priv.h"

/* Field numbers of ValueInfoProto, TypeProto and what they hold. */
enum { PORT_NAME = 1, PORT_TYPE = 2 };
enum {
	TYPE_TENSOR = 1,
	TYPE_SEQUENCE = 4,
	TYPE_MAP = 5,
	TYPE_OPAQUE = 7,
	TYPE_SPARSE = 8,
	TYPE_OPTIONAL = 9
};
enum { TENSOR_ELEM = 1, TENSOR_SHAPE = 2 };
enum { SHAPE_DIM = 1 };
enum { DIM_VALUE = 1, DIM_PARAM = 2 };

static enum err_code parse_dim(const struct onnx_reader *reader,
			       struct wire message, struct signature_dim *ret,
			       struct err *err)
{
	struct wire_field field;
	const char *symbol = "";
	enum err_code rc;

	ret->extent = -1;
	ret->symbol = NULL;
	for (;;) {
		rc = wire_next(&message, &field, err);
		if (rc || !field.number)
			break;
		if (field.number == DIM_VALUE) {
			ret->extent = (int64_t)field.value;
			rc = wire_expect(&message, &field, WIRE_VARINT,
					 "a dimension", err);
		} else if (field.number == DIM_PARAM) {
			rc = onnx_text(reader, &field, reader->keep,
				       "a dimension's name", &symbol, err);
		}
		if (rc)
			break;
	}
	if (rc)
		return rc;
	/* exporters write -1 for open extents, and "?" for each of them,
	 * which then is no name that they share */
	if (ret->extent < 0) {
		bool is_named = *symbol && strcmp(symbol, "?") != 0;

		ret->extent = -1;
		ret->symbol = is_named ? symbol : NULL;
	}
	return ERR_NONE;
}

static enum err_code parse_shape(const struct onnx_reader *reader,
				 struct wire message, struct onnx_port *port,
				 struct err *err)
{
	struct wire_field field;
	struct wire dim;
	enum err_code rc;

	port->has_rank = true;
	port->rank = 0;
	for (;;) {
		rc = wire_next(&message, &field, err);
		if (rc || !field.number)
			return rc;
		if (field.number != SHAPE_DIM)
			continue;
		if (port->rank == SHAPE_MAX_RANK)
			return err_set(err, ERR_UNSUPPORTED,
				       "%s: '%s' has a rank above %d",
				       reader->name, port->name,
				       SHAPE_MAX_RANK);
		rc = wire_enter(&message, &field, "a dimension", &dim, err);
		if (!rc)
			rc =
			    parse_dim(reader, dim, &port->dim[port->rank], err);
		if (rc)
			return rc;
		port->rank++;
	}
}

static enum err_code parse_tensor_type(const struct onnx_reader *reader,
				       struct wire message,
				       struct onnx_port *port, struct err *err)
{
	struct wire_field field;
	struct wire shape;
	enum err_code rc;

	for (;;) {
		rc = wire_next(&message, &field, err);
		if (rc || !field.number)
			return rc;
		if (field.number == TENSOR_ELEM) {
			port->type.elem = field.value < DTYPE_COUNT
					      ? (enum dtype)field.value
					      : DTYPE_NONE;
			rc = wire_expect(&message, &field, WIRE_VARINT,
					 "an element type", err);
		} else if (field.number == TENSOR_SHAPE) {
			rc = wire_enter(&message, &field, "a shape", &shape,
					err);
			if (!rc)
				rc = parse_shape(reader, shape, port, err);
		}
		if (rc)
			return rc;
	}
}

/* Inside of an optional: on to the type of the sequence's tensors. */
static enum err_code enter_sequence(struct wire *message,
				    struct wire_field *field,
				    struct onnx_port *port, struct err *err)
{
	struct wire child = { 0 };
	enum err_code rc;

	port->type.is_sequence = true;
	rc = wire_enter(message, field, "a sequence type", &child, err);
	if (!rc)
		rc = wire_next(&child, field, err);
	if (rc || field->number != 1) {
		field->number = 0;
		return rc;
	}
	rc = wire_enter(&child, field, "an element type", message, err);
	return rc ? rc : wire_next(message, field, err);
}

/* A sequence or optional of tensors, or an optional sequence; deeper ones are
 * nothing that runs. */
static enum err_code parse_wrapped(const struct onnx_reader *reader,
				   struct wire message, bool is_sequence,
				   struct onnx_port *port, struct err *err)
{
	struct wire_field field;
	struct wire child = { 0 };
	enum err_code rc;

	port->type.is_sequence = is_sequence;
	port->type.is_optional = !is_sequence;
	rc = wire_next(&message, &field, err);
	if (rc || field.number != 1) {
		port->is_other = true;
		return rc;
	}
	rc = wire_enter(&message, &field, "an element type", &child, err);
	if (!rc)
		rc = wire_next(&child, &field, err);
	if (!rc && !is_sequence && field.number == TYPE_SEQUENCE)
		rc = enter_sequence(&child, &field, port, err);
	if (rc)
		return rc;
	if (field.number != TYPE_TENSOR) {
		port->is_other = true;
		return ERR_NONE;
	}
	rc = wire_enter(&child, &field, "a tensor type", &message, err);
	if (!rc)
		rc = parse_tensor_type(reader, message, port, err);
	return rc;
}

enum err_code onnx_parse_type(const struct onnx_reader *reader,
			      struct wire message, struct onnx_port *port,
			      struct err *err)
{
	struct wire_field field;
	struct wire child;
	enum err_code rc;

	for (;;) {
		rc = wire_next(&message, &field, err);
		if (rc || !field.number)
			return rc;
		switch (field.number) {
		case TYPE_TENSOR:
		case TYPE_SEQUENCE:
		case TYPE_OPTIONAL:
			rc =
			    wire_enter(&message, &field, "a type", &child, err);
			if (rc)
				return rc;
			rc = field.number == TYPE_TENSOR
				 ? parse_tensor_type(reader, child, port, err)
				 : parse_wrapped(reader, child,
						 field.number == TYPE_SEQUENCE,
						 port, err);
			break;
		case TYPE_MAP:
		case TYPE_OPAQUE:
		case TYPE_SPARSE:
			port->is_other = true;
			break;
		default:
			break;
		}
		if (rc)
			return rc;
	}
}

enum err_code onnx_parse_port(const struct onnx_reader *reader,
			      struct wire message, struct onnx_port *ret,
			      struct err *err)
{
	struct onnx_port port = { .name = "" };
	struct wire_field field, type = { 0 };
	struct wire child;
	enum err_code rc;

	for (;;) {
		rc = wire_next(&message, &field, err);
		if (rc)
			return rc;
		if (!field.number)
			break;
		if (field.number == PORT_NAME)
			rc = onnx_text(reader, &field, reader->keep,
				       "the name of an input or output",
				       &port.name, err);
		else if (field.number == PORT_TYPE)
			type = field;
		if (rc)
			return rc;
	}
	if (!*port.name)
		return err_set(err, ERR_FORMAT,
			       "%s: an input or output has no name",
			       reader->name);
	if (type.number) {
		rc = wire_enter(&message, &type, "a type", &child, err);
		if (!rc)
			rc = onnx_parse_type(reader, child, &port, err);
	}
	if (!rc)
		*ret = port;
	return rc;
}
