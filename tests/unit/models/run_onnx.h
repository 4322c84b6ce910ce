/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Files of make_onnx.h, read and run.
 *
 * Ownership: run_end() ends all of it.
 * Threads:   one fixture a test.
 */
#ifndef TESTS_UNIT_MODELS_RUN_ONNX_H
#define TESTS_UNIT_MODELS_RUN_ONNX_H

#include "engine/instance.h"
#include "models/onnx.h"
#include "tests/unit/models/make_onnx.h"

struct run {
	struct make m;
	struct graph *graph;
	struct model_signature signature;
	struct plan *plan;
	struct instance *instance;
	struct err err;
};

/** Reads what was made, which is whole. */
enum err_code run_read(struct run *f);
void run_end(struct run *f);
/** Reads, wants a refusal that says so, and ends. */
void run_expect_refusal(struct run *f, const char *says);

struct fact run_known(enum dtype elem, unsigned rank, int64_t n,
		      const void *value);
/** Plans for the inputs, whose values are known before the run or not. */
enum err_code run_plan(struct run *f, const struct fact *input,
		       bool in_signature);
void run_expect_floats(struct run *f, unsigned output, const float *want,
		       int64_t n);

#endif
