/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json_write.h"
#include "base/str.h"
#include "server/codec_v2.h"
#include "server/json_pull.h"
#include "server/number_scan.h"
#include "server/number_write.h"

enum { NAME_TEXT = 96 };

/* The request while it is read. */
struct reader {
	struct inference *inference;
	struct json_pull pull;
	struct codec_blob blob;
	bool is_binary_wanted; /* outputs that do not say */
	bool has_inputs, has_outputs;
};

/* One input while its members come, in whatever order. */
struct input {
	struct str name, data;
	struct shape shape;
	enum dtype dtype;
	bool has_shape, has_size, is_done;
	uint64_t binary_size;
	unsigned port;
};

struct output {
	struct str name;
	bool is_binary;
	uint64_t n_classes;
};

static enum err_code twice(const char *key, struct err *err)
{
	return err_set(err, ERR_INVALID, "request body: '%s' is given twice",
		       key);
}

/* Says which parameter is wrong, and whose it is: an input's or an output's. */
static enum err_code of_parameter(const char *whose, struct str owner,
				  struct str key, struct err *err)
{
	(void)err_prefix(err, "parameter '%.*s'",
			 (int)(key.len < 64 ? key.len : 64), key.bytes);
	return owner.bytes ? err_prefix(err, "%s '%.*s'", whose,
					(int)(owner.len < 64 ? owner.len : 64),
					owner.bytes)
			   : err->code;
}

/* --- an input --- */

static enum err_code read_shape(struct json_pull *pull, struct shape *ret,
				struct err *err)
{
	struct shape shape = { 0 };
	bool is_more;
	enum err_code rc = json_pull_array(pull, err);

	while (!rc && !(rc = json_pull_item(pull, &is_more, err)) && is_more) {
		uint64_t extent;

		rc = json_pull_uint(pull, &extent, err);
		if (rc)
			break;
		if (shape.rank == SHAPE_MAX_RANK)
			return err_set(err, ERR_SHAPE,
				       "a shape has at most %d dimensions",
				       SHAPE_MAX_RANK);
		if (extent > INT64_MAX)
			extent = INT64_MAX; /* refused with the others */
		shape.dim[shape.rank++] = (int64_t)extent;
	}
	if (!rc)
		*ret = shape;
	return rc;
}

static enum err_code read_dtype(struct json_pull *pull, enum dtype *ret_dtype,
				struct err *err)
{
	char name[16] = "";
	struct str text;
	enum err_code rc = json_pull_string(pull, &text, err);

	if (rc)
		return rc;
	if (text.len < sizeof(name)) {
		memcpy(name, text.bytes, text.len);
		name[text.len] = '\0';
	}
	*ret_dtype = dtype_find_v2(name);
	if (*ret_dtype == DTYPE_NONE)
		return err_set(err, ERR_INVALID,
			       "datatype '%.*s': expected BOOL, INT8 to INT64, "
			       "UINT8 to UINT64, FP16, BF16, FP32, FP64 or "
			       "BYTES",
			       (int)(text.len < 32 ? text.len : 32),
			       text.bytes);
	return ERR_NONE;
}

/* Once name, shape and type are there: finds the place of the data. */
static enum err_code place_input(struct reader *reader, struct input *input,
				 size_t *ret_bytes, struct err *err)
{
	struct inference *inference = reader->inference;
	enum err_code rc;

	if (!input->name.bytes)
		return err_set(err, ERR_INVALID,
			       "an input without \"name\" in \"inputs\"");
	rc = inference_find_input(inference, input->name, &input->port, err);
	if (rc)
		return rc;
	if (!input->has_shape || input->dtype == DTYPE_NONE)
		return err_set(err, ERR_INVALID,
			       "input '%s' needs \"shape\" and \"datatype\"",
			       inference->signature->input[input->port].name);
	return inference_shape_input(inference, input->port, input->dtype,
				     &input->shape, ret_bytes, err);
}

static enum err_code scan_data(struct reader *reader, struct input *input,
			       const char *text, size_t len, size_t *ret_used,
			       struct err *err)
{
	struct inference *inference = reader->inference;
	char name[NAME_TEXT];
	struct number_target target = { .name = name,
					.dtype = input->dtype,
					.arena = reader->pull.arena };
	size_t bytes;
	enum err_code rc = place_input(reader, input, &bytes, err);

	if (rc)
		return rc;
	(void)snprintf(name, sizeof(name), "input '%.64s'",
		       inference->signature->input[input->port].name);
	target.count = (size_t)shape_count(&input->shape);
	/* an element and its comma have two bytes at least: a short text is no
	 * reason to take the memory that its shape speaks of */
	if (target.count > len / 2)
		return err_set(err, ERR_SHAPE,
			       "%s: expected %zu elements, got fewer", name,
			       target.count);
	rc = inference_alloc_input(inference, input->port, bytes, err);
	if (rc)
		return rc;
	target.out = inference->input[input->port].data;
	input->is_done = true;
	return number_scan(text, len, &target, ret_used, err);
}

/* Usually all that is needed stands before the data, which is then read in
 * place; otherwise it is passed over and read at the end. */
static enum err_code read_data(struct reader *reader, struct input *input,
			       struct err *err)
{
	struct json_pull *pull = &reader->pull;
	size_t used = 0;
	enum err_code rc;

	if (json_pull_peek(pull) != JSON_KIND_ARRAY)
		return err_set(err, ERR_INVALID,
			       "\"data\" of an input must be an array");
	if (!input->name.bytes || !input->has_shape || !input->dtype)
		return json_pull_value(pull, &input->data, err);
	rc = scan_data(reader, input, pull->at, (size_t)(pull->end - pull->at),
		       &used, err);
	pull->at += used;
	return rc;
}

static enum err_code read_input_parameters(struct json_pull *pull,
					   struct input *input, struct err *err)
{
	struct str key;
	enum err_code rc = json_pull_object(pull, err);

	while (!rc && !(rc = json_pull_key(pull, &key, err)) && key.bytes) {
		bool is_null;

		rc = json_pull_null(pull, &is_null, err);
		if (rc || is_null)
			continue;
		if (json_pull_is(key, "shared_memory_region"))
			return err_set(err, ERR_NOT_OFFERED,
				       "an input in shared memory, which is "
				       "not offered: send its tensor");
		if (!json_pull_is(key, "binary_data_size")) {
			rc = json_pull_value(pull, NULL, err);
			continue;
		}
		input->has_size = true;
		rc = json_pull_uint(pull, &input->binary_size, err);
		if (rc)
			return of_parameter("input", input->name, key, err);
	}
	return rc;
}

/* Says whose member is wrong, where the name came before it. */
static enum err_code of_input(const struct input *input, struct err *err)
{
	const struct str *name = &input->name;

	return name->bytes ? err_prefix(err, "input '%.*s'",
					(int)(name->len < 64 ? name->len : 64),
					name->bytes)
			   : err->code;
}

static enum err_code read_input_member(struct reader *reader,
				       struct input *input, struct str key,
				       struct err *err)
{
	struct json_pull *pull = &reader->pull;
	bool is_null;
	enum err_code rc = json_pull_null(pull, &is_null, err);

	if (rc || is_null)
		return rc;
	if (json_pull_is(key, "name")) {
		if (input->name.bytes)
			return twice("name", err);
		return json_pull_string(pull, &input->name, err);
	}
	if (json_pull_is(key, "shape")) {
		if (input->has_shape)
			return twice("shape", err);
		input->has_shape = true;
		rc = read_shape(pull, &input->shape, err);
		return rc ? of_input(input, err) : ERR_NONE;
	}
	if (json_pull_is(key, "datatype")) {
		if (input->dtype)
			return twice("datatype", err);
		rc = read_dtype(pull, &input->dtype, err);
		return rc ? of_input(input, err) : ERR_NONE;
	}
	if (json_pull_is(key, "data")) {
		if (input->is_done || input->data.bytes)
			return twice("data", err);
		return read_data(reader, input, err);
	}
	if (json_pull_is(key, "parameters"))
		return read_input_parameters(pull, input, err);
	return json_pull_value(pull, NULL, err);
}

/* An input whose data did not come in the JSON, or came before its shape. */
static enum err_code finish_input(struct reader *reader, struct input *input,
				  struct err *err)
{
	size_t bytes, used;
	enum err_code rc;

	if (input->has_size && (input->is_done || input->data.bytes)) {
		(void)err_set(err, ERR_INVALID,
			      "it has \"binary_data_size\" and \"data\"; "
			      "only one can be");
		return of_input(input, err);
	}
	if (input->is_done)
		return ERR_NONE;
	if (input->data.bytes)
		return scan_data(reader, input, input->data.bytes,
				 input->data.len, &used, err);
	rc = place_input(reader, input, &bytes, err);
	if (rc)
		return rc;
	if (!input->has_size && !reader->blob.len && bytes)
		return err_set(
		    err, ERR_INVALID, "input '%s' has no data",
		    reader->inference->signature->input[input->port].name);
	/* the size may be left out where the shape says it */
	if (!input->has_size)
		input->binary_size =
		    input->dtype == DTYPE_STRING ? reader->blob.len : bytes;
	return codec_blob_take(reader->inference, input->port,
			       input->binary_size, &reader->blob, err);
}

static enum err_code read_input(struct reader *reader, struct err *err)
{
	struct input input = { 0 };
	struct str key;
	enum err_code rc = json_pull_object(&reader->pull, err);

	while (!rc && !(rc = json_pull_key(&reader->pull, &key, err)) &&
	       key.bytes)
		rc = read_input_member(reader, &input, key, err);
	return rc ? rc : finish_input(reader, &input, err);
}

/* --- an output --- */

static enum err_code read_output_parameters(struct json_pull *pull,
					    struct output *output,
					    struct err *err)
{
	struct str key;
	enum err_code rc = json_pull_object(pull, err);

	while (!rc && !(rc = json_pull_key(pull, &key, err)) && key.bytes) {
		bool is_null;

		rc = json_pull_null(pull, &is_null, err);
		if (rc || is_null)
			continue;
		if (json_pull_is(key, "shared_memory_region"))
			return err_set(err, ERR_NOT_OFFERED,
				       "an output into shared memory, which is "
				       "not offered: take its tensor");
		if (json_pull_is(key, "binary_data"))
			rc = json_pull_bool(pull, &output->is_binary, err);
		else if (json_pull_is(key, "classification"))
			rc = json_pull_uint(pull, &output->n_classes, err);
		else
			rc = json_pull_value(pull, NULL, err);
		if (rc)
			return of_parameter("output", output->name, key, err);
	}
	return rc;
}

static enum err_code read_output(struct reader *reader, struct err *err)
{
	struct json_pull *pull = &reader->pull;
	struct output output = { .is_binary = reader->is_binary_wanted };
	struct str key;
	enum err_code rc = json_pull_object(pull, err);

	while (!rc && !(rc = json_pull_key(pull, &key, err)) && key.bytes) {
		bool is_null;

		rc = json_pull_null(pull, &is_null, err);
		if (rc || is_null)
			continue;
		if (json_pull_is(key, "name"))
			rc = json_pull_string(pull, &output.name, err);
		else if (json_pull_is(key, "parameters"))
			rc = read_output_parameters(pull, &output, err);
		else
			rc = json_pull_value(pull, NULL, err);
	}
	if (rc)
		return rc;
	if (!output.name.bytes)
		return err_set(err, ERR_INVALID,
			       "an output without \"name\" in \"outputs\"");
	return inference_want(reader->inference, output.name, output.is_binary,
			      output.n_classes, err);
}

/* --- the request --- */

static enum err_code read_parameter(struct reader *reader, struct str key,
				    struct err *err)
{
	struct json_pull *pull = &reader->pull;

	if (json_pull_is(key, "binary_data_output") &&
	    json_pull_peek(pull) != JSON_KIND_NULL)
		return json_pull_bool(pull, &reader->is_binary_wanted, err)
			   ? of_parameter(NULL, (struct str){ NULL, 0 }, key,
					  err)
			   : ERR_NONE;
	if (key.len >= 7 && memcmp(key.bytes, "triton_", 7) == 0)
		return err_set(err, ERR_INVALID,
			       "parameter '%.*s': names that begin with "
			       "'triton_' are reserved",
			       (int)(key.len < 64 ? key.len : 64), key.bytes);
	return inference_take_parameter(reader->inference, key, pull, err);
}

static enum err_code
read_list(struct reader *reader, bool *has, const char *what,
	  enum err_code (*read)(struct reader *reader, struct err *err),
	  struct err *err)
{
	unsigned n = 0;
	bool is_more;
	enum err_code rc;

	if (*has)
		return twice(what, err);
	*has = true;
	rc = json_pull_array(&reader->pull, err);
	while (!rc && !(rc = json_pull_item(&reader->pull, &is_more, err)) &&
	       is_more) {
		if (n++ == INFERENCE_TENSORS_MAX)
			return err_set(err, ERR_INVALID,
				       "\"%s\" has more than %d members", what,
				       INFERENCE_TENSORS_MAX);
		rc = read(reader, err);
	}
	return rc;
}

static enum err_code read_parameters(struct reader *reader, struct err *err)
{
	struct str key;
	enum err_code rc = json_pull_object(&reader->pull, err);

	while (!rc && !(rc = json_pull_key(&reader->pull, &key, err)) &&
	       key.bytes)
		rc = read_parameter(reader, key, err);
	return rc;
}

static enum err_code read_id(struct reader *reader, struct err *err)
{
	struct str *id = &reader->inference->id;

	if (id->bytes)
		return twice("id", err);
	return json_pull_string(&reader->pull, id, err) ? err_prefix(err, "id")
							: ERR_NONE;
}

static enum err_code read_member(struct reader *reader, struct str key,
				 struct str *outputs, struct err *err)
{
	struct json_pull *pull = &reader->pull;
	bool is_null;
	enum err_code rc = json_pull_null(pull, &is_null, err);

	if (rc || is_null)
		return rc;
	if (json_pull_is(key, "inputs"))
		return read_list(reader, &reader->has_inputs, "inputs",
				 read_input, err);
	if (json_pull_is(key, "outputs"))
		return outputs->bytes ? twice("outputs", err)
				      : json_pull_value(pull, outputs, err);
	if (json_pull_is(key, "parameters"))
		return read_parameters(reader, err);
	if (json_pull_is(key, "id"))
		return read_id(reader, err);
	return json_pull_value(pull, NULL, err);
}

/* Outputs are read last: parameters that stand behind them say what binary
 * means where an output does not. */
static enum err_code read_outputs(struct reader *reader, struct str text,
				  struct err *err)
{
	enum err_code rc = ERR_NONE;

	if (text.bytes) {
		json_pull_init(&reader->pull, text.bytes, text.len,
			       "request body: outputs", reader->pull.arena);
		rc = read_list(reader, &reader->has_outputs, "outputs",
			       read_output, err);
	}
	if (!rc && !reader->inference->n_wanted)
		rc = inference_want_all(reader->inference,
					reader->is_binary_wanted, err);
	return rc;
}

enum err_code codec_v2_read(struct inference *inference, const char *json,
			    size_t len, struct codec_blob blob, struct err *err)
{
	struct reader reader = { .inference = inference, .blob = blob };
	struct str key, outputs = { NULL, 0 };
	enum err_code rc;

	json_pull_init(&reader.pull, json, len, "request body",
		       inference->request->arena);
	rc = json_pull_object(&reader.pull, err);
	while (!rc && !(rc = json_pull_key(&reader.pull, &key, err)) &&
	       key.bytes)
		rc = read_member(&reader, key, &outputs, err);
	if (!rc)
		rc = json_pull_finish(&reader.pull, err);
	if (!rc && reader.blob.len)
		rc = err_set(err, ERR_INVALID,
			     "%zu bytes are left behind the last binary tensor",
			     reader.blob.len);
	return rc ? rc : read_outputs(&reader, outputs, err);
}

/* --- the answer --- */

static void write_shape(struct json_writer *w, const struct shape *shape)
{
	json_write_array(w, "shape");
	for (unsigned d = 0; d < shape->rank; d++)
		json_write_int(w, NULL, shape->dim[d]);
	json_write_array_end(w);
}

static enum err_code write_output(struct inference *inference,
				  struct json_writer *w,
				  const struct inference_output *wanted,
				  const struct tensor_view *tensor,
				  struct err *err)
{
	const char *port = inference->signature->output[wanted->port].name;
	const struct dtype_info *info = dtype_info(tensor->dtype);
	char name[NAME_TEXT];
	enum err_code rc = ERR_NONE;

	if (!info->v2_name)
		return err_set(err, ERR_UNSUPPORTED,
			       "output '%s': elements of type %s have no form "
			       "in this protocol",
			       port, info->name);
	json_write_object(w, NULL);
	json_write_string(w, "name", port);
	json_write_string(w, "datatype", info->v2_name);
	write_shape(w, &tensor->shape);
	if (wanted->is_binary) {
		json_write_object(w, "parameters");
		json_write_uint(w, "binary_data_size", codec_blob_size(tensor));
		json_write_object_end(w);
	} else {
		(void)snprintf(name, sizeof(name), "output '%.64s'", port);
		json_write_raw(w, "data", "", 0);
		rc = number_write_flat(w->buf, tensor, name, err);
	}
	json_write_object_end(w);
	return rc;
}

/* The tensors to send: what the run gave, or its classes. */
static enum err_code choose(struct inference *inference, unsigned i,
			    struct tensor_view *ret, struct err *err)
{
	const struct inference_output *wanted = &inference->wanted[i];

	if (wanted->n_classes)
		return codec_classify(inference, wanted->port,
				      wanted->n_classes, ret, err);
	*ret = inference->output[wanted->port];
	return ERR_NONE;
}

static void write_head(struct inference *inference, struct json_writer *w)
{
	const struct package *package = inference->model->package;

	json_write_object(w, NULL);
	if (inference->id.bytes)
		json_write_strn(w, "id", inference->id.bytes,
				inference->id.len);
	json_write_string(w, "model_name", package->name);
	json_write_string(w, "model_version", inference->model->version);
	json_write_array(w, "outputs");
}

static enum err_code write_blobs(struct inference *inference,
				 const struct tensor_view *tensors,
				 struct err *err)
{
	struct api_request *request = inference->request;
	struct buf *body = &request->response.body;
	char digits[STR_UINT64_MAX];
	bool is_any = false;
	char *length;

	for (unsigned i = 0; i < inference->n_wanted; i++)
		is_any = is_any || inference->wanted[i].is_binary;
	if (!is_any)
		return ERR_NONE;
	length = arena_strndup(request->arena, digits,
			       str_put_uint64(body->len, digits));
	if (!length)
		return err_set(err, ERR_NO_MEMORY, "answer: out of memory");
	for (unsigned i = 0; i < inference->n_wanted; i++)
		if (inference->wanted[i].is_binary)
			codec_blob_write(body, &tensors[i]);
	request->response.content_type = "application/octet-stream";
	api_answer_header(request, "Inference-Header-Content-Length", length);
	return ERR_NONE;
}

enum err_code codec_v2_write(struct inference *inference, struct err *err)
{
	struct api_request *request = inference->request;
	struct tensor_view *tensors = arena_array(
	    request->arena, inference->n_wanted + 1, sizeof(*tensors));
	struct json_writer w;
	enum err_code rc = ERR_NONE;

	if (!tensors)
		return err_set(err, ERR_NO_MEMORY, "answer: out of memory");
	api_answer_json(request, 200, &w);
	write_head(inference, &w);
	for (unsigned i = 0; i < inference->n_wanted && !rc; i++) {
		rc = choose(inference, i, &tensors[i], err);
		if (!rc)
			rc = write_output(inference, &w, &inference->wanted[i],
					  &tensors[i], err);
	}
	json_write_array_end(&w);
	json_write_object_end(&w);
	return rc ? rc : write_blobs(inference, tensors, err);
}
