/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>

#include "base/doc.h"
#include "base/json_write.h"
#include "data/pipeline.h"
#include "server/api_handlers.h"
#include "server/model_cache.h"
#include "server/server_priv.h"

static void write_signature(struct json_writer *w, const char *key,
			    const struct signature_port *ports, unsigned n)
{
	json_write_array(w, key);
	for (unsigned i = 0; i < n; i++) {
		const struct dtype_info *info = dtype_info(ports[i].dtype);

		json_write_object(w, NULL);
		json_write_string(w, "name", ports[i].name);
		json_write_string(w, "datatype",
				  info->v2_name ? info->v2_name : info->name);
		json_write_array(w, "shape");
		for (unsigned d = 0; ports[i].has_rank && d < ports[i].rank;
		     d++)
			json_write_int(w, NULL, ports[i].dim[d].extent);
		json_write_array_end(w);
		json_write_object_end(w);
	}
	json_write_array_end(w);
}

/* What model.yaml tells of the version beside how to run it. */
static void write_about(struct json_writer *w, const struct doc *about)
{
	static const char *const keys[] = { "metrics", "lineage", "labels",
					    "description" };

	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		const struct doc *member = doc_find(about, keys[i]);

		if (member)
			json_write_doc(w, keys[i], member);
	}
}

static void write_notes(struct json_writer *w,
			const struct model_signature *signature)
{
	if (!signature->n_notes)
		return;
	json_write_object(w, "metadata");
	for (unsigned i = 0; i < signature->n_notes; i++)
		json_write_string(w, signature->note[i].key,
				  signature->note[i].value);
	json_write_object_end(w);
}

static void write_features(struct json_writer *w,
			   const struct pipeline *pipeline)
{
	if (!pipeline)
		return;
	json_write_array(w, "input_features");
	for (unsigned i = 0; i < pipeline_n_inputs(pipeline); i++) {
		json_write_object(w, NULL);
		json_write_string(w, "name", pipeline_input_name(pipeline, i));
		json_write_string(w, "type", pipeline_input_type(pipeline, i));
		json_write_object_end(w);
	}
	json_write_array_end(w);
	json_write_array(w, "output_features");
	for (unsigned i = 0; i < pipeline_n_outputs(pipeline); i++) {
		json_write_object(w, NULL);
		json_write_string(w, "name", pipeline_output_name(pipeline, i));
		json_write_string(w, "type", pipeline_output_type(pipeline, i));
		json_write_object_end(w);
	}
	json_write_array_end(w);
}

/* How the version came to be served. */
static void write_load(struct json_writer *w, const struct served_model *model)
{
	json_write_object(w, "load");
	json_write_double(w, "prepare_ms", (double)model->load_ns / 1e6);
	json_write_bool(w, "weights_only", model->is_weights_only);
	json_write_uint(w, "plans_made_beside", model->n_followed);
	json_write_object_end(w);
}

static void write_traffic(struct json_writer *w,
			  const struct model_stats *stats)
{
	if (!stats)
		return;
	json_write_object(w, "traffic");
	json_write_uint(w, "requests",
			atomic_load_explicit(&stats->phase[PHASE_SUCCESS].count,
					     memory_order_relaxed));
	json_write_uint(w, "failures",
			atomic_load_explicit(&stats->phase[PHASE_FAIL].count,
					     memory_order_relaxed));
	json_write_uint(
	    w, "rows",
	    atomic_load_explicit(&stats->n_inference, memory_order_relaxed));
	json_write_object_end(w);
}

static void write_precision(struct json_writer *w,
			    const struct package *package)
{
	const struct precision_report *report = &package->precision;

	json_write_object(w, "precision");
	json_write_string(w, "name", precision_name(report->precision));
	if (report->precision != PRECISION_FP32) {
		json_write_string(w, "arithmetic",
				  report->is_narrow
				      ? precision_name(report->precision)
				      : precision_name(PRECISION_FP32));
		json_write_uint(w, "layers", report->n_layers);
		json_write_uint(w, "narrow_layers", report->n_narrow);
		json_write_string(w, "rows",
				  package->is_calibrated ? "given" : "random");
		json_write_uint(w, "n_rows", report->n_rows);
		json_write_double(w, "deviation", report->deviation);
		json_write_double(w, "largest_output", report->largest);
	}
	json_write_object_end(w);
}

static void write_version(struct json_writer *w, const struct model_row *row,
			  bool in_full)
{
	const struct package *package = row->model ? row->model->package : NULL;
	char version[24];

	(void)snprintf(version, sizeof(version), "%" PRId64, row->version);
	json_write_object(w, NULL);
	json_write_string(w, "version", version);
	json_write_string(w, "state", model_state_name(row->state));
	if (*row->reason)
		json_write_string(w, "reason", row->reason);
	json_write_bool(w, "is_default", row->is_default);
	json_write_array(w, "labels");
	for (size_t i = 0; i < row->n_labels; i++)
		json_write_string(w, NULL, row->label[i]);
	json_write_array_end(w);
	if (row->is_parked)
		json_write_bool(w, "is_parked", true);
	if (package) {
		json_write_uint(w, "bytes", package->bytes);
		json_write_int(w, "max_batch_size", row->model->max_batch);
	}
	if (package && in_full) {
		write_load(w, row->model);
		write_signature(w, "inputs", package->signature.input,
				package->signature.n_inputs);
		write_signature(w, "outputs", package->signature.output,
				package->signature.n_outputs);
		write_features(w, package->pipeline);
		write_about(w, package->about);
		write_precision(w, package);
		write_notes(w, &package->signature);
		load_report_write(&row->model->report, w);
	}
	write_traffic(w, row->stats);
	json_write_object_end(w);
}

/* The rows of one model, from rows[i] on; returns the first of the next. */
static size_t write_model(struct json_writer *w, const struct model_row *rows,
			  size_t n, size_t i, bool in_full)
{
	const char *name = rows[i].name;
	char version[24];

	json_write_object(w, NULL);
	json_write_string(w, "name", name);
	for (size_t j = i; j < n && strcmp(rows[j].name, name) == 0; j++)
		if (rows[j].is_default) {
			(void)snprintf(version, sizeof(version), "%" PRId64,
				       rows[j].version);
			json_write_string(w, "default_version", version);
		}
	json_write_array(w, "versions");
	for (; i < n && strcmp(rows[i].name, name) == 0; i++)
		if (rows[i].version)
			write_version(w, &rows[i], in_full);
	json_write_array_end(w);
	json_write_object_end(w);
	return i;
}

enum err_code api_models_list(struct api_request *request, struct err *err)
{
	struct model_row *rows;
	struct json_writer w;
	size_t n, i = 0;
	enum err_code rc;

	rc = model_cache_list(request->context->models, NULL, request->arena,
			      &rows, &n, err);
	if (rc)
		return rc;
	api_answer_json(request, 200, &w);
	json_write_object(&w, NULL);
	json_write_array(&w, "models");
	while (i < n)
		i = write_model(&w, rows, n, i, false);
	json_write_array_end(&w);
	json_write_object_end(&w);
	model_cache_list_free(rows, n);
	return ERR_NONE;
}

enum err_code api_models_show(struct api_request *request, struct err *err)
{
	struct model_row *rows;
	struct json_writer w;
	size_t n;
	enum err_code rc;

	rc = model_cache_list(request->context->models, request->param[0],
			      request->arena, &rows, &n, err);
	if (rc)
		return rc;
	api_answer_json(request, 200, &w);
	(void)write_model(&w, rows, n, 0, true);
	model_cache_list_free(rows, n);
	return ERR_NONE;
}
