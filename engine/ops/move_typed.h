/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Move's innermost loops for one element size: T is a type of that size,
 * NAME(x) its name for x. Included by move.c once a size.
 */

static void NAME(row)(const struct strided *s, void *to, const void *from)
{
	T *y = to;
	const T *x = from;

	for (int64_t i = 0; i < s->n; i++)
		y[i * s->to] = x[i * s->from];
}

/* y[i][j] = x[j][i] in tiles, so that both sides use whole cache lines */
static void NAME(tile)(const struct tiles *s, void *to, const void *from)
{
	T *y = to;
	const T *x = from;

	for (int64_t i0 = 0; i0 < s->rows; i0 += MOVE_TILE) {
		int64_t i1 = min_int(i0 + MOVE_TILE, s->rows);

		for (int64_t j0 = 0; j0 < s->columns; j0 += MOVE_TILE) {
			int64_t j1 = min_int(j0 + MOVE_TILE, s->columns);

			for (int64_t i = i0; i < i1; i++)
				for (int64_t j = j0; j < j1; j++)
					y[i * s->to + j] = x[i + j * s->from];
		}
	}
}
