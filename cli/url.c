/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/url.h"

#include <ctype.h>

#include "base/str.h"

static const char scheme[] = "http://";

static enum err_code malformed(const char *text, struct err *err)
{
	return err_set(err, ERR_INVALID,
		       "server: expected http://HOST[:PORT], got '%s'", text);
}

/* Visible ASCII without what could end a header or a URL's path. */
static bool is_plain(const char *text, size_t len, const char *also_not)
{
	for (size_t i = 0; i < len; i++) {
		if (!isgraph((unsigned char)text[i]) ||
		    (unsigned char)text[i] > 126 || strchr(also_not, text[i]))
			return false;
	}
	return true;
}

static enum err_code read_port(const char **at, struct url *url,
			       const char *text, struct err *err)
{
	size_t len = strcspn(*at, "/");
	uint64_t port;

	if (len == 0 || len >= sizeof(url->port))
		return malformed(text, err);
	memcpy(url->port, *at, len);
	url->port[len] = '\0';
	if (!str_parse_uint64(url->port, &port) || port < 1 || port > 65535)
		return err_set(err, ERR_INVALID,
			       "server: expected a port from 1 to 65535, got "
			       "'%s'",
			       url->port);
	*at += len;
	return ERR_NONE;
}

static enum err_code read_host(const char **at, struct url *url,
			       const char *text, struct err *err)
{
	size_t len;

	url->is_ipv6 = **at == '[';
	*at += url->is_ipv6;
	len = strcspn(*at, url->is_ipv6 ? "]" : ":/");
	if (len == 0 || len >= sizeof(url->host) ||
	    !is_plain(*at, len, "@?#[]\\"))
		return malformed(text, err);
	memcpy(url->host, *at, len);
	url->host[len] = '\0';
	*at += len;
	if (url->is_ipv6 && *(*at)++ != ']')
		return malformed(text, err);
	return ERR_NONE;
}

enum err_code url_parse(const char *text, struct url *ret_url, struct err *err)
{
	struct url url = { .port = "80" };
	const char *at = text + strlen(scheme);
	size_t len;
	enum err_code rc;

	if (str_starts_with(text, "https://"))
		return err_set(err, ERR_UNSUPPORTED,
			       "server: https is not spoken here: use http on "
			       "loopback, or a tunnel, got '%s'",
			       text);
	if (!str_starts_with(text, scheme))
		return malformed(text, err);
	rc = read_host(&at, &url, text, err);
	if (!rc && *at == ':') {
		at++;
		rc = read_port(&at, &url, text, err);
	}
	if (rc)
		return rc;
	len = strlen(at);
	while (len && at[len - 1] == '/')
		len--;
	if ((*at && *at != '/') || len >= sizeof(url.prefix) ||
	    !is_plain(at, len, "?#"))
		return malformed(text, err);
	memcpy(url.prefix, at, len);
	*ret_url = url;
	return ERR_NONE;
}

void url_add_segment(struct buf *buf, const char *name)
{
	buf_putc(buf, '/');
	for (const char *c = name; *c; c++) {
		unsigned char byte = (unsigned char)*c;

		if (byte < 128 && (isalnum(byte) || strchr("-._~", byte)))
			buf_putc(buf, *c);
		else
			buf_printf(buf, "%%%02X", byte);
	}
}
