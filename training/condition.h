/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Condition: comparisons of metrics with numbers, joined by `and` and `or`.
 *
 *   valid_accuracy >= 0.9 and valid_loss < 0.4 or valid_accuracy > 0.95
 *
 * `and` binds closer; there are no parentheses.
 *
 * Ownership: lives in the arena handed in. Threads: pure.
 * Limits:    64 comparisons.
 */
#ifndef TRAINING_CONDITION_H
#define TRAINING_CONDITION_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/err.h"

struct condition;

/** Names must be among `metrics` (ends with NULL). `where` begins messages. */
MUST_USE enum err_code condition_parse(const char *text, const char *where,
				       const char *const *metrics,
				       struct arena *arena,
				       const struct condition **ret,
				       struct err *err);
/** value() gives a metric by name, NaN where it was not measured: every
 * comparison with it is false. */
bool condition_holds(const struct condition *condition,
		     double (*value)(const void *ctx, const char *name),
		     const void *ctx);

#endif
