/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Text heap: room for the bytes of strings that kernels make during a run.
 *
 * Elements of a string tensor are borrowed (struct str). Kernels that move
 * strings copy the elements; one that makes new bytes (KERNEL_TEXT) takes them
 * here, through kernel_text(). Nothing is given back before the next run
 * begins, so whatever a run made lives until its results were read.
 *
 * The room is one range of addresses, reserved at birth; pages that were never
 * touched cost nothing, and a reset gives back most of the others.
 *
 * Ownership: of the heap whoever created it, of the bytes the heap.
 * Threads:   take() from any threads of one run; the others from one.
 * Limits:    refuses (NULL) beyond the ceiling given at birth.
 */
#ifndef ENGINE_TEXT_HEAP_H
#define ENGINE_TEXT_HEAP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/** Ceiling of one run. */
#define TEXT_HEAP_MAX ((size_t)64 << 20)

struct text_heap;

MUST_USE enum err_code text_heap_create(size_t max_bytes,
					struct text_heap **ret_heap,
					struct err *err);
/** Neither locks nor allocates; not zeroed. NULL: the heap is full. */
char *text_heap_take(struct text_heap *heap, size_t len);
/** True when a take() was refused since the last reset. */
bool text_heap_is_full(const struct text_heap *heap);
/** What is_full() means to a user. */
enum err_code text_heap_refuse(const struct text_heap *heap, const char *node,
			       struct err *err);
/** Ends all bytes. */
void text_heap_reset(struct text_heap *heap);
/** NULL is fine. */
void text_heap_destroy(struct text_heap *heap);

#endif
