/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http_guard.h"

#include <criterion/criterion.h>

#define H(name, value)      \
	{                   \
		name, value \
	}

Test(http_guard, reads_the_framing_of_plain_requests)
{
	const struct http_pair length[] = { H("Host", "x"),
					    H("content-length", "12") };
	const struct http_pair chunked[] = { H("Transfer-Encoding",
					       "Chunked") };
	struct http_framing framing;
	struct err err;

	cr_assert_eq(http_guard(length, 2, &framing, &err), ERR_NONE);
	cr_assert(framing.has_length && framing.length == 12);
	cr_assert(!framing.is_chunked);
	cr_assert_eq(http_guard(chunked, 1, &framing, &err), ERR_NONE);
	cr_assert(framing.is_chunked && !framing.has_length);
	cr_assert_eq(http_guard(NULL, 0, &framing, &err), ERR_NONE);
	cr_assert(!framing.is_chunked && !framing.has_length);
}

Test(http_guard, refuses_whatever_can_be_read_in_two_ways)
{
	static const struct {
		struct http_pair pair[3];
		size_t n;
		const char *says;
	} rows[] = {
		{ { H("Content-Length", "1"),
		    H("Transfer-Encoding", "chunked") },
		  2,
		  "exclude each other" },
		{ { H("Content-Length", "1"), H("Content-Length", "1") },
		  2,
		  "twice" },
		{ { H("Content-Length", "+1") }, 1, "a number" },
		{ { H("Content-Length", "-1") }, 1, "a number" },
		{ { H("Content-Length", "0x1") }, 1, "a number" },
		{ { H("Content-Length", "1, 1") }, 1, "a number" },
		{ { H("Content-Length", "") }, 1, "a number" },
		{ { H("Content-Length", NULL) }, 1, "a number" },
		{ { H("Content-Length", "99999999999999999999") },
		  1,
		  "a number" },
		{ { H("Transfer-Encoding", "xchunked") }, 1, "chunked" },
		{ { H("Transfer-Encoding", "chunked, gzip") }, 1, "chunked" },
		{ { H("Transfer-Encoding", "identity") }, 1, "chunked" },
		{ { H("Transfer-Encoding", "chunked"),
		    H("Transfer-Encoding", "chunked") },
		  2,
		  "twice" },
		{ { H("Content-Length ", "1") }, 1, "character" },
		{ { H("X\tY", "1") }, 1, "character" },
		{ { H("", "1") }, 1, "character" },
		{ { H("X", "a\rb") }, 1, "character" },
		{ { H("X", "a\x7f") }, 1, "character" },
		{ { H("Host", "a"), H("host", "b") }, 2, "Host" },
	};
	struct http_framing framing;
	struct err err;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		cr_assert_eq(
		    http_guard(rows[i].pair, rows[i].n, &framing, &err),
		    ERR_INVALID, "row %zu", i);
		cr_assert(strstr(err.msg, rows[i].says), "row %zu: %s", i,
			  err.msg);
	}
}
