/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * GridSample: Y[n, :, o] is X[n, :] read at the place grid[n, o], given from
 * the last axis to the first, where -1 and 1 are the borders of the input
 * (align_corners: the middles of its corner elements). nearest takes one
 * element, linear two an axis, cubic four (Keys, a = -0.75). What lies beyond
 * the border is 0, the border's element, or mirrored.
 *
 * Source: ONNX; Jaderberg et al., Spatial transformer networks.
 */
#include <math.h>
#include <string.h>

#include "engine/autodiff.h"
#include "engine/ops/grid_sample.h"
#include "engine/ops/move.h"

enum { GRID_TAPS = 64, FAR = 8 };
/* places whose taps are found at once, and those of a slice at least */
enum { BLOCK_PLACES = 64, SLICE_PLACES = 256 };

/* What one place is made of. */
struct taps {
	unsigned n;
	int64_t at[GRID_TAPS];
	double weight[GRID_TAPS];
};
/* channels: how many, and from one to the next */
struct planes {
	int64_t n, in, out;
	int64_t n_places;
};

static int64_t to_int(double sum, double low, double high)
{
	if (isnan(sum))
		return 0;
	return (int64_t)(sum < low ? low : sum > high ? high : sum);
}

static uint64_t to_uint(double sum)
{
	if (!(sum > 0))
		return 0;
	return sum < 0x1p64 ? (uint64_t)sum : UINT64_MAX;
}

#define T float
#define SUM float
#define FROM(sum) (sum)
#define NAME(x) x##_f32
#include "engine/ops/grid_sample_typed.h"
#define T double
#define SUM double
#define FROM(sum) (sum)
#define NAME(x) x##_f64
#include "engine/ops/grid_sample_typed.h"
#define T int32_t
#define SUM double
#define FROM(sum) (int32_t) to_int((sum), INT32_MIN, INT32_MAX)
#define NAME(x) x##_i32
#include "engine/ops/grid_sample_typed.h"
#define T int64_t
#define SUM double
#define FROM(sum) to_int((sum), -0x1p63, 0x1.fffffffffffffp62)
#define NAME(x) x##_i64
#include "engine/ops/grid_sample_typed.h"
#define T uint64_t
#define SUM double
#define FROM(sum) to_uint(sum)
#define NAME(x) x##_u64
#include "engine/ops/grid_sample_typed.h"
#define T uint8_t
#define SUM double
#define FROM(sum) ((sum) != 0)
#define NAME(x) x##_bool
#include "engine/ops/grid_sample_typed.h"

/* ---- places -------------------------------------------------------------- */

static double reflect(double x, double low, double high)
{
	const double range = high - low;
	double rest;

	if (!(range > 0))
		return low;
	rest = fmod(fabs(x - low), 2 * range);
	return low + (rest <= range ? rest : 2 * range - rest);
}

/* v in the unit of elements; rounded as the type of the grid rounds */
static double place_of(const struct grid *g, int64_t len, double v)
{
	const float narrow = (float)v, extent = (float)len;

	if (g->narrow && g->align)
		return (double)((narrow + 1) / 2 * (extent - 1));
	if (g->narrow)
		return (double)(((narrow + 1) * extent - 1) / 2);
	if (g->align)
		return (v + 1) / 2 * ((double)len - 1);
	return ((v + 1) * (double)len - 1) / 2;
}

static double settle(const struct grid *g, int64_t len, double x)
{
	const double low = g->align ? 0 : -0.5;
	const double high = (double)len - (g->align ? 1 : 0.5);

	x = isnan(x) ? -FAR : x < -1e15 ? -1e15 : x > 1e15 ? 1e15 : x;
	if (g->mode == GRID_NEAREST)
		x = rint(x);
	if (x >= low && x <= high)
		return x;
	if (g->padding == GRID_BORDER)
		return x < 0 ? 0 : x > (double)len - 1 ? (double)len - 1 : x;
	if (g->padding == GRID_REFLECTION)
		return reflect(x, low, high);
	return x < -FAR ? -FAR : x > (double)len + FAR ? (double)len + FAR : x;
}

static int64_t element(const struct grid *g, int64_t len, int64_t i)
{
	if (i >= 0 && i < len)
		return i;
	if (g->padding == GRID_ZEROS || !len)
		return -1;
	if (g->padding == GRID_REFLECTION)
		i = (int64_t)reflect((double)i, g->align ? 0 : -0.5,
				     (double)len - (g->align ? 1 : 0.5));
	return i < 0 ? 0 : i >= len ? len - 1 : i;
}

static double cubic(double x)
{
	const double a = -0.75;

	x = fabs(x);
	if (x <= 1)
		return ((a + 2) * x - (a + 3)) * x * x + 1;
	return x < 2 ? ((x - 5) * x + 8) * a * x - 4 * a : 0;
}

void grid_axis_taps(const struct grid *g, int64_t len, double v,
		    struct grid_axis *ret)
{
	const double x = settle(g, len, place_of(g, len, v));
	const double base = floor(x);
	int64_t first = (int64_t)base;

	ret->n = g->mode == GRID_CUBIC ? 4 : g->mode == GRID_LINEAR ? 2 : 1;
	if (g->mode == GRID_CUBIC)
		first--;
	for (unsigned t = 0; t < ret->n; t++) {
		const int64_t i = first + (int64_t)t;
		const double d = x - (double)i;

		ret->at[t] = element(g, len, i);
		ret->weight[t] = g->mode == GRID_CUBIC	  ? cubic(d)
				 : g->mode == GRID_LINEAR ? 1 - fabs(d)
							  : 1;
	}
}

/* The slope of settle() at x: where x is held, or mirrored. */
static double settle_slope(const struct grid *g, int64_t len, double x)
{
	const double low = g->align ? 0 : -0.5;
	const double high = (double)len - (g->align ? 1 : 0.5);
	double rest;

	if (g->mode == GRID_NEAREST || isnan(x) || fabs(x) > 1e15)
		return 0;
	if (x >= low && x <= high)
		return 1;
	if (g->padding == GRID_BORDER)
		return x < 0 || x > (double)len - 1 ? 0 : 1;
	if (g->padding == GRID_ZEROS)
		return 1;
	if (!(high > low))
		return 0;
	rest = fmod(fabs(x - low), 2 * (high - low));
	return (rest <= high - low) == (x > low) ? 1 : -1;
}

static double cubic_slope(double x)
{
	const double a = -0.75, d = fabs(x);
	const double slope = d <= 1  ? (3 * (a + 2) * d - 2 * (a + 3)) * d
			     : d < 2 ? ((3 * d - 10) * d + 8) * a
				     : 0;

	return x < 0 ? -slope : slope;
}

void grid_axis_slopes(const struct grid *g, int64_t len, double v,
		      const struct grid_axis *axis,
		      double slope[GRID_AXIS_TAPS])
{
	const double place = place_of(g, len, v), x = settle(g, len, place);
	const double factor = settle_slope(g, len, place) *
			      ((double)len - (g->align ? 1 : 0)) / 2;
	int64_t first = (int64_t)floor(x);

	if (g->mode == GRID_CUBIC)
		first--;
	for (unsigned t = 0; t < axis->n; t++) {
		const double d = x - (double)(first + (int64_t)t);

		slope[t] = g->mode == GRID_CUBIC    ? cubic_slope(d)
			   : g->mode == GRID_LINEAR ? (d < 0 ? 1 : -1)
						    : 0;
		slope[t] = factor == 0 ? 0 : slope[t] * factor;
	}
}

/* Multiplies the taps so far by those of one more axis. */
static void add_axis(struct taps *taps, const struct grid_axis *axis,
		     int64_t len)
{
	struct taps old;

	/* few of them: not the whole struct */
	old.n = taps->n;
	memcpy(old.at, taps->at, old.n * sizeof(old.at[0]));
	memcpy(old.weight, taps->weight, old.n * sizeof(old.weight[0]));
	taps->n = 0;
	for (unsigned i = 0; i < old.n; i++) {
		for (unsigned t = 0; t < axis->n; t++) {
			if (axis->at[t] < 0 || axis->weight[t] == 0)
				continue;
			taps->at[taps->n] = old.at[i] * len + axis->at[t];
			taps->weight[taps->n++] =
			    old.weight[i] * axis->weight[t];
		}
	}
}

static double number(const struct kernel_call *call, int64_t i)
{
	if (call->query->in[1].type.elem == DTYPE_F32)
		return (double)((const float *)call->in[1])[i];
	return ((const double *)call->in[1])[i];
}

static void find_taps(const struct grid *g, const struct kernel_call *call,
		      int64_t place, struct taps *ret)
{
	ret->n = 1;
	ret->at[0] = 0;
	ret->weight[0] = 1;
	for (unsigned k = 0; k < g->rank; k++) {
		const int64_t i =
		    (place + 1) * (int64_t)g->rank - 1 - (int64_t)k;
		struct grid_axis axis;

		grid_axis_taps(g, g->dim[k], number(call, i), &axis);
		add_axis(ret, &axis, g->dim[k]);
	}
}

/* ---- the operator -------------------------------------------------------- */

static enum err_code read_modes(const struct grid_attrs *attrs,
				struct grid *ret, struct err *err)
{
	/* opset 16 said bilinear and bicubic */
	static const char *const modes[][2] = { { "nearest", "nearest" },
						{ "linear", "bilinear" },
						{ "cubic", "bicubic" } };
	static const char *const paddings[] = { "zeros", "border",
						"reflection" };
	unsigned mode = 0, padding = 0;

	while (mode < 3 && strcmp(attrs->mode, modes[mode][0]) != 0 &&
	       strcmp(attrs->mode, modes[mode][1]) != 0)
		mode++;
	while (padding < 3 &&
	       strcmp(attrs->padding_mode, paddings[padding]) != 0)
		padding++;
	if (mode == 3)
		return err_set(err, ERR_INVALID,
			       "attribute 'mode': expected nearest, linear or "
			       "cubic, got '%.40s'",
			       attrs->mode);
	if (padding == 3)
		return err_set(err, ERR_INVALID,
			       "attribute 'padding_mode': expected zeros, "
			       "border or reflection, got '%.40s'",
			       attrs->padding_mode);
	ret->mode = (enum grid_mode)mode;
	ret->padding = (enum grid_padding)padding;
	ret->align = attrs->align_corners != 0;
	return ERR_NONE;
}

enum err_code grid_read(const struct infer *infer, struct grid *ret,
			struct err *err)
{
	const struct shape *x = &infer->in[0].shape, *at = &infer->in[1].shape;
	char text[2][64];
	enum err_code rc = read_modes(infer->attrs, ret, err);

	if (rc)
		return rc;
	if (x->rank < 3 || x->rank > 2 + GRID_DIMS)
		return err_set(err, x->rank < 3 ? ERR_SHAPE : ERR_UNSUPPORTED,
			       "input 'X': expected rank 3 to %d (batch, "
			       "channels, 1 to %d axes), got %u",
			       2 + GRID_DIMS, GRID_DIMS, x->rank);
	ret->rank = x->rank - 2;
	if (at->rank != x->rank || at->dim[0] != x->dim[0] ||
	    at->dim[at->rank - 1] != (int64_t)ret->rank)
		return infer_fail(err,
				  "input 'grid': expected [%lld, ..., %u] of "
				  "rank %u for X %s, got %s",
				  (long long)x->dim[0], ret->rank, x->rank,
				  shape_text(x, text[0], sizeof(text[0])),
				  shape_text(at, text[1], sizeof(text[1])));
	memcpy(ret->dim, x->dim + 2, ret->rank * sizeof(x->dim[0]));
	ret->narrow = infer->in[1].type.elem != DTYPE_F64;
	ret->n_in = shape_range(x, 2, x->rank);
	ret->n_out = shape_range(at, 1, at->rank - 1);
	ret->n_batch = x->dim[0];
	return ERR_NONE;
}

static enum err_code grid_infer(struct infer *infer, struct err *err)
{
	const struct shape *x = &infer->in[0].shape, *at = &infer->in[1].shape;
	struct shape *y = &infer->out[0].shape;
	struct grid grid;
	enum err_code rc = grid_read(infer, &grid, err);

	if (rc)
		return rc;
	*y = *x;
	memcpy(y->dim + 2, at->dim + 1, grid.rank * sizeof(y->dim[0]));
	infer->out[0].has_shape = true;
	return shape_check(y, "output 'Y'", err);
}

static void sample(const struct kernel_call *call, const struct taps *taps,
		   const struct planes *planes, int64_t from, int64_t to)
{
	const void *x = call->in[0];
	void *y = call->out[0];

	switch (call->query->in[0].type.elem) {
	case DTYPE_F32:
		sample_f32(taps, planes, (const float *)x + from,
			   (float *)y + to);
		break;
	case DTYPE_F64:
		sample_f64(taps, planes, (const double *)x + from,
			   (double *)y + to);
		break;
	case DTYPE_I32:
		sample_i32(taps, planes, (const int32_t *)x + from,
			   (int32_t *)y + to);
		break;
	case DTYPE_I64:
		sample_i64(taps, planes, (const int64_t *)x + from,
			   (int64_t *)y + to);
		break;
	case DTYPE_U64:
		sample_u64(taps, planes, (const uint64_t *)x + from,
			   (uint64_t *)y + to);
		break;
	default:
		sample_bool(taps, planes, (const uint8_t *)x + from,
			    (uint8_t *)y + to);
	}
}

/* Places first to last - 1, all of one image. */
static void run_block(const struct grid *grid, const struct kernel_call *call,
		      int64_t first, int64_t last, struct taps *taps)
{
	const struct planes planes = { .n = call->query->in[0].shape.dim[1],
				       .in = grid->n_in,
				       .out = grid->n_out,
				       .n_places = last - first };
	const int64_t n = first / grid->n_out * planes.n;

	for (int64_t i = first; i < last; i++)
		find_taps(grid, call, i, &taps[i - first]);
	sample(call, taps, &planes, n * grid->n_in,
	       n * grid->n_out + first % grid->n_out);
}

static void grid_run(const struct kernel_call *call, unsigned slice,
		     void *scratch)
{
	const struct infer infer = query_infer(call->query);
	int64_t first, last;
	struct grid grid;

	if (!shape_count(&call->query->out[0].shape) ||
	    grid_read(&infer, &grid, NULL))
		return;
	kernel_slice(grid.n_batch * grid.n_out, call->n_slices, slice, &first,
		     &last);
	while (first < last) {
		int64_t end = (first / grid.n_out + 1) * grid.n_out;

		end = end < last ? end : last;
		end = end < first + BLOCK_PLACES ? end : first + BLOCK_PLACES;
		run_block(&grid, call, first, end, scratch);
		first = end;
	}
}

static enum err_code grid_prepare(const struct kernel_query *query,
				  struct kernel_setup *ret, struct err *err)
{
	const struct shape *at = &query->in[1].shape;
	const int64_t n = shape_range(at, 0, at->rank - 1) / SLICE_PLACES;

	(void)err;
	ret->scratch_bytes = BLOCK_PLACES * sizeof(struct taps);
	ret->n_slices = kernel_slices(query, (double)n);
	return ERR_NONE;
}

static double grid_cost(const struct kernel_query *query)
{
	return 0.2 + (double)shape_count(&query->out[0].shape) * 8e-3 +
	       (double)shape_count(&query->in[1].shape) * 0.03;
}

static enum err_code grid_vjp(struct vjp *vjp, struct err *err)
{
	const int32_t in[3] = { vjp->in[0], vjp->in[1], vjp->grad_out[0] };

	build_nodes(vjp->build, "GridSampleGrad", vjp->attrs, in, 3,
		    vjp->grad_in, 2);
	return build_check(vjp->build, err);
}

static const struct kernel grid_kernel = {
	.name = "grid_sample.reference",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE,
	.cost = grid_cost,
	.prepare = grid_prepare,
	.run = grid_run,
};
static const struct kernel *const grid_kernels[] = { &grid_kernel, NULL };

static const struct port grid_in[] = {
	{ "X",
	  "T:float,double,float16,bfloat16,int8,uint8,int16,uint16,int32,"
	  "uint32,int64,uint64,bool",
	  0 },
	{ "grid", "float,double,float16,bfloat16", 0 },
	{ 0 },
};
static const struct port grid_out[] = { { "Y", "T", 0 }, { 0 } };

const struct op_attr grid_sample_attrs[] = {
	{ .name = "align_corners",
	  .help = "1: -1 and 1 are the middles of corner elements",
	  .offset = offsetof(struct grid_attrs, align_corners),
	  .kind = ATTR_INT,
	  .max = 1 },
	{ .name = "mode",
	  .help = "nearest, linear or cubic",
	  .offset = offsetof(struct grid_attrs, mode),
	  .kind = ATTR_STRING,
	  .def_text = "linear" },
	{ .name = "padding_mode",
	  .help = "zeros, border or reflection",
	  .offset = offsetof(struct grid_attrs, padding_mode),
	  .kind = ATTR_STRING,
	  .def_text = "zeros" },
	{ 0 },
};

#define IMAGE "(x:float[2,3,4,5], g:float[2,6,7,2])"
static const struct op_case grid_cases[] = {
	{ .name = "linear", .graph = "y = GridSample" IMAGE },
	{ .name = "corners", .graph = "y = GridSample<align_corners=1>" IMAGE },
	{ .name = "border",
	  .graph = "y = GridSample<mode=\"bilinear\", "
		   "padding_mode=\"border\">" IMAGE },
	{ .name = "reflection",
	  .graph = "y = GridSample<padding_mode=\"reflection\">" IMAGE },
	{ .name = "nearest",
	  .graph = "y = GridSample<mode=\"nearest\", "
		   "padding_mode=\"reflection\", align_corners=1>" IMAGE },
	{ .name = "cubic", .graph = "y = GridSample<mode=\"cubic\">" IMAGE },
	{ .name = "cubic, reflected",
	  .graph = "y = GridSample<mode=\"bicubic\", "
		   "padding_mode=\"reflection\">" IMAGE },
	{ .name = "volume",
	  .graph = "y = GridSample<padding_mode=\"border\">("
		   "x:double[1,2,3,4,2], g:double[1,2,3,2,3])" },
	{ .name = "volume, reflected, corners",
	  .graph = "y = GridSample<padding_mode=\"reflection\", "
		   "align_corners=1>(x:double[1,2,3,4,2], "
		   "Mul(g:double[1,2,3,2,3], 2))" },
	{ .name = "cubic, border",
	  .graph = "y = GridSample<mode=\"cubic\", padding_mode=\"border\", "
		   "align_corners=1>" IMAGE },
	{ .name = "sequence",
	  .graph = "y = GridSample(x:float[2,2,9], g:float[2,5,1])" },
	{ .name = "bytes",
	  .graph = "y = GridSample(x:uint8[1,2,3,4], g:float[1,2,2,2])" },
	{ .name = "bool",
	  .graph = "y = GridSample<mode=\"nearest\">(x:bool[1,2,3,4], "
		   "g:double[1,2,2,2])" },
	{ .name = "whole numbers",
	  .graph = "y = GridSample(x:uint64[1,1,3,4], g:float[1,2,2,2])" },
	{ .name = "not a number",
	  .graph = "y = GridSample<padding_mode=\"border\">(x:float[1,1,2,2], "
		   "Sqrt(g:float[1,1,1,2]={-1,-1}))" },
	{ .name = "far away",
	  .graph = "y = GridSample<padding_mode=\"reflection\">("
		   "x:float[1,1,2,2], g:float[1,1,1,2]={1e30,-1e30})" },
	{ .name = "one element",
	  .graph = "y = GridSample<padding_mode=\"reflection\", "
		   "align_corners=1>(x:float[1,1,1,1], g:float[1,2,2,2])" },
	{ .name = "of nothing",
	  .graph = "y = GridSample(x:float[1,1,0,2], g:float[1,2,2,2])" },
	{ .name = "no place",
	  .graph = "y = GridSample(x:float[1,1,2,2], g:float[1,0,2,2])" },
	{ .name = "sliced",
	  .graph = "y = GridSample(x:float[2,3,9,9], g:float[2,40,30,2])" },
	{ .name = "another batch",
	  .graph = "y = GridSample(x:float[1,1,2,2], g:float[2,2,2,2])",
	  .want = ERR_SHAPE },
	{ .name = "places of three numbers",
	  .graph = "y = GridSample(x:float[1,1,2,2], g:float[1,2,2,3])",
	  .want = ERR_SHAPE },
	{ .name = "unknown mode",
	  .graph = "y = GridSample<mode=\"area\">" IMAGE,
	  .want = ERR_INVALID },
	{ .name = "unknown padding",
	  .graph = "y = GridSample<padding_mode=\"wrap\">" IMAGE,
	  .want = ERR_INVALID },
	{ 0 },
};

extern const struct op op_grid_sample;
const struct op op_grid_sample = {
	.domain = "",
	.name = "GridSample",
	.help = "Reads an image at the places of a grid.",
	.since = 16,
	.in = grid_in,
	.out = grid_out,
	.attrs = grid_sample_attrs,
	.attrs_size = sizeof(struct grid_attrs),
	.infer = grid_infer,
	.kernels = grid_kernels,
	.vjp = grid_vjp,
	.cases = grid_cases,
};
