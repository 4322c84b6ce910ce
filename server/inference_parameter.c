/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Parameters of a request that say how it is run.
 */
#include <string.h>

#include "server/inference.h"
#include "server/json_pull.h"

/* A text or a number; 0 and "" are none, as stock clients say it. */
static enum err_code take_sequence_id(struct inference *inference,
				      struct json_pull *pull, struct err *err)
{
	struct str *id = &inference->sequence_id;
	uint64_t number;
	enum err_code rc;

	if (json_pull_peek(pull) == JSON_KIND_STRING) {
		rc = json_pull_string(pull, id, err);
		if (!rc && !id->len)
			id->bytes = NULL;
		return rc;
	}
	rc = json_pull_uint(pull, &number, err);
	if (rc || !number)
		return rc;
	id->bytes = arena_printf(inference->request->arena, "%llu",
				 (unsigned long long)number);
	if (!id->bytes)
		return err_set(err, ERR_NO_MEMORY, "out of memory");
	id->len = strlen(id->bytes);
	return ERR_NONE;
}

/* A shorter deadline, in microseconds; a longer one than the server's is not
 * to be had. */
static enum err_code take_timeout(struct inference *inference,
				  struct json_pull *pull, struct err *err)
{
	struct api_request *request = inference->request;
	uint64_t us;
	int64_t deadline;
	enum err_code rc = json_pull_uint(pull, &us, err);

	if (rc || us == 0 || us > INT32_MAX * (uint64_t)1000000)
		return rc;
	deadline = request->start_ns + (int64_t)us * 1000;
	if (deadline < request->deadline_ns)
		request->deadline_ns = deadline;
	return ERR_NONE;
}

static enum err_code take(struct inference *inference, struct str key,
			  struct json_pull *pull, struct err *err)
{
	if (json_pull_is(key, "timeout"))
		return take_timeout(inference, pull, err);
	if (json_pull_is(key, "priority"))
		return json_pull_uint(pull, &inference->priority, err);
	if (json_pull_is(key, "sequence_id"))
		return take_sequence_id(inference, pull, err);
	if (json_pull_is(key, "sequence_start"))
		return json_pull_bool(pull, &inference->is_sequence_start, err);
	if (json_pull_is(key, "sequence_end"))
		return json_pull_bool(pull, &inference->is_sequence_end, err);
	return json_pull_value(pull, NULL, err);
}

enum err_code inference_take_parameter(struct inference *inference,
				       struct str key, struct json_pull *pull,
				       struct err *err)
{
	bool is_null;
	enum err_code rc = json_pull_null(pull, &is_null, err);

	if (!rc && !is_null)
		rc = take(inference, key, pull, err);
	return rc ? err_prefix(err, "parameter '%.*s'",
			       (int)(key.len < 64 ? key.len : 64), key.bytes)
		  : ERR_NONE;
}
