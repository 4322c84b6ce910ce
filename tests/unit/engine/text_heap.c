/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/text_heap.h"

#include <criterion/criterion.h>
#include <stdint.h>
#include <string.h>

static struct text_heap *create(size_t max_bytes)
{
	struct text_heap *heap = NULL;
	struct err err = { 0 };

	cr_assert_eq(text_heap_create(max_bytes, &heap, &err), ERR_NONE, "%s",
		     err.msg);
	return heap;
}

Test(text_heap, gives_bytes_until_it_is_full)
{
	struct text_heap *heap = create(100);
	struct err err = { 0 };
	char *a = text_heap_take(heap, 60), *b = text_heap_take(heap, 40);

	cr_assert_not_null(a);
	cr_assert_eq(b, a + 60);
	memset(a, 'x', 100);
	cr_assert_not(text_heap_is_full(heap));
	cr_assert_not_null(text_heap_take(heap, 0));
	cr_assert_null(text_heap_take(heap, 1));
	cr_assert(text_heap_is_full(heap));
	cr_assert_null(text_heap_take(heap, 0), "full stays full");
	cr_assert_eq(text_heap_refuse(heap, "n", &err), ERR_TOO_LARGE);
	cr_assert_not_null(strstr(err.msg, "node 'n'"), "%s", err.msg);
	text_heap_destroy(heap);
}

Test(text_heap, begins_anew_after_a_reset)
{
	struct text_heap *heap = create((size_t)4 << 20);
	char *a = text_heap_take(heap, (size_t)3 << 20);

	cr_assert_not_null(a);
	memset(a, 'x', (size_t)3 << 20);
	cr_assert_null(text_heap_take(heap, SIZE_MAX));
	text_heap_reset(heap);
	cr_assert_not(text_heap_is_full(heap));
	cr_assert_eq(text_heap_take(heap, 8), a);
	text_heap_destroy(heap);
	text_heap_destroy(NULL);
}
