/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * DFT before opset 20: the axis was an attribute, and its default another.
 */
#include <stddef.h>
#include <stdio.h>

#include "engine/spelling.h"

struct dft_attrs {
	int64_t axis, inverse, onesided;
};

/* clang-format off */
static const struct op_attr attrs[] = {
	{ .name = "axis", .help = "axis that is transformed",
	  .offset = offsetof(struct dft_attrs, axis), .kind = ATTR_INT, .def = 1 },
	{ .name = "inverse", .help = "1: from the spectrum back",
	  .offset = offsetof(struct dft_attrs, inverse), .kind = ATTR_INT, .max = 1 },
	{ .name = "onesided", .help = "1: without the second half of the spectrum",
	  .offset = offsetof(struct dft_attrs, onesided), .kind = ATTR_INT, .max = 1 },
	{ 0 },
};
/* clang-format on */

static enum err_code lower_dft(struct lower *lower, struct err *err)
{
	const struct dft_attrs *own = lower->attrs;
	char text[160];

	(void)snprintf(text, sizeof(text),
		       "axis:int64[]={%lld}\n"
		       "y0 = DFT<inverse=@inverse, onesided=@onesided>(x0, "
		       "%s, axis)",
		       (long long)own->axis, lower->node->n_in > 1 ? "x1" : "");
	return lower_text(lower, text, err);
}

const struct spelling spellings_fourier[] = {
	{ .domain = "",
	  .name = "DFT",
	  .from = 17,
	  .to = 19,
	  .lower = lower_dft,
	  .attrs = attrs,
	  .attrs_size = sizeof(struct dft_attrs) },
	{ 0 },
};
