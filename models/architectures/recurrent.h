/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Recurrent: one layer after the other, for networks that do more with their
 * states than the layers rnn, gru and lstm.
 *
 * Time is the first axis: X [steps, rows, numbers], Y [steps, directions, rows,
 * hidden], states [directions, rows, hidden].
 *
 * Ownership: as assembly.h. Threads: one at a time.
 */
#ifndef MODELS_ARCHITECTURES_RECURRENT_H
#define MODELS_ARCHITECTURES_RECURRENT_H

#include "models/architectures/assembly.h"
#include "models/architectures/layer_options.h"

/* a sequence, and at most two states */
enum { RECURRENT_VALUES = 3 };

/** A stack of layers while it is built. */
struct recurrent_stack {
	struct assembly *assembly;
	const struct recurrent_options *o;
	const char *op, *name;
	int64_t n_gates, n_directions;
	int64_t n_in; /**< numbers that the next layer gets */
};

/** States that a layer has: two of an LSTM, else one. */
unsigned recurrent_n_states(const struct recurrent_stack *s);
/** Layer number `layer` with its parameters. from: X and the states before,
 * VALUE_NONE for zeros; out: Y and the states after it. */
MUST_USE enum err_code recurrent_layer(const struct recurrent_stack *s,
				       int64_t layer,
				       const int32_t from[RECURRENT_VALUES],
				       int32_t out[RECURRENT_VALUES],
				       struct err *err);
MUST_USE enum err_code recurrent_transpose(const struct recurrent_stack *s,
					   const int64_t *perm, size_t n,
					   int32_t *value, struct err *err);
/** The last axes of a value as one; those before stay. */
MUST_USE enum err_code recurrent_join_axes(const struct recurrent_stack *s,
					   size_t n_before, int32_t *value,
					   struct err *err);

/** Notes a layer that is put together by hand, for the summary; its parameters
 * are those since there were params_before. */
MUST_USE enum err_code assembly_note(struct assembly *assembly,
				     const char *type, const char *name,
				     const struct shape *row,
				     int64_t params_before, struct err *err);
/** One more input of the graph, after those of the features: float, rows of
 * this shape, which a run begins with. The network sets state.out. */
MUST_USE enum err_code assembly_state(struct assembly *assembly,
				      const struct shape *row, struct err *err);

#endif
