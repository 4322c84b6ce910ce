/* SPDX-License-Identifier: Apache-2.0 */
#include "plan_check.h"

#include <stdio.h>

#include "base/arena.h"
#include "engine/attr.h"

typedef uint64_t tag; /* 0: nothing; value + 1 and byte; or an address */

struct region {
	char *base;
	size_t bytes;
	tag *tags;
};

struct check {
	const struct plan *plan;
	const struct graph *graph;
	struct arena *arena;
	tag **content;	/* by value */
	bool *has_step; /* by node */
	tag *block;
	struct region *region; /* memory of constants and variables */
	size_t n_regions;
	char *text;
	size_t cap;
};

static size_t bytes_of(const struct check *c, int32_t v)
{
	const struct fact *fact = &c->plan->facts->fact[v];

	return tensor_bytes(fact->type.elem, &fact->shape);
}

static tag address_tag(const char *address)
{
	return (tag)1 << 63 | (tag)(uintptr_t)address;
}

/** Regions that meet become one: parameters are parts of a flat variable. */
static void add_region(struct check *c, char *base, size_t bytes)
{
	for (size_t i = 0; bytes && i < c->n_regions; i++) {
		struct region *r = &c->region[i];
		char *end = base + bytes;

		if (base >= r->base + r->bytes || r->base >= end)
			continue;
		if (end < r->base + r->bytes)
			end = r->base + r->bytes;
		if (base > r->base)
			base = r->base;
		bytes = (size_t)(end - base);
		*r = c->region[--c->n_regions];
		i = SIZE_MAX; /* from the start again */
	}
	if (bytes)
		c->region[c->n_regions++] =
		    (struct region){ base, bytes, NULL };
}

static void make_regions(struct check *c)
{
	const struct graph *graph = c->graph;

	c->region = arena_array(
	    c->arena, (size_t)(graph->n_constant + graph->n_variable + 1),
	    sizeof(*c->region));
	for (int32_t i = 0; i < graph->n_constant; i++)
		add_region(c, graph->constant[i].data,
			   tensor_bytes(graph->constant[i].dtype,
					&graph->constant[i].shape));
	for (int32_t i = 0; i < graph->n_variable; i++)
		add_region(c, graph->variable[i].view.data,
			   tensor_bytes(graph->variable[i].view.dtype,
					&graph->variable[i].view.shape));
	for (size_t i = 0; i < c->n_regions; i++) {
		struct region *r = &c->region[i];

		r->tags = arena_array(c->arena, r->bytes, sizeof(tag));
		for (size_t j = 0; j < r->bytes; j++)
			r->tags[j] = address_tag(r->base + j);
	}
}

/** Tags of `bytes` bytes at a spot, or NULL when there is no such memory. */
static tag *at(const struct check *c, const struct spot *spot, size_t bytes)
{
	const char *address = spot->fixed + spot->offset;

	if (!spot->fixed)
		return spot->offset + bytes <= c->plan->report.arena
			   ? c->block + spot->offset
			   : NULL;
	for (size_t i = 0; i < c->n_regions; i++) {
		const struct region *r = &c->region[i];

		if (address >= r->base && address + bytes <= r->base + r->bytes)
			return r->tags + (address - r->base);
	}
	return NULL;
}

static void own_content(const struct check *c, int32_t v)
{
	for (size_t i = 0; i < bytes_of(c, v); i++)
		c->content[v][i] = (tag)(v + 1) << 32 | i;
}

static void source_content(const struct check *c, int32_t v)
{
	const struct graph_value *value = &c->graph->value[v];
	const char *base;

	if (value->origin == ORIGIN_INPUT) {
		own_content(c, v);
		return;
	}
	base = value->origin == ORIGIN_CONST
		   ? c->graph->constant[value->source].data
		   : c->graph->variable[value->source].view.data;
	for (size_t i = 0; i < bytes_of(c, v); i++)
		c->content[v][i] = address_tag(base + i);
}

static int64_t known_int(const struct fact *fact, int64_t i)
{
	int64_t value = 0;

	dtype_convert(fact->type.elem,
		      (const char *)fact->value +
			  (size_t)i * dtype_info(fact->type.elem)->size,
		      DTYPE_I64, &value, 1, false);
	return value;
}

/** Bytes before the range that a Slice keeps of its one shortened axis. */
static size_t slice_offset(const struct check *c, const struct graph_node *node)
{
	const struct fact *fact = c->plan->facts->fact;
	const int32_t *in = graph_in(c->graph, node);
	const struct fact *x = &fact[in[0]], *start = &fact[in[1]];
	const struct fact *y = &fact[graph_out(c->graph, node)[0]];
	const bool has_axes = node->n_in > 3 && in[3] != VALUE_NONE;
	const unsigned rank = x->shape.rank;

	for (int64_t i = 0; i < shape_count(&start->shape); i++) {
		int64_t axis = has_axes ? known_int(&fact[in[3]], i) : i;
		int64_t first = known_int(start, i);

		axis += axis < 0 ? (int64_t)rank : 0;
		if (x->shape.dim[axis] == y->shape.dim[axis])
			continue;
		first += first < 0 ? x->shape.dim[axis] : 0;
		first = first < 0 ? 0 : first;
		return (size_t)first *
		       (size_t)shape_range(&x->shape, (unsigned)axis + 1,
					   rank) *
		       dtype_info(x->type.elem)->size;
	}
	return 0;
}

/** A Transpose whose result walks its input from end to end. */
static bool walks_on(const struct check *c, const struct graph_node *node)
{
	const struct shape *x =
	    &c->plan->facts->fact[graph_in(c->graph, node)[0]].shape;
	const struct op_attr *row = op_attr_find(node->op->attrs, "perm");
	struct attr_value perm;
	int64_t before = INT64_MAX;

	if (!row || !op_attr_get(row, node->attrs, &perm))
		return false;
	for (unsigned i = 0; i < x->rank; i++) {
		const int64_t axis =
		    perm.ints.n ? perm.ints.v[i] : x->rank - 1 - i;
		const int64_t step =
		    shape_range(x, (unsigned)axis + 1, x->rank);

		if (x->dim[axis] != 1 && step >= before)
			return false;
		before = x->dim[axis] != 1 ? step : before;
	}
	return true;
}

/** What a node without a step leaves in its results: ranges of its inputs. */
static bool moved_content(struct check *c, const struct graph_node *node)
{
	const int32_t *in = graph_in(c->graph, node);
	const int32_t *out = graph_out(c->graph, node);
	size_t offset = 0;

	if (!strcmp(node->op->name, "Concat")) {
		for (int32_t j = 0; j < node->n_in; j++) {
			memcpy(c->content[out[0]] + offset, c->content[in[j]],
			       bytes_of(c, in[j]) * sizeof(tag));
			offset += bytes_of(c, in[j]);
		}
		return true;
	}
	if (!strcmp(node->op->name, "Slice")) {
		offset = slice_offset(c, node);
	} else if (!strcmp(node->op->name, "Transpose")) {
		if (!walks_on(c, node))
			return false;
	} else if (strcmp(node->op->name, "Split") &&
		   !(node->op->flags & OP_VIEW)) {
		return false;
	}
	for (int32_t j = 0; j < node->n_out; j++) {
		memcpy(c->content[out[j]], c->content[in[0]] + offset,
		       bytes_of(c, out[j]) * sizeof(tag));
		offset += bytes_of(c, out[j]);
	}
	return true;
}

static bool make_contents(struct check *c)
{
	const struct graph *graph = c->graph;

	c->content = arena_array(c->arena, (size_t)graph->n_value + 1,
				 sizeof(*c->content));
	c->has_step = arena_array(c->arena, (size_t)graph->n_node + 1,
				  sizeof(*c->has_step));
	for (size_t i = 0; i < c->plan->report.n_steps; i++)
		if (c->plan->step[i].node >= 0)
			c->has_step[c->plan->step[i].node] = true;
	for (int32_t v = 0; v < graph->n_value; v++) {
		c->content[v] =
		    arena_array(c->arena, bytes_of(c, v) + 1, sizeof(tag));
		if (graph->value[v].origin != ORIGIN_NODE)
			source_content(c, v);
	}
	for (int32_t i = 0; i < graph->n_node; i++) {
		const struct graph_node *node = &graph->node[i];

		if (!c->has_step[i] && !moved_content(c, node)) {
			(void)snprintf(c->text, c->cap, "no step for '%s'",
				       node->op->name);
			return false;
		}
		for (int32_t j = 0; c->has_step[i] && j < node->n_out; j++)
			own_content(c, graph_out(graph, node)[j]);
	}
	return true;
}

static bool holds(struct check *c, const char *who, const struct spot *spot,
		  int32_t v)
{
	const tag *tags;

	if (v == VALUE_NONE || !bytes_of(c, v))
		return true;
	tags = spot->is_absent ? NULL : at(c, spot, bytes_of(c, v));
	if (tags && !memcmp(tags, c->content[v], bytes_of(c, v) * sizeof(tag)))
		return true;
	(void)snprintf(c->text, c->cap, "%s: value '%s' is not at offset %zu%s",
		       who, c->graph->value[v].name, spot->offset,
		       spot->fixed ? " of fixed memory" : "");
	return false;
}

static void forget_scratch(struct check *c, const struct plan_step *step)
{
	if (step->scratch_bytes)
		memset(c->block + step->scratch_offset, 0,
		       step->scratch_bytes * step->n_slices * sizeof(tag));
}

/** An output may meet an input only where the kernel says so. */
static bool is_apart(struct check *c, const struct plan_step *step)
{
	const struct graph_node *node = &c->graph->node[step->node];

	for (int32_t j = 0; j < node->n_out * node->n_in; j++) {
		const int32_t k = j % node->n_out, i = j / node->n_out;
		const int32_t in = graph_in(c->graph, node)[i];
		const int32_t out = graph_out(c->graph, node)[k];
		const unsigned flags = step->kernel->flags;
		const tag *x, *y;

		if (in < 0 || out < 0 || step->out[k].is_absent ||
		    !bytes_of(c, in))
			continue;
		x = at(c, &step->in[i], bytes_of(c, in));
		y = at(c, &step->out[k], bytes_of(c, out));
		if (!x || !y || x >= y + bytes_of(c, out) ||
		    y >= x + bytes_of(c, in))
			continue;
		if (x == y && i == k && bytes_of(c, in) == bytes_of(c, out) &&
		    (flags & KERNEL_IN_PLACE_ALL ||
		     (!i && flags & KERNEL_IN_PLACE)))
			continue;
		(void)snprintf(c->text, c->cap, "'%s' writes over input %d",
			       node->op->name, i);
		return false;
	}
	return true;
}

static bool run_node(struct check *c, const struct plan_step *step)
{
	const struct graph_node *node = &c->graph->node[step->node];

	forget_scratch(c, step);
	for (int32_t j = 0; j < node->n_in; j++)
		if (!holds(c, node->op->name, &step->in[j],
			   graph_in(c->graph, node)[j]))
			return false;
	if (!is_apart(c, step))
		return false;
	for (int32_t j = 0; j < node->n_out; j++) {
		int32_t v = graph_out(c->graph, node)[j];
		tag *tags = step->out[j].is_absent
				? NULL
				: at(c, &step->out[j], bytes_of(c, v));

		if (tags)
			memcpy(tags, c->content[v],
			       bytes_of(c, v) * sizeof(tag));
	}
	forget_scratch(c, step);
	return true;
}

static bool run_steps(struct check *c)
{
	const struct plan *plan = c->plan;

	for (size_t i = 0; i < plan->report.n_steps; i++) {
		const struct plan_step *step = &plan->step[i];
		size_t bytes;
		tag *from, *to;

		if (step->node >= 0) {
			if (!run_node(c, step))
				return false;
			continue;
		}
		bytes = *(const size_t *)step->state;
		from = at(c, step->in, bytes);
		to = at(c, step->out, bytes);
		if (!from || !to || (from < to + bytes && to < from + bytes)) {
			(void)snprintf(c->text, c->cap, "a copy over itself");
			return false;
		}
		memcpy(to, from, bytes * sizeof(tag));
	}
	return true;
}

static bool check_results(struct check *c)
{
	const struct graph *graph = c->graph;

	for (int32_t i = 0; i < graph->n_output; i++)
		if (!holds(c, "output", &c->plan->output[i], graph->output[i]))
			return false;
	for (int32_t i = 0; i < graph->n_assign; i++) {
		const struct assign *assign = &graph->assign[i];
		const struct spot spot = {
			.fixed = graph->variable[assign->variable].view.data
		};

		if (!holds(c, "variable", &spot, assign->value))
			return false;
	}
	return true;
}

bool plan_check(const struct plan *plan, char *text, size_t cap)
{
	struct check c = {
		.plan = plan, .graph = plan->graph, .text = text, .cap = cap
	};
	bool ok;

	c.arena = arena_create(SIZE_MAX / 2);
	c.block = arena_array(c.arena, plan->report.arena + 1, sizeof(tag));
	make_regions(&c);
	ok = make_contents(&c);
	for (int32_t i = 0; ok && i < c.graph->n_input; i++) {
		int32_t v = c.graph->input[i];

		memcpy(at(&c, &plan->input[i], bytes_of(&c, v)), c.content[v],
		       bytes_of(&c, v) * sizeof(tag));
	}
	ok = ok && run_steps(&c) && check_results(&c);
	for (int32_t i = 0; ok && i < c.graph->n_input; i++)
		ok = holds(&c, "input after the run", &plan->input[i],
			   c.graph->input[i]);
	arena_destroy(c.arena);
	return ok;
}
