/* SPDX-License-Identifier: Apache-2.0 */
/* DeformConv in one type T. */

/* The element at (h, w) between four; those outside are 0. */
static T NAME(between)(const struct deform *d, const T *x, T h, T w)
{
	const double height = (double)d->win.in[1];
	const double width = (double)d->win.in[2];
	int64_t i, j, at;
	T sum = 0, down, right;

	if (!((double)h > -1 && (double)h < height && (double)w > -1 &&
	      (double)w < width))
		return 0;
	i = (int64_t)FLOOR(h);
	j = (int64_t)FLOOR(w);
	down = h - (T)i;
	right = w - (T)j;
	at = i * d->win.in[2] + j;
	if (i >= 0 && j >= 0)
		sum += (1 - down) * (1 - right) * x[at];
	if (i >= 0 && j + 1 < d->win.in[2])
		sum += (1 - down) * right * x[at + 1];
	if (i + 1 < d->win.in[1] && j >= 0)
		sum += down * (1 - right) * x[at + d->win.in[2]];
	if (i + 1 < d->win.in[1] && j + 1 < d->win.in[2])
		sum += down * right * x[at + d->win.in[2] + 1];
	return sum;
}

/* All that place p of image n reads: [channels, taps]. */
static void NAME(column)(const struct deform *d, const struct kernel_call *call,
			 int64_t n, int64_t p, T *column)
{
	const T *x = (const T *)call->in[0] + n * d->channels * d->win.n_in;
	const int64_t taps = d->win.n_taps, out = d->win.n_out;
	const int64_t first = n * d->offset_groups * taps;
	const T *offset = (const T *)call->in[2] + first * 2 * out + p;
	const T *mask =
	    d->has_mask ? (const T *)call->in[4] + first * out + p : NULL;
	const int64_t share = d->channels / d->offset_groups;

	for (int64_t k = 0; k < d->offset_groups * taps; k++) {
		const int64_t group = k / taps, tap = k % taps;
		const int64_t row = p / d->win.out[2], at = p % d->win.out[2];
		T h = (T)deform_place(d, 1, row, tap / d->win.kernel[2]);
		T w = (T)deform_place(d, 2, at, tap % d->win.kernel[2]);

		h += offset[2 * k * out];
		w += offset[(2 * k + 1) * out];
		for (int64_t c = group * share; c < (group + 1) * share; c++)
			column[c * taps + tap] =
			    NAME(between)(d, x + c * d->win.n_in, h, w) *
			    (mask ? mask[k * out] : 1);
	}
}

static void NAME(place)(const struct deform *d, const struct kernel_call *call,
			int64_t i, T *column)
{
	const int64_t n = i / d->win.n_out, p = i % d->win.n_out;
	const int64_t depth = d->channels / d->groups * d->win.n_taps;
	const int64_t share = d->filters / d->groups;
	const T *weight = call->in[1];
	T *y = (T *)call->out[0] + n * d->filters * d->win.n_out + p;

	NAME(column)(d, call, n, p, column);
	for (int64_t o = 0; o < d->filters; o++) {
		const T *from = column + o / share * depth;
		T sum = d->has_bias ? ((const T *)call->in[3])[o] : 0;

		for (int64_t k = 0; k < depth; k++)
			sum += weight[o * depth + k] * from[k];
		y[o * d->win.n_out] = sum;
	}
}
#undef T
#undef FLOOR
#undef NAME
