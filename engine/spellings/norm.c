/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * BatchNormalization before opset 14, in evaluation form: one output, by the
 * given statistics. Up to opset 8, `spatial` 0 means statistics of every
 * element instead of every channel. `is_test` of opset 6 only tells training
 * from evaluation; training makes its own form of the canonical operator.
 *
 * GroupNormalization before opset 21: scale and bias of each group instead of
 * each channel.
 */
#include <stddef.h>
#include <stdio.h>

#include "engine/spelling.h"

struct norm_attrs {
	double epsilon, momentum;
	int64_t is_test, spatial;
};

struct group_attrs {
	double epsilon;
	int64_t num_groups;
};

/* clang-format off */
static const struct op_attr attrs[] = {
	{ .name = "epsilon", .help = "added to the variance",
	  .offset = offsetof(struct norm_attrs, epsilon),
	  .kind = ATTR_FLOAT, .max = 1e30, .def = 1e-5 },
	{ .name = "momentum", .help = "share of the old running value",
	  .offset = offsetof(struct norm_attrs, momentum),
	  .kind = ATTR_FLOAT, .def = 0.9 },
	{ .name = "is_test", .help = "1: evaluation",
	  .offset = offsetof(struct norm_attrs, is_test),
	  .kind = ATTR_INT, .max = 1 },
	{ .name = "spatial", .help = "1: statistics of a channel",
	  .offset = offsetof(struct norm_attrs, spatial),
	  .kind = ATTR_INT, .max = 1, .def = 1 },
	{ 0 },
};
static const struct op_attr group_attrs[] = {
	{ .name = "epsilon", .help = "added to the variance",
	  .offset = offsetof(struct group_attrs, epsilon),
	  .kind = ATTR_FLOAT, .max = 1e30, .def = 1e-5 },
	{ .name = "num_groups", .help = "groups of channels", .flags = ATTR_REQUIRED,
	  .offset = offsetof(struct group_attrs, num_groups),
	  .kind = ATTR_INT, .min = 1, .max = SHAPE_MAX_EXTENT },
	{ 0 },
};
/* clang-format on */

static enum err_code lower_norm(struct lower *lower, struct err *err)
{
	const struct norm_attrs *own = lower->attrs;

	if (own->spatial)
		return lower_text(lower,
				  "y0 = BatchNormalization<epsilon=@epsilon, "
				  "momentum=@momentum>(x0, x1, x2, x3, x4)",
				  err);
	return lower_text(lower,
			  "scale = Div(x1, Sqrt(Add(x4, @epsilon)))\n"
			  "y0 = Add(Mul(Sub(x0, x3), scale), x2)",
			  err);
}

/* each group's number once for each of its channels */
static enum err_code lower_group_norm(struct lower *lower, struct err *err)
{
	const struct group_attrs *own = lower->attrs;
	char text[640];

	(void)snprintf(
	    text, sizeof(text),
	    "groups:int64[1]={%lld}\n"
	    "column:int64[2]={-1,1}\n"
	    "all:int64[1]={-1}\n"
	    "each = Div(Shape<start=1, end=2>(x0), groups)\n"
	    "grid = Concat<axis=0>(groups, each)\n"
	    "scale = Reshape(Expand(Reshape(x1, column), grid), all)\n"
	    "bias = Reshape(Expand(Reshape(x2, column), grid), all)\n"
	    "y0 = GroupNormalization<epsilon=@epsilon, "
	    "num_groups=@num_groups>(x0, scale, bias)",
	    (long long)own->num_groups);
	return lower_text(lower, text, err);
}

const struct spelling spellings_norm[] = {
	{ .domain = "",
	  .name = "BatchNormalization",
	  .from = 6,
	  .to = 13,
	  .lower = lower_norm,
	  .attrs = attrs,
	  .attrs_size = sizeof(struct norm_attrs) },
	{ .domain = "",
	  .name = "GroupNormalization",
	  .from = 18,
	  .to = 20,
	  .lower = lower_group_norm,
	  .attrs = group_attrs,
	  .attrs_size = sizeof(struct group_attrs) },
	{ 0 },
};
