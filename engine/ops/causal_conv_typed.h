/* SPDX-License-Identifier: Apache-2.0 */
/* Causal convolution of one channel in one type. T: element; EXP: its
 * function. past is NULL for zeros. */

static void NAME(channel)(const struct causal *g, const T *x, const T *past,
			  const T *w, T bias, T *y)
{
	for (int64_t t = 0; t < g->length; t++)
		y[t] = bias;
	for (int64_t j = 0; j < g->k; j++) {
		/* tap j of output t reads x[t - back] */
		const int64_t back = g->k - 1 - j;
		const int64_t n = back < g->length ? back : g->length;

		for (int64_t t = 0; past && t < n; t++)
			y[t] += w[j] * past[t + j];
		for (int64_t t = n; t < g->length; t++)
			y[t] += w[j] * x[t - back];
	}
	for (int64_t t = 0; g->is_silu && t < g->length; t++)
		y[t] = y[t] / (1 + EXP(-y[t]));
}

/* the last k - 1 elements of past, then x */
static void NAME(state)(const struct causal *g, const T *x, const T *past,
			T *state)
{
	for (int64_t i = 0; i < g->k - 1; i++) {
		const int64_t at = g->length + i; /* of past, then x */

		if (at >= g->k - 1)
			state[i] = x[at - (g->k - 1)];
		else
			state[i] = past ? past[at] : 0;
	}
}

static void NAME(row)(const struct causal *g, const struct kernel_call *call,
		      int64_t item)
{
	const int64_t c = item % g->n_channels, n_past = g->k - 1;
	const T *x = (const T *)call->in[0] + item * g->length;
	const T *past =
	    g->has_past ? (const T *)call->in[3] + item * n_past : NULL;

	if (call->out[0])
		NAME(channel)
	(g, x, past, (const T *)call->in[1] + c * g->k,
	 g->has_bias ? ((const T *)call->in[2])[c] : 0,
	 (T *)call->out[0] + item * g->length);
	if (call->query->n_out > 1 && call->out[1])
		NAME(state)(g, x, past, (T *)call->out[1] + item * n_past);
}

#undef T
#undef EXP
#undef NAME
