/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * JSON writer: appends one JSON text to a buffer, piece by piece.
 *
 * Commas and quotes are the writer's business; nesting is the caller's. Inside
 * an object every value is preceded by json_write_key(), or use the short
 * forms that take a key (NULL inside an array). Numbers that JSON lacks (NaN,
 * infinities) are written as null. A fault of the buffer sticks there.
 *
 * Ownership: borrows the buffer. Threads: one at a time.
 * Limits:    64 levels.
 */
#ifndef BASE_JSON_WRITE_H
#define BASE_JSON_WRITE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

struct json_writer {
	struct buf *buf;
	unsigned depth;
	uint64_t has_item; /**< bit d: level d has an item already */
	bool has_key;	   /**< a key waits for its value */
};

struct doc;

void json_write_init(struct json_writer *writer, struct buf *buf);
void json_write_object(struct json_writer *writer, const char *key);
void json_write_object_end(struct json_writer *writer);
void json_write_array(struct json_writer *writer, const char *key);
void json_write_array_end(struct json_writer *writer);
void json_write_string(struct json_writer *writer, const char *key,
		       const char *text);
void json_write_strn(struct json_writer *writer, const char *key,
		     const char *bytes, size_t len);
void json_write_int(struct json_writer *writer, const char *key, int64_t value);
void json_write_uint(struct json_writer *writer, const char *key,
		     uint64_t value);
/** Shortest text that reads back to the same double. */
void json_write_double(struct json_writer *writer, const char *key,
		       double value);
/** Shortest text that reads back to the same float. */
void json_write_float(struct json_writer *writer, const char *key, float value);
void json_write_bool(struct json_writer *writer, const char *key, bool value);
void json_write_null(struct json_writer *writer, const char *key);
/** A document, in its own order. */
void json_write_doc(struct json_writer *writer, const char *key,
		    const struct doc *doc);
/** Text that is JSON already. */
void json_write_raw(struct json_writer *writer, const char *key,
		    const char *json, size_t len);

#endif
