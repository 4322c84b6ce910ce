/* SPDX-License-Identifier: Apache-2.0 */
/* Softmax in one type. T: element; EXP, LOG: its functions; `step` is the
 * distance of neighbours along the axis. Sums are held in double. */

static T NAME(largest)(const T *x, int64_t n, int64_t step)
{
	T max = x[0];

	for (int64_t i = 1; i < n; i++)
		max = x[i * step] > max ? x[i * step] : max;
	return max;
}

static void NAME(softmax)(const T *x, const T *none, T *y, int64_t n,
			  int64_t step)
{
	const T max = NAME(largest)(x, n, step);
	double sum = 0;
	T scale;

	(void)none;
	for (int64_t i = 0; i < n; i++) {
		y[i * step] = EXP(x[i * step] - max);
		sum += (double)y[i * step];
	}
	scale = (T)(1 / sum);
	for (int64_t i = 0; i < n; i++)
		y[i * step] *= scale;
}

static void NAME(log_softmax)(const T *x, const T *none, T *y, int64_t n,
			      int64_t step)
{
	const T max = NAME(largest)(x, n, step);
	double sum = 0;
	T shift;

	(void)none;
	for (int64_t i = 0; i < n; i++)
		sum += (double)EXP(x[i * step] - max);
	/* cppcheck-suppress invalidFunctionArg ; n is 1 or more */
	shift = (T)log(sum);
	for (int64_t i = 0; i < n; i++)
		y[i * step] = x[i * step] - max - shift;
}

/* dx = y (dy - sum dy y) */
static void NAME(softmax_grad)(const T *dy, const T *y, T *dx, int64_t n,
			       int64_t step)
{
	double sum = 0;

	for (int64_t i = 0; i < n; i++)
		sum += (double)dy[i * step] * (double)y[i * step];
	for (int64_t i = 0; i < n; i++)
		dx[i * step] = y[i * step] * (dy[i * step] - (T)sum);
}

/* dx = dy - exp(y) sum dy */
static void NAME(log_softmax_grad)(const T *dy, const T *y, T *dx, int64_t n,
				   int64_t step)
{
	double sum = 0;

	for (int64_t i = 0; i < n; i++)
		sum += (double)dy[i * step];
	for (int64_t i = 0; i < n; i++)
		dx[i * step] = dy[i * step] - EXP(y[i * step]) * (T)sum;
}

#undef T
#undef EXP
#undef NAME
