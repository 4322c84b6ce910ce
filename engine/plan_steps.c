/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Steps: what the planner decided, as the arrays that an instance runs.
 */
#include "engine/planner_priv.h"

enum {
	COPY_SLICE = 1 << 20,	 /* bytes worth a slice of their own */
	COPY_BYTES_PER_US = 8000 /* of one thread, from and to memory */
};

static struct spot spot_at(struct planner *p, int32_t area, size_t at)
{
	size_t shift;
	const struct area *root = &p->areas[area_root(p, area, &shift)];

	if (root->fixed)
		return (struct spot){ .fixed = root->fixed,
				      .offset = at + shift };
	return (struct spot){ .offset = root->offset + at + shift };
}

static struct spot spot_of(struct planner *p, int32_t value)
{
	if (value == VALUE_NONE || p->area[value] < 0)
		return (struct spot){ .is_absent = true };
	return spot_at(p, p->area[value], p->at[value]);
}

static struct spot *spots(struct planner *p, const int32_t *edge, int32_t n)
{
	struct spot *spot =
	    arena_array(p->plan->arena, (size_t)n + 1, sizeof(*spot));

	for (int32_t i = 0; spot && i < n; i++)
		spot[i] = spot_of(p, edge[i]);
	return spot;
}

static struct plan_step *next_step(struct planner *p)
{
	return &p->plan->step[p->plan->report.n_steps++];
}

static bool emit_node(struct planner *p, int32_t number)
{
	const struct graph_node *node = &p->graph->node[number];
	struct plan_step step = p->step[number];

	step.in = spots(p, graph_in(p->graph, node), node->n_in);
	step.out = spots(p, graph_out(p->graph, node), node->n_out);
	step.time = p->time[number];
	step.node = number;
	if (p->scratch[number] >= 0)
		step.scratch_offset = p->areas[p->scratch[number]].offset;
	if (!step.in || !step.out)
		return false;
	*next_step(p) = step;
	p->step[number].kernel = NULL; /* its state is the plan's now */
	return true;
}

static bool emit_copy(struct planner *p, const struct copy *copy)
{
	struct arena *arena = p->plan->arena;
	const size_t slices = 1 + copy->bytes / COPY_SLICE;
	const unsigned threads = p->plan->options.threads;
	struct spot *spot = arena_array(arena, 2, sizeof(*spot));
	void *state = arena_copy(arena, &copy->bytes, sizeof(copy->bytes));

	if (!spot || !state)
		return false;
	spot[0] = spot_at(p, copy->from, copy->from_at);
	spot[1] = spot_at(p, copy->to, copy->to_at);
	*next_step(p) = (struct plan_step){
		.kernel = &plan_copy_kernel,
		.query = { .n_in = 1, .n_out = 1 },
		.state = state,
		.name = copy->node < 0 ? "" : p->graph->node[copy->node].name,
		.n_slices = slices < threads ? (unsigned)slices
			    : threads	     ? threads
					     : 1,
		.cost_us = (double)copy->bytes / COPY_BYTES_PER_US,
		.in = spot,
		.out = spot + 1,
		.time = copy->time,
		.node = -1,
	};
	return true;
}

static int by_time(const void *x, const void *y)
{
	const struct copy *a = x, *b = y;

	if (a->time != b->time)
		return a->time < b->time ? -1 : 1;
	if (a->to != b->to)
		return a->to < b->to ? -1 : 1;
	if (a->to_at != b->to_at)
		return a->to_at < b->to_at ? -1 : 1;
	return (a->from > b->from) - (a->from < b->from);
}

static bool emit_all(struct planner *p)
{
	int32_t copy = 0;

	qsort(p->copy, (size_t)p->n_copies, sizeof(*p->copy), by_time);
	for (int32_t time = 0; time < time_end(p); time++) {
		for (; copy < p->n_copies && p->copy[copy].time == time; copy++)
			if (!emit_copy(p, &p->copy[copy]))
				return false;
		if (time < 1 || time > p->n_order ||
		    p->fate[p->order[time - 1]] != FATE_RUN)
			continue;
		if (!emit_node(p, p->order[time - 1]))
			return false;
	}
	return true;
}

static int by_step(const void *x, const void *y)
{
	const struct plan_freed *a = x, *b = y;

	if (a->step != b->step)
		return a->step < b->step ? -1 : 1;
	return (a->offset > b->offset) - (a->offset < b->offset);
}

/** What is free once so many steps have run. */
static bool list_freed(struct planner *p)
{
	struct plan *plan = p->plan;
	const size_t n_times = (size_t)time_end(p) + 1;
	size_t *until = arena_array(p->arena, n_times, sizeof(*until));

	plan->freed = arena_array(plan->arena, (size_t)p->n_areas + 1,
				  sizeof(*plan->freed));
	if (!until || !plan->freed)
		return false;
	for (size_t i = 0; i < plan->report.n_steps; i++)
		until[plan->step[i].time] = i + 1;
	for (size_t t = 1; t < n_times; t++)
		if (!until[t])
			until[t] = until[t - 1];
	for (int32_t i = 0; i < p->n_areas; i++) {
		const struct area *area = &p->areas[i];

		if (area->parent >= 0 || area->fixed || !area->bytes ||
		    area->last >= time_end(p) || plan->options.keep_all)
			continue;
		plan->freed[plan->n_freed++] = (struct plan_freed){
			.step = until[area->last],
			.offset = area->offset,
			.bytes = plan_round(area->bytes),
		};
	}
	qsort(plan->freed, plan->n_freed, sizeof(*plan->freed), by_step);
	return true;
}

static void report(struct planner *p)
{
	struct plan_report *report = &p->plan->report;
	const struct graph *graph = p->graph;

	for (int32_t v = 0; v < graph->n_value; v++)
		if (graph->value[v].origin == ORIGIN_CONST && p->dies[v] >= 0)
			report->constants += fact_bytes(p, v);
	for (int32_t i = 0; i < graph->n_variable; i++)
		report->variables +=
		    tensor_bytes(graph->variable[i].view.dtype,
				 &graph->variable[i].view.shape);
	for (size_t i = 0; i < report->n_steps; i++) {
		const struct plan_step *step = &p->plan->step[i];
		size_t scratch = step->scratch_bytes * step->n_slices;

		report->cost_us += step->cost_us;
		if (report->scratch < scratch)
			report->scratch = scratch;
	}
	report->peak = report->constants + report->packs + report->variables +
		       report->arena;
}

enum err_code plan_steps(struct planner *p, struct err *err)
{
	struct plan *plan = p->plan;
	const struct graph *graph = p->graph;
	const size_t n = (size_t)p->n_order + (size_t)p->n_copies + 1;

	plan->step = arena_array(plan->arena, n, sizeof(*plan->step));
	plan->input = spots(p, graph->input, graph->n_input);
	plan->output = spots(p, graph->output, graph->n_output);
	if (!plan->step || !plan->input || !plan->output || !emit_all(p) ||
	    !list_freed(p))
		return err_set(err, ERR_NO_MEMORY, "plan: out of memory");
	for (int32_t i = 0; i < graph->n_output; i++)
		if (p->output_area[i] >= 0)
			plan->output[i] = spot_at(p, p->output_area[i], 0);
	report(p);
	return ERR_NONE;
}
