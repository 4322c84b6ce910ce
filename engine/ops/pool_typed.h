/* SPDX-License-Identifier: Apache-2.0 */
/* Largest values of windows in one type. T: element; LOWEST: what is below
 * all; IS_NAN: true for what compares with nothing, and wins. */

/* y[o] = max(y[o], x) over one tap's box */
static void NAME(max_tap)(const struct window *win, int64_t tap, const T *x,
			  T *y)
{
	struct window_tap box;
	int64_t o, i;

	window_tap(win, tap, &box);
	for (int64_t row = 0; row < box.n_rows; row++) {
		window_row(win, &box, row, &o, &i);
		for (int64_t j = 0; j < box.hi[2] - box.lo[2]; j++) {
			const T v = x[i + j * win->stride[2]];

			y[o + j] = v > y[o + j] || IS_NAN(v) ? v : y[o + j];
		}
	}
}

/* the same, with the place of the largest in the plane; -1: none yet */
static void NAME(max_tap_at)(const struct window *win, int64_t tap, const T *x,
			     T *y, int64_t *at)
{
	struct window_tap box;
	int64_t o, i;

	window_tap(win, tap, &box);
	for (int64_t row = 0; row < box.n_rows; row++) {
		window_row(win, &box, row, &o, &i);
		for (int64_t j = 0; j < box.hi[2] - box.lo[2]; j++) {
			const T v = x[i + j * win->stride[2]];

			if (at[o + j] < 0 || v > y[o + j] || IS_NAN(v)) {
				y[o + j] = v;
				at[o + j] = i + j * win->stride[2];
			}
		}
	}
}

static void NAME(max_plane)(const struct window *win, const T *x, T *y,
			    int64_t *at)
{
	for (int64_t o = 0; o < win->n_out; o++)
		y[o] = LOWEST;
	for (int64_t o = 0; at && o < win->n_out; o++)
		at[o] = -1;
	for (int64_t tap = 0; tap < win->n_taps; tap++) {
		if (at)
			NAME(max_tap_at)(win, tap, x, y, at);
		else
			NAME(max_tap)(win, tap, x, y);
	}
}

static void NAME(max_row)(const T *x, int64_t n, T *y)
{
	T max = LOWEST;

	for (int64_t i = 0; i < n; i++)
		max = x[i] > max || IS_NAN(x[i]) ? x[i] : max;
	*y = max;
}

#undef T
#undef LOWEST
#undef IS_NAN
#undef NAME
