/* SPDX-License-Identifier: Apache-2.0 */
#include "server/codec_predict.h"

#include "base/json_write.h"
#include "base/str.h"
#include "server/generation.h"
#include "server/number_scan.h"
#include "server/number_write.h"

enum { NAME_TEXT = 96 };

static enum err_code no_memory(struct err *err)
{
	return err_set(err, ERR_NO_MEMORY,
		       "the request needs more memory than one may have");
}

/* --- whole tensors --- */

/* A lone value is all that there is of a tensor of one element; a lone row is
 * a batch of one. */
static void complete_shape(const struct inference *inference, unsigned port,
			   struct shape *shape)
{
	const struct signature_port *row = &inference->signature->input[port];

	if (!shape->rank && row->has_rank)
		for (; shape->rank < row->rank; shape->rank++)
			shape->dim[shape->rank] = 1;
	if (!inference->model->max_batch || !row->has_rank ||
	    shape->rank + 1 != row->rank)
		return;
	memmove(shape->dim + 1, shape->dim, shape->rank * sizeof(*shape->dim));
	shape->dim[0] = 1;
	shape->rank++;
}

enum err_code codec_read_tensor(struct inference *inference, unsigned port,
				struct json_pull *pull, struct err *err)
{
	const struct signature_port *row = &inference->signature->input[port];
	char name[NAME_TEXT];
	struct number_target target = { .name = name,
					.dtype = row->dtype,
					.arena = pull->arena };
	enum number_kind kind;
	struct shape shape;
	size_t bytes, used = 0;
	enum err_code rc;

	(void)snprintf(name, sizeof(name), "input '%.64s'", row->name);
	(void)json_pull_peek(pull); /* steps over white space */
	rc = number_scan_shape(pull->at, (size_t)(pull->end - pull->at), name,
			       &shape, &kind, err);
	if (!rc && kind == NUMBER_OTHER)
		rc = err_set(err, ERR_INVALID,
			     "%s: expected an array of plain values", name);
	if (rc)
		return rc;
	complete_shape(inference, port, &shape);
	rc = inference_shape_input(inference, port, row->dtype, &shape, &bytes,
				   err);
	if (!rc)
		rc = inference_alloc_input(inference, port, bytes, err);
	if (rc)
		return rc;
	target.count = (size_t)shape_count(&shape);
	target.out = inference->input[port].data;
	rc = number_scan(pull->at, (size_t)(pull->end - pull->at), &target,
			 &used, err);
	pull->at += used;
	return rc;
}

enum err_code codec_read_tensors(struct inference *inference,
				 struct json_pull *pull, struct err *err)
{
	struct str key;
	unsigned port;
	enum err_code rc;

	if (json_pull_peek(pull) != JSON_KIND_OBJECT)
		return err_set(err, ERR_INVALID,
			       "\"inputs\": model '%s' has no features; "
			       "expected a map of tensor names to arrays",
			       inference->model->package->name);
	rc = json_pull_object(pull, err);
	while (!rc && !(rc = json_pull_key(pull, &key, err)) && key.bytes) {
		rc = inference_find_input(inference, key, &port, err);
		if (!rc)
			rc = codec_read_tensor(inference, port, pull, err);
	}
	return rc;
}

enum err_code codec_write_tensors(struct inference *inference,
				  struct json_writer *writer, const char *key,
				  struct err *err)
{
	enum err_code rc = ERR_NONE;

	json_write_object(writer, key);
	for (unsigned i = 0; i < inference->n_wanted && !rc; i++) {
		const unsigned port = inference->wanted[i].port;
		const char *output = inference->signature->output[port].name;
		char name[NAME_TEXT];

		(void)snprintf(name, sizeof(name), "output '%.64s'", output);
		json_write_raw(writer, output, "", 0);
		rc = number_write_nested(writer->buf, &inference->output[port],
					 name, str_ends_with(output, "_bytes"),
					 err);
	}
	json_write_object_end(writer);
	return rc;
}

/* --- rows of features --- */

/* The graph's input that a feature feeds: of its name, else in its place. */
static unsigned port_of(const struct signature_port *ports, unsigned n,
			const char *name, unsigned i)
{
	for (unsigned p = 0; p < n; p++)
		if (str_equal(ports[p].name, name))
			return p;
	return i;
}

static enum err_code encode_input(struct inference *inference, unsigned i,
				  const struct raw_value *const *rows, size_t n,
				  struct err *err)
{
	const struct pipeline *pipeline = inference->model->package->pipeline;
	const struct model_signature *signature = inference->signature;
	const char *name = pipeline_input_name(pipeline, i);
	const unsigned port =
	    port_of(signature->input, signature->n_inputs, name, i);
	struct shape row, shape = { 0 };
	enum dtype dtype;
	size_t bytes;
	char *out;
	enum err_code rc;

	if (port >= signature->n_inputs || inference->has_input[port])
		return err_set(err, ERR_FORMAT,
			       "model '%s': no input of the graph belongs to "
			       "feature '%s'",
			       inference->model->package->name, name);
	pipeline_input_row(pipeline, i, &dtype, &row);
	shape.rank = row.rank + 1;
	shape.dim[0] = (int64_t)n;
	memcpy(shape.dim + 1, row.dim, row.rank * sizeof(*row.dim));
	rc = inference_shape_input(inference, port, dtype, &shape, &bytes, err);
	if (!rc)
		rc = inference_alloc_input(inference, port, bytes, err);
	if (rc)
		return rc;
	out = inference->input[port].data;
	for (size_t r = 0; r < n && !rc; r++) {
		rc = pipeline_encode_input(pipeline, i, &rows[r][i], out, err);
		out += tensor_bytes(dtype, &row);
		if (rc && n > 1)
			rc = err_prefix(err, "row %zu", r);
	}
	return rc;
}

enum err_code codec_encode_rows(struct inference *inference,
				const struct raw_value *const *rows, size_t n,
				struct err *err)
{
	const struct pipeline *pipeline = inference->model->package->pipeline;
	const unsigned n_inputs = pipeline_n_inputs(pipeline);
	enum err_code rc = ERR_NONE;

	if (inference->model->package->has_state)
		return generation_begin(inference, rows, n, err);
	for (unsigned i = 0; i < n_inputs && !rc; i++)
		rc = encode_input(inference, i, rows, n, err);
	return rc;
}

enum err_code codec_read_body(struct inference *inference,
			      const struct raw_value *value, struct err *err)
{
	const struct pipeline *pipeline = inference->model->package->pipeline;

	if (!pipeline || pipeline_n_inputs(pipeline) != 1)
		return err_set(err, ERR_INVALID,
			       "model '%s' does not have one feature that a "
			       "body could be; send JSON",
			       inference->model->package->name);
	return codec_encode_rows(inference, &value, 1, err);
}

/* What an output's rows are decoded from: its numbers as floats. */
struct decoded {
	const float *data;
	int64_t n_rows, width;
};

static enum err_code decode_output(struct inference *inference, unsigned i,
				   struct decoded *ret, struct err *err)
{
	const struct pipeline *pipeline = inference->model->package->pipeline;
	const struct model_signature *signature = inference->signature;
	const unsigned port = port_of(signature->output, signature->n_outputs,
				      pipeline_output_name(pipeline, i), i);
	const struct tensor_view *tensor;
	int64_t count;
	float *data;

	if (port >= signature->n_outputs)
		return err_set(err, ERR_FORMAT,
			       "model '%s': no output of the graph belongs to "
			       "feature '%s'",
			       inference->model->package->name,
			       pipeline_output_name(pipeline, i));
	tensor = &inference->output[port];
	count = shape_count(&tensor->shape);
	ret->n_rows = tensor->shape.rank ? tensor->shape.dim[0] : 1;
	ret->width = ret->n_rows ? count / ret->n_rows : 0;
	ret->data = tensor->data;
	if (tensor->dtype == DTYPE_F32)
		return ERR_NONE;
	if (dtype_info(tensor->dtype)->arith == DTYPE_NONE)
		return err_set(err, ERR_FORMAT,
			       "model '%s': an output without numbers",
			       inference->model->package->name);
	data = arena_array(inference->request->arena, (size_t)count + 1,
			   sizeof(*data));
	if (!data)
		return no_memory(err);
	dtype_convert(tensor->dtype, tensor->data, DTYPE_F32, data,
		      (size_t)count, false);
	ret->data = data;
	return ERR_NONE;
}

/* One prediction: of the one output feature, or a map of all. */
static void write_row(const struct pipeline *pipeline,
		      const struct decoded *outputs, unsigned n, int64_t r,
		      struct json_writer *writer)
{
	if (n != 1)
		json_write_object(writer, NULL);
	for (unsigned i = 0; i < n; i++) {
		const struct decoded *out = &outputs[i];
		struct json_writer value;

		/* the decoder writes a value; its place is made here */
		json_write_raw(
		    writer, n == 1 ? NULL : pipeline_output_name(pipeline, i),
		    "", 0);
		json_write_init(&value, writer->buf);
		pipeline_decode_output(pipeline, i, out->data + r * out->width,
				       out->width, &value);
	}
	if (n != 1)
		json_write_object_end(writer);
}

enum err_code codec_write_rows(struct inference *inference,
			       struct json_writer *writer, const char *key,
			       struct err *err)
{
	const struct pipeline *pipeline = inference->model->package->pipeline;
	const unsigned n = pipeline_n_outputs(pipeline);
	struct decoded *outputs =
	    arena_array(inference->request->arena, n + 1, sizeof(*outputs));
	enum err_code rc = ERR_NONE;

	if (!outputs)
		return no_memory(err);
	if (inference->generation) {
		generation_write(inference->generation, writer, key);
		return ERR_NONE;
	}
	for (unsigned i = 0; i < n && !rc; i++) {
		rc = decode_output(inference, i, &outputs[i], err);
		if (!rc && outputs[i].n_rows != outputs[0].n_rows)
			rc = err_set(err, ERR_FORMAT,
				     "model '%s': its outputs have different "
				     "numbers of rows",
				     inference->model->package->name);
	}
	if (rc)
		return rc;
	json_write_array(writer, key);
	for (int64_t r = 0; n && r < outputs[0].n_rows; r++)
		write_row(pipeline, outputs, n, r, writer);
	json_write_array_end(writer);
	return ERR_NONE;
}
