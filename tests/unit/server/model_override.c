/* SPDX-License-Identifier: Apache-2.0 */
#include "server/model_override.h"

#include <criterion/criterion.h>

#include "base/buf.h"
#include "base/json_write.h"

/* The result as JSON, or the message; in the arena. */
static const char *apply(const char *text, const char *yaml,
			 struct arena *arena, enum err_code *ret_rc)
{
	const struct doc *result;
	struct doc *base = NULL;
	struct json_writer w;
	struct buf buf;
	struct err err;
	const char *copy;

	doc_init();
	if (yaml)
		cr_assert_eq(doc_parse_yaml(yaml, strlen(yaml), "config.yaml",
					    arena, &base, &err),
			     ERR_NONE, "%s", err.msg);
	*ret_rc = model_override_apply(text, "m", base, arena, &result, &err);
	if (*ret_rc)
		return arena_strdup(arena, err.msg);
	buf_init(&buf, 1 << 16);
	json_write_init(&w, &buf);
	json_write_doc(&w, NULL, result);
	copy = arena_strndup(arena, buf.data, buf.len);
	buf_finish(&buf);
	return copy;
}

static const struct {
	const char *text, *yaml, *want;
} good[] = {
	{ "{}", NULL, "{}" },
	{ "{}", "{max_batch_size: 8}", "{\"max_batch_size\":8}" },
	/* what both say is the override's; the rest of both stays */
	{ "{\"instances\":2,\"max_batch_size\":4}",
	  "{max_batch_size: 8, labels: {stable: 1}}",
	  "{\"instances\":2,\"max_batch_size\":4,\"labels\":{\"stable\":1}}" },
	{ "{\"max_batch_size\":0}", NULL, "{\"max_batch_size\":1}" },
	{ "{\"name\":\"m\",\"platform\":\"onnx_onnxv1\",\"backend\":"
	  "\"onnxruntime\",\"input\":[{\"name\":\"x\"}],\"output\":[],"
	  "\"model_transaction_policy\":{\"decoupled\":false}}",
	  NULL, "{}" },
	{ "{\"dynamic_batching\":{\"preferred_batch_size\":[4,8],"
	  "\"max_queue_delay_microseconds\":\"100\",\"priority_levels\":2,"
	  "\"default_priority_level\":\"1\",\"default_queue_policy\":{"
	  "\"max_queue_size\":7}}}",
	  NULL,
	  "{\"preferred_batch_sizes\":[4,8],\"max_queue_delay_us\":100,"
	  "\"priority_levels\":2,\"default_priority\":1,\"max_queue_size\":"
	  "7}" },
	{ "{\"instance_group\":[{\"kind\":\"KIND_CPU\",\"count\":2},{}]}", NULL,
	  "{\"instances\":3}" },
	{ "{\"version_policy\":{\"latest\":{\"num_versions\":3}}}", NULL,
	  "{\"version_policy\":{\"latest\":3}}" },
	{ "{\"version_policy\":{\"latest\":{}}}", "{max_queue_size: 5}",
	  "{\"version_policy\":{\"latest\":1},\"max_queue_size\":5}" },
	{ "{\"version_policy\":{\"all\":{}}}", "{version_policy: {latest: 1}}",
	  "{\"version_policy\":{\"all\":true}}" },
	{ "{\"version_policy\":{\"specific\":{\"versions\":[1,\"3\"]}}}", NULL,
	  "{\"version_policy\":{\"specific\":[1,3]}}" },
	{ "{\"version_policy\":{\"specific\":[2]}}", NULL,
	  "{\"version_policy\":{\"specific\":[2]}}" },
	{ "{\"response_cache\":{\"enable\":true}}", NULL,
	  "{\"response_cache\":true}" },
	{ "{\"parameters\":{\"precision\":{\"string_value\":\"bf16\"},"
	  "\"precision_deviation\":{\"string_value\":\"0.1\"}}}",
	  NULL, "{\"precision\":\"bf16\"}" },
};

Test(model_override, speaks_as_config_yaml_does_and_as_triton_does)
{
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		struct arena *arena = arena_create(1 << 20);
		enum err_code rc;
		const char *got = apply(good[i].text, good[i].yaml, arena, &rc);

		cr_assert_eq(rc, ERR_NONE, "%s: %s", good[i].text, got);
		cr_assert_str_eq(got, good[i].want, "%s", good[i].text);
		arena_destroy(arena);
	}
}

static const struct {
	const char *text;
	enum err_code want;
	const char *says;
} bad[] = {
	{ "", ERR_INVALID, "parameter 'config'" },
	{ "{", ERR_INVALID, "parameter 'config'" },
	{ "[]", ERR_INVALID, "expected the text of one JSON object" },
	{ "{\"name\":\"other\"}", ERR_INVALID, "the model 'm'" },
	{ "{\"platform\":\"tensorrt_plan\"}", ERR_UNSUPPORTED, "ONNX" },
	{ "{\"backend\":7}", ERR_UNSUPPORTED, "'backend' is the number 7" },
	{ "{\"instance_group\":[{\"kind\":\"KIND_GPU\"}]}", ERR_UNSUPPORTED,
	  "KIND_CPU" },
	{ "{\"instance_group\":[{\"count\":0}]}", ERR_INVALID, "1 to 1024" },
	{ "{\"instance_group\":{}}", ERR_INVALID, "expected a list" },
	{ "{\"dynamic_batching\":{\"max_delay\":1}}", ERR_INVALID,
	  "'max_delay' is not known" },
	{ "{\"dynamic_batching\":[]}", ERR_INVALID, "expected a map" },
	{ "{\"version_policy\":3}", ERR_INVALID, "expected a map" },
	{ "{\"parameters\":{\"gpu\":{}}}", ERR_INVALID, "'gpu'" },
	{ "{\"model_transaction_policy\":{\"decoupled\":true}}",
	  ERR_UNSUPPORTED, "one answer" },
	{ "{\"sequence_batching\":{}}", ERR_UNSUPPORTED, "config.yaml" },
	{ "{\"ensemble_scheduling\":{}}", ERR_UNSUPPORTED, "config.yaml" },
	{ "{\"rollout\":{}}", ERR_UNSUPPORTED, "config.yaml" },
};

Test(model_override, says_what_cannot_be_done_here)
{
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct arena *arena = arena_create(1 << 20);
		enum err_code rc;
		const char *got = apply(bad[i].text, NULL, arena, &rc);

		cr_assert_eq(rc, bad[i].want, "%s: %s", bad[i].text, got);
		cr_assert(strstr(got, bad[i].says), "%s: %s", bad[i].text, got);
		arena_destroy(arena);
	}
}
