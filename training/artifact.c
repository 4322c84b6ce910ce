/* SPDX-License-Identifier: Apache-2.0 */
#include "training/artifact.h"

#include <math.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/json_write.h"
#include "models/onnx.h"

#define MODEL_MAX_BYTES ((size_t)8 << 30)

enum { ABOUT_MAX = 256 << 20 };

static const char *const file_name[ARTIFACTS] = { "model.onnx", "model.yaml",
						  "config.resolved.json" };

void artifact_write_metrics(const struct trainer_eval *eval,
			    struct json_writer *writer)
{
	for (size_t i = 0; eval->name && eval->name[i]; i++) {
		if (!isnan(eval->value[i]))
			json_write_double(writer, eval->name[i],
					  eval->value[i]);
	}
}

/* model.yaml is JSON, which is YAML too. */
static enum err_code write_about(const struct artifact_source *source,
				 struct buf *buf, struct err *err)
{
	struct json_writer w;
	char now[CLOCK_TEXT_MAX];

	clock_format_iso8601(clock_realtime_ms(), now);
	json_write_init(&w, buf);
	json_write_object(&w, NULL);
	json_write_int(&w, "format", 1);
	pipeline_save(source->pipeline, &w);
	json_write_object(&w, "metrics");
	artifact_write_metrics(source->eval, &w);
	json_write_object_end(&w);
	json_write_object(&w, "lineage");
	json_write_string(&w, "job", source->job_id);
	json_write_string(&w, "job_name", source->spec->name);
	json_write_string(&w, "data", source->spec->data.source);
	json_write_string(&w, "data_sha256", source->fingerprint);
	json_write_int(&w, "seed", source->spec->trainer.seed);
	json_write_int(&w, "step", source->eval->step);
	json_write_string(&w, "trained_at", now);
	json_write_string(&w, "trained_by", "predictd " PREDICTD_VERSION);
	json_write_object_end(&w);
	json_write_object_end(&w);
	return buf_check(buf, file_name[ARTIFACT_ABOUT], err);
}

/* Of all weights, and some more. */
static size_t variable_bytes(const struct graph *graph)
{
	size_t bytes = (size_t)1 << 16;

	for (int32_t v = 0; v < graph->n_variable; v++)
		bytes += tensor_bytes(graph->variable[v].view.dtype,
				      &graph->variable[v].view.shape) +
			 256;
	return bytes;
}

enum err_code artifacts_init(struct artifacts *artifacts,
			     const struct artifact_source *source,
			     struct err *err)
{
	const struct onnx_write_options options = {
		.producer_version = PREDICTD_VERSION,
		.graph_name = source->spec->name ? source->spec->name : "model",
	};
	enum err_code rc;

	buf_init(&artifacts->buf[ARTIFACT_MODEL], MODEL_MAX_BYTES);
	buf_init(&artifacts->buf[ARTIFACT_ABOUT], ABOUT_MAX);
	buf_init(&artifacts->buf[ARTIFACT_SPEC], ABOUT_MAX);
	/* at once: a buffer that grows is there twice for a moment */
	if (!buf_reserve(&artifacts->buf[ARTIFACT_MODEL],
			 variable_bytes(source->graph)))
		return err_set(err, ERR_NO_MEMORY,
			       "artifacts: no memory for the model");
	rc = onnx_write(source->graph, source->signature, &options,
			&artifacts->buf[ARTIFACT_MODEL], err);
	if (!rc)
		rc = write_about(source, &artifacts->buf[ARTIFACT_ABOUT], err);
	if (!rc)
		rc = job_spec_write(source->spec,
				    &artifacts->buf[ARTIFACT_SPEC], err);
	if (rc) {
		artifacts_finish(artifacts);
		return rc;
	}
	for (int i = 0; i < ARTIFACTS; i++)
		artifacts->file[i] = (struct repository_file){
			.name = file_name[i],
			.bytes = artifacts->buf[i].data,
			.len = artifacts->buf[i].len,
		};
	return ERR_NONE;
}

void artifacts_finish(struct artifacts *artifacts)
{
	for (int i = 0; i < ARTIFACTS; i++)
		buf_finish(&artifacts->buf[i]);
}

static enum err_code save(const struct repository_file *file, const char *name,
			  const char *dir, struct err *err)
{
	char path[4096];

	if (snprintf(path, sizeof(path), "%s/%s", dir, name) >=
	    (int)sizeof(path))
		return err_set(err, ERR_INVALID, "'%s': the path is too long",
			       dir);
	return file_write_atomic(path, file->bytes, file->len, err);
}

enum err_code artifacts_save(const struct artifacts *artifacts, const char *dir,
			     struct err *err)
{
	enum err_code rc = file_make_dirs(dir, err);

	for (int i = 0; i < ARTIFACTS && !rc; i++)
		rc = save(&artifacts->file[i], file_name[i], dir, err);
	/* for those who look for YAML, which JSON is */
	return rc ? rc
		  : save(&artifacts->file[ARTIFACT_SPEC],
			 "config.resolved.yaml", dir, err);
}
