/* SPDX-License-Identifier: Apache-2.0 */
#include "main/liveness.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

/* A wildcard address is reached through loopback. */
static bool connect_to(int fd, const char *host, uint16_t port)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_port = htons(port) };

	if (inet_pton(AF_INET, host, &to.sin_addr) != 1 ||
	    to.sin_addr.s_addr == htonl(INADDR_ANY))
		to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return connect(fd, (const struct sockaddr *)&to, sizeof(to)) == 0;
}

bool liveness_check(const char *host, uint16_t port)
{
	static const char request[] = "GET /v2/health/live HTTP/1.1\r\n"
				      "Host: localhost\r\n"
				      "Connection: close\r\n\r\n";
	static const char good[] = "HTTP/1.1 200";
	const struct timeval second = { .tv_sec = 1 };
	char answer[sizeof(good) - 1];
	bool is_live = false;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return false;
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &second, sizeof(second));
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &second, sizeof(second));
	if (connect_to(fd, host, port) &&
	    send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL) > 0 &&
	    recv(fd, answer, sizeof(answer), MSG_WAITALL) ==
		(ssize_t)sizeof(answer))
		is_live = memcmp(answer, good, sizeof(answer)) == 0;
	(void)close(fd);
	return is_live;
}
