/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"

#include <criterion/criterion.h>
#include <stdint.h>
#include <string.h>

#include "base/mem.h"

Test(buf, grows_and_always_ends_with_nul)
{
	struct buf buf;
	struct err err;

	buf_init(&buf, 1 << 20);
	for (int i = 0; i < 1000; i++)
		buf_printf(&buf, "%d,", i % 10);
	cr_assert_eq(buf.len, 2000);
	cr_assert_eq(buf.data[2000], '\0');
	cr_assert_eq(strlen(buf.data), 2000);
	buf_put(&buf, NULL, 0);
	cr_assert_eq(buf_check(&buf, "text", &err), ERR_NONE);
	buf_reset(&buf);
	cr_assert_str_eq(buf.data, "");
	buf_finish(&buf);
}

Test(buf, takes_exactly_its_ceiling_and_no_more)
{
	struct buf buf;
	struct err err;

	buf_init(&buf, 10);
	buf_puts(&buf, "0123456789");
	cr_assert_eq(buf_check(&buf, "text", &err), ERR_NONE);
	buf_putc(&buf, 'x');
	buf_put(&buf, NULL, 0);
	cr_assert_eq(buf_check(&buf, "answer", &err), ERR_TOO_LARGE);
	cr_assert_str_eq(err.msg, "answer: larger than the 10 bytes allowed");
	cr_assert_str_eq(buf.data, "0123456789");
	buf_reset(&buf);
	cr_assert_eq(buf_check(&buf, "answer", &err), ERR_NONE);
	cr_assert_null(buf_reserve(&buf, SIZE_MAX));
	buf_finish(&buf);
}

Test(buf, keeps_the_first_fault)
{
	struct buf buf;
	struct err err;

	buf_init(&buf, 100);
	mem_fail_at(1);
	buf_puts(&buf, "lost");
	mem_fail_at(0);
	buf_puts(&buf, "also lost");
	cr_assert_eq(buf_check(&buf, "x", &err), ERR_NO_MEMORY);
	cr_assert_eq(buf.len, 0);
	buf_finish(&buf);
}

Test(buf, hands_its_bytes_over)
{
	struct buf buf;
	char *text;

	buf_init(&buf, 100);
	text = buf_take(&buf);
	cr_assert_str_eq(text, "");
	mem_free(text);
	memcpy(buf_reserve(&buf, 50), "abc", 3);
	buf_advance(&buf, 3);
	text = buf_take(&buf);
	cr_assert_str_eq(text, "abc");
	cr_assert_null(buf.data);
	buf_puts(&buf, "next");
	cr_assert_str_eq(buf.data, "next");
	mem_free(text);
	buf_finish(&buf);
}
