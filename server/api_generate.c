/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Generate: plain values in, plain values out. Members of the body, and of its
 * "parameters", that are named like inputs become these; others say nothing. An
 * output of one element is that value, others are flat arrays. The stream has
 * the same answer as its one event.
 *
 * A language model takes a text, as "text_input" or by its feature's name, and
 * goes on with it, as the members of server/sampling.h say: "text_output". Its
 * stream has an event for every piece of it, and "tokens" in the last.
 */
#include "base/json_write.h"
#include "base/str.h"
#include "server/api_handlers.h"
#include "server/codec_predict.h"
#include "server/generation.h"
#include "server/number_write.h"

enum { NAME_TEXT = 96 };

/* --- the answer --- */

static enum err_code write_output(struct inference *inference,
				  struct json_writer *w,
				  const struct inference_output *wanted,
				  struct err *err)
{
	const char *output = inference->signature->output[wanted->port].name;
	struct tensor_view flat = inference->output[wanted->port];
	const int64_t count = shape_count(&flat.shape);
	char name[NAME_TEXT];

	flat.shape.rank = count != 1;
	flat.shape.dim[0] = count;
	(void)snprintf(name, sizeof(name), "output '%.64s'", output);
	json_write_raw(w, output, "", 0);
	return number_write_nested(w->buf, &flat, name,
				   str_ends_with(output, "_bytes"), err);
}

static void write_text(const struct generation *generation,
		       struct json_writer *w)
{
	json_write_strn(w, "text_output", generation->text[0].bytes,
			generation->text[0].len);
	json_write_uint(w, "tokens", generation->n_tokens[0]);
}

static enum err_code write_answer(struct inference *inference,
				  struct json_writer *w, struct err *err)
{
	enum err_code rc = ERR_NONE;

	json_write_object(w, NULL);
	if (inference->id.bytes)
		json_write_strn(w, "id", inference->id.bytes,
				inference->id.len);
	json_write_string(w, "model_name", inference->model->package->name);
	json_write_string(w, "model_version", inference->model->version);
	if (inference->generation)
		write_text(inference->generation, w);
	for (unsigned i = 0;
	     i < inference->n_wanted && !inference->generation && !rc; i++)
		rc = write_output(inference, w, &inference->wanted[i], err);
	json_write_object_end(w);
	return rc;
}

static enum err_code answer_once(struct api_request *request, struct err *err)
{
	struct inference *inference;
	struct json_writer w;
	enum err_code rc = inference_result(request, &inference, err);

	if (rc)
		return rc;
	api_answer_json(request, 200, &w);
	return write_answer(inference, &w, err);
}

static enum err_code answer_event(struct api_request *request, struct err *err)
{
	struct buf *body = &request->response.body;
	struct inference *inference;
	struct json_writer w;
	enum err_code rc = inference_result(request, &inference, err);

	if (rc)
		return rc;
	api_answer_json(request, 200, &w);
	request->response.content_type = "text/event-stream; charset=utf-8";
	api_answer_header(request, "Cache-Control", "no-cache");
	buf_puts(body, "data: ");
	json_write_init(&w, body);
	rc = write_answer(inference, &w, err);
	buf_puts(body, "\n\n");
	return rc;
}

/* --- the request --- */

static bool is_input(const struct inference *inference, struct str key)
{
	const struct model_signature *signature = inference->signature;

	for (unsigned i = 0; i < signature->n_inputs; i++)
		if (json_pull_is(key, signature->input[i].name))
			return true;
	return false;
}

static enum err_code read_value(struct inference *inference,
				struct json_pull *pull, struct str key,
				struct err *err)
{
	unsigned port;
	enum err_code rc;

	rc = inference_find_input(inference, key, &port, err);
	return rc ? rc : codec_read_tensor(inference, port, pull, err);
}

/* --- of a language model --- */

struct text_request {
	struct raw_value text;
	bool has_text;
	struct sampling sampling;
};

static bool is_text(const struct inference *inference, struct str key)
{
	return json_pull_is(key, "text_input") ||
	       json_pull_is(key, pipeline_input_name(
				     inference->model->package->pipeline, 0));
}

static enum err_code read_member(struct inference *inference,
				 struct json_pull *pull, struct str key,
				 struct text_request *request, struct err *err)
{
	struct str text;
	bool is_taken = false;
	enum err_code rc;

	if (is_text(inference, key)) {
		if (request->has_text)
			return err_set(err, ERR_INVALID,
				       "the text is given twice");
		rc = json_pull_text(pull, &text, err);
		request->has_text = true;
		request->text = (struct raw_value){ .kind = RAW_TEXT,
						    .bytes = text.bytes,
						    .len = text.len };
		return rc;
	}
	rc = sampling_take(&request->sampling, key, pull, &is_taken, err);
	return rc || is_taken ? rc : json_pull_value(pull, NULL, err);
}

static enum err_code read_text(struct inference *inference, struct err *err)
{
	struct api_request *request = inference->request;
	struct text_request text = { .has_text = false };
	struct json_pull pull;
	struct str key;
	enum err_code rc;

	sampling_init(&text.sampling);
	json_pull_init(&pull, request->body, request->body_len, "request body",
		       request->arena);
	rc = json_pull_object(&pull, err);
	while (!rc && !(rc = json_pull_key(&pull, &key, err)) && key.bytes) {
		bool is_null;

		rc = json_pull_null(&pull, &is_null, err);
		if (rc || is_null)
			continue;
		if (json_pull_is(key, "parameters"))
			rc = sampling_read(&text.sampling, &pull, err);
		else if (json_pull_is(key, "id"))
			rc = json_pull_string(&pull, &inference->id, err);
		else
			rc = read_member(inference, &pull, key, &text, err);
	}
	if (!rc)
		rc = json_pull_finish(&pull, err);
	if (!rc && !text.has_text)
		rc = err_set(err, ERR_INVALID,
			     "request body: \"text_input\" is missing");
	if (!rc)
		rc = codec_read_body(inference, &text.text, err);
	if (!rc)
		inference->generation->sampling = text.sampling;
	return rc;
}

/* --- of any model --- */

static enum err_code read_parameters(struct inference *inference,
				     struct json_pull *pull, struct err *err)
{
	struct str key;
	enum err_code rc = json_pull_object(pull, err);

	while (!rc && !(rc = json_pull_key(pull, &key, err)) && key.bytes)
		rc = is_input(inference, key)
			 ? read_value(inference, pull, key, err)
			 : inference_take_parameter(inference, key, pull, err);
	return rc;
}

static enum err_code read_body(struct inference *inference, struct err *err)
{
	struct api_request *request = inference->request;
	struct json_pull pull;
	struct str key;
	enum err_code rc;

	json_pull_init(&pull, request->body, request->body_len, "request body",
		       request->arena);
	rc = json_pull_object(&pull, err);
	while (!rc && !(rc = json_pull_key(&pull, &key, err)) && key.bytes) {
		bool is_null;

		rc = json_pull_null(&pull, &is_null, err);
		if (rc || is_null)
			continue;
		if (is_input(inference, key))
			rc = read_value(inference, &pull, key, err);
		else if (json_pull_is(key, "parameters"))
			rc = read_parameters(inference, &pull, err);
		else if (json_pull_is(key, "id"))
			rc = json_pull_string(&pull, &inference->id, err);
		else
			rc = json_pull_value(&pull, NULL, err);
	}
	return rc ? rc : json_pull_finish(&pull, err);
}

static enum err_code generate(struct api_request *request, api_handler *answer,
			      struct err *err)
{
	struct inference *inference;
	enum err_code rc;

	rc = inference_begin(request, request->param[0], request->param[1],
			     &inference, err);
	if (!rc)
		rc = inference->model->package->has_state
			 ? read_text(inference, err)
			 : read_body(inference, err);
	if (!rc)
		rc = inference_want_all(inference, false, err);
	if (!rc && inference->generation && answer == answer_event)
		return generation_stream(inference->generation, err);
	return rc ? rc : inference_run(inference, answer, err);
}

enum err_code api_v2_generate(struct api_request *request, struct err *err)
{
	return generate(request, answer_once, err);
}

enum err_code api_v2_generate_stream(struct api_request *request,
				     struct err *err)
{
	return generate(request, answer_event, err);
}
