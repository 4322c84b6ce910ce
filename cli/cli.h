/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * CLI: predictctl's commands over HTTP, and those that main adds.
 *
 * Data goes to standard output, everything else to standard error.
 *
 * Threads: one, after doc_init().
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <stddef.h>

/** A command that lives elsewhere: it reads its own flags. */
struct cli_extra {
	const char *name, *usage, *help;
	/** argv[0] is the first word after the name. */
	int (*run)(const void *ctx, int argc, const char *const *argv);
	const void *ctx;
};

/** The exit status of the process. */
int cli_main(int argc, const char *const *argv, const struct cli_extra *extra,
	     size_t n_extra);

#endif
