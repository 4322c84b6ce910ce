/* SPDX-License-Identifier: Apache-2.0 */
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "server/compress.h"
#include "server/http_priv.h"
#include "server/metrics.h"

enum {
	CHUNKS_MAX = 65536,
	/* a refused body of this size is read and forgotten, so that the
	 * connection can go on */
	SWALLOW_MAX = 64 << 10,
	KEEP_BYTES = 256 << 10, /* buffers a connection keeps when idle */
	PIECE_BYTES = 1 << 20,	/* of an upload, written at once */
};

bool http_set_phase(struct http_conn *conn, enum http_phase phase)
{
	int was = atomic_load_explicit(&conn->phase, memory_order_relaxed);

	atomic_store_explicit(&conn->since_ns, clock_coarse_ns(),
			      memory_order_relaxed);
	while (was != HTTP_ENDED)
		if (atomic_compare_exchange_weak_explicit(
			&conn->phase, &was, phase, memory_order_release,
			memory_order_relaxed))
			return true;
	return false;
}

/* --- handing over --- */

static struct http_conn *conn_of(struct api_request *request)
{
	return (
	    struct http_conn *)(void *)((char *)request -
					offsetof(struct http_conn, request));
}

static void finish(struct api_request *request)
{
	struct http_conn *conn = conn_of(request);
	struct http *http = conn->http;

	/* under the lock, so that the connection is not freed before the
	 * resume has returned */
	(void)pthread_mutex_lock(&http->lock);
	conn->is_done = true;
	conn->done_ns = clock_coarse_ns();
	if (conn->is_parked)
		http_worker_resume(conn);
	(void)pthread_mutex_unlock(&http->lock);
}

static void wake(struct api_request *request)
{
	struct http_conn *conn = conn_of(request);
	struct http *http = conn->http;

	(void)pthread_mutex_lock(&http->lock);
	conn->is_woken = true;
	conn->done_ns = clock_coarse_ns();
	if (conn->is_parked)
		http_worker_resume(conn);
	(void)pthread_mutex_unlock(&http->lock);
}

const struct api_transport http_transport = { .finish = finish, .wake = wake };

/* Counts the requests that others work on. */
static void hand(struct http_conn *conn, bool is_handed)
{
	if (conn->is_handed == is_handed)
		return;
	conn->is_handed = is_handed;
	if (is_handed)
		atomic_fetch_add_explicit(&conn->http->n_handed, 1,
					  memory_order_relaxed);
	else
		atomic_fetch_sub_explicit(&conn->http->n_handed, 1,
					  memory_order_relaxed);
}

/* Parks the connection unless its result is there. Under the lock. */
static bool park_locked(struct http_conn *conn)
{
	conn->is_parked = !conn->is_done;
	hand(conn, !conn->is_done);
	if (!conn->is_done)
		MHD_suspend_connection(conn->mhd);
	return !conn->is_done;
}

/* A result that is there is taken. */
static bool park(struct http_conn *conn)
{
	bool is_parked;

	(void)pthread_mutex_lock(&conn->http->lock);
	is_parked = park_locked(conn);
	conn->is_done = false;
	(void)pthread_mutex_unlock(&conn->http->lock);
	return is_parked;
}

void http_leave_gathered(struct http_conn *conn)
{
	(void)pthread_mutex_lock(&conn->http->lock);
	(void)park_locked(conn);
	(void)pthread_mutex_unlock(&conn->http->lock);
}

/* --- the head --- */

/* White space behind a value is none of it (RFC 9110, section 5.5); the library
 * takes away what stands before it alone. */
static const char *trimmed(const char *value, struct arena *arena)
{
	const size_t whole = value ? strlen(value) : 0;
	size_t len = whole;
	const char *copy;

	while (len && (value[len - 1] == ' ' || value[len - 1] == '\t'))
		len--;
	copy = len < whole ? arena_strndup(arena, value, len) : value;
	return copy ? copy : value; /* out of memory: as it came */
}

static enum MHD_Result add_header(void *cls, enum MHD_ValueKind kind,
				  const char *name, const char *value)
{
	struct http_conn *conn = cls;

	(void)kind;
	if (conn->n_header == HTTP_HEADERS_MAX)
		return MHD_NO;
	value = trimmed(value, conn->request.arena);
	conn->header[conn->n_header++] = (struct http_pair){ name, value };
	return MHD_YES;
}

static enum MHD_Result add_query(void *cls, enum MHD_ValueKind kind,
				 const char *name, const char *value)
{
	struct http_conn *conn = cls;

	(void)kind;
	if (conn->n_query == HTTP_QUERY_MAX)
		return MHD_NO;
	conn->query[conn->n_query++] = (struct http_pair){ name, value };
	return MHD_YES;
}

static bool is_id(const char *id)
{
	size_t n = 0;

	for (; id[n]; n++) {
		const char c = id[n];
		const char lower = (char)(c | 0x20);

		if ((c < '0' || c > '9') && (lower < 'a' || lower > 'z') &&
		    c != '-' && c != '_' && c != '.')
			return false;
	}
	return n > 0 && n < API_ID_MAX;
}

static void set_id(struct http_conn *conn)
{
	struct api_request *request = &conn->request;
	const char *given = api_header(request, "X-Request-Id");
	static const char digits[] = "0123456789abcdef";
	uint64_t number;
	size_t n;

	if (given && is_id(given)) {
		(void)str_copy(request->id, sizeof(request->id), given);
		return;
	}
	number = atomic_fetch_add_explicit(&conn->http->n_ids, 1,
					   memory_order_relaxed);
	n = str_copy(request->id, sizeof(request->id), conn->http->id_prefix);
	for (int shift = 28; shift >= 0; shift -= 4)
		request->id[n++] = digits[number >> shift & 15];
	request->id[n] = '\0';
}

enum err_code http_read_head(struct http_conn *conn, struct err *err)
{
	struct api_request *request = &conn->request;
	enum err_code rc;
	int n;

	n = MHD_get_connection_values(conn->mhd, MHD_HEADER_KIND, add_header,
				      conn);
	(void)MHD_get_connection_values(conn->mhd, MHD_GET_ARGUMENT_KIND,
					add_query, conn);
	request->n_headers = conn->n_header;
	request->n_query = conn->n_query;
	set_id(conn);
	if (n > HTTP_HEADERS_MAX)
		return err_set(err, ERR_TOO_LARGE,
			       "the request has more than %d headers",
			       HTTP_HEADERS_MAX);
	rc = http_guard(conn->header, conn->n_header, &conn->framing, err);
	if (!rc)
		rc = url_parse(request->path, request->arena, &request->url,
			       err);
	return rc;
}

/* Nobody else writes these now, but the reaper reads them. */
static void unpark(struct http_conn *conn)
{
	if (!conn->is_parked && !conn->is_done && !conn->is_woken)
		return;
	(void)pthread_mutex_lock(&conn->http->lock);
	conn->is_parked = conn->is_done = conn->is_woken = false;
	(void)pthread_mutex_unlock(&conn->http->lock);
}

/* An empty request in the connection's memory. */
static void reset(struct http_conn *conn, struct MHD_Connection *mhd,
		  const char *path, const char *method)
{
	struct api_request *request = &conn->request;
	struct buf response = request->response.body;

	conn->mhd = mhd;
	conn->n_header = conn->n_query = conn->n_chunks = 0;
	conn->framing = (struct http_framing){ 0 };
	conn->is_refused = conn->has_body = conn->is_dispatched = false;
	conn->is_begun = conn->must_close = conn->is_pouring = false;
	atomic_store_explicit(&conn->is_upload, false, memory_order_relaxed);
	unpark(conn);
	atomic_store_explicit(&conn->n_body, 0, memory_order_relaxed);
	buf_reset(&conn->body);
	buf_reset(&conn->other);
	buf_reset(&response);
	/* member by member: atomics have no assignment */
	memset(request->param, 0, sizeof(request->param));
	request->method = method;
	request->path = path;
	request->peer = conn->peer;
	request->trace = (struct trace_context){ .is_sampled = false };
	request->served = (struct api_served){ .n_rows = 0 };
	request->headers = conn->header;
	request->query = conn->query;
	request->body = "";
	request->body_len = request->held_bytes = request->body_max = 0;
	request->sink = (struct api_sink){ .write = NULL };
	request->url.n = 0;
	request->route = NULL;
	request->then = NULL;
	request->state = NULL;
	request->cleanup = NULL;
	request->demanded = request->demanded_version = NULL;
	request->granted = NULL;
	request->has_demanded = request->is_demanding = false;
	request->is_admitted = false;
	request->retry_s = 0;
	request->code = ERR_NONE;
	request->is_suspended = request->is_counted = false;
	request->start_ns = clock_monotonic_ns();
	request->response = (struct api_response){ .body = response };
	atomic_store_explicit(&request->is_abandoned, false,
			      memory_order_relaxed);
}

/* Whether what is left of the request may be read past, to answer behind it
 * and keep the connection. */
static bool may_swallow(const struct http_conn *conn, enum err_code rc)
{
	return conn->is_begun && rc != ERR_TOO_LARGE &&
	       !conn->framing.is_chunked &&
	       conn->framing.length <= SWALLOW_MAX &&
	       !api_client_waits(&conn->request);
}

static enum MHD_Result refuse(struct http_conn *conn, const struct err *err)
{
	if (!conn->request.response.status)
		api_answer_error(&conn->request, err);
	conn->is_refused = true;
	if (may_swallow(conn, err->code))
		return MHD_YES;
	conn->must_close = true;
	return http_send(conn);
}

static enum MHD_Result begin(struct http_conn *conn, struct MHD_Connection *mhd,
			     const char *path, const char *method)
{
	struct http_options *options = &conn->http->options;
	struct api_request *request = &conn->request;
	struct err err;
	enum err_code rc;

	reset(conn, mhd, path, method);
	metrics_begin(options->metrics);
	atomic_store_explicit(&conn->had_request, true, memory_order_relaxed);
	rc = http_read_head(conn, &err);
	(void)http_set_phase(conn, HTTP_BODY); /* the reaper may read its id */
	if (rc) {
		api_answer_error(request, &err);
		if (rc == ERR_TOO_LARGE) /* of a head it has its own status */
			request->response.status = 431;
		return refuse(conn, &err);
	}
	conn->is_begun = true;
	rc = options->hooks.begin(options->hooks.data, request, &err);
	if (!rc && conn->framing.length > request->body_max)
		rc = err_set(&err, ERR_TOO_LARGE,
			     "the body has %llu bytes; at most %zu are taken "
			     "here",
			     (unsigned long long)conn->framing.length,
			     request->body_max);
	if (!rc && request->sink.write) {
		atomic_store_explicit(&conn->is_upload, true,
				      memory_order_relaxed);
	} else if (!rc && conn->framing.length) {
		rc = limit_take(options->limit, conn->framing.length, &err);
		if (!rc)
			request->held_bytes = conn->framing.length;
	}
	conn->body.max = request->body_max + 1;
	return rc ? refuse(conn, &err) : MHD_YES;
}

/* --- the body --- */

/* A body that is too much is noted and read past, up to as much again; the
 * library cannot answer in the middle of it. */
static enum MHD_Result take_body(struct http_conn *conn, const char *bytes,
				 size_t *len)
{
	struct api_request *request = &conn->request;
	const size_t n = *len;
	const size_t total =
	    atomic_fetch_add_explicit(&conn->n_body, n, memory_order_relaxed) +
	    n;
	enum err_code rc = ERR_NONE;
	struct err err;

	*len = 0;
	if (conn->is_refused)
		return total <= 2 * request->body_max + SWALLOW_MAX ? MHD_YES
								    : MHD_NO;
	if (++conn->n_chunks > CHUNKS_MAX)
		rc = err_set(&err, ERR_INVALID,
			     "the body comes in more than %d pieces",
			     CHUNKS_MAX);
	else if (total > request->body_max)
		rc = err_set(&err, ERR_TOO_LARGE,
			     "the body has more than the %zu bytes that are "
			     "taken here",
			     request->body_max);
	else if (!conn->framing.has_length) {
		rc = limit_take(conn->http->options.limit, n, &err);
		if (!rc)
			request->held_bytes += n;
	}
	if (!rc) {
		buf_put(&conn->body, bytes, n);
		rc = buf_check(&conn->body, "body", &err);
	}
	if (rc) {
		api_answer_error(request, &err);
		conn->is_refused = conn->must_close = true;
	}
	return MHD_YES;
}

/* Whether the sink has done with its piece, or could not. The library calls for
 * the next chunk of a body though the connection is suspended: it stays so. */
static bool end_pour(struct http_conn *conn)
{
	struct api_request *request = &conn->request;
	bool is_done;

	(void)pthread_mutex_lock(&conn->http->lock);
	is_done = conn->is_done;
	if (is_done)
		conn->is_done = conn->is_parked = false;
	(void)pthread_mutex_unlock(&conn->http->lock);
	if (!is_done)
		return false;
	conn->is_pouring = false;
	buf_reset(&conn->body);
	if (request->sink.err) {
		api_answer_error(request, request->sink.err);
		conn->is_refused = conn->must_close = true;
	}
	return true;
}

static void pour(struct http_conn *conn)
{
	struct api_request *request = &conn->request;

	conn->is_pouring = true;
	request->sink.write(request, conn->body.data, conn->body.len);
	(void)pthread_mutex_lock(&conn->http->lock);
	conn->is_parked = !conn->is_done;
	if (conn->is_parked)
		MHD_suspend_connection(conn->mhd);
	(void)pthread_mutex_unlock(&conn->http->lock);
}

/* A part of an upload. Full pieces are written while the connection is
 * suspended, so that a slow disk keeps no other one waiting. */
static enum MHD_Result take_upload(struct http_conn *conn, const char *bytes,
				   size_t *len)
{
	struct api_request *request = &conn->request;
	const size_t n = *len;
	size_t total;
	struct err err;

	if (conn->is_pouring && !end_pour(conn))
		return MHD_YES;
	*len = 0;
	total =
	    atomic_fetch_add_explicit(&conn->n_body, n, memory_order_relaxed) +
	    n;
	if (total > request->body_max && !conn->is_refused) {
		(void)err_set(&err, ERR_TOO_LARGE,
			      "the body has more than the %zu bytes that are "
			      "taken here",
			      request->body_max);
		api_answer_error(request, &err);
		conn->is_refused = conn->must_close = true;
	}
	if (conn->is_refused)
		return total / 2 <= request->body_max ? MHD_YES : MHD_NO;
	buf_put(&conn->body, bytes, n);
	if (conn->body.len >= PIECE_BYTES)
		pour(conn);
	return MHD_YES;
}

/* Sets request->body, inflated where it was not. */
static enum err_code finish_body(struct http_conn *conn, struct err *err)
{
	struct api_request *request = &conn->request;
	struct buf *body = &conn->body;
	enum coding coding;
	enum err_code rc;

	rc = coding_of(api_header(request, "Content-Encoding"), &coding, err);
	if (!rc && coding != CODING_IDENTITY && body->len) {
		conn->other.max = request->body_max + 1;
		rc = compress_inflate(coding, body->data, body->len,
				      &conn->other, err);
		body = &conn->other;
		if (!rc)
			rc = limit_take(conn->http->options.limit, body->len,
					err);
		if (!rc)
			request->held_bytes += body->len;
	}
	if (rc)
		return rc;
	request->body = body->len ? body->data : "";
	request->body_len = body->len;
	return ERR_NONE;
}

/* --- the work --- */

/* Dispatches until the request is answered or has to wait. One that is gathered
 * is neither answered nor suspended: the library calls again when it looks
 * next, and the worker has run it by then. */
static enum MHD_Result work(struct http_conn *conn)
{
	struct http_hooks *hooks = &conn->http->options.hooks;
	struct api_request *request = &conn->request;
	struct http_worker *worker = conn->worker;

	do {
		request->is_gathered = false;
		request->gathering = &worker->gathering;
		hooks->dispatch(hooks->data, request);
		if (!request->is_suspended)
			return http_send(conn);
		if (request->is_gathered) {
			conn->next_gathered = worker->gathered;
			worker->gathered = conn;
			return MHD_YES;
		}
	} while (!park(conn));
	return MHD_YES;
}

/* The body is there, or the library calls again after a resume. */
static enum MHD_Result proceed(struct http_conn *conn)
{
	struct err err;

	if (conn->is_pouring && !end_pour(conn))
		return MHD_YES;
	if (conn->is_dispatched)
		return park(conn) ? MHD_YES : work(conn);
	conn->is_dispatched = true;
	if (!conn->is_refused && finish_body(conn, &err)) {
		api_answer_error(&conn->request, &err);
		conn->is_refused = true;
	}
	if (conn->is_refused)
		return http_send(conn);
	return http_set_phase(conn, HTTP_WORK) ? work(conn) : MHD_NO;
}

/* NOLINTNEXTLINE(readability-function-size): the library's signature */
enum MHD_Result http_on_request(void *cls, struct MHD_Connection *mhd,
				const char *url, const char *method,
				const char *version, const char *upload,
				size_t *upload_size, void **con_cls)
{
	const union MHD_ConnectionInfo *info;
	struct http_worker *worker = cls;
	struct http_conn *conn = *con_cls;

	worker->has_worked = true;
	(void)version;
	if (!conn) {
		info = MHD_get_connection_info(
		    mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
		conn = info ? info->socket_context : NULL;
		if (!conn)
			return MHD_NO;
		*con_cls = conn;
		worker->n_requests++;
		return begin(conn, mhd, url, method);
	}
	if (*upload_size)
		return conn->request.sink.write
			   ? take_upload(conn, upload, upload_size)
			   : take_body(conn, upload, upload_size);
	return proceed(conn);
}

/* --- the end --- */

static void trim(struct buf *buf)
{
	if (buf->cap > KEEP_BYTES) {
		const size_t max = buf->max;

		buf_finish(buf);
		buf_init(buf, max);
	}
}

void http_on_completed(void *cls, struct MHD_Connection *mhd, void **con_cls,
		       enum MHD_RequestTerminationCode how)
{
	struct http_conn *conn = *con_cls;
	struct http_options *options;
	struct api_request *request;

	(void)cls;
	(void)mhd;
	(void)how;
	if (!conn)
		return;
	options = &conn->http->options;
	request = &conn->request;
	if (!http_set_phase(conn, HTTP_SEND))
		http_answer_late(request);
	if (request->response.stream.close)
		request->response.stream.close(request->response.stream.data);
	options->hooks.end(options->hooks.data, request);
	limit_give(options->limit, request->held_bytes);
	request->held_bytes = 0;
	trim(&conn->body);
	trim(&conn->other);
	trim(&request->response.body);
	arena_reset(request->arena);
	(void)http_set_phase(conn, HTTP_HEAD);
}

/* --- connections --- */

static void forget(struct http_conn *conn)
{
	struct http *http = conn->http;

	hand(conn, false);
	(void)pthread_mutex_lock(&http->lock);
	if (conn->previous)
		conn->previous->next = conn->next;
	else
		http->first = conn->next;
	if (conn->next)
		conn->next->previous = conn->previous;
	if (conn->is_refused && conn->must_close &&
	    http_linger_add(&http->linger, conn->fd))
		(void)pthread_cond_signal(&http->reaper_wake);
	(void)pthread_mutex_unlock(&http->lock);
	metrics_connections(http->options.metrics, -1);
	buf_finish(&conn->body);
	buf_finish(&conn->other);
	buf_finish(&conn->request.response.body);
	arena_destroy(conn->request.arena);
	mem_free(conn);
}

/* The address without its port. */
static void set_peer(struct http_conn *conn, struct MHD_Connection *mhd)
{
	const union MHD_ConnectionInfo *info =
	    MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	const struct sockaddr *address = info ? info->client_addr : NULL;
	socklen_t len = sizeof(struct sockaddr_in);

	if (address && address->sa_family == AF_INET6)
		len = sizeof(struct sockaddr_in6);
	if (!address ||
	    getnameinfo(address, len, conn->peer, sizeof(conn->peer), NULL, 0,
			NI_NUMERICHOST))
		conn->peer[0] = '\0';
}

static struct http_conn *conn_create(struct http_worker *worker,
				     struct MHD_Connection *mhd)
{
	const union MHD_ConnectionInfo *info =
	    MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct http_conn *conn = mem_zero(sizeof(*conn));
	struct http *http = worker->http;

	if (!conn || !info)
		goto fail;
	conn->request.arena = arena_create(http->options.max_arena);
	if (!conn->request.arena)
		goto fail;
	conn->http = http;
	conn->worker = worker;
	conn->fd = info->connect_fd;
	set_peer(conn, mhd);
	conn->request.transport = &http_transport;
	buf_init(&conn->body, 0);
	buf_init(&conn->other, 0);
	buf_init(&conn->request.response.body, http->options.max_response);
	(void)http_set_phase(conn, HTTP_HEAD);
	return conn;
fail:
	mem_free(conn);
	return NULL;
}

void http_on_connection(void *cls, struct MHD_Connection *mhd,
			void **socket_context,
			enum MHD_ConnectionNotificationCode what)
{
	struct http_worker *worker = cls;
	struct http *http = worker->http;
	struct http_conn *conn = *socket_context;

	if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
		if (conn)
			forget(conn);
		atomic_fetch_sub_explicit(&worker->n_conns, 1,
					  memory_order_release);
		*socket_context = NULL;
		return;
	}
	atomic_fetch_add_explicit(&worker->n_conns, 1, memory_order_relaxed);
	conn = conn_create(worker, mhd);
	*socket_context = conn;
	if (!conn) /* its requests are refused with a closed connection */
		return;
	metrics_connections(http->options.metrics, 1);
	(void)pthread_mutex_lock(&http->lock);
	conn->next = http->first;
	if (conn->next)
		conn->next->previous = conn;
	http->first = conn;
	(void)pthread_mutex_unlock(&http->lock);
}
