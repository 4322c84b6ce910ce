/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * A MatMulInteger whose sums become floats, times a scale of A and one of B,
 * and a row added to that: all is one MatMulIntegerToFloat, which rounds as
 * they did.
 *
 *   Mul(Cast(MatMulInteger(A, B, ...)), Mul(a_scale, b_scale))
 */
#include "engine/passes/edit.h"

enum { N_IN = 7, IN_B = 1, IN_BIAS = 6 };

static bool is_number(const struct edit *edit, int32_t value)
{
	const struct rank rank = edit_rank(edit, value);

	return edit_elem(edit, value) == DTYPE_F32 && rank.is_exact &&
	       (rank.least == 0 || (rank.least == 1 && rank.length == 1));
}

/* One for all, or one for each of B's n columns; n 0: B is not known. */
static bool is_column_scale(const struct edit *edit, int32_t value, int64_t n)
{
	const struct tensor_view *view = edit_constant(edit, value);

	if (is_number(edit, value))
		return true;
	return view && view->dtype == DTYPE_F32 && view->shape.rank == 1 && n &&
	       view->shape.dim[0] == n;
}

/* Columns of B where that is a known matrix; else 0. */
static int64_t columns_of(const struct edit *edit, int32_t b)
{
	const struct tensor_view *view = edit_constant(edit, b);

	return view && view->shape.rank == 2 ? view->shape.dim[1] : 0;
}

/* The product whose sums a Cast makes floats of, for this reader alone. */
static const struct graph_node *product_behind(const struct edit *edit,
					       int32_t value)
{
	const struct graph_node *cast = edit_own_producer(edit, value);
	const struct graph_node *product;

	if (!edit_is(cast, "Cast") || edit_elem(edit, value) != DTYPE_F32)
		return NULL;
	product = edit_own_producer(edit, edit_in(edit, cast, 0));
	return edit_is(product, "MatMulInteger") ? product : NULL;
}

/* Two scales that are multiplied, or one and 1. */
static bool find_scales(struct edit *edit, int32_t value, int64_t n,
			int32_t ret[2])
{
	const struct graph_node *mul = edit_producer(edit, value);

	for (int32_t i = 0; edit_is(mul, "Mul") && i < 2; i++) {
		ret[0] = edit_in(edit, mul, i);
		ret[1] = edit_in(edit, mul, 1 - i);
		if (is_number(edit, ret[0]) && is_column_scale(edit, ret[1], n))
			return true;
	}
	if (!edit_constant(edit, value) || !is_column_scale(edit, value, n))
		return false;
	ret[0] = build_scalar(&edit->build, DTYPE_F32, 1);
	ret[1] = value;
	return true;
}

static int32_t build_product(struct edit *edit, const int32_t in[N_IN])
{
	unsigned n = N_IN;

	while (in[n - 1] == VALUE_NONE)
		n--;
	return build_node(&edit->build, "predictd.MatMulIntegerToFloat", NULL,
			  in, n);
}

static void visit_mul(struct edit *edit, const struct graph_node *node)
{
	for (int32_t i = 0; i < 2; i++) {
		const struct graph_node *product =
		    product_behind(edit, edit_in(edit, node, i));
		int32_t scale[2], in[N_IN];

		/* a vector by a vector is a number, which a scale may widen */
		if (!product ||
		    edit_rank(edit, edit_in(edit, node, i)).least < 1 ||
		    !find_scales(edit, edit_in(edit, node, 1 - i),
				 columns_of(edit, edit_in(edit, product, IN_B)),
				 scale))
			continue;
		in[0] = edit_in(edit, product, 0);
		in[1] = edit_in(edit, product, IN_B);
		in[2] = scale[0];
		in[3] = scale[1];
		in[4] = edit_in(edit, product, 2);
		in[5] = edit_in(edit, product, 3);
		in[IN_BIAS] = VALUE_NONE;
		edit_forward(edit, graph_out(edit->graph, node)[0],
			     build_product(edit, in));
		return;
	}
}

/* A row that is added to a product without one. */
static void visit_add(struct edit *edit, const struct graph_node *node)
{
	const struct op *op = build_find("predictd.MatMulIntegerToFloat");

	for (int32_t i = 0; i < 2; i++) {
		const struct graph_node *product =
		    edit_own_producer(edit, edit_in(edit, node, i));
		const struct tensor_view *row =
		    edit_constant(edit, edit_in(edit, node, 1 - i));
		int32_t in[N_IN];

		if (!product || product->op != op || !row ||
		    edit_in(edit, product, IN_BIAS) != VALUE_NONE ||
		    row->dtype != DTYPE_F32 || row->shape.rank != 1 ||
		    row->shape.dim[0] !=
			columns_of(edit, edit_in(edit, product, IN_B)))
			continue;
		for (int32_t j = 0; j < IN_BIAS; j++)
			in[j] = edit_in(edit, product, j);
		in[IN_BIAS] = edit_in(edit, node, 1 - i);
		edit_forward(edit, graph_out(edit->graph, node)[0],
			     build_product(edit, in));
		return;
	}
}

static void visit(struct edit *edit, const struct graph_node *node)
{
	if (edit_is(node, "Mul"))
		visit_mul(edit, node);
	else if (edit_is(node, "Add"))
		visit_add(edit, node);
}

static enum err_code run(const struct pass_context *context, bool *ret_changed,
			 struct err *err)
{
	return edit_walk(context, visit, ret_changed, err);
}

extern const struct pass pass_byte_products;
const struct pass pass_byte_products = {
	.name = "byte_products",
	.help = "takes the scales and the row behind a MatMulInteger into it",
	.flags = PASS_LOAD,
	.run = run,
};
