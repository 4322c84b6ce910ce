/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Value test: a backend test whose inputs or outputs are no tensors, run by
 * the interpreter: plans and predictions take tensors only.
 *
 * Ownership: keeps nothing. Threads: any.
 */
#ifndef MEASURE_VALUE_TEST_H
#define MEASURE_VALUE_TEST_H

#include "measure/compare.h"

/** dir has model.onnx; set is its folder of inputs and outputs. */
MUST_USE enum err_code value_test_run(const char *dir, const char *set,
				      struct compare_bound bound,
				      struct err *err);

#endif
