/* SPDX-License-Identifier: Apache-2.0 */
#include "server/json_text.h"

#include "base/base64.h"
#include "base/str.h"

enum { EXCERPT_MAX = 20 };

bool json_text_word(const char *at, const char *end, const char *word)
{
	const size_t n = strlen(word);

	return (size_t)(end - at) >= n && memcmp(at, word, n) == 0;
}

/* To the closing quote or a control character; *ret_escapes counts the
 * backslashes on the way. */
static const char *string_end(const char *at, const char *end,
			      size_t *ret_escapes)
{
	size_t n = 0;

	while (at < end && *at != '"' && (unsigned char)*at >= 0x20) {
		if (*at == '\\') {
			n++;
			if (++at == end)
				break;
		}
		at++;
	}
	*ret_escapes = n;
	return at;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Four hex digits, or -1. */
static int32_t hex_unit(const char *at, const char *end)
{
	int32_t unit = 0;

	if (end - at < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		int digit = hex_digit(at[i]);

		if (digit < 0)
			return -1;
		unit = unit << 4 | digit;
	}
	return unit;
}

static char *put_utf8(char *to, uint32_t c)
{
	if (c < 0x80) {
		*to++ = (char)c;
		return to;
	}
	if (c < 0x800) {
		*to++ = (char)(0xc0 | c >> 6);
	} else {
		if (c < 0x10000) {
			*to++ = (char)(0xe0 | c >> 12);
		} else {
			*to++ = (char)(0xf0 | c >> 18);
			*to++ = (char)(0x80 | (c >> 12 & 0x3f));
		}
		*to++ = (char)(0x80 | (c >> 6 & 0x3f));
	}
	*to++ = (char)(0x80 | (c & 0x3f));
	return to;
}

/* What stands behind "\u"; moves both ends, false when it is no character. */
static bool unescape_unicode(const char **at, const char *end, char **to)
{
	int32_t high = hex_unit(*at, end), low;
	uint32_t c;

	if (high < 0 || (high >= 0xdc00 && high < 0xe000))
		return false;
	*at += 4;
	c = (uint32_t)high;
	if (high >= 0xd800 && high < 0xdc00) {
		if (end - *at < 6 || (*at)[0] != '\\' || (*at)[1] != 'u')
			return false;
		low = hex_unit(*at + 2, end);
		if (low < 0xdc00 || low >= 0xe000)
			return false;
		*at += 6;
		c = 0x10000 + ((uint32_t)(high - 0xd800) << 10) +
		    (uint32_t)(low - 0xdc00);
	}
	*to = put_utf8(*to, c);
	return true;
}

/* One escape, `at` being behind the backslash. */
static bool unescape(const char **at, const char *end, char **to)
{
	static const char from[] = "\"\\/bfnrt";
	static const char into[] = "\"\\/\b\f\n\r\t";
	const char c = *(*at)++;
	const char *found;

	if (c == 'u')
		return unescape_unicode(at, end, to);
	found = c ? strchr(from, c) : NULL;
	if (!found)
		return false;
	*(*to)++ = into[found - from];
	return true;
}

/* Copies [at, end) into `to`, which is as long; the length, or -1. */
static ptrdiff_t unescape_all(const char *at, const char *end, char *to)
{
	char *start = to;

	while (at < end) {
		if (*at != '\\') {
			*to++ = *at++;
			continue;
		}
		at++;
		if (at == end || !unescape(&at, end, &to))
			return -1;
	}
	return to - start;
}

const char *json_text_string(const char *at, const char *end,
			     struct arena *arena, struct str *ret_string,
			     const char **ret_why)
{
	const char *start = at + 1;
	size_t n_escapes;
	ptrdiff_t len;
	char *copy;

	at = string_end(start, end, &n_escapes);
	*ret_why = "a string that does not end";
	if (at >= end)
		return NULL;
	*ret_why = "a string with a bare control character";
	if (*at != '"')
		return NULL;
	*ret_why = "a string that is not UTF-8";
	if (!str_is_utf8(start, (size_t)(at - start)))
		return NULL;
	*ret_string = (struct str){ start, (size_t)(at - start) };
	if (!n_escapes)
		return at + 1;
	*ret_why = "a string too long for the memory of one request";
	copy = arena_alloc(arena, (size_t)(at - start) + 1);
	if (!copy)
		return NULL;
	*ret_why = "a string with a broken escape";
	len = unescape_all(start, at, copy);
	if (len < 0)
		return NULL;
	copy[len] = '\0';
	*ret_string = (struct str){ copy, (size_t)len };
	return at + 1;
}

const char *json_text_skip_string(const char *at, const char *end)
{
	size_t n_escapes;

	at = string_end(at + 1, end, &n_escapes);
	return at < end && *at == '"' ? at + 1 : NULL;
}

/* The opening quote of what stands behind {"b64": or NULL. */
static const char *bytes_quote(const char *at, const char *end)
{
	static const char key[] = "\"b64\"";

	if (at >= end || *at != '{')
		return NULL;
	at = json_text_space(at + 1, end);
	if (!json_text_word(at, end, key))
		return NULL;
	at = json_text_space(at + strlen(key), end);
	if (at >= end || *at != ':')
		return NULL;
	at = json_text_space(at + 1, end);
	return at < end && *at == '"' ? at : NULL;
}

/* Over the bracket that closes. */
static const char *bytes_end(const char *at, const char *end)
{
	at = json_text_space(at, end);
	return at < end && *at == '}' ? at + 1 : NULL;
}

const char *json_text_skip_bytes(const char *at, const char *end)
{
	at = bytes_quote(at, end);
	if (at)
		at = json_text_skip_string(at, end);
	return at ? bytes_end(at, end) : NULL;
}

const char *json_text_bytes(const char *at, const char *end,
			    struct arena *arena, struct str *ret_string,
			    const char **ret_why)
{
	struct str text;
	struct buf bytes = { 0 };

	*ret_why = "is not a string or {\"b64\": \"...\"}";
	at = bytes_quote(at, end);
	if (!at)
		return NULL;
	at = json_text_string(at, end, arena, &text, ret_why);
	if (!at)
		return NULL;
	at = bytes_end(at, end);
	*ret_why = "is not {\"b64\": \"...\"}";
	if (!at)
		return NULL;
	/* memory of the arena, as much as there can be: it does not grow */
	bytes.cap = bytes.max = text.len + 1;
	bytes.data = arena_alloc(arena, bytes.cap);
	*ret_why = "is too long for the memory of one request";
	if (!bytes.data)
		return NULL;
	*ret_why = "is not base64";
	if (base64_decode(text.bytes, text.len, "", &bytes, NULL))
		return NULL;
	*ret_string = (struct str){ bytes.data, bytes.len };
	return at;
}

const char *json_text_excerpt(const char *at, const char *end, char *to,
			      size_t cap)
{
	size_t n = 0;

	if (at >= end) {
		str_copy(to, cap, "the end");
		return to;
	}
	to[n++] = '\'';
	for (; at < end && n + 5 < cap && n <= EXCERPT_MAX; at++) {
		if (*at == '\n' || *at == ',' || *at == ']' || *at == '}')
			if (n > 1)
				break;
		to[n++] = (char)(*at >= 0x20 && *at < 0x7f ? *at : '?');
	}
	if (n > EXCERPT_MAX) {
		memcpy(to + n, "...", 3);
		n += 3;
	}
	to[n++] = '\'';
	to[n] = '\0';
	return to;
}
