/* SPDX-License-Identifier: Apache-2.0 */
/* Raw bytes on a socket: what a server in front could read in another way is
 * refused, slow clients are ended, and a drain loses nothing. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/mem.h"
#include "tests/api/peer.h"

static unsigned count_answers(const char *answer)
{
	unsigned n = 0;

	for (; (answer = strstr(answer, "HTTP/1.1 ")); answer++)
		n++;
	return n;
}

struct row {
	const char *name, *request;
	int status; /* of the first answer; 0: none */
	bool closes;
};

#define LIVE "GET /v2/health/live HTTP/1.1\r\nHost: x\r\n"
#define INDEX "POST /v2/repository/index HTTP/1.1\r\nHost: x\r\n"
#define SMUGGLED "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"

static const struct row rows[] = {
	{ "plain", LIVE "\r\n", 200, false },
	{ "close", LIVE "Connection: close\r\n\r\n", 200, true },
	{ "HTTP/1.0", "GET /v2/health/live HTTP/1.0\r\n\r\n", 200, true },
	{ "no Host", "GET /v2/health/live HTTP/1.1\r\n\r\n", 400, true },
	{ "with length", INDEX "Content-Length: 2\r\n\r\n{}", 200, false },
	{ "chunked",
	  INDEX "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", 200,
	  false },
	{ "CL and TE",
	  INDEX "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n"
		"0\r\n\r\n" SMUGGLED,
	  400, true },
	{ "two lengths",
	  INDEX "Content-Length: 2\r\nContent-Length: 40\r\n\r\n{}" SMUGGLED,
	  400, true },
	{ "equal lengths",
	  INDEX "Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}", 400, true },
	{ "space before the colon", INDEX "Content-Length : 2\r\n\r\n{}", 400,
	  true },
	{ "negative length", INDEX "Content-Length: -1\r\n\r\n", 400, true },
	{ "signed length", INDEX "Content-Length: +4\r\n\r\nabcd", 400, true },
	{ "hexadecimal length", INDEX "Content-Length: 0x4\r\n\r\nabcd", 400,
	  true },
	{ "huge length", INDEX "Content-Length: 99999999999999999999\r\n\r\n",
	  413, true },
	{ "length beyond 2^31", INDEX "Content-Length: 4294967297\r\n\r\n", 413,
	  true },
	{ "too long for the route", INDEX "Content-Length: 2000000\r\n\r\n",
	  413, true },
	{ "unknown coding",
	  INDEX "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 400, true },
	{ "two codings",
	  INDEX "Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n", 400,
	  true },
	{ "bad chunk size",
	  INDEX "Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n", 400,
	  true },
	{ "white space behind a value",
	  "POST /v2/repository/index HTTP/1.1\r\nHost: x\r\nContent-Encoding:  "
	  "identity \t \r\nContent-Length: 2\r\n\r\n{}",
	  200, false },
	{ "unknown content coding",
	  INDEX "Content-Encoding: br\r\nContent-Length: 2\r\n\r\n{}", 415,
	  false },
	{ "broken gzip",
	  INDEX "Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}", 400,
	  false },
	{ "wrong method", "DELETE /v2 HTTP/1.1\r\nHost: x\r\n\r\n", 405,
	  false },
	{ "unknown path", "GET /x HTTP/1.1\r\nHost: x\r\n\r\n", 404, false },
	{ "unknown path with a body",
	  "POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}", 404,
	  false },
	{ "encoded dots", "GET /v2/%2e%2e%2fx HTTP/1.1\r\nHost: x\r\n\r\n", 404,
	  false },
	{ "encoded NUL", "GET /v2/models/a%00b HTTP/1.1\r\nHost: x\r\n\r\n",
	  400, true },
	{ "two hosts", "GET /v2 HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400,
	  true },
	{ "HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, true },
	{ "as a proxy is asked",
	  "GET http://x/v2/health/live HTTP/1.1\r\nHost: x\r\n\r\n", 200,
	  false },
	{ "expect, of a model that is not there",
	  "POST /v2/models/m/infer HTTP/1.1\r\nHost: x\r\nExpect: "
	  "100-continue\r\nContent-Length: 2\r\n\r\n",
	  404, true },
	{ "expect", INDEX "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n",
	  100, false },
};

Test(http_raw, reads_every_request_as_others_do)
{
	static char answer[PEER_ANSWER];
	struct peer peer;

	peer_begin(&peer, peer_usual);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const struct row *row = &rows[i];
		int fd = peer_dial(&peer);
		bool has_closed;

		answer[0] = '\0';
		peer_say(fd, row->request);
		has_closed = peer_hear(fd, answer, 200);
		cr_expect_eq(peer_status(answer), row->status, "%s: %.300s",
			     row->name, answer);
		cr_expect_eq(has_closed, row->closes, "%s: %d", row->name,
			     has_closed);
		/* what was smuggled must not be answered; the library writes
		 * the heads of its own errors twice, so they do not count */
		cr_expect(row->status == 404 ||
			      !strstr(answer, "nothing at this path"),
			  "%s: %s", row->name, answer);
		(void)close(fd);
	}
	peer_end(&peer);
}

Test(http_raw, answers_large_heads_with_their_own_statuses)
{
	static char answer[PEER_ANSWER], request[48 << 10];
	struct peer peer;
	size_t n;
	int fd;

	peer_begin(&peer, peer_usual);
	n = (size_t)snprintf(request, sizeof(request), LIVE);
	for (int i = 0; i < 110; i++)
		n += (size_t)snprintf(request + n, sizeof(request) - n,
				      "X-%d: 1\r\n", i);
	n += (size_t)snprintf(request + n, sizeof(request) - n, "\r\n");
	fd = peer_dial(&peer);
	answer[0] = '\0';
	peer_say(fd, request);
	(void)peer_hear(fd, answer, 200);
	cr_expect_eq(peer_status(answer), 431, "%.200s", answer);
	(void)close(fd);
	n = (size_t)snprintf(request, sizeof(request), LIVE "X: ");
	memset(request + n, 'a', 40 << 10);
	fd = peer_dial(&peer);
	answer[0] = '\0';
	peer_say_bytes(fd, request, n + (40 << 10));
	cr_expect(peer_hear(fd, answer, 2000), "a head of 40 KiB");
	cr_expect_eq(peer_status(answer), 431, "%.200s", answer);
	(void)close(fd);
	memcpy(request, "GET /", 5);
	memset(request + 5, 'a', 40 << 10);
	fd = peer_dial(&peer);
	answer[0] = '\0';
	peer_say_bytes(fd, request, 40 << 10);
	cr_expect(peer_hear(fd, answer, 2000), "a path of 40 KiB");
	cr_expect_eq(peer_status(answer), 414, "%.200s", answer);
	(void)close(fd);
	peer_end(&peer);
}

Test(http_raw, keeps_a_connection_for_many_requests)
{
	static char answer[PEER_ANSWER];
	struct peer peer;
	int fd;

	peer_begin(&peer, peer_usual);
	fd = peer_dial(&peer);
	answer[0] = '\0';
	/* three at once, with and without bodies, one refused */
	peer_say(fd, LIVE "X-Request-Id: mine-1\r\n\r\n");
	peer_say(fd, INDEX "Content-Length: 2\r\n\r\n{}");
	peer_say(fd, "GET /x HTTP/1.1\r\nHost: x\r\n\r\n" LIVE "\r\n");
	cr_assert(!peer_hear(fd, answer, 300));
	cr_assert_eq(count_answers(answer), 4, "%s", answer);
	cr_assert(strstr(answer, "X-Request-Id: mine-1\r\n"), "%s", answer);
	(void)close(fd);
	peer_end(&peer);
}

/* Asks whether the server lives and expects `status`; 0: no answer comes. */
static void ask_live(int fd, int status)
{
	static char answer[PEER_ANSWER];

	answer[0] = '\0';
	peer_say(fd, LIVE "\r\n");
	cr_assert(!peer_hear(fd, answer, status ? 50 : 300));
	while (status && !*answer)
		cr_assert(!peer_hear(fd, answer, 50));
	cr_assert_eq(peer_status(answer), status, "%s", answer);
}

Test(http_raw, leaves_connections_beyond_the_limit_waiting)
{
	enum { LIMIT = 4 };
	static char answer[PEER_ANSWER];
	struct server_options options = peer_usual;
	struct peer peer;
	int fd[LIMIT], late;

	options.max_connections = LIMIT;
	peer_begin(&peer, options);
	for (int i = 0; i < LIMIT; i++) {
		fd[i] = peer_dial(&peer);
		ask_live(fd[i], 200);
	}
	late = peer_dial(&peer);
	ask_live(late, 0);
	ask_live(fd[LIMIT - 1], 200);
	(void)close(fd[0]);
	answer[0] = '\0';
	for (int i = 0; i < 100 && !*answer; i++)
		cr_assert(!peer_hear(late, answer, 50));
	cr_assert_eq(peer_status(answer), 200, "%s", answer);
	for (int i = 1; i < LIMIT; i++)
		(void)close(fd[i]);
	(void)close(late);
	peer_end(&peer);
}

/* How many descriptors each of this process's epolls looks at, for those of
 * `least` and more; returns how many these are. */
static size_t count_watched(unsigned least, unsigned *ret, size_t max)
{
	DIR *dir = opendir("/proc/self/fdinfo");
	const struct dirent *one;
	size_t n = 0;

	cr_assert_not_null(dir);
	while ((one = readdir(dir))) {
		char path[300], line[256];
		unsigned watched = 0;
		FILE *file;

		(void)snprintf(path, sizeof(path), "/proc/self/fdinfo/%s",
			       one->d_name);
		file = fopen(path, "re");
		while (file && fgets(line, sizeof(line), file))
			watched += strncmp(line, "tfd:", 4) == 0;
		if (file)
			(void)fclose(file);
		if (watched >= least && n < max)
			ret[n++] = watched;
	}
	(void)closedir(dir);
	return n;
}

Test(http_raw, gives_each_thread_as_many_connections)
{
	enum { N = 40 };
	unsigned watched[4] = { 0 };
	struct peer peer;
	int fd[N];

	peer_begin(&peer, peer_usual);
	for (int i = 0; i < N; i++)
		fd[i] = peer_dial(&peer);
	for (int i = 0; i < N; i++)
		ask_live(fd[i], 200);
	/* its own event is one more; one that is being taken counts twice */
	cr_assert_eq(count_watched(N / 2 - 4, watched, 4), 2);
	cr_assert_leq(watched[0], N / 2 + 6);
	cr_assert_leq(watched[1], N / 2 + 6);
	for (int i = 0; i < N; i++)
		(void)close(fd[i]);
	peer_end(&peer);
}

/* A byte now and then; false once the peer has closed. */
static bool trickle(int fd, const char *text, int64_t for_ms)
{
	const int64_t end = clock_deadline_ns(for_ms);

	for (size_t i = 0; clock_monotonic_ns() < end; i++) {
		const char c = text[i < strlen(text) ? i : strlen(text) - 1];
		struct pollfd wait = { .fd = fd, .events = POLLIN };
		char byte;

		if (send(fd, &c, 1, MSG_NOSIGNAL) != 1)
			return false;
		if (poll(&wait, 1, 100) > 0 &&
		    recv(fd, &byte, 1, MSG_DONTWAIT) <= 0)
			return false;
	}
	return true;
}

Test(http_raw, ends_connections_that_are_too_slow)
{
	struct server_options options = peer_usual;
	static char answer[PEER_ANSWER];
	struct peer peer;
	int fd;

	options.head_ms = 600;
	options.body_ms = 600;
	options.idle_ms = 1500;
	peer_begin(&peer, options);
	fd = peer_dial(&peer);
	cr_expect(!trickle(fd, LIVE "X: aaaaaaaa", PEER_WAIT_MS),
		  "a slow head");
	(void)close(fd);
	fd = peer_dial(&peer);
	peer_say(fd, INDEX "Content-Length: 1000\r\n\r\n");
	cr_expect(!trickle(fd, "          ", PEER_WAIT_MS), "a slow body");
	(void)close(fd);
	fd = peer_dial(&peer);
	answer[0] = '\0';
	peer_say(fd,
		 INDEX "X-Request-Id: slow-1\r\nContent-Length: 1000\r\n\r\n{");
	cr_expect(peer_hear(fd, answer, PEER_WAIT_MS),
		  "a body that ends too soon");
	cr_expect_eq(peer_status(answer), 408, "%s", answer);
	cr_expect(strstr(answer,
			 "\r\n\r\n{\"error\":\"the rest of the request "
			 "did not come in time\",\"code\":"
			 "\"request_timeout\",\"request_id\":\"slow-1\"}"),
		  "%s", answer);
	(void)close(fd);
	fd = peer_dial(&peer);
	answer[0] = '\0';
	peer_say(fd, LIVE "\r\n");
	cr_expect(peer_hear(fd, answer, PEER_WAIT_MS), "an idle connection");
	cr_expect_eq(peer_status(answer), 200);
	(void)close(fd);
	fd = peer_dial(&peer);
	answer[0] = '\0';
	peer_say(fd, LIVE "\r\n");
	clock_sleep_ms(700);
	cr_expect(!trickle(fd, LIVE "X: aaaaaaaa", PEER_WAIT_MS),
		  "a slow head on a kept connection");
	(void)close(fd);
	peer_end(&peer);
}

/* --- a drain under load --- */

struct load {
	const struct peer *peer;
	unsigned n_good, n_bad;
};

/* Requests on connections of its own until none is accepted any more. */
static void *make_load(void *arg)
{
	struct load *load = arg;
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_port =
				      htons(server_port(load->peer->server)) };
	static const char request[] = INDEX "Content-Length: 2\r\n\r\n{}";
	char answer[4096];

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	for (;;) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		bool goes_on = true;

		if (connect(fd, (struct sockaddr *)&to, sizeof(to))) {
			(void)close(fd);
			return NULL;
		}
		while (goes_on) {
			ssize_t n;

			peer_say(fd, request);
			n = recv(fd, answer, sizeof(answer) - 1, 0);
			answer[n > 0 ? n : 0] = '\0';
			if (peer_status(answer) == 200)
				load->n_good++;
			else
				load->n_bad++;
			goes_on = peer_status(answer) == 200 &&
				  !strstr(answer, "Connection: close");
		}
		(void)close(fd);
	}
}

Test(http_raw, drains_without_losing_a_request)
{
	enum { CLIENTS = 4 };
	pthread_t thread[CLIENTS];
	struct load load[CLIENTS];
	unsigned n_good = 0;
	struct peer peer;
	int idle;

	peer_begin(&peer, peer_usual);
	idle = peer_dial(&peer);
	for (int i = 0; i < CLIENTS; i++) {
		load[i] = (struct load){ .peer = &peer };
		cr_assert_eq(
		    pthread_create(&thread[i], NULL, make_load, &load[i]), 0);
	}
	clock_sleep_ms(200);
	cr_expect(server_stop(peer.server, 10000));
	for (int i = 0; i < CLIENTS; i++) {
		(void)pthread_join(thread[i], NULL);
		cr_expect_eq(load[i].n_bad, 0, "client %d: %u lost", i,
			     load[i].n_bad);
		n_good += load[i].n_good;
	}
	cr_expect_gt(n_good, 10);
	(void)close(idle);
	peer_end(&peer);
}

/* --- a full queue --- */

#define INFER(length)                               \
	"POST /v2/models/linear/infer HTTP/1.1\r\n" \
	"Host: x\r\nContent-Length: " length "\r\n\r\n"
#define ROW                                                          \
	"{\"inputs\":[{\"name\":\"x\",\"shape\":[1,4],\"datatype\":" \
	"\"FP32\",\"data\":[1,2,3,4]}]}"

/* A model whose only place in the queue is taken, by whoever asked at *ret_fd,
 * until a window of ten seconds closes. */
static void fill_queue(struct peer *peer, int *ret_fd)
{
	peer_load_linear(peer,
			 "max_queue_delay_us: 10000000\nmax_queue_size: 1\n");
	*ret_fd = peer_dial(peer);
	peer_say(*ret_fd, INFER("74") ROW);
	clock_sleep_ms(100);
}

Test(http_raw, refuses_before_the_body_where_the_queue_is_full)
{
	static const char *const requests[] = {
		INFER("900000"), /* nothing of the body is there */
		INFER("74") ROW, /* read past: the connection goes on */
		INFER("20") "{\"is not looked at\"}",
		/* the only model there is */
		"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: "
		"900000\r\n\r\n",
	};
	struct peer peer;
	int waiting;

	peer_begin(&peer, peer_usual);
	fill_queue(&peer, &waiting);
	for (size_t i = 0; i < sizeof(requests) / sizeof(*requests); i++) {
		const int64_t start = clock_monotonic_ns();
		char answer[PEER_ANSWER] = "";
		int fd = peer_dial(&peer);
		bool closed;

		peer_say(fd, requests[i]);
		closed = peer_hear(fd, answer, 300);
		cr_assert_eq(peer_status(answer), 503, "%zu: %s", i, answer);
		cr_assert_not_null(strstr(answer, "1 requests wait already"));
		cr_assert_not_null(strstr(answer, "\r\nRetry-After: "));
		cr_assert_eq(closed, i == 0 || i == 3, "%zu", i);
		cr_assert_lt(clock_monotonic_ns() - start, 2000000000);
		(void)close(fd);
	}
	(void)close(waiting);
	peer_end(&peer);
}

Test(http_raw, who_writes_all_before_it_reads_sees_the_answer)
{
	enum { BODY = 24 << 20 }; /* far beyond what sockets hold */
	static char body[1 << 16];
	char answer[PEER_ANSWER] = "", head[128];
	struct peer peer;
	size_t n = 0;
	int fd;

	peer_begin(&peer, peer_usual);
	fd = peer_dial(&peer);
	(void)snprintf(head, sizeof(head), INDEX "Content-Length: %d\r\n\r\n",
		       BODY);
	peer_say(fd, head);
	clock_sleep_ms(100); /* by now it is refused */
	while (n < BODY) {
		const ssize_t sent = send(fd, body, sizeof(body), MSG_NOSIGNAL);

		cr_assert_gt(sent, 0, "%zu bytes were taken", n);
		n += (size_t)sent;
	}
	cr_assert(peer_hear(fd, answer, PEER_WAIT_MS));
	cr_assert_eq(peer_status(answer), 413, "%s", answer);
	(void)close(fd);
	peer_end(&peer);
}

static long count_waiting(const struct peer *peer)
{
	return peer_batcher(peer, "\"waiting\":");
}

Test(http_raw, who_goes_away_leaves_the_queue)
{
	char answer[PEER_ANSWER] = "";
	int waiting, fd;
	struct peer peer;

	peer_begin(&peer, peer_usual);
	fill_queue(&peer, &waiting);
	cr_assert_eq(count_waiting(&peer), 1);
	(void)close(waiting);
	/* the window is ten seconds */
	for (int i = 0; i < 20 && count_waiting(&peer); i++)
		clock_sleep_ms(100);
	cr_assert_eq(count_waiting(&peer), 0);
	fd = peer_dial(&peer);
	peer_say(
	    fd,
	    "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
	cr_assert(peer_hear(fd, answer, PEER_WAIT_MS));
	cr_assert_not_null(strstr(answer, "predictd_http_requests_total{route="
					  "\"/v2/models/{model}/infer\",method="
					  "\"POST\",code=\"499\"} 1\n"),
			   "%s", answer);
	(void)close(fd);
	peer_end(&peer);
}
