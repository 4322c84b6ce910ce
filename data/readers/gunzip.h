/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Gunzip: a whole gzip text in memory, bounded (RFC 1952, through zlib), and
 * files that may be one.
 *
 * Ownership: the result is the caller's (mem_free). Threads: pure.
 * Limits:    ERR_TOO_LARGE beyond max bytes of output.
 */
#ifndef DATA_READERS_GUNZIP_H
#define DATA_READERS_GUNZIP_H

#include <stddef.h>

#include "base/err.h"

struct gunzip_source {
	const void *bytes;
	size_t len, max;
	const char *name; /**< for messages */
};

MUST_USE enum err_code gunzip(const struct gunzip_source *source,
			      char **ret_data, size_t *ret_len,
			      struct err *err);
/** All of an open file, which is closed; one whose name ends with .gz is
 * unpacked. max: bytes, packed and not. */
MUST_USE enum err_code gunzip_read(int fd, const char *name, size_t max,
				   char **ret_data, size_t *ret_len,
				   struct err *err);

#endif
