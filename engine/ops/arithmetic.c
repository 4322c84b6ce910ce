/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Arithmetic of two operands or more: Add, Sub, Mul, Div, Pow, Sum, Max, Min.
 *
 * Operands broadcast by numpy's rule. Integers wrap; dividing them by zero is
 * a bad value. A gradient goes back to the shape of its operand through SumTo.
 */
#include "engine/autodiff.h"
#include "engine/ops/broadcast.h"
#include "engine/ops/elementwise.h"

#include <math.h>

static const struct port binary_in[] = {
	{ "A", "T:arith", 0 },
	{ "B", "T", 0 },
	{ 0 },
};
static const struct port binary_out[] = {
	{ "C", "T", 0 },
	{ 0 },
};
static const struct port many_in[] = {
	{ "data_0", "T:arith", PORT_VARIADIC },
	{ 0 },
};
static const struct port many_out[] = {
	{ "sum", "T", 0 },
	{ 0 },
};

static const struct op_case add_cases[] = {
	{ .name = "same shape",
	  .graph = "c = Add(a:float[3,5], b:float[3,5])" },
	{ .name = "scalar", .graph = "c = Add(a:float[3,5], b:float[])" },
	{ .name = "row", .graph = "c = Add(a:float[4,3,5], b:float[5])" },
	{ .name = "column", .graph = "c = Add(a:float[1,5], b:float[4,1])" },
	{ .name = "channels",
	  .graph = "c = Add(a:float[2,3,4,5], b:float[1,3,1,1])" },
	{ .name = "both ways",
	  .graph = "c = Add(a:float[2,1,3,1,2], b:float[1,4,1,5,1])" },
	{ .name = "left is smaller",
	  .graph = "c = Add(a:float[], b:float[7])" },
	{ .name = "nothing", .graph = "c = Add(a:float[0,3], b:float[3])" },
	{ .name = "scalars", .graph = "c = Add(a:float[], b:float[])" },
	{ .name = "long", .graph = "c = Add(a:float[7,131], b:float[131])" },
	{ .name = "int32", .graph = "c = Add(a:int32[4,3], b:int32[3])" },
	{ .name = "int64", .graph = "c = Add(a:int64[5], b:int64[1])" },
	{ .name = "uint64", .graph = "c = Add(a:uint64[5], b:uint64[5])" },
	{ .name = "integers wrap",
	  .graph = "c = Add(a:int32[1]={2147483647}, b:int32[3])" },
	{ .name = "shapes that do not meet",
	  .graph = "c = Add(a:float[3,4], b:float[3])",
	  .want = ERR_SHAPE },
	{ .name = "types that differ",
	  .graph = "c = Add(a:float[3], b:double[3])",
	  .want = ERR_INVALID },
	{ 0 },
};

static const struct op_case sub_cases[] = {
	{ .name = "same shape",
	  .graph = "c = Sub(a:float[3,5], b:float[3,5])" },
	{ .name = "row", .graph = "c = Sub(a:float[4,3,5], b:float[5])" },
	{ .name = "from a row",
	  .graph = "c = Sub(a:float[5], b:float[4,3,5])" },
	{ .name = "from a scalar", .graph = "c = Sub(a:float[], b:float[9])" },
	{ .name = "int64", .graph = "c = Sub(a:int64[3,1], b:int64[1,4])" },
	{ .name = "shapes that do not meet",
	  .graph = "c = Sub(a:float[2,4], b:float[4,2])",
	  .want = ERR_SHAPE },
	{ 0 },
};

static const struct op_case mul_cases[] = {
	{ .name = "same shape",
	  .graph = "c = Mul(a:float[3,5], b:float[3,5])" },
	{ .name = "row", .graph = "c = Mul(a:float[2,3,5], b:float[3,5])" },
	{ .name = "channels",
	  .graph = "c = Mul(a:float[2,3,4,5], b:float[2,3,1,1])" },
	{ .name = "both ways", .graph = "c = Mul(a:float[3,1], b:float[1,4])" },
	{ .name = "itself", .graph = "c = Mul(a:float[4], a)" },
	{ .name = "int32 wraps",
	  .graph =
	      "c = Mul(a:int32[2]={65537,-65537}, b:int32[2]={65537,65539})" },
	{ .name = "shapes that do not meet",
	  .graph = "c = Mul(a:float[2], b:float[3])",
	  .want = ERR_SHAPE },
	{ 0 },
};

static const struct op_case div_cases[] = {
	{ .name = "same shape",
	  .graph = "c = Div(a:float[3,5], b:float[3,5])",
	  .kink = 0.3 },
	{ .name = "row",
	  .graph = "c = Div(a:float[4,5], b:float[5])",
	  .kink = 0.3 },
	{ .name = "scalar over",
	  .graph = "c = Div(a:float[], b:float[5])",
	  .kink = 0.3 },
	{ .name = "integers truncate",
	  .graph = "c = Div(a:int32[4]={7,-7,7,-7}, b:int32[4]={2,2,-2,-2})" },
	{ .name = "the least integer over -1",
	  .graph = "c = Div(a:int32[1]={-2147483648}, b:int32[1]={-1})" },
	{ .name = "uint64",
	  .graph = "c = Div(a:uint64[3], b:uint64[3]={1,2,3})" },
	{ .name = "shapes that do not meet",
	  .graph = "c = Div(a:float[2], b:float[3])",
	  .want = ERR_SHAPE },
	{ 0 },
};

extern const struct op op_add, op_sub, op_mul, op_div, op_pow, op_sum, op_max,
    op_min;

const struct op op_add = {
	.domain = "",
	.name = "Add",
	.help = "A + B, element by element",
	.since = 7,
	.flags = OP_COMMUTES,
	.in = binary_in,
	.out = binary_out,
	.infer = infer_broadcast,
	.kernels = elementwise_kernels,
	.grad = "dA = SumTo(dC, A); dB = SumTo(dC, B)",
	.cases = add_cases,
};

const struct op op_sub = {
	.domain = "",
	.name = "Sub",
	.help = "A - B, element by element",
	.since = 7,
	.in = binary_in,
	.out = binary_out,
	.infer = infer_broadcast,
	.kernels = elementwise_kernels,
	.grad = "dA = SumTo(dC, A); dB = SumTo(Neg(dC), B)",
	.cases = sub_cases,
};

const struct op op_mul = {
	.domain = "",
	.name = "Mul",
	.help = "A * B, element by element",
	.since = 7,
	.flags = OP_COMMUTES,
	.in = binary_in,
	.out = binary_out,
	.infer = infer_broadcast,
	.kernels = elementwise_kernels,
	.grad = "dA = SumTo(Mul(dC, B), A); dB = SumTo(Mul(dC, A), B)",
	.cases = mul_cases,
};

const struct op op_div = {
	.domain = "",
	.name = "Div",
	.help = "A / B, element by element; integers truncate",
	.since = 7,
	.in = binary_in,
	.out = binary_out,
	.infer = infer_broadcast,
	.kernels = elementwise_kernels,
	.grad = "dA = SumTo(Div(dC, B), A);"
		"dB = SumTo(Neg(Div(Mul(dC, C), B)), B)",
	.cases = div_cases,
};

/* Pow: the exponent may have another type than the base. */

static const struct port pow_in[] = {
	{ "X", "T:float,double,float16,bfloat16,int32,int64", 0 },
	{ "Y", "S:arith", 0 },
	{ 0 },
};
static const struct port pow_out[] = {
	{ "Z", "T", 0 },
	{ 0 },
};

static bool pow_mixes(const struct kernel_query *query)
{
	return query->in[0].type.elem != query->in[1].type.elem;
}

/* Integers raised to floats are computed in double and truncated. */
static void pow_mixed(const struct kernel_call *call, unsigned slice,
		      void *scratch)
{
	const struct kernel_query *query = call->query;
	const struct fact *x = &query->in[0], *y = &query->in[1];
	const struct shape *out = &query->out[0].shape;
	const size_t x_size = dtype_info(x->type.elem)->size;
	const size_t y_size = dtype_info(y->type.elem)->size;
	const int64_t n = shape_count(out);

	(void)slice;
	(void)scratch;
	for (int64_t at = 0; at < n; at++) {
		const int64_t i = broadcast_index(out, &x->shape, at);
		const int64_t j = broadcast_index(out, &y->shape, at);
		double base, exponent, z;

		dtype_convert(x->type.elem,
			      (const char *)call->in[0] + (size_t)i * x_size,
			      DTYPE_F64, &base, 1, true);
		dtype_convert(y->type.elem,
			      (const char *)call->in[1] + (size_t)j * y_size,
			      DTYPE_F64, &exponent, 1, true);
		z = pow(base, exponent);
		dtype_convert(DTYPE_F64, &z, x->type.elem,
			      (char *)call->out[0] + (size_t)at * x_size, 1,
			      true);
	}
}

static const struct kernel pow_mixed_kernel = {
	.name = "pow.mixed",
	.flags = KERNEL_QUICK,
	.fits = pow_mixes,
	.run = pow_mixed,
};
static const struct kernel *const pow_kernels[] = {
	&elementwise_fast, &pow_mixed_kernel, &elementwise_reference, NULL
};

/* dX = Y X^(Y-1) dZ and dY = Z log(X) dZ, of which both are 0 where X and Y
 * make them so; Y is brought to the type of X first. */
static enum err_code pow_vjp(struct vjp *vjp, struct err *err)
{
	struct build *b = vjp->build;
	const enum dtype elem = b->graph->value[vjp->in[0]].type.elem;
	const bool mixes = b->graph->value[vjp->in[1]].type.elem != elem;
	const int32_t y =
	    mixes ? build_2(b, "CastLike", vjp->in[1], vjp->in[0]) : vjp->in[1];
	const struct build_name bound[] = {
		{ "X", vjp->in[0] },
		{ "Y", y },
		{ "Z", vjp->out[0] },
		{ "dZ", vjp->grad_out[0] },
	};
	struct build_name want = { "d", VALUE_NONE };

	if (vjp->wanted[0]) {
		build_text(b,
			   "d = SumTo(Mul(dZ, Mul(Y, Pow(X, Sub(Y, 1)))), X)",
			   bound, 4, NULL, &want, 1);
		vjp->grad_in[0] = want.value;
	}
	if (vjp->wanted[1] && !mixes) {
		build_text(b,
			   "d = SumTo(Mul(dZ, Mul(Z, Log(Max(X, 1e-30)))), Y)",
			   bound, 4, NULL, &want, 1);
		vjp->grad_in[1] = want.value;
	}
	return build_check(b, err);
}

static const struct op_case pow_cases[] = {
	{ .name = "squares", .graph = "z = Pow(x:float[3,70], 2)" },
	{ .name = "square roots",
	  .graph = "z = Pow(Abs(x:float[9]), y:float[1]={0.5})",
	  .kink = 0.1 },
	{ .name = "positive bases",
	  .graph = "z = Pow(Exp(x:float[3,5]), y:float[5])" },
	{ .name = "zero to zero",
	  .graph = "z = Pow(x:float[2]={0,0}, y:float[2]={0,3})" },
	{ .name = "integers",
	  .graph = "z = Pow(x:int64[4]={2,-3,7,-1}, y:int64[4]={10,3,0,-3})" },
	{ .name = "integer exponents",
	  .graph = "z = Pow(x:float[4], y:int64[4]={2,3,0,1})" },
	{ .name = "integer bases",
	  .graph = "z = Pow(x:int32[3]={2,3,4}, y:float[3]={0.5,2,1.5})" },
	{ .name = "shapes that do not meet",
	  .graph = "z = Pow(x:float[2], y:float[3])",
	  .want = ERR_SHAPE },
	{ 0 },
};

const struct op op_pow = {
	.domain = "",
	.name = "Pow",
	.help = "X to the power of Y, element by element",
	.since = 7,
	.in = pow_in,
	.out = pow_out,
	.infer = infer_broadcast,
	.kernels = pow_kernels,
	.vjp = pow_vjp,
	.cases = pow_cases,
};

static enum err_code sum_vjp(struct vjp *vjp, struct err *err)
{
	for (int32_t i = 0; i < vjp->node->n_in; i++)
		if (vjp->wanted[i])
			vjp->grad_in[i] = build_2(vjp->build, "SumTo",
						  vjp->grad_out[0], vjp->in[i]);
	return build_check(vjp->build, err);
}

static const struct op_case sum_cases[] = {
	{ .name = "one", .graph = "y = Sum(a:float[3,4])" },
	{ .name = "two", .graph = "y = Sum(a:float[3,4], b:float[4])" },
	{ .name = "four",
	  .graph =
	      "y = Sum(a:float[3,4], b:float[4], c:float[], d:float[3,1])" },
	{ .name = "first is smaller",
	  .graph = "y = Sum(a:float[3,1], b:float[4], c:float[2,1,1])" },
	{ .name = "longer than a chunk",
	  .graph = "y = Sum(a:float[3,401], b:float[3,401], c:float[401])" },
	{ .name = "one of them twice",
	  .graph = "y = Sum(a:float[5], b:float[5], a)" },
	{ .name = "shapes that do not meet",
	  .graph = "y = Sum(a:float[3], b:float[3], c:float[4])",
	  .want = ERR_SHAPE },
	{ 0 },
};

const struct op op_sum = {
	.domain = "",
	.name = "Sum",
	.help = "the sum of all operands, element by element",
	.since = 8,
	.in = many_in,
	.out = many_out,
	.infer = infer_broadcast,
	.kernels = elementwise_kernels,
	.vjp = sum_vjp,
	.cases = sum_cases,
};

/* Max and Min: the gradient goes to the first operand that equals the
 * result, and to that one alone. */
static enum err_code extreme_vjp(struct vjp *vjp, struct err *err)
{
	struct build *b = vjp->build;
	const enum dtype elem = b->graph->value[vjp->in[0]].type.elem;
	const int32_t zero = build_scalar(b, elem, 0.0);
	int32_t taken = VALUE_NONE;

	for (int32_t i = 0; i < vjp->node->n_in; i++) {
		int32_t wins = build_2(b, "Equal", vjp->in[i], vjp->out[0]);
		int32_t pick[3] = { wins, vjp->grad_out[0], zero };

		if (taken != VALUE_NONE) {
			pick[0] =
			    build_2(b, "And", wins, build_1(b, "Not", taken));
			wins = build_2(b, "Or", wins, taken);
		}
		taken = wins;
		if (vjp->wanted[i])
			vjp->grad_in[i] = build_2(
			    b, "SumTo", build_node(b, "Where", NULL, pick, 3),
			    vjp->in[i]);
	}
	return build_check(b, err);
}

static const struct op_case max_cases[] = {
	{ .name = "one", .graph = "y = Max(a:float[3,4])" },
	{ .name = "two", .graph = "y = Max(a:float[3,4], b:float[4])" },
	{ .name = "three",
	  .graph = "y = Max(a:float[3,4], b:float[], c:float[3,1])" },
	{ .name = "int32", .graph = "y = Max(a:int32[3,4], b:int32[4])" },
	{ .name = "uint64", .graph = "y = Max(a:uint64[3], b:uint64[1])" },
	{ .name = "shapes that do not meet",
	  .graph = "y = Max(a:float[3], b:float[4])",
	  .want = ERR_SHAPE },
	{ 0 },
};

const struct op op_max = {
	.domain = "",
	.name = "Max",
	.help = "the largest of all operands, element by element",
	.since = 8,
	.in = many_in,
	.out = (const struct port[]){ { "max", "T", 0 }, { 0 } },
	.infer = infer_broadcast,
	.kernels = elementwise_kernels,
	.vjp = extreme_vjp,
	.cases = max_cases,
};

static const struct op_case min_cases[] = {
	{ .name = "two", .graph = "y = Min(a:float[3,4], b:float[4])" },
	{ .name = "three",
	  .graph = "y = Min(a:float[3,4], b:float[], c:float[3,1])" },
	{ .name = "int64", .graph = "y = Min(a:int64[3,4], b:int64[4])" },
	{ .name = "shapes that do not meet",
	  .graph = "y = Min(a:float[3], b:float[4])",
	  .want = ERR_SHAPE },
	{ 0 },
};

const struct op op_min = {
	.domain = "",
	.name = "Min",
	.help = "the smallest of all operands, element by element",
	.since = 8,
	.in = many_in,
	.out = (const struct port[]){ { "min", "T", 0 }, { 0 } },
	.infer = infer_broadcast,
	.kernels = elementwise_kernels,
	.vjp = extreme_vjp,
	.cases = min_cases,
};
