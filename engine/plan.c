/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/plan.h"

#include "base/buf.h"
#include "base/mem.h"
#include "engine/passes/pass.h"
#include "engine/passes/widen.h"
#include "engine/planner_priv.h"

/** Copies facts and their values, so that the plan owns its signature. */
static enum err_code copy_signature(struct plan *plan,
				    const struct signature *signature,
				    struct fact **ret, struct err *err)
{
	const size_t n = (size_t)plan->graph->n_input;
	struct fact *input = arena_array(plan->arena, n + 1, sizeof(*input));

	if (signature->n != n)
		return err_set(err, ERR_INVALID, "expected %zu inputs, got %u",
			       n, signature->n);
	for (size_t i = 0; i < n && input; i++) {
		const struct fact *from = &signature->input[i];

		input[i] = *from;
		if (!from->value)
			continue;
		input[i].value =
		    arena_copy(plan->arena, from->value,
			       tensor_bytes(from->type.elem, &from->shape));
		if (!input[i].value)
			input = NULL;
	}
	if (!input)
		return err_set(err, ERR_NO_MEMORY, "plan: out of memory");
	*ret = input;
	return ERR_NONE;
}

static enum err_code place(struct planner *p, struct err *err)
{
	const bool shares = !p->plan->options.keep_all;
	enum err_code rc = plan_areas(p, err);

	if (rc)
		return rc;
	if (shares) {
		plan_alias_views(p);
		plan_alias_concats(p);
	}
	rc = plan_kernels(p, err);
	if (!rc)
		rc = plan_assigns(p, err);
	if (rc)
		return rc;
	if (shares)
		plan_alias_in_place(p);
	rc = plan_place(p, err);
	return rc ? rc : plan_steps(p, err);
}

static enum err_code plan_static(struct plan *plan, struct err *err)
{
	struct planner p = { .plan = plan,
			     .graph = plan->graph,
			     .facts = plan->facts };
	bool changed = false;
	enum err_code rc;

	p.arena = arena_create(SIZE_MAX / 2);
	if (!p.arena)
		return err_set(err, ERR_NO_MEMORY, "plan: out of memory");
	rc = plan_gradients(&p, err);
	if (!rc)
		rc = plan_expand(&p, err);
	if (!rc)
		rc = plan_fold(&p, err);
	if (!rc)
		rc = passes_plan(p.graph, p.facts, &plan->options, &changed,
				 err);
	if (!rc && changed)
		rc = plan_fold(&p, err);
	if (!rc && plan->options.products == PRODUCTS_BF16)
		rc = plan_round_products(&p, err);
	if (!rc)
		rc = plan_order(&p, err);
	if (!rc && plan->options.arena_goal)
		rc = plan_recompute(&p, err);
	if (!rc)
		rc = place(&p, err);
	plan_kernels_finish(&p);
	arena_destroy(p.arena);
	return rc;
}

static enum err_code fill(struct plan *plan, const struct graph *graph,
			  const struct signature *signature, struct err *err)
{
	struct fact *input = NULL;
	enum err_code rc = graph_clone(graph, &plan->graph, err);

	if (!rc)
		rc = copy_signature(plan, signature, &input, err);
	if (!rc)
		rc = plan_branches(plan->graph, input, err);
	if (!rc)
		rc = graph_widen(plan->graph, err);
	if (!rc)
		rc = graph_tidy(plan->graph, err);
	if (!rc)
		rc = facts_create(plan->graph, input, &plan->facts, err);
	if (!rc && plan_needs_tail(plan))
		rc = plan_cut_tail(plan, err);
	return rc ? rc : plan_static(plan, err);
}

enum err_code plan_create(const struct graph *graph,
			  const struct signature *signature,
			  const struct plan_options *options,
			  struct plan **ret_plan, struct err *err)
{
	struct plan *plan = mem_zero(sizeof(*plan));
	enum err_code rc = ERR_NO_MEMORY;

	if (plan) {
		atomic_init(&plan->refs, 1);
		plan->arena = arena_create(SIZE_MAX / 2);
	}
	if (!plan || !plan->arena) {
		(void)err_set(err, rc, "plan: out of memory");
		goto out;
	}
	if (options)
		plan->options = *options;
	rc = fill(plan, graph, signature, err);
	if (rc)
		goto out;
	*ret_plan = plan;
	plan = NULL;
out:
	plan_unref(plan);
	return rc;
}

struct plan *plan_ref(struct plan *plan)
{
	(void)atomic_fetch_add_explicit(&plan->refs, 1, memory_order_relaxed);
	return plan;
}

void plan_unref(struct plan *plan)
{
	if (!plan || atomic_fetch_sub_explicit(&plan->refs, 1,
					       memory_order_acq_rel) != 1)
		return;
	for (size_t i = 0; plan->step && i < plan->report.n_steps; i++) {
		const struct plan_step *step = &plan->step[i];

		if (step->kernel->finish && step->state)
			step->kernel->finish(step->state);
	}
	facts_destroy(plan->facts);
	graph_destroy(plan->tail);
	graph_destroy(plan->graph);
	arena_destroy(plan->arena);
	mem_free(plan);
}

const struct plan_report *plan_report(const struct plan *plan)
{
	return &plan->report;
}

const struct fact *plan_input(const struct plan *plan, unsigned i)
{
	return &plan->facts->fact[plan->graph->input[i]];
}

const struct fact *plan_output(const struct plan *plan, unsigned i)
{
	return &plan->facts->fact[plan->tail ? plan->output_value[i]
					     : plan->graph->output[i]];
}

unsigned plan_n_inputs(const struct plan *plan)
{
	return (unsigned)plan->graph->n_input;
}

unsigned plan_n_outputs(const struct plan *plan)
{
	return (unsigned)(plan->tail ? plan->n_output : plan->graph->n_output);
}

struct plan_step_info plan_step_info(const struct plan *plan, size_t i)
{
	const struct plan_step *step = &plan->step[i];

	return (struct plan_step_info){
		.node_name = step->name,
		.kernel = step->kernel,
		.query = &step->query,
		.state = step->state,
		.n_slices = step->n_slices,
		.cost_us = step->cost_us,
	};
}

static void print_step(const struct plan_step *step, struct buf *buf)
{
	size_t bytes = 0;

	for (unsigned i = 0; step->query.op && i < step->query.n_out; i++)
		if (!step->out[i].is_absent)
			bytes += tensor_bytes(step->query.out[i].type.elem,
					      &step->query.out[i].shape);
	if (!step->query.op)
		bytes = *(const size_t *)step->state;
	buf_printf(buf, "%-24s %-24s %3u slices %10.2f us %12zu bytes\n",
		   step->kernel->name, step->name, step->n_slices,
		   step->cost_us, bytes);
}

void plan_print(const struct plan *plan, struct buf *buf)
{
	for (size_t i = 0; i < plan->report.n_steps; i++)
		print_step(&plan->step[i], buf);
	for (int32_t i = 0; plan->tail && i < plan->tail->n_node; i++)
		buf_printf(buf, "%-24s %-24s only a run can shape it\n",
			   plan->tail->node[i].op->name,
			   plan->tail->node[i].name);
}
