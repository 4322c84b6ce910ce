/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * URL: where the server is, and names as segments of a path.
 *
 * Plain http only: "http://HOST[:PORT][/PREFIX]", HOST a name, an IPv4 address
 * or an IPv6 address in brackets.
 *
 * Threads: pure functions.
 * Limits:  hosts of 253 bytes, prefixes of 255.
 */
#ifndef CLI_URL_H
#define CLI_URL_H

#include <stdbool.h>

#include "base/buf.h"

enum { URL_HOST_MAX = 254, URL_PREFIX_MAX = 256, URL_PORT_MAX = 6 };

struct url {
	char host[URL_HOST_MAX];     /**< without brackets */
	char port[URL_PORT_MAX];     /**< "8080"; 80 where the text has none */
	char prefix[URL_PREFIX_MAX]; /**< "" or "/a/b", no '/' at its end */
	bool is_ipv6;
};

MUST_USE enum err_code url_parse(const char *text, struct url *ret_url,
				 struct err *err);
/** Appends "/" and the name, percent-encoded (RFC 3986's unreserved bytes
 * stay). */
void url_add_segment(struct buf *buf, const char *name);

#endif
