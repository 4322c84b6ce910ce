/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Pads: what a Pad puts around the planes of what follows it, for the passes
 * that take it into a window's own padding.
 *
 * Ownership: plain data. Threads: pure functions.
 */
#ifndef ENGINE_PASSES_PADS_H
#define ENGINE_PASSES_PADS_H

#include "engine/ops/window.h"
#include "engine/passes/edit.h"

/** Begin and end of every axis. */
struct pads {
	int rank;
	int64_t begin[SHAPE_MAX_RANK], end[SHAPE_MAX_RANK];
	double fill; /**< may be infinite */
};

/** The Pad by one number that alone makes what `node` alone reads as input 0,
 * or NULL. Axes of batch and channels are as they are. ret->rank comes in. */
const struct graph_node *pads_before(const struct edit *edit,
				     const struct graph_node *node,
				     struct pads *ret);
/** Adds them to the padding that a window has; list: 2 * (rank - 2) numbers,
 * which *window borrows. False: its own padding is chosen by shapes, or there
 * is no sum. */
bool pads_add(const struct pads *pads, struct window_attrs *window,
	      int64_t *list);

#endif
