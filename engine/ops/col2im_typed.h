/* SPDX-License-Identifier: Apache-2.0 */
/* Col2Im in one type T. */

/* One tap's column added to the plane: x[source] += col[o] over its box. */
static void NAME(add_tap)(const struct window *win, int64_t tap, const T *col,
			  T *x)
{
	struct window_tap box;
	int64_t o, i;

	window_tap(win, tap, &box);
	for (int64_t row = 0; row < box.n_rows; row++) {
		window_row(win, &box, row, &o, &i);
		for (int64_t j = 0; j < box.hi[2] - box.lo[2]; j++)
			x[i + j * win->stride[2]] =
			    SUM(x[i + j * win->stride[2]], col[o + j]);
	}
}

static void NAME(plane)(const struct window *win, const T *col, T *x)
{
	memset(x, 0, (size_t)win->n_in * sizeof(T));
	for (int64_t tap = 0; tap < win->n_taps; tap++)
		NAME(add_tap)(win, tap, col + tap * win->n_out, x);
}
#undef T
#undef SUM
#undef NAME
