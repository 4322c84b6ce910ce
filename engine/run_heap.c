/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/run_heap.h"

#include <string.h>

#include "base/mem.h"
#include "engine/node_call.h"

enum { BLOCK_HEAD = 64 };

struct run_block {
	size_t refs, bytes;
	bool holds_items; /* a struct sequence and its items */
};
_Static_assert(sizeof(struct run_block) <= BLOCK_HEAD, "the head of a block");

enum err_code run_heap_init(struct run_heap *heap, size_t max_bytes,
			    struct err *err)
{
	*heap = (struct run_heap){
		.max = max_bytes ? max_bytes : SIZE_MAX / 2,
	};
	heap->text = arena_create(heap->max);
	return heap->text ? ERR_NONE
			  : err_set(err, ERR_NO_MEMORY, "run: out of memory");
}

void run_heap_finish(struct run_heap *heap)
{
	arena_destroy(heap->text);
	*heap = (struct run_heap){ 0 };
}

static void *block_data(struct run_block *block)
{
	return (char *)block + BLOCK_HEAD;
}

static enum err_code block_create(struct run_heap *heap, size_t bytes,
				  struct run_block **ret, struct err *err)
{
	struct run_block *block;

	bytes += BLOCK_HEAD; /* counted too: loops make many small ones */
	if (bytes > heap->max || heap->used > heap->max - bytes)
		return err_set(err, ERR_NO_MEMORY,
			       "a run needs more than the %zu bytes that its "
			       "values may take",
			       heap->max);
	block = mem_aligned(bytes + 1);
	if (!block)
		return err_set(err, ERR_NO_MEMORY,
			       "run: no memory for %zu bytes", bytes);
	*block = (struct run_block){ .refs = 1, .bytes = bytes };
	heap->used += bytes;
	*ret = block;
	return ERR_NONE;
}

/* The items of a sequence are tensors, so that this goes no deeper. */
static void block_free(struct run_heap *heap, struct run_block *block)
{
	heap->used -= block->bytes;
	mem_free(block);
}

static bool block_unref(struct run_block *block)
{
	return block && --block->refs == 0;
}

enum err_code item_alloc(struct run_heap *heap, struct item *item,
			 struct err *err)
{
	struct run_block *block = NULL;
	enum err_code rc =
	    block_create(heap, fact_data_bytes(&item->fact), &block, err);

	if (rc)
		return rc;
	item->owner = block;
	item->fact.value = block_data(block);
	item->fact.has_shape = true;
	return ERR_NONE;
}

enum err_code item_sequence(struct run_heap *heap, size_t n, struct item *item,
			    struct sequence **ret_sequence, struct err *err)
{
	struct run_block *block = NULL;
	struct sequence *sequence;
	size_t bytes;
	enum err_code rc;

	if (__builtin_mul_overflow(n, sizeof(struct item), &bytes) ||
	    __builtin_add_overflow(bytes, sizeof(*sequence), &bytes))
		return err_set(err, ERR_TOO_LARGE, "a sequence of %zu items",
			       n);
	rc = block_create(heap, bytes, &block, err);
	if (rc)
		return rc;
	block->holds_items = true;
	sequence = block_data(block);
	memset(sequence, 0, bytes);
	sequence->n = n;
	sequence->item = (struct item *)(void *)(sequence + 1);
	item->owner = block;
	item->fact.value = sequence;
	item->fact.has_shape = true;
	item->fact.shape = (struct shape){ 0 };
	*ret_sequence = sequence;
	return ERR_NONE;
}

struct item item_share(const struct item *item)
{
	if (item->owner)
		item->owner->refs++;
	return *item;
}

void item_drop(struct run_heap *heap, struct item *item)
{
	struct run_block *block = item->owner;

	if (block_unref(block)) {
		const struct sequence *sequence = block_data(block);

		for (size_t i = 0; block->holds_items && i < sequence->n; i++)
			if (block_unref(sequence->item[i].owner))
				block_free(heap, sequence->item[i].owner);
		block_free(heap, block);
	}
	*item = (struct item){ 0 };
}

void *item_data(const struct item *item)
{
	/* an owned block is ours to write
	 * NOLINTNEXTLINE(performance-no-int-to-ptr) */
	return (void *)(uintptr_t)item->fact.value;
}
