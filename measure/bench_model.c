/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * bench-model: how long one run of a model takes, without HTTP.
 *
 * Inputs are made from a fixed seed: floats uniform in [0, 1), all else zero.
 * An extent that the model leaves open is the batch size in the first place
 * and OPEN_EXTENT elsewhere, unless --input-shape gives the shape.
 */
#include <stdio.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/json_write.h"
#include "base/rng.h"
#include "base/str.h"
#include "measure/command.h"
#include "measure/samples.h"
#include "measure/shape_flag.h"
#include "measure/trial.h"

enum { OPEN_EXTENT = 64, WARM_UP = 2, SEED = 1 };
#define INPUTS_MAX ((size_t)8 << 30)

struct bench {
	struct trial trial;
	struct arena *arena; /* the inputs', until they are copied */
	struct samples samples;
	int64_t batch, threads;
	struct pass_switch passes;
	double seconds;
	size_t peak;
};

static enum err_code read_flags(const struct args *args, struct bench *bench,
				struct err *err)
{
	enum err_code rc;

	bench->batch = 1;
	bench->threads = 1;
	bench->seconds = 2;
	rc = args_int(args, "batch-size", 1, 1 << 20, &bench->batch, err);
	if (!rc)
		rc = args_int(args, "threads", 1, TRIAL_MAX_THREADS,
			      &bench->threads, err);
	if (!rc)
		rc = args_double(args, "seconds", 0, 86400, &bench->seconds,
				 err);
	if (!rc)
		rc = trial_passes(args, &bench->passes, err);
	return rc;
}

/* The last --input-shape of that name, else what the model says. */
static enum err_code choose_shape(const struct args *args,
				  const struct signature_port *port,
				  int64_t batch, struct shape *ret_shape,
				  struct err *err)
{
	bool is_given = false;
	enum err_code rc;

	rc = shape_flag_find(args, port->name, &is_given, ret_shape, err);
	if (rc || is_given)
		return rc;
	if (!port->has_rank)
		return err_set(err, ERR_INVALID,
			       "input '%s' has any shape: give --input-shape",
			       port->name);
	ret_shape->rank = port->rank;
	for (unsigned d = 0; d < port->rank; d++) {
		int64_t open = d ? OPEN_EXTENT : batch;

		ret_shape->dim[d] =
		    port->dim[d].extent < 0 ? open : port->dim[d].extent;
	}
	return shape_check(ret_shape, port->name, err);
}

static void fill(struct tensor_view *view, unsigned stream)
{
	const struct rng rng = { .seed = SEED, .stream = stream };
	size_t size = dtype_info(view->dtype)->size;
	int64_t n = shape_count(&view->shape);

	if (!dtype_is_float(view->dtype))
		return;
	for (int64_t i = 0; i < n; i++) {
		float value = rng_uniform(rng, (uint64_t)i);

		dtype_convert(DTYPE_F32, &value, view->dtype,
			      (char *)view->data + (size_t)i * size, 1, true);
	}
}

static enum err_code make_inputs(const struct args *args, struct bench *bench,
				 struct tensor_view *input, struct err *err)
{
	const struct model_signature *s = &bench->trial.package->signature;
	enum err_code rc = ERR_NONE;

	rc = shape_flag_check(args, s, err);
	for (unsigned i = 0; i < s->n_inputs && !rc; i++) {
		struct tensor_view *view = &input[i];
		size_t size;

		view->dtype = s->input[i].dtype;
		rc = choose_shape(args, &s->input[i], bench->batch,
				  &view->shape, err);
		if (rc)
			return rc;
		size = tensor_bytes(view->dtype, &view->shape);
		view->data = arena_aligned(bench->arena, size ? size : 1);
		if (!view->data)
			return err_set(err, ERR_NO_MEMORY,
				       "input '%s': %zu bytes: out of memory",
				       s->input[i].name, size);
		fill(view, i);
	}
	return rc;
}

static enum err_code measure(struct bench *bench, struct err *err)
{
	int64_t deadline;
	enum err_code rc = ERR_NONE;

	for (int i = 0; i < WARM_UP && !rc; i++)
		rc = trial_run(&bench->trial, err);
	deadline = clock_deadline_ns((int64_t)(bench->seconds * 1e3));
	while (!rc && !samples_is_done(&bench->samples, deadline)) {
		int64_t start = clock_monotonic_ns();

		rc = trial_run(&bench->trial, err);
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
	json_write_double(&w, "p99_us", s.p99_us);
	json_write_uint(&w, "peak_rss_bytes", bench->peak);
	json_write_uint(&w, "runs", bench->samples.n);
	json_write_object_end(&w);
	rc = buf_check(&buf, "the result", err);
	if (!rc)
		(void)puts(buf.data);
	buf_finish(&buf);
	return rc;
}

static enum err_code bench_model(const struct args *args, bool *ret_failed,
				 struct err *err)
{
	struct tensor_view input[TRIAL_MAX_PORTS] = { 0 };
	struct trial_options options;
	struct bench bench = { 0 };
	enum err_code rc;

	*ret_failed = false;
	samples_init(&bench.samples);
	rc = read_flags(args, &bench, err);
	if (rc)
		goto out;
	options.threads = (unsigned)bench.threads;
	options.passes = bench.passes;
	rc = trial_open(args->word[0], &options, &bench.trial, err);
	if (rc)
		goto out;
	bench.arena = arena_create(INPUTS_MAX);
	if (!bench.arena) {
		rc = err_set(err, ERR_NO_MEMORY, "out of memory");
		goto out;
	}
	rc = make_inputs(args, &bench, input, err);
	if (!rc)
		rc = trial_prepare(&bench.trial, input, err);
	arena_destroy(bench.arena);
	if (!rc)
		rc = measure(&bench, err);
	if (!rc)
		rc = print(&bench, err);
out:
	samples_finish(&bench.samples);
	trial_close(&bench.trial);
	return rc;
}

static const struct args_flag flags[] = {
	{ "batch-size", "N", "first extent of every input, where open (1)" },
	{ "threads", "T", "threads that share a run (1)" },
	{ "seconds", "S", "how long to measure; at least 5 runs (2)" },
	{ "input-shape", "NAME:AxBxC", "shape of one input; may repeat" },
	TRIAL_PASSES_FLAG,
	{ 0 },
};

const struct measure_command measure_bench_model = {
	.name = "bench-model",
	.usage = "FILE.onnx [--batch-size N] [--threads T] [--seconds S] "
		 "[--input-shape NAME:AxBxC ...] [--passes LIST]",
	.help = "Times runs of a model in this process and prints one JSON "
		"object.",
	.flags = flags,
	.n_words = 1,
	.run = bench_model,
};
