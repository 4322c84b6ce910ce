/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Socket: a TCP connection whose every wait ends: at a deadline, or when a
 * second descriptor becomes readable.
 *
 * Ownership: the descriptor is the caller's to close.
 * Threads:   any, each on its own.
 */
#ifndef CLI_SOCKET_H
#define CLI_SOCKET_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct url;

struct socket_wait {
	int64_t timeout_ms; /**< of one wait */
	int wake_fd;	    /**< readable: ERR_CANCELLED; -1: none */
};

/** Tries every address of the host. ERR_NOT_READY names the last failure. */
MUST_USE enum err_code socket_connect(const struct url *url,
				      const struct socket_wait *wait,
				      int *ret_fd, struct err *err);
/** ERR_IO when the peer takes no more. */
MUST_USE enum err_code socket_send(int fd, const struct socket_wait *wait,
				   const void *bytes, size_t len,
				   struct err *err);
/** *ret_len 0: the peer has ended. */
MUST_USE enum err_code socket_receive(int fd, const struct socket_wait *wait,
				      void *bytes, size_t cap, size_t *ret_len,
				      struct err *err);

#endif
