/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Interpreter: the naive executor, and the oracle of all tests.
 *
 * Node by node: infer, the last (reference) kernel or the best QUICK one, a
 * fresh block of the run heap a value. No plan, no reuse, no threads. Also
 * runs what only a run can shape: bodies, sequences, optionals
 * (engine/evaluate.h).
 *
 * Ownership: values live until interpreter_result_finish().
 * Threads:   any number of interpreters at once.
 */
#ifndef ENGINE_INTERPRETER_H
#define ENGINE_INTERPRETER_H

#include "engine/facts.h"
#include "engine/observer.h"

struct body_plans;

struct interpreter_result {
	struct run *run;     /**< its heap */
	struct frame *frame; /**< who holds the values */
	/** [graph->n_value]; data NULL: not made, or freed. That of a sequence
	 * or optional is its struct sequence (engine/run_heap.h). */
	struct tensor_view *value;
};

struct interpreter_options {
	bool reference;	  /**< reference kernels only */
	bool frees;	  /**< what nobody reads any more: outputs stay */
	size_t max_bytes; /**< of all values at once; 0: no bound */
	const struct observer *observer; /**< NULL: nobody is told of nodes */
	struct body_plans *bodies;	 /**< NULL: no body is planned */
};

/** input[i] is graph input i; the data of a sequence or optional is its
 * struct sequence. Assigns are written to the variables at the
 * end. A bad value gives ERR_INVALID that names the node. */
MUST_USE enum err_code interpret(const struct graph *graph,
				 const struct tensor_view *input,
				 const struct interpreter_options *options,
				 struct interpreter_result *ret,
				 struct err *err);
void interpreter_result_finish(struct interpreter_result *result);

#endif
