/* SPDX-License-Identifier: Apache-2.0 */
/* The gradients of one place of GridSample in all channels, in one type T.
 * NAME(x) is T's name for x. x, dx, dy: of the place's image. */
static void NAME(place)(const struct corners *corners,
			const struct planes *planes, const T *x, const T *dy,
			T *dx, double *slope)
{
	for (int64_t c = 0; c < planes->n; c++) {
		const double up = (double)dy[c * planes->out];
		const int64_t plane = c * planes->in;

		for (unsigned t = 0; t < corners->n; t++) {
			const int64_t at = plane + corners->at[t];

			if (dx)
				dx[at] += (T)(up * corners->weight[t]);
			for (unsigned k = 0; k < corners->rank; k++)
				slope[k] +=
				    up * (double)x[at] * corners->slope[k][t];
		}
	}
}
#undef T
#undef NAME
