/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Overrides: `--set trainer.epochs=3` over a job that is read from a file.
 *
 * Threads: pure functions.
 */
#ifndef CLI_OVERRIDES_H
#define CLI_OVERRIDES_H

#include "base/args.h"
#include "base/doc.h"

struct overrides_job {
	const char *name; /**< of the file, for messages */
	const char *text; /**< YAML or JSON, ends with a NUL */
	size_t len;
};

/** The job becomes JSON with every --set of args laid over it, in the arena.
 * Maps that are not there are made; a value is YAML. */
MUST_USE enum err_code overrides_apply(const struct args *args,
				       struct arena *arena,
				       struct overrides_job *job,
				       struct err *err);

#endif
