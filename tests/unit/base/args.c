/* SPDX-License-Identifier: Apache-2.0 */
#include "base/args.h"

#include <criterion/criterion.h>

#include "base/str.h"

static const struct args_flag flags[] = {
	{ "batch-size", "N", "rows" },
	{ "seconds", "S", "how long" },
	{ "json", NULL, "raw" },
	{ 0 },
};
static const struct args_flag more[] = {
	{ "server", "URL", "where" },
	{ 0 },
};

#define PARSE(args, err, ...)                                      \
	args_parse(flags, more,                                    \
		   (int)(sizeof((const char *[]){ __VA_ARGS__ }) / \
			 sizeof(const char *)),                    \
		   (const char *const[]){ __VA_ARGS__ }, (args), (err))

Test(args, words_and_flags_mix_in_both_forms)
{
	struct args args;
	int64_t batch = 1, untouched = 7;
	double seconds = 0;

	cr_assert_eq(PARSE(&args, NULL, "m.onnx", "--batch-size", "8", "-",
			   "--seconds=1.5", "--json", "--server=http://a=b"),
		     ERR_NONE);
	cr_assert_eq(args.n_words, 2);
	cr_assert_str_eq(args.word[0], "m.onnx");
	cr_assert_str_eq(args.word[1], "-");
	cr_assert_eq(args_int(&args, "batch-size", 1, 64, &batch, NULL),
		     ERR_NONE);
	cr_assert_eq(batch, 8);
	cr_assert_eq(args_int(&args, "threads", 1, 64, &untouched, NULL),
		     ERR_NONE);
	cr_assert_eq(untouched, 7);
	cr_assert_eq(args_double(&args, "seconds", 0, 9, &seconds, NULL),
		     ERR_NONE);
	cr_assert_float_eq(seconds, 1.5, 1e-12);
	cr_assert(args_has(&args, "json"));
	cr_assert_str_eq(args_text(&args, "server", "none"), "http://a=b");
}

Test(args, the_last_of_a_repeated_flag_holds_and_all_are_kept)
{
	struct args args;

	cr_assert_eq(PARSE(&args, NULL, "--server", "a", "--server", "b"),
		     ERR_NONE);
	cr_assert_str_eq(args_text(&args, "server", NULL), "b");
	cr_assert_eq(args.n_given, 2);
	cr_assert_str_eq(args.given[0].value, "a");
}

Test(args, everything_after_two_dashes_is_a_word)
{
	struct args args;

	cr_assert_eq(PARSE(&args, NULL, "--json", "--", "--json", "-x"),
		     ERR_NONE);
	cr_assert_eq(args.n_given, 1);
	cr_assert_eq(args.n_words, 2);
	cr_assert_str_eq(args.word[1], "-x");
}

Test(args, what_is_wrong_is_named)
{
	struct args args;
	struct err err;
	int64_t n = 0;
	double d = 0;

	cr_assert_eq(PARSE(&args, &err, "--batchsize", "3"), ERR_INVALID);
	cr_assert_str_eq(err.msg, "unknown flag '--batchsize': did you mean "
				  "'--batch-size'?");
	cr_assert_eq(PARSE(&args, &err, "--zzzzzzzz"), ERR_INVALID);
	cr_assert_str_eq(err.msg, "unknown flag '--zzzzzzzz'");
	cr_assert_eq(PARSE(&args, &err, "-j"), ERR_INVALID);
	cr_assert_eq(PARSE(&args, &err, "--batch-size"), ERR_INVALID);
	cr_assert_str_eq(err.msg, "'--batch-size' wants N after it");
	cr_assert_eq(PARSE(&args, &err, "--json=1"), ERR_INVALID);
	cr_assert_str_eq(err.msg, "'--json' takes no value");
	cr_assert_eq(PARSE(&args, &err, "--batch-size=0", "--seconds=x"),
		     ERR_NONE);
	cr_assert_eq(args_int(&args, "batch-size", 1, 64, &n, &err),
		     ERR_INVALID);
	cr_assert_str_eq(err.msg, "--batch-size: expected a whole number from "
				  "1 to 64, got '0'");
	cr_assert_eq(args_double(&args, "seconds", 0, 1, &d, &err),
		     ERR_INVALID);
}

Test(args, more_words_than_there_is_room_for_are_refused)
{
	const char *many[ARGS_MAX + 1];
	struct args args;

	for (int i = 0; i <= ARGS_MAX; i++)
		many[i] = "w";
	cr_assert_eq(args_parse(flags, NULL, ARGS_MAX, many, &args, NULL),
		     ERR_NONE);
	cr_assert_eq(args_parse(flags, NULL, ARGS_MAX + 1, many, &args, NULL),
		     ERR_INVALID);
	for (int i = 0; i <= ARGS_MAX; i++)
		many[i] = "--json";
	cr_assert_eq(args_parse(flags, NULL, ARGS_MAX + 1, many, &args, NULL),
		     ERR_INVALID);
}
