/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/table.h"

#include <criterion/criterion.h>

#include "base/buf.h"

Test(table, columns_are_as_wide_as_they_need)
{
	static const char *const heads[] = { "ID", "NAME", "STATE", NULL };
	static const char *const rows[][3] = { { "1", "na\xc3\xafve", "x" },
					       { "22222", "", NULL } };
	struct arena *arena = arena_create(1 << 16);
	char text[512] = { 0 };
	FILE *file = fmemopen(text, sizeof(text), "w");
	struct terminal terminal = { .file = file };
	struct table table;

	table_init(&table, arena, heads);
	for (size_t i = 0; i < 2; i++)
		cr_assert_eq(table_add(&table, rows[i], NULL), ERR_NONE);
	table_print(&table, &terminal);
	cr_assert_eq(fclose(file), 0);
	cr_assert_str_eq(text, "ID     NAME   STATE\n"
			       "1      na\xc3\xafve  x\n"
			       "22222         \n");
	arena_destroy(arena);
}

Test(terminal, control_characters_of_a_server_are_not_passed_on)
{
	struct buf buf;

	buf_init(&buf, 256);
	terminal_clean(&buf, "a\x1b[31mb\r\n\x7f\xc2\x9b"
			     "c\xc3\xa4\xff");
	cr_assert_str_eq(buf.data, "a?[31mb????c\xc3\xa4?");
	buf_finish(&buf);
}

Test(terminal, colours_need_a_terminal)
{
	char text[64] = { 0 };
	FILE *file = fmemopen(text, sizeof(text), "w");
	struct terminal plain = { .file = file };
	struct terminal coloured = { .file = file, .has_colour = true };

	terminal_put(&plain, COLOUR_RED, "x");
	terminal_put(&coloured, COLOUR_RED, "y");
	terminal_put(&coloured, COLOUR_PLAIN, "z");
	cr_assert_eq(fclose(file), 0);
	cr_assert_str_eq(text, "x\x1b[31my\x1b[0mz");
	cr_assert_not(terminal_of(stdout, true).has_colour);
}
