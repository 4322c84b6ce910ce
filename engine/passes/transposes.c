/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Transposes: two that follow one another become one, also around operators
 * that look at elements alone; so do those of all operands of one; swapped
 * matrices become a product of swapped matrices.
 */
#include <string.h>

#include "engine/attr.h"
#include "engine/ops/product.h"
#include "engine/passes/edit.h"

enum { CHAIN_MAX = 8, OPERANDS_MAX = 16 };

struct perm {
	size_t n; /**< 0: it is not known */
	int64_t axis[SHAPE_MAX_RANK];
};

static struct perm perm_of(const struct graph_node *node)
{
	const struct op_attr *row;
	struct attr_value value;
	struct perm perm = { 0 };

	if (!edit_is(node, "Transpose"))
		return perm;
	row = op_attr_find(node->op->attrs, "perm");
	if (!row || !op_attr_get(row, node->attrs, &value) ||
	    value.ints.n > SHAPE_MAX_RANK)
		return perm;
	perm.n = value.ints.n;
	for (size_t i = 0; i < perm.n; i++) {
		perm.axis[i] = value.ints.v[i];
		if (perm.axis[i] < 0 || perm.axis[i] >= (int64_t)perm.n)
			return (struct perm){ 0 };
	}
	return perm;
}

/* x transposed by `first`, then by `second` */
static int32_t transpose_twice(struct edit *edit, const struct graph_node *node,
			       int32_t x, const struct perm *first,
			       const struct perm *second)
{
	int64_t axis[SHAPE_MAX_RANK];
	const struct attr_ints both = { first->n, axis };
	bool is_in_order = true;
	int32_t out;

	for (size_t i = 0; i < first->n; i++) {
		axis[i] = first->axis[second->axis[i]];
		is_in_order &= axis[i] == (int64_t)i;
	}
	if (is_in_order)
		return x;
	/* the row has this one attribute */
	build_row(&edit->build, node->op, &both, &x, 1, &out, 1);
	return out;
}

/* One element in, one out, at the same place. */
static bool is_elementwise(const struct graph_node *node)
{
	return node && node->op && node->op->infer == infer_same &&
	       node->n_in == 1 && node->n_out == 1 && !node->n_body &&
	       !(node->op->flags & (OP_IMPURE | OP_DYNAMIC)) &&
	       node->op->kernels;
}

/* Transpose, elementwise nodes, Transpose: the nodes read what the first one
 * read, and one Transpose (or none) follows them. */
static void join(struct edit *edit, const struct graph_node *node)
{
	const struct graph_node *chain[CHAIN_MAX];
	const struct perm second = perm_of(node);
	const struct graph_node *at =
	    edit_producer(edit, edit_in(edit, node, 0));
	struct perm first;
	int32_t x;
	int n = 0;

	while (n < CHAIN_MAX && is_elementwise(at)) {
		if (edit->reader[graph_out(edit->graph, at)[0]] != 1)
			return;
		chain[n++] = at;
		at = edit_producer(edit, edit_in(edit, at, 0));
	}
	first = perm_of(at);
	if (!second.n || first.n != second.n)
		return;
	/* what is read elsewhere is transposed anyway */
	if (n && edit->reader[graph_out(edit->graph, at)[0]] != 1)
		return;
	x = edit_in(edit, at, 0);
	while (n-- > 0)
		build_row(&edit->build, chain[n]->op, chain[n]->attrs, &x, 1,
			  &x, 1);
	edit_forward(edit, graph_out(edit->graph, node)[0],
		     transpose_twice(edit, node, x, &first, &second));
}

/* Elements of several operands at the same place. */
static bool is_fold(const struct graph_node *node)
{
	static const char *const names[] = { "Add", "Max", "Min",
					     "Mul", "Sub", "Sum" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (edit_is(node, names[i]))
			return true;
	return false;
}

/* Operands that are all transposed alike, for this node alone: it reads them
 * as they were, and one Transpose follows. Broadcasting does not mind. */
static void gather(struct edit *edit, const struct graph_node *node)
{
	const struct graph_node *at = NULL;
	int32_t in[OPERANDS_MAX], out;
	struct perm perm = { 0 };
	struct attr_ints axes;

	for (int32_t i = 0; i < node->n_in; i++) {
		struct perm found = { 0 };

		at = edit_own_producer(edit, edit_in(edit, node, i));
		if (at)
			found = perm_of(at);
		if (i == 0)
			perm = found;
		if (!at || !found.n || found.n != perm.n ||
		    memcmp(found.axis, perm.axis,
			   found.n * sizeof(found.axis[0])) != 0)
			return;
		in[i] = edit_in(edit, at, 0);
	}
	if (!at)
		return;
	axes = (struct attr_ints){ perm.n, perm.axis };
	build_row(&edit->build, node->op, node->attrs, in, (unsigned)node->n_in,
		  &out, 1);
	build_row(&edit->build, at->op, &axes, &out, 1, &out, 1);
	edit_forward(edit, graph_out(edit->graph, node)[0], out);
}

/* Swaps the last two axes and nothing else. */
static bool is_swap(const struct perm *perm)
{
	for (size_t i = 0; i + 2 < perm->n; i++)
		if (perm->axis[i] != (int64_t)i)
			return false;
	return perm->n >= 2 && perm->axis[perm->n - 1] == (int64_t)perm->n - 2;
}

/* The matrix before a swap, or VALUE_NONE. */
static int32_t before_swap(const struct edit *edit, int32_t value)
{
	const struct graph_node *node = edit_producer(edit, value);
	struct perm perm;

	if (!node)
		return VALUE_NONE;
	perm = perm_of(node);
	return is_swap(&perm) ? edit_in(edit, node, 0) : VALUE_NONE;
}

static bool has_kernels(enum dtype elem)
{
	return elem == DTYPE_F32 || elem == DTYPE_F64;
}

/* Swapped inputs of a product, each flag flipped where one was found. */
static bool swap_inputs(const struct edit *edit, const struct graph_node *node,
			int32_t in[2], int64_t trans[2])
{
	bool found = false;

	for (int32_t i = 0; i < 2; i++) {
		const int32_t value = edit_in(edit, node, i);
		const int32_t before = before_swap(edit, value);

		in[i] = before == VALUE_NONE ? value : before;
		if (before == VALUE_NONE)
			continue;
		trans[i] = !trans[i];
		found = true;
	}
	return found && has_kernels(edit_elem(edit, in[0]));
}

static void swap_matmul(struct edit *edit, const struct graph_node *node,
			bool is_swapped)
{
	struct matmul_attrs attrs = { 0 };
	int64_t trans[2] = { 0 };
	int32_t in[3], out;

	if (is_swapped) {
		attrs = *(const struct matmul_attrs *)node->attrs;
		trans[0] = attrs.trans_a;
		trans[1] = attrs.trans_b;
	}
	if (!swap_inputs(edit, node, in, trans) ||
	    edit_rank(edit, edit_in(edit, node, 0)).least < 2 ||
	    edit_rank(edit, edit_in(edit, node, 1)).least < 2)
		return;
	attrs = (struct matmul_attrs){ trans[0], trans[1] };
	in[2] = edit_in(edit, node, 2);
	build_nodes(&edit->build, "predictd.MatMulT", &attrs, in,
		    in[2] == VALUE_NONE ? 2 : 3, &out, 1);
	edit_forward(edit, graph_out(edit->graph, node)[0], out);
}

static void swap_gemm(struct edit *edit, const struct graph_node *node)
{
	struct gemm_attrs attrs = *(const struct gemm_attrs *)node->attrs;
	int64_t trans[2] = { attrs.transA != 0, attrs.transB != 0 };
	int32_t in[3], out;

	if (!swap_inputs(edit, node, in, trans))
		return;
	attrs.transA = trans[0];
	attrs.transB = trans[1];
	in[2] = edit_in(edit, node, 2);
	build_row(&edit->build, node->op, &attrs, in, (unsigned)node->n_in,
		  &out, 1);
	edit_forward(edit, graph_out(edit->graph, node)[0], out);
}

static void visit(struct edit *edit, const struct graph_node *node)
{
	if (edit_is(node, "Transpose"))
		join(edit, node);
	else if (node->n_in > 1 && node->n_in <= OPERANDS_MAX && is_fold(node))
		gather(edit, node);
	else if (edit_is(node, "MatMul"))
		swap_matmul(edit, node, false);
	else if (edit_is(node, "Gemm"))
		swap_gemm(edit, node);
	else if (node->op && build_find("predictd.MatMulT") == node->op)
		swap_matmul(edit, node, true);
}

static enum err_code run(const struct pass_context *context, bool *ret_changed,
			 struct err *err)
{
	return edit_walk(context, visit, ret_changed, err);
}

extern const struct pass pass_transposes;
const struct pass pass_transposes = {
	.name = "transposes",
	.help = "joins Transposes and takes them into products",
	.flags = PASS_LOAD,
	.run = run,
};
