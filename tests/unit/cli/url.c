/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/url.h"

#include <criterion/criterion.h>

Test(url, hosts_ports_and_prefixes_are_read)
{
	static const struct {
		const char *text, *host, *port, *prefix;
	} cases[] = {
		{ "http://127.0.0.1:8080", "127.0.0.1", "8080", "" },
		{ "http://localhost", "localhost", "80", "" },
		{ "http://a.b:1/", "a.b", "1", "" },
		{ "http://a.b:65535/x/y//", "a.b", "65535", "/x/y" },
		{ "http://[::1]:8080", "::1", "8080", "" },
		{ "http://[fe80::1]/p", "fe80::1", "80", "/p" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct url url;
		struct err err = { 0 };

		cr_assert_eq(url_parse(cases[i].text, &url, &err), ERR_NONE,
			     "%s: %s", cases[i].text, err.msg);
		cr_assert_str_eq(url.host, cases[i].host);
		cr_assert_str_eq(url.port, cases[i].port);
		cr_assert_str_eq(url.prefix, cases[i].prefix);
		cr_assert_eq(url.is_ipv6, strchr(cases[i].host, ':') != NULL);
	}
}

Test(url, what_is_no_http_url_is_refused_and_quoted)
{
	static const char *const bad[] = {
		"",
		"localhost:8080",
		"ftp://a",
		"http://",
		"http://:80",
		"http:///x",
		"http://a:0",
		"http://a:65536",
		"http://a:8x",
		"http://a:",
		"http://a:+80",
		"http://user@a",
		"http://a b",
		"http://a/x?y=1",
		"http://a/x#y",
		"http://a/x y",
		"http://a/x\r\nHost: b",
		"http://[::1",
		"http://[::1]x",
		"http://[]",
		"http://\xc3\xa4",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct url url;
		struct err err = { 0 };

		cr_assert_eq(url_parse(bad[i], &url, &err), ERR_INVALID, "%s",
			     bad[i]);
		cr_assert(strlen(err.msg) > 20);
	}
}

Test(url, https_has_a_sentence_of_its_own)
{
	struct url url;
	struct err err;

	cr_assert_eq(url_parse("https://a", &url, &err), ERR_UNSUPPORTED);
	cr_assert(strstr(err.msg, "https is not spoken here"));
}

Test(url, hosts_and_prefixes_have_a_bound)
{
	char text[700] = "http://";
	struct url url;

	memset(text + 7, 'a', 254);
	cr_assert_eq(url_parse(text, &url, NULL), ERR_INVALID);
	text[7 + 253] = '\0';
	cr_assert_eq(url_parse(text, &url, NULL), ERR_NONE);
	(void)snprintf(text, sizeof(text), "http://a/%0300d", 0);
	cr_assert_eq(url_parse(text, &url, NULL), ERR_INVALID);
}

Test(url, segments_keep_only_what_a_path_may_hold)
{
	struct buf buf;

	buf_init(&buf, 256);
	url_add_segment(&buf, "Az09-._~");
	url_add_segment(&buf, "a/b c?d%\xc3\xa4\r\n");
	cr_assert_str_eq(buf.data, "/Az09-._~/a%2Fb%20c%3Fd%25%C3%A4%0D%0A");
	buf_finish(&buf);
}
