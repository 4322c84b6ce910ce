/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Running sums and products in one type T; U is T, or unsigned for integers,
 * so that nothing overflows; NAME(x) is T's name for x. Included by
 * cumulative.c once a type.
 */

/* One line block: n rows of `inner` elements, each from the one before it;
 * x and y are at the first, `step` leads to the next. */
static void NAME(block)(const struct cumulative *c, const T *x, T *y)
{
	const T *before = x;
	const int64_t step = c->is_reverse ? -c->inner : c->inner;
	const T start = c->is_product ? 1 : 0;

	for (int64_t j = 0; j < c->inner; j++)
		y[j] = c->is_exclusive ? start : x[j];
	for (int64_t i = 1; i < c->n; i++) {
		const T *last = y;

		y += step;
		x += step;
		before = c->is_exclusive ? x - step : x;
		if (c->is_product)
			for (int64_t j = 0; j < c->inner; j++)
				y[j] = (T)((U)last[j] * (U)before[j]);
		else
			for (int64_t j = 0; j < c->inner; j++)
				y[j] = (T)((U)last[j] + (U)before[j]);
	}
}

static void NAME(blocks)(const struct cumulative *c, const void *from, void *to)
{
	const int64_t size = c->n * c->inner;
	const int64_t first = c->is_reverse ? size - c->inner : 0;
	const T *x = (const T *)from + first;
	T *y = (T *)to + first;

	for (int64_t o = c->first; o < c->last; o++)
		NAME(block)(c, x + o * size, y + o * size);
}

#ifdef GOES_BACK
/* Line j of a block of CumProd: dx_i is the product before i times what comes
 * after, s_i = dy_i + x_(i+1) s_(i+1), which needs no division. */
static void NAME(line_back)(const struct cumulative *c, const T *x, const T *dy,
			    T *dx)
{
	const int64_t step = c->is_reverse ? -c->inner : c->inner;
	T before = 1, s = 0;

	for (int64_t i = 0; i < c->n; i++) {
		dx[i * step] = before;
		before = (T)((U)before * (U)x[i * step]);
	}
	for (int64_t i = c->n; i-- > 0;) {
		if (i + 1 < c->n)
			s = (T)((U)s * (U)x[(i + 1) * step]);
		if (!c->is_exclusive)
			s = (T)((U)s + (U)dy[i * step]);
		else if (i + 1 < c->n)
			s = (T)((U)s + (U)dy[(i + 1) * step]);
		dx[i * step] = (T)((U)dx[i * step] * (U)s);
	}
}
#endif
