/* SPDX-License-Identifier: Apache-2.0 */
#include "server/number_write.h"

#include <criterion/criterion.h>
#include <math.h>

static struct tensor_view view(enum dtype dtype, void *data, unsigned rank,
			       int64_t a, int64_t b)
{
	return (
	    struct tensor_view){ .dtype = dtype,
				 .data = data,
				 .shape = { .rank = rank, .dim = { a, b } } };
}

static void check(struct tensor_view tensor, const char *flat,
		  const char *nested)
{
	struct buf buf;
	struct err err;

	buf_init(&buf, 1 << 20);
	cr_assert_eq(number_write_flat(&buf, &tensor, "y", &err), ERR_NONE);
	cr_assert_str_eq(buf.data, flat);
	buf_reset(&buf);
	cr_assert_eq(number_write_nested(&buf, &tensor, "y", false, &err),
		     ERR_NONE);
	cr_assert_str_eq(buf.data, nested);
	buf_finish(&buf);
}

Test(number_write, writes_flat_and_nested_arrays_of_every_type)
{
	float f32[] = { 1, -0.5F, NAN, INFINITY };
	double f64[] = { 0.1, -HUGE_VAL };
	uint16_t half[] = { 0x3c00, 0xc000 };
	int64_t i64[] = { INT64_MIN, INT64_MAX };
	uint64_t u64[] = { 0, UINT64_MAX };
	int8_t i8[] = { -128, 127 };
	uint8_t bools[] = { 1, 0 };
	struct str strings[] = { { "a\"\n", 3 }, { "\xc3\xbc", 2 } };

	check(view(DTYPE_F32, f32, 2, 2, 2), "[1.0,-0.5,NaN,Infinity]",
	      "[[1.0,-0.5],[NaN,Infinity]]");
	check(view(DTYPE_F64, f64, 1, 2, 0), "[0.1,-Infinity]",
	      "[0.1,-Infinity]");
	check(view(DTYPE_F16, half, 2, 2, 1), "[1.0,-2.0]", "[[1.0],[-2.0]]");
	check(view(DTYPE_I64, i64, 2, 1, 2),
	      "[-9223372036854775808,9223372036854775807]",
	      "[[-9223372036854775808,9223372036854775807]]");
	check(view(DTYPE_U64, u64, 1, 2, 0), "[0,18446744073709551615]",
	      "[0,18446744073709551615]");
	check(view(DTYPE_I8, i8, 1, 2, 0), "[-128,127]", "[-128,127]");
	check(view(DTYPE_BOOL, bools, 1, 2, 0), "[true,false]", "[true,false]");
	check(view(DTYPE_STRING, strings, 1, 2, 0),
	      "[\"a\\\"\\n\",\"\xc3\xbc\"]", "[\"a\\\"\\n\",\"\xc3\xbc\"]");
}

Test(number_write, writes_scalars_and_empty_tensors)
{
	float f32[] = { 2.5F };

	check(view(DTYPE_F32, f32, 0, 0, 0), "[2.5]", "2.5");
	check(view(DTYPE_F32, f32, 1, 0, 0), "[]", "[]");
	check(view(DTYPE_F32, f32, 2, 2, 0), "[]", "[[],[]]");
	check(view(DTYPE_F32, f32, 2, 0, 3), "[]", "[]");
}

Test(number_write, refuses_strings_that_json_cannot_hold)
{
	struct str strings[] = { { "\xff\xfe", 2 } };
	struct tensor_view tensor = view(DTYPE_STRING, strings, 1, 1, 0);
	struct buf buf;
	struct err err;

	buf_init(&buf, 1 << 20);
	cr_assert_eq(number_write_flat(&buf, &tensor, "output 'y'", &err),
		     ERR_INVALID);
	cr_assert(strstr(err.msg, "output 'y'"));
	buf_finish(&buf);
}

Test(number_write, writes_bytes_as_base64_in_nested_arrays)
{
	struct str strings[] = { { "\xff\xfe", 2 }, { "a", 1 } };
	struct tensor_view tensor = view(DTYPE_STRING, strings, 1, 2, 0);
	struct buf buf;
	struct err err;

	buf_init(&buf, 1 << 20);
	cr_assert_eq(number_write_nested(&buf, &tensor, "y", false, &err),
		     ERR_NONE);
	cr_assert_str_eq(buf.data, "[{\"b64\":\"//4=\"},\"a\"]");
	buf_reset(&buf);
	cr_assert_eq(number_write_nested(&buf, &tensor, "y", true, &err),
		     ERR_NONE);
	cr_assert_str_eq(buf.data, "[{\"b64\":\"//4=\"},{\"b64\":\"YQ==\"}]");
	buf_finish(&buf);
}
