/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Dropout before opset 12: the ratio was an attribute, and until opset 9 the
 * mask had the type of the data. Always in evaluation form, also where opset
 * 6 says `is_test` 0: training makes its own form.
 */
#include <stddef.h>

#include "engine/spelling.h"

struct dropout_attrs {
	double ratio;
	int64_t is_test;
};

static const struct op_attr attrs[] = {
	{ .name = "ratio",
	  .help = "probability of 0",
	  .offset = offsetof(struct dropout_attrs, ratio),
	  .kind = ATTR_FLOAT,
	  .max = 1,
	  .def = 0.5 },
	{ .name = "is_test",
	  .help = "1: evaluation",
	  .offset = offsetof(struct dropout_attrs, is_test),
	  .kind = ATTR_INT,
	  .max = 1 },
	{ 0 },
};

/* clang-format off */
const struct spelling spellings_dropout[] = {
	{ .domain = "", .name = "Dropout", .from = 6, .to = 9,
	  .attrs = attrs, .attrs_size = sizeof(struct dropout_attrs),
	  .text = "y0, mask = Dropout(x0, @ratio); y1 = CastLike(mask, x0)" },
	{ .domain = "", .name = "Dropout", .from = 10, .to = 11,
	  .attrs = attrs, .attrs_size = sizeof(struct dropout_attrs),
	  .text = "y0, y1 = Dropout(x0, @ratio)" },
	{ 0 },
};
/* clang-format on */
