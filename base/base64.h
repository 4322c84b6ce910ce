/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Base64 (RFC 4648, section 4), onto the end of a buffer.
 *
 * Decoding skips white space and refuses everything else outside the alphabet,
 * wrong padding and a cut text. The buffer's ceiling bounds the result.
 *
 * Ownership: borrows the buffer. Threads: pure but for the buffer.
 */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include <stddef.h>

#include "base/buf.h"

/** A fault of the buffer sticks there. */
void base64_encode(const void *bytes, size_t len, struct buf *to);
/** `name` begins the message. On failure the buffer is as it was. */
MUST_USE enum err_code base64_decode(const char *text, size_t len,
				     const char *name, struct buf *to,
				     struct err *err);

#endif
