/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"

#include <criterion/criterion.h>
#include <stdint.h>
#include <string.h>

enum { LARGE = (4 << 20) + 1 };

Test(mem, refuses_a_product_that_overflows)
{
	cr_assert_null(mem_array(SIZE_MAX / 2, 3));
	cr_assert_null(mem_resize(NULL, SIZE_MAX / 2, 3));
	cr_assert_null(mem_aligned(SIZE_MAX - 3));
	cr_assert_null(mem_large(SIZE_MAX - 3));
	cr_assert_null(mem_large(PTRDIFF_MAX - 100));
}

Test(mem, gives_a_block_even_for_nothing)
{
	void *blocks[] = { mem_alloc(0),	   mem_zero(0),
			   mem_array(0, 8),	   mem_aligned(0),
			   mem_resize(NULL, 0, 4), mem_large(0) };

	for (size_t i = 0; i < sizeof(blocks) / sizeof(blocks[0]); i++) {
		cr_assert_not_null(blocks[i]);
		mem_free(blocks[i]);
	}
	mem_free(NULL);
}

Test(mem, clears_and_aligns)
{
	unsigned char *zero = mem_array(7, 11);
	unsigned char *line = mem_aligned(65);
	unsigned char *large = mem_large(LARGE);

	for (size_t i = 0; i < 77; i++)
		cr_assert_eq(zero[i], 0);
	cr_assert_eq((uintptr_t)large % 64, 0);
	memset(large, 1, LARGE);
	mem_free(large);
	cr_assert_eq((uintptr_t)line % 64, 0);
	memset(line, 1, 65);
	mem_free(zero);
	mem_free(line);
}

Test(mem, keeps_the_content_when_it_grows)
{
	char *text = mem_strdup("abc"), *more;

	more = mem_resize(text, 100, 10);
	cr_assert_str_eq(more, "abc");
	mem_free(more);
	more = mem_printf("%s-%d", "x", 12);
	cr_assert_str_eq(more, "x-12");
	mem_free(more);
}

Test(mem, fails_the_nth_time_once)
{
	void *a, *b, *c;

	mem_fail_at(2);
	a = mem_alloc(1);
	b = mem_zero(1);
	c = mem_aligned(1);
	cr_assert_not_null(a);
	cr_assert_null(b);
	cr_assert_not_null(c);
	mem_free(a);
	mem_free(c);
	mem_fail_at(1);
	mem_fail_at(0);
	a = mem_alloc(1);
	cr_assert_not_null(a);
	mem_free(a);
}
