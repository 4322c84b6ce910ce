/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/train_step.h"

#include "engine/node_call.h"
#include "engine/ops/optimizer.h"
#include "engine/train_step_priv.h"

/** A clone of base with facts for its inputs; the caller ends both. */
static enum err_code begin(struct train_work *work, const struct graph *base,
			   const struct fact *input, struct err *err)
{
	struct facts *facts = NULL;
	enum err_code rc;

	if (!base->n_output)
		return err_set(err, ERR_INVALID,
			       "training: the model has no output");
	rc = graph_clone(base, &work->graph, err);
	if (rc)
		return rc;
	work->n_base_node = base->n_node;
	work->n_base_variable = base->n_variable;
	rc = facts_create(work->graph, input, &facts, err);
	build_init(&work->build, work->graph, facts);
	return rc;
}

static void end(struct train_work *work)
{
	facts_destroy(work->build.facts);
	graph_destroy(work->graph);
}

static enum err_code add_input(struct train_work *work, const char *name,
			       const struct fact *fact, int32_t *ret_value,
			       struct err *err)
{
	enum err_code rc =
	    graph_add_input(work->graph, name, fact->type, ret_value, err);

	return rc ? rc : facts_set(work->build.facts, *ret_value, fact, err);
}

static enum err_code add_target(struct train_work *work,
				const struct train_loss *loss,
				const struct fact *fact, struct err *err)
{
	struct fact target = *fact;

	target.type = loss->target;
	target.value = NULL;
	return add_input(work, "target", &target, &work->target, err);
}

static unsigned count_outputs(const struct op *op)
{
	unsigned n = 0;

	while (op->out[n].name)
		n++;
	return n;
}

/* What the loss is of: x [rows, classes] and t. */
static enum err_code loss_operands(struct train_work *work,
				   const struct train_loss *loss, int32_t in[2],
				   struct err *err)
{
	struct build *build = &work->build;
	const struct fact *x = build_fact(build, work->graph->output[0]);
	int64_t shape[2] = { -1, 0 };

	in[0] = work->graph->output[0];
	in[1] = work->target;
	if (!loss->is_sequence)
		return ERR_NONE;
	if (!x->has_shape || !x->shape.rank)
		return err_set(err, ERR_UNSUPPORTED,
			       "training: the shape of the model's output is "
			       "not known");
	shape[1] = x->shape.dim[x->shape.rank - 1];
	in[0] = build_2(build, "Reshape", in[0], build_ints(build, shape, 2));
	in[1] = build_2(build, "Reshape", in[1], build_ints(build, shape, 1));
	return build_check(build, err);
}

static enum err_code add_text(struct train_work *work,
			      const struct train_loss *loss,
			      const int32_t operand[2], struct err *err)
{
	const struct build_name bound[] = {
		{ "x", operand[0] },
		{ "t", operand[1] },
		{ "a", build_scalar(&work->build, DTYPE_F32, loss->a) },
	};
	struct build_name want = { "loss", VALUE_NONE };

	build_text(&work->build, loss->text, bound, 3, NULL, &want, 1);
	work->loss = want.value;
	return build_check(&work->build, err);
}

/** The loss of output 0; more than its first result is there for gradients. */
static enum err_code add_loss(struct train_work *work,
			      const struct train_loss *loss, struct err *err)
{
	enum { MAX_OUT = 4 };
	const struct op *op = loss->text ? NULL : op_find("predictd", loss->op);
	int32_t in[3] = { VALUE_NONE, VALUE_NONE, VALUE_NONE };
	int32_t out[MAX_OUT];
	unsigned n_in = 2;
	enum err_code rc = loss_operands(work, loss, in, err);

	if (rc)
		return rc;
	if (loss->text)
		return add_text(work, loss, in, err);
	if (!op || count_outputs(op) > MAX_OUT)
		return err_set(err, ERR_INVALID, "'%s' is no loss", loss->op);
	if (loss->weight.value) {
		const struct tensor_view view = fact_view(&loss->weight);

		in[n_in++] = build_const(&work->build, &view);
	}
	build_row(&work->build, op, loss->attrs, in, n_in, out,
		  count_outputs(op));
	work->loss = out[0];
	return build_check(&work->build, err);
}

/** Puts `first`, and norm unless it is VALUE_NONE, before base's outputs. */
static enum err_code set_outputs(struct train_work *work, struct err *err)
{
	struct graph *graph = work->graph;
	const int32_t n = graph->n_output;
	int32_t *old =
	    arena_copy(graph->arena, graph->output, (size_t)n * sizeof(*old));
	enum err_code rc;

	if (!old)
		return err_set(err, ERR_NO_MEMORY, "training: out of memory");
	graph->n_output = 0;
	rc = graph_add_output(graph, work->loss, err);
	if (!rc && work->norm != VALUE_NONE)
		rc = graph_add_output(graph, work->norm, err);
	for (int32_t i = 0; i < n && !rc; i++)
		rc = graph_add_output(graph, old[i], err);
	return rc ? rc : graph_tidy(graph, err);
}

static enum err_code add_controls(struct train_work *work, struct err *err)
{
	const unsigned n_groups = work->options->n_groups;
	const struct fact step = {
		.type = { .elem = DTYPE_I64 },
		.has_shape = true,
	};
	const struct fact hyper = {
		.type = { .elem = DTYPE_F32 },
		.shape = { 2, { n_groups ? n_groups : 1, OPTIMIZER_HYPER } },
		.has_shape = true,
	};
	const struct fact share = {
		.type = { .elem = DTYPE_F32 },
		.has_shape = true,
	};
	enum err_code rc = add_input(work, "step", &step, &work->step, err);

	if (!rc)
		rc = add_input(work, "hyper", &hyper, &work->hyper, err);
	if (!rc && work->options->batches != TRAIN_ONE)
		rc = add_input(work, "share", &share, &work->share, err);
	return rc;
}

static enum err_code build_step(struct train_work *work,
				const struct fact *fact, struct err *err)
{
	const struct train_loss *loss = &work->options->loss;
	enum err_code rc = add_target(work, loss, fact, err);

	if (!rc)
		rc = add_controls(work, err);
	if (!rc)
		rc = train_forms(work, err);
	if (!rc)
		rc = add_loss(work, loss, err);
	if (!rc)
		rc = train_update(work, err);
	return rc ? rc : set_outputs(work, err);
}

enum err_code train_step_build(const struct graph *base,
			       struct train_memory *memory,
			       const struct train_step_options *options,
			       const struct fact *input,
			       struct graph **ret_step, struct err *err)
{
	struct train_work work = {
		.memory = memory,
		.options = options,
	};
	enum err_code rc = begin(&work, base, input, err);

	if (!rc)
		rc = build_step(&work, &input[base->n_input], err);
	if (!rc) {
		*ret_step = work.graph;
		work.graph = NULL;
	}
	end(&work);
	return rc;
}

enum err_code train_eval_build(const struct graph *base,
			       const struct train_loss *loss,
			       const struct fact *input,
			       struct graph **ret_eval, struct err *err)
{
	struct train_work work = { .norm = VALUE_NONE };
	enum err_code rc = begin(&work, base, input, err);

	if (!rc)
		rc = add_target(&work, loss, &input[base->n_input], err);
	if (!rc)
		rc = add_loss(&work, loss, err);
	if (!rc)
		rc = set_outputs(&work, err);
	if (!rc) {
		*ret_eval = work.graph;
		work.graph = NULL;
	}
	end(&work);
	return rc;
}
