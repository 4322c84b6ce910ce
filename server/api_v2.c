/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json_write.h"
#include "base/str.h"
#include "server/api_demand.h"
#include "server/api_handlers.h"
#include "server/codec_v2.h"
#include "server/inference.h"
#include "server/model_cache.h"
#include "server/sequences.h"
#include "server/server_priv.h"

/* --- health --- */

enum err_code api_health_live(struct api_request *request, struct err *err)
{
	(void)err;
	api_answer_empty(request, 200);
	return ERR_NONE;
}

enum err_code api_health_ready(struct api_request *request, struct err *err)
{
	if (!atomic_load(&request->context->is_ready))
		return err_set(err, ERR_NOT_READY,
			       "the server is starting or stopping");
	api_answer_empty(request, 200);
	return ERR_NONE;
}

/* The model of the path, for handlers that only look at it; the caller lets it
 * go. */
static enum err_code find_model(struct api_request *request,
				struct served_model **ret_model,
				struct err *err)
{
	return api_find_model(request, request->param[0], request->param[1],
			      ret_model, err);
}

enum err_code api_v2_ready(struct api_request *request, struct err *err)
{
	struct served_model *model;
	enum err_code rc = find_model(request, &model, err);

	if (rc)
		return rc;
	served_model_unref(model);
	api_answer_empty(request, 200);
	return ERR_NONE;
}

/* --- metadata --- */

enum err_code api_v2_server(struct api_request *request, struct err *err)
{
	static const char *const extensions[] = {
		"binary_tensor_data",
		"classification",
		"logging",
		"model_configuration",
		"model_repository",
		"model_repository(unload_dependents)",
		"parameters",
		"schedule_policy",
		"sequence",
		"statistics",
		"trace",
	};
	struct json_writer w;

	(void)err;
	api_answer_json(request, 200, &w);
	json_write_object(&w, NULL);
	json_write_string(&w, "name", "predictd");
	json_write_string(&w, "version", PREDICTD_VERSION);
	json_write_array(&w, "extensions");
	for (size_t i = 0; i < sizeof(extensions) / sizeof(*extensions); i++)
		json_write_string(&w, NULL, extensions[i]);
	json_write_array_end(&w);
	json_write_object_end(&w);
	return ERR_NONE;
}

static const char *v2_type(const struct signature_port *port)
{
	const struct dtype_info *info = dtype_info(port->dtype);

	return info->v2_name ? info->v2_name : info->name;
}

/* Extents from `first` on; -1 where they are open, alone for any rank. */
static void write_dims(struct json_writer *w, const char *key,
		       const struct signature_port *port, unsigned first)
{
	json_write_array(w, key);
	if (!port->has_rank)
		json_write_int(w, NULL, -1);
	for (unsigned d = first; port->has_rank && d < port->rank; d++)
		json_write_int(w, NULL, port->dim[d].extent);
	json_write_array_end(w);
}

static void write_ports(struct json_writer *w, const char *key,
			const struct signature_port *ports, unsigned n)
{
	json_write_array(w, key);
	for (unsigned i = 0; i < n; i++) {
		json_write_object(w, NULL);
		json_write_string(w, "name", ports[i].name);
		json_write_string(w, "datatype", v2_type(&ports[i]));
		write_dims(w, "shape", &ports[i], 0);
		json_write_object_end(w);
	}
	json_write_array_end(w);
}

static void write_versions(struct json_writer *w, const struct model_row *rows,
			   size_t n)
{
	json_write_array(w, "versions");
	for (size_t i = 0; i < n; i++) {
		char text[24];

		if (rows[i].state != MODEL_READY)
			continue;
		(void)snprintf(text, sizeof(text), "%lld",
			       (long long)rows[i].version);
		json_write_string(w, NULL, text);
	}
	json_write_array_end(w);
}

enum err_code api_v2_model(struct api_request *request, struct err *err)
{
	const struct model_signature *signature;
	struct served_model *model;
	struct model_row *rows;
	struct json_writer w;
	size_t n;
	enum err_code rc = find_model(request, &model, err);

	if (rc)
		return rc;
	rc = model_cache_list(request->context->models, request->param[0],
			      request->arena, &rows, &n, err);
	if (!rc) {
		signature = &model->package->signature;
		api_answer_json(request, 200, &w);
		json_write_object(&w, NULL);
		json_write_string(&w, "name", model->package->name);
		write_versions(&w, rows, n);
		json_write_string(&w, "platform", "onnx_onnxv1");
		write_ports(&w, "inputs", signature->input,
			    signature->n_inputs);
		write_ports(&w, "outputs", signature->output,
			    signature->n_outputs);
		json_write_object_end(&w);
		model_cache_list_free(rows, n);
	}
	served_model_unref(model);
	return rc;
}

/* --- configuration --- */

/* A state that the sequence carries need not be given. */
static bool is_state(const struct served_model *model, unsigned input)
{
	const struct sequences *sequences = model->sequences;

	for (unsigned k = 0; sequences && k < sequences_n_states(sequences);
	     k++)
		if (sequences_port(sequences, k).input == input)
			return true;
	return false;
}

static void write_config_type(struct json_writer *w,
			      const struct signature_port *port)
{
	const char *name =
	    port->dtype == DTYPE_STRING ? "STRING" : v2_type(port);
	char type[40];

	(void)snprintf(type, sizeof(type), "TYPE_%.30s", name);
	json_write_string(w, "data_type", type);
}

static void write_config_ports(struct json_writer *w, const char *key,
			       const struct served_model *model, bool is_input)
{
	const struct model_signature *signature = &model->package->signature;
	const struct signature_port *ports =
	    is_input ? signature->input : signature->output;
	const unsigned n =
	    is_input ? signature->n_inputs : signature->n_outputs;

	json_write_array(w, key);
	for (unsigned i = 0; i < n; i++) {
		json_write_object(w, NULL);
		json_write_string(w, "name", ports[i].name);
		write_config_type(w, &ports[i]);
		write_dims(w, "dims", &ports[i], model->max_batch != 0);
		if (is_input) {
			json_write_bool(w, "optional", is_state(model, i));
			json_write_bool(w, "is_shape_tensor", false);
		} else {
			json_write_string(w, "label_filename", "");
		}
		json_write_object_end(w);
	}
	json_write_array_end(w);
}

static void write_window(struct json_writer *w,
			 const struct served_model *model)
{
	const struct batcher_options *options = batcher_options(model->batcher);

	json_write_array(w, "preferred_batch_size");
	for (size_t i = 0; i < options->n_preferred; i++)
		json_write_int(w, NULL, options->preferred[i]);
	json_write_array_end(w);
	json_write_int(w, "max_queue_delay_microseconds",
		       model->max_queue_delay_us);
}

static void write_states(struct json_writer *w,
			 const struct served_model *model)
{
	const struct model_signature *signature = &model->package->signature;

	json_write_array(w, "state");
	for (unsigned k = 0; k < sequences_n_states(model->sequences); k++) {
		const struct sequence_port at =
		    sequences_port(model->sequences, k);
		const struct signature_port *in = &signature->input[at.input];

		json_write_object(w, NULL);
		json_write_string(w, "input_name", in->name);
		json_write_string(w, "output_name",
				  signature->output[at.output].name);
		write_config_type(w, in);
		write_dims(w, "dims", in, model->max_batch != 0);
		json_write_object_end(w);
	}
	json_write_array_end(w);
}

/* What Triton calls the oldest strategy: requests of several sequences share
 * runs as others do. */
static void write_sequences(struct json_writer *w,
			    const struct served_model *model)
{
	json_write_object(w, "sequence_batching");
	json_write_int(w, "max_sequence_idle_microseconds",
		       sequences_idle_ns(model->sequences) / 1000);
	json_write_object(w, model->max_batch ? "oldest" : "direct");
	if (model->max_batch) {
		json_write_uint(w, "max_candidate_sequences",
				sequences_max(model->sequences));
		write_window(w, model);
	}
	json_write_object_end(w);
	write_states(w, model);
	json_write_object_end(w);
}

/* One of Triton's schedulers, or none. */
static void write_batching(struct json_writer *w,
			   const struct served_model *model)
{
	if (model->sequences) {
		write_sequences(w, model);
	} else if (model->max_batch) {
		json_write_object(w, "dynamic_batching");
		write_window(w, model);
		json_write_object_end(w);
	}
}

static void write_parameter(struct json_writer *w, const char *name,
			    const char *value)
{
	json_write_object(w, name);
	json_write_string(w, "string_value", value);
	json_write_object_end(w);
}

/* As Triton has what only its backend knows. */
static void write_parameters(struct json_writer *w,
			     const struct precision_report *report)
{
	char number[32];

	json_write_object(w, "parameters");
	write_parameter(w, "precision", precision_name(report->precision));
	if (report->n_rows) {
		(void)snprintf(number, sizeof(number), "%.6g",
			       report->deviation);
		write_parameter(w, "precision_deviation", number);
	}
	json_write_object_end(w);
}

static void write_policy(struct json_writer *w,
			 const struct model_policy *policy)
{
	const struct field_ints *specific = &policy->specific;

	json_write_object(w, "version_policy");
	if (policy->all) {
		json_write_object(w, "all");
	} else if (specific->n) {
		json_write_object(w, "specific");
		json_write_array(w, "versions");
		for (size_t i = 0; i < specific->n; i++)
			json_write_int(w, NULL, specific->v[i]);
		json_write_array_end(w);
	} else {
		json_write_object(w, "latest");
		json_write_int(w, "num_versions", policy->latest);
	}
	json_write_object_end(w);
	json_write_object_end(w);
}

static void write_config(struct json_writer *w,
			 const struct served_model *model,
			 const struct model_policy *policy)
{
	json_write_object(w, NULL);
	json_write_string(w, "name", model->package->name);
	json_write_string(w, "platform", "onnx_onnxv1");
	json_write_string(w, "backend", "predictd");
	write_policy(w, policy);
	json_write_int(w, "max_batch_size", model->max_batch);
	write_config_ports(w, "input", model, true);
	write_config_ports(w, "output", model, false);
	json_write_array(w, "instance_group");
	json_write_object(w, NULL);
	json_write_string(w, "name", model->package->name);
	json_write_string(w, "kind", "KIND_CPU");
	json_write_int(w, "count", model->n_instances);
	json_write_object_end(w);
	json_write_array_end(w);
	write_batching(w, model);
	write_parameters(w, &model->package->precision);
	json_write_object(w, "model_transaction_policy");
	json_write_bool(w, "decoupled", false);
	json_write_object_end(w);
	json_write_object(w, "response_cache");
	json_write_bool(w, "enable", model->cache != NULL);
	json_write_object_end(w);
	json_write_object_end(w);
}

enum err_code api_v2_config(struct api_request *request, struct err *err)
{
	struct served_model *model;
	struct model_policy policy;
	struct json_writer w;
	enum err_code rc = find_model(request, &model, err);

	if (rc)
		return rc;
	rc = model_cache_policy(request->context->models, model->package->name,
				request->arena, &policy, err);
	if (!rc) {
		api_answer_json(request, 200, &w);
		write_config(&w, model, &policy);
	}
	served_model_unref(model);
	return rc;
}

/* --- inference --- */

static enum err_code answer_infer(struct api_request *request, struct err *err)
{
	struct inference *inference;
	enum err_code rc = inference_result(request, &inference, err);

	return rc ? rc : codec_v2_write(inference, err);
}

/* How the body is divided. */
struct body_parts {
	size_t json_len; /* what follows is binary */
	bool is_raw;	 /* there is no JSON */
};

/* All of it is JSON, unless the header says less. */
static enum err_code divide_body(const struct api_request *request,
				 struct body_parts *ret_parts, struct err *err)
{
	static const char name[] = "Inference-Header-Content-Length";
	const char *text = NULL;
	uint64_t len = request->body_len;

	for (size_t i = 0; i < request->n_headers; i++) {
		const struct http_pair *header = &request->headers[i];

		if (!http_is_named(header, name))
			continue;
		if (text)
			return err_set(err, ERR_INVALID, "%s is given twice",
				       name);
		text = header->value ? header->value : "";
	}
	if (text && (!str_parse_uint64(text, &len) || len > request->body_len))
		return err_set(err, ERR_INVALID,
			       "%s: expected a number of bytes up to the "
			       "body's %zu, got '%.32s'",
			       name, request->body_len, text);
	ret_parts->json_len = (size_t)len;
	ret_parts->is_raw = text && len == 0;
	return ERR_NONE;
}

enum err_code api_v2_infer(struct api_request *request, struct err *err)
{
	struct inference *inference;
	struct body_parts parts;
	enum err_code rc;

	rc = inference_begin(request, request->param[0], request->param[1],
			     &inference, err);
	if (!rc)
		rc = divide_body(request, &parts, err);
	if (rc)
		return rc;
	if (parts.is_raw) {
		rc = codec_v2_read_raw(inference, request->body,
				       request->body_len, err);
	} else {
		const size_t len = parts.json_len;
		const struct codec_blob blob = { request->body + len,
						 request->body_len - len };

		rc = codec_v2_read(inference, request->body, len, blob, err);
	}
	return rc ? rc : inference_run(inference, answer_infer, err);
}
