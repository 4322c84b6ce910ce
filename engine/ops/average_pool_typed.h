/* SPDX-License-Identifier: Apache-2.0 */
/* Averages of windows in one type; sums are held in double. share[o] is one
 * over the number of elements that window o counts. */

static void NAME(mean_plane)(const struct window *win, const double *share,
			     const T *x, T *y, double *sum)
{
	struct window_tap box;
	int64_t o, i;

	memset(sum, 0, (size_t)win->n_out * sizeof(sum[0]));
	for (int64_t tap = 0; tap < win->n_taps; tap++) {
		window_tap(win, tap, &box);
		for (int64_t row = 0; row < box.n_rows; row++) {
			window_row(win, &box, row, &o, &i);
			for (int64_t j = 0; j < box.hi[2] - box.lo[2]; j++)
				sum[o + j] += (double)x[i + j * win->stride[2]];
		}
	}
	for (o = 0; o < win->n_out; o++)
		y[o] = (T)(sum[o] * share[o]);
}

static void NAME(spread_plane)(const struct window *win, const double *share,
			       const T *dy, T *dx, double *sum)
{
	struct window_tap box;
	int64_t o, i;

	memset(sum, 0, (size_t)win->n_in * sizeof(sum[0]));
	for (int64_t tap = 0; tap < win->n_taps; tap++) {
		window_tap(win, tap, &box);
		for (int64_t row = 0; row < box.n_rows; row++) {
			window_row(win, &box, row, &o, &i);
			for (int64_t j = 0; j < box.hi[2] - box.lo[2]; j++)
				sum[i + j * win->stride[2]] +=
				    (double)dy[o + j] * share[o + j];
		}
	}
	for (i = 0; i < win->n_in; i++)
		dx[i] = (T)sum[i];
}

static void NAME(mean_row)(const T *x, int64_t n, T *y)
{
	double lane[LANES] = { 0 }, sum = 0;
	int64_t i = 0;

	for (; i + LANES <= n; i += LANES) {
		for (int64_t j = 0; j < LANES; j++)
			lane[j] += (double)x[i + j];
	}
	for (int64_t j = 0; i + j < n; j++)
		lane[j] += (double)x[i + j];
	for (int64_t j = 0; j < LANES; j++)
		sum += lane[j];
	*y = (T)(sum / (double)n);
}

#undef T
#undef NAME
