/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * SequenceProto and OptionalProto: values of tests that are no tensors.
 */
#include "engine/run_heap.h"
#include "models/onnx_priv.h"

enum { SEQUENCE_TENSOR = 3 };
enum { OPTIONAL_KIND = 2, OPTIONAL_TENSOR = 3, OPTIONAL_SEQUENCE = 5 };
enum { ITEMS_MAX = 1 << 16 };

static enum err_code count_tensors(struct wire message, size_t *ret,
				   struct err *err)
{
	struct wire_field field;
	enum err_code rc;

	*ret = 0;
	for (;;) {
		rc = wire_next(&message, &field, err);
		if (rc || !field.number)
			return rc;
		*ret += field.number == SEQUENCE_TENSOR;
		if (*ret > ITEMS_MAX)
			return err_set(err, ERR_TOO_LARGE,
				       "%s: more than %d tensors", message.name,
				       ITEMS_MAX);
	}
}

static enum err_code read_tensors(const struct onnx_reader *reader,
				  struct wire message,
				  struct sequence *sequence, struct err *err)
{
	struct wire_field field;
	struct onnx_tensor tensor;
	struct wire child;
	enum err_code rc = count_tensors(message, &sequence->n, err);
	size_t i = 0;

	if (rc)
		return rc;
	sequence->item = arena_array(reader->scratch, sequence->n + 1,
				     sizeof(*sequence->item));
	if (!sequence->item)
		return onnx_no_memory(reader->name, err);
	while (!rc) {
		rc = wire_next(&message, &field, err);
		if (rc || !field.number)
			break;
		if (field.number != SEQUENCE_TENSOR)
			continue;
		rc = wire_enter(&message, &field, "a tensor", &child, err);
		if (!rc)
			rc = onnx_parse_tensor(reader, child, reader->scratch,
					       &tensor, err);
		if (rc)
			break;
		sequence->item[i++].fact = (struct fact){
			.type = { .elem = tensor.view.dtype },
			.shape = tensor.view.shape,
			.has_shape = true,
			.value = tensor.view.data ? tensor.view.data : "",
		};
	}
	return rc;
}

/* An OptionalProto's tensor is as a sequence has one. */
static enum err_code read_optional(const struct onnx_reader *reader,
				   struct wire message,
				   struct sequence *sequence, struct err *err)
{
	struct wire rest = message, child;
	struct wire_field field;
	uint64_t kind = 0;
	enum err_code rc;

	for (;;) {
		rc = wire_next(&rest, &field, err);
		if (rc || !field.number)
			break;
		if (field.number == OPTIONAL_KIND) {
			kind = field.value;
		} else if (field.number == OPTIONAL_SEQUENCE) {
			rc = wire_enter(&rest, &field, "a sequence", &child,
					err);
			return rc ? rc
				  : read_tensors(reader, child, sequence, err);
		}
	}
	sequence->is_none = !kind;
	return rc || !kind ? rc : read_tensors(reader, message, sequence, err);
}

/* NOLINTNEXTLINE(readability-function-size): bytes in, view out */
enum err_code onnx_read_value(const void *bytes, size_t len, const char *name,
			      struct type type, struct arena *arena,
			      struct tensor_view *ret_view, struct err *err)
{
	const struct onnx_reader reader = {
		.name = name, .keep = arena, .scratch = arena, .copy = true
	};
	struct sequence *sequence;
	struct wire message;
	const char *text;
	enum err_code rc;

	if (!type.is_sequence && !type.is_optional)
		return onnx_read_tensor(bytes, len, name, arena, ret_view,
					&text, err);
	sequence = arena_alloc(arena, sizeof(*sequence));
	if (!sequence)
		return onnx_no_memory(name, err);
	wire_init(&message, bytes, len, name);
	rc = type.is_optional ? read_optional(&reader, message, sequence, err)
			      : read_tensors(&reader, message, sequence, err);
	if (!rc)
		*ret_view = (struct tensor_view){ .data = sequence,
						  .dtype = type.elem };
	return rc;
}
