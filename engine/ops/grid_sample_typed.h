/* SPDX-License-Identifier: Apache-2.0 */
/* One place of GridSample in all channels, in one type. T: element, SUM: the
 * type of sums. */

static void NAME(sample)(const struct taps *taps, const struct planes *planes,
			 const T *x, T *y)
{
	for (int64_t c = 0; c < planes->n; c++) {
		SUM sum = 0;

		for (unsigned t = 0; t < taps->n; t++)
			sum += (SUM)taps->weight[t] * (SUM)x[taps->at[t]];
		y[c * planes->out] = FROM(sum);
		x += planes->in;
	}
}
#undef T
#undef SUM
#undef FROM
#undef NAME
