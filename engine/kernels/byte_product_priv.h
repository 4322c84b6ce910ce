/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Byte products, inside: the tables that byte_product_table.c becomes, and the
 * tiles that they stand on.
 *
 * A packed panel of w columns, a multiple of 16, has the bytes of `group`
 * neighbours in depth side by side: [depth / group][w][group]. Of two factors
 * one is signed and one is not, as VPDPBUSD wants them: where A's are signed,
 * B's are packed without sign, and the other way round. A B of the wrong kind
 * is flipped, by 128.
 */
#ifndef ENGINE_KERNELS_BYTE_PRODUCT_PRIV_H
#define ENGINE_KERNELS_BYTE_PRODUCT_PRIV_H

#include "engine/kernels/byte_product.h"

enum { BYTE_STRIP = 16 }; /* columns: a panel's width is a multiple */

/** sum[i * BYTE_PANEL + j] = sum over parts and l < k of A's bytes times
 * packed ones, i < n_rows, j < width. */
struct byte_work {
	const uint8_t *a;
	int64_t row_step;
	const int64_t *part;
	int64_t n_parts, k, n_rows, width;
	bool a_is_signed;
	const uint8_t *b;
	int32_t *sum;
};
typedef void byte_work_run(const struct byte_work *work);

/** Four rows of a panel into groups. flip: of their bytes, a byte for each row,
 * xor'ed. to has room for four rows of `width`, a multiple of BYTE_STRIP. */
typedef void byte_weave_run(const uint8_t *const row[4], int64_t width,
			    uint32_t flip, uint8_t *to);

/** The sum of k products; of a and b one is signed. */
typedef int32_t byte_dot_run(const uint8_t *a, const uint8_t *b, int64_t k,
			     bool a_is_signed);

/* In plain C, which becomes vectors of the level that includes it. Sums wrap.
 */
static inline int32_t byte_dot_of(const uint8_t *a, const uint8_t *b, int64_t k,
				  bool a_is_signed)
{
	const uint8_t *restrict u = a_is_signed ? b : a;
	const int8_t *restrict s = (const int8_t *)(a_is_signed ? a : b);
	int32_t sum = 0;

	for (int64_t l = 0; l < k; l++)
		sum = (int32_t)((uint32_t)sum + (uint32_t)(u[l] * s[l]));
	return sum;
}

byte_work_run byte_tile_plain, byte_tile_v3, byte_tile_vnni;
byte_weave_run byte_weave_plain, byte_weave_v3, byte_weave_vnni;
byte_dot_run byte_dot_plain, byte_dot_v3, byte_dot_vnni;

/** What zero points take off: sum[i][j] -= a_zero[i] column[j] +
 * b_zero[j] rest[i]. b_zero NULL: 0. */
struct byte_zeros {
	int64_t n_rows, width;
	const int32_t *column, *b_zero;
	int32_t a_zero[BYTE_ROWS_MAX], rest[BYTE_ROWS_MAX];
};

struct byte_loops {
	int64_t group, rows;
	bool is_fast;
	byte_work_run *tile;
	byte_weave_run *weave;
	byte_dot_run *dot;
	void (*take_zeros)(const struct byte_zeros *zeros, int32_t *sum);
	int32_t (*sum_unsigned)(const uint8_t *x, int64_t n);
	int32_t (*sum_signed)(const int8_t *x, int64_t n);
};

extern const struct byte_loops byte_loops_base, byte_loops_v3, byte_loops_vnni;

#endif
