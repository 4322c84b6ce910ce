/* SPDX-License-Identifier: Apache-2.0 */
#include "models/onnx_rows_priv.h"

static struct onnx_rows *rows_of(struct onnx_rows *rows, uint32_t field)
{
	for (; rows->field; rows++) {
		if (rows->field == field)
			return rows;
	}
	return NULL;
}

/* Counts first, so that lists are allocated once. */
static enum err_code count_rows(struct wire message, struct onnx_rows *all,
				struct err *err)
{
	struct wire_field field;
	enum err_code rc;

	for (;;) {
		struct onnx_rows *rows;

		rc = wire_next(&message, &field, err);
		if (rc || !field.number)
			return rc;
		rows = rows_of(all, field.number);
		if (rows && ++rows->cap > ONNX_LIST_MAX)
			return err_set(err, ERR_TOO_LARGE,
				       "%s: more than %d times %s",
				       message.name, ONNX_LIST_MAX, rows->what);
	}
}

enum err_code onnx_parse_rows(const struct onnx_reader *reader,
			      struct wire message, struct onnx_rows *all,
			      struct err *err)
{
	struct wire_field field;
	struct wire child;
	enum err_code rc;

	rc = count_rows(message, all, err);
	for (struct onnx_rows *rows = all; rows->field && !rc; rows++) {
		rows->row = arena_array(reader->scratch, (size_t)rows->cap + 1,
					rows->size);
		if (!rows->row)
			rc = onnx_no_memory(reader->name, err);
	}
	while (!rc) {
		struct onnx_rows *rows;

		rc = wire_next(&message, &field, err);
		if (rc || !field.number)
			break;
		rows = rows_of(all, field.number);
		if (!rows || !rows->row)
			continue;
		rc = wire_enter(&message, &field, rows->what, &child, err);
		if (!rc)
			rc = rows->parse(reader, child,
					 (char *)rows->row +
					     (size_t)rows->n++ * rows->size,
					 err);
	}
	return rc;
}

static enum err_code parse_text(const struct onnx_reader *reader,
				struct wire message, void *row, struct err *err)
{
	const struct wire_field field = {
		.kind = WIRE_BYTES,
		.bytes = message.at,
		.len = (size_t)(message.end - message.at),
	};

	return onnx_text(reader, &field, reader->scratch, "a name", row, err);
}

enum err_code onnx_parse_texts(const struct onnx_reader *reader,
			       struct wire message, uint32_t field,
			       const char *what, struct onnx_texts *ret,
			       struct err *err)
{
	struct onnx_rows rows[] = {
		{ field, what, sizeof(*ret->at), parse_text, NULL, 0, 0 },
		{ 0 },
	};
	enum err_code rc = onnx_parse_rows(reader, message, rows, err);

	*ret = (struct onnx_texts){ rows[0].row, rows[0].n };
	return rc;
}
