/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "pass_check.h"

static const struct pass_case dead[] = {
	{ "a node that nobody reads", "dead_code",
	  "a = Exp(x:float[3]); b = Neg(a); y = Relu(x); return y",
	  "y = Relu(x:float[3])" },
	{ 0 },
};

static const struct pass_case folds[] = {
	{ "constants of constants", "fold_constants",
	  "a = Add(p:float[2]={1,2}, 3); y = Mul(x:float[2], Neg(a))",
	  "y = Mul(x:float[2], c:float[2]={-4,-5})" },
	{ "an output", "fold_constants",
	  "y = Neg(p:float[2]={1,2}); z = Neg(x:float[1])",
	  "y:float[2]={-1,-2}; z = Neg(x:float[1]); return y, z" },
	{ "a shape of a constant", "fold_constants",
	  "y = Reshape(x:float[6], Shape(p:float[3,2]!))",
	  "y = Reshape(x:float[6], s:int64[2]={3,2})" },
	{ "not what grows", "fold_constants",
	  "y = Add(x:float[1], Expand(p:float[1]={1}, s:int64[2]={3000,2000}))",
	  NULL },
	{ "not what is drawn", "fold_constants",
	  "a = RandomNormalLike(p:float[2]={1,2}); b = Mul(a, 0); y = "
	  "Add(x:float[2], b)",
	  NULL },
	{ "not what waits for an input", "fold_constants",
	  "y = Add(x:int64[1], Shape(x))", NULL },
	{ 0 },
};

static const struct pass_case identities[] = {
	{ "Identity", "identities", "y = Neg(Identity(x:float[3]))",
	  "y = Neg(x:float[3])" },
	{ "an output that is an input", "identities",
	  "y = Identity(x:float[3]); z = Neg(x)",
	  "y = x:float[3]; z = Neg(x); return y, z" },
	{ "a type that is there", "identities",
	  "y = Neg(Cast<to=float>(x:float[3]))", "y = Neg(x:float[3])" },
	{ "another type", "identities", "y = Neg(Cast<to=double>(x:float[3]))",
	  NULL },
	{ "Dropout", "identities", "y = Neg(Dropout(x:float[3]))",
	  "y = Neg(x:float[3])" },
	{ "Dropout whose mask is read", "identities",
	  "y, z = Dropout(x:float[3])", NULL },
	{ "times 1", "identities", "y = Neg(Mul(x:float[3], 1))",
	  "y = Neg(x:float[3])" },
	{ "1 times", "identities", "y = Neg(Mul(1, x:float[3]))",
	  "y = Neg(x:float[3])" },
	{ "plus 0", "identities", "y = Neg(Add(x:float[3], 0))",
	  "y = Neg(x:float[3])" },
	{ "less 0", "identities", "y = Neg(Sub(x:float[3], 0))",
	  "y = Neg(x:float[3])" },
	{ "0 less", "identities", "y = Neg(Sub(0, x:float[3]))", NULL },
	{ "by 1", "identities", "y = Neg(Div(x:float[3], 1))",
	  "y = Neg(x:float[3])" },
	{ "1 by", "identities", "y = Neg(Div(1, x:float[3]))", NULL },
	{ "times 2", "identities", "y = Neg(Mul(x:float[3], 2))", NULL },
	{ "ones of another shape", "identities",
	  "y = Mul(x:float[3], o:float[2,1]={1,1})", NULL },
	{ "one of a higher rank", "identities",
	  "y = Mul(x:float[3], o:float[1,1]={1})", NULL },
	{ "one of the same rank", "identities",
	  "y = Neg(Mul(x:float[2,3], o:float[1,1]={1}))",
	  "y = Neg(x:float[2,3])" },
	{ "to the power 1", "identities", "y = Neg(Pow(x:float[3], 1))",
	  "y = Neg(x:float[3])" },
	{ "to the power 2", "identities", "y = Pow(x:float[3], 2)",
	  "y = Mul(x:float[3], x)" },
	{ "to the power 1/2", "identities", "y = Pow(Abs(x:float[3]), 0.5)",
	  "y = Sqrt(Abs(x:float[3]))" },
	{ "to the power 3", "identities", "y = Pow(x:float[3], 3)", NULL },
	{ "axes in order", "identities",
	  "y = Neg(Transpose<perm=[0,1]>(x:float[2,3]))",
	  "y = Neg(x:float[2,3])" },
	{ "axes out of order", "identities",
	  "y = Neg(Transpose<perm=[1,0]>(x:float[2,3]))", NULL },
	{ "one operand", "identities", "y = Neg(Concat<axis=0>(x:float[2,3]))",
	  "y = Neg(x:float[2,3])" },
	{ "no bound", "identities", "y = Neg(Clip(x:float[3]))",
	  "y = Neg(x:float[3])" },
	{ "one bound", "identities", "y = Neg(Clip(x:float[3], 0))", NULL },
	{ 0 },
};

#define STACK(axes, axis)                                                     \
	"s = Concat<axis=" axis ">(Unsqueeze(x:float[2,3], i:int64[1]={" axes \
	"}), Unsqueeze(Neg(x), j:int64[1]={" axes "}), "                      \
	"Unsqueeze(Exp(x), k:int64[1]={" axes "}));"
static const struct pass_case stacks[] = {
	{ "the largest of three", "stacks",
	  STACK("2", "2") "y = ReduceMax<keepdims=0>(s, r:int64[1]={2})",
	  "y = Max(x:float[2,3], Neg(x), Exp(x))" },
	{ "axes from the end", "stacks",
	  STACK("-1", "2") "y = ReduceMin<keepdims=0>(s, r:int64[1]={-1})",
	  "y = Min(x:float[2,3], Neg(x), Exp(x))" },
	{ "an axis that stays", "stacks",
	  STACK("1", "1") "y = ReduceSum(s, r:int64[1]={1})",
	  "y = Unsqueeze(Sum(x:float[2,3], Neg(x), Exp(x)), r:int64[1]={1})" },
	{ "another axis", "stacks",
	  STACK("2", "2") "y = ReduceMin<keepdims=0>(s, r:int64[1]={1})",
	  NULL },
	{ "stacked along an axis that was there", "stacks",
	  STACK("2", "1") "y = ReduceMin<keepdims=0>(s, r:int64[1]={1})",
	  NULL },
	{ "two axes", "stacks",
	  STACK("2", "2") "y = ReduceMin<keepdims=0>(s, r:int64[2]={1,2})",
	  NULL },
	{ "a stack that is read again", "stacks",
	  STACK("2", "2") "y = ReduceMin(s, r:int64[1]={2}); z = Neg(s)",
	  NULL },
	{ 0 },
};

#define ROW "Conv(x:float[2,3,1,9], w:float[4,3,1,2]={" W24 "})"
#define W24 "1,2,3,4,5,6,7,8,9,8,7,6,5,4,3,2,1,2,3,4,5,6,7,8"
static const struct pass_case squeezes[] = {
	{ "a bias a channel", "squeezes",
	  "y = Add(Squeeze(" ROW ", i:int64[1]={2}), "
	  "b:float[1,4,1]={1,2,3,4})",
	  "y = Squeeze(Add(" ROW ", b:float[1,4,1,1]={1,2,3,4}), "
	  "i:int64[1]={2})" },
	{ "a number on the left, an axis from the end", "squeezes",
	  "y = Sub(7, Squeeze(" ROW ", i:int64[1]={-2}))",
	  "y = Squeeze(Sub(7, " ROW "), i:int64[1]={-2})" },
	{ "what stands behind the axis", "squeezes",
	  "y = Mul(Squeeze(" ROW ", i:int64[1]={2}), "
	  "s:float[8]={1,2,3,4,5,6,7,8})",
	  "y = Squeeze(Mul(" ROW ", s:float[8]={1,2,3,4,5,6,7,8}), "
	  "i:int64[1]={2})" },
	{ "what stands on both sides of it", "squeezes",
	  "y = Mul(Squeeze(" ROW ", i:int64[1]={2}), "
	  "s:float[2,1,8]={1,2,3,4,5,6,7,8,1,2,3,4,5,6,7,8})",
	  "y = Squeeze(Mul(" ROW ", "
	  "s:float[2,1,1,8]={1,2,3,4,5,6,7,8,1,2,3,4,5,6,7,8}), "
	  "i:int64[1]={2})" },
	{ "an activation", "squeezes",
	  "y = Relu(Squeeze(" ROW ", i:int64[1]={2}))",
	  "y = Squeeze(Relu(" ROW "), i:int64[1]={2})" },
	{ "not the batch", "squeezes",
	  "y = Relu(Squeeze(Conv(x:float[1,3,9], w:float[4,3,2]={" W24
	  "}), i:int64[1]={0}))",
	  NULL },
	{ "not two axes", "squeezes",
	  "y = Relu(Squeeze(Conv(x:float[2,3,1,1], w:float[8,3,1,1]={" W24
	  "}), i:int64[2]={2,3}))",
	  NULL },
	{ "not a value that grows", "squeezes",
	  "y = Add(Squeeze(" ROW ", i:int64[1]={2}), "
	  "b:float[2,1,1,1]={1,2})",
	  NULL },
	{ "not behind another operator", "squeezes",
	  "y = Relu(Squeeze(MatMul(x:float[2,3,1,4], z:float[2,3,4,5]), "
	  "i:int64[1]={2}))",
	  NULL },
	{ 0 },
};

static const struct pass_case commons[] = {
	{ "equal nodes", "common", "y = Add(Neg(x:float[3]), Neg(x))",
	  "a = Neg(x:float[3]); y = Add(a, a)" },
	{ "equal chains", "common",
	  "y = Add(Exp(Neg(x:float[3])), Exp(Neg(x)))",
	  "a = Exp(Neg(x:float[3])); y = Add(a, a)" },
	{ "equal constants", "common",
	  "y = Add(Mul(x:float[2], p:float[2]={1,2}), "
	  "Mul(x, q:float[2]={1,2}))",
	  "a = Mul(x:float[2], p:float[2]={1,2}); y = Add(a, a)" },
	{ "equal outputs", "common", "y = Neg(x:float[3]); z = Neg(x)",
	  "y = Neg(x:float[3]); return y, y" },
	{ "attributes differ", "common",
	  "y = Add(LeakyRelu<alpha=0.1>(x:float[3]), "
	  "LeakyRelu<alpha=0.2>(x))",
	  NULL },
	{ "lists differ", "common",
	  "y = Add(Transpose<perm=[0,1]>(x:float[2,2]), "
	  "Transpose<perm=[1,0]>(x))",
	  NULL },
	{ "equal lists", "common",
	  "y = Add(Transpose<perm=[1,0]>(x:float[2,2]), "
	  "Transpose<perm=[1,0]>(x))",
	  "a = Transpose<perm=[1,0]>(x:float[2,2]); y = Add(a, a)" },
	{ "constants differ", "common",
	  "y = Add(Mul(x:float[2], p:float[2]={1,2}), "
	  "Mul(x, q:float[2]={1,3}))",
	  NULL },
	{ "shapes differ", "common",
	  "y = Add(Mul(x:float[2], p:float[2]={1,2}), "
	  "Mul(x, q:float[1,2]={1,2}))",
	  NULL },
	{ "signs of zeros", "common",
	  "y = Add(Div(x:float[1], p:float[1]={0.0}), "
	  "Div(x, q:float[1]={-0.0}))",
	  NULL },
	{ "what is drawn", "common",
	  "a = RandomNormalLike(x:float[2]); b = RandomNormalLike(x);"
	  "y = Mul(Sub(a, b), 0)",
	  NULL },
	{ 0 },
};

static const struct pass_case reshapes[] = {
	{ "two", "reshapes",
	  "y = Reshape(Reshape(x:float[2,6], s:int64[2]={3,4}), "
	  "t:int64[2]={-1,2})",
	  "y = Reshape(x:float[2,6], t:int64[2]={-1,2})" },
	{ "Flatten and Unsqueeze first", "reshapes",
	  "y = Reshape(Unsqueeze(Flatten(x:float[2,3,4]),"
	  " a:int64[1]={0}), t:int64[1]={-1})",
	  "y = Reshape(x:float[2,3,4], t:int64[1]={-1})" },
	{ "an extent of the one before", "reshapes",
	  "y = Reshape(Reshape(x:float[2,6], "
	  "s:int64[2]={3,4}), t:int64[2]={0,-1})",
	  NULL },
	{ "Squeeze undoes Unsqueeze", "reshapes",
	  "y = Neg(Squeeze(Unsqueeze(x:float[2,3], "
	  "a:int64[1]={1}), b:int64[1]={1}))",
	  "y = Neg(x:float[2,3])" },
	{ "Unsqueeze undoes Squeeze", "reshapes",
	  "y = Neg(Unsqueeze(Squeeze(x:float[2,1,3], "
	  "a:int64[1]={1}), b:int64[1]={1}))",
	  "y = Neg(x:float[2,1,3])" },
	{ "another axis", "reshapes",
	  "y = Neg(Unsqueeze(Squeeze(x:float[2,1,3], "
	  "a:int64[1]={1}), b:int64[1]={0}))",
	  NULL },
	{ 0 },
};

static const struct pass_case transposes[] = {
	{ "two", "transposes",
	  "y = Transpose<perm=[1,2,0]>(Transpose<perm=[1,0,2]>"
	  "(x:float[2,3,4]))",
	  "y = Transpose<perm=[0,2,1]>(x:float[2,3,4])" },
	{ "one undoes another", "transposes",
	  "y = Neg(Transpose<perm=[2,0,1]>"
	  "(Transpose<perm=[1,2,0]>(x:float[2,3,4])))",
	  "y = Neg(x:float[2,3,4])" },
	{ "around elementwise nodes", "transposes",
	  "y = Transpose<perm=[0,3,1,2]>(Relu(Neg("
	  "Transpose<perm=[0,2,3,1]>(x:float[1,2,3,4]))))",
	  "y = Relu(Neg(x:float[1,2,3,4]))" },
	{ "what is between is read elsewhere", "transposes",
	  "a = Neg(Transpose<perm=[1,0]>"
	  "(x:float[2,3])); y = Transpose<perm=[1,0]>(a); return a, y",
	  NULL },
	{ "B", "transposes",
	  "y = MatMul(a:float[2,3,4], Transpose<perm=[0,2,1]>(b:float[2,5,4]))",
	  "y = predictd.MatMulT<trans_b=1>(a:float[2,3,4], b:float[2,5,4])" },
	{ "A", "transposes",
	  "y = MatMul(Transpose<perm=[1,0]>(a:float[4,3]), b:float[4,5])",
	  "y = predictd.MatMulT<trans_a=1>(a:float[4,3], b:float[4,5])" },
	{ "both", "transposes",
	  "y = MatMul(Transpose<perm=[1,0]>(a:float[4,3]), "
	  "Transpose<perm=[1,0]>(b:float[5,4]))",
	  "y = predictd.MatMulT<trans_a=1, trans_b=1>(a:float[4,3], "
	  "b:float[5,4])" },
	{ "twice", "transposes",
	  "y = predictd.MatMulT<trans_b=1>(a:float[3,4], "
	  "Transpose<perm=[1,0]>(b:float[4,5]))",
	  "y = predictd.MatMulT(a:float[3,4], b:float[4,5])" },
	{ "a vector", "transposes",
	  "y = MatMul(a:float[4], Transpose<perm=[1,0]>(b:float[5,4]))", NULL },
	{ "batches swapped, too", "transposes",
	  "y = MatMul(a:float[2,3,4], "
	  "Transpose<perm=[1,2,0]>(b:float[5,2,4]))",
	  NULL },
	{ "Gemm", "transposes",
	  "y = Gemm<alpha=0.5, transA=1>(Transpose<perm=[1,0]>(a:float[3,4]), "
	  "b:float[4,5], c:float[5])",
	  "y = Gemm<alpha=0.5>(a:float[3,4], b:float[4,5], c:float[5])" },
	{ "around the largest of three", "transposes",
	  "y = Max(Transpose<perm=[1,0]>(x:float[2,3]), "
	  "Transpose<perm=[1,0]>(Neg(x)), Transpose<perm=[1,0]>(Exp(x)))",
	  "y = Transpose<perm=[1,0]>(Max(x:float[2,3], Neg(x), Exp(x)))" },
	{ "around a difference that broadcasts", "transposes",
	  "y = Sub(Transpose<perm=[0,2,1]>(x:float[2,3,4]), "
	  "Transpose<perm=[0,2,1]>(b:float[1,3,1]))",
	  "y = Transpose<perm=[0,2,1]>(Sub(x:float[2,3,4], b:float[1,3,1]))" },
	{ "not where orders differ", "transposes",
	  "y = Add(Transpose<perm=[0,1,2]>(x:float[3,3,3]), "
	  "Transpose<perm=[0,2,1]>(x))",
	  NULL },
	{ "not where one is read elsewhere", "transposes",
	  "a = Transpose<perm=[1,0]>(x:float[2,3]);"
	  "y = Add(a, Transpose<perm=[1,0]>(Neg(x))); z = Exp(a)",
	  NULL },
	{ "not beside a value as it is", "transposes",
	  "y = Add(Transpose<perm=[1,0]>(x:float[3,3]), z:float[3,3])", NULL },
	{ 0 },
};

static const struct pass_case biases[] = {
	{ "matrices", "matmul_bias",
	  "y = Add(MatMul(x:float[3,5], w:float[5,4]!), c:float[4]!)",
	  "y = Gemm(x:float[3,5], w:float[5,4]!, c:float[4]!)" },
	{ "the row first", "matmul_bias",
	  "y = Add(c:float[4]!, MatMul(x:float[3,5], w:float[5,4]!))",
	  "y = Gemm(x:float[3,5], w:float[5,4]!, c:float[4]!)" },
	{ "batches", "matmul_bias",
	  "y = Add(MatMul(x:float[2,3,5], w:float[5,4]!), c:float[4]!)",
	  "y = predictd.MatMulT(x:float[2,3,5], w:float[5,4]!, c:float[4]!)" },
	{ "transposed", "matmul_bias",
	  "y = Add(predictd.MatMulT<trans_b=1>(x:float[2,3,5], w:float[4,5]!), "
	  "c:float[4]!)",
	  "y = predictd.MatMulT<trans_b=1>(x:float[2,3,5], w:float[4,5]!, "
	  "c:float[4]!)" },
	{ "one number", "matmul_bias",
	  "y = Add(MatMul(x:float[3,5], w:float[5,4]!), c:float[1]!)", NULL },
	{ "a row for one column", "matmul_bias",
	  "y = Add(MatMul(x:float[3,5], w:float[5,1]!), c:float[4]!)", NULL },
	{ "a vector", "matmul_bias",
	  "y = Add(MatMul(x:float[5], w:float[5,4]!), c:float[4]!)", NULL },
	{ "read elsewhere", "matmul_bias",
	  "a = MatMul(x:float[3,5], w:float[5,4]!); y = Add(a, c:float[4]!); "
	  "return a, y",
	  NULL },
	{ 0 },
};

#define TABLE "Cast<to=float>(t:int8[300,256]!)"
#define ROWS "Cast<to=float>(Gather(t:int8[300,256]!, i:int64[2,3]))"

static const struct pass_case gathers[] = {
	{ "a scale", "gather_first",
	  "y = Gather(Mul(" TABLE ", 0.5), i:int64[2,3])",
	  "y = Mul(" ROWS ", 0.5)" },
	{ "a scale a row", "gather_first",
	  "y = Gather(Mul(s:float[300,1]!, " TABLE "), i:int64[2,3])",
	  "y = Mul(Gather(s:float[300,1]!, i:int64[2,3]), "
	  "Cast<to=float>(Gather(t:int8[300,256]!, i)))" },
	{ "a scale a column", "gather_first",
	  "y = Gather(Mul(" TABLE ", s:float[1,256]!), i:int64[2,3])",
	  "y = Mul(" ROWS ", s:float[1,256]!)" },
	{ "two steps", "gather_first",
	  "y = Gather(Mul(Sub(" TABLE ", 3), s:float[256]!), i:int64[2,3])",
	  "y = Mul(Sub(" ROWS ", 3), s:float[256]!)" },
	{ "a scale a column for one row", "gather_first",
	  "y = Gather(Mul(" TABLE ", s:float[1,256]!), i:int64[])", NULL },
	{ "another axis", "gather_first",
	  "y = Gather<axis=1>(Mul(" TABLE ", 0.5), i:int64[2,3])", NULL },
	{ "a table that is wide", "gather_first",
	  "y = Gather(Mul(t:float[300,256]!, 0.5), i:int64[2,3])", NULL },
	{ "a table that is small", "gather_first",
	  "y = Gather(Cast<to=float>(t:int8[30,2]!), i:int64[2,3])", NULL },
	{ "a table that is read elsewhere", "gather_first",
	  "a = Mul(" TABLE ", 0.5); y = Gather(a, i:int64[2,3]); return a, y",
	  NULL },
	{ 0 },
};

static const struct pass_case pads[] = {
	{ "an image", "pad",
	  "y = Conv(Pad(x:float[1,2,5,5], p:int64[8]={0,0,1,2,0,0,3,0}), "
	  "w:float[3,2,3,3]!)",
	  "y = Conv<pads=[1,2,3,0]>(x:float[1,2,5,5], w:float[3,2,3,3]!)" },
	{ "more pads", "pad",
	  "y = Conv<pads=[1,1,1,1]>(Pad(x:float[1,2,5,5], "
	  "p:int64[8]={0,0,1,2,0,0,3,0}), w:float[3,2,3,3]!, b:float[3]!)",
	  "y = Conv<pads=[2,3,4,1]>(x:float[1,2,5,5], w:float[3,2,3,3]!, "
	  "b:float[3]!)" },
	{ "axes", "pad",
	  "y = Conv(Pad(x:float[1,2,5], p:int64[2]={1,2}, , a:int64[1]={-1}), "
	  "w:float[3,2,3]!)",
	  "y = Conv<pads=[1,2]>(x:float[1,2,5], w:float[3,2,3]!)" },
	{ "another fill", "pad",
	  "y = Conv(Pad(x:float[1,2,5], p:int64[6]={0,0,1,0,0,1}, 1.0), "
	  "w:float[3,2,3]!)",
	  NULL },
	{ "another mode", "pad",
	  "y = Conv(Pad<mode=\"edge\">(x:float[1,2,5], "
	  "p:int64[6]={0,0,1,0,0,1}), w:float[3,2,3]!)",
	  NULL },
	{ "channels", "pad",
	  "y = Conv(Pad(x:float[1,1,5], p:int64[6]={0,1,1,0,0,1}), "
	  "w:float[3,2,3]!)",
	  NULL },
	{ "a cut", "pad",
	  "y = Conv(Pad(x:float[1,2,5], p:int64[6]={0,0,-1,0,0,1}), "
	  "w:float[3,2,3]!)",
	  NULL },
	{ "sizes that follow", "pad",
	  "y = Conv<auto_pad=\"SAME_UPPER\">(Pad(x:float[1,2,5], "
	  "p:int64[6]={0,0,1,0,0,1}), w:float[3,2,3]!)",
	  NULL },
	{ 0 },
};

#define PADDED(x) "Pad(" x ", p:int64[8]={0,0,1,1,0,0,1,0})"
#define INFINITE                                               \
	"Pad(x:float[1,2,7,7], p:int64[8]={0,0,1,1,0,0,1,0}, " \
	"f:float[]={-inf})"
#define POOL(pads) "Pool<kernel_shape=[3,3], strides=[2,2]" pads ">"

static const struct pass_case pad_pools[] = {
	{ "zeros around what is positive", "pad_pool",
	  "y = Max" POOL("") "(" PADDED("Relu(x:float[1,2,7,7])") ")",
	  "y = Max" POOL(", pads=[1,1,1,0]") "(Relu(x:float[1,2,7,7]))" },
	{ "zeros around what is between bounds", "pad_pool",
	  "y = Max" POOL("") "(" PADDED("Clip(x:float[1,2,7,7], 0, 6)") ")",
	  "y = Max" POOL(", pads=[1,1,1,0]") "(Clip(x:float[1,2,7,7], 0, 6))" },
	{ "zeros around anything", "pad_pool",
	  "y = Max" POOL("") "(" PADDED("x:float[1,2,7,7]") ")", NULL },
	{ "infinities", "pad_pool", "y = Max" POOL("") "(" INFINITE ")",
	  "y = Max" POOL(", pads=[1,1,1,0]") "(x:float[1,2,7,7])" },
	{ "an average", "pad_pool",
	  "y = Average" POOL("") "(" PADDED("x:float[1,2,7,7]") ")",
	  "y = Average" POOL(
	      ", pads=[1,1,1,0], count_include_pad=1") "(x:float[1,2,7,7])" },
	{ "an average with padding that does not count", "pad_pool",
	  "y = Average" POOL(", pads=[1,1,1,1]") "(" PADDED(
	      "x:float[1,2,7,7]") ")",
	  NULL },
	{ "padding as wide as the window", "pad_pool",
	  "y = MaxPool<kernel_shape=[2,2], pads=[1,1,1,1]>(" PADDED(
	      "Relu(x:float[1,2,7,7])") ")",
	  NULL },
	{ "places that are read", "pad_pool",
	  "y, z = Max" POOL("") "(" PADDED("Relu(x:float[1,2,7,7])") ")",
	  NULL },
	{ 0 },
};

Test(passes, pad_pool)
{
	pass_check_all(pad_pools);
}

Test(passes, dead_code)
{
	pass_check_all(dead);
}

Test(passes, fold_constants)
{
	pass_check_all(folds);
}

Test(passes, identities)
{
	pass_check_all(identities);
}

Test(passes, common)
{
	pass_check_all(commons);
}

Test(passes, reshapes)
{
	pass_check_all(reshapes);
}

Test(passes, squeezes)
{
	pass_check_all(squeezes);
}

Test(passes, stacks)
{
	pass_check_all(stacks);
}

Test(passes, transposes)
{
	pass_check_all(transposes);
}

Test(passes, pad)
{
	pass_check_all(pads);
}

Test(passes, matmul_bias)
{
	pass_check_all(biases);
}

Test(passes, gather_first)
{
	pass_check_all(gathers);
}
