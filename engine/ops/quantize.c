/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * QuantizeLinear and DequantizeLinear, of ONNX and of com.microsoft. quantize.h
 * has the formulas.
 *
 * Both go over runs of neighbours whose scales are one or neighbours, in chunks
 * that fit the stack: load as float or int32, compute, store.
 */
#include "engine/ops/quantize.h"

#include "engine/kernels/convert_loops.h"
#include "engine/ops/elementwise.h"

enum { CHUNK = 256 };

struct quantize_attrs {
	int64_t axis, block_size, output_dtype, precision, saturate;
};

/* An operand under way. */
struct source {
	enum dtype elem;
	const char *data; /* NULL: absent */
};

static struct source source_of(const struct kernel_call *call, unsigned i)
{
	const struct kernel_query *q = call->query;
	struct source source = { .elem = DTYPE_NONE };

	if (i < q->n_in) {
		source.elem = q->in[i].type.elem;
		source.data = call->in[i];
	}
	return source;
}

/* n neighbours from `at`, or the one there n times. */
static void load_floats(const struct source *from, int64_t at, int step,
			int64_t n, float *to)
{
	const size_t size = dtype_info(from->elem)->size;

	dtype_convert(from->elem, from->data + (size_t)at * size, DTYPE_F32, to,
		      step ? (size_t)n : 1, true);
	for (int64_t i = 1; !step && i < n; i++)
		to[i] = to[0];
}

static void load_ints(const struct source *from, int64_t at, int step,
		      int64_t n, int32_t *to)
{
	const size_t size = dtype_info(from->elem)->size;
	const char *data = from->data + (size_t)at * size;

	if (step && from->elem == DTYPE_U8)
		for (int64_t i = 0; i < n; i++)
			to[i] = ((const uint8_t *)data)[i];
	else if (step && from->elem == DTYPE_I8)
		for (int64_t i = 0; i < n; i++)
			to[i] = (int)((const int8_t *)data)[i];
	else
		dtype_convert(from->elem, data, DTYPE_I32, to,
			      step ? (size_t)n : 1, true);
	for (int64_t i = 1; !step && i < n; i++)
		to[i] = to[0];
}

/* The values that a narrower float can hold. */
static void round_floats(enum dtype to, int64_t n, float *x)
{
	for (int64_t i = 0; i < n && to == DTYPE_F16; i++)
		x[i] = dtype_f16_to_f32(dtype_f32_to_f16(x[i]));
	for (int64_t i = 0; i < n && to == DTYPE_BF16; i++)
		x[i] = dtype_bf16_to_f32(dtype_f32_to_bf16(x[i]));
}

/* One chunk: its first element and its part of a run of scales. */
struct piece {
	int64_t at, n, scale;
	int step;
};

struct quantizer {
	struct source x, scale, zero;
	enum dtype precision, to;
	bool saturate;
	char *out;
};

/* q + zero, saturated, where q is not rounded yet. Beyond 2^20 all types are
 * saturated, and below it adding 1.5 * 2^23 rounds to nearest even. */
static void round_and_shift(enum dtype to, int64_t n, const float *q,
			    int32_t *zero)
{
	const float rounder = 12582912.0f, far = 1048576.0f;
	int32_t low = 0, high = 0;

	(void)quantized_range(to, &low, &high);
	for (int64_t i = 0; i < n; i++) {
		const float above = q[i] > -far ? q[i] : -far;
		const float in = above < far ? above : far;
		const float whole = (in + rounder) - rounder;
		const int32_t sum = (int32_t)whole + zero[i];

		zero[i] = sum < low ? low : sum > high ? high : sum;
	}
}

static void store_ints(enum dtype to, const int32_t *from, int64_t n,
		       void *data)
{
	if (dtype_info(to)->size == 1)
		for (int64_t i = 0; i < n; i++)
			((uint8_t *)data)[i] = (uint8_t)from[i];
	else
		for (int64_t i = 0; i < n; i++)
			((uint16_t *)data)[i] = (uint16_t)from[i];
}

/* The whole piece at once where it has one scale and all is float or bytes;
 * false: it has not been done. */
static bool quantize_at_once(const struct quantizer *z, const struct piece *p)
{
	const void *x = z->x.data;
	struct byte_grid grid;

	if (p->step || z->x.elem != DTYPE_F32 || z->scale.elem != DTYPE_F32 ||
	    z->precision != DTYPE_F32 || dtype_info(z->to)->size != 1 ||
	    !quantized_range(z->to, &grid.low, &grid.high))
		return false;
	grid.scale = scale_at(DTYPE_F32, z->scale.data, p->scale);
	grid.zero = quantized_at(z->zero.elem, z->zero.data, p->scale);
	convert_loops()->quantize((const float *)x + p->at, p->n, &grid,
				  (uint8_t *)z->out + p->at);
	return true;
}

static bool dequantize_at_once(const struct quantizer *z, const struct piece *p)
{
	void *first = z->out;
	float *out = (float *)first + p->at;
	struct byte_grid grid = { 0 };

	if (p->step || z->scale.elem != DTYPE_F32 || z->to != DTYPE_F32 ||
	    (z->x.elem != DTYPE_U8 && z->x.elem != DTYPE_I8))
		return false;
	grid.scale = scale_at(DTYPE_F32, z->scale.data, p->scale);
	grid.zero = quantized_at(z->zero.elem, z->zero.data, p->scale);
	if (z->x.elem == DTYPE_U8)
		convert_loops()->from_u8((const uint8_t *)z->x.data + p->at,
					 p->n, &grid, out);
	else
		convert_loops()->from_i8((const int8_t *)z->x.data + p->at,
					 p->n, &grid, out);
	return true;
}

static void quantize_piece(const struct quantizer *z, const struct piece *p)
{
	float x[CHUNK], scale[CHUNK], shift[CHUNK];
	int32_t zero[CHUNK] = { 0 };
	char *out = z->out + (size_t)p->at * dtype_info(z->to)->size;

	load_floats(&z->x, p->at, 1, p->n, x);
	load_floats(&z->scale, p->scale, p->step, p->n, scale);
	round_floats(z->precision, p->n, x);
	round_floats(z->precision, p->n, scale);
	for (int64_t i = 0; i < p->n; i++)
		x[i] = x[i] / scale[i];
	round_floats(z->precision, p->n, x);
	if (dtype_is_integer(z->to)) {
		if (z->zero.data)
			load_ints(&z->zero, p->scale, p->step, p->n, zero);
		round_and_shift(z->to, p->n, x, zero);
		store_ints(z->to, zero, p->n, out);
		return;
	}
	if (z->zero.data) {
		load_floats(&z->zero, p->scale, p->step, p->n, shift);
		for (int64_t i = 0; i < p->n; i++)
			x[i] = shift[i] == 0 ? x[i] : x[i] + shift[i];
	}
	dtype_convert(DTYPE_F32, x, z->to, out, (size_t)p->n, z->saturate);
}

static void dequantize_piece(const struct quantizer *z, const struct piece *p)
{
	float x[CHUNK], scale[CHUNK], shift[CHUNK];
	int32_t q[CHUNK], zero[CHUNK] = { 0 };
	char *out = z->out + (size_t)p->at * dtype_info(z->to)->size;

	load_floats(&z->scale, p->scale, p->step, p->n, scale);
	if (dtype_is_integer(z->x.elem)) {
		load_ints(&z->x, p->at, 1, p->n, q);
		if (z->zero.data)
			load_ints(&z->zero, p->scale, p->step, p->n, zero);
		for (int64_t i = 0; i < p->n; i++)
			x[i] = (float)(int32_t)((uint32_t)q[i] -
						(uint32_t)zero[i]) *
			       scale[i];
	} else {
		load_floats(&z->x, p->at, 1, p->n, x);
		for (int64_t i = 0; i < p->n; i++)
			shift[i] = 0;
		if (z->zero.data)
			load_floats(&z->zero, p->scale, p->step, p->n, shift);
		for (int64_t i = 0; i < p->n; i++)
			x[i] = (x[i] - shift[i]) * scale[i];
	}
	dtype_convert(DTYPE_F32, x, z->to, out, (size_t)p->n, true);
}

static const char *const quantize_names[3] = { "x", "y_scale", "y_zero_point" };
static const char *const dequantize_names[3] = { "x", "x_scale",
						 "x_zero_point" };

static enum err_code find_grid(const struct fact *in, unsigned n_in,
			       const struct quantize_attrs *attrs,
			       const char *const names[3],
			       struct scale_grid *ret, struct err *err)
{
	const struct fact none = { .type = { .elem = DTYPE_NONE } };

	return scale_grid_init(&in[0], &in[1], n_in > 2 ? &in[2] : &none,
			       attrs->axis, attrs->block_size, names, ret, err);
}

static void
run_pieces(const struct kernel_call *call, unsigned slice,
	   const struct quantizer *z,
	   bool (*at_once)(const struct quantizer *, const struct piece *),
	   void (*run)(const struct quantizer *, const struct piece *))
{
	const struct kernel_query *q = call->query;
	struct scale_grid grid;
	struct piece p;
	int64_t first, last;

	kernel_slice(shape_count(&q->out[0].shape), call->n_slices, slice,
		     &first, &last);
	if (first == last ||
	    find_grid(q->in, q->n_in, q->attrs, quantize_names, &grid, NULL))
		return;
	for (p.at = first; p.at < last; p.at += p.n) {
		const struct scale_run r = scale_run_at(&grid, p.at, last);

		p.n = r.n;
		p.scale = r.scale;
		p.step = r.step;
		if (at_once(z, &p))
			continue;
		p.n = r.n < CHUNK ? r.n : CHUNK;
		run(z, &p);
	}
}

/* What the division is done in. */
static enum dtype precision_of(const struct kernel_query *q)
{
	const struct quantize_attrs *attrs = q->attrs;

	return attrs->precision ? (enum dtype)attrs->precision
				: q->in[1].type.elem;
}

static void quantize_run(const struct kernel_call *call, unsigned slice,
			 void *scratch)
{
	const struct quantize_attrs *attrs = call->query->attrs;
	const struct quantizer z = {
		.x = source_of(call, 0),
		.scale = source_of(call, 1),
		.zero = source_of(call, 2),
		.precision = precision_of(call->query),
		.to = call->query->out[0].type.elem,
		.saturate = attrs->saturate != 0,
		.out = call->out[0],
	};

	(void)scratch;
	run_pieces(call, slice, &z, quantize_at_once, quantize_piece);
}

static void dequantize_run(const struct kernel_call *call, unsigned slice,
			   void *scratch)
{
	const struct quantizer z = {
		.x = source_of(call, 0),
		.scale = source_of(call, 1),
		.zero = source_of(call, 2),
		.to = call->query->out[0].type.elem,
		.out = call->out[0],
	};

	(void)scratch;
	run_pieces(call, slice, &z, dequantize_at_once, dequantize_piece);
}

/* ---- shapes -------------------------------------------------------------- */

static bool is_quantized_type(enum dtype elem)
{
	int32_t low, high;

	return quantized_range(elem, &low, &high) ||
	       (elem >= DTYPE_F8E4M3FN && elem <= DTYPE_F8E5M2FNUZ) ||
	       elem == DTYPE_F4E2M1;
}

static bool is_full_float(int64_t elem)
{
	return elem == DTYPE_F32 || elem == DTYPE_F16 || elem == DTYPE_BF16;
}

static enum err_code quantize_infer(struct infer *infer, struct err *err)
{
	const struct quantize_attrs *attrs = infer->attrs;
	const enum dtype to = infer->out[0].type.elem;
	struct scale_grid grid;
	enum err_code rc;

	if (!is_quantized_type(to) ||
	    (infer->n_in > 2 && infer->in[2].type.elem != DTYPE_NONE &&
	     infer->in[2].type.elem != to))
		return err_set(err, ERR_INVALID,
			       "attribute 'output_dtype': expected the type of "
			       "'y_zero_point', a float8, a float4 or an "
			       "integer of at most 16 bits, got %s",
			       dtype_info(to)->name);
	if (attrs->precision && !is_full_float(attrs->precision))
		return err_set(err, ERR_INVALID,
			       "attribute 'precision': expected float (1), "
			       "float16 (10) or bfloat16 (16), got %lld",
			       (long long)attrs->precision);
	rc = find_grid(infer->in, infer->n_in, attrs, quantize_names, &grid,
		       err);
	return rc ? rc : infer_same(infer, err);
}

static enum err_code dequantize_infer(struct infer *infer, struct err *err)
{
	const enum dtype to = infer->out[0].type.elem;
	struct scale_grid grid;
	enum err_code rc;

	if (!is_full_float(to))
		return err_set(err, ERR_INVALID,
			       "attribute 'output_dtype': expected float, "
			       "float16 or bfloat16, got %s",
			       dtype_info(to)->name);
	rc = find_grid(infer->in, infer->n_in, infer->attrs, dequantize_names,
		       &grid, err);
	return rc ? rc : infer_same(infer, err);
}

/* ---- rows ---------------------------------------------------------------- */

static const struct kernel quantize_kernel = {
	.name = "quantize.reference",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE,
	.prepare = elementwise_prepare,
	.run = quantize_run,
};
static const struct kernel *const quantize_kernels[] = { &quantize_kernel,
							 NULL };
static const struct kernel dequantize_kernel = {
	.name = "dequantize.reference",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE,
	.prepare = elementwise_prepare,
	.run = dequantize_run,
};
static const struct kernel *const dequantize_kernels[] = { &dequantize_kernel,
							   NULL };

/* clang-format off */
#define SMALL_INTS "int8,uint8,int16,uint16,uint4,int4,uint2,int2"
#define SMALL_FLOATS "float8e4m3fn,float8e4m3fnuz,float8e5m2,float8e5m2fnuz,float4e2m1"
static const struct port quantize_in[] = {
	{ "x", "T1:float,float16,bfloat16,int32", 0 },
	{ "y_scale", "T2:float,float16,bfloat16,int32,float8e8m0", 0 },
	{ "y_zero_point", "T3:" SMALL_INTS "," SMALL_FLOATS, PORT_OPTIONAL },
	{ 0 },
};
static const struct port quantize_out[] = { { "y", "@output_dtype:T3:uint8", 0 }, { 0 } };
static const struct port dequantize_in[] = {
	{ "x", "T1:int32," SMALL_INTS "," SMALL_FLOATS, 0 },
	{ "x_scale", "T2:float,float16,bfloat16,float8e8m0", 0 },
	{ "x_zero_point", "T1", PORT_OPTIONAL },
	{ 0 },
};
static const struct port dequantize_out[] = { { "y", "@output_dtype:T2", 0 }, { 0 } };

static const struct op_attr quantize_attrs[] = {
	{ .name = "axis", .help = "of scales by index or by block",
	  .offset = offsetof(struct quantize_attrs, axis), .kind = ATTR_INT, .def = 1 },
	{ .name = "block_size", .help = "elements of a block; 0: no blocks",
	  .offset = offsetof(struct quantize_attrs, block_size), .kind = ATTR_INT,
	  .max = INT32_MAX },
	{ .name = "output_dtype", .help = "element type of y; 0: y_zero_point's, or uint8",
	  .offset = offsetof(struct quantize_attrs, output_dtype), .kind = ATTR_INT,
	  .max = DTYPE_COUNT - 1 },
	{ .name = "precision", .help = "element type of the division; 0: y_scale's",
	  .offset = offsetof(struct quantize_attrs, precision), .kind = ATTR_INT,
	  .max = DTYPE_COUNT - 1 },
	{ .name = "saturate", .help = "1: what is too large for a float8 becomes its largest",
	  .offset = offsetof(struct quantize_attrs, saturate), .kind = ATTR_INT, .max = 1,
	  .def = 1 },
	{ 0 },
};
static const struct op_attr dequantize_attrs[] = {
	{ .name = "axis", .help = "of scales by index or by block",
	  .offset = offsetof(struct quantize_attrs, axis), .kind = ATTR_INT, .def = 1 },
	{ .name = "block_size", .help = "elements of a block; 0: no blocks",
	  .offset = offsetof(struct quantize_attrs, block_size), .kind = ATTR_INT,
	  .max = INT32_MAX },
	{ .name = "output_dtype", .help = "element type of y; 0: x_scale's",
	  .offset = offsetof(struct quantize_attrs, output_dtype), .kind = ATTR_INT,
	  .max = DTYPE_COUNT - 1 },
	{ 0 },
};

static const struct op_case quantize_cases[] = {
	{ .name = "halves go to even",
	  .graph = "y = QuantizeLinear(x:float[6]={-1.5,-0.5,0.5,1.5,2.5,300}, s:float[]={1}, "
		   "z:uint8[]={3})" },
	{ .name = "no zero point", .graph = "y = QuantizeLinear(x:float[3,5], s:float[]={0.01})" },
	{ .name = "int8",
	  .graph = "y = QuantizeLinear(x:float[3,5], s:float[]={0.01}, z:int8[]={-3})" },
	{ .name = "uint16",
	  .graph = "y = QuantizeLinear(x:float[3,500], s:float[]={0.0001}, z:uint16[]={9000})" },
	{ .name = "int16",
	  .graph = "y = QuantizeLinear<output_dtype=5>(x:float[3,5], s:float[]={0.0001})" },
	{ .name = "an axis",
	  .graph = "y = QuantizeLinear(x:float[2,3,5], s:float[3]={0.1,0.2,0.3}, "
		   "z:int8[3]={1,2,3})" },
	{ .name = "the last axis",
	  .graph = "y = QuantizeLinear<axis=-1>(x:float[4,3], s:float[3]={0.1,0.2,0.3}, "
		   "z:int8[3]={1,2,3})" },
	{ .name = "blocks of the last axis",
	  .graph = "y = QuantizeLinear<block_size=2>(x:float[2,5], "
		   "s:float[2,3]={0.1,0.2,0.3,0.4,0.5,0.6}, z:uint8[2,3])" },
	{ .name = "blocks of an outer axis",
	  .graph = "y = QuantizeLinear<axis=0, block_size=2>(x:float[3,2], "
		   "s:float[2,2]={0.1,0.2,0.3,0.4}, z:int8[2,2])" },
	{ .name = "float16",
	  .graph = "y = QuantizeLinear(x:float16[3,5], s:float16[]={0.03}, z:int8[]={0})" },
	{ .name = "divided in float16",
	  .graph = "y = QuantizeLinear<precision=10>(x:float[3,5], s:float[]={0.03}, "
		   "z:int8[]={0})" },
	{ .name = "integers",
	  .graph = "y = QuantizeLinear(x:int32[3,5], s:float[]={0.3}, z:int8[]={0})" },
	{ .name = "four bits",
	  .graph = "y = QuantizeLinear<output_dtype=22>(x:float[3,5], s:float[]={0.1})" },
	{ .name = "two bits",
	  .graph = "y = QuantizeLinear<output_dtype=25>(x:float[3,5], s:float[]={0.5})" },
	{ .name = "float8",
	  .graph = "y = QuantizeLinear<output_dtype=17>(x:float[3,5], s:float[]={0.5})" },
	{ .name = "float8, not saturated",
	  .graph = "y = QuantizeLinear<output_dtype=19, saturate=0>(x:float[3,5], "
		   "s:float[]={0.00001})" },
	{ .name = "float4",
	  .graph = "y = QuantizeLinear<output_dtype=23>(x:float[3,5], s:float[]={0.5})" },
	{ .name = "powers of two as scale",
	  .graph = "y = QuantizeLinear<output_dtype=17>(x:float[3], "
		   "Cast<to=24>(s:float[]={0.5}))" },
	{ .name = "nothing", .graph = "y = QuantizeLinear(x:float[0,5], s:float[]={1})" },
	{ .name = "no scales", .graph = "y = QuantizeLinear(x:float[2,0], s:float[0])" },
	{ .name = "a scalar", .graph = "y = QuantizeLinear(x:float[], s:float[]={1})" },
	{ .name = "too many scales",
	  .graph = "y = QuantizeLinear(x:float[2,3], s:float[4])", .want = ERR_SHAPE },
	{ .name = "scales without blocks",
	  .graph = "y = QuantizeLinear(x:float[2,3], s:float[2,3])",
	  .want = ERR_SHAPE },
	{ .name = "blocks of another size",
	  .graph = "y = QuantizeLinear<block_size=2>(x:float[2,3], s:float[2,3])",
	  .want = ERR_SHAPE },
	{ .name = "another zero point",
	  .graph = "y = QuantizeLinear(x:float[2,3], s:float[3], z:uint8[])",
	  .want = ERR_SHAPE },
	{ .name = "no such axis", .graph = "y = QuantizeLinear<axis=2>(x:float[2,3], s:float[3])",
	  .want = ERR_SHAPE },
	{ .name = "to float", .graph = "y = QuantizeLinear<output_dtype=1>(x:float[3], s:float[])",
	  .want = ERR_INVALID },
	{ .name = "two types",
	  .graph = "y = QuantizeLinear<output_dtype=3>(x:float[3], s:float[], z:uint8[])",
	  .want = ERR_INVALID },
	{ .name = "divided in integers",
	  .graph = "y = QuantizeLinear<precision=6>(x:float[3], s:float[])",
	  .want = ERR_INVALID },
	{ 0 },
};

static const struct op_case dequantize_cases[] = {
	{ .name = "uint8",
	  .graph = "y = DequantizeLinear(x:uint8[3,5], s:float[]={0.5}, z:uint8[]={2})" },
	{ .name = "no zero point",
	  .graph = "y = DequantizeLinear(x:int8[3,500], s:float[]={0.01})" },
	{ .name = "int16",
	  .graph = "y = DequantizeLinear(x:int16[3,5], s:float[]={0.5}, z:int16[]={-300})" },
	{ .name = "int32", .graph = "y = DequantizeLinear(x:int32[3,5], s:float[]={0.5})" },
	{ .name = "an axis",
	  .graph = "y = DequantizeLinear(x:int8[2,3,5], s:float[3], z:int8[3]={1,2,3})" },
	{ .name = "the first axis",
	  .graph = "y = DequantizeLinear<axis=-2>(x:int8[2,3], s:float[2])" },
	{ .name = "the last axis",
	  .graph = "y = DequantizeLinear<axis=1>(x:int8[2,3], s:float[3])" },
	{ .name = "blocks",
	  .graph = "y = DequantizeLinear<block_size=2>(x:int8[2,5], s:float[2,3], z:int8[2,3])" },
	{ .name = "blocks of an outer axis",
	  .graph = "y = DequantizeLinear<axis=0, block_size=3>(x:int8[7,2], s:float[3,2], "
		   "z:int8[3,2])" },
	{ .name = "to float16", .graph = "y = DequantizeLinear(x:int8[3,5], s:float16[]={0.5})" },
	{ .name = "to bfloat16",
	  .graph = "y = DequantizeLinear<output_dtype=16>(x:int8[3,5], s:float[]={0.5})" },
	{ .name = "four bits",
	  .graph = "y = DequantizeLinear(Cast<to=21>(x:uint8[3,5]), s:float[]={0.5})" },
	{ .name = "float8",
	  .graph = "y = DequantizeLinear(Cast<to=17>(x:float[3,5]), s:float[]={0.5}, "
		   "Cast<to=17>(z:float[]={0}))" },
	{ .name = "nothing", .graph = "y = DequantizeLinear(x:int8[0], s:float[]={0.5})" },
	{ .name = "a scalar", .graph = "y = DequantizeLinear(x:int8[], s:float[]={0.5})" },
	{ .name = "too few scales",
	  .graph = "y = DequantizeLinear(x:int8[2,3], s:float[2])", .want = ERR_SHAPE },
	{ .name = "another zero point",
	  .graph = "y = DequantizeLinear(x:int8[2,3], s:float[3], z:int8[2])",
	  .want = ERR_SHAPE },
	{ .name = "to integers",
	  .graph = "y = DequantizeLinear<output_dtype=6>(x:int8[3], s:float[])",
	  .want = ERR_INVALID },
	{ 0 },
};

static const struct op_case own_quantize_cases[] = {
	{ .name = "int16",
	  .graph = "y = com.microsoft.QuantizeLinear(x:float[3,5], s:float[]={0.001}, "
		   "z:int16[]={1})" },
	{ .name = "an axis",
	  .graph = "y = com.microsoft.QuantizeLinear<axis=0>(x:float[2,5], s:float[2]={0.1,0.2})" },
	{ .name = "too many scales",
	  .graph = "y = com.microsoft.QuantizeLinear(x:float[2,3], s:float[4])",
	  .want = ERR_SHAPE },
	{ 0 },
};
static const struct op_case own_dequantize_cases[] = {
	{ .name = "int32",
	  .graph = "y = com.microsoft.DequantizeLinear(x:int32[3,5], s:float[]={0.5})" },
	{ .name = "an axis",
	  .graph = "y = com.microsoft.DequantizeLinear<axis=0>(x:int8[2,5], s:float[2])" },
	{ .name = "too few scales",
	  .graph = "y = com.microsoft.DequantizeLinear(x:int8[2,3], s:float[2])",
	  .want = ERR_SHAPE },
	{ 0 },
};
/* clang-format on */

extern const struct op op_dequantize_linear;
const struct op op_dequantize_linear = {
	.domain = "",
	.name = "DequantizeLinear",
	.help = "(x - x_zero_point) * x_scale, as floats",
	.since = 23,
	.flags = OP_ANY_TYPE,
	.in = dequantize_in,
	.out = dequantize_out,
	.attrs = dequantize_attrs,
	.attrs_size = sizeof(struct quantize_attrs),
	.infer = dequantize_infer,
	.kernels = dequantize_kernels,
	.cases = dequantize_cases,
};

extern const struct op op_own_dequantize_linear;
const struct op op_own_dequantize_linear = {
	.domain = "com.microsoft",
	.name = "DequantizeLinear",
	.help = "(x - x_zero_point) * x_scale, as floats",
	.since = 1,
	.flags = OP_ANY_TYPE,
	.in = dequantize_in,
	.out = dequantize_out,
	.attrs = dequantize_attrs,
	.attrs_size = sizeof(struct quantize_attrs),
	.infer = dequantize_infer,
	.kernels = dequantize_kernels,
	.cases = own_dequantize_cases,
};

extern const struct op op_own_quantize_linear;
const struct op op_own_quantize_linear = {
	.domain = "com.microsoft",
	.name = "QuantizeLinear",
	.help = "x / y_scale + y_zero_point, rounded and saturated",
	.since = 1,
	.flags = OP_ANY_TYPE,
	.in = quantize_in,
	.out = quantize_out,
	.attrs = quantize_attrs,
	.attrs_size = sizeof(struct quantize_attrs),
	.infer = quantize_infer,
	.kernels = quantize_kernels,
	.cases = own_quantize_cases,
};

extern const struct op op_quantize_linear;
const struct op op_quantize_linear = {
	.domain = "",
	.name = "QuantizeLinear",
	.help = "x / y_scale + y_zero_point, rounded and saturated",
	.since = 23,
	.flags = OP_ANY_TYPE,
	.in = quantize_in,
	.out = quantize_out,
	.attrs = quantize_attrs,
	.attrs_size = sizeof(struct quantize_attrs),
	.infer = quantize_infer,
	.kernels = quantize_kernels,
	.cases = quantize_cases,
};
