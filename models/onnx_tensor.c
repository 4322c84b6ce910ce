/* SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "engine/pack.h"
#include "models/onnx_priv.h"

/* Field numbers of TensorProto. */
enum {
	TENSOR_DIMS = 1,
	TENSOR_TYPE = 2,
	TENSOR_SEGMENT = 3,
	TENSOR_FLOATS = 4,
	TENSOR_INT32S = 5,
	TENSOR_STRINGS = 6,
	TENSOR_INT64S = 7,
	TENSOR_NAME = 8,
	TENSOR_RAW = 9,
	TENSOR_DOUBLES = 10,
	TENSOR_UINT64S = 11,
	TENSOR_EXTERNAL = 13,
	TENSOR_LOCATION = 14
};
enum { LOCATION_EXTERNAL = 1 };

/* A TensorProto under way. */
struct parts {
	struct wire message;
	struct onnx_tensor *tensor;
	struct arena *arena;
	const unsigned char *raw; /* NULL: there is none */
	size_t raw_len;
	bool is_external;
	struct onnx_external external;
	size_t n;	 /* elements */
	void *temporary; /* the elements, until they are kept */
};

/* Smaller constants are the arena's: nobody gains by sharing them. */
enum { KEPT_FROM = 4096 };

enum err_code onnx_no_memory(const char *name, struct err *err)
{
	return err_set(err, ERR_NO_MEMORY,
		       "%s: out of memory, or larger than a model may be",
		       name);
}

enum err_code onnx_text(const struct onnx_reader *reader,
			const struct wire_field *field, struct arena *arena,
			const char *what, const char **ret_text,
			struct err *err)
{
	struct wire here = { .name = reader->name };
	const char *text;
	enum err_code rc = wire_expect(&here, field, WIRE_BYTES, what, err);

	if (rc)
		return rc;
	if ((field->len && memchr(field->bytes, 0, field->len)) ||
	    !str_is_utf8(field->bytes, field->len))
		return err_set(err, ERR_FORMAT,
			       "%s: %s is no UTF-8 text without NUL",
			       reader->name, what);
	text = arena_strndup(arena, (const char *)field->bytes, field->len);
	if (!text)
		return onnx_no_memory(reader->name, err);
	*ret_text = text;
	return ERR_NONE;
}

/* --- the message's own fields --- */

static enum err_code parse_external(const struct onnx_reader *reader,
				    struct parts *parts,
				    const struct wire_field *entry,
				    struct err *err)
{
	struct wire message;
	struct wire_field field;
	const char *key = "", *value = "";
	bool fits = true;
	enum err_code rc;

	rc = wire_enter(&parts->message, entry, "external_data", &message, err);
	while (!rc) {
		rc = wire_next(&message, &field, err);
		if (rc || !field.number)
			break;
		if (field.number <= 2)
			rc = onnx_text(reader, &field, reader->scratch,
				       "external_data",
				       field.number == 1 ? &key : &value, err);
	}
	if (rc)
		return rc;
	if (!strcmp(key, "location")) {
		parts->external.location = value;
	} else if (!strcmp(key, "offset")) {
		fits = str_parse_uint64(value, &parts->external.offset);
	} else if (!strcmp(key, "length")) {
		fits = str_parse_uint64(value, &parts->external.length);
		parts->external.has_length = true;
	}
	if (!fits)
		return err_set(err, ERR_FORMAT,
			       "%s: external_data has the %s '%.32s'; expected "
			       "a whole number",
			       reader->name, key, value);
	return ERR_NONE;
}

static enum err_code parse_field(const struct onnx_reader *reader,
				 struct parts *parts,
				 const struct wire_field *field,
				 struct err *err)
{
	enum err_code rc;

	switch (field->number) {
	case TENSOR_TYPE:
		parts->tensor->view.dtype = field->value < DTYPE_COUNT
						? (enum dtype)field->value
						: DTYPE_NONE;
		return wire_expect(&parts->message, field, WIRE_VARINT,
				   "data_type", err);
	case TENSOR_SEGMENT:
		return err_set(err, ERR_UNSUPPORTED,
			       "%s: tensors in segments are not supported",
			       reader->name);
	case TENSOR_NAME:
		return onnx_text(reader, field, reader->keep, "a tensor's name",
				 &parts->tensor->name, err);
	case TENSOR_RAW:
		rc = wire_expect(&parts->message, field, WIRE_BYTES, "raw_data",
				 err);
		parts->raw = field->bytes;
		parts->raw_len = field->len;
		return rc;
	case TENSOR_EXTERNAL:
		return parse_external(reader, parts, field, err);
	case TENSOR_LOCATION:
		parts->is_external = field->value == LOCATION_EXTERNAL;
		return ERR_NONE;
	default:
		return ERR_NONE;
	}
}

static enum err_code parse_dims(const struct onnx_reader *reader,
				struct parts *parts, struct err *err)
{
	struct shape *shape = &parts->tensor->view.shape;
	struct wire_numbers dims;
	uint64_t dim;
	bool more;
	enum err_code rc;

	shape->rank = 0;
	wire_numbers_init(&dims, &parts->message, TENSOR_DIMS, WIRE_VARINT);
	for (;;) {
		rc = wire_numbers_next(&dims, &dim, &more, err);
		if (rc || !more)
			return rc;
		if (shape->rank == SHAPE_MAX_RANK)
			return err_set(err, ERR_UNSUPPORTED,
				       "%s: tensor '%s' has a rank above %d",
				       reader->name, parts->tensor->name,
				       SHAPE_MAX_RANK);
		shape->dim[shape->rank++] = (int64_t)dim;
	}
}

/* --- elements --- */

/* Shared with other models in the end? */
static bool is_kept(const struct onnx_reader *reader, const struct parts *parts)
{
	const struct dtype_info *info = dtype_info(parts->tensor->view.dtype);

	return reader->packs && parts->arena == reader->keep &&
	       parts->n * info->size >= KEPT_FROM;
}

static void *new_elements(const struct onnx_reader *reader, struct parts *parts)
{
	const struct dtype_info *info = dtype_info(parts->tensor->view.dtype);
	size_t bytes = parts->n * info->size;

	if (is_kept(reader, parts)) {
		parts->temporary = mem_aligned(bytes);
		return parts->temporary;
	}
	return bytes < 64 ? arena_alloc(parts->arena, bytes ? bytes : 1)
			  : arena_aligned(parts->arena, bytes);
}

static enum err_code keep(const struct onnx_reader *reader, struct parts *parts,
			  const void *elements, struct err *err)
{
	struct tensor_view *view = &parts->tensor->view;
	union {
		const void *from;
		void *to;
	} kept;
	enum err_code rc = packs_keep(reader->packs, elements,
				      parts->n * dtype_info(view->dtype)->size,
				      &kept.from, err);

	if (!rc)
		view->data = kept.to; /* a view has no const in its type */
	return rc;
}

/* Any byte but 0 is true in files; in memory true is 1. */
static void settle_bools(unsigned char *byte, size_t n)
{
	for (size_t i = 0; i < n; i++)
		byte[i] = byte[i] != 0;
}

/* In a file as in memory, but for alignment? */
static bool is_plain(const struct parts *parts)
{
	const struct tensor_view *view = &parts->tensor->view;

	return parts->n && dtype_info(view->dtype)->file_bits >= 8 &&
	       view->dtype != DTYPE_BOOL;
}

static bool may_borrow(const struct onnx_reader *reader,
		       const struct parts *parts)
{
	const struct dtype_info *info = dtype_info(parts->tensor->view.dtype);

	return !reader->copy && is_plain(parts) &&
	       !((uintptr_t)parts->raw % info->size);
}

static enum err_code copy_raw(const struct onnx_reader *reader,
			      struct parts *parts, struct err *err)
{
	struct tensor_view *view = &parts->tensor->view;

	if (is_kept(reader, parts) && is_plain(parts))
		return keep(reader, parts, parts->raw, err);
	view->data = new_elements(reader, parts);
	if (!view->data)
		return onnx_no_memory(reader->name, err);
	if (parts->n)
		dtype_unpack(view->dtype, parts->raw, parts->n, view->data);
	if (view->dtype == DTYPE_BOOL)
		settle_bools(view->data, parts->n);
	return ERR_NONE;
}

/* parts->raw holds as many bytes as the shape says. */
static enum err_code place_raw(const struct onnx_reader *reader,
			       struct parts *parts, struct err *err)
{
	union {
		const unsigned char *from;
		void *to;
	} borrowed = { .from = parts->raw };
	enum err_code rc;

	if (may_borrow(reader, parts)) {
		parts->tensor->view.data = borrowed.to;
		return ERR_NONE;
	}
	rc = copy_raw(reader, parts, err);
	if (reader->is_map)
		file_map_rest(parts->raw, parts->raw_len);
	return rc;
}

static enum err_code read_external(const struct onnx_reader *reader,
				   struct parts *parts, struct err *err)
{
	struct tensor_view *view = &parts->tensor->view;
	size_t bytes = dtype_file_bytes(view->dtype, parts->n);
	bool is_packed = dtype_info(view->dtype)->file_bits < 8;
	unsigned char *file;
	int fd;
	enum err_code rc;

	rc = onnx_open_external(reader, &parts->external, parts->tensor->name,
				bytes, &fd, err);
	if (rc)
		return rc;
	view->data = new_elements(reader, parts);
	file = is_packed ? arena_alloc(reader->scratch, bytes + 1) : view->data;
	if (!view->data || !file) {
		(void)close(fd);
		return onnx_no_memory(reader->name, err);
	}
	rc = onnx_read_external(&parts->external, fd, file, bytes, err);
	if (rc)
		return rc;
	if (is_packed)
		dtype_unpack(view->dtype, file, parts->n, view->data);
	if (view->dtype == DTYPE_BOOL)
		settle_bools(view->data, parts->n);
	return ERR_NONE;
}

/* The list that holds elements of a type when raw_data does not. */
struct typed {
	uint32_t field;
	enum wire_kind kind;
	unsigned bytes; /* of one number in memory */
};

static struct typed typed_field(enum dtype dtype)
{
	const struct dtype_info *info = dtype_info(dtype);

	switch (dtype) {
	case DTYPE_F32:
		return (struct typed){ TENSOR_FLOATS, WIRE_FIXED32, 4 };
	case DTYPE_F64:
		return (struct typed){ TENSOR_DOUBLES, WIRE_FIXED64, 8 };
	case DTYPE_C64:
		return (struct typed){ TENSOR_FLOATS, WIRE_FIXED32, 4 };
	case DTYPE_C128:
		return (struct typed){ TENSOR_DOUBLES, WIRE_FIXED64, 8 };
	case DTYPE_I64:
		return (struct typed){ TENSOR_INT64S, WIRE_VARINT, 8 };
	case DTYPE_U32:
	case DTYPE_U64:
		return (struct typed){ TENSOR_UINT64S, WIRE_VARINT,
				       info->size };
	default:
		/* under 8 bits a number is a byte of packed elements */
		return (struct typed){ TENSOR_INT32S, WIRE_VARINT, info->size };
	}
}

/* int32_data holds all narrow types: a number that does not fit is a damaged
 * file. Signed and unsigned readings of the bits are both in use. */
static bool number_fits(const struct typed *typed, uint64_t value)
{
	int64_t number = (int32_t)(uint32_t)value;

	if (typed->field == TENSOR_UINT64S && typed->bytes == 4)
		return value <= UINT32_MAX;
	if (typed->field != TENSOR_INT32S || typed->bytes == 4)
		return true;
	return number >= -((int64_t)1 << (8 * typed->bytes - 1)) &&
	       number < (int64_t)1 << (8 * typed->bytes);
}

/* little-endian machine: the low bytes come first */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
	       "files are little-endian and so is this reader");

static enum err_code copy_numbers(const struct parts *parts,
				  const struct typed *typed, size_t n,
				  unsigned char *to, struct err *err)
{
	struct wire_numbers numbers;
	uint64_t value = 0;
	bool more;
	enum err_code rc = ERR_NONE;

	wire_numbers_init(&numbers, &parts->message, typed->field, typed->kind);
	for (size_t i = 0; i < n && !rc; i++) {
		rc = wire_numbers_next(&numbers, &value, &more, err);
		if (!rc && !number_fits(typed, value))
			return err_set(
			    err, ERR_FORMAT,
			    "%s: element %zu of tensor '%s' does "
			    "not fit %s",
			    parts->message.name, i, parts->tensor->name,
			    dtype_info(parts->tensor->view.dtype)->name);
		memcpy(to + i * typed->bytes, &value, typed->bytes);
	}
	return rc;
}

static enum err_code read_typed(const struct onnx_reader *reader,
				struct parts *parts, struct err *err)
{
	struct tensor_view *view = &parts->tensor->view;
	const struct dtype_info *info = dtype_info(view->dtype);
	struct typed typed = typed_field(view->dtype);
	size_t want = dtype_file_bytes(view->dtype, parts->n), n;
	bool is_packed = info->file_bits < 8;
	unsigned char *to;
	enum err_code rc;

	want /= typed.bytes;
	rc = wire_numbers_count(&parts->message, typed.field, typed.kind, &n,
				err);
	if (rc)
		return rc;
	if (n != want)
		return err_set(err, ERR_FORMAT,
			       "%s: tensor '%s' has %zu numbers of data; its "
			       "shape needs %zu",
			       reader->name, parts->tensor->name, n, want);
	view->data = new_elements(reader, parts);
	to = is_packed ? arena_alloc(reader->scratch, n + 1) : view->data;
	if (!view->data || !to)
		return onnx_no_memory(reader->name, err);
	rc = copy_numbers(parts, &typed, n, to, err);
	if (!rc && is_packed)
		dtype_unpack(view->dtype, to, parts->n, view->data);
	if (!rc && view->dtype == DTYPE_BOOL)
		settle_bools(view->data, parts->n);
	return rc;
}

static enum err_code keep_string(const struct onnx_reader *reader,
				 const struct parts *parts,
				 const struct wire_field *field,
				 struct str *ret, struct err *err)
{
	ret->len = field->len;
	ret->bytes = (const char *)field->bytes;
	if (!reader->copy)
		return ERR_NONE;
	ret->bytes =
	    arena_strndup(parts->arena, (const char *)field->bytes, field->len);
	return ret->bytes ? ERR_NONE : onnx_no_memory(reader->name, err);
}

static enum err_code read_strings(const struct onnx_reader *reader,
				  struct parts *parts, struct err *err)
{
	struct wire message = parts->message;
	struct wire_field field;
	struct str *str = NULL;
	size_t n = 0;
	enum err_code rc;

	/* a string takes two bytes of the file at least */
	if (parts->n > (size_t)(message.end - message.at))
		return err_set(err, ERR_FORMAT,
			       "%s: tensor '%s' has fewer strings than its "
			       "shape needs",
			       reader->name, parts->tensor->name);
	str = arena_array(parts->arena, parts->n + 1, sizeof(*str));
	if (!str)
		return onnx_no_memory(reader->name, err);
	for (;;) {
		rc = wire_next(&message, &field, err);
		if (rc || !field.number)
			break;
		if (field.number != TENSOR_STRINGS)
			continue;
		rc = wire_expect(&message, &field, WIRE_BYTES, "string_data",
				 err);
		if (!rc && n < parts->n)
			rc = keep_string(reader, parts, &field, &str[n], err);
		if (rc)
			return rc;
		n++;
	}
	if (!rc && n != parts->n)
		rc = err_set(err, ERR_FORMAT,
			     "%s: tensor '%s' has %zu strings; its shape needs "
			     "%zu",
			     reader->name, parts->tensor->name, n, parts->n);
	parts->tensor->view.data = str;
	return rc;
}

static enum err_code read_elements(const struct onnx_reader *reader,
				   struct parts *parts, struct err *err)
{
	const struct tensor_view *view = &parts->tensor->view;
	size_t want;

	if (view->dtype == DTYPE_STRING) {
		if (parts->raw || parts->is_external)
			return err_set(err, ERR_FORMAT,
				       "%s: tensor '%s' of strings must not "
				       "have raw data",
				       reader->name, parts->tensor->name);
		return read_strings(reader, parts, err);
	}
	if (parts->is_external)
		return read_external(reader, parts, err);
	if (!parts->raw)
		return read_typed(reader, parts, err);
	want = dtype_file_bytes(view->dtype, parts->n);
	if (parts->raw_len != want)
		return err_set(err, ERR_FORMAT,
			       "%s: tensor '%s' has %zu bytes of raw data; its "
			       "type and shape need %zu",
			       reader->name, parts->tensor->name,
			       parts->raw_len, want);
	return place_raw(reader, parts, err);
}

enum err_code onnx_parse_tensor(const struct onnx_reader *reader,
				struct wire message, struct arena *arena,
				struct onnx_tensor *ret, struct err *err)
{
	struct onnx_tensor tensor = { .name = "" };
	struct parts parts = { .message = message,
			       .tensor = &tensor,
			       .arena = arena };
	struct tensor_view *view = &tensor.view;
	struct wire_field field;
	size_t bytes;
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
	if (view->dtype == DTYPE_NONE)
		return err_set(
		    err, ERR_FORMAT,
		    "%s: tensor '%s' has no element type that is known",
		    reader->name, tensor.name);
	rc = parse_dims(reader, &parts, err);
	if (!rc)
		rc = tensor_bytes_checked(view->dtype, view->shape.rank,
					  view->shape.dim, tensor.name, &bytes,
					  err);
	if (rc)
		return err_prefix(err, "%s", reader->name);
	parts.n = (size_t)shape_count(&view->shape);
	rc = read_elements(reader, &parts, err);
	if (!rc && parts.temporary)
		rc = keep(reader, &parts, parts.temporary, err);
	mem_free(parts.temporary);
	if (!rc)
		*ret = tensor;
	return rc;
}
