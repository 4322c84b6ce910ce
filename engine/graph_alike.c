/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/graph_alike.h"

#include <string.h>

#include "engine/attr.h"
#include "engine/op.h"

static bool same_ids(const int32_t *a, int32_t n_a, const int32_t *b,
		     int32_t n_b)
{
	return n_a == n_b && (!n_a || !memcmp(a, b, (size_t)n_a * sizeof(*a)));
}

static bool same_node(const struct graph *ga, const struct graph_node *a,
		      const struct graph *gb, const struct graph_node *b)
{
	return a->op == b->op && !a->n_body && !b->n_body &&
	       same_ids(graph_in(ga, a), a->n_in, graph_in(gb, b), b->n_in) &&
	       same_ids(graph_out(ga, a), a->n_out, graph_out(gb, b),
			b->n_out) &&
	       (!a->op || op_attrs_equal(a->op, a->attrs, b->attrs));
}

static bool same_value(const struct graph_value *a, const struct graph_value *b)
{
	return a->origin == b->origin && a->source == b->source &&
	       a->type.elem == b->type.elem &&
	       a->type.is_sequence == b->type.is_sequence &&
	       a->type.is_optional == b->type.is_optional;
}

/* Weights are floating or quantized; wider integers are shapes and indexes. */
static bool is_weight(enum dtype dtype)
{
	return dtype_is_float(dtype) || dtype == DTYPE_I8 || dtype == DTYPE_U8;
}

static bool same_constant(const struct tensor_view *a,
			  const struct tensor_view *b)
{
	if (a->dtype != b->dtype || !shape_equal(&a->shape, &b->shape))
		return false;
	return is_weight(a->dtype) || tensor_equal(a, b);
}

bool graph_alike(const struct graph *a, const struct graph *b)
{
	bool alike = a->n_value == b->n_value && a->n_node == b->n_node &&
		     a->n_constant == b->n_constant &&
		     a->n_variable == b->n_variable &&
		     same_ids(a->input, a->n_input, b->input, b->n_input) &&
		     same_ids(a->output, a->n_output, b->output, b->n_output);

	for (int32_t i = 0; alike && i < a->n_value; i++)
		alike = same_value(&a->value[i], &b->value[i]);
	for (int32_t i = 0; alike && i < a->n_node; i++)
		alike = same_node(a, &a->node[i], b, &b->node[i]);
	for (int32_t i = 0; alike && i < a->n_constant; i++)
		alike = same_constant(&a->constant[i], &b->constant[i]);
	return alike;
}
