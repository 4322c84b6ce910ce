/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/build.h"

#include <stdio.h>
#include <string.h>

enum { NAME_MAX_LEN = 128 };

void build_init(struct build *build, struct graph *graph, struct facts *facts)
{
	*build = (struct build){ .graph = graph, .facts = facts };
}

enum err_code build_check(const struct build *build, struct err *err)
{
	if (build->code && err)
		*err = build->err;
	return build->code;
}

const struct op *build_find(const char *name)
{
	const char *dot = strrchr(name, '.');
	char domain[NAME_MAX_LEN];
	const struct op *op;

	if (!dot) {
		op = op_find("", name);
		return op ? op : op_find("predictd", name);
	}
	if (dot - name >= NAME_MAX_LEN)
		return NULL;
	(void)snprintf(domain, sizeof(domain), "%.*s", (int)(dot - name), name);
	return op_find(strcmp(domain, "ai.onnx") ? domain : "", dot + 1);
}

static void none(int32_t *out, unsigned n_out)
{
	for (unsigned i = 0; i < n_out; i++)
		out[i] = VALUE_NONE;
}

/* NOLINTNEXTLINE(readability-function-size): a node has that many parts */
void build_row(struct build *build, const struct op *op, const void *attrs,
	       const int32_t *in, unsigned n_in, int32_t *out, unsigned n_out)
{
	struct graph *graph = build->graph;
	char name[NAME_MAX_LEN];

	if (!build->code) {
		(void)snprintf(name, sizeof(name), "%s%s_%d",
			       build->prefix ? build->prefix : "", op->name,
			       (int)graph->n_node);
		build->code =
		    graph_add_node(graph, op, name, attrs, in, (int32_t)n_in,
				   out, (int32_t)n_out, &build->err);
	}
	if (!build->code && build->facts)
		build->code = facts_node(build->facts, graph, graph->n_node - 1,
					 &build->err);
	if (build->code)
		none(out, n_out);
}

/* NOLINTNEXTLINE(readability-function-size): a node has that many parts */
void build_nodes(struct build *build, const char *op, const void *attrs,
		 const int32_t *in, unsigned n_in, int32_t *out, unsigned n_out)
{
	const struct op *row = build->code ? NULL : build_find(op);

	if (row) {
		build_row(build, row, attrs, in, n_in, out, n_out);
		return;
	}
	if (!build->code)
		build->code = err_set(&build->err, ERR_UNSUPPORTED,
				      "there is no operator '%s'", op);
	none(out, n_out);
}

int32_t build_node(struct build *build, const char *op, const void *attrs,
		   const int32_t *in, unsigned n_in)
{
	int32_t out = VALUE_NONE;

	build_nodes(build, op, attrs, in, n_in, &out, 1);
	return out;
}

int32_t build_1(struct build *build, const char *op, int32_t a)
{
	return build_node(build, op, NULL, &a, 1);
}

int32_t build_2(struct build *build, const char *op, int32_t a, int32_t b)
{
	int32_t in[] = { a, b };

	return build_node(build, op, NULL, in, 2);
}

/* A constant just added becomes a known fact. */
static void know_constant(struct build *build, int32_t value)
{
	const struct graph *graph = build->graph;
	const struct tensor_view *view =
	    &graph->constant[graph->value[value].source];
	struct fact fact = {
		.type = { .elem = view->dtype },
		.shape = view->shape,
		.has_shape = true,
		.value = view->data,
	};

	if (build->facts)
		build->code =
		    facts_set(build->facts, value, &fact, &build->err);
}

int32_t build_const(struct build *build, const struct tensor_view *view)
{
	int32_t value = VALUE_NONE;

	if (!build->code)
		build->code = graph_copy_constant(build->graph, NULL, view,
						  &value, &build->err);
	if (!build->code)
		know_constant(build, value);
	return build->code ? VALUE_NONE : value;
}

int32_t build_scalar(struct build *build, enum dtype dtype, double value)
{
	uint64_t bytes[2] = { 0 };
	struct tensor_view view = { .data = bytes, .dtype = dtype };

	if (dtype == DTYPE_STRING && !build->code)
		build->code = err_set(&build->err, ERR_INVALID,
				      "a number is needed of strings");
	if (build->code)
		return VALUE_NONE;
	dtype_convert(DTYPE_F64, &value, dtype, bytes, 1, false);
	return build_const(build, &view);
}

int32_t build_ints(struct build *build, const int64_t *list, size_t n)
{
	struct tensor_view view = {
		.dtype = DTYPE_I64,
		.shape = { 1, { (int64_t)n } },
	};
	int32_t value = VALUE_NONE;

	if (build->code)
		return VALUE_NONE;
	view.data = arena_aligned(build->graph->arena, (n + 1) * sizeof(*list));
	if (!view.data) {
		build->code =
		    err_set(&build->err, ERR_NO_MEMORY,
			    "a list of %zu integers: out of memory", n);
		return VALUE_NONE;
	}
	if (n)
		memcpy(view.data, list, n * sizeof(*list));
	build->code =
	    graph_add_constant(build->graph, NULL, &view, &value, &build->err);
	if (!build->code)
		know_constant(build, value);
	return build->code ? VALUE_NONE : value;
}

const struct fact *build_fact(const struct build *build, int32_t value)
{
	static const struct fact unknown;
	const struct facts *facts = build->facts;

	if (!facts || value < 0 || value >= facts->n)
		return &unknown;
	return &facts->fact[value];
}
