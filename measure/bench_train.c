/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * bench-train: how long one training step of a job takes.
 */
#include <stdio.h>

#include "base/clock.h"
#include "base/json_write.h"
#include "base/mem.h"
#include "measure/command.h"
#include "measure/samples.h"
#include "measure/train_trial.h"

enum { WARM_UP = 3 };

struct bench {
	struct train_trial trial;
	struct samples samples;
	size_t peak, predicted;
};

/* What the steps will take at their most: what the process has now, with the
 * plan and its kernels, and the block that the first step makes. */
static enum err_code predict(struct bench *bench, struct err *err)
{
	struct train_trial *trial = &bench->trial;
	struct plan_report report;
	enum err_code rc = stepper_prepare(trial->stepper, trial->batch->n,
					   STEPPER_TRAINS, &report, err);

	if (rc)
		return rc;
	mem_trim();
	bench->predicted = mem_resident() + report.arena;
	return ERR_NONE;
}

static enum err_code measure(struct bench *bench, struct err *err)
{
	int64_t deadline;
	enum err_code rc = ERR_NONE;

	for (int i = 0; i < WARM_UP && !rc; i++)
		rc = train_trial_step(&bench->trial, err);
	deadline = clock_deadline_ns((int64_t)(bench->trial.seconds * 1e3));
	while (!rc && !samples_is_done(&bench->samples, deadline)) {
		int64_t start = clock_monotonic_ns();

		rc = train_trial_step(&bench->trial, err);
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

static enum err_code bench_train(const struct args *args, bool *ret_failed,
				 struct err *err)
{
	struct bench bench = { 0 };
	enum err_code rc;

	*ret_failed = false;
	samples_init(&bench.samples);
	rc = train_trial_open(args, &bench.trial, err);
	if (!rc)
		rc = predict(&bench, err);
	if (!rc)
		rc = measure(&bench, err);
	if (!rc)
		rc = print(&bench, err);
	train_trial_close(&bench.trial);
	samples_finish(&bench.samples);
	return rc;
}

static const struct args_flag flags[] = {
	TRAIN_TRIAL_FLAGS,
	{ 0 },
};

const struct measure_command measure_bench_train = {
	.name = "bench-train",
	.usage = "JOB.yaml " TRAIN_TRIAL_USAGE,
	.help = "Times training steps of a job in this process and prints one "
		"JSON object.",
	.flags = flags,
	.n_words = 1,
	.run = bench_train,
};
