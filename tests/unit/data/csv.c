/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "data/readers/csv_table.h"
#include "tests/unit/data/pipeline_text.h"

#define FEATURES                                        \
	"input_features: [{name: age, type: number}]\n" \
	"output_features: [{name: kind, type: category}]\n"

static enum err_code add(struct csv_table *table, const char *text,
			 struct err *err)
{
	return csv_table_add(table, mem_strdup(text), strlen(text), "t.csv",
			     err);
}

static void expect(const struct csv_table *table, int64_t row, size_t column,
		   const char *expected)
{
	size_t len;
	const char *cell = csv_table_cell(table, row, column, &len);

	cr_assert_eq(len, strlen(expected), "%.*s", (int)len, cell);
	cr_assert_eq(memcmp(cell, expected, len), 0, "%.*s", (int)len, cell);
}

Test(csv, a_table_has_its_cells_without_quotes_and_spaces)
{
	const struct field_strings none = { 0 };
	struct csv_table *table;
	struct err err;

	cr_assert_eq(csv_table_create(&none, &table, &err), ERR_NONE);
	cr_assert_eq(
	    add(table, "a,b,c\n1 , \"x, y\", \"say \"\"no\"\"\"\n\n,,\n", &err),
	    ERR_NONE, "%s", err.msg);
	cr_assert_eq(csv_table_n_columns(table), 3);
	cr_assert_eq(csv_table_n_rows(table), 2);
	cr_assert_str_eq(csv_table_column_name(table, 2), "c");
	expect(table, 0, 0, "1");
	expect(table, 0, 1, "x, y");
	expect(table, 0, 2, "say \"no\"");
	expect(table, 1, 1, "");
	cr_assert_eq(add(table, "a,b,c\n7,8,9\n", &err), ERR_NONE);
	cr_assert_eq(csv_table_n_rows(table), 3);
	expect(table, 0, 0, "1");
	expect(table, 2, 2, "9");
	csv_table_destroy(table);
}

Test(csv, between_tabs_a_quote_may_be_text)
{
	static const struct {
		const char *text, *cell;
		int64_t n_rows;
	} row[] = {
		{ "k\tt\na\t\"Stop\" he said\nb\tc\n", "\"Stop\" he said", 2 },
		{ "k\tt\na\t\"Stop\nb\tc\n", "\"Stop", 2 },
		{ "k\tt\na\t\"x\tb\"\"\nb\"\n", "x\tb\"\nb", 1 },
		/* a quote that closes rows later would swallow them */
		{ "k\tt\na\t\"Stop\nb\tc\"\td\n", NULL, 0 },
	};
	const struct field_strings none = { 0 };

	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct csv_table *table;
		struct err err = { 0 };
		enum err_code rc;

		cr_assert_eq(csv_table_create(&none, &table, &err), ERR_NONE);
		rc = add(table, row[i].text, &err);
		cr_assert_eq(rc, row[i].cell ? ERR_NONE : ERR_INVALID, "%s",
			     err.msg);
		if (row[i].cell) {
			cr_assert_eq(csv_table_n_rows(table), row[i].n_rows);
			expect(table, 0, 1, row[i].cell);
		}
		csv_table_destroy(table);
	}
}

Test(csv, faults_of_a_table_name_file_line_and_column)
{
	static const struct {
		const char *text, *message;
	} row[] = {
		{ "", "'t.csv' is empty" },
		{ "a,b\n1\n", "'t.csv': line 2: expected 2 cells, got 1" },
		{ "a,b\n1,2\n1,2,3\n",
		  "'t.csv': line 3: expected 2 cells, got 3" },
		{ "a,b\n1,\"2\n",
		  "'t.csv': CSV: line 2: a quote that does not close" },
	};
	const struct field_strings none = { 0 };

	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct csv_table *table;
		struct err err;

		cr_assert_eq(csv_table_create(&none, &table, &err), ERR_NONE);
		cr_assert_eq(add(table, row[i].text, &err), ERR_INVALID, "%s",
			     row[i].text);
		cr_assert_str_eq(err.msg, row[i].message);
		csv_table_destroy(table);
	}
}

Test(csv, files_of_one_table_have_the_same_columns)
{
	static const char *const other[] = { "a,c\n1,2\n", "a\n1\n",
					     "a,b,c\n1,2,3\n" };
	const struct field_strings none = { 0 };

	for (size_t i = 0; i < sizeof(other) / sizeof(other[0]); i++) {
		struct csv_table *table;
		struct err err;

		cr_assert_eq(csv_table_create(&none, &table, &err), ERR_NONE);
		cr_assert_eq(add(table, "a,b\n1,2\n", &err), ERR_NONE);
		cr_assert_eq(add(table, other[i], &err), ERR_INVALID, "%s",
			     other[i]);
		csv_table_destroy(table);
	}
}

Test(csv, names_may_be_told)
{
	const char *name[] = { "x", "y" };
	const struct field_strings names = { .v = name, .n = 2 };
	struct csv_table *table;
	struct err err;

	cr_assert_eq(csv_table_create(&names, &table, &err), ERR_NONE);
	cr_assert_eq(add(table, "1;2\n3;4", &err), ERR_NONE, "%s", err.msg);
	cr_assert_eq(csv_table_n_rows(table), 2);
	expect(table, 1, 1, "4");
	csv_table_destroy(table);
}

/* --- as a job's data --- */

static void write_text(const char *folder, const char *name, const char *text)
{
	char path[256];
	struct err err;

	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	cr_assert_eq(file_write_atomic(path, text, strlen(text), &err),
		     ERR_NONE);
}

Test(csv, a_folder_has_parts_by_the_names_of_its_files)
{
	char folder[] = "/tmp/predictd-csv-XXXXXX", yaml[512];
	struct text_pipeline t;
	struct raw_value value;

	cr_assert(mkdtemp(folder));
	write_text(folder, "my-train.csv",
		   "age,kind,more\n1,a,x\n?,b,y\n3,b,z\n");
	write_text(folder, "my-test.csv", "age,kind,more\n4,a,x\n");
	(void)snprintf(yaml, sizeof(yaml),
		       FEATURES "data: {source: 'path:%s'}\n", folder);
	cr_assert_eq(text_pipeline_init(&t, yaml), ERR_NONE, "%s", t.err.msg);
	cr_assert_eq(text_dataset_init(&t, folder), ERR_NONE, "%s", t.err.msg);
	cr_assert_eq(dataset_n(t.dataset, PART_TRAIN), 3);
	cr_assert_eq(dataset_n(t.dataset, PART_VALID), 1);
	cr_assert_eq(dataset_input(t.dataset, 1, 0, &value, &t.err), ERR_NONE);
	cr_assert_eq(value.kind, RAW_MISSING);
	cr_assert_eq(dataset_target(t.dataset, 3, 0, &value, &t.err), ERR_NONE);
	cr_assert_eq(value.len, 1);
	cr_assert_eq(*value.bytes, 'a');
	text_pipeline_finish(&t);
	cr_assert_eq(file_remove_tree(folder, NULL), ERR_NONE);
}

static void expect_refusal(const char *source, const char *more,
			   const char *message)
{
	struct text_pipeline t;
	char yaml[512];

	(void)snprintf(yaml, sizeof(yaml),
		       FEATURES "data: {source: 'path:%s'%s}\n", source, more);
	cr_assert_eq(text_pipeline_init(&t, yaml), ERR_NONE, "%s", t.err.msg);
	cr_assert_eq(text_dataset_init(&t, "/tmp"), ERR_INVALID);
	cr_assert(strstr(t.err.msg, message), "%s", t.err.msg);
	text_pipeline_finish(&t);
}

Test(csv, a_file_may_be_the_source)
{
	char folder[] = "/tmp/predictd-csv-XXXXXX", yaml[512], path[256];
	struct text_pipeline t;

	cr_assert(mkdtemp(folder));
	write_text(folder, "a.csv", "age,kind\n1,a\n2,b\n");
	write_text(folder, "b.csv", "9;c\n");
	(void)snprintf(path, sizeof(path), "%s/b.csv", folder);
	(void)snprintf(yaml, sizeof(yaml),
		       FEATURES "data: {source: 'path:%s', columns: [age, "
				"kind]}\n",
		       path);
	cr_assert_eq(text_pipeline_init(&t, yaml), ERR_NONE, "%s", t.err.msg);
	cr_assert_eq(text_dataset_init(&t, folder), ERR_NONE, "%s", t.err.msg);
	cr_assert_eq(dataset_n(t.dataset, PART_TRAIN), 1);
	text_pipeline_finish(&t);
	expect_refusal(path, "", "there is no column 'age' (there are 9, c)");
	expect_refusal(folder, ", format: csv", "has 2 tables");
	expect_refusal(folder, "", "looks like none of the known formats");
	cr_assert_eq(file_remove_tree(folder, NULL), ERR_NONE);
}
