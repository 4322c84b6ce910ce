/* SPDX-License-Identifier: Apache-2.0 */
#include "server/codec_csv.h"
#include "base/str.h"

enum { COLUMNS_MAX = 4096, ROWS_MAX = 100000 };

/* The text while it is read (RFC 4180). */
struct csv {
	const char *at, *end;
	struct arena *arena;
	size_t line;
	unsigned *column; /* which feature each column is */
	size_t n_columns;
};

static enum err_code no_memory(struct err *err)
{
	return err_set(err, ERR_NO_MEMORY,
		       "the request needs more memory than one may have");
}

/* A field in quotes, doubled where they are meant. */
static enum err_code read_quoted(struct csv *csv, struct str *ret,
				 struct err *err)
{
	const char *close = csv->at + 1;
	size_t n = 0;
	char *to;

	while (close < csv->end &&
	       (*close != '"' || (close + 1 < csv->end && close[1] == '"')))
		close += *close == '"' ? 2 : 1;
	if (close >= csv->end)
		return err_set(err, ERR_INVALID,
			       "CSV: line %zu: a quote that does not close",
			       csv->line);
	to = arena_alloc(csv->arena, (size_t)(close - csv->at));
	if (!to)
		return no_memory(err);
	for (const char *c = csv->at + 1; c < close; c++) {
		c += *c == '"';
		to[n++] = *c;
	}
	csv->at = close + 1;
	*ret = (struct str){ to, n };
	return ERR_NONE;
}

/* One field and what ends it: *ret_last when that is the end of the line. */
static enum err_code read_field(struct csv *csv, struct str *ret,
				bool *ret_last, struct err *err)
{
	const char *start = csv->at;
	enum err_code rc = ERR_NONE;

	if (csv->at < csv->end && *csv->at == '"') {
		rc = read_quoted(csv, ret, err);
	} else {
		while (csv->at < csv->end && !strchr(",\r\n", *csv->at))
			csv->at++;
		*ret = (struct str){ start, (size_t)(csv->at - start) };
	}
	if (rc)
		return rc;
	if (csv->at < csv->end && *csv->at == ',') {
		csv->at++;
		*ret_last = false;
		return ERR_NONE;
	}
	*ret_last = true;
	if (csv->at < csv->end && *csv->at == '\r')
		csv->at++;
	if (csv->at < csv->end && *csv->at++ != '\n')
		return err_set(err, ERR_INVALID,
			       "CSV: line %zu: expected ',' or the end of the "
			       "line behind a field",
			       csv->line);
	csv->line++;
	return ERR_NONE;
}

static enum err_code
read_header(struct csv *csv, const struct pipeline *pipeline, struct err *err)
{
	const unsigned n_features = pipeline_n_inputs(pipeline);
	bool is_last = false;

	while (!is_last) {
		struct str name;
		unsigned i = 0;
		enum err_code rc = read_field(csv, &name, &is_last, err);

		if (rc)
			return rc;
		while (i < n_features &&
		       !json_pull_is(name, pipeline_input_name(pipeline, i)))
			i++;
		if (i == n_features || csv->n_columns == COLUMNS_MAX)
			return err_set(err, ERR_INVALID,
				       "CSV: column '%.*s' is no feature of "
				       "the model",
				       (int)(name.len < 64 ? name.len : 64),
				       name.bytes);
		csv->column[csv->n_columns++] = i;
	}
	return ERR_NONE;
}

static enum err_code read_row(struct csv *csv, struct raw_value *row,
			      struct err *err)
{
	bool is_last = false;

	for (size_t i = 0; i < csv->n_columns; i++) {
		struct raw_value *value = &row[csv->column[i]];
		struct str field;
		enum err_code rc;

		if (is_last)
			return err_set(err, ERR_INVALID,
				       "CSV: line %zu: expected %zu fields, "
				       "got %zu",
				       csv->line - 1, csv->n_columns, i);
		rc = read_field(csv, &field, &is_last, err);
		if (rc)
			return rc;
		value->kind = field.len ? RAW_TEXT : RAW_MISSING;
		value->bytes = field.bytes;
		value->len = field.len;
	}
	if (!is_last)
		return err_set(err, ERR_INVALID,
			       "CSV: line %zu: more than %zu fields", csv->line,
			       csv->n_columns);
	return ERR_NONE;
}

static size_t count_lines(const struct csv *csv)
{
	size_t n = 1;

	for (const char *c = csv->at; c < csv->end; c++)
		n += *c == '\n';
	return n;
}

static enum err_code read_rows(struct csv *csv, unsigned n_features,
			       const struct raw_value **rows, size_t *ret_n,
			       struct err *err)
{
	size_t n = 0;
	enum err_code rc = ERR_NONE;

	while (!rc && csv->at < csv->end) {
		struct raw_value *row =
		    arena_array(csv->arena, n_features + 1, sizeof(*row));

		if (!row)
			return no_memory(err);
		rc = read_row(csv, row, err);
		rows[n++] = row;
	}
	*ret_n = n;
	return rc;
}

enum err_code codec_read_csv(struct inference *inference, const char *text,
			     size_t len, struct err *err)
{
	const struct pipeline *pipeline = inference->model->package->pipeline;
	struct csv csv = { .at = text,
			   .end = text + len,
			   .arena = inference->request->arena,
			   .line = 1 };
	const size_t n_lines = count_lines(&csv);
	const struct raw_value **rows;
	size_t n = 0;
	enum err_code rc;

	if (!pipeline || !str_is_utf8(text, len) || n_lines > ROWS_MAX)
		return err_set(err, ERR_INVALID,
			       "CSV: expected UTF-8, at most %d lines, and a "
			       "model with features",
			       ROWS_MAX);
	rows = arena_array(csv.arena, n_lines, sizeof(void *));
	csv.column = arena_array(csv.arena, COLUMNS_MAX, sizeof(*csv.column));
	if (!rows || !csv.column)
		return no_memory(err);
	rc = read_header(&csv, pipeline, err);
	if (!rc)
		rc =
		    read_rows(&csv, pipeline_n_inputs(pipeline), rows, &n, err);
	if (!rc && !n)
		rc = err_set(err, ERR_INVALID,
			     "CSV: no rows behind the line of names");
	return rc ? rc : codec_encode_rows(inference, rows, n, err);
}
