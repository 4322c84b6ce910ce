/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Plan pass check: a graph text, the operators of its plan, and a run of it
 * compared with the interpreter's.
 */
#ifndef TESTS_ENGINE_PLAN_PASS_CHECK_H
#define TESTS_ENGINE_PLAN_PASS_CHECK_H

struct plan_pass_case {
	const char *name, *graph;
	const char *steps; /**< names of operators, by spaces */
};

/** Expects. tolerance: of the largest output; 0: the same bits. */
void plan_pass_check(const struct plan_pass_case *row, double tolerance);

#endif
