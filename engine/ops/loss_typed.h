/* SPDX-License-Identifier: Apache-2.0 */
/* Cross-entropy in one type. T: element; EXP: its function. Row i of the
 * logits has c elements that lie g->inner apart. With HAS_ROW_LOOPS the three
 * functions that go over a row are there already. */

#ifndef HAS_ROW_LOOPS
/* the largest, and log sum exp(x - largest) */
static double NAME(log_sum)(const T *x, int64_t c, int64_t step, T *ret_max)
{
	T max = x[0];
	double sum = 0;

	for (int64_t k = 1; k < c; k++)
		max = x[k * step] > max ? x[k * step] : max;
	for (int64_t k = 0; k < c; k++)
		sum += (double)EXP(x[k * step] - max);
	*ret_max = max;
	/* cppcheck-suppress invalidFunctionArg ; c is 1 or more */
	return log(sum);
}

static void NAME(log_row)(const T *x, const double shift[2], int64_t c,
			  int64_t step, T *y)
{
	for (int64_t k = 0; k < c; k++)
		y[k * step] = (T)((double)x[k * step] - shift[0] - shift[1]);
}

/* y = factor exp(x) + add */
static void NAME(exp_row)(const T *x, const double factor_add[2], int64_t c,
			  int64_t step, T *y)
{
	for (int64_t k = 0; k < c; k++)
		y[k * step] = (T)(factor_add[0] * (double)EXP(x[k * step]) +
				  factor_add[1]);
}
#endif

/* sum of -w[k] log p[k] over all classes, for label smoothing */
static double NAME(all_classes)(const struct cross_entropy *g, const T *x,
				double shift, const T *weight)
{
	double sum = 0;

	for (int64_t k = 0; k < g->c; k++)
		sum -= (weight ? (double)weight[k] : 1) *
		       ((double)x[k * g->inner] - shift);
	return sum;
}

static void NAME(forward)(const struct cross_entropy *g,
			  const struct kernel_call *call)
{
	const T *logits = call->in[0];
	const T *weight = g->has_weight ? call->in[2] : NULL;
	T *loss = call->out[0], *log_prob = g->keeps ? call->out[1] : NULL;
	struct cross_entropy_sum sum = { 0 };

	for (int64_t i = 0; i < g->n_rows; i++) {
		const int64_t at = first_of_row(g, i);
		const T *x = logits + at;
		const int64_t t = target_of_row(g, call, call->in[1], i);
		double w = 1, shift, parts[2];
		T max;

		parts[1] = NAME(log_sum)(x, g->c, g->inner, &max);
		parts[0] = (double)max;
		shift = parts[0] + parts[1];
		if (log_prob)
			NAME(log_row)(x, parts, g->c, g->inner, log_prob + at);
		if (t < 0)
			continue;
		w = weight ? (double)weight[t] : 1;
		sum.weight += w;
		sum.hard -= w * ((double)x[t * g->inner] - shift);
		if (g->smoothing > 0)
			sum.smooth += NAME(all_classes)(g, x, shift, weight);
	}
	if (loss)
		loss[0] = (T)(((1 - g->smoothing) * sum.hard +
			       g->smoothing / (double)g->c * sum.smooth) /
			      sum.weight);
}

/* Of one row: dx[k] = f ((1 - e) w[t] (p[k] - [k = t])
 *                        + e / c (p[k] sum w - w[k])) */
static void NAME(row_grad)(const struct cross_entropy *g, int64_t t,
			   const T *log_prob, const T *weight, T *dx)
{
	const double wt = weight ? (double)weight[t] : 1;
	const double hard = g->factor * (1 - g->smoothing) * wt;
	const double smooth = g->factor * g->smoothing / (double)g->c;
	const double factor_add[2] = { hard + smooth * g->weight_sum,
				       weight ? 0 : -smooth };

	NAME(exp_row)(log_prob, factor_add, g->c, g->inner, dx);
	for (int64_t k = 0; weight && smooth != 0 && k < g->c; k++)
		dx[k * g->inner] -= (T)(smooth * (double)weight[k]);
	dx[t * g->inner] -= (T)hard;
}

static void NAME(backward)(struct cross_entropy *g,
			   const struct kernel_call *call)
{
	const T *dloss = call->in[0], *log_prob = call->in[1];
	const T *weight = g->has_weight ? call->in[3] : NULL;
	T *dx = call->out[0];
	double sum = 0;

	g->weight_sum = 0;
	for (int64_t k = 0; k < g->c; k++)
		g->weight_sum += weight ? (double)weight[k] : 1;
	for (int64_t i = 0; i < g->n_rows; i++) {
		const int64_t t = target_of_row(g, call, call->in[2], i);

		if (t >= 0)
			sum += weight ? (double)weight[t] : 1;
	}
	g->factor = (double)dloss[0] / sum;
	for (int64_t i = 0; i < g->n_rows; i++) {
		const int64_t t = target_of_row(g, call, call->in[2], i);
		const int64_t at = first_of_row(g, i);

		if (t >= 0)
			NAME(row_grad)(g, t, log_prob + at, weight, dx + at);
		for (int64_t k = 0; t < 0 && k < g->c; k++)
			dx[at + k * g->inner] = 0;
	}
}

#undef T
#undef EXP
#undef NAME
