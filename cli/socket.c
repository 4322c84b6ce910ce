/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/socket.h"

#include <errno.h>
#include <limits.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/url.h"

static enum err_code not_ready(int fault, struct err *err)
{
	char text[128];

	return err_set(err, ERR_NOT_READY, "%s",
		       strerror_r(fault, text, sizeof(text)));
}

static enum err_code broken(const char *what, int fault, struct err *err)
{
	char text[128];

	return err_set(err, ERR_IO, "cannot %s: %s", what,
		       strerror_r(fault, text, sizeof(text)));
}

/* Until fd is ready for `events`. */
static enum err_code wait_for(int fd, short events,
			      const struct socket_wait *wait, struct err *err)
{
	int64_t deadline = clock_deadline_ns(wait->timeout_ms);

	for (;;) {
		struct pollfd set[] = { { fd, events, 0 },
					{ wait->wake_fd, POLLIN, 0 } };
		int64_t left = (deadline - clock_monotonic_ns()) / 1000000;
		int ms = left > INT_MAX ? INT_MAX : left < 0 ? 0 : (int)left;
		int n = poll(set, 2, ms); /* a negative descriptor is passed */

		if (n < 0 && errno != EINTR)
			return broken("wait", errno, err);
		if (n > 0 && set[1].revents)
			return err_set(err, ERR_CANCELLED, "interrupted");
		if (n > 0 && set[0].revents)
			return ERR_NONE;
		if (n == 0 && clock_monotonic_ns() >= deadline)
			return err_set(err, ERR_DEADLINE,
				       "no answer within %.3g s",
				       (double)wait->timeout_ms / 1e3);
	}
}

static enum err_code connect_to(const struct addrinfo *address,
				const struct socket_wait *wait, int *ret_fd,
				struct err *err)
{
	int fault = 0;
	socklen_t len = sizeof(fault);
	enum err_code rc = ERR_NONE;
	int fd = socket(address->ai_family,
			address->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC,
			address->ai_protocol);

	if (fd < 0)
		return not_ready(errno, err);
	if (connect(fd, address->ai_addr, address->ai_addrlen)) {
		fault = errno;
		if (fault == EINPROGRESS) {
			rc = wait_for(fd, POLLOUT, wait, err);
			if (!rc &&
			    getsockopt(fd, SOL_SOCKET, SO_ERROR, &fault, &len))
				fault = errno;
		}
	}
	if (!rc && fault)
		rc = not_ready(fault, err);
	if (rc) {
		(void)close(fd);
		return rc;
	}
	*ret_fd = fd;
	return ERR_NONE;
}

enum err_code socket_connect(const struct url *url,
			     const struct socket_wait *wait, int *ret_fd,
			     struct err *err)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct addrinfo *list = NULL;
	int fault = getaddrinfo(url->host, url->port, &hints, &list);
	enum err_code rc = ERR_NOT_READY;

	if (fault)
		return err_set(
		    err, ERR_NOT_READY, "'%s': %s", url->host,
		    gai_strerror(fault)); /* NOLINT: constant texts */
	for (struct addrinfo *a = list; a && rc && rc != ERR_CANCELLED;
	     a = a->ai_next)
		rc = connect_to(a, wait, ret_fd, err);
	freeaddrinfo(list);
	return rc;
}

enum err_code socket_send(int fd, const struct socket_wait *wait,
			  const void *bytes, size_t len, struct err *err)
{
	const char *at = bytes;

	while (len) {
		ssize_t n = send(fd, at, len, MSG_NOSIGNAL);
		enum err_code rc;

		if (n >= 0) {
			at += n;
			len -= (size_t)n;
			continue;
		}
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN && errno != EWOULDBLOCK)
			return broken("send", errno, err);
		rc = wait_for(fd, POLLOUT, wait, err);
		if (rc)
			return rc;
	}
	return ERR_NONE;
}

enum err_code socket_receive(int fd, const struct socket_wait *wait,
			     void *bytes, size_t cap, size_t *ret_len,
			     struct err *err)
{
	for (;;) {
		enum err_code rc = wait_for(fd, POLLIN, wait, err);
		ssize_t n;

		if (rc)
			return rc;
		n = recv(fd, bytes, cap, 0);
		if (n >= 0) {
			*ret_len = (size_t)n;
			return ERR_NONE;
		}
		if (errno != EINTR && errno != EAGAIN && errno != EWOULDBLOCK)
			return broken("receive", errno, err);
	}
}
