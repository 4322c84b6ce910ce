/* SPDX-License-Identifier: Apache-2.0 */
/* Spellings of several operators, and those of com.microsoft. */
#include "spelling_row.h"

/* clang-format off */
const struct row spelling_more_rows[] = {
	{ "Hardmax", 12, { { 0 } }, "x:float[2,3,2]",
	  "y = Reshape(Hardmax(Reshape(x:float[2,3,2], f:int64[2]={2,6})), "
	  "s:int64[3]={2,3,2})" },
	{ "Mean", 13, { { 0 } }, "x:float[2,3]; y:float[3]; z:float[2,1]",
	  "m = Mul(Add(Add(x:float[2,3], y:float[3]), z:float[2,1]), 0.3333333333)" },
	{ "MeanVarianceNormalization", 9, { INTS("axes", 1) }, "x:float[3,5]",
	  "d = Sub(x:float[3,5], ReduceMean(x, a:int64[1]={1})); "
	  "y = Div(d, Sqrt(ReduceMean(Mul(d, d), a)))" },
	{ "SimplifiedLayerNormalization", 1, { FLOAT("epsilon", 0.1) }, "x:float[2,6]; s:float[6]",
	  "y = RMSNormalization<epsilon=0.1>(x:float[2,6], s:float[6]); "
	  "m = ReduceMean(Mul(x, x), a:int64[1]={-1}); r = Reciprocal(Sqrt(Add(m, 0.1))); "
	  "return y, r" },
	{ "SimplifiedLayerNormalization", 1, { INT("axis", 0) }, "x:float[2,6]; s:float[6]",
	  "y = RMSNormalization<axis=0>(x:float[2,6], s:float[6])" },
	{ "com.microsoft.BiasGelu", 1, { { 0 } }, "x:float[2,6]; b:float[6]",
	  "y = Gelu(Add(x:float[2,6], b:float[6]))" },
	{ "com.microsoft.BiasSplitGelu", 1, { { 0 } }, "x:float[1,2,6]; b:float[6]",
	  "a = Add(x:float[1,2,6], b:float[6]); l, r = Split<axis=2>(a, n:int64[2]={3,3}); "
	  "y = Mul(l, Gelu(r))" },
	{ "com.microsoft.FastGelu", 1, { { 0 } }, "x:float[2,6]",
	  "y = Gelu<approximate=\"tanh\">(x:float[2,6])" },
	{ "com.microsoft.FastGelu", 1, { { 0 } }, "x:float[2,6]; b:float[6]",
	  "y = Gelu<approximate=\"tanh\">(Add(x:float[2,6], b:float[6]))" },
	{ "com.microsoft.FusedConv", 1, { TEXT("activation", "Relu"), INTS("pads", 1, 1) },
	  "x:float[1,2,5]; w:float[3,2,3]; b:float[3]; z:float[1,3,5]",
	  "y = Relu(Add(Conv<pads=[1,1]>(x:float[1,2,5], w:float[3,2,3], b:float[3]), "
	  "z:float[1,3,5]))" },
	{ "com.microsoft.FusedConv", 1,
	  { TEXT("activation", "LeakyRelu"), FLOATS("activation_params", 0.25F) },
	  "x:float[1,2,5]; w:float[3,2,3]",
	  "y = LeakyRelu<alpha=0.25>(Conv(x:float[1,2,5], w:float[3,2,3]))" },
	{ "com.microsoft.FusedConv", 1,
	  { TEXT("activation", "Clip"), FLOATS("activation_params", -0.25F, 0.5F) },
	  "x:float[1,2,5]; w:float[3,2,3]; holeb:float[3]; z:float[1,3,3]",
	  "x:float[1,2,5]; w:float[3,2,3]; holeb:float[3]; "
	  "y = Clip(Add(Conv(x, w), z:float[1,3,3]), -0.25, 0.5)" },
	{ "com.microsoft.FusedMatMul", 1, { FLOAT("alpha", 0.5), INT("transB", 1) },
	  "a:float[2,3,4]; b:float[5,4]",
	  "y = Mul(MatMul(a:float[2,3,4], Transpose(b:float[5,4])), 0.5)" },
	{ "com.microsoft.FusedMatMul", 1, { { 0 } }, "a:float[3,4]; b:float[4,2]",
	  "y = MatMul(a:float[3,4], b:float[4,2])" },
	{ "com.microsoft.Gelu", 1, { { 0 } }, "x:float[2,6]", "y = Gelu(x:float[2,6])" },
	{ "com.microsoft.QuickGelu", 1, { { 0 } }, "x:float[2,6]",
	  "y = Mul(x:float[2,6], Sigmoid(Mul(x, 1.702)))" },
	{ "com.microsoft.SkipLayerNormalization", 1, { FLOAT("epsilon", 0.1) },
	  "x:float[2,6]; s:float[2,6]; g:float[6]; b:float[6]; c:float[6]",
	  "x:float[2,6]; s:float[2,6]; g:float[6]; b:float[6]; c:float[6]; "
	  "t = Add(Add(x, s), c); y, m, r = LayerNormalization<epsilon=0.1>(t, g, b); "
	  "u = Identity(t); return y, m, r, u" },
	{ "com.microsoft.SkipLayerNormalization", 1, { { 0 } },
	  "x:float[2,6]; s:float[2,6]; g:float[6]",
	  "y = LayerNormalization<epsilon=1e-12>(Add(x:float[2,6], s:float[2,6]), g:float[6])" },
	{ "com.microsoft.SkipSimplifiedLayerNormalization", 1, { { 0 } },
	  "x:float[2,6]; s:float[2,6]; g:float[6]; b:float[6]",
	  "x:float[2,6]; s:float[2,6]; g:float[6]; b:float[6]; t = Add(Add(x, s), b); "
	  "y = RMSNormalization<epsilon=1e-12>(t, g); m = ReduceMean(t, l:int64[1]={-1}); "
	  "r = Reciprocal(Sqrt(ReduceMean(Mul(t, t), l))); u = Identity(t); "
	  "return y, m, r, u" },
	{ "com.microsoft.SkipSimplifiedLayerNormalization", 1, { { 0 } },
	  "x:float[2,6]; s:float[2,6]; g:float[6]",
	  "y = RMSNormalization<epsilon=1e-12>(Add(x:float[2,6], s:float[2,6]), g:float[6])" },
	{ 0 },
};
/* clang-format on */
