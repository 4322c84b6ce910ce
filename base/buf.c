/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

enum { FIRST_CAP = 256 };

void buf_init(struct buf *buf, size_t max)
{
	/* one byte is the NUL's */
	*buf = (struct buf){ .max = max < SIZE_MAX ? max : SIZE_MAX - 1 };
}

void buf_finish(struct buf *buf)
{
	mem_free(buf->data);
	*buf = (struct buf){ .max = buf->max };
}

void buf_reset(struct buf *buf)
{
	buf->len = 0;
	buf->fault = ERR_NONE;
	if (buf->data)
		buf->data[0] = '\0';
}

static char *grow(struct buf *buf, size_t need)
{
	size_t cap = buf->cap ? buf->cap : FIRST_CAP;
	char *data;

	while (cap < need)
		cap = cap > buf->max / 2 ? buf->max + 1 : cap * 2;
	if (cap > buf->max)
		cap = buf->max + 1;
	data = mem_resize(buf->data, cap, 1);
	if (!data) {
		buf->fault = ERR_NO_MEMORY;
		return NULL;
	}
	buf->data = data;
	buf->cap = cap;
	return data + buf->len;
}

char *buf_reserve(struct buf *buf, size_t len)
{
	if (buf->fault)
		return NULL;
	if (len > buf->max - buf->len) {
		buf->fault = ERR_TOO_LARGE;
		return NULL;
	}
	if (buf->len + len < buf->cap)
		return buf->data + buf->len;
	return grow(buf, buf->len + len + 1);
}

void buf_advance(struct buf *buf, size_t len)
{
	buf->len += len;
	buf->data[buf->len] = '\0';
}

void buf_put(struct buf *buf, const void *bytes, size_t len)
{
	char *to = buf_reserve(buf, len);

	if (!to)
		return;
	if (len)
		memcpy(to, bytes, len);
	buf_advance(buf, len);
}

void buf_puts(struct buf *buf, const char *text)
{
	buf_put(buf, text, strlen(text));
}

void buf_printf(struct buf *buf, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	buf_vprintf(buf, format, args);
	va_end(args);
}

void buf_vprintf(struct buf *buf, const char *format, va_list args)
{
	va_list again;
	char *to;
	int len;

	va_copy(again, args);
	len = vsnprintf(NULL, 0, format, again);
	va_end(again);
	if (len < 0) {
		buf->fault = buf->fault ? buf->fault : ERR_NO_MEMORY;
		return;
	}
	to = buf_reserve(buf, (size_t)len);
	if (!to)
		return;
	(void)vsnprintf(to, (size_t)len + 1, format, args);
	buf_advance(buf, (size_t)len);
}

enum err_code buf_check(const struct buf *buf, const char *what,
			struct err *err)
{
	if (buf->fault == ERR_TOO_LARGE)
		return err_set(err, ERR_TOO_LARGE,
			       "%s: larger than the %zu bytes allowed", what,
			       buf->max);
	if (buf->fault)
		return err_set(err, buf->fault, "%s: out of memory", what);
	return ERR_NONE;
}

char *buf_take(struct buf *buf)
{
	char *data = buf->data;

	buf->data = NULL;
	buf_finish(buf);
	return data ? data : mem_strdup("");
}
