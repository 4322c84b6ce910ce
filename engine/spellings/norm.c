/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * BatchNormalization before opset 14, in evaluation form: one output, by the
 * given statistics. Up to opset 8, `spatial` 0 means statistics of every
 * element instead of every channel. `is_test` of opset 6 only tells training
 * from evaluation; training makes its own form of the canonical operator.
 */
#include <stddef.h>

#include "engine/spelling.h"

struct norm_attrs {
	double epsilon, momentum;
	int64_t is_test, spatial;
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

const struct spelling spellings_norm[] = {
	{ .domain = "",
	  .name = "BatchNormalization",
	  .from = 6,
	  .to = 13,
	  .lower = lower_norm,
	  .attrs = attrs,
	  .attrs_size = sizeof(struct norm_attrs) },
	{ 0 },
};
