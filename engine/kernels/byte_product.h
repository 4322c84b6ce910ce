/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Byte products: exact sums of products of bytes, in int32, which wraps.
 *
 *   sum[i, j] = sum over l < k of (a[i, l] - zero of a) (b[l, j] - zero of b)
 * with a and b of uint8 or int8 each, in any combination. B is packed into
 * panels of BYTE_PANEL columns (byte_pack()): once for constant weights, or
 * panel by panel in a run. A is read as it lies: row i begins at
 * a + i * row_step, and a depth in several parts (the rows of a window, for a
 * convolution over channels that lie side by side) is read at
 * a + i * row_step + part[p], k bytes each.
 *
 * The work is done tile by tile: at most byte_rows() rows by one panel. There
 * are loops for AVX-512 with VNNI, for AVX2 and for any CPU; they differ in
 * what a packed panel looks like, never in a sum. Nothing saturates on the way.
 *
 * Ownership: plain data; nothing is allocated.
 * Threads:   pure functions.
 * Limits:    no byte behind a row's last is read. Packed bytes belong to the
 *            process that packed them (engine/pack.h).
 */
#ifndef ENGINE_KERNELS_BYTE_PRODUCT_H
#define ENGINE_KERNELS_BYTE_PRODUCT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { BYTE_PANEL = 64, BYTE_ROWS_MAX = 6 };

struct byte_loops;

/** The best that this CPU runs. */
const struct byte_loops *byte_loops(void);
/** Number 0 to byte_levels() - 1, the last of which is the best. */
const struct byte_loops *byte_loops_level(unsigned level);
unsigned byte_levels(void);

/** Extents and types of a product, and the loops that it is for. Members have
 * no gaps between: this is a form's key for pack_get(). */
struct byte_form {
	const struct byte_loops *loops; /**< byte_loops(); tests try others */
	int64_t n_parts; /**< of the depth; 1: it is in one piece */
	int64_t k;	 /**< of one part */
	int64_t n;	 /**< columns */
	int64_t a_is_signed, b_is_signed; /**< 1: int8; 0: uint8 */
};

/** B as it lies: element (l, j) of part p at
 * data + p * part_step + l * row_step + j * col_step. */
struct byte_matrix {
	const void *data;
	int64_t part_step, row_step, col_step;
};

/** A product by a packed B. Zero points are one for all (n 1) or one for each
 * row, column; NULL: 0. */
struct byte_product {
	struct byte_form form;
	const void *a;
	int64_t row_step;
	const int64_t *part; /**< where each part begins; NULL: one, at 0 */
	const void *packed;
	const int32_t *a_zero, *b_zero;
	int64_t n_a_zero, n_b_zero;
	/** Of each row, by byte_row_sums(); wanted where byte_wants_sums(). */
	const int32_t *row_sum;
};

/** Rows of the largest tile. */
int64_t byte_rows(const struct byte_loops *loops);
/** Such products are faster than those of floats: by about 4. */
bool byte_is_fast(const struct byte_loops *loops);

int64_t byte_panels(int64_t n);
size_t byte_pack_bytes(const struct byte_form *form);
void byte_pack(const struct byte_form *form, const struct byte_matrix *b,
	       void *to);

/** One panel that a run packs for itself: its columns are those of a product
 * with n <= BYTE_PANEL, whose form is of one part. */
struct byte_panel {
	struct byte_form form;
	void *to; /**< byte_pack_bytes(&form), 64-byte aligned */
};
/** Writes row l of it and those behind, n_rows of at most 4, l a multiple of
 * 4. row[i] has form.n bytes; up to the next multiple of 16 they may be read,
 * and do not matter. */
void byte_panel_rows(const struct byte_panel *panel, int64_t l,
		     const void *const row[4], unsigned n_rows);
/** Ends it: sums its columns. */
void byte_panel_end(const struct byte_panel *panel);

/** Row sums matter: B has zero points that packing did not take. */
bool byte_wants_sums(const struct byte_product *p);
/** sum[i] of rows [row, row + n_rows). */
void byte_row_sums(const struct byte_product *p, int64_t row, int64_t n_rows,
		   int32_t *sum);
/** sum[j] of b[l, j] - zero of b[j], over all columns. */
void byte_column_sums(const struct byte_product *p, int32_t *sum);
/** sum[i * BYTE_PANEL + j] of rows [row, row + n_rows), n_rows <= byte_rows(),
 * by the columns of that panel; behind its last column anything. row_sum and
 * a_zero are indexed by row. */
void byte_tile(const struct byte_product *p, int64_t row, int64_t n_rows,
	       int64_t panel, int32_t sum[BYTE_ROWS_MAX * BYTE_PANEL]);

/** A B of one column, form.n 1 and one part, is read as a vector: of
 * byte_vector_bytes(), made by byte_vector() of its k bytes. */
size_t byte_vector_bytes(const struct byte_form *form);
void byte_vector(const struct byte_form *form, const void *b, void *to);
/** sum[i] of rows [row, row + n_rows), as byte_tile() has it, where p->packed
 * is such a vector. */
void byte_rows_by_vector(const struct byte_product *p, int64_t row,
			 int64_t n_rows, int32_t *sum);
/** Has the cache read part i of n of a packed panel; panels behind the last are
 * none. */
void byte_prefetch(const struct byte_product *p, int64_t panel, int64_t i,
		   int64_t n);

#endif
