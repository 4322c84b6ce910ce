/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * HTTP guard: the framing rules that libmicrohttpd 0.9.75 does not enforce.
 *
 * Where a proxy and a server disagree about where a request ends, one client's
 * bytes become another's request. So whatever could be read in two ways is
 * refused before the body: Content-Length with Transfer-Encoding, either of
 * them twice, any coding but "chunked", white space in a header's name, control
 * characters in its value, several Host headers.
 *
 * Threads: pure functions.
 */
#ifndef SERVER_HTTP_GUARD_H
#define SERVER_HTTP_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <strings.h>

#include "base/err.h"

struct http_pair {
	const char *name, *value; /**< value may be NULL */
};

/** What the head of a request says about its body. */
struct http_framing {
	bool has_length; /**< Content-Length was given */
	uint64_t length;
	bool is_chunked;
};

/** Whether a header has that name; in any case. Most have not, by their first
 * letters. */
static inline bool http_is_named(const struct http_pair *header,
				 const char *name)
{
	return ((*header->name ^ *name) & ~0x20) == 0 &&
	       strcasecmp(header->name, name) == 0;
}

MUST_USE enum err_code http_guard(const struct http_pair *headers, size_t n,
				  struct http_framing *ret_framing,
				  struct err *err);

#endif
