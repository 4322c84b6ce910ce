/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "engine/ops/move.h"
#include "engine/ops/resize.h"

enum coordinate {
	HALF_PIXEL,
	HALF_PIXEL_SYMMETRIC,
	PYTORCH_HALF_PIXEL,
	ALIGN_CORNERS,
	ASYMMETRIC,
	TF_HALF_PIXEL_FOR_NN,
	TF_CROP_AND_RESIZE,
};
static const char *const coordinate_name[] = {
	"half_pixel",	      "half_pixel_symmetric",
	"pytorch_half_pixel", "align_corners",
	"asymmetric",	      "tf_half_pixel_for_nn",
	"tf_crop_and_resize", NULL,
};

enum nearest { PREFER_FLOOR, PREFER_CEIL, FLOOR, CEIL, SIMPLE };
/* "simple" is what opset 10 did: up where the axis shrinks, else down */
static const char *const nearest_name[] = { "round_prefer_floor",
					    "round_prefer_ceil",
					    "floor",
					    "ceil",
					    "simple",
					    NULL };

enum policy { STRETCH, NOT_LARGER, NOT_SMALLER };
static const char *const policy_name[] = { "stretch", "not_larger",
					   "not_smaller", NULL };

static const char *const mode_name[] = { "nearest", "linear", "cubic", NULL };

static enum err_code find(const char *const *names, const char *attr,
			  const char *name, unsigned *ret, struct err *err)
{
	for (unsigned i = 0; names[i]; i++) {
		if (!strcmp(names[i], name)) {
			*ret = i;
			return ERR_NONE;
		}
	}
	return infer_fail(err,
			  "attribute '%s': expected a mode that ONNX lists, "
			  "such as %s, got '%.40s'",
			  attr, names[0], name);
}

static enum err_code read_modes(const struct resize_attrs *attrs,
				struct resize *r, unsigned *ret_policy,
				struct err *err)
{
	unsigned mode = 0;
	enum err_code rc = find(mode_name, "mode", attrs->mode, &mode, err);

	r->mode = (enum resize_mode)mode;
	r->antialias = attrs->antialias != 0;
	r->exclude_outside = attrs->exclude_outside != 0;
	r->cubic_a = attrs->cubic_a;
	r->extrapolation = attrs->extrapolation;
	if (!rc)
		rc = find(coordinate_name, "coordinate_transformation_mode",
			  attrs->coordinate, &r->coordinate, err);
	if (!rc)
		rc = find(nearest_name, "nearest_mode", attrs->nearest,
			  &r->nearest, err);
	if (!rc)
		rc = find(policy_name, "keep_aspect_ratio_policy",
			  attrs->policy, ret_policy, err);
	return rc;
}

/* The axes that scales, sizes and roi tell of. */
static enum err_code read_axes(const struct attr_ints *list, unsigned rank,
			       unsigned axes[SHAPE_MAX_RANK], size_t *ret_n,
			       struct err *err)
{
	uint32_t seen = 0;

	*ret_n = list->n ? list->n : rank;
	if (list->n > rank)
		return infer_fail(err,
				  "attribute 'axes': expected at most %u axes, "
				  "got %zu",
				  rank, list->n);
	for (unsigned i = 0; i < *ret_n; i++) {
		enum err_code rc = ERR_NONE;

		axes[i] = i;
		if (list->n)
			rc = shape_axis(list->v[i], rank, "attribute 'axes'",
					&axes[i], err);
		if (rc)
			return rc;
		if (seen >> axes[i] & 1u)
			return infer_fail(err,
					  "attribute 'axes' names axis %u "
					  "twice",
					  axes[i]);
		seen |= (uint32_t)1 << axes[i];
	}
	return ERR_NONE;
}

/* An input that is there and has elements; an empty one is none. */
static bool is_given(const struct infer *infer, unsigned i)
{
	return infer_has(infer, i) && shape_count(&infer->in[i].shape) > 0;
}

/* n numbers of input i as double. */
static enum err_code read_list(const struct infer *infer, unsigned i,
			       const char *name, size_t n, double *ret,
			       struct err *err)
{
	const struct fact *list = &infer->in[i];

	if (shape_count(&list->shape) != (int64_t)n)
		return infer_fail(err,
				  "input '%s': expected %zu numbers, "
				  "got %lld",
				  name, n,
				  (long long)shape_count(&list->shape));
	if (!list->value)
		return err_set(err, ERR_UNSUPPORTED,
			       "input '%s' is not known before a run", name);
	dtype_convert(list->type.elem, list->value, DTYPE_F64, ret, n, false);
	return ERR_NONE;
}

static enum err_code check_out(const struct resize_axis *axis, unsigned i,
			       double out, struct err *err)
{
	if (!(out >= 0 && out <= (double)SHAPE_MAX_EXTENT))
		return infer_fail(err,
				  "output 'Y': expected an extent below 2^31 "
				  "on axis %u, got %g",
				  i, out);
	if (out > 0 && !axis->in)
		return infer_fail(err,
				  "input 'X': axis %u has no elements to make "
				  "%g of",
				  i, out);
	return ERR_NONE;
}

/* the product is rounded to float, as everybody does who tells a shape */
static enum err_code apply_scales(struct resize_axis *axis,
				  const unsigned *axes, size_t n,
				  const double *scale, struct err *err)
{
	enum err_code rc = ERR_NONE;

	for (size_t i = 0; i < n && !rc; i++) {
		struct resize_axis *a = &axis[axes[i]];
		const float out = (float)a->in * (float)scale[i];

		if (!(scale[i] > 0 && scale[i] < 1e30))
			return infer_fail(err,
					  "input 'scales': expected numbers "
					  "above 0, got %g",
					  scale[i]);
		rc = check_out(a, axes[i], floor((double)out), err);
		if (rc)
			break;
		a->scale = scale[i];
		a->by_size = false;
		a->out = (int64_t)floorf(out);
	}
	return rc;
}

/* One scale for all axes: the least (or largest) that a size asks for. */
static double common_scale(const struct resize_axis *axis, const unsigned *axes,
			   size_t n, const double *size, unsigned policy)
{
	double scale = policy == NOT_LARGER ? (double)INFINITY : 0;

	for (size_t i = 0; i < n; i++) {
		const double in = (double)axis[axes[i]].in;
		const double own = in > 0 ? size[i] / in : 1;

		if (policy == NOT_LARGER ? own < scale : own > scale)
			scale = own;
	}
	return scale;
}

static enum err_code apply_sizes(struct resize_axis *axis, const unsigned *axes,
				 size_t n, const double *size, unsigned policy,
				 struct err *err)
{
	const double scale = common_scale(axis, axes, n, size, policy);
	enum err_code rc = ERR_NONE;

	for (size_t i = 0; i < n && !rc; i++) {
		struct resize_axis *a = &axis[axes[i]];
		double out = size[i];

		rc = check_out(a, axes[i], out, err);
		if (!rc && policy != STRETCH) {
			out = floor(scale * (double)a->in + 0.5);
			rc = check_out(a, axes[i], out, err);
		}
		if (rc)
			break;
		a->out = (int64_t)out;
		a->by_size = policy == STRETCH;
		a->scale = a->by_size && a->in ? (double)a->out / (double)a->in
					       : scale;
	}
	return rc;
}

static enum err_code read_roi(const struct infer *infer, unsigned i,
			      struct resize_axis *axis, const unsigned *axes,
			      size_t n, struct err *err)
{
	double roi[2 * SHAPE_MAX_RANK];
	enum err_code rc;

	if (!infer_has(infer, i))
		return infer_fail(err,
				  "input 'roi': expected %zu numbers for "
				  "tf_crop_and_resize, got none",
				  2 * n);
	rc = read_list(infer, i, "roi", 2 * n, roi, err);
	for (size_t k = 0; k < n && !rc; k++) {
		axis[axes[k]].start = roi[k];
		axis[axes[k]].end = roi[n + k];
	}
	return rc;
}

static bool is_same(const struct resize *r, const struct resize_axis *a)
{
	if (r->coordinate == TF_CROP_AND_RESIZE &&
	    (a->start != 0 || a->end != 1))
		return false;
	return a->in == a->out && (a->by_size || fabs(a->scale - 1) < 1e-9);
}

/* Joins neighbours without change; what is left has an axis at least. */
static void join_axes(struct resize *r, const struct resize_axis *axis,
		      unsigned rank)
{
	r->rank = 0;
	for (unsigned i = 0; i < rank; i++) {
		struct resize_axis a = axis[i];

		a.same = is_same(r, &a);
		if (a.same && r->rank && r->axis[r->rank - 1].same) {
			r->axis[r->rank - 1].in *= a.in;
			r->axis[r->rank - 1].out *= a.in;
			continue;
		}
		r->axis[r->rank++] = a;
	}
	if (!r->rank)
		r->axis[r->rank++] = (struct resize_axis){
			.in = 1, .out = 1, .scale = 1, .end = 1, .same = true
		};
}

static enum err_code read_extents(const struct infer *infer, unsigned first,
				  const struct resize *r, unsigned policy,
				  struct resize_axis *axis, struct err *err)
{
	const struct resize_attrs *attrs = infer->attrs;
	const bool by_scale = is_given(infer, first + 1);
	const bool by_size = is_given(infer, first + 2);
	double list[SHAPE_MAX_RANK];
	unsigned axes[SHAPE_MAX_RANK];
	size_t n = 0;
	enum err_code rc = read_axes(&attrs->axes, r->rank, axes, &n, err);

	if (!rc && by_scale == by_size && n)
		return infer_fail(err,
				  "inputs 'scales' and 'sizes': expected one "
				  "of them, got %s",
				  by_scale ? "both" : "none");
	if (rc || !n)
		return rc;
	rc = by_scale ? read_list(infer, first + 1, "scales", n, list, err)
		      : read_list(infer, first + 2, "sizes", n, list, err);
	if (rc)
		return rc;
	rc = by_scale ? apply_scales(axis, axes, n, list, err)
		      : apply_sizes(axis, axes, n, list, policy, err);
	if (!rc && r->coordinate == TF_CROP_AND_RESIZE)
		rc = read_roi(infer, first, axis, axes, n, err);
	return rc;
}

enum err_code resize_read(const struct infer *infer, const struct shape *x,
			  unsigned first, struct resize *ret,
			  struct shape *ret_y, struct err *err)
{
	struct resize_axis axis[SHAPE_MAX_RANK];
	struct resize r = { 0 };
	unsigned policy = STRETCH;
	enum err_code rc = read_modes(infer->attrs, &r, &policy, err);

	r.rank = x->rank;
	for (unsigned i = 0; i < x->rank; i++)
		axis[i] = (struct resize_axis){ .in = x->dim[i],
						.out = x->dim[i],
						.scale = 1,
						.end = 1,
						.by_size = true };
	if (!rc)
		rc = read_extents(infer, first, &r, policy, axis, err);
	if (rc)
		return rc;
	ret_y->rank = x->rank;
	for (unsigned i = 0; i < x->rank; i++)
		ret_y->dim[i] = axis[i].out;
	join_axes(&r, axis, x->rank);
	*ret = r;
	return shape_check(ret_y, "output 'Y'", err);
}

/* v of the result's axis on the input's; from sizes without rounding twice */
static double back(const struct resize_axis *a, double v)
{
	return a->by_size ? v * (double)a->in / (double)a->out : v / a->scale;
}

static double source(const struct resize *r, const struct resize_axis *a,
		     int64_t j)
{
	const double in = (double)a->in, out = (double)a->out, at = (double)j;
	/* an extent from a scale may be fractional */
	const double width = a->by_size ? out : a->scale * in;
	const double step = width > 1 ? (in - 1) / (width - 1) : 0;

	switch (r->coordinate) {
	case HALF_PIXEL_SYMMETRIC:
		return in / 2 * (1 - out / width) + back(a, at + 0.5) - 0.5;
	case PYTORCH_HALF_PIXEL:
		return a->out > 1 ? back(a, at + 0.5) - 0.5 : 0;
	case ALIGN_CORNERS:
		return at * step;
	case ASYMMETRIC:
		return back(a, at);
	case TF_HALF_PIXEL_FOR_NN:
		return back(a, at + 0.5);
	case TF_CROP_AND_RESIZE:
		if (width > 1)
			return a->start * (in - 1) +
			       at * (a->end - a->start) * step;
		return (a->start + a->end) * (in - 1) / 2;
	default:
		return back(a, at + 0.5) - 0.5;
	}
}

static double nearest_to(const struct resize *r, const struct resize_axis *a,
			 double x)
{
	switch (r->nearest) {
	case PREFER_CEIL:
		return floor(x + 0.5);
	case FLOOR:
		return floor(x);
	case CEIL:
		return ceil(x);
	case SIMPLE:
		return a->scale < 1 ? ceil(x) : floor(x);
	default:
		return ceil(x - 0.5);
	}
}

static double kernel_at(const struct resize *r, double x)
{
	const double a = r->cubic_a;

	x = fabs(x);
	if (r->mode == RESIZE_LINEAR)
		return x < 1 ? 1 - x : 0;
	if (x <= 1)
		return ((a + 2) * x - (a + 3)) * x * x + 1;
	return x < 2 ? ((x - 5) * x + 8) * a * x - 4 * a : 0;
}

static bool is_excluded(const struct resize *r, const struct resize_axis *a,
			int64_t at)
{
	return r->exclude_outside && (at < 0 || at >= a->in);
}

/* t counts from the first tap, which lies n / 2 - 1 before the tap 0 */
static double raw_weight(const struct resize *r, const struct resize_axis *a,
			 const struct resize_place *p, int64_t t)
{
	const int64_t from_0 = t + 1 - p->n / 2;

	if (is_excluded(r, a, p->first + t))
		return 0;
	return kernel_at(r, ((double)from_0 - p->ratio) * p->stretch);
}

void resize_locate(const struct resize *r, unsigned i, int64_t j,
		   struct resize_place *ret)
{
	const struct resize_axis *a = &r->axis[i];
	const double reach = r->mode == RESIZE_CUBIC ? 2 : 1;
	struct resize_place p = { .first = j, .n = 1, .stretch = 1, .sum = 1 };
	double x, low;

	*ret = p;
	if (a->same)
		return;
	x = source(r, a, j);
	ret->outside = r->coordinate == TF_CROP_AND_RESIZE &&
		       !(x >= 0 && x <= (double)(a->in - 1));
	if (ret->outside)
		x = 0;
	if (r->mode == RESIZE_NEAREST) {
		ret->first = (int64_t)nearest_to(r, a, x);
		return;
	}
	low = ceil(x) - 1;
	if (r->antialias && a->scale < 1)
		p.stretch = a->scale;
	p.ratio = x - low;
	p.n = -2 * (int64_t)floor(-reach / p.stretch);
	p.first = (int64_t)low + 1 - p.n / 2;
	if (r->antialias || r->exclude_outside) {
		p.sum = 0;
		for (int64_t t = 0; t < p.n; t++)
			p.sum += raw_weight(r, a, &p, t);
		p.sum = p.sum != 0 ? p.sum : 1;
	}
	p.outside = ret->outside;
	*ret = p;
}

double resize_weight(const struct resize *r, unsigned i,
		     const struct resize_place *place, int64_t t,
		     int64_t *ret_at)
{
	const struct resize_axis *a = &r->axis[i];
	int64_t at = place->first + t;

	*ret_at = at < 0 ? 0 : at >= a->in ? a->in - 1 : at;
	if (place->outside)
		return 0;
	if (a->same || r->mode == RESIZE_NEAREST)
		return 1;
	return raw_weight(r, a, place, t) / place->sum;
}
