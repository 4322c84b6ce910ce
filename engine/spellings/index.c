/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Older forms of operators that go by indices: Scatter, which was renamed
 * ScatterElements, and TopK with `k` as an attribute.
 */
#include <stddef.h>

#include "engine/spelling.h"

struct scatter_attrs {
	int64_t axis;
};

static const struct op_attr attrs[] = {
	{ .name = "axis",
	  .help = "axis of data that the indices count",
	  .offset = offsetof(struct scatter_attrs, axis),
	  .kind = ATTR_INT },
	{ 0 },
};

static const struct spelling_move same[] = { { 0 } };
static const struct spelling_move top_k[] = {
	{ "k", AS_INTS, 1, true },
	{ 0 },
};

/* clang-format off */
const struct spelling spellings_index[] = {
	{ .domain = "", .name = "Scatter", .from = 9, .to = 10,
	  .attrs = attrs, .attrs_size = sizeof(struct scatter_attrs),
	  .text = "y0 = ScatterElements<axis=@axis>(x0, x1, x2)" },
	{ .domain = "", .name = "TopK", .from = 1, .to = 9, .moves = top_k },
	{ .domain = "", .name = "TopK", .from = 10, .to = 10, .moves = same },
	{ 0 },
};
/* clang-format on */
