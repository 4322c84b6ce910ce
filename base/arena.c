/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

enum {
	ALIGN = 16,
	CACHE_LINE = 64,
	FIRST_CHUNK = 8192,
	LAST_CHUNK = 1 << 20,
};

/* A chunk's bytes begin one cache line after its head. */
struct chunk {
	struct chunk *next;
	size_t cap, used;
	bool is_alone; /* one block's */
};

_Static_assert(sizeof(struct chunk) <= CACHE_LINE, "the head fits its line");

struct arena {
	struct chunk *current; /* list; small blocks come from its head */
	struct chunk *first;   /* survives a reset */
	size_t next_cap;
	size_t used, max;
};

static unsigned char *bytes_of(struct chunk *chunk)
{
	return (unsigned char *)chunk + CACHE_LINE;
}

static struct chunk *chunk_create(size_t cap)
{
	struct chunk *chunk;

	if (cap > SIZE_MAX / 2)
		return NULL;
	chunk = mem_aligned(CACHE_LINE + cap);
	if (!chunk)
		return NULL;
	chunk->next = NULL;
	chunk->cap = cap;
	chunk->used = 0;
	chunk->is_alone = false;
	return chunk;
}

struct arena *arena_create(size_t max_bytes)
{
	struct arena *arena = mem_zero(sizeof(*arena));

	if (!arena)
		return NULL;
	arena->max = max_bytes;
	arena->next_cap = FIRST_CHUNK;
	return arena;
}

static size_t round_up(size_t size, size_t align)
{
	return (size + align - 1) / align * align;
}

/* A large block gets a chunk of its own behind the head, so that the rest of
 * the head stays in use. */
static struct chunk *add_chunk(struct arena *arena, size_t size)
{
	const bool is_large = size > arena->next_cap / 4;
	struct chunk *chunk = chunk_create(is_large ? size : arena->next_cap);

	if (!chunk)
		return NULL;
	if (is_large && arena->current) {
		chunk->is_alone = true;
		chunk->next = arena->current->next;
		arena->current->next = chunk;
		return chunk;
	}
	chunk->next = arena->current;
	arena->current = chunk;
	if (is_large)
		return chunk;
	if (!arena->first)
		arena->first = chunk;
	if (arena->next_cap < LAST_CHUNK)
		arena->next_cap *= 2;
	return chunk;
}

static void *take(struct arena *arena, size_t size, size_t align)
{
	struct chunk *chunk = arena->current;
	size_t at = 0;
	void *block;

	if (size > SIZE_MAX - CACHE_LINE)
		return NULL;
	size = round_up(size ? size : 1, ALIGN);
	if (size > arena->max - arena->used)
		return NULL;
	if (chunk)
		at = round_up(chunk->used, align);
	if (!chunk || at > chunk->cap || size > chunk->cap - at) {
		chunk = add_chunk(arena, size);
		at = 0;
	}
	if (!chunk)
		return NULL;
	block = bytes_of(chunk) + at;
	chunk->used = at + size;
	arena->used += size;
	return block;
}

void *arena_alloc(struct arena *arena, size_t size)
{
	void *block = take(arena, size, ALIGN);

	return block ? memset(block, 0, size) : NULL;
}

void *arena_array(struct arena *arena, size_t n, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(n, size, &bytes))
		return NULL;
	return arena_alloc(arena, bytes);
}

void *arena_aligned(struct arena *arena, size_t size)
{
	void *block = take(arena, size, CACHE_LINE);

	return block ? memset(block, 0, size) : NULL;
}

void *arena_copy(struct arena *arena, const void *from, size_t size)
{
	void *block = take(arena, size, ALIGN);

	return block && size ? memcpy(block, from, size) : block;
}

char *arena_strdup(struct arena *arena, const char *text)
{
	return arena_strndup(arena, text, strlen(text));
}

char *arena_strndup(struct arena *arena, const char *text, size_t len)
{
	char *copy = len < SIZE_MAX ? take(arena, len + 1, ALIGN) : NULL;

	if (!copy)
		return NULL;
	if (len)
		memcpy(copy, text, len);
	copy[len] = '\0';
	return copy;
}

char *arena_printf(struct arena *arena, const char *format, ...)
{
	va_list args;
	char *text;
	int len;

	va_start(args, format);
	len = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (len < 0)
		return NULL;
	text = take(arena, (size_t)len + 1, ALIGN);
	if (!text)
		return NULL;
	va_start(args, format);
	(void)vsnprintf(text, (size_t)len + 1, format, args);
	va_end(args);
	return text;
}

bool arena_release(struct arena *arena, const void *block)
{
	struct chunk *before = arena->current, *chunk = NULL;

	/* a chunk of its own is never the head */
	for (; before && before->next; before = before->next) {
		chunk = before->next;
		if (chunk->is_alone && bytes_of(chunk) == block)
			break;
		chunk = NULL;
	}
	if (!chunk)
		return false;
	before->next = chunk->next;
	arena->used -= chunk->used;
	mem_free(chunk);
	return true;
}

void arena_reset(struct arena *arena)
{
	struct chunk *chunk = arena->current;

	while (chunk) {
		struct chunk *next = chunk->next;

		if (chunk != arena->first)
			mem_free(chunk);
		chunk = next;
	}
	arena->current = arena->first;
	if (arena->first) {
		arena->first->next = NULL;
		arena->first->used = 0;
	}
	arena->next_cap = arena->first ? 2 * FIRST_CHUNK : FIRST_CHUNK;
	arena->used = 0;
}

size_t arena_used(const struct arena *arena)
{
	return arena->used;
}

size_t arena_left(const struct arena *arena)
{
	return (arena->max - arena->used) / ALIGN * ALIGN;
}

void arena_destroy(struct arena *arena)
{
	if (!arena)
		return;
	arena_reset(arena);
	mem_free(arena->first);
	mem_free(arena);
}
