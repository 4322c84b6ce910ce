/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Sums of gathered elements in one arithmetic type T; NAME(x) is T's name for
 * x, ADD(a, b, n, y) is y = a + b of n elements.
 */

/* rows[0..n) of inner elements are added in their order; a slice of the result
 * takes only its own rows, so that slices change no sum */
static void NAME(scatter_add)(const struct scatter *s, const void *from,
			      void *to)
{
	for (int64_t o = 0; o < s->outer; o++) {
		T *y = (T *)to + o * s->extent * s->inner;
		const T *x = (const T *)from + o * s->n * s->inner;

		for (int64_t i = 0; i < s->n; i++) {
			int64_t k = index_at(s->index, s->wide, i, s->extent);

			if (k >= s->first && k < s->last)
				ADD(y + k * s->inner, x + i * s->inner,
				    s->inner, y + k * s->inner);
		}
	}
}

/* the same where each element has its own index */
static void NAME(scatter_add_elements)(const struct elements *e,
				       const void *from, void *to)
{
	const T *x = from;
	T *y = to;
	int64_t at[SHAPE_MAX_RANK] = { 0 };

	for (int64_t i = 0; i < e->n; i++) {
		int64_t k = index_at(e->index, e->wide, i, e->extent);

		if (k >= 0)
			y[elements_offset(e, at) + k * e->pitch] += x[i];
		elements_next(e, at);
	}
}
