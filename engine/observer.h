/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Observer: who is told what a run does, while it does it.
 *
 * For profiles and tests. Steps are told of slice by slice, on the thread that
 * runs the slice, so from several threads at once; nodes that the interpreter
 * runs (a plan's tail) one at a time and nested, a body's nodes within the
 * node that has the body, unless that body runs as a plan of its own.
 *
 * Ownership: whoever sets one keeps it alive while runs go on.
 * Threads:   see above; a slice of a step begins and ends on one thread.
 */
#ifndef ENGINE_OBSERVER_H
#define ENGINE_OBSERVER_H

#include <stdbool.h>
#include <stddef.h>

struct graph_node;

struct observer {
	void *data;
	/** Slice number `slice` of step number `step` begins, then ends. */
	void (*slice)(void *data, size_t step, unsigned slice, bool ends);
	/** The interpreter begins a node, then ends it; depth: bodies around
	 * it. A node that fails ends too. */
	void (*node)(void *data, const struct graph_node *node, unsigned depth,
		     bool ends);
};

#endif
