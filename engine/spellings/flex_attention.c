/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * FlexAttention of ai.onnx.preview: Attention on four axes, with two graphs of
 * the file that change scores before and probabilities after the softmax.
 *
 *   Y = prob_mod(softmax(score_mod(Q K^T scale))) V
 *
 * Without graphs it is Attention. With them it is written out, and the graphs'
 * nodes stand between: heads of queries that share a head of keys are joined
 * to one, [B,Hkv,G L,E], which is another shape of the same elements.
 */
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "engine/spelling.h"

enum { TEXT_MAX = 1024 };

struct flex_attrs {
	double scale;
	int64_t softmax_precision;
};

/* The element type of scores and probabilities. */
static enum dtype precision_of(const struct lower *lower)
{
	const struct flex_attrs *own = lower->attrs;
	const struct graph *graph = lower->build->graph;
	const int32_t q = lower->node->n_in ? lower->node->in[0] : VALUE_NONE;
	enum dtype elem =
	    q == VALUE_NONE ? DTYPE_NONE : graph->value[q].type.elem;

	if (own->softmax_precision)
		return (enum dtype)own->softmax_precision;
	return elem == DTYPE_NONE || elem == DTYPE_F64 ? elem : DTYPE_F32;
}

static int32_t put_part(struct lower *lower, const char *text,
			const struct build_name *bound, size_t n)
{
	const struct op like = { .name = lower->node->name,
				 .attrs = lower->table };
	const struct graph_node attrs_of = { .op = &like,
					     .attrs = lower->attrs };
	struct build_name want = { "result", VALUE_NONE };

	build_text(lower->build, text, bound, n, &attrs_of, &want, 1);
	return want.value;
}

static int32_t put_scores(struct lower *lower, const char *precision)
{
	const struct flex_attrs *own = lower->attrs;
	const struct build_name in[] = { { "q", lower->node->in[0] },
					 { "k", lower->node->in[1] } };
	char text[TEXT_MAX];

	(void)snprintf(
	    text, sizeof(text),
	    "size = Cast<to=float>(Shape<start=3>(q))\n"
	    "group = Div(Shape<start=1, end=2>(q), Shape<start=1, end=2>(k))\n"
	    "rows = Mul(group, Shape<start=2, end=3>(q))\n"
	    "heads = Concat<axis=0>(Shape<end=2>(k), rows, Shape<start=3>(q))\n"
	    "scaled = Mul(q, CastLike(%s, q))\n"
	    "s = MatMul(Reshape<allowzero=1>(scaled, heads), "
	    "Transpose<perm=[0,1,3,2]>(k))\n"
	    "all = Concat<axis=0>(Shape<end=3>(q), Shape<start=2, end=3>(k))\n"
	    "result = Cast<to=%s>(Reshape<allowzero=1>(s, all))\n",
	    own->scale != 0 ? "@scale" : "Reciprocal(Sqrt(size))", precision);
	return put_part(lower, text, in, 2);
}

static int32_t put_sums(struct lower *lower, int32_t probs,
			const char *precision)
{
	const struct build_name in[] = { { "q", lower->node->in[0] },
					 { "v", lower->node->in[2] },
					 { "p", probs } };
	char text[TEXT_MAX];

	(void)snprintf(
	    text, sizeof(text),
	    "group = Div(Shape<start=1, end=2>(q), Shape<start=1, end=2>(v))\n"
	    "rows = Mul(group, Shape<start=2, end=3>(q))\n"
	    "heads = Concat<axis=0>(Shape<end=2>(v), rows, "
	    "Shape<start=2, end=3>(v))\n"
	    "y = MatMul(Reshape<allowzero=1>(p, heads), Cast<to=%s>(v))\n"
	    "all = Concat<axis=0>(Shape<end=3>(q), Shape<start=3>(v))\n"
	    "result = CastLike(Reshape<allowzero=1>(y, all), v)\n",
	    precision);
	return put_part(lower, text, in, 3);
}

static enum err_code put_graph(struct lower *lower, const char *name,
			       int32_t *value, struct err *err)
{
	const struct body_source *bodies = lower->node->bodies;
	enum err_code rc = build_check(lower->build, err);

	return rc ? rc : bodies->append(bodies->ctx, name, value, err);
}

static enum err_code write_out(struct lower *lower, struct err *err)
{
	const struct spelling_node *node = lower->node;
	const enum dtype elem = precision_of(lower);
	const char *precision = dtype_info(elem)->name;
	int32_t value;
	enum err_code rc;

	if (elem == DTYPE_NONE || node->n_in != 3 || node->n_out != 1 ||
	    node->in[1] == VALUE_NONE || node->in[2] == VALUE_NONE)
		return err_set(err, ERR_UNSUPPORTED,
			       "node '%s' (%s) must have Q, K and V of a known "
			       "element type",
			       node->node_name, node->name);
	value = put_scores(lower, precision);
	rc = put_graph(lower, "score_mod", &value, err);
	if (rc)
		return rc;
	value = build_1(lower->build, "Softmax", value);
	rc = put_graph(lower, "prob_mod", &value, err);
	if (rc)
		return rc;
	node->out[0] = put_sums(lower, value, precision);
	return build_check(lower->build, err);
}

static enum err_code lower_flex(struct lower *lower, struct err *err)
{
	if (lower->node->bodies)
		return write_out(lower, err);
	return lower_text(lower,
			  "y0 = Attention<scale=@scale, "
			  "softmax_precision=@softmax_precision>(x0, x1, x2)",
			  err);
}

static const struct op_attr flex_attrs[] = {
	{ .name = "scale",
	  .help = "factor of the scores; 0: 1 / sqrt(size)",
	  .offset = offsetof(struct flex_attrs, scale),
	  .kind = ATTR_FLOAT },
	{ .name = "softmax_precision",
	  .help = "element type of the softmax",
	  .offset = offsetof(struct flex_attrs, softmax_precision),
	  .kind = ATTR_INT,
	  .max = DTYPE_COUNT - 1 },
	{ 0 },
};

static const char *const flex_bodies[] = { "score_mod", "prob_mod", NULL };

const struct spelling spellings_flex_attention[] = {
	{ .domain = "ai.onnx.preview",
	  .name = "FlexAttention",
	  .from = 1,
	  .to = UINT16_MAX,
	  .lower = lower_flex,
	  .attrs = flex_attrs,
	  .attrs_size = sizeof(struct flex_attrs),
	  .bodies = flex_bodies },
	{ 0 },
};
