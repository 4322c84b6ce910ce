/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"

#include <criterion/criterion.h>
#include <stdint.h>
#include <string.h>

#include "base/mem.h"

Test(arena, aligns_clears_and_copies)
{
	struct arena *arena = arena_create(1 << 20);

	for (size_t size = 0; size < 300; size += 7) {
		unsigned char *block = arena_alloc(arena, size);
		unsigned char *line = arena_aligned(arena, size);

		cr_assert_eq((uintptr_t)block % 16, 0);
		cr_assert_eq((uintptr_t)line % 64, 0);
		for (size_t i = 0; i < size; i++)
			cr_assert(block[i] == 0 && line[i] == 0);
		memset(block, 0xff, size);
		memset(line, 0xff, size);
	}
	cr_assert_str_eq(arena_strdup(arena, "abc"), "abc");
	cr_assert_str_eq(arena_strndup(arena, "abc", 2), "ab");
	cr_assert_str_eq(arena_printf(arena, "%05d", 42), "00042");
	cr_assert_arr_eq(arena_copy(arena, "xyz", 3), "xyz", 3);
	arena_destroy(arena);
	arena_destroy(NULL);
}

Test(arena, refuses_beyond_its_ceiling)
{
	struct arena *arena = arena_create(1000);

	cr_assert_not_null(arena_alloc(arena, 900));
	cr_assert_eq(arena_left(arena), 80);
	cr_assert_null(arena_alloc(arena, 81));
	cr_assert_not_null(arena_alloc(arena, 80));
	cr_assert_eq(arena_left(arena), 0);
	cr_assert_null(arena_array(arena, SIZE_MAX / 4, 8));
	cr_assert_null(arena_alloc(arena, SIZE_MAX));
	cr_assert_null(arena_aligned(arena, SIZE_MAX - 8));
	cr_assert_leq(arena_used(arena), 1000);
	arena_destroy(arena);
}

Test(arena, blocks_of_all_sizes_never_overlap)
{
	enum { N = 2000 };
	struct arena *arena = arena_create(SIZE_MAX);
	unsigned char *blocks[N];
	size_t sizes[N];

	for (size_t i = 0; i < N; i++) {
		sizes[i] = i % 97 == 0 ? 40000 : i * 31 % 700;
		blocks[i] = i % 3 ? arena_alloc(arena, sizes[i])
				  : arena_aligned(arena, sizes[i]);
		memset(blocks[i], (int)(i % 251), sizes[i]);
	}
	for (size_t i = 0; i < N; i++)
		for (size_t j = 0; j < sizes[i]; j++)
			cr_assert_eq(blocks[i][j], i % 251);
	arena_destroy(arena);
}

Test(arena, is_empty_and_clean_after_a_reset)
{
	struct arena *arena = arena_create(100000);

	const unsigned char *kept = NULL;

	for (int round = 0; round < 3; round++) {
		unsigned char *first = arena_alloc(arena, 100);

		cr_assert(!kept || first == kept, "the first chunk is reused");
		kept = first;
		for (size_t i = 0; i < 100; i++)
			cr_assert_eq(first[i], 0);
		memset(first, 0xff, 100);
		cr_assert_not_null(arena_alloc(arena, 60000));
		cr_assert_null(arena_alloc(arena, 60000));
		arena_reset(arena);
		cr_assert_eq(arena_used(arena), 0);
	}
	arena_destroy(arena);
}

Test(arena, survives_any_failed_allocation)
{
	for (unsigned long n = 1; n < 6; n++) {
		struct arena *arena;

		mem_fail_at(n);
		arena = arena_create(1 << 20);
		for (size_t i = 0; arena && i < 40; i++) {
			char *block = arena_alloc(arena, 500);

			if (block)
				memset(block, 1, 500);
		}
		mem_fail_at(0);
		arena_destroy(arena);
	}
}

Test(arena, releases_blocks_that_lie_alone)
{
	struct arena *arena = arena_create(1 << 22);
	char *first = arena_alloc(arena, 100);
	char *large[3];

	for (int i = 0; i < 3; i++) {
		large[i] = arena_alloc(arena, 1 << 20);
		cr_assert_not_null(large[i]);
	}
	cr_assert_not(arena_release(arena, first));
	cr_assert_not(arena_release(arena, large[1] + 16));
	cr_assert(arena_release(arena, large[1]));
	cr_assert_not(arena_release(arena, large[1]));
	large[0][(1 << 20) - 1] = 1;
	large[2][(1 << 20) - 1] = 1;
	first[99] = 1;
	cr_assert_eq(arena_used(arena), 112 + (2 << 20));
	/* there is room below the ceiling again */
	cr_assert_not_null(arena_alloc(arena, 1 << 20));
	arena_reset(arena);
	cr_assert_eq(arena_used(arena), 0);
	arena_destroy(arena);
}
