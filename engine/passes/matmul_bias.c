/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * A constant row added to a product by constant weights goes into the product:
 * Gemm of two matrices, else MatMulT.
 */
#include "engine/ops/product.h"
#include "engine/passes/edit.h"

/* MatMul, or MatMulT without a row. */
static const struct graph_node *
product_before(const struct edit *edit, int32_t value, struct matmul_attrs *ret)
{
	const struct graph_node *node = edit_own_producer(edit, value);

	*ret = (struct matmul_attrs){ 0 };
	if (edit_is(node, "MatMul"))
		return node;
	if (!node || node->op != build_find("predictd.MatMulT") ||
	    edit_in(edit, node, 2) != VALUE_NONE)
		return NULL;
	*ret = *(const struct matmul_attrs *)node->attrs;
	return node;
}

/* The row has one number for each column of the result. */
static bool is_row_of(const struct edit *edit, int32_t row, int32_t b,
		      bool is_transposed)
{
	const struct tensor_view *c = edit_constant(edit, row);
	const struct tensor_view *w = edit_constant(edit, b);

	if (!c || !w || c->shape.rank != 1 || w->shape.rank < 2 ||
	    dtype_info(c->dtype)->arith != c->dtype)
		return false;
	return c->shape.dim[0] ==
	       w->shape.dim[w->shape.rank - (is_transposed ? 2 : 1)];
}

static int32_t build_product(struct edit *edit, const int32_t in[3],
			     const struct matmul_attrs *attrs)
{
	const struct rank a = edit_rank(edit, in[0]);
	const struct gemm_attrs gemm = { .alpha = 1,
					 .beta = 1,
					 .transA = attrs->trans_a,
					 .transB = attrs->trans_b };

	if (a.is_exact && a.least == 2 && edit_rank(edit, in[1]).least == 2)
		return build_node(&edit->build, "Gemm", &gemm, in, 3);
	return build_node(&edit->build, "predictd.MatMulT", attrs, in, 3);
}

static void visit(struct edit *edit, const struct graph_node *node)
{
	if (!edit_is(node, "Add"))
		return;
	for (int32_t i = 0; i < 2; i++) {
		struct matmul_attrs attrs;
		const int32_t row = edit_in(edit, node, 1 - i);
		const struct graph_node *product =
		    product_before(edit, edit_in(edit, node, i), &attrs);
		int32_t in[3];

		if (!product)
			continue;
		in[0] = edit_in(edit, product, 0);
		in[1] = edit_in(edit, product, 1);
		in[2] = row;
		if (edit_rank(edit, in[0]).least < 2 ||
		    !is_row_of(edit, row, in[1], attrs.trans_b))
			continue;
		edit_forward(edit, graph_out(edit->graph, node)[0],
			     build_product(edit, in, &attrs));
		return;
	}
}

static enum err_code run(const struct pass_context *context, bool *ret_changed,
			 struct err *err)
{
	return edit_walk(context, visit, ret_changed, err);
}

extern const struct pass pass_matmul_bias;
const struct pass pass_matmul_bias = {
	.name = "matmul_bias",
	.help = "takes a row added to a MatMul into it",
	.flags = PASS_LOAD,
	.run = run,
};
