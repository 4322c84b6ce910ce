/* SPDX-License-Identifier: Apache-2.0 */
/* One channel of LRN in one type. T: element; sum holds inner doubles. */

static void NAME(channel)(const struct lrn *g, const T *x, int64_t c,
			  double *sum, T *y)
{
	const int64_t lo = c - g->before < 0 ? 0 : c - g->before;
	const int64_t hi =
	    c + g->after >= g->n_channels ? g->n_channels - 1 : c + g->after;

	for (int64_t i = 0; i < g->inner; i++)
		sum[i] = 0;
	for (int64_t k = lo; k <= hi; k++) {
		const T *from = x + k * g->inner;

		for (int64_t i = 0; i < g->inner; i++)
			sum[i] += (double)from[i] * (double)from[i];
	}
	for (int64_t i = 0; i < g->inner; i++)
		y[c * g->inner + i] =
		    (T)((double)x[c * g->inner + i] *
			pow(g->bias + g->factor * sum[i], -g->beta));
}

#undef T
#undef NAME
