/* SPDX-License-Identifier: Apache-2.0 */
#include "measure/command.h"

#include <stdio.h>

#include "measure/trial.h"

static const struct measure_command *const commands[] = {
#define COMMAND(name) &measure_##name,
#include "measure/commands.def"
#undef COMMAND
	NULL,
};

const struct measure_command *const *measure_commands(void)
{
	return commands;
}

static void print_help(const struct measure_command *command, FILE *out)
{
	(void)fprintf(out, "usage: predictctl %s %s\n\n%s\n", command->name,
		      command->usage, command->help);
	for (const struct args_flag *f = command->flags; f->name; f++)
		(void)fprintf(out, "  --%s %-*s %s\n", f->name,
			      (int)(24 - strlen(f->name)),
			      f->value ? f->value : "", f->help);
}

static int wrong_usage(const struct measure_command *command,
		       const char *sentence)
{
	(void)fprintf(stderr, "predictctl %s: %s\nusage: predictctl %s %s\n",
		      command->name, sentence, command->name, command->usage);
	return MEASURE_USAGE;
}

int measure_run(const struct measure_command *command, int argc,
		const char *const *argv)
{
	static const struct args_flag help[] = {
		{ "help", NULL, "this text" },
		{ 0 },
	};
	struct err err = { 0 };
	struct args args;
	bool failed = false;
	enum err_code rc;

	if (args_parse(command->flags, help, argc, argv, &args, &err))
		return wrong_usage(command, err.msg);
	if (args_has(&args, "help")) {
		print_help(command, stdout);
		return MEASURE_OK;
	}
	if (args.n_words != command->n_words)
		return wrong_usage(command, "a file or folder is expected");
	rc = trial_init(&err);
	if (!rc)
		rc = command->run(&args, &failed, &err);
	if (!rc && fflush(stdout))
		rc = err_set(&err, ERR_IO, "cannot write the result");
	if (!rc)
		return failed ? MEASURE_FAILED : MEASURE_OK;
	(void)fprintf(stderr, "predictctl %s: %s\n", command->name, err.msg);
	return MEASURE_FAILED;
}
