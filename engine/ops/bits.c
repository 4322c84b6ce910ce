/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Bits of integers: BitShift, BitwiseAnd, BitwiseNot, BitwiseOr, BitwiseXor.
 *
 * Operands broadcast. Narrow types are computed in wide ones, which wraps to
 * the same bits.
 */
#include <string.h>

#include "engine/ops/elementwise.h"

struct bit_shift_attrs {
	const char *direction;
};
static const struct op_attr bit_shift_attr_rows[] = {
	{ .name = "direction",
	  .help = "\"LEFT\" or \"RIGHT\"",
	  .offset = offsetof(struct bit_shift_attrs, direction),
	  .kind = ATTR_STRING,
	  .flags = ATTR_REQUIRED },
	{ 0 },
};

static enum err_code infer_shift(struct infer *infer, struct err *err)
{
	const struct bit_shift_attrs *attrs = infer->attrs;

	if (strcmp(attrs->direction, "LEFT") != 0 &&
	    strcmp(attrs->direction, "RIGHT") != 0)
		return err_set(err, ERR_INVALID,
			       "attribute 'direction': expected \"LEFT\" or "
			       "\"RIGHT\", got \"%s\"",
			       attrs->direction);
	return infer_broadcast(infer, err);
}

static const struct port shift_in[] = {
	{ "X", "T:ints", 0 },
	{ "Y", "T", 0 },
	{ 0 },
};
static const struct port shift_out[] = { { "Z", "T", 0 }, { 0 } };
static const struct port bits_in[] = {
	{ "A", "T:ints", 0 },
	{ "B", "T", 0 },
	{ 0 },
};
static const struct port bits_out[] = { { "C", "T", 0 }, { 0 } };

static const struct op_case shift_cases[] = {
	{ .name = "left",
	  .graph =
	      "z = BitShift<direction=\"LEFT\">(x:uint64[3,5], y:uint64[5])" },
	{ .name = "right",
	  .graph = "z = BitShift<direction=\"RIGHT\">(x:uint64[3]={16,4,1}, "
		   "y:uint64[3]={1,2,3})" },
	{ .name = "bytes",
	  .graph = "z = BitShift<direction=\"LEFT\">(x:uint8[4]={255,1,3,7}, "
		   "y:uint8[4]={1,7,8,200})" },
	{ .name = "too far",
	  .graph = "z = BitShift<direction=\"RIGHT\">(x:uint64[2]={8,8}, "
		   "y:uint64[2]={64,63})" },
	{ .name = "signs stay",
	  .graph =
	      "z = BitShift<direction=\"RIGHT\">(x:int8[5]={-8,-8,-8,8,-1}, "
	      "y:int8[5]={1,8,-1,-1,127})" },
	{ .name = "signs come and go",
	  .graph = "z = BitShift<direction=\"LEFT\">(x:int32[4]={-8,1,3,5}, "
		   "y:int32[4]={1,31,31,-1})" },
	{ .name = "no direction",
	  .graph = "z = BitShift(x:uint64[2], y:uint64[2])",
	  .want = ERR_INVALID },
	{ .name = "another direction",
	  .graph = "z = BitShift<direction=\"UP\">(x:uint64[2], y:uint64[2])",
	  .want = ERR_INVALID },
	{ 0 },
};

#define BITS_CASES(op)                                                       \
	(const struct op_case[])                                             \
	{                                                                    \
		{ .name = "int32",                                           \
		  .graph = "c = " op "(a:int32[3]={-3,5,0}, b:int32[3])" },  \
		    { .name = "int64, row",                                  \
		      .graph = "c = " op "(a:int64[3,5], b:int64[5])" },     \
		    { .name = "uint64, column",                              \
		      .graph = "c = " op "(a:uint64[3,5], b:uint64[3,1])" }, \
		    { .name = "bytes",                                       \
		      .graph = "c = " op "(a:uint8[9], b:uint8[9])" },       \
		    { .name = "floats",                                      \
		      .graph = "c = " op "(a:float[2], b:float[2])",         \
		      .want = ERR_INVALID },                                 \
		    { 0 },                                                   \
	}

static const struct op_case not_cases[] = {
	{ .name = "int32", .graph = "y = BitwiseNot(x:int32[3]={-3,5,0})" },
	{ .name = "bytes", .graph = "y = BitwiseNot(x:uint8[3]={0,255,5})" },
	{ .name = "uint64", .graph = "y = BitwiseNot(x:uint64[2,3])" },
	{ 0 },
};

extern const struct op op_bit_shift, op_bitwise_and, op_bitwise_not,
    op_bitwise_or, op_bitwise_xor;

const struct op op_bit_shift = {
	.domain = "",
	.name = "BitShift",
	.help = "X with its bits moved by Y places",
	.since = 11,
	.flags = OP_NO_GRADIENT,
	.in = shift_in,
	.out = shift_out,
	.attrs = bit_shift_attr_rows,
	.attrs_size = sizeof(struct bit_shift_attrs),
	.infer = infer_shift,
	.kernels = elementwise_kernels,
	.cases = shift_cases,
};

const struct op op_bitwise_and = {
	.domain = "",
	.name = "BitwiseAnd",
	.help = "bits that are in A and in B",
	.since = 18,
	.flags = OP_NO_GRADIENT | OP_COMMUTES,
	.in = bits_in,
	.out = bits_out,
	.infer = infer_broadcast,
	.kernels = elementwise_kernels,
	.cases = BITS_CASES("BitwiseAnd"),
};

const struct op op_bitwise_not = {
	.domain = "",
	.name = "BitwiseNot",
	.help = "the opposite of each bit",
	.since = 18,
	.flags = OP_NO_GRADIENT,
	.in = (const struct port[]){ { "X", "T:ints", 0 }, { 0 } },
	.out = (const struct port[]){ { "Y", "T", 0 }, { 0 } },
	.infer = infer_same,
	.kernels = elementwise_kernels,
	.cases = not_cases,
};

const struct op op_bitwise_or = {
	.domain = "",
	.name = "BitwiseOr",
	.help = "bits that are in A or in B",
	.since = 18,
	.flags = OP_NO_GRADIENT | OP_COMMUTES,
	.in = bits_in,
	.out = bits_out,
	.infer = infer_broadcast,
	.kernels = elementwise_kernels,
	.cases = BITS_CASES("BitwiseOr"),
};

const struct op op_bitwise_xor = {
	.domain = "",
	.name = "BitwiseXor",
	.help = "bits that are in A or in B, but not in both",
	.since = 18,
	.flags = OP_NO_GRADIENT | OP_COMMUTES,
	.in = bits_in,
	.out = bits_out,
	.infer = infer_broadcast,
	.kernels = elementwise_kernels,
	.cases = BITS_CASES("BitwiseXor"),
};
