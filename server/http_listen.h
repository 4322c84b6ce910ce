/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * The listening socket.
 *
 * Threads: any.
 */
#ifndef SERVER_HTTP_LISTEN_H
#define SERVER_HTTP_LISTEN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

/** *ret_fd is the caller's. */
MUST_USE enum err_code http_listen(const char *host, uint16_t port, int *ret_fd,
				   uint16_t *ret_port, struct err *err);
/** Whether an address is of this machine alone. */
bool http_is_loopback(const char *host);
/** From now on the kernel answers no new connections; those it has answered
 * can still be accepted. */
void http_listen_mute(int fd);

#endif
