/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Pad goes into the padding of the pool behind it, where that means the same:
 * of MaxPool where it is -infinity, or zeros around what is never below zero;
 * of AveragePool where it is zeros that count. Every window must hold something
 * that was there before.
 */
#include <math.h>
#include <string.h>

#include "engine/ops/pool.h"
#include "engine/passes/pads.h"

/* Not below zero, whatever comes in. */
static bool is_positive(const struct edit *edit, int32_t value)
{
	const struct graph_node *node = edit_producer(edit, value);
	double low;

	if (edit_is(node, "Clip"))
		return edit_uniform(edit, edit_in(edit, node, 1), &low) &&
		       low >= 0;
	return edit_is(node, "Relu") || edit_is(node, "Sigmoid") ||
	       edit_is(node, "HardSigmoid") || edit_is(node, "Softmax") ||
	       edit_is(node, "Abs") || edit_is(node, "Exp");
}

static bool has_pads(const struct window_attrs *w)
{
	for (size_t i = 0; i < w->pads.n; i++)
		if (w->pads.v[i])
			return true;
	return false;
}

static bool means_the_same(const struct edit *edit,
			   const struct graph_node *pool,
			   const struct graph_node *pad,
			   const struct pads *pads)
{
	const struct pool_attrs *attrs = pool->attrs;
	const bool is_zero = fpclassify(pads->fill) == FP_ZERO;

	if (edit_is(pool, "MaxPool"))
		return edit_is_single(edit, pool) &&
		       (isinf(pads->fill)
			    ? pads->fill < 0
			    : is_zero &&
				  is_positive(edit, edit_in(edit, pad, 0)));
	/* own padding that did not count would count now */
	return is_zero &&
	       (attrs->count_include_pad || !has_pads(&attrs->window));
}

/* Less than the window each way, which has no gaps. */
static bool are_small(const struct window_attrs *w)
{
	const size_t n = w->kernel_shape.n;

	for (size_t i = 0; i < 2 * n; i++)
		if (w->pads.v[i] >= w->kernel_shape.v[i % n])
			return false;
	for (size_t i = 0; i < w->dilations.n; i++)
		if (w->dilations.v[i] != 1)
			return false;
	return n > 0;
}

static void visit(struct edit *edit, const struct graph_node *node)
{
	const bool is_max = edit_is(node, "MaxPool");
	int64_t list[2 * SHAPE_MAX_RANK];
	struct pads pads = { 0 };
	struct pool_attrs attrs;
	const struct graph_node *pad;
	int32_t x, out;

	if (!is_max && !edit_is(node, "AveragePool"))
		return;
	attrs = *(const struct pool_attrs *)node->attrs;
	pads.rank = (int)attrs.window.kernel_shape.n + 2;
	if (attrs.window.ceil_mode || pads.rank > SHAPE_MAX_RANK)
		return;
	pad = pads_before(edit, node, &pads);
	if (!pad || !means_the_same(edit, node, pad, &pads) ||
	    !pads_add(&pads, &attrs.window, list) || !are_small(&attrs.window))
		return;
	attrs.count_include_pad = !is_max;
	x = edit_in(edit, pad, 0);
	build_row(&edit->build, node->op, &attrs, &x, 1, &out, 1);
	edit_forward(edit, graph_out(edit->graph, node)[0], out);
}

static enum err_code run(const struct pass_context *context, bool *ret_changed,
			 struct err *err)
{
	return edit_walk(context, visit, ret_changed, err);
}

extern const struct pass pass_pad_pool;
const struct pass pass_pad_pool = {
	.name = "pad_pool",
	.help = "folds Pad into the padding of MaxPool and AveragePool",
	.flags = PASS_LOAD,
	.run = run,
};
