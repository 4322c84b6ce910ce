/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/ops/blocked.h"

#include <math.h>

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

bool blocked_follow(const struct epilogue *epilogue, struct blocked_follow *ret)
{
	const struct epilogue *e = epilogue;
	const struct loop *loop;

	*ret = (struct blocked_follow){
		.low = -INFINITY,
		.high = INFINITY,
		.numbers = { e->alpha, e->beta },
	};
	if (e->kind == EPILOGUE_RELU || e->kind == EPILOGUE_CLIP)
		ret->low = e->kind == EPILOGUE_CLIP ? (float)e->alpha : 0;
	if (e->kind == EPILOGUE_CLIP)
		ret->high = (float)e->beta;
	if (e->kind == EPILOGUE_NONE || e->kind == EPILOGUE_RELU ||
	    e->kind == EPILOGUE_CLIP)
		return true;
	loop = loop_find(epilogue_name(e->kind));
	if (!loop || !loop->run[DTYPE_F32])
		return false;
	/* cppcheck-suppress assignBoolToPointer */
	ret->finish = loop->run[DTYPE_F32];
	return true;
}
