/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Operators that are a few others: Mean of many tensors, a Sum divided by
 * their number; MeanVarianceNormalization, a difference from the mean divided
 * by the deviation. Attribute `axes` of the latter has a default of its own.
 *
 * Source: operators Mean-6 and MeanVarianceNormalization-9 of ONNX.
 */
#include <stddef.h>

#include "engine/spelling.h"

struct mean_attrs {
	struct attr_ints axes;
};

static const struct op_attr attrs[] = {
	{ .name = "axes",
	  .help = "the axes that share a mean; none given: 0, 2 and 3",
	  .offset = offsetof(struct mean_attrs, axes),
	  .kind = ATTR_INTS },
	{ 0 },
};

static enum err_code lower_mean(struct lower *lower, struct err *err)
{
	const struct spelling_node *node = lower->node;
	struct build *build = lower->build;
	int32_t sum, n;

	if (node->attrs->n || node->n_out != 1)
		return err_set(err, ERR_INVALID,
			       "node '%s' (Mean) has no attributes and one "
			       "output",
			       node->node_name);
	sum = build_node(build, "Sum", NULL, node->in, node->n_in);
	n = build_2(build, "CastLike",
		    build_scalar(build, DTYPE_F32, (double)node->n_in), sum);
	node->out[0] = build_2(build, "Div", sum, n);
	return build_check(build, err);
}

static enum err_code lower_normalization(struct lower *lower, struct err *err)
{
	static const int64_t standard[] = { 0, 2, 3 };
	const struct mean_attrs *own = lower->attrs;
	const struct spelling_node *node = lower->node;
	struct build_name in[2] = { { "x", VALUE_NONE }, { "a", VALUE_NONE } };
	struct build_name out = { "y", VALUE_NONE };

	if (node->n_in != 1 || node->n_out != 1)
		return err_set(err, ERR_INVALID,
			       "node '%s' (MeanVarianceNormalization) has one "
			       "input and one output",
			       node->node_name);
	in[0].value = node->in[0];
	in[1].value = own->axes.n
			  ? build_ints(lower->build, own->axes.v, own->axes.n)
			  : build_ints(lower->build, standard, 3);
	build_text(lower->build,
		   "d = Sub(x, ReduceMean(x, a))\n"
		   "deviation = Sqrt(ReduceMean(Mul(d, d), a))\n"
		   "y = Div(d, Add(deviation, CastLike(1e-9, x)))",
		   in, 2, NULL, &out, 1);
	node->out[0] = out.value;
	return build_check(lower->build, err);
}

const struct spelling spellings_mean[] = {
	{ .domain = "",
	  .name = "Mean",
	  .from = 6,
	  .to = UINT16_MAX,
	  .lower = lower_mean },
	{ .domain = "",
	  .name = "MeanVarianceNormalization",
	  .from = 9,
	  .to = UINT16_MAX,
	  .lower = lower_normalization,
	  .attrs = attrs,
	  .attrs_size = sizeof(struct mean_attrs) },
	{ 0 },
};
