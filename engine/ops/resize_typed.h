/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of Resize and of its gradient in one type T; WEIGHT: the member of
 * struct taps that holds T's weights. */

/* y = w x, or y += w x */
static void NAME(mix)(T *y, const T *x, T w, int64_t n, bool first)
{
	if (first)
		for (int64_t j = 0; j < n; j++)
			y[j] = w * x[j];
	else
		for (int64_t j = 0; j < n; j++)
			y[j] += w * x[j];
}

/* y[j] = the sum of j's taps */
static void NAME(across_1)(const struct taps *taps, const T *x, int64_t n, T *y)
{
	const int64_t *at = taps->at;
	const T *w = taps->WEIGHT;

	if (taps->n == 2) {
		for (int64_t j = 0; j < n; j++)
			y[j] = w[2 * j] * x[at[2 * j]] +
			       w[2 * j + 1] * x[at[2 * j + 1]];
		return;
	}
	for (int64_t j = 0; j < n; j++) {
		T sum = 0;

		for (int64_t t = 0; t < taps->n; t++)
			sum += w[j * taps->n + t] * x[at[j * taps->n + t]];
		y[j] = sum;
	}
}

/* the same for blocks of `inner` elements */
static void NAME(across)(const struct taps *taps, const T *x, int64_t n,
			 int64_t inner, T *y)
{
	if (inner == 1) {
		NAME(across_1)(taps, x, n, y);
		return;
	}
	for (int64_t i = 0; i < n * taps->n; i++) {
		const T w = taps->WEIGHT[i];

		NAME(mix)
		(y + i / taps->n * inner, x + taps->at[i], w, inner,
		 i % taps->n == 0);
	}
}

/* the transpose of it: dx += */
static void NAME(back_across)(const struct taps *taps, const T *dy, int64_t n,
			      int64_t inner, T *dx)
{
	for (int64_t i = 0; i < n * taps->n; i++) {
		const T w = taps->WEIGHT[i];

		NAME(mix)
		(dx + taps->at[i], dy + i / taps->n * inner, w, inner, false);
	}
}

static void NAME(fill)(const struct rows *rows, T *y, int64_t n)
{
	for (int64_t j = 0; j < n; j++)
		y[j] = (T)rows->r.extrapolation;
}

/* Row `i` of the result: its source rows mixed, then across. mixed and wide:
 * rows of the input. */
static void NAME(linear_row)(const struct rows *rows, int64_t i, const void *x,
			     T *mixed, T *wide, T *y)
{
	const struct taps *last = &rows->taps[rows->across];
	const struct resize_axis *axis = &rows->r.axis[rows->across];
	T *to = axis->same ? y : mixed;
	struct mix mix;
	bool first = true;

	if (!mix_start(rows, i, &mix)) {
		NAME(fill)(rows, y, rows->row_out);
		return;
	}
	do {
		const T *row = (const T *)row_of(rows, x, mix.from, wide);

		if (mix.weight == 0)
			continue;
		NAME(mix)(to, row, (T)mix.weight, rows->row_in, first);
		first = false;
	} while (mix_next(rows, &mix));
	if (first)
		memset(to, 0, (size_t)rows->row_in * sizeof(T));
	if (!axis->same)
		NAME(across)(last, mixed, axis->out, rows->inner, y);
	for (int64_t j = 0; last->outside && j < axis->out; j++)
		if (last->outside[j])
			NAME(fill)(rows, y + j * rows->inner, rows->inner);
}

/* dx of all rows that row `i` of dy was made of */
static void NAME(back_row)(const struct rows *rows, int64_t i, const T *dy,
			   T *mixed, T *dx)
{
	const struct taps *last = &rows->taps[rows->across];
	const struct resize_axis *axis = &rows->r.axis[rows->across];
	const T *row = dy + i * rows->row_out;
	struct mix mix;

	if (!mix_start(rows, i, &mix))
		return;
	if (!axis->same) {
		memset(mixed, 0, (size_t)rows->row_in * sizeof(T));
		NAME(back_across)(last, row, axis->out, rows->inner, mixed);
		row = mixed;
	}
	do {
		if (mix.weight == 0)
			continue;
		NAME(mix)
		(dx + mix.from, row, (T)mix.weight, rows->row_in, false);
	} while (mix_next(rows, &mix));
}
