/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/types.h>

#include "server/compress.h"
#include "server/http_priv.h"

enum {
	COMPRESS_MIN = 1024,
	STREAM_BLOCK = 16 << 10,
	SEND_BYTES_PER_MS = 16 /* slower clients are cut off */
};

/* Compresses the body into conn->other where that is wanted and pays; returns
 * the buffer to send. */
static const struct buf *encode(struct http_conn *conn, enum coding *ret_coding)
{
	struct api_response *response = &conn->request.response;

	*ret_coding = CODING_IDENTITY;
	if (response->body.len < COMPRESS_MIN)
		return &response->body;
	*ret_coding =
	    coding_accepted(api_header(&conn->request, "Accept-Encoding"));
	if (*ret_coding == CODING_IDENTITY)
		return &response->body;
	/* the inflated body of the request was here; it has been used */
	buf_reset(&conn->other);
	conn->other.max = response->body.len + COMPRESS_MIN;
	if (compress_deflate(*ret_coding, response->body.data,
			     response->body.len, &conn->other, NULL)) {
		*ret_coding = CODING_IDENTITY;
		return &response->body;
	}
	return &conn->other;
}

/* --- bodies that are made while they are sent --- */

static bool must_end(const struct http_conn *conn)
{
	return atomic_load_explicit(&conn->http->is_draining,
				    memory_order_relaxed) ||
	       atomic_load_explicit(&conn->request.is_abandoned,
				    memory_order_relaxed);
}

/* With nothing to send the connection sleeps until api_wake(), unless that has
 * come in between. */
static ssize_t stream_read(void *cls, uint64_t position, char *to, size_t max)
{
	struct http_conn *conn = cls;
	struct api_stream *stream = &conn->request.response.stream;
	struct http *http = conn->http;
	long n;

	(void)position;
	for (;;) {
		bool is_woken;

		(void)pthread_mutex_lock(&http->lock);
		conn->is_parked = conn->is_woken = false;
		(void)pthread_mutex_unlock(&http->lock);
		if (must_end(conn))
			return MHD_CONTENT_READER_END_OF_STREAM;
		n = stream->read(stream->data, to, max);
		if (n < 0)
			return MHD_CONTENT_READER_END_OF_STREAM;
		if (n > 0)
			return n;
		(void)pthread_mutex_lock(&http->lock);
		is_woken = conn->is_woken;
		if (!is_woken && !must_end(conn)) {
			conn->is_parked = true;
			MHD_suspend_connection(conn->mhd);
		}
		is_woken = !conn->is_parked;
		(void)pthread_mutex_unlock(&http->lock);
		if (!is_woken)
			return 0;
	}
}

/* --- the answer --- */

static void add(struct MHD_Response *answer, const char *name,
		const char *value)
{
	/* out of memory: the header is missing, the answer stands */
	(void)MHD_add_response_header(answer, name, value);
}

static struct MHD_Response *make_answer(struct http_conn *conn)
{
	struct api_response *response = &conn->request.response;
	struct MHD_Response *answer;
	const struct buf *body;
	enum coding coding;

	if (response->stream.read)
		return MHD_create_response_from_callback(
		    MHD_SIZE_UNKNOWN, STREAM_BLOCK, stream_read, conn, NULL);
	body = encode(conn, &coding);
	answer = MHD_create_response_from_buffer(body->len, body->data,
						 MHD_RESPMEM_PERSISTENT);
	if (answer && coding != CODING_IDENTITY)
		add(answer, "Content-Encoding", coding_name(coding));
	if (answer && response->body.len >= COMPRESS_MIN)
		add(answer, "Vary", "Accept-Encoding");
	return answer;
}

static void add_headers(struct http_conn *conn, struct MHD_Response *answer)
{
	struct api_response *response = &conn->request.response;
	struct http *http = conn->http;

	if (response->content_type)
		add(answer, "Content-Type", response->content_type);
	add(answer, "X-Request-Id", conn->request.id);
	for (unsigned i = 0; i < response->n_extra; i++)
		add(answer, response->extra[i].name, response->extra[i].value);
	if (conn->must_close ||
	    atomic_load_explicit(&http->is_draining, memory_order_relaxed))
		add(answer, "Connection", "close");
}

/* How long the client may take to read it. */
static void set_send_time(struct http_conn *conn)
{
	const struct api_response *response = &conn->request.response;
	const int64_t ms =
	    response->stream.read
		? -1
		: conn->http->options.body_ms +
		      (int64_t)response->body.len / SEND_BYTES_PER_MS;

	atomic_store_explicit(&conn->send_ms, ms, memory_order_relaxed);
}

enum MHD_Result http_send(struct http_conn *conn)
{
	struct MHD_Response *answer;
	enum MHD_Result queued;

	set_send_time(conn);
	if (!http_set_phase(conn, HTTP_SEND))
		return MHD_NO;
	answer = make_answer(conn);
	if (!answer)
		return MHD_NO;
	add_headers(conn, answer);
	queued = MHD_queue_response(
	    conn->mhd, (unsigned)conn->request.response.status, answer);
	MHD_destroy_response(answer);
	return queued;
}
