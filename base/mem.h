/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Memory: the only door to malloc.
 *
 * Every function that allocates may return NULL; sizes are checked for
 * overflow. Blocks come 64-byte aligned from mem_aligned() and mem_large() and
 * 16-byte aligned from the rest; mem_free() takes both. In a torture build
 * mem_fail_at(n) makes the n-th allocation from now fail once.
 *
 * Ownership: the caller owns what it gets and frees it with mem_free().
 * Threads:   safe from any thread; the fuse is per thread.
 */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>

#include "base/err.h"

MUST_USE void *mem_alloc(size_t size);
/** Zeroed. */
MUST_USE void *mem_zero(size_t size);
/** n * size bytes, zeroed; NULL when the product overflows. */
MUST_USE void *mem_array(size_t n, size_t size);
/** Grows or shrinks block to n * size bytes; the old block stays on failure. */
MUST_USE void *mem_resize(void *block, size_t n, size_t size);
/** 64-byte aligned, not cleared. */
MUST_USE void *mem_aligned(size_t size);
/** The same; a large block lies in few, large pages where the system gives
 * them, and takes them when they are touched first. */
MUST_USE void *mem_large(size_t size);
MUST_USE char *mem_strdup(const char *text);
MUST_USE char *mem_printf(const char *format, ...)
    __attribute__((format(printf, 1, 2)));
/** NULL is fine. */
void mem_free(void *block);
/** Before threads start, for a process in which so many work at once: memory
 * lies in no more regions than that, as what is freed in one is of no use in
 * others. */
void mem_set_regions(unsigned n_threads);
/** Gives back to the system what was freed and is kept for the next one. Takes
 * milliseconds where there is much of it. */
void mem_trim(void);
/** What is in these bytes is not needed any more, though they cannot be freed:
 * whole pages go back to the system, and what is read there afterwards is
 * undefined. */
void mem_forget(void *bytes, size_t n);
/** Bytes of memory that this process takes now; 0 where nobody says. */
size_t mem_resident(void);

/** The n-th allocation of this thread from now fails, once; 0 disarms. */
void mem_fail_at(unsigned long n);

#endif
