/* SPDX-License-Identifier: Apache-2.0 */
#include "training/lsuv.h"

#include <math.h>
#include <string.h>

#include "base/str.h"
#include "engine/build.h"
#include "engine/instance.h"
#include "engine/plan.h"

/* A graph that gives the variance of what each layer gives. */
struct lsuv {
	struct graph *graph; /* shares the weights */
	struct facts *facts;
	struct instance *instance;
	int32_t *variable; /* of each layer: its weight */
	unsigned n;
};

/* The variable that is a layer's weight, or -1. */
static int32_t weight_of(const struct graph *graph,
			 const struct graph_node *node)
{
	static const char *const names[] = { "Conv", "Gemm", "MatMul" };
	const struct graph_value *value;

	if (!node->op || node->op->domain[0] || node->n_in < 2 ||
	    graph_in(graph, node)[1] == VALUE_NONE)
		return -1;
	value = &graph->value[graph_in(graph, node)[1]];
	if (value->origin != ORIGIN_VARIABLE)
		return -1;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const struct variable *v = &graph->variable[value->source];

		if (str_equal(node->op->name, names[i]) &&
		    v->role == ROLE_PARAM && v->view.dtype == DTYPE_F32 &&
		    v->view.shape.rank > 1)
			return value->source;
	}
	return -1;
}

static enum err_code watch(struct lsuv *l, struct build *build, int32_t number,
			   struct err *err)
{
	static const char text[] = "d = Sub(y, ReduceMean<keepdims=0>(y)); "
				   "s = ReduceMean<keepdims=0>(Mul(d, d))";
	const struct graph_node *node = &l->graph->node[number];
	const struct build_name bound = { "y", graph_out(l->graph, node)[0] };
	struct build_name want = { "s", VALUE_NONE };
	const int32_t weight = weight_of(l->graph, node);
	enum err_code rc;

	if (weight < 0)
		return ERR_NONE;
	build_text(build, text, &bound, 1, NULL, &want, 1);
	rc = build_check(build, err);
	if (!rc)
		rc = graph_add_output(l->graph, want.value, err);
	l->variable[l->n++] = weight;
	return rc;
}

static enum err_code make_plan(struct lsuv *l, const struct fact *input,
			       struct err *err)
{
	const struct signature signature = {
		.input = input,
		.n = (unsigned)l->graph->n_input,
	};
	const struct plan_options options = { .threads = 1,
					      .numerics = NUMERICS_REPEATABLE };
	struct plan *plan = NULL;
	enum err_code rc =
	    plan_create(l->graph, &signature, &options, &plan, err);

	if (!rc)
		rc = instance_create(plan, &l->instance, err);
	plan_unref(plan);
	return rc;
}

static enum err_code prepare(struct lsuv *l, const struct graph *graph,
			     const struct fact *input, struct err *err)
{
	struct build build;
	const int32_t n = graph->n_node;
	enum err_code rc = graph_clone(graph, &l->graph, err);

	if (rc)
		return rc;
	l->variable =
	    arena_array(l->graph->arena, (size_t)n + 1, sizeof(int32_t));
	if (!l->variable)
		return err_set(err, ERR_NO_MEMORY, "lsuv: out of memory");
	rc = facts_create(l->graph, input, &l->facts, err);
	build_init(&build, l->graph, l->facts);
	l->graph->n_output = 0;
	for (int32_t i = 0; i < n && !rc; i++)
		rc = watch(l, &build, i, err);
	if (!rc && l->n)
		rc = graph_tidy(l->graph, err);
	return rc || !l->n ? rc : make_plan(l, input, err);
}

/* Nothing of what it is divided by may be 0, or no number at all. */
static void divide(const struct variable *weight, double by)
{
	float *w = weight->view.data;
	const int64_t n = shape_count(&weight->view.shape);

	for (int64_t i = 0; i < n; i++)
		w[i] = (float)((double)w[i] / by);
}

static enum err_code scale_layer(struct lsuv *l, const struct graph *graph,
				 unsigned layer, struct err *err)
{
	for (int i = 0; i < LSUV_TRIES; i++) {
		enum err_code rc = instance_run(l->instance, NULL, err);
		double deviation;

		if (rc)
			return rc;
		deviation = sqrt(
		    (double)*(const float *)instance_output(l->instance, layer)
			.data);
		if (!isfinite(deviation) || !(deviation > 1e-12) ||
		    fabs(deviation - 1) < LSUV_TOLERANCE)
			break;
		divide(&graph->variable[l->variable[layer]], deviation);
	}
	return ERR_NONE;
}

enum err_code lsuv_scale(const struct graph *graph, const struct fact *input,
			 void *const *value, struct err *err)
{
	struct lsuv l = { 0 };
	enum err_code rc = prepare(&l, graph, input, err);

	for (int32_t i = 0; i < graph->n_input && l.instance; i++) {
		const struct tensor_view view =
		    instance_input(l.instance, (unsigned)i);

		memcpy(view.data, value[i],
		       tensor_bytes(view.dtype, &view.shape));
	}
	for (unsigned i = 0; i < l.n && !rc; i++)
		rc = scale_layer(&l, graph, i, err);
	instance_destroy(l.instance);
	facts_destroy(l.facts);
	graph_destroy(l.graph);
	return rc;
}
