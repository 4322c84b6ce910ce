/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "pass_check.h"

#define BN(x)                   \
	"BatchNormalization(" x \
	", s:float[4]!, b:float[4]!, m:float[4]!, v:float[4]!state)"
#define IMAGE "x:float[2,3,5,5]"

static const struct pass_case norms[] = {
	{ "Conv", "batch_norm", "y = " BN("Conv(" IMAGE ", w:float[4,3,3,3]!)"),
	  "y = Conv(" IMAGE ", w:float[4,3,3,3]!, b:float[4]!)" },
	{ "Conv with bias", "batch_norm",
	  "y = " BN("Conv<strides=[2,2]>(" IMAGE
		    ", w:float[4,3,3,3]!, c:float[4]!)"),
	  "y = Conv<strides=[2,2]>(" IMAGE
	  ", w:float[4,3,3,3]!, b:float[4]!)" },
	{ "Conv in groups", "batch_norm",
	  "y = " BN("Conv<group=2>(x:float[2,6,5], w:float[4,3,3]!)"),
	  "y = Conv<group=2>(x:float[2,6,5], w:float[4,3,3]!, b:float[4]!)" },
	{ "ConvTranspose", "batch_norm",
	  "y = " BN("ConvTranspose(" IMAGE ", w:float[3,4,2,2]!)"),
	  "y = ConvTranspose(" IMAGE ", w:float[3,4,2,2]!, b:float[4]!)" },
	{ "ConvTranspose in groups", "batch_norm",
	  "y = " BN("ConvTranspose<group=2>(x:float[1,6,5], w:float[6,2,3]!, "
		    "c:float[4]!)"),
	  "y = ConvTranspose<group=2>(x:float[1,6,5], w:float[6,2,3]!, "
	  "b:float[4]!)" },
	{ "Gemm", "batch_norm",
	  "y = " BN("Gemm<alpha=2, beta=0.5>(x:float[3,5], w:float[5,4]!, "
		    "c:float[4]!)"),
	  "y = Gemm<alpha=2>(x:float[3,5], w:float[5,4]!, b:float[4]!)" },
	{ "Gemm, transposed", "batch_norm",
	  "y = " BN("Gemm<transB=1>(x:float[3,5], w:float[4,5]!)"),
	  "y = Gemm<transB=1>(x:float[3,5], w:float[4,5]!, b:float[4]!)" },
	{ "MatMul of rank 3", "batch_norm",
	  "y = " BN("MatMul(x:float[3,4,5], w:float[5,6]!)"), NULL },
	{ "read elsewhere", "batch_norm",
	  "a = Conv(" IMAGE
	  ", w:float[4,3,3,3]!); y = " BN("a") "; return a, y",
	  NULL },
	{ "weights that are no constant", "batch_norm",
	  "y = " BN("Conv(" IMAGE ", w:float[4,3,3,3])"), NULL },
	{ "double", "batch_norm",
	  "y = BatchNormalization(Conv(x:double[1,1,4], w:double[2,1,2]!), "
	  "s:double[2]={1,2}, b:double[2]={3,4}, m:double[2]={5,6}, "
	  "v:double[2]={7,8})",
	  "y = Conv(x:double[1,1,4], w:double[2,1,2]!, b:double[2]!)" },
	{ 0 },
};

#define CONV "Conv(" IMAGE ", w:float[4,3,3,3]!)"
#define CONV_B "Conv(" IMAGE ", w:float[4,3,3,3]!, b:float[4]!)"
#define C4 "c:float[4,1,1]={1,-2,3,4}"

static const struct pass_case affines[] = {
	{ "Conv + c", "channel_affine", "y = Add(" CONV ", " C4 ")",
	  "y = " CONV_B },
	{ "c + Conv", "channel_affine", "y = Add(" C4 ", " CONV ")",
	  "y = " CONV_B },
	{ "Conv - c", "channel_affine", "y = Sub(" CONV ", " C4 ")",
	  "y = " CONV_B },
	{ "c - Conv", "channel_affine", "y = Sub(" C4 ", " CONV ")",
	  "y = " CONV_B },
	{ "Conv c", "channel_affine", "y = Mul(" CONV ", " C4 ")",
	  "y = " CONV },
	{ "Conv / c", "channel_affine", "y = Div(" CONV_B ", " C4 ")",
	  "y = " CONV_B },
	{ "c / Conv", "channel_affine", "y = Div(" C4 ", " CONV ")", NULL },
	{ "Conv / 0", "channel_affine", "y = Mul(Div(" CONV ", 0), 0)", NULL },
	{ "a scale, then a shift", "channel_affine",
	  "y = Add(Mul(" CONV_B ", " C4 "), d:float[1,4,1,1]={1,2,3,4})",
	  "y = " CONV_B },
	{ "one number", "channel_affine", "y = Add(" CONV ", 2)",
	  "y = " CONV_B },
	{ "a number a column", "channel_affine",
	  "y = Add(" CONV ", c:float[3]={1,2,3})", NULL },
	{ "a number a pixel", "channel_affine",
	  "y = Add(Conv(x:float[1,1,3,3], w:float[4,1,2,2]!), "
	  "c:float[4,2,2]!)",
	  NULL },
	{ "a higher rank", "channel_affine",
	  "y = Add(Conv(x:float[1,1,3], w:float[4,1,2]!), "
	  "c:float[1,4,1,1]={1,2,3,4})",
	  NULL },
	{ "a row a batch", "channel_affine",
	  "y = Add(Conv(x:float[4,1,3], w:float[4,1,2]!), "
	  "c:float[4,1,1]={1,2,3,4})",
	  NULL },
	{ "ConvTranspose", "channel_affine",
	  "y = Mul(ConvTranspose<group=2>(x:float[1,6,5], "
	  "w:float[6,2,3]!), c:float[4,1]={1,2,3,4})",
	  "y = ConvTranspose<group=2>(x:float[1,6,5], w:float[6,2,3]!)" },
	{ "Gemm", "channel_affine",
	  "y = Mul(Gemm<alpha=2, beta=3>(x:float[3,5], w:float[5,4]!, "
	  "b:float[4]!), "
	  "c:float[1,4]={1,2,3,4})",
	  "y = Gemm<alpha=2>(x:float[3,5], w:float[5,4]!, b:float[4]!)" },
	{ "Gemm with a matrix of its own", "channel_affine",
	  "y = Mul(Gemm(x:float[3,5], w:float[5,4]!, "
	  "b:float[3,4]!), c:float[1,4]={1,2,3,4})",
	  NULL },
	{ "MatMul c", "channel_affine",
	  "y = Mul(MatMul(x:float[2,3,5], w:float[5,4]!), "
	  "c:float[4]={1,2,3,4})",
	  "y = MatMul(x:float[2,3,5], w:float[5,4]!)" },
	{ "MatMul + c", "channel_affine",
	  "y = Add(MatMul(x:float[2,3,5], w:float[5,4]!), "
	  "c:float[4]={1,2,3,4})",
	  NULL },
	{ "MatMul by a number a row", "channel_affine",
	  "y = Mul(MatMul(x:float[4,5], w:float[5,4]!), "
	  "c:float[4,1]={1,2,3,4})",
	  NULL },
	{ 0 },
};

static const struct pass_case aheads[] = {
	{ "scale of a Conv", "affine_ahead",
	  "y = Conv<pads=[1,1,1,1]>(Mul(" IMAGE ", c:float[3,1,1]!), "
	  "w:float[4,3,3,3]!)",
	  "y = Conv<pads=[1,1,1,1]>(" IMAGE ", w:float[4,3,3,3]!)" },
	{ "scale of a Conv in groups", "affine_ahead",
	  "y = Conv<group=2>(Div(x:float[2,4,5], c:float[1,4,1]!), "
	  "w:float[6,2,3]!, b:float[6]!)",
	  "y = Conv<group=2>(x:float[2,4,5], w:float[6,2,3]!, b:float[6]!)" },
	{ "mean and deviation of a Conv", "affine_ahead",
	  "y = Conv(Div(Sub(" IMAGE ", m:float[3,1,1]!), c:float[3,1,1]!), "
	  "w:float[4,3,3,3]!)",
	  "y = Conv(" IMAGE ", w:float[4,3,3,3]!, b:float[4]!)" },
	{ "shift of a Conv with padding", "affine_ahead",
	  "y = Conv<pads=[0,1,0,0]>(Sub(" IMAGE ", m:float[3,1,1]!), "
	  "w:float[4,3,3,3]!)",
	  NULL },
	{ "shift and sizes that follow", "affine_ahead",
	  "y = Conv<auto_pad=\"SAME_UPPER\">(Sub(" IMAGE
	  ", m:float[3,1,1]!), w:float[4,3,3,3]!)",
	  NULL },
	{ "mean and deviation of a Gemm", "affine_ahead",
	  "y = Gemm<alpha=2, beta=0.5>(Div(Sub(x:float[3,5], m:float[5]!), "
	  "c:float[1,5]!), w:float[5,4]!, b:float[4]!)",
	  "y = Gemm<alpha=2>(x:float[3,5], w:float[5,4]!, b:float[4]!)" },
	{ "a number less a Gemm's input, transposed", "affine_ahead",
	  "y = Gemm<transB=1>(Sub(1, x:float[3,5]), w:float[4,5]!)",
	  "y = Gemm<transB=1>(x:float[3,5], w:float[4,5]!, b:float[4]!)" },
	{ "scale of a MatMul", "affine_ahead",
	  "y = MatMul(Mul(x:float[2,3,5], c:float[5]!), w:float[5,4]!)",
	  "y = MatMul(x:float[2,3,5], w:float[5,4]!)" },
	{ "shift of a MatMul", "affine_ahead",
	  "y = MatMul(Add(x:float[2,3,5], c:float[5]!), w:float[5,4]!)", NULL },
	{ "a number a row", "affine_ahead",
	  "y = MatMul(Mul(x:float[3,5], c:float[3,1]!), w:float[5,4]!)", NULL },
	{ "what grows", "affine_ahead",
	  "y = MatMul(Mul(x:float[3,5], c:float[1,1,5]!), w:float[5,4]!)",
	  NULL },
	{ "another reader", "affine_ahead",
	  "a = Mul(x:float[3,5], c:float[5]!); y = MatMul(a, w:float[5,4]!); "
	  "return a, y",
	  NULL },
	{ 0 },
};

Test(affine, goes_into_the_product_behind)
{
	pass_check_all(aheads);
}

Test(affine, batch_norm)
{
	pass_check_all(norms);
}

Test(affine, channel_affine)
{
	pass_check_all(affines);
}
