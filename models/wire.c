/* SPDX-License-Identifier: Apache-2.0 */
#include "models/wire.h"

#include <string.h>

#include "base/buf.h"

enum { VARINT_MAX_BYTES = 10, NUMBER_MAX = (1 << 29) - 1 };

void wire_init(struct wire *wire, const void *bytes, size_t len,
	       const char *name)
{
	static const unsigned char none[1];

	wire->at = len ? bytes : none;
	wire->end = wire->at + len;
	wire->name = name;
	wire->depth = 0;
}

static enum err_code cut_short(const struct wire *wire, struct err *err)
{
	return err_set(err, ERR_FORMAT,
		       "%s: a protobuf message ends in the middle of a field",
		       wire->name);
}

static enum err_code read_varint(struct wire *wire, uint64_t *ret_value,
				 struct err *err)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < VARINT_MAX_BYTES; i++) {
		unsigned char byte;

		if (wire->at == wire->end)
			return cut_short(wire, err);
		byte = *wire->at++;
		if (i == VARINT_MAX_BYTES - 1 && byte > 1)
			break; /* more than 64 bits */
		value |= (uint64_t)(byte & 0x7f) << (7 * i);
		if (byte < 0x80) {
			*ret_value = value;
			return ERR_NONE;
		}
	}
	return err_set(err, ERR_FORMAT,
		       "%s: a protobuf number has more than 64 bits",
		       wire->name);
}

static enum err_code read_fixed(struct wire *wire, unsigned n_bytes,
				uint64_t *ret_value, struct err *err)
{
	uint64_t value = 0;

	if ((size_t)(wire->end - wire->at) < n_bytes)
		return cut_short(wire, err);
	for (unsigned i = n_bytes; i-- > 0;)
		value = value << 8 | wire->at[i];
	wire->at += n_bytes;
	*ret_value = value;
	return ERR_NONE;
}

static enum err_code read_bytes(struct wire *wire, struct wire_field *field,
				struct err *err)
{
	uint64_t len;
	enum err_code rc;

	rc = read_varint(wire, &len, err);
	if (rc)
		return rc;
	if (len > (uint64_t)(wire->end - wire->at))
		return cut_short(wire, err);
	field->bytes = wire->at;
	field->len = (size_t)len;
	wire->at += len;
	return ERR_NONE;
}

static enum err_code read_value(struct wire *wire, struct wire_field *field,
				struct err *err)
{
	switch (field->kind) {
	case WIRE_VARINT:
		return read_varint(wire, &field->value, err);
	case WIRE_FIXED64:
		return read_fixed(wire, 8, &field->value, err);
	case WIRE_FIXED32:
		return read_fixed(wire, 4, &field->value, err);
	case WIRE_BYTES:
		return read_bytes(wire, field, err);
	}
	return err_set(err, ERR_FORMAT,
		       "%s: protobuf field %u has wire type %u, which does not "
		       "exist",
		       wire->name, field->number, (unsigned)field->kind);
}

enum err_code wire_next(struct wire *wire, struct wire_field *ret,
			struct err *err)
{
	struct wire_field field = { 0 };
	uint64_t tag = 0;
	enum err_code rc;

	if (wire->at == wire->end) {
		*ret = field;
		return ERR_NONE;
	}
	rc = read_varint(wire, &tag, err);
	if (rc)
		return rc;
	if (tag >> 3 == 0 || tag >> 3 > NUMBER_MAX)
		return err_set(err, ERR_FORMAT,
			       "%s: protobuf field number %llu does not exist",
			       wire->name, (unsigned long long)(tag >> 3));
	field.number = (uint32_t)(tag >> 3);
	field.kind = (enum wire_kind)(tag & 7);
	rc = read_value(wire, &field, err);
	if (!rc)
		*ret = field;
	return rc;
}

enum err_code wire_expect(const struct wire *wire,
			  const struct wire_field *field, enum wire_kind kind,
			  const char *what, struct err *err)
{
	if (field->kind == kind)
		return ERR_NONE;
	return err_set(err, ERR_FORMAT,
		       "%s: %s has protobuf wire type %u; expected %u",
		       wire->name, what, (unsigned)field->kind, (unsigned)kind);
}

enum err_code wire_enter(const struct wire *parent,
			 const struct wire_field *field, const char *what,
			 struct wire *ret_child, struct err *err)
{
	unsigned depth = parent->depth + 1; /* both may be the same cursor */
	enum err_code rc = wire_expect(parent, field, WIRE_BYTES, what, err);

	if (rc)
		return rc;
	if (depth >= WIRE_MAX_DEPTH)
		return err_set(err, ERR_FORMAT,
			       "%s: messages are nested more than %d deep",
			       parent->name, WIRE_MAX_DEPTH);
	wire_init(ret_child, field->bytes, field->len, parent->name);
	ret_child->depth = depth;
	return ERR_NONE;
}

void wire_numbers_init(struct wire_numbers *numbers, const struct wire *message,
		       uint32_t number, enum wire_kind element)
{
	numbers->message = *message;
	wire_init(&numbers->packed, NULL, 0, message->name);
	numbers->number = number;
	numbers->element = element;
}

static enum err_code next_packed(struct wire_numbers *numbers,
				 uint64_t *ret_value, struct err *err)
{
	switch (numbers->element) {
	case WIRE_FIXED32:
		return read_fixed(&numbers->packed, 4, ret_value, err);
	case WIRE_FIXED64:
		return read_fixed(&numbers->packed, 8, ret_value, err);
	case WIRE_VARINT:
	case WIRE_BYTES:
		break;
	}
	return read_varint(&numbers->packed, ret_value, err);
}

enum err_code wire_numbers_next(struct wire_numbers *numbers,
				uint64_t *ret_value, bool *ret_more,
				struct err *err)
{
	struct wire_field field = { 0 };
	enum err_code rc;

	*ret_more = true;
	while (numbers->packed.at == numbers->packed.end) {
		rc = wire_next(&numbers->message, &field, err);
		if (rc)
			return rc;
		if (!field.number) {
			*ret_more = false;
			return ERR_NONE;
		}
		if (field.number != numbers->number)
			continue;
		if (field.kind == numbers->element) {
			*ret_value = field.value;
			return ERR_NONE;
		}
		rc = wire_expect(&numbers->message, &field, WIRE_BYTES,
				 "a list of numbers", err);
		if (rc)
			return rc;
		wire_init(&numbers->packed, field.bytes, field.len,
			  numbers->message.name);
	}
	return next_packed(numbers, ret_value, err);
}

enum err_code wire_numbers_count(const struct wire *message, uint32_t number,
				 enum wire_kind element, size_t *ret_n,
				 struct err *err)
{
	struct wire_numbers numbers;
	uint64_t value;
	size_t n = 0;
	bool more;
	enum err_code rc;

	wire_numbers_init(&numbers, message, number, element);
	for (;;) {
		rc = wire_numbers_next(&numbers, &value, &more, err);
		if (rc || !more)
			break;
		n++;
	}
	if (!rc)
		*ret_n = n;
	return rc;
}

static unsigned encode_varint(uint64_t value,
			      unsigned char bytes[VARINT_MAX_BYTES])
{
	unsigned n = 0;

	while (value >= 0x80) {
		bytes[n++] = (unsigned char)(0x80 | (value & 0x7f));
		value >>= 7;
	}
	bytes[n++] = (unsigned char)value;
	return n;
}

static void put_plain(struct buf *buf, uint64_t value)
{
	unsigned char bytes[VARINT_MAX_BYTES];
	unsigned n = encode_varint(value, bytes);

	buf_put(buf, bytes, n);
}

static void put_tag(struct buf *buf, uint32_t number, enum wire_kind kind)
{
	put_plain(buf, (uint64_t)number << 3 | (unsigned)kind);
}

void wire_put_varint(struct buf *buf, uint32_t number, uint64_t value)
{
	put_tag(buf, number, WIRE_VARINT);
	put_plain(buf, value);
}

void wire_put_float(struct buf *buf, uint32_t number, float value)
{
	uint32_t bits;
	unsigned char bytes[4];

	memcpy(&bits, &value, sizeof(bits));
	for (unsigned i = 0; i < 4; i++)
		bytes[i] = (unsigned char)(bits >> (8 * i) & 0xff);
	put_tag(buf, number, WIRE_FIXED32);
	buf_put(buf, bytes, sizeof(bytes));
}

void wire_put_bytes(struct buf *buf, uint32_t number, const void *bytes,
		    size_t len)
{
	put_tag(buf, number, WIRE_BYTES);
	put_plain(buf, len);
	buf_put(buf, bytes, len);
}

void wire_put_text(struct buf *buf, uint32_t number, const char *text)
{
	wire_put_bytes(buf, number, text, strlen(text));
}

size_t wire_begin(struct buf *buf, uint32_t number)
{
	put_tag(buf, number, WIRE_BYTES);
	return buf->len;
}

/* The length goes in front of what is written already, which moves by the
 * one to five bytes that it takes: cheaper than writing everything twice. */
void wire_end(struct buf *buf, size_t position)
{
	unsigned char bytes[VARINT_MAX_BYTES];
	size_t len = buf->len - position;
	unsigned n = encode_varint(len, bytes);

	buf_put(buf, bytes, n);
	if (buf->fault)
		return;
	memmove(buf->data + position + n, buf->data + position, len);
	memcpy(buf->data + position, bytes, n);
}
