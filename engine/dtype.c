/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/dtype.h"

#include <string.h>

/* clang-format off */
static const struct dtype_info rows[DTYPE_COUNT] = {
	[DTYPE_NONE] = { "undefined", NULL, NULL, 0, 0, DTYPE_NONE },
	[DTYPE_F32] = { "float", "FP32", "F32", 32, 4, DTYPE_F32 },
	[DTYPE_U8] = { "uint8", "UINT8", "U8", 8, 1, DTYPE_I32 },
	[DTYPE_I8] = { "int8", "INT8", "I8", 8, 1, DTYPE_I32 },
	[DTYPE_U16] = { "uint16", "UINT16", "U16", 16, 2, DTYPE_I32 },
	[DTYPE_I16] = { "int16", "INT16", "I16", 16, 2, DTYPE_I32 },
	[DTYPE_I32] = { "int32", "INT32", "I32", 32, 4, DTYPE_I32 },
	[DTYPE_I64] = { "int64", "INT64", "I64", 64, 8, DTYPE_I64 },
	[DTYPE_STRING] = { "string", "BYTES", NULL, 0, 16, DTYPE_STRING },
	[DTYPE_BOOL] = { "bool", "BOOL", "BOOL", 8, 1, DTYPE_BOOL },
	[DTYPE_F16] = { "float16", "FP16", "F16", 16, 2, DTYPE_F32 },
	[DTYPE_F64] = { "double", "FP64", "F64", 64, 8, DTYPE_F64 },
	[DTYPE_U32] = { "uint32", "UINT32", "U32", 32, 4, DTYPE_I64 },
	[DTYPE_U64] = { "uint64", "UINT64", "U64", 64, 8, DTYPE_U64 },
	[DTYPE_C64] = { "complex64", NULL, "C64", 64, 8, DTYPE_C64 },
	[DTYPE_C128] = { "complex128", NULL, NULL, 128, 16, DTYPE_C128 },
	[DTYPE_BF16] = { "bfloat16", "BF16", "BF16", 16, 2, DTYPE_F32 },
	[DTYPE_F8E4M3FN] = { "float8e4m3fn", NULL, "F8_E4M3", 8, 1, DTYPE_F32 },
	[DTYPE_F8E4M3FNUZ] = { "float8e4m3fnuz", NULL, NULL, 8, 1, DTYPE_F32 },
	[DTYPE_F8E5M2] = { "float8e5m2", NULL, "F8_E5M2", 8, 1, DTYPE_F32 },
	[DTYPE_F8E5M2FNUZ] = { "float8e5m2fnuz", NULL, NULL, 8, 1, DTYPE_F32 },
	[DTYPE_U4] = { "uint4", NULL, NULL, 4, 1, DTYPE_I32 },
	[DTYPE_I4] = { "int4", NULL, NULL, 4, 1, DTYPE_I32 },
	[DTYPE_F4E2M1] = { "float4e2m1", NULL, "F4", 4, 1, DTYPE_F32 },
	[DTYPE_F8E8M0] = { "float8e8m0", NULL, "F8_E8M0", 8, 1, DTYPE_F32 },
	[DTYPE_U2] = { "uint2", NULL, NULL, 2, 1, DTYPE_I32 },
	[DTYPE_I2] = { "int2", NULL, NULL, 2, 1, DTYPE_I32 },
};
/* clang-format on */

const struct dtype_info *dtype_info(enum dtype dtype)
{
	return &rows[(unsigned)dtype < DTYPE_COUNT ? (unsigned)dtype : 0];
}

enum dtype dtype_find(const char *name)
{
	for (int i = 1; i < DTYPE_COUNT; i++)
		if (!strcmp(rows[i].name, name))
			return (enum dtype)i;
	return DTYPE_NONE;
}

enum dtype dtype_find_v2(const char *v2_name)
{
	for (int i = 1; i < DTYPE_COUNT; i++)
		if (rows[i].v2_name && !strcmp(rows[i].v2_name, v2_name))
			return (enum dtype)i;
	return DTYPE_NONE;
}

enum dtype dtype_find_safetensors(const char *name)
{
	for (int i = 1; i < DTYPE_COUNT; i++)
		if (rows[i].safetensors_name &&
		    !strcmp(rows[i].safetensors_name, name))
			return (enum dtype)i;
	return DTYPE_NONE;
}

bool dtype_is_float(enum dtype dtype)
{
	enum dtype arith = dtype_info(dtype)->arith;

	return arith == DTYPE_F32 || arith == DTYPE_F64;
}

bool dtype_is_integer(enum dtype dtype)
{
	enum dtype arith = dtype_info(dtype)->arith;

	return arith == DTYPE_I32 || arith == DTYPE_I64 || arith == DTYPE_U64;
}

bool dtype_is_signed(enum dtype dtype)
{
	switch ((int)dtype) {
	case DTYPE_I8:
	case DTYPE_I16:
	case DTYPE_I32:
	case DTYPE_I64:
	case DTYPE_I4:
	case DTYPE_I2:
		return true;
	default:
		return dtype_is_float(dtype) && dtype != DTYPE_F8E8M0;
	}
}

size_t dtype_file_bytes(enum dtype dtype, size_t n)
{
	unsigned bits = dtype_info(dtype)->file_bits;

	return bits >= 8 ? n * (bits / 8) : (n * bits + 7) / 8;
}

void dtype_unpack(enum dtype dtype, const void *file, size_t n, void *dst)
{
	unsigned bits = dtype_info(dtype)->file_bits;
	const uint8_t *from = file;
	uint8_t *to = dst;
	bool extends =
	    bits < 8 && dtype_is_integer(dtype) && dtype_is_signed(dtype);
	unsigned sign = extends ? 1U << (bits - 1) : 0;

	if (bits >= 8) {
		if (n)
			memcpy(dst, file, n * (bits / 8));
		return;
	}
	for (size_t i = 0; bits && i < n; i++) {
		unsigned code = (unsigned)from[i * bits / 8] >> (i * bits % 8);

		code &= (1U << bits) - 1;
		to[i] = (uint8_t)((code ^ sign) - sign);
	}
}

void dtype_pack(enum dtype dtype, const void *src, size_t n, void *file)
{
	unsigned bits = dtype_info(dtype)->file_bits;
	const uint8_t *from = src;
	uint8_t *to = file;

	if (bits >= 8) {
		if (n)
			memcpy(file, src, n * (bits / 8));
		return;
	}
	if (bits && n)
		memset(file, 0, dtype_file_bytes(dtype, n));
	for (size_t i = 0; bits && i < n; i++) {
		unsigned code = from[i] & ((1U << bits) - 1);

		to[i * bits / 8] |= (uint8_t)(code << (i * bits % 8));
	}
}
