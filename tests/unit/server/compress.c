/* SPDX-License-Identifier: Apache-2.0 */
#include "server/compress.h"

#include <criterion/criterion.h>

#include "base/mem.h"

Test(compress, gives_back_what_it_took)
{
	enum { N = 300000 };
	char *text = mem_alloc(N);
	struct buf small, back;
	struct err err;

	srand48(3);
	for (int i = 0; i < N; i++)
		text[i] = (char)('a' + lrand48() % 8);
	for (int coding = CODING_GZIP; coding <= CODING_DEFLATE; coding++) {
		buf_init(&small, N);
		buf_init(&back, N);
		cr_assert_eq(compress_deflate((enum coding)coding, text, N,
					      &small, &err),
			     ERR_NONE, "%s", err.msg);
		cr_assert_lt(small.len, N / 2);
		/* the ceiling is exactly what comes out */
		cr_assert_eq(compress_inflate((enum coding)coding, small.data,
					      small.len, &back, &err),
			     ERR_NONE, "%s", err.msg);
		cr_assert_eq(back.len, N);
		cr_assert_eq(memcmp(back.data, text, N), 0);
		buf_finish(&small);
		buf_finish(&back);
	}
	mem_free(text);
}

Test(compress, takes_streams_in_a_row_and_deflate_without_its_head)
{
	struct buf small, back;
	struct err err;

	buf_init(&small, 1 << 10);
	buf_init(&back, 1 << 10);
	cr_assert_eq(compress_deflate(CODING_GZIP, "one ", 4, &small, &err),
		     ERR_NONE);
	cr_assert_eq(compress_deflate(CODING_GZIP, "two", 3, &small, &err),
		     ERR_NONE);
	cr_assert_eq(
	    compress_inflate(CODING_GZIP, small.data, small.len, &back, &err),
	    ERR_NONE, "%s", err.msg);
	cr_assert_eq(back.len, 7);
	cr_assert_eq(memcmp(back.data, "one two", 7), 0);
	buf_reset(&small);
	buf_reset(&back);
	cr_assert_eq(compress_deflate(CODING_DEFLATE, "bare", 4, &small, &err),
		     ERR_NONE);
	/* 2 bytes of head before, 4 of a sum behind */
	cr_assert_eq(compress_inflate(CODING_DEFLATE, small.data + 2,
				      small.len - 6, &back, &err),
		     ERR_NONE, "%s", err.msg);
	cr_assert_eq(back.len, 4);
	cr_assert_eq(memcmp(back.data, "bare", 4), 0);
	buf_finish(&small);
	buf_finish(&back);
}

static enum err_code inflate_with(enum coding coding, const void *data,
				  size_t len, size_t max)
{
	struct buf back;
	struct err err;
	enum err_code rc;

	buf_init(&back, max);
	rc = compress_inflate(coding, data, len, &back, &err);
	buf_finish(&back);
	return rc;
}

Test(compress, refuses_bombs_and_broken_streams)
{
	const size_t n = (size_t)8 << 20;
	char *zeros = mem_zero(n);
	struct buf bomb;
	struct err err;

	buf_init(&bomb, n);
	cr_assert_eq(compress_deflate(CODING_GZIP, zeros, n, &bomb, &err),
		     ERR_NONE);
	cr_assert_eq(inflate_with(CODING_GZIP, bomb.data, bomb.len, 2 * n),
		     ERR_TOO_LARGE, "more than a hundred times");
	cr_assert_eq(inflate_with(CODING_GZIP, bomb.data, bomb.len, 1000),
		     ERR_TOO_LARGE, "more than the ceiling");
	cr_assert_eq(inflate_with(CODING_DEFLATE, bomb.data, bomb.len, n),
		     ERR_INVALID, "the other format");
	buf_reset(&bomb);
	cr_assert_eq(compress_deflate(CODING_GZIP, zeros, 1000, &bomb, &err),
		     ERR_NONE);
	for (size_t i = 0; i < bomb.len; i++)
		cr_assert_eq(inflate_with(CODING_GZIP, bomb.data, i, n),
			     ERR_INVALID, "cut at %zu", i);
	buf_putc(&bomb, 'x');
	cr_assert_eq(inflate_with(CODING_GZIP, bomb.data, bomb.len, n),
		     ERR_INVALID, "something behind it");
	buf_finish(&bomb);
	mem_free(zeros);
}

Test(compress, reads_the_headers_that_name_codings)
{
	static const struct {
		const char *accept;
		enum coding want;
	} rows[] = {
		{ NULL, CODING_IDENTITY },
		{ "", CODING_IDENTITY },
		{ "gzip, deflate", CODING_GZIP },
		{ "deflate", CODING_DEFLATE },
		{ "br;q=1.0, GZIP;q=0.8", CODING_GZIP },
		{ "gzip;q=0, deflate;q=0.5", CODING_DEFLATE },
		{ "gzip;q=0.000", CODING_IDENTITY },
		{ "gzipped", CODING_IDENTITY },
		{ "identity", CODING_IDENTITY },
		{ "deflate;q=1.0, gzip;q=0.5", CODING_DEFLATE },
		{ "gzip;q=0.5, deflate;q=0.5", CODING_GZIP },
		{ "gzip;q=0.5, identity;q=0.9", CODING_IDENTITY },
		{ "gzip, identity", CODING_GZIP },
		{ "gzip;Q=0", CODING_IDENTITY },
		{ "gzip ; q=0", CODING_IDENTITY },
		{ "gzip;q=", CODING_IDENTITY },
		{ "gzip;q=much", CODING_IDENTITY },
		{ "gzip;level=q=0", CODING_GZIP },
		{ "x-gzip", CODING_GZIP },
		{ "*;q=0, ,gzip", CODING_GZIP },
		{ "*", CODING_IDENTITY },
	};
	enum coding coding;
	struct err err;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		cr_assert_eq(coding_accepted(rows[i].accept), rows[i].want,
			     "%s", rows[i].accept);
	cr_assert_eq(coding_of("x-gzip", &coding, &err), ERR_NONE);
	cr_assert_eq(coding, CODING_GZIP);
	cr_assert_eq(coding_of("br", &coding, &err), ERR_MEDIA_TYPE);
}
