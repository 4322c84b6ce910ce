/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * bench-model: how long one run of a model takes, without HTTP.
 */
#include <stdio.h>

#include "base/clock.h"
#include "base/json_write.h"
#include "measure/command.h"
#include "measure/made_inputs.h"
#include "measure/samples.h"

enum { WARM_UP = 2 };

struct bench {
	struct trial trial;
	struct samples samples;
	int64_t batch, threads;
	struct trial_options options;
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
		rc = trial_read_flags(args, &bench->options, err);
	bench->options.threads = (unsigned)bench->threads;
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
	if (bench->options.precision != PRECISION_FP32)
		trial_write_precision(&bench->trial, &w);
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
	struct bench bench = { .options.tunes = true };
	enum err_code rc;

	*ret_failed = false;
	samples_init(&bench.samples);
	rc = read_flags(args, &bench, err);
	if (!rc)
		rc = trial_open(args->word[0], &bench.options, &bench.trial,
				err);
	if (!rc)
		rc = made_inputs_prepare(args, bench.batch, &bench.trial, err);
	if (!rc)
		rc = measure(&bench, err);
	if (!rc)
		rc = print(&bench, err);
	samples_finish(&bench.samples);
	trial_close(&bench.trial);
	return rc;
}

static const struct args_flag flags[] = {
	{ "batch-size", "N", "first extent of every input, where open (1)" },
	{ "threads", "T", "threads that share a run (1)" },
	{ "seconds", "S", "how long to measure; at least 5 runs (2)" },
	{ "input-shape", "NAME:AxBxC", "shape of one input; may repeat" },
	TRIAL_FLAGS,
	{ 0 },
};

const struct measure_command measure_bench_model = {
	.name = "bench-model",
	.usage = "FILE.onnx [--batch-size N] [--threads T] [--seconds S] "
		 "[--input-shape NAME:AxBxC ...] " TRIAL_USAGE,
	.help = "Times runs of a model in this process and prints one JSON "
		"object.",
	.flags = flags,
	.n_words = 1,
	.run = bench_model,
};
