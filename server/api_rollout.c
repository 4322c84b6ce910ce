/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Rollout: which version of a model answers where none is asked for.
 *
 * A choice is stored before it takes effect, and holds after a restart until a
 * job publishes with set_default, or somebody chooses again.
 */
#include <inttypes.h>

#include "base/clock.h"
#include "base/doc.h"
#include "base/json_write.h"
#include "base/log.h"
#include "base/str.h"
#include "server/api_handlers.h"
#include "server/api_jobs.h"
#include "server/model_cache.h"
#include "server/server_priv.h"
#include "store/store.h"

enum { VERSION_TEXT = 24 };

/* The versions of a model as they are now. */
struct rollout {
	const char *model;
	struct model_row *row;
	size_t n;
	int64_t from; /* what answers now; 0: nothing */
};

static enum err_code look(struct api_request *request, struct rollout *ret,
			  struct err *err)
{
	enum err_code rc;

	*ret = (struct rollout){ .model = request->param[0] };
	rc = model_cache_list(request->context->models, ret->model,
			      request->arena, &ret->row, &ret->n, err);
	for (size_t i = 0; !rc && i < ret->n; i++)
		if (ret->row[i].is_default)
			ret->from = ret->row[i].version;
	return rc;
}

/* --- keeping it --- */

static const struct store_version *find_stored(const struct store_version *list,
					       size_t n, int64_t version)
{
	for (size_t i = 0; i < n; i++)
		if (list[i].version == version)
			return &list[i];
	return NULL;
}

/* Also a row for every higher version, which would answer by itself after a
 * restart. */
static enum err_code keep(struct api_request *request,
			  const struct rollout *rollout, int64_t to,
			  struct err *err)
{
	const struct jobs_api *jobs = request->context->jobs;
	struct store_version *list = NULL;
	size_t n = 0;
	enum err_code rc;

	if (!jobs)
		return ERR_NONE;
	rc = store_version_list(jobs->store, rollout->model, request->arena,
				&list, &n, err);
	for (size_t i = 0; !rc && i < rollout->n; i++) {
		int64_t version = rollout->row[i].version;
		const struct store_version *old = find_stored(list, n, version);
		struct store_version row = {
			.model = rollout->model,
			.version = version,
			.state = "ready",
			.created_ms = clock_realtime_ms(),
		};

		if (version < to || (old && version != to))
			continue;
		if (old)
			row = *old;
		row.is_default = version == to;
		rc = store_version_put(jobs->store, &row, err);
	}
	return rc;
}

static void answer(struct api_request *request, const struct rollout *rollout,
		   int64_t to)
{
	char text[VERSION_TEXT];
	struct json_writer w;

	api_answer_json(request, 200, &w);
	json_write_object(&w, NULL);
	json_write_string(&w, "model", rollout->model);
	(void)snprintf(text, sizeof(text), "%" PRId64, to);
	json_write_string(&w, "default_version", text);
	(void)snprintf(text, sizeof(text), "%" PRId64, rollout->from);
	if (rollout->from)
		json_write_string(&w, "previous_version", text);
	else
		json_write_null(&w, "previous_version");
	json_write_object_end(&w);
}

static enum err_code change(struct api_request *request,
			    const struct rollout *rollout, int64_t to,
			    struct err *err)
{
	struct model_cache *models = request->context->models;
	struct served_model *model;
	enum err_code rc;

	rc = model_cache_find(models, rollout->model, to, &model, err);
	if (rc)
		return rc;
	rc = keep(request, rollout, to, err);
	if (!rc)
		rc = model_cache_set_default(models, rollout->model, to, err);
	served_model_unref(model);
	if (rc)
		return rc;
	log_write(LOG_LEVEL_INFO, "models",
		  "model '%s': version %lld answers by default (was %lld)",
		  rollout->model, (long long)to, (long long)rollout->from);
	answer(request, rollout, to);
	return ERR_NONE;
}

/* --- promote --- */

/* {"version": "3"} */
static enum err_code read_version(struct api_request *request, int64_t *ret,
				  struct err *err)
{
	const struct doc *version;
	struct doc *doc;
	int64_t number = 0;
	enum err_code rc;

	rc = doc_parse_json(request->body_len ? request->body : "",
			    request->body_len, "request body", request->arena,
			    &doc, err);
	if (rc)
		return rc;
	version = doc->kind == DOC_MAP ? doc_find(doc, "version") : NULL;
	if (version && version->kind == DOC_INT)
		number = version->integer;
	else if (version && version->kind == DOC_STRING &&
		 !str_parse_int64(version->text, &number))
		number = 0;
	if (number < 1)
		return err_set(err, ERR_INVALID,
			       "request body: expected {\"version\": \"3\"}, "
			       "the number of a version that is served");
	*ret = number;
	return ERR_NONE;
}

enum err_code api_models_promote(struct api_request *request, struct err *err)
{
	struct rollout rollout;
	int64_t to;
	enum err_code rc = read_version(request, &to, err);

	if (rc)
		return rc;
	rc = look(request, &rollout, err);
	if (rc)
		return rc;
	rc = change(request, &rollout, to, err);
	model_cache_list_free(rollout.row, rollout.n);
	return rc;
}

/* --- rollback --- */

enum err_code api_models_rollback(struct api_request *request, struct err *err)
{
	struct rollout rollout;
	int64_t to = 0;
	enum err_code rc = look(request, &rollout, err);

	if (rc)
		return rc;
	for (size_t i = 0; i < rollout.n; i++)
		if (rollout.row[i].model &&
		    rollout.row[i].version < rollout.from)
			to = rollout.row[i].version;
	if (to)
		rc = change(request, &rollout, to, err);
	else
		rc = err_set(err, ERR_CONFLICT,
			     "model '%.128s': version %lld answers, and no "
			     "lower one is served",
			     rollout.model, (long long)rollout.from);
	model_cache_list_free(rollout.row, rollout.n);
	return rc;
}
