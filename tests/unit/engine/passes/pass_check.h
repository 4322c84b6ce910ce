/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Pass check: a graph text, what one LOAD pass must make of it, and a run of
 * both by the interpreter.
 */
#ifndef TESTS_ENGINE_PASS_CHECK_H
#define TESTS_ENGINE_PASS_CHECK_H

struct pass_case {
	const char *name;
	const char *pass; /**< words of a pass switch: what is on */
	const char *before;
	/** Names and elements of values do not matter. NULL: as before. */
	const char *after;
};

/** Asserts. Inputs are drawn from N(0,1), integers from 0 to 3. */
void pass_check(const struct pass_case *row);
/** Results may be off by `tolerance` times the largest. */
void pass_check_near(const struct pass_case *row, double tolerance);
/** All rows of a table that ends with a NULL name. */
void pass_check_all(const struct pass_case *rows);

#endif
