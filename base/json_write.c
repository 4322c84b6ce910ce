/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json_write.h"

#include <math.h>
#include <string.h>

#include "base/doc.h"
#include "base/json_write_priv.h"
#include "base/str.h"

enum { LEVELS = 64, SHORT = 64 };

void json_write_init(struct json_writer *writer, struct buf *buf)
{
	*writer = (struct json_writer){ .buf = buf };
}

/* What an escape costs: 0 for bytes that stand for themselves. */
static bool is_plain(unsigned char c)
{
	return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

static void put_escape(struct buf *buf, unsigned char c)
{
	static const char names[] = "\"\"\\\\\bb\ff\nn\rr\tt";

	for (const char *name = names; *name; name += 2)
		if ((unsigned char)*name == c) {
			const char escape[2] = { '\\', name[1] };

			buf_put(buf, escape, sizeof(escape));
			return;
		}
	buf_printf(buf, "\\u%04x", (unsigned)c);
}

/* What most strings are: short, and nothing to escape in them. */
static bool put_short(struct buf *buf, const char *bytes, size_t len)
{
	char *to = len <= SHORT ? buf_reserve(buf, len + 2) : NULL;

	if (!to)
		return false;
	to[0] = '"';
	for (size_t i = 0; i < len; i++) {
		if (!is_plain((unsigned char)bytes[i]))
			return false;
		to[i + 1] = bytes[i];
	}
	to[len + 1] = '"';
	buf_advance(buf, len + 2);
	return true;
}

/* Runs of plain bytes are copied whole; what is no UTF-8 becomes U+FFFD. */
static void put_string(struct buf *buf, const char *bytes, size_t len)
{
	size_t at = 0;

	if (put_short(buf, bytes, len))
		return;
	buf_putc(buf, '"');
	while (at < len) {
		const size_t start = at;
		size_t n;

		while (at < len && is_plain((unsigned char)bytes[at]))
			at++;
		buf_put(buf, bytes + start, at - start);
		if (at == len)
			break;
		n = str_utf8_char(bytes + at, len - at);
		if (n > 1)
			buf_put(buf, bytes + at, n);
		else if (n == 1)
			put_escape(buf, (unsigned char)bytes[at]);
		else
			buf_puts(buf, "\xef\xbf\xbd");
		at += n ? n : 1;
	}
	buf_putc(buf, '"');
}

/* The comma and the key that a value needs before it. */
static void begin(struct json_writer *writer, const char *key)
{
	const uint64_t bit = UINT64_C(1) << (writer->depth % LEVELS);

	if (writer->has_item & bit)
		buf_putc(writer->buf, ',');
	writer->has_item |= bit;
	if (key) {
		put_string(writer->buf, key, strlen(key));
		buf_putc(writer->buf, ':');
	}
}

static void open_level(struct json_writer *writer, const char *key, char c)
{
	begin(writer, key);
	buf_putc(writer->buf, c);
	writer->depth++;
	if (writer->depth >= LEVELS) {
		/* nothing after this would be well formed */
		if (!writer->buf->fault)
			writer->buf->fault = ERR_TOO_LARGE;
		return;
	}
	writer->has_item &= ~(UINT64_C(1) << writer->depth);
}

static void close_level(struct json_writer *writer, char c)
{
	if (writer->depth)
		writer->depth--;
	buf_putc(writer->buf, c);
}

void json_write_object(struct json_writer *writer, const char *key)
{
	open_level(writer, key, '{');
}

void json_write_object_end(struct json_writer *writer)
{
	close_level(writer, '}');
}

void json_write_array(struct json_writer *writer, const char *key)
{
	open_level(writer, key, '[');
}

void json_write_array_end(struct json_writer *writer)
{
	close_level(writer, ']');
}

void json_write_string(struct json_writer *writer, const char *key,
		       const char *text)
{
	if (text)
		json_write_strn(writer, key, text, strlen(text));
	else
		json_write_null(writer, key);
}

void json_write_strn(struct json_writer *writer, const char *key,
		     const char *bytes, size_t len)
{
	begin(writer, key);
	put_string(writer->buf, bytes, len);
}

void json_write_int(struct json_writer *writer, const char *key, int64_t value)
{
	const uint64_t size = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
	char *to;

	begin(writer, key);
	to = buf_reserve(writer->buf, JSON_NUMBER_MAX + 1);
	if (!to)
		return;
	*to = '-';
	buf_advance(writer->buf,
		    (value < 0) + str_put_uint64(size, to + (value < 0)));
}

void json_write_uint(struct json_writer *writer, const char *key,
		     uint64_t value)
{
	char text[JSON_NUMBER_MAX];

	begin(writer, key);
	buf_put(writer->buf, text, str_put_uint64(value, text));
}

void json_write_double(struct json_writer *writer, const char *key,
		       double value)
{
	char text[JSON_NUMBER_MAX];

	if (!isfinite(value)) {
		json_write_null(writer, key);
		return;
	}
	begin(writer, key);
	buf_put(writer->buf, text, json_number_double(value, text));
}

void json_write_float(struct json_writer *writer, const char *key, float value)
{
	char text[JSON_NUMBER_MAX];

	if (!isfinite(value)) {
		json_write_null(writer, key);
		return;
	}
	begin(writer, key);
	buf_put(writer->buf, text, json_number_float(value, text));
}

void json_write_bool(struct json_writer *writer, const char *key, bool value)
{
	begin(writer, key);
	buf_puts(writer->buf, value ? "true" : "false");
}

void json_write_null(struct json_writer *writer, const char *key)
{
	begin(writer, key);
	buf_puts(writer->buf, "null");
}

static void write_scalar(struct json_writer *writer, const char *key,
			 const struct doc *doc)
{
	switch (doc->kind) {
	case DOC_BOOL:
		json_write_bool(writer, key, doc->boolean);
		break;
	case DOC_INT:
		json_write_int(writer, key, doc->integer);
		break;
	case DOC_DOUBLE:
		json_write_double(writer, key, doc->number);
		break;
	case DOC_STRING:
		json_write_string(writer, key, doc->text);
		break;
	default:
		json_write_null(writer, key);
		break;
	}
}

static void open_doc(struct json_writer *writer, const char *key,
		     const struct doc *doc)
{
	if (doc->kind == DOC_MAP)
		json_write_object(writer, key);
	else
		json_write_array(writer, key);
}

static void close_doc(struct json_writer *writer, const struct doc *doc)
{
	if (doc->kind == DOC_MAP)
		json_write_object_end(writer);
	else
		json_write_array_end(writer);
}

static bool is_branch(const struct doc *doc)
{
	return doc->kind == DOC_MAP || doc->kind == DOC_LIST;
}

void json_write_doc(struct json_writer *writer, const char *key,
		    const struct doc *doc)
{
	const struct doc *open[LEVELS], *at;
	size_t depth = 0;

	if (!doc || !is_branch(doc)) {
		if (doc)
			write_scalar(writer, key, doc);
		else
			json_write_null(writer, key);
		return;
	}
	open_doc(writer, key, doc);
	open[depth++] = doc;
	at = doc->first;
	while (depth) {
		if (!at) {
			const struct doc *done = open[--depth];

			close_doc(writer, done);
			at = done->next;
		} else if (!is_branch(at)) {
			write_scalar(writer, at->key, at);
			at = at->next;
		} else if (depth == LEVELS) {
			writer->buf->fault = ERR_TOO_LARGE;
			return;
		} else {
			open_doc(writer, at->key, at);
			open[depth++] = at;
			at = at->first;
		}
	}
}

void json_write_raw(struct json_writer *writer, const char *key,
		    const char *json, size_t len)
{
	begin(writer, key);
	buf_put(writer->buf, json, len);
}
