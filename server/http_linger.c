/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http_linger.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"

enum { LINGER_MS = 5000, DISCARD_BYTES = 64 << 20 };

/* Takes what has come; true when the peer has closed, too. The kernel throws
 * the bytes away itself: nothing is copied (tcp(7), MSG_TRUNC). */
static bool discard(int fd)
{
	const ssize_t n =
	    recv(fd, NULL, DISCARD_BYTES, MSG_TRUNC | MSG_DONTWAIT);

	return n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
}

bool http_linger_add(struct http_linger *linger, int fd)
{
	struct http_lingering *one = &linger->one[linger->n];

	if (linger->n == HTTP_LINGER_MAX)
		return false;
	one->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (one->fd < 0)
		return false;
	(void)shutdown(one->fd, SHUT_WR);
	one->until_ns = clock_deadline_ns(LINGER_MS);
	linger->n++;
	return true;
}

void http_linger_pass(struct http_linger *linger, int64_t now)
{
	size_t n = 0;

	for (size_t i = 0; i < linger->n; i++) {
		const struct http_lingering one = linger->one[i];

		if (discard(one.fd) || now >= one.until_ns)
			(void)close(one.fd);
		else
			linger->one[n++] = one;
	}
	linger->n = n;
}
