/* SPDX-License-Identifier: Apache-2.0 */
#include "training/job_spec.h"

#include <stddef.h>

#include "base/buf.h"
#include "base/json_write.h"
#include "base/str.h"
#include "models/network.h"
#include "training/job_spec_priv.h"
#include "training/metric.h"

/* The metrics of a type, as events carry them: train_x, valid_x, test_x. */
static enum err_code name_metrics(struct job_spec *spec, struct arena *arena,
				  struct err *err)
{
	static const char *const part[] = { "train", "valid", "test" };
	const struct metric *metric = metrics_of(spec->loss.kind->measures);
	const char **name =
	    arena_array(arena, 3 * METRIC_MAX + 1, sizeof(*name));
	size_t n = 0;

	if (!name)
		goto no_memory;
	for (size_t i = 0; i < 3; i++) {
		for (const struct metric *m = metric; m->name; m++) {
			if (i == 0 && !m->value)
				continue; /* not of training rows */
			name[n] =
			    arena_printf(arena, "%s_%s", part[i], m->name);
			if (!name[n++])
				goto no_memory;
		}
	}
	spec->metrics = name;
	return ERR_NONE;
no_memory:
	return err_set(err, ERR_NO_MEMORY, "metrics: out of memory");
}

/* Features are read into a pipeline for their checks, which is then dropped;
 * the worker makes its own. */
static enum err_code check_features(struct job_spec *spec, struct arena *arena,
				    struct err *err)
{
	const struct doc *first;
	struct pipeline *pipeline = NULL;
	enum dtype dtype;
	struct shape row;
	int64_t width;
	enum err_code rc;

	rc = pipeline_create(spec->input_features, spec->output_features,
			     &pipeline, err);
	if (rc)
		return rc;
	if (pipeline_n_outputs(pipeline) != 1) {
		rc =
		    err_set(err, ERR_UNSUPPORTED,
			    "output_features: a job trains one output feature, "
			    "got %u",
			    pipeline_n_outputs(pipeline));
		goto out;
	}
	spec->output_type =
	    arena_strdup(arena, pipeline_output_type(pipeline, 0));
	if (!spec->output_type) {
		rc = err_set(err, ERR_NO_MEMORY, "features: out of memory");
		goto out;
	}
	for (unsigned i = 0; i < pipeline_n_inputs(pipeline); i++) {
		pipeline_input_row(pipeline, i, &dtype, &row);
		if (shape_count(&row) == 0 &&
		    str_equal(spec->data.source, "synthetic")) {
			rc = err_set(err, ERR_INVALID,
				     "feature '%s': synthetic rows need a "
				     "shape [channels, height, width]",
				     pipeline_input_name(pipeline, i));
			goto out;
		}
		if (dtype == DTYPE_F32 || spec->index_input)
			continue;
		spec->index_input =
		    arena_strdup(arena, pipeline_input_name(pipeline, i));
	}
	spec->has_pictures = pipeline_can_augment(pipeline);
	pipeline_target_row(pipeline, 0, &dtype, &row, &width);
	first = spec->output_features->first;
	rc = loss_read(doc_find(first, "loss"), spec->output_type, width,
		       &spec->loss, arena, err);
out:
	pipeline_destroy(pipeline);
	return rc;
}

static enum err_code resolve_monitor(struct job_spec *spec, struct err *err)
{
	struct trainer_spec *trainer = &spec->trainer;
	const char *near, *measure;

	if (str_starts_with(trainer->monitor, "test_"))
		return err_set(err, ERR_INVALID,
			       "trainer.monitor: '%s' is measured once, at the "
			       "end; expected a metric that begins with train_ "
			       "or valid_",
			       trainer->monitor);
	for (size_t i = 0; spec->metrics[i]; i++) {
		if (!str_equal(spec->metrics[i], trainer->monitor))
			continue;
		measure = strchr(trainer->monitor, '_') + 1;
		for (const struct metric *m =
			 metrics_of(spec->loss.kind->measures);
		     m->name; m++) {
			if (!str_equal(m->name, measure))
				continue;
			if (trainer->mode == MODE_AUTO)
				trainer->mode =
				    m->is_better_high ? MODE_MAX : MODE_MIN;
		}
		return ERR_NONE;
	}
	near = field_nearest(trainer->monitor, spec->metrics);
	return err_set(err, ERR_INVALID,
		       "trainer.monitor: this job has no metric '%s'%s%s%s",
		       trainer->monitor, near ? ", did you mean '" : "",
		       near ? near : "", near ? "'?" : "");
}

/* A list of phases says how many epochs there are. */
static enum err_code read_phases(struct job_spec *spec, struct arena *arena,
				 struct err *err)
{
	struct trainer_spec *t = &spec->trainer;
	const struct phase_spec usual = {
		.epochs = t->epochs,
		.freeze_doc = t->freeze,
		.rates_doc = t->learning_rate,
		.schedule_doc = t->schedule,
	};
	enum err_code rc =
	    phases_read(t->phases, &usual, &spec->phases, arena, err);

	if (!rc && doc_find(spec->trainer_map, "epochs") &&
	    t->epochs != spec->phases.epochs)
		rc = err_set(err, ERR_INVALID,
			     "trainer: 'epochs' is %lld, but the phases have "
			     "%lld together; they say it, so leave it out",
			     (long long)t->epochs,
			     (long long)spec->phases.epochs);
	if (!rc)
		t->epochs = spec->phases.epochs;
	return rc;
}

static enum err_code read_parts(struct job_spec *spec, struct arena *arena,
				struct err *err)
{
	struct trainer_spec *t = &spec->trainer;
	enum err_code rc;

	rc = dataset_spec_read(spec->data_map, &spec->data, arena, err);
	if (!rc)
		rc = check_features(spec, arena, err);
	if (!rc)
		rc = augment_read(spec->augmentation_map, &spec->augmentation,
				  arena, err);
	if (!rc && spec->augmentation.is_on && !spec->has_pictures)
		rc = err_set(err, ERR_INVALID,
			     "augmentation: expected an image among the input "
			     "features");
	if (!rc)
		rc = name_metrics(spec, arena, err);
	if (!rc)
		rc = job_spec_read_trainer(spec, arena, err);
	if (!rc && spec->data.sampling &&
	    !str_equal(spec->output_type, "category"))
		rc =
		    err_set(err, ERR_INVALID,
			    "data.sampling: classes are made equally frequent, "
			    "so the output feature must be a category, got a "
			    "%s",
			    spec->output_type);
	if (!rc && spec->mixup.alpha > 0 && spec->index_input)
		rc = err_set(err, ERR_INVALID,
			     "trainer.mixup: input feature '%s' is a category, "
			     "which cannot be mixed",
			     spec->index_input);
	if (!rc)
		rc = optimizer_read(t->optimizer, &spec->optimizer, arena, err);
	if (!rc)
		rc = read_phases(spec, arena, err);
	if (!rc)
		rc = resolve_monitor(spec, err);
	if (!rc && spec->publish.when)
		rc = condition_parse(spec->publish.when, "publish.when",
				     spec->metrics, arena,
				     &spec->publish.condition, err);
	return rc;
}

/* base_model: M is {onnx: M} with the rest of the map `model`, which need not
 * be there. */
static enum err_code resolve_model(struct job_spec *spec, struct arena *arena,
				   struct err *err)
{
	static const char *const others[] = { "type", "layers", "onnx" };
	struct doc *model, *copy;

	if (spec->model && spec->model->kind == DOC_NULL)
		spec->model = NULL;
	if (!spec->model && !spec->base_model)
		return err_set(err, ERR_INVALID,
			       "job: 'model' is missing: a map such as {type: "
			       "cnn} or {layers: [...]}; or 'base_model', the "
			       "name of a model to go on from");
	if (spec->model && spec->model->kind != DOC_MAP)
		return err_set(err, ERR_INVALID,
			       "job: 'model' must be a map such as {type: cnn} "
			       "or {layers: [...]}");
	if (!spec->base_model)
		return ERR_NONE;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		if (doc_find(spec->model, others[i]))
			return err_set(err, ERR_INVALID,
				       "job: 'base_model' is the network, so "
				       "model has no '%s'",
				       others[i]);
	}
	model = doc_new(arena, DOC_MAP);
	copy = doc_new_text(arena, spec->base_model);
	if (!model || !copy)
		goto no_memory;
	doc_add(model, "onnx", copy);
	for (const struct doc *at = spec->model ? spec->model->first : NULL; at;
	     at = at->next) {
		copy = doc_new(arena, at->kind);
		if (!copy)
			goto no_memory;
		*copy = *at;
		copy->next = NULL;
		doc_add(model, at->key, copy);
	}
	spec->model = model;
	return ERR_NONE;
no_memory:
	return err_set(err, ERR_NO_MEMORY, "job: out of memory");
}

enum err_code job_spec_read(const struct doc *doc, struct job_spec *ret,
			    struct arena *arena, struct err *err)
{
	struct job_spec spec = { 0 };
	enum err_code rc;

	if (doc->kind != DOC_MAP)
		return err_set(err, ERR_INVALID,
			       "a job must be a map with data, input_features, "
			       "output_features and model, got %s",
			       doc_describe(doc, arena));
	rc = field_read(job_spec_fields, doc, "job", NULL, &spec, arena, err);
	if (rc)
		return rc;
	rc = resolve_model(&spec, arena, err);
	if (rc)
		return rc;
	rc = network_check(spec.model, arena, err);
	if (rc)
		return rc;
	rc = read_parts(&spec, arena, err);
	if (rc)
		return rc;
	*ret = spec;
	return ERR_NONE;
}

enum err_code job_spec_parse(const char *text, size_t len, const char *name,
			     struct job_spec *ret, struct arena *arena,
			     struct err *err)
{
	struct doc *doc;
	size_t i = 0;
	enum err_code rc;

	while (i < len && strchr(" \t\r\n", text[i]))
		i++;
	if (i < len && text[i] == '{')
		rc = doc_parse_json(text, len, name, arena, &doc, err);
	else
		rc = doc_parse_yaml(text, len, name, arena, &doc, err);
	return rc ? rc : job_spec_read(doc, ret, arena, err);
}

/* The one output feature, with its loss as resolved. */
static void write_output(const struct job_spec *spec,
			 struct json_writer *writer)
{
	const struct doc *feature = spec->output_features->first;

	json_write_array(writer, "output_features");
	json_write_object(writer, NULL);
	for (const struct doc *key = feature->first; key; key = key->next) {
		if (!str_equal(key->key, "loss"))
			json_write_doc(writer, key->key, key);
	}
	loss_write(&spec->loss, writer);
	json_write_object_end(writer);
	json_write_array_end(writer);
}

enum err_code job_spec_write(const struct job_spec *spec, struct buf *buf,
			     struct err *err)
{
	struct json_writer writer;

	json_write_init(&writer, buf);
	json_write_object(&writer, NULL);
	json_write_string(&writer, "name", spec->name);
	if (spec->resume_from)
		json_write_string(&writer, "resume_from", spec->resume_from);
	json_write_object(&writer, "data");
	dataset_spec_write(&spec->data, &writer);
	json_write_object_end(&writer);
	json_write_doc(&writer, "input_features", spec->input_features);
	write_output(spec, &writer);
	json_write_doc(&writer, "model", spec->model);
	augment_write(&spec->augmentation, &writer);
	job_spec_write_trainer(spec, &writer);
	json_write_object_end(&writer);
	return buf_check(buf, "the resolved job spec", err);
}
