/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Aliases: values that need no bytes of their own.
 *
 * A view is a range of what it shows; the parts of a Concat are written where
 * the whole will be; a kernel that may work in place writes over an input that
 * nobody reads any more. In each case one area joins another.
 */
#include "engine/attr.h"
#include "engine/planner_priv.h"

/** Attribute `axis`, counted from the front. */
static unsigned axis_of(const struct graph_node *node,
			const struct shape *shape)
{
	const struct op_attr *row = op_attr_find(node->op->attrs, "axis");
	int64_t axis = 0;

	if (row)
		memcpy(&axis, (const char *)node->attrs + row->offset,
		       sizeof(axis));
	return (unsigned)(axis < 0 ? axis + shape->rank : axis);
}

/** No extent but 1 stands before the axis: parts along it lie in a row. */
static bool is_outer(const struct shape *shape, unsigned axis)
{
	return axis < shape->rank && shape_range(shape, 0, axis) == 1;
}

bool is_outer_concat(const struct planner *p, const struct graph_node *node)
{
	const struct shape *shape;
	int32_t out = graph_out(p->graph, node)[0];

	if (out == VALUE_NONE || !op_is(node->op, "Concat"))
		return false;
	shape = &p->facts->fact[out].shape;
	return is_outer(shape, axis_of(node, shape));
}

/** Axes of more than one element stay in their order. */
static bool keeps_order(const struct graph_node *node,
			const struct shape *shape)
{
	const struct op_attr *row = op_attr_find(node->op->attrs, "perm");
	struct attr_value perm;
	int64_t last = -1;

	if (!row || !op_attr_get(row, node->attrs, &perm))
		return false;
	for (unsigned i = 0; i < shape->rank; i++) {
		const int64_t axis =
		    perm.ints.n ? perm.ints.v[i] : shape->rank - 1 - i;

		if (shape->dim[axis] == 1)
			continue;
		if (axis < last)
			return false;
		last = axis;
	}
	return true;
}

bool is_another_shape(const struct planner *p, const struct graph_node *node)
{
	if (!op_is(node->op, "Transpose"))
		return node->op->flags & OP_VIEW;
	return keeps_order(node,
			   &p->facts->fact[graph_in(p->graph, node)[0]].shape);
}

/** Element i of a known list of int32 or int64. */
static int64_t list_at(const struct fact *fact, size_t i)
{
	if (fact->type.elem == DTYPE_I32)
		return ((const int32_t *)fact->value)[i];
	return ((const int64_t *)fact->value)[i];
}

/** Where a slice begins on its only shortened axis, which must be the
 * outermost real one and go by steps of 1; false otherwise. */
static bool slice_start(const struct planner *p, const struct graph_node *node,
			unsigned axis, int64_t *ret_start)
{
	const int32_t *in = graph_in(p->graph, node);
	const struct shape *shape = &p->facts->fact[in[0]].shape;
	const struct fact *starts = &p->facts->fact[in[1]];
	const struct fact *axes =
	    node->n_in > 3 && in[3] >= 0 ? &p->facts->fact[in[3]] : NULL;
	const struct fact *steps =
	    node->n_in > 4 && in[4] >= 0 ? &p->facts->fact[in[4]] : NULL;
	const size_t n = (size_t)shape_count(&starts->shape);

	if (!starts->value || (axes && !axes->value) ||
	    (steps && !steps->value))
		return false;
	*ret_start = 0;
	for (size_t i = 0; i < n; i++) {
		int64_t at = axes ? list_at(axes, i) : (int64_t)i;
		int64_t start = list_at(starts, i);

		at += at < 0 ? shape->rank : 0;
		if (steps && list_at(steps, i) != 1)
			return false;
		if (at != axis)
			continue;
		start += start < 0 ? shape->dim[axis] : 0;
		*ret_start = start < 0 ? 0 : start;
	}
	return true;
}

static bool slice_offset(const struct planner *p, const struct graph_node *node,
			 size_t *ret_offset)
{
	const int32_t in = graph_in(p->graph, node)[0];
	const int32_t out = graph_out(p->graph, node)[0];
	const struct fact *x = &p->facts->fact[in], *y;
	unsigned axis = 0;
	int64_t start;

	if (out == VALUE_NONE)
		return false;
	y = &p->facts->fact[out];
	while (axis + 1 < x->shape.rank && x->shape.dim[axis] == 1 &&
	       y->shape.dim[axis] == 1)
		axis++;
	for (unsigned i = axis + 1; i < x->shape.rank; i++)
		if (x->shape.dim[i] != y->shape.dim[i])
			return false;
	if (!x->shape.rank || !slice_start(p, node, axis, &start))
		return false;
	*ret_offset = (size_t)start *
		      (size_t)shape_range(&x->shape, axis + 1, x->shape.rank) *
		      dtype_info(x->type.elem)->size;
	return true;
}

/** Output `out` is a range of input 0, from byte *ret_offset on. */
static bool view_offset(const struct planner *p, const struct graph_node *node,
			int32_t out, size_t *ret_offset)
{
	const struct shape *shape;

	*ret_offset = 0;
	if (is_another_shape(p, node))
		return out == 0;
	if (op_is(node->op, "Slice"))
		return slice_offset(p, node, ret_offset);
	if (!op_is(node->op, "Split"))
		return false;
	shape = &p->facts->fact[graph_in(p->graph, node)[0]].shape;
	if (!is_outer(shape, axis_of(node, shape)))
		return false;
	for (int32_t j = 0; j < out; j++) {
		int32_t before = graph_out(p->graph, node)[j];

		if (before == VALUE_NONE)
			return false;
		*ret_offset += fact_bytes(p, before);
	}
	return true;
}

/** An output must have bytes of its own: those of inputs, constants and
 * variables are not the run's to give away. */
static bool may_show(struct planner *p, int32_t in, int32_t out)
{
	size_t at;
	const struct area *area = &p->areas[value_root(p, in, &at)];

	return p->dies[out] < time_end(p) || !(area->fixed || area->is_input);
}

static bool is_view(struct planner *p, const struct graph_node *node)
{
	const int32_t *out = graph_out(p->graph, node);
	size_t offset;

	for (int32_t j = 0; j < node->n_out; j++)
		if (out[j] != VALUE_NONE && p->dies[out[j]] >= 0 &&
		    (!view_offset(p, node, j, &offset) ||
		     !may_show(p, graph_in(p->graph, node)[0], out[j])))
			return false;
	return node->n_in > 0 && graph_in(p->graph, node)[0] != VALUE_NONE;
}

void plan_alias_views(struct planner *p)
{
	for (int32_t i = 0; i < p->n_order; i++) {
		const struct graph_node *node = &p->graph->node[p->order[i]];
		const int32_t *out = graph_out(p->graph, node);
		size_t at, offset;
		int32_t root;

		if (!is_view(p, node))
			continue;
		p->fate[p->order[i]] = FATE_NOTHING;
		for (int32_t j = 0; j < node->n_out; j++) {
			if (out[j] == VALUE_NONE || p->area[out[j]] < 0 ||
			    !view_offset(p, node, j, &offset))
				continue;
			root = value_root(p, graph_in(p->graph, node)[0], &at);
			area_join(p, p->area[out[j]], root, at + offset);
		}
	}
}

/** The value fills a root of its own that nothing else holds in place. */
static bool is_movable(struct planner *p, int32_t value, int32_t *ret_root)
{
	size_t at, bytes = fact_bytes(p, value);
	int32_t root = value_root(p, value, &at);
	const struct area *area = &p->areas[root];

	*ret_root = root;
	return !area->fixed && !area->is_input && at == 0 &&
	       area->bytes == bytes;
}

/** Joins the parts that can move; false when none can. */
static bool join_parts(struct planner *p, const struct graph_node *node)
{
	const int32_t out = graph_out(p->graph, node)[0];
	bool has_joined = false;
	size_t to_at = 0;

	for (int32_t j = 0; j < node->n_in; j++) {
		int32_t v = graph_in(p->graph, node)[j], root, whole;
		size_t at;

		whole = value_root(p, out, &at);
		if (is_movable(p, v, &root) && root != whole) {
			area_join(p, root, whole, at + to_at);
			has_joined = true;
		}
		to_at += fact_bytes(p, v);
	}
	return has_joined;
}

/** Copies for the parts that lie elsewhere. */
static void copy_parts(struct planner *p, int32_t number)
{
	const struct graph_node *node = &p->graph->node[number];
	const int32_t out = graph_out(p->graph, node)[0];
	size_t to_at = 0, out_at, at;
	const int32_t whole = value_root(p, out, &out_at);

	for (int32_t j = 0; j < node->n_in; j++) {
		int32_t v = graph_in(p->graph, node)[j];
		int32_t root = value_root(p, v, &at);
		size_t bytes = fact_bytes(p, v);

		if (root != whole || at != out_at + to_at)
			copy_add(p, &(struct copy){ .time = p->time[number],
						    .from = p->area[v],
						    .from_at = p->at[v],
						    .to = p->area[out],
						    .to_at = p->at[out] + to_at,
						    .bytes = bytes,
						    .node = number });
		to_at += bytes;
	}
}

void plan_alias_concats(struct planner *p)
{
	for (int32_t i = 0; i < p->n_order; i++) {
		const int32_t number = p->order[i];
		const struct graph_node *node = &p->graph->node[number];

		if (!is_outer_concat(p, node) || !join_parts(p, node))
			continue;
		copy_parts(p, number);
		p->fate[number] = FATE_PIECES;
	}
}

static bool meets(const struct planner *p, int32_t value, size_t at,
		  size_t begin, size_t end)
{
	return at < end && begin < at + fact_bytes(p, value);
}

/** Values in the root that meet bytes [begin, end) have all been read before
 * `time`, but for `but`, which is read then. Forgets values read before:
 * times rise from call to call. */
static bool has_died(struct planner *p, int32_t root, size_t begin, size_t end,
		     int32_t time, int32_t but)
{
	int32_t *link = &p->areas[root].head, last = -1, v;
	bool ok = true;
	size_t at;

	while ((v = *link) >= 0) {
		if (p->dies[v] < time) {
			*link = p->next[v];
			continue;
		}
		(void)value_root(p, v, &at);
		if (meets(p, v, at, begin, end) &&
		    (v != but || p->dies[v] != time))
			ok = false;
		last = v;
		link = &p->next[v];
	}
	p->areas[root].tail = last;
	return ok;
}

/** Output `out` of the node at `time` over input `in`, if nobody minds. */
static bool share(struct planner *p, int32_t in, int32_t out, int32_t time)
{
	const size_t bytes = fact_bytes(p, out);
	size_t at_in, at_out;
	int32_t x, y;
	bool moves_out;

	if (p->area[out] < 0 || !bytes || bytes != fact_bytes(p, in))
		return false;
	x = value_root(p, out, &at_out);
	y = value_root(p, in, &at_in);
	if (x == y || p->areas[x].fixed || p->areas[y].fixed ||
	    p->areas[y].is_input)
		return false;
	moves_out = at_out == 0 && p->areas[x].bytes == bytes;
	if (!moves_out && !(at_in == 0 && p->areas[y].bytes == bytes))
		return false;
	/* the bytes of `out` are its own until now: nothing is born in them
	 * before but values that came the same way, at earlier times */
	if (!has_died(p, y, at_in, at_in + bytes, time, in))
		return false;
	if (moves_out)
		area_join(p, x, y, at_in);
	else
		area_join(p, y, x, at_out);
	return true;
}

/** Input j is given once: no other input of the node has its bytes. */
static bool is_lone(struct planner *p, const struct graph_node *node, int32_t j)
{
	const int32_t *in = graph_in(p->graph, node);

	for (int32_t k = 0; k < node->n_in; k++)
		if (k != j && in[k] == in[j])
			return false;
	return in[j] != VALUE_NONE;
}

static void swap_inputs(struct planner *p, const struct graph_node *node)
{
	int32_t *edge = p->graph->edge + node->first_in, first = edge[0];

	edge[0] = edge[1];
	edge[1] = first;
}

/** A sum may as well be written over its second term. */
static bool may_swap(const struct planner *p, const struct graph_node *node)
{
	const int32_t *in = graph_in(p->graph, node);
	const struct fact *a, *b;

	if (!(node->op->flags & OP_COMMUTES) || node->n_in != 2 || in[0] < 0 ||
	    in[1] < 0)
		return false;
	a = &p->facts->fact[in[0]];
	b = &p->facts->fact[in[1]];
	return a->type.elem == b->type.elem && !a->value && !b->value &&
	       shape_equal(&a->shape, &b->shape);
}

static void run_in_place(struct planner *p, int32_t number)
{
	const struct graph_node *node = &p->graph->node[number];
	const unsigned flags = p->step[number].kernel->flags;
	const int32_t time = p->time[number];
	int32_t n = flags & KERNEL_IN_PLACE_ALL ? node->n_out : 1;
	bool first = false;

	if (!(flags & (KERNEL_IN_PLACE | KERNEL_IN_PLACE_ALL)))
		return;
	for (int32_t j = 0; j < n && j < node->n_in; j++) {
		const int32_t in = graph_in(p->graph, node)[j];
		const int32_t out = graph_out(p->graph, node)[j];

		if (out != VALUE_NONE && is_lone(p, node, j) &&
		    share(p, in, out, time))
			first = first || j == 0;
	}
	if (first || !may_swap(p, node) || !is_lone(p, node, 1) ||
	    !share(p, graph_in(p->graph, node)[1], graph_out(p->graph, node)[0],
		   time))
		return;
	swap_inputs(p, node);
}

void plan_alias_in_place(struct planner *p)
{
	for (int32_t i = 0; i < p->n_order; i++)
		if (p->fate[p->order[i]] == FATE_RUN)
			run_in_place(p, p->order[i]);
}
