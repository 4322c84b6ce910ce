/* SPDX-License-Identifier: Apache-2.0 */
/* LSTM steps in one type, plain: T, its exp and tanh. */

static T NAME(sigmoid)(T x)
{
	return 1 / (1 + EXP(-x));
}

/* to[j] += sum over l of a[l] b[j, l], j < m, l < n */
static void NAME(add_rows)(const T *a, const T *b, int64_t m, int64_t n, T *to)
{
	for (int64_t j = 0; j < m; j++) {
		double sum = 0;

		for (int64_t l = 0; l < n; l++)
			sum += (double)a[l] * (double)b[j * n + l];
		to[j] += (T)sum;
	}
}

/* One row of one step. `a` has its gates before their activations. */
static void NAME(cell)(const struct lstm_extents *e, const T *a, const T *c,
		       T *kept, T *h)
{
	const int64_t n = e->n;

	for (int64_t j = 0; j < n; j++) {
		const T before = c ? c[j] : 0;

		kept[j] = NAME(sigmoid)(a[j]);
		kept[n + j] = NAME(sigmoid)(a[n + j]);
		kept[2 * n + j] = NAME(sigmoid)(a[2 * n + j]);
		kept[3 * n + j] = TANH(a[3 * n + j]);
		kept[5 * n + j] =
		    kept[2 * n + j] * before + kept[j] * kept[3 * n + j];
		kept[4 * n + j] = TANH(kept[5 * n + j]);
		h[j] = kept[n + j] * kept[4 * n + j];
	}
}

/* A row of states, zeros where there are none; and back, where it is wanted. */
static void NAME(load_row)(const T *from, int64_t row, int64_t n, T *to)
{
	for (int64_t j = 0; j < n; j++)
		to[j] = from ? from[row * n + j] : 0;
}

static void NAME(store_row)(const T *from, int64_t row, int64_t n, T *to)
{
	if (to)
		memcpy(to + row * n, from, (size_t)n * sizeof(T));
}

/* Row `row` through all steps. Scratch: gates, h, kept, c. */
static void NAME(row_there)(const struct kernel_call *call,
			    const struct lstm_extents *e, int64_t row,
			    void *room)
{
	T *const scratch = room;
	const int64_t n = e->n, width = LSTM_GATES * n;
	const T *pre = call->in[STEPS_PRE], *r = call->in[STEPS_R];
	const T *b = lstm_in(call, STEPS_B);
	const T *h0 = lstm_in(call, STEPS_H0), *c0 = lstm_in(call, STEPS_C0);
	T *a = scratch, *h = a + width, *kept = h + n, *c = kept + 6 * n;
	T *y = call->out[STEPS_Y], *all = call->out[STEPS_KEPT];
	const size_t bytes = (size_t)n * sizeof(T);

	NAME(load_row)(h0, row, n, h);
	NAME(load_row)(c0, row, n, c);
	for (int64_t t = 0; t < e->steps; t++) {
		const int64_t at = t * e->rows + row;

		for (int64_t j = 0; j < width; j++)
			a[j] =
			    pre[at * width + j] + (b ? b[j] + b[width + j] : 0);
		NAME(add_rows)(h, r, width, n, a);
		NAME(cell)(e, a, c, kept, h);
		memcpy(c, kept + 5 * n, bytes);
		NAME(store_row)(h, at, n, y);
		NAME(store_row)(kept, at, LSTM_KEPT * n, all);
	}
	NAME(store_row)(h, row, n, call->out[STEPS_Y_H]);
	NAME(store_row)(c, row, n, call->out[STEPS_Y_C]);
}

static void NAME(cell_back)(int64_t n, const T *kept, const T *before,
			    const T *dh, T *dc, T *d)
{
	for (int64_t j = 0; j < n; j++) {
		const T in = kept[j], out = kept[n + j];
		const T forget = kept[2 * n + j], new = kept[3 * n + j];
		const T bent = kept[4 * n + j];
		const T of_c = dc[j] + dh[j] * out * (1 - bent * bent);

		d[j] = of_c * new *in *(1 - in);
		d[n + j] = dh[j] * bent * out * (1 - out);
		d[2 * n + j] =
		    of_c * (before ? before[j] : 0) * forget * (1 - forget);
		d[3 * n + j] = of_c * in * (1 - new *new);
		dc[j] = of_c * forget;
	}
}

/* dh[j] = sum over gates l of d[l] r[l, j] */
static void NAME(hand_back)(int64_t n, const T *d, const T *r, T *dh)
{
	for (int64_t j = 0; j < n; j++) {
		double sum = 0;

		for (int64_t l = 0; l < LSTM_GATES * n; l++)
			sum += (double)d[l] * (double)r[l * n + j];
		dh[j] = (T)sum;
	}
}

/* Scratch: dh, dc, gates. */
static void NAME(row_back)(const struct kernel_call *call,
			   const struct lstm_extents *e, int64_t row,
			   void *room)
{
	T *const scratch = room;
	const int64_t n = e->n, width = LSTM_GATES * n;
	const T *kept = call->in[STEPS_BACK_KEPT], *y = call->in[STEPS_BACK_Y];
	const T *h0 = lstm_in(call, STEPS_BACK_H0);
	const T *c0 = lstm_in(call, STEPS_BACK_C0);
	const T *dy = lstm_in(call, STEPS_BACK_DY);
	const T *dyh = lstm_in(call, STEPS_BACK_DH);
	const T *dyc = lstm_in(call, STEPS_BACK_DC);
	T *dh = scratch, *dc = dh + n, *d = dc + n;
	T *dpre = call->out[STEPS_BACK_DPRE];
	T *before = call->out[STEPS_BACK_BEFORE];

	NAME(load_row)(dyh, row, n, dh);
	NAME(load_row)(dyc, row, n, dc);
	for (int64_t t = e->steps; t-- > 0;) {
		const int64_t at = t * e->rows + row, last = at - e->rows;
		const T *h = t ? y + last * n : h0 ? h0 + row * n : NULL;
		const T *c = t	  ? kept + (last * LSTM_KEPT + 5) * n
			     : c0 ? c0 + row * n
				  : NULL;

		for (int64_t j = 0; dy && j < n; j++)
			dh[j] += dy[at * n + j];
		NAME(cell_back)(n, kept + at * LSTM_KEPT * n, c, dh, dc, d);
		NAME(hand_back)(n, d, call->in[STEPS_BACK_R], dh);
		NAME(store_row)(d, at, width, dpre);
		for (int64_t j = 0; before && j < n; j++)
			before[at * n + j] = h ? h[j] : 0;
	}
	NAME(store_row)(dh, row, n, call->out[STEPS_BACK_DH0]);
	NAME(store_row)(dc, row, n, call->out[STEPS_BACK_DC0]);
}

#undef T
#undef EXP
#undef TANH
#undef NAME
