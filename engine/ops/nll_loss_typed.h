/* SPDX-License-Identifier: Apache-2.0 */
/* Negative log likelihood in one type. T: element. The classes of row i lie
 * g->inner apart from first_of_row() on. */

/* log of the sum of exponentials of a row, or 0 where x are logarithms of
 * probabilities already */
static double NAME(normalizer)(const struct nll *g, const T *x)
{
	double max = (double)x[0], sum = 0;

	if (!g->is_score)
		return 0;
	for (int64_t k = 1; k < g->c; k++)
		max = fmax(max, (double)x[k * g->inner]);
	for (int64_t k = 0; k < g->c; k++)
		sum += exp((double)x[k * g->inner] - max);
	return max + log(sum);
}

static void NAME(forward)(const struct nll *g, const struct kernel_call *call)
{
	const T *weight = g->has_weight ? call->in[2] : NULL;
	T *loss = call->out[0];
	T *log_prob = call->query->n_out > 1 ? call->out[1] : NULL;
	double sum = 0, weights = 0;

	for (int64_t i = 0; i < g->n_rows; i++) {
		const int64_t at = first_of_row(g, i);
		const T *x = (const T *)call->in[0] + at;
		const int64_t t = target_of_row(g, call, call->in[1], i);
		const double shift = NAME(normalizer)(g, x);
		double w = 0, value = 0;

		for (int64_t k = 0; log_prob && k < g->c; k++)
			log_prob[at + k * g->inner] =
			    (T)((double)x[k * g->inner] - shift);
		if (t >= 0) {
			w = weight ? (double)weight[t] : 1;
			value = -w * ((double)x[t * g->inner] - shift);
		}
		sum += value;
		weights += w;
		if (loss && g->reduction == REDUCE_NONE)
			loss[i] = (T)value;
	}
	if (loss && g->reduction == REDUCE_SUM)
		loss[0] = (T)sum;
	if (loss && g->reduction == REDUCE_MEAN)
		loss[0] = (T)(sum / weights);
}

static void NAME(backward)(const struct nll *g, const struct kernel_call *call)
{
	const T *weight = g->has_weight ? call->in[2] : NULL;
	const T *dloss = call->in[0];
	T *dx = call->out[0];
	double weights = 0;

	for (int64_t i = 0; i < g->n_rows * g->c; i++)
		dx[i] = 0;
	for (int64_t i = 0; i < g->n_rows; i++) {
		const int64_t t = target_of_row(g, call, call->in[1], i);

		if (t >= 0)
			weights += weight ? (double)weight[t] : 1;
	}
	if (g->reduction != REDUCE_MEAN)
		weights = 1;
	for (int64_t i = 0; i < g->n_rows; i++) {
		const int64_t t = target_of_row(g, call, call->in[1], i);
		const double d =
		    (double)dloss[g->reduction == REDUCE_NONE ? i : 0];

		if (t >= 0)
			dx[first_of_row(g, i) + t * g->inner] =
			    (T)(-d * (weight ? (double)weight[t] : 1) /
				weights);
	}
}

#undef T
#undef NAME
