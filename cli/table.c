/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/table.h"

#include <string.h>

#include "base/buf.h"

enum { GAP = 2 };

struct table_row {
	const char *cell[TABLE_COLUMNS];
	struct table_row *next;
};

void table_init(struct table *table, struct arena *arena,
		const char *const *heads)
{
	*table = (struct table){ .arena = arena, .heads = heads };
	while (heads[table->n_columns] && table->n_columns < TABLE_COLUMNS)
		table->n_columns++;
}

enum err_code table_add(struct table *table, const char *const *cells,
			struct err *err)
{
	struct table_row *row = arena_alloc(table->arena, sizeof(*row));
	bool is_over = false;

	if (!row)
		return err_set(err, ERR_NO_MEMORY, "table: out of memory");
	for (unsigned i = 0; i < table->n_columns; i++) {
		is_over = is_over || !cells[i];
		row->cell[i] = is_over ? "" : cells[i];
	}
	if (table->last)
		table->last->next = row;
	else
		table->first = row;
	table->last = row;
	return ERR_NONE;
}

static void print_row(const struct table *table,
		      const struct terminal *terminal, enum colour colour,
		      const char *const *cell, const unsigned *width)
{
	for (unsigned i = 0; i < table->n_columns; i++) {
		unsigned pad = width[i] + GAP - terminal_columns(cell[i]);

		terminal_put(terminal, colour, cell[i]);
		if (i + 1 < table->n_columns)
			(void)fprintf(terminal->file, "%*s", (int)pad, "");
	}
	(void)fputc('\n', terminal->file);
}

void table_print(const struct table *table, const struct terminal *terminal)
{
	unsigned width[TABLE_COLUMNS] = { 0 };

	for (unsigned i = 0; i < table->n_columns; i++)
		width[i] = terminal_columns(table->heads[i]);
	for (const struct table_row *row = table->first; row; row = row->next) {
		for (unsigned i = 0; i < table->n_columns; i++) {
			unsigned n = terminal_columns(row->cell[i]);

			width[i] = n > width[i] ? n : width[i];
		}
	}
	print_row(table, terminal, COLOUR_BOLD, table->heads, width);
	for (const struct table_row *row = table->first; row; row = row->next)
		print_row(table, terminal, COLOUR_PLAIN, row->cell, width);
}
