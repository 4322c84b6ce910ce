/* SPDX-License-Identifier: Apache-2.0 */
/* Two sums over a row in one type, for headers that are included once a type:
 * T: element; LANES: how many sums run side by side, in a fixed order. */

/* sum[0] += sum of (a - shift_a), sum[1] += sum of (a - shift_a)(b - shift_b)
 */
static void NAME(row_sums)(const T *a, const T *b, int64_t n,
			   const double shift[2], double sum[2])
{
	double lane[2][LANES] = { { 0 } };
	int64_t i = 0;

	for (; i + LANES <= n; i += LANES) {
		for (int64_t j = 0; j < LANES; j++) {
			const double d = (double)a[i + j] - shift[0];

			lane[0][j] += d;
			lane[1][j] += d * ((double)b[i + j] - shift[1]);
		}
	}
	for (int64_t j = 0; i + j < n; j++) {
		const double d = (double)a[i + j] - shift[0];

		lane[0][j] += d;
		lane[1][j] += d * ((double)b[i + j] - shift[1]);
	}
	for (int64_t j = 0; j < LANES; j++) {
		sum[0] += lane[0][j];
		sum[1] += lane[1][j];
	}
}
