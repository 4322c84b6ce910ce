/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Binary operators before opset 7: B is broadcast to A only when `broadcast`
 * says so, and `axis` tells which axis of A the first one of B meets. B gets
 * ones for the axes behind, as many as its rank leaves: the later rule of
 * aligned last axes then means the same. PRelu's slope begins at the channels.
 */
#include <stddef.h>
#include <stdio.h>

#include "engine/spelling.h"

enum { AXIS_ABSENT = -1000, TEXT_MAX = 512 };

struct broadcast_attrs {
	int64_t broadcast, axis;
};

static const struct op_attr attrs[] = {
	{ .name = "broadcast",
	  .help = "1: B may be smaller than A",
	  .offset = offsetof(struct broadcast_attrs, broadcast),
	  .kind = ATTR_INT,
	  .max = 1 },
	{ .name = "axis",
	  .help = "where B's first axis lies in A",
	  .offset = offsetof(struct broadcast_attrs, axis),
	  .kind = ATTR_INT,
	  .def = AXIS_ABSENT },
	{ 0 },
};

static enum err_code lower_binary(struct lower *lower, struct err *err)
{
	const struct broadcast_attrs *own = lower->attrs;
	const char *name = lower->node->name;
	char text[TEXT_MAX];

	if (!own->broadcast || own->axis == AXIS_ABSENT)
		(void)snprintf(text, sizeof(text), "y0 = %s(x0, x1)", name);
	else
		(void)snprintf(
		    text, sizeof(text),
		    "axis:int64[1]={%lld}\n"
		    "free = Sub(%s, axis)\n"
		    "behind = Sub(free, Shape(Shape(x1)))\n"
		    "ones = ConstantOfShape<value=int64[1]{1}>(behind)\n"
		    "b = Reshape<allowzero=1>("
		    "x1, Concat<axis=0>(Shape(x1), ones))\n"
		    "y0 = %s(x0, b)",
		    (long long)own->axis,
		    own->axis < 0 ? "zero:int64[1]={0}" : "Shape(Shape(x0))",
		    name);
	return lower_text(lower, text, err);
}

static enum err_code lower_slope(struct lower *lower, struct err *err)
{
	return lower_text(lower,
			  "two:int64[1]={2}\n"
			  "zero:int64[1]={0}\n"
			  "behind = Max(Sub(Shape(Shape(x0)), two), zero)\n"
			  "ones = ConstantOfShape<value=int64[1]{1}>(behind)\n"
			  "slope = Reshape<allowzero=1>("
			  "x1, Concat<axis=0>(Shape(x1), ones))\n"
			  "y0 = PRelu(x0, slope)",
			  err);
}

#define BINARY(op)                                              \
	{                                                       \
		.domain = "", .name = (op), .from = 1, .to = 6, \
		.lower = lower_binary, .attrs = attrs,          \
		.attrs_size = sizeof(struct broadcast_attrs)    \
	}

const struct spelling spellings_broadcast[] = {
	BINARY("Add"),
	BINARY("And"),
	BINARY("Div"),
	BINARY("Equal"),
	BINARY("Less"),
	BINARY("Greater"),
	BINARY("Mul"),
	BINARY("Or"),
	BINARY("Pow"),
	BINARY("Sub"),
	BINARY("Xor"),
	{ .domain = "",
	  .name = "PRelu",
	  .from = 1,
	  .to = 6,
	  .lower = lower_slope },
	{ 0 },
};
