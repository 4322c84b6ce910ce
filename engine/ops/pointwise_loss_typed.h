/* SPDX-License-Identifier: Apache-2.0 */
/* Losses of single elements in one type. T: element; EXP, LOG, LOG1P, ABS: its
 * functions. */

/* As PyTorch's: the logarithm of 0 is -100, and slopes are cut alike. */
static T NAME(log_at_least)(T x)
{
	const T y = x > 0 ? LOG(x) : -100;

	return y > -100 ? y : -100;
}

static T NAME(value)(enum loss_kind kind, T x, T t, T delta)
{
	const T d = x - t, a = ABS(d);

	switch (kind) {
	case LOSS_SQUARED:
		return d * d;
	case LOSS_ABSOLUTE:
		return a;
	case LOSS_HUBER:
		return a <= delta ? d * d / 2 : delta * (a - delta / 2);
	case LOSS_SMOOTH_L1:
		return a < delta ? d * d / (2 * delta) : a - delta / 2;
	case LOSS_LOGITS:
		return (x > 0 ? x : 0) - x * t + LOG1P(EXP(-ABS(x)));
	case LOSS_PROBABILITIES:
		return -t * NAME(log_at_least)(x) -
		       (1 - t) * NAME(log_at_least)(1 - x);
	}
	return 0;
}

/* by x */
static T NAME(slope)(enum loss_kind kind, T x, T t, T delta)
{
	const T d = x - t;
	const T sign = (T)((d > 0) - (d < 0));

	switch (kind) {
	case LOSS_SQUARED:
		return 2 * d;
	case LOSS_ABSOLUTE:
		return sign;
	case LOSS_HUBER:
		return ABS(d) <= delta ? d : delta * sign;
	case LOSS_SMOOTH_L1:
		return ABS(d) < delta ? d / delta : sign;
	case LOSS_LOGITS:
		return 1 / (1 + EXP(-x)) - t;
	case LOSS_PROBABILITIES:
		return d / ((1 - x) * x > (T)1e-12 ? (1 - x) * x : (T)1e-12);
	}
	return 0;
}

static void NAME(mean)(const struct kernel_call *call, enum loss_kind kind,
		       double delta)
{
	const int64_t n = shape_count(&call->query->in[0].shape);
	const T *x = call->in[0], *t = call->in[1];
	T *loss = call->out[0];
	double sum = 0;

	for (int64_t i = 0; i < n; i++)
		sum += (double)NAME(value)(kind, x[i], t[i], (T)delta);
	loss[0] = (T)(sum / (double)n);
}

static void NAME(slopes)(const struct kernel_call *call, enum loss_kind kind,
			 double delta, int64_t first, int64_t last)
{
	const int64_t n = shape_count(&call->query->in[1].shape);
	const T *dloss = call->in[0], *x = call->in[1], *t = call->in[2];
	const T scale = dloss[0] / (T)n;
	T *dx = call->out[0];

	for (int64_t i = first; i < last; i++)
		dx[i] = scale * NAME(slope)(kind, x[i], t[i], (T)delta);
}

#undef T
#undef EXP
#undef LOG
#undef LOG1P
#undef ABS
#undef NAME
