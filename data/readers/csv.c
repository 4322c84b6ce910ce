/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * CSV: a table in one file, or a folder with a training part (its name ends
 * with train.csv) and, where there, a part to validate on (valid.csv, else
 * test.csv); a folder may also hold just one table. Each may be gzipped.
 *
 * A cell that is empty, NA, N/A, NaN, null or ? is missing.
 */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "data/reader.h"
#include "data/readers/csv_table.h"
#include "data/readers/gunzip.h"

#define CSV_MAX_BYTES ((size_t)16 << 30)

enum { FILES_MAX = 4096, MISSING_MAX = 4 };

struct csv_source {
	struct csv_table *table;
	int64_t n_train; /* -1: one part */
};

/* The files of a folder that count, by what their names end with. */
struct found {
	const char *train, *valid, *test, *only;
	size_t n;
};

static bool is_table(const char *name)
{
	return str_ends_with(name, ".csv") || str_ends_with(name, ".csv.gz") ||
	       str_ends_with(name, ".tsv") || str_ends_with(name, ".tsv.gz");
}

static bool is_part(const char *name, const char *part)
{
	static const char *const suffix[] = { ".csv", ".csv.gz", ".tsv",
					      ".tsv.gz" };
	char end[32];

	for (size_t i = 0; i < sizeof(suffix) / sizeof(suffix[0]); i++) {
		(void)snprintf(end, sizeof(end), "%s%s", part, suffix[i]);
		if (str_ends_with(name, end))
			return true;
	}
	return false;
}

static enum err_code look(const struct file_root *root, const char *path,
			  struct arena *arena, struct found *ret,
			  struct err *err)
{
	const char *folder =
	    arena_printf(arena, "%s/%s", file_root_path(root), path);
	const char **name = NULL;
	size_t n = 0;
	enum err_code rc;

	*ret = (struct found){ 0 };
	if (!folder)
		return err_set(err, ERR_NO_MEMORY, "'%s': out of memory", path);
	rc = file_list_dir(folder, FILES_MAX, arena, &name, &n, err);
	for (size_t i = 0; i < n && !rc; i++) {
		if (!is_table(name[i]))
			continue;
		ret->n++;
		ret->only = name[i];
		if (is_part(name[i], "train"))
			ret->train = name[i];
		else if (is_part(name[i], "valid"))
			ret->valid = name[i];
		else if (is_part(name[i], "test"))
			ret->test = name[i];
	}
	return rc;
}

static bool is_folder(const struct file_root *root, const char *path)
{
	int fd;

	if (file_root_openat(root, path, FILE_FOLDER, &fd, NULL))
		return false;
	(void)close(fd);
	return true;
}

static bool csv_detects(const struct file_root *root, const char *path)
{
	struct arena *arena;
	struct found found = { 0 };
	bool yes;

	if (!is_folder(root, path))
		return is_table(path);
	arena = arena_create(1 << 20);
	yes = arena && !look(root, path, arena, &found, NULL) &&
	      (found.train || found.n == 1);
	arena_destroy(arena);
	return yes;
}

/* `file` is beneath the root. */
static enum err_code add_file(struct csv_source *csv,
			      const struct file_root *root, const char *file,
			      struct err *err)
{
	char *text = NULL, *packed;
	size_t len = 0;
	int fd = -1;
	enum err_code rc = file_root_openat(root, file, 0, &fd, err);

	if (rc)
		return rc;
	rc = file_read_fd(fd, file, CSV_MAX_BYTES, &text, &len, err);
	(void)close(fd);
	if (!rc && str_ends_with(file, ".gz")) {
		packed = text;
		text = NULL;
		rc = gunzip(
		    &(struct gunzip_source){ packed, len, CSV_MAX_BYTES, file },
		    &text, &len, err);
		mem_free(packed);
	}
	return rc ? rc : csv_table_add(csv->table, text, len, file, err);
}

static enum err_code add_folder(struct csv_source *csv,
				const struct reader_source *source,
				struct arena *arena, struct err *err)
{
	struct found found;
	const char *part[2] = { NULL };
	enum err_code rc = look(source->root, source->path, arena, &found, err);

	if (rc)
		return rc;
	part[0] = found.train ? found.train : found.only;
	if (found.train)
		part[1] = found.valid ? found.valid : found.test;
	if (!part[0] || (!found.train && found.n > 1))
		return err_set(err, ERR_INVALID,
			       "'%s' has %zu tables (.csv, .tsv); name one, or "
			       "end the names of its parts with train.csv and "
			       "test.csv",
			       source->shown, found.n);
	for (int i = 0; i < 2 && part[i] && !rc; i++) {
		const char *file =
		    arena_printf(arena, "%s/%s", source->path, part[i]);

		if (i == 1)
			csv->n_train = csv_table_n_rows(csv->table);
		rc = file ? add_file(csv, source->root, file, err)
			  : err_set(err, ERR_NO_MEMORY, "'%s': out of memory",
				    source->shown);
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
	rc = is_folder(source->root, source->path)
		 ? add_folder(csv, source, arena, err)
		 : add_file(csv, source->root, source->path, err);
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
