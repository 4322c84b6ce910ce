/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "engine/dtype.h"

/* A float of at most 16 bits: sign, exponent, mantissa. Codes beyond max_code
 * (without the sign) are infinity and NaN, if there are any. */
struct narrow {
	unsigned exp_bits, man_bits;
	int bias;
	uint16_t max_code, inf_code, nan_code; /* inf_code 0: it has none */
	bool is_unsigned_zero; /* FNUZ: the code of -0 is the only NaN */
};

/* clang-format off */
static const struct narrow f16_row = { 5, 10, 15, 0x7bff, 0x7c00, 0x7e00, false };
static const struct narrow bf16_row = { 8, 7, 127, 0x7f7f, 0x7f80, 0x7fc0, false };
static const struct narrow e4m3fn_row = { 4, 3, 7, 0x7e, 0, 0x7f, false };
static const struct narrow e4m3fnuz_row = { 4, 3, 8, 0x7f, 0, 0x80, true };
static const struct narrow e5m2_row = { 5, 2, 15, 0x7b, 0x7c, 0x7e, false };
static const struct narrow e5m2fnuz_row = { 5, 2, 16, 0x7f, 0, 0x80, true };
static const struct narrow e2m1_row = { 2, 1, 1, 7, 0, 8, false };
/* clang-format on */

static const struct narrow *narrow_row(enum dtype dtype)
{
	switch ((int)dtype) {
	case DTYPE_F16:
		return &f16_row;
	case DTYPE_BF16:
		return &bf16_row;
	case DTYPE_F8E4M3FN:
		return &e4m3fn_row;
	case DTYPE_F8E4M3FNUZ:
		return &e4m3fnuz_row;
	case DTYPE_F8E5M2:
		return &e5m2_row;
	case DTYPE_F8E5M2FNUZ:
		return &e5m2fnuz_row;
	case DTYPE_F4E2M1:
		return &e2m1_row;
	default:
		return NULL;
	}
}

static double narrow_decode(const struct narrow *row, uint32_t code)
{
	uint32_t sign_bit = 1U << (row->exp_bits + row->man_bits);
	uint32_t magnitude = code & (sign_bit - 1);
	uint32_t man = magnitude & ((1U << row->man_bits) - 1);
	int exp = (int)(magnitude >> row->man_bits);
	double value;

	if (row->inf_code && magnitude == row->inf_code)
		return (double)(code & sign_bit ? -INFINITY : INFINITY);
	if (row->is_unsigned_zero ? code == row->nan_code
				  : magnitude > row->max_code)
		return (double)NAN;
	if (exp)
		value = ldexp((double)(man + (1U << row->man_bits)),
			      exp - row->bias - (int)row->man_bits);
	else
		value = ldexp((double)man, 1 - row->bias - (int)row->man_bits);
	return code & sign_bit ? -value : value;
}

/* the magnitude's code by round to nearest even; may be beyond max_code */
static uint32_t narrow_round(const struct narrow *row, double magnitude)
{
	uint64_t bits, man, rest, half;
	unsigned shift = 52 - row->man_bits;
	int exp;

	memcpy(&bits, &magnitude, sizeof(bits));
	exp = (int)(bits >> 52) - 1023 + row->bias;
	man = (bits & ((1ULL << 52) - 1)) | 1ULL << 52;
	if (exp < 1) {
		shift += (unsigned)(1 - exp);
		exp = 1;
	}
	if (shift > 62)
		return 0;
	rest = man & ((1ULL << shift) - 1);
	half = 1ULL << (shift - 1);
	man >>= shift;
	if (rest > half || (rest == half && (man & 1)))
		man++;
	man += (uint64_t)(exp - 1) << row->man_bits;
	return man > 0xffff ? 0xffff : (uint32_t)man;
}

static uint32_t narrow_encode(const struct narrow *row, double value,
			      bool saturate)
{
	uint32_t sign =
	    signbit(value) ? 1U << (row->exp_bits + row->man_bits) : 0;
	uint32_t code;

	if (isnan(value))
		return row->nan_code;
	code = isinf(value) ? 0xffff : narrow_round(row, fabs(value));
	if (code > row->max_code) {
		if (saturate)
			code = row->max_code;
		else if (row->inf_code)
			code = row->inf_code;
		else
			return row->nan_code;
	}
	return code == 0 && row->is_unsigned_zero ? 0 : code | sign;
}

static float float_of_bits(uint32_t bits)
{
	float value;

	memcpy(&value, &bits, sizeof(value));
	return value;
}

static uint32_t bits_of_float(float value)
{
	uint32_t bits;

	memcpy(&bits, &value, sizeof(bits));
	return bits;
}

float dtype_f16_to_f32(uint16_t bits)
{
	uint32_t sign = (uint32_t)(bits & 0x8000) << 16;
	uint32_t exp = bits >> 10 & 31, man = bits & 1023;
	float small;

	if (exp == 31)
		return float_of_bits(sign | 0x7f800000 | man << 13);
	if (exp)
		return float_of_bits(sign | (exp + 112) << 23 | man << 13);
	/* subnormal: 2^-14 (1 + m) - 2^-14 is exact and never subnormal */
	small = float_of_bits(113U << 23 | man << 13) - 0x1p-14F;
	return float_of_bits(sign | bits_of_float(small));
}

uint16_t dtype_f32_to_f16(float value)
{
	uint32_t bits = bits_of_float(value);
	uint32_t sign = bits >> 16 & 0x8000, mag = bits & 0x7fffffff;

	if (mag > 0x7f800000) /* NaN keeps the top of its payload */
		return (uint16_t)(sign | 0x7e00 | (mag >> 13 & 0x1ff));
	if (mag >= 0x477ff000) /* 65520 rounds to infinity */
		return (uint16_t)(sign | 0x7c00);
	if (mag >= 0x38800000) { /* 2^-14: the smallest normal one */
		mag += (mag >> 13 & 1) + 0xfff - (112U << 23);
		return (uint16_t)(sign | mag >> 13);
	}
	/* the sum with 0.5 has an ulp of 2^-24 and rounds to nearest even */
	mag = bits_of_float(float_of_bits(mag) + 0.5F) - 0x3f000000;
	return (uint16_t)(sign | mag);
}

float dtype_bf16_to_f32(uint16_t bits)
{
	return float_of_bits((uint32_t)bits << 16);
}

uint16_t dtype_f32_to_bf16(float value)
{
	uint32_t bits = bits_of_float(value);

	if ((bits & 0x7fffffff) > 0x7f800000)
		return (uint16_t)(bits >> 16 | 0x40);
	return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

static float e8m0_to_f32(uint8_t code)
{
	if (code == 0xff)
		return NAN;
	return code ? float_of_bits((uint32_t)code << 23) : 0x1p-127F;
}

uint8_t dtype_f32_to_e8m0(float value, enum dtype_round round, bool saturate)
{
	uint32_t bits = bits_of_float(value) & 0x7fffffff;
	uint32_t exp = bits >> 23, man = bits & 0x7fffff;
	bool up = false;

	if (exp == 0xff)
		return 0xff;
	/* a zero or subnormal exponent stands for 2^-127, which is 0x400000 */
	if (round == DTYPE_ROUND_UP)
		up = exp ? man > 0 : man > 0x400000;
	else if (round == DTYPE_ROUND_NEAREST)
		up = exp ? man >= 0x400000 : man >= 0x600000;
	exp += up;
	return (uint8_t)(exp == 0xff && saturate ? 0xfe : exp);
}

/* ---- conversion by blocks: load widens, store narrows -------------------- */

enum { BLOCK = 256 };
enum stage { STAGE_INT, STAGE_UINT, STAGE_REAL };

struct block {
	enum stage stage;
	union {
		int64_t i[BLOCK];
		uint64_t u[BLOCK];
		double f[BLOCK];
	} v;
};

#define LOAD(dtype, T, STAGE, member, expression)          \
	case dtype: {                                      \
		const T *p = src;                          \
		block->stage = STAGE;                      \
		for (size_t i = 0; i < n; i++)             \
			block->v.member[i] = (expression); \
		break;                                     \
	}

/* NOLINTBEGIN(readability-function-cognitive-complexity,
 * bugprone-signed-char-misuse): a table, and int8 is a number here */
/* clang-format off */
static void load_block(enum dtype from, const void *src, size_t n,
		       struct block *block)
{
	switch ((int)from) {
	LOAD(DTYPE_F32, float, STAGE_REAL, f, (double)p[i])
	LOAD(DTYPE_F64, double, STAGE_REAL, f, p[i])
	LOAD(DTYPE_C64, float, STAGE_REAL, f, (double)p[2 * i])
	LOAD(DTYPE_C128, double, STAGE_REAL, f, p[2 * i])
	LOAD(DTYPE_F16, uint16_t, STAGE_REAL, f, (double)dtype_f16_to_f32(p[i]))
	LOAD(DTYPE_BF16, uint16_t, STAGE_REAL, f, (double)dtype_bf16_to_f32(p[i]))
	LOAD(DTYPE_F8E8M0, uint8_t, STAGE_REAL, f, (double)e8m0_to_f32(p[i]))
	LOAD(DTYPE_F8E4M3FN, uint8_t, STAGE_REAL, f, narrow_decode(&e4m3fn_row, p[i]))
	LOAD(DTYPE_F8E4M3FNUZ, uint8_t, STAGE_REAL, f, narrow_decode(&e4m3fnuz_row, p[i]))
	LOAD(DTYPE_F8E5M2, uint8_t, STAGE_REAL, f, narrow_decode(&e5m2_row, p[i]))
	LOAD(DTYPE_F8E5M2FNUZ, uint8_t, STAGE_REAL, f, narrow_decode(&e5m2fnuz_row, p[i]))
	LOAD(DTYPE_F4E2M1, uint8_t, STAGE_REAL, f, narrow_decode(&e2m1_row, p[i] & 15U))
	LOAD(DTYPE_I8, int8_t, STAGE_INT, i, p[i])
	LOAD(DTYPE_I16, int16_t, STAGE_INT, i, p[i])
	LOAD(DTYPE_I32, int32_t, STAGE_INT, i, p[i])
	LOAD(DTYPE_I64, int64_t, STAGE_INT, i, p[i])
	LOAD(DTYPE_I4, int8_t, STAGE_INT, i, p[i])
	LOAD(DTYPE_I2, int8_t, STAGE_INT, i, p[i])
	LOAD(DTYPE_U8, uint8_t, STAGE_UINT, u, p[i])
	LOAD(DTYPE_U16, uint16_t, STAGE_UINT, u, p[i])
	LOAD(DTYPE_U32, uint32_t, STAGE_UINT, u, p[i])
	LOAD(DTYPE_U64, uint64_t, STAGE_UINT, u, p[i])
	LOAD(DTYPE_U4, uint8_t, STAGE_UINT, u, p[i] & 15U)
	LOAD(DTYPE_U2, uint8_t, STAGE_UINT, u, p[i] & 3U)
	LOAD(DTYPE_BOOL, uint8_t, STAGE_UINT, u, p[i] != 0)
	default:
		block->stage = STAGE_UINT;
		memset(&block->v, 0, sizeof(block->v));
	}
}
/* clang-format on */
/* NOLINTEND(readability-function-cognitive-complexity,
 * bugprone-signed-char-misuse) */

/* low: the lowest value; limit: one past the highest, exact as a double */
static int64_t real_to_int(double value, double low, double limit)
{
	double whole = trunc(value);

	if (isnan(value))
		return 0;
	if (whole < low)
		whole = low;
	if (whole >= limit)
		return limit >= 0x1p63 ? INT64_MAX : (int64_t)limit - 1;
	return (int64_t)whole;
}

static uint64_t real_to_uint(double value, double limit)
{
	double whole = trunc(value);

	if (isnan(value) || whole < 0)
		return 0;
	if (whole >= limit)
		return limit >= 0x1p64 ? UINT64_MAX : (uint64_t)limit - 1;
	return (uint64_t)whole;
}

/* bits: of the integer type; is_signed. Leaves an integer stage that needs
 * only its low bytes copied. */
static void block_to_integers(struct block *block, size_t n, unsigned bits,
			      bool is_signed)
{
	unsigned spare = 64 - bits;

	if (block->stage == STAGE_REAL) {
		double limit = ldexp(1, (int)bits - is_signed);

		for (size_t i = 0; i < n; i++) {
			double value = block->v.f[i];

			if (is_signed)
				block->v.i[i] =
				    real_to_int(value, -limit, limit);
			else
				block->v.u[i] = real_to_uint(value, limit);
		}
		return;
	}
	if (bits >= 8)
		return;
	for (size_t i = 0; i < n; i++) {
		uint64_t high = block->v.u[i] << spare;

		if (is_signed)
			block->v.i[i] = (int64_t)high >> spare;
		else
			block->v.u[i] = high >> spare;
	}
}

static void block_to_reals(struct block *block, size_t n)
{
	if (block->stage == STAGE_INT)
		for (size_t i = 0; i < n; i++)
			block->v.f[i] = (double)block->v.i[i];
	else if (block->stage == STAGE_UINT)
		for (size_t i = 0; i < n; i++)
			block->v.f[i] = (double)block->v.u[i];
	block->stage = STAGE_REAL;
}

/* not through double: 2^53 + 1 would be rounded twice */
static void store_f32(struct block *block, size_t n, float *to, size_t stride)
{
	for (size_t i = 0; i < n; i++) {
		if (block->stage == STAGE_INT)
			to[i * stride] = (float)block->v.i[i];
		else if (block->stage == STAGE_UINT)
			to[i * stride] = (float)block->v.u[i];
		else
			to[i * stride] = (float)block->v.f[i];
	}
}

static void store_f64(struct block *block, size_t n, double *to, size_t stride)
{
	block_to_reals(block, n);
	for (size_t i = 0; i < n; i++)
		to[i * stride] = block->v.f[i];
}

static void store_bool(const struct block *block, size_t n, uint8_t *to)
{
	for (size_t i = 0; i < n; i++)
		to[i] = block->stage == STAGE_REAL ? block->v.f[i] != 0
						   : block->v.u[i] != 0;
}

static void store_integers(enum dtype to, void *dst, size_t n,
			   struct block *block)
{
	const struct dtype_info *row = dtype_info(to);

	block_to_integers(block, n, row->file_bits, dtype_is_signed(to));
	switch (row->size) {
	case 1:
		for (size_t i = 0; i < n; i++)
			((uint8_t *)dst)[i] = (uint8_t)block->v.u[i];
		break;
	case 2:
		for (size_t i = 0; i < n; i++)
			((uint16_t *)dst)[i] = (uint16_t)block->v.u[i];
		break;
	case 4:
		for (size_t i = 0; i < n; i++)
			((uint32_t *)dst)[i] = (uint32_t)block->v.u[i];
		break;
	default:
		memcpy(dst, block->v.u, n * 8);
	}
}

static void store_narrow(enum dtype to, void *dst, size_t n,
			 struct block *block, bool saturate)
{
	const struct narrow *row = narrow_row(to);
	bool is_half = to == DTYPE_F16 || to == DTYPE_BF16;

	saturate = to == DTYPE_F4E2M1 || (saturate && !is_half);
	block_to_reals(block, n);
	for (size_t i = 0; i < n; i++) {
		uint32_t code = narrow_encode(row, block->v.f[i], saturate);

		if (is_half)
			((uint16_t *)dst)[i] = (uint16_t)code;
		else
			((uint8_t *)dst)[i] = (uint8_t)code;
	}
}

static void store_block(enum dtype to, void *dst, size_t n, struct block *block,
			bool saturate)
{
	if (dtype_is_integer(to)) {
		store_integers(to, dst, n, block);
		return;
	}
	switch ((int)to) {
	case DTYPE_F32:
		store_f32(block, n, dst, 1);
		break;
	case DTYPE_F64:
		store_f64(block, n, dst, 1);
		break;
	case DTYPE_C64:
		memset(dst, 0, n * 8);
		store_f32(block, n, dst, 2);
		break;
	case DTYPE_C128:
		memset(dst, 0, n * 16);
		store_f64(block, n, dst, 2);
		break;
	case DTYPE_BOOL:
		store_bool(block, n, dst);
		break;
	case DTYPE_F8E8M0:
		block_to_reals(block, n);
		for (size_t i = 0; i < n; i++)
			((uint8_t *)dst)[i] = dtype_f32_to_e8m0(
			    (float)block->v.f[i], DTYPE_ROUND_UP, saturate);
		break;
	default:
		store_narrow(to, dst, n, block, saturate);
	}
}

/* the pairs that widening needs, without the detour; false: another pair */
static bool convert_fast(enum dtype from, const void *src, enum dtype to,
			 void *dst, size_t n)
{
	const uint16_t *half = src;
	const float *single = src;

	if (from == DTYPE_F16 && to == DTYPE_F32)
		for (size_t i = 0; i < n; i++)
			((float *)dst)[i] = dtype_f16_to_f32(half[i]);
	else if (from == DTYPE_BF16 && to == DTYPE_F32)
		for (size_t i = 0; i < n; i++)
			((float *)dst)[i] = dtype_bf16_to_f32(half[i]);
	else if (from == DTYPE_F32 && to == DTYPE_F16)
		for (size_t i = 0; i < n; i++)
			((uint16_t *)dst)[i] = dtype_f32_to_f16(single[i]);
	else if (from == DTYPE_F32 && to == DTYPE_BF16)
		for (size_t i = 0; i < n; i++)
			((uint16_t *)dst)[i] = dtype_f32_to_bf16(single[i]);
	else
		return false;
	return true;
}

/* both parts; every other pair with a complex type loses the imaginary one */
static bool convert_complex(enum dtype from, const void *src, enum dtype to,
			    void *dst, size_t n)
{
	if (from == DTYPE_C64 && to == DTYPE_C128)
		for (size_t i = 0; i < 2 * n; i++)
			((double *)dst)[i] = (double)((const float *)src)[i];
	else if (from == DTYPE_C128 && to == DTYPE_C64)
		for (size_t i = 0; i < 2 * n; i++)
			((float *)dst)[i] = (float)((const double *)src)[i];
	else
		return false;
	return true;
}

void dtype_convert(enum dtype from, const void *src, enum dtype to, void *dst,
		   size_t n, bool saturate)
{
	size_t from_size = dtype_info(from)->size;
	size_t to_size = dtype_info(to)->size;
	struct block block;

	if (n == 0)
		return;
	if (from == to) {
		memmove(dst, src, n * from_size);
		return;
	}
	if (convert_fast(from, src, to, dst, n) ||
	    convert_complex(from, src, to, dst, n))
		return;
	for (size_t i = 0; i < n; i += BLOCK) {
		size_t part = n - i < BLOCK ? n - i : BLOCK;

		load_block(from, (const char *)src + i * from_size, part,
			   &block);
		store_block(to, (char *)dst + i * to_size, part, &block,
			    saturate);
	}
}
