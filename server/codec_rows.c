/* SPDX-License-Identifier: Apache-2.0 */
#include "base/base64.h"
#include "base/str.h"
#include "server/codec_predict.h"
#include "server/number_scan.h"

enum { ROWS_MAX = 100000, NAME_TEXT = 96 };

/* Rows while they come: pointers to their values. */
struct rows {
	const struct raw_value **row;
	size_t n, cap;
};

static enum err_code no_memory(struct err *err)
{
	return err_set(err, ERR_NO_MEMORY,
		       "the request needs more memory than one may have");
}

static enum err_code add_row(struct rows *rows, const struct raw_value *row,
			     struct arena *arena, struct err *err)
{
	if (rows->n == ROWS_MAX)
		return err_set(err, ERR_INVALID,
			       "\"inputs\" has more than %d rows", ROWS_MAX);
	if (rows->n == rows->cap) {
		const size_t cap = rows->cap ? 2 * rows->cap : 8;
		const struct raw_value **grown =
		    arena_array(arena, cap, sizeof(void *));

		if (!grown)
			return no_memory(err);
		if (rows->n)
			memcpy(grown, rows->row, rows->n * sizeof(void *));
		rows->row = grown;
		rows->cap = cap;
	}
	rows->row[rows->n++] = row;
	return ERR_NONE;
}

/* --- one value --- */

static enum err_code read_array(struct inference *inference,
				struct json_pull *pull, const char *name,
				struct raw_value *ret, struct err *err)
{
	struct number_target target = { .name = name,
					.dtype = DTYPE_F32,
					.arena = pull->arena };
	struct tensor_view *tensor = &ret->tensor;
	enum number_kind kind;
	size_t bytes, used = 0;
	enum err_code rc;

	rc = number_scan_shape(pull->at, (size_t)(pull->end - pull->at), name,
			       &tensor->shape, &kind, err);
	if (rc)
		return rc;
	if (kind != NUMBER_NUMBER && kind != NUMBER_NONE)
		return err_set(err, ERR_INVALID,
			       "%s: expected an array of numbers", name);
	tensor->dtype = DTYPE_F32;
	rc = tensor_bytes_checked(DTYPE_F32, tensor->shape.rank,
				  tensor->shape.dim, name, &bytes, err);
	if (!rc)
		rc = api_hold(inference->request, bytes, err);
	if (rc)
		return rc;
	tensor->data = arena_aligned(pull->arena, bytes + 1);
	if (!tensor->data)
		return no_memory(err);
	target.count = (size_t)shape_count(&tensor->shape);
	target.out = tensor->data;
	rc = number_scan(pull->at, (size_t)(pull->end - pull->at), &target,
			 &used, err);
	pull->at += used;
	ret->kind = RAW_TENSOR;
	return rc;
}

/* The bytes of a file: {"b64": "..."}. */
static enum err_code read_base64(struct inference *inference,
				 struct json_pull *pull, const char *name,
				 struct raw_value *ret, struct err *err)
{
	struct str key, text = { NULL, 0 };
	struct buf buf;
	enum err_code rc = json_pull_object(pull, err);

	while (!rc && !(rc = json_pull_key(pull, &key, err)) && key.bytes) {
		if (!json_pull_is(key, "b64"))
			return err_set(err, ERR_INVALID,
				       "%s: expected {\"b64\": \"...\"}", name);
		rc = json_pull_text(pull, &text, err);
	}
	if (!rc)
		rc = api_hold(inference->request, text.len, err);
	if (rc)
		return rc;
	buf_init(&buf, text.len + 1);
	rc = base64_decode(text.bytes ? text.bytes : "", text.len, name, &buf,
			   err);
	if (!rc) {
		ret->kind = RAW_BYTES;
		ret->len = buf.len;
		ret->bytes = arena_copy(pull->arena, buf.len ? buf.data : "",
					buf.len + 1);
		if (!ret->bytes)
			rc = no_memory(err);
	}
	buf_finish(&buf);
	return rc;
}

static enum err_code read_bool(struct json_pull *pull, struct raw_value *ret,
			       struct err *err)
{
	bool value;
	enum err_code rc = json_pull_bool(pull, &value, err);

	if (rc)
		return rc;
	/* a bool is the number 0 or 1 */
	*ret = (struct raw_value){ .kind = RAW_NUMBER, .number = value };
	return ERR_NONE;
}

static enum err_code read_value(struct inference *inference,
				struct json_pull *pull, const char *name,
				struct raw_value *ret, struct err *err)
{
	struct str text;
	enum err_code rc;

	switch (json_pull_peek(pull)) {
	case JSON_KIND_NUMBER:
		ret->kind = RAW_NUMBER;
		return json_pull_double(pull, &ret->number, err);
	case JSON_KIND_STRING:
		rc = json_pull_text(pull, &text, err);
		if (!rc)
			*ret = (struct raw_value){ .kind = RAW_TEXT,
						   .bytes = text.bytes,
						   .len = text.len };
		return rc;
	case JSON_KIND_ARRAY:
		return read_array(inference, pull, name, ret, err);
	case JSON_KIND_OBJECT:
		return read_base64(inference, pull, name, ret, err);
	case JSON_KIND_BOOL:
		return read_bool(pull, ret, err);
	default: /* null: missing; whatever else is no value */
		return json_pull_value(pull, NULL, err);
	}
}

/* --- one row --- */

static enum err_code find_feature(const struct inference *inference,
				  struct str key, const bool *is_given,
				  unsigned *ret_i, struct err *err)
{
	const struct pipeline *pipeline = inference->model->package->pipeline;
	const unsigned n = pipeline_n_inputs(pipeline);
	const int shown = key.len < 64 ? (int)key.len : 64;
	unsigned i = 0;

	while (i < n && !json_pull_is(key, pipeline_input_name(pipeline, i)))
		i++;
	if (i == n)
		return err_set(
		    err, ERR_INVALID, "model '%s' has no feature '%.*s'",
		    inference->model->package->name, shown, key.bytes);
	if (is_given[i])
		return err_set(err, ERR_INVALID,
			       "feature '%.*s' is given twice", shown,
			       key.bytes);
	*ret_i = i;
	return ERR_NONE;
}

static enum err_code read_row(struct inference *inference,
			      struct json_pull *pull, struct rows *rows,
			      struct err *err)
{
	const struct pipeline *pipeline = inference->model->package->pipeline;
	const unsigned n = pipeline_n_inputs(pipeline);
	struct raw_value *row = arena_array(pull->arena, n + 1, sizeof(*row));
	bool *is_given = arena_array(pull->arena, n + 1, sizeof(*is_given));
	char name[NAME_TEXT];
	struct str key;
	unsigned i;
	enum err_code rc;

	if (!row || !is_given)
		return no_memory(err);
	/* the limit of keys is one row's: the body bounds the rows */
	pull->n_keys = 0;
	rc = json_pull_object(pull, err);
	while (!rc && !(rc = json_pull_key(pull, &key, err)) && key.bytes) {
		rc = find_feature(inference, key, is_given, &i, err);
		if (rc)
			break;
		is_given[i] = true;
		(void)snprintf(name, sizeof(name), "feature '%.64s'",
			       pipeline_input_name(pipeline, i));
		rc = read_value(inference, pull, name, &row[i], err);
	}
	return rc ? rc : add_row(rows, row, pull->arena, err);
}

enum err_code codec_read_rows(struct inference *inference,
			      struct json_pull *pull, struct err *err)
{
	struct rows rows = { 0 };
	bool is_more;
	enum err_code rc = ERR_NONE;

	if (json_pull_peek(pull) == JSON_KIND_ARRAY) {
		rc = json_pull_array(pull, err);
		while (!rc && !(rc = json_pull_item(pull, &is_more, err)) &&
		       is_more)
			rc = read_row(inference, pull, &rows, err);
	} else {
		rc = read_row(inference, pull, &rows, err);
	}
	if (!rc && !rows.n)
		rc = err_set(err, ERR_INVALID, "\"inputs\" has no rows");
	return rc ? rc : codec_encode_rows(inference, rows.row, rows.n, err);
}
