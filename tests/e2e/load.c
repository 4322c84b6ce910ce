/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Asks one thing of an HTTP server again and again over kept connections, one
 * thread each, and counts the answers that are not 200.
 *
 *   load PORT PATH BODY-FILE REQUESTS CONNECTIONS [between]
 *   load PORT PATH BODY-FILE REQUESTS CONNECTIONS overload [RATE]
 *
 * REQUESTS may be a time, "5s". Prints "N answered, N failed, p50 N us, p99 N
 * us"; the status is 0 only where none failed. `between`: connections that are
 * refused are tried again, as a server that is started anew has none for a
 * moment; what is cut off fails. `overload`: 503 is an answer of its own; RATE
 * requests a second are sent, late ones at once. Loopback only; ends by itself.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/thread.h"

enum {
	CONNECTIONS_MAX = 64,
	BODY_MAX = 1 << 20,
	ANSWER_MAX = 1 << 17,
	SAMPLES_MAX = 1 << 18 /* of a connection, where the time is given */
};

enum verdict { GOOD, REFUSED, FAILED };

/* Times of one kind of answer. */
struct samples {
	double *us;
	size_t n, cap;
};

struct load {
	struct sockaddr_in to;
	const char *request;
	size_t len;
	size_t n; /* of each connection, if until_us is 0 */
	double until_us;
	double gap_us; /* between requests of a connection; 0: at once */
	bool between, overload;
	pthread_t thread;
	struct samples good, refused;
	size_t n_failed;
};

static double now_us(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int dial(const struct load *load)
{
	const struct timeval patience = { .tv_sec = 30 };
	const int yes = 1;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience,
			 sizeof(patience));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
	if (connect(fd, (const struct sockaddr *)&load->to, sizeof(load->to))) {
		(void)close(fd);
		return -1;
	}
	return fd;
}

/* Bytes of the whole answer in text, 0 while some are missing. */
static size_t whole_answer(const char *text, size_t len)
{
	const char *end = memmem(text, len, "\r\n\r\n", 4);
	const char *at = text;

	if (!end)
		return 0;
	while (at < end && strncasecmp(at, "content-length:", 15) != 0) {
		at = memmem(at, (size_t)(end - at), "\r\n", 2);
		if (!at)
			return 0;
		at += 2;
	}
	return (size_t)(end - text) + 4 + strtoul(at + 15, NULL, 10);
}

static bool has_close(const char *text)
{
	return strstr(text, "onnection: close") != NULL ||
	       strstr(text, "onnection: Close") != NULL;
}

/* Closes *fd when the server says so or the connection is of no use. */
static enum verdict ask(const struct load *load, int *fd)
{
	char answer[ANSWER_MAX + 1];
	size_t len = 0, want = 0;
	bool must_close;

	if (send(*fd, load->request, load->len, MSG_NOSIGNAL) !=
	    (ssize_t)load->len)
		goto cut;
	while (!want || len < want) {
		ssize_t n = recv(*fd, answer + len, ANSWER_MAX - len, 0);

		if (n <= 0)
			goto cut;
		len += (size_t)n;
		want = whole_answer(answer, len);
		if (want > ANSWER_MAX)
			goto cut;
	}
	answer[len] = '\0';
	must_close = has_close(answer);
	if (must_close) {
		(void)close(*fd);
		*fd = -1;
	}
	if (memcmp(answer, "HTTP/1.1 200", 12) == 0)
		return GOOD;
	return memcmp(answer, "HTTP/1.1 503", 12) == 0 ? REFUSED : FAILED;
cut:
	(void)close(*fd);
	*fd = -1;
	return FAILED;
}

static void take_sample(struct samples *samples, double us)
{
	if (samples->n < samples->cap)
		samples->us[samples->n++] = us;
}

/* A connection, if need be again and again; -1: none to be had. */
static int connect_again(const struct load *load)
{
	int fd = dial(load);

	while (fd < 0 && load->between && now_us() < load->until_us) {
		(void)usleep(1000);
		fd = dial(load);
	}
	return fd;
}

static void wait_until(double us)
{
	const double now = now_us();

	if (us > now)
		(void)usleep((useconds_t)(us - now));
}

static bool is_over(const struct load *load, size_t i)
{
	return load->until_us ? now_us() >= load->until_us : i == load->n;
}

static void *run(void *arg)
{
	struct load *load = arg;
	double next = now_us();
	int fd = -1;

	/* on a machine of its own it would not wait for the server's work */
	(void)thread_take_short_turns();
	for (size_t i = 0; !is_over(load, i); i++) {
		enum verdict verdict = FAILED;
		double start;

		wait_until(load->gap_us ? next : 0);
		next += load->gap_us;
		if (fd < 0)
			fd = connect_again(load);
		if (fd < 0 && load->between)
			break; /* the time was up before there was one */
		start = now_us();
		if (fd >= 0)
			verdict = ask(load, &fd);
		if (verdict == GOOD)
			take_sample(&load->good, now_us() - start);
		else if (verdict == REFUSED && load->overload)
			take_sample(&load->refused, now_us() - start);
		else
			load->n_failed++;
	}
	if (fd >= 0)
		(void)close(fd);
	return NULL;
}

static int by_time(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static char *make_request(const char *path, const char *file, size_t *ret_len)
{
	FILE *in = fopen(file, "rbe");
	char *text = mem_alloc(BODY_MAX + 512), *body = mem_alloc(BODY_MAX);
	size_t n;
	int head;

	if (!in || !text || !body)
		return NULL;
	n = fread(body, 1, BODY_MAX, in);
	(void)fclose(in);
	head = snprintf(text, 512,
			"POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\n"
			"Content-Type: application/json\r\n"
			"Content-Length: %zu\r\n\r\n",
			path, n);
	memcpy(text + head, body, n);
	*ret_len = (size_t)head + n;
	mem_free(body);
	return text;
}

/* What comes behind the connections. */
static bool read_mode(struct load *load, int argc, char **argv,
		      size_t n_connections)
{
	if (argc == 6)
		return true;
	load->between = strcmp(argv[6], "between") == 0;
	load->overload = strcmp(argv[6], "overload") == 0;
	if (argc == 8)
		load->gap_us =
		    (double)n_connections * 1e6 / strtod(argv[7], NULL);
	return load->between || load->overload;
}

static bool make_samples(struct load *load)
{
	const size_t cap = load->until_us ? SAMPLES_MAX : load->n;

	load->good.cap = load->refused.cap = cap;
	load->good.us = mem_array(cap + 1, sizeof(double));
	load->refused.us = mem_array(cap + 1, sizeof(double));
	return load->good.us && load->refused.us;
}

static bool begin(struct load *load, const struct load *like)
{
	*load = *like;
	return make_samples(load) &&
	       pthread_create(&load->thread, NULL, run, load) == 0;
}

/* All of one kind, sorted; frees the parts. */
static struct samples join(struct load *load, size_t n, bool refused)
{
	struct samples all = { 0 };

	for (size_t i = 0; i < n; i++)
		all.cap += refused ? load[i].refused.n : load[i].good.n;
	all.us = mem_array(all.cap + 1, sizeof(double));
	for (size_t i = 0; i < n; i++) {
		struct samples *part =
		    refused ? &load[i].refused : &load[i].good;

		for (size_t k = 0; all.us && k < part->n; k++)
			take_sample(&all, part->us[k]);
		mem_free(part->us);
	}
	if (all.us)
		qsort(all.us, all.n, sizeof(double), by_time);
	return all;
}

static void report(struct load *load, size_t n, double seconds, size_t failed)
{
	struct samples good = join(load, n, false);
	struct samples refused = join(load, n, true);

	if (!load->overload)
		(void)printf("%zu answered, %zu failed, p50 %.0f us, p99 %.0f "
			     "us\n",
			     good.n, failed, good.us[good.n / 2],
			     good.us[good.n * 99 / 100]);
	else
		(void)printf("%zu failed, %.1f good a second, %.1f refused a "
			     "second, %.0f us p99 of good, %.0f us p99 of "
			     "refusals\n",
			     failed, (double)good.n / seconds,
			     (double)refused.n / seconds,
			     good.us[good.n * 99 / 100],
			     refused.us[refused.n * 99 / 100]);
	mem_free(good.us);
	mem_free(refused.us);
}

int main(int argc, char **argv)
{
	struct load load[CONNECTIONS_MAX], like = { 0 };
	size_t n, n_failed = 0;
	const double start = now_us();
	char *request, *unit;
	double amount;

	if (argc < 6 || argc > 8)
		return 2;
	n = strtoul(argv[5], NULL, 10);
	amount = strtod(argv[4], &unit);
	if (n < 1 || n > CONNECTIONS_MAX || !read_mode(&like, argc, argv, n))
		return 2;
	if (*unit == 's')
		like.until_us = start + amount * 1e6;
	like.n = (size_t)amount / n;
	like.to = (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)strtoul(argv[1], NULL, 10)),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	request = make_request(argv[2], argv[3], &like.len);
	like.request = request;
	for (size_t i = 0; i < n; i++)
		if (!request || !begin(&load[i], &like))
			return 2;
	for (size_t i = 0; i < n; i++) {
		(void)pthread_join(load[i].thread, NULL);
		n_failed += load[i].n_failed;
	}
	report(load, n, (now_us() - start) / 1e6, n_failed);
	mem_free(request);
	return n_failed > 0;
}
