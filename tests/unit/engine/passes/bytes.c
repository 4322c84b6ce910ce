/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "engine/kernels/byte_product.h"
#include "engine/kernels/onednn/onednn.h"
#include "pass_check.h"

#define W "w:int8[64,70]!"
#define SCALE "s:float[70]!"
#define OWN "y = predictd.MatMulWeights(x:float[3,64], " W ", " SCALE

static const struct pass_case weights[] = {
	{ "a scale a column", "byte_weights",
	  "y = MatMul(x:float[3,64], Mul(Cast<to=float>(" W "), "
	  "s:float[1,70]!))",
	  OWN ")" },
	{ "the scale first", "byte_weights",
	  "y = MatMul(x:float[3,64], Mul(" SCALE ", Cast<to=float>(" W ")))",
	  OWN ")" },
	{ "one scale", "byte_weights",
	  "y = MatMul(x:float[3,64], Mul(Cast<to=float>(" W "), "
	  "s:float[]={0.5}))",
	  "y = predictd.MatMulWeights(x:float[3,64], " W
	  ", s:float[1]={0.5})" },
	{ "dequantized", "byte_weights",
	  "y = MatMul(x:float[3,64], DequantizeLinear<axis=1>(" W ", " SCALE
	  ", z:int8[70]!))",
	  OWN ", z:int8[70]!)" },
	{ "transposed", "byte_weights",
	  "y = MatMul(x:float[3,64], Transpose<perm=[1,0]>("
	  "DequantizeLinear<axis=0>(w:int8[70,64]!, " SCALE ")))",
	  "y = predictd.MatMulWeights<trans_b=1>(x:float[3,64], "
	  "w:int8[70,64]!, " SCALE ")" },
	{ "Gemm with a row", "byte_weights",
	  "y = Gemm<transB=1>(x:float[3,64], DequantizeLinear<axis=0>("
	  "w:int8[70,64]!, " SCALE "), c:float[1,70]!)",
	  "y = predictd.MatMulWeights<trans_b=1>(x:float[3,64], "
	  "w:int8[70,64]!, " SCALE ", , c:float[70]!)" },
	{ "a row that is added", "byte_weights",
	  "y = Add(c:float[70]!, MatMul(x:float[3,64], Mul("
	  "Cast<to=float>(" W "), " SCALE ")))",
	  OWN ", , c:float[70]!)" },
	{ "a number that is added", "byte_weights",
	  "y = Add(MatMul(x:float[3,64], Mul(Cast<to=float>(" W "), " SCALE
	  ")), c:float[1]!)",
	  "y = Add(predictd.MatMulWeights(x:float[3,64], " W ", " SCALE
	  "), c:float[1]!)" },
	{ "X of bytes", "byte_weights",
	  "y = MatMul(DequantizeLinear(x:uint8[3,64], t:float[]={0.5}, "
	  "v:uint8[]={3}), DequantizeLinear<axis=1>(" W ", " SCALE "))",
	  "y = predictd.MatMulIntegerToFloat(x:uint8[3,64], " W
	  ", t:float[]={0.5}, " SCALE ", v:uint8[]={3})" },
	{ "X of bytes, Gemm", "byte_weights",
	  "y = Gemm<transB=1>(DequantizeLinear(x:int8[3,64], t:float[]={0.5}), "
	  "DequantizeLinear(w:int8[70,64]!, s:float[]={0.25}, z:int8[]={2}), "
	  "c:float[70]!)",
	  "y = predictd.MatMulIntegerToFloat(x:int8[3,64], "
	  "Transpose<perm=[1,0]>(w:int8[70,64]!), t:float[]={0.5}, "
	  "s:float[1]={0.25}, , z:int8[1]={2}, c:float[70]!)" },
	{ "Gemm times a number", "byte_weights",
	  "y = Gemm<alpha=0.5>(x:float[3,64], DequantizeLinear(" W ", " SCALE
	  "))",
	  NULL },
	{ "a scale a row", "byte_weights",
	  "y = MatMul(x:float[3,64], Mul(Cast<to=float>(" W "), "
	  "s:float[64,1]!))",
	  NULL },
	{ "scales along the other axis", "byte_weights",
	  "y = MatMul(x:float[3,64], DequantizeLinear<axis=0>(" W ", "
	  "s:float[64]!))",
	  NULL },
	{ "blocks", "byte_weights",
	  "y = MatMul(x:float[3,64], DequantizeLinear<axis=1, block_size=2>(" W
	  ", s:float[64,35]!))",
	  NULL },
	{ "few weights", "byte_weights",
	  "y = MatMul(x:float[3,4], Mul(Cast<to=float>(w:int8[4,7]!), "
	  "s:float[7]!))",
	  NULL },
	{ "weights of another type", "byte_weights",
	  "y = MatMul(x:float[3,64], "
	  "Mul(Cast<to=float>(w:int32[64,70]!), " SCALE "))",
	  NULL },
	{ "weights that come in", "byte_weights",
	  "y = MatMul(x:float[3,64], Mul(Cast<to=float>(w:int8[64,70]), " SCALE
	  "))",
	  NULL },
	{ 0 },
};

#define IN "x:uint8[2,3,64]; z:uint8[]; s:float[]; "
#define PRODUCT "Cast<to=float>(MatMulInteger(x, " W ", z))"
#define ALL IN "y = predictd.MatMulIntegerToFloat(x, " W ", "

#define ALL_PRODUCT                                   \
	"predictd.MatMulIntegerToFloat(x, " W ", s, " \
	"t:float[]={0.5}, z)"

static const struct pass_case products[] = {
	{ "two scales", "byte_products",
	  IN "y = Mul(" PRODUCT ", Mul(s, t:float[]={0.5}))",
	  ALL "s, t:float[]={0.5}, z)" },
	{ "two scales, the other way round", "byte_products",
	  IN "y = Mul(Mul(t:float[70]!, s), " PRODUCT ")",
	  ALL "s, t:float[70]!, z)" },
	{ "one scale that is known", "byte_products",
	  IN "y = Mul(" PRODUCT ", t:float[]={0.5})",
	  ALL "u:float[]={1}, t:float[]={0.5}, z)" },
	{ "one scale that comes in", "byte_products",
	  IN "y = Mul(" PRODUCT ", t:float[])", NULL },
	{ "scales of another size", "byte_products",
	  IN "y = Mul(" PRODUCT ", Mul(s, t:float[3,1]!))", NULL },
	{ "sums that are read elsewhere", "byte_products",
	  IN "p = " PRODUCT "; y = Mul(p, Mul(s, t:float[]={0.5})); "
	     "return p, y",
	  NULL },
	{ "a row", "byte_products", IN "y = Add(" ALL_PRODUCT ", c:float[70]!)",
	  ALL "s, t:float[]={0.5}, z, , c:float[70]!)" },
	{ "a row of another rank", "byte_products",
	  IN "y = Add(" ALL_PRODUCT ", c:float[1,1,1,70]!)", NULL },
	{ 0 },
};

#define LSTM_OF(w, r)                                                  \
	"y, h = LSTM(x:float[5,3,4], Transpose<perm=[0,2,1]>(" w "), " \
	"Transpose<perm=[0,2,1]>(" r "), b:float[1,16]!)"
#define W_BYTES "w:int8[1,4,8]!"
#define R_BYTES "r:uint8[1,2,8]!"
#define OWN_LSTM                                                            \
	"y, h = predictd.LSTMWeights(x:float[5,3,4], " W_BYTES ", " R_BYTES \
	", b:float[1,16]!, , , , , "

static const struct pass_case lstms[] = {
	{ "a scale a direction", "byte_lstm",
	  LSTM_OF("DequantizeLinear<axis=0>(" W_BYTES ", s:float[1]={0.1})",
		  "DequantizeLinear<axis=0>(" R_BYTES
		  ", t:float[1]={0.2}, z:uint8[1]={3})"),
	  OWN_LSTM "s:float[1]={0.1}, , t:float[1]={0.2}, z:uint8[1]={3})" },
	{ "a scale a column", "byte_lstm",
	  "a:int64[1]={1}; " LSTM_OF(
	      "DequantizeLinear<axis=1, block_size=2147483647>(" W_BYTES
	      ", Unsqueeze(s:float[1,8]!, a))",
	      "DequantizeLinear<axis=1, block_size=2147483647>(" R_BYTES
	      ", Unsqueeze(t:float[1,8]!, a))"),
	  OWN_LSTM "s:float[1,8]!, , t:float[1,8]!)" },
	{ "blocks", "byte_lstm",
	  LSTM_OF("DequantizeLinear<axis=1, block_size=2>(" W_BYTES
		  ", s:float[1,2,8]!)",
		  "DequantizeLinear<axis=0>(" R_BYTES ", t:float[1]={0.2})"),
	  NULL },
	{ "one of floats", "byte_lstm",
	  LSTM_OF("DequantizeLinear<axis=0>(" W_BYTES ", s:float[1]={0.1})",
		  "r:float[1,2,8]!"),
	  NULL },
	{ 0 },
};

#define X_BYTES \
	"DequantizeLinear(x:uint8[1,2,4,4], t:float[]={0.5}, z:uint8[]={7})"
#define CONV_BYTES(w, b)                                                    \
	"y = Conv<pads=[1,1,1,1]>(" X_BYTES ", DequantizeLinear<axis=0>(" w \
	")" b ")"
#define OWN_CONV(s)                                            \
	"y = predictd.ConvNarrow<pads=[1,1,1,1], x_zero=7>(, " \
	"x:uint8[1,2,4,4], w:int8[2,2,1,1]={4,-8,12,16}, s:float[2]={" s "}"
#define W_CONV "w:int8[2,2,1,1]={4,-8,12,16}"

static const struct pass_case convs[] = {
	{ "a scale a channel, a bias", "byte_conv",
	  CONV_BYTES(W_CONV ", s:float[2]={0.25,0.5}", ", b:float[2]={1,3}"),
	  OWN_CONV("0.125,0.25") ", b:float[2]={8,12})" },
	{ "a bias of integers", "byte_conv",
	  CONV_BYTES(
	      W_CONV ", s:float[]={0.25}",
	      ", DequantizeLinear(b:int32[2]={5,-6}, u:float[]={0.125})"),
	  OWN_CONV("0.125,0.125") ", b:float[2]={5,-6})" },
	{ "zero points of weights", "byte_conv",
	  CONV_BYTES(
	      "w:uint8[2,2,1,1]={104,92,115,119}, s:float[2]={0.25,0.5}, "
	      "v:uint8[2]={100,103}",
	      ""),
	  OWN_CONV("0.125,0.25") ")" },
	{ "weights that no int8 holds", "byte_conv",
	  CONV_BYTES("w:uint8[2,2,1,1]={104,0,115,119}, s:float[]={0.25}, "
		     "v:uint8[]={200}",
		     ""),
	  NULL },
	{ "scales along another axis", "byte_conv",
	  "y = Conv(" X_BYTES ", DequantizeLinear<axis=1>(" W_CONV
	  ", s:float[2]={0.25,0.5}))",
	  NULL },
	{ "scales of X that come in", "byte_conv",
	  "y = Conv(DequantizeLinear(x:uint8[1,2,4,4], t:float[]), "
	  "DequantizeLinear(" W_CONV ", s:float[]={0.25}))",
	  NULL },
	{ "a bias that comes in", "byte_conv",
	  CONV_BYTES(W_CONV ", s:float[]={0.25}", ", b:float[2]"), NULL },
	{ "weights that are floats", "byte_conv",
	  "y = Conv(" X_BYTES ", w:float[2,2,1,1]!)", NULL },
	{ 0 },
};

/* Elsewhere these passes do nothing. */
Test(passes, byte_weights)
{
	if (byte_is_fast(byte_loops()))
		pass_check_all(weights);
}

Test(passes, byte_conv)
{
	if (onednn_has_bytes())
		pass_check_all(convs);
}

Test(passes, byte_products)
{
	pass_check_all(products);
}

/* Rows are rounded to 8 bits. */
Test(passes, byte_lstm)
{
	if (!byte_is_fast(byte_loops()))
		return;
	for (size_t i = 0; lstms[i].name; i++)
		pass_check_near(&lstms[i], 5e-3);
}
