/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * profile-train: where the time of a training step goes: forward, backward and
 * update are steps of one plan.
 */
#include "measure/command.h"
#include "measure/profile_job.h"
#include "measure/train_trial.h"

static enum err_code run(void *data, struct err *err)
{
	return train_trial_step(data, err);
}

static enum err_code profile_train(const struct args *args, bool *ret_failed,
				   struct err *err)
{
	struct train_trial trial;
	struct profile_job job = { .run = run, .data = &trial };
	enum err_code rc = train_trial_open(args, &trial, err);

	*ret_failed = false;
	if (rc)
		return rc;
	job.seconds = trial.seconds;
	rc =
	    stepper_instance(trial.stepper, trial.batch->n, &job.instance, err);
	if (!rc)
		rc = profile_job_run(&job, args, err);
	profile_job_finish(&job);
	train_trial_close(&trial);
	return rc;
}

static const struct args_flag flags[] = {
	TRAIN_TRIAL_FLAGS,
	PROFILE_JOB_FLAGS,
	{ 0 },
};

const struct measure_command measure_profile_train = {
	.name = "profile-train",
	.usage = "JOB.yaml " TRAIN_TRIAL_USAGE " " PROFILE_JOB_USAGE,
	.help = "Tells where the time of a training step goes: steps, "
		"operators, kernels.",
	.flags = flags,
	.n_words = 1,
	.run = profile_train,
};
