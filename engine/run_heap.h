/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Run heap: memory of what only a run can shape.
 *
 * Tensors, sequences and optionals are items over counted blocks; an item that
 * nobody holds any more gives its bytes back at once, so that a loop takes no
 * more than its values of one turn. The bytes of strings stay until the end.
 * A sequence is never changed: inserting makes a new one that shares the
 * tensors. An optional is a sequence of at most one tensor, or a sequence.
 *
 * Ownership: whoever fills a `struct item` drops it; an item without owner
 *            borrows from constants, inputs or variables.
 * Threads:   one run, one thread.
 * Limits:    refuses (ERR_NO_MEMORY) beyond the ceiling given at birth.
 */
#ifndef ENGINE_RUN_HEAP_H
#define ENGINE_RUN_HEAP_H

#include "engine/op.h"

struct run_heap {
	size_t used, max;
	struct arena *text;
};

struct run_block; /* counted bytes */

/** A value of a run: its fact has elements, or a sequence, as `value`. */
struct item {
	struct fact fact;
	struct run_block *owner; /**< NULL: borrowed for the whole run */
	bool is_constant;	 /**< of the graph: the same in every run */
};

struct sequence {
	size_t n;
	bool is_none; /**< an optional without element */
	struct item *item;
};

/** max_bytes 0: no ceiling. */
MUST_USE enum err_code run_heap_init(struct run_heap *heap, size_t max_bytes,
				     struct err *err);
void run_heap_finish(struct run_heap *heap);

/** Elements for a fact that has type and shape; not cleared. */
MUST_USE enum err_code item_alloc(struct run_heap *heap, struct item *item,
				  struct err *err);
/** A sequence of n empty items, for the caller to fill, in an item whose type
 * is set already. */
MUST_USE enum err_code item_sequence(struct run_heap *heap, size_t n,
				     struct item *item,
				     struct sequence **ret_sequence,
				     struct err *err);
/** One more holder of the same. */
struct item item_share(const struct item *item);
/** Empties the item. */
void item_drop(struct run_heap *heap, struct item *item);

/** Where an item's elements may be written. */
void *item_data(const struct item *item);
static inline const struct sequence *item_items(const struct item *item)
{
	return item->fact.value;
}

#endif
