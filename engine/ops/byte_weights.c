/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/ops/byte_weights.h"

#include "engine/kernels/convert_loops.h"

/* LARGEST: of what two bytes hold; DIGITS: bytes of a number */
enum { LARGEST = 127 * 256, DIGITS = 2, MIDDLE = 128 };
#define LEAST_REACH 1e-34F

/* Rows of x as bytes: the high ones of a row, then the low ones. */
struct rows {
	float factor[BYTE_WEIGHTS_ROWS];
	int32_t zero[BYTE_WEIGHTS_ROWS * DIGITS];
	int32_t sum[BYTE_WEIGHTS_ROWS * DIGITS];
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

	for (int64_t i = 0; i < m; i++) {
		split_row(x + i * k, k, &rows->factor[i],
			  bytes + i * DIGITS * k);
		rows->zero[i * DIGITS] = MIDDLE;
		rows->zero[i * DIGITS + 1] = 0;
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

		byte_tile(product, i, n_rows, panel, sum);
		for (int64_t r = 0; r < n_rows; r += DIGITS) {
			const int64_t row = (i + r) / DIGITS;
			const int32_t *const high_low[DIGITS] = {
				sum + r * BYTE_PANEL, sum + (r + 1) * BYTE_PANEL
			};

			convert_loops()->add_joined(
			    high_low, w->scale + first, rows->factor[row], n,
			    y + row * w->y_step + first);
		}
	}
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
		.a_zero = rows.zero,
		.b_zero = w->zero,
		.n_a_zero = BYTE_WEIGHTS_ROWS * DIGITS,
		.n_b_zero = w->n_zero,
	};
	const bool wants_sums = byte_wants_sums(&product);

	for (int64_t i = 0; i < m; i += BYTE_WEIGHTS_ROWS) {
		const int64_t left = m - i;
		const int64_t n =
		    left < BYTE_WEIGHTS_ROWS ? left : BYTE_WEIGHTS_ROWS;

		split_rows(w, n, x + i * w->form.k, &rows, scratch);
		if (wants_sums) {
			byte_row_sums(&product, 0, n * DIGITS, rows.sum);
			product.row_sum = rows.sum;
		}
		for (int64_t p = first_last[0]; p < first_last[1]; p++)
			add_panel(w, &product, n, &rows, p, y + i * w->y_step);
	}
}
