/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/dtype.h"

#include <criterion/criterion.h>
#include <float.h>
#include <math.h>

/* the value of binary16 by its definition, IEEE 754 table 3.5 */
static double f16_value(uint16_t bits)
{
	int exp = bits >> 10 & 31, man = bits & 1023;
	double sign = bits & 0x8000 ? -1 : 1;

	if (exp == 31)
		return man ? (double)NAN : sign * (double)INFINITY;
	return exp ? sign * ldexp(1024 + man, exp - 25)
		   : sign * ldexp(man, -24);
}

static double convert_one(enum dtype from, const void *src, enum dtype to,
			  bool saturate)
{
	uint64_t bytes[2] = { 0 };
	double back = 0;

	dtype_convert(from, src, to, bytes, 1, saturate);
	dtype_convert(to, bytes, DTYPE_F64, &back, 1, false);
	return back;
}

static double from_f64(double value, enum dtype to, bool saturate)
{
	return convert_one(DTYPE_F64, &value, to, saturate);
}

Test(dtype, every_row_has_a_name_that_finds_it)
{
	for (int i = 1; i < DTYPE_COUNT; i++) {
		const struct dtype_info *row = dtype_info((enum dtype)i);

		cr_assert_not_null(row->name, "row %d", i);
		cr_assert_eq(dtype_find(row->name), (enum dtype)i);
		if (row->v2_name)
			cr_assert_eq(dtype_find_v2(row->v2_name),
				     (enum dtype)i);
		if (row->safetensors_name)
			cr_assert_eq(
			    dtype_find_safetensors(row->safetensors_name),
			    (enum dtype)i);
		cr_assert_gt(row->size, 0U);
	}
	cr_assert_eq(dtype_find("floaty"), DTYPE_NONE);
	cr_assert_eq(dtype_info((enum dtype)99)->size, 0U);
	cr_assert_eq(dtype_find_v2("FP16"), DTYPE_F16);
	cr_assert_eq(dtype_find("int64"), DTYPE_I64);
	cr_assert_eq((int)DTYPE_I2, 26);
}

Test(dtype, every_half_goes_to_single_and_back)
{
	for (uint32_t bits = 0; bits < 0x10000; bits++) {
		double want = f16_value((uint16_t)bits);
		float got = dtype_f16_to_f32((uint16_t)bits);

		if (isnan(want)) {
			cr_assert(isnan(got));
			cr_assert((dtype_f32_to_f16(got) & 0x7fff) > 0x7c00);
			continue;
		}
		cr_assert_eq((double)got, want, "bits %x", bits);
		cr_assert_eq(dtype_f32_to_f16(got), bits, "bits %x", bits);
		cr_assert_eq(from_f64(want, DTYPE_F16, false), want);
	}
}

/* Between two neighbours: below the middle down, above up, at it to even. */
Test(dtype, halves_round_to_nearest_even)
{
	for (uint32_t bits = 0; bits < 0x7bff; bits++) {
		float low = dtype_f16_to_f32((uint16_t)bits);
		float high = dtype_f16_to_f32((uint16_t)(bits + 1));
		float middle = (low + high) / 2;
		uint32_t even = bits & 1 ? bits + 1 : bits;

		cr_assert_eq(dtype_f32_to_f16(middle), even, "bits %x", bits);
		cr_assert_eq(dtype_f32_to_f16(nextafterf(middle, 0)), bits);
		cr_assert_eq(dtype_f32_to_f16(nextafterf(middle, 1e9F)),
			     bits + 1);
		cr_assert_eq(dtype_f32_to_f16(-middle), even | 0x8000);
		cr_assert_eq((float)from_f64((double)middle, DTYPE_F16, false),
			     dtype_f16_to_f32((uint16_t)even));
	}
	cr_assert_eq(dtype_f32_to_f16(65519.996F), 0x7bff);
	cr_assert_eq(dtype_f32_to_f16(65520.0F), 0x7c00);
	cr_assert_eq(dtype_f32_to_f16(FLT_MAX), 0x7c00);
	cr_assert_eq(dtype_f32_to_f16(-INFINITY), 0xfc00);
	cr_assert_eq(dtype_f32_to_f16(0x1p-26F), 0);
}

Test(dtype, bfloat16_rounds_to_nearest_even)
{
	cr_assert_eq(dtype_f32_to_bf16(1.0F), 0x3f80);
	cr_assert_eq(dtype_f32_to_bf16(1.00390625F), 0x3f80); /* a tie */
	cr_assert_eq(dtype_f32_to_bf16(1.01171875F), 0x3f82); /* a tie */
	cr_assert_eq(dtype_f32_to_bf16(FLT_MAX), 0x7f80);
	cr_assert((dtype_f32_to_bf16(NAN) & 0x7fff) > 0x7f80);
	for (uint32_t bits = 0; bits < 0x10000; bits++) {
		float value = dtype_bf16_to_f32((uint16_t)bits);

		if (!isnan(value)) {
			cr_assert_eq(dtype_f32_to_bf16(value), bits);
			cr_assert_eq(from_f64((double)value, DTYPE_BF16, false),
				     (double)value);
		}
	}
}

Test(dtype, doubles_round_once_on_their_way_to_halves)
{
	/* a hair above the middle of 1 and 1 + 2^-10, lost in a float */
	double value = 1 + 0x1p-11 + 0x1p-40;

	cr_assert_eq(from_f64(value, DTYPE_F16, false), 1 + 0x1p-10);
	cr_assert_eq(dtype_f16_to_f32(dtype_f32_to_f16((float)value)), 1.0F);
}

Test(dtype, every_float8_goes_to_double_and_back)
{
	static const enum dtype types[] = { DTYPE_F8E4M3FN, DTYPE_F8E4M3FNUZ,
					    DTYPE_F8E5M2,   DTYPE_F8E5M2FNUZ,
					    DTYPE_F4E2M1,   DTYPE_F8E8M0 };

	for (size_t t = 0; t < sizeof(types) / sizeof(types[0]); t++) {
		int n = types[t] == DTYPE_F4E2M1 ? 16 : 256;

		for (int i = 0; i < n; i++) {
			uint8_t code = (uint8_t)i, back = 0;
			double value;

			dtype_convert(types[t], &code, DTYPE_F64, &value, 1,
				      false);
			dtype_convert(DTYPE_F64, &value, types[t], &back, 1,
				      false);
			if (!isnan(value))
				cr_assert_eq(back, code, "%s %d",
					     dtype_info(types[t])->name, i);
		}
	}
}

/* ONNX, Cast: the table of float8 at its limits */
Test(dtype, float8_saturates_only_when_asked)
{
	static const struct {
		enum dtype dtype;
		double max, infinity; /* the latter: when not saturated */
	} rows[] = {
		{ DTYPE_F8E4M3FN, 448, (double)NAN },
		{ DTYPE_F8E4M3FNUZ, 240, (double)NAN },
		{ DTYPE_F8E5M2, 57344, (double)INFINITY },
		{ DTYPE_F8E5M2FNUZ, 57344, (double)NAN },
	};

	for (size_t i = 0; i < 4; i++) {
		double got = from_f64(1e6, rows[i].dtype, false);

		cr_assert_eq(from_f64(1e6, rows[i].dtype, true), rows[i].max);
		cr_assert_eq(from_f64(-1e6, rows[i].dtype, true), -rows[i].max);
		cr_assert_eq(from_f64((double)INFINITY, rows[i].dtype, true),
			     rows[i].max);
		cr_assert(isnan(rows[i].infinity) ? isnan(got)
						  : isinf(got) && got > 0);
		cr_assert(isnan(from_f64((double)NAN, rows[i].dtype, true)));
		cr_assert_eq(from_f64(rows[i].max, rows[i].dtype, false),
			     rows[i].max);
	}
	cr_assert_eq(from_f64(0.4789, DTYPE_F8E4M3FN, true), 0.46875);
	cr_assert_eq(from_f64(1e9, DTYPE_F4E2M1, false), 6.0);
	cr_assert_eq(from_f64(2.5, DTYPE_F4E2M1, false), 2.0);
	cr_assert(signbit(from_f64(-0.0, DTYPE_F8E5M2, false)));
	cr_assert_not(signbit(from_f64(-0.0, DTYPE_F8E5M2FNUZ, false)));
	cr_assert_eq(from_f64(-1e-9, DTYPE_F8E4M3FNUZ, false), 0.0);
}

Test(dtype, powers_of_two_round_as_asked)
{
	cr_assert_eq(dtype_f32_to_e8m0(1.0F, DTYPE_ROUND_UP, true), 127);
	cr_assert_eq(dtype_f32_to_e8m0(1.1F, DTYPE_ROUND_UP, true), 128);
	cr_assert_eq(dtype_f32_to_e8m0(-1.9F, DTYPE_ROUND_DOWN, true), 127);
	cr_assert_eq(dtype_f32_to_e8m0(1.4F, DTYPE_ROUND_NEAREST, true), 127);
	cr_assert_eq(dtype_f32_to_e8m0(1.6F, DTYPE_ROUND_NEAREST, true), 128);
	cr_assert_eq(dtype_f32_to_e8m0(0.0F, DTYPE_ROUND_UP, true), 0);
	cr_assert_eq(dtype_f32_to_e8m0(FLT_MAX, DTYPE_ROUND_UP, true), 254);
	cr_assert_eq(dtype_f32_to_e8m0(FLT_MAX, DTYPE_ROUND_UP, false), 255);
	cr_assert_eq(dtype_f32_to_e8m0(NAN, DTYPE_ROUND_UP, true), 255);
}

Test(dtype, floats_to_integers_truncate_and_saturate)
{
	static const struct {
		double value;
		enum dtype to;
		double want;
	} rows[] = {
		{ 1.9, DTYPE_I32, 1 },
		{ -1.9, DTYPE_I32, -1 },
		{ 1e10, DTYPE_I32, 2147483647 },
		{ -1e10, DTYPE_I32, -2147483648.0 },
		{ 300, DTYPE_U8, 255 },
		{ -1, DTYPE_U8, 0 },
		{ 128, DTYPE_I8, 127 },
		{ -128.9, DTYPE_I8, -128 },
		{ 65535.9, DTYPE_U16, 65535 },
		{ -40000, DTYPE_I16, -32768 },
		{ 5e9, DTYPE_U32, 4294967295.0 },
		{ 9.9, DTYPE_I4, 7 },
		{ -9, DTYPE_I4, -8 },
		{ 99, DTYPE_U4, 15 },
		{ 5, DTYPE_U2, 3 },
		{ -5, DTYPE_I2, -2 },
		{ 0.5, DTYPE_BOOL, 1 },
		{ -0.0, DTYPE_BOOL, 0 },
	};
	double nan = (double)NAN, huge = 1e300;
	int64_t i64 = 0;
	uint64_t u64 = 0;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		cr_assert_eq(from_f64(rows[i].value, rows[i].to, false),
			     rows[i].want, "%g to %s", rows[i].value,
			     dtype_info(rows[i].to)->name);
	cr_assert_eq(from_f64(nan, DTYPE_I32, false), 0.0);
	cr_assert_eq(from_f64(nan, DTYPE_U8, false), 0.0);
	cr_assert_eq(from_f64(nan, DTYPE_BOOL, false), 1.0);
	dtype_convert(DTYPE_F64, &huge, DTYPE_I64, &i64, 1, false);
	dtype_convert(DTYPE_F64, &huge, DTYPE_U64, &u64, 1, false);
	cr_assert_eq(i64, INT64_MAX);
	cr_assert_eq(u64, UINT64_MAX);
}

Test(dtype, integers_keep_their_low_bits)
{
	int64_t values[] = { 200, -1, (1LL << 40) + 5, INT64_MIN };
	int8_t i8[4];
	uint16_t u16[4];
	uint64_t u64[4];
	uint8_t u4[4];
	int8_t i2[4];

	dtype_convert(DTYPE_I64, values, DTYPE_I8, i8, 4, false);
	dtype_convert(DTYPE_I64, values, DTYPE_U16, u16, 4, false);
	dtype_convert(DTYPE_I64, values, DTYPE_U64, u64, 4, false);
	dtype_convert(DTYPE_I64, values, DTYPE_U4, u4, 4, false);
	dtype_convert(DTYPE_I64, values, DTYPE_I2, i2, 4, false);
	cr_assert_eq(i8[0], -56);
	cr_assert_eq(i8[2], 5);
	cr_assert_eq(u16[1], 65535);
	cr_assert_eq(u64[3], 1ULL << 63);
	cr_assert_eq(u4[0], 8);
	cr_assert_eq(u4[1], 15);
	cr_assert_eq(i2[1], -1);
	cr_assert_eq(i2[2], 1);
}

Test(dtype, wide_integers_reach_single_precision_rounded_once)
{
	/* 2^60 + 2^36 + 1: a double loses the 1 and then ties to even */
	int64_t value = (1LL << 60) + (1LL << 36) + 1;
	float got;

	dtype_convert(DTYPE_I64, &value, DTYPE_F32, &got, 1, false);
	cr_assert_eq(got, (float)value);
	cr_assert_neq(got, (float)(double)value);
}

Test(dtype, long_runs_cross_blocks)
{
	int32_t from[1000];
	double to[1000];

	for (int i = 0; i < 1000; i++)
		from[i] = i * 3 - 500;
	dtype_convert(DTYPE_I32, from, DTYPE_F64, to, 1000, false);
	for (int i = 0; i < 1000; i++)
		cr_assert_eq(to[i], i * 3 - 500);
}

Test(dtype, complex_numbers_keep_both_parts_among_themselves)
{
	float from[4] = { 1, -2, 3, 4 }, real[2];
	double to[4];

	dtype_convert(DTYPE_C64, from, DTYPE_C128, to, 2, false);
	cr_assert_eq(to[1], -2.0);
	cr_assert_eq(to[2], 3.0);
	dtype_convert(DTYPE_C128, to, DTYPE_F32, real, 2, false);
	cr_assert_eq(real[1], 3.0F);
	dtype_convert(DTYPE_F32, real, DTYPE_C64, from, 2, false);
	cr_assert_eq(from[0], 1.0F);
	cr_assert_eq(from[1], 0.0F);
}

Test(dtype, small_elements_are_packed_in_files_only)
{
	uint8_t file[3] = { 0x8f, 0x21, 0xff }, back[3] = { 0, 0, 0xff };
	int8_t i4[3], i2[5];
	uint8_t u4[3];

	dtype_unpack(DTYPE_I4, file, 3, i4);
	cr_assert_eq(i4[0], -1);
	cr_assert_eq(i4[1], -8);
	cr_assert_eq(i4[2], 1);
	dtype_unpack(DTYPE_U4, file, 3, u4);
	cr_assert_eq(u4[0], 15);
	cr_assert_eq(u4[1], 8);
	dtype_unpack(DTYPE_I2, file, 5, i2); /* 0x8f: 3 3 0 2, then 1 */
	cr_assert_eq(i2[0], -1);
	cr_assert_eq(i2[2], 0);
	cr_assert_eq(i2[3], -2);
	cr_assert_eq(i2[4], 1);
	dtype_pack(DTYPE_I4, i4, 3, back);
	cr_assert_eq(back[0], 0x8f);
	cr_assert_eq(back[1], 0x01);
	cr_assert_eq(back[2], 0xff);
	cr_assert_eq(dtype_file_bytes(DTYPE_I4, 3), 2U);
	cr_assert_eq(dtype_file_bytes(DTYPE_U2, 5), 2U);
	cr_assert_eq(dtype_file_bytes(DTYPE_F64, 5), 40U);
}

Test(dtype, kinds_are_told_apart)
{
	cr_assert(dtype_is_float(DTYPE_F8E5M2) && dtype_is_float(DTYPE_F4E2M1));
	cr_assert(!dtype_is_float(DTYPE_I32) && !dtype_is_float(DTYPE_C64));
	cr_assert(dtype_is_integer(DTYPE_U2) && !dtype_is_integer(DTYPE_BOOL));
	cr_assert(dtype_is_signed(DTYPE_I4) && !dtype_is_signed(DTYPE_U4));
	cr_assert(!dtype_is_integer(DTYPE_STRING));
}
