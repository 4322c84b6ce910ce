/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * CSV table: the cells of one or more CSV texts with the same columns.
 *
 * The first line names the columns unless names are given. Lines without a
 * character are passed over; spaces around a cell that is not quoted are not
 * its own. Every line must have as many cells as the first. Between tabs,
 * quotes that are not around whole cells are text, and so are all of that file.
 *
 * Ownership: create/destroy; the texts are the table's, and changed: quotes
 *            that were doubled are single. Cells borrow from it.
 * Threads:   read only once all texts are added.
 * Limits:    4,096 columns, 1 TiB of text, 16 MiB a cell.
 */
#ifndef DATA_READERS_CSV_TABLE_H
#define DATA_READERS_CSV_TABLE_H

#include "base/err.h"
#include "base/field.h"

struct csv_table;

/** columns: names for texts without a line of them; n 0: they have one. */
MUST_USE enum err_code csv_table_create(const struct field_strings *columns,
					struct csv_table **ret_table,
					struct err *err);
void csv_table_destroy(struct csv_table *table);
/** Takes `text` (mem_free) in any case; `name` is for messages. */
MUST_USE enum err_code csv_table_add(struct csv_table *table, char *text,
				     size_t len, const char *name,
				     struct err *err);

int64_t csv_table_n_rows(const struct csv_table *table);
size_t csv_table_n_columns(const struct csv_table *table);
const char *csv_table_column_name(const struct csv_table *table, size_t i);
/** Not ended by NUL. */
const char *csv_table_cell(const struct csv_table *table, int64_t row,
			   size_t column, size_t *ret_len);

#endif
