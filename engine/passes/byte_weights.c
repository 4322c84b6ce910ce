/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Products by weights that a model stores as bytes, with a scale or one for
 * each column, stay products by bytes: MatMulWeights. Where this CPU multiplies
 * bytes no faster than floats, nothing changes.
 *
 * The weights are DequantizeLinear(W) or Mul(Cast(W), scale) of a matrix W, or
 * the transpose of that; the product is MatMul or Gemm. A row that is added
 * goes into the product. Where X is dequantized bytes, too, all is
 * MatMulIntegerToFloat.
 */
#include <string.h>

#include "engine/attr.h"
#include "engine/ops/byte_weights.h"
#include "engine/ops/product.h"
#include "engine/passes/edit.h"

enum { LEAST_BYTES = 1 << 12 };

/* A matrix of bytes, and what makes floats of it. */
struct stored {
	int32_t w, scale, zero; /* zero may be VALUE_NONE */
	bool is_transposed;
	int64_t n; /* columns of the floats */
};

static int64_t int_of(const struct graph_node *node, const char *name)
{
	const struct op_attr *row = op_attr_find(node->op->attrs, name);
	struct attr_value value;

	return row && op_attr_get(row, node->attrs, &value) ? value.i : 0;
}

static bool swaps_axes(const struct graph_node *node)
{
	const struct op_attr *row;
	struct attr_value value;

	if (!edit_is(node, "Transpose"))
		return false;
	row = op_attr_find(node->op->attrs, "perm");
	if (!row || !op_attr_get(row, node->attrs, &value))
		return false;
	return value.ints.n == 0 || (value.ints.n == 2 && value.ints.v[0] == 1);
}

static const struct tensor_view *bytes_at(const struct edit *edit,
					  int32_t value)
{
	const struct tensor_view *w = edit_constant(edit, value);

	if (!w || w->shape.rank != 2 ||
	    (w->dtype != DTYPE_I8 && w->dtype != DTYPE_U8) ||
	    shape_count(&w->shape) < LEAST_BYTES)
		return NULL;
	return w;
}

/* One for all, or one for each of n along `axis` of two. A matrix of them has
 * the other extent 1. */
static bool is_factor(const struct tensor_view *f, unsigned axis, int64_t n)
{
	const struct shape *s = &f->shape;

	if (shape_count(s) == 1)
		return s->rank <= 2;
	return s->rank == 2 && s->dim[axis] == n && s->dim[1 - axis] == 1;
}

/* The same elements as a vector. */
static int32_t as_vector(struct edit *edit, const struct tensor_view *view)
{
	struct tensor_view vector = *view;

	vector.shape = (struct shape){ 1, { shape_count(&view->shape) } };
	return build_const(&edit->build, &vector);
}

/* W of which column (or, transposed, row) number j has factor j. */
static unsigned factor_axis(const struct stored *stored)
{
	return stored->is_transposed ? 0 : 1;
}

/* Mul(Cast(W), scale) */
static bool find_scaled(struct edit *edit, const struct graph_node *mul,
			struct stored *ret)
{
	for (int32_t i = 0; i < 2; i++) {
		const struct graph_node *cast =
		    edit_producer(edit, edit_in(edit, mul, i));
		const struct tensor_view *scale =
		    edit_constant(edit, edit_in(edit, mul, 1 - i));
		const struct tensor_view *w;
		struct tensor_view factor;

		if (!edit_is(cast, "Cast") || !scale ||
		    scale->dtype != DTYPE_F32)
			continue;
		w = bytes_at(edit, edit_in(edit, cast, 0));
		if (!w)
			continue;
		factor = *scale;
		if (factor.shape.rank == 1 && factor.shape.dim[0] != 1)
			factor.shape =
			    (struct shape){ 2, { 1, scale->shape.dim[0] } };
		ret->n = w->shape.dim[factor_axis(ret)];
		if (!is_factor(&factor, factor_axis(ret), ret->n))
			continue;
		ret->w = edit_in(edit, cast, 0);
		ret->scale = as_vector(edit, scale);
		ret->zero = VALUE_NONE;
		return true;
	}
	return false;
}

/* DequantizeLinear(W, scale, zero) */
static bool find_dequantized(struct edit *edit, const struct graph_node *node,
			     struct stored *ret)
{
	const struct tensor_view *w = bytes_at(edit, edit_in(edit, node, 0));
	const struct tensor_view *scale =
	    edit_constant(edit, edit_in(edit, node, 1));
	const struct tensor_view *zero =
	    edit_constant(edit, edit_in(edit, node, 2));
	const int64_t axis = int_of(node, "axis");
	int64_t n;

	if (!w || !scale || scale->dtype != DTYPE_F32 ||
	    int_of(node, "block_size") ||
	    (!zero && edit_in(edit, node, 2) != VALUE_NONE))
		return false;
	n = shape_count(&scale->shape);
	ret->n = w->shape.dim[factor_axis(ret)];
	if (scale->shape.rank > 1 ||
	    (n != 1 && (n != ret->n ||
			(axis < 0 ? axis + 2 : axis) != factor_axis(ret))) ||
	    (zero && shape_count(&zero->shape) != n))
		return false;
	ret->w = edit_in(edit, node, 0);
	ret->scale = as_vector(edit, scale);
	ret->zero = zero ? as_vector(edit, zero) : VALUE_NONE;
	return true;
}

static bool find_stored(struct edit *edit, int32_t value, bool is_transposed,
			struct stored *ret)
{
	const struct graph_node *node = edit_producer(edit, value);

	if (swaps_axes(node)) {
		is_transposed = !is_transposed;
		node = edit_producer(edit, edit_in(edit, node, 0));
	}
	ret->is_transposed = is_transposed;
	if (edit_is(node, "Mul"))
		return find_scaled(edit, node, ret);
	return edit_is(node, "DequantizeLinear") &&
	       find_dequantized(edit, node, ret);
}

/* x is DequantizeLinear of bytes with one scale: those, for a product of bytes
 * alone. in: A, B, their scales and zero points, a row. */
static bool find_quantized(const struct edit *edit, int32_t x, int32_t in[7])
{
	const struct graph_node *node = edit_producer(edit, x);
	const struct tensor_view *scale;
	enum dtype elem;

	if (!edit_is(node, "DequantizeLinear") || int_of(node, "block_size"))
		return false;
	elem = edit_elem(edit, edit_in(edit, node, 0));
	scale = edit_constant(edit, edit_in(edit, node, 1));
	in[0] = edit_in(edit, node, 0);
	in[2] = edit_in(edit, node, 1);
	in[4] = edit_in(edit, node, 2);
	return (elem == DTYPE_U8 || elem == DTYPE_I8) && scale &&
	       scale->dtype == DTYPE_F32 && shape_count(&scale->shape) == 1 &&
	       scale->shape.rank <= 1;
}

static int32_t build_bytes(struct edit *edit, const struct stored *stored,
			   int32_t in[7], int32_t bias)
{
	const int64_t swapped[2] = { 1, 0 };
	const struct attr_ints perm = { 2, swapped };
	unsigned n = 7;

	in[1] = stored->w;
	/* the row has this one attribute; constants are folded behind this */
	if (stored->is_transposed)
		in[1] = build_node(&edit->build, "Transpose", &perm, in + 1, 1);
	in[3] = stored->scale;
	in[5] = stored->zero;
	in[6] = bias;
	while (in[n - 1] == VALUE_NONE)
		n--;
	return build_node(&edit->build, "predictd.MatMulIntegerToFloat", NULL,
			  in, n);
}

static int32_t build_product(struct edit *edit, const struct stored *stored,
			     int32_t x, int32_t bias)
{
	const int32_t in[] = { x, stored->w, stored->scale, stored->zero,
			       bias };
	/* the row has this one attribute */
	const int64_t trans_b = stored->is_transposed;
	int32_t bytes[7];
	unsigned n = 5;

	if (find_quantized(edit, x, bytes))
		return build_bytes(edit, stored, bytes, bias);
	while (in[n - 1] == VALUE_NONE)
		n--;
	return build_node(&edit->build, "predictd.MatMulWeights", &trans_b, in,
			  n);
}

/* What a Gemm or Add adds is one row, of n constants. */
static const struct tensor_view *row_at(const struct edit *edit, int32_t value,
					int64_t n)
{
	const struct tensor_view *row = edit_constant(edit, value);

	if (!row || row->dtype != DTYPE_F32 || row->shape.rank < 1 ||
	    row->shape.rank > 2 || row->shape.dim[row->shape.rank - 1] != n ||
	    shape_count(&row->shape) != n)
		return NULL;
	return row;
}

static void visit_gemm(struct edit *edit, const struct graph_node *node)
{
	const struct gemm_attrs *attrs = node->attrs;
	const int32_t c = edit_in(edit, node, 2);
	const struct tensor_view *row = NULL;
	struct stored stored;

	/* comparing with what exporters write */
	if (attrs->transA || attrs->alpha != 1 || attrs->beta != 1 ||
	    !find_stored(edit, edit_in(edit, node, 1), attrs->transB != 0,
			 &stored))
		return;
	if (c != VALUE_NONE) {
		row = row_at(edit, c, stored.n);
		if (!row)
			return;
	}
	edit_forward(edit, graph_out(edit->graph, node)[0],
		     build_product(edit, &stored, edit_in(edit, node, 0),
				   row ? as_vector(edit, row) : VALUE_NONE));
}

static void visit_matmul(struct edit *edit, const struct graph_node *node)
{
	const int32_t x = edit_in(edit, node, 0);
	struct stored stored;

	if (edit_rank(edit, x).least >= 1 &&
	    find_stored(edit, edit_in(edit, node, 1), false, &stored))
		edit_forward(edit, graph_out(edit->graph, node)[0],
			     build_product(edit, &stored, x, VALUE_NONE));
}

/* Add(MatMulWeights(...), row) */
static void visit_add(struct edit *edit, const struct graph_node *node)
{
	for (int32_t i = 0; i < 2; i++) {
		const struct graph_node *product =
		    edit_own_producer(edit, edit_in(edit, node, i));
		const struct tensor_view *row, *w;
		struct stored stored;

		if (!product ||
		    product->op != build_find("predictd.MatMulWeights") ||
		    edit_in(edit, product, 4) != VALUE_NONE)
			continue;
		stored = (struct stored){
			.w = edit_in(edit, product, 1),
			.scale = edit_in(edit, product, 2),
			.zero = edit_in(edit, product, 3),
			.is_transposed = int_of(product, "trans_b") != 0,
		};
		w = edit_constant(edit, stored.w);
		row = w ? row_at(edit, edit_in(edit, node, 1 - i),
				 w->shape.dim[factor_axis(&stored)])
			: NULL;
		if (!row || edit_rank(edit, edit_in(edit, product, 0)).least <
				(int)row->shape.rank)
			continue;
		edit_forward(edit, graph_out(edit->graph, node)[0],
			     build_product(edit, &stored,
					   edit_in(edit, product, 0),
					   as_vector(edit, row)));
		return;
	}
}

static void visit(struct edit *edit, const struct graph_node *node)
{
	if (!node->op ||
	    edit_elem(edit, graph_out(edit->graph, node)[0]) != DTYPE_F32)
		return;
	if (edit_is(node, "MatMul"))
		visit_matmul(edit, node);
	else if (edit_is(node, "Gemm"))
		visit_gemm(edit, node);
	else if (edit_is(node, "Add"))
		visit_add(edit, node);
}

static enum err_code run(const struct pass_context *context, bool *ret_changed,
			 struct err *err)
{
	if (!byte_is_fast(byte_loops()))
		return ERR_NONE;
	return edit_walk(context, visit, ret_changed, err);
}

extern const struct pass pass_byte_weights;
const struct pass pass_byte_weights = {
	.name = "byte_weights",
	.help = "multiplies by weights that are stored as bytes as bytes",
	.flags = PASS_LOAD,
	.run = run,
};
