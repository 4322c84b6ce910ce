/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Arena: memory that is freed all at once.
 *
 * Ownership: the arena owns every block it gives; destroy or reset ends them.
 * Threads:   one thread at a time.
 * Limits:    refuses (NULL) beyond the ceiling given at birth.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct arena;

/** max_bytes bounds what all blocks together may take. NULL: out of memory. */
MUST_USE struct arena *arena_create(size_t max_bytes);
/** Zeroed, aligned to 16; NULL beyond the ceiling or out of memory. */
MUST_USE void *arena_alloc(struct arena *arena, size_t size);
/** n * size bytes, zeroed; NULL also when the product overflows. */
MUST_USE void *arena_array(struct arena *arena, size_t n, size_t size);
/** Zeroed, aligned to 64. */
MUST_USE void *arena_aligned(struct arena *arena, size_t size);
MUST_USE void *arena_copy(struct arena *arena, const void *from, size_t size);
MUST_USE char *arena_strdup(struct arena *arena, const char *text);
/** Copies len bytes and ends them with NUL. */
MUST_USE char *arena_strndup(struct arena *arena, const char *text, size_t len);
MUST_USE char *arena_printf(struct arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/** Gives a block back before the others. False, and it stays, when it is not
 * so large that it lies alone. */
bool arena_release(struct arena *arena, const void *block);
/** Empties the arena; the first chunk is kept for reuse. */
void arena_reset(struct arena *arena);
size_t arena_used(const struct arena *arena);
/** The largest block that the ceiling leaves room for, whether there is so much
 * memory or not. */
size_t arena_left(const struct arena *arena);
/** NULL is fine. */
void arena_destroy(struct arena *arena);

#endif
