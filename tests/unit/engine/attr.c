/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/attr.h"

#include <criterion/criterion.h>
#include <math.h>

#include "base/arena.h"

struct sample {
	int64_t axis;
	double alpha, share;
	const char *mode;
	struct attr_ints pads;
	struct attr_floats scales;
	struct attr_strings names;
	const struct tensor_view *value;
};

/* clang-format off */
static const struct op_attr table[] = {
	{ .name = "axis", .offset = offsetof(struct sample, axis),
	  .kind = ATTR_INT, .min = -4, .max = 3, .def = -1 },
	{ .name = "alpha", .offset = offsetof(struct sample, alpha),
	  .kind = ATTR_FLOAT, .min = 0, .max = 1, .def = 0.25 },
	{ .name = "share", .offset = offsetof(struct sample, share),
	  .kind = ATTR_FLOAT, .max = 1e30 },
	{ .name = "mode", .offset = offsetof(struct sample, mode),
	  .kind = ATTR_STRING, .def_text = "same" },
	{ .name = "pads", .offset = offsetof(struct sample, pads),
	  .kind = ATTR_INTS, .min = 0, .max = 9, .flags = ATTR_REQUIRED },
	{ .name = "scales", .offset = offsetof(struct sample, scales),
	  .kind = ATTR_FLOATS, .max = 8 },
	{ .name = "names", .offset = offsetof(struct sample, names),
	  .kind = ATTR_STRINGS },
	{ .name = "value", .offset = offsetof(struct sample, value),
	  .kind = ATTR_TENSOR },
	{ 0 },
};
/* clang-format on */

static const int64_t two_pads[] = { 3, 4 };
#define PADS                                                       \
	{                                                          \
		"pads",                                            \
		{                                                  \
			.kind = ATTR_INTS, .ints = { 2, two_pads } \
		}                                                  \
	}

static enum err_code read(struct arena *arena, const struct attr_named *item,
			  size_t n, const struct sample **ret, struct err *err)
{
	struct attr_list list = { item, n };
	struct attr_source source = { &list, n, attr_list_at };
	const void *attrs = NULL;
	enum err_code rc = op_attrs_read(table, sizeof(struct sample), &source,
					 "node 'n'", arena, &attrs, err);

	*ret = attrs;
	return rc;
}

Test(attr, absent_ones_have_their_defaults)
{
	struct arena *arena = arena_create(1 << 16);
	const struct attr_named given[] = { PADS };
	const struct sample *got;

	cr_assert_eq(read(arena, given, 1, &got, NULL), ERR_NONE);
	cr_assert_eq(got->axis, -1);
	cr_assert_eq(got->alpha, 0.25);
	cr_assert_str_eq(got->mode, "same");
	cr_assert_eq(got->pads.n, 2U);
	cr_assert_eq(got->pads.v[1], 4);
	cr_assert_neq(got->pads.v, two_pads, "a copy");
	cr_assert_eq(got->scales.n, 0U);
	cr_assert_null(got->value);
	arena_destroy(arena);
}

Test(attr, whole_numbers_stand_for_others)
{
	struct arena *arena = arena_create(1 << 16);
	const struct attr_named given[] = {
		PADS,
		{ "alpha", { .kind = ATTR_INT, .i = 1 } },
		{ "scales", { .kind = ATTR_INTS, .ints = { 2, two_pads } } },
		{ "names", { .kind = ATTR_FLOATS } },
	};
	const struct sample *got;

	cr_assert_eq(read(arena, given, 4, &got, NULL), ERR_NONE);
	cr_assert_eq(got->alpha, 1.0);
	cr_assert_eq(got->scales.n, 2U);
	cr_assert_eq(got->scales.v[0], 3.0F);
	cr_assert_eq(got->names.n, 0U, "an empty list has no kind");
	arena_destroy(arena);
}

Test(attr, every_refusal_says_what_was_wanted)
{
	static const int64_t bad_pads[] = { 1, 10 };
	static const float bad_scales[] = { 1, 9 };
	static const struct {
		struct attr_named given;
		const char *want;
	} rows[] = {
		{ { "axis", { .kind = ATTR_INT, .i = 4 } },
		  "attribute 'axis' must be from -4 to 3, but is 4" },
		{ { "axis", { .kind = ATTR_INT, .i = -5 } },
		  "attribute 'axis' must be from -4 to 3, but is -5" },
		{ { "alpha", { .kind = ATTR_FLOAT, .f = 1.5 } },
		  "attribute 'alpha' must be from 0 to 1, but is 1.5" },
		{ { "share", { .kind = ATTR_FLOAT, .f = 1.001e30 } },
		  "attribute 'share' must be from 0 to 1e+30" },
		{ { "share", { .kind = ATTR_FLOAT, .f = (double)INFINITY } },
		  "attribute 'share' must be from 0 to 1e+30" },
		{ { "pads", { .kind = ATTR_INTS, .ints = { 2, bad_pads } } },
		  "attribute 'pads' must be from 0 to 9, but is 10" },
		{ { "scales",
		    { .kind = ATTR_FLOATS, .floats = { 2, bad_scales } } },
		  "attribute 'scales' must be from 0 to 8, but is 9" },
		{ { "axis", { .kind = ATTR_FLOAT, .f = 1 } },
		  "attribute 'axis' must be an integer, but is a number" },
		{ { "mode", { .kind = ATTR_STRING, .s = { "a\0b", 3 } } },
		  "attribute 'mode' holds a NUL byte" },
		{ { "modes", { .kind = ATTR_INT } },
		  "unknown attribute 'modes'; did you mean 'mode'?" },
		{ { "mode", { .kind = ATTR_STRING, .s = { "ok", 2 } } },
		  "attribute 'pads' is missing" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct arena *arena = arena_create(1 << 16);
		const struct sample *got;
		struct err err = { 0 };

		cr_assert_eq(read(arena, &rows[i].given, 1, &got, &err),
			     ERR_INVALID, "row %zu", i);
		cr_assert_not_null(strstr(err.msg, rows[i].want), "%s",
				   err.msg);
		cr_assert_eq(strncmp(err.msg, "node 'n'", 8), 0);
		arena_destroy(arena);
	}
}

Test(attr, bounds_are_met_by_the_float_next_to_them)
{
	const struct attr_named given[] = {
		PADS, { "share", { .kind = ATTR_FLOAT, .f = (double)1e30F } }
	};
	struct arena *arena = arena_create(1 << 16);
	const struct sample *got;

	cr_assert_gt((double)1e30F, 1e30);
	cr_assert_eq(read(arena, given, 2, &got, NULL), ERR_NONE);
	cr_assert_eq(got->share, (double)1e30F);
	arena_destroy(arena);
}

Test(attr, members_read_back_as_they_were_given)
{
	struct arena *arena = arena_create(1 << 16);
	const struct str words[] = { { "a", 1 }, { "bc", 2 } };
	float number = 2;
	struct tensor_view view = { .data = &number, .dtype = DTYPE_F32 };
	const struct attr_named given[] = {
		PADS,
		{ "names", { .kind = ATTR_STRINGS, .strings = { 2, words } } },
		{ "value", { .kind = ATTR_TENSOR, .t = &view } },
	};
	const struct sample *got;
	struct attr_value value;

	cr_assert_eq(read(arena, given, 3, &got, NULL), ERR_NONE);
	number = 3;
	cr_assert(op_attr_get(op_attr_find(table, "names"), got, &value));
	cr_assert_eq(value.strings.n, 2U);
	cr_assert_str_eq(value.strings.v[1].bytes, "bc");
	cr_assert(op_attr_get(op_attr_find(table, "value"), got, &value));
	cr_assert_eq(*(float *)value.t->data, 2.0F, "elements are copied");
	cr_assert_null(op_attr_find(table, "nothing"));
	arena_destroy(arena);
}

Test(attr, a_copy_outlives_what_it_was_made_from)
{
	struct arena *arena = arena_create(1 << 16);
	const struct op op = { .attrs = table,
			       .attrs_size = sizeof(struct sample) };
	int64_t pads[] = { 1, 2 };
	char mode[] = "edge";
	struct sample own = { .mode = mode, .pads = { 2, pads } };
	const struct sample *copy = op_attrs_copy(&op, &own, arena);
	const struct sample *defaults = op_attrs_copy(&op, NULL, arena);

	mode[0] = 'X';
	pads[0] = 7;
	cr_assert_str_eq(copy->mode, "edge");
	cr_assert_eq(copy->pads.v[0], 1);
	cr_assert_eq(defaults->axis, -1);
	cr_assert_eq(defaults->pads.n, 0U);
	arena_destroy(arena);
}
