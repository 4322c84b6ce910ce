/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Evaluate: operators that have no kernels, because their results are no
 * single tensors or because they decide what runs.
 *
 * If, Loop, Scan and SequenceMap run bodies; sequences and optionals are items
 * of the run heap. The interpreter calls op->evaluate() with the operands as
 * items. Bodies run in frames, which a loop makes once and runs many times.
 * The last `n_captured` inputs of a node with bodies are values of the outer
 * graph that bodies read; they are the last inputs of every body, too.
 *
 * Ownership: operands are borrowed; results belong to the interpreter.
 * Threads:   one run, one thread.
 * Limits:    EVALUATE_MAX_DEPTH bodies inside one another, and
 *            EVALUATE_MAX_STEPS nodes a run, so that no loop is endless.
 */
#ifndef ENGINE_EVALUATE_H
#define ENGINE_EVALUATE_H

#include "engine/run_heap.h"

enum { EVALUATE_MAX_DEPTH = 16, EVALUATE_MAX_STEPS = 1 << 26 };

struct run;
struct frame;

struct evaluate {
	struct run *run;
	struct run_heap *heap;
	unsigned depth; /**< bodies around this node */
	const struct graph_node *node;
	const struct item *in; /**< absent ones have elem DTYPE_NONE */
	struct item *out;      /**< types are there; absent likewise */
	unsigned n_in, n_out;
};

/** The place where a body runs. */
MUST_USE enum err_code frame_create(const struct evaluate *call,
				    const struct graph *body,
				    struct frame **ret_frame, struct err *err);
/** One turn: in[n_input] is borrowed, out[n_output] is the caller's to drop.
 */
MUST_USE enum err_code frame_run(struct frame *frame, const struct item *in,
				 struct item *out, struct err *err);
/** NULL is fine. */
void frame_destroy(struct frame *frame);

/** The number that an operand holds (int32 or int64, one element). */
MUST_USE enum err_code evaluate_int(const struct evaluate *call, unsigned i,
				    int64_t *ret, struct err *err);
/** A tensor of one int64 or bool. */
MUST_USE enum err_code evaluate_scalar(struct run_heap *heap, enum dtype elem,
				       int64_t value, struct item *ret,
				       struct err *err);
/** Joins n tensors of one type along an axis; as a new one, they are stacked.
 */
MUST_USE enum err_code evaluate_join(struct run_heap *heap,
				     const struct item *part, size_t n,
				     int64_t axis, bool as_new,
				     struct item *ret, struct err *err);
/** Cuts [first, first + n) of an axis out of a tensor; `squeeze` drops the
 * axis. */
struct evaluate_cut {
	unsigned axis;
	int64_t first, n;
	bool squeeze;
};
MUST_USE enum err_code evaluate_cut(struct run_heap *heap,
				    const struct item *from,
				    const struct evaluate_cut *cut,
				    struct item *ret, struct err *err);

#endif
