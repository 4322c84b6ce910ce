/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/instance.h"

#include <stdint.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "engine/body_plans.h"
#include "engine/flush.h"
#include "engine/interpreter.h"
#include "engine/plan_priv.h"

/** Of the values of a tail at once, where the plan says nothing. */
#define TAIL_BYTES_MAX ((size_t)4 << 30)

/** Below this much predicted work a run is over before helpers are awake: they
 * are asked only where one run follows another so fast that they still are. */
#define TEAM_FROM_US 150.0
#define FOLLOW_FROM_US 10.0
#define FOLLOWS_NS 20000
/* a step of less is done before a helper has seen it */
#define STEP_FROM_US 4.0

struct instance {
	struct plan *plan;
	char *block;
	bool is_borrowed;		  /* the block */
	struct arena *arena;		  /* of what follows */
	struct kernel_call *call;	  /* by step */
	int32_t *fault;			  /* by step; 0: none */
	size_t n_bound;			  /* steps that are bound */
	struct text_heap *heap;		  /* NULL: no step makes strings */
	const struct observer *observer;  /* NULL: nobody */
	bool poisons, calls_always;	  /* for tests */
	int64_t ended_ns;		  /* the last run, where it matters */
	struct interpreter_result result; /* of the last run's tail */
	struct body_plans *bodies;	  /* of the tail; NULL: no tail */
};

static enum err_code no_memory(struct err *err)
{
	return err_set(err, ERR_NO_MEMORY, "instance: out of memory");
}

static void *address(const struct instance *instance, const struct spot *spot)
{
	if (spot->is_absent)
		return NULL;
	return (spot->fixed ? spot->fixed : instance->block) + spot->offset;
}

size_t instance_bytes(const struct plan *plan)
{
	return plan_round(plan->report.arena + 1);
}

static enum err_code make_block(struct instance *instance, struct err *err)
{
	const size_t bytes = instance_bytes(instance->plan);

	instance->block = mem_large(bytes);
	if (!instance->block)
		return err_set(err, ERR_NO_MEMORY,
			       "instance: no memory for %zu bytes", bytes);
	/* touched now, so that no run pays for the first touch */
	memset(instance->block, 0, bytes);
	return ERR_NONE;
}

static enum err_code bind(struct instance *instance, size_t i, struct err *err)
{
	const struct plan_step *step = &instance->plan->step[i];
	const struct kernel_query *query = &step->query;
	struct kernel_call *call = &instance->call[i];
	const size_t n_in = query->n_in, n_out = query->n_out;
	const void **in = arena_array(instance->arena, n_in + 1, sizeof(*in));
	void **out = arena_array(instance->arena, n_out + 1, sizeof(*out));

	if (!in || !out)
		return no_memory(err);
	for (size_t j = 0; j < n_in; j++)
		in[j] = address(instance, &step->in[j]);
	for (size_t j = 0; j < n_out; j++)
		out[j] = address(instance, &step->out[j]);
	if (step->kernel->flags & KERNEL_TEXT && !instance->heap) {
		enum err_code rc =
		    text_heap_create(TEXT_HEAP_MAX, &instance->heap, err);

		if (rc)
			return rc;
	}
	*call = (struct kernel_call){
		.query = query,
		.state = step->state,
		.in = in,
		.out = out,
		.n_slices = step->n_slices,
		.fault = &instance->fault[i],
		.heap = instance->heap,
	};
	instance->n_bound = i + 1;
	return step->kernel->bind ? step->kernel->bind(call, err) : ERR_NONE;
}

static enum err_code bind_all(struct instance *instance, struct err *err)
{
	const size_t n = instance->plan->report.n_steps;
	enum err_code rc = ERR_NONE;

	instance->call =
	    arena_array(instance->arena, n + 1, sizeof(*instance->call));
	instance->fault =
	    arena_array(instance->arena, n + 1, sizeof(*instance->fault));
	if (!instance->call || !instance->fault)
		return no_memory(err);
	for (size_t i = 0; i < n && !rc; i++)
		rc = bind(instance, i, err);
	return rc;
}

/* block NULL: one of its own. */
static enum err_code create(struct plan *plan, char *block,
			    struct instance **ret_instance, struct err *err)
{
	struct instance *instance = mem_zero(sizeof(*instance));
	enum err_code rc;

	if (!instance)
		return no_memory(err);
	instance->plan = plan_ref(plan);
	instance->block = block;
	instance->is_borrowed = block != NULL;
	instance->arena = arena_create(SIZE_MAX / 2);
	rc = instance->arena ? ERR_NONE : no_memory(err);
	if (!rc && !block)
		rc = make_block(instance, err);
	if (!rc)
		rc = bind_all(instance, err);
	if (!rc && plan->tail)
		rc = body_plans_create(&plan->options, &instance->bodies, err);
	if (rc) {
		instance_destroy(instance);
		return rc;
	}
	*ret_instance = instance;
	return ERR_NONE;
}

enum err_code instance_create(struct plan *plan, struct instance **ret_instance,
			      struct err *err)
{
	return create(plan, NULL, ret_instance, err);
}

enum err_code instance_create_in(struct plan *plan, void *block, size_t bytes,
				 struct instance **ret_instance,
				 struct err *err)
{
	if (bytes < instance_bytes(plan))
		return err_set(err, ERR_INVALID,
			       "instance: expected a block of %zu bytes, got "
			       "%zu",
			       instance_bytes(plan), bytes);
	return create(plan, block, ret_instance, err);
}

void instance_destroy(struct instance *instance)
{
	if (!instance)
		return;
	for (size_t i = 0; i < instance->n_bound; i++) {
		const struct kernel *kernel = instance->plan->step[i].kernel;

		if (kernel->unbind && instance->call[i].bound)
			kernel->unbind(instance->call[i].bound);
	}
	interpreter_result_finish(&instance->result);
	body_plans_destroy(instance->bodies);
	text_heap_destroy(instance->heap);
	arena_destroy(instance->arena);
	if (!instance->is_borrowed)
		mem_free(instance->block);
	plan_unref(instance->plan);
	mem_free(instance);
}

static struct tensor_view view(void *data, const struct fact *fact)
{
	return (struct tensor_view){
		.data = data,
		.dtype = fact->type.elem,
		.shape = fact->shape,
	};
}

struct tensor_view instance_input(struct instance *instance, unsigned i)
{
	return view(address(instance, &instance->plan->input[i]),
		    plan_input(instance->plan, i));
}

/* Output number i of the steps. */
static struct tensor_view steps_output(struct instance *instance, int32_t i)
{
	const struct plan *plan = instance->plan;

	return view(address(instance, &plan->output[i]),
		    &plan->facts->fact[plan->graph->output[i]]);
}

struct tensor_view instance_output(struct instance *instance, unsigned i)
{
	const struct plan *plan = instance->plan;
	const struct tail_place *place;

	if (!plan->tail)
		return steps_output(instance, (int32_t)i);
	place = &plan->place[i];
	if (place->from == TAIL_FROM_STEPS)
		return steps_output(instance, place->index);
	if (!instance->result.value)
		return view(NULL, plan_output(plan, i));
	return instance->result.value[plan->tail->output[place->index]];
}

struct plan *instance_plan(const struct instance *instance)
{
	return instance->plan;
}

void instance_observe(struct instance *instance,
		      const struct observer *observer)
{
	instance->observer = observer;
}

void instance_poison(struct instance *instance)
{
	instance->poisons = true;
}

void instance_call_always(struct instance *instance)
{
	instance->calls_always = true;
}

struct slices {
	const struct plan_step *step;
	const struct kernel_call *call;
	char *scratch; /* of slice 0 */
	const struct observer *observer;
	size_t number; /* of the step, for the observer */
};

static void run_slice(void *arg, unsigned slice)
{
	const struct slices *slices = arg;

	slices->step->kernel->run(slices->call, slice,
				  slices->scratch +
				      slice * slices->step->scratch_bytes);
}

static void run_observed_slice(void *arg, unsigned slice)
{
	const struct slices *slices = arg;
	const struct observer *observer = slices->observer;

	observer->slice(observer->data, slices->number, slice, false);
	run_slice(arg, slice);
	observer->slice(observer->data, slices->number, slice, true);
}

static void run_step(struct instance *instance, size_t i, struct team *team)
{
	const struct observer *observer = instance->observer;
	const struct plan_step *step = &instance->plan->step[i];
	struct slices slices = {
		.step = step,
		.call = &instance->call[i],
		.scratch = instance->block + step->scratch_offset,
		.observer = observer,
		.number = i,
	};

	if (team && step->n_slices > 1 &&
	    !(instance->plan->options.one_scratch && step->scratch_bytes) &&
	    (step->cost_us >= STEP_FROM_US || instance->calls_always)) {
		team_run(team, step->n_slices,
			 observer ? run_observed_slice : run_slice, &slices);
		return;
	}
	/* one after the other: all in the first one's scratch, still warm */
	for (unsigned j = 0; j < step->n_slices; j++) {
		if (observer)
			observer->slice(observer->data, i, j, false);
		step->kernel->run(slices.call, j, slices.scratch);
		if (observer)
			observer->slice(observer->data, i, j, true);
	}
}

/** Fills what nobody needs after `step` steps. */
static void poison(struct instance *instance, size_t step)
{
	const struct plan *plan = instance->plan;

	for (size_t i = 0; i < plan->n_freed; i++)
		if (plan->freed[i].step == step)
			memset(instance->block + plan->freed[i].offset, 0xFF,
			       plan->freed[i].bytes);
}

/** Fills everything but the inputs. */
static void poison_all(struct instance *instance)
{
	const struct plan *plan = instance->plan;
	size_t at = 0, next;

	for (; at < plan->report.arena; at = next) {
		bool is_input = false;

		next = at + PLAN_ALIGN;
		for (unsigned i = 0; i < plan_n_inputs(plan); i++) {
			const struct fact *fact = plan_input(plan, i);
			const size_t first = plan->input[i].offset;
			const size_t bytes =
			    tensor_bytes(fact->type.elem, &fact->shape);

			is_input =
			    is_input || (at >= first && at < first + bytes);
		}
		if (!is_input)
			memset(instance->block + at, 0xFF, PLAN_ALIGN);
	}
}

static enum err_code check_faults(struct instance *instance, struct err *err)
{
	const struct plan *plan = instance->plan;
	enum err_code rc = ERR_NONE;

	for (size_t i = 0; i < plan->report.n_steps; i++) {
		const struct plan_step *step = &plan->step[i];
		const int32_t fault = instance->fault[i];

		if (!fault)
			continue;
		instance->fault[i] = 0;
		if (!rc && instance->call[i].heap &&
		    text_heap_is_full(instance->heap))
			rc = text_heap_refuse(instance->heap, step->name, err);
		if (!rc)
			rc = err_set(err, ERR_INVALID,
				     "node '%s' (%s): bad value at element %d",
				     step->name, step->query.op->name,
				     (int)fault - 1);
	}
	return rc;
}

/* A small run that comes right after another one has a team whose helpers are
 * awake, or soon will be for the next; others are done alone. */
static bool follows(const struct instance *instance, struct team *team)
{
	if (!team || !team->helpers ||
	    instance->plan->report.cost_us < FOLLOW_FROM_US ||
	    clock_monotonic_ns() - instance->ended_ns > FOLLOWS_NS)
		return false;
	team_wake(team);
	return true;
}

static enum err_code run_steps(struct instance *instance, struct team *team,
			       struct err *err)
{
	const struct plan *plan = instance->plan;
	const bool is_small = plan->report.cost_us < TEAM_FROM_US;
	const uint64_t old = flush_begin();

	if (is_small && !instance->calls_always && !follows(instance, team))
		team = NULL;
	if (instance->heap)
		text_heap_reset(instance->heap);
	if (instance->poisons)
		poison_all(instance);
	for (size_t i = 0; i < plan->report.n_steps; i++) {
		run_step(instance, i, team);
		if (instance->poisons)
			poison(instance, i + 1);
	}
	flush_end(old);
	if (is_small)
		instance->ended_ns = clock_monotonic_ns();
	return check_faults(instance, err);
}

/* What only a run can shape, with what the steps made. */
static enum err_code run_tail(struct instance *instance, struct err *err)
{
	const struct plan *plan = instance->plan;
	const struct interpreter_options options = {
		.max_bytes = plan->options.memory_limit
				 ? plan->options.memory_limit
				 : TAIL_BYTES_MAX,
		.frees = true,
		.observer = instance->observer,
		.bodies = instance->bodies,
	};
	const size_t n = (size_t)plan->tail->n_input;
	struct tensor_view *input = mem_array(n + 1, sizeof(*input));
	enum err_code rc;
	uint64_t old;

	if (!input)
		return no_memory(err);
	for (size_t i = 0; i < n; i++) {
		const struct tail_place *place = &plan->tail_input[i];

		input[i] =
		    place->from == TAIL_FROM_INPUT
			? instance_input(instance, (unsigned)place->index)
			: steps_output(instance, place->index);
	}
	interpreter_result_finish(&instance->result);
	old = flush_begin();
	rc = interpret(plan->tail, input, &options, &instance->result, err);
	flush_end(old);
	mem_free(input);
	return rc;
}

enum err_code instance_run(struct instance *instance, struct team *team,
			   struct err *err)
{
	enum err_code rc = run_steps(instance, team, err);

	return rc || !instance->plan->tail ? rc : run_tail(instance, err);
}
