/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Kernels of a plan: choosing and preparing them, and the planner's own copy.
 */
#include "engine/plan_query.h"
#include "engine/tuner.h"

static void copy_run(const struct kernel_call *call, unsigned slice,
		     void *scratch)
{
	const size_t bytes = *(const size_t *)call->state;
	int64_t first, last;

	(void)scratch;
	kernel_slice((int64_t)bytes, call->n_slices, slice, &first, &last);
	memcpy((char *)call->out[0] + first, (const char *)call->in[0] + first,
	       (size_t)(last - first));
}

const struct kernel plan_copy_kernel = {
	.name = "copy",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE,
	.run = copy_run,
};

/** "Conv(float, float, -)" for a message. */
static const char *signature_text(const struct kernel_query *q, char *text,
				  size_t cap)
{
	size_t len = (size_t)snprintf(text, cap, "%s(", q->op->name);

	for (unsigned i = 0; i < q->n_in && len < cap; i++)
		len += (size_t)snprintf(
		    text + len, cap - len, "%s%s", i ? ", " : "",
		    q->in[i].type.elem == DTYPE_NONE
			? "-"
			: dtype_info(q->in[i].type.elem)->name);
	if (len < cap)
		(void)snprintf(text + len, cap - len, ")");
	return text;
}

static enum err_code prepare(struct planner *p, int32_t number, struct err *err)
{
	struct plan_step *step = &p->step[number];
	struct kernel_setup setup;
	const struct kernel *kernel;
	enum err_code rc;
	char text[256];

	if (!kernel_choose(&step->query, p->plan->options.quick))
		return err_set(
		    err, ERR_UNSUPPORTED, "node '%s': no kernel for %s",
		    step->name,
		    signature_text(&step->query, text, sizeof(text)));
	rc = p->plan->options.quick
		 ? kernel_prepare(&step->query, true, &kernel, &setup, err)
		 : tuner_prepare(p->plan->options.tuner, &step->query, &kernel,
				 &setup, err);
	if (rc)
		return err_prefix(err, "node '%s' (%s)", step->name,
				  step->query.op->name);
	step->kernel = kernel;
	step->state = setup.state;
	step->n_slices = setup.n_slices ? setup.n_slices : 1;
	step->scratch_bytes = plan_round(setup.scratch_bytes);
	p->plan->report.packs += setup.pack_bytes;
	step->cost_us = kernel_cost(kernel, &step->query);
	return ERR_NONE;
}

static enum err_code ask(struct planner *p, int32_t number, struct err *err)
{
	const struct graph_node *node = &p->graph->node[number];
	struct plan_step *step = &p->step[number];
	enum err_code rc =
	    plan_query(p, node, p->plan->arena, &step->query, err);

	if (rc)
		return rc;
	step->name = node->name;
	return prepare(p, number, err);
}

unsigned plan_scratches(const struct planner *p, unsigned n_slices)
{
	const struct plan_options *options = &p->plan->options;

	return options->one_scratch ||
		       (options->arena_goal && options->threads <= 1)
		   ? 1
		   : n_slices;
}

enum err_code plan_kernels(struct planner *p, struct err *err)
{
	enum err_code rc = ERR_NONE;

	for (int32_t i = 0; i < p->n_order && !rc; i++) {
		const int32_t number = p->order[i], time = i + 1;
		const struct plan_step *step = &p->step[number];
		size_t bytes;

		p->scratch[number] = -1;
		if (p->fate[number] != FATE_RUN)
			continue;
		rc = ask(p, number, err);
		bytes = step->scratch_bytes * plan_scratches(p, step->n_slices);
		if (!rc && bytes)
			p->scratch[number] = area_add(p, bytes, time, time);
	}
	return rc;
}

void plan_kernels_finish(struct planner *p)
{
	for (int32_t i = 0; p->step && i < p->n_order; i++) {
		struct plan_step *step = &p->step[p->order[i]];

		if (step->kernel && step->kernel->finish && step->state)
			step->kernel->finish(step->state);
		step->kernel = NULL;
	}
}
