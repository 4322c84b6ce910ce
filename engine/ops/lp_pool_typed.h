/* SPDX-License-Identifier: Apache-2.0 */
/* Norms of windows in one type. T: element; sums are held in double. */

static void NAME(plane)(const struct window *win, double p, const T *x, T *y,
			double *sum)
{
	struct window_tap box;
	int64_t o, i;

	for (o = 0; o < win->n_out; o++)
		sum[o] = 0;
	for (int64_t tap = 0; tap < win->n_taps; tap++) {
		window_tap(win, tap, &box);
		for (int64_t row = 0; row < box.n_rows; row++) {
			window_row(win, &box, row, &o, &i);
			for (int64_t j = 0; j < box.hi[2] - box.lo[2]; j++)
				sum[o + j] +=
				    power((double)x[i + j * win->stride[2]], p);
		}
	}
	for (o = 0; o < win->n_out; o++)
		y[o] = (T)root(sum[o], p);
}

static void NAME(whole)(const T *x, int64_t n, double p, T *y)
{
	double sum = 0;

	for (int64_t i = 0; i < n; i++)
		sum += power((double)x[i], p);
	*y = (T)root(sum, p);
}

#undef T
#undef NAME
