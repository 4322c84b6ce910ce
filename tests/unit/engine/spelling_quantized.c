/* SPDX-License-Identifier: Apache-2.0 */
/* Spellings of quantized and recurrent operators. */
#include "spelling_row.h"

/* clang-format off */
const struct row spelling_quantized_rows[] = {
	{ "com.microsoft.DynamicQuantizeMatMul", 1, { { 0 } },
	  "x:float[2,5]; b:int8[5,3]; s:float[3]; z:int8[3]; c:float[3]",
	  "x:float[2,5]; b:int8[5,3]; s:float[3]; z:int8[3]; c:float[3]; q, qs, qz = "
	  "DynamicQuantizeLinear(x); y = Add(Mul(Cast<to=float>(MatMulInteger(q, b, qz, z)), "
	  "Mul(qs, s)), c); return y" },
	{ "com.microsoft.MatMulIntegerToFloat", 1, { { 0 } },
	  "a:uint8[2,5]; b:int8[5,3]; s:float[]={0.5}; t:float[]={0.25}",
	  "y = Mul(Cast<to=float>(MatMulInteger(a:uint8[2,5], b:int8[5,3])), 0.125)" },
	{ "com.microsoft.QGemm", 1, { INT("transB", 1), FLOAT("alpha", 2) },
	  "a:uint8[2,3]; s:float[]={0.5}; z:uint8[]={1}; b:int8[4,3]; t:float[]={0.25}; "
	  "w:int8[]={2}; c:int32[4]",
	  "a:uint8[2,3]; b:int8[4,3]; c:int32[4]; p = MatMulInteger(a, Transpose(b), "
	  "z:uint8[]={1}, w:int8[]={2}); y = Mul(Cast<to=float>(Add(p, c)), 0.25); return y" },
	{ "com.microsoft.QLinearAdd", 1, { { 0 } },
	  "a:uint8[2,3]; s:float[]={0.5}; z:uint8[]={1}; b:uint8[3]; t:float[]={0.25}; "
	  "w:uint8[]={2}; u:float[]={0.75}; v:uint8[]={3}",
	  "y = QuantizeLinear(Add(DequantizeLinear(a:uint8[2,3], s:float[]={0.5}, "
	  "z:uint8[]={1}), DequantizeLinear(b:uint8[3], t:float[]={0.25}, w:uint8[]={2})), "
	  "u:float[]={0.75}, v:uint8[]={3})" },
	{ "com.microsoft.QLinearMul", 1, { { 0 } },
	  "a:uint8[2,3]; s:float[]={0.5}; z:uint8[]={1}; b:uint8[3]; t:float[]={0.25}; "
	  "w:uint8[]={2}; u:float[]={0.75}; v:uint8[]={3}",
	  "y = QuantizeLinear(Mul(DequantizeLinear(a:uint8[2,3], s:float[]={0.5}, "
	  "z:uint8[]={1}), DequantizeLinear(b:uint8[3], t:float[]={0.25}, w:uint8[]={2})), "
	  "u:float[]={0.75}, v:uint8[]={3})" },
	{ "com.microsoft.QLinearConcat", 1, { INT("axis", 0) },
	  "u:float[]={0.75}; v:uint8[]={3}; a:uint8[2,3]; s:float[]={0.5}; z:uint8[]={1}; "
	  "b:uint8[1,3]; t:float[]={0.25}; w:uint8[]={2}",
	  "y = QuantizeLinear(Concat<axis=0>(DequantizeLinear(a:uint8[2,3], s:float[]={0.5}, "
	  "z:uint8[]={1}), DequantizeLinear(b:uint8[1,3], t:float[]={0.25}, w:uint8[]={2})), "
	  "u:float[]={0.75}, v:uint8[]={3})" },
	{ "com.microsoft.QLinearSigmoid", 1, { { 0 } },
	  "x:uint8[2,3]; s:float[]={0.5}; z:uint8[]={1}; t:float[]={0.25}; v:uint8[]={3}",
	  "y = QuantizeLinear(Sigmoid(DequantizeLinear(x:uint8[2,3], s:float[]={0.5}, "
	  "z:uint8[]={1})), t:float[]={0.25}, v:uint8[]={3})" },
	{ "com.microsoft.QLinearLeakyRelu", 1, { FLOAT("alpha", 0.5) },
	  "x:uint8[2,3]; s:float[]={0.5}; z:uint8[]={1}; t:float[]={0.25}; v:uint8[]={3}",
	  "y = QuantizeLinear(LeakyRelu<alpha=0.5>(DequantizeLinear(x:uint8[2,3], "
	  "s:float[]={0.5}, z:uint8[]={1})), t:float[]={0.25}, v:uint8[]={3})" },
	{ "com.microsoft.QLinearSoftmax", 1, { INT("axis", 0), INT("opset", 13) },
	  "x:uint8[2,3]; s:float[]={0.5}; z:uint8[]={1}; t:float[]={0.25}; v:uint8[]={3}",
	  "y = QuantizeLinear(Softmax<axis=0>(DequantizeLinear(x:uint8[2,3], "
	  "s:float[]={0.5}, z:uint8[]={1})), t:float[]={0.25}, v:uint8[]={3})" },
	{ "com.microsoft.QLinearSoftmax", 1, { INT("axis", 0), INT("opset", 12) },
	  "x:uint8[2,3]; s:float[]={0.5}; z:uint8[]={1}; t:float[]={0.25}; v:uint8[]={3}",
	  "y = QuantizeLinear(Reshape(Softmax(Reshape(DequantizeLinear(x:uint8[2,3], "
	  "s:float[]={0.5}, z:uint8[]={1}), k:int64[2]={1,6})), l:int64[2]={2,3}), "
	  "t:float[]={0.25}, v:uint8[]={3})" },
	{ "com.microsoft.QLinearAveragePool", 1, { INTS("kernel_shape", 2, 2) },
	  "x:uint8[1,2,3,4]; s:float[]={0.5}; z:uint8[]={1}; t:float[]={0.25}; v:uint8[]={3}",
	  "y = QuantizeLinear(AveragePool<kernel_shape=[2,2]>(DequantizeLinear(x:uint8[1,2,3,"
	  "4], s:float[]={0.5}, z:uint8[]={1})), t:float[]={0.25}, v:uint8[]={3})" },
	{ "com.microsoft.QLinearGlobalAveragePool", 1, { INT("channels_last", 1) },
	  "x:uint8[1,2,3,4]; s:float[]={0.5}; z:uint8[]={1}; t:float[]={0.25}; v:uint8[]={3}",
	  "y = QuantizeLinear(Transpose<perm=[0,2,3,1]>(GlobalAveragePool(Transpose<perm=[0,"
	  "3,1,2]>(DequantizeLinear(x:uint8[1,2,3,4], s:float[]={0.5}, z:uint8[]={1})))), "
	  "t:float[]={0.25}, v:uint8[]={3})" },
	{ "com.microsoft.MatMulNBits", 1, { INT("K", 16), INT("N", 2), INT("block_size", 16) },
	  "x:float[3,16]; b:uint8[2,1,8]={5,22,39,56,73,90,107,124,141,158,175,192,209,226,"
	  "243,4}; s:float[2]",
	  "x:float[3,16]; s:float[2]; w = DequantizeLinear<axis=0>(q:uint8[2,16]={5,0,6,1,7,"
	  "2,8,3,9,4,10,5,11,6,12,7,13,8,14,9,15,10,0,12,1,13,2,14,3,15,4,0}, s, "
	  "z:uint8[2]={8,8}); y = MatMulT<trans_b=1>(x, w); return y" },
	{ "com.microsoft.DynamicQuantizeLSTM", 1, { INT("hidden_size", 1) },
	  "x:float[3,2,2]; w:int8[1,2,4]; r:int8[1,1,4]; b:float[1,8]; l:int32[2]={3,2}; "
	  "h:float[1,2,1]; c:float[1,2,1]; p:float[1,3]; s:float[1]={0.5}; z:int8[1]={1}; "
	  "t:float[1,4]; v:int8[1,4]",
	  "x:float[3,2,2]; w:int8[1,2,4]; r:int8[1,1,4]; b:float[1,8]; h:float[1,2,1]; "
	  "c:float[1,2,1]; p:float[1,3]; t:float[1,4]; v:int8[1,4]; wf = Transpose<perm=[0,2,"
	  "1]>(DequantizeLinear(w, s:float[]={0.5}, z:int8[]={1})); rf = Transpose<perm=[0,2,"
	  "1]>(Mul(Sub(Cast<to=float>(r), Cast<to=float>(v)), t)); y = LSTM(x, wf, rf, b, "
	  "l:int32[2]={3,2}, h, c, p); return y" },
	{ "com.microsoft.QLinearWhere", 1, { { 0 } },
	  "k:bool[2,3]; a:uint8[2,3]; s:float[]={0.5}; z:uint8[]={1}; b:uint8[3]; "
	  "t:float[]={0.25}; w:uint8[]={2}; u:float[]={0.75}; v:uint8[]={3}",
	  "y = QuantizeLinear(Where(k:bool[2,3], DequantizeLinear(a:uint8[2,3], "
	  "s:float[]={0.5}, z:uint8[]={1}), DequantizeLinear(b:uint8[3], t:float[]={0.25}, "
	  "w:uint8[]={2})), u:float[]={0.75}, v:uint8[]={3})" },
	{ "com.microsoft.QAttention", 1, { INT("num_heads", 2), FLOAT("scale", 0.5) },
	  "x:uint8[1,3,4]; w:int8[4,12]; b:float[12]; s:float[]={0.5}; t:float[]={0.25}; "
	  "m:int32[1,3]={1,1,0}",
	  "x:uint8[1,3,4]; w:int8[4,12]; b:float[12]; heads:int64[4]={0,0,2,2}; "
	  "back:int64[3]={0,0,4}; p = Add(Mul(Cast<to=float>(MatMulInteger(x, w)), 0.125), "
	  "b); q0, k0, v0 = Split<axis=2, num_outputs=3>(p); q = Transpose<perm=[0,2,1,"
	  "3]>(Reshape(q0, heads)); k = Transpose<perm=[0,2,3,1]>(Reshape(k0, heads)); v = "
	  "Transpose<perm=[0,2,1,3]>(Reshape(v0, heads)); s = Add(Mul(MatMul(q, k), 0.5), "
	  "m:float[1,1,1,3]={0,0,-10000}); y = Reshape(Transpose<perm=[0,2,1,"
	  "3]>(MatMul(Softmax(s), v)), back); return y" },
	{ "DequantizeLinear", 10, { { 0 } }, "x:uint8[3]; s:float[]={0.5}",
	  "y = DequantizeLinear(x:uint8[3], s:float[]={0.5})" },
	{ "GRU", 7, { INT("hidden_size", 2) }, "x:float[3,2,4]; w:float[1,6,4]; r:float[1,6,2]",
	  "y = GRU(x:float[3,2,4], w:float[1,6,4], r:float[1,6,2])" },
	{ "LSTM", 7, { INT("hidden_size", 2) }, "x:float[3,2,4]; w:float[1,8,4]; r:float[1,8,2]",
	  "y = LSTM(x:float[3,2,4], w:float[1,8,4], r:float[1,8,2])" },
	{ "RNN", 7, { INT("hidden_size", 2) }, "x:float[3,2,4]; w:float[1,2,4]; r:float[1,2,2]",
	  "y = RNN(x:float[3,2,4], w:float[1,2,4], r:float[1,2,2])" },
	{ "QuantizeLinear", 13, { INT("axis", 0) }, "x:float[2,3]; s:float[2]={0.5,0.25}",
	  "y = QuantizeLinear<axis=0>(x:float[2,3], s:float[2]={0.5,0.25})" },
	{ 0 },
};
/* clang-format on */
