/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/passes/affine.h"

#include <math.h>
#include <string.h>

#include "engine/ops/conv.h"
#include "engine/ops/norm.h"
#include "engine/ops/product.h"

/* --- numbers --- */

static bool is_real(const struct tensor_view *view)
{
	return view && (view->dtype == DTYPE_F32 || view->dtype == DTYPE_F64);
}

static double number_at(const struct tensor_view *view, int64_t i)
{
	return view->dtype == DTYPE_F32 ? (double)((const float *)view->data)[i]
					: ((const double *)view->data)[i];
}

static void set_number(const struct tensor_view *view, int64_t i, double x)
{
	if (view->dtype == DTYPE_F32)
		((float *)view->data)[i] = (float)x;
	else
		((double *)view->data)[i] = x;
}

/* An empty tensor of the graph; data NULL: out of memory. */
static struct tensor_view make_tensor(struct edit *edit, enum dtype dtype,
				      const struct shape *shape)
{
	struct tensor_view view = { .dtype = dtype, .shape = *shape };

	view.data =
	    arena_aligned(edit->graph->arena, tensor_bytes(dtype, shape) + 1);
	if (!view.data && !edit->build.code)
		edit->build.code =
		    err_set(&edit->build.err, ERR_NO_MEMORY, "out of memory");
	return view;
}

static int32_t add_constant(struct edit *edit, const struct tensor_view *view)
{
	int32_t value = VALUE_NONE;

	if (!edit->build.code)
		edit->build.code = graph_add_constant(edit->graph, NULL, view,
						      &value, &edit->build.err);
	return value;
}

static bool affine_init(struct edit *edit, int64_t n, struct affine *ret)
{
	*ret = (struct affine){ .n = n };
	ret->scale = arena_array(edit->arena, (size_t)n + 1, sizeof(double));
	ret->shift = arena_array(edit->arena, (size_t)n + 1, sizeof(double));
	return ret->scale && ret->shift;
}

/* Constants that float cannot hold are left where they are. */
static bool affine_check(struct affine *affine)
{
	for (int64_t i = 0; i < affine->n; i++) {
		if (!isfinite((float)affine->scale[i]) ||
		    !isfinite((float)affine->shift[i]))
			return false;
		affine->has_shift |= fpclassify(affine->shift[i]) != FP_ZERO;
	}
	return true;
}

/* --- what scales --- */

bool affine_of_batch_norm(struct edit *edit, const struct graph_node *node,
			  struct affine *ret)
{
	const struct batch_norm_attrs *attrs = node->attrs;
	const struct tensor_view *in[4];

	if (!edit_is(node, "BatchNormalization") || attrs->training_mode ||
	    !edit_is_single(edit, node))
		return false;
	for (int32_t i = 0; i < 4; i++) {
		in[i] = edit_constant(edit, edit_in(edit, node, i + 1));
		if (!is_real(in[i]) || in[i]->shape.rank != 1 ||
		    in[i]->shape.dim[0] != in[0]->shape.dim[0])
			return false;
	}
	if (!affine_init(edit, in[0]->shape.dim[0], ret))
		return false;
	ret->x = edit_in(edit, node, 0);
	for (int64_t i = 0; i < ret->n; i++) {
		const double scale = number_at(in[0], i) /
				     sqrt(number_at(in[3], i) + attrs->epsilon);

		ret->scale[i] = scale;
		ret->shift[i] =
		    number_at(in[1], i) - scale * number_at(in[2], i);
	}
	return affine_check(ret);
}

/* The constant is one number, or has one a channel and nothing else. */
static bool lies_on_channels(const struct tensor_view *c,
			     const struct product_node *product)
{
	const unsigned rank = c->shape.rank;
	const unsigned from_end =
	    product->is_last ? 1 : (unsigned)product->rank - 1;
	const int64_t count = shape_count(&c->shape);

	if ((int)rank > product->rank)
		return false;
	if (count == 1)
		return true;
	return rank >= from_end && count == product->n &&
	       c->shape.dim[rank - from_end] == product->n;
}

void affine_arithmetic(const struct graph_node *node, bool is_left, double c,
		       double *scale, double *shift)
{
	*scale = 1;
	*shift = 0;
	if (edit_is(node, "Mul")) {
		*scale = c;
	} else if (edit_is(node, "Div")) {
		*scale = 1 / c;
	} else if (edit_is(node, "Add")) {
		*shift = c;
	} else {
		*scale = is_left ? -1 : 1;
		*shift = is_left ? c : -c;
	}
}

bool affine_of_arithmetic(struct edit *edit, const struct graph_node *node,
			  struct affine *ret, struct product_node *product)
{
	const bool commutes = edit_is(node, "Add") || edit_is(node, "Mul");
	const struct tensor_view *c;
	bool is_left;
	int64_t step;

	if (!commutes && !edit_is(node, "Sub") && !edit_is(node, "Div"))
		return false;
	is_left = edit_constant(edit, edit_in(edit, node, 0)) != NULL;
	if (is_left && edit_is(node, "Div"))
		return false;
	c = edit_constant(edit, edit_in(edit, node, is_left ? 0 : 1));
	if (!is_real(c) ||
	    !product_of(edit, edit_in(edit, node, is_left ? 1 : 0), product) ||
	    !lies_on_channels(c, product) ||
	    !affine_init(edit, product->n, ret))
		return false;
	ret->x = edit_in(edit, node, is_left ? 1 : 0);
	step = shape_count(&c->shape) > 1;
	for (int64_t i = 0; i < ret->n; i++)
		affine_arithmetic(node, is_left, number_at(c, i * step),
				  &ret->scale[i], &ret->shift[i]);
	return affine_check(ret);
}

int32_t affine_constant(struct edit *edit, enum dtype dtype,
			const struct shape *shape, const double *number)
{
	const struct tensor_view to = make_tensor(edit, dtype, shape);

	for (int64_t i = 0; i < shape_count(shape) && to.data; i++)
		set_number(&to, i, number[i]);
	return add_constant(edit, &to);
}

/* --- what is scaled --- */

static bool is_bias(const struct product_node *p)
{
	return !p->bias || (is_real(p->bias) && p->bias->shape.rank == 1 &&
			    p->bias->shape.dim[0] == p->n);
}

static bool is_conv(struct product_node *p)
{
	const struct shape *w = &p->weight->shape;
	const bool is_transposed = edit_is(p->node, "ConvTranspose");
	const struct conv_attrs *conv = p->node->attrs;
	const struct conv_transpose_attrs *transposed = p->node->attrs;

	if (w->rank < 3 || (!is_transposed && !edit_is(p->node, "Conv")))
		return false;
	p->rank = (int)w->rank;
	p->n = is_transposed ? w->dim[1] * transposed->group : w->dim[0];
	return p->n > 0 &&
	       p->n % (is_transposed ? transposed->group : conv->group) == 0 &&
	       is_bias(p);
}

static bool is_matrix(const struct edit *edit, struct product_node *p)
{
	const struct shape *w = &p->weight->shape;
	const struct gemm_attrs *gemm = p->node->attrs;
	const bool is_gemm = edit_is(p->node, "Gemm");

	if (w->rank != 2 || (!is_gemm && !edit_is(p->node, "MatMul")))
		return false;
	p->is_last = true;
	p->n = w->dim[is_gemm && gemm->transB ? 0 : 1];
	/* at least: a vector by a matrix is a vector */
	p->rank =
	    is_gemm ? 2 : edit_rank(edit, edit_in(edit, p->node, 0)).least;
	p->rank = p->rank ? p->rank : 1;
	return p->n > 0 && is_bias(p);
}

bool product_of(const struct edit *edit, int32_t value,
		struct product_node *ret)
{
	int32_t bias;

	*ret = (struct product_node){ .node = edit_own_producer(edit, value) };
	if (!ret->node || !ret->node->op || ret->node->op->domain[0])
		return false;
	ret->weight = edit_constant(edit, edit_in(edit, ret->node, 1));
	bias = edit_in(edit, ret->node, 2);
	ret->bias = edit_constant(edit, bias);
	if (!is_real(ret->weight) || (bias != VALUE_NONE && !ret->bias))
		return false;
	return is_conv(ret) || is_matrix(edit, ret);
}

/* --- the product, scaled --- */

/* The channel of the result that weight element i goes to: of a box
 * [outer, n, inner], for each group of outer. */
static int64_t channel_of(const struct product_node *p, int64_t i)
{
	const struct shape *w = &p->weight->shape;
	const struct conv_transpose_attrs *transposed = p->node->attrs;
	const struct gemm_attrs *gemm = p->node->attrs;
	const int64_t row = shape_range(w, 1, w->rank);

	if (edit_is(p->node, "ConvTranspose")) {
		const int64_t inputs = w->dim[0] / transposed->group;
		const int64_t inner = row / w->dim[1];

		return i / row / (inputs ? inputs : 1) * w->dim[1] +
		       i % row / inner;
	}
	if (p->is_last && !(edit_is(p->node, "Gemm") && gemm->transB))
		return i % p->n;
	return i / row;
}

static int32_t scale_weight(struct edit *edit, const struct product_node *p,
			    const struct affine *affine)
{
	const struct tensor_view *from = p->weight;
	const int64_t n = shape_count(&from->shape);
	struct tensor_view to = make_tensor(edit, from->dtype, &from->shape);

	for (int64_t i = 0; i < n && to.data; i++)
		set_number(&to, i,
			   number_at(from, i) *
			       affine->scale[channel_of(p, i)]);
	return add_constant(edit, &to);
}

/* beta is what a Gemm has scaled its bias with so far. */
static int32_t scale_bias(struct edit *edit, const struct product_node *p,
			  const struct affine *affine, double beta)
{
	const struct shape row = { 1, { p->n } };
	struct tensor_view to = make_tensor(edit, p->weight->dtype, &row);

	for (int64_t i = 0; i < p->n && to.data; i++)
		set_number(&to, i,
			   (p->bias ? beta * number_at(p->bias, i) : 0) *
				   affine->scale[i] +
			       affine->shift[i]);
	return add_constant(edit, &to);
}

bool affine_fold(struct edit *edit, const struct product_node *p,
		 const struct affine *affine, int32_t *ret_value)
{
	const bool is_gemm = edit_is(p->node, "Gemm");
	struct gemm_attrs gemm = { .beta = 1 };
	const void *attrs = p->node->attrs;
	int32_t in[3] = { edit_in(edit, p->node, 0) };
	unsigned n_in = 2;

	if (edit_is(p->node, "MatMul") && affine->has_shift)
		return false;
	if (is_gemm) {
		gemm = *(const struct gemm_attrs *)p->node->attrs;
		attrs = &gemm;
	}
	in[1] = scale_weight(edit, p, affine);
	if (p->bias || affine->has_shift) {
		in[2] = scale_bias(edit, p, affine, gemm.beta);
		gemm.beta = 1;
		n_in = 3;
	}
	build_row(&edit->build, p->node->op, attrs, in, n_in, ret_value, 1);
	return true;
}
