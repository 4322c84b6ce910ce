/* SPDX-License-Identifier: Apache-2.0 */
/* Compiled once for each level: BYTE_LOOPS_TABLE names the table, BYTE_TILE its
 * tiles, BYTE_GROUP says how they want B's bytes, BYTE_FAST whether they beat
 * floats. */
#include <string.h>

#include "engine/kernels/byte_product_priv.h"

static const uint8_t nothing[BYTE_PANEL];

/* flip: of the bytes of a group, by 128 each */
static void weave_fours(const uint8_t *const row[4], int64_t width,
			uint32_t flip, void *to)
{
	const uint8_t *restrict a = row[0], *restrict b = row[1];
	const uint8_t *restrict c = row[2], *restrict d = row[3];
	uint32_t *restrict four = to;

	for (int64_t j = 0; j < width; j += BYTE_STRIP) {
		for (int64_t i = j; i < j + BYTE_STRIP; i++)
			four[i] =
			    ((uint32_t)a[i] | (uint32_t)b[i] << 8 |
			     (uint32_t)c[i] << 16 | (uint32_t)d[i] << 24) ^
			    flip;
	}
}

static void weave_twos(const uint8_t *const row[2], int64_t width,
		       uint32_t flip, void *to)
{
	const uint8_t *restrict a = row[0], *restrict b = row[1];
	uint16_t *restrict two = to;

	for (int64_t j = 0; j < width; j += BYTE_STRIP) {
		for (int64_t i = j; i < j + BYTE_STRIP; i++)
			two[i] = (uint16_t)((a[i] | b[i] << 8) ^ (int)flip);
	}
}

static void copy_ones(const uint8_t *restrict a, int64_t width, uint32_t flip,
		      uint8_t *restrict to)
{
	for (int64_t j = 0; j < width; j++)
		to[j] = (uint8_t)(a[j] ^ flip);
}

/* Depth behind the last row is 0 as packed: it is not flipped. */
static uint32_t flips(uint8_t flip, unsigned n_rows)
{
	const uint32_t all = flip * 0x01010101U;

	return n_rows < 4 ? all & ((1U << 8 * n_rows) - 1) : all;
}

static void weave(const uint8_t *const row[4], unsigned n_rows, int64_t width,
		  uint8_t flip, uint8_t *to)
{
	const uint32_t all = flips(flip, n_rows);
	const uint8_t *from[4] = { nothing, nothing, nothing, nothing };

	for (unsigned i = 0; i < n_rows; i++)
		from[i] = row[i];
	if (BYTE_GROUP == 4) {
		weave_fours(from, width, all, to);
		return;
	}
	for (unsigned i = 0; i < n_rows && BYTE_GROUP == 1; i++)
		copy_ones(from[i], width, flip, to + i * width);
	for (unsigned i = 0; i < n_rows && BYTE_GROUP == 2; i += 2)
		weave_twos(from + i, width, all >> 8 * i & 0xFFFF,
			   to + i * width);
}

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
	.weave = weave,
	.take_zeros = take_zeros,
	.sum_unsigned = sum_unsigned,
	.sum_signed = sum_signed,
};
