/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Compress: gzip and deflate (the zlib format; taken without its head, too) of
 * whole bodies.
 *
 * Ownership: borrows the buffers. Threads: pure but for the buffers.
 * Limits:    an inflated body is bounded by its buffer and by COMPRESS_RATIO
 *            times what came in, checked before memory grows.
 */
#ifndef SERVER_COMPRESS_H
#define SERVER_COMPRESS_H

#include "base/buf.h"

enum { COMPRESS_RATIO = 100 };

enum coding { CODING_IDENTITY, CODING_GZIP, CODING_DEFLATE };

/** The coding a Content-Encoding names; NULL is identity. ERR_MEDIA_TYPE. */
MUST_USE enum err_code coding_of(const char *content_encoding,
				 enum coding *ret_coding, struct err *err);
/** The one that an Accept-Encoding weighs most, gzip before deflate; NULL is
 * identity. */
enum coding coding_accepted(const char *accept_encoding);
/** "gzip", "deflate" or "identity". */
const char *coding_name(enum coding coding);

/** Appends the whole body, inflated; ERR_TOO_LARGE beyond the limits,
 * ERR_INVALID when it is cut, corrupt or followed by something. */
MUST_USE enum err_code compress_inflate(enum coding coding, const void *data,
					size_t len, struct buf *buf,
					struct err *err);
/** Appends the body, deflated, at the level that costs least time. */
MUST_USE enum err_code compress_deflate(enum coding coding, const void *data,
					size_t len, struct buf *buf,
					struct err *err);

#endif
