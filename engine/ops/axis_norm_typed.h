/* SPDX-License-Identifier: Apache-2.0 */
/* Hardmax and LpNormalization in one type. T: element; `step` is the distance
 * of neighbours along the axis. Sums are held in double. */

static void NAME(hardmax)(const T *x, int64_t n, int64_t step, T *y)
{
	int64_t best = 0;

	for (int64_t i = 1; i < n; i++)
		if (x[i * step] > x[best * step])
			best = i;
	for (int64_t i = 0; i < n; i++)
		y[i * step] = i == best ? 1 : 0;
}

static void NAME(lp)(const T *x, int64_t n, int64_t step, int64_t p, T *y)
{
	double sum = 0;

	for (int64_t i = 0; i < n; i++) {
		const double v = (double)x[i * step];

		sum += p == 1 ? fabs(v) : v * v;
	}
	if (p == 2)
		sum = sqrt(sum);
	for (int64_t i = 0; i < n; i++)
		y[i * step] = sum > 0 ? (T)((double)x[i * step] / sum) : 0;
}

#undef T
#undef NAME
