/* SPDX-License-Identifier: Apache-2.0 */
#include <strings.h>

#include "base/json_write.h"
#include "base/str.h"
#include "server/api_demand.h"
#include "server/api_handlers.h"
#include "server/codec_csv.h"
#include "server/codec_predict.h"
#include "server/generation.h"
#include "server/model_cache.h"
#include "server/served_model.h"
#include "server/server_priv.h"

/* What the body says while it is read. */
struct predict {
	struct api_request *request;
	struct json_pull pull;
	struct inference *inference; /* once the model is known */
	const char *model, *version;
	struct str inputs;     /* passed over, as the model was not known yet */
	struct str parameters; /* bytes NULL: none */
	bool has_inputs;
};

static enum err_code no_memory(struct err *err)
{
	return err_set(err, ERR_NO_MEMORY, "the request is out of memory");
}

/* --- the answer --- */

static enum err_code answer_predict(struct api_request *request,
				    struct err *err)
{
	struct inference *inference;
	struct json_writer w;
	enum err_code rc = inference_result(request, &inference, err);

	if (rc)
		return rc;
	api_answer_json(request, 200, &w);
	json_write_object(&w, NULL);
	json_write_string(&w, "model", inference->model->package->name);
	json_write_string(&w, "version", inference->model->version);
	json_write_string(&w, "id", request->id);
	rc = inference->model->package->pipeline
		 ? codec_write_rows(inference, &w, "predictions", err)
		 : codec_write_tensors(inference, &w, "outputs", err);
	json_write_object_end(&w);
	return rc;
}

/* --- the model --- */

static enum err_code find_model(struct predict *predict, struct err *err)
{
	struct api_request *request = predict->request;
	struct served_model *model;
	enum err_code rc;

	if (predict->model)
		return inference_begin(request, predict->model,
				       predict->version, &predict->inference,
				       err);
	rc = api_find_model(request, NULL, NULL, &model, err);
	return rc ? rc
		  : inference_begin_with(request, model, &predict->inference,
					 err);
}

/* --- JSON --- */

static enum err_code read_inputs(struct predict *predict,
				 struct json_pull *pull, struct err *err)
{
	struct inference *inference = predict->inference;

	return inference->model->package->pipeline
		   ? codec_read_rows(inference, pull, err)
		   : codec_read_tensors(inference, pull, err);
}

static enum err_code take_inputs(struct predict *predict, struct err *err)
{
	enum err_code rc = ERR_NONE;

	if (predict->has_inputs)
		return err_set(err, ERR_INVALID, "\"inputs\" is given twice");
	predict->has_inputs = true;
	if (!predict->model)
		return json_pull_value(&predict->pull, &predict->inputs, err);
	if (!predict->inference)
		rc = find_model(predict, err);
	return rc ? rc : read_inputs(predict, &predict->pull, err);
}

static enum err_code take_model(struct predict *predict, struct err *err)
{
	struct str text;
	const char *name;
	bool is_null;
	enum err_code rc = json_pull_null(&predict->pull, &is_null, err);

	if (!rc && !is_null)
		rc = json_pull_string(&predict->pull, &text, err);
	if (rc || is_null)
		return rc;
	name = arena_strndup(predict->request->arena, text.bytes, text.len);
	if (!name)
		return no_memory(err);
	if (predict->model && !str_equal(predict->model, name))
		return err_set(
		    err, ERR_INVALID,
		    "the path says model '%.128s', the body '%.128s'",
		    predict->model, name);
	predict->model = name;
	return ERR_NONE;
}

static enum err_code take_version(struct predict *predict, struct err *err)
{
	struct json_pull *pull = &predict->pull;
	struct arena *arena = predict->request->arena;
	uint64_t number;
	struct str text;
	bool is_null;
	enum err_code rc = json_pull_null(pull, &is_null, err);

	if (rc || is_null)
		return rc;
	if (predict->inference)
		return err_set(err, ERR_INVALID,
			       "\"version\" must stand before \"inputs\"");
	if (json_pull_peek(pull) == JSON_KIND_STRING) {
		rc = json_pull_string(pull, &text, err);
		if (!rc)
			predict->version =
			    arena_strndup(arena, text.bytes, text.len);
	} else {
		rc = json_pull_uint(pull, &number, err);
		if (!rc)
			predict->version = arena_printf(
			    arena, "%llu", (unsigned long long)number);
	}
	return !rc && !predict->version ? no_memory(err) : rc;
}

static enum err_code take_member(struct predict *predict, struct str key,
				 struct err *err)
{
	if (json_pull_is(key, "inputs"))
		return take_inputs(predict, err);
	if (json_pull_is(key, "model"))
		return take_model(predict, err);
	if (json_pull_is(key, "version"))
		return take_version(predict, err);
	if (json_pull_is(key, "parameters"))
		return json_pull_value(&predict->pull, &predict->parameters,
				       err);
	if (json_pull_is(key, "id"))
		return json_pull_value(&predict->pull, NULL, err);
	return err_set(err, ERR_INVALID,
		       "request body: unknown member '%.*s': expected "
		       "\"inputs\", \"model\" or \"version\"",
		       (int)(key.len < 64 ? key.len : 64), key.bytes);
}

static enum err_code read_json(struct predict *predict, struct err *err)
{
	struct api_request *request = predict->request;
	struct json_pull *pull = &predict->pull;
	struct json_pull inputs;
	struct str key;
	enum err_code rc;

	json_pull_init(pull, request->body, request->body_len, "request body",
		       request->arena);
	rc = json_pull_object(pull, err);
	while (!rc && !(rc = json_pull_key(pull, &key, err)) && key.bytes)
		rc = take_member(predict, key, err);
	if (!rc)
		rc = json_pull_finish(pull, err);
	if (!rc && !predict->has_inputs)
		rc = err_set(err, ERR_INVALID,
			     "request body: \"inputs\" is missing");
	if (rc)
		return rc;
	if (predict->inputs.bytes) {
		rc = find_model(predict, err);
		json_pull_init(&inputs, predict->inputs.bytes,
			       predict->inputs.len, "inputs", request->arena);
		if (!rc)
			rc = read_inputs(predict, &inputs, err);
	}
	return rc;
}

/* Whoever asks for a model that is not there hears of that first, whatever else
 * the body lacks. */
static enum err_code explain(const struct predict *predict, enum err_code rc,
			     struct err *err)
{
	struct served_model *model;
	struct err other;

	if (rc != ERR_INVALID || !predict->model || predict->inference)
		return rc;
	switch (model_cache_find(predict->request->context->models,
				 predict->model, 0, &model, &other)) {
	case ERR_NONE:
		served_model_unref(model);
		return rc;
	case ERR_NOT_FOUND:
		*err = other;
		return ERR_NOT_FOUND;
	default:
		return rc;
	}
}

/* How a language model goes on; priority, sequence_id and the like, as in
 * v2. */
static enum err_code read_parameters(struct predict *predict, struct err *err)
{
	struct inference *inference = predict->inference;
	struct generation *generation = inference->generation;
	struct json_pull pull;
	struct str key;
	enum err_code rc;

	if (!predict->parameters.bytes)
		return ERR_NONE;
	json_pull_init(&pull, predict->parameters.bytes,
		       predict->parameters.len, "parameters",
		       predict->request->arena);
	if (json_pull_peek(&pull) == JSON_KIND_NULL)
		return ERR_NONE;
	rc = json_pull_object(&pull, err);
	while (!rc && !(rc = json_pull_key(&pull, &key, err)) && key.bytes) {
		bool is_taken = false;

		if (generation)
			rc = sampling_take(&generation->sampling, key, &pull,
					   &is_taken, err);
		if (!rc && !is_taken)
			rc = inference_take_parameter(inference, key, &pull,
						      err);
	}
	return rc;
}

/* --- bodies that are a value --- */

/* What a body is by its Content-Type. curl's default is taken for JSON. */
enum body_kind { IS_JSON, IS_BYTES, IS_TEXT, IS_CSV, IS_UNKNOWN };

static enum body_kind body_kind(const struct api_request *request)
{
	static const struct {
		const char *start;
		enum body_kind kind;
	} rows[] = {
		{ "application/json", IS_JSON },
		{ "application/x-www-form-urlencoded", IS_JSON },
		{ "text/json", IS_JSON },
		{ "image/", IS_BYTES },
		{ "audio/", IS_BYTES },
		{ "video/", IS_BYTES },
		{ "application/octet-stream", IS_BYTES },
		{ "text/csv", IS_CSV },
		{ "text/plain", IS_TEXT },
	};
	const char *type = api_header(request, "Content-Type");

	if (!type)
		return IS_JSON;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (strncasecmp(type, rows[i].start, strlen(rows[i].start)) ==
		    0)
			return rows[i].kind;
	return IS_UNKNOWN;
}

static enum err_code read_value(struct predict *predict, enum body_kind kind,
				struct err *err)
{
	struct api_request *request = predict->request;
	const struct raw_value value = {
		.kind = kind == IS_TEXT ? RAW_TEXT : RAW_BYTES,
		.bytes = request->body,
		.len = request->body_len,
	};
	enum err_code rc = find_model(predict, err);

	if (rc)
		return rc;
	if (kind == IS_CSV)
		return codec_read_csv(predict->inference, request->body,
				      request->body_len, err);
	if (kind == IS_TEXT && !str_is_utf8(request->body, request->body_len))
		return err_set(err, ERR_INVALID,
			       "the body is no text in UTF-8");
	return codec_read_body(predict->inference, &value, err);
}

enum err_code api_predict(struct api_request *request, struct err *err)
{
	const enum body_kind kind = body_kind(request);
	struct predict predict = { .request = request,
				   .model = request->param[0],
				   .version = request->param[1] };
	enum err_code rc;

	if (kind == IS_UNKNOWN)
		return err_set(err, ERR_MEDIA_TYPE,
			       "Content-Type '%.64s': expected JSON, an image, "
			       "a sound, text/plain, text/csv or bytes",
			       api_header(request, "Content-Type"));
	rc = kind == IS_JSON ? explain(&predict, read_json(&predict, err), err)
			     : read_value(&predict, kind, err);
	if (!rc)
		rc = read_parameters(&predict, err);
	if (!rc)
		rc = inference_want_all(predict.inference, false, err);
	return rc ? rc : inference_run(predict.inference, answer_predict, err);
}
