/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Wire: protobuf's wire format, read in place and written.
 *
 * A reader is a cursor over one message; wire_next() gives one field after the
 * other and the bytes of strings and nested messages stay where they are.
 * Refused: what is cut short, varints of more than 64 bits, field numbers that
 * do not exist, groups, and nesting beyond WIRE_MAX_DEPTH. There is no
 * recursion here; whoever descends does it through wire_enter().
 * Source: protobuf.dev, "Encoding".
 *
 * Ownership: fields point into the bytes that were handed in.
 * Threads:   plain data.
 */
#ifndef MODELS_WIRE_H
#define MODELS_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct buf;

enum { WIRE_MAX_DEPTH = 32 };

enum wire_kind {
	WIRE_VARINT = 0,
	WIRE_FIXED64 = 1,
	WIRE_BYTES = 2,
	WIRE_FIXED32 = 5
};

struct wire {
	const unsigned char *at, *end;
	const char *name; /**< of the file: begins every message */
	unsigned depth;
};

struct wire_field {
	uint32_t number; /**< 0: the message has ended */
	enum wire_kind kind;
	uint64_t value;		    /**< of a number, as its bits */
	const unsigned char *bytes; /**< WIRE_BYTES */
	size_t len;
};

void wire_init(struct wire *wire, const void *bytes, size_t len,
	       const char *name);
MUST_USE enum err_code wire_next(struct wire *wire, struct wire_field *ret,
				 struct err *err);
/** Refuses a field of another kind than it should have; `what` names it. */
MUST_USE enum err_code wire_expect(const struct wire *wire,
				   const struct wire_field *field,
				   enum wire_kind kind, const char *what,
				   struct err *err);
/** A cursor over the message in a field of `parent`. */
MUST_USE enum err_code wire_enter(const struct wire *parent,
				  const struct wire_field *field,
				  const char *what, struct wire *ret_child,
				  struct err *err);

/** The numbers of a repeated field, in order, packed or not. */
struct wire_numbers {
	struct wire message, packed;
	uint32_t number;
	enum wire_kind element;
};

void wire_numbers_init(struct wire_numbers *numbers, const struct wire *message,
		       uint32_t number, enum wire_kind element);
/** *ret_more false: that was all, and *ret_value is untouched. */
MUST_USE enum err_code wire_numbers_next(struct wire_numbers *numbers,
					 uint64_t *ret_value, bool *ret_more,
					 struct err *err);
MUST_USE enum err_code wire_numbers_count(const struct wire *message,
					  uint32_t number,
					  enum wire_kind element, size_t *ret_n,
					  struct err *err);

/* Writing: faults stick to the buffer. */
void wire_put_varint(struct buf *buf, uint32_t number, uint64_t value);
void wire_put_float(struct buf *buf, uint32_t number, float value);
void wire_put_bytes(struct buf *buf, uint32_t number, const void *bytes,
		    size_t len);
void wire_put_text(struct buf *buf, uint32_t number, const char *text);
/** A nested message: what is written until wire_end(position). */
MUST_USE size_t wire_begin(struct buf *buf, uint32_t number);
void wire_end(struct buf *buf, size_t position);

#endif
