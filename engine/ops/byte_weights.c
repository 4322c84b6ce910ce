/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/ops/byte_weights.h"

#include <string.h>

#include "engine/kernels/convert_loops.h"
#include "engine/ops/quantize.h"

/* LARGEST: of what two bytes hold; DIGITS: bytes of a number; FEW_ROWS: they
 * take no longer than the cache to fetch the weights anyway */
enum { LARGEST = 127 * 256, DIGITS = 2, MIDDLE = 128, FEW_ROWS = 8 };
#define LEAST_REACH 1e-34F

/* Rows of x as bytes: the high ones of a row, then the low ones. */
struct rows {
	const struct convert_loops *loops;
	int64_t n, digits; /* bytes of a number */
	float factor[BYTE_WEIGHTS_ROWS];
	int32_t zero[BYTE_WEIGHTS_ROWS];
	int32_t sum[BYTE_WEIGHTS_ROWS * DIGITS];
	bool is_first; /* of their product */
};

struct byte_form byte_weights_form(const struct byte_loops *loops, int64_t k,
				   int64_t n, enum dtype elem)
{
	return (struct byte_form){
		.loops = loops,
		.n_parts = 1,
		.k = k,
		.n = n,
		.b_is_signed = elem == DTYPE_I8,
	};
}

size_t byte_weights_scratch(int64_t k)
{
	return (size_t)BYTE_WEIGHTS_ROWS * DIGITS * (size_t)k;
}

static void split_row(const float *x, int64_t k, struct rows *rows, int64_t i,
		      uint8_t *to)
{
	const struct convert_loops *loops = rows->loops;
	const float reach = loops->reach(x, k);
	const bool is_fine = reach > LEAST_REACH;

	rows->factor[i] = is_fine ? reach / LARGEST : reach * 0;
	rows->zero[i] = MIDDLE;
	if (is_fine) {
		loops->split(x, LARGEST / reach, k, to, to + k);
		return;
	}
	memset(to, MIDDLE, (size_t)k); /* all 0: the factor has what is left */
	memset(to + k, 0, (size_t)k);
}

static void narrow_row(const float *x, int64_t k, struct rows *rows, int64_t i,
		       uint8_t *to)
{
	const struct convert_loops *loops = rows->loops;
	struct byte_grid grid = { .high = UINT8_MAX };
	float range[2], reach;

	loops->range(x, k, range);
	reach = loops->reach(x, k);
	grid.scale = (range[1] - range[0]) / 255.0F;
	if (!(grid.scale > 0))
		grid.scale = 1;
	grid.zero = quantize_one((double)(-range[0] / grid.scale), 0, DTYPE_U8);
	loops->quantize(x, k, &grid, to);
	rows->factor[i] = grid.scale + reach * 0;
	rows->zero[i] = grid.zero;
}

static void load_rows(const struct byte_weights *w, const float *x,
		      struct rows *rows, uint8_t *bytes)
{
	const int64_t k = w->form.k;

	for (int64_t i = 0; i < rows->n; i++)
		if (w->is_narrow)
			narrow_row(x + i * k, k, rows, i, bytes + i * k);
		else
			split_row(x + i * k, k, rows, i,
				  bytes + i * DIGITS * k);
}

/* A tile's sums to rows of y. first: row of the tile, column of the panel. */
static void add_tile(const struct byte_weights *w, const struct rows *rows,
		     const int32_t *sum, const int64_t first[2], int64_t n_rows,
		     float *y)
{
	const int64_t left = w->form.n - first[1];
	const int64_t n = left < BYTE_PANEL ? left : BYTE_PANEL;

	for (int64_t r = 0; r < n_rows; r += rows->digits) {
		const int64_t row = (first[0] + r) / rows->digits;
		const struct byte_sums sums = {
			.sum = sum + r * BYTE_PANEL,
			.lower =
			    w->is_narrow ? NULL : sum + (r + 1) * BYTE_PANEL,
			.column = w->column + first[1],
			.base = w->base ? w->base + first[1] : NULL,
			.zero = rows->zero[row],
			.factor = rows->factor[row],
		};

		rows->loops->add_scaled(&sums, w->scale + first[1], n,
					y + row * w->y_step + first[1]);
	}
}

/* Tile by tile of rows that have all their bytes in it. */
static void add_panel(const struct byte_weights *w,
		      const struct byte_product *product,
		      const struct rows *rows, int64_t panel, float *y)
{
	const int64_t most =
	    byte_rows(w->form.loops) / rows->digits * rows->digits;
	const int64_t all = rows->n * rows->digits;
	int32_t sum[BYTE_ROWS_MAX * BYTE_PANEL];

	for (int64_t i = 0; i < all; i += most) {
		const int64_t n_rows = all - i < most ? all - i : most;

		/* the next panel comes while this one is worked at */
		if (rows->is_first)
			byte_prefetch(product, panel + 1, i / most,
				      (all + most - 1) / most);
		byte_tile(product, i, n_rows, panel, sum);
		add_tile(w, rows, sum, (int64_t[]){ i, panel * BYTE_PANEL },
			 n_rows, y);
	}
}

void byte_weights_columns(const struct byte_weights *w, int32_t *column)
{
	const struct byte_product product = {
		.form = w->form,
		.packed = w->packed,
		.b_zero = w->zero,
		.n_b_zero = w->n_zero,
	};

	byte_column_sums(&product, column);
}

void byte_weights_add(const struct byte_weights *w, int64_t m, const float *x,
		      float *y, const int64_t first_last[2], void *scratch)
{
	struct rows rows = { .loops = convert_loops(),
			     .digits = w->is_narrow ? 1 : DIGITS };
	struct byte_product product = {
		.form = w->form,
		.a = scratch,
		.row_step = w->form.k,
		.packed = w->packed,
		.b_zero = w->zero,
		.n_b_zero = w->n_zero,
	};
	const bool wants_sums = byte_wants_sums(&product);

	for (int64_t i = 0; i < m; i += BYTE_WEIGHTS_ROWS) {
		const int64_t left = m - i;

		rows.n = left < BYTE_WEIGHTS_ROWS ? left : BYTE_WEIGHTS_ROWS;
		rows.is_first = i == 0 && m > FEW_ROWS;
		load_rows(w, x + i * w->form.k, &rows, scratch);
		if (wants_sums) {
			byte_row_sums(&product, 0, rows.n * rows.digits,
				      rows.sum);
			product.row_sum = rows.sum;
		}
		for (int64_t p = first_last[0]; p < first_last[1]; p++)
			add_panel(w, &product, &rows, p, y + i * w->y_step);
	}
}
