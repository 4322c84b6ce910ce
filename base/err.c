/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"

static const struct {
	int http;
	const char *wire;
} rows[ERR_COUNT] = {
#define ERR_ROW(code, http, wire) [ERR_##code] = { http, wire },
	ERR_LIST(ERR_ROW)
#undef ERR_ROW
};

static bool is_known(enum err_code code)
{
	return (unsigned)code < ERR_COUNT;
}

int err_http(enum err_code code)
{
	return rows[is_known(code) ? code : ERR_INTERNAL].http;
}

const char *err_wire(enum err_code code)
{
	return rows[is_known(code) ? code : ERR_INTERNAL].wire;
}

/* The full text had `len` bytes; what lies in msg may be its beginning. */
static void mark_cut(char msg[ERR_MSG_MAX], int len)
{
	static const char dots[] = "...";
	size_t end;

	if (len < ERR_MSG_MAX)
		return;
	end = str_utf8_cut(msg, ERR_MSG_MAX - 1, ERR_MSG_MAX - sizeof(dots));
	memcpy(msg + end, dots, sizeof(dots));
}

void err_set_at(struct err *err, enum err_code code, const char *file, int line,
		const char *format, ...)
{
	char msg[ERR_MSG_MAX]; /* an argument may be err->msg itself */
	va_list args;
	int len;

	if (!err)
		return;
	va_start(args, format);
	len = vsnprintf(msg, sizeof(msg), format, args);
	va_end(args);
	if (len < 0)
		(void)str_copy(msg, sizeof(msg), format);
	mark_cut(msg, len);
	err->code = code;
	err->file = file;
	err->line = line;
	memcpy(err->msg, msg, strlen(msg) + 1);
}

enum err_code err_prefix(struct err *err, const char *format, ...)
{
	char prefix[ERR_MSG_MAX];
	char msg[ERR_MSG_MAX];
	va_list args;
	int len;

	if (!err)
		return ERR_INTERNAL;
	va_start(args, format);
	len = vsnprintf(prefix, sizeof(prefix), format, args);
	va_end(args);
	if (len < 0)
		return err->code;
	len = snprintf(msg, sizeof(msg), "%s: %s", prefix, err->msg);
	if (len < 0)
		return err->code;
	mark_cut(msg, len);
	memcpy(err->msg, msg, strlen(msg) + 1);
	return err->code;
}
