/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "engine/graph_text.h"
#include "models/package_priv.h"

/* Every input holds two rows. */
static const struct row {
	const char *graph;
	bool apart;
} rows[] = {
	{ "y = Relu(x:float[2,4])", true },
	{ "y = Add(x:float[2,4], Mul(x, 2))", true },
	/* broadcast */
	{ "y = Add(x:float[2,4], c:float[4]={1,2,3,4})", true },
	{ "y = Add(x:float[2,4], c:float[1,1]={1})", true },
	{ "y = Add(x:float[2,4], c:float[2,1]={1,2})", false },
	{ "y = Add(x:float[2,4], c:float[2,1,1]={1,2})", false },
	{ "y = Add(x:float[2,2], z:float[2])", false },
	{ "y = Add(x:float[2,4], z:float[2,1])", true },
	{ "y = Mul(x:float[2,4], Cast<to=float>(Size(x)))", false },
	/* the rows of a transposed one are its columns */
	{ "y = Transpose<perm=[1,0]>(x:float[2,2])", false },
	{ "y = Transpose<perm=[0,2,1]>(x:float[2,2,2])", true },
	{ "y = Transpose(x:float[2,2])", false },
	/* along an axis */
	{ "y = Softmax<axis=0>(x:float[2,4])", false },
	{ "y = Softmax<axis=-2>(x:float[2,4])", false },
	{ "y = Softmax<axis=-1>(x:float[2,4])", true },
	{ "y = Concat<axis=0>(x:float[2,4], x)", false },
	{ "y = Concat<axis=1>(x:float[2,4], x)", true },
	{ "y = Concat<axis=1>(x:float[2,1], c:float[2,1]={1,2})", false },
	{ "y = ReduceMean(x:float[2,4,4], a:int64[2]={1,-1})", true },
	{ "y = ReduceMean(x:float[2,4,4], a:int64[1]={0})", false },
	{ "y = ReduceMean(x:float[2,4,4], a:int64[1]={-3})", false },
	{ "y = ReduceMean(x:float[2,4,4])", false },
	/* shapes */
	{ "y = Flatten<axis=1>(x:float[2,4,4])", true },
	{ "y = Flatten<axis=0>(x:float[2,4,4])", false },
	{ "y = Reshape(x:float[2,4,4], s:int64[2]={0,-1})", true },
	{ "y = Reshape(x:float[2,4,4], s:int64[2]={-1,4})", false },
	{ "y = Reshape(x:float[2,4], Shape(x))", true },
	{ "y = Unsqueeze(x:float[2,4], a:int64[1]={0})", false },
	{ "y = Unsqueeze(x:float[2,4], a:int64[1]={1})", true },
	{ "y = Shape(x:float[2,4])", false },
	/* products */
	{ "y = MatMul(x:float[2,2], c:float[2,1]={1,2})", true },
	{ "y = MatMul(c:float[2,2]={1,2,3,4}, x:float[2,2])", false },
	{ "y = MatMul(x:float[2,2], z:float[2,2])", false },
	{ "y = MatMul(x:float[2,3,4], z:float[2,4,3])", true },
	{ "y = Gemm(x:float[2,2], c:float[2,1]={1,2}, d:float[1]={1})", true },
	{ "y = Gemm(x:float[2,2], c:float[2,1]={1,2}, d:float[2,1]={1,2})",
	  false },
	{ "y = Gemm<transA=1>(x:float[2,2], c:float[2,1]={1,2})", false },
	/* windows */
	{ "y = MaxPool<kernel_shape=[2,2]>(x:float[2,4,4,4])", true },
	{ "y, z = MaxPool<kernel_shape=[2,2]>(x:float[2,4,4,4])", false },
	{ "y = GlobalAveragePool(x:float[2,4,4,4])", true },
	{ "y = Conv(x:float[2,1,1,1], c:float[1,1,1,1]={2})", true },
	{ "y = Conv(x:float[2,2,1,1], z:float[2,2,1,1])", false },
	{ "y = BatchNormalization(x:float[2,1,2], a:float[1]={1}, "
	  "b:float[1]={1}, c:float[1]={1}, d:float[1]={1})",
	  true },
	/* bytes */
	{ "y = QuantizeLinear(x:float[2,4], c:float[1]={2})", true },
	{ "y = QuantizeLinear<axis=1>(x:float[2,2], c:float[2]={2,1})", true },
	{ "y = QuantizeLinear<axis=0>(x:float[2,2], c:float[2]={2,1})", false },
	{ "y = DequantizeLinear<axis=-2>(x:uint8[2,2], c:float[2]={2,1})",
	  false },
	{ "y = DequantizeLinear(x:uint8[2,4], c:float[]={2}, z:uint8[]={7})",
	  true },
	{ "y = DequantizeLinear(x:uint8[2,4], Cast<to=float>(Size(x)))",
	  false },
	{ "y, s, z = DynamicQuantizeLinear(x:float[2,4])", false },
	{ "y = MatMulInteger(x:uint8[2,2], c:int8[2,1]={1,2}, z:uint8[]={3})",
	  true },
	{ "y = MatMulInteger(x:uint8[2,2], c:int8[2,1]={1,2}, "
	  "z:uint8[2]={3,4})",
	  false },
	{ "y = QLinearMatMul(x:uint8[2,2], a:float[]={1}, az:uint8[]={3}, "
	  "c:uint8[2,1]={1,2}, b:float[]={1}, bz:uint8[]={3}, d:float[]={1}, "
	  "dz:uint8[]={1})",
	  true },
	{ "y = QLinearMatMul(x:uint8[2,2], a:float[2]={1,2}, "
	  "az:uint8[2]={3,1}, c:uint8[2,1]={1,2}, b:float[]={1}, "
	  "bz:uint8[]={3}, d:float[]={1}, dz:uint8[]={1})",
	  false },
	/* no rule */
	{ "y = Trilu(x:float[2,4])", false },
	{ "y = RandomNormalLike(x:float[2,4])", false },
	/* what does not depend on the inputs */
	{ "z = Relu(x:float[2,4]); y = Neg(c:float[2]={1,2})", false },
};

static bool answer(const char *text, int64_t n)
{
	struct graph *graph = NULL;
	struct fact *input = NULL;
	struct err err;
	bool apart;

	cr_assert_eq(graph_text_parse(text, &graph, &input, &err), ERR_NONE,
		     "%s: %s", text, err.msg);
	cr_assert_eq(facts_type_graph(graph, &err), ERR_NONE, "%s: %s", text,
		     err.msg);
	for (int32_t i = 0; i < graph->n_input; i++)
		input[i].shape.dim[0] = n;
	apart = package_rows_are_apart(graph, input);
	graph_destroy(graph);
	return apart;
}

Test(package_rows, are_apart_by_the_operators_rules)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		cr_expect_eq(answer(rows[i].graph, 2), rows[i].apart, "%s",
			     rows[i].graph);
}

/* why two numbers of rows are asked for */
Test(package_rows, go_by_the_number_of_rows_that_is_asked_for)
{
	const char *text = "y = Reshape(x:float[2,3], s:int64[2]={2,-1})";

	cr_assert(answer(text, 2));
	cr_assert_not(answer(text, 3));
}
