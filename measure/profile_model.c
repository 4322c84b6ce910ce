/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * profile-model: where the time of a run goes, step by step.
 */
#include "measure/command.h"
#include "measure/made_inputs.h"
#include "measure/profile_job.h"

static enum err_code run(void *data, struct err *err)
{
	return trial_run(data, err);
}

static enum err_code read_flags(const struct args *args,
				struct trial_options *options, int64_t *batch,
				double *seconds, struct err *err)
{
	int64_t threads = 1;
	enum err_code rc;

	rc = args_int(args, "batch-size", 1, 1 << 20, batch, err);
	if (!rc)
		rc = args_int(args, "threads", 1, TRIAL_MAX_THREADS, &threads,
			      err);
	if (!rc)
		rc = args_double(args, "seconds", 0, 86400, seconds, err);
	options->threads = (unsigned)threads;
	return rc ? rc : trial_read_flags(args, options, err);
}

static enum err_code profile_model(const struct args *args, bool *ret_failed,
				   struct err *err)
{
	struct trial_options options = { .tunes = true };
	struct trial trial = { 0 };
	struct profile_job job = { .run = run, .data = &trial, .seconds = 2 };
	int64_t batch = 1;
	enum err_code rc;

	*ret_failed = false;
	rc = read_flags(args, &options, &batch, &job.seconds, err);
	if (!rc)
		rc = trial_open(args->word[0], &options, &trial, err);
	if (!rc)
		rc = made_inputs_prepare(args, batch, &trial, err);
	job.instance = trial.instance;
	if (!rc)
		rc = profile_job_run(&job, args, err);
	profile_job_finish(&job);
	trial_close(&trial);
	return rc;
}

static const struct args_flag flags[] = {
	{ "batch-size", "N", "first extent of every input, where open (1)" },
	{ "threads", "T", "threads that share a run (1)" },
	{ "seconds", "S", "how long to measure; at least 5 runs (2)" },
	{ "input-shape", "NAME:AxBxC", "shape of one input; may repeat" },
	TRIAL_FLAGS,
	PROFILE_JOB_FLAGS,
	{ 0 },
};

const struct measure_command measure_profile_model = {
	.name = "profile-model",
	.usage =
	    "FILE.onnx [--batch-size N] [--threads T] [--seconds S] "
	    "[--input-shape NAME:AxBxC ...] " TRIAL_USAGE " " PROFILE_JOB_USAGE,
	.help = "Tells where the time of a run goes: steps, operators, "
		"kernels.",
	.flags = flags,
	.n_words = 1,
	.run = profile_model,
};
