/* SPDX-License-Identifier: Apache-2.0 */
#include "measure/compare.h"

#include <criterion/criterion.h>
#include <math.h>

static const struct compare_bound bound = { .rtol = 1e-3, .atol = 1e-7 };

static enum err_code floats(const float *got, const float *want, int64_t n,
			    struct err *err)
{
	const struct shape shape = { 1, { n } };
	float g[600], w[600];
	struct tensor_view a = { .data = g,
				 .dtype = DTYPE_F32,
				 .shape = shape };
	struct tensor_view b = { .data = w,
				 .dtype = DTYPE_F32,
				 .shape = shape };

	memcpy(g, got, (size_t)n * sizeof(*g));
	memcpy(w, want, (size_t)n * sizeof(*w));
	return compare_tensors(&a, &b, bound, err);
}

Test(compare, values_within_the_bound_pass)
{
	const float want[] = { 1000, 0, NAN, INFINITY, -5 };
	const float got[] = { 1000.9f, 5e-8f, -NAN, INFINITY, -5 };

	cr_assert_eq(floats(got, want, 5, NULL), ERR_NONE);
}

Test(compare, values_beyond_the_bound_are_named)
{
	static const struct {
		float got, want;
	} cases[] = {
		{ 1001.5f, 1000 }, { 2e-7f, 0 },	{ NAN, 1 },
		{ 1, NAN },	   { INFINITY, 1e30f }, { -INFINITY, INFINITY },
		{ 1, -1 },
	};
	struct err err;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cr_assert_eq(floats(&cases[i].got, &cases[i].want, 1, &err),
			     ERR_INVALID, "case %zu", i);
	cr_assert_str_eq(err.msg, "1 of 1 differ: element 0 is 1, expected -1; "
				  "the greatest difference is 2");
}

Test(compare, a_difference_behind_the_first_chunk_is_found)
{
	float want[600] = { 0 }, got[600] = { 0 };
	struct err err;

	got[599] = 3;
	got[300] = -1;
	cr_assert_eq(floats(got, want, 600, &err), ERR_INVALID);
	cr_assert_str_eq(err.msg,
			 "2 of 600 differ: element 300 is -1, expected 0; the "
			 "greatest difference is 3");
}

Test(compare, type_and_shape_must_be_the_same)
{
	float data[6] = { 0 };
	struct tensor_view a = { .data = data,
				 .dtype = DTYPE_F32,
				 .shape = { 2, { 2, 3 } } };
	struct tensor_view b = a;
	struct err err;

	b.shape.dim[0] = 3;
	b.shape.dim[1] = 2;
	cr_assert_eq(compare_tensors(&a, &b, bound, &err), ERR_SHAPE);
	cr_assert_str_eq(err.msg, "expected shape [3,2], got [2,3]");
	b = a;
	b.dtype = DTYPE_I32;
	cr_assert_eq(compare_tensors(&a, &b, bound, &err), ERR_SHAPE);
	cr_assert_str_eq(err.msg, "expected int32, got float");
}

Test(compare, strings_and_complex_numbers_are_compared)
{
	struct str g[] = { { "a", 1 }, { "", 0 } };
	struct str w[] = { { "a", 1 }, { NULL, 0 } };
	float c[] = { 1, 2 }, d[] = { 1, 2.5f };
	struct tensor_view a = { .data = g,
				 .dtype = DTYPE_STRING,
				 .shape = { 1, { 2 } } };
	struct tensor_view b = a;
	struct err err;

	b.data = w;
	cr_assert_eq(compare_tensors(&a, &b, bound, &err), ERR_NONE);
	w[0].bytes = "b";
	cr_assert_eq(compare_tensors(&a, &b, bound, &err), ERR_INVALID);
	cr_assert_str_eq(err.msg, "element 0: expected 'b', got 'a'");
	a = (struct tensor_view){ .data = c, .dtype = DTYPE_C64 };
	b = a;
	cr_assert_eq(compare_tensors(&a, &b, bound, &err), ERR_NONE);
	b.data = d;
	cr_assert_eq(compare_tensors(&a, &b, bound, &err), ERR_INVALID);
}

Test(compare, empty_tensors_are_equal)
{
	struct tensor_view a = { .dtype = DTYPE_F32, .shape = { 1, { 0 } } };

	cr_assert_eq(compare_tensors(&a, &a, bound, NULL), ERR_NONE);
}
