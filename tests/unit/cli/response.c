/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/response.h"

#include <criterion/criterion.h>

enum { BODY_MAX = 4096 };

static enum err_code keep(void *ctx, const char *bytes, size_t len,
			  struct err *err)
{
	buf_put(ctx, bytes, len);
	return buf_check(ctx, "body", err);
}

/* Feeds `text` in pieces of `piece` bytes, then the end. */
static enum err_code read_all(const char *text, size_t len, size_t piece,
			      struct response *response, struct buf *body,
			      struct err *err)
{
	enum err_code rc = ERR_NONE;

	buf_reset(body);
	response_init(response, (struct response_sink){ keep, body });
	for (size_t at = 0; at < len && !rc; at += piece)
		rc = response_feed(response, text + at,
				   len - at < piece ? len - at : piece, err);
	return rc ? rc : response_end(response, err);
}

Test(response, bodies_of_every_kind_are_read_in_pieces_of_any_size)
{
	static const struct {
		const char *text, *body;
		int status;
	} cases[] = {
		{ "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "hello",
		  200 },
		{ "HTTP/1.1 200 OK\r\ncontent-length:5  \r\n\r\nhello+more",
		  "hello", 200 },
		{ "HTTP/1.1 404 Not Found\r\n\r\nto the end", "to the end",
		  404 },
		{ "HTTP/1.0 200\r\n\r\n", "", 200 },
		{ "HTTP/1.1 204 No Content\r\n\r\n", "", 204 },
		{ "HTTP/1.1 200 OK\nContent-Length: 2\n\nab", "ab", 200 },
		{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
		  "5\r\nhello\r\n1;x=y\r\n \r\nA\r\n0123456789\r\n0\r\n"
		  "Trailer: 1\r\n\r\n",
		  "hello 0123456789", 200 },
		{ "HTTP/1.1 100 Continue\r\nContent-Length: 3\r\n\r\n"
		  "HTTP/1.1 103 Early\r\n\r\n"
		  "HTTP/1.1 202 Accepted\r\nContent-Length: 1\r\n\r\nx",
		  "x", 202 },
	};
	struct response response;
	struct buf body;

	buf_init(&body, BODY_MAX);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (size_t piece = 1; piece < 80; piece += 13) {
			struct err err = { 0 };

			cr_assert_eq(read_all(cases[i].text,
					      strlen(cases[i].text), piece,
					      &response, &body, &err),
				     ERR_NONE, "case %zu: %s", i, err.msg);
			cr_assert_eq(response.status, cases[i].status);
			cr_assert_eq(body.len, strlen(cases[i].body));
			cr_assert(!body.len ||
				  !memcmp(body.data, cases[i].body, body.len));
			response_finish(&response);
		}
	}
	buf_finish(&body);
}

Test(response, the_media_type_is_kept)
{
	static const char text[] = "HTTP/1.1 200 OK\r\nCONTENT-TYPE: \t"
				   "text/event-stream; a=b \t\r\n\r\n";
	struct response response;
	struct buf body;

	buf_init(&body, BODY_MAX);
	cr_assert_eq(read_all(text, strlen(text), 7, &response, &body, NULL),
		     ERR_NONE);
	cr_assert_str_eq(response.content_type, "text/event-stream; a=b");
	response_finish(&response);
	buf_finish(&body);
}

Test(response, what_can_be_read_in_two_ways_is_refused)
{
	static const char *const bad[] = {
		"HTTP/2 200 OK\r\n\r\n",
		"HTTP/1.1 2x0 OK\r\n\r\n",
		"HTTP/1.1 099 OK\r\n\r\n",
		"HTTP/1.1 20\r\n\r\n",
		"SSH-2.0-x\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n"
		"Transfer-Encoding: chunked\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n"
		"Content-Length: 2\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 0x1\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n"
		"\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
		"HTTP/1.1 200 OK\r\n folded: 1\r\n\r\n",
		"HTTP/1.1 200 OK\r\nName : 1\r\n\r\n",
		"HTTP/1.1 200 OK\r\nNo colon\r\n\r\n",
		"HTTP/1.1 200 OK\r\n: 1\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\ng\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1x\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
		"fffffffffffffffff\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
		"1\r\nab\r\n",
	};
	struct response response;
	struct buf body;

	buf_init(&body, BODY_MAX);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct err err = { 0 };
		enum err_code rc = read_all(bad[i], strlen(bad[i]), 1000,
					    &response, &body, &err);

		cr_assert(rc == ERR_FORMAT || rc == ERR_UNSUPPORTED,
			  "case %zu: %d %s", i, (int)rc, err.msg);
		response_finish(&response);
	}
	buf_finish(&body);
}

Test(response, an_answer_that_is_cut_is_no_answer)
{
	static const char *const whole[] = {
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
		"2\r\nab\r\n0\r\n\r\n",
	};
	struct response response;
	struct buf body;

	buf_init(&body, BODY_MAX);
	for (size_t i = 0; i < 2; i++) {
		for (size_t n = 0; n < strlen(whole[i]); n++) {
			cr_assert_eq(
			    read_all(whole[i], n, 1000, &response, &body, NULL),
			    ERR_IO);
			response_finish(&response);
		}
	}
	buf_finish(&body);
}

Test(response, lines_and_headers_have_a_bound)
{
	struct response response;
	struct buf text, body;

	buf_init(&text, 1 << 20);
	buf_init(&body, BODY_MAX);
	buf_puts(&text, "HTTP/1.1 200 ");
	for (int i = 0; i < RESPONSE_LINE_MAX; i++)
		buf_putc(&text, 'x');
	cr_assert_eq(read_all(text.data, text.len, 999, &response, &body, NULL),
		     ERR_TOO_LARGE);
	response_finish(&response);
	buf_reset(&text);
	buf_puts(&text, "HTTP/1.1 200 OK\r\n");
	for (int i = 0; i <= RESPONSE_HEADERS_MAX; i++)
		buf_puts(&text, "A: b\r\n");
	buf_puts(&text, "\r\n");
	cr_assert_eq(read_all(text.data, text.len, 999, &response, &body, NULL),
		     ERR_FORMAT);
	response_finish(&response);
	buf_finish(&text);
	buf_finish(&body);
}

Test(response, the_sinks_error_ends_the_reading)
{
	static const char text[] =
	    "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n123456789";
	struct response response;
	struct buf body;

	buf_init(&body, 4);
	cr_assert_eq(read_all(text, strlen(text), 100, &response, &body, NULL),
		     ERR_TOO_LARGE);
	response_finish(&response);
	buf_finish(&body);
}

Test(response, a_nul_in_a_line_is_refused)
{
	static const char text[] = "HTTP/1.1 200 OK\r\nA: \0b\r\n\r\n";
	struct response response;
	struct buf body;

	buf_init(&body, BODY_MAX);
	cr_assert_eq(
	    read_all(text, sizeof(text) - 1, 100, &response, &body, NULL),
	    ERR_FORMAT);
	response_finish(&response);
	buf_finish(&body);
}
