/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/passes/pads.h"

#include <string.h>

#include "engine/attr.h"

/* -infinity is one number, too: edit_uniform() wants finite ones. */
static bool read_fill(const struct edit *edit, int32_t value, double *ret)
{
	const struct tensor_view *view = edit_constant(edit, value);

	*ret = 0;
	if (value == VALUE_NONE)
		return true;
	if (!view || shape_count(&view->shape) != 1 ||
	    dtype_info(view->dtype)->arith == DTYPE_NONE)
		return false;
	dtype_convert(view->dtype, view->data, DTYPE_F64, ret, 1, false);
	return true;
}

static bool is_constant_mode(const struct graph_node *node)
{
	const struct op_attr *row = op_attr_find(node->op->attrs, "mode");
	struct attr_value mode;

	return op_attr_get(row, node->attrs, &mode) &&
	       !strcmp(mode.s.bytes, "constant");
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

const struct graph_node *pads_before(const struct edit *edit,
				     const struct graph_node *node,
				     struct pads *ret)
{
	const struct graph_node *pad =
	    edit_own_producer(edit, edit_in(edit, node, 0));

	return edit_is(pad, "Pad") && is_constant_mode(pad) &&
		       read_fill(edit, edit_in(edit, pad, 2), &ret->fill) &&
		       read_pads(edit, pad, ret)
		   ? pad
		   : NULL;
}

bool pads_add(const struct pads *pads, struct window_attrs *window,
	      int64_t *list)
{
	const size_t n = (size_t)pads->rank - 2;
	const bool has =
	    window->pads.n != 0 && !strcmp(window->auto_pad, "NOTSET");
	const int64_t *old = window->pads.v;

	if (strncmp(window->auto_pad, "SAME", 4) == 0 ||
	    (window->pads.n && window->pads.n != 2 * n))
		return false;
	for (size_t i = 0; i < n; i++) {
		list[i] = pads->begin[i + 2] + (has ? old[i] : 0);
		list[n + i] = pads->end[i + 2] + (has ? old[n + i] : 0);
	}
	window->pads = (struct attr_ints){ 2 * n, list };
	window->auto_pad = "NOTSET";
	return true;
}
