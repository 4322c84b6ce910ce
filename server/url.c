/* SPDX-License-Identifier: Apache-2.0 */
#include "server/url.h"

#include <strings.h>

#include "base/str.h"

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decodes into `to`, which has len + 1 bytes; false for a broken escape or an
 * escaped NUL. */
static bool decode(const char *text, size_t len, char *to, size_t *ret_len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		int high, low;

		if (text[i] != '%') {
			to[n++] = text[i];
			continue;
		}
		if (len - i < 3)
			return false;
		high = hex_digit(text[i + 1]);
		low = hex_digit(text[i + 2]);
		if (high < 0 || low < 0 || high + low == 0)
			return false;
		to[n++] = (char)(high << 4 | low);
		i += 2;
	}
	to[n] = '\0';
	*ret_len = n;
	return true;
}

enum err_code url_decode(const char *text, size_t len, const char *what,
			 struct arena *arena, const char **ret_text,
			 struct err *err)
{
	char *to = arena_alloc(arena, len + 1);
	size_t n;

	if (!to)
		return err_set(err, ERR_NO_MEMORY, "%s: out of memory", what);
	if (!decode(text, len, to, &n) || !str_is_utf8(to, n))
		return err_set(err, ERR_INVALID,
			       "%s: a percent escape is broken or what it "
			       "gives is not UTF-8",
			       what);
	*ret_text = to;
	return ERR_NONE;
}

/* Behind "http://HOST" of the form that proxies are asked with, which every
 * server takes (RFC 9112, section 3.2.2); "" where it ends there. */
static const char *skip_host(const char *path)
{
	static const char scheme[] = "http://";
	const char *host = path + strlen(scheme);

	if (strncasecmp(path, scheme, strlen(scheme)) != 0 || !*host ||
	    *host == '/')
		return path;
	path = host + strcspn(host, "/");
	return *path ? path : "/";
}

enum err_code url_parse(const char *path, struct arena *arena,
			struct url *ret_url, struct err *err)
{
	struct url url = { 0 };

	path = skip_host(path);
	if (*path != '/')
		return err_set(err, ERR_INVALID,
			       "the path of a request begins with '/'");
	while (*path == '/' && path[1]) {
		const size_t len = strcspn(++path, "/");
		enum err_code rc;

		if (url.n == URL_SEGMENTS_MAX)
			return err_set(err, ERR_NOT_FOUND,
				       "a path of more than %d parts",
				       URL_SEGMENTS_MAX);
		rc = url_decode(path, len, "path", arena, &url.segment[url.n],
				err);
		if (rc)
			return rc;
		url.n++;
		path += len;
	}
	*ret_url = url;
	return ERR_NONE;
}
