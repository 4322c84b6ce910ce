/* SPDX-License-Identifier: Apache-2.0 */
#include "training/stepper_priv.h"

#include <math.h>

#include "base/mem.h"
#include "base/str.h"
#include "engine/instance.h"
#include "engine/train_tables.h"
#include "training/weights.h"

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

/* Tables of which rows without a gradient stay. */
static enum err_code find_lazy(struct stepper *stepper, struct err *err)
{
	const struct graph *g = stepper->base;
	int64_t *width = mem_array((size_t)g->n_variable + 1, sizeof(*width));

	stepper->lazy_width = width;
	if (!width)
		return err_set(err, ERR_NO_MEMORY, "trainer: out of memory");
	train_tables(g, width);
	for (int32_t v = 0; v < g->n_variable; v++) {
		if (width[v] &&
		    !optimizer_is_lazy(stepper->options.optimizer,
				       g->variable[v].view.shape.dim[0]))
			width[v] = 0;
	}
	return ERR_NONE;
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
	for (int i = 0; i < CARRIED && stepper_has_state(stepper); i++) {
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

	if (!stepper_has_state(stepper))
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

	if (!stepper_has_state(stepper) ||
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
	for (unsigned i = 0; i < options->n_inputs && options->mixes; i++) {
		if (options->input[i].dtype == DTYPE_F32)
			continue;
		rc = err_set(err, ERR_UNSUPPORTED,
			     "trainer.mixup: input %u is a category, which "
			     "cannot be mixed",
			     i);
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
		rc = find_lazy(stepper, err);
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
	mem_free(stepper->lazy_width);
	mem_free(stepper->states);
	for (int i = 0; i < CARRIED; i++)
		mem_free(stepper->carried[i]);
	mem_free(stepper->input);
	mem_free(stepper);
}

static void write_batch(struct instance *instance,
			const struct stepper *stepper,
			const struct stepper_batch *batch)
{
	const unsigned n = stepper_n_inputs(stepper);

	for (unsigned i = 0; i <= n; i++) {
		struct tensor_view view = instance_input(
		    instance, i < n ? i : stepper_target(stepper));
		const void *from = i < n ? batch->input[i] : batch->target;

		memcpy(view.data, from, tensor_bytes(view.dtype, &view.shape));
	}
}

/* Rows that are there already take their partners' share in. */
static void mix_rows(const struct tensor_view *view, const float *from,
		     const struct stepper_update *update)
{
	const int64_t n = view->shape.dim[0];
	const int64_t width = shape_range(&view->shape, 1, view->shape.rank);
	const float mix = (float)update->mix, rest = (float)(1 - update->mix);

	for (int64_t i = 0; i < n; i++) {
		const float *other = from + update->partner[i] * width;
		float *row = (float *)view->data + i * width;

		for (int64_t j = 0; j < width; j++)
			row[j] = mix * row[j] + rest * other[j];
	}
}

static void write_mix(struct instance *instance, const struct stepper *stepper,
		      const struct stepper_batch *batch,
		      const struct stepper_update *update)
{
	const struct stepper_options *o = &stepper->options;
	const unsigned at = stepper_target(stepper) + 3 + o->accumulates;
	struct tensor_view target = instance_input(instance, at + 1);
	const size_t bytes =
	    tensor_bytes(target.dtype, &target.shape) / (size_t)batch->n;

	for (unsigned i = 0; i < o->n_inputs; i++) {
		const struct tensor_view view = instance_input(instance, i);

		mix_rows(&view, batch->input[i], update);
	}
	*(float *)instance_input(instance, at).data = (float)update->mix;
	for (int64_t i = 0; i < batch->n; i++)
		memcpy((char *)target.data + (size_t)i * bytes,
		       (const char *)batch->target +
			   (size_t)update->partner[i] * bytes,
		       bytes);
}

static void write_hyper(struct instance *instance,
			const struct stepper *stepper,
			const struct stepper_update *update)
{
	const struct stepper_options *o = &stepper->options;
	struct optimizer_setting setting;
	float *hyper =
	    instance_input(instance, stepper_target(stepper) + 2).data;
	int64_t *number =
	    instance_input(instance, stepper_target(stepper) + 1).data;

	*number = (int64_t)update->draw;
	if (o->accumulates)
		*(float *)instance_input(instance, stepper_target(stepper) + 3)
		     .data = (float)update->share;
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

	rc = stepper_find_instance(stepper, batch->n, kind, &instance, err);
	if (rc)
		return rc;
	write_batch(instance, stepper, batch);
	write_state(instance, stepper, batch, kind);
	write_hyper(instance, stepper, update);
	if (stepper->options.mixes)
		write_mix(instance, stepper, batch, update);
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

	rc = stepper_find_instance(stepper, batch->n, STEPPER_EVALUATES,
				   &instance, err);
	if (rc)
		return rc;
	write_batch(instance, stepper, batch);
	write_state(instance, stepper, batch, STEPPER_EVALUATES);
	rc = run(stepper, instance, 1, &result, err);
	stepper->evaluated = instance;
	if (rc)
		return rc;
	keep_state(instance, stepper, batch, STEPPER_EVALUATES);
	*ret = result;
	return ERR_NONE;
}

struct tensor_view stepper_watched(const struct stepper *stepper, unsigned i)
{
	return instance_output(stepper->evaluated,
			       1 + (unsigned)stepper->base->n_output + i);
}

enum err_code stepper_try(struct stepper *stepper, int64_t n, struct err *err)
{
	const unsigned last = stepper_target(stepper); /* the target */
	struct stepper_result result;
	struct instance *instance = NULL;
	struct way *way;
	enum err_code rc =
	    stepper_find_way(stepper, n, STEPPER_EVALUATES, &way, err);

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

struct train_memory *stepper_memory(struct stepper *stepper)
{
	return stepper->memory;
}
