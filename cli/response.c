/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/response.h"

#include <ctype.h>
#include <strings.h>

#include "base/str.h"

void response_init(struct response *response, struct response_sink sink)
{
	*response = (struct response){ .sink = sink };
	buf_init(&response->line, RESPONSE_LINE_MAX);
}

void response_finish(struct response *response)
{
	buf_finish(&response->line);
}

bool response_is_done(const struct response *response)
{
	return response->state == RESPONSE_DONE;
}

bool response_has_head(const struct response *response)
{
	return response->state > RESPONSE_HEADERS;
}

static enum err_code malformed(const char *what, const char *got,
			       struct err *err)
{
	return err_set(err, ERR_FORMAT,
		       "the server's answer is not HTTP: expected %s, got "
		       "'%.60s'",
		       what, got);
}

/* --- lines --- */

static enum err_code read_status(struct response *r, const char *line,
				 struct err *err)
{
	const char *code = line + strlen("HTTP/1.x ");

	if (strlen(line) < strlen("HTTP/1.x 200") ||
	    !str_starts_with(line, "HTTP/1.") ||
	    !isdigit((unsigned char)line[7]) || line[8] != ' ' ||
	    !isdigit((unsigned char)code[0]) ||
	    !isdigit((unsigned char)code[1]) ||
	    !isdigit((unsigned char)code[2]) || (code[3] && code[3] != ' '))
		return malformed("'HTTP/1.1 200'", line, err);
	r->status =
	    (code[0] - '0') * 100 + (code[1] - '0') * 10 + code[2] - '0';
	if (r->status < 100)
		return malformed("a status from 100", line, err);
	r->state = RESPONSE_HEADERS;
	return ERR_NONE;
}

static enum err_code read_length(struct response *r, const char *value,
				 struct err *err)
{
	uint64_t length;

	if (!str_parse_uint64(value, &length) ||
	    (r->has_length && r->length != length))
		return malformed("one Content-Length", value, err);
	r->has_length = true;
	r->length = length;
	return ERR_NONE;
}

static enum err_code read_coding(struct response *r, const char *value,
				 struct err *err)
{
	if (strcasecmp(value, "chunked") != 0)
		return err_set(err, ERR_UNSUPPORTED,
			       "the server's answer has the transfer coding "
			       "'%.60s'",
			       value);
	r->is_chunked = true;
	return ERR_NONE;
}

static enum err_code keep_type(struct response *r, const char *value,
			       struct err *err)
{
	(void)err;
	(void)str_copy(r->content_type, sizeof(r->content_type), value);
	return ERR_NONE;
}

static enum err_code read_header(struct response *r, char *line,
				 struct err *err)
{
	static const struct {
		const char *name;
		enum err_code (*read)(struct response *r, const char *value,
				      struct err *err);
	} known[] = { { "Content-Length", read_length },
		      { "Transfer-Encoding", read_coding },
		      { "Content-Type", keep_type } };
	char *colon = strchr(line, ':'), *value;
	size_t len;

	if (!colon || colon == line ||
	    strcspn(line, " \t") < (size_t)(colon - line))
		return malformed("'Name: value'", line, err);
	*colon = '\0';
	value = colon + 1;
	value += strspn(value, " \t");
	len = strlen(value);
	while (len && strchr(" \t", value[len - 1]))
		value[--len] = '\0';
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (!strcasecmp(known[i].name, line))
			return known[i].read(r, value, err);
	}
	return ERR_NONE;
}

/* The empty line after the headers. */
static enum err_code begin_body(struct response *r, struct err *err)
{
	if (r->status < 200) { /* interim: the answer is still to come */
		r->has_length = r->is_chunked = false;
		r->content_type[0] = '\0';
		r->n_headers = 0;
		r->state = RESPONSE_STATUS;
		return ERR_NONE;
	}
	if (r->has_length && r->is_chunked)
		return malformed("either a length or chunks", "both", err);
	r->left = r->length;
	if (r->status == 204 || r->status == 304)
		r->state = RESPONSE_DONE;
	else if (r->is_chunked)
		r->state = RESPONSE_CHUNK_SIZE;
	else if (r->has_length)
		r->state = r->left ? RESPONSE_LENGTH : RESPONSE_DONE;
	else
		r->state = RESPONSE_CLOSE;
	return ERR_NONE;
}

static enum err_code read_chunk_size(struct response *r, const char *line,
				     struct err *err)
{
	const size_t n = strspn(line, "0123456789abcdefABCDEF");
	uint64_t size;

	if (n == 0 || n > 15 || (line[n] && !strchr("; \t", line[n])))
		return malformed("the size of a chunk", line, err);
	size = strtoull(line, NULL, 16);
	r->left = size;
	r->n_headers = 0;
	r->state = size ? RESPONSE_CHUNK : RESPONSE_TRAILERS;
	return ERR_NONE;
}

static enum err_code take_line(struct response *r, char *line, struct err *err)
{
	switch (r->state) {
	case RESPONSE_STATUS:
		return read_status(r, line, err);
	case RESPONSE_CHUNK_SIZE:
		return read_chunk_size(r, line, err);
	case RESPONSE_CHUNK_END:
		if (*line)
			return malformed("the end of a chunk", line, err);
		r->state = RESPONSE_CHUNK_SIZE;
		return ERR_NONE;
	default:
		break;
	}
	if (!*line && r->state == RESPONSE_HEADERS)
		return begin_body(r, err);
	if (!*line) {
		r->state = RESPONSE_DONE;
		return ERR_NONE;
	}
	if (++r->n_headers > RESPONSE_HEADERS_MAX)
		return malformed("fewer headers", line, err);
	return r->state == RESPONSE_HEADERS ? read_header(r, line, err)
					    : ERR_NONE;
}

/* --- bytes --- */

static bool is_body(enum response_state state)
{
	return state == RESPONSE_LENGTH || state == RESPONSE_CLOSE ||
	       state == RESPONSE_CHUNK;
}

static enum err_code feed_body(struct response *r, const char *bytes,
			       size_t len, size_t *ret_used, struct err *err)
{
	size_t n = len;
	enum err_code rc;

	if (r->state != RESPONSE_CLOSE && n > r->left)
		n = (size_t)r->left;
	*ret_used = n;
	rc = r->sink.take ? r->sink.take(r->sink.ctx, bytes, n, err) : ERR_NONE;
	if (rc || r->state == RESPONSE_CLOSE)
		return rc;
	r->left -= n;
	if (!r->left)
		r->state = r->state == RESPONSE_CHUNK ? RESPONSE_CHUNK_END
						      : RESPONSE_DONE;
	return ERR_NONE;
}

static enum err_code feed_line(struct response *r, const char *bytes,
			       size_t len, size_t *ret_used, struct err *err)
{
	const char *end = memchr(bytes, '\n', len);
	size_t n = end ? (size_t)(end - bytes) : len;
	enum err_code rc;

	*ret_used = n + (end != NULL);
	if (memchr(bytes, 0, n))
		return malformed("a line of text", "a NUL byte", err);
	buf_put(&r->line, bytes, n);
	rc = buf_check(&r->line, "a line of the server's answer", err);
	if (rc || !end)
		return rc;
	if (r->line.len && r->line.data[r->line.len - 1] == '\r')
		r->line.data[--r->line.len] = '\0';
	rc = take_line(r, r->line.len ? r->line.data : (char[]){ "" }, err);
	buf_reset(&r->line);
	return rc;
}

enum err_code response_feed(struct response *response, const char *bytes,
			    size_t len, struct err *err)
{
	enum err_code rc = ERR_NONE;

	while (len && !rc && response->state != RESPONSE_DONE) {
		size_t used = 0;

		rc = is_body(response->state)
			 ? feed_body(response, bytes, len, &used, err)
			 : feed_line(response, bytes, len, &used, err);
		bytes += used;
		len -= used;
	}
	return rc;
}

enum err_code response_end(struct response *response, struct err *err)
{
	if (response->state == RESPONSE_CLOSE)
		response->state = RESPONSE_DONE;
	if (response->state == RESPONSE_DONE)
		return ERR_NONE;
	return err_set(err, ERR_IO,
		       "the connection ended before the server's answer did");
}
