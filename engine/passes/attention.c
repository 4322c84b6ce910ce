/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Attention as exporters spell it becomes one node, whose kernel works on a few
 * rows of scores at a time and never has all of them in memory:
 *
 *   y = MatMul(Softmax(scale Q K^T [+ mask]), V)
 *
 * with heads as an axis, or batches of one head. The scale may stand before the
 * product, at Q and K, or behind it; K may come transposed in any way. Shapes
 * must be equal but for the rows: nothing is broadcast but the mask.
 *
 * Where the scores are few, all of it stays as it is.
 *
 * A row whose mask is -infinity throughout gives zeros, not NaN.
 */
#include "engine/ops/attention.h"

#include <math.h>

#include "engine/attr.h"
#include "engine/ops/product.h"
#include "engine/ops/softmax.h"
#include "engine/passes/edit.h"

enum {
	SCALES_MAX = 4,
	/* Elements: so many leave the caches between the products. Fewer are
	 * faster by themselves, for the library's products are. */
	SCORES_LEAST = 1 << 20,
};

/* What the nodes are about, as it is found. */
struct found {
	int32_t q, k, v, mask; /* mask VALUE_NONE: none */
	bool is_k_turned;      /* k is [..., size, rows] */
	double scale;
};

static const struct fact *fact_of(const struct edit *edit, int32_t value)
{
	return &edit->build.facts->fact[value];
}

/* Takes factors of one number off a value that nobody else reads. */
static int32_t unscale(const struct edit *edit, int32_t value, double *scale)
{
	for (int i = 0; i < SCALES_MAX; i++) {
		const struct graph_node *node = edit_own_producer(edit, value);
		const bool is_div = edit_is(node, "Div");
		double factor;
		int32_t c = 1;

		if (!is_div && !edit_is(node, "Mul"))
			break;
		if (!is_div && edit_constant(edit, edit_in(edit, node, 0)))
			c = 0;
		if (!edit_uniform(edit, edit_in(edit, node, c), &factor) ||
		    shape_count(
			&fact_of(edit, edit_in(edit, node, c))->shape) != 1 ||
		    !shape_equal(
			&fact_of(edit, value)->shape,
			&fact_of(edit, edit_in(edit, node, 1 - c))->shape))
			break;
		*scale *= is_div ? 1 / factor : factor;
		value = edit_in(edit, node, 1 - c);
	}
	return value;
}

/* A product of two values without more; *ret_turned: the right one is read
 * with its last axes swapped. */
static bool is_product(const struct edit *edit, const struct graph_node *node,
		       bool *ret_turned)
{
	const struct matmul_attrs *attrs;

	*ret_turned = false;
	if (edit_is(node, "MatMul"))
		return true;
	if (!node || node->op != op_find("predictd", "MatMulT") ||
	    edit_in(edit, node, 2) != VALUE_NONE)
		return false;
	attrs = node->attrs;
	*ret_turned = attrs->trans_b != 0;
	return !attrs->trans_a;
}

static bool find_scores(const struct edit *edit, int32_t value,
			struct found *ret)
{
	const struct graph_node *node;
	bool is_turned;

	ret->scale = 1;
	value = unscale(edit, value, &ret->scale);
	node = edit_own_producer(edit, value);
	if (!is_product(edit, node, &is_turned))
		return false;
	ret->is_k_turned = !is_turned;
	ret->q = unscale(edit, edit_in(edit, node, 0), &ret->scale);
	ret->k = unscale(edit, edit_in(edit, node, 1), &ret->scale);
	return true;
}

/* Scores, or scores and what is added to them. */
static bool find_masked(const struct edit *edit, int32_t value,
			struct found *ret)
{
	const struct graph_node *add = edit_own_producer(edit, value);

	ret->mask = VALUE_NONE;
	if (!edit_is(add, "Add"))
		return find_scores(edit, value, ret);
	for (int32_t i = 0; i < 2; i++) {
		ret->mask = edit_in(edit, add, 1 - i);
		if (find_scores(edit, edit_in(edit, add, i), ret) &&
		    shape_equal(&fact_of(edit, value)->shape,
				&fact_of(edit, edit_in(edit, add, i))->shape))
			return true;
	}
	return false;
}

static bool is_softmax(const struct edit *edit, const struct graph_node *node)
{
	const struct softmax_attrs *attrs;
	int64_t rank;

	if (!edit_is(node, "Softmax"))
		return false;
	attrs = node->attrs;
	rank = fact_of(edit, edit_in(edit, node, 0))->shape.rank;
	return attrs->axis == -1 || attrs->axis == rank - 1;
}

/* --- shapes --- */

static bool is_plain(const struct edit *edit, int32_t value, unsigned rank)
{
	const struct fact *fact = fact_of(edit, value);

	return fact->has_shape && fact->type.elem == DTYPE_F32 &&
	       !fact->type.is_sequence && !fact->type.is_optional &&
	       fact->shape.rank == rank;
}

/* The operator's mask stands for [batch, heads, queries, keys]; one that is
 * shorter than the keys would hide keys there. */
static bool takes_mask(const struct edit *edit, const struct found *found,
		       const struct shape *scores)
{
	const struct fact *mask;

	if (found->mask == VALUE_NONE)
		return true;
	mask = fact_of(edit, found->mask);
	return mask->has_shape && mask->type.elem == DTYPE_F32 &&
	       mask->shape.rank >= 1 &&
	       mask->shape.dim[mask->shape.rank - 1] ==
		   scores->dim[scores->rank - 1] &&
	       (scores->rank == 4 || mask->shape.rank < 3);
}

static bool shapes_fit(const struct edit *edit, const struct found *found,
		       const struct shape *scores)
{
	const unsigned rank = scores->rank;
	const struct shape *q, *k, *v;

	if ((rank != 3 && rank != 4) || !is_plain(edit, found->q, rank) ||
	    !is_plain(edit, found->k, rank) ||
	    !is_plain(edit, found->v, rank) ||
	    shape_count(scores) < SCORES_LEAST)
		return false;
	q = &fact_of(edit, found->q)->shape;
	k = &fact_of(edit, found->k)->shape;
	v = &fact_of(edit, found->v)->shape;
	for (unsigned i = 0; i + 2 < rank; i++)
		if (q->dim[i] != k->dim[i] || q->dim[i] != v->dim[i])
			return false;
	return q->dim[rank - 1] > 0 && v->dim[rank - 1] > 0 &&
	       takes_mask(edit, found, scores);
}

/* --- what is built --- */

/* K as rows: a Transpose that it comes from becomes another one, or none. */
static int32_t rows_of_k(struct edit *edit, const struct found *found)
{
	const struct graph_node *node = edit_producer(edit, found->k);
	const unsigned rank = fact_of(edit, found->k)->shape.rank;
	struct attr_value perm = { .kind = ATTR_INTS };
	int64_t axis[SHAPE_MAX_RANK];
	const struct attr_ints turned = { rank, axis };
	int32_t from = found->k;
	bool is_in_order = true;

	if (!found->is_k_turned)
		return found->k;
	if (edit_is(node, "Transpose") &&
	    op_attr_get(op_attr_find(node->op->attrs, "perm"), node->attrs,
			&perm) &&
	    perm.ints.n == rank)
		from = edit_in(edit, node, 0);
	for (unsigned i = 0; i < rank; i++) {
		const unsigned at = i + 2 < rank ? i : 2 * rank - 3 - i;

		axis[i] = from == found->k ? at : perm.ints.v[at];
		is_in_order &= axis[i] == (int64_t)i;
	}
	/* the row has this one attribute */
	return is_in_order
		   ? from
		   : build_node(&edit->build, "Transpose", &turned, &from, 1);
}

static void build(struct edit *edit, const struct graph_node *node,
		  const struct found *found)
{
	const bool has_heads = fact_of(edit, found->q)->shape.rank == 4;
	const struct attention_attrs attrs = {
		.q_num_heads = has_heads ? 0 : 1,
		.kv_num_heads = has_heads ? 0 : 1,
		.left_window_size = -1,
		.right_window_size = -1,
		.scale = found->scale,
	};
	const int32_t in[] = { found->q, rows_of_k(edit, found), found->v,
			       found->mask };

	edit_forward(edit, graph_out(edit->graph, node)[0],
		     build_node(&edit->build, "Attention", &attrs, in,
				found->mask == VALUE_NONE ? 3 : 4));
}

static void visit(struct edit *edit, const struct graph_node *node)
{
	const struct graph_node *softmax;
	struct found found;
	bool is_turned;

	if (!is_product(edit, node, &is_turned) || is_turned)
		return;
	softmax = edit_own_producer(edit, edit_in(edit, node, 0));
	if (!is_softmax(edit, softmax))
		return;
	found.v = edit_in(edit, node, 1);
	/* a scale of 0 would stand for the operator's own */
	if (!find_masked(edit, edit_in(edit, softmax, 0), &found) ||
	    !isfinite(found.scale) || fpclassify(found.scale) == FP_ZERO ||
	    !shapes_fit(edit, &found,
			&fact_of(edit, edit_in(edit, softmax, 0))->shape))
		return;
	build(edit, node, &found);
}

static enum err_code run(const struct pass_context *context, bool *ret_changed,
			 struct err *err)
{
	return edit_walk(context, visit, ret_changed, err);
}

extern const struct pass pass_attention;
const struct pass pass_attention = {
	.name = "attention",
	.help = "products around a Softmax become Attention",
	.flags = PASS_PLAN,
	.run = run,
};
