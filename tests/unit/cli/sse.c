/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/sse.h"

#include <criterion/criterion.h>

/* "id|name|data;" of each event */
static enum err_code note(void *ctx, const struct sse_event *event,
			  struct err *err)
{
	(void)err;
	cr_assert_eq(event->data[event->len], '\0');
	buf_printf(ctx, "%s|%s|%s;", event->id, event->name, event->data);
	return ERR_NONE;
}

Test(sse, streams_are_read_in_pieces_of_any_size)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "id: 1\nevent: step\ndata: {\"a\":1}\n\n",
		  "1|step|{\"a\":1};" },
		{ "data:x\r\ndata: y\r\n\r\n", "|message|x\ny;" },
		{ "data: a\r\rdata: b\r\r", "|message|a;|message|b;" },
		{ ": ping\n\n:\n\ndata: a\n\n", "|message|a;" },
		{ "id: 7\ndata: a\n\ndata: b\n\n", "7|message|a;7|message|b;" },
		{ "id: 7\n\nid\ndata: b\n\n", "|message|b;" },
		{ "event: x\n\ndata: b\n\n", "|message|b;" },
		{ "data\n\n", "|message|;" },
		{ "data:  two\n\n", "|message| two;" },
		{ "\xEF\xBB\xBF"
		  "data: a\n\n\xEF\xBB\xBF"
		  "data: b\n\n",
		  "|message|a;" },
		{ "retry: 10\nnonsense\ndata: a\n\n", "|message|a;" },
		{ "data: never ended\n", "" },
		{ "id: a\tb\ndata: x\n\n", "|message|x;" },
	};
	struct buf seen;

	buf_init(&seen, 1024);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *text = cases[i].text;
		size_t len = strlen(text);

		for (size_t piece = 1; piece <= len; piece++) {
			struct sse sse;

			buf_reset(&seen);
			sse_init(&sse, note, &seen);
			for (size_t at = 0; at < len; at += piece)
				cr_assert_eq(sse_feed(&sse, text + at,
						      len - at < piece
							  ? len - at
							  : piece,
						      NULL),
					     ERR_NONE);
			cr_assert_str_eq(seen.len ? seen.data : "",
					 cases[i].want, "case %zu piece %zu", i,
					 piece);
			sse_finish(&sse);
		}
	}
	buf_finish(&seen);
}

Test(sse, a_new_connection_keeps_the_id_and_drops_what_was_half_said)
{
	struct sse sse;
	struct buf seen;

	buf_init(&seen, 1024);
	sse_init(&sse, note, &seen);
	cr_assert_eq(
	    sse_feed(&sse, "id: 3\ndata: a\n\nid: 4\ndata: b\ndat", 32, NULL),
	    ERR_NONE);
	sse_reset(&sse);
	cr_assert_eq(sse_feed(&sse, "data: c\n\n", 9, NULL), ERR_NONE);
	cr_assert_str_eq(seen.data, "3|message|a;3|message|c;");
	sse_finish(&sse);
	buf_finish(&seen);
}

Test(sse, long_lines_and_events_are_refused)
{
	char piece[1024];
	struct sse sse;
	struct buf seen;
	enum err_code rc = ERR_NONE;

	buf_init(&seen, 1024);
	memset(piece, 'x', sizeof(piece));
	sse_init(&sse, note, &seen);
	for (int i = 0; i <= 1024 && !rc; i++)
		rc = sse_feed(&sse, piece, sizeof(piece), NULL);
	cr_assert_eq(rc, ERR_TOO_LARGE);
	sse_finish(&sse);
	memcpy(piece, "data: ", 6);
	piece[1023] = '\n';
	sse_init(&sse, note, &seen);
	rc = ERR_NONE;
	for (int i = 0; i <= 1030 && !rc; i++)
		rc = sse_feed(&sse, piece, sizeof(piece), NULL);
	cr_assert_eq(rc, ERR_TOO_LARGE);
	sse_finish(&sse);
	buf_finish(&seen);
}
