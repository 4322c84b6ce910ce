/* SPDX-License-Identifier: Apache-2.0 */
#include "measure/train_trial.h"

#include <math.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "measure/command.h"
#include "measure/trial.h"

enum { SPEC_MAX = 16 << 20 };
#define ARENA_MAX ((size_t)256 << 20)

static enum err_code read_spec(const char *path, struct train_trial *trial,
			       struct err *err)
{
	char *text = NULL;
	size_t len;
	enum err_code rc = file_read_all(path, SPEC_MAX, &text, &len, err);

	if (!rc)
		rc = job_spec_parse(text, len, path, &trial->spec, trial->arena,
				    err);
	mem_free(text);
	return rc;
}

/* Rows of the same features, whatever the job's own data is. */
static void make_synthetic(struct job_spec *spec)
{
	struct dataset_spec *data = &spec->data;
	int64_t least = 2 * spec->trainer.batch_size;

	if (str_equal(data->source, "synthetic"))
		return;
	data->source = data->format = "synthetic";
	data->split_type = SPLIT_AUTO;
	if (data->rows < least)
		data->rows = least;
}

static enum err_code open_data(const struct args *args,
			       struct train_trial *trial, struct err *err)
{
	const char *root = args_text(args, "data-root", NULL);
	const struct dataset_options options = {
		.spec = &trial->spec.data,
		.pipeline = trial->pipeline,
		.roots = &root,
		.n_roots = root ? 1 : 0,
		.seed = (uint64_t)trial->spec.trainer.seed,
	};
	enum err_code rc;

	if (!root)
		make_synthetic(&trial->spec);
	rc = dataset_create(&options, &trial->dataset, err);
	return rc ? rc : dataset_fit(trial->dataset, trial->pipeline, err);
}

static enum err_code build_network(struct train_trial *trial, struct err *err)
{
	const struct pipeline *p = trial->pipeline;
	struct network_port in[STEPPER_MAX_PORTS];
	struct network_target out;
	struct network_request request = {
		.model = trial->spec.model,
		.in = in,
		.out = &out,
		.n_in = pipeline_n_inputs(p),
		.n_out = 1,
		.seed = (uint64_t)trial->spec.trainer.seed,
	};
	enum err_code rc = network_ports(p, in, STEPPER_MAX_PORTS, &out, err);

	if (rc)
		return rc;
	return network_build(&request, &trial->network, err);
}

static enum err_code make_stepper(struct train_trial *trial, struct err *err)
{
	const struct pipeline *p = trial->pipeline;
	struct stepper_port port[STEPPER_MAX_PORTS];
	struct stepper_options options = {
		.optimizer = &trial->spec.optimizer,
		.clipping = trial->spec.clipping,
		.seed = (uint64_t)trial->spec.trainer.seed,
		.input = port,
		.n_inputs = pipeline_n_inputs(p),
		.state = trial->network.state,
		.state_rows = trial->spec.trainer.batch_size,
		.eval_state_rows = 1,
		.threads = (unsigned)trial->threads,
		.products = (enum products)trial->spec.trainer.precision,
	};
	int64_t width;
	enum err_code rc;

	rc = pool_create((unsigned)trial->threads - 1, &trial->pool, err);
	if (rc)
		return rc;
	options.pool = trial->pool;
	for (unsigned i = 0; i < options.n_inputs; i++)
		pipeline_input_row(p, i, &port[i].dtype, &port[i].row);
	pipeline_target_row(p, 0, &options.target.dtype, &options.target.row,
			    &width);
	rc = loss_for_step(&trial->spec.loss, width, trial->arena,
			   &options.loss, err);
	return rc ? rc
		  : stepper_create(trial->network.graph, &options,
				   &trial->stepper, err);
}

/* The first full batch of the training part. */
static enum err_code take_batch(struct train_trial *trial, struct err *err)
{
	int64_t size = trial->spec.trainer.batch_size;
	int64_t n = dataset_n(trial->dataset, PART_TRAIN);
	enum err_code rc;

	rc = loader_create(trial->dataset, trial->pipeline, size,
			   &trial->loader, err);
	if (!rc)
		rc = loader_start(trial->loader,
				  dataset_rows(trial->dataset, PART_TRAIN),
				  n < size ? n : size, 0, size, err);
	if (!rc)
		rc = loader_take(trial->loader, &trial->batch, err);
	if (!rc && !trial->batch)
		rc = err_set(err, ERR_INVALID, "there are no rows to train on");
	return rc;
}

static enum err_code prepare(const struct args *args, struct train_trial *trial,
			     struct err *err)
{
	enum err_code rc = read_spec(args->word[0], trial, err);

	if (!rc)
		rc = pipeline_create(trial->spec.input_features,
				     trial->spec.output_features,
				     &trial->pipeline, err);
	if (!rc)
		rc = open_data(args, trial, err);
	if (!rc)
		rc = build_network(trial, err);
	if (!rc)
		rc = make_stepper(trial, err);
	return rc ? rc : take_batch(trial, err);
}

enum err_code train_trial_step(struct train_trial *trial, struct err *err)
{
	const struct stepper_batch rows = {
		.n = trial->batch->n,
		.input = trial->batch->input,
		.target = trial->batch->target[0],
		.goes_on = trial->step > 0,
	};
	const struct stepper_update update = {
		.step = trial->step + 1,
		.draw = trial->step + 1,
		.rate = rates_base(&trial->spec.phases.phase[0].rates),
		.momentum = (double)NAN,
	};
	struct stepper_result result;
	enum err_code rc;

	trial->step++;
	rc = stepper_step(trial->stepper, &rows, &update, &result, err);
	if (!rc && !isfinite(result.loss))
		rc = err_set(err, ERR_INVALID,
			     "the loss is not finite after %llu steps",
			     (unsigned long long)trial->step);
	return rc;
}

void train_trial_close(struct train_trial *trial)
{
	if (trial->batch)
		loader_give_back(trial->loader, trial->batch);
	loader_destroy(trial->loader);
	stepper_destroy(trial->stepper);
	pool_destroy(trial->pool);
	graph_destroy(trial->network.graph);
	dataset_destroy(trial->dataset);
	pipeline_destroy(trial->pipeline);
	arena_destroy(trial->arena);
	*trial = (struct train_trial){ 0 };
}

enum err_code train_trial_open(const struct args *args,
			       struct train_trial *ret_trial, struct err *err)
{
	struct train_trial *trial = ret_trial;
	enum err_code rc;

	*trial = (struct train_trial){ .threads = 1, .seconds = 2 };
	rc = args_int(args, "threads", 1, TRIAL_MAX_THREADS, &trial->threads,
		      err);
	if (!rc)
		rc = args_double(args, "seconds", 0, 86400, &trial->seconds,
				 err);
	trial->arena = rc ? NULL : arena_create(ARENA_MAX);
	if (!rc && !trial->arena)
		rc = err_set(err, ERR_NO_MEMORY, "out of memory");
	if (!rc)
		rc = prepare(args, trial, err);
	if (rc)
		train_trial_close(trial);
	return rc;
}
