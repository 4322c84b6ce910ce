/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Pad by zeros goes into the padding of the Conv behind it.
 */
#include <string.h>

#include "engine/attr.h"
#include "engine/ops/conv.h"
#include "engine/passes/edit.h"

/* begin and end of every axis */
struct pads {
	int rank;
	int64_t begin[SHAPE_MAX_RANK], end[SHAPE_MAX_RANK];
};

static bool is_zero_mode(const struct edit *edit, const struct graph_node *node)
{
	const struct op_attr *row = op_attr_find(node->op->attrs, "mode");
	const int32_t fill = edit_in(edit, node, 2);
	struct attr_value mode;
	double x = 0;

	return op_attr_get(row, node->attrs, &mode) &&
	       !strcmp(mode.s.bytes, "constant") &&
	       (fill == VALUE_NONE ||
		(edit_uniform(edit, fill, &x) && x <= 0 && x >= 0));
}

/* Which axis pad number i is for; -1: it cannot be told. */
static int axis_at(const struct tensor_view *axes, int rank, int64_t i)
{
	int64_t axis = i;

	if (axes)
		dtype_convert(axes->dtype,
			      (const char *)axes->data +
				  (size_t)i * dtype_info(axes->dtype)->size,
			      DTYPE_I64, &axis, 1, false);
	axis += axis < 0 ? rank : 0;
	return axis >= 0 && axis < rank ? (int)axis : -1;
}

static bool read_pads(const struct edit *edit, const struct graph_node *node,
		      struct pads *ret)
{
	const struct tensor_view *pads =
	    edit_constant(edit, edit_in(edit, node, 1));
	const struct tensor_view *axes =
	    edit_constant(edit, edit_in(edit, node, 3));
	const int64_t n = pads ? shape_count(&pads->shape) / 2 : 0;

	if (!n || pads->dtype != DTYPE_I64 ||
	    (!axes &&
	     (edit_in(edit, node, 3) != VALUE_NONE || n != ret->rank)) ||
	    (axes && shape_count(&axes->shape) != n))
		return false;
	for (int64_t i = 0; i < n; i++) {
		const int axis = axis_at(axes, ret->rank, i);
		const int64_t *list = pads->data;

		/* a negative pad cuts */
		if (axis < 0 || list[i] < 0 || list[n + i] < 0)
			return false;
		ret->begin[axis] = list[i];
		ret->end[axis] = list[n + i];
	}
	return !ret->begin[0] && !ret->end[0] && !ret->begin[1] && !ret->end[1];
}

static const struct graph_node *zeros_before(const struct edit *edit,
					     const struct graph_node *conv,
					     struct pads *ret)
{
	const struct graph_node *pad =
	    edit_own_producer(edit, edit_in(edit, conv, 0));

	return edit_is(pad, "Pad") && is_zero_mode(edit, pad) &&
		       read_pads(edit, pad, ret)
		   ? pad
		   : NULL;
}

static void visit(struct edit *edit, const struct graph_node *node)
{
	const struct tensor_view *w;
	struct conv_attrs attrs;
	struct pads pads = { 0 };
	int64_t list[2 * SHAPE_MAX_RANK];
	const struct graph_node *pad;
	int32_t in[3], out;
	size_t n;

	if (!edit_is(node, "Conv"))
		return;
	attrs = *(const struct conv_attrs *)node->attrs;
	/* who builds a Conv may leave it out */
	if (!attrs.window.auto_pad)
		attrs.window.auto_pad = "NOTSET";
	w = edit_constant(edit, edit_in(edit, node, 1));
	if (!w || w->shape.rank < 3 ||
	    strncmp(attrs.window.auto_pad, "SAME", 4) == 0)
		return;
	pads.rank = (int)w->shape.rank;
	n = w->shape.rank - 2;
	pad = zeros_before(edit, node, &pads);
	if (!pad || (attrs.window.pads.n && attrs.window.pads.n != 2 * n))
		return;
	for (size_t i = 0; i < n; i++) {
		const bool has = attrs.window.pads.n != 0 &&
				 !strcmp(attrs.window.auto_pad, "NOTSET");
		const int64_t *old = attrs.window.pads.v;

		list[i] = pads.begin[i + 2] + (has ? old[i] : 0);
		list[n + i] = pads.end[i + 2] + (has ? old[n + i] : 0);
	}
	attrs.window.pads = (struct attr_ints){ 2 * n, list };
	attrs.window.auto_pad = "NOTSET";
	for (int32_t i = 0; i < 3; i++)
		in[i] = edit_in(edit, i ? node : pad, i);
	build_row(&edit->build, node->op, &attrs, in, (unsigned)node->n_in,
		  &out, 1);
	edit_forward(edit, graph_out(edit->graph, node)[0], out);
}

static enum err_code run(const struct pass_context *context, bool *ret_changed,
			 struct err *err)
{
	return edit_walk(context, visit, ret_changed, err);
}

extern const struct pass pass_pad;
const struct pass pass_pad = {
	.name = "pad",
	.help = "folds Pad by zeros into the padding of Conv",
	.flags = PASS_LOAD,
	.run = run,
};
