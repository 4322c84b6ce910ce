/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * MatMulInteger, QLinearMatMul and MatMulIntegerToFloat: the rows, and what
 * their kernels share. matmul_integer.h has the formulas. float8 operands of
 * QLinearMatMul are multiplied as floats.
 */
#include "engine/ops/matmul_integer.h"

#include <string.h>

#include "engine/ops/quantize.h"

static const struct byte_places integer_places = { .b = 1,
						   .a_zero = 2,
						   .b_zero = 3 };
static const struct byte_places qlinear_places = {
	.b = 3,
	.a_zero = 2,
	.b_zero = 5,
	.a_scale = 1,
	.b_scale = 4,
	.y_scale = 6,
	.y_zero = 7,
};
static const struct byte_places float_places = {
	.b = 1, .a_zero = 4, .b_zero = 5, .a_scale = 2, .b_scale = 3, .bias = 6
};

const struct byte_places *byte_places_of(const struct op *op)
{
	if (!strcmp(op->name, "MatMulInteger"))
		return &integer_places;
	return strcmp(op->name, "QLinearMatMul") ? &float_places
						 : &qlinear_places;
}

static bool has(const struct fact *in, unsigned n_in, unsigned i)
{
	return i > 0 && i < n_in && in[i].type.elem != DTYPE_NONE;
}

void byte_matmul_product(const struct kernel_query *query, struct product *ret)
{
	const struct fact in[2] = { query->in[0],
				    query->in[byte_places_of(query->op)->b] };
	const struct op bare = { .name = "MatMulInteger" };
	struct kernel_query bare_query = *query;

	bare_query.op = &bare;
	bare_query.in = in;
	bare_query.n_in = 2;
	product_query(&bare_query, ret);
}

static int64_t count(const struct kernel_query *q, unsigned i)
{
	return has(q->in, q->n_in, i) ? shape_count(&q->in[i].shape) : 1;
}

static const void *data_of(const struct kernel_call *call, unsigned i)
{
	return has(call->query->in, call->query->n_in, i) ? call->in[i] : NULL;
}

void byte_matmul_init(const struct kernel_call *call, struct byte_matmul *ret)
{
	const struct kernel_query *q = call->query;
	const struct byte_places *at = byte_places_of(q->op);
	const enum dtype scale =
	    at->a_scale ? q->in[at->a_scale].type.elem : DTYPE_F32;

	ret->out = call->out[0];
	ret->bias = data_of(call, at->bias);
	byte_matmul_product(q, &ret->p);
	ret->a = (struct byte_operand){
		q->in[0].type.elem,
		scale,
		call->in[0],
		data_of(call, at->a_zero),
		data_of(call, at->a_scale),
		count(q, at->a_zero),
		count(q, at->a_scale),
	};
	ret->b = (struct byte_operand){
		q->in[at->b].type.elem,
		scale,
		call->in[at->b],
		data_of(call, at->b_zero),
		data_of(call, at->b_scale),
		count(q, at->b_zero),
		count(q, at->b_scale),
	};
	ret->y = (struct byte_operand){
		q->out[0].type.elem,
		scale,
		call->out[0],
		data_of(call, at->y_zero),
		data_of(call, at->y_scale),
		count(q, at->y_zero),
		count(q, at->y_scale),
	};
}

int64_t byte_matmul_row(const struct byte_matmul *mm, int64_t batch,
			int64_t row)
{
	int64_t at_a, at_b;

	product_batch(&mm->p, batch, &at_a, &at_b);
	return (mm->p.k ? at_a / mm->p.k : batch * mm->p.m) + row;
}

int64_t byte_matmul_column(const struct byte_matmul *mm, int64_t batch,
			   int64_t col)
{
	int64_t at_a, at_b;

	product_batch(&mm->p, batch, &at_a, &at_b);
	return (mm->p.k ? at_b / mm->p.k : 0) + col;
}

float byte_matmul_scale(const struct byte_matmul *mm, int64_t batch,
			int64_t row, int64_t col)
{
	const int64_t i = byte_matmul_row(mm, batch, row);
	const int64_t j = byte_matmul_column(mm, batch, col);
	const float a =
	    scale_at(mm->a.scale_elem, mm->a.scale, i % mm->a.n_scale);
	const float b =
	    scale_at(mm->b.scale_elem, mm->b.scale, j % mm->b.n_scale);
	const float y = scale_at(mm->y.scale_elem, mm->y.scale,
				 (batch * mm->p.m + row) % mm->y.n_scale);

	return a * b / y;
}

/* ---- float8 -------------------------------------------------------------- */

static double float8_sum(const struct byte_matmul *mm, int64_t at_a,
			 int64_t at_b)
{
	double sum = 0;

	for (int64_t l = 0; l < mm->p.k; l++)
		sum += (double)scale_at(mm->a.elem, mm->a.data, at_a + l) *
		       (double)scale_at(mm->b.elem, mm->b.data,
					at_b + l * mm->p.n);
	return sum;
}

/* Zero points of float8 are 0. */
static void float8_run(const struct kernel_call *call, unsigned slice,
		       void *scratch)
{
	const int64_t n = shape_count(&call->query->out[0].shape);
	struct byte_matmul mm;
	int64_t at_a, at_b;

	(void)slice;
	(void)scratch;
	byte_matmul_init(call, &mm);
	for (int64_t e = 0; e < n; e++) {
		const int64_t col = e % mm.p.n, row = e / mm.p.n % mm.p.m;
		const int64_t batch = e / mm.p.n / mm.p.m;
		double sum;
		float y;

		product_batch(&mm.p, batch, &at_a, &at_b);
		sum = float8_sum(&mm, at_a + row * mm.p.k, at_b + col);
		y = (float)sum * byte_matmul_scale(&mm, batch, row, col);
		if (dtype_is_integer(mm.y.elem))
			quantized_put(
			    mm.y.elem, call->out[0], e,
			    quantize_one((double)y,
					 quantized_at(mm.y.elem, mm.y.zero, 0),
					 mm.y.elem));
		else
			dtype_convert(DTYPE_F32, &y, mm.y.elem,
				      (char *)call->out[0] + e, 1, true);
	}
}

bool byte_matmul_is_whole(const struct kernel_query *query)
{
	const enum dtype a = query->in[0].type.elem;
	const enum dtype b = query->in[byte_places_of(query->op)->b].type.elem;
	const enum dtype y = query->out[0].type.elem;

	return dtype_is_integer(a) && dtype_is_integer(b) &&
	       (dtype_is_integer(y) || y == DTYPE_F32);
}

static bool has_float8(const struct kernel_query *query)
{
	return !byte_matmul_is_whole(query);
}

/* ---- shapes -------------------------------------------------------------- */

/* A scale or zero point: one, one for each row (or column) of one matrix, or
 * of all, where the other axis has extent 1. */
static enum err_code check_factor(const struct infer *infer, unsigned i,
				  const struct shape *whole, bool by_row,
				  struct err *err)
{
	const struct shape *s = &infer->in[i].shape;
	struct shape want = *whole;
	char text[2][64];
	const unsigned axis = want.rank - (by_row ? 1 : 2);

	if (!has(infer->in, infer->n_in, i) || shape_count(s) == 1)
		return ERR_NONE;
	if (want.rank < 2)
		want = (struct shape){ 1, { by_row ? 1 : want.dim[0] } };
	else
		want.dim[axis] = 1;
	if (shape_equal(s, &want) ||
	    (s->rank == 1 && want.rank > 1 &&
	     s->dim[0] == whole->dim[want.rank - (by_row ? 2 : 1)]))
		return ERR_NONE;
	return infer_fail(err,
			  "input %u: expected a scalar, a vector or %s, "
			  "one for each %s, got %s",
			  i, shape_text(&want, text[0], sizeof(text[0])),
			  by_row ? "row" : "column",
			  shape_text(s, text[1], sizeof(text[1])));
}

static enum err_code check_bias(const struct infer *infer,
				const struct byte_places *at, struct err *err)
{
	const struct shape *b = &infer->in[at->b].shape;
	const int64_t n = b->rank > 1 ? b->dim[b->rank - 1] : 1;

	if (!has(infer->in, infer->n_in, at->bias) ||
	    (infer->in[at->bias].shape.rank == 1 &&
	     infer->in[at->bias].shape.dim[0] == n))
		return ERR_NONE;
	return infer_fail(err,
			  "input 'bias': expected [%lld], one for each column",
			  (long long)n);
}

static enum err_code check_factors(const struct infer *infer,
				   const struct byte_places *at,
				   struct err *err)
{
	const struct shape *a = &infer->in[0].shape;
	const struct shape *b = &infer->in[at->b].shape;
	const struct shape *y = &infer->out[0].shape;
	enum err_code rc = check_factor(infer, at->a_zero, a, true, err);

	if (!rc)
		rc = check_factor(infer, at->b_zero, b, false, err);
	if (!rc)
		rc = check_factor(infer, at->a_scale, a, true, err);
	if (!rc)
		rc = check_factor(infer, at->b_scale, b, false, err);
	if (!rc)
		rc = check_factor(infer, at->y_scale, y, true, err);
	if (!rc)
		rc = check_factor(infer, at->y_zero, y, true, err);
	if (!rc)
		rc = check_bias(infer, at, err);
	return rc;
}

static enum err_code infer_places(struct infer *infer,
				  const struct byte_places *at, struct err *err)
{
	const struct fact in[2] = { infer->in[0], infer->in[at->b] };
	struct infer bare = *infer;
	enum err_code rc;

	bare.in = in;
	bare.n_in = 2;
	rc = matmul_infer(&bare, err);
	return rc ? rc : check_factors(infer, at, err);
}

static enum err_code integer_infer(struct infer *infer, struct err *err)
{
	return infer_places(infer, &integer_places, err);
}

static enum err_code qlinear_infer(struct infer *infer, struct err *err)
{
	return infer_places(infer, &qlinear_places, err);
}

static enum err_code float_infer(struct infer *infer, struct err *err)
{
	return infer_places(infer, &float_places, err);
}

/* ---- rows ---------------------------------------------------------------- */

static const struct kernel float8 = {
	.name = "matmul_integer.float8",
	.flags = KERNEL_QUICK,
	.fits = has_float8,
	.run = float8_run,
};
static const struct kernel *const integer_kernels[] = {
	&matmul_integer_column, &matmul_integer_packed, &matmul_integer_bytes,
	&matmul_integer_plain, NULL
};
static const struct kernel *const qlinear_kernels[] = {
	&matmul_integer_column, &matmul_integer_packed,
	&matmul_integer_bytes,	&float8,
	&matmul_integer_plain,	NULL
};

/* clang-format off */
#define QUANTIZED "int8,uint8,float8e4m3fn,float8e4m3fnuz,float8e5m2,float8e5m2fnuz"
static const struct port integer_in[] = {
	{ "A", "T1:int8,uint8", 0 },
	{ "B", "T2:int8,uint8", 0 },
	{ "a_zero_point", "T1", PORT_OPTIONAL },
	{ "b_zero_point", "T2", PORT_OPTIONAL },
	{ 0 },
};
static const struct port integer_out[] = { { "Y", "int32", 0 }, { 0 } };
static const struct port qlinear_in[] = {
	{ "a", "T1:" QUANTIZED, 0 },
	{ "a_scale", "TS:float,float16,bfloat16", 0 },
	{ "a_zero_point", "T1", 0 },
	{ "b", "T2:" QUANTIZED, 0 },
	{ "b_scale", "TS", 0 },
	{ "b_zero_point", "T2", 0 },
	{ "y_scale", "TS", 0 },
	{ "y_zero_point", "T3:" QUANTIZED, 0 },
	{ 0 },
};
static const struct port float_in[] = {
	{ "A", "T1:int8,uint8", 0 },
	{ "B", "T2:int8,uint8", 0 },
	{ "a_scale", "TS:float", 0 },
	{ "b_scale", "TS", 0 },
	{ "a_zero_point", "T1", PORT_OPTIONAL },
	{ "b_zero_point", "T2", PORT_OPTIONAL },
	{ "bias", "TS", PORT_OPTIONAL },
	{ 0 },
};
static const struct port float_out[] = { { "Y", "TS", 0 }, { 0 } };
static const struct port qlinear_out[] = { { "y", "T3", 0 }, { 0 } };

static const struct op_case integer_cases[] = {
	{ .name = "matrices", .graph = "y = MatMulInteger(a:uint8[3,5], b:int8[5,7])" },
	{ .name = "zero points",
	  .graph = "y = MatMulInteger(a:uint8[3,5], b:uint8[5,7], z:uint8[]={128}, "
		   "w:uint8[1]={1})" },
	{ .name = "the widest differences",
	  .graph = "y = MatMulInteger(Cast<to=2>(Add(a:int32[3,700], 252)), "
		   "Cast<to=3>(Sub(b:int32[700,5], 128)), z:uint8[]={0}, w:int8[]={127})" },
	{ .name = "many tiles",
	  .graph = "y = MatMulInteger(a:uint8[130,300], b:int8[300,270], z:uint8[]={3})" },
	{ .name = "by row and column",
	  .graph = "y = MatMulInteger(a:uint8[3,5], b:int8[5,2], z:uint8[3]={1,2,3}, "
		   "w:int8[2]={-1,4})" },
	{ .name = "by row and column of batches",
	  .graph = "y = MatMulInteger(a:uint8[2,3,5], b:int8[2,5,2], z:uint8[2,3,1], "
		   "w:int8[2,1,2])" },
	{ .name = "rows of batches over one B",
	  .graph = "y = MatMulInteger(a:int8[2,3,5], b:int8[5,2], z:int8[2,3,1])" },
	{ .name = "broadcast batches",
	  .graph = "y = MatMulInteger(a:int8[2,1,3,5], b:int8[3,5,2], z:int8[2,1,3,1], "
		   "w:int8[3,1,2])" },
	{ .name = "vectors", .graph = "y = MatMulInteger(a:uint8[6], b:uint8[6], z:uint8[]={1})" },
	{ .name = "a row", .graph = "y = MatMulInteger(a:uint8[1,70], b:int8[70,131])" },
	{ .name = "no inner extent", .graph = "y = MatMulInteger(a:uint8[3,0], b:int8[0,2])" },
	{ .name = "no rows", .graph = "y = MatMulInteger(a:uint8[0,3], b:int8[3,2])" },
	{ .name = "constant weights",
	  .graph = "w = Cast<to=3>(Sub(Mod(Reshape(Range(0, 8515, 1), s:int64[2]={65,131}), 251), "
		   "120)); y = MatMulInteger(a:uint8[13,65], w, z:uint8[13], v:int8[131])" },
	{ .name = "constant weights, rows of batches",
	  .graph = "w = Cast<to=2>(Mod(Reshape(Range(0, 455, 1), s:int64[2]={65,7}), 251)); "
		   "y = MatMulInteger(a:uint8[3,5,65], w, z:uint8[]={7}, v:uint8[]={128})" },
	{ .name = "constant weights, a vector",
	  .graph = "w = Cast<to=3>(Sub(Reshape(Range(0, 130, 1), s:int64[2]={65,2}), 65)); "
		   "y = MatMulInteger(a:int8[65], w, z:int8[]={-7})" },
	{ .name = "a column of bytes without sign",
	  .graph = "y = MatMulInteger(a:uint8[2,70,133], b:uint8[133,1], z:uint8[2,70,1], "
		   "w:uint8[1]={3})" },
	{ .name = "a column, signed by signed",
	  .graph = "y = MatMulInteger(a:int8[5,64], b:int8[64], z:int8[]={-3}, w:int8[]={9})" },
	{ .name = "a column, signed",
	  .graph = "y = MatMulInteger(a:int8[7,200], b:uint8[200,1], z:int8[7])" },
	{ .name = "a column",
	  .graph = "y = MatMulInteger(a:uint8[300,70], b:int8[70,1], z:uint8[]={9})" },
	{ .name = "inner extents differ",
	  .graph = "y = MatMulInteger(a:uint8[3,5], b:int8[4,2])", .want = ERR_SHAPE },
	{ .name = "too many zero points",
	  .graph = "y = MatMulInteger(a:uint8[3,5], b:int8[5,2], z:uint8[5])", .want = ERR_SHAPE },
	{ .name = "another type",
	  .graph = "y = MatMulInteger(a:uint8[3,5], b:int8[5,2], z:int8[])", .want = ERR_INVALID },
	{ 0 },
};
static const struct op_case float_cases[] = {
	{ .name = "no more than the scales",
	  .graph = "y = predictd.MatMulIntegerToFloat(a:uint8[3,5], b:int8[5,7], s:float[]={0.5}, "
		   "t:float[]={0.3})" },
	{ .name = "everything by column",
	  .graph = "y = predictd.MatMulIntegerToFloat(a:uint8[9,5], b:uint8[5,70], "
		   "s:float[]={0.5}, t:float[70], z:uint8[]={3}, w:uint8[70], c:float[70])" },
	{ .name = "rows of batches",
	  .graph = "y = predictd.MatMulIntegerToFloat(a:int8[2,7,5], b:int8[5,3], s:float[2,7,1], "
		   "t:float[3], z:int8[2,7,1], w:int8[]={2}, c:float[3])" },
	{ .name = "constant weights",
	  .graph = "w = Cast<to=3>(Sub(Mod(Reshape(Range(0, 8515, 1), s:int64[2]={65,131}), 251), "
		   "120)); y = predictd.MatMulIntegerToFloat(a:uint8[2,7,65], w, r:float[]={0.1}, "
		   "t:float[131], z:uint8[]={7}, , c:float[131])" },
	{ .name = "nothing",
	  .graph = "y = predictd.MatMulIntegerToFloat(a:uint8[0,5], b:int8[5,7], s:float[], "
		   "t:float[])" },
	{ .name = "bias of another size",
	  .graph = "y = predictd.MatMulIntegerToFloat(a:uint8[3,5], b:int8[5,7], s:float[], "
		   "t:float[], , , c:float[5])", .want = ERR_SHAPE },
	{ .name = "scales of another size",
	  .graph = "y = predictd.MatMulIntegerToFloat(a:uint8[3,5], b:int8[5,7], s:float[], "
		   "t:float[5])", .want = ERR_SHAPE },
	{ 0 },
};
static const struct op_case qlinear_cases[] = {
	{ .name = "constant weights",
	  .graph = "w = Cast<to=3>(Sub(Mod(Reshape(Range(0, 520, 1), d:int64[2]={40,13}), 251), "
		   "120)); y = QLinearMatMul(a:uint8[7,40], s:float[]={0.5}, z:uint8[]={1}, w, "
		   "t:float[13], k:int8[13], u:float[]={7}, v:uint8[]={100})" },
	{ .name = "uint8",
	  .graph = "y = QLinearMatMul(a:uint8[3,5], s:float[]={0.5}, z:uint8[]={1}, b:int8[5,7], "
		   "t:float[]={0.3}, w:int8[]={2}, u:float[]={0.7}, v:uint8[]={100})" },
	{ .name = "by row and column",
	  .graph = "y = QLinearMatMul(a:int8[2,5], s:float[2]={0.5,0.25}, z:int8[2]={1,0}, "
		   "b:int8[5,3], t:float[3]={0.3,0.2,0.1}, w:int8[3]={2,1,0}, "
		   "u:float[2]={0.7,0.4}, v:int8[2]={1,3})" },
	{ .name = "batches, float16",
	  .graph = "y = QLinearMatMul(a:uint8[2,3,5], s:float16[]={0.5}, z:uint8[]={1}, "
		   "b:int8[2,5,7], t:float16[]={0.3}, w:int8[]={2}, u:float16[]={0.7}, "
		   "v:int8[]={-3})" },
	{ .name = "float8",
	  .graph = "y = QLinearMatMul(Cast<to=17>(a:float[3,5]), s:float[]={0.5}, "
		   "Cast<to=17>(z:float[]={0}), Cast<to=19>(b:float[5,2]), t:float[]={0.5}, "
		   "Cast<to=19>(w:float[]={0}), u:float[]={1}, Cast<to=17>(v:float[]={0}))" },
	{ .name = "nothing",
	  .graph = "y = QLinearMatMul(a:uint8[0,5], s:float[], z:uint8[], b:int8[5,7], t:float[], "
		   "w:int8[], u:float[], v:uint8[])" },
	{ .name = "inner extents differ",
	  .graph = "y = QLinearMatMul(a:uint8[3,4], s:float[], z:uint8[], b:int8[5,7], t:float[], "
		   "w:int8[], u:float[], v:uint8[])", .want = ERR_SHAPE },
	{ .name = "too many scales",
	  .graph = "y = QLinearMatMul(a:uint8[3,5], s:float[], z:uint8[], b:int8[5,7], t:float[6], "
		   "w:int8[], u:float[], v:uint8[])", .want = ERR_SHAPE },
	{ 0 },
};
/* clang-format on */

extern const struct op op_matmul_integer;
const struct op op_matmul_integer = {
	.domain = "",
	.name = "MatMulInteger",
	.help = "Matrix product of bytes less their zero points, as int32.",
	.since = 10,
	.flags = OP_ANY_TYPE | OP_NO_GRADIENT,
	.in = integer_in,
	.out = integer_out,
	.infer = integer_infer,
	.kernels = integer_kernels,
	.cases = integer_cases,
};

extern const struct op op_qlinear_matmul;
const struct op op_qlinear_matmul = {
	.domain = "",
	.name = "QLinearMatMul",
	.help = "Matrix product of quantized numbers, quantized again.",
	.since = 10,
	.flags = OP_ANY_TYPE | OP_NO_GRADIENT,
	.in = qlinear_in,
	.out = qlinear_out,
	.infer = qlinear_infer,
	.kernels = qlinear_kernels,
	.cases = qlinear_cases,
};

extern const struct op op_matmul_integer_to_float;
const struct op op_matmul_integer_to_float = {
	.domain = "predictd",
	.name = "MatMulIntegerToFloat",
	.help =
	    "Matrix product of bytes less their zero points, scaled to floats.",
	.since = 1,
	.flags = OP_ANY_TYPE | OP_NO_GRADIENT,
	.in = float_in,
	.out = float_out,
	.infer = float_infer,
	.kernels = integer_kernels,
	.cases = float_cases,
};
