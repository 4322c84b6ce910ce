/* SPDX-License-Identifier: Apache-2.0 */
/* Plain convolutions in one type, tap by tap. Sums are held in double, in
 * scratch: one plane of the result. */

/* sum[o] += w x over one tap's box */
static void NAME(add_tap)(const struct window *win, int64_t tap, const T *x,
			  double w, double *sum)
{
	struct window_tap box;
	int64_t o, i;

	window_tap(win, tap, &box);
	for (int64_t row = 0; row < box.n_rows; row++) {
		window_row(win, &box, row, &o, &i);
		for (int64_t j = 0; j < box.hi[2] - box.lo[2]; j++)
			sum[o + j] += w * (double)x[i + j * win->stride[2]];
	}
}

/* sum[i] += w dy over one tap's box: the same the other way round */
static void NAME(add_tap_back)(const struct window *win, int64_t tap,
			       const T *dy, double w, double *sum)
{
	struct window_tap box;
	int64_t o, i;

	window_tap(win, tap, &box);
	for (int64_t row = 0; row < box.n_rows; row++) {
		window_row(win, &box, row, &o, &i);
		for (int64_t j = 0; j < box.hi[2] - box.lo[2]; j++)
			sum[i + j * win->stride[2]] += w * (double)dy[o + j];
	}
}

/* sum of x dy over one tap's box: the gradient of one weight */
static double NAME(dot_tap)(const struct window *win, int64_t tap, const T *x,
			    const T *dy)
{
	struct window_tap box;
	double sum = 0;
	int64_t o, i;

	window_tap(win, tap, &box);
	for (int64_t row = 0; row < box.n_rows; row++) {
		window_row(win, &box, row, &o, &i);
		for (int64_t j = 0; j < box.hi[2] - box.lo[2]; j++)
			sum += (double)x[i + j * win->stride[2]] *
			       (double)dy[o + j];
	}
	return sum;
}

static void NAME(forward)(const struct conv *g, const struct kernel_call *call,
			  double *sum)
{
	const struct window *win = &g->window;
	const T *x = call->in[0], *w = call->in[1];
	const T *bias = call->query->n_in > 2 ? call->in[2] : NULL;
	const int64_t n_m = g->group * g->m;
	T *y = call->out[0];

	for (int64_t plane = 0; plane < g->batch * n_m; plane++) {
		const int64_t n = plane / n_m, m = plane % n_m;
		const int64_t c0 = (n * g->group + m / g->m) * g->c;
		const T *wm = w + m * g->c * win->n_taps;

		for (int64_t o = 0; o < win->n_out; o++)
			sum[o] = bias ? (double)bias[m] : 0;
		for (int64_t k = 0; k < g->c * win->n_taps; k++)
			NAME(add_tap)
		(win, k % win->n_taps, x + (c0 + k / win->n_taps) * win->n_in,
		 (double)wm[k], sum);
		for (int64_t o = 0; o < win->n_out; o++)
			y[plane * win->n_out + o] = (T)sum[o];
	}
}

/* with the bias of a ConvTranspose */
static void NAME(grad_data)(const struct conv *g,
			    const struct kernel_call *call, double *sum)
{
	const struct window *win = &g->window;
	const T *dy = call->in[0], *w = call->in[1];
	const int64_t n_c = g->group * g->c;
	const T *bias = call->query->n_in > 2 ? call->in[2] : NULL;
	T *dx = call->out[0];

	for (int64_t plane = 0; plane < g->batch * n_c; plane++) {
		const int64_t n = plane / n_c, group = plane % n_c / g->c;
		const T *wc =
		    w + (group * g->m * g->c + plane % g->c) * win->n_taps;
		const T *from = dy + (n * g->group + group) * g->m * win->n_out;

		for (int64_t i = 0; i < win->n_in; i++)
			sum[i] = bias ? (double)bias[plane % n_c] : 0;
		for (int64_t k = 0; k < g->m * win->n_taps; k++) {
			const int64_t m = k / win->n_taps;
			const int64_t tap = k % win->n_taps;

			NAME(add_tap_back)
			(win, tap, from + m * win->n_out,
			 (double)wc[m * g->c * win->n_taps + tap], sum);
		}
		for (int64_t i = 0; i < win->n_in; i++)
			dx[plane * win->n_in + i] = (T)sum[i];
	}
}

static void NAME(grad_weights)(const struct conv *g,
			       const struct kernel_call *call)
{
	const struct window *win = &g->window;
	const T *dy = call->in[0], *x = call->in[1];
	const int64_t n_m = g->group * g->m, n_c = g->group * g->c;
	T *dw = call->out[0];

	for (int64_t i = 0; i < n_m * g->c * win->n_taps; i++) {
		const int64_t tap = i % win->n_taps;
		const int64_t m = i / win->n_taps / g->c;
		const int64_t c = m / g->m * g->c + i / win->n_taps % g->c;
		double sum = 0;

		for (int64_t n = 0; n < g->batch; n++)
			sum += NAME(dot_tap)(win, tap,
					     x + (n * n_c + c) * win->n_in,
					     dy + (n * n_m + m) * win->n_out);
		dw[i] = (T)sum;
	}
}

#undef T
#undef NAME
