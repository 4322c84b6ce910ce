/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Weights: the variables of a graph as named tensors, to save and to restore.
 *
 * Ownership: lists live in the arena; their views point into the variables'
 *            memory. A snapshot is a copy of all of it.
 * Threads:   one.
 */
#ifndef TRAINING_WEIGHTS_H
#define TRAINING_WEIGHTS_H

#include <stdbool.h>

#include "base/spill.h"
#include "engine/train_step.h"
#include "models/safetensors.h"

/** All parameters and statistics of the graph, by name. */
MUST_USE enum err_code weights_list(const struct graph *graph,
				    struct arena *arena,
				    struct safetensors *ret, struct err *err);
/** The moments' arenas: "moment.0" ..., the "sum" of gradients, and the "state"
 * that batches hand on, unless its data is NULL. */
MUST_USE enum err_code
weights_moments(const struct train_memory *memory, struct tensor_view state,
		struct arena *arena, struct safetensors *ret, struct err *err);
/** Copies each tensor of `from` over the one of that name in `to`; ERR_FORMAT
 * where names, types or shapes differ. */
MUST_USE enum err_code weights_restore(const struct safetensors *from,
				       const struct safetensors *to,
				       struct err *err);

/** No float is NaN or infinite. */
bool tensor_is_finite(const struct tensor_view *view);
bool weights_are_finite(const struct safetensors *list);

/** A copy of a list's tensors, laid out as the list. */
struct weights_snapshot {
	struct safetensors list;
	char *bytes;	    /**< NULL: they are in the file */
	struct spill spill; /**< where it lies in a file */
};

MUST_USE enum err_code weights_snapshot_init(struct weights_snapshot *snapshot,
					     const struct safetensors *of,
					     struct arena *arena,
					     struct err *err);
/** The same in a file of the folder `dir` (base/spill.h), which takes memory
 * only while it is read or written; NULL: in memory. */
MUST_USE enum err_code weights_snapshot_spill(struct weights_snapshot *snapshot,
					      const struct safetensors *of,
					      const char *dir,
					      struct arena *arena,
					      struct err *err);
/** What is in a file leaves memory. */
void weights_snapshot_rest(const struct weights_snapshot *snapshot);
void weights_snapshot_take(struct weights_snapshot *snapshot,
			   const struct safetensors *of);
/** Back into the list that it was taken of. */
void weights_snapshot_give(const struct weights_snapshot *snapshot,
			   const struct safetensors *to);
/** old += share (new - old), of floats; others are copied. share 1: a copy. */
void weights_snapshot_mix(struct weights_snapshot *snapshot,
			  const struct safetensors *of, double share);
void weights_snapshot_finish(struct weights_snapshot *snapshot);

#endif
