/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * The second half of a training step: gradients of the trainable parameters,
 * laid out like the parameters themselves, and one optimizer node over all.
 */
#include <string.h>

#include "engine/autodiff.h"
#include "engine/ops/optimizer.h"
#include "engine/ops/reshape.h"
#include "engine/train_step_priv.h"

/* floats; gaps up to this are padding between parameters */
enum { LINE = 16 };

struct update {
	struct train_work *work;
	int32_t *variable, *value; /* of the trainable parameters, rising */
	int32_t *grad;
	size_t *first, *n; /* range of each in the arena */
	size_t n_params;
	size_t begin, end; /* of all of them */
	int32_t *part;	   /* of the flat gradient */
	size_t n_parts;
	int64_t *segment, *row; /* of the optimizer */
	size_t n_segment;
	int64_t *columns; /* of each segment's matrix */
};

static enum err_code no_memory(struct err *err)
{
	return err_set(err, ERR_NO_MEMORY, "training: out of memory");
}

static bool allocate(struct update *u)
{
	const size_t n = (size_t)u->work->n_base_variable + 1;
	struct arena *arena = u->work->graph->arena;

	u->variable = arena_array(arena, n, sizeof(int32_t));
	u->value = arena_array(arena, n, sizeof(int32_t));
	u->grad = arena_array(arena, n, sizeof(int32_t));
	u->first = arena_array(arena, n, sizeof(size_t));
	u->n = arena_array(arena, n, sizeof(size_t));
	u->part = arena_array(arena, 2 * n, sizeof(int32_t));
	u->segment = arena_array(arena, 3 * n, sizeof(int64_t));
	u->columns = arena_array(arena, n, sizeof(int64_t));
	u->row = arena_array(arena, n, sizeof(int64_t));
	return u->variable && u->value && u->grad && u->first && u->n &&
	       u->part && u->segment && u->columns && u->row;
}

static int32_t value_of(const struct graph *graph, int32_t variable)
{
	for (int32_t i = 0; i < graph->n_value; i++)
		if (graph->value[i].origin == ORIGIN_VARIABLE &&
		    graph->value[i].source == variable)
			return i;
	return VALUE_NONE;
}

/** Lists the parameters that are to be trained, in the arena's order. */
static enum err_code find_params(struct update *u, struct err *err)
{
	const struct train_work *work = u->work;
	const struct train_memory *memory = work->memory;

	for (int32_t i = 0; i < work->n_base_variable; i++) {
		const struct variable *variable = &work->graph->variable[i];
		const float *data = variable->view.data;
		const size_t n = (size_t)shape_count(&variable->view.shape);

		if (variable->role != ROLE_PARAM || train_is_frozen(work, i))
			continue;
		if (data < memory->params ||
		    data + n > memory->params + memory->n ||
		    (size_t)(data - memory->params) < u->end)
			return err_set(err, ERR_INVALID,
				       "parameter '%s' is not in its place in "
				       "the training memory",
				       variable->name);
		u->variable[u->n_params] = i;
		u->value[u->n_params] = value_of(work->graph, i);
		u->first[u->n_params] = (size_t)(data - memory->params);
		u->n[u->n_params] = n;
		u->end = u->first[u->n_params] + n;
		u->n_params++;
	}
	if (!u->n_params)
		return err_set(err, ERR_INVALID,
			       "nothing to train: the model has no parameter "
			       "that is not frozen");
	u->begin = u->first[0];
	return ERR_NONE;
}

static int32_t zeros(struct update *u, size_t n)
{
	const int64_t count = (int64_t)n;
	struct build *build = &u->work->build;
	const int32_t shape = build_ints(build, &count, 1);

	return build_node(build, "ConstantOfShape", NULL, &shape, 1);
}

/** Gradients and, where there are none, zeros: one after the other. */
static int32_t flat_gradient(struct update *u)
{
	const struct op *op = build_find("Concat");
	struct build *build = &u->work->build;
	size_t at = u->begin;
	void *attrs;

	for (size_t i = 0; i < u->n_params; i++) {
		const struct shape flat = { 1, { (int64_t)u->n[i] } };

		if (u->first[i] > at)
			u->part[u->n_parts++] = zeros(u, u->first[i] - at);
		u->part[u->n_parts++] =
		    u->grad[i] == VALUE_NONE
			? zeros(u, u->n[i])
			: build_reshape(build, u->grad[i], &flat);
		at = u->first[i] + u->n[i];
	}
	/* the default axis has to be given; all zeros is axis 0 */
	attrs = arena_alloc(u->work->graph->arena, op->attrs_size);
	if (!attrs) {
		build->code = no_memory(&build->err);
		return VALUE_NONE;
	}
	return u->n_parts == 1 ? u->part[0]
			       : build_node(build, "Concat", attrs, u->part,
					    (unsigned)u->n_parts);
}

/** Ranges of one group; those that only padding parts are one, unless the
 * rule goes by parameters or a table's rows may stay. */
static void find_segments(struct update *u, const struct op *op)
{
	const int32_t *group = u->work->options->group;
	const struct variable *variable = u->work->graph->variable;
	const int64_t *lazy = u->work->options->lazy_width;
	const bool joins = !optimizer_is_by_parameter(op);
	int64_t before = 0;

	for (size_t i = 0; i < u->n_params; i++) {
		const int64_t first = (int64_t)(u->first[i] - u->begin);
		const int64_t end = first + (int64_t)u->n[i];
		const int64_t of = group ? group[u->variable[i]] : 0;
		const int64_t width = lazy && joins ? lazy[u->variable[i]] : 0;
		int64_t *last = u->segment + u->n_segment - 3;

		if (joins && u->n_segment && last[2] == of &&
		    first - last[1] < LINE && !width && !before) {
			last[1] = end;
			continue;
		}
		before = width;
		u->row[u->n_segment / 3] = width;
		last += 3;
		last[0] = first;
		last[1] = end;
		last[2] = of;
		u->columns[u->n_segment / 3] =
		    optimizer_columns(&variable[u->variable[i]].view.shape);
		u->n_segment += 3;
	}
}

/** A variable over the range that is trained of one of the flat arenas. */
static enum err_code flat_variable(struct update *u, const char *name,
				   enum role role, void *data,
				   int32_t *ret_value, struct err *err)
{
	const struct tensor_view view = {
		.data = data,
		.dtype = DTYPE_F32,
		.shape = { 1, { (int64_t)(u->end - u->begin) } },
	};

	return graph_add_variable(u->work->graph, name, role, &view, ret_value,
				  err);
}

/** The optimizer's row and its attributes with the segments. */
static enum err_code find_rule(struct update *u, const struct op **ret_op,
			       struct optimizer_attrs *ret, struct err *err)
{
	const struct train_step_options *options = u->work->options;
	const struct op *op = op_find("predictd", options->optimizer);
	unsigned n;

	if (!op || !optimizer_is_row(op))
		return err_set(err, ERR_INVALID, "'%s' is no optimizer",
			       options->optimizer);
	if (options->optimizer_attrs)
		*ret =
		    *(const struct optimizer_attrs *)options->optimizer_attrs;
	else
		op_attr_defaults(op->attrs, ret);
	find_segments(u, op);
	ret->segments = (struct attr_ints){ u->n_segment, u->segment };
	if (optimizer_is_by_parameter(op))
		ret->columns =
		    (struct attr_ints){ u->n_segment / 3, u->columns };
	ret->rows = (struct attr_ints){ 0, NULL };
	if (options->lazy_width && !optimizer_is_by_parameter(op))
		ret->rows = (struct attr_ints){ u->n_segment / 3, u->row };
	n = optimizer_moments(op, ret);
	if (n > u->work->memory->n_moments)
		return err_set(err, ERR_INVALID,
			       "optimizer %s needs %u moments, the training "
			       "memory has %u",
			       op->name, n, u->work->memory->n_moments);
	*ret_op = op;
	return ERR_NONE;
}

/** Node and assigns. */
static enum err_code add_optimizer(struct update *u, int32_t grad,
				   struct err *err)
{
	static const char *const names[] = { "moment0", "moment1", "moment2" };
	struct train_work *work = u->work;
	int32_t in[OPTIMIZER_N_IN], out[1 + OPTIMIZER_MAX_MOMENTS];
	const int32_t first = work->graph->n_variable;
	struct optimizer_attrs attrs;
	const struct op *op = NULL;
	unsigned n = 0;
	enum err_code rc = find_rule(u, &op, &attrs, err);

	if (!rc)
		rc = flat_variable(u, "params", ROLE_PARAM,
				   work->memory->params + u->begin,
				   &in[OPTIMIZER_PARAM], err);
	if (!rc)
		n = optimizer_moments(op, &attrs);
	for (unsigned i = 0; i < OPTIMIZER_MAX_MOMENTS && !rc; i++) {
		in[OPTIMIZER_MOMENT + i] = VALUE_NONE;
		if (i < n)
			rc = flat_variable(u, names[i], ROLE_MOMENT,
					   work->memory->moment[i] + u->begin,
					   &in[OPTIMIZER_MOMENT + i], err);
	}
	if (rc)
		return rc;
	in[OPTIMIZER_GRAD] = grad;
	in[OPTIMIZER_NORM] = work->norm;
	in[OPTIMIZER_HYPERS] = work->hyper;
	build_row(&work->build, op, &attrs, in, OPTIMIZER_N_IN, out, 1 + n);
	rc = build_check(&work->build, err);
	for (unsigned i = 0; i <= n && !rc; i++)
		rc = graph_add_assign(work->graph, first + (int32_t)i, out[i],
				      err);
	return rc;
}

/** The sum of gradients with this batch's; TRAIN_ADD keeps it. */
static enum err_code accumulate(struct update *u, int32_t *grad,
				struct err *err)
{
	struct train_work *work = u->work;
	const int32_t variable = work->graph->n_variable;
	int32_t sum;
	enum err_code rc;

	if (work->options->batches == TRAIN_ONE)
		return ERR_NONE;
	if (!work->memory->sum)
		return err_set(err, ERR_INVALID,
			       "training: the memory has no sum of gradients");
	rc = flat_variable(u, "sum", ROLE_GRAD, work->memory->sum + u->begin,
			   &sum, err);
	if (rc)
		return rc;
	*grad = build_2(&work->build, "Add", sum,
			build_2(&work->build, "Mul", *grad, work->share));
	rc = build_check(&work->build, err);
	if (!rc && work->options->batches == TRAIN_ADD)
		rc = graph_add_assign(work->graph, variable, *grad, err);
	return rc;
}

enum err_code train_update(struct train_work *work, struct err *err)
{
	struct update u = { .work = work };
	enum err_code rc = ERR_NONE;
	int32_t grad;

	if (!allocate(&u))
		return no_memory(err);
	rc = find_params(&u, err);
	if (!rc)
		rc = autodiff(&work->build, work->objective, VALUE_NONE,
			      u.value, u.n_params, u.grad, err);
	if (rc)
		return rc;
	grad = flat_gradient(&u);
	rc = accumulate(&u, &grad, err);
	if (rc)
		return rc;
	/* GlobalNorm in two nodes, the first of which has slices */
	work->norm = build_1(&work->build, "ChunkNorm",
			     build_1(&work->build, "ChunkSquares", grad));
	rc = build_check(&work->build, err);
	if (rc || work->options->batches == TRAIN_ADD)
		return rc;
	return add_optimizer(&u, grad, err);
}
