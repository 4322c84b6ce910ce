/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/ops/blocked.h"

void blocked_taps(const struct window *w, unsigned axis, int64_t at,
		  int64_t *lo, int64_t *hi)
{
	const int64_t step = w->dilation[axis], past = w->in[axis] - at;

	*lo = at < 0 ? (step - 1 - at) / step : 0;
	*hi = past < 1 ? 0 : (past + step - 1) / step;
	if (*hi > w->kernel[axis])
		*hi = w->kernel[axis];
	if (*lo > *hi)
		*lo = *hi;
}

int64_t blocked_alike(const struct window *w, int64_t first, int64_t end)
{
	const int64_t at = first * w->stride[2] - w->begin[2];
	const int64_t reach = (w->kernel[2] - 1) * w->dilation[2];
	int64_t lo, hi, next_lo, next_hi, n = 1;

	/* inside, all taps are there until the last one leaves */
	if (at >= 0 && at + reach < w->in[2]) {
		n = (w->in[2] - 1 - reach - at) / w->stride[2] + 1;
		return n < end - first ? n : end - first;
	}
	blocked_taps(w, 2, at, &lo, &hi);
	for (; first + n < end; n++) {
		blocked_taps(w, 2, at + n * w->stride[2], &next_lo, &next_hi);
		if (next_lo != lo || next_hi != hi)
			break;
	}
	return n;
}
