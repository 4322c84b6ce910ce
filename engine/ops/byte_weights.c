/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/ops/byte_weights.h"

#include "engine/kernels/convert_loops.h"

/* LARGEST: of what two bytes hold; DIGITS: bytes of a number; FEW_ROWS: they
 * take no longer than the cache to fetch the weights anyway */
enum { LARGEST = 127 * 256, DIGITS = 2, MIDDLE = 128, FEW_ROWS = 8 };
#define LEAST_REACH 1e-34F

/* Rows of x as bytes: the high ones of a row, then the low ones. */
struct rows {
	float factor[BYTE_WEIGHTS_ROWS];
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
	return (size_t)(BYTE_WEIGHTS_ROWS * DIGITS * k);
}

static void split_row(const float *x, int64_t k, float *factor, uint8_t *to)
{
	const struct convert_loops *loops = convert_loops();
	const float reach = loops->reach(x, k);
	const bool is_fine = reach > LEAST_REACH;

	*factor = is_fine ? reach / LARGEST : reach * 0;
	loops->split(x, is_fine ? LARGEST / reach : 0, k, to, to + k);
}

static void split_rows(const struct byte_weights *w, int64_t m, const float *x,
		       struct rows *rows, uint8_t *bytes)
{
	const int64_t k = w->form.k;

	for (int64_t i = 0; i < m; i++)
		split_row(x + i * k, k, &rows->factor[i],
			  bytes + i * DIGITS * k);
}

/* Rows [row, row + n_rows / DIGITS) of y. */
static void join_rows(const struct byte_weights *w, const struct rows *rows,
		      const int32_t *sum, const int64_t first_n[2], int64_t row,
		      int64_t n_rows, float *y)
{
	const int64_t first = first_n[0];

	for (int64_t r = 0; r < n_rows; r += DIGITS, row++) {
		const int32_t *const in[] = { sum + r * BYTE_PANEL,
					      w->middle + first,
					      sum + (r + 1) * BYTE_PANEL };

		convert_loops()->add_joined(in, w->scale + first,
					    rows->factor[row], first_n[1],
					    y + row * w->y_step + first);
	}
}

/* Tile by tile of rows that have both bytes in it. */
static void add_panel(const struct byte_weights *w,
		      const struct byte_product *product, int64_t m,
		      const struct rows *rows, int64_t panel, float *y)
{
	const int64_t most = byte_rows(w->form.loops) / DIGITS * DIGITS;
	const int64_t first = panel * BYTE_PANEL, left = w->form.n - first;
	const int64_t n = left < BYTE_PANEL ? left : BYTE_PANEL;
	int32_t sum[BYTE_ROWS_MAX * BYTE_PANEL];

	for (int64_t i = 0; i < m * DIGITS; i += most) {
		const int64_t rest = m * DIGITS - i;
		const int64_t n_rows = rest < most ? rest : most;

		/* the next panel comes while this one is worked at */
		if (rows->is_first)
			byte_prefetch(product, panel + 1, i / most,
				      (m * DIGITS + most - 1) / most);
		byte_tile(product, i, n_rows, panel, sum);
		join_rows(w, rows, sum, (int64_t[]){ first, n }, i / DIGITS,
			  n_rows, y);
	}
}

void byte_weights_middle(const struct byte_weights *w, int32_t *middle)
{
	const struct byte_product product = {
		.form = w->form,
		.packed = w->packed,
		.b_zero = w->zero,
		.n_b_zero = w->n_zero,
	};

	byte_column_sums(&product, middle);
	for (int64_t j = 0; j < w->form.n; j++)
		middle[j] *= MIDDLE;
}

void byte_weights_add(const struct byte_weights *w, int64_t m, const float *x,
		      float *y, const int64_t first_last[2], void *scratch)
{
	struct rows rows;
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
		const int64_t n =
		    left < BYTE_WEIGHTS_ROWS ? left : BYTE_WEIGHTS_ROWS;

		rows.is_first = i == 0 && m > FEW_ROWS;
		split_rows(w, n, x + i * w->form.k, &rows, scratch);
		if (wants_sums) {
			byte_row_sums(&product, 0, n * DIGITS, rows.sum);
			product.row_sum = rows.sum;
		}
		for (int64_t p = first_last[0]; p < first_last[1]; p++)
			add_panel(w, &product, n, &rows, p, y + i * w->y_step);
	}
}
