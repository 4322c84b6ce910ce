/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/client.h"

#include <ctype.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/doc.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/socket.h"

enum { HEAD_MAX = 8192, PIECE = 64 << 10, ANSWER_ARENA = 4 << 20 };

struct client {
	struct url url;
	struct socket_wait wait;
	char *server, *token;
	char piece[PIECE];
};

/* Nothing that could end the header it goes into. */
static bool is_token(const char *token)
{
	size_t len = strlen(token);

	for (size_t i = 0; i < len; i++) {
		if (!isgraph((unsigned char)token[i]))
			return false;
	}
	return len > 0 && len < CLIENT_TOKEN_MAX;
}

enum err_code client_create(const struct client_options *options,
			    struct client **ret_client, struct err *err)
{
	struct client *client = mem_zero(sizeof(*client));
	enum err_code rc = ERR_NONE;

	if (client)
		client->server = mem_strdup(options->server);
	if (client && options->token)
		client->token = mem_strdup(options->token);
	if (!client || !client->server || (options->token && !client->token))
		rc = err_set(err, ERR_NO_MEMORY, "client: out of memory");
	if (!rc)
		rc = url_parse(options->server, &client->url, err);
	if (!rc && client->token && !is_token(client->token))
		rc = err_set(err, ERR_INVALID,
			     "the token must be 1 to %d visible characters",
			     CLIENT_TOKEN_MAX - 1);
	if (rc) {
		client_destroy(client);
		return rc;
	}
	client->wait.timeout_ms = (int64_t)(options->timeout * 1e3);
	client->wait.wake_fd = options->wake_fd;
	*ret_client = client;
	return ERR_NONE;
}

void client_destroy(struct client *client)
{
	if (!client)
		return;
	mem_free(client->server);
	mem_free(client->token);
	mem_free(client);
}

const char *client_server(const struct client *client)
{
	return client->server;
}

/* --- a request --- */

static void write_head(const struct client *client,
		       const struct client_request *request, struct buf *buf)
{
	const struct url *url = &client->url;

	buf_printf(buf, "%s %s%s HTTP/1.1\r\nHost: %s%s%s:%s\r\n",
		   request->method, url->prefix, request->path,
		   url->is_ipv6 ? "[" : "", url->host, url->is_ipv6 ? "]" : "",
		   url->port);
	buf_printf(buf,
		   "User-Agent: predictctl/%s\r\nAccept: %s\r\n"
		   "Connection: close\r\n",
		   PREDICTD_VERSION,
		   request->accept ? request->accept : "application/json");
	if (client->token)
		buf_printf(buf, "Authorization: Bearer %s\r\n", client->token);
	if (request->last_event_id && *request->last_event_id)
		buf_printf(buf, "Last-Event-ID: %s\r\n",
			   request->last_event_id);
	if (request->content_type)
		buf_printf(buf, "Content-Type: %s\r\n", request->content_type);
	if (request->content_type || !str_equal(request->method, "GET"))
		buf_printf(buf, "Content-Length: %zu\r\n", request->len);
	buf_puts(buf, "\r\n");
}

static enum err_code send_request(struct client *client, int fd,
				  const struct client_request *request,
				  struct err *err)
{
	struct buf head;
	enum err_code rc;

	buf_init(&head, HEAD_MAX);
	write_head(client, request, &head);
	rc = buf_check(&head, "the head of the request", err);
	if (!rc)
		rc = socket_send(fd, &client->wait, head.data, head.len, err);
	if (!rc && request->len)
		rc = socket_send(fd, &client->wait, request->body, request->len,
				 err);
	buf_finish(&head);
	return rc;
}

static enum err_code receive(struct client *client, int fd,
			     struct response *response, struct err *err)
{
	while (!response_is_done(response)) {
		size_t len;
		enum err_code rc;

		rc = socket_receive(fd, &client->wait, client->piece,
				    sizeof(client->piece), &len, err);
		if (!rc)
			rc = len ? response_feed(response, client->piece, len,
						 err)
				 : response_end(response, err);
		if (rc)
			return rc;
	}
	return ERR_NONE;
}

static enum err_code exchange(struct client *client,
			      const struct client_request *request,
			      struct response *response, struct err *err)
{
	struct err sending = { 0 };
	enum err_code rc;
	int fd;

	rc = socket_connect(&client->url, &client->wait, &fd, err);
	if (rc == ERR_CANCELLED)
		return rc;
	if (rc) {
		(void)err_prefix(err, "cannot connect to %s", client->server);
		return rc;
	}
	rc = send_request(client, fd, request, &sending);
	/* who refuses a body early has answered, and takes no more of it */
	if (!rc || rc == ERR_IO)
		rc = receive(client, fd, response, err);
	else if (err)
		*err = sending;
	(void)close(fd);
	if (rc && rc != ERR_CANCELLED)
		(void)err_prefix(err, "%s", client->server);
	return rc;
}

/* --- whole answers --- */

static enum err_code keep_piece(void *ctx, const char *bytes, size_t len,
				struct err *err)
{
	struct buf *body = ctx;

	buf_put(body, bytes, len);
	return buf_check(body, "the server's answer", err);
}

enum err_code client_ask(struct client *client,
			 const struct client_request *request,
			 struct client_answer *ret_answer, struct err *err)
{
	struct client_answer answer = { 0 };
	struct response response;
	enum err_code rc;

	buf_init(&answer.body, CLIENT_BODY_MAX);
	response_init(&response,
		      (struct response_sink){ keep_piece, &answer.body });
	rc = exchange(client, request, &response, err);
	answer.status = response.status;
	(void)str_copy(answer.content_type, sizeof(answer.content_type),
		       response.content_type);
	response_finish(&response);
	if (rc) {
		buf_finish(&answer.body);
		return rc;
	}
	*ret_answer = answer;
	return ERR_NONE;
}

static enum err_code code_of(int status)
{
	static const struct {
		int status;
		enum err_code code;
	} codes[] = { { 401, ERR_UNAUTHENTICATED }, { 403, ERR_FORBIDDEN },
		      { 404, ERR_NOT_FOUND },	    { 409, ERR_CONFLICT },
		      { 503, ERR_NOT_READY },	    { 504, ERR_DEADLINE } };

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		if (codes[i].status == status)
			return codes[i].code;
	}
	return status >= 400 && status < 500 ? ERR_INVALID : ERR_INTERNAL;
}

enum err_code client_check(const struct client_answer *answer, struct err *err)
{
	enum err_code code = code_of(answer->status);
	struct arena *arena;
	const struct doc *sentence = NULL;
	struct doc *doc;

	if (answer->status >= 200 && answer->status < 300)
		return ERR_NONE;
	arena = arena_create(ANSWER_ARENA);
	if (arena && answer->body.len &&
	    !doc_parse_json(answer->body.data, answer->body.len, "answer",
			    arena, &doc, NULL))
		sentence = doc_find(doc, "error");
	if (sentence && sentence->kind == DOC_STRING)
		(void)err_set(err, code, "%s", sentence->text);
	else
		(void)err_set(err, code, "the server answered with status %d",
			      answer->status);
	arena_destroy(arena);
	return code;
}

/* --- streams --- */

struct stream {
	struct response *response;
	struct response_sink sink;
	struct buf refusal; /* the body of an answer that is not 2xx */
};

static enum err_code pass_piece(void *ctx, const char *bytes, size_t len,
				struct err *err)
{
	struct stream *stream = ctx;

	if (stream->response->status >= 200 && stream->response->status < 300)
		return stream->sink.take(stream->sink.ctx, bytes, len, err);
	return keep_piece(&stream->refusal, bytes, len, err);
}

enum err_code client_stream(struct client *client,
			    const struct client_request *request,
			    struct response_sink sink, struct err *err)
{
	struct response response;
	struct stream stream = { .response = &response, .sink = sink };
	struct client_answer answer = { 0 };
	enum err_code rc;

	buf_init(&stream.refusal, PIECE);
	response_init(&response, (struct response_sink){ pass_piece, &stream });
	rc = exchange(client, request, &response, err);
	if (!rc) {
		answer.status = response.status;
		answer.body = stream.refusal;
		rc = client_check(&answer, err);
	}
	response_finish(&response);
	buf_finish(&stream.refusal);
	return rc;
}
