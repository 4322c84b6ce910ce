/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * AddBytes (add_bytes.h): made by the pass `narrow`, where residuals of models
 * that came quantized meet.
 */
#include "engine/ops/add_bytes.h"

#include <math.h>

#include "engine/kernel.h"
#include "engine/kernels/convert_loops.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/quantize.h"

static bool grid_fits(double scale, int64_t zero, enum dtype elem)
{
	int32_t low, high;

	return (float)scale > 0 && isfinite((float)scale) &&
	       quantized_range(elem, &low, &high) && zero >= low &&
	       zero <= high;
}

static enum err_code infer(struct infer *infer, struct err *err)
{
	const struct add_bytes_attrs *attrs = infer->attrs;
	const struct fact *in = infer->in;

	if (attrs->to != DTYPE_U8 && attrs->to != DTYPE_I8)
		return err_set(err, ERR_INVALID,
			       "attribute 'to': expected uint8 or int8");
	if (!shape_equal(&in[0].shape, &in[1].shape))
		return infer_fail(err, "inputs 'A' and 'B': expected the same "
				       "shape");
	if (!grid_fits(attrs->a_scale, attrs->a_zero, in[0].type.elem) ||
	    !grid_fits(attrs->b_scale, attrs->b_zero, in[1].type.elem) ||
	    !grid_fits(attrs->y_scale, attrs->y_zero, (enum dtype)attrs->to))
		return err_set(err, ERR_INVALID,
			       "attributes 'a_scale' to 'y_zero': expected "
			       "scales above 0 and zero points that are bytes "
			       "of their types");
	return infer_same(infer, err);
}

static uint8_t flip_of(enum dtype elem)
{
	return elem == DTYPE_I8 ? 0x80 : 0;
}

static void run(const struct kernel_call *call, unsigned slice, void *scratch)
{
	const struct kernel_query *q = call->query;
	const struct add_bytes_attrs *attrs = q->attrs;
	struct byte_sum_grid grid = {
		.a_scale = (float)attrs->a_scale,
		.b_scale = (float)attrs->b_scale,
		.y_scale = (float)attrs->y_scale,
		.a_flip = flip_of(q->in[0].type.elem),
		.b_flip = flip_of(q->in[1].type.elem),
		.y_flip = flip_of((enum dtype)attrs->to),
	};
	int64_t first, last;

	(void)scratch;
	grid.a_zero = (int32_t)attrs->a_zero + grid.a_flip;
	grid.b_zero = (int32_t)attrs->b_zero + grid.b_flip;
	grid.y_zero = (int32_t)attrs->y_zero + grid.y_flip;
	kernel_slice(shape_count(&q->out[0].shape), call->n_slices, slice,
		     &first, &last);
	convert_loops()->add_bytes((const uint8_t *)call->in[0] + first,
				   (const uint8_t *)call->in[1] + first,
				   last - first, &grid,
				   (uint8_t *)call->out[0] + first);
}

/* Element by element, as the three operators would. */
static void run_plain(const struct kernel_call *call, unsigned slice,
		      void *scratch)
{
	const struct kernel_query *q = call->query;
	const struct add_bytes_attrs *attrs = q->attrs;
	const enum dtype to = (enum dtype)attrs->to;
	const int64_t n = shape_count(&q->out[0].shape);

	(void)slice;
	(void)scratch;
	for (int64_t i = 0; i < n; i++) {
		const int32_t a =
		    quantized_at(q->in[0].type.elem, call->in[0], i);
		const int32_t b =
		    quantized_at(q->in[1].type.elem, call->in[1], i);
		const float x =
		    (float)(a - (int32_t)attrs->a_zero) * (float)attrs->a_scale;
		const float y =
		    (float)(b - (int32_t)attrs->b_zero) * (float)attrs->b_scale;
		const float sum = (x + y) / (float)attrs->y_scale;

		quantized_put(
		    to, call->out[0], i,
		    quantize_one((double)sum, (int32_t)attrs->y_zero, to));
	}
}

static double cost(const struct kernel_query *query)
{
	return 0.1 + 2e-4 * (double)shape_count(&query->out[0].shape);
}

static const struct kernel fast = {
	.name = "add_bytes.simd",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE | KERNEL_IN_PLACE,
	.cost = cost,
	.prepare = elementwise_prepare,
	.run = run,
};
static const struct kernel plain = {
	.name = "add_bytes.plain",
	.flags = KERNEL_QUICK,
	.run = run_plain,
};
static const struct kernel *const kernels[] = { &fast, &plain, NULL };

static const struct port in[] = {
	{ "A", "TA:uint8,int8", 0 },
	{ "B", "TB:uint8,int8", 0 },
	{ 0 },
};
static const struct port out[] = { { "Y", "@to", 0 }, { 0 } };

/* clang-format off */
#define ATTR(member) offsetof(struct add_bytes_attrs, member)
#define ZERO(attr) \
	{ .name = #attr, .help = "a zero point", .offset = ATTR(attr), .kind = ATTR_INT, \
	  .min = INT8_MIN, .max = UINT8_MAX }
#define SCALE(attr) \
	{ .name = #attr, .help = "a scale", .offset = ATTR(attr), .kind = ATTR_FLOAT, .def = 1 }
static const struct op_attr attrs[] = {
	SCALE(a_scale),
	ZERO(a_zero),
	SCALE(b_scale),
	ZERO(b_zero),
	{ .name = "to", .help = "the type of Y: uint8 or int8",
	  .offset = ATTR(to), .kind = ATTR_INT, .def = DTYPE_U8 },
	SCALE(y_scale),
	ZERO(y_zero),
	{ 0 },
};
static const struct op_case cases[] = {
	{ .name = "bytes", .graph = "y = predictd.AddBytes<a_scale=0.1, a_zero=7, b_scale=0.03, "
		   "b_zero=200, y_scale=0.11, y_zero=100>(a:uint8[3,1100], b:uint8[3,1100])" },
	{ .name = "signed and not",
	  .graph = "y = predictd.AddBytes<a_scale=0.1, a_zero=-7, b_scale=0.03, b_zero=200, "
		   "y_scale=0.11, y_zero=-100, to=3>(a:int8[5,7], b:uint8[5,7])" },
	{ .name = "nothing", .graph = "y = predictd.AddBytes(a:int8[0,7], b:uint8[0,7])" },
	{ .name = "another shape",
	  .graph = "y = predictd.AddBytes(a:int8[7], b:uint8[1,7])", .want = ERR_SHAPE },
	{ .name = "no scale", .graph = "y = predictd.AddBytes<b_scale=0.>(a:int8[7], b:uint8[7])",
	  .want = ERR_INVALID },
	{ .name = "a zero point that is no byte of A",
	  .graph = "y = predictd.AddBytes<a_zero=128>(a:int8[7], b:uint8[7])",
	  .want = ERR_INVALID },
	{ 0 },
};
/* clang-format on */

extern const struct op op_add_bytes;
const struct op op_add_bytes = {
	.domain = "predictd",
	.name = "AddBytes",
	.help = "The sum of two quantized values, quantized.",
	.since = 1,
	.flags = OP_ANY_TYPE,
	.in = in,
	.out = out,
	.attrs = attrs,
	.attrs_size = sizeof(struct add_bytes_attrs),
	.infer = infer,
	.kernels = kernels,
	.cases = cases,
};
