/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/overrides.h"

#include <criterion/criterion.h>

static const struct args_flag flags[] = {
	{ "set", "K=V", "" },
	{ "other", "X", "" },
	{ 0 },
};

static struct arena *arena;

static void setup(void)
{
	arena = arena_create(1 << 20);
}

static void teardown(void)
{
	arena_destroy(arena);
}

TestSuite(overrides, .init = setup, .fini = teardown);

static enum err_code apply(const char *text, int argc, const char *const *argv,
			   const char **ret, struct err *err)
{
	struct overrides_job job = { "job", text, strlen(text) };
	struct args args;
	enum err_code rc;

	cr_assert_eq(args_parse(flags, NULL, argc, argv, &args, NULL),
		     ERR_NONE);
	rc = overrides_apply(&args, arena, &job, err);
	*ret = job.text;
	return rc;
}

Test(overrides, values_are_replaced_and_maps_are_made)
{
	static const char *const argv[] = {
		"--set", "trainer.epochs=1",	      "--set",	 "name=x y",
		"--set", "publish.model=m",	      "--other", "a=b",
		"--set", "trainer.betas=[0.9, 0.99]",
	};
	const char *json;

	cr_assert_eq(apply("name: a\ntrainer: {epochs: 9, seed: 2}\n", 10, argv,
			   &json, NULL),
		     ERR_NONE);
	cr_assert_str_eq(json, "{\"name\":\"x y\",\"trainer\":{\"epochs\":1,"
			       "\"seed\":2,\"betas\":[0.9,0.99]},\"publish\":"
			       "{\"model\":\"m\"}}");
}

Test(overrides, json_jobs_are_read_too)
{
	static const char *const argv[] = { "--set", "a.b=true" };
	const char *json;

	cr_assert_eq(apply(" {\"a\": {\"b\": 1}}", 2, argv, &json, NULL),
		     ERR_NONE);
	cr_assert_str_eq(json, "{\"a\":{\"b\":true}}");
}

Test(overrides, what_cannot_be_laid_over_is_refused)
{
	static const char *const bad[] = { "novalue", "=1",    "a..b=1", ".a=1",
					   "a.=1",    "a.b=1", "c={" };
	const char *json;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		const char *const argv[] = { "--set", bad[i] };
		struct err err = { 0 };

		cr_assert_neq(apply("a: 3\n", 2, argv, &json, &err), ERR_NONE,
			      "%s", bad[i]);
		cr_assert(strlen(err.msg) > 10);
	}
	cr_assert_eq(apply("- 1\n", 0, NULL, &json, NULL), ERR_INVALID);
}
