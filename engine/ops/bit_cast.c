/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * BitCast: the same bits under another element type of the same width.
 *
 * Types under 8 bits lie one a byte, signed ones extended: there the bits are
 * taken and extended anew. Bytes other than 0 are 1 as bool, which has no
 * other values.
 */
#include <string.h>

#include "engine/ops/elementwise.h"

struct bit_cast_attrs {
	int64_t to;
};

static enum err_code bit_cast_infer(struct infer *infer, struct err *err)
{
	const enum dtype from = infer->in[0].type.elem;
	const enum dtype to = infer->out[0].type.elem;

	if (from == DTYPE_STRING || to == DTYPE_STRING)
		return err_set(err, ERR_INVALID,
			       "strings have no bits to be cast");
	if (dtype_info(from)->file_bits != dtype_info(to)->file_bits)
		return err_set(err, ERR_INVALID,
			       "attribute 'to': expected a type of %u bits as "
			       "%s has, got %s of %u",
			       dtype_info(from)->file_bits,
			       dtype_info(from)->name, dtype_info(to)->name,
			       dtype_info(to)->file_bits);
	return infer_same(infer, err);
}

static void narrow_bits(const uint8_t *x, uint8_t *y, int64_t n, enum dtype to)
{
	const unsigned bits = dtype_info(to)->file_bits;
	const unsigned mask = (1u << bits) - 1, sign = 1u << (bits - 1);
	const bool is_signed = dtype_is_integer(to) && dtype_is_signed(to);

	for (int64_t i = 0; i < n; i++) {
		unsigned v = x[i] & mask;

		if (is_signed && v & sign)
			v |= ~mask;
		y[i] = (uint8_t)v;
	}
}

static void bit_cast_run(const struct kernel_call *call, unsigned slice,
			 void *scratch)
{
	const struct fact *out = &call->query->out[0];
	const size_t size = dtype_info(out->type.elem)->size;
	const uint8_t *x = call->in[0];
	uint8_t *y = call->out[0];
	int64_t first, last;

	(void)scratch;
	kernel_slice(shape_count(&out->shape), call->n_slices, slice, &first,
		     &last);
	if (first >= last)
		return;
	x += (size_t)first * size;
	y += (size_t)first * size;
	if (dtype_info(out->type.elem)->file_bits < 8)
		narrow_bits(x, y, last - first, out->type.elem);
	else if (out->type.elem == DTYPE_BOOL)
		for (int64_t i = 0; i < last - first; i++)
			y[i] = x[i] != 0;
	else if (x != y)
		memcpy(y, x, (size_t)(last - first) * size);
}

static const struct kernel bit_cast_kernel = {
	.name = "bit_cast.copy",
	.flags = KERNEL_QUICK | KERNEL_SLICE_FREE | KERNEL_IN_PLACE,
	.prepare = elementwise_prepare,
	.run = bit_cast_run,
};
static const struct kernel *const bit_cast_kernels[] = { &bit_cast_kernel,
							 NULL };

static const struct port bit_cast_in[] = { { "input", "T1:any", 0 }, { 0 } };
static const struct port bit_cast_out[] = { { "output", "@to", 0 }, { 0 } };

static const struct op_attr bit_cast_attrs[] = {
	{ .name = "to",
	  .help = "element type of the result",
	  .offset = offsetof(struct bit_cast_attrs, to),
	  .kind = ATTR_INT,
	  .flags = ATTR_REQUIRED,
	  .min = 1,
	  .max = DTYPE_COUNT - 1 },
	{ 0 },
};

static const struct op_case bit_cast_cases[] = {
	{ .name = "float to int32",
	  .graph = "y = BitCast<to=6>(x:float[3,5])" },
	{ .name = "double to uint64",
	  .graph = "y = BitCast<to=13>(x:double[])" },
	{ .name = "int16 to bfloat16",
	  .graph = "y = BitCast<to=16>(x:int16[7])" },
	{ .name = "int4 to uint4",
	  .graph = "y = BitCast<to=21>(x:int4[4]={-8,-1,0,7})" },
	{ .name = "uint4 to int4",
	  .graph = "y = BitCast<to=22>(x:uint4[4]={15,8,0,7})" },
	{ .name = "uint8 to bool", .graph = "y = BitCast<to=9>(x:uint8[7])" },
	{ .name = "nothing", .graph = "y = BitCast<to=1>(x:int32[0,2])" },
	{ .name = "another width",
	  .graph = "y = BitCast<to=7>(x:float[3])",
	  .want = ERR_INVALID },
	{ .name = "strings",
	  .graph = "y = BitCast<to=15>(x:string[1]={\"a\"})",
	  .want = ERR_INVALID },
	{ 0 },
};

extern const struct op op_bit_cast;
const struct op op_bit_cast = {
	.domain = "",
	.name = "BitCast",
	.help = "The same bits under another element type.",
	.since = 26,
	.flags = OP_ANY_TYPE | OP_NO_GRADIENT,
	.in = bit_cast_in,
	.out = bit_cast_out,
	.attrs = bit_cast_attrs,
	.attrs_size = sizeof(struct bit_cast_attrs),
	.infer = bit_cast_infer,
	.kernels = bit_cast_kernels,
	.cases = bit_cast_cases,
};
