/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Buffer: bytes that grow up to a ceiling stated at birth.
 *
 * Appending never returns an error: the first failure (ceiling or memory)
 * sticks, later appends do nothing, and buf_check() tells at the end. The
 * content is always followed by a NUL that is not counted.
 *
 * Ownership: init/finish; buf_take() hands the bytes to the caller (mem_free).
 * Threads:   one thread at a time.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdarg.h>
#include <stddef.h>

#include "base/err.h"

struct buf {
	char *data;	      /**< NULL until the first append */
	size_t len, cap, max; /**< bytes */
	enum err_code fault;  /**< ERR_NONE, ERR_TOO_LARGE or ERR_NO_MEMORY */
};

void buf_init(struct buf *buf, size_t max);
void buf_finish(struct buf *buf);
/** Empties, keeps memory, forgets the fault. */
void buf_reset(struct buf *buf);
void buf_put(struct buf *buf, const void *bytes, size_t len);
void buf_puts(struct buf *buf, const char *text);
static inline void buf_putc(struct buf *buf, char c)
{
	if (buf->fault || buf->len + 1 >= buf->cap) {
		buf_put(buf, &c, 1);
		return;
	}
	buf->data[buf->len++] = c;
	buf->data[buf->len] = '\0';
}
void buf_printf(struct buf *buf, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void buf_vprintf(struct buf *buf, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));
/** Room for len bytes at the end, or NULL; buf_advance() counts them in. */
char *buf_reserve(struct buf *buf, size_t len);
void buf_advance(struct buf *buf, size_t len);
/** The sticky fault, as an error that names what was written. */
MUST_USE enum err_code buf_check(const struct buf *buf, const char *what,
				 struct err *err);
/** The bytes ("" if none), now the caller's; the buffer is empty again. */
MUST_USE char *buf_take(struct buf *buf);

#endif
