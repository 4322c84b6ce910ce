/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Element types: ONNX's numbers, one row each.
 *
 * Types under 8 bits are held one element a byte, packed only in files.
 * Arithmetic kernels see six types (`arith`); moving kernels see only `size`.
 *
 * Threads: const tables and pure functions.
 */
#ifndef ENGINE_DTYPE_H
#define ENGINE_DTYPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum dtype { /* 0 to 26, as in ONNX (TensorProto.DataType) */
	     DTYPE_NONE,
	     DTYPE_F32,
	     DTYPE_U8,
	     DTYPE_I8,
	     DTYPE_U16,
	     DTYPE_I16,
	     DTYPE_I32,
	     DTYPE_I64,
	     DTYPE_STRING,
	     DTYPE_BOOL,
	     DTYPE_F16,
	     DTYPE_F64,
	     DTYPE_U32,
	     DTYPE_U64,
	     DTYPE_C64,
	     DTYPE_C128,
	     DTYPE_BF16,
	     DTYPE_F8E4M3FN,
	     DTYPE_F8E4M3FNUZ,
	     DTYPE_F8E5M2,
	     DTYPE_F8E5M2FNUZ,
	     DTYPE_U4,
	     DTYPE_I4,
	     DTYPE_F4E2M1,
	     DTYPE_F8E8M0,
	     DTYPE_U2,
	     DTYPE_I2,
	     DTYPE_COUNT
};

struct dtype_info {
	const char *name;	      /**< ONNX text form: "float", "int64" */
	const char *v2_name;	      /**< "FP32"; NULL where v2 has none */
	const char *safetensors_name; /**< "F32"; NULL where it has none */
	unsigned file_bits;	      /**< bits of an element in files */
	unsigned size;		      /**< bytes of an element in memory */
	enum dtype arith;	      /**< the type that arithmetic uses */
};

/** The row of a type; the row of DTYPE_NONE for numbers out of range. */
const struct dtype_info *dtype_info(enum dtype dtype);
/** DTYPE_NONE when there is none of that name. */
enum dtype dtype_find(const char *name);
enum dtype dtype_find_v2(const char *v2_name);
enum dtype dtype_find_safetensors(const char *name);

bool dtype_is_float(enum dtype dtype);	 /**< any width */
bool dtype_is_integer(enum dtype dtype); /**< any width, not bool */
bool dtype_is_signed(enum dtype dtype);

/** n elements from one numeric type to another, by ONNX's Cast: floats to
 * integers truncate and saturate (NaN gives 0), integers to integers keep the
 * low bits, to bool is "not zero", to narrower floats rounds to nearest even;
 * float8 saturates when `saturate`, infinities too; to float8e8m0 rounds up
 * and drops the sign. Complex numbers keep their real part. Neither type may
 * be a string. src and dst do not overlap unless they and the sizes are equal.
 */
void dtype_convert(enum dtype from, const void *src, enum dtype to, void *dst,
		   size_t n, bool saturate);

/** Bytes of n elements in a file; those under 8 bits are packed. */
size_t dtype_file_bytes(enum dtype dtype, size_t n);
/** n elements of a file (little-endian, first element in the low bits) to one
 * a byte, signed types sign-extended. 8 bits and more: a copy. */
void dtype_unpack(enum dtype dtype, const void *file, size_t n, void *dst);
void dtype_pack(enum dtype dtype, const void *src, size_t n, void *file);

/** How float8e8m0 (a power of two) is reached. */
enum dtype_round { DTYPE_ROUND_UP, DTYPE_ROUND_DOWN, DTYPE_ROUND_NEAREST };
uint8_t dtype_f32_to_e8m0(float value, enum dtype_round round, bool saturate);

float dtype_f16_to_f32(uint16_t bits);
uint16_t dtype_f32_to_f16(float value);
float dtype_bf16_to_f32(uint16_t bits);
uint16_t dtype_f32_to_bf16(float value);

#endif
