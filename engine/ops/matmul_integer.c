/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * MatMulInteger and QLinearMatMul: products of bytes, as int32 or quantized
 * again.
 *
 *   Y = (A - zero of A) (B - zero of B)
 *   y = saturate(round(Y a_scale b_scale / y_scale) + zero of y)
 * Zero points and scales are one for all, one for each row of A (and of y) or
 * one for each column of B. float8 operands of QLinearMatMul are multiplied as
 * floats.
 */
#include <string.h>

#include "engine/ops/int_product.h"
#include "engine/ops/product.h"
#include "engine/ops/quantize.h"

enum { COLUMNS_MAX = 256, ROUTE_ALL = 3 };

/* One operand: elements, zero points and scales. */
struct operand {
	enum dtype elem, scale_elem;
	const void *data, *zero, *scale;
	int64_t n_zero, n_scale;
};

struct matmul {
	void *out;
	struct product p;
	struct operand a, b, y;
};

/* Where the operands of each row stand; 0: it has none (input 0 is A). */
struct places {
	unsigned b, a_zero, b_zero, a_scale, b_scale, y_scale, y_zero;
};
static const struct places integer_places = { 1, 2, 3, 0, 0, 0, 0 };
static const struct places qlinear_places = { 3, 2, 5, 1, 4, 6, 7 };

static const struct places *places_of(const struct op *op)
{
	return strcmp(op->name, "MatMulInteger") ? &qlinear_places
						 : &integer_places;
}

static bool has(const struct fact *in, unsigned n_in, unsigned i)
{
	return i > 0 && i < n_in && in[i].type.elem != DTYPE_NONE;
}

/* The product of A and B alone. */
static void find_product(const struct kernel_query *q, struct product *ret)
{
	const struct fact in[2] = { q->in[0], q->in[places_of(q->op)->b] };
	const struct op bare = { .name = "MatMulInteger" };
	struct kernel_query query = *q;

	query.op = &bare;
	query.in = in;
	query.n_in = 2;
	product_query(&query, ret);
}

static int64_t count(const struct kernel_query *q, unsigned i)
{
	return has(q->in, q->n_in, i) ? shape_count(&q->in[i].shape) : 1;
}

static const void *data_of(const struct kernel_call *call, unsigned i)
{
	return has(call->query->in, call->query->n_in, i) ? call->in[i] : NULL;
}

static void matmul_init(const struct kernel_call *call, struct matmul *ret)
{
	const struct kernel_query *q = call->query;
	const struct places *at = places_of(q->op);
	const enum dtype scale =
	    at->a_scale ? q->in[at->a_scale].type.elem : DTYPE_F32;

	ret->out = call->out[0];
	find_product(q, &ret->p);
	ret->a = (struct operand){
		q->in[0].type.elem,
		scale,
		call->in[0],
		data_of(call, at->a_zero),
		data_of(call, at->a_scale),
		count(q, at->a_zero),
		count(q, at->a_scale),
	};
	ret->b = (struct operand){
		q->in[at->b].type.elem,
		scale,
		call->in[at->b],
		data_of(call, at->b_zero),
		data_of(call, at->b_scale),
		count(q, at->b_zero),
		count(q, at->b_scale),
	};
	ret->y = (struct operand){
		q->out[0].type.elem,
		scale,
		call->out[0],
		data_of(call, at->y_zero),
		data_of(call, at->y_scale),
		count(q, at->y_zero),
		count(q, at->y_scale),
	};
}

/* Row of A as zero points count them: those of all batches. */
static int64_t row_of(const struct matmul *mm, int64_t batch, int64_t row)
{
	int64_t at_a, at_b;

	product_batch(&mm->p, batch, &at_a, &at_b);
	return (mm->p.k ? at_a / mm->p.k : batch * mm->p.m) + row;
}

static int64_t column_of(const struct matmul *mm, int64_t batch, int64_t col)
{
	int64_t at_a, at_b;

	product_batch(&mm->p, batch, &at_a, &at_b);
	return (mm->p.k ? at_b / mm->p.k : 0) + col;
}

static void load_a(const void *ctx, const struct int_tile *tile, float *to)
{
	const struct matmul *mm = ctx;
	int64_t at_a, at_b;

	product_batch(&mm->p, tile->batch, &at_a, &at_b);
	for (int64_t i = 0; i < tile->n_rows; i++) {
		const int64_t row = tile->row + i;
		const int64_t zero =
		    row_of(mm, tile->batch, row) % mm->a.n_zero;

		int_load(mm->a.elem, mm->a.data, at_a + row * mm->p.k + tile->k,
			 tile->n_k, quantized_at(mm->a.elem, mm->a.zero, zero),
			 to + i * tile->n_k);
	}
}

static void load_b(const void *ctx, const struct int_tile *tile, float *to)
{
	const struct matmul *mm = ctx;
	int32_t zero[COLUMNS_MAX];
	int64_t at_a, at_b;

	product_batch(&mm->p, tile->batch, &at_a, &at_b);
	for (int64_t j = 0; j < tile->n_cols; j++) {
		const int64_t col =
		    column_of(mm, tile->batch, tile->col + j) % mm->b.n_zero;

		zero[j] = quantized_at(mm->b.elem, mm->b.zero, col);
	}
	for (int64_t l = 0; l < tile->n_k; l++)
		int_load_by(mm->b.elem, mm->b.data,
			    at_b + (tile->k + l) * mm->p.n + tile->col,
			    tile->n_cols, zero, to + l * tile->n_cols);
}

static void store_integers(const void *ctx, const struct int_tile *tile,
			   const int32_t *sum)
{
	const struct matmul *mm = ctx;
	int32_t *y = mm->out;

	for (int64_t i = 0; i < tile->n_rows; i++)
		memcpy(y + (tile->batch * mm->p.m + tile->row + i) * mm->p.n +
			   tile->col,
		       sum + i * tile->n_cols,
		       (size_t)tile->n_cols * sizeof(*sum));
}

/* a_scale b_scale / y_scale at one element */
static float scale_of(const struct matmul *mm, int64_t batch, int64_t row,
		      int64_t col)
{
	const int64_t i = row_of(mm, batch, row);
	const int64_t j = column_of(mm, batch, col);
	const float a =
	    scale_at(mm->a.scale_elem, mm->a.scale, i % mm->a.n_scale);
	const float b =
	    scale_at(mm->b.scale_elem, mm->b.scale, j % mm->b.n_scale);
	const float y = scale_at(mm->y.scale_elem, mm->y.scale,
				 (batch * mm->p.m + row) % mm->y.n_scale);

	return a * b / y;
}

static void store_quantized(const void *ctx, const struct int_tile *tile,
			    const int32_t *sum)
{
	const struct matmul *mm = ctx;
	float scale[COLUMNS_MAX];

	for (int64_t i = 0; i < tile->n_rows; i++) {
		const int64_t row = tile->row + i;
		const int64_t at =
		    (tile->batch * mm->p.m + row) * mm->p.n + tile->col;
		const int64_t zero =
		    (tile->batch * mm->p.m + row) % mm->y.n_zero;
		const bool again = i == 0 || mm->a.n_scale * mm->y.n_scale > 1;

		for (int64_t j = 0; again && j < tile->n_cols; j++)
			scale[j] =
			    j && mm->b.n_scale == 1
				? scale[0]
				: scale_of(mm, tile->batch, row, tile->col + j);
		requantize(sum + i * tile->n_cols, scale, tile->n_cols,
			   quantized_at(mm->y.elem, mm->y.zero, zero),
			   mm->y.elem, (char *)mm->out + at);
	}
}

static struct int_job job_of(const struct matmul *mm, const struct op *op)
{
	return (struct int_job){
		.n_batch = mm->p.n_batch,
		.m = mm->p.m,
		.n = mm->p.n,
		.k = mm->p.k,
		.ctx = mm,
		.load_a = load_a,
		.load_b = load_b,
		.store =
		    places_of(op)->y_scale ? store_quantized : store_integers,
	};
}

static double matmul_cost(const struct kernel_query *query)
{
	struct matmul mm;
	struct int_job job;

	find_product(query, &mm.p);
	job = job_of(&mm, query->op);
	return int_job_cost(&job);
}

static enum err_code fast_prepare(const struct kernel_query *query,
				  struct kernel_setup *ret, struct err *err)
{
	struct matmul mm;
	struct int_job job;

	(void)err;
	find_product(query, &mm.p);
	job = job_of(&mm, query->op);
	int_job_setup(&job, query->want_slices, ret);
	return ERR_NONE;
}

static void fast_run(const struct kernel_call *call, unsigned slice,
		     void *scratch)
{
	struct matmul mm;
	struct int_job job;

	matmul_init(call, &mm);
	job = job_of(&mm, call->query->op);
	int_job_run(&job, call->n_slices, slice, scratch, false);
}

static void plain_run(const struct kernel_call *call, unsigned slice,
		      void *scratch)
{
	struct matmul mm;
	struct int_job job;

	matmul_init(call, &mm);
	job = job_of(&mm, call->query->op);
	int_job_run(&job, 1, slice, scratch, true);
}

/* ---- float8 -------------------------------------------------------------- */

static double float8_sum(const struct matmul *mm, int64_t at_a, int64_t at_b)
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
	struct matmul mm;
	int64_t at_a, at_b;

	(void)slice;
	(void)scratch;
	matmul_init(call, &mm);
	for (int64_t e = 0; e < n; e++) {
		const int64_t col = e % mm.p.n, row = e / mm.p.n % mm.p.m;
		const int64_t batch = e / mm.p.n / mm.p.m;
		double sum;
		float y;

		product_batch(&mm.p, batch, &at_a, &at_b);
		sum = float8_sum(&mm, at_a + row * mm.p.k, at_b + col);
		y = (float)sum * scale_of(&mm, batch, row, col);
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

static bool are_bytes(const struct kernel_query *query)
{
	const enum dtype elem[ROUTE_ALL] = {
		query->in[0].type.elem,
		query->in[places_of(query->op)->b].type.elem,
		query->out[0].type.elem,
	};

	for (unsigned i = 0; i < ROUTE_ALL; i++)
		if (!dtype_is_integer(elem[i]))
			return false;
	return true;
}

static bool are_not_bytes(const struct kernel_query *query)
{
	return !are_bytes(query);
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

static enum err_code check_factors(const struct infer *infer,
				   const struct places *at, struct err *err)
{
	const struct shape *a = &infer->in[0].shape;
	const struct shape *b = &infer->in[at->b].shape;
	const struct shape *y = &infer->out[0].shape;
	enum err_code rc = check_factor(infer, at->a_zero, a, true, err);

	if (!rc)
		rc = check_factor(infer, at->b_zero, b, false, err);
	if (!rc && at->y_scale)
		rc = check_factor(infer, at->a_scale, a, true, err);
	if (!rc && at->y_scale)
		rc = check_factor(infer, at->b_scale, b, false, err);
	if (!rc && at->y_scale)
		rc = check_factor(infer, at->y_scale, y, true, err);
	if (!rc && at->y_scale)
		rc = check_factor(infer, at->y_zero, y, true, err);
	return rc;
}

static enum err_code infer_places(struct infer *infer, const struct places *at,
				  struct err *err)
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

/* ---- rows ---------------------------------------------------------------- */

static const struct kernel fast = {
	.name = "matmul_integer.blas",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE,
	.fits = are_bytes,
	.cost = matmul_cost,
	.prepare = fast_prepare,
	.run = fast_run,
};
static const struct kernel plain = {
	.name = "matmul_integer.plain",
	.flags = KERNEL_QUICK,
	.fits = are_bytes,
	.cost = matmul_cost,
	.prepare = int_job_plain_prepare,
	.run = plain_run,
};
static const struct kernel float8 = {
	.name = "matmul_integer.float8",
	.flags = KERNEL_QUICK,
	.fits = are_not_bytes,
	.cost = matmul_cost,
	.run = float8_run,
};
static const struct kernel *const integer_kernels[] = { &fast, &plain, NULL };
static const struct kernel *const qlinear_kernels[] = { &fast, &float8, &plain,
							NULL };

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
	{ .name = "inner extents differ",
	  .graph = "y = MatMulInteger(a:uint8[3,5], b:int8[4,2])", .want = ERR_SHAPE },
	{ .name = "too many zero points",
	  .graph = "y = MatMulInteger(a:uint8[3,5], b:int8[5,2], z:uint8[5])", .want = ERR_SHAPE },
	{ .name = "another type",
	  .graph = "y = MatMulInteger(a:uint8[3,5], b:int8[5,2], z:int8[])", .want = ERR_INVALID },
	{ 0 },
};
static const struct op_case qlinear_cases[] = {
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
