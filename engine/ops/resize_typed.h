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
static void NAME(across)(const struct taps *taps, const T *x, int64_t n, T *y)
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

/* the transpose of it: dx += */
static void NAME(back_across)(const struct taps *taps, const T *dy, int64_t n,
			      T *dx)
{
	const int64_t *at = taps->at;
	const T *w = taps->WEIGHT;

	for (int64_t j = 0; j < n; j++)
		for (int64_t t = 0; t < taps->n; t++)
			dx[at[j * taps->n + t]] += w[j * taps->n + t] * dy[j];
}

/* Row `i` of the result: its source rows mixed, then across. mixed and wide:
 * rows of the input. */
static void NAME(linear_row)(const struct rows *rows, int64_t i, const void *x,
			     T *mixed, T *wide, T *y)
{
	const struct taps *last = &rows->taps[rows->r.rank - 1];
	const struct resize_axis *axis = &rows->r.axis[rows->r.rank - 1];
	T *to = axis->same ? y : mixed;
	struct mix mix;
	bool first = true;

	if (!mix_start(rows, i, &mix)) {
		for (int64_t j = 0; j < axis->out; j++)
			y[j] = (T)rows->r.extrapolation;
		return;
	}
	do {
		const T *row = (const T *)row_of(rows, x, mix.from, wide);

		if (mix.weight == 0)
			continue;
		NAME(mix)(to, row, (T)mix.weight, axis->in, first);
		first = false;
	} while (mix_next(rows, &mix));
	if (first)
		memset(to, 0, (size_t)axis->in * sizeof(T));
	if (!axis->same)
		NAME(across)(last, mixed, axis->out, y);
	for (int64_t j = 0; last->outside && j < axis->out; j++)
		if (last->outside[j])
			y[j] = (T)rows->r.extrapolation;
}

/* dx of all rows that row `i` of dy was made of */
static void NAME(back_row)(const struct rows *rows, int64_t i, const T *dy,
			   T *mixed, T *dx)
{
	const struct taps *last = &rows->taps[rows->r.rank - 1];
	const struct resize_axis *axis = &rows->r.axis[rows->r.rank - 1];
	const T *row = dy + i * axis->out;
	struct mix mix;

	if (!mix_start(rows, i, &mix))
		return;
	if (!axis->same) {
		memset(mixed, 0, (size_t)axis->in * sizeof(T));
		NAME(back_across)(last, row, axis->out, mixed);
		row = mixed;
	}
	do {
		if (mix.weight != 0)
			NAME(mix)
		(dx + mix.from, row, (T)mix.weight, axis->in, false);
	} while (mix_next(rows, &mix));
}
