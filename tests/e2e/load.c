/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Asks one thing of an HTTP server again and again over kept connections, one
 * thread each, and counts the answers that are not 200.
 *
 *   load PORT PATH BODY-FILE REQUESTS CONNECTIONS
 *
 * Prints "N answered, N failed, p50 N us, p99 N us"; the status is 0 only where
 * none failed. Loopback only; ends by itself.
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

enum { CONNECTIONS_MAX = 64, BODY_MAX = 1 << 20, ANSWER_MAX = 1 << 16 };

struct load {
	struct sockaddr_in to;
	const char *request;
	size_t len, n; /* n: of each connection */
	pthread_t thread;
	double *us;
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

static bool ask(const struct load *load, int fd)
{
	char answer[ANSWER_MAX];
	size_t len = 0, want = 0;

	if (send(fd, load->request, load->len, MSG_NOSIGNAL) !=
	    (ssize_t)load->len)
		return false;
	while (!want || len < want) {
		ssize_t n = recv(fd, answer + len, sizeof(answer) - len, 0);

		if (n <= 0)
			return false;
		len += (size_t)n;
		want = whole_answer(answer, len);
		if (want > sizeof(answer))
			return false;
	}
	return memcmp(answer, "HTTP/1.1 200", 12) == 0;
}

static void *run(void *arg)
{
	struct load *load = arg;
	int fd = dial(load);

	for (size_t i = 0; i < load->n; i++) {
		const double start = now_us();

		if (fd < 0 || !ask(load, fd)) {
			load->n_failed++;
			if (fd >= 0)
				(void)close(fd);
			fd = dial(load);
		}
		load->us[i] = now_us() - start;
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
	FILE *in = fopen(file, "rb");
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

int main(int argc, char **argv)
{
	struct load load[CONNECTIONS_MAX] = { 0 };
	size_t n, n_connections, len, n_failed = 0;
	char *request;
	double *us;

	if (argc != 6)
		return 2;
	n_connections = strtoul(argv[5], NULL, 10);
	if (n_connections < 1 || n_connections > CONNECTIONS_MAX)
		return 2;
	n = strtoul(argv[4], NULL, 10) / n_connections;
	request = make_request(argv[2], argv[3], &len);
	us = mem_array(n * n_connections + 1, sizeof(*us));
	if (!request || !us)
		return 2;
	for (size_t i = 0; i < n_connections; i++) {
		load[i] = (struct load){
			.to = { .sin_family = AF_INET,
				.sin_port =
				    htons((uint16_t)strtoul(argv[1], NULL, 10)),
				.sin_addr.s_addr = htonl(INADDR_LOOPBACK) },
			.request = request,
			.len = len,
			.n = n,
			.us = us + i * n,
		};
		if (pthread_create(&load[i].thread, NULL, run, &load[i]))
			return 2;
	}
	for (size_t i = 0; i < n_connections; i++) {
		(void)pthread_join(load[i].thread, NULL);
		n_failed += load[i].n_failed;
	}
	n *= n_connections;
	qsort(us, n, sizeof(*us), by_time);
	(void)printf("%zu answered, %zu failed, p50 %.0f us, p99 %.0f us\n",
		     n - n_failed, n_failed, us[n / 2], us[n * 99 / 100]);
	mem_free(us);
	mem_free(request);
	return n_failed > 0;
}
