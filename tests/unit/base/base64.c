/* SPDX-License-Identifier: Apache-2.0 */
#include "base/base64.h"

#include <criterion/criterion.h>
#include <string.h>

/* RFC 4648, section 10 */
static const char *const pairs[][2] = {
	{ "", "" },
	{ "f", "Zg==" },
	{ "fo", "Zm8=" },
	{ "foo", "Zm9v" },
	{ "foob", "Zm9vYg==" },
	{ "fooba", "Zm9vYmE=" },
	{ "foobar", "Zm9vYmFy" },
};

Test(base64, agrees_with_the_standard)
{
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		const char *plain = pairs[i][0], *coded = pairs[i][1];
		struct buf buf;

		buf_init(&buf, 100);
		base64_encode(plain, strlen(plain), &buf);
		cr_assert_str_eq(buf.data, coded);
		buf_reset(&buf);
		cr_assert_eq(
		    base64_decode(coded, strlen(coded), "x", &buf, NULL),
		    ERR_NONE);
		cr_assert_eq(buf.len, strlen(plain));
		cr_assert_arr_eq(buf.data, plain, buf.len);
		buf_finish(&buf);
	}
}

Test(base64, refuses_what_is_not_and_leaves_the_buffer_alone)
{
	static const char *const bad[] = {
		"Zg=", "Zg", "Z", "Zm9v!", "Zg==Zg==", "=", "Z===", "Zm9vYg==x"
	};
	struct buf buf;
	struct err err;

	buf_init(&buf, 100);
	buf_puts(&buf, "kept");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		cr_assert_eq(
		    base64_decode(bad[i], strlen(bad[i]), "data", &buf, &err),
		    ERR_INVALID, "'%s'", bad[i]);
		cr_assert_str_eq(buf.data, "kept");
	}
	cr_assert_str_eq(err.msg, "data: these 9 characters are not base64");
	buf_finish(&buf);
}

Test(base64, fills_the_buffer_to_its_ceiling)
{
	static char coded[16000], plain[12000];
	struct buf buf, exact;

	for (size_t i = 0; i < sizeof(plain); i++)
		plain[i] = (char)(i * 7);
	buf_init(&buf, sizeof(coded));
	base64_encode(plain, sizeof(plain), &buf);
	cr_assert_eq(buf.len, sizeof(coded));
	buf_init(&exact, sizeof(plain));
	cr_assert_eq(base64_decode(buf.data, buf.len, "x", &exact, NULL),
		     ERR_NONE);
	cr_assert_arr_eq(exact.data, plain, sizeof(plain));
	buf_finish(&exact);
	buf_init(&exact, sizeof(plain) - 1);
	cr_assert_eq(base64_decode(buf.data, buf.len, "x", &exact, NULL),
		     ERR_TOO_LARGE);
	cr_assert_eq(exact.len, 0);
	buf_finish(&exact);
	buf_putc(&buf, 'x');
	cr_assert_eq(buf.fault, ERR_TOO_LARGE);
	buf_finish(&buf);
}
