/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Hardmax, Softmax and LogSoftmax before opset 13: the input is seen as a
 * matrix, cut before `axis`, and each row of that matrix is one distribution.
 */
#include <stddef.h>

#include "engine/spelling.h"

struct softmax_attrs {
	int64_t axis;
};

static const struct op_attr attrs[] = {
	{ .name = "axis",
	  .help = "first axis of a row",
	  .offset = offsetof(struct softmax_attrs, axis),
	  .kind = ATTR_INT,
	  .def = 1 },
	{ 0 },
};

/* clang-format off */
const struct spelling spellings_softmax[] = {
	{ .domain = "", .name = "Hardmax", .from = 1, .to = 12,
	  .attrs = attrs, .attrs_size = sizeof(struct softmax_attrs),
	  .text = "y0 = Reshape<allowzero=1>("
		  "Hardmax<axis=1>(Flatten<axis=@axis>(x0)), Shape(x0))" },
	{ .domain = "", .name = "LogSoftmax", .from = 1, .to = 12,
	  .attrs = attrs, .attrs_size = sizeof(struct softmax_attrs),
	  .text = "y0 = Reshape<allowzero=1>("
		  "LogSoftmax<axis=1>(Flatten<axis=@axis>(x0)), Shape(x0))" },
	{ .domain = "", .name = "Softmax", .from = 1, .to = 12,
	  .attrs = attrs, .attrs_size = sizeof(struct softmax_attrs),
	  .text = "y0 = Reshape<allowzero=1>("
		  "Softmax<axis=1>(Flatten<axis=@axis>(x0)), Shape(x0))" },
	{ 0 },
};
/* clang-format on */
