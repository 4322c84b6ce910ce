/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * A second opinion on a plan: its steps are run on tags instead of numbers.
 *
 * Every byte of the block and of the variables carries a tag that says which
 * byte of which value it is. A step's operands must carry the tags that the
 * graph asks for, its results get theirs, scratches lose all. Nothing is taken
 * from the planner but steps and addresses.
 */
#ifndef TESTS_ENGINE_PLAN_CHECK_H
#define TESTS_ENGINE_PLAN_CHECK_H

#include <stdbool.h>

#include "engine/plan_priv.h"

/** False with a sentence in text when the plan is wrong. */
bool plan_check(const struct plan *plan, char *text, size_t cap);

#endif
