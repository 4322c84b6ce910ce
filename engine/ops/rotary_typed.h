/* SPDX-License-Identifier: Apache-2.0 */
/* One row of rotary embedding in one type. T: element. */

static void NAME(rotate)(const struct rotary *g, const T *x, const T *cos,
			 const T *sin, T *y)
{
	const int64_t n = g->n_pairs;
	const int64_t step = g->interleaved ? 2 : 1;
	const int64_t other = g->interleaved ? 1 : n;

	for (int64_t i = 0; i < n; i++) {
		const T a = x[i * step], b = x[i * step + other];

		y[i * step] = a * cos[i] - b * sin[i];
		y[i * step + other] = a * sin[i] + b * cos[i];
	}
	for (int64_t i = 2 * n; i < g->size; i++)
		y[i] = x[i];
}

static void NAME(token)(const struct rotary *g, const struct kernel_call *call,
			int64_t item)
{
	const int64_t b = item / g->n_rows, s = item % g->n_rows;
	const int64_t at = position(g, call, b, s);
	const T *cos = (const T *)call->in[g->in_cos] + at * g->n_pairs;
	const T *sin = (const T *)call->in[g->in_cos + 1] + at * g->n_pairs;

	for (int64_t h = 0; h < g->n_heads; h++) {
		const int64_t from =
		    b * g->step_batch + h * g->step_head + s * g->step_row;
		const T *x = (const T *)call->in[0] + from;
		T *y = (T *)call->out[0] + from;

		if (at < 0)
			memset(y, 0, (size_t)g->size * sizeof(T));
		else
			NAME(rotate)(g, x, cos, sin, y);
	}
}

#undef T
#undef NAME
