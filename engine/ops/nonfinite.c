/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * IsNaN and IsInf: what is no finite number. Gradients end here.
 */
#include "engine/ops/elementwise.h"

struct is_inf_attrs {
	int64_t detect_negative, detect_positive;
};
static const struct op_attr is_inf_attr_rows[] = {
	{ .name = "detect_negative",
	  .help = "whether minus infinity counts",
	  .offset = offsetof(struct is_inf_attrs, detect_negative),
	  .kind = ATTR_INT,
	  .max = 1,
	  .def = 1 },
	{ .name = "detect_positive",
	  .help = "whether plus infinity counts",
	  .offset = offsetof(struct is_inf_attrs, detect_positive),
	  .kind = ATTR_INT,
	  .max = 1,
	  .def = 1 },
	{ 0 },
};

static const struct port float_in[] = { { "X", "T:floats", 0 }, { 0 } };
static const struct port bool_out[] = { { "Y", "bool", 0 }, { 0 } };

/* 1 / 0, -1 / 0 and 0 / 0 */
#define NONFINITE "Div(x:float[5]={1,-1,0,0,2}, z:float[5]={0,0,0,1,1})"

static const struct op_case is_nan_cases[] = {
	{ .name = "all kinds", .graph = "y = IsNaN(" NONFINITE ")" },
	{ .name = "matrix", .graph = "y = IsNaN(x:float[3,27])" },
	{ .name = "halves", .graph = "y = IsNaN(x:float16[9])" },
	{ .name = "nothing", .graph = "y = IsNaN(x:double[0])" },
	{ 0 },
};
static const struct op_case is_inf_cases[] = {
	{ .name = "both", .graph = "y = IsInf(" NONFINITE ")" },
	{ .name = "positive",
	  .graph = "y = IsInf<detect_negative=0>(" NONFINITE ")" },
	{ .name = "negative",
	  .graph = "y = IsInf<detect_positive=0>(" NONFINITE ")" },
	{ .name = "matrix", .graph = "y = IsInf(x:double[3,27])" },
	{ 0 },
};

extern const struct op op_is_inf, op_is_nan;

const struct op op_is_inf = {
	.domain = "",
	.name = "IsInf",
	.help = "where X is infinite",
	.since = 10,
	.flags = OP_NO_GRADIENT,
	.in = float_in,
	.out = bool_out,
	.attrs = is_inf_attr_rows,
	.attrs_size = sizeof(struct is_inf_attrs),
	.infer = infer_same,
	.kernels = elementwise_test_kernels,
	.cases = is_inf_cases,
};

const struct op op_is_nan = {
	.domain = "",
	.name = "IsNaN",
	.help = "where X is no number",
	.since = 9,
	.flags = OP_NO_GRADIENT,
	.in = float_in,
	.out = bool_out,
	.infer = infer_same,
	.kernels = elementwise_test_kernels,
	.cases = is_nan_cases,
};
