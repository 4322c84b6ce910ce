/* SPDX-License-Identifier: Apache-2.0 */
#include "base/spill.h"

#include <criterion/criterion.h>
#include <string.h>

#include "base/mem.h"

#define BYTES ((size_t)24 << 20)

Test(spill, keeps_its_bytes_without_their_memory)
{
	struct spill spill;
	struct err err = { 0 };
	size_t full;

	cr_assert_eq(spill_create("/tmp", BYTES, &spill, &err), ERR_NONE, "%s",
		     err.msg);
	for (size_t i = 0; i < BYTES; i++)
		spill.data[i] = (char)(i % 251);
	full = mem_resident();
	spill_rest(&spill, 0, BYTES);
	cr_expect_lt(mem_resident(), full - BYTES / 2);
	for (size_t i = 0; i < BYTES; i++)
		cr_assert_eq(spill.data[i], (char)(i % 251));
	spill_destroy(&spill);
	cr_expect_null(spill.data);
	spill_destroy(&spill);
}

Test(spill, a_part_of_a_page_stays_what_it_is)
{
	struct spill spill;

	cr_assert_eq(spill_create("/tmp", 10000, &spill, NULL), ERR_NONE);
	memset(spill.data, 7, 10000);
	spill_rest(&spill, 1, 9998);
	spill_rest(&spill, 5, 6);
	for (size_t i = 0; i < 10000; i++)
		cr_assert_eq(spill.data[i], 7);
	spill_destroy(&spill);
}

Test(spill, a_folder_that_is_not_there_is_named)
{
	struct spill spill;
	struct err err = { 0 };

	cr_expect_neq(spill_create("/tmp/no-such-place", 1, &spill, &err),
		      ERR_NONE);
	cr_expect(strstr(err.msg, "/tmp/no-such-place"), "%s", err.msg);
}

Test(spill, memory_that_is_forgotten_is_given_back)
{
	char *block = mem_large(BYTES);
	size_t full;

	cr_assert(block);
	memset(block, 1, BYTES);
	full = mem_resident();
	mem_forget(block + 1, BYTES - 2);
	cr_expect_lt(mem_resident(), full - BYTES / 2);
	/* the pages at both ends are others', too */
	cr_expect_eq(block[0], 1);
	cr_expect_eq(block[BYTES - 1], 1);
	mem_free(block);
}
