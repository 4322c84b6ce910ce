/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * HTTP linger: sockets of requests that were answered before their body.
 *
 * A socket that is closed with bytes unread resets the connection, and a client
 * that writes its whole body before it reads fails at that and never sees the
 * answer. So such a socket outlives its connection: what still comes is thrown
 * away, until the client closes or five seconds have passed.
 *
 * Ownership: the sockets are duplicates. Threads: under the lock of the HTTP
 *            server.
 * Limits:    64 sockets; more are closed at once, as they were before.
 */
#ifndef SERVER_HTTP_LINGER_H
#define SERVER_HTTP_LINGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { HTTP_LINGER_MAX = 64 };

struct http_lingering {
	int fd;
	int64_t until_ns;
};

struct http_linger {
	size_t n;
	struct http_lingering one[HTTP_LINGER_MAX];
};

/** Keeps a duplicate of fd, with its own side closed; false: there is no room.
 */
bool http_linger_add(struct http_linger *linger, int fd);
/** Throws away what has come, and lets go those that are done by `now`; at
 * INT64_MAX all. */
void http_linger_pass(struct http_linger *linger, int64_t now);

#endif
