/* SPDX-License-Identifier: Apache-2.0 */
#include "data/readers/csv_table.h"

#include <string.h>

#include "base/csv.h"
#include "base/mem.h"

enum { COLUMNS_MAX = 4096, FIRST_CAP = 1024, CELL_BITS = 24 };
#define CELL_MAX (((size_t)1 << CELL_BITS) - 1)
#define TEXT_MAX ((size_t)1 << 40)

/* Where a cell is in its text, times 2^24, plus its length. */
typedef uint64_t cell;

struct text {
	char *bytes;
	int64_t first_row;
};

struct csv_table {
	char **name;
	size_t n_columns;
	bool is_named;
	cell *cell; /* [n_rows, n_columns] */
	int64_t n_rows, cap_rows;
	struct text *text;
	size_t n_texts;
};

static enum err_code no_memory(const char *name, struct err *err)
{
	return err_set(err, ERR_NO_MEMORY, "'%s': out of memory", name);
}

static enum err_code add_column(struct csv_table *table, const char *bytes,
				size_t len, const char *name, struct err *err)
{
	char **grown;

	if (table->n_columns == COLUMNS_MAX)
		return err_set(err, ERR_TOO_LARGE, "'%s': more than %d columns",
			       name, (int)COLUMNS_MAX);
	grown = mem_resize(table->name, table->n_columns + 1, sizeof(*grown));
	if (!grown)
		return no_memory(name, err);
	table->name = grown;
	grown[table->n_columns] = mem_printf("%.*s", (int)len, bytes);
	if (!grown[table->n_columns])
		return no_memory(name, err);
	table->n_columns++;
	return ERR_NONE;
}

enum err_code csv_table_create(const struct field_strings *columns,
			       struct csv_table **ret_table, struct err *err)
{
	struct csv_table *table = mem_zero(sizeof(*table));
	enum err_code rc = ERR_NONE;

	if (!table)
		return no_memory("CSV", err);
	table->is_named = columns->n > 0;
	for (size_t i = 0; i < columns->n && !rc; i++)
		rc = add_column(table, columns->v[i], strlen(columns->v[i]),
				"data.columns", err);
	if (rc)
		csv_table_destroy(table);
	else
		*ret_table = table;
	return rc;
}

void csv_table_destroy(struct csv_table *table)
{
	if (!table)
		return;
	for (size_t i = 0; i < table->n_columns; i++)
		mem_free(table->name[i]);
	for (size_t i = 0; i < table->n_texts; i++)
		mem_free(table->text[i].bytes);
	mem_free(table->name);
	mem_free(table->text);
	mem_free(table->cell);
	mem_free(table);
}

/* --- one text --- */

struct adding {
	struct csv_table *table;
	struct csv csv;
	char *text;
	const char *name;
};

static bool is_space(char c)
{
	return c == ' ' || c == '\t';
}

/* Spaces outside of quotes are taken off; ", \"x\"" is read as x, too. */
static enum err_code next_cell(struct adding *adding, struct csv_field *field,
			       struct err *err)
{
	struct csv *csv = &adding->csv;
	bool is_quoted;
	enum err_code rc;

	while (csv->at < csv->end && is_space(*csv->at) &&
	       *csv->at != csv->delimiter)
		csv->at++;
	is_quoted = !csv->is_quoteless && csv->at < csv->end && *csv->at == '"';
	rc = csv_next(csv, field, err);
	if (rc)
		return err_prefix(err, "'%s'", adding->name);
	while (!is_quoted && field->len &&
	       is_space(field->bytes[field->len - 1]))
		field->len--;
	if (field->has_doubled)
		field->len = csv_unquote(
		    field, adding->text + (field->bytes - adding->text));
	if (field->len > CELL_MAX)
		return err_set(err, ERR_TOO_LARGE,
			       "'%s': line %zu: a cell of more than 16 MiB",
			       adding->name, csv->line);
	return ERR_NONE;
}

static enum err_code read_names(struct adding *adding, struct err *err)
{
	struct csv_table *table = adding->table;
	const bool is_first = table->n_columns == 0;
	struct csv_field field = { 0 };
	size_t n = 0;
	enum err_code rc = ERR_NONE;

	while (!rc && !field.is_last) {
		rc = next_cell(adding, &field, err);
		if (!rc && is_first)
			rc = add_column(table, field.bytes, field.len,
					adding->name, err);
		else if (!rc &&
			 (n >= table->n_columns ||
			  strlen(table->name[n]) != field.len ||
			  memcmp(table->name[n], field.bytes, field.len) != 0))
			rc = err_set(
			    err, ERR_INVALID,
			    "'%s': column %zu is '%.*s', but the "
			    "first file names '%s' there",
			    adding->name, n + 1,
			    (int)(field.len < 64 ? field.len : 64), field.bytes,
			    n < table->n_columns ? table->name[n] : "nothing");
		n++;
	}
	if (!rc && n < table->n_columns)
		rc = err_set(err, ERR_INVALID,
			     "'%s': %zu columns, but the first file has %zu",
			     adding->name, n, table->n_columns);
	return rc;
}

static enum err_code room_for_row(struct adding *adding, struct err *err)
{
	struct csv_table *table = adding->table;
	const int64_t cap = table->cap_rows ? 2 * table->cap_rows : FIRST_CAP;
	cell *grown;

	if (table->n_rows < table->cap_rows)
		return ERR_NONE;
	grown = mem_resize(table->cell, (size_t)cap,
			   table->n_columns * sizeof(*grown));
	if (!grown)
		return no_memory(adding->name, err);
	table->cell = grown;
	table->cap_rows = cap;
	return ERR_NONE;
}

static enum err_code read_row(struct adding *adding, struct err *err)
{
	struct csv_table *table = adding->table;
	const size_t line = adding->csv.line;
	struct csv_field field = { 0 };
	cell *row;
	size_t n = 0;
	enum err_code rc = room_for_row(adding, err);

	if (rc)
		return rc;
	row = table->cell + (size_t)table->n_rows * table->n_columns;
	for (; !field.is_last; n++) {
		rc = next_cell(adding, &field, err);
		if (rc)
			return rc;
		if (n < table->n_columns)
			row[n] = (cell)(field.bytes - adding->text)
				     << CELL_BITS |
				 field.len;
	}
	if (n == 1 && field.len == 0 && table->n_columns > 1)
		return ERR_NONE;
	if (n != table->n_columns)
		return err_set(err, ERR_INVALID,
			       "'%s': line %zu: expected %zu cells, got %zu",
			       adding->name, line, table->n_columns, n);
	table->n_rows++;
	return ERR_NONE;
}

static enum err_code keep(struct csv_table *table, char *text, const char *name,
			  struct err *err)
{
	struct text *grown =
	    mem_resize(table->text, table->n_texts + 1, sizeof(*grown));

	if (!grown) {
		mem_free(text);
		return no_memory(name, err);
	}
	table->text = grown;
	grown[table->n_texts++] = (struct text){ text, table->n_rows };
	return ERR_NONE;
}

/* Many programs write cells between tabs as they are, so that a quote is text:
 * where quotes are not around whole cells, or rows would not be whole. */
static bool has_quoted_cells(const char *text, size_t len, size_t n_columns)
{
	struct csv csv;
	struct csv_field field;
	size_t n = 0;

	csv_init(&csv, text, len, '\t');
	while (csv.at < csv.end) {
		if (csv_next(&csv, &field, NULL))
			return false;
		n++;
		if (!field.is_last)
			continue;
		if (!n_columns)
			n_columns = n;
		if (n != n_columns && !(n == 1 && field.len == 0))
			return false;
		n = 0;
	}
	return true;
}

enum err_code csv_table_add(struct csv_table *table, char *text, size_t len,
			    const char *name, struct err *err)
{
	struct adding adding = { .table = table, .text = text, .name = name };
	enum err_code rc = keep(table, text, name, err);

	if (rc)
		return rc;
	if (len >= TEXT_MAX)
		return err_set(err, ERR_TOO_LARGE, "'%s': more than 1 TiB",
			       name);
	csv_init(&adding.csv, text, len, csv_sniff(text, len));
	adding.csv.is_quoteless =
	    adding.csv.delimiter == '\t' && memchr(text, '"', len) &&
	    !has_quoted_cells(text, len, table->n_columns);
	if (adding.csv.at == adding.csv.end)
		return err_set(err, ERR_INVALID, "'%s' is empty", name);
	if (!table->is_named)
		rc = read_names(&adding, err);
	while (!rc && adding.csv.at < adding.csv.end)
		rc = read_row(&adding, err);
	return rc;
}

/* --- what there is --- */

int64_t csv_table_n_rows(const struct csv_table *table)
{
	return table->n_rows;
}

size_t csv_table_n_columns(const struct csv_table *table)
{
	return table->n_columns;
}

const char *csv_table_column_name(const struct csv_table *table, size_t i)
{
	return table->name[i];
}

const char *csv_table_cell(const struct csv_table *table, int64_t row,
			   size_t column, size_t *ret_len)
{
	const cell found = table->cell[(size_t)row * table->n_columns + column];
	size_t i = table->n_texts - 1;

	while (table->text[i].first_row > row)
		i--;
	*ret_len = (size_t)(found & CELL_MAX);
	return table->text[i].bytes + (found >> CELL_BITS);
}
