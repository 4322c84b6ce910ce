/* SPDX-License-Identifier: Apache-2.0 */
/* Compiled once for each level; LOOPS_TABLE names the table, and
 * LOOPS_USE_LIBM makes the reference. */
#include "engine/kernels/loops_priv.h"

#include "engine/kernels/fast_math.h"

/* The order of the typed headers matters. */
/* clang-format off */

#define T float
#define U float
#define NAME(x) f32_##x
#define LIBM(x) x##f
#ifdef LOOPS_USE_LIBM
LOOPS_INLINE float libm_sigmoidf(float x)
{
	return 1.0f / (1.0f + expf(-x));
}
#define libm_expf expf
#define libm_logf logf
#define libm_tanhf tanhf
#define libm_erff erff
#define libm_erf_roughf erff
#define libm_expm1f expm1f
#define libm_log1pf log1pf
#define FN(x) libm_##x##f
#else
#define FN(x) fast_##x
#endif
#include "engine/kernels/loops_typed.h"
#include "engine/kernels/loops_arith_typed.h"
#include "engine/kernels/loops_float_typed.h"
#undef T
#undef U
#undef NAME
#undef LIBM
#undef FN

LOOPS_INLINE double libm_sigmoid(double x)
{
	return 1.0 / (1.0 + exp(-x));
}
#define libm_exp exp
#define libm_log log
#define libm_tanh tanh
#define libm_erf erf
#define libm_erf_rough erf
#define libm_expm1 expm1
#define libm_log1p log1p

#define T double
#define U double
#define NAME(x) f64_##x
#define LIBM(x) x
#define FN(x) libm_##x
#include "engine/kernels/loops_typed.h"
#include "engine/kernels/loops_arith_typed.h"
#include "engine/kernels/loops_float_typed.h"
#undef T
#undef U
#undef NAME
#undef LIBM
#undef FN

#define T int32_t
#define U uint32_t
#define NAME(x) i32_##x
#include "engine/kernels/loops_typed.h"
#include "engine/kernels/loops_arith_typed.h"
#include "engine/kernels/loops_integer_typed.h"
#undef T
#undef U
#undef NAME

#define T int64_t
#define U uint64_t
#define NAME(x) i64_##x
#include "engine/kernels/loops_typed.h"
#include "engine/kernels/loops_arith_typed.h"
#include "engine/kernels/loops_integer_typed.h"
#undef T
#undef U
#undef NAME

#define T uint64_t
#define U uint64_t
#define NAME(x) u64_##x
#include "engine/kernels/loops_typed.h"
#include "engine/kernels/loops_arith_typed.h"
#include "engine/kernels/loops_integer_typed.h"
#undef T
#undef U
#undef NAME

#define T bool
#define NAME(x) bool_##x
#include "engine/kernels/loops_typed.h"
#include "engine/kernels/loops_bool_typed.h"
#undef T
#undef NAME

#define FLOATS(rule)                             \
	{                                        \
		[DTYPE_F32] = f32_##rule##_loop, \
		[DTYPE_F64] = f64_##rule##_loop, \
	}
#define NUMBERS(rule)                            \
	{                                        \
		[DTYPE_F32] = f32_##rule##_loop, \
		[DTYPE_F64] = f64_##rule##_loop, \
		[DTYPE_I32] = i32_##rule##_loop, \
		[DTYPE_I64] = i64_##rule##_loop, \
		[DTYPE_U64] = u64_##rule##_loop, \
	}
#define NUMBERS_AND_BOOL(rule)                     \
	{                                          \
		[DTYPE_F32] = f32_##rule##_loop,   \
		[DTYPE_F64] = f64_##rule##_loop,   \
		[DTYPE_I32] = i32_##rule##_loop,   \
		[DTYPE_I64] = i64_##rule##_loop,   \
		[DTYPE_U64] = u64_##rule##_loop,   \
		[DTYPE_BOOL] = bool_##rule##_loop, \
	}
#define INTEGERS(rule)                           \
	{                                        \
		[DTYPE_I32] = i32_##rule##_loop, \
		[DTYPE_I64] = i64_##rule##_loop, \
		[DTYPE_U64] = u64_##rule##_loop, \
	}
#define BOOLS(rule)                               \
	{                                         \
		[DTYPE_BOOL] = bool_##rule##_loop \
	}

const struct loop LOOPS_TABLE[] = {
	{ "Abs",                   0, 0.2, NUMBERS(abs) },
	{ "Acos",                  0, 8.0, FLOATS(acos) },
	{ "Acosh",                 0, 8.0, FLOATS(acosh) },
	{ "Add",                   0, 0.2, NUMBERS(add) },
	{ "And",                   0, 0.1, BOOLS(and) },
	{ "Asin",                  0, 8.0, FLOATS(asin) },
	{ "Asinh",                 0, 8.0, FLOATS(asinh) },
	{ "Atan",                  0, 8.0, FLOATS(atan) },
	{ "Atanh",                 0, 8.0, FLOATS(atanh) },
	{ "BitShift.LEFT",         0, 0.3, INTEGERS(shift_left) },
	{ "BitShift.RIGHT",        0, 0.3, INTEGERS(shift_right) },
	{ "BitwiseAnd",            0, 0.2, INTEGERS(bit_and) },
	{ "BitwiseNot",            0, 0.2, INTEGERS(bit_not) },
	{ "BitwiseOr",             0, 0.2, INTEGERS(bit_or) },
	{ "BitwiseXor",            0, 0.2, INTEGERS(bit_xor) },
	{ "Ceil",                  0, 0.2, FLOATS(ceil) },
	{ "Celu",                  1, 1.5, FLOATS(celu) },
	{ "CeluGrad",              1, 0.4, FLOATS(celu_grad) },
	{ "Clip",                  0, 0.2, NUMBERS(clip) },
	{ "Cos",                   0, 8.0, FLOATS(cos) },
	{ "Cosh",                  0, 8.0, FLOATS(cosh) },
	{ "Div",                   0, 0.4, NUMBERS(div) },
	{ "Elu",                   1, 1.5, FLOATS(elu) },
	{ "EluGrad",               1, 0.3, FLOATS(elu_grad) },
	{ "Equal",                 0, 0.2, NUMBERS_AND_BOOL(equal) },
	{ "Erf",                   0, 1.0, FLOATS(erf) },
	{ "Exp",                   0, 0.5, FLOATS(exp) },
	{ "Floor",                 0, 0.2, FLOATS(floor) },
	{ "Gelu.none",             0, 0.7, FLOATS(gelu) },
	{ "Gelu.tanh",             0, 0.7, FLOATS(gelu_tanh) },
	{ "GeluGrad.none",         0, 1.8, FLOATS(gelu_grad) },
	{ "GeluGrad.tanh",         0, 1.3, FLOATS(gelu_tanh_grad) },
	{ "Greater",               0, 0.2, NUMBERS(greater) },
	{ "GreaterOrEqual",        0, 0.2, NUMBERS(greater_or_equal) },
	{ "HardSigmoid",           2, 0.2, FLOATS(hard_sigmoid) },
	{ "HardSigmoidGrad",       2, 0.3, FLOATS(hard_sigmoid_grad) },
	{ "HardSwish",             0, 0.3, FLOATS(hard_swish) },
	{ "HardSwishGrad",         0, 0.3, FLOATS(hard_swish_grad) },
	{ "IsInf",                 2, 0.3, FLOATS(is_inf) },
	{ "IsNaN",                 0, 0.2, FLOATS(is_nan) },
	{ "LeakyRelu",             1, 0.2, FLOATS(leaky_relu) },
	{ "LeakyReluGrad",         1, 0.3, FLOATS(leaky_relu_grad) },
	{ "Less",                  0, 0.2, NUMBERS(less) },
	{ "LessOrEqual",           0, 0.2, NUMBERS(less_or_equal) },
	{ "Log",                   0, 0.6, FLOATS(log) },
	{ "Max",                   0, 0.2, NUMBERS(max) },
	{ "Min",                   0, 0.2, NUMBERS(min) },
	{ "Mish",                  0, 0.9, FLOATS(mish) },
	{ "MishGrad",              0, 1.5, FLOATS(mish_grad) },
	{ "Mod",                   1, 5.0, NUMBERS(mod) },
	{ "Mul",                   0, 0.2, NUMBERS(mul) },
	{ "Neg",                   0, 0.2, NUMBERS(neg) },
	{ "Not",                   0, 0.1, BOOLS(not) },
	{ "Or",                    0, 0.1, BOOLS(or) },
	{ "PRelu",                 0, 0.3, NUMBERS(prelu) },
	{ "Pow",                   0, 9.0, NUMBERS(pow) },
	{ "Reciprocal",            0, 0.4, FLOATS(reciprocal) },
	{ "Relu",                  0, 0.2, FLOATS(relu) },
	{ "ReluGrad",              0, 0.3, FLOATS(relu_grad) },
	{ "Round",                 0, 0.2, FLOATS(round) },
	{ "Selu",                  2, 1.5, FLOATS(selu) },
	{ "SeluGrad",              2, 0.3, FLOATS(selu_grad) },
	{ "Shrink",                2, 0.2, FLOATS(shrink) },
	{ "ShrinkGrad",            2, 0.3, FLOATS(shrink_grad) },
	{ "Sigmoid",               0, 0.6, FLOATS(sigmoid) },
	{ "SigmoidGrad",           0, 0.3, FLOATS(sigmoid_grad) },
	{ "Sign",                  0, 0.2, NUMBERS(sign) },
	{ "Sin",                   0, 8.0, FLOATS(sin) },
	{ "Sinh",                  0, 8.0, FLOATS(sinh) },
	{ "Softplus",              0, 1.5, FLOATS(softplus) },
	{ "SoftplusGrad",          0, 0.8, FLOATS(softplus_grad) },
	{ "Softsign",              0, 0.4, FLOATS(softsign) },
	{ "SoftsignGrad",          0, 0.5, FLOATS(softsign_grad) },
	{ "Sqrt",                  0, 0.4, FLOATS(sqrt) },
	{ "Sub",                   0, 0.2, NUMBERS(sub) },
	{ "Sum",                   0, 0.2, NUMBERS(add) },
	{ "Swish",                 1, 0.7, FLOATS(swish) },
	{ "SwishGrad",             1, 0.8, FLOATS(swish_grad) },
	{ "Tan",                   0, 8.0, FLOATS(tan) },
	{ "Tanh",                  0, 0.8, FLOATS(tanh) },
	{ "TanhGrad",              0, 0.3, FLOATS(tanh_grad) },
	{ "ThresholdedRelu",       1, 0.2, FLOATS(thresholded_relu) },
	{ "ThresholdedReluGrad",   1, 0.3, FLOATS(thresholded_relu_grad) },
	{ "Xor",                   0, 0.1, BOOLS(xor) },
	{ 0 },
};
/* clang-format on */
