/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * The parts of HTTP: the daemon, its connections, and the reaper.
 *
 * Threads: `lock` guards the list of connections and, in each, what says so.
 *          It is taken before libmicrohttpd's own locks, never after them.
 */
#ifndef SERVER_HTTP_PRIV_H
#define SERVER_HTTP_PRIV_H

#include <microhttpd.h>
#include <pthread.h>

#include "server/http.h"
#include "server/http_linger.h"
#include "server/http_worker.h"

enum { HTTP_HEADERS_MAX = 100, HTTP_QUERY_MAX = 32 };

/** What a connection is at. */
enum http_phase {
	HTTP_HEAD, /**< waiting for a head, or reading one */
	HTTP_BODY,
	HTTP_WORK,
	HTTP_SEND,
	HTTP_ENDED /**< the reaper has said why, and closes it */
};

struct http_conn {
	struct http_conn *previous, *next; /* under the lock */
	struct http *http;
	struct http_worker *worker;
	struct MHD_Connection *mhd; /* of the request */
	int fd;
	char peer[64]; /* its address, "" when it has none */

	/* for the reaper: when the phase began, bytes of the body so far */
	atomic_int phase;
	atomic_int_least64_t since_ns;
	atomic_size_t n_body;
	atomic_bool is_upload; /* may take as long as it comes */
	atomic_bool had_request;
	atomic_int_least64_t send_ms; /* for its answer; -1: without end */

	/* under the lock */
	bool is_parked;	       /* suspended by us */
	bool is_done;	       /* api_finish() was called */
	bool is_woken;	       /* api_wake() was called */
	int64_t done_ns;       /* when one of the two was */
	uint64_t idle_bytes;   /* received when first seen idle */
	int64_t idle_since_ns; /* the since_ns that idle_bytes belongs to */
	int64_t partial_ns;    /* when a part of a head was seen */

	/* one request at a time, on the connection's thread */
	struct api_request request;
	struct http_pair header[HTTP_HEADERS_MAX], query[HTTP_QUERY_MAX];
	size_t n_header, n_query, n_chunks;
	struct http_framing framing;
	struct buf body, other; /* other: inflated, then deflated */
	bool is_begun, is_refused, has_body, is_dispatched, must_close;
	bool is_pouring; /* request.sink works on `body` */
	bool is_handed;	 /* counted by http.n_handed */
	struct http_conn *next_gathered;
};

struct http {
	struct http_options options;
	struct http_worker *worker;
	unsigned n_workers; /* that have begun */
	unsigned turn;	    /* the acceptor's */
	int stop_fd;	    /* the acceptor's end */
	int listen_fd;	    /* -1 once closed */
	pthread_mutex_t lock;
	struct http_conn *first;
	struct http_linger linger; /* under the lock */
	pthread_t acceptor, reaper;
	pthread_cond_t reaper_wake; /* with the lock */
	atomic_uint_least64_t n_ids;
	atomic_uint n_handed; /* requests that other threads work on */
	char id_prefix[17];
	bool has_acceptor, has_reaper, must_stop;
	atomic_bool is_draining;
	uint16_t port;
};

/** libmicrohttpd's callbacks; cls is the struct http_worker, but of a request's
 * end the struct http. */
enum MHD_Result http_on_request(void *cls, struct MHD_Connection *mhd,
				const char *url, const char *method,
				const char *version, const char *upload,
				size_t *upload_size, void **con_cls);
void http_on_completed(void *cls, struct MHD_Connection *mhd, void **con_cls,
		       enum MHD_RequestTerminationCode how);
void http_on_connection(void *cls, struct MHD_Connection *mhd,
			void **socket_context,
			enum MHD_ConnectionNotificationCode what);

/** Queues the answer of conn->request. */
enum MHD_Result http_send(struct http_conn *conn);
/** Suspends the connection of a request that was gathered, if other threads are
 * to answer it. */
void http_leave_gathered(struct http_conn *conn);
/** False when the reaper has ended the request: nothing may be sent. */
bool http_set_phase(struct http_conn *conn, enum http_phase phase);

/** Collects headers and query of a request into conn. */
MUST_USE enum err_code http_read_head(struct http_conn *conn, struct err *err);

/** Connections that are open; never too few. */
unsigned http_count(const struct http *http);
/** The thread that accepts connections, and gives each to a worker. */
MUST_USE enum err_code http_accept_start(struct http *http, struct err *err);
/** Its end; fine where it did not begin. */
void http_accept_stop(struct http *http);
/** After that: takes what waits in the kernel, where it has been answered, so
 * that to close the socket now would reset it. Closes the socket. */
void http_accept_rest(struct http *http);
/** What the reaper said to a client whose body did not come: for the log. */
void http_answer_late(struct api_request *request);
/** The reaper's thread. */
void *http_reaper_run(void *arg);

extern const struct api_transport http_transport;

#endif
