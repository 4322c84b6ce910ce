/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * What TensorFlow Serving tells of a model: states of its versions, and its
 * signature.
 */
#include <inttypes.h>

#include "base/json_write.h"
#include "server/api_demand.h"
#include "server/api_handlers.h"
#include "server/inference.h"
#include "server/model_cache.h"
#include "server/server_priv.h"

/* --- status --- */

/* One that is parked is still to come. */
static const char *tfs_state(const struct model_row *row)
{
	static const char *const names[] = { "AVAILABLE", "END", "LOADING",
					     "UNLOADING" };

	return row->is_parked && row->state == MODEL_UNAVAILABLE
		   ? "START"
		   : names[row->state];
}

static void write_status(struct json_writer *w, const struct model_row *row)
{
	/* what was asked for is no error */
	const bool is_wanted = row->is_parked || row->is_held;
	const char *reason = is_wanted ? "" : row->reason;
	char version[24];

	(void)snprintf(version, sizeof(version), "%" PRId64, row->version);
	json_write_object(w, NULL);
	json_write_string(w, "version", version);
	json_write_string(w, "state", tfs_state(row));
	json_write_object(w, "status");
	json_write_string(w, "error_code", *reason ? "UNKNOWN" : "OK");
	json_write_string(w, "error_message", reason);
	json_write_object_end(w);
	json_write_object_end(w);
}

/* Rows of that version (0: of all) that have one; returns how many. */
static size_t write_rows(struct json_writer *w, const struct model_row *rows,
			 size_t n, int64_t version)
{
	size_t n_written = 0;

	json_write_object(w, NULL);
	json_write_array(w, "model_version_status");
	for (size_t i = 0; i < n; i++)
		if (rows[i].version &&
		    (!version || rows[i].version == version)) {
			write_status(w, &rows[i]);
			n_written++;
		}
	json_write_array_end(w);
	json_write_object_end(w);
	return n_written;
}

enum err_code api_tfs_status(struct api_request *request, struct err *err)
{
	struct model_row *rows;
	struct json_writer w;
	size_t n, n_written;
	int64_t version;
	enum err_code rc = api_version_wanted(request, &version, err);

	if (!rc)
		rc = model_cache_list(request->context->models,
				      request->param[0], request->arena, &rows,
				      &n, err);
	if (rc)
		return rc;
	api_answer_json(request, 200, &w);
	n_written = write_rows(&w, rows, n, version);
	model_cache_list_free(rows, n);
	return version && !n_written ? api_no_version(request, err) : ERR_NONE;
}

/* --- what is not offered --- */

enum err_code api_tfs_examples(struct api_request *request, struct err *err)
{
	(void)request;
	return err_set(err, ERR_NOT_OFFERED,
		       "classify and regress take tf.Example messages, which "
		       "are not offered: send rows to :predict");
}

/* --- metadata --- */

/* TensorFlow's name of a type (its types.proto). */
static const char *tf_type(enum dtype dtype)
{
	static const struct {
		enum dtype dtype;
		const char *name;
	} rows[] = {
		{ DTYPE_F32, "DT_FLOAT" },     { DTYPE_F64, "DT_DOUBLE" },
		{ DTYPE_F16, "DT_HALF" },      { DTYPE_BF16, "DT_BFLOAT16" },
		{ DTYPE_I8, "DT_INT8" },       { DTYPE_I16, "DT_INT16" },
		{ DTYPE_I32, "DT_INT32" },     { DTYPE_I64, "DT_INT64" },
		{ DTYPE_U8, "DT_UINT8" },      { DTYPE_U16, "DT_UINT16" },
		{ DTYPE_U32, "DT_UINT32" },    { DTYPE_U64, "DT_UINT64" },
		{ DTYPE_STRING, "DT_STRING" }, { DTYPE_BOOL, "DT_BOOL" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (rows[i].dtype == dtype)
			return rows[i].name;
	return "DT_INVALID";
}

/* As protobuf's JSON has it: 64-bit integers are texts. */
static void write_shape(struct json_writer *w,
			const struct signature_port *port)
{
	char size[24];

	json_write_object(w, "tensor_shape");
	json_write_array(w, "dim");
	for (unsigned d = 0; port->has_rank && d < port->rank; d++) {
		(void)snprintf(size, sizeof(size), "%" PRId64,
			       port->dim[d].extent);
		json_write_object(w, NULL);
		json_write_string(w, "size", size);
		json_write_string(w, "name", "");
		json_write_object_end(w);
	}
	json_write_array_end(w);
	json_write_bool(w, "unknown_rank", !port->has_rank);
	json_write_object_end(w);
}

static void write_ports(struct json_writer *w, const char *key,
			const struct signature_port *ports, unsigned n)
{
	json_write_object(w, key);
	for (unsigned i = 0; i < n; i++) {
		json_write_object(w, ports[i].name);
		json_write_string(w, "dtype", tf_type(ports[i].dtype));
		write_shape(w, &ports[i]);
		json_write_string(w, "name", ports[i].name);
		json_write_object_end(w);
	}
	json_write_object_end(w);
}

static void write_metadata(struct json_writer *w,
			   const struct served_model *model)
{
	const struct model_signature *signature = &model->package->signature;

	json_write_object(w, NULL);
	json_write_object(w, "model_spec");
	json_write_string(w, "name", model->package->name);
	json_write_string(w, "signature_name", "");
	json_write_string(w, "version", model->version);
	json_write_object_end(w);
	json_write_object(w, "metadata");
	json_write_object(w, "signature_def");
	json_write_object(w, "signature_def");
	json_write_object(w, "serving_default");
	write_ports(w, "inputs", signature->input, signature->n_inputs);
	write_ports(w, "outputs", signature->output, signature->n_outputs);
	json_write_string(w, "method_name", "tensorflow/serving/predict");
	for (unsigned depth = 0; depth < 5; depth++)
		json_write_object_end(w);
}

enum err_code api_tfs_metadata(struct api_request *request, struct err *err)
{
	struct served_model *model;
	struct json_writer w;
	enum err_code rc = api_find_model(request, request->param[0],
					  request->param[1], &model, err);

	if (rc)
		return rc;
	api_answer_json(request, 200, &w);
	write_metadata(&w, model);
	served_model_unref(model);
	return ERR_NONE;
}
