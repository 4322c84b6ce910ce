/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * CSV: a table in one file, or a folder with a training part (its name ends
 * with train.csv) and, where there, a part to validate on (valid.csv, else
 * test.csv); a folder may also hold just one table. Each may be gzipped.
 *
 * A cell that is empty, NA, N/A, NaN, null or ? is missing.
 */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "data/reader.h"
#include "data/readers/csv_table.h"
#include "data/readers/part_files.h"

#define CSV_MAX_BYTES ((size_t)16 << 30)

enum { MISSING_MAX = 4 };

struct csv_source {
	struct csv_table *table;
	int64_t n_train; /* -1: one part */
};

static const struct part_files files = {
	.suffix = (const char *const[]){ ".csv", ".tsv", NULL },
	.what = "tables (.csv, .tsv)",
	.parts = "train.csv and test.csv",
};

static bool csv_detects(const struct file_root *root, const char *path)
{
	return part_files_detect(&files, root, path);
}

/* `file` is beneath the root. */
static enum err_code add_file(struct csv_source *csv,
			      const struct file_root *root, const char *file,
			      struct err *err)
{
	char *text = NULL;
	size_t len = 0;
	enum err_code rc =
	    part_files_read(root, file, CSV_MAX_BYTES, &text, &len, err);

	return rc ? rc : csv_table_add(csv->table, text, len, file, err);
}

static enum err_code add_files(struct csv_source *csv,
			       const struct reader_source *source,
			       struct arena *arena, struct err *err)
{
	const char *path[PART_FILES];
	enum err_code rc = part_files_find(&files, source, arena, path, err);

	for (int i = 0; !rc && i < PART_FILES && path[i]; i++) {
		if (i == 1)
			csv->n_train = csv_table_n_rows(csv->table);
		rc = add_file(csv, source->root, path[i], err);
	}
	return rc;
}

static void csv_close(void *state)
{
	struct csv_source *csv = state;

	if (!csv)
		return;
	csv_table_destroy(csv->table);
	mem_free(csv);
}

static enum err_code csv_open(const struct reader_source *source,
			      void **ret_state, struct err *err)
{
	struct csv_source *csv = mem_zero(sizeof(*csv));
	struct arena *arena = arena_create((size_t)64 << 20);
	enum err_code rc = ERR_NONE;

	if (!csv || !arena)
		rc = err_set(err, ERR_NO_MEMORY, "'%s': out of memory",
			     source->shown);
	if (!rc)
		rc = csv_table_create(&source->columns, &csv->table, err);
	if (rc)
		goto out;
	csv->n_train = -1;
	rc = add_files(csv, source, arena, err);
	if (!rc) {
		*ret_state = csv;
		csv = NULL;
	}
out:
	csv_close(csv);
	arena_destroy(arena);
	return rc;
}

static int64_t csv_n_rows(const void *state)
{
	return csv_table_n_rows(((const struct csv_source *)state)->table);
}

static int64_t csv_n_fixed_train(const void *state)
{
	return ((const struct csv_source *)state)->n_train;
}

static enum err_code csv_column(const void *state, const char *feature,
				bool is_output, unsigned *ret_column,
				struct err *err)
{
	const struct csv_table *table =
	    ((const struct csv_source *)state)->table;
	char names[256] = "";
	size_t used = 0;

	(void)is_output;
	for (size_t i = 0; i < csv_table_n_columns(table); i++) {
		const char *name = csv_table_column_name(table, i);

		if (str_equal(name, feature)) {
			*ret_column = (unsigned)i;
			return ERR_NONE;
		}
		if (used < sizeof(names))
			used +=
			    (size_t)snprintf(names + used, sizeof(names) - used,
					     "%s%s", i ? ", " : "", name);
	}
	return err_set(err, ERR_INVALID,
		       "data: there is no column '%s' (there are %s%s); "
		       "data.columns names the columns of a file without a "
		       "line of names",
		       feature, names, used < sizeof(names) ? "" : "...");
}

static bool is_missing(const char *cell, size_t len)
{
	static const char *const word[] = { "",	   "NA",   "N/A", "NaN",
					    "nan", "null", "?",	  "NULL" };

	for (size_t i = 0;
	     len <= MISSING_MAX && i < sizeof(word) / sizeof(word[0]); i++)
		if (strlen(word[i]) == len && memcmp(cell, word[i], len) == 0)
			return true;
	return false;
}

static enum err_code csv_value(const void *state, int64_t row, unsigned column,
			       struct raw_value *ret, struct err *err)
{
	const struct csv_source *csv = state;
	size_t len;
	const char *cell = csv_table_cell(csv->table, row, column, &len);

	(void)err;
	*ret =
	    (struct raw_value){ .kind = RAW_TEXT, .bytes = cell, .len = len };
	if (is_missing(cell, len))
		ret->kind = RAW_MISSING;
	return ERR_NONE;
}

extern const struct reader reader_csv;
const struct reader reader_csv = {
	.name = "csv",
	.help = "tables of text with a line of names: a file, or a folder with "
		"*train.csv and *test.csv",
	.detects = csv_detects,
	.open = csv_open,
	.n_rows = csv_n_rows,
	.n_fixed_train = csv_n_fixed_train,
	.column = csv_column,
	.value = csv_value,
	.close = csv_close,
};
