/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stddef.h>

#include "base/json_write.h"
#include "server/api_handlers.h"
#include "server/json_pull.h"
#include "server/model_cache.h"
#include "server/run_pool.h"
#include "server/server_priv.h"

/* --- the index --- */

/* {"ready": true} asks for those that are; an empty body for all. */
static enum err_code read_filter(struct api_request *request, bool *ret_ready,
				 struct err *err)
{
	struct json_pull pull;
	struct str key;
	enum err_code rc;

	*ret_ready = false;
	if (!request->body_len)
		return ERR_NONE;
	json_pull_init(&pull, request->body, request->body_len, "request body",
		       request->arena);
	rc = json_pull_object(&pull, err);
	while (!rc && !(rc = json_pull_key(&pull, &key, err)) && key.bytes) {
		bool is_null;

		rc = json_pull_null(&pull, &is_null, err);
		if (rc || is_null)
			continue;
		rc = json_pull_is(key, "ready")
			 ? json_pull_bool(&pull, ret_ready, err)
			 : json_pull_value(&pull, NULL, err);
	}
	return rc ? rc : json_pull_finish(&pull, err);
}

static void write_row(struct json_writer *w, const struct model_row *row)
{
	char version[24];

	json_write_object(w, NULL);
	json_write_string(w, "name", row->name);
	if (row->version) {
		(void)snprintf(version, sizeof(version), "%" PRId64,
			       row->version);
		json_write_string(w, "version", version);
	}
	json_write_string(w, "state", model_state_name(row->state));
	if (*row->reason)
		json_write_string(w, "reason", row->reason);
	json_write_object_end(w);
}

enum err_code api_repository_index(struct api_request *request, struct err *err)
{
	struct model_row *rows;
	struct json_writer w;
	bool is_ready_only;
	size_t n;
	enum err_code rc = read_filter(request, &is_ready_only, err);

	if (!rc)
		rc = model_cache_list(request->context->models, NULL,
				      request->arena, &rows, &n, err);
	if (rc)
		return rc;
	api_answer_json(request, 200, &w);
	json_write_array(&w, NULL);
	for (size_t i = 0; i < n; i++)
		if (!is_ready_only || rows[i].state == MODEL_READY)
			write_row(&w, &rows[i]);
	json_write_array_end(&w);
	model_cache_list_free(rows, n);
	return ERR_NONE;
}

/* --- load and unload, on a thread that may take its time --- */

struct change {
	struct run_task task;
	struct api_request *request;
	bool is_load;
	const char *config;   /* of a load; NULL: none */
	bool with_dependents; /* of an unload */
	enum err_code rc;
	struct err err;
};

static void make_change(struct run_task *task)
{
	struct change *change =
	    (struct change *)(void *)((char *)task -
				      offsetof(struct change, task));
	struct api_request *request = change->request;
	struct model_cache *models = request->context->models;

	model_cache_stand_back();
	change->rc =
	    change->is_load
		? model_cache_load_as(models, request->param[0], change->config,
				      &change->err)
		: model_cache_unload(models, request->param[0],
				     change->with_dependents, &change->err);
	api_finish(request);
}

static enum err_code answer_change(struct api_request *request, struct err *err)
{
	const struct change *change = request->state;

	if (change->rc) {
		*err = change->err;
		return change->rc;
	}
	api_answer_empty(request, 200);
	return ERR_NONE;
}

/* --- what a body may ask for --- */

/* Files come from the repository: a request names models, never brings one. */
static enum err_code refuse_file(const struct change *change, struct str key,
				 struct err *err)
{
	return err_set(err, ERR_UNSUPPORTED,
		       "parameter '%.*s': files of a model are not taken from "
		       "requests; put them into the repository, beneath "
		       "%.128s/VERSION, and load it again",
		       (int)(key.len < 64 ? key.len : 64), key.bytes,
		       change->request->param[0]);
}

static enum err_code read_config(struct change *change, struct json_pull *pull,
				 struct err *err)
{
	struct str text;
	enum err_code rc;

	if (json_pull_peek(pull) != JSON_KIND_STRING)
		return err_set(err, ERR_INVALID,
			       "parameter 'config': expected a string that "
			       "holds the text of a JSON object");
	rc = json_pull_text(pull, &text, err);
	if (rc)
		return rc;
	change->config =
	    arena_strndup(change->request->arena, text.bytes, text.len);
	return change->config ? ERR_NONE
			      : err_set(err, ERR_NO_MEMORY, "out of memory");
}

static enum err_code read_parameter(struct change *change, struct str key,
				    struct json_pull *pull, struct err *err)
{
	bool is_null;
	enum err_code rc = json_pull_null(pull, &is_null, err);

	if (rc || is_null)
		return rc;
	if (change->is_load && key.len > 5 &&
	    memcmp(key.bytes, "file:", 5) == 0)
		return refuse_file(change, key, err);
	if (change->is_load && json_pull_is(key, "config"))
		return read_config(change, pull, err);
	if (change->is_load || !json_pull_is(key, "unload_dependents"))
		return json_pull_value(pull, NULL, err);
	rc = json_pull_bool(pull, &change->with_dependents, err);
	return rc ? err_prefix(err, "parameter 'unload_dependents'") : ERR_NONE;
}

static enum err_code read_parameters(struct change *change,
				     struct json_pull *pull, struct err *err)
{
	struct str key;
	enum err_code rc;

	if (json_pull_peek(pull) == JSON_KIND_NULL)
		return json_pull_value(pull, NULL, err);
	rc = json_pull_object(pull, err);
	while (!rc && !(rc = json_pull_key(pull, &key, err)) && key.bytes)
		rc = read_parameter(change, key, pull, err);
	return rc;
}

static enum err_code read_body(struct change *change, struct err *err)
{
	struct api_request *request = change->request;
	struct json_pull pull;
	struct str key;
	enum err_code rc;

	if (!request->body_len)
		return ERR_NONE;
	json_pull_init(&pull, request->body, request->body_len, "request body",
		       request->arena);
	rc = json_pull_object(&pull, err);
	while (!rc && !(rc = json_pull_key(&pull, &key, err)) && key.bytes)
		rc = json_pull_is(key, "parameters")
			 ? read_parameters(change, &pull, err)
			 : json_pull_value(&pull, NULL, err);
	return rc ? rc : json_pull_finish(&pull, err);
}

static enum err_code begin_change(struct api_request *request, bool is_load,
				  struct err *err)
{
	struct change *change = arena_alloc(request->arena, sizeof(*change));
	enum err_code rc;

	if (!change)
		return err_set(err, ERR_NO_MEMORY, "out of memory");
	change->task.run = make_change;
	change->request = request;
	change->is_load = is_load;
	rc = read_body(change, err);
	if (rc)
		return rc;
	request->state = change;
	api_suspend(request, answer_change);
	(void)run_pool_schedule(request->context->background, &change->task, 0);
	return ERR_NONE;
}

enum err_code api_repository_load(struct api_request *request, struct err *err)
{
	return begin_change(request, true, err);
}

enum err_code api_repository_unload(struct api_request *request,
				    struct err *err)
{
	return begin_change(request, false, err);
}
