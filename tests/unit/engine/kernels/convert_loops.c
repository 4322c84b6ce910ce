/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/kernels/convert_loops.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "engine/kernels/loops.h"

enum { N = 1 << 16, ODD = 37 };

/* All patterns of 16 bits; of 32 and 64 bits a walk over all exponents. */
static void fill(enum dtype from, void *x)
{
	const size_t size = dtype_info(from)->size;

	for (uint32_t i = 0; i < N; i++) {
		const uint32_t wide = i << 16 | (i * 2654435761U >> 17);
		const int64_t eight = (int64_t)i * (int64_t)wide - wide;

		if (from == DTYPE_BOOL)
			((uint8_t *)x)[i] = i & 1;
		else if (size == 1)
			((uint8_t *)x)[i] = (uint8_t)i;
		else if (size == 2)
			((uint16_t *)x)[i] = (uint16_t)i;
		else if (size == 4)
			((uint32_t *)x)[i] = wide;
		else
			((int64_t *)x)[i] = eight;
	}
}

static bool is_nan_f32(const char *element)
{
	float value;

	memcpy(&value, element, sizeof(value));
	return isnan(value);
}

static void check_row(const struct convert_row *row, unsigned level)
{
	const size_t in = dtype_info(row->from)->size;
	const size_t out = dtype_info(row->to)->size;
	char *x = mem_array(N, in), *want = mem_array(N, out);
	char *got = mem_array(N + 1, out);
	unsigned wrong = 0;

	fill(row->from, x);
	dtype_convert(row->from, x, row->to, want, N, true);
	row->run(x, N, got);
	for (size_t i = 0; i < N; i++)
		if (memcmp(want + i * out, got + i * out, out) != 0 &&
		    !(row->to == DTYPE_F32 && is_nan_f32(want + i * out) &&
		      is_nan_f32(got + i * out)))
			wrong++;
	cr_expect_eq(wrong, 0, "%s to %s, %s: %u differ",
		     dtype_info(row->from)->name, dtype_info(row->to)->name,
		     loop_level_name(level), wrong);
	/* nothing is written behind the end */
	for (int64_t n = 0; n < ODD; n++) {
		memset(got, 0x5A, (size_t)(n + 1) * out);
		row->run(x, n, got);
		cr_expect_eq(got[(size_t)n * out], 0x5A);
	}
	mem_free(x);
	mem_free(want);
	mem_free(got);
}

Test(convert_loops, every_row_gives_the_bits_of_the_plain_one)
{
	for (unsigned level = 0; level < loop_levels(); level++) {
		const struct convert_row *row = convert_loops_level(level)->row;

		for (; row->run; row++)
			check_row(row, level);
	}
}

/* Also where it stands; a number of the last chunk, and none behind it. */
Test(convert_loops, bfloat16_is_rounded_to_as_by_conversion_and_back)
{
	float *x = mem_array(N, sizeof(*x)), *y = mem_array(N, sizeof(*y));
	float *want = mem_array(N, sizeof(*want));

	fill(DTYPE_F32, x);
	for (int i = 0; i < N; i++)
		want[i] = dtype_bf16_to_f32(dtype_f32_to_bf16(x[i]));
	for (unsigned level = 0; level < loop_levels(); level++) {
		const struct convert_loops *loops = convert_loops_level(level);

		loops->round_brain(x, N, y);
		cr_expect_eq(memcmp(y, want, N * sizeof(*y)), 0, "%s",
			     loop_level_name(level));
		memcpy(y, x, N * sizeof(*y));
		loops->round_brain(y, N - ODD, y);
		cr_expect_eq(memcmp(y, want, (N - ODD) * sizeof(*y)), 0, "%s",
			     loop_level_name(level));
		cr_expect_eq(memcmp(y + N - ODD, x + N - ODD, ODD * sizeof(*y)),
			     0, "%s", loop_level_name(level));
	}
	mem_free(x);
	mem_free(y);
	mem_free(want);
}

Test(convert_loops, bytes_have_a_scale_and_a_zero)
{
	static const struct byte_grid grids[] = {
		{ 0.5F, 3, 0, 255 },
		{ 0.25F, -7, -128, 127 },
		{ 1e-30F, 0, 0, 255 },
	};
	float x[ODD], y[ODD];
	uint8_t q[ODD];

	for (int i = 0; i < ODD; i++)
		x[i] = (float)(i - 18) * 0.125F * (i % 5 ? 1 : 40);
	x[5] = NAN;
	x[6] = INFINITY;
	x[7] = -INFINITY;
	for (unsigned level = 0; level < loop_levels(); level++) {
		const struct convert_loops *loops = convert_loops_level(level);

		for (size_t g = 0; g < sizeof(grids) / sizeof(*grids); g++) {
			const struct byte_grid *grid = &grids[g];

			loops->quantize(x, ODD, grid, q);
			if (grid->low < 0)
				loops->from_i8((int8_t *)q, ODD, grid, y);
			else
				loops->from_u8(q, ODD, grid, y);
			for (int i = 0; i < ODD; i++) {
				float want = rintf(x[i] / grid->scale) +
					     (float)grid->zero;

				want = want > (float)grid->high
					   ? (float)grid->high
					   : want;
				/* what is no number is the lowest */
				want = want >= (float)grid->low
					   ? want
					   : (float)grid->low;
				cr_expect_eq(y[i],
					     (want - (float)grid->zero) *
						 grid->scale,
					     "grid %zu, element %d: %g", g, i,
					     (double)y[i]);
			}
		}
	}
}

Test(convert_loops, a_range_holds_0)
{
	float x[ODD], range[2];

	for (int i = 0; i < ODD; i++)
		x[i] = (float)(i * 7 % ODD) + 1;
	for (unsigned level = 0; level < loop_levels(); level++) {
		for (int64_t n = 0; n <= ODD; n++) {
			float most = 0;

			for (int64_t i = 0; i < n; i++)
				most = fmaxf(most, x[i]);
			convert_loops_level(level)->range(x, n, range);
			cr_expect_eq(range[0], 0);
			cr_expect_eq(range[1], most);
		}
		x[ODD - 1] = -5;
		convert_loops_level(level)->range(x, ODD, range);
		cr_expect_eq(range[0], -5);
		x[ODD - 1] = 1;
	}
}

/* Halves, what is next to them, and everything in between. */
Test(convert_loops, quotients_round_as_if_divided)
{
	enum { MANY = 1 << 12 };
	const struct byte_grid grid = { .scale = 0.3F, .zero = 7, .high = 255 };
	float x[MANY];
	uint8_t q[MANY];

	for (int i = 0; i < MANY; i++)
		x[i] = (float)(i - MANY / 4) * 0.5F * (i % 3 ? 0.3F : 0.033F);
	for (int i = 0; i < MANY; i += 5)
		x[i] = nextafterf(x[i], i % 2 ? 1e9F : -1e9F);
	for (unsigned level = 0; level < loop_levels(); level++) {
		unsigned wrong = 0;

		convert_loops_level(level)->quantize(x, MANY, &grid, q);
		for (int i = 0; i < MANY; i++) {
			const float want = rintf(x[i] / 0.3F) + 7;

			wrong += q[i] != (int)fminf(fmaxf(want, 0), 255);
		}
		cr_expect_eq(wrong, 0, "level %u: %u", level, wrong);
	}
}

Test(convert_loops, whole_numbers_are_scaled)
{
	const struct byte_grid grid = { .zero = -3, .low = -128, .high = 127 };
	float scale[ODD], add[ODD], y[ODD];
	int32_t x[ODD];
	uint8_t q[ODD];

	for (int i = 0; i < ODD; i++) {
		x[i] = i * i * i * (i % 2 ? 1 : -1) * (i == 7 ? 60000 : 1);
		scale[i] = (float)(i % 4 + 1) * 0.125F;
		add[i] = (float)i;
	}
	for (unsigned level = 0; level < loop_levels(); level++) {
		const struct convert_loops *loops = convert_loops_level(level);

		loops->requantize(x, scale, ODD, &grid, q);
		for (int i = 0; i < ODD; i++) {
			const float want = rintf((float)x[i] * scale[i]) - 3;

			cr_expect_eq((int8_t)q[i],
				     (int)fminf(fmaxf(want, -128), 127));
		}
		loops->scale_whole(x, scale, add, ODD, y);
		for (int i = 0; i < ODD; i++)
			cr_expect_eq(y[i], (float)x[i] * scale[i] + add[i]);
		loops->scale_whole(x, scale, NULL, ODD, y);
		for (int i = 0; i < ODD; i++)
			cr_expect_eq(y[i], (float)x[i] * scale[i]);
	}
}
