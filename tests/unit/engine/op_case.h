/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * What the files of the case harness share: one case of one row under test.
 *
 * Failures are collected as text, one a line, so that a row can be checked in
 * a process of its own: a crash names the row too.
 */
#ifndef TESTS_UNIT_ENGINE_OP_CASE_H
#define TESTS_UNIT_ENGINE_OP_CASE_H

#include "base/buf.h"
#include "engine/graph_text.h"
#include "engine/interpreter.h"

enum { CASE_MAX_VALUES = 256 };

struct case_test {
	const struct op *op;
	const struct op_case *row;
	struct buf *failures;
	unsigned n_gradients; /**< cases whose gradient was checked */
};

/** "Conv, case 'padded': " and the rest of the sentence. */
void case_fail(struct case_test *test, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/** A case's graph with everything drawn. */
struct case_graph {
	struct graph *graph;
	struct fact *input; /**< by graph input */
	struct facts *facts;
	struct tensor_view *data; /**< by graph input; in the graph's arena */
};

/** Parses, infers and draws. Refusals come back with their sentence. */
enum err_code case_graph_create(const char *text, double kink,
				struct case_graph *ret, struct err *err);
void case_graph_finish(struct case_graph *graph);
/** n elements drawn from N(0,1), `kink` away from 0; integers from 0 to 3. */
void case_draw(enum dtype dtype, void *data, int64_t n, double kink,
	       uint32_t stream);
/** A copy of the text with every "float[" a "double[". Free with mem_free. */
char *case_text_in_double(const char *text);

/** Element i as a double; strings give a hash. */
double case_element(enum dtype dtype, const void *data, int64_t i);
/** Tells where got is farther from want than tolerance times the largest
 * element of want; exact but for floats. `what` names kernel and output. */
bool case_compare(struct case_test *test, const char *what,
		  const struct fact *fact, const void *want, const void *got,
		  double tolerance);
double case_tolerance(const struct case_test *test);

/** op_case_kernels.c */
void case_check_kernels(struct case_test *test);
/** op_case_gradients.c */
void case_check_gradients(struct case_test *test);

#endif
