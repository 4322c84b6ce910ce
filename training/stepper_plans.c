/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Stepper: its graphs, plans and instances, by numbers of rows.
 */
#include "base/buf.h"
#include "base/mem.h"
#include "engine/instance.h"
#include "training/stepper_priv.h"

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

	for (; i < stepper_n_inputs(stepper); i++)
		fact[i] = fact_of(&stepper_inputs(stepper)[i], n);
	if (stepper_has_state(stepper))
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
	if (stepper->options.mixes) {
		fact[i++] = (struct fact){ .type = { .elem = DTYPE_F32 },
					   .has_shape = true };
		fact[i++] = fact_of(&stepper->options.target, n);
	}
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
		.lazy_width = stepper->lazy_width,
		.batches = !o->accumulates	  ? TRAIN_ONE
			   : kind == STEPPER_ADDS ? TRAIN_ADD
						  : TRAIN_LAST,
		.activation = o->activation,
		.temporal = o->temporal,
		.mixes = o->mixes,
	};

	if (kind != STEPPER_EVALUATES)
		return train_step_build(stepper_graph(stepper), stepper->memory,
					&step, fact, ret, err);
	return train_eval_build(stepper_graph(stepper), &o->loss,
				o->watches && !stepper->phase.head, fact, ret,
				err);
}

static enum err_code make_plan(struct stepper *stepper, struct way *way,
			       int kind, struct err *err)
{
	struct fact fact[STEPPER_MAX_PORTS + 7];
	struct signature signature = { .input = fact };
	const struct plan_options options = {
		.threads = stepper->options.threads,
		.numerics = stepper->options.strict_numerics
				? NUMERICS_STRICT
				: NUMERICS_REPEATABLE,
		.products = kind == STEPPER_EVALUATES
				? PRODUCTS_F32
				: stepper->options.products,
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

enum err_code stepper_find_way(struct stepper *stepper, int64_t n, int kind,
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

enum err_code stepper_find_instance(struct stepper *stepper, int64_t n,
				    int kind, struct instance **ret,
				    struct err *err)
{
	struct way *way;
	enum err_code rc = stepper_find_way(stepper, n, kind, &way, err);

	if (!rc && !way->instance[kind])
		rc = make_instance(stepper, way, kind, err);
	if (!rc)
		*ret = way->instance[kind];
	return rc;
}

enum err_code stepper_prepare(struct stepper *stepper, int64_t n,
			      enum stepper_way kind,
			      struct plan_report *ret_report, struct err *err)
{
	struct way *way;
	enum err_code rc = stepper_find_way(stepper, n, (int)kind, &way, err);

	if (!rc)
		*ret_report = *plan_report(way->plan[kind]);
	return rc;
}

enum err_code stepper_instance(struct stepper *stepper, int64_t n,
			       struct instance **ret_instance, struct err *err)
{
	return stepper_find_instance(stepper, n, STEPPER_TRAINS, ret_instance,
				     err);
}

enum err_code stepper_digest(struct stepper *stepper, int64_t n,
			     char ret_hex[DIGEST_HEX_MAX], struct err *err)
{
	struct way *way;
	struct buf buf;
	enum err_code rc;

	rc = stepper_find_way(stepper, n, STEPPER_TRAINS, &way, err);
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
