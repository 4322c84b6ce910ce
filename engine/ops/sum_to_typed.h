/* SPDX-License-Identifier: Apache-2.0 */
/* Sums of elements of type T; NAME(sum_run) sums n neighbours, NAME(sum_rows)
 * adds rows to n sums. */

/* One result, whose innermost summed axis lies dense. */
static double NAME(sum_dense)(const struct sum_plan *plan, const T *x)
{
	const unsigned n_outer = plan->n_summed - 1;
	int64_t index[SHAPE_MAX_RANK] = { 0 }, offset = 0;
	double sum = 0.0;

	do
		sum += NAME(sum_run)(x + offset, plan->summed[n_outer]);
	while (next_index(n_outer, plan->summed, plan->summed_step, index,
			  &offset));
	return sum;
}

/* n neighbouring results, at most SUM_COLUMNS. */
static void NAME(sum_columns)(const struct sum_plan *plan, const T *x, T *y,
			      int64_t n)
{
	int64_t index[SHAPE_MAX_RANK] = { 0 }, offset = 0;
	const bool sums = plan->n_summed > 0;
	const unsigned last = sums ? plan->n_summed - 1 : 0;
	const int64_t rows = sums ? plan->summed[last] : 1;
	const int64_t step = sums ? plan->summed_step[last] : 0;
	double sum[SUM_COLUMNS];

	for (int64_t j = 0; j < n; j++)
		sum[j] = 0.0;
	do
		NAME(sum_rows)(x + offset, rows, step, n, sum);
	while (
	    next_index(last, plan->summed, plan->summed_step, index, &offset));
	for (int64_t j = 0; j < n; j++)
		y[j] = (T)sum[j];
}

static void NAME(sum_to)(const struct sum_plan *plan, const T *x, T *y,
			 int64_t first, int64_t last)
{
	const bool dense =
	    plan->n_summed > 0 && plan->summed_step[plan->n_summed - 1] == 1;
	int64_t n, inner;

	for (int64_t at = first; at < last; at += n) {
		const T *from = x + result_offset(plan, at, &inner);

		n = 1;
		if (dense) {
			y[at] = (T)NAME(sum_dense)(plan, from);
			continue;
		}
		if (plan->n_kept > 0)
			n = plan->kept[plan->n_kept - 1] - inner;
		if (n > last - at)
			n = last - at;
		if (n > SUM_COLUMNS)
			n = SUM_COLUMNS;
		NAME(sum_columns)(plan, from, y + at, n);
	}
}
