/* SPDX-License-Identifier: Apache-2.0 */
/* Normalization by the root mean square in one type. T: element of x. Sums are
 * held in double. */

static double NAME(rstd)(const T *x, int64_t n, double epsilon)
{
	double sum = 0;

	for (int64_t i = 0; i < n; i++)
		sum += (double)x[i] * (double)x[i];
	return 1 / sqrt(sum / (double)n + epsilon);
}

static void NAME(forward)(const struct rms *g, const struct kernel_call *call,
			  int64_t row)
{
	const T *x = (const T *)call->in[0] + row * g->n;
	const double rstd = NAME(rstd)(x, g->n, g->epsilon);

	for (int64_t i = 0; i < g->n; i++) {
		const int64_t at = row * g->n + i;

		store(call, at,
		      (double)(T)((double)x[i] * rstd) * scale_at(g, call, at));
	}
}

/* dx = rstd (dy - x rstd^2 mean(dy x)) */
static void NAME(backward)(const struct rms *g, const T *dy, const T *x, T *dx)
{
	const double rstd = NAME(rstd)(x, g->n, g->epsilon);
	double along = 0;

	for (int64_t i = 0; i < g->n; i++)
		along += (double)dy[i] * (double)x[i];
	along *= rstd * rstd / (double)g->n;
	for (int64_t i = 0; i < g->n; i++)
		dx[i] = (T)(rstd * ((double)dy[i] - along * (double)x[i]));
}

#undef T
#undef NAME
