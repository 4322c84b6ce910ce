/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * The pass `blocked`: convolutions, and what is joined to them.
 */
#include <float.h>
#include <string.h>

#include "engine/attr.h"
#include "engine/passes/blocked_priv.h"

/* Groups that blocks can hold: one, a channel each, or whole blocks. */
static bool groups_fit(const struct blocking *b, int64_t group, int64_t c,
		       int64_t m)
{
	return group == 1 || (c == 1 && m == 1) ||
	       (c % b->lanes == 0 && m % b->lanes == 0);
}

/* W is known, and the channels can be blocked. */
static bool fits(const struct blocking *b, const struct graph_node *node)
{
	const struct conv_attrs *attrs = node->attrs;
	const int32_t *in = graph_in(b->graph, node);
	const struct shape *w = &blocking_fact(b, in[1])->shape;

	return blocking_is_image(b, in[0]) && blocking_is_image(b, in[1]) &&
	       blocking_is_image(b, graph_out(b->graph, node)[0]) &&
	       blocking_fact(b, in[1])->value && attrs->group > 0 &&
	       groups_fit(b, attrs->group, w->dim[1], w->dim[0] / attrs->group);
}

/* A thin image is read as it comes. */
static bool is_thin(const struct blocking *b, const struct graph_node *node)
{
	const struct conv_attrs *attrs = node->attrs;
	const int32_t x = graph_in(b->graph, node)[0];

	return attrs->group == 1 && b->twin[x] == VALUE_NONE &&
	       blocking_fact(b, x)->shape.dim[1] < b->lanes;
}

/* Few channels out of long rows have loops of their own. */
static bool is_better_plain(const struct blocking *b,
			    const struct graph_node *node)
{
	const int32_t *in = graph_in(b->graph, node);
	struct conv conv;

	return !conv_init(node->attrs, &blocking_fact(b, in[0])->shape,
			  &blocking_fact(b, in[1])->shape, NULL, &conv, NULL) &&
	       conv_taps_suits(&conv);
}

bool blocking_conv(struct blocking *b, const struct graph_node *node)
{
	const int32_t *in = graph_in(b->graph, node);
	const int32_t out = graph_out(b->graph, node)[0];
	const bool has_bias = node->n_in > 2 && in[2] != VALUE_NONE;
	int32_t operand[3] = { VALUE_NONE, in[1],
			       has_bias ? in[2] : VALUE_NONE };
	const struct conv_blocked_attrs attrs = {
		.conv = *(const struct conv_attrs *)node->attrs,
		.lanes = b->lanes,
		.activation = "",
	};

	if (!fits(b, node) || is_better_plain(b, node))
		return false;
	if (is_thin(b, node)) {
		operand[0] = in[0];
		b->is_read[in[0]] = true;
	} else {
		operand[0] = blocking_twin(b, in[0]);
	}
	b->twin[out] = build_node(&b->build, "ConvBlocked", &attrs, operand, 3);
	return true;
}

/* The convolution that makes a value which `node` alone reads. */
static const struct graph_node *maker(const struct blocking *b, int32_t value)
{
	const struct graph_node *node;

	if (value == VALUE_NONE || b->twin[value] == VALUE_NONE ||
	    b->readers[value] != 1)
		return NULL;
	node = graph_producer(b->graph, b->twin[value]);
	return node && node->op && !strcmp(node->op->name, "ConvBlocked")
		   ? node
		   : NULL;
}

static const struct conv_blocked_attrs *attrs_of(const struct graph_node *node)
{
	return node->attrs;
}

/* The same convolution with other attributes and a residual. */
static int32_t again(struct blocking *b, const struct graph_node *conv,
		     const struct conv_blocked_attrs *attrs, int32_t residual)
{
	const int32_t *in = graph_in(b->graph, conv);
	int32_t operand[4] = { VALUE_NONE, VALUE_NONE, VALUE_NONE, VALUE_NONE };

	for (int32_t i = 0; i < conv->n_in; i++)
		operand[i] = in[i];
	if (residual != VALUE_NONE)
		operand[3] = residual;
	return build_node(&b->build, "ConvBlocked", attrs, operand, 4);
}

bool blocking_join_sum(struct blocking *b, const struct graph_node *node)
{
	const int32_t out = graph_out(b->graph, node)[0];

	for (int32_t i = 0; i < 2 && node->n_in == 2; i++) {
		const int32_t *in = graph_in(b->graph, node);
		const int32_t value = in[i], other = in[1 - i];
		const struct graph_node *conv = maker(b, value);
		struct graph_node copy;

		if (!conv || other == VALUE_NONE ||
		    b->twin[other] == VALUE_NONE ||
		    !shape_equal(&blocking_fact(b, value)->shape,
				 &blocking_fact(b, other)->shape))
			continue;
		copy = *conv;
		if (attrs_of(&copy)->activation[0] || copy.n_in > 3)
			continue;
		b->twin[out] = again(b, &copy, attrs_of(&copy), b->twin[other]);
		return true;
	}
	return false;
}

static double attr_number(const struct graph_node *node, const char *name)
{
	const struct op_attr *row = op_attr_find(node->op->attrs, name);
	double value = 0;

	if (row)
		memcpy(&value, (const char *)node->attrs + row->offset,
		       sizeof(value));
	return value;
}

/* A limit of Clip: its known value, or `none` where it is absent. */
static bool limit(const struct blocking *b, const struct graph_node *node,
		  int32_t i, double none, double *ret)
{
	const int32_t *in = graph_in(b->graph, node);
	const struct fact *fact;

	*ret = none;
	if (i >= node->n_in || in[i] == VALUE_NONE)
		return true;
	fact = blocking_fact(b, in[i]);
	if (!fact->value || fact->type.elem != DTYPE_F32)
		return false;
	*ret = (double)*(const float *)fact->value;
	return true;
}

bool blocking_epilogue(const struct blocking *b, const struct graph_node *node,
		       struct epilogue *ret)
{
	*ret = (struct epilogue){ 0 };
	if (node->op->domain[0] || !epilogue_find(node->op->name, &ret->kind) ||
	    ret->kind == EPILOGUE_NONE)
		return false;
	ret->alpha = attr_number(node, "alpha");
	ret->beta = attr_number(node, "beta");
	if (ret->kind != EPILOGUE_CLIP)
		return node->n_in == 1;
	return limit(b, node, 1, -(double)FLT_MAX, &ret->alpha) &&
	       limit(b, node, 2, (double)FLT_MAX, &ret->beta);
}

bool blocking_join_activation(struct blocking *b, const struct graph_node *node)
{
	const int32_t in = graph_in(b->graph, node)[0];
	const int32_t out = graph_out(b->graph, node)[0];
	const struct graph_node *conv = maker(b, in);
	struct conv_blocked_attrs attrs;
	struct graph_node copy;
	struct epilogue e;

	if (!conv || !blocking_epilogue(b, node, &e))
		return false;
	copy = *conv;
	attrs = *attrs_of(&copy);
	if (attrs.activation[0] ||
	    !(epilogue_keeps_zero(&e) || blocking_is_full(b, in)))
		return false;
	attrs.activation = epilogue_name(e.kind);
	attrs.alpha = e.alpha;
	attrs.beta = e.beta;
	b->twin[out] = again(b, &copy, &attrs, VALUE_NONE);
	return true;
}
