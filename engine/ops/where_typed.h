/* SPDX-License-Identifier: Apache-2.0 */
/* A row of Where, of elements that T is as large as. Operands lie on any
 * address that is a multiple of their element's size. */

/* One or both of the operands are a single element. */
static void NAME(where_still)(const struct where_row *row)
{
	const T *x = (const void *)row->x, *y = (const void *)row->y;
	T *out = (void *)row->out;
	const bool *c = row->c;
	const int64_t n = row->n;

	if (row->c_step && row->x_step) {
		const T still = y[0];

		for (int64_t i = 0; i < n; i++)
			out[i] = c[i] ? x[i] : still;
	} else if (row->c_step && row->y_step) {
		const T still = x[0];

		for (int64_t i = 0; i < n; i++)
			out[i] = c[i] ? still : y[i];
	} else {
		for (int64_t i = 0; i < n; i++)
			out[i] = c[i * row->c_step] ? x[i * row->x_step]
						    : y[i * row->y_step];
	}
}

static void NAME(where)(const struct where_row *row)
{
	const T *x = (const void *)row->x, *y = (const void *)row->y;
	T *out = (void *)row->out;

	if (!row->c_step || !row->x_step || !row->y_step) {
		NAME(where_still)(row);
		return;
	}
	for (int64_t i = 0; i < row->n; i++)
		out[i] = row->c[i] ? x[i] : y[i];
}
