/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Table: rows of short texts, in columns as wide as they need.
 *
 * Ownership: cells are borrowed until the table is printed.
 * Threads:   one at a time.
 * Limits:    TABLE_COLUMNS columns; rows live in the arena.
 */
#ifndef CLI_TABLE_H
#define CLI_TABLE_H

#include "base/arena.h"
#include "cli/terminal.h"

enum { TABLE_COLUMNS = 12 };

struct table_row;

struct table {
	struct arena *arena;
	const char *const *heads; /**< ends with NULL */
	unsigned n_columns;
	struct table_row *first, *last;
};

void table_init(struct table *table, struct arena *arena,
		const char *const *heads);
/** As many cells as heads, or until a NULL; "" for what is not there. */
MUST_USE enum err_code table_add(struct table *table, const char *const *cells,
				 struct err *err);
void table_print(const struct table *table, const struct terminal *terminal);

#endif
