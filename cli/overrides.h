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

/** The job (YAML or JSON) as JSON with every --set of args laid over it, in
 * the arena. Maps that are not there are made; a value is YAML. */
MUST_USE enum err_code overrides_apply(const struct args *args,
				       const char *text, size_t len,
				       const char *name, struct arena *arena,
				       const char **ret_json, struct err *err);

#endif
