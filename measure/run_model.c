/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * run-model: one run of a model on tensors in files.
 */
#include "base/arena.h"
#include "base/file.h"
#include "measure/command.h"
#include "measure/trial.h"
#include "models/tensor_file.h"

#define INPUTS_MAX ((size_t)8 << 30)

static enum err_code read_inputs(const char *dir,
				 const struct model_signature *signature,
				 struct arena *arena, struct tensor_view *input,
				 struct err *err)
{
	enum err_code rc = ERR_NONE;

	for (unsigned i = 0; i < signature->n_inputs && !rc; i++) {
		const struct tensor_name name = {
			.name = signature->input[i].name,
			.kind = "input",
			.place = i,
		};

		rc = tensor_file_read(NULL, dir, &name, arena, &input[i], err);
	}
	return rc;
}

static enum err_code write_outputs(const char *dir, struct trial *trial,
				   struct err *err)
{
	const struct model_signature *signature = &trial->package->signature;
	enum err_code rc = file_make_dirs(dir, err);

	for (unsigned i = 0; i < signature->n_outputs && !rc; i++) {
		const struct tensor_view view =
		    instance_output(trial->instance, i);
		const struct tensor_name name = {
			.name = signature->output[i].name,
			.kind = "output",
			.place = i,
		};

		rc = tensor_file_write(dir, &name, &view, err);
	}
	return rc;
}

static enum err_code run_model(const struct args *args, bool *ret_failed,
			       struct err *err)
{
	struct tensor_view input[TRIAL_MAX_PORTS] = { 0 };
	const char *in = args_text(args, "inputs", NULL);
	const char *out = args_text(args, "outputs", NULL);
	struct arena *arena = arena_create(INPUTS_MAX);
	struct trial_options options = { 0 };
	struct trial trial = { 0 };
	int64_t threads = 1;
	enum err_code rc;

	*ret_failed = false;
	if (!arena) {
		rc = err_set(err, ERR_NO_MEMORY, "out of memory");
		goto out;
	}
	if (!in || !out) {
		rc = err_set(err, ERR_INVALID,
			     "--inputs DIR and --outputs DIR are needed");
		goto out;
	}
	rc = args_int(args, "threads", 1, TRIAL_MAX_THREADS, &threads, err);
	if (!rc)
		rc = trial_read_flags(args, &options, err);
	options.threads = (unsigned)threads;
	if (!rc)
		rc = trial_open(args->word[0], &options, &trial, err);
	if (!rc)
		rc = read_inputs(in, &trial.package->signature, arena, input,
				 err);
	if (!rc)
		rc = trial_prepare(&trial, input, err);
	if (!rc)
		rc = trial_run(&trial, err);
	if (!rc)
		rc = write_outputs(out, &trial, err);
out:
	trial_close(&trial);
	arena_destroy(arena);
	return rc;
}

static const struct args_flag flags[] = {
	{ "inputs", "DIR", "folder of NAME.npy, NAME.pb or input_N.*" },
	{ "outputs", "DIR", "where NAME.npy files are written" },
	{ "threads", "T", "threads that share the run (1)" },
	TRIAL_FLAGS,
	{ 0 },
};

const struct measure_command measure_run_model = {
	.name = "run-model",
	.usage =
	    "FILE.onnx --inputs DIR --outputs DIR [--threads T] " TRIAL_USAGE,
	.help = "Runs a model once on tensors in files.",
	.flags = flags,
	.n_words = 1,
	.run = run_model,
};
