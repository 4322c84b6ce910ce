/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Notes: the pairs that a file carries beside its graph (metadata_props).
 * They mean nothing here, so none of them is a reason to refuse the file: what
 * is no text, has no key or a key that came before, and what is beyond
 * NOTES_MAX, is left out.
 */
#include "base/str.h"
#include "models/onnx_file_priv.h"

enum { MODEL_NOTE = 14, NOTE_KEY = 1, NOTE_VALUE = 2 };
enum { NOTES_MAX = 256 };

static bool is_text(const struct wire_field *field)
{
	return field->kind == WIRE_BYTES &&
	       (!field->len || (!memchr(field->bytes, 0, field->len) &&
				str_is_utf8(field->bytes, field->len)));
}

static enum err_code keep_text(const struct onnx_reader *reader,
			       const struct wire_field *field, const char **ret,
			       struct err *err)
{
	return is_text(field)
		   ? onnx_text(reader, field, reader->keep, "a note", ret, err)
		   : ERR_NONE;
}

/* A pair that is left out has no key, or no value. */
static enum err_code parse_note(const struct onnx_reader *reader,
				struct wire message, struct signature_note *ret,
				struct err *err)
{
	struct signature_note note = { NULL, NULL };
	struct wire_field field;
	enum err_code rc;

	for (;;) {
		rc = wire_next(&message, &field, err);
		if (rc || !field.number)
			break;
		if (field.number == NOTE_KEY)
			rc = keep_text(reader, &field, &note.key, err);
		else if (field.number == NOTE_VALUE)
			rc = keep_text(reader, &field, &note.value, err);
		if (rc)
			break;
	}
	*ret = note;
	return rc;
}

static bool is_new(const struct model_signature *signature,
		   const struct signature_note *note)
{
	if (!note->key || !*note->key || !note->value)
		return false;
	for (unsigned i = 0; i < signature->n_notes; i++)
		if (!strcmp(signature->note[i].key, note->key))
			return false;
	return true;
}

enum err_code onnx_read_notes(const struct onnx_reader *reader,
			      struct wire message, struct model_signature *ret,
			      struct err *err)
{
	struct wire_field field;
	struct wire child;
	enum err_code rc;

	ret->n_notes = 0;
	ret->note = arena_array(reader->keep, NOTES_MAX, sizeof(*ret->note));
	if (!ret->note)
		return onnx_no_memory(reader->name, err);
	while (ret->n_notes < NOTES_MAX) {
		struct signature_note *note = &ret->note[ret->n_notes];

		rc = wire_next(&message, &field, err);
		if (rc || !field.number)
			return rc;
		if (field.number != MODEL_NOTE || field.kind != WIRE_BYTES)
			continue;
		rc = wire_enter(&message, &field, "a note", &child, err);
		if (!rc)
			rc = parse_note(reader, child, note, err);
		if (rc)
			return rc;
		ret->n_notes += is_new(ret, note);
	}
	return ERR_NONE;
}
