/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Regions of interest, made to images of one size.
 *
 * RoiAlign cuts a region into bins and reads each bin at sampling points by
 * linear interpolation; avg or max of them is the result (He et al., Mask
 * R-CNN). max is of what the corners of each point give, as ONNX has it.
 * MaxRoiPool rounds regions to elements and takes the largest of each bin
 * (Girshick, Fast R-CNN).
 */
#include <math.h>
#include <string.h>

#include "engine/ops/move.h"

/* points on a side of a bin: more can only be a bad region */
enum { MAX_SIDE = 1 << 12 };

struct roi_attrs {
	const char *coordinate, *mode;
	int64_t height, width, sampling_ratio;
	double scale;
	struct attr_ints pooled;
};

struct roi_planes {
	int64_t n, in, out; /* channels, and from one to the next */
	double n_samples;
	bool is_max;
};
struct roi_sample {
	int64_t at[4];
	double weight[4];
	bool is_first;
};
struct roi_box {
	int64_t top, bottom, left, right, width;
};

#define T float
#define NAME(x) x##_f32
#include "engine/ops/roi_pool_typed.h"
#define T double
#define NAME(x) x##_f64
#include "engine/ops/roi_pool_typed.h"

static double number(const struct kernel_call *call, int64_t i)
{
	if (call->query->in[1].type.elem == DTYPE_F32)
		return (double)((const float *)call->in[1])[i];
	return ((const double *)call->in[1])[i];
}

/* Offset of an element in bytes. */
static size_t bytes_at(const struct kernel_call *call, int64_t i)
{
	return (size_t)i * dtype_info(call->query->in[0].type.elem)->size;
}

/* A region that cannot be read: zeros and a fault. */
static void refuse(const struct kernel_call *call, int64_t roi)
{
	const struct shape *y = &call->query->out[0].shape;
	const int64_t n = shape_range(y, 1, y->rank);

	memset((char *)call->out[0] + bytes_at(call, roi * n), 0,
	       bytes_at(call, n));
	kernel_fault(call, roi);
}

/* ---- RoiAlign ------------------------------------------------------------ */

/* One axis of a region: bins start at `start` and are `bin` wide. */
struct span {
	double start, bin;
	int64_t side, extent;
};

static struct span span_of(const struct kernel_call *call, int64_t at,
			   int64_t bins, int64_t extent)
{
	const struct roi_attrs *attrs = call->query->attrs;
	const bool shift = !strcmp(attrs->coordinate, "half_pixel");
	const double offset = shift ? 0.5 : 0;
	const double low = number(call, at) * attrs->scale - offset;
	double size = number(call, at + 2) * attrs->scale - offset - low;
	double side = (double)attrs->sampling_ratio;

	if (!shift && !(size >= 1))
		size = 1;
	if (attrs->sampling_ratio == 0)
		side = ceil(size / (double)bins);
	if (!(side < MAX_SIDE) || !isfinite(low))
		side = -1;
	else if (side < 0)
		side = 0;
	return (struct span){ low, size / (double)bins, (int64_t)side, extent };
}

/* Where point i of a bin lies: an element, its neighbour and the neighbour's
 * share. False: nowhere. */
static bool span_point(const struct span *span, int64_t bin, int64_t i,
		       int64_t at[2], double *ret_share)
{
	double x = span->start + (double)bin * span->bin +
		   ((double)i + 0.5) * span->bin / (double)span->side;

	if (!(x >= -1 && x <= (double)span->extent))
		return false;
	x = x > 0 ? x : 0;
	at[0] = (int64_t)x;
	if (at[0] >= span->extent - 1) {
		at[0] = at[1] = span->extent - 1;
		*ret_share = 0;
		return true;
	}
	at[1] = at[0] + 1;
	*ret_share = x - (double)at[0];
	return true;
}

/* The points of a bin that lie inside: what a region far larger than the image
 * has outside adds nothing. */
struct inside {
	int64_t first, last;
};

static struct inside span_inside(const struct span *span, int64_t bin)
{
	struct inside in = { 0, span->side };
	int64_t at[2];
	double share;

	while (in.first < in.last &&
	       !span_point(span, bin, in.first, at, &share))
		in.first++;
	while (in.first < in.last &&
	       !span_point(span, bin, in.last - 1, at, &share))
		in.last--;
	return in;
}

static void point_sample(const struct span span[2], const int64_t bin[2],
			 int64_t i, int64_t j, struct roi_sample *ret)
{
	int64_t row[2], column[2];
	double down, right;

	memset(ret->at, 0, sizeof(ret->at));
	memset(ret->weight, 0, sizeof(ret->weight));
	if (!span_point(&span[0], bin[0], i, row, &down) ||
	    !span_point(&span[1], bin[1], j, column, &right))
		return;
	for (unsigned k = 0; k < 4; k++) {
		const unsigned low = k / 2, side = k % 2;

		ret->at[k] = row[low] * span[1].extent + column[side];
		ret->weight[k] =
		    (low ? down : 1 - down) * (side ? right : 1 - right);
	}
}

/* to: the bin's element in the first channel, and zeros in all of them */
static void align_points(const struct kernel_call *call,
			 const struct span span[2], const int64_t bin[2],
			 const struct roi_planes *planes, const void *x,
			 void *to)
{
	const bool narrow = call->query->in[0].type.elem == DTYPE_F32;
	const struct inside rows = span_inside(&span[0], bin[0]);
	const struct inside columns = span_inside(&span[1], bin[1]);
	struct roi_sample sample;

	/* a point outside is a 0 for max, too */
	sample.is_first = rows.last - rows.first == span[0].side &&
			  columns.last - columns.first == span[1].side;
	for (int64_t i = rows.first; i < rows.last; i++)
		for (int64_t j = columns.first; j < columns.last; j++) {
			point_sample(span, bin, i, j, &sample);
			if (narrow)
				add_sample_f32(&sample, planes, x, to);
			else
				add_sample_f64(&sample, planes, x, to);
			sample.is_first = false;
		}
}

static void align_bin(const struct kernel_call *call, const struct span span[2],
		      struct roi_planes *planes, const void *x, int64_t i)
{
	const struct shape *y = &call->query->out[0].shape;
	const int64_t plane = y->dim[2] * y->dim[3];
	const int64_t bin[2] = { i % plane / y->dim[3], i % y->dim[3] };
	const int64_t n = span[0].side * span[1].side;
	void *to = (char *)call->out[0] +
		   bytes_at(call, i / plane * y->dim[1] * plane + i % plane);

	for (int64_t c = 0; c < planes->n; c++)
		memset((char *)to + bytes_at(call, c * plane), 0,
		       bytes_at(call, 1));
	planes->n_samples = n > 1 ? (double)n : 1;
	align_points(call, span, bin, planes, x, to);
}

static void align_run(const struct kernel_call *call, unsigned slice,
		      void *scratch)
{
	const struct roi_attrs *attrs = call->query->attrs;
	const struct shape *x = &call->query->in[0].shape;
	const struct shape *y = &call->query->out[0].shape;
	const int64_t *image = call->in[2];
	struct roi_planes planes = { .n = x->dim[1],
				     .in = x->dim[2] * x->dim[3],
				     .out = y->dim[2] * y->dim[3],
				     .is_max = !strcmp(attrs->mode, "max") };
	int64_t first, last;

	(void)scratch;
	if (!shape_count(y))
		return;
	kernel_slice(y->dim[0], call->n_slices, slice, &first, &last);
	for (int64_t r = first; r < last; r++) {
		const struct span span[2] = {
			span_of(call, 4 * r + 1, y->dim[2], x->dim[2]),
			span_of(call, 4 * r, y->dim[3], x->dim[3]),
		};
		const char *from = call->in[0];

		if (image[r] < 0 || image[r] >= x->dim[0] || span[0].side < 0 ||
		    span[1].side < 0) {
			refuse(call, r);
			continue;
		}
		from += bytes_at(call, image[r] * planes.n * planes.in);
		for (int64_t i = 0; i < planes.out; i++)
			align_bin(call, span, &planes, from,
				  r * planes.out + i);
	}
}

static enum err_code check_x(const struct infer *infer, int64_t columns,
			     struct err *err)
{
	const struct shape *x = &infer->in[0].shape;
	const struct shape *rois = &infer->in[1].shape;
	char text[64];

	if (x->rank != 4)
		return infer_fail(err,
				  "input 'X': expected rank 4 (batch, "
				  "channels, rows, columns), got %u",
				  x->rank);
	if (rois->rank != 2 || rois->dim[1] != columns)
		return infer_fail(err,
				  "input 'rois': expected [regions, %lld], got "
				  "%s",
				  (long long)columns,
				  shape_text(rois, text, sizeof(text)));
	if (rois->dim[0] && (!x->dim[2] || !x->dim[3]))
		return infer_fail(err,
				  "input 'X': expected rows and columns "
				  "to read, got %lld by %lld",
				  (long long)x->dim[2], (long long)x->dim[3]);
	return ERR_NONE;
}

static enum err_code align_infer(struct infer *infer, struct err *err)
{
	const struct roi_attrs *attrs = infer->attrs;
	const struct shape *n = &infer->in[2].shape;
	enum err_code rc = check_x(infer, 4, err);

	if (rc)
		return rc;
	if (n->rank != 1 || n->dim[0] != infer->in[1].shape.dim[0])
		return infer_fail(err,
				  "input 'batch_indices': expected %lld, one a "
				  "region, got %lld",
				  (long long)infer->in[1].shape.dim[0],
				  (long long)shape_count(n));
	if (strcmp(attrs->mode, "avg") != 0 && strcmp(attrs->mode, "max") != 0)
		return err_set(err, ERR_INVALID,
			       "attribute 'mode': expected avg or max, got "
			       "'%.40s'",
			       attrs->mode);
	if (strcmp(attrs->coordinate, "half_pixel") != 0 &&
	    strcmp(attrs->coordinate, "output_half_pixel") != 0)
		return err_set(err, ERR_INVALID,
			       "attribute 'coordinate_transformation_mode': "
			       "expected half_pixel or output_half_pixel, got "
			       "'%.40s'",
			       attrs->coordinate);
	infer->out[0].shape =
	    (struct shape){ 4,
			    { n->dim[0], infer->in[0].shape.dim[1],
			      attrs->height, attrs->width } };
	infer->out[0].has_shape = true;
	return shape_check(&infer->out[0].shape, "output 'Y'", err);
}

/* ---- MaxRoiPool ---------------------------------------------------------- */

/* First and last element (exclusive) of a bin on one axis. */
static void pool_span(double low, double high, int64_t bin, int64_t bins,
		      int64_t extent, int64_t ret[2])
{
	const double size = high - low + 1 > 1 ? high - low + 1 : 1;
	const double step = size / (double)bins, most = (double)extent;
	double from = floor((double)bin * step) + low;
	double to = ceil((double)(bin + 1) * step) + low;

	from = from > 0 ? from < most ? from : most : 0;
	to = to > 0 ? to < most ? to : most : 0;
	ret[0] = (int64_t)from;
	ret[1] = (int64_t)to;
}

static void pool_bin(const struct kernel_call *call,
		     const struct roi_planes *planes, const void *x, int64_t r,
		     int64_t i)
{
	const struct roi_attrs *attrs = call->query->attrs;
	const struct shape *in = &call->query->in[0].shape;
	const struct shape *y = &call->query->out[0].shape;
	struct roi_box box = { .width = in->dim[3] };
	int64_t rows[2], columns[2];
	double edge[4];
	void *to = (char *)call->out[0] +
		   bytes_at(call, r * planes->n * planes->out + i);

	for (int k = 0; k < 4; k++)
		edge[k] = round(number(call, 5 * r + 1 + k) * attrs->scale);
	pool_span(edge[1], edge[3], i / y->dim[3], y->dim[2], in->dim[2], rows);
	pool_span(edge[0], edge[2], i % y->dim[3], y->dim[3], in->dim[3],
		  columns);
	if (rows[0] >= rows[1] || columns[0] >= columns[1]) {
		for (int64_t c = 0; c < planes->n; c++)
			memset((char *)to + bytes_at(call, c * planes->out), 0,
			       bytes_at(call, 1));
		return;
	}
	box.top = rows[0];
	box.bottom = rows[1];
	box.left = columns[0];
	box.right = columns[1];
	if (call->query->in[0].type.elem == DTYPE_F32)
		max_box_f32(&box, planes, x, to);
	else
		max_box_f64(&box, planes, x, to);
}

static void pool_run(const struct kernel_call *call, unsigned slice,
		     void *scratch)
{
	const struct shape *x = &call->query->in[0].shape;
	const struct shape *y = &call->query->out[0].shape;
	const struct roi_planes planes = { .n = x->dim[1],
					   .in = x->dim[2] * x->dim[3],
					   .out = y->dim[2] * y->dim[3] };
	int64_t first, last;

	(void)scratch;
	if (!shape_count(y))
		return;
	kernel_slice(y->dim[0], call->n_slices, slice, &first, &last);
	for (int64_t r = first; r < last; r++) {
		const double image = number(call, 5 * r);
		const char *from = call->in[0];

		if (!(image >= 0 && image < (double)x->dim[0])) {
			refuse(call, r);
			continue;
		}
		from += bytes_at(call, (int64_t)image * planes.n * planes.in);
		for (int64_t i = 0; i < planes.out; i++)
			pool_bin(call, &planes, from, r, i);
	}
}

static enum err_code pool_infer(struct infer *infer, struct err *err)
{
	const struct roi_attrs *attrs = infer->attrs;
	enum err_code rc = check_x(infer, 5, err);

	if (rc)
		return rc;
	if (attrs->pooled.n != 2)
		return infer_fail(err,
				  "attribute 'pooled_shape': expected rows and "
				  "columns, got %zu numbers",
				  attrs->pooled.n);
	infer->out[0].shape =
	    (struct shape){ 4,
			    { infer->in[1].shape.dim[0],
			      infer->in[0].shape.dim[1], attrs->pooled.v[0],
			      attrs->pooled.v[1] } };
	infer->out[0].has_shape = true;
	return shape_check(&infer->out[0].shape, "output 'Y'", err);
}

/* ---- rows ---------------------------------------------------------------- */

static enum err_code roi_prepare(const struct kernel_query *query,
				 struct kernel_setup *ret, struct err *err)
{
	const struct fact *y = &query->out[0];

	(void)err;
	ret->n_slices = move_slices(query, y->shape.dim[0],
				    tensor_bytes(y->type.elem, &y->shape));
	return ERR_NONE;
}

static double roi_cost(const struct kernel_query *query)
{
	return 0.2 + (double)shape_count(&query->out[0].shape) * 0.02;
}

static const struct kernel align_kernel = {
	.name = "roi_align.reference",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE,
	.cost = roi_cost,
	.prepare = roi_prepare,
	.run = align_run,
};
static const struct kernel pool_kernel = {
	.name = "max_roi_pool.reference",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE,
	.cost = roi_cost,
	.prepare = roi_prepare,
	.run = pool_run,
};
static const struct kernel *const align_kernels[] = { &align_kernel, NULL };
static const struct kernel *const pool_kernels[] = { &pool_kernel, NULL };

static const struct port align_in[] = {
	{ "X", "T:float,double,float16,bfloat16", 0 },
	{ "rois", "T", 0 },
	{ "batch_indices", "int64", 0 },
	{ 0 },
};
static const struct port pool_in[] = {
	{ "X", "T:float,double,float16,bfloat16", 0 },
	{ "rois", "T", 0 },
	{ 0 },
};
static const struct port roi_out[] = { { "Y", "T", 0 }, { 0 } };

/* clang-format off */
#define AT(member) offsetof(struct roi_attrs, member)
#define SCALE \
	{ .name = "spatial_scale", .help = "extent of X by that of the image", \
	  .offset = AT(scale), .kind = ATTR_FLOAT, .def = 1 }
static const struct op_attr align_attrs[] = {
	{ .name = "coordinate_transformation_mode", .help = "half_pixel or output_half_pixel",
	  .offset = AT(coordinate), .kind = ATTR_STRING, .def_text = "half_pixel" },
	{ .name = "mode", .help = "avg or max",
	  .offset = AT(mode), .kind = ATTR_STRING, .def_text = "avg" },
	{ .name = "output_height", .help = "rows of the result",
	  .offset = AT(height), .kind = ATTR_INT, .min = 1, .max = INT32_MAX, .def = 1 },
	{ .name = "output_width", .help = "columns of the result",
	  .offset = AT(width), .kind = ATTR_INT, .min = 1, .max = INT32_MAX, .def = 1 },
	{ .name = "sampling_ratio", .help = "points on a side of a bin; 0: one an element",
	  .offset = AT(sampling_ratio), .kind = ATTR_INT, .max = MAX_SIDE - 1 },
	SCALE,
	{ 0 },
};
static const struct op_attr pool_attrs[] = {
	{ .name = "pooled_shape", .help = "rows and columns of the result",
	  .offset = AT(pooled), .kind = ATTR_INTS, .flags = ATTR_REQUIRED, .min = 1,
	  .max = INT32_MAX },
	SCALE,
	{ 0 },
};

#define REGIONS "r:float[3,4]={0,0,3,4,-1,1,9,3,2,2,1,1}, n:int64[3]={0,1,1})"
static const struct op_case align_cases[] = {
	{ .name = "average",
	  .graph = "y = RoiAlign<output_height=2, output_width=3>(x:float[2,3,5,6], " REGIONS },
	{ .name = "largest",
	  .graph = "y = RoiAlign<output_height=2, output_width=2, mode=\"max\", "
		   "sampling_ratio=2>(x:float[2,3,5,6], " REGIONS },
	{ .name = "not shifted",
	  .graph = "y = RoiAlign<output_height=2, output_width=2, spatial_scale=0.5, "
		   "coordinate_transformation_mode=\"output_half_pixel\">(x:float[2,3,5,6], " 
		   REGIONS },
	{ .name = "double",
	  .graph = "y = RoiAlign(x:double[1,1,3,3], r:double[1,4]={0,0,2,2}, n:int64[1]={0})" },
	{ .name = "a region far larger than the image",
	  .graph = "y = RoiAlign<output_height=2, output_width=2>(x:float[1,2,5,6], "
		   "r:float[1,4]={-4000,-4000,4000,4000}, n:int64[1]={0})" },
	{ .name = "its largest",
	  .graph = "y = RoiAlign<output_height=2, output_width=2, mode=\"max\">(x:float[1,2,5,6], "
		   "r:float[1,4]={-4000,-1,4000,9}, n:int64[1]={0})" },
	{ .name = "no region",
	  .graph = "y = RoiAlign(x:float[1,1,3,3], r:float[0,4], n:int64[0])" },
	{ .name = "regions of five numbers",
	  .graph = "y = RoiAlign(x:float[1,1,3,3], r:float[1,5], n:int64[1])", .want = ERR_SHAPE },
	{ .name = "too few images",
	  .graph = "y = RoiAlign(x:float[1,1,3,3], r:float[2,4], n:int64[1])", .want = ERR_SHAPE },
	{ .name = "of nothing",
	  .graph = "y = RoiAlign(x:float[1,1,0,3], r:float[1,4], n:int64[1])", .want = ERR_SHAPE },
	{ .name = "rank 3",
	  .graph = "y = RoiAlign(x:float[1,3,3], r:float[1,4], n:int64[1])", .want = ERR_SHAPE },
	{ .name = "unknown mode",
	  .graph = "y = RoiAlign<mode=\"sum\">(x:float[1,1,3,3], r:float[1,4], n:int64[1])",
	  .want = ERR_INVALID },
	{ 0 },
};
static const struct op_case pool_cases[] = {
	{ .name = "regions",
	  .graph = "y = MaxRoiPool<pooled_shape=[2,3]>(x:float[2,3,5,6], "
		   "r:float[3,5]={0,0,0,3,4,1,-1,1,9,3,1,2,2,1,1})" },
	{ .name = "scaled",
	  .graph = "y = MaxRoiPool<pooled_shape=[2,2], spatial_scale=0.5>(x:double[1,2,5,6], "
		   "r:double[1,5]={0,2,2,9,9})" },
	{ .name = "outside",
	  .graph = "y = MaxRoiPool<pooled_shape=[1,1]>"
		   "(x:float[1,1,2,2], r:float[1,5]={0,7,7,9,9})" },
	{ .name = "no region",
	  .graph = "y = MaxRoiPool<pooled_shape=[1,1]>(x:float[1,1,2,2], r:float[0,5])" },
	{ .name = "one extent",
	  .graph = "y = MaxRoiPool<pooled_shape=[1]>(x:float[1,1,2,2], r:float[1,5])",
	  .want = ERR_SHAPE },
	{ .name = "regions of four numbers",
	  .graph = "y = MaxRoiPool<pooled_shape=[1,1]>(x:float[1,1,2,2], r:float[1,4])",
	  .want = ERR_SHAPE },
	{ 0 },
};
/* clang-format on */

extern const struct op op_max_roi_pool;
const struct op op_max_roi_pool = {
	.domain = "",
	.name = "MaxRoiPool",
	.help = "The largest values of regions, in bins.",
	.since = 1,
	.in = pool_in,
	.out = roi_out,
	.attrs = pool_attrs,
	.attrs_size = sizeof(struct roi_attrs),
	.infer = pool_infer,
	.kernels = pool_kernels,
	.cases = pool_cases,
};

extern const struct op op_roi_align;
const struct op op_roi_align = {
	.domain = "",
	.name = "RoiAlign",
	.help = "Regions read by interpolation, in bins.",
	.since = 16,
	.in = align_in,
	.out = roi_out,
	.attrs = align_attrs,
	.attrs_size = sizeof(struct roi_attrs),
	.infer = align_infer,
	.kernels = align_kernels,
	.cases = align_cases,
};
