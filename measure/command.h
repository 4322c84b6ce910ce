/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Commands that measure and check the engine in this process, one row each.
 *
 * What a command finds goes to standard output, one JSON object or one line a
 * case; what went wrong goes to standard error as one sentence.
 *
 * Threads: one command at a time.
 */
#ifndef MEASURE_COMMAND_H
#define MEASURE_COMMAND_H

#include "base/args.h"

/** Exit statuses. */
enum { MEASURE_OK = 0, MEASURE_FAILED = 1, MEASURE_USAGE = 2 };

struct measure_command {
	const char *name, *usage, *help;
	const struct args_flag *flags; /**< ends with a NULL name */
	unsigned n_words;	       /**< that it takes, exactly */
	/** ERR_INVALID from args counts as usage. *ret_failed: it ran, and what
	 * it ran did not pass. */
	enum err_code (*run)(const struct args *args, bool *ret_failed,
			     struct err *err);
};

extern const struct measure_command measure_bench_model, measure_bench_train,
    measure_profile_model, measure_profile_train, measure_run_model,
    measure_op_test, measure_operators;

/** NULL-terminated, in the order of the help. */
const struct measure_command *const *measure_commands(void);
/** The exit status. argv[0] is the first word after the command's name. */
int measure_run(const struct measure_command *command, int argc,
		const char *const *argv);

#endif
