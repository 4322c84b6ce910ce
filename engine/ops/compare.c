/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Tests of two operands (Equal, Less and their kin) and of truth values (And,
 * Or, Xor, Not). Operands broadcast; gradients end here.
 */
#include <string.h>

#include "engine/ops/broadcast.h"
#include "engine/ops/elementwise.h"

static const struct port number_in[] = {
	{ "A", "T:arith", 0 },
	{ "B", "T", 0 },
	{ 0 },
};
static const struct port any_in[] = {
	{ "A", "T:any", 0 },
	{ "B", "T", 0 },
	{ 0 },
};
static const struct port bool_in[] = {
	{ "A", "bool", 0 },
	{ "B", "bool", 0 },
	{ 0 },
};
static const struct port bool_out[] = {
	{ "C", "bool", 0 },
	{ 0 },
};

/* Equal of strings, byte by byte. */

static bool is_text(const struct kernel_query *query)
{
	return query->in[0].type.elem == DTYPE_STRING;
}

static void equal_text(const struct kernel_call *call, unsigned slice,
		       void *scratch)
{
	const struct kernel_query *query = call->query;
	const struct shape *out = &query->out[0].shape;
	const struct str *a = call->in[0], *b = call->in[1];
	const int64_t n = shape_count(out);
	bool *c = call->out[0];

	(void)slice;
	(void)scratch;
	for (int64_t at = 0; at < n; at++) {
		const struct str *x =
		    a + broadcast_index(out, &query->in[0].shape, at);
		const struct str *y =
		    b + broadcast_index(out, &query->in[1].shape, at);

		c[at] =
		    x->len == y->len &&
		    (x->len == 0 || memcmp(x->bytes, y->bytes, x->len) == 0);
	}
}

static const struct kernel equal_text_kernel = {
	.name = "equal.text",
	.flags = KERNEL_QUICK,
	.fits = is_text,
	.run = equal_text,
};
static const struct kernel *const equal_kernels[] = {
	&elementwise_test_fast, &equal_text_kernel, &elementwise_reference, NULL
};

#define TEST_CASES(op)                                                     \
	(const struct op_case[])                                           \
	{                                                                  \
		{ .name = "same shape",                                    \
		  .graph = "c = " op "(a:float[3,5], b:float[3,5])" },     \
		    { .name = "row",                                       \
		      .graph = "c = " op "(a:float[2,3,5], b:float[5])" }, \
		    { .name = "column",                                    \
		      .graph = "c = " op "(a:float[1,5], b:float[4,1])" }, \
		    { .name = "int32",                                     \
		      .graph = "c = " op "(a:int32[9], b:int32[9])" },     \
		    { .name = "int64",                                     \
		      .graph = "c = " op "(a:int64[], b:int64[9])" },      \
		    { .name = "uint64",                                    \
		      .graph = "c = " op "(a:uint64[9], b:uint64[1])" },   \
		    { .name = "nothing",                                   \
		      .graph = "c = " op "(a:float[0,5], b:float[5])" },   \
		    { .name = "shapes that do not meet",                   \
		      .graph = "c = " op "(a:float[4], b:float[5])",       \
		      .want = ERR_SHAPE },                                 \
		    { 0 },                                                 \
	}
#define TRUTH_CASES(op)                                                  \
	(const struct op_case[])                                         \
	{                                                                \
		{ .name = "same shape",                                  \
		  .graph = "c = " op "(a:bool[3,5], b:bool[3,5])" },     \
		    { .name = "column",                                  \
		      .graph = "c = " op "(a:bool[1,5], b:bool[4,1])" }, \
		    { .name = "numbers",                                 \
		      .graph = "c = " op "(a:float[4], b:float[4])",     \
		      .want = ERR_INVALID },                             \
		    { 0 },                                               \
	}

static const struct op_case equal_cases[] = {
	{ .name = "int32", .graph = "c = Equal(a:int32[3,5], b:int32[5])" },
	{ .name = "int64", .graph = "c = Equal(a:int64[3,5], b:int64[])" },
	{ .name = "float",
	  .graph = "c = Equal(a:float[3]={1,2,3}, b:float[3]={1,0,3})" },
	{ .name = "bool", .graph = "c = Equal(a:bool[3,5], b:bool[3,1])" },
	{ .name = "nothing", .graph = "c = Equal(a:int64[0], b:int64[0])" },
	{ .name = "text",
	  .graph =
	      "c = Equal(Cast<to=8>(a:int64[3,5]), Cast<to=8>(b:int64[5]))" },
	{ .name = "shapes that do not meet",
	  .graph = "c = Equal(a:int64[4], b:int64[5])",
	  .want = ERR_SHAPE },
	{ 0 },
};
static const struct op_case not_cases[] = {
	{ .name = "matrix", .graph = "y = Not(x:bool[3,5])" },
	{ .name = "nothing", .graph = "y = Not(x:bool[0])" },
	{ 0 },
};

extern const struct op op_and, op_equal, op_greater, op_greater_or_equal,
    op_less, op_less_or_equal, op_not, op_or, op_xor;

const struct op op_and = {
	.domain = "",
	.name = "And",
	.help = "A and B",
	.since = 7,
	.flags = OP_NO_GRADIENT | OP_COMMUTES,
	.in = bool_in,
	.out = bool_out,
	.infer = infer_broadcast,
	.kernels = elementwise_kernels,
	.cases = TRUTH_CASES("And"),
};

const struct op op_equal = {
	.domain = "",
	.name = "Equal",
	.help = "A == B, of numbers, truth values or strings",
	.since = 7,
	.flags = OP_NO_GRADIENT | OP_COMMUTES,
	.in = any_in,
	.out = bool_out,
	.infer = infer_broadcast,
	.kernels = equal_kernels,
	.cases = equal_cases,
};

const struct op op_greater = {
	.domain = "",
	.name = "Greater",
	.help = "A > B",
	.since = 7,
	.flags = OP_NO_GRADIENT,
	.in = number_in,
	.out = bool_out,
	.infer = infer_broadcast,
	.kernels = elementwise_test_kernels,
	.cases = TEST_CASES("Greater"),
};

const struct op op_greater_or_equal = {
	.domain = "",
	.name = "GreaterOrEqual",
	.help = "A >= B",
	.since = 12,
	.flags = OP_NO_GRADIENT,
	.in = number_in,
	.out = bool_out,
	.infer = infer_broadcast,
	.kernels = elementwise_test_kernels,
	.cases = TEST_CASES("GreaterOrEqual"),
};

const struct op op_less = {
	.domain = "",
	.name = "Less",
	.help = "A < B",
	.since = 7,
	.flags = OP_NO_GRADIENT,
	.in = number_in,
	.out = bool_out,
	.infer = infer_broadcast,
	.kernels = elementwise_test_kernels,
	.cases = TEST_CASES("Less"),
};

const struct op op_less_or_equal = {
	.domain = "",
	.name = "LessOrEqual",
	.help = "A <= B",
	.since = 12,
	.flags = OP_NO_GRADIENT,
	.in = number_in,
	.out = bool_out,
	.infer = infer_broadcast,
	.kernels = elementwise_test_kernels,
	.cases = TEST_CASES("LessOrEqual"),
};

const struct op op_not = {
	.domain = "",
	.name = "Not",
	.help = "the opposite",
	.since = 1,
	.flags = OP_NO_GRADIENT,
	.in = (const struct port[]){ { "X", "bool", 0 }, { 0 } },
	.out = (const struct port[]){ { "Y", "bool", 0 }, { 0 } },
	.infer = infer_same,
	.kernels = elementwise_kernels,
	.cases = not_cases,
};

const struct op op_or = {
	.domain = "",
	.name = "Or",
	.help = "A or B",
	.since = 7,
	.flags = OP_NO_GRADIENT | OP_COMMUTES,
	.in = bool_in,
	.out = bool_out,
	.infer = infer_broadcast,
	.kernels = elementwise_kernels,
	.cases = TRUTH_CASES("Or"),
};

const struct op op_xor = {
	.domain = "",
	.name = "Xor",
	.help = "A or B, but not both",
	.since = 7,
	.flags = OP_NO_GRADIENT | OP_COMMUTES,
	.in = bool_in,
	.out = bool_out,
	.infer = infer_broadcast,
	.kernels = elementwise_kernels,
	.cases = TRUTH_CASES("Xor"),
};
