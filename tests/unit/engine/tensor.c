/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/tensor.h"

#include <criterion/criterion.h>

#include "base/arena.h"

Test(tensor, shapes_are_checked_where_they_are_made)
{
	static const struct {
		struct shape shape;
		enum err_code want;
	} rows[] = {
		{ { 0, { 0 } }, ERR_NONE },
		{ { 2, { 0, 5 } }, ERR_NONE },
		{ { 8, { 1, 1, 1, 1, 1, 1, 1, 2147483647 } }, ERR_NONE },
		{ { 9, { 0 } }, ERR_SHAPE },
		{ { 1, { -1 } }, ERR_SHAPE },
		{ { 1, { 2147483648LL } }, ERR_SHAPE },
		{ { 2, { 1 << 20, 1 << 20 } }, ERR_TOO_LARGE },
		{ { 2, { 1 << 20, (1 << 20) - 1 } }, ERR_NONE },
		{ { 4, { 2147483647, 2147483647, 2147483647, 0 } },
		  ERR_TOO_LARGE },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		cr_assert_eq(shape_check(&rows[i].shape, "x", NULL),
			     rows[i].want, "row %zu", i);
}

Test(tensor, a_refused_shape_is_named)
{
	struct shape shape = { 2, { 3, -4 } };
	struct err err;

	cr_assert_eq(shape_check(&shape, "input 'x'", &err), ERR_SHAPE);
	cr_assert_str_eq(err.msg, "input 'x' has extent -4 at axis 1; extents "
				  "go from 0 to 2147483647");
}

Test(tensor, counts_and_ranges_multiply_extents)
{
	struct shape shape = { 3, { 2, 3, 4 } };

	cr_assert_eq(shape_count(&shape), 24);
	cr_assert_eq(shape_range(&shape, 1, 3), 12);
	cr_assert_eq(shape_range(&shape, 3, 3), 1);
	cr_assert_eq(shape_count(&(struct shape){ 0 }), 1);
	cr_assert_eq(tensor_bytes(DTYPE_F64, &shape), 192U);
	cr_assert_eq(tensor_bytes(DTYPE_I4, &shape), 24U);
}

Test(tensor, broadcasting_follows_numpy)
{
	static const struct {
		struct shape a, b, want;
		enum err_code code;
	} rows[] = {
		{ { 2, { 2, 3 } }, { 1, { 3 } }, { 2, { 2, 3 } }, ERR_NONE },
		{ { 2, { 2, 1 } }, { 2, { 1, 5 } }, { 2, { 2, 5 } }, ERR_NONE },
		{ { 0 }, { 1, { 0 } }, { 1, { 0 } }, ERR_NONE },
		{ { 1, { 1 } }, { 1, { 0 } }, { 1, { 0 } }, ERR_NONE },
		{ { 1, { 2 } }, { 1, { 0 } }, { 0 }, ERR_SHAPE },
		{ { 1, { 2 } }, { 1, { 3 } }, { 0 }, ERR_SHAPE },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct shape got = { 0 };

		cr_assert_eq(
		    shape_broadcast(&rows[i].a, &rows[i].b, &got, NULL),
		    rows[i].code, "row %zu", i);
		if (!rows[i].code)
			cr_assert(shape_equal(&got, &rows[i].want), "row %zu",
				  i);
	}
}

Test(tensor, a_failed_broadcast_shows_both_shapes)
{
	struct shape a = { 2, { 2, 3 } }, b = { 1, { 4 } }, got;
	struct err err;

	cr_assert_eq(shape_broadcast(&a, &b, &got, &err), ERR_SHAPE);
	cr_assert_str_eq(err.msg, "shapes [2,3] and [4] do not broadcast");
}

Test(tensor, axes_count_from_both_ends)
{
	unsigned axis = 9;

	cr_assert_eq(shape_axis(-1, 3, "axis", &axis, NULL), ERR_NONE);
	cr_assert_eq(axis, 2U);
	cr_assert_eq(shape_axis(0, 3, "axis", &axis, NULL), ERR_NONE);
	cr_assert_eq(axis, 0U);
	cr_assert_eq(shape_axis(3, 3, "axis", &axis, NULL), ERR_SHAPE);
	cr_assert_eq(shape_axis(-4, 3, "axis", &axis, NULL), ERR_SHAPE);
	cr_assert_eq(shape_axis(0, 0, "axis", &axis, NULL), ERR_SHAPE);
}

Test(tensor, text_of_a_shape_is_cut_to_its_room)
{
	struct shape shape = { 2, { 10, 200 } };
	char text[8], tight[4];

	cr_assert_str_eq(shape_text(&shape, text, sizeof(text)), "[10,200");
	cr_assert_str_eq(shape_text(&shape, tight, sizeof(tight)), "[10");
	cr_assert_str_eq(shape_text(&(struct shape){ 0 }, text, 8), "[]");
}

Test(tensor, bytes_of_a_strangers_extents_are_checked)
{
	int64_t good[] = { 3, 5 }, zero[] = { 0, 7 }, many[9] = { 1 };
	size_t bytes = 99;

	cr_assert_eq(
	    tensor_bytes_checked(DTYPE_I64, 2, good, "t", &bytes, NULL),
	    ERR_NONE);
	cr_assert_eq(bytes, 120U);
	cr_assert_eq(
	    tensor_bytes_checked(DTYPE_F32, 2, zero, "t", &bytes, NULL),
	    ERR_NONE);
	cr_assert_eq(bytes, 0U);
	cr_assert_eq(
	    tensor_bytes_checked(DTYPE_F32, 9, many, "t", &bytes, NULL),
	    ERR_SHAPE);
	cr_assert_eq(
	    tensor_bytes_checked((enum dtype)77, 2, good, "t", &bytes, NULL),
	    ERR_INVALID);
}

Test(tensor, a_copy_owns_its_strings)
{
	struct arena *arena = arena_create(1 << 16);
	char text[] = "one";
	struct str list[] = { { text, 3 }, { "", 0 } };
	struct tensor_view view = { .data = list,
				    .dtype = DTYPE_STRING,
				    .shape = { 1, { 2 } } };
	const struct tensor_view *copy = tensor_copy(&view, arena);
	const struct str *got;

	cr_assert_not_null(copy);
	text[0] = 'X';
	got = copy->data;
	cr_assert_str_eq(got[0].bytes, "one");
	cr_assert_eq(got[1].len, 0U);
	arena_destroy(arena);
}
