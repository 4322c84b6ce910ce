/* SPDX-License-Identifier: Apache-2.0 */
#include "training/stepper.h"

#include <math.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "engine/instance.h"
#include "training/weights.h"

/* each group of layers is two of the optimizer's */
enum { GROUP_DECAYED, GROUP_PLAIN, KINDS };
enum { WAYS = STEPPER_EVALUATES + 1 };
/* states that are handed on: of training and of evaluation */
enum { CARRIED = 2 };

/* The plans of one number of rows. */
struct way {
	int64_t n;
	uint64_t used; /* for the choice of what to drop */
	struct graph *graph[WAYS];
	struct plan *plan[WAYS];
	struct instance *instance[WAYS]; /* NULL: no run yet */
};

struct stepper {
	struct graph *base;
	struct train_memory *memory;
	struct stepper_options options;
	struct stepper_port *input;
	struct optimizer_attrs attrs;
	struct stepper_phase phase;
	bool *is_plain;		 /* by variable of base: excluded from decay */
	int32_t *group;		 /* by variable: that of layers, and its kind */
	char *states;		 /* those of the network before a step */
	float *carried[CARRIED]; /* [state_rows, state] */
	struct way way[STEPPER_PLANS];
	struct stepper_thrift thrift;
	char *block; /* of all plans, where they share one */
	size_t block_bytes;
	uint64_t clock;
};

/* Which variables have no weight decay: biases, and what norms scale by. */
static enum err_code find_plain(struct stepper *stepper, struct err *err)
{
	const struct graph *g = stepper->base;
	const struct optimizer *optimizer = stepper->options.optimizer;
	const size_t n_variables = (size_t)g->n_variable + 1;
	bool *is_plain = mem_array(n_variables, sizeof(*is_plain));

	stepper->is_plain = is_plain;
	stepper->group = mem_array(n_variables, sizeof(*stepper->group));
	if (!is_plain || !stepper->group)
		return err_set(err, ERR_NO_MEMORY, "trainer: out of memory");
	layer_plain_find(g, optimizer_excludes(optimizer, "bias"),
			 optimizer_excludes(optimizer, "norm"), is_plain);
	return ERR_NONE;
}

static void way_finish(struct way *way)
{
	for (int i = 0; i < WAYS; i++) {
		instance_destroy(way->instance[i]);
		plan_unref(way->plan[i]);
		graph_destroy(way->graph[i]);
	}
	*way = (struct way){ 0 };
}

void stepper_rest(struct stepper *stepper)
{
	for (int i = 0; i < STEPPER_PLANS; i++)
		way_finish(&stepper->way[i]);
	mem_free(stepper->block);
	stepper->block = NULL;
	stepper->block_bytes = 0;
}

void stepper_save_memory(struct stepper *stepper,
			 const struct stepper_thrift *thrift)
{
	stepper_rest(stepper);
	stepper->thrift = *thrift;
}

static void zero_moments(struct train_memory *memory)
{
	for (unsigned i = 0; i < memory->n_moments; i++)
		memset(memory->moment[i], 0, memory->n * sizeof(float));
	if (memory->sum)
		memset(memory->sum, 0, memory->n * sizeof(float));
}

enum err_code stepper_begin(struct stepper *stepper,
			    const struct stepper_phase *phase, struct err *err)
{
	const struct graph *g = stepper->base;

	if (phase->n_groups < 0 || phase->n_groups > STEPPER_MAX_GROUPS)
		return err_set(
		    err, ERR_UNSUPPORTED,
		    "the network has %d groups of layers, at most %d "
		    "can have rates of their own",
		    (int)phase->n_groups, (int)STEPPER_MAX_GROUPS);
	stepper->phase = *phase;
	if (!stepper->phase.n_groups)
		stepper->phase.n_groups = 1;
	for (int32_t v = 0; v < g->n_variable; v++)
		stepper->group[v] =
		    (phase->group ? phase->group[v] : 0) * KINDS +
		    (stepper->is_plain[v] ? GROUP_PLAIN : GROUP_DECAYED);
	stepper_rest(stepper);
	zero_moments(stepper->memory);
	return ERR_NONE;
}

/* --- running statistics, which a step writes before its norm is known --- */

static size_t state_bytes(const struct variable *variable)
{
	return variable->role == ROLE_STATE
		   ? tensor_bytes(variable->view.dtype, &variable->view.shape)
		   : 0;
}

static enum err_code make_states(struct stepper *stepper, struct err *err)
{
	const struct graph *g = stepper->base;
	size_t bytes = 0;

	for (int32_t v = 0; v < g->n_variable; v++)
		bytes += state_bytes(&g->variable[v]);
	stepper->states = mem_alloc(bytes + 1);
	return stepper->states
		   ? ERR_NONE
		   : err_set(err, ERR_NO_MEMORY, "trainer: out of memory");
}

/* Copies them away (back: in again). */
static void copy_states(struct stepper *stepper, bool back)
{
	const struct graph *g = stepper->base;
	char *at = stepper->states;

	for (int32_t v = 0; v < g->n_variable; v++) {
		size_t bytes = state_bytes(&g->variable[v]);
		char *live = g->variable[v].view.data;

		if (bytes)
			memcpy(back ? live : at, back ? at : live, bytes);
		at += bytes;
	}
}

static bool are_states_finite(const struct stepper *stepper)
{
	const struct graph *g = stepper->base;

	for (int32_t v = 0; v < g->n_variable; v++) {
		const struct variable *variable = &g->variable[v];

		if (variable->role == ROLE_STATE &&
		    !tensor_is_finite(&variable->view))
			return false;
	}
	return true;
}

/* --- the state that batches hand on --- */

static bool has_state(const struct stepper *stepper)
{
	return stepper->options.state.rank > 0;
}

/* What the current phase trains, and its inputs. */
static const struct graph *graph_of(const struct stepper *stepper)
{
	return stepper->phase.head ? stepper->phase.head : stepper->base;
}

static unsigned n_inputs_of(const struct stepper *stepper)
{
	return stepper->phase.head ? stepper->phase.n_inputs
				   : stepper->options.n_inputs;
}

static const struct stepper_port *inputs_of(const struct stepper *stepper)
{
	return stepper->phase.head ? stepper->phase.input : stepper->input;
}

/* Graph inputs before the target. */
static unsigned n_inputs(const struct stepper *stepper)
{
	return n_inputs_of(stepper) + has_state(stepper);
}

/* i 1: of evaluation */
static struct shape carried_shape(const struct stepper *stepper, int i)
{
	const struct stepper_options *o = &stepper->options;
	struct shape shape = { .rank = o->state.rank + 1,
			       .dim = { i ? o->eval_state_rows
					  : o->state_rows } };

	for (unsigned d = 0; d < o->state.rank; d++)
		shape.dim[d + 1] = o->state.dim[d];
	return shape;
}

static enum err_code make_carried(struct stepper *stepper, struct err *err)
{
	for (int i = 0; i < CARRIED && has_state(stepper); i++) {
		const struct shape shape = carried_shape(stepper, i);

		stepper->carried[i] = mem_array((size_t)shape_count(&shape),
						sizeof(*stepper->carried[i]));
		if (!stepper->carried[i])
			return err_set(err, ERR_NO_MEMORY,
				       "trainer: out of memory");
	}
	return ERR_NONE;
}

/* What the batch begins with: where the last one ended, or zeros. */
static void write_state(struct instance *instance,
			const struct stepper *stepper,
			const struct stepper_batch *batch, int kind)
{
	struct tensor_view view;
	size_t bytes;

	if (!has_state(stepper))
		return;
	view = instance_input(instance, stepper->options.n_inputs);
	bytes = tensor_bytes(view.dtype, &view.shape);
	if (batch->goes_on)
		memcpy(view.data, stepper->carried[kind == STEPPER_EVALUATES],
		       bytes);
	else
		memset(view.data, 0, bytes);
}

/* What the next one begins with: the graph's last output. */
static void keep_state(struct instance *instance, struct stepper *stepper,
		       const struct stepper_batch *batch, int kind)
{
	const unsigned last = kind == STEPPER_EVALUATES ? 2 : 3;
	struct tensor_view view;

	if (!has_state(stepper) ||
	    batch->n > carried_shape(stepper, kind == STEPPER_EVALUATES).dim[0])
		return;
	view = instance_output(instance, last);
	memcpy(stepper->carried[kind == STEPPER_EVALUATES], view.data,
	       tensor_bytes(view.dtype, &view.shape));
}

struct tensor_view stepper_state(struct stepper *stepper)
{
	struct tensor_view view = { .data = stepper->carried[0],
				    .dtype = DTYPE_F32,
				    .shape = carried_shape(stepper, 0) };

	return view;
}

enum err_code stepper_create(struct graph *base,
			     const struct stepper_options *options,
			     struct stepper **ret_stepper, struct err *err)
{
	struct stepper *stepper = mem_zero(sizeof(*stepper));
	const struct optimizer *optimizer = options->optimizer;
	enum err_code rc;

	if (!stepper)
		return err_set(err, ERR_NO_MEMORY, "trainer: out of memory");
	if (options->n_inputs > STEPPER_MAX_PORTS ||
	    options->n_inputs + (options->state.rank > 0) !=
		(unsigned)base->n_input) {
		rc = err_set(err, ERR_INVALID,
			     "the network has %d inputs, the job has %u input "
			     "features",
			     (int)base->n_input, options->n_inputs);
		goto out;
	}
	stepper->base = base;
	stepper->options = *options;
	stepper->attrs = optimizer->attrs;
	stepper->input = mem_array(options->n_inputs, sizeof(*stepper->input));
	if (!stepper->input) {
		rc = err_set(err, ERR_NO_MEMORY, "trainer: out of memory");
		goto out;
	}
	memcpy(stepper->input, options->input,
	       options->n_inputs * sizeof(*stepper->input));
	rc = find_plain(stepper, err);
	if (!rc)
		rc = make_states(stepper, err);
	if (!rc)
		rc = make_carried(stepper, err);
	if (!rc)
		rc = train_memory_create(
		    base, optimizer_moments(optimizer->op, &stepper->attrs),
		    options->accumulates, &stepper->memory, err);
	if (!rc)
		rc = stepper_begin(stepper, &(struct stepper_phase){ 0 }, err);
	if (rc)
		goto out;
	*ret_stepper = stepper;
	stepper = NULL;
out:
	stepper_destroy(stepper);
	return rc;
}

void stepper_destroy(struct stepper *stepper)
{
	if (!stepper)
		return;
	stepper_rest(stepper);
	train_memory_destroy(stepper->memory);
	mem_free(stepper->is_plain);
	mem_free(stepper->group);
	mem_free(stepper->states);
	for (int i = 0; i < CARRIED; i++)
		mem_free(stepper->carried[i]);
	mem_free(stepper->input);
	mem_free(stepper);
}

static struct fact fact_of(const struct stepper_port *port, int64_t n)
{
	struct fact fact = { .type = { .elem = port->dtype },
			     .has_shape = true };

	fact.shape.rank = port->row.rank + 1;
	fact.shape.dim[0] = n;
	for (unsigned i = 0; i < port->row.rank; i++)
		fact.shape.dim[i + 1] = port->row.dim[i];
	return fact;
}

/* Facts of the graph's inputs, in its order; returns how many. */
static unsigned fill_facts(const struct stepper *stepper, int64_t n, int kind,
			   struct fact *fact)
{
	unsigned i = 0;

	for (; i < n_inputs_of(stepper); i++)
		fact[i] = fact_of(&inputs_of(stepper)[i], n);
	if (has_state(stepper))
		fact[i++] = fact_of(
		    &(struct stepper_port){ DTYPE_F32, stepper->options.state },
		    n);
	fact[i++] = fact_of(&stepper->options.target, n);
	if (kind == STEPPER_EVALUATES)
		return i;
	fact[i++] =
	    (struct fact){ .type = { .elem = DTYPE_I64 }, .has_shape = true };
	fact[i] =
	    (struct fact){ .type = { .elem = DTYPE_F32 }, .has_shape = true };
	fact[i++].shape = (struct shape){
		.rank = 2,
		.dim = { (int64_t)KINDS * stepper->phase.n_groups,
			 OPTIMIZER_HYPER },
	};
	if (stepper->options.accumulates)
		fact[i++] = (struct fact){ .type = { .elem = DTYPE_F32 },
					   .has_shape = true };
	return i;
}

static enum err_code build_graph(struct stepper *stepper,
				 const struct fact *fact, int kind,
				 struct graph **ret, struct err *err)
{
	const struct stepper_options *o = &stepper->options;
	const struct train_step_options step = {
		.loss = o->loss,
		.optimizer = o->optimizer->kind->op,
		.optimizer_attrs = &stepper->attrs,
		.seed = o->seed,
		.frozen = stepper->phase.frozen,
		.group = stepper->group,
		.n_groups = KINDS * (unsigned)stepper->phase.n_groups,
		.batches = !o->accumulates	  ? TRAIN_ONE
			   : kind == STEPPER_ADDS ? TRAIN_ADD
						  : TRAIN_LAST,
	};

	if (kind != STEPPER_EVALUATES)
		return train_step_build(graph_of(stepper), stepper->memory,
					&step, fact, ret, err);
	return train_eval_build(graph_of(stepper), &o->loss, fact, ret, err);
}

static enum err_code make_plan(struct stepper *stepper, struct way *way,
			       int kind, struct err *err)
{
	struct fact fact[STEPPER_MAX_PORTS + 5];
	struct signature signature = { .input = fact };
	const struct plan_options options = {
		.threads = stepper->options.threads,
		.numerics = stepper->options.strict_numerics
				? NUMERICS_STRICT
				: NUMERICS_REPEATABLE,
		.arena_goal =
		    kind == STEPPER_EVALUATES ? 0 : stepper->thrift.arena_goal,
		.one_scratch = stepper->thrift.one_scratch,
	};
	enum err_code rc;

	signature.n = fill_facts(stepper, way->n, kind, fact);
	rc = build_graph(stepper, fact, kind, &way->graph[kind], err);
	if (!rc)
		rc = plan_create(way->graph[kind], &signature, &options,
				 &way->plan[kind], err);
	if (rc && way->graph[kind]) {
		graph_destroy(way->graph[kind]);
		way->graph[kind] = NULL;
	}
	return rc;
}

/* The plans' way of a number of rows, with a plan of that kind. */
static enum err_code find_way(struct stepper *stepper, int64_t n, int kind,
			      struct way **ret, struct err *err)
{
	struct way *way = NULL, *oldest = &stepper->way[0];
	enum err_code rc = ERR_NONE;

	for (int i = 0; i < STEPPER_PLANS; i++) {
		if (stepper->way[i].n == n)
			way = &stepper->way[i];
		if (stepper->way[i].used < oldest->used)
			oldest = &stepper->way[i];
	}
	if (!way) {
		way = oldest;
		way_finish(way);
		way->n = n;
	}
	way->used = ++stepper->clock;
	if (!way->plan[kind])
		rc = make_plan(stepper, way, kind, err);
	if (!rc)
		*ret = way;
	return rc;
}

/* A block that is large enough; instances in a smaller one are made again when
 * they are needed. */
static enum err_code grow_block(struct stepper *stepper, size_t bytes,
				struct err *err)
{
	if (stepper->block_bytes >= bytes)
		return ERR_NONE;
	for (int i = 0; i < STEPPER_PLANS; i++) {
		for (int kind = 0; kind < WAYS; kind++) {
			instance_destroy(stepper->way[i].instance[kind]);
			stepper->way[i].instance[kind] = NULL;
		}
	}
	mem_free(stepper->block);
	stepper->block_bytes = 0;
	stepper->block = mem_large(bytes);
	if (!stepper->block)
		return err_set(err, ERR_NO_MEMORY,
			       "trainer: no memory for %zu bytes", bytes);
	stepper->block_bytes = bytes;
	return ERR_NONE;
}

static enum err_code make_instance(struct stepper *stepper, struct way *way,
				   int kind, struct err *err)
{
	struct plan *plan = way->plan[kind];
	enum err_code rc;

	if (!stepper->thrift.shares_block)
		return instance_create(plan, &way->instance[kind], err);
	rc = grow_block(stepper, instance_bytes(plan), err);
	return rc ? rc
		  : instance_create_in(plan, stepper->block,
				       stepper->block_bytes,
				       &way->instance[kind], err);
}

static enum err_code find_instance(struct stepper *stepper, int64_t n, int kind,
				   struct instance **ret, struct err *err)
{
	struct way *way;
	enum err_code rc = find_way(stepper, n, kind, &way, err);

	if (!rc && !way->instance[kind])
		rc = make_instance(stepper, way, kind, err);
	if (!rc)
		*ret = way->instance[kind];
	return rc;
}

static void write_batch(struct instance *instance,
			const struct stepper *stepper,
			const struct stepper_batch *batch)
{
	const unsigned n = n_inputs_of(stepper);

	for (unsigned i = 0; i <= n; i++) {
		struct tensor_view view =
		    instance_input(instance, i < n ? i : n_inputs(stepper));
		const void *from = i < n ? batch->input[i] : batch->target;

		memcpy(view.data, from, tensor_bytes(view.dtype, &view.shape));
	}
}

static void write_hyper(struct instance *instance,
			const struct stepper *stepper,
			const struct stepper_update *update)
{
	const struct stepper_options *o = &stepper->options;
	struct optimizer_setting setting;
	float *hyper = instance_input(instance, n_inputs(stepper) + 2).data;
	int64_t *number = instance_input(instance, n_inputs(stepper) + 1).data;

	*number = (int64_t)update->draw;
	if (o->accumulates)
		*(float *)instance_input(instance, n_inputs(stepper) + 3).data =
		    (float)update->share;
	for (int32_t group = 0; group < stepper->phase.n_groups; group++) {
		double factor =
		    stepper->phase.factor ? stepper->phase.factor[group] : 1;

		setting = optimizer_setting_at(
		    o->optimizer, update->rate * factor, update->momentum);
		setting.max_norm = o->clipping.max_norm;
		setting.max_value = o->clipping.max_value;
		optimizer_hyper_fill(o->optimizer->op, &stepper->attrs,
				     &setting, update->step, hyper);
		optimizer_setting_exclude(&setting);
		optimizer_hyper_fill(o->optimizer->op, &stepper->attrs,
				     &setting, update->step,
				     hyper + OPTIMIZER_HYPER);
		hyper += (size_t)KINDS * OPTIMIZER_HYPER;
	}
}

static enum err_code run(struct stepper *stepper, struct instance *instance,
			 unsigned output, struct stepper_result *ret,
			 struct err *err)
{
	struct team team = { 0 };
	struct tensor_view view;
	unsigned helpers =
	    stepper->options.threads > 1 ? stepper->options.threads - 1 : 0;
	enum err_code rc;

	if (stepper->options.pool && helpers)
		team_borrow(stepper->options.pool, helpers, &team);
	rc = instance_run(instance, team.n ? &team : NULL, err);
	if (team.pool)
		team_return(&team);
	if (rc)
		return rc;
	ret->loss = (double)*(const float *)instance_output(instance, 0).data;
	view = instance_output(instance, output);
	ret->output = view.data;
	ret->width = view.shape.rank > 1
			 ? shape_range(&view.shape, 1, view.shape.rank)
			 : 1;
	return ERR_NONE;
}

enum err_code stepper_step(struct stepper *stepper,
			   const struct stepper_batch *batch,
			   const struct stepper_update *update,
			   struct stepper_result *ret, struct err *err)
{
	const int kind = update->is_partial ? STEPPER_ADDS : STEPPER_TRAINS;
	struct instance *instance;
	struct stepper_result result = { 0 };
	enum err_code rc;

	rc = find_instance(stepper, batch->n, kind, &instance, err);
	if (rc)
		return rc;
	write_batch(instance, stepper, batch);
	write_state(instance, stepper, batch, kind);
	write_hyper(instance, stepper, update);
	copy_states(stepper, false);
	rc = run(stepper, instance, 2, &result, err);
	if (rc)
		return rc;
	result.norm = (double)*(const float *)instance_output(instance, 1).data;
	if (!isfinite(result.norm) || !isfinite(result.loss) ||
	    !are_states_finite(stepper)) {
		copy_states(stepper, true);
		result.norm = (double)NAN;
	} else {
		keep_state(instance, stepper, batch, kind);
	}
	if (stepper->memory->sum && !update->is_partial)
		memset(stepper->memory->sum, 0,
		       stepper->memory->n * sizeof(float));
	*ret = result;
	return ERR_NONE;
}

enum err_code stepper_evaluate(struct stepper *stepper,
			       const struct stepper_batch *batch,
			       struct stepper_result *ret, struct err *err)
{
	struct instance *instance;
	struct stepper_result result = { .norm = (double)NAN };
	enum err_code rc;

	rc =
	    find_instance(stepper, batch->n, STEPPER_EVALUATES, &instance, err);
	if (rc)
		return rc;
	write_batch(instance, stepper, batch);
	write_state(instance, stepper, batch, STEPPER_EVALUATES);
	rc = run(stepper, instance, 1, &result, err);
	if (rc)
		return rc;
	keep_state(instance, stepper, batch, STEPPER_EVALUATES);
	*ret = result;
	return ERR_NONE;
}

enum err_code stepper_prepare(struct stepper *stepper, int64_t n,
			      enum stepper_way kind,
			      struct plan_report *ret_report, struct err *err)
{
	struct way *way;
	enum err_code rc = find_way(stepper, n, (int)kind, &way, err);

	if (!rc)
		*ret_report = *plan_report(way->plan[kind]);
	return rc;
}

enum err_code stepper_try(struct stepper *stepper, int64_t n, struct err *err)
{
	const unsigned last = n_inputs(stepper); /* the target */
	struct stepper_result result;
	struct instance *instance = NULL;
	struct way *way;
	enum err_code rc = find_way(stepper, n, STEPPER_EVALUATES, &way, err);

	if (!rc)
		rc = instance_create(way->plan[STEPPER_EVALUATES], &instance,
				     err);
	for (unsigned i = 0; i <= last && !rc; i++) {
		struct tensor_view view = instance_input(instance, i);

		memset(view.data, 0, tensor_bytes(view.dtype, &view.shape));
	}
	if (!rc)
		rc = run(stepper, instance, 1, &result, err);
	instance_destroy(instance);
	return rc;
}

enum err_code stepper_instance(struct stepper *stepper, int64_t n,
			       struct instance **ret_instance, struct err *err)
{
	return find_instance(stepper, n, STEPPER_TRAINS, ret_instance, err);
}

enum err_code stepper_digest(struct stepper *stepper, int64_t n,
			     char ret_hex[DIGEST_HEX_MAX], struct err *err)
{
	struct way *way;
	struct buf buf;
	enum err_code rc;

	rc = find_way(stepper, n, STEPPER_TRAINS, &way, err);
	if (rc)
		return rc;
	buf_init(&buf, (size_t)64 << 20);
	plan_print(way->plan[STEPPER_TRAINS], &buf);
	rc = buf_check(&buf, "the plan's kernels", err);
	if (!rc)
		digest_sha256(buf.data, buf.len, ret_hex);
	buf_finish(&buf);
	return rc;
}

struct train_memory *stepper_memory(struct stepper *stepper)
{
	return stepper->memory;
}
