/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Response: reads one HTTP/1.1 answer (RFC 9112) as its bytes come.
 *
 * Bodies by length, in chunks or to the end of the connection; interim (1xx)
 * answers are passed over. What could be read in two ways is refused: a length
 * beside chunks, two lengths, folded or nameless headers.
 *
 * Ownership: init/finish; body bytes are lent to the sink for its call.
 * Threads:   one at a time.
 * Limits:    lines of 16 KiB, 128 headers or trailers.
 */
#ifndef CLI_RESPONSE_H
#define CLI_RESPONSE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

enum { RESPONSE_LINE_MAX = 16 << 10, RESPONSE_HEADERS_MAX = 128 };

/** Takes a piece of the body; an error ends the reading. */
struct response_sink {
	enum err_code (*take)(void *ctx, const char *bytes, size_t len,
			      struct err *err);
	void *ctx;
};

enum response_state {
	RESPONSE_STATUS,
	RESPONSE_HEADERS,
	RESPONSE_LENGTH, /**< a body of `left` bytes */
	RESPONSE_CLOSE,	 /**< a body to the end of the connection */
	RESPONSE_CHUNK_SIZE,
	RESPONSE_CHUNK,
	RESPONSE_CHUNK_END,
	RESPONSE_TRAILERS,
	RESPONSE_DONE,
};

struct response {
	struct response_sink sink;
	enum response_state state;
	struct buf line;
	int status; /**< 200; of the final answer once headers are over */
	char content_type[128];
	bool has_length, is_chunked;
	uint64_t length, left;
	unsigned n_headers;
};

void response_init(struct response *response, struct response_sink sink);
void response_finish(struct response *response);
/** Bytes after the end of the answer are ignored. */
MUST_USE enum err_code response_feed(struct response *response,
				     const char *bytes, size_t len,
				     struct err *err);
/** The connection has ended: ERR_IO when the answer had not. */
MUST_USE enum err_code response_end(struct response *response, struct err *err);
bool response_is_done(const struct response *response);
/** Headers are over: status and content_type hold. */
bool response_has_head(const struct response *response);

#endif
