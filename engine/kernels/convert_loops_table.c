/* SPDX-License-Identifier: Apache-2.0 */
/* Compiled once a level; CONVERT_LOOPS_TABLE names the result. No branch: both
 * sides of a choice are computed. */
#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "engine/kernels/convert_loops_priv.h"

#define INLINE static inline __attribute__((always_inline))

enum { LANES = 32, CHUNK = 1024 };

INLINE float float_of(uint32_t bits)
{
	float value;

	memcpy(&value, &bits, sizeof(value));
	return value;
}

INLINE uint32_t bits_of(float value)
{
	uint32_t bits;

	memcpy(&bits, &value, sizeof(bits));
	return bits;
}

/* A subnormal one is 2^-14 (1 + m) - 2^-14, exact and never subnormal. */
INLINE float from_half(uint32_t half)
{
	const uint32_t sign = (half & 0x8000) << 16, man = half & 1023;
	const uint32_t exp = half >> 10 & 31;
	const uint32_t small =
	    bits_of(float_of(113U << 23 | man << 13) - 0x1p-14F);
	const uint32_t normal = (exp + 112) << 23 | man << 13;
	const uint32_t special = 0x7f800000 | man << 13;

	return float_of(sign | (exp == 31 ? special : exp ? normal : small));
}

/* The sum with 0.5 has an ulp of 2^-24 and rounds to nearest even. */
INLINE uint32_t to_half(float value)
{
	const uint32_t bits = bits_of(value);
	const uint32_t sign = bits >> 16 & 0x8000, mag = bits & 0x7fffffff;
	const uint32_t small = bits_of(float_of(mag) + 0.5F) - 0x3f000000;
	const uint32_t normal =
	    (mag + (mag >> 13 & 1) + 0xfff - (112U << 23)) >> 13;
	const uint32_t nan = 0x7e00 | (mag >> 13 & 0x1ff);
	const uint32_t finite = mag >= 0x38800000 ? normal : small;
	const uint32_t large = mag > 0x7f800000 ? nan : 0x7c00;

	return sign | (mag >= 0x477ff000 ? large : finite);
}

INLINE uint32_t to_brain(float value)
{
	const uint32_t bits = bits_of(value);
	const uint32_t nan = bits >> 16 | 0x40;
	const uint32_t rounded = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;

	return (bits & 0x7fffffff) > 0x7f800000 ? nan : rounded;
}

static void f16_f32(const void *from, int64_t n, void *to)
{
	const uint16_t *restrict x = from;
	float *restrict y = to;

	for (int64_t i = 0; i < n; i++)
		y[i] = from_half(x[i]);
}

static void f32_f16(const void *from, int64_t n, void *to)
{
	const float *restrict x = from;
	uint16_t *restrict y = to;

	for (int64_t i = 0; i < n; i++)
		y[i] = (uint16_t)to_half(x[i]);
}

static void bf16_f32(const void *from, int64_t n, void *to)
{
	const uint16_t *restrict x = from;
	float *restrict y = to;

	for (int64_t i = 0; i < n; i++)
		y[i] = float_of((uint32_t)x[i] << 16);
}

static void f32_bf16(const void *from, int64_t n, void *to)
{
	const float *restrict x = from;
	uint16_t *restrict y = to;

	for (int64_t i = 0; i < n; i++)
		y[i] = (uint16_t)to_brain(x[i]);
}

/* A chunk at a time: y may be x. */
static void round_brain(const float *x, int64_t n, float *y)
{
	uint32_t bits[CHUNK];

	for (int64_t at = 0; at < n; at += CHUNK) {
		const int64_t m = n - at < CHUNK ? n - at : CHUNK;

		for (int64_t i = 0; i < m; i++)
			bits[i] = to_brain(x[at + i]) << 16;
		for (int64_t i = 0; i < m; i++)
			y[at + i] = float_of(bits[i]);
	}
}

static void i8_f32(const void *from, int64_t n, void *to)
{
	const int8_t *restrict x = from;
	float *restrict y = to;

	for (int64_t i = 0; i < n; i++)
		y[i] = (float)x[i];
}

static void u8_f32(const void *from, int64_t n, void *to)
{
	const uint8_t *restrict x = from;
	float *restrict y = to;

	for (int64_t i = 0; i < n; i++)
		y[i] = (float)x[i];
}

static void i32_f32(const void *from, int64_t n, void *to)
{
	const int32_t *restrict x = from;
	float *restrict y = to;

	for (int64_t i = 0; i < n; i++)
		y[i] = (float)x[i];
}

static void i64_f32(const void *from, int64_t n, void *to)
{
	const int64_t *restrict x = from;
	float *restrict y = to;

	for (int64_t i = 0; i < n; i++)
		y[i] = (float)x[i];
}

static void bool_f32(const void *from, int64_t n, void *to)
{
	const uint8_t *restrict x = from;
	float *restrict y = to;

	for (int64_t i = 0; i < n; i++)
		y[i] = x[i] ? 1.0F : 0.0F;
}

static void u8_i32(const void *from, int64_t n, void *to)
{
	const uint8_t *restrict x = from;
	int32_t *restrict y = to;

	for (int64_t i = 0; i < n; i++)
		y[i] = x[i];
}

static void i8_i32(const void *from, int64_t n, void *to)
{
	const int8_t *restrict x = from;
	int32_t *restrict y = to;

	for (int64_t i = 0; i < n; i++)
		y[i] = (int32_t)x[i];
}

static void bool_i32(const void *from, int64_t n, void *to)
{
	const uint8_t *restrict x = from;
	int32_t *restrict y = to;

	for (int64_t i = 0; i < n; i++)
		y[i] = x[i] != 0;
}

static void i32_i64(const void *from, int64_t n, void *to)
{
	const int32_t *restrict x = from;
	int64_t *restrict y = to;

	for (int64_t i = 0; i < n; i++)
		y[i] = x[i];
}

static void range(const float *x, int64_t n, float range[2])
{
	float least[LANES] = { 0 }, most[LANES] = { 0 };
	int64_t i = 0;

	for (; i + LANES <= n; i += LANES) {
		for (int j = 0; j < LANES; j++) {
			const float v = x[i + j];

			least[j] = v < least[j] ? v : least[j];
			most[j] = v > most[j] ? v : most[j];
		}
	}
	for (; i < n; i++) {
		least[0] = x[i] < least[0] ? x[i] : least[0];
		most[0] = x[i] > most[0] ? x[i] : most[0];
	}
	range[0] = range[1] = 0;
	for (int j = 0; j < LANES; j++) {
		range[0] = least[j] < range[0] ? least[j] : range[0];
		range[1] = most[j] > range[1] ? most[j] : range[1];
	}
}

/* Beyond 2^20 every type of bytes is saturated, and below it adding
 * 1.5 * 2^23 rounds to nearest even. */
INLINE uint8_t byte_of(float q, int32_t zero, int32_t low, int32_t high)
{
	const float rounder = 12582912.0F, far = 1048576.0F;
	const float above = q > -far ? q : -far;
	const float in = above < far ? above : far;
	const int32_t whole = (int32_t)((in + rounder) - rounder);
	const int32_t all = whole + zero;
	const int32_t most = all < high ? all : high;

	return (uint8_t)(most > low ? most : low);
}

static void quantize(const float *restrict x, int64_t n,
		     const struct byte_grid *g, uint8_t *restrict y)
{
	const float scale = g->scale;
	const int32_t zero = g->zero, low = g->low, high = g->high;

	for (int64_t i = 0; i < n; i++)
		y[i] = byte_of(x[i] / scale, zero, low, high);
}

/* A chunk at a time: y may be a or b. */
static void add_bytes(const uint8_t *a, const uint8_t *b, int64_t n,
		      const struct byte_sum_grid *g, uint8_t *y)
{
	const struct byte_sum_grid grid = *g;
	float sum[CHUNK];

	for (int64_t at = 0; at < n; at += CHUNK) {
		const int64_t m = n - at < CHUNK ? n - at : CHUNK;

		for (int64_t i = 0; i < m; i++)
			sum[i] =
			    (float)((a[at + i] ^ grid.a_flip) - grid.a_zero) *
				grid.a_scale +
			    (float)((b[at + i] ^ grid.b_flip) - grid.b_zero) *
				grid.b_scale;
		for (int64_t i = 0; i < m; i++)
			y[at + i] = byte_of(sum[i] / grid.y_scale, grid.y_zero,
					    0, UINT8_MAX) ^
				    grid.y_flip;
	}
}

static void requantize(const int32_t *restrict x, const float *restrict scale,
		       int64_t n, const struct byte_grid *g,
		       uint8_t *restrict y)
{
	const int32_t zero = g->zero, low = g->low, high = g->high;

	for (int64_t i = 0; i < n; i++)
		y[i] = byte_of((float)x[i] * scale[i], zero, low, high);
}

static void scale_whole(const int32_t *restrict x, const float *restrict scale,
			const float *restrict add, int64_t n, float *restrict y)
{
	for (int64_t i = 0; add && i < n; i++)
		y[i] = (float)x[i] * scale[i] + add[i];
	for (int64_t i = 0; !add && i < n; i++)
		y[i] = (float)x[i] * scale[i];
}

/* As integers, magnitudes are in the order of floats, and what is not finite
 * is above all. */
static float reach(const float *x, int64_t n)
{
	int32_t most[LANES] = { 0 }, all = 0;
	int64_t i = 0;

	for (; i + LANES <= n; i += LANES) {
		for (int j = 0; j < LANES; j++) {
			const int32_t v =
			    (int32_t)(bits_of(x[i + j]) << 1 >> 1);

			most[j] = v > most[j] ? v : most[j];
		}
	}
	for (; i < n; i++) {
		const int32_t v = (int32_t)(bits_of(x[i]) << 1 >> 1);

		most[0] = v > most[0] ? v : most[0];
	}
	for (int j = 0; j < LANES; j++)
		all = most[j] > all ? most[j] : all;
	return all < 0x7f800000 ? float_of((uint32_t)all) : NAN;
}

static void split(const float *restrict x, float factor, int64_t n,
		  uint8_t *restrict high, uint8_t *restrict low)
{
	const float rounder = 12582912.0F;

	for (int64_t i = 0; i < n; i++) {
		const float whole = (x[i] * factor + rounder) - rounder;
		const uint32_t q = (uint32_t)((int32_t)whole + 32768);

		high[i] = (uint8_t)(q >> 8);
		low[i] = (uint8_t)q;
	}
}

INLINE float joined(uint32_t up, int32_t low)
{
	return (float)(int32_t)up * 256.0F + (float)low;
}

static void add_scaled(const struct byte_sums *sums,
		       const float *restrict scale, int64_t n,
		       float *restrict y)
{
	const int32_t *restrict sum = sums->sum, *restrict low = sums->lower;
	const int32_t *restrict column = sums->column;
	const float *restrict base = sums->base;
	const uint32_t zero = (uint32_t)sums->zero;
	const float factor = sums->factor;

	for (int64_t i = 0; low && base && i < n; i++) {
		const uint32_t up =
		    (uint32_t)sum[i] - zero * (uint32_t)column[i];

		y[i] = base[i] + joined(up, low[i]) * (scale[i] * factor);
	}
	for (int64_t i = 0; low && !base && i < n; i++) {
		const uint32_t up =
		    (uint32_t)sum[i] - zero * (uint32_t)column[i];

		y[i] += joined(up, low[i]) * (scale[i] * factor);
	}
	for (int64_t i = 0; !low && base && i < n; i++) {
		const uint32_t all =
		    (uint32_t)sum[i] - zero * (uint32_t)column[i];

		y[i] = base[i] + (float)(int32_t)all * (scale[i] * factor);
	}
	for (int64_t i = 0; !low && !base && i < n; i++) {
		const uint32_t all =
		    (uint32_t)sum[i] - zero * (uint32_t)column[i];

		y[i] += (float)(int32_t)all * (scale[i] * factor);
	}
}

static void from_u8(const uint8_t *restrict x, int64_t n,
		    const struct byte_grid *g, float *restrict y)
{
	const float scale = g->scale;
	const int32_t zero = g->zero;

	for (int64_t i = 0; i < n; i++)
		y[i] = (float)(x[i] - zero) * scale;
}

static void from_i8(const int8_t *restrict x, int64_t n,
		    const struct byte_grid *g, float *restrict y)
{
	const float scale = g->scale;
	const int32_t zero = g->zero;

	for (int64_t i = 0; i < n; i++)
		y[i] = (float)(x[i] - zero) * scale;
}

static const struct convert_row rows[] = {
	{ DTYPE_F16, DTYPE_F32, f16_f32 },
	{ DTYPE_F32, DTYPE_F16, f32_f16 },
	{ DTYPE_BF16, DTYPE_F32, bf16_f32 },
	{ DTYPE_F32, DTYPE_BF16, f32_bf16 },
	{ DTYPE_I8, DTYPE_F32, i8_f32 },
	{ DTYPE_U8, DTYPE_F32, u8_f32 },
	{ DTYPE_I32, DTYPE_F32, i32_f32 },
	{ DTYPE_I64, DTYPE_F32, i64_f32 },
	{ DTYPE_BOOL, DTYPE_F32, bool_f32 },
	{ DTYPE_U8, DTYPE_I32, u8_i32 },
	{ DTYPE_I8, DTYPE_I32, i8_i32 },
	{ DTYPE_BOOL, DTYPE_I32, bool_i32 },
	{ DTYPE_I32, DTYPE_I64, i32_i64 },
	{ DTYPE_NONE, DTYPE_NONE, NULL },
};

extern const struct convert_loops CONVERT_LOOPS_TABLE;
const struct convert_loops CONVERT_LOOPS_TABLE = {
	.row = rows,
	.range = range,
	.quantize = quantize,
	.add_bytes = add_bytes,
	.requantize = requantize,
	.scale_whole = scale_whole,
	.reach = reach,
	.split = split,
	.add_scaled = add_scaled,
	.from_u8 = from_u8,
	.from_i8 = from_i8,
	.round_brain = round_brain,
};
