/* SPDX-License-Identifier: Apache-2.0 */
#include "training/job_spec.h"

#include <criterion/criterion.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/json_write.h"
#include "base/str.h"
#include "training/job_schema.h"

#define DATA "data: {source: synthetic, rows: 100}\n"
#define INPUT "input_features: [{name: x, type: number}]\n"
#define OUTPUT "output_features: [{name: y, type: category, num_classes: 3}]\n"
#define MODEL "model: {type: mlp}\n"
#define WHOLE DATA INPUT OUTPUT MODEL

enum { ARENA = 64 << 20, TEXT = 1 << 20 };

static enum err_code parse(const char *text, struct job_spec *ret,
			   struct arena *arena, struct err *err)
{
	return job_spec_parse(text, strlen(text), "job", ret, arena, err);
}

static void parse_well(const char *text, struct job_spec *ret,
		       struct arena *arena)
{
	struct err err = { 0 };

	cr_assert_eq(parse(text, ret, arena, &err), ERR_NONE, "%s\nsays: %s",
		     text, err.msg);
}

/* The resolved text, in the arena. */
static const char *resolve(const char *text, struct arena *arena)
{
	struct job_spec spec;
	struct buf buf;
	const char *resolved;

	parse_well(text, &spec, arena);
	buf_init(&buf, TEXT);
	cr_assert_eq(job_spec_write(&spec, &buf, NULL), ERR_NONE);
	resolved = arena_strndup(arena, buf.data, buf.len);
	buf_finish(&buf);
	return resolved;
}

Test(job_spec, a_short_job_has_the_defaults_of_the_page)
{
	struct arena *arena = arena_create(ARENA);
	struct job_spec spec;

	parse_well(WHOLE, &spec, arena);
	cr_expect_eq(spec.trainer.epochs, 10);
	cr_expect_eq(spec.trainer.max_steps, 0);
	cr_expect_eq(spec.trainer.max_time, 0);
	cr_expect_eq(spec.trainer.batch_size, 64);
	cr_expect_eq(spec.trainer.eval_batch_size, 64);
	cr_expect_eq(spec.phases.n, 1);
	cr_expect_eq(rates_base(&spec.phases.phase[0].rates), 1e-3);
	cr_expect_eq(spec.trainer.seed, 42);
	cr_expect_eq(spec.trainer.mode, MODE_MIN);
	cr_expect_eq(spec.trainer.precision, PRODUCTS_F32);
	cr_expect_str_eq(spec.trainer.monitor, "valid_loss");
	cr_expect_str_eq(spec.optimizer.kind->name, "adam");
	cr_expect_str_eq(spec.phases.phase[0].schedule.kind->name, "constant");
	cr_expect_str_eq(spec.loss.kind->name, "cross_entropy");
	cr_expect_eq(spec.loss.params.ignore_index, -100);
	cr_expect_eq(spec.clipping.max_norm, 0);
	cr_expect_eq(spec.early_stopping.patience, -1);
	cr_expect(spec.early_stopping.restore_best);
	cr_expect_eq(spec.checkpoint.every_n_epochs, 1);
	cr_expect_eq(spec.checkpoint.every_n_seconds, 60);
	cr_expect_eq(spec.checkpoint.keep_last, 2);
	cr_expect_eq(spec.resources.nice, 19);
	cr_expect_eq(spec.resources.threads, 0);
	cr_expect_null(spec.publish.model);
	cr_expect_str_eq(spec.output_type, "category");
	cr_expect_str_eq(spec.metrics[3], "valid_accuracy");
	arena_destroy(arena);
}

Test(job_spec, every_key_lands_in_its_member)
{
	struct arena *arena = arena_create(ARENA);
	struct job_spec spec;

	parse_well(
	    WHOLE
	    "name: a job\n"
	    "trainer:\n"
	    "  epochs: 7\n  max_steps: 8\n  max_time: 1.5h\n"
	    "  batch_size: 9\n  eval_batch_size: 11\n  learning_rate: 0.5\n"
	    "  monitor: train_accuracy\n  seed: 5\n  deterministic: false\n"
	    "  precision: bf16\n"
	    "  learning_rate_scheduler: {type: step, step_size: 3}\n"
	    "  optimizer: {type: sgd, momentum: 0.9, nesterov: true,"
	    " exclude: [bias, norm]}\n"
	    "  gradient_clipping: {max_norm: 2, max_value: 3}\n"
	    "  early_stopping: {patience: 4, min_delta: 0.25, min_epochs: 6,"
	    " restore_best: false}\n"
	    "  checkpoint: {every_n_steps: 10, every_n_epochs: 0,"
	    " every_n_seconds: 2m, keep_last: 3, keep_best: 0}\n"
	    "resources: {threads: 2, nice: 3, memory_limit: 2GiB,"
	    " priority: -4}\n"
	    "publish: {model: m, version: 7, when: valid_loss < 1,"
	    " set_default: false}\n",
	    &spec, arena);
	cr_expect_str_eq(spec.name, "a job");
	cr_expect_eq(spec.trainer.epochs, 7);
	cr_expect_eq(spec.trainer.max_steps, 8);
	cr_expect_eq(spec.trainer.max_time, 5400);
	cr_expect_eq(spec.trainer.batch_size, 9);
	cr_expect_eq(spec.trainer.eval_batch_size, 11);
	cr_expect_eq(rates_base(&spec.phases.phase[0].rates), 0.5);
	cr_expect_eq(spec.trainer.mode, MODE_MAX);
	cr_expect_eq(spec.trainer.seed, 5);
	cr_expect_not(spec.trainer.deterministic);
	cr_expect_eq(spec.trainer.precision, PRODUCTS_BF16);
	cr_expect_eq(spec.phases.phase[0].schedule.params.step_size, 3);
	cr_expect_eq(spec.phases.phase[0].schedule.base_rate, 0.5);
	cr_expect(spec.optimizer.attrs.nesterov);
	cr_expect_eq(spec.optimizer.params.exclude.n, 2);
	cr_expect_eq(spec.clipping.max_norm, 2);
	cr_expect_eq(spec.clipping.max_value, 3);
	cr_expect_eq(spec.early_stopping.patience, 4);
	cr_expect_eq(spec.early_stopping.min_delta, 0.25);
	cr_expect_eq(spec.early_stopping.min_epochs, 6);
	cr_expect_not(spec.early_stopping.restore_best);
	cr_expect_eq(spec.checkpoint.every_n_steps, 10);
	cr_expect_eq(spec.checkpoint.every_n_epochs, 0);
	cr_expect_eq(spec.checkpoint.every_n_seconds, 120);
	cr_expect_eq(spec.checkpoint.keep_last, 3);
	cr_expect_eq(spec.checkpoint.keep_best, 0);
	cr_expect_eq(spec.resources.threads, 2);
	cr_expect_eq(spec.resources.nice, 3);
	cr_expect_eq(spec.resources.memory_limit, (int64_t)2 << 30);
	cr_expect_eq(spec.resources.priority, -4);
	cr_expect_str_eq(spec.publish.model, "m");
	cr_expect_eq(spec.publish.version, 7);
	cr_expect_not(spec.publish.set_default);
	cr_expect_not_null(spec.publish.condition);
	arena_destroy(arena);
}

static const char *const jobs[] = {
	WHOLE,
	/* small forms of the jobs that people's scripts post */
	DATA "input_features: [{name: image, type: image, shape: [1, 8, 8]}]\n"
	     "output_features: [{name: label, type: category,"
	     " num_classes: 10}]\n"
	     "model:\n  layers:\n"
	     "    - {type: conv2d, out_channels: 4, kernel_size: 3,"
	     " padding: 1}\n"
	     "    - {type: batch_norm}\n    - {type: relu}\n"
	     "    - {type: max_pool2d, kernel_size: 2}\n"
	     "    - {type: flatten}\n    - {type: dropout, p: 0.25}\n"
	     "    - {type: linear, out_features: 10}\n"
	     "trainer: {batch_size: 64, epochs: 1, learning_rate: 1.0e-3,"
	     " optimizer: {type: adam}}\n",
	DATA "input_features: [{name: image, type: image, shape: [1, 8, 8]}]\n"
	     "output_features: [{name: label, type: category,"
	     " num_classes: 10}]\n"
	     "model:\n  layers:\n    - {type: flatten}\n"
	     "    - {type: linear, out_features: 128}\n"
	     "    - {type: relu}\n"
	     "    - {type: linear, out_features: 10}\n"
	     "trainer: {batch_size: 64, epochs: 1, learning_rate: 1.0e-3,"
	     " optimizer: {type: adam}}\n",
	DATA "input_features: [{name: image, type: image,"
	     " shape: [3, 32, 32]}]\n"
	     "output_features: [{name: label, type: category,"
	     " num_classes: 10}]\n"
	     "model: {type: resnet18}\n"
	     "trainer: {batch_size: 16, epochs: 1, learning_rate: 1.0e-3,"
	     " optimizer: {type: adam}}\n",
	DATA "input_features:\n"
	     "  - {name: c0, type: category, num_classes: 20,"
	     " embedding_size: 10}\n"
	     "  - {name: n0, type: number}\n"
	     "output_features: [{name: label, type: category,"
	     " num_classes: 2}]\n"
	     "model: {type: tabular, hidden_sizes: [200, 100],"
	     " batch_norm: true}\n"
	     "trainer: {batch_size: 64, epochs: 1, learning_rate: 1.0e-3,"
	     " optimizer: {type: adam}}\n",
	"name: fashion\n"
	"data:\n  source: path:/usr/share/datasets/fashion-mnist\n"
	"  format: idx\n  split: {type: fixed}\n"
	"input_features: [{name: image, type: image, shape: [1, 28, 28]}]\n"
	"output_features: [{name: label, type: category, num_classes: 10}]\n"
	"model: {type: cnn}\n"
	"trainer:\n  epochs: 3\n  batch_size: 64\n  learning_rate: 3.0e-3\n"
	"  learning_rate_scheduler: {type: one_cycle}\n"
	"  optimizer: {type: adamw, weight_decay: 0.01}\n  seed: 1\n"
	"publish: {model: fashion, when: \"valid_accuracy >= 0.8\"}\n",
	/* every map that may stand in a job */
	DATA INPUT "output_features: [{name: y, type: number, loss: {type: "
		   "huber, delta: 0.5}}]\n" MODEL
		   "trainer: {learning_rate_scheduler: {type: multistep,"
		   " milestones: [1, 2.5]}, optimizer: {type: rmsprop,"
		   " centered: true}, mode: max, monitor: train_r2}\n"
		   "resources: {memory_limit: 1GiB}\n",
	WHOLE "trainer: {freeze: body, averaging: {type: ema, decay: 0.5},"
	      " on_nan: {action: rollback}, gradient_accumulation_steps: 4,"
	      " learning_rate: {to: 0.1}}\n",
	WHOLE "trainer: {optimizer: {type: lamb}, learning_rate: [0.1, 1],"
	      " phases: [{epochs: 1, freeze: ['^a', 'b$']}, {epochs: 2,"
	      " learning_rate: auto, learning_rate_scheduler: {type: wsd}}]}\n",
	DATA
	"input_features: [{name: image, type: image, preprocessing: {size: "
	"[8, 8], resize: crop, normalize: imagenet}}]\n" OUTPUT MODEL
	"augmentation: {flip_lr: 0.5, max_rotate: 10, max_zoom: 1.1, "
	"max_warp: 0.2, pad_mode: reflection, p_affine: 0.75}\n",
	"data: {source: synthetic, split: {type: stratify, column: y}, "
	"sampling: {type: weighted}}\n" INPUT OUTPUT
	"base_model: m\nmodel: {head: {dropout: 0.5}}\n"
	"publish: {model: m, version: auto}\n",
};

Test(job_spec, a_base_model_is_the_network)
{
	struct arena *arena = arena_create(ARENA);
	struct job_spec spec;

	parse_well("base_model: pets/3\n" DATA INPUT OUTPUT
		   "model: {head: {hidden_sizes: [512], dropout: 0.5},"
		   " init: kaiming_normal}\n",
		   &spec, arena);
	cr_expect_str_eq(doc_find(spec.model, "onnx")->text, "pets/3");
	cr_expect_not_null(doc_find(spec.model, "head"));
	cr_expect_not_null(doc_find(spec.model, "init"));
	parse_well("base_model: pets\n" DATA INPUT OUTPUT, &spec, arena);
	cr_expect_str_eq(doc_find(spec.model, "onnx")->text, "pets");
	arena_destroy(arena);
}

Test(job_spec, what_is_resolved_reads_back_to_the_same)
{
	for (size_t i = 0; i < sizeof(jobs) / sizeof(jobs[0]); i++) {
		struct arena *arena = arena_create(ARENA);
		const char *once = resolve(jobs[i], arena);

		cr_expect_str_eq(resolve(once, arena), once);
		arena_destroy(arena);
	}
}

/* The branch whose key `type` is the map's, or the schema itself. */
static const struct doc *branch_of(const struct doc *schema,
				   const struct doc *map)
{
	const struct doc *list = doc_find(schema, "oneOf");
	const struct doc *type = doc_find(map, "type");

	list = list ? list : doc_find(schema, "anyOf");
	for (const struct doc *at = list ? list->first : NULL; at && type;
	     at = at->next) {
		const struct doc *of =
		    doc_find(doc_find(at, "properties"), "type");

		if (of && str_equal(doc_find(of, "const")->text, type->text))
			return at;
	}
	return schema;
}

/* Every key of a resolved spec is one that the schema has; three maps deep. */
static void expect_known(const struct doc *schema, const struct doc *map,
			 int depth)
{
	const struct doc *known, *below;

	if (map->kind == DOC_LIST && doc_find(schema, "items")) {
		for (const struct doc *at = map->first; at && depth;
		     at = at->next)
			expect_known(doc_find(schema, "items"), at, depth - 1);
		return;
	}
	known = doc_find(branch_of(schema, map), "properties");
	if (map->kind != DOC_MAP || !known)
		return;
	for (const struct doc *at = map->first; at; at = at->next) {
		below = doc_find(known, at->key);
		cr_expect(below, "the schema has no key '%s'", at->key);
		if (below && depth)
			expect_known(below, at, depth - 1);
	}
}

Test(job_spec, every_key_is_in_its_schema)
{
	struct arena *arena = arena_create(ARENA);
	struct json_writer w;
	struct buf buf;
	struct err err = { 0 };
	struct doc *schema, *spec;
	const struct doc *trainer;

	buf_init(&buf, TEXT);
	json_write_init(&w, &buf);
	json_write_object(&w, NULL);
	job_schema_write(&w);
	json_write_object_end(&w);
	cr_assert_eq(
	    doc_parse_json(buf.data, buf.len, "schema", arena, &schema, &err),
	    ERR_NONE, "%s", err.msg);
	for (size_t i = 0; i < sizeof(jobs) / sizeof(jobs[0]); i++) {
		const char *text = resolve(jobs[i], arena);

		cr_assert_eq(doc_parse_json(text, strlen(text), "spec", arena,
					    &spec, &err),
			     ERR_NONE);
		expect_known(schema, spec, 4);
	}
	trainer = doc_find(schema, "properties");
	trainer = doc_find(doc_find(trainer, "trainer"), "properties");
	cr_expect_eq(doc_find(doc_find(trainer, "optimizer"), "oneOf")->n, 14);
	cr_expect_eq(doc_find(doc_find(trainer, "epochs"), "default")->integer,
		     10);
	buf_finish(&buf);
	arena_destroy(arena);
}

Test(job_spec, yaml_and_json_mean_the_same)
{
	struct arena *arena = arena_create(ARENA);

	cr_expect_str_eq(
	    resolve(DATA INPUT OUTPUT MODEL
		    "trainer: {epochs: 3, optimizer: {type: adamw}}\n",
		    arena),
	    resolve(" \n\t{\"data\":{\"source\":\"synthetic\",\"rows\":100},"
		    "\"input_features\":[{\"name\":\"x\",\"type\":"
		    "\"number\"}],\"output_features\":[{\"name\":\"y\","
		    "\"type\":\"category\",\"num_classes\":3}],\"model\":"
		    "{\"type\":\"mlp\"},\"trainer\":{\"epochs\":3,"
		    "\"optimizer\":{\"type\":\"adamw\"}}}",
		    arena));
	arena_destroy(arena);
}

Test(job_spec, a_map_that_is_null_is_a_map_left_out)
{
	struct arena *arena = arena_create(ARENA);
	const char *plain = resolve(WHOLE, arena);

	cr_expect_str_eq(
	    resolve(WHOLE "trainer:\nresources: null\npublish:\n", arena),
	    plain);
	cr_expect_str_eq(resolve(WHOLE "trainer: {optimizer: null,"
				       " learning_rate_scheduler: ,"
				       " gradient_clipping: null,"
				       " early_stopping: null,"
				       " checkpoint: null}\n",
				 arena),
			 plain);
	arena_destroy(arena);
}

static const struct {
	const char *text, *says;
} refusals[] = {
	{ "", "job: 'data' is missing" },
	{ "[]", "must be a map with data, input_features, output_features and "
		"model, got a list" },
	{ "{", "job" },
	{ "a: b: c", "job" },
	{ INPUT OUTPUT MODEL, "'data' is missing" },
	{ DATA OUTPUT MODEL, "'input_features' is missing" },
	{ DATA INPUT MODEL, "'output_features' is missing" },
	{ DATA INPUT OUTPUT, "'model' is missing" },
	{ DATA INPUT OUTPUT "model: mlp\n",
	  "'model' must be a map such as {type: cnn}" },
	{ WHOLE "trainr: {}\n",
	  "unknown key 'trainr', did you mean 'trainer'?" },
	{ WHOLE "trainer: {lerning_rate: 1}\n",
	  "trainer: unknown key 'lerning_rate', did you mean "
	  "'learning_rate'?" },
	{ WHOLE "trainer: 3\n", "trainer: expected a map" },
	{ WHOLE "trainer: {epochs: 0}\n",
	  "trainer.epochs: expected a whole number from 1 to 1000000, got the "
	  "number 0 (line 5)" },
	{ WHOLE "trainer: {epochs: 1.5}\n", "trainer.epochs: expected" },
	{ WHOLE "trainer: {epochs: many}\n", "trainer.epochs: expected" },
	{ WHOLE "trainer: {batch_size: 0}\n",
	  "trainer.batch_size: expected a whole number from 1 to 65536" },
	{ WHOLE "trainer: {phases: []}\n", "trainer.phases: expected a list" },
	{ WHOLE "trainer: {phases: [{freeze: body}]}\n",
	  "trainer.phases[0]: 'epochs' is missing" },
	{ WHOLE "trainer: {phases: [{epochs: 1}, {epochs: 1, freeze: '('}]}\n",
	  "freeze" },
	{ WHOLE "trainer: {freeze: -1}\n", "trainer.freeze: expected 0" },
	{ WHOLE "trainer: {learning_rate: 0}\n",
	  "trainer.learning_rate: expected a number above 0, got 0" },
	{ WHOLE "trainer: {learning_rate: -1}\n",
	  "trainer.learning_rate: expected" },
	{ WHOLE "trainer: {learning_rate: .nan}\n",
	  "job line 5: infinities and NaN are not supported" },
	{ WHOLE "trainer: {learning_rate: .inf}\n",
	  "job line 5: infinities and NaN are not supported" },
	{ WHOLE "trainer: {max_time: fast}\n", "trainer.max_time: expected" },
	{ WHOLE "trainer: {monitor: valid_acuracy}\n",
	  "trainer.monitor: this job has no metric 'valid_acuracy', did you "
	  "mean 'valid_accuracy'?" },
	{ WHOLE "trainer: {monitor: valid_rmse}\n",
	  "trainer.monitor: this job has no metric 'valid_rmse'" },
	{ WHOLE "trainer: {monitor: test_loss}\n",
	  "trainer.monitor: 'test_loss' is measured once, at the end" },
	{ WHOLE "trainer: {mode: best}\n", "trainer.mode: expected" },
	{ WHOLE "trainer: {precision: fp16}\n",
	  "trainer.precision: expected one of 'fp32', 'bf16', got the text "
	  "'fp16'" },
	{ WHOLE "trainer: {optimizer: sgd}\n",
	  "trainer.optimizer: expected a map" },
	{ WHOLE "trainer: {optimizer: {type: 5}}\n",
	  "trainer.optimizer.type: expected the name of an optimizer" },
	{ WHOLE "trainer: {optimizer: {type: adamm}}\n",
	  "trainer.optimizer: there is no optimizer 'adamm', did you mean "
	  "'adam'?" },
	{ WHOLE "trainer: {optimizer: {type: sgd, betas: [0.9, 0.9]}}\n",
	  "trainer.optimizer: unknown key 'betas'" },
	{ WHOLE "trainer: {optimizer: {betas: [0.9]}}\n",
	  "trainer.optimizer.betas: expected two numbers, got 1" },
	{ WHOLE "trainer: {optimizer: {betas: [0.9, 1]}}\n",
	  "trainer.optimizer.betas[1]: expected a number from 0" },
	{ WHOLE "trainer: {optimizer: {type: sgd, nesterov: true}}\n",
	  "trainer.optimizer: nesterov needs a momentum above 0 and no "
	  "dampening" },
	{ WHOLE "trainer: {optimizer: {type: sgd, exclude: weight}}\n",
	  "trainer.optimizer.exclude: expected bias or norm, got 'weight'" },
	{ WHOLE "trainer: {learning_rate_scheduler: one_cycle}\n",
	  "trainer.learning_rate_scheduler: 'type' must name a schedule" },
	{ WHOLE "trainer: {learning_rate_scheduler: {}}\n",
	  "trainer.learning_rate_scheduler: 'type' must name a schedule, such "
	  "as one_cycle" },
	{ WHOLE "trainer: {learning_rate_scheduler: {type: one_cicle}}\n",
	  "there is no schedule 'one_cicle', did you mean 'one_cycle'?" },
	{ WHOLE "trainer: {learning_rate_scheduler: "
		"{type: reduce_on_plateau}}\n",
	  "there is no schedule 'reduce_on_plateau', did you mean 'plateau'?" },
	{ WHOLE "trainer: {epochs: 5, phases: [{epochs: 1}, {epochs: 2}]}\n",
	  "'epochs' is 5, but the phases have 3 together" },
	{ WHOLE "trainer: {monitor: valid_acc}\n",
	  "did you mean 'valid_accuracy'?" },
	{ DATA INPUT OUTPUT "model: {type: mpl}\n",
	  "model: there is no network of type 'mpl', did you mean 'mlp'?" },
	{ DATA INPUT OUTPUT "model: {type: mlp, hidden_size: [8]}\n",
	  "model: unknown key 'hidden_size', did you mean 'hidden_sizes'?" },
	{ DATA INPUT OUTPUT "model: {type: mlp, init: kaiming}\n",
	  "did you mean 'kaiming_normal'?" },
	{ DATA INPUT OUTPUT "model: {layers: [{type: relu}, {type: liner}]}\n",
	  "model.layers[1]: there is no layer 'liner', did you mean "
	  "'linear'?" },
	{ DATA INPUT OUTPUT "model: {layers: [{type: relu}, {type: residual, "
			    "layers: [{type: linear, out_fetures: 2}]}]}\n",
	  "model.layers[1].layers[0]: unknown key 'out_fetures'" },
	{ DATA INPUT OUTPUT "model: {layers: 3}\n",
	  "model.layers: expected a list of layers" },
	{ WHOLE "trainer: {learning_rate_scheduler: {type: multistep}}\n",
	  "trainer.learning_rate_scheduler: 'milestones' is missing" },
	{ WHOLE "trainer: {gradient_clipping: {max_nrom: 1}}\n",
	  "trainer.gradient_clipping: unknown key 'max_nrom', did you mean "
	  "'max_norm'?" },
	{ WHOLE "trainer: {early_stopping: {patience: -2}}\n",
	  "trainer.early_stopping.patience: expected a whole number from -1 to "
	  "1000000" },
	{ WHOLE "trainer: {checkpoint: {keep_last: 0}}\n",
	  "trainer.checkpoint.keep_last: expected a whole number from 1 to "
	  "1000" },
	{ WHOLE "resources: {nice: 20}\n",
	  "resources.nice: expected a whole number from 0 to 19" },
	{ WHOLE "resources: {memory_limit: much}\n",
	  "resources.memory_limit: expected" },
	{ WHOLE "publish: {}\n", "publish: 'model' is missing" },
	{ WHOLE "publish: {model: a/b}\n", "publish.model: " },
	{ WHOLE "publish: {model: ..}\n", "publish.model: " },
	{ WHOLE "publish: {model: m, when: accuracy > 1}\n",
	  "publish.when: this job has no metric 'accuracy'" },
	{ WHOLE "publish: {model: m, when: valid_loss ~ 1}\n",
	  "publish.when: expected one of >= <= == != > <" },
	{ "data: {source: nowhere}\n" INPUT OUTPUT MODEL,
	  "data.source: expected path:FOLDER, path:FILE, "
	  "upload:NAME or synthetic, got 'nowhere'" },
	{ "data: {source: synthetic, split: {probabilities: [0.5, "
	  "0.6]}}\n" INPUT OUTPUT MODEL,
	  "data.split.probabilities: expected 2 or 3 shares that sum to 1" },
	{ "data: {source: path:/d, format: idy}\n" INPUT OUTPUT MODEL,
	  "data.format: there is no format 'idy', did you mean 'idx'?" },
	{ WHOLE "augmentation: {flip_lr: 0.5}\n",
	  "augmentation: expected an image among the input features" },
	{ WHOLE "augmentation: {max_rotat: 5}\n",
	  "augmentation: unknown key 'max_rotat', did you mean 'max_rotate'?" },
	{ "base_model: m\n" WHOLE,
	  "job: 'base_model' is the network, so model has no 'type'" },
	{ DATA INPUT OUTPUT,
	  "'base_model', the name of a model to go on from" },
	{ WHOLE "publish: {model: m, version: next}\n",
	  "publish.version: expected auto or a number above 0" },
	{ WHOLE "publish: {model: m, version: 0}\n", "publish.version" },
	{ "data: {source: synthetic, sampling: {type: oversample}}\n" INPUT
	  "output_features: [{name: y, type: number}]\n" MODEL,
	  "data.sampling: classes are made equally frequent, so the output "
	  "feature must be a category, got a number" },
	{ "data: {source: synthetic}\n"
	  "input_features: [{name: p, type: image}]\n" OUTPUT MODEL,
	  "feature 'p': synthetic rows need a shape" },
	{ DATA "input_features: []\n" OUTPUT MODEL, "input_features" },
	{ DATA "input_features: {name: x}\n" OUTPUT MODEL, "input_features" },
	{ DATA "input_features: [{name: x, type: nubmer}]\n" OUTPUT MODEL,
	  "did you mean 'number'?" },
	{ DATA INPUT "output_features: [{name: y, type: number}, {name: z, "
		     "type: number}]\n" MODEL,
	  "output_features: a job trains one output feature, got 2" },
	{ DATA INPUT
	  "output_features: [{name: y, type: image, shape: [1, 8, 8]}]\n" MODEL,
	  "image" },
	{ DATA INPUT "output_features: [{name: y, type: number, loss: {type: "
		     "cross_entropy}}]\n" MODEL,
	  "output_features.loss: an output of type number has no loss "
	  "'cross_entropy'" },
	{ DATA INPUT "output_features: [{name: y, type: number, loss: {type: "
		     "mze}}]\n" MODEL,
	  "did you mean 'mse'?" },
	{ DATA INPUT
	  "output_features: [{name: y, type: number, loss: {type: 3}}]\n" MODEL,
	  "output_features.loss.type: expected the name of a loss" },
	{ DATA INPUT
	  "output_features: [{name: y, type: number, loss: mse}]\n" MODEL,
	  "output_features.loss: expected a map" },
	{ DATA INPUT "output_features: [{name: y, type: category, num_classes: "
		     "3, loss: {weight: [1, 2]}}]\n" MODEL,
	  "output_features.loss.weight: expected 3 weights, one a class, got "
	  "2" },
};

Test(job_spec, what_is_wrong_is_refused_with_a_sentence_that_names_it)
{
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		struct arena *arena = arena_create(ARENA);
		struct job_spec spec;
		struct err err = { 0 };
		enum err_code rc = parse(refusals[i].text, &spec, arena, &err);

		cr_expect(rc == ERR_INVALID || rc == ERR_UNSUPPORTED,
			  "%s\ngives %d: %s", refusals[i].text, rc, err.msg);
		cr_expect(strstr(err.msg, refusals[i].says),
			  "%s\nsays: %s\nnot: %s", refusals[i].text, err.msg,
			  refusals[i].says);
		arena_destroy(arena);
	}
}

Test(job_spec, a_full_memory_is_an_error_and_nothing_else)
{
	struct job_spec spec;
	struct err err = { 0 };

	for (size_t bytes = 64; bytes < 16384; bytes += 192) {
		struct arena *arena = arena_create(bytes);
		enum err_code rc;

		cr_assert(arena);
		rc = parse(jobs[1], &spec, arena, &err);
		cr_expect(rc == ERR_NONE || rc == ERR_NO_MEMORY ||
			      rc == ERR_TOO_LARGE,
			  "%zu bytes: %d %s", bytes, rc, err.msg);
		arena_destroy(arena);
	}
}
