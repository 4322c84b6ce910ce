/* SPDX-License-Identifier: Apache-2.0 */
#include "server/model_config.h"

#include <criterion/criterion.h>

#include "base/doc.h"

static enum err_code read(const char *yaml, struct model_config *ret,
			  struct arena *arena, struct err *err)
{
	struct doc *doc = NULL;

	doc_init();
	cr_assert_eq(
	    doc_parse_yaml(yaml, strlen(yaml), "config.yaml", arena, &doc, err),
	    ERR_NONE, "%s", err->msg);
	return model_config_read(doc, "m", NULL, arena, ret, err);
}

Test(model_config, serves_the_latest_two_by_default)
{
	const int64_t version[] = { 1, 5, 9 };
	struct arena *arena = arena_create(1 << 20);
	struct model_config config;
	struct err err;

	cr_assert_eq(model_config_read(NULL, "m", NULL, arena, &config, &err),
		     ERR_NONE, "%s", err.msg);
	cr_assert_eq(config.max_batch_size, 64);
	cr_assert(!model_config_serves(&config, version, 3, 0));
	cr_assert(model_config_serves(&config, version, 3, 1));
	cr_assert(model_config_serves(&config, version, 3, 2));
	arena_destroy(arena);
}

Test(model_config, follows_the_version_policy)
{
	const int64_t version[] = { 1, 5, 9 };
	struct arena *arena = arena_create(1 << 20);
	struct model_config config;
	struct err err;

	cr_assert_eq(
	    read("version_policy: {specific: [1, 9]}", &config, arena, &err),
	    ERR_NONE, "%s", err.msg);
	cr_assert(model_config_serves(&config, version, 3, 0));
	cr_assert(!model_config_serves(&config, version, 3, 1));
	cr_assert_eq(read("version_policy: {all: true}", &config, arena, &err),
		     ERR_NONE);
	cr_assert(model_config_serves(&config, version, 3, 0));
	cr_assert_eq(read("version_policy: {latest: 1}\nmax_batch_size: 8\n",
			  &config, arena, &err),
		     ERR_NONE);
	cr_assert(!model_config_serves(&config, version, 3, 1));
	cr_assert_eq(config.max_batch_size, 8);
	arena_destroy(arena);
}

Test(model_config, refuses_what_it_does_not_know)
{
	static const char *const texts[] = {
		"max_batch: 3",
		"max_batch_size: 0",
		"max_batch_size: 65",
		"max_queue_delay_us: -1",
		"version_policy: all",
		"version_policy: {newest: 1}",
		"passes: [-deadcode]",
		"passes: {dead_code: off}",
		"preferred_batch_sizes: [4, 2]",
		"max_batch_size: 4\npreferred_batch_sizes: [8]",
		"preferred_batch_sizes: [0]",
		"priority_levels: 9",
		"priority_levels: 2\ndefault_priority: 3",
		"latency_objective: 5",
		"strict_numerics: 1",
		"precision: fp16",
		"calibration: [rows.npy]",
	};
	struct arena *arena = arena_create(1 << 20);
	struct model_config config;
	struct err err;

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		cr_assert_eq(read(texts[i], &config, arena, &err), ERR_INVALID,
			     "%s", texts[i]);
		cr_assert(strstr(err.msg, "model 'm'"), "%s", err.msg);
	}
	arena_destroy(arena);
}

Test(model_config, asks_for_strict_numerics)
{
	struct arena *arena = arena_create(1 << 20);
	struct model_config config;
	struct err err;

	cr_assert_eq(read("max_batch_size: 8", &config, arena, &err), ERR_NONE);
	cr_expect_not(config.strict_numerics);
	cr_assert_eq(read("strict_numerics: true", &config, arena, &err),
		     ERR_NONE, "%s", err.msg);
	cr_expect(config.strict_numerics);
	arena_destroy(arena);
}

Test(model_config, switches_passes)
{
	static const char *const texts[] = {
		"passes: [-dead_code]",
		"passes: -dead_code",
		"passes: [-all, '-dead_code']",
	};
	struct arena *arena = arena_create(1 << 20);
	struct model_config config;
	struct err err;

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		cr_assert_eq(read(texts[i], &config, arena, &err), ERR_NONE,
			     "%s: %s", texts[i], err.msg);
		cr_assert_neq(config.passes.off, 0, "%s", texts[i]);
	}
	cr_assert_eq(config.passes.off, ~(uint64_t)0);
	arena_destroy(arena);
}

Test(model_config, gives_priorities_a_level)
{
	cr_assert_eq(model_config_priority(0, 0, 3), 0U);
	cr_assert_eq(model_config_priority(5, 0, 0), 2U);
	cr_assert_eq(model_config_priority(5, 4, 0), 3U);
	cr_assert_eq(model_config_priority(5, 4, 1), 0U);
	cr_assert_eq(model_config_priority(5, 4, UINT64_MAX), 4U);
}

Test(model_config, names_the_nearest_key)
{
	struct arena *arena = arena_create(1 << 20);
	struct model_config config;
	struct err err;

	cr_assert_eq(read("prefered_batch_sizes: [4]", &config, arena, &err),
		     ERR_INVALID);
	cr_assert(strstr(err.msg, "'preferred_batch_sizes'"), "%s", err.msg);
	arena_destroy(arena);
}

Test(model_config, reads_a_precision)
{
	struct arena *arena = arena_create(1 << 20);
	struct model_config config;
	struct err err;

	cr_assert_eq(read("max_batch_size: 8", &config, arena, &err), ERR_NONE,
		     "%s", err.msg);
	cr_assert_eq(config.precision, PRECISION_FP32);
	cr_assert_null(config.calibration);
	cr_assert_eq(read("precision: int8\ncalibration: rows.npy", &config,
			  arena, &err),
		     ERR_NONE, "%s", err.msg);
	cr_assert_eq(config.precision, PRECISION_INT8);
	cr_assert_str_eq(config.calibration, "rows.npy");
	cr_assert_eq(read("precision: itn8", &config, arena, &err),
		     ERR_INVALID);
	cr_assert(strstr(err.msg, "model 'm': there is no precision 'itn8': "
				  "did you mean 'int8'?"),
		  "%s", err.msg);
	arena_destroy(arena);
}
