/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Add, Sub, Mul and Div by constants of one number a channel go into the
 * constants of the product behind them:
 *
 *   W (scale x + shift) + b = (W scale) x + (W shift + b)
 *
 * A shift needs a place for b, and a Conv without padding: zeros around x are
 * not shifted.
 */
#include <math.h>
#include <string.h>

#include "engine/ops/conv.h"
#include "engine/ops/product.h"
#include "engine/passes/affine.h"

/* A product, and what its weights look like from its input. */
struct ahead {
	const struct graph_node *node;
	const struct tensor_view *w, *bias; /* bias NULL: none */
	int64_t n_in, n_out;		    /* channels */
	bool is_conv, may_shift;
	double alpha, beta; /* of a Gemm */
	int64_t trans_b;
};

static bool is_float(const struct tensor_view *view)
{
	return view && (view->dtype == DTYPE_F32 || view->dtype == DTYPE_F64);
}

static double number_at(const struct tensor_view *view, int64_t i)
{
	double x = 0;

	dtype_convert(view->dtype,
		      (const char *)view->data +
			  (size_t)i * dtype_info(view->dtype)->size,
		      DTYPE_F64, &x, 1, false);
	return x;
}

static bool has_padding(const struct window_attrs *w)
{
	for (size_t i = 0; i < w->pads.n; i++)
		if (w->pads.v[i])
			return true;
	return strncmp(w->auto_pad, "SAME", 4) == 0;
}

static bool is_conv(const struct graph_node *node, struct ahead *ret)
{
	const struct conv_attrs *attrs = node->attrs;
	const struct shape *w = &ret->w->shape;

	if (!edit_is(node, "Conv") || w->rank < 3 || w->dim[0] < 1 ||
	    w->dim[0] % attrs->group)
		return false;
	ret->is_conv = true;
	ret->n_in = w->dim[1] * attrs->group;
	ret->n_out = w->dim[0];
	ret->may_shift = !has_padding(&attrs->window);
	return true;
}

static bool is_matrix(const struct graph_node *node, struct ahead *ret)
{
	const struct gemm_attrs *gemm = node->attrs;
	const struct shape *w = &ret->w->shape;
	const bool is_gemm = edit_is(node, "Gemm");

	if (w->rank != 2 || (!is_gemm && !edit_is(node, "MatMul")) ||
	    (is_gemm && gemm->transA))
		return false;
	if (is_gemm) {
		ret->alpha = gemm->alpha;
		ret->beta = gemm->beta;
		ret->trans_b = gemm->transB;
	}
	ret->n_in = w->dim[ret->trans_b ? 1 : 0];
	ret->n_out = w->dim[ret->trans_b ? 0 : 1];
	ret->may_shift = is_gemm;
	return true;
}

static bool ahead_of(const struct edit *edit, const struct graph_node *node,
		     struct ahead *ret)
{
	const int32_t bias = edit_in(edit, node, 2);

	*ret = (struct ahead){ .node = node, .alpha = 1, .beta = 1 };
	if (!node->op || node->op->domain[0] || node->n_in < 2)
		return false;
	ret->w = edit_constant(edit, edit_in(edit, node, 1));
	ret->bias = edit_constant(edit, bias);
	if (!is_float(ret->w) || (bias != VALUE_NONE && !ret->bias) ||
	    (!is_conv(node, ret) && !is_matrix(node, ret)) || ret->n_in < 1)
		return false;
	return !ret->bias ||
	       (is_float(ret->bias) && ret->bias->shape.rank == 1 &&
		ret->bias->shape.dim[0] == ret->n_out);
}

/* One number, or one a channel in, and x keeps its shape. */
static bool lies_on_channels(const struct edit *edit, const struct ahead *p,
			     const struct tensor_view *c, int32_t x)
{
	const unsigned rank = c->shape.rank;
	const unsigned from_end = p->is_conv ? p->w->shape.rank - 1 : 1;
	const int64_t n = shape_count(&c->shape);

	if (p->is_conv ? rank > p->w->shape.rank
		       : (int)rank > edit_rank(edit, x).least)
		return false;
	return n == 1 || (n == p->n_in && rank >= from_end &&
			  c->shape.dim[rank - from_end] == p->n_in);
}

static bool affine_before(struct edit *edit, const struct ahead *p,
			  struct affine *ret)
{
	const struct graph_node *node =
	    edit_own_producer(edit, edit_in(edit, p->node, 0));
	const bool is_add = edit_is(node, "Add") || edit_is(node, "Sub");
	const struct tensor_view *c;
	bool is_left;

	if (!is_add && !edit_is(node, "Mul") && !edit_is(node, "Div"))
		return false;
	is_left = edit_constant(edit, edit_in(edit, node, 0)) != NULL;
	c = edit_constant(edit, edit_in(edit, node, is_left ? 0 : 1));
	*ret = (struct affine){ .x = edit_in(edit, node, is_left ? 1 : 0),
				.n = p->n_in };
	if (!is_float(c) || (is_left && edit_is(node, "Div")) ||
	    (is_add && !p->may_shift) ||
	    edit_elem(edit, ret->x) != p->w->dtype ||
	    !lies_on_channels(edit, p, c, ret->x))
		return false;
	ret->scale = arena_array(edit->arena, (size_t)ret->n, sizeof(double));
	ret->shift = arena_array(edit->arena, (size_t)ret->n, sizeof(double));
	for (int64_t i = 0; ret->scale && ret->shift && i < ret->n; i++) {
		affine_arithmetic(
		    node, is_left,
		    number_at(c, shape_count(&c->shape) > 1 ? i : 0),
		    &ret->scale[i], &ret->shift[i]);
		if (!isfinite((float)ret->scale[i]) ||
		    !isfinite((float)ret->shift[i]))
			return false;
	}
	ret->has_shift = is_add;
	return ret->scale && ret->shift;
}

/* The channels in and out of weight i. */
static void channels_of(const struct ahead *p, int64_t i, int64_t *ret_in,
			int64_t *ret_out)
{
	const struct shape *w = &p->w->shape;
	const struct conv_attrs *conv = p->node->attrs;
	const int64_t row = shape_range(w, 1, w->rank);
	int64_t group;

	*ret_out = i / row;
	*ret_in = i % row;
	if (p->is_conv) {
		group = *ret_out / (w->dim[0] / conv->group);
		*ret_in = *ret_in / (row / w->dim[1]) + group * w->dim[1];
	} else if (!p->trans_b) {
		*ret_out = i % row;
		*ret_in = i / row;
	}
}

static void fold(struct edit *edit, const struct ahead *p,
		 const struct affine *affine)
{
	const int64_t n = shape_count(&p->w->shape);
	const struct shape row = { 1, { p->n_out } };
	double *w = arena_array(edit->arena, (size_t)n + 1, sizeof(*w));
	double *bias =
	    arena_array(edit->arena, (size_t)p->n_out + 1, sizeof(*bias));
	int32_t in[3] = { affine->x, VALUE_NONE, edit_in(edit, p->node, 2) };
	struct gemm_attrs gemm;
	const void *attrs = p->node->attrs;
	int32_t out;

	if (!w || !bias)
		return; /* it stays as it is */
	for (int64_t i = 0; p->bias && i < p->n_out; i++)
		bias[i] = p->beta * number_at(p->bias, i);
	for (int64_t i = 0; i < n; i++) {
		const double x = number_at(p->w, i);
		int64_t from, to;

		channels_of(p, i, &from, &to);
		w[i] = x * affine->scale[from];
		bias[to] += p->alpha * x * affine->shift[from];
	}
	in[1] = affine_constant(edit, p->w->dtype, &p->w->shape, w);
	if (affine->has_shift)
		in[2] = affine_constant(edit, p->w->dtype, &row, bias);
	if (affine->has_shift && edit_is(p->node, "Gemm")) {
		gemm = *(const struct gemm_attrs *)attrs;
		gemm.beta = 1;
		attrs = &gemm;
	}
	build_row(&edit->build, p->node->op, attrs, in,
		  in[2] == VALUE_NONE ? 2 : 3, &out, 1);
	edit_forward(edit, graph_out(edit->graph, p->node)[0], out);
}

static void visit(struct edit *edit, const struct graph_node *node)
{
	struct affine affine;
	struct ahead product;

	if (ahead_of(edit, node, &product) &&
	    affine_before(edit, &product, &affine))
		fold(edit, &product, &affine);
}

static enum err_code run(const struct pass_context *context, bool *ret_changed,
			 struct err *err)
{
	return edit_walk(context, visit, ret_changed, err);
}

extern const struct pass pass_affine_ahead;
const struct pass pass_affine_ahead = {
	.name = "affine_ahead",
	.help = "folds Add, Sub, Mul and Div of one number a channel into the "
		"Conv, Gemm or MatMul behind them",
	.flags = PASS_LOAD,
	.run = run,
};
