/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * The head of a request: a path, then headers, a line each, as
 * "name:value"; and the same bytes as codings, as a token file and as a body
 * that is compressed.
 */
#include "tests/fuzz/fuzz.h"

#include <assert.h>
#include <strings.h>

#include "base/arena.h"
#include "base/str.h"
#include "server/auth.h"
#include "server/compress.h"
#include "server/http_guard.h"
#include "server/url.h"

enum { HEADERS_MAX = 100, INFLATED_MAX = 1 << 16 };

static void check_url(const char *path, struct arena *arena)
{
	struct url url;
	struct err err;

	if (url_parse(path, arena, &url, &err))
		return;
	assert(url.n <= URL_SEGMENTS_MAX);
	for (unsigned i = 0; i < url.n; i++)
		assert(str_is_utf8(url.segment[i], strlen(url.segment[i])));
}

static void check_guard(const struct http_pair *headers, size_t n)
{
	struct http_framing framing;
	unsigned n_lengths = 0, n_codings = 0;
	struct err err;

	for (size_t i = 0; i < n; i++) {
		n_lengths += strcasecmp(headers[i].name, "content-length") == 0;
		n_codings +=
		    strcasecmp(headers[i].name, "transfer-encoding") == 0;
	}
	if (http_guard(headers, n, &framing, &err))
		return;
	/* what passed says one thing about the body's length */
	assert(n_lengths + n_codings <= 1);
	assert(framing.has_length == (n_lengths == 1));
	assert(framing.is_chunked == (n_codings == 1));
}

static void check_auth(const char *text)
{
	struct auth *auth;
	struct rate *rate;
	struct err err;

	if (auth_create(text, "tokens", &auth, &err))
		return;
	(void)!auth_check(auth, text, SCOPE_TRAIN, &rate, &err);
	auth_destroy(auth);
}

/* What comes out stays within its bounds, whatever goes in. */
static void check_inflate(const uint8_t *data, size_t size)
{
	struct buf body;
	struct err err;

	for (int coding = CODING_GZIP; coding <= CODING_DEFLATE; coding++) {
		buf_init(&body, INFLATED_MAX);
		if (!compress_inflate((enum coding)coding, data, size, &body,
				      &err))
			assert(body.len <= INFLATED_MAX);
		buf_finish(&body);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_create((size_t)16 << 20);
	struct http_pair headers[HEADERS_MAX];
	char *text =
	    arena ? arena_strndup(arena, (const char *)data, size) : NULL;
	enum coding coding;
	struct err err;
	size_t n = 0;
	char *line;

	if (!text)
		goto out;
	check_inflate(data, size);
	check_auth(text);
	(void)coding_accepted(text);
	(void)!coding_of(text, &coding, &err);
	line = strchr(text, '\n');
	if (line)
		*line++ = '\0';
	check_url(text, arena);
	while (line && *line && n < HEADERS_MAX) {
		char *next = strchr(line, '\n'), *value;

		if (next)
			*next++ = '\0';
		value = strchr(line, ':');
		if (value)
			*value++ = '\0';
		headers[n++] = (struct http_pair){ line, value };
		line = next;
	}
	check_guard(headers, n);
out:
	arena_destroy(arena);
	return 0;
}
