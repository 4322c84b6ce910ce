/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>

#include "base/json_write.h"
#include "base/str.h"
#include "models/repository.h"
#include "training/job_spec_priv.h"

static const char *const mode_names[] = { "auto", "min", "max", NULL };
/* in the order of enum products */
static const char *const precision_names[] = { "fp32", "bf16", NULL };

#define JOB(text, of, member, how)                          \
	{                                                   \
		.name = text, .help = of, .kind = how,      \
		.offset = offsetof(struct job_spec, member) \
	}
#define NEED(text, of, member)                               \
	{                                                    \
		.name = text, .help = of, .kind = FIELD_DOC, \
		.offset = offsetof(struct job_spec, member), \
		.flags = FIELD_REQUIRED                      \
	}
const struct field job_spec_fields[] = {
	JOB("name", "shown in lists", name, FIELD_STRING),
	JOB("base_model",
	    "MODEL or MODEL/VERSION of the repository to go on from",
	    base_model, FIELD_STRING),
	JOB("resume_from",
	    "JOB or JOB/ckpt-N whose checkpoint the run goes on from",
	    resume_from, FIELD_STRING),
	NEED("data", "where the rows come from", data_map),
	NEED("input_features", "what the model takes", input_features),
	NEED("output_features", "what it predicts", output_features),
	JOB("model", "the network: {type: ...} or {layers: [...]}", model,
	    FIELD_DOC),
	JOB("augmentation", "how pictures of the training part change",
	    augmentation_map, FIELD_DOC),
	JOB("trainer", "how it learns", trainer_map, FIELD_DOC),
	JOB("resources", "threads, nice, memory_limit, priority", resources_map,
	    FIELD_DOC),
	JOB("publish", "where the model goes", publish_map, FIELD_DOC),
	{ 0 },
};

#define T(member) offsetof(struct trainer_spec, member)
#define COUNT(text, of, where, low, high, value)                              \
	{                                                                     \
		.name = text, .help = of, .kind = FIELD_INT, .offset = where, \
		.min = low, .max = high, .def = value                         \
	}
#define MAP(text, of, where)                                                 \
	{                                                                    \
		.name = text, .help = of, .kind = FIELD_DOC, .offset = where \
	}
static const struct field trainer_fields[] = {
	COUNT("epochs", "passes over the training part", T(epochs), 1, 1e6, 10),
	COUNT("max_steps", "end after so many steps; 0: none", T(max_steps), 0,
	      1e12, 0),
	{ .name = "max_time",
	  .help = "end after so long, such as 30m; 0: none",
	  .kind = FIELD_SECONDS,
	  .offset = T(max_time),
	  .min = 0,
	  .max = 1e9 },
	COUNT("batch_size", "rows of a step", T(batch_size), 1, 65536, 64),
	COUNT("eval_batch_size", "rows of an evaluation's run; 0: batch_size",
	      T(eval_batch_size), 0, 65536, 0),
	COUNT("gradient_accumulation_steps", "batches of one step",
	      T(gradient_accumulation_steps), 1, 65536, 1),
	COUNT("evaluate_every_n_steps", "besides each epoch's end; 0: never",
	      T(evaluate_every_n_steps), 0, 1e12, 0),
	MAP("learning_rate", "a number, a list by groups, {from, to} or auto",
	    T(learning_rate)),
	MAP("learning_rate_scheduler", "type and its parameters", T(schedule)),
	MAP("optimizer", "type and its parameters", T(optimizer)),
	MAP("freeze", "layers that are not trained", T(freeze)),
	MAP("phases", "stretches of the job, each with its own", T(phases)),
	MAP("mixup", "alpha", T(mixup)),
	MAP("activation_regularization", "alpha, beta", T(activation)),
	MAP("watch", "update_ratio, dead_units", T(watch)),
	MAP("averaging", "type, decay, start_epoch", T(averaging)),
	MAP("on_nan", "action, lr_factor, max_retries", T(on_nan)),
	MAP("gradient_clipping", "max_norm, max_value", T(clipping)),
	{ .name = "monitor",
	  .help = "metric that says which weights are best",
	  .kind = FIELD_STRING,
	  .offset = T(monitor),
	  .def_text = "valid_loss" },
	{ .name = "mode",
	  .help = "is a lower or a higher monitor better",
	  .kind = FIELD_ENUM,
	  .offset = T(mode),
	  .names = mode_names },
	MAP("early_stopping", "patience, min_delta, min_epochs, restore_best",
	    T(early_stopping)),
	MAP("checkpoint", "when to save, how many to keep", T(checkpoint)),
	COUNT("seed", "of weights, order and dropout", T(seed), 0,
	      9007199254740991., 42),
	{ .name = "precision",
	  .help = "fp32, or bf16: a step's products are of rounded operands",
	  .kind = FIELD_ENUM,
	  .offset = T(precision),
	  .names = precision_names },
	{ .name = "cache_features",
	  .help = "a frozen body is run over the rows once, not in every epoch",
	  .kind = FIELD_BOOL,
	  .offset = T(cache_features),
	  .def = 1 },
	{ .name = "deterministic",
	  .help = "the same bits for any number of threads (always so)",
	  .kind = FIELD_BOOL,
	  .offset = T(deterministic),
	  .def = 1 },
	{ 0 },
};

static const struct field clipping_fields[] = {
	{ .name = "max_norm",
	  .help = "scale the gradient down to this norm; 0: never",
	  .kind = FIELD_DOUBLE,
	  .offset = offsetof(struct clipping_spec, max_norm),
	  .min = 0,
	  .max = 1e30 },
	{ .name = "max_value",
	  .help = "cut each element to this; 0: never",
	  .kind = FIELD_DOUBLE,
	  .offset = offsetof(struct clipping_spec, max_value),
	  .min = 0,
	  .max = 1e30 },
	{ 0 },
};

/* A map that is left out means none, an empty one what is usual. */
static const struct field mixup_fields[] = {
	{ .name = "alpha",
	  .help = "rows are mixed by shares of Beta(alpha, alpha); 0: not",
	  .kind = FIELD_DOUBLE,
	  .offset = offsetof(struct mixup_spec, alpha),
	  .min = 0,
	  .max = 1e3,
	  .def = 0.4 },
	{ 0 },
};

static const struct field activation_fields[] = {
	{ .name = "alpha",
	  .help = "times the mean square of recurrent outputs; 0: not",
	  .kind = FIELD_DOUBLE,
	  .offset = offsetof(struct activation_spec, alpha),
	  .min = 0,
	  .max = 1e6,
	  .def = 2 },
	{ .name = "beta",
	  .help = "times that of their change from step to step; 0: not",
	  .kind = FIELD_DOUBLE,
	  .offset = offsetof(struct activation_spec, beta),
	  .min = 0,
	  .max = 1e6,
	  .def = 1 },
	{ 0 },
};

static const struct field watch_fields[] = {
	{ .name = "update_ratio",
	  .help = "norm of a step over the norm of the weights, by group",
	  .kind = FIELD_BOOL,
	  .offset = offsetof(struct watch_spec, update_ratio),
	  .def = 1 },
	{ .name = "dead_units",
	  .help = "shares of units of relu layers that give 0 for every row",
	  .kind = FIELD_BOOL,
	  .offset = offsetof(struct watch_spec, dead_units),
	  .def = 1 },
	{ 0 },
};

static const char *const averaging_names[] = { "none", "ema", "swa", NULL };
static const char *const nan_names[] = { "fail", "rollback", NULL };

#define A(member) offsetof(struct averaging_spec, member)
static const struct field averaging_fields[] = {
	{ .name = "type",
	  .help = "none, ema after each step, swa after each epoch",
	  .kind = FIELD_ENUM,
	  .offset = A(type),
	  .names = averaging_names },
	{ .name = "decay",
	  .help = "of ema: share of the average that is kept",
	  .kind = FIELD_DOUBLE,
	  .offset = A(decay),
	  .min = 0,
	  .max = 1,
	  .def = 0.999 },
	COUNT("start_epoch", "epochs before it are left out", A(start_epoch), 0,
	      1e6, 0),
	{ 0 },
};

#define N(member) offsetof(struct nan_spec, member)
static const struct field nan_fields[] = {
	{ .name = "action",
	  .help = "fail, or rollback to the last checkpoint",
	  .kind = FIELD_ENUM,
	  .offset = N(action),
	  .names = nan_names },
	{ .name = "lr_factor",
	  .help = "of the learning rate from then on",
	  .kind = FIELD_DOUBLE,
	  .offset = N(lr_factor),
	  .min = 1e-9,
	  .max = 1,
	  .def = 0.5 },
	COUNT("max_retries", "then the job fails", N(max_retries), 0, 1000, 2),
	{ 0 },
};

#define E(member) offsetof(struct early_stopping_spec, member)
static const struct field early_fields[] = {
	COUNT("patience", "evaluations without improvement; -1: never stop",
	      E(patience), -1, 1e6, -1),
	{ .name = "min_delta",
	  .help = "what counts as improvement",
	  .kind = FIELD_DOUBLE,
	  .offset = E(min_delta),
	  .min = 0,
	  .max = 1e9 },
	COUNT("min_epochs", "never stop before", E(min_epochs), 0, 1e6, 0),
	{ .name = "restore_best",
	  .help = "the best weights are what is kept and published",
	  .kind = FIELD_BOOL,
	  .offset = E(restore_best),
	  .def = 1 },
	{ 0 },
};

#define C(member) offsetof(struct checkpoint_spec, member)
static const struct field checkpoint_fields[] = {
	COUNT("every_n_steps", "0: not by steps", C(every_n_steps), 0, 1e12, 0),
	COUNT("every_n_epochs", "0: not by epochs", C(every_n_epochs), 0, 1e6,
	      1),
	{ .name = "every_n_seconds",
	  .help = "0: not by time",
	  .kind = FIELD_SECONDS,
	  .offset = C(every_n_seconds),
	  .min = 0,
	  .max = 1e9,
	  .def = 60 },
	COUNT("keep_last", "newest checkpoints kept", C(keep_last), 1, 1000, 2),
	COUNT("keep_best",
	      "1: the best weights are in every checkpoint; restore_best needs "
	      "them anyway",
	      C(keep_best), 0, 1, 1),
	{ 0 },
};

#define R(member) offsetof(struct resources_spec, member)
static const struct field resources_fields[] = {
	COUNT("threads", "of the worker; 0: all that the daemon may use",
	      R(threads), 0, 1024, 0),
	COUNT("nice", "0 to 19; 19 gives way to everything", R(nice), 0, 19,
	      19),
	{ .name = "memory_limit",
	  .help = "of the job's own data, such as 2GiB; 0: none",
	  .kind = FIELD_BYTES,
	  .offset = R(memory_limit),
	  .min = 0,
	  .max = 1e15 },
	COUNT("priority", "higher starts earlier", R(priority), -1000, 1000, 0),
	{ 0 },
};

#define P(member) offsetof(struct publish_spec, member)
static const struct field publish_fields[] = {
	{ .name = "model",
	  .help = "name in the model repository",
	  .kind = FIELD_STRING,
	  .offset = P(model),
	  .flags = FIELD_REQUIRED },
	{ .name = "version",
	  .help = "a number that is not taken, or auto: the next one",
	  .kind = FIELD_DOC,
	  .offset = P(version_doc) },
	{ .name = "when",
	  .help = "such as valid_accuracy >= 0.9; left out: always",
	  .kind = FIELD_STRING,
	  .offset = P(when) },
	{ .name = "set_default",
	  .help = "the new version answers from then on",
	  .kind = FIELD_BOOL,
	  .offset = P(set_default),
	  .def = 1 },
	{ 0 },
};

static const struct doc *map_or_null(const struct doc *doc)
{
	return doc && doc->kind == DOC_NULL ? NULL : doc;
}

/* The maps in trainer and beside it. Mixup and penalties are off where theirs
 * are left out, whatever is the default in them. */
static enum err_code read_maps(struct job_spec *spec, struct arena *arena,
			       struct err *err)
{
	struct trainer_spec *t = &spec->trainer;
	const struct doc *publish = map_or_null(spec->publish_map);
	enum err_code rc;

	rc = field_read(clipping_fields, map_or_null(t->clipping),
			"trainer.gradient_clipping", NULL, &spec->clipping,
			arena, err);
	if (!rc && map_or_null(t->mixup))
		rc = field_read(mixup_fields, t->mixup, "trainer.mixup", NULL,
				&spec->mixup, arena, err);
	if (!rc && map_or_null(t->activation))
		rc = field_read(activation_fields, t->activation,
				"trainer.activation_regularization", NULL,
				&spec->activation, arena, err);
	if (!rc)
		rc =
		    field_read(watch_fields, map_or_null(t->watch),
			       "trainer.watch", NULL, &spec->watch, arena, err);
	if (!rc)
		rc = field_read(averaging_fields, map_or_null(t->averaging),
				"trainer.averaging", NULL, &spec->averaging,
				arena, err);
	if (!rc)
		rc = field_read(nan_fields, map_or_null(t->on_nan),
				"trainer.on_nan", NULL, &spec->on_nan, arena,
				err);
	if (!rc)
		rc = field_read(early_fields, map_or_null(t->early_stopping),
				"trainer.early_stopping", NULL,
				&spec->early_stopping, arena, err);
	if (!rc)
		rc = field_read(checkpoint_fields, map_or_null(t->checkpoint),
				"trainer.checkpoint", NULL, &spec->checkpoint,
				arena, err);
	if (!rc)
		rc = field_read(resources_fields,
				map_or_null(spec->resources_map), "resources",
				NULL, &spec->resources, arena, err);
	if (!rc && publish)
		rc = field_read(publish_fields, publish, "publish", NULL,
				&spec->publish, arena, err);
	return rc;
}

static enum err_code read_publish(struct publish_spec *publish, struct err *err)
{
	const struct doc *version = map_or_null(publish->version_doc);
	enum err_code rc;

	if (!publish->model)
		return ERR_NONE;
	rc = repository_check_name(publish->model, err);
	if (rc) {
		(void)err_prefix(err, "publish.model");
		return rc;
	}
	publish->version_doc = version;
	if (!version ||
	    (version->kind == DOC_STRING && str_equal(version->text, "auto")))
		return ERR_NONE;
	if (version->kind != DOC_INT || version->integer < 1)
		return err_set(err, ERR_INVALID,
			       "publish.version: expected auto or a number "
			       "above 0");
	publish->version = version->integer;
	return ERR_NONE;
}

enum err_code job_spec_read_trainer(struct job_spec *spec, struct arena *arena,
				    struct err *err)
{
	struct trainer_spec *t = &spec->trainer;
	enum err_code rc;

	rc = field_read(trainer_fields, map_or_null(spec->trainer_map),
			"trainer", NULL, t, arena, err);
	if (!rc)
		rc = read_maps(spec, arena, err);
	if (rc)
		return rc;
	t->optimizer = map_or_null(t->optimizer);
	t->schedule = map_or_null(t->schedule);
	if (t->eval_batch_size == 0)
		t->eval_batch_size = t->batch_size;
	return read_publish(&spec->publish, err);
}

void job_spec_schema_trainer(struct json_writer *writer)
{
	static const struct field_sub subs[] = {
		{ .name = "learning_rate_scheduler", .write = schedule_schema },
		{ .name = "optimizer", .write = optimizer_schema },
		{ .name = "phases", .write = phases_schema },
		{ .name = "mixup", .table = mixup_fields },
		{ .name = "activation_regularization",
		  .table = activation_fields },
		{ .name = "watch", .table = watch_fields },
		{ .name = "averaging", .table = averaging_fields },
		{ .name = "on_nan", .table = nan_fields },
		{ .name = "gradient_clipping", .table = clipping_fields },
		{ .name = "early_stopping", .table = early_fields },
		{ .name = "checkpoint", .table = checkpoint_fields },
		{ 0 },
	};

	field_schema(trainer_fields, NULL, subs, writer);
}

void job_spec_schema_resources(struct json_writer *writer)
{
	field_schema(resources_fields, NULL, NULL, writer);
}

void job_spec_schema_publish(struct json_writer *writer)
{
	field_schema(publish_fields, NULL, NULL, writer);
}

static void write_map(const char *key, const struct field *fields,
		      const void *from, struct json_writer *writer)
{
	json_write_object(writer, key);
	field_write(fields, from, writer);
	json_write_object_end(writer);
}

/* The plain members of trainer; its maps follow resolved. */
static void write_plain(const struct trainer_spec *t,
			struct json_writer *writer)
{
	static const char *const maps[] = {
		"learning_rate",  "learning_rate_scheduler",
		"freeze",	  "phases",
		"averaging",	  "on_nan",
		"optimizer",	  "gradient_clipping",
		"early_stopping", "checkpoint",
		"mixup",	  "activation_regularization",
		"watch"
	};
	struct field row[2] = { { 0 } };

	for (const struct field *f = trainer_fields; f->name; f++) {
		bool is_map = false;

		for (size_t i = 0; i < sizeof(maps) / sizeof(maps[0]); i++)
			is_map = is_map || str_equal(f->name, maps[i]);
		row[0] = *f;
		if (!is_map)
			field_write(row, t, writer);
	}
}

void job_spec_write_trainer(const struct job_spec *spec,
			    struct json_writer *writer)
{
	const struct phase_spec *phase = &spec->phases.phase[0];

	json_write_object(writer, "trainer");
	write_plain(&spec->trainer, writer);
	if (spec->phases.is_list) {
		phases_write(&spec->phases, writer);
	} else {
		if (phase->freeze.doc)
			json_write_doc(writer, "freeze", phase->freeze.doc);
		rates_write(&phase->rates, writer);
		schedule_write(&phase->schedule, writer);
	}
	optimizer_write(&spec->optimizer, writer);
	write_map("gradient_clipping", clipping_fields, &spec->clipping,
		  writer);
	write_map("mixup", mixup_fields, &spec->mixup, writer);
	write_map("activation_regularization", activation_fields,
		  &spec->activation, writer);
	write_map("watch", watch_fields, &spec->watch, writer);
	write_map("averaging", averaging_fields, &spec->averaging, writer);
	write_map("on_nan", nan_fields, &spec->on_nan, writer);
	write_map("early_stopping", early_fields, &spec->early_stopping,
		  writer);
	write_map("checkpoint", checkpoint_fields, &spec->checkpoint, writer);
	json_write_object_end(writer);
	write_map("resources", resources_fields, &spec->resources, writer);
	if (spec->publish.model)
		write_map("publish", publish_fields, &spec->publish, writer);
}
