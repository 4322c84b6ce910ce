/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Tables of CSV: two texts, cut at the first NUL, of one table. Every cell
 * lies in its text.
 */
#include "tests/fuzz/fuzz.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "data/readers/csv_table.h"

static enum err_code add(struct csv_table *table, const uint8_t *data,
			 size_t size)
{
	char *text = mem_alloc(size + 1);
	struct err err = { 0 };
	enum err_code rc;

	if (!text)
		return ERR_NO_MEMORY;
	memcpy(text, data, size);
	text[size] = '\0';
	rc = csv_table_add(table, text, size, "fuzz", &err);
	assert(!rc == !err.msg[0]);
	return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *told[] = { "a", "b", "c" };
	const uint8_t *zero = memchr(data, 0, size);
	const size_t first = zero ? (size_t)(zero - data) : size;
	const struct field_strings names = { .v = told,
					     .n = size && data[0] == '!' ? 3
									 : 0 };
	struct csv_table *table = NULL;
	size_t sum = 0;

	if (csv_table_create(&names, &table, NULL))
		return 0;
	if (!add(table, data, first) && zero)
		(void)add(table, zero + 1, size - first - 1);
	for (int64_t row = 0; row < csv_table_n_rows(table); row++) {
		for (size_t i = 0; i < csv_table_n_columns(table); i++) {
			size_t len;
			const char *cell = csv_table_cell(table, row, i, &len);

			for (size_t j = 0; j < len; j++)
				sum += (unsigned char)cell[j];
		}
	}
	/* every byte was read, which sanitizers watched */
	assert(sum <= size * 255);
	csv_table_destroy(table);
	return 0;
}
