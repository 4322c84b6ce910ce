/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http_guard.h"

#include "base/str.h"

/* RFC 9110, section 5.6.2. */
static bool is_token_char(char c)
{
	const char lower = (char)(c | 0x20);

	return (lower >= 'a' && lower <= 'z') || c == '-' ||
	       (c >= '0' && c <= '9') || (c && strchr("!#$%&'*+.^_`|~", c));
}

static bool is_token(const char *name)
{
	if (!*name)
		return false;
	while (is_token_char(*name))
		name++;
	return !*name;
}

static bool is_value(const char *value)
{
	for (; *value; value++)
		if (((unsigned char)*value < 0x20 && *value != '\t') ||
		    *value == 0x7f)
			return false;
	return true;
}

static enum err_code check_length(const char *value,
				  struct http_framing *framing, struct err *err)
{
	if (framing->has_length)
		return err_set(err, ERR_INVALID,
			       "Content-Length is given twice");
	if (!str_parse_uint64(value, &framing->length))
		return err_set(err, ERR_INVALID,
			       "Content-Length: expected a number of bytes");
	framing->has_length = true;
	return ERR_NONE;
}

static enum err_code check_coding(const char *value,
				  struct http_framing *framing, struct err *err)
{
	if (framing->is_chunked)
		return err_set(err, ERR_INVALID,
			       "Transfer-Encoding is given twice");
	if (strcasecmp(value, "chunked") != 0)
		return err_set(err, ERR_INVALID,
			       "Transfer-Encoding: only 'chunked' is known");
	framing->is_chunked = true;
	return ERR_NONE;
}

enum err_code http_guard(const struct http_pair *headers, size_t n,
			 struct http_framing *ret_framing, struct err *err)
{
	struct http_framing framing = { 0 };
	unsigned n_hosts = 0;
	enum err_code rc = ERR_NONE;

	for (size_t i = 0; i < n && !rc; i++) {
		const char *name = headers[i].name;
		const char *value = headers[i].value ? headers[i].value : "";

		if (!is_token(name) || !is_value(value))
			return err_set(err, ERR_INVALID,
				       "header %zu: its name or value has a "
				       "character that is not allowed there",
				       i + 1);
		if (http_is_named(&headers[i], "Content-Length"))
			rc = check_length(value, &framing, err);
		else if (http_is_named(&headers[i], "Transfer-Encoding"))
			rc = check_coding(value, &framing, err);
		else if (http_is_named(&headers[i], "Host") && ++n_hosts > 1)
			rc = err_set(err, ERR_INVALID, "Host is given twice");
	}
	if (!rc && framing.has_length && framing.is_chunked)
		rc = err_set(err, ERR_INVALID,
			     "Content-Length and Transfer-Encoding exclude "
			     "each other");
	if (!rc)
		*ret_framing = framing;
	return rc;
}
