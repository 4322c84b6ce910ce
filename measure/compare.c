/* SPDX-License-Identifier: Apache-2.0 */
#include "measure/compare.h"

#include <math.h>

/* elements that are widened to double at once */
enum { CHUNK = 256 };

static enum err_code compare_frames(const struct tensor_view *got,
				    const struct tensor_view *want,
				    struct err *err)
{
	char g[128], w[128];

	if (got->dtype != want->dtype)
		return err_set(err, ERR_SHAPE, "expected %s, got %s",
			       dtype_info(want->dtype)->name,
			       dtype_info(got->dtype)->name);
	if (!shape_equal(&got->shape, &want->shape))
		return err_set(err, ERR_SHAPE, "expected shape %s, got %s",
			       shape_text(&want->shape, w, sizeof(w)),
			       shape_text(&got->shape, g, sizeof(g)));
	return ERR_NONE;
}

static enum err_code compare_strings(const struct tensor_view *got,
				     const struct tensor_view *want,
				     struct err *err)
{
	const struct str *g = got->data, *w = want->data;
	int64_t n = shape_count(&want->shape);

	for (int64_t i = 0; i < n; i++) {
		if (g[i].len != w[i].len ||
		    (g[i].len && memcmp(g[i].bytes, w[i].bytes, g[i].len) != 0))
			return err_set(
			    err, ERR_INVALID,
			    "element %lld: expected '%.*s', got '%.*s'",
			    (long long)i, w[i].len > 80 ? 80 : (int)w[i].len,
			    w[i].bytes, g[i].len > 80 ? 80 : (int)g[i].len,
			    g[i].bytes);
	}
	return ERR_NONE;
}

static bool is_close(double got, double want, struct compare_bound bound)
{
	if (isnan(want) || isnan(got))
		return isnan(want) && isnan(got);
	if (isinf(want) || isinf(got))
		return got == want;
	return fabs(got - want) <= bound.atol + bound.rtol * fabs(want);
}

struct difference {
	int64_t first, n; /* element, and how many there are */
	double got, want, greatest;
};

static void compare_doubles(const double *got, const double *want, int64_t at,
			    int64_t n, struct compare_bound bound,
			    struct difference *d)
{
	for (int64_t i = 0; i < n; i++) {
		double by = fabs(got[i] - want[i]);

		if (is_close(got[i], want[i], bound))
			continue;
		if (!d->n++) {
			d->first = at + i;
			d->got = got[i];
			d->want = want[i];
		}
		if (!(by <= d->greatest))
			d->greatest = by;
	}
}

/* Complex numbers are pairs; all other types go through double. */
static enum dtype part_type(enum dtype dtype, int64_t *n)
{
	if (dtype != DTYPE_C64 && dtype != DTYPE_C128)
		return dtype;
	*n *= 2;
	return dtype == DTYPE_C64 ? DTYPE_F32 : DTYPE_F64;
}

static enum err_code compare_numbers(const struct tensor_view *got,
				     const struct tensor_view *want,
				     struct compare_bound bound,
				     struct err *err)
{
	int64_t n = shape_count(&want->shape);
	enum dtype dtype = part_type(want->dtype, &n);
	size_t size = dtype_info(dtype)->size;
	struct difference d = { 0 };
	double g[CHUNK], w[CHUNK];

	for (int64_t i = 0; i < n; i += CHUNK) {
		int64_t some = n - i < CHUNK ? n - i : CHUNK;

		dtype_convert(dtype, (const char *)got->data + (size_t)i * size,
			      DTYPE_F64, g, (size_t)some, false);
		dtype_convert(dtype,
			      (const char *)want->data + (size_t)i * size,
			      DTYPE_F64, w, (size_t)some, false);
		compare_doubles(g, w, i, some, bound, &d);
	}
	if (!d.n)
		return ERR_NONE;
	return err_set(err, ERR_INVALID,
		       "%lld of %lld differ: element %lld is %.9g, expected "
		       "%.9g; the greatest difference is %.3g",
		       (long long)d.n, (long long)n, (long long)d.first, d.got,
		       d.want, d.greatest);
}

enum err_code compare_tensors(const struct tensor_view *got,
			      const struct tensor_view *want,
			      struct compare_bound bound, struct err *err)
{
	enum err_code rc = compare_frames(got, want, err);

	if (rc)
		return rc;
	if (!shape_count(&want->shape))
		return ERR_NONE;
	if (want->dtype == DTYPE_STRING)
		return compare_strings(got, want, err);
	if (!memcmp(got->data, want->data,
		    tensor_bytes(want->dtype, &want->shape)))
		return ERR_NONE;
	return compare_numbers(got, want, bound, err);
}
