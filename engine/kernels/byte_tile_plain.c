/* SPDX-License-Identifier: Apache-2.0 */
/* Tiles of byte products on any CPU: groups of one byte. */
#include <string.h>

#include "engine/kernels/byte_product_priv.h"

/* line += x times a row of a packed panel */
static void add_unsigned(int32_t x, const uint8_t *restrict b, int64_t width,
			 int32_t *restrict line)
{
	for (int64_t j = 0; j < width; j++)
		line[j] = (int32_t)((uint32_t)line[j] + (uint32_t)(x * b[j]));
}

static void add_signed(int32_t x, const uint8_t *restrict b, int64_t width,
		       int32_t *restrict line)
{
	for (int64_t j = 0; j < width; j++)
		line[j] =
		    (int32_t)((uint32_t)line[j] + (uint32_t)(x * (int8_t)b[j]));
}

void byte_tile_plain(const struct byte_work *w)
{
	for (int64_t i = 0; i < w->n_rows; i++) {
		int32_t *line = w->sum + i * BYTE_PANEL;
		const uint8_t *b = w->b;

		memset(line, 0, (size_t)w->width * sizeof(*line));
		for (int64_t l = 0; l < w->n_parts * w->k; l++) {
			const uint8_t *a = w->a + i * w->row_step +
					   w->part[l / w->k] + l % w->k;

			if (w->a_is_signed)
				add_unsigned((int8_t)*a, b, w->width, line);
			else
				add_signed(*a, b, w->width, line);
			b += w->width;
		}
	}
}

void byte_weave_plain(const uint8_t *const row[4], int64_t width, uint32_t flip,
		      uint8_t *to)
{
	for (unsigned i = 0; i < 4; i++, flip >>= 8) {
		const uint8_t *restrict from = row[i];
		uint8_t *restrict line = to + i * width;

		for (int64_t j = 0; j < width; j++)
			line[j] = (uint8_t)(from[j] ^ flip);
	}
}

int32_t byte_dot_plain(const uint8_t *a, const uint8_t *b, int64_t k,
		       bool a_is_signed)
{
	return byte_dot_of(a, b, k, a_is_signed);
}
