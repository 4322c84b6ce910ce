/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/text_heap.h"

#include <stdatomic.h>
#include <sys/mman.h>

#include "base/mem.h"

/* What a reset leaves in memory, for the next run. */
#define KEPT_BYTES ((size_t)1 << 20)

struct text_heap {
	char *block;
	size_t max;
	atomic_size_t used; /* may pass max: then the heap is full */
};

enum err_code text_heap_create(size_t max_bytes, struct text_heap **ret_heap,
			       struct err *err)
{
	struct text_heap *heap = mem_zero(sizeof(*heap));

	if (!heap)
		return err_set(err, ERR_NO_MEMORY, "strings: out of memory");
	heap->max = max_bytes;
	heap->block = mmap(NULL, max_bytes, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (heap->block == MAP_FAILED) {
		mem_free(heap);
		return err_set(err, ERR_NO_MEMORY,
			       "strings: no room for %zu bytes", max_bytes);
	}
	*ret_heap = heap;
	return ERR_NONE;
}

char *text_heap_take(struct text_heap *heap, size_t len)
{
	size_t at = atomic_load_explicit(&heap->used, memory_order_relaxed);

	do {
		if (at > heap->max || len > heap->max - at) {
			atomic_store_explicit(&heap->used, heap->max + 1,
					      memory_order_relaxed);
			return NULL;
		}
	} while (!atomic_compare_exchange_weak_explicit(
	    &heap->used, &at, at + len, memory_order_relaxed,
	    memory_order_relaxed));
	return heap->block + at;
}

bool text_heap_is_full(const struct text_heap *heap)
{
	return atomic_load_explicit(&heap->used, memory_order_relaxed) >
	       heap->max;
}

enum err_code text_heap_refuse(const struct text_heap *heap, const char *node,
			       struct err *err)
{
	return err_set(err, ERR_TOO_LARGE,
		       "node '%s': the strings that a run makes may take at "
		       "most %zu bytes",
		       node, heap->max);
}

void text_heap_reset(struct text_heap *heap)
{
	const size_t used =
	    atomic_load_explicit(&heap->used, memory_order_relaxed);

	if (used > KEPT_BYTES && heap->max > KEPT_BYTES)
		(void)madvise(heap->block + KEPT_BYTES, heap->max - KEPT_BYTES,
			      MADV_DONTNEED);
	atomic_store_explicit(&heap->used, 0, memory_order_relaxed);
}

void text_heap_destroy(struct text_heap *heap)
{
	if (!heap)
		return;
	(void)munmap(heap->block, heap->max);
	mem_free(heap);
}
