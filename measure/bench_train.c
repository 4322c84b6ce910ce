/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * bench-train: how long one training step of a job takes.
 *
 * The job's own pipeline, network, loss and optimizer, put together as the
 * worker does it, on one batch that is encoded beforehand. With --data-root the
 * batch is of the data that the job names; without it, it is synthetic, of the
 * same shapes.
 */
#include <math.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json_write.h"
#include "base/mem.h"
#include "base/str.h"
#include "data/batch.h"
#include "measure/command.h"
#include "measure/samples.h"
#include "measure/trial.h"
#include "models/network.h"
#include "training/stepper.h"

enum { SPEC_MAX = 16 << 20, WARM_UP = 3 };
#define ARENA_MAX ((size_t)256 << 20)

struct bench {
	struct arena *arena;
	struct job_spec spec;
	struct pipeline *pipeline;
	struct dataset *dataset;
	struct network network;
	struct pool *pool;
	struct stepper *stepper;
	struct loader *loader;
	struct batch *batch;
	struct samples samples;
	int64_t threads;
	double seconds;
	size_t peak, predicted;
	uint64_t step;
};

static enum err_code read_spec(const char *path, struct bench *bench,
			       struct err *err)
{
	char *text = NULL;
	size_t len;
	enum err_code rc = file_read_all(path, SPEC_MAX, &text, &len, err);

	if (!rc)
		rc = job_spec_parse(text, len, path, &bench->spec, bench->arena,
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

static enum err_code open_data(const struct args *args, struct bench *bench,
			       struct err *err)
{
	const char *root = args_text(args, "data-root", NULL);
	const struct dataset_options options = {
		.spec = &bench->spec.data,
		.pipeline = bench->pipeline,
		.roots = &root,
		.n_roots = root ? 1 : 0,
		.seed = (uint64_t)bench->spec.trainer.seed,
	};
	enum err_code rc;

	if (!root)
		make_synthetic(&bench->spec);
	rc = dataset_create(&options, &bench->dataset, err);
	return rc ? rc : dataset_fit(bench->dataset, bench->pipeline, err);
}

static enum err_code build_network(struct bench *bench, struct err *err)
{
	const struct pipeline *p = bench->pipeline;
	struct network_port in[STEPPER_MAX_PORTS];
	struct network_target out;
	struct network_request request = {
		.model = bench->spec.model,
		.in = in,
		.out = &out,
		.n_in = pipeline_n_inputs(p),
		.n_out = 1,
		.seed = (uint64_t)bench->spec.trainer.seed,
	};
	enum err_code rc = network_ports(p, in, STEPPER_MAX_PORTS, &out, err);

	if (rc)
		return rc;
	return network_build(&request, &bench->network, err);
}

static enum err_code make_stepper(struct bench *bench, struct err *err)
{
	const struct pipeline *p = bench->pipeline;
	struct stepper_port port[STEPPER_MAX_PORTS];
	struct stepper_options options = {
		.optimizer = &bench->spec.optimizer,
		.clipping = bench->spec.clipping,
		.seed = (uint64_t)bench->spec.trainer.seed,
		.input = port,
		.n_inputs = pipeline_n_inputs(p),
		.threads = (unsigned)bench->threads,
	};
	int64_t width;
	enum err_code rc;

	rc = pool_create((unsigned)bench->threads - 1, &bench->pool, err);
	if (rc)
		return rc;
	options.pool = bench->pool;
	for (unsigned i = 0; i < options.n_inputs; i++)
		pipeline_input_row(p, i, &port[i].dtype, &port[i].row);
	pipeline_target_row(p, 0, &options.target.dtype, &options.target.row,
			    &width);
	rc = loss_for_step(&bench->spec.loss, bench->arena, &options.loss, err);
	return rc ? rc
		  : stepper_create(bench->network.graph, &options,
				   &bench->stepper, err);
}

/* The first full batch of the training part. */
static enum err_code take_batch(struct bench *bench, struct err *err)
{
	int64_t size = bench->spec.trainer.batch_size;
	int64_t n = dataset_n(bench->dataset, PART_TRAIN);
	enum err_code rc;

	rc = loader_create(bench->dataset, bench->pipeline, size,
			   &bench->loader, err);
	if (!rc)
		rc = loader_start(bench->loader,
				  dataset_rows(bench->dataset, PART_TRAIN),
				  n < size ? n : size, 0, size, err);
	if (!rc)
		rc = loader_take(bench->loader, &bench->batch, err);
	if (!rc && !bench->batch)
		rc = err_set(err, ERR_INVALID, "there are no rows to train on");
	return rc;
}

static enum err_code prepare(const struct args *args, struct bench *bench,
			     struct err *err)
{
	enum err_code rc = read_spec(args->word[0], bench, err);

	if (!rc)
		rc = pipeline_create(bench->spec.input_features,
				     bench->spec.output_features,
				     &bench->pipeline, err);
	if (!rc)
		rc = open_data(args, bench, err);
	if (!rc)
		rc = build_network(bench, err);
	if (!rc)
		rc = make_stepper(bench, err);
	return rc ? rc : take_batch(bench, err);
}

/* What the steps will take at their most: what the process has now, with the
 * plan and its kernels, and the block that the first step makes. */
static enum err_code predict(struct bench *bench, struct err *err)
{
	struct plan_report report;
	enum err_code rc = stepper_prepare(bench->stepper, bench->batch->n,
					   STEPPER_TRAINS, &report, err);

	if (rc)
		return rc;
	mem_trim();
	bench->predicted = mem_resident() + report.arena;
	return ERR_NONE;
}

static enum err_code step(struct bench *bench, struct err *err)
{
	const struct stepper_batch rows = {
		.n = bench->batch->n,
		.input = bench->batch->input,
		.target = bench->batch->target[0],
	};
	const struct stepper_update update = {
		.step = bench->step + 1,
		.draw = bench->step + 1,
		.rate = rates_base(&bench->spec.phases.phase[0].rates),
		.momentum = (double)NAN,
	};
	struct stepper_result result;
	enum err_code rc;

	bench->step++;
	rc = stepper_step(bench->stepper, &rows, &update, &result, err);
	if (!rc && !isfinite(result.loss))
		rc = err_set(err, ERR_INVALID,
			     "the loss is not finite after %llu steps",
			     (unsigned long long)bench->step);
	return rc;
}

static enum err_code measure(struct bench *bench, struct err *err)
{
	int64_t deadline;
	enum err_code rc = ERR_NONE;

	for (int i = 0; i < WARM_UP && !rc; i++)
		rc = step(bench, err);
	deadline = clock_deadline_ns((int64_t)(bench->seconds * 1e3));
	while (!rc && !samples_is_done(&bench->samples, deadline)) {
		int64_t start = clock_monotonic_ns();

		rc = step(bench, err);
		if (!rc)
			rc = samples_add(&bench->samples,
					 clock_monotonic_ns() - start, err);
	}
	bench->peak = samples_peak_rss();
	return rc;
}

static enum err_code print(struct bench *bench, struct err *err)
{
	struct samples_summary s = samples_summarize(&bench->samples);
	struct json_writer w;
	struct buf buf;
	enum err_code rc;

	buf_init(&buf, 4096);
	json_write_init(&w, &buf);
	json_write_object(&w, NULL);
	json_write_double(&w, "min_us", s.min_us);
	json_write_double(&w, "median_us", s.median_us);
	json_write_uint(&w, "peak_rss_bytes", bench->peak);
	json_write_uint(&w, "predicted_peak_bytes", bench->predicted);
	json_write_uint(&w, "steps", bench->samples.n);
	json_write_object_end(&w);
	rc = buf_check(&buf, "the result", err);
	if (!rc)
		(void)puts(buf.data);
	buf_finish(&buf);
	return rc;
}

static void finish(struct bench *bench)
{
	if (bench->batch)
		loader_give_back(bench->loader, bench->batch);
	loader_destroy(bench->loader);
	stepper_destroy(bench->stepper);
	pool_destroy(bench->pool);
	graph_destroy(bench->network.graph);
	dataset_destroy(bench->dataset);
	pipeline_destroy(bench->pipeline);
	samples_finish(&bench->samples);
	arena_destroy(bench->arena);
}

static enum err_code bench_train(const struct args *args, bool *ret_failed,
				 struct err *err)
{
	struct bench bench = { .threads = 1, .seconds = 2 };
	enum err_code rc;

	*ret_failed = false;
	samples_init(&bench.samples);
	rc = args_int(args, "threads", 1, TRIAL_MAX_THREADS, &bench.threads,
		      err);
	if (!rc)
		rc =
		    args_double(args, "seconds", 0, 86400, &bench.seconds, err);
	bench.arena = rc ? NULL : arena_create(ARENA_MAX);
	if (!rc && !bench.arena)
		rc = err_set(err, ERR_NO_MEMORY, "out of memory");
	if (!rc)
		rc = prepare(args, &bench, err);
	if (!rc)
		rc = predict(&bench, err);
	if (!rc)
		rc = measure(&bench, err);
	if (!rc)
		rc = print(&bench, err);
	finish(&bench);
	return rc;
}

static const struct args_flag flags[] = {
	{ "threads", "T", "threads that share a step (1)" },
	{ "seconds", "S", "how long to measure; at least 5 steps (2)" },
	{ "data-root", "DIR",
	  "time the job's own data, beneath DIR, not synthetic rows" },
	{ 0 },
};

const struct measure_command measure_bench_train = {
	.name = "bench-train",
	.usage = "JOB.yaml [--threads T] [--seconds S] [--data-root DIR]",
	.help = "Times training steps of a job in this process and prints one "
		"JSON object.",
	.flags = flags,
	.n_words = 1,
	.run = bench_train,
};
