/* SPDX-License-Identifier: Apache-2.0 */
/* Some places of GridSample in all channels, in one type. T: element, SUM: the
 * type of sums, FROM(): from a sum to an element. */

static T NAME(sum)(const struct taps *taps, const T *x)
{
	SUM sum = 0;

	for (unsigned t = 0; t < taps->n; t++)
		sum += (SUM)taps->weight[t] * (SUM)x[taps->at[t]];
	return FROM(sum);
}

static void NAME(sample)(const struct taps *taps, const struct planes *planes,
			 const T *x, T *y)
{
	for (int64_t c = 0; c < planes->n; c++) {
		for (int64_t p = 0; p < planes->n_places; p++)
			y[p] = NAME(sum)(&taps[p], x);
		x += planes->in;
		y += planes->out;
	}
}
#undef T
#undef SUM
#undef FROM
#undef NAME
