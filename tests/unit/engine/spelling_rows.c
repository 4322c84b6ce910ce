/* SPDX-License-Identifier: Apache-2.0 */
/* Spellings of several operators, and those of com.microsoft. */
#include "spelling_row.h"

/* clang-format off */
const struct row spelling_more_rows[] = {
	{ "Constant",
	  12,
	  { FLOAT("value_float", 0.5) },
	  "",
	  "y = Identity(c:float[]={0.5})" },
	{ "Constant",
	  12,
	  { TEXT("value_string", "abc") },
	  "",
	  "y = Identity(c:string[]={\"abc\"})" },
	{ "Hardmax", 12, { { 0 } }, "x:float[2,3,2]",
	  "y = Reshape(Hardmax(Reshape(x:float[2,3,2], f:int64[2]={2,6})), "
	  "s:int64[3]={2,3,2})" },
	{ "LayerNormalization", 1, { FLOAT("epsilon", 0.1) },
	  "x:float[2,6]; s:float[6]; b:float[6]",
	  "y = LayerNormalization<epsilon=0.1>(x:float[2,6], s:float[6], b:float[6])" },
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
	{ "com.microsoft.BiasAdd", 1, { { 0 } }, "x:float[1,2,6]; b:float[6]; s:float[1,2,6]",
	  "y = Add(Add(x:float[1,2,6], b:float[6]), s:float[1,2,6])" },
	{ "com.microsoft.FusedGemm", 1,
	  { TEXT("activation", "LeakyRelu"), FLOAT("activation_alpha", 0.25), INT("transB", 1),
	    FLOAT("beta", 0.5) },
	  "a:float[3,4]; b:float[5,4]; c:float[5]",
	  "y = LeakyRelu<alpha=0.25>(Gemm<transB=1, beta=0.5>("
	  "a:float[3,4], b:float[5,4], c:float[5]))" },
	{ "com.microsoft.FusedGemm", 1, { TEXT("activation", "HardSigmoid") },
	  "a:float[3,4]; b:float[4,5]",
	  "y = HardSigmoid(Gemm(a:float[3,4], b:float[4,5]))" },
	{ "com.microsoft.TransposeMatMul", 1, { INT("transA", 1) }, "a:float[4,3]; b:float[4,5]",
	  "y = MatMul(Transpose(a:float[4,3]), b:float[4,5])" },
	{ "SwiGLU", 28, { FLOAT("alpha", 0.5) }, "x:float[2,6]; b:float[2,6]",
	  "y = Mul(Swish<alpha=0.5>(x:float[2,6]), b:float[2,6])" },
	{ "SwiGLU", 28, { { 0 } }, "x:float[2,6]; b:float[2,6]",
	  "y = Mul(Swish(x:float[2,6]), b:float[2,6])" },
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
	{ "ai.onnx.preview.FlexAttention", 1, { FLOAT("scale", 0.5) },
	  "q:float[1,2,3,4]; k:float[1,1,5,4]; v:float[1,1,5,6]",
	  "y = Attention<scale=0.5>(q:float[1,2,3,4], k:float[1,1,5,4], v:float[1,1,5,6])" },
	{ "com.microsoft.MultiHeadAttention", 1, { INT("num_heads", 2) },
	  "q:float[1,3,8]; k:float[1,4,8]; v:float[1,4,8]; b:float[24]; m:int32[1,4]",
	  "q:float[1,3,8]; k:float[1,4,8]; v:float[1,4,8]; b:float[24]; "
	  "bq, bk, bv = Split<num_outputs=3>(b); "
	  "h = Mul(Sub(1, CastLike(m:int32[1,4], q)), -10000); "
	  "y = Attention<q_num_heads=2, kv_num_heads=2>(Add(q, bq), Add(k, bk), Add(v, bv), h)" },
	{ "com.microsoft.MultiHeadAttention", 1, { INT("num_heads", 2) },
	  "q:float[2,3,8]; k:float[2,4,8]; v:float[2,4,8]; holeb:float[1]; n:int32[2]={2,4}",
	  "q:float[2,3,8]; k:float[2,4,8]; v:float[2,4,8]; holeb:float[1]; "
	  "y = Attention<q_num_heads=2, kv_num_heads=2>(q, k, v, "
	  "m:float[2,1,1,4]={0,0,-10000,-10000,0,0,0,0})" },
	{ "com.microsoft.MultiHeadAttention", 1,
	  { INT("num_heads", 2), INT("unidirectional", 1), FLOAT("scale", 0.25) },
	  "x:float[1,3,2,3,4]",
	  "t = Transpose<perm=[3,0,2,1,4]>(x:float[1,3,2,3,4]); q, k, v = Split<num_outputs=3>(t); "
	  "a:int64[1]={0}; "
	  "z = Attention<is_causal=1, scale=0.25>(Squeeze(q, a), Squeeze(k, a), Squeeze(v, a)); "
	  "y = Reshape(Transpose<perm=[0,2,1,3]>(z), s:int64[3]={1,3,8})" },
	{ "com.microsoft.MultiHeadAttention", 1, { INT("num_heads", 2) },
	  "q:float[1,3,8]; kv:float[1,4,2,2,4]; holev:float[1]; holeb:float[1]; holem:float[1]; "
	  "b:float[1,2,3,4]",
	  "q:float[1,3,8]; kv:float[1,4,2,2,4]; holev:float[1]; holeb:float[1]; holem:float[1]; "
	  "b:float[1,2,3,4]; k, v = Split<axis=3, num_outputs=2>(kv); s:int64[3]={1,4,8}; "
	  "y, k1, v1 = Attention<q_num_heads=2, kv_num_heads=2>"
	  "(q, Reshape(k, s), Reshape(v, s), b); "
	  "return y, k1, v1" },
	{ "com.microsoft.Attention", 1, { INT("num_heads", 2), INT("unidirectional", 1) },
	  "x:float[1,3,5]; w:float[5,24]; b:float[24]",
	  "q, k, v = Split<axis=2, num_outputs=3>("
	  "Add(MatMul(x:float[1,3,5], w:float[5,24]), b:float[24])); "
	  "y = Attention<q_num_heads=2, kv_num_heads=2, is_causal=1>(q, k, v)" },
	{ "com.microsoft.Attention", 1, { INT("num_heads", 2), INTS("qkv_hidden_sizes", 8, 8, 6) },
	  "x:float[1,3,5]; w:float[5,22]",
	  "q, k, v = Split<axis=2>("
	  "MatMul(x:float[1,3,5], w:float[5,22]), s:int64[3]={8,8,6}); "
	  "y = Attention<q_num_heads=2, kv_num_heads=2>(q, k, v)" },
	{ "com.microsoft.EmbedLayerNormalization", 1, { { 0 } },
	  "i:int32[1,3]; holes:int32[1,3]; w:float[4,6]; p:float[5,6]; holet:float[2,6]; "
	  "g:float[6]; b:float[6]",
	  "i:int32[1,3]; holes:int32[1,3]; w:float[4,6]; p:float[5,6]; holet:float[2,6]; "
	  "s = Add(Gather(w, i), Slice(p, f:int64[1]={0}, e:int64[1]={3})); "
	  "y = LayerNormalization<epsilon=1e-12>(s, g:float[6], b:float[6])" },
	{ "com.microsoft.GroupQueryAttention", 1, { INT("num_heads", 2), INT("kv_num_heads", 1) },
	  "x:float[1,3,16]; holek:float[1]; holev:float[1]; holea:float[1]; holeb:float[1]; "
	  "n:int32[1]={2}; t:int32[]={3}",
	  "x:float[1,3,16]; holek:float[1]; holev:float[1]; holea:float[1]; holeb:float[1]; "
	  "q, k, v = Split<axis=2>(x, s:int64[3]={8,4,4}); "
	  "y = Attention<q_num_heads=2, kv_num_heads=1, is_causal=1>(q, k, v)" },
	{ "com.microsoft.GroupQueryAttention", 1,
	  { INT("num_heads", 2), INT("kv_num_heads", 1), INT("local_window_size", 2) },
	  "q:float[1,1,8]; k:float[1,1,4]; v:float[1,1,4]; a:float[1,1,3,4]; b:float[1,1,3,4]; "
	  "n:int32[1]={3}; t:int32[]={4}",
	  "q:float[1,1,8]; k:float[1,1,4]; v:float[1,1,4]; a:float[1,1,3,4]; b:float[1,1,3,4]; "
	  "y, k1, v1 = Attention<q_num_heads=2, kv_num_heads=1, left_window_size=1>"
	  "(q, k, v, , a, b); return y, k1, v1" },
	{ 0 },
};
/* clang-format on */
