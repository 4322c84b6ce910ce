/* SPDX-License-Identifier: Apache-2.0 */
/* Compiled once for each level: BYTE_LOOPS_TABLE names the table, BYTE_TILE its
 * tiles, BYTE_GROUP and BYTE_WEAVE say how they want B's bytes, BYTE_FAST
 * whether they beat floats. */
#include <string.h>

#include "engine/kernels/byte_product_priv.h"

static void take_zeros(const struct byte_zeros *z, int32_t *sum)
{
	for (int64_t i = 0; i < z->n_rows; i++) {
		const uint32_t a = (uint32_t)z->a_zero[i];
		const uint32_t rest = (uint32_t)z->rest[i];
		uint32_t line[BYTE_PANEL];

		memcpy(line, sum + i * BYTE_PANEL, sizeof(line));
		for (int64_t j = 0; j < z->width && a; j++)
			line[j] -= a * (uint32_t)z->column[j];
		for (int64_t j = 0; j < z->width && z->b_zero; j++)
			line[j] -= rest * (uint32_t)z->b_zero[j];
		memcpy(sum + i * BYTE_PANEL, line, sizeof(line));
	}
}

static int32_t sum_unsigned(const uint8_t *x, int64_t n)
{
	uint32_t sum = 0;

	for (int64_t i = 0; i < n; i++)
		sum += x[i];
	return (int32_t)sum;
}

static int32_t sum_signed(const int8_t *x, int64_t n)
{
	int32_t sum = 0;

	for (int64_t i = 0; i < n; i++)
		sum = (int32_t)((uint32_t)sum + (uint32_t)(int32_t)x[i]);
	return sum;
}

extern const struct byte_loops BYTE_LOOPS_TABLE;
const struct byte_loops BYTE_LOOPS_TABLE = {
	.group = BYTE_GROUP,
	.rows = BYTE_ROWS_MAX,
	.is_fast = BYTE_FAST,
	.tile = BYTE_TILE,
	.weave = BYTE_WEAVE,
	.dot = BYTE_DOT,
	.take_zeros = take_zeros,
	.sum_unsigned = sum_unsigned,
	.sum_signed = sum_signed,
};
