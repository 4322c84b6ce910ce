/* SPDX-License-Identifier: Apache-2.0 */
#include "server/codec_csv.h"
#include "base/csv.h"
#include "base/str.h"

enum { COLUMNS_MAX = 4096, ROWS_MAX = 100000 };

/* The text while it is read. */
struct table {
	struct csv csv;
	struct arena *arena;
	unsigned *column; /* which feature each column is */
	size_t n_columns;
};

static enum err_code no_memory(struct err *err)
{
	return err_set(err, ERR_NO_MEMORY,
		       "the request needs more memory than one may have");
}

static enum err_code read_field(struct table *table, struct str *ret,
				bool *ret_last, struct err *err)
{
	struct csv_field field;
	char *to;
	enum err_code rc = csv_next(&table->csv, &field, err);

	if (rc)
		return rc;
	*ret_last = field.is_last;
	*ret = (struct str){ field.bytes, field.len };
	if (!field.has_doubled)
		return ERR_NONE;
	to = arena_alloc(table->arena, field.len);
	if (!to)
		return no_memory(err);
	*ret = (struct str){ to, csv_unquote(&field, to) };
	return ERR_NONE;
}

static enum err_code read_header(struct table *table,
				 const struct pipeline *pipeline,
				 struct err *err)
{
	const unsigned n_features = pipeline_n_inputs(pipeline);
	bool is_last = false;

	while (!is_last) {
		struct str name;
		unsigned i = 0;
		enum err_code rc = read_field(table, &name, &is_last, err);

		if (rc)
			return rc;
		while (i < n_features &&
		       !json_pull_is(name, pipeline_input_name(pipeline, i)))
			i++;
		if (i == n_features || table->n_columns == COLUMNS_MAX)
			return err_set(err, ERR_INVALID,
				       "CSV: column '%.*s' is no feature of "
				       "the model",
				       (int)(name.len < 64 ? name.len : 64),
				       name.bytes);
		table->column[table->n_columns++] = i;
	}
	return ERR_NONE;
}

static enum err_code read_row(struct table *table, struct raw_value *row,
			      struct err *err)
{
	bool is_last = false;

	for (size_t i = 0; i < table->n_columns; i++) {
		struct raw_value *value = &row[table->column[i]];
		struct str field;
		enum err_code rc;

		if (is_last)
			return err_set(err, ERR_INVALID,
				       "CSV: line %zu: expected %zu fields, "
				       "got %zu",
				       table->csv.line - 1, table->n_columns,
				       i);
		rc = read_field(table, &field, &is_last, err);
		if (rc)
			return rc;
		value->kind = field.len ? RAW_TEXT : RAW_MISSING;
		value->bytes = field.bytes;
		value->len = field.len;
	}
	if (!is_last)
		return err_set(err, ERR_INVALID,
			       "CSV: line %zu: more than %zu fields",
			       table->csv.line, table->n_columns);
	return ERR_NONE;
}

static size_t count_lines(const char *text, size_t len)
{
	size_t n = 1;

	for (size_t i = 0; i < len; i++)
		n += text[i] == '\n';
	return n;
}

static enum err_code read_rows(struct table *table, unsigned n_features,
			       const struct raw_value **rows, size_t *ret_n,
			       struct err *err)
{
	size_t n = 0;
	enum err_code rc = ERR_NONE;

	while (!rc && table->csv.at < table->csv.end) {
		struct raw_value *row =
		    arena_array(table->arena, n_features + 1, sizeof(*row));

		if (!row)
			return no_memory(err);
		rc = read_row(table, row, err);
		rows[n++] = row;
	}
	*ret_n = n;
	return rc;
}

enum err_code codec_read_csv(struct inference *inference, const char *text,
			     size_t len, struct err *err)
{
	const struct pipeline *pipeline = inference->model->package->pipeline;
	struct table table = { .arena = inference->request->arena };
	const size_t n_lines = count_lines(text, len);
	const struct raw_value **rows;
	size_t n = 0;
	enum err_code rc;

	if (!pipeline || !str_is_utf8(text, len) || n_lines > ROWS_MAX)
		return err_set(err, ERR_INVALID,
			       "CSV: expected UTF-8, at most %d lines, and a "
			       "model with features",
			       ROWS_MAX);
	csv_init(&table.csv, text, len, csv_sniff(text, len));
	rows = arena_array(table.arena, n_lines, sizeof(void *));
	table.column =
	    arena_array(table.arena, COLUMNS_MAX, sizeof(*table.column));
	if (!rows || !table.column)
		return no_memory(err);
	rc = read_header(&table, pipeline, err);
	if (!rc)
		rc = read_rows(&table, pipeline_n_inputs(pipeline), rows, &n,
			       err);
	if (!rc && !n)
		rc = err_set(err, ERR_INVALID,
			     "CSV: no rows behind the line of names");
	return rc ? rc : codec_encode_rows(inference, rows, n, err);
}
