/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * URL: the path of a request in decoded segments, and its query.
 *
 * The path is split at '/' before anything is decoded, so %2F stays inside its
 * segment; each segment is decoded once. %00, broken escapes and what is not
 * UTF-8 are refused. An empty last segment ("/v2/") is dropped.
 *
 * Ownership: segments live in the arena. Threads: plain data.
 * Limits:    16 segments.
 */
#ifndef SERVER_URL_H
#define SERVER_URL_H

#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"

enum { URL_SEGMENTS_MAX = 16 };

struct url {
	unsigned n;
	const char *segment[URL_SEGMENTS_MAX];
};

/** `path` begins with '/' and has no query. */
MUST_USE enum err_code url_parse(const char *path, struct arena *arena,
				 struct url *ret_url, struct err *err);
/** Percent-decodes one text; `what` names it in messages. */
MUST_USE enum err_code url_decode(const char *text, size_t len,
				  const char *what, struct arena *arena,
				  const char **ret_text, struct err *err);

#endif
