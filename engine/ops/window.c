/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/ops/window.h"

#include <string.h>

#include "engine/op.h"

enum { TAPS_FREE = 1 << 14, TAPS_PER_ELEMENT = 64 };

enum pad_mode { PAD_NOTSET, PAD_SAME_UPPER, PAD_SAME_LOWER, PAD_VALID };

static const char *const pad_names[] = { "NOTSET", "SAME_UPPER", "SAME_LOWER",
					 "VALID" };

static enum err_code pad_mode(const char *name, enum pad_mode *ret,
			      struct err *err)
{
	*ret = PAD_NOTSET;
	if (!name || !name[0])
		return ERR_NONE;
	for (unsigned i = 0; i < 4; i++) {
		if (!strcmp(name, pad_names[i])) {
			*ret = (enum pad_mode)i;
			return ERR_NONE;
		}
	}
	return err_set(err, ERR_INVALID,
		       "attribute 'auto_pad': expected NOTSET, SAME_UPPER, "
		       "SAME_LOWER or VALID, got '%.40s'",
		       name);
}

/* n numbers from the list, or n times `min` where the list is empty */
static enum err_code take(const struct attr_ints *list, const char *name,
			  size_t n, int64_t min, int64_t *to, struct err *err)
{
	if (list->n && list->n != n)
		return err_set(err, ERR_SHAPE,
			       "attribute '%s': expected %zu numbers, got %zu",
			       name, n, list->n);
	for (size_t i = 0; i < n; i++) {
		to[i] = list->n ? list->v[i] : min;
		if (to[i] < min || to[i] > SHAPE_MAX_EXTENT)
			return err_set(err, ERR_INVALID,
				       "attribute '%s': expected %lld or more, "
				       "got %lld",
				       name, (long long)min, (long long)to[i]);
	}
	return ERR_NONE;
}

static enum err_code read_attrs(const struct window_attrs *attrs,
				const struct attr_ints *kernel, unsigned n,
				struct window *w, struct err *err)
{
	const unsigned at = WINDOW_DIMS - n; /* right-aligned */
	int64_t pads[2 * WINDOW_DIMS];
	enum err_code rc;

	if (!kernel->n)
		return err_set(err, ERR_INVALID,
			       "attribute 'kernel_shape': expected %u numbers, "
			       "got none",
			       n);
	rc = take(kernel, "kernel_shape", n, 1, w->kernel + at, err);
	if (!rc)
		rc =
		    take(&attrs->strides, "strides", n, 1, w->stride + at, err);
	if (!rc)
		rc = take(&attrs->dilations, "dilations", n, 1,
			  w->dilation + at, err);
	if (!rc)
		rc = take(&attrs->pads, "pads", 2 * (size_t)n, 0, pads, err);
	if (rc)
		return rc;
	memcpy(w->begin + at, pads, n * sizeof(pads[0]));
	memcpy(w->end + at, pads + n, n * sizeof(pads[0]));
	return ERR_NONE;
}

/* extent that the window covers on axis i */
static int64_t covers(const struct window *w, unsigned i)
{
	return (w->kernel[i] - 1) * w->dilation[i] + 1;
}

static void pad_same(struct window *w, unsigned i, enum pad_mode mode)
{
	int64_t total;

	w->out[i] = (w->in[i] + w->stride[i] - 1) / w->stride[i];
	total = (w->out[i] - 1) * w->stride[i] + covers(w, i) - w->in[i];
	total = total > 0 ? total : 0;
	w->begin[i] = mode == PAD_SAME_UPPER ? total / 2 : total - total / 2;
	w->end[i] = total - w->begin[i];
}

/* ONNX, operator MaxPool: a window that would start in the padding behind the
 * input is left out */
static enum err_code place(struct window *w, unsigned i, bool ceil_mode,
			   struct err *err)
{
	const int64_t room = w->in[i] + w->begin[i] + w->end[i] - covers(w, i);

	/* one that covers more than there is: cut short, too */
	if (room < 0 && room > -w->stride[i] && ceil_mode && w->in[i]) {
		w->out[i] = 1;
		return ERR_NONE;
	}
	if (room < 0)
		return infer_fail(err,
				  "input 'X': a window that covers %lld does "
				  "not fit in spatial extent %lld with padding "
				  "%lld and %lld",
				  (long long)covers(w, i), (long long)w->in[i],
				  (long long)w->begin[i], (long long)w->end[i]);
	w->out[i] = room / w->stride[i] + 1;
	if (!ceil_mode || room % w->stride[i] == 0)
		return ERR_NONE;
	if (w->out[i] * w->stride[i] < w->in[i] + w->begin[i])
		w->out[i]++;
	return ERR_NONE;
}

static enum err_code product(const int64_t extent[WINDOW_DIMS], int64_t *ret,
			     struct err *err)
{
	*ret = 1;
	for (unsigned i = 0; i < WINDOW_DIMS; i++) {
		if (extent[i] && *ret > SHAPE_MAX_COUNT / extent[i])
			return infer_fail(err,
					  "input 'X': spatial extents and "
					  "window expected below %lld elements",
					  (long long)SHAPE_MAX_COUNT);
		*ret *= extent[i];
	}
	return ERR_NONE;
}

/* Loops go over all taps, and padding may make room for any number of them:
 * what is far larger than the input is refused. */
static enum err_code check_taps(const struct window *w, struct err *err)
{
	const int64_t most = TAPS_FREE + w->n_in * TAPS_PER_ELEMENT;

	if (w->n_taps <= most)
		return ERR_NONE;
	return infer_fail(err,
			  "input 'X': a window of %lld elements over %lld is "
			  "too large; expected %lld at most",
			  (long long)w->n_taps, (long long)w->n_in,
			  (long long)most);
}

enum err_code window_init(const struct window_attrs *attrs,
			  const struct attr_ints *kernel, const struct shape *x,
			  struct window *ret, struct err *err)
{
	struct window w = { 0 };
	enum pad_mode mode;
	enum err_code rc;

	if (x->rank < 3 || x->rank > 2 + WINDOW_DIMS)
		return err_set(err, x->rank < 3 ? ERR_SHAPE : ERR_UNSUPPORTED,
			       "input 'X': expected rank 3 to %d (batch, "
			       "channels, spatial axes), got rank %u",
			       2 + WINDOW_DIMS, x->rank);
	w.n = x->rank - 2;
	for (unsigned i = 0; i < WINDOW_DIMS; i++)
		w.in[i] = w.out[i] = w.kernel[i] = w.stride[i] = w.dilation[i] =
		    1;
	memcpy(w.in + WINDOW_DIMS - w.n, x->dim + 2, w.n * sizeof(w.in[0]));
	rc = pad_mode(attrs->auto_pad, &mode, err);
	if (!rc)
		rc = read_attrs(attrs, kernel, w.n, &w, err);
	for (unsigned i = WINDOW_DIMS - w.n; !rc && i < WINDOW_DIMS; i++) {
		if (mode == PAD_VALID)
			w.begin[i] = w.end[i] = 0;
		if (mode == PAD_SAME_UPPER || mode == PAD_SAME_LOWER)
			pad_same(&w, i, mode);
		else
			rc = place(&w, i, attrs->ceil_mode != 0, err);
	}
	if (rc)
		return rc;
	rc = product(w.in, &w.n_in, err);
	if (!rc)
		rc = product(w.out, &w.n_out, err);
	if (!rc)
		rc = product(w.kernel, &w.n_taps, err);
	if (!rc)
		rc = check_taps(&w, err);
	if (rc)
		return rc;
	*ret = w;
	return ERR_NONE;
}

enum err_code window_shape(const struct window *window, int64_t first,
			   int64_t second, struct shape *ret, struct err *err)
{
	struct shape shape = { .rank = 2 + window->n,
			       .dim = { first, second } };

	memcpy(shape.dim + 2, window->out + WINDOW_DIMS - window->n,
	       window->n * sizeof(shape.dim[0]));
	*ret = shape;
	return shape_check(ret, "output 'Y'", err);
}

static int64_t ceil_div(int64_t a, int64_t b)
{
	return a > 0 ? (a + b - 1) / b : 0;
}

void window_tap(const struct window *w, int64_t tap, struct window_tap *ret)
{
	for (unsigned i = WINDOW_DIMS; i-- > 0;) {
		const int64_t k = tap % w->kernel[i];
		const int64_t first = k * w->dilation[i] - w->begin[i];
		const int64_t last = w->in[i] - 1 - first; /* of o * stride */

		tap /= w->kernel[i];
		ret->first[i] = first;
		ret->lo[i] = ceil_div(-first, w->stride[i]);
		ret->hi[i] = last < 0 ? 0 : last / w->stride[i] + 1;
		if (ret->hi[i] > w->out[i])
			ret->hi[i] = w->out[i];
		if (ret->hi[i] < ret->lo[i])
			ret->hi[i] = ret->lo[i];
	}
	ret->n_rows = (ret->hi[0] - ret->lo[0]) * (ret->hi[1] - ret->lo[1]);
}
