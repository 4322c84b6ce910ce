/* SPDX-License-Identifier: Apache-2.0 */
#include "measure/shape_flag.h"

#include <criterion/criterion.h>

static const struct args_flag flags[] = {
	{ "input-shape", "NAME:AxBxC", "" },
	{ 0 },
};

Test(shape_flag, the_last_colon_splits_name_and_extents)
{
	struct shape shape;
	size_t len;

	cr_assert_eq(shape_flag_parse("a:0:1x3x224", &len, &shape, NULL),
		     ERR_NONE);
	cr_assert_eq(len, 3);
	cr_assert_eq(shape.rank, 3);
	cr_assert_eq(shape.dim[0], 1);
	cr_assert_eq(shape.dim[1], 3);
	cr_assert_eq(shape.dim[2], 224);
	cr_assert_eq(shape_flag_parse("x:7", &len, &shape, NULL), ERR_NONE);
	cr_assert_eq(shape.rank, 1);
	cr_assert_eq(shape.dim[0], 7);
}

Test(shape_flag, nothing_after_the_colon_is_a_scalar)
{
	struct shape shape;
	size_t len;

	cr_assert_eq(shape_flag_parse("sr:", &len, &shape, NULL), ERR_NONE);
	cr_assert_eq(len, 2);
	cr_assert_eq(shape.rank, 0);
}

Test(shape_flag, anything_else_is_refused_and_quoted)
{
	static const char *const bad[] = {
		"x",	  ":1x2",	   "x:1x",
		"x:x1",	  "x:1,2",	   "x:-1",
		"x:1xx2", "x:99999999999", "x:1x1x1x1x1x1x1x1x1",
		"x: 1"
	};
	struct shape shape;
	struct err err;
	size_t len;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		cr_assert_eq(shape_flag_parse(bad[i], &len, &shape, &err),
			     ERR_INVALID, "'%s'", bad[i]);
		cr_assert(strstr(err.msg, bad[i]));
	}
}

Test(shape_flag, the_last_flag_of_an_input_holds_and_others_are_refused)
{
	static const char *const argv[] = { "--input-shape", "x:1x2",
					    "--input-shape", "y:3",
					    "--input-shape", "x:4x5" };
	struct signature_port port[] = { { .name = "x" }, { .name = "z" } };
	struct model_signature signature = { .input = port, .n_inputs = 2 };
	struct args args;
	struct shape shape = { 0 };
	struct err err;
	bool is_given;

	cr_assert_eq(args_parse(flags, NULL, 6, argv, &args, NULL), ERR_NONE);
	cr_assert_eq(shape_flag_find(&args, "x", &is_given, &shape, NULL),
		     ERR_NONE);
	cr_assert(is_given);
	cr_assert_eq(shape.dim[1], 5);
	cr_assert_eq(shape_flag_find(&args, "z", &is_given, &shape, NULL),
		     ERR_NONE);
	cr_assert_not(is_given);
	cr_assert_eq(shape_flag_check(&args, &signature, &err), ERR_INVALID);
	cr_assert_str_eq(err.msg, "--input-shape: the model has no input 'y'");
	port[1].name = "y";
	cr_assert_eq(shape_flag_check(&args, &signature, &err), ERR_NONE);
}
